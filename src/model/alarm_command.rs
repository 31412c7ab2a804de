//! What people and programs ask of the alarm list.

use super::alarm::{AlarmProfile, AlarmShelf, PerceivedSeverity};
use super::name::Name;
use super::object::Object;
use super::time::Timestamp;
use std::collections::BTreeMap;
use std::sync::Arc;

/// An alarm to act on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AlarmTarget {
    /// Its name, `alarms/{uuid}`.
    pub name: Name,
    /// Expected freshness; empty for any.
    pub etag: String,
}

/// What to do with alarms.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AlarmAct {
    /// Take note, with a remark that may be empty.
    Acknowledge(String),
    /// Take the note back, with a remark that may be empty.
    Unacknowledge(String),
    /// Say that the condition is over; only for types that are cleared by hand.
    Clear(String),
    /// Remark.
    Comment(String),
    /// Link a ticket.
    Link(String),
    /// Take a link away.
    Unlink(String),
    /// Take a cleared alarm off the list now, acknowledged or not.
    Purge,
}

/// A fact about an object, seen by somebody else (operations.md F4).
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ReportedCondition {
    /// Alarm type; must be marked external.
    pub alarm_type: String,
    /// Object.
    pub object: Name,
    /// True: it is there; false: it is over.
    pub active: bool,
    /// Severity; the catalogue's if absent.
    pub severity: Option<PerceivedSeverity>,
    /// For people.
    pub text: String,
    /// Details.
    pub attributes: BTreeMap<String, String>,
}

/// A request to the alarm list.
#[derive(Clone, Debug, PartialEq)]
pub enum AlarmCommand {
    /// Acts on alarms, each by itself.
    Act {
        /// Which.
        targets: Vec<AlarmTarget>,
        /// Also the alarms they explain.
        related: bool,
        /// What.
        act: AlarmAct,
    },
    /// Makes a shelf or changes it.
    PutShelf {
        /// `alarmShelves/{id}`.
        name: Name,
        /// It must not exist yet.
        create: bool,
        /// The rule; its actor and count are filled in.
        shelf: Box<AlarmShelf>,
    },
    /// Removes a shelf: its alarms are told again.
    DeleteShelf(Name),
    /// Makes a profile or changes it.
    PutProfile {
        /// `alarmProfiles/{id}`.
        name: Name,
        /// It must not exist yet.
        create: bool,
        /// The rule.
        profile: Box<AlarmProfile>,
    },
    /// Removes a profile.
    DeleteProfile(Name),
    /// Tells a fact from outside.
    Report(ReportedCondition),
}

/// Why an act on one alarm or rule was refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AlarmRefusal {
    /// No such alarm, shelf, profile or object.
    #[error("{0} does not exist")]
    NotFound(Name),
    /// There is one already.
    #[error("{0} exists")]
    AlreadyExists(Name),
    /// It is not in the state the caller knows.
    #[error("{name} has etag {current}, not {given}")]
    EtagMismatch {
        /// Its name.
        name: Name,
        /// What the caller gave.
        given: String,
        /// What it is.
        current: String,
    },
    /// A field is missing, malformed or out of range.
    #[error("{field}: {reason}")]
    InvalidField {
        /// Path of the field.
        field: String,
        /// What is wrong.
        reason: String,
    },
    /// The condition is still there and clears by itself.
    #[error("{0} clears by itself when its condition is gone")]
    NotClearable(Name),
    /// Only a cleared alarm can be purged.
    #[error("{0} is active")]
    StillActive(Name),
    /// It comes from a settings file and is changed there.
    #[error("{0} comes from a settings file and is changed there")]
    FromFile(Name),
    /// This type is not for reporters.
    #[error("alarm type {0} is detected by the VRM itself and cannot be reported")]
    NotExternal(String),
    /// Too many facts from outside.
    #[error("too many reported conditions; try again in {0} s")]
    TooMany(u32),
}

/// Result for one target, in the order asked.
#[derive(Clone, Debug)]
pub struct AlarmOutcome {
    /// What it was about.
    pub name: Name,
    /// The alarm or rule after the act; nothing for one that is gone by it or for a report that raised none.
    pub result: Result<Option<Arc<Object>>, AlarmRefusal>,
}

/// Which closed alarms to read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ClosedAlarmQuery {
    /// Raised at or before this time, if given.
    pub before: Option<Timestamp>,
    /// Closed at or after this time, if given.
    pub after: Option<Timestamp>,
    /// Only of this object and its parts; empty for any.
    pub object: String,
    /// Only of this type; empty for any.
    pub alarm_type: String,
    /// Only with this highest severity or above.
    pub min_severity: Option<PerceivedSeverity>,
    /// Continue after this row of the previous page.
    pub continue_after: Option<u64>,
    /// Rows at most.
    pub limit: usize,
}
