//! Alarms, the rules that shelve and grade them, and their types as published.
//!
//! The record is that of ITU-T X.733 and 3GPP TS 28.532, with the fields of operations.md F18. The
//! identity of an alarm is (object, type): type fixes event type, probable cause and specific problem.

pub use super::alarm_terms::{EventType, PerceivedSeverity, ProbableCause};
use super::audit::Actor;
use super::name::{HostId, Name};
use super::time::Timestamp;
use super::volatile::Volatile;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Bounds on an alarm record; what is beyond is counted, not kept.
pub mod limits {
    /// Status changes kept in a record (REQ-FM-FUN-20).
    pub const HISTORY: usize = 32;
    /// Impacted objects named in a record; the rest by `GetImpact`.
    pub const IMPACTED: usize = 100;
    /// Correlated alarms named in a record.
    pub const CORRELATED: usize = 100;
    /// Comments kept; the oldest goes.
    pub const COMMENTS: usize = 32;
    /// Longest comment or text, in characters.
    pub const TEXT: usize = 1_024;
    /// External references kept.
    pub const REFERENCES: usize = 16;
    /// Longest external reference, in bytes.
    pub const REFERENCE: usize = 256;
}

/// Whether the condition behind an alarm persists.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AlarmState {
    /// It does.
    #[default]
    Active,
    /// It does not; the alarm leaves the list when it is acknowledged.
    Cleared,
}

/// How an alarm was cleared (TS 28.111 clearingType, with our reasons).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ClearingKind {
    /// The condition is gone.
    Automatic,
    /// A person said so.
    Manual,
    /// The object is gone.
    ObjectGone,
    /// It turned out to be another fault, told by another alarm.
    Reclassified,
}

/// End of an alarm's condition.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Clearing {
    /// How.
    pub kind: ClearingKind,
    /// Who, if a person did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub actor: Option<Actor>,
}

/// Somebody took note.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Acknowledgement {
    /// Who.
    pub actor: Actor,
    /// When.
    pub time: Timestamp,
    /// Note; may be empty.
    #[serde(default)]
    pub comment: String,
}

/// A remark on an alarm.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AlarmComment {
    /// Who.
    pub actor: Actor,
    /// When.
    pub time: Timestamp,
    /// What.
    pub text: String,
}

/// A ticket or case in another system.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExternalReference {
    /// Id there, e.g. `INC123`.
    pub reference: String,
    /// Who linked it.
    pub actor: Actor,
    /// When.
    pub time: Timestamp,
}

/// Direction of a crossed threshold.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ThresholdDirection {
    /// The value rose above the level.
    #[default]
    Up,
    /// The value fell below the level.
    Down,
}

/// The threshold behind an alarm (X.733 thresholdInfo).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ThresholdCrossing {
    /// What is measured, with its unit, e.g. `filesystem.free [By]`.
    pub metric: String,
    /// Level that raised it.
    pub level: f64,
    /// Level that clears it.
    pub clear_level: f64,
    /// Direction.
    pub direction: ThresholdDirection,
    /// Value at the last change.
    pub observed: f64,
}

/// An object that suffers from the fault.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct ImpactedObject {
    /// Its name.
    pub name: Name,
    /// The name people know it by.
    pub label: String,
    /// Cloud services it supports.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub service_refs: Vec<String>,
}

/// An alarm that is put aside by a shelf.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shelving {
    /// The shelf.
    pub shelf: Name,
    /// When it comes back; never, if absent.
    pub expire_time: Option<Timestamp>,
}

/// An alarm that is kept but not told because something else explains it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Suppression {
    /// What suppresses: a host in maintenance.
    pub by: Name,
    /// Word: `maintenance`.
    pub reason: String,
}

/// Whether the alarm's source can be read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reliability {
    /// It can: the alarm is as it is shown.
    #[default]
    Ok,
    /// Its host is away since then: the alarm is the last known (TS 28.111 unreliableAlarmScope).
    SourceUnreachable {
        /// Since when.
        since: Timestamp,
    },
}

/// What X.736 adds for security alarms.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SecurityDetail {
    /// Whose request led to it.
    pub service_user: String,
    /// Whose service was asked.
    pub service_provider: String,
    /// What detected it.
    pub detector: String,
}

