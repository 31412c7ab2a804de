//! What alarms can be filtered by. The list in `alarm_service.proto` says the same; a test compares
//! them.

use super::value::{Access, Field, Kind, Value};
use crate::model::alarm::{Alarm, PerceivedSeverity, Reliability};
use crate::model::{Body, Object};
use crate::wire::{convert, v1};

/// A field of the record around an alarm.
const fn record(name: &'static str, kind: Kind, get: for<'a> fn(&'a Object) -> Value<'a>) -> Field<Object> {
    Field { name, kind, access: Access::Plain(get) }
}

/// A field of an alarm.
macro_rules! field {
    ($name:literal, $kind:expr, $get:expr) => {
        Field {
            name: $name,
            kind: $kind,
            access: Access::Plain(|object| {
                /// Gives the closure its type.
                fn typed<'a>(alarm: &'a Alarm, get: fn(&'a Alarm) -> Value<'a>) -> Value<'a> {
                    get(alarm)
                }
                match &object.body {
                    Body::Alarm(alarm) => typed(alarm, $get),
                    _ => Value::Absent,
                }
            }),
        }
    };
}

const SEVERITY: Kind = Kind::Rank {
    prefix: "SEVERITY_",
    number: |word| v1::Severity::from_str_name(word).map(i32::from).filter(|number| *number > 0),
};

fn severity(severity: PerceivedSeverity) -> Value<'static> {
    Value::Rank(convert::severity(severity))
}

/// The fields of alarms.
pub(super) static ALARM: &[Field<Object>] = &[
    record("name", Kind::Text, |o| Value::text(o.name.as_str())),
    record("uid", Kind::Text, |o| Value::made(o.uid.to_string())),
    record("revision", Kind::Number, |o| Value::count(o.revision)),
    record("last_change_sequence", Kind::Number, |o| Value::count(o.last_change_sequence)),
    field!("alarm_type", Kind::Text, |a| Value::text(&a.alarm_type)),
    field!(
        "event_type",
        Kind::Word { prefix: "EVENT_TYPE_", known: |word| v1::EventType::from_str_name(word).is_some() },
        |a| {
            let word = v1::EventType::try_from(convert::event_type(a.event_type)).map(|word| word.as_str_name());
            Value::Words(word.into_iter().collect())
        }
    ),
    field!("probable_cause", Kind::Text, |a| Value::text(&a.probable_cause.name)),
    field!(
        "state",
        Kind::Word { prefix: "ALARM_STATE_", known: |word| v1::AlarmState::from_str_name(word).is_some() },
        |a| {
            let word = v1::AlarmState::try_from(convert::alarm_state(a.state)).map(|word| word.as_str_name());
            Value::Words(word.into_iter().collect())
        }
    ),
    field!("perceived_severity", SEVERITY, |a| severity(a.perceived_severity)),
    field!("highest_severity", SEVERITY, |a| severity(a.highest_severity)),
    field!("object", Kind::Text, |a| Value::text(a.object.as_str())),
    field!("object_dn", Kind::Text, |a| Value::text(&a.object_dn)),
    field!("object_class", Kind::Text, |a| Value::text(&a.object_class)),
    field!("object_label", Kind::Text, |a| Value::text(&a.object_label)),
    field!("host", Kind::Host, |a| match &a.host {
        Some(host) => Value::made(host.to_string()),
        None => Value::Absent,
    }),
    field!("zone", Kind::Text, |a| Value::text(&a.zone)),
    field!("resource_group", Kind::Text, |a| Value::text(&a.resource_group)),
    field!("service_refs", Kind::Texts, |a| Value::texts(&a.service_refs)),
    field!("raise_time", Kind::Time, |a| Value::Time(a.raise_time)),
    field!("first_raise_time", Kind::Time, |a| Value::Time(a.first_raise_time)),
    field!("change_time", Kind::Time, |a| Value::Time(a.status_change_time)),
    field!("clear_time", Kind::Time, |a| a.clear_time.map_or(Value::Absent, Value::Time)),
    field!("age", Kind::Age, |a| Value::Time(a.raise_time)),
    field!("raise_count", Kind::Number, |a| Value::count(a.raise_count.into())),
    field!("acknowledged", Kind::Flag, |a| Value::Flag(a.acknowledgement.is_some())),
    field!("root", Kind::Flag, |a| Value::Flag(a.root)),
    field!("root_cause", Kind::Text, |a| match &a.root_cause {
        Some(name) => Value::text(name.as_str()),
        None => Value::Absent,
    }),
    field!("correlated_count", Kind::Number, |a| Value::count(a.correlated_count.into())),
    field!("impacted_count", Kind::Number, |a| Value::count(a.impacted_count.into())),
    field!("service_affecting", Kind::Flag, |a| Value::Flag(a.service_affecting)),
    field!("planned_outage", Kind::Flag, |a| Value::Flag(a.planned_outage)),
    field!("shelved", Kind::Flag, |a| Value::Flag(a.shelved.is_some())),
    field!("suppressed", Kind::Flag, |a| Value::Flag(a.suppressed_by.is_some())),
    field!("unreliable", Kind::Flag, |a| Value::Flag(a.reliability != Reliability::Ok)),
    field!("text", Kind::Text, |a| Value::text(&a.text)),
    Field {
        name: "attributes",
        kind: Kind::Keyed,
        access: Access::Keyed(|object, key| match &object.body {
            Body::Alarm(alarm) => alarm.attributes.get(key).map_or(Value::Absent, |value| Value::text(value)),
            _ => Value::Absent,
        }),
    },
    field!("external_references", Kind::Texts, |a| {
        Value::texts(a.external_references.iter().map(|reference| &reference.reference))
    }),
];
