//! Alarms as event records of O-RAN's O2 infrastructure monitoring (O2ims, AlarmEventRecord).
//!
//! Types, causes and resources are UUIDs there: version 5 of our own names, so that they never change.
//! Severities are numbers, and *cleared* is one of them.

use super::view::{AlarmView, Reporter, time, without_empty};
use crate::model::alarm::{Alarm, AlarmState, PerceivedSeverity};
use serde_json::{Map, Value, json};
use uuid::Uuid;

/// Namespace of our names; never changes.
const NAMES: Uuid = Uuid::from_u128(0x3b5e_0d1c_8a4f_4c0e_9d2b_6f1a_7c55_e0a1);

/// The record of an alarm's present state.
pub fn o2ims(reporter: &Reporter, view: &AlarmView) -> Value {
    let alarm = &view.alarm;
    let acknowledgement = alarm.acknowledgement.as_ref();
    without_empty(json!({
        "alarmEventRecordId": view.id(),
        "resourceTypeID": named("resourceType", &alarm.object_class),
        "resourceID": named("resource", if alarm.object_dn.is_empty() { alarm.object.as_str() } else { &alarm.object_dn }),
        "alarmDefinitionId": named("alarmDefinition", &alarm.alarm_type),
        "probableCauseId": named("probableCause", &alarm.probable_cause.name),
        "alarmRaisedTime": time(alarm.raise_time),
        "alarmChangedTime": time(view.change_time),
        "alarmClearedTime": alarm.clear_time.map_or(Value::Null, time),
        "alarmAcknowledgedTime": acknowledgement.map_or(Value::Null, |taken| time(taken.time)),
        "alarmAcknowledged": acknowledgement.is_some(),
        "perceivedSeverity": severity(alarm),
        "extensions": extensions(reporter, alarm),
    }))
}

/// What the numbers and UUIDs mean; texts only, as the interface wants them.
fn extensions(reporter: &Reporter, alarm: &Alarm) -> Map<String, Value> {
    let host = alarm.host.as_ref().map(ToString::to_string).unwrap_or_default();
    let root_cause = alarm.root_cause.as_ref().map(ToString::to_string).unwrap_or_default();
    let texts = [
        ("alarmType", alarm.alarm_type.clone()),
        ("eventType", alarm.event_type.as_str().to_owned()),
        ("probableCause", alarm.probable_cause.name.clone()),
        ("object", alarm.object.to_string()),
        ("objectInstance", alarm.object_dn.clone()),
        ("objectLabel", alarm.object_label.clone()),
        ("host", host),
        ("text", alarm.text.clone()),
        ("proposedRepairAction", alarm.repair_action.clone()),
        ("runbook", alarm.runbook_url.clone()),
        ("rootCause", root_cause),
        ("systemDN", reporter.dn.clone()),
    ];
    let of_alarm = texts.into_iter().filter(|(_, text)| !text.is_empty());
    let mut extensions: Map<String, Value> = of_alarm.map(|(key, text)| (key.to_owned(), text.into())).collect();
    for (key, text) in &alarm.attributes {
        extensions.insert(format!("attribute.{key}"), text.clone().into());
    }
    extensions
}

/// CRITICAL 0, MAJOR 1, MINOR 2, WARNING 3, INDETERMINATE 4, CLEARED 5.
fn severity(alarm: &Alarm) -> u8 {
    match (alarm.state, alarm.perceived_severity) {
        (AlarmState::Cleared, _) => 5,
        (_, PerceivedSeverity::Critical) => 0,
        (_, PerceivedSeverity::Major) => 1,
        (_, PerceivedSeverity::Minor) => 2,
        (_, PerceivedSeverity::Warning) => 3,
        (_, PerceivedSeverity::Indeterminate) => 4,
    }
}

/// The UUID of one of our names; nothing for none.
fn named(kind: &str, name: &str) -> Value {
    if name.is_empty() {
        return Value::Null;
    }
    Uuid::new_v5(&NAMES, format!("{kind}/{name}").as_bytes()).to_string().into()
}
