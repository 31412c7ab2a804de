//! What people say about an object: our own data, kept in every profile.

use super::audit::Actor;
use super::time::Timestamp;
use super::volatile::Volatile;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Labels and texts attached to a managed object through the VRM.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Annotations {
    /// Key-value pairs set through the VRM; they win over those found at the source.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
    /// The operator's name for it, at most 256 characters.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub user_label: String,
    /// Cloud services this resource supports (ids of the cloud operation management system).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub service_refs: Vec<String>,
    /// What the operator expects of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expectation: Option<ExpectationSetting>,
    /// Set while the object, a host, is in maintenance.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub maintenance: Option<Maintenance>,
}

/// Somebody works on a host: its alarms are kept and not told (operations.md F24).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Maintenance {
    /// Since when.
    pub since: Timestamp,
    /// When it should be over.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub planned_end: Option<Timestamp>,
    /// Why.
    #[serde(default)]
    pub reason: String,
    /// Who began it.
    pub actor: Actor,
}

/// The run state an object should have (operations.md F1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Expectation {
    /// It should run (X.731 *unlocked*).
    Running,
    /// It should be off (X.731 *locked*).
    Off,
    /// Either is fine.
    Any,
}

/// An expectation and where it came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExpectationSetting {
    /// What is expected.
    pub expected: Expectation,
    /// Who said so.
    pub origin: ExpectationOrigin,
    /// Set while an adoption is provisional: what it replaced, and when (operations.md F1).
    #[serde(default)]
    pub adopted: Volatile<Option<Adoption>>,
}

/// An expectation that followed an outside change a short while ago.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Adoption {
    /// What was expected before; it stands again if the host goes away too soon.
    pub former: Expectation,
    /// When the new one was adopted.
    pub time: Timestamp,
}

/// Where an expectation came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ExpectationOrigin {
    /// The state found at first discovery, or adopted since.
    Observed,
    /// An operator's `SetExpectation`: strict, never adopted away.
    Operator,
    /// The label `vrm.expect`: as strict as an operator's word.
    Label,
}

/// What a stop or start ordered outside of the VRM does to the expectation.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OutsideChanges {
    /// The expectation follows (default of profile monitor).
    #[default]
    Adopt,
    /// A warning (default of profile manage).
    Warn,
    /// An alarm.
    Alarm,
}

/// Name of the label that overrides a stored expectation.
pub const EXPECT_LABEL: &str = "vrm.expect";

/// Bounds on annotations, checked before anything is stored.
pub mod limits {
    /// Most labels on one object.
    pub const LABELS: usize = 64;
    /// Longest label key, in bytes.
    pub const LABEL_KEY: usize = 63;
    /// Longest label value, in bytes.
    pub const LABEL_VALUE: usize = 256;
    /// Longest user label, in characters.
    pub const USER_LABEL: usize = 256;
    /// Most service references on one object.
    pub const SERVICE_REFS: usize = 64;
    /// Longest service reference, in bytes.
    pub const SERVICE_REF: usize = 256;
}
