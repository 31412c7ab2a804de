//! Changes of managed objects, as they enter the log.

use super::name::Name;
use super::object::Object;
use super::time::Timestamp;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// Kind of a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ChangeKind {
    /// The object is new (3GPP notifyMOICreation).
    Created,
    /// Attributes changed (notifyMOIAttributeValueChanges).
    Changed,
    /// The object is gone (notifyMOIDeletion).
    Removed,
}

/// What caused a change (3GPP sourceIndicator).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ChangeSource {
    /// An operation through this interface.
    ManagementOperation,
    /// The resource itself, or somebody else's tool.
    ResourceOperation,
    /// Found by comparing after a gap: nobody can say when it happened.
    Resync,
}

/// One attribute's change.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AttributeChange {
    /// Path in proto spelling, e.g. `run_state` or `labels`.
    pub path: String,
    /// Value before; null if it was absent.
    pub old: serde_json::Value,
    /// Value after; null if it is absent.
    pub new: serde_json::Value,
}

/// One entry of the change log.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Change {
    /// Its place in the log.
    pub sequence: u64,
    /// Kind.
    pub kind: ChangeKind,
    /// Name of the object.
    pub name: Name,
    /// The object after the change; for a removal its last state with the revision raised once more.
    pub object: Arc<Object>,
    /// What differs from the previous revision.
    pub attributes: Vec<AttributeChange>,
    /// What caused it.
    pub source: ChangeSource,
    /// When it was seen. libvirt's events carry no time, so this is our receipt time.
    pub time: Timestamp,
}
