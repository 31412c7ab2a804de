//! Alarms as VES 7.x fault events (event listener 7.2.1, common event format 30.2.1).
//!
//! A cleared alarm has severity NORMAL. *Indeterminate* has no VES word and becomes WARNING, the
//! lowest one that still says that something is wrong.

use super::view::{AlarmView, Reporter, time};
use crate::model::alarm::{Alarm, AlarmState, PerceivedSeverity};
use serde_json::{Map, Value, json};

/// The fault event of an alarm's present state.
pub fn ves_fault(reporter: &Reporter, view: &AlarmView) -> Value {
    let alarm = &view.alarm;
    json!({ "event": { "commonEventHeader": header(reporter, view), "faultFields": {
        "faultFieldsVersion": "4.0",
        "alarmCondition": alarm.alarm_type,
        "eventCategory": alarm.event_type.as_str(),
        "eventSeverity": severity(alarm),
        "eventSourceType": source_type(&alarm.object_class),
        "specificProblem": specific_problem(alarm),
        "vfStatus": "Active",
        "alarmAdditionalInformation": additional(view),
    } } })
}

fn header(reporter: &Reporter, view: &AlarmView) -> Value {
    let alarm = &view.alarm;
    json!({
        "domain": "fault",
        "eventId": format!("{}-{}", view.id(), alarm.first_raise_time.0),
        "eventName": format!("Fault_Vrm_{}", alarm.alarm_type),
        "eventType": alarm.event_type.as_str(),
        "sequence": view.sequence,
        "priority": priority(alarm),
        "reportingEntityName": if reporter.dn.is_empty() { &reporter.vrm_id } else { &reporter.dn },
        "sourceName": if alarm.object_dn.is_empty() { alarm.object.as_str() } else { &alarm.object_dn },
        "startEpochMicrosec": alarm.raise_time.0,
        "lastEpochMicrosec": view.change_time.0.max(alarm.raise_time.0),
        "version": "4.1",
        "vesEventListenerVersion": "7.2.1",
    })
}

fn severity(alarm: &Alarm) -> &'static str {
    match (alarm.state, alarm.perceived_severity) {
        (AlarmState::Cleared, _) => "NORMAL",
        (_, PerceivedSeverity::Critical) => "CRITICAL",
        (_, PerceivedSeverity::Major) => "MAJOR",
        (_, PerceivedSeverity::Minor) => "MINOR",
        (_, PerceivedSeverity::Warning | PerceivedSeverity::Indeterminate) => "WARNING",
    }
}

fn priority(alarm: &Alarm) -> &'static str {
    match (alarm.state, alarm.perceived_severity) {
        (AlarmState::Cleared, _) => "Normal",
        (_, PerceivedSeverity::Critical | PerceivedSeverity::Major) => "High",
        (_, PerceivedSeverity::Minor) => "Medium",
        (_, PerceivedSeverity::Warning | PerceivedSeverity::Indeterminate) => "Low",
    }
}

fn source_type(class: &str) -> &'static str {
    match class {
        "VirtualMachine" | "VirtualDisk" | "VirtualNic" | "VirtualInterface" | "Snapshot" => "virtualMachine",
        "Network" | "VirtualNetwork" => "switch",
        "Host" | "Hypervisor" | "HostDisk" | "HostNic" | "HostFilesystem" | "HostInterface" => "host",
        _ => "other",
    }
}

/// VES has one text where X.733 has a problem and a text.
fn specific_problem(alarm: &Alarm) -> String {
    if alarm.text.is_empty() { alarm.alarm_type.clone() } else { alarm.text.clone() }
}

/// All values are text in VES; what is empty is left out.
fn additional(view: &AlarmView) -> Value {
    let alarm = &view.alarm;
    let text = |value: Value| match value {
        Value::String(text) => text,
        _ => String::new(),
    };
    let named = [
        ("alarmId", view.id()),
        ("probableCause", alarm.probable_cause.name.clone()),
        ("perceivedSeverity", alarm.perceived_severity.as_str().to_owned()),
        ("objectLabel", alarm.object_label.clone()),
        ("host", alarm.host.as_ref().map(ToString::to_string).unwrap_or_default()),
        ("zone", alarm.zone.clone()),
        ("resourceGroup", alarm.resource_group.clone()),
        ("affectedServices", alarm.service_refs.join(",")),
        ("rootCause", alarm.root_cause.as_ref().map(|name| name.id()).unwrap_or_default()),
        ("isRootCause", alarm.root.to_string()),
        ("impactedCount", alarm.impacted_count.to_string()),
        ("serviceAffecting", alarm.service_affecting.to_string()),
        ("acknowledged", alarm.acknowledgement.is_some().to_string()),
        ("clearedTime", alarm.clear_time.map(time).map(text).unwrap_or_default()),
        ("proposedRepairActions", alarm.repair_action.clone()),
        ("runbookUrl", alarm.runbook_url.clone()),
    ];
    // Our own names go before attributes of the same name.
    let attributes = alarm.attributes.iter().map(|(name, value)| (name.as_str(), value.clone()));
    let all = attributes.chain(named).filter(|(_, value)| !value.is_empty());
    Value::Object(all.map(|(name, value)| (name.to_owned(), Value::String(value))).collect::<Map<_, _>>())
}