/// What happened to an alarm.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "each is the transition's own name")]
pub enum AlarmTransition {
    Raised,
    ReRaised,
    SeverityChanged,
    Updated,
    Cleared,
    Acknowledged,
    Unacknowledged,
    Commented,
    Linked,
    Shelved,
    Unshelved,
    Suppressed,
    Unsuppressed,
    Correlated,
    ReliabilityChanged,
}

/// One entry of an alarm's history.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StatusChange {
    /// When.
    pub time: Timestamp,
    /// What.
    pub transition: AlarmTransition,
    /// Severity after it.
    pub severity: PerceivedSeverity,
    /// Text after it, or the remark.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub text: String,
    /// Who, if a person did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub actor: Option<Actor>,
}

/// One alarm: one kind of fault at one object.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Alarm {
    /// Id in the catalogue, e.g. `vmCrashed`; X.733's specific problem.
    pub alarm_type: String,
    /// Event type.
    pub event_type: EventType,
    /// Probable cause.
    pub probable_cause: ProbableCause,
    /// Active or cleared.
    pub state: AlarmState,
    /// Severity, or the last one of a cleared alarm.
    pub perceived_severity: PerceivedSeverity,
    /// Highest severity of this episode.
    pub highest_severity: PerceivedSeverity,
    /// Name of the faulty object; may be a part of an object, e.g. `virtualMachines/U/disks/vda`.
    pub object: Name,
    /// Its distinguished name.
    pub object_dn: String,
    /// Its class as DNs carry it, e.g. `VirtualDisk`.
    pub object_class: String,
    /// The name people knew it by when the alarm was raised.
    pub object_label: String,
    /// Host it was on when the alarm was raised.
    pub host: Option<HostId>,
    /// Label `zone` of object or host at raise time.
    pub zone: String,
    /// Label `vrm.group` of the object at raise time.
    pub resource_group: String,
    /// Cloud services the object supports.
    pub service_refs: Vec<String>,
    /// Begin of this episode, as seen by us.
    pub raise_time: Timestamp,
    /// Begin of the first episode of this record.
    pub first_raise_time: Timestamp,
    /// Last change of severity, text or state.
    pub status_change_time: Timestamp,
    /// End of the condition, while cleared.
    pub clear_time: Option<Timestamp>,
    /// Episodes in this record.
    pub raise_count: u32,
    /// Detections while it was active already, of all episodes.
    pub repeat_count: Volatile<u64>,
    /// The last of them.
    pub last_repeat_time: Volatile<Option<Timestamp>>,
    /// How it ended, while cleared.
    pub clearing: Option<Clearing>,
    /// Set while acknowledged.
    pub acknowledgement: Option<Acknowledgement>,
    /// Remarks, oldest first.
    pub comments: Vec<AlarmComment>,
    /// Tickets.
    pub external_references: Vec<ExternalReference>,
    /// True if no other alarm explains it.
    pub root: bool,
    /// The alarm that explains it.
    pub root_cause: Option<Name>,
    /// Alarms this one explains, the first [`limits::CORRELATED`].
    pub correlated: Vec<Name>,
    /// How many it explains.
    pub correlated_count: u32,
    /// Objects that suffer, the first [`limits::IMPACTED`].
    pub impacted: Vec<ImpactedObject>,
    /// How many suffer.
    pub impacted_count: u32,
    /// A service is affected.
    pub service_affecting: bool,
    /// Object or its host is locked: somebody works on it.
    pub planned_outage: bool,
    /// Set while put aside.
    pub shelved: Option<Shelving>,
    /// Set while suppressed.
    pub suppressed_by: Option<Suppression>,
    /// What is the matter, for people.
    pub text: String,
    /// Details, machine readable.
    pub attributes: BTreeMap<String, String>,
    /// Threshold, for threshold alarms.
    pub threshold: Option<ThresholdCrossing>,
    /// What to do.
    pub repair_action: String,
    /// Page with more.
    pub runbook_url: String,
    /// Whether the source can be read.
    pub reliability: Reliability,
    /// For security alarms.
    pub security: Option<SecurityDetail>,
    /// Last status changes, oldest first.
    pub history: Vec<StatusChange>,
}

