//! Levels with hysteresis: when a value begins to be beyond one, and when it is back.
//!
//! One raise and one clear for each crossing of the band, whatever the value does inside it. What is absent, stale or
//! not measured is never judged.

use crate::model::PerceivedSeverity;
use crate::model::measurement::{ThresholdDirection, ThresholdMonitor};

/// What is known of one watched object.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LevelState {
    /// Nothing yet: an alarm of before a restart may stand.
    #[default]
    Unknown,
    /// Below every level.
    Clear,
    /// Beyond the level of this severity.
    Beyond(PerceivedSeverity),
}

/// A change that is to be told.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Crossing {
    /// Severity now; nothing when it came back.
    pub severity: Option<PerceivedSeverity>,
    /// The level that was crossed.
    pub level: f64,
}

/// Judges a value; answers what is to be told. The levels of the monitor are in order, the mildest first.
pub fn evaluate(monitor: &ThresholdMonitor, state: &mut LevelState, value: f64) -> Option<Crossing> {
    if !value.is_finite() {
        return None;
    }
    let before = *state;
    let held = |severity: PerceivedSeverity| matches!(before, LevelState::Beyond(stands) if stands >= severity);
    let beyond = |level: f64, slack: f64| match monitor.direction {
        ThresholdDirection::Up => value >= level - slack,
        ThresholdDirection::Down => value <= level + slack,
    };
    let worst = monitor.levels.iter().rev().find(|level| {
        let slack = if held(level.severity) { monitor.hysteresis } else { 0.0 };
        beyond(level.value, slack)
    });
    if let Some(level) = worst {
        let next = LevelState::Beyond(level.severity);
        let told = (before != next).then_some(Crossing { severity: Some(level.severity), level: level.value });
        *state = next;
        return told;
    }
    let mildest = monitor.levels.first()?;
    if before == LevelState::Unknown && beyond(mildest.value, monitor.hysteresis) {
        // In the band: whether an alarm stands there from before is for the alarm list to keep.
        return None;
    }
    let told = (before != LevelState::Clear).then_some(Crossing { severity: None, level: mildest.value });
    *state = LevelState::Clear;
    told
}
