//! Small charts of blocks. Pure.

const BLOCKS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];

/// A line of blocks between the least and the greatest given; what is absent is a space.
pub fn sparkline(values: &[Option<f64>], least: f64, greatest: f64) -> String {
    values
        .iter()
        .map(|value| value.map_or(' ', |value| BLOCKS[step(value, least, greatest, BLOCKS.len() - 1)]))
        .collect()
}

/// A chart of several lines with its scale at the left; what is absent is left out.
pub fn chart(values: &[Option<f64>], height: usize, scale: impl Fn(f64) -> String) -> Vec<String> {
    let present = || values.iter().flatten().copied();
    let greatest = present().fold(f64::NEG_INFINITY, f64::max);
    if !greatest.is_finite() {
        return vec!["(no values)".to_owned()];
    }
    let least = present().fold(f64::INFINITY, f64::min).min(0.0);
    let height = height.max(1);
    let steps = height * BLOCKS.len();
    let (top, bottom) = (scale(greatest), scale(least));
    let width = top.chars().count().max(bottom.chars().count());
    (0..height)
        .rev()
        .map(|line| {
            let label = match line {
                0 => &bottom,
                line if line == height - 1 => &top,
                _ => "",
            };
            let bars: String = values.iter().map(|value| bar(*value, least, greatest, line, steps)).collect();
            format!("{label:>width$} ┤{}", bars.trim_end())
        })
        .collect()
}

fn bar(value: Option<f64>, least: f64, greatest: f64, line: usize, steps: usize) -> char {
    let Some(value) = value else { return ' ' };
    // A value at the bottom is still seen.
    let filled = step(value, least, greatest, steps).max(1);
    match filled.saturating_sub(line * BLOCKS.len()) {
        0 => ' ',
        part => BLOCKS[part.min(BLOCKS.len()) - 1],
    }
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::cast_precision_loss, reason = "0 to most")]
fn step(value: f64, least: f64, greatest: f64, most: usize) -> usize {
    if greatest <= least {
        return 0;
    }
    let share = ((value - least) / (greatest - least)).clamp(0.0, 1.0);
    ((share * most as f64).round() as usize).min(most)
}

/// Values as so many columns, each the mean of what falls into it.
#[expect(clippy::cast_precision_loss, reason = "counts of points")]
pub fn columns(values: &[Option<f64>], width: usize) -> Vec<Option<f64>> {
    if values.len() <= width || width == 0 {
        return values.to_vec();
    }
    (0..width)
        .map(|column| {
            let part = &values[column * values.len() / width..(column + 1) * values.len() / width];
            let present: Vec<f64> = part.iter().flatten().copied().collect();
            (!present.is_empty()).then(|| present.iter().sum::<f64>() / present.len() as f64)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_absent_is_a_gap() {
        assert_eq!(sparkline(&[Some(0.0), None, Some(50.0), Some(100.0)], 0.0, 100.0), "▁ ▅█");
        let lines = chart(&[Some(1.0), None, Some(2.0)], 2, |value| format!("{value}"));
        assert_eq!(lines, ["2 ┤  █", "0 ┤█ █"]);
        assert_eq!(chart(&[None], 2, |value| format!("{value}")), ["(no values)"]);
    }

    #[test]
    fn many_points_share_a_column() {
        let values: Vec<_> = (0..10).map(|value| Some(f64::from(value))).collect();
        assert_eq!(columns(&values, 5), [Some(0.5), Some(2.5), Some(4.5), Some(6.5), Some(8.5)]);
        assert_eq!(columns(&[None, None, Some(4.0), None], 2), [None, Some(4.0)]);
    }
}
