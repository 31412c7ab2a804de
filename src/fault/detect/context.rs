//! What detectors may ask beside the object itself.

use super::tally::Tallies;
use crate::fault::catalogue::AlarmType;
use crate::fault::conditions::{ConditionKey, Conditions, Standing};
use crate::fault::finding::Finding;
use crate::fault::rules::Grading;
use crate::model::relation::Topology;
use crate::model::{Name, OutsideChanges, PerceivedSeverity, Timestamp};
use std::time::Duration;

/// What profiles and catalogue say together about a type at an object.
pub type Grade<'a> = dyn Fn(AlarmType, &Name) -> Grading + 'a;

/// The surroundings of a judgement.
pub struct Context<'a> {
    /// The managed world.
    pub world: &'a dyn Topology,
    /// Levels of a type at an object, and whether it is off.
    pub grading: &'a Grade<'a>,
    /// What an outside stop means (operations.md F1).
    pub outside_changes: OutsideChanges,
    /// Conditions that stand, told or not.
    pub conditions: &'a Conditions,
    /// What was counted over time.
    pub tallies: &'a Tallies,
    /// Now.
    pub now: Timestamp,
}

impl Context<'_> {
    /// The condition of a type at an object, if it stands.
    pub fn standing(&self, alarm_type: AlarmType, object: &Name) -> Option<Standing<'_>> {
        self.conditions.standing(&ConditionKey { object: object.clone(), alarm_type })
    }

    /// True if the condition stands, told or not.
    pub fn stands(&self, alarm_type: AlarmType, object: &Name) -> bool {
        self.standing(alarm_type, object).is_some()
    }

    /// The severity with which a condition stands, for the distance between its levels of raise and clear.
    pub fn severity(&self, alarm_type: AlarmType, object: &Name) -> Option<PerceivedSeverity> {
        self.standing(alarm_type, object).and_then(|standing| standing.finding.severity)
    }

    /// The finding in the words it was told with, as long as its severity is the same: figures that move are no
    /// news, and an event knew more than the state that follows from it.
    pub fn steady(&self, finding: Finding) -> Finding {
        match self.standing(finding.alarm_type, &finding.object) {
            Some(standing) if finding.severity.is_none() || standing.finding.severity == finding.severity => {
                Finding { hold: finding.hold, ..standing.finding.clone() }
            }
            _ => finding,
        }
    }

    /// A parameter of the detection as a time in seconds.
    pub fn seconds(&self, alarm_type: AlarmType, object: &Name, parameter: &str) -> Duration {
        let grading = (self.grading)(alarm_type, object);
        let seconds = grading.thresholds.get(parameter).copied().unwrap_or_default();
        Duration::try_from_secs_f64(seconds).unwrap_or_default()
    }

    /// A parameter of the detection as a number.
    pub fn number(&self, alarm_type: AlarmType, object: &Name, parameter: &str) -> f64 {
        (self.grading)(alarm_type, object).thresholds.get(parameter).copied().unwrap_or(f64::INFINITY)
    }
}

impl std::fmt::Debug for Context<'_> {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Context").field("now", &self.now).finish_non_exhaustive()
    }
}
