//! What the mappings need to know of an alarm and of who reports it.

use crate::model::alarm::{Alarm, AlarmTransition};
use crate::model::{Actor, Body, Name, Object, Timestamp};
use serde_json::{Map, Value};
use uuid::Uuid;

/// Who reports: the VRM the alarm comes from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reporter {
    /// Its id, e.g. `dc1-a`.
    pub vrm_id: String,
    /// Its distinguished name.
    pub dn: String,
}

/// An alarm as the mappings read it: from the model in the daemon, from the proto in the command line.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct AlarmView {
    /// Its name, `alarms/{uuid}`.
    pub name: Name,
    /// Tells it from a later alarm of the same name.
    pub uid: Uuid,
    /// Counts its changes.
    pub revision: u64,
    /// Log sequence of its last change.
    pub sequence: u64,
    /// When the VRM recorded its first state.
    pub report_time: Timestamp,
    /// When it last changed in any way.
    pub change_time: Timestamp,
    /// The record.
    pub alarm: Alarm,
}

impl AlarmView {
    /// The view of a published object; nothing if it is no alarm.
    pub fn of(object: &Object) -> Option<Self> {
        let Body::Alarm(alarm) = &object.body else { return None };
        Some(Self {
            name: object.name.clone(),
            uid: object.uid,
            revision: object.revision,
            sequence: object.last_change_sequence,
            report_time: object.create_time,
            change_time: object.change_time,
            alarm: (**alarm).clone(),
        })
    }

    /// The last segment of its name.
    pub fn id(&self) -> String {
        self.name.id()
    }

    /// What happened last.
    pub fn transition(&self) -> Option<AlarmTransition> {
        self.alarm.history.last().map(|change| change.transition)
    }

    /// The label of its object, or the object's name where there is none.
    pub fn label(&self) -> &str {
        if self.alarm.object_label.is_empty() { self.alarm.object.as_str() } else { &self.alarm.object_label }
    }
}

/// The person behind an actor: the asserted user, else the authenticated identity.
pub(super) fn user_of(actor: &Actor) -> &str {
    if actor.user.is_empty() { &actor.principal } else { &actor.user }
}

/// The system behind an actor: the asserted one, else the identity that vouched for the user.
pub(super) fn system_of(actor: &Actor) -> &str {
    match (actor.system.is_empty(), actor.user.is_empty()) {
        (false, _) => &actor.system,
        (true, false) => &actor.principal,
        (true, true) => "",
    }
}

/// A JSON object without the members that say nothing: null, empty text, empty list, empty object.
pub(super) fn without_empty(members: Value) -> Value {
    let Value::Object(members) = members else { return members };
    let says = |value: &Value| match value {
        Value::Null => false,
        Value::String(text) => !text.is_empty(),
        Value::Array(items) => !items.is_empty(),
        Value::Object(members) => !members.is_empty(),
        Value::Bool(_) | Value::Number(_) => true,
    };
    Value::Object(members.into_iter().filter(|(_, value)| says(value)).collect::<Map<_, _>>())
}

/// A time as RFC 3339 with milliseconds; null for the zero time.
pub(super) fn time(instant: Timestamp) -> Value {
    if instant == Timestamp::default() { Value::Null } else { Value::String(instant.to_string()) }
}
