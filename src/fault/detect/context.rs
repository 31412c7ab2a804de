//! What detectors may ask beside the object itself.

use crate::fault::catalogue::AlarmType;
use crate::fault::rules::Grading;
use crate::model::relation::Topology;
use crate::model::{Name, OutsideChanges, Timestamp};

/// The surroundings of a judgement.
pub struct Context<'a> {
    /// The managed world.
    pub world: &'a dyn Topology,
    /// What profiles and catalogue say together about a type at an object: levels, off.
    pub grading: &'a dyn Fn(AlarmType, &Name) -> Grading,
    /// What an outside stop means (operations.md F1).
    pub outside_changes: OutsideChanges,
    /// Now.
    pub now: Timestamp,
}

impl std::fmt::Debug for Context<'_> {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Context").field("now", &self.now).finish_non_exhaustive()
    }
}
