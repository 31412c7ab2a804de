//! Thresholds: one raise and one clear for each crossing of the band.

use crate::model::PerceivedSeverity::{self, Critical, Major, Minor};
use crate::model::measurement::{ThresholdDirection, ThresholdLevel, ThresholdMonitor};
use crate::performance::{Crossing, LevelState, evaluate};
use proptest::prelude::*;

fn monitor(levels: &[(f64, PerceivedSeverity)], hysteresis: f64, direction: ThresholdDirection) -> ThresholdMonitor {
    let levels = levels.iter().map(|(value, severity)| ThresholdLevel { value: *value, severity: *severity }).collect();
    ThresholdMonitor { levels, hysteresis, direction, ..ThresholdMonitor::default() }
}

fn told(monitor: &ThresholdMonitor, values: &[f64]) -> Vec<Option<PerceivedSeverity>> {
    let mut state = LevelState::Clear;
    values.iter().filter_map(|value| evaluate(monitor, &mut state, *value)).map(|crossing| crossing.severity).collect()
}

#[test]
fn a_sawtooth_around_a_level_is_one_raise_and_one_clear_per_crossing_of_the_band() {
    let monitor = monitor(&[(90.0, Minor)], 5.0, ThresholdDirection::Up);
    // Inside the band nothing is told, however often the level itself is crossed.
    let teeth = [80.0, 91.0, 88.0, 92.0, 86.0, 90.5, 85.0, 89.9, 84.9, 89.9, 86.0, 89.0, 90.0, 84.0];
    assert_eq!(told(&monitor, &teeth), [Some(Minor), None, Some(Minor), None]);
}

#[test]
fn severity_follows_the_levels_each_with_its_band() {
    let monitor = monitor(&[(80.0, Minor), (90.0, Major), (98.0, Critical)], 5.0, ThresholdDirection::Up);
    let values = [82.0, 91.0, 99.0, 94.0, 92.0, 86.0, 84.0, 76.0, 74.0];
    assert_eq!(told(&monitor, &values), [Some(Minor), Some(Major), Some(Critical), Some(Major), Some(Minor), None]);
}

#[test]
fn low_can_be_bad() {
    let monitor = monitor(&[(10.0, Minor), (5.0, Major)], 2.0, ThresholdDirection::Down);
    assert_eq!(told(&monitor, &[11.0, 10.0, 4.0, 6.5, 7.5, 11.5, 12.5]), [Some(Minor), Some(Major), Some(Minor), None]);
}

#[test]
fn what_is_no_number_is_not_judged_and_in_the_band_nothing_is_known_at_first() {
    let monitor = monitor(&[(90.0, Minor)], 5.0, ThresholdDirection::Up);
    let mut state = LevelState::Unknown;
    assert_eq!(evaluate(&monitor, &mut state, f64::NAN), None);
    assert_eq!(evaluate(&monitor, &mut state, 87.0), None);
    assert_eq!(state, LevelState::Unknown);
    // An alarm of before a restart would stand: that it is over is told.
    assert_eq!(evaluate(&monitor, &mut state, 80.0), Some(Crossing { severity: None, level: 90.0 }));
    assert_eq!(evaluate(&monitor, &mut state, 80.0), None);
}

proptest! {
    /// Against a model that says it in other words: a value beyond a level opens it, one behind its band closes it,
    /// and what is told is the worst that is open, whenever that changes.
    #[test]
    fn levels_behave_like_independent_switches(values in prop::collection::vec(0.0_f64..100.0, 1..60), up in any::<bool>()) {
        let direction = if up { ThresholdDirection::Up } else { ThresholdDirection::Down };
        let sign = if up { 1.0 } else { -1.0 };
        let mut levels = vec![(50.0 + sign * 10.0, Minor), (50.0 + sign * 20.0, Major), (50.0 + sign * 30.0, Critical)];
        levels.sort_by_key(|(_, severity)| *severity);
        let monitor = monitor(&levels, 4.0, direction);
        let mut open = [false; 3];
        let mut stands = None;
        let mut state = LevelState::Clear;
        for value in values {
            for (at, (level, _)) in levels.iter().enumerate() {
                let beyond = sign * (value - level);
                open[at] = beyond >= 0.0 || (open[at] && beyond >= -4.0);
            }
            let worst = (0..3).rev().find(|at| open[*at]).map(|at| levels[at].1);
            let crossing = evaluate(&monitor, &mut state, value);
            prop_assert_eq!(crossing.is_some(), worst != stands);
            if let Some(crossing) = crossing {
                prop_assert_eq!(crossing.severity, worst);
            }
            stands = worst;
        }
    }
}