impl Alarm {
    /// True while the condition persists.
    pub fn is_active(&self) -> bool {
        self.state == AlarmState::Active
    }

    /// True if people are to be told of it: active, neither shelved nor suppressed.
    pub fn is_outstanding(&self) -> bool {
        self.is_active() && self.shelved.is_none() && self.suppressed_by.is_none()
    }
}

/// Which alarms a rule means; every stated condition must hold, an empty one always does.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct AlarmMatch {
    /// Alarm types.
    pub alarm_types: Vec<String>,
    /// Object name, with `*` for any characters, e.g. `hosts/kvm-07/*`.
    pub object_pattern: String,
    /// Labels of the object.
    pub labels: BTreeMap<String, String>,
    /// Host the object is on.
    pub host: String,
    /// Resource group of the object.
    pub resource_group: String,
}

/// A rule that puts alarms aside: kept, counted, not told (REQ-FM-FUN-14).
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct AlarmShelf {
    /// Rules are tried in rising order; the first that matches takes the alarm.
    pub order: u32,
    /// Which alarms.
    pub matches: AlarmMatch,
    /// Why.
    pub reason: String,
    /// Ends by itself then.
    pub expire_time: Option<Timestamp>,
    /// Who made it.
    pub actor: Actor,
    /// Alarms on it now.
    pub shelved_count: Volatile<u32>,
}

/// A rule that grades alarms (REQ-FM-FUN-13, operations.md F19).
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct AlarmProfile {
    /// Rules are tried in rising order; the first that states a thing decides it.
    pub order: u32,
    /// Which alarms.
    pub matches: AlarmMatch,
    /// Severity instead of the catalogue's.
    pub severity: BTreeMap<PerceivedSeverity, PerceivedSeverity>,
    /// Seconds a condition must persist before the alarm.
    pub hold_on_seconds: Option<u32>,
    /// Seconds it must be gone before the clear.
    pub hold_off_seconds: Option<u32>,
    /// Levels by name, e.g. `percent.major`.
    pub thresholds: BTreeMap<String, f64>,
    /// True: no such alarm at all; false: even where it is off by default.
    pub off: Option<bool>,
    /// From a settings file: changed there only.
    pub from_file: bool,
}

/// How an alarm type is cleared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum ClearingRule {
    /// When the condition is gone (A).
    #[serde(rename = "automatic")]
    Automatic,
    /// By a person only: nothing tells that it is good again (M).
    #[serde(rename = "manual")]
    Manual,
    /// After a quiet time (T).
    #[serde(rename = "quiet_time")]
    QuietTime,
}

/// An alarm type as it is published (RFC 8632 alarm inventory).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AlarmTypeDescriptor {
    /// Number in the catalogue.
    pub number: u32,
    /// Id, for ever.
    pub id: String,
    /// Classes of objects it can be raised for, as DNs carry them.
    pub object_classes: Vec<String>,
    /// Event type.
    pub event_type: EventType,
    /// Probable cause.
    pub probable_cause: ProbableCause,
    /// Severities it can have by default, lowest first.
    pub severities: Vec<PerceivedSeverity>,
    /// How it is cleared.
    pub clearing: ClearingRule,
    /// Seconds a condition must persist before it is told.
    pub hold_on_seconds: u32,
    /// Seconds it must be gone before it is cleared; the quiet time of [`ClearingRule::QuietTime`].
    pub hold_off_seconds: u32,
    /// Default levels of threshold types, by name.
    pub thresholds: BTreeMap<String, f64>,
    /// True if nobody gets it unless a profile switches it on.
    pub off_by_default: bool,
    /// A reporter may report it (operations.md F4).
    pub external: bool,
    /// Says that the object failed: the object's end does not clear it.
    pub survives_object: bool,
    /// What it means.
    pub meaning: String,
    /// What detects it.
    pub detection: String,
    /// What ends it.
    pub clearing_condition: String,
    /// What to do.
    pub repair_action: String,
    /// Where it can be detected: words of `monitor_local`, `monitor_remote`, `manage`, `agent`,
    /// `external`; empty for types that nothing here detects yet.
    pub detectable: Vec<String>,
}
