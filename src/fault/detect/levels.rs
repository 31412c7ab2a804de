//! Levels of the catalogue and the distance between raise and clear.

use crate::fault::rules::Grading;
use crate::model::PerceivedSeverity;
use crate::model::alarm::{ThresholdCrossing, ThresholdDirection};

/// Severities that levels are given for, highest first.
const SEVERITIES: [PerceivedSeverity; 4] =
    [PerceivedSeverity::Critical, PerceivedSeverity::Major, PerceivedSeverity::Minor, PerceivedSeverity::Warning];

/// The highest severity for which `holds` is true; it is told whether the condition stands at that severity already,
/// so that it can ask for less.
pub(super) fn worst(
    stands: Option<PerceivedSeverity>,
    holds: impl Fn(PerceivedSeverity, bool) -> bool,
) -> Option<PerceivedSeverity> {
    SEVERITIES.into_iter().find(|severity| holds(*severity, stands.is_some_and(|stands| stands >= *severity)))
}

/// Level of a metric for a severity, if there is one.
pub(super) fn level(grading: &Grading, metric: &str, severity: PerceivedSeverity) -> Option<f64> {
    grading.thresholds.get(&format!("{metric}.{}", severity.as_str())).copied()
}

/// A rising figure against its levels; a condition that stands does so down to the level minus the hysteresis.
pub(super) fn risen(
    grading: &Grading,
    metric: &str,
    value: f64,
    stands: Option<PerceivedSeverity>,
) -> Option<(PerceivedSeverity, ThresholdCrossing)> {
    crossed(grading, metric, value, stands, ThresholdDirection::Up)
}

/// A falling figure against its levels; a condition that stands does so up to the level plus the hysteresis.
pub(super) fn fallen(
    grading: &Grading,
    metric: &str,
    value: f64,
    stands: Option<PerceivedSeverity>,
) -> Option<(PerceivedSeverity, ThresholdCrossing)> {
    crossed(grading, metric, value, stands, ThresholdDirection::Down)
}

fn crossed(
    grading: &Grading,
    metric: &str,
    value: f64,
    stands: Option<PerceivedSeverity>,
    direction: ThresholdDirection,
) -> Option<(PerceivedSeverity, ThresholdCrossing)> {
    let severity = worst(stands, |severity, held| beyond(grading, metric, value, severity, held, direction))?;
    Some((severity, crossing(grading, metric, value, severity, direction)))
}

/// True if the value is beyond the level of a severity, or not yet back behind it.
pub(super) fn beyond(
    grading: &Grading,
    metric: &str,
    value: f64,
    severity: PerceivedSeverity,
    held: bool,
    direction: ThresholdDirection,
) -> bool {
    let slack = if held { hysteresis(grading, metric) } else { 0.0 };
    level(grading, metric, severity).is_some_and(|level| match direction {
        ThresholdDirection::Up => value >= level - slack,
        ThresholdDirection::Down => value <= level + slack,
    })
}

/// The crossing for the alarm record.
pub(super) fn crossing(
    grading: &Grading,
    metric: &str,
    value: f64,
    severity: PerceivedSeverity,
    direction: ThresholdDirection,
) -> ThresholdCrossing {
    let level = level(grading, metric, severity).unwrap_or_default();
    let slack = hysteresis(grading, metric);
    let clear_level = if direction == ThresholdDirection::Up { level - slack } else { level + slack };
    ThresholdCrossing { metric: metric.to_owned(), level, clear_level, direction, observed: value }
}

fn hysteresis(grading: &Grading, metric: &str) -> f64 {
    grading.thresholds.get(&format!("{metric}.hysteresis")).copied().unwrap_or_default()
}

/// A part of a whole, in percent.
pub(super) fn percent(part: u64, whole: u64) -> f64 {
    if whole == 0 { 0.0 } else { float(part) * 100.0 / float(whole) }
}

/// A count of bytes as the number that levels are compared with.
#[expect(clippy::cast_precision_loss, reason = "levels are compared, not counted with")]
pub(super) fn float(bytes: u64) -> f64 {
    bytes as f64
}

/// Bytes for people, in GiB.
pub(super) fn gib(bytes: u64) -> String {
    format!("{:.1} GiB", float(bytes) / f64::from(1 << 30))
}
