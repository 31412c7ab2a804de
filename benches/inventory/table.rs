//! The figures with their targets, as text.

use std::fmt;
use std::time::Duration;

/// Rows in order of measuring.
#[derive(Debug, Default)]
pub struct Table {
    part: String,
    rows: Vec<[String; 5]>,
}

impl Table {
    /// The rows that follow belong to this part.
    pub fn begin(&mut self, part: &str) {
        part.clone_into(&mut self.part);
    }

    /// A figure without target.
    pub fn note(&mut self, what: impl Into<String>, value: impl Into<String>) {
        self.push(what.into(), value.into(), String::new(), "");
    }

    /// A figure that must not exceed `most`; both as `shown` writes them.
    pub fn at_most(&mut self, what: impl Into<String>, value: f64, most: f64, shown: impl Fn(f64) -> String) {
        let verdict = if value <= most { "met" } else { "MISSED" };
        self.push(what.into(), shown(value), format!("<= {}", shown(most)), verdict);
    }

    /// Something that must be so.
    pub fn holds(&mut self, what: impl Into<String>, value: impl Into<String>, holds: bool) {
        self.push(what.into(), value.into(), String::new(), if holds { "met" } else { "MISSED" });
    }

    fn push(&mut self, what: String, value: String, target: String, verdict: &str) {
        println!("   {what}: {value} {target} {verdict}");
        self.rows.push([self.part.clone(), what, value, target, verdict.to_owned()]);
    }
}

impl fmt::Display for Table {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let header = ["part", "figure", "value", "target", ""].map(str::to_owned);
        let ruler = [3, 3, 3, 3, 3].map(|width| "-".repeat(width));
        let rows: Vec<&[String; 5]> = [&header, &ruler].into_iter().chain(&self.rows).collect();
        let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
        let widths: Vec<usize> = (0..5).map(width).collect();
        for row in &rows {
            let cells: Vec<String> = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:width$}")).collect();
            writeln!(formatter, "| {} |", cells.join(" | "))?;
        }
        Ok(())
    }
}

/// Milliseconds with one place.
pub fn millis(value: f64) -> String {
    format!("{value:.1} ms")
}

/// Mebibytes with one place.
pub fn mebibytes(value: f64) -> String {
    format!("{value:.1} MiB")
}

/// Cores with two places.
pub fn cores(value: f64) -> String {
    format!("{value:.2} cores")
}

/// Per cent with one place.
pub fn percent(value: f64) -> String {
    format!("{value:.1} %")
}

/// A duration in milliseconds.
pub fn in_millis(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1_000.0
}

/// The value below which `share` of the sorted values lie; 0 of none.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_precision_loss,
    reason = "an index into some hundred values"
)]
pub fn quantile(sorted: &[f64], share: f64) -> f64 {
    let last = sorted.len().saturating_sub(1);
    sorted.get((last as f64 * share).round() as usize).copied().unwrap_or(0.0)
}

/// p50, p99 and maximum as text.
pub fn spread(values: &[f64]) -> String {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let [half, most, all] = [0.5, 0.99, 1.0].map(|share| quantile(&sorted, share));
    format!("{half:.1} / {most:.1} / {all:.1} ms")
}
