//! Capacity: what a level did over a time, and when it will be full if it goes on like that.

use crate::model::Timestamp;

/// A month, for growth: a twelfth of 365.25 days.
const MONTH_SECONDS: f64 = 365.25 * 86_400.0 / 12.0;
const DAY_SECONDS: f64 = 86_400.0;

/// What a level did over a time.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct CapacityFigures {
    /// Least.
    pub min: f64,
    /// Mean of the results.
    pub mean: f64,
    /// Greatest.
    pub max: f64,
    /// Last.
    pub last: f64,
    /// Growth per month by least squares; nothing from fewer than two results.
    pub growth_per_month: Option<f64>,
    /// Days from the last result until the limit is reached at this growth; nothing if it does not grow. 0: it is
    /// reached.
    pub days_until_full: Option<f64>,
}

/// Figures of a level from results in order of time, stale and absent ones left out by the caller; nothing of nothing.
pub fn capacity(points: &[(Timestamp, f64)], limit: Option<f64>) -> Option<CapacityFigures> {
    let (first, _) = points.first()?;
    let (_, last) = points.last()?;
    let values = points.iter().map(|(_, value)| *value);
    let line: Vec<(f64, f64)> =
        points.iter().map(|(time, value)| (time.since(*first).as_secs_f64(), *value)).collect();
    let slope = slope(&line);
    let growing = slope.filter(|slope| *slope > 0.0);
    let missing = limit.map(|limit| (limit - last).max(0.0));
    Some(CapacityFigures {
        min: values.clone().fold(f64::INFINITY, f64::min),
        mean: values.clone().sum::<f64>() / count(points.len()),
        max: values.fold(f64::NEG_INFINITY, f64::max),
        last: *last,
        growth_per_month: slope.map(|slope| slope * MONTH_SECONDS),
        days_until_full: match missing {
            Some(0.0) => Some(0.0),
            missing => missing.zip(growing).map(|(missing, slope)| missing / slope / DAY_SECONDS),
        },
    })
}

/// Slope of the line of least squares; nothing if all points lie at one time.
fn slope(points: &[(f64, f64)]) -> Option<f64> {
    let number = count(points.len());
    let mean = |of: fn(&(f64, f64)) -> f64| points.iter().map(of).sum::<f64>() / number;
    let (mean_x, mean_y) = (mean(|point| point.0), mean(|point| point.1));
    let square = points.iter().map(|(x, _)| (x - mean_x).powi(2)).sum::<f64>();
    let product = points.iter().map(|(x, y)| (x - mean_x) * (y - mean_y)).sum::<f64>();
    (square > 0.0).then(|| product / square)
}

#[expect(clippy::cast_precision_loss, reason = "numbers of results")]
fn count(length: usize) -> f64 {
    length as f64
}
