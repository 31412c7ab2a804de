//! Management states of ITU-T X.731 and the reason behind them.

use super::time::Timestamp;
use super::volatile::Volatile;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// Whether a resource can work (X.731 8.1.1.1).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OperationalState {
    /// Works at least in part.
    Enabled,
    /// Does not work.
    #[default]
    Disabled,
}

/// Whether the operator permits its use (X.731 8.1.1.3); kept by the VRM.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AdministrativeState {
    /// Use is prohibited (a host in maintenance, a VM expected to be off).
    Locked,
    /// Use is permitted.
    Unlocked,
    /// Only present users may go on.
    ShuttingDown,
}

/// Whether a resource is in use (X.731 8.1.1.2).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum UsageState {
    /// Not in use.
    #[default]
    Idle,
    /// In use with room for more.
    Active,
    /// In use with no room for more.
    Busy,
}

/// Qualification of the operational state (X.731 8.1.2.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AvailabilityStatus {
    /// Internal fault.
    Failed,
    /// Powered off.
    PowerOff,
    /// Needs an action to be brought into use.
    OffLine,
    /// Made inactive by a time or power policy.
    OffDuty,
    /// Something it depends on is missing.
    Dependency,
    /// Works worse than it should.
    Degraded,
}

/// A phase on the way to working or not working (X.731 8.1.2.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ProceduralStatus {
    /// Starting up.
    Initializing,
    /// Going down.
    Terminating,
}

/// Why an object is in its state, or why its state is not known.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct StateReason {
    /// Word from a closed list: a run-state reason (`io_error`) or one of the `UNKNOWN_…` words below.
    pub code: String,
    /// For people; may be empty.
    pub text: String,
}

impl StateReason {
    /// Stored before a restart, its host not read since.
    pub const NOT_YET_SEEN: &'static str = "not_yet_seen";
    /// Its host does not answer.
    pub const HOST_UNREACHABLE: &'static str = "host_unreachable";
    /// The host answers, its hypervisor service does not.
    pub const HYPERVISOR_SERVICE_LOST: &'static str = "hypervisor_service_lost";
    /// The hypervisor itself does not know.
    pub const NO_STATE: &'static str = "no_state";

    /// A reason from its code alone.
    pub fn code(code: &str) -> Self {
        Self { code: code.to_owned(), text: String::new() }
    }

    /// A reason with a text for people.
    pub fn with_text(code: &str, text: impl Into<String>) -> Self {
        Self { code: code.to_owned(), text: text.into() }
    }
}

/// The state every managed object has (class StateMixin of `docs/information-model.md`).
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ResourceState {
    /// Whether it can work.
    pub operational: OperationalState,
    /// Whether it may be used; nothing for classes that cannot be locked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub administrative: Option<AdministrativeState>,
    /// Whether it is in use.
    pub usage: UsageState,
    /// Qualifications; empty when there is nothing to say.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub availability: BTreeSet<AvailabilityStatus>,
    /// Phase, if in one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub procedural: Option<ProceduralStatus>,
    /// True: the other states are the last known ones. *Unknown is not off.*
    #[serde(default)]
    pub unknown: bool,
    /// Why.
    #[serde(default)]
    pub reason: StateReason,
    /// When one of the states above last changed, as seen by us.
    #[serde(default)]
    pub since: Volatile<Timestamp>,
}

impl ResourceState {
    /// A working, used resource.
    pub fn enabled(usage: UsageState) -> Self {
        Self { operational: OperationalState::Enabled, usage, ..Self::default() }
    }

    /// A resource that does not work, with the qualifications why.
    pub fn disabled(availability: impl IntoIterator<Item = AvailabilityStatus>) -> Self {
        Self { availability: availability.into_iter().collect(), ..Self::default() }
    }
}
