//! What the inventory is told beside the facts themselves.

use crate::model::annotation::OutsideChanges;
use crate::model::capacity::Overcommit;
use crate::model::host::Vrm;
use crate::model::{ChangeSource, Timestamp};

/// Where facts come from and how far they announce themselves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Evidence {
    /// When they were applied: the time of the resulting changes.
    pub now: Timestamp,
    /// When their reading began.
    pub read: Timestamp,
    /// What the changes are marked with.
    pub source: ChangeSource,
    /// True for a periodic reading: a difference found by it is an event that was missed.
    pub periodic: bool,
}

/// Standing of an endpoint's connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LinkStanding {
    /// First contact is being made.
    Connecting,
    /// Connected, not read completely.
    Synchronizing,
    /// Connected and read.
    Connected,
    /// Connected, slow.
    Degraded,
    /// No contact with the machine.
    Unreachable,
    /// The machine answers, its hypervisor service does not.
    ServiceLost,
    /// Our credential is refused.
    Refused,
}

impl LinkStanding {
    /// True while facts come through.
    pub fn is_up(self) -> bool {
        matches!(self, Self::Synchronizing | Self::Connected | Self::Degraded)
    }
}

/// What the inventory needs of the settings.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct InventorySettings {
    /// The manager itself.
    pub vrm: Vrm,
    /// Id of the cluster.
    pub cluster_id: String,
    /// Ratios for capacities.
    pub overcommit: Overcommit,
    /// What an outside stop or start does to an expectation.
    pub outside_changes: OutsideChanges,
}
