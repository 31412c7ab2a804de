//! Alarms as TMF642 (Alarm Management API, version 4) resources.
//!
//! Spellings differ from ours in places: alarm types end in *Alarm*, a cleared alarm's severity is
//! `cleared`, its state one of `raised`, `updated`, `cleared`.

use super::view::{AlarmView, Reporter, system_of, time, user_of, without_empty};
use crate::model::alarm::{Alarm, AlarmState, ClearingKind, EventType, ThresholdDirection};
use serde_json::{Value, json};

/// The resource of an alarm.
pub fn tmf642(reporter: &Reporter, view: &AlarmView) -> Value {
    let alarm = &view.alarm;
    let id = view.id();
    let mut resource = json!({
        "@type": "Alarm",
        "id": id,
        "href": href(&id),
        "externalAlarmId": view.name.as_str(),
        "alarmType": alarm_type(alarm.event_type),
        "perceivedSeverity": severity(alarm),
        "probableCause": alarm.probable_cause.name,
        "specificProblem": alarm.alarm_type,
        "state": state(alarm),
        "alarmDetails": alarm.text,
        "alarmRaisedTime": time(alarm.raise_time),
        "alarmChangedTime": time(view.change_time),
        "alarmClearedTime": alarm.clear_time.filter(|_| !alarm.is_active()).map(time),
        "alarmReportingTime": time(view.report_time),
        "alarmedObject": { "id": dn(alarm), "href": alarm.object.as_str() },
        "alarmedObjectType": alarm.object_class,
        "sourceSystemId": reporter.vrm_id,
        "reportingSystemId": reporter.vrm_id,
        "isRootCause": alarm.root,
        "serviceAffecting": alarm.service_affecting,
        "plannedOutageIndicator": if alarm.planned_outage { "outOfService" } else { "inService" },
        "proposedRepairedActions": alarm.repair_action,
    });
    extend(&mut resource, handling(alarm));
    extend(&mut resource, relations(alarm));
    without_empty(resource)
}

fn extend(resource: &mut Value, part: Value) {
    if let (Value::Object(members), Value::Object(part)) = (resource, part) {
        members.extend(part);
    }
}

fn href(id: &str) -> String {
    format!("/tmf-api/alarmManagement/v4/alarm/{id}")
}

/// The object's DN, or its name where it has none.
fn dn(alarm: &Alarm) -> &str {
    if alarm.object_dn.is_empty() { alarm.object.as_str() } else { &alarm.object_dn }
}

fn alarm_type(event_type: EventType) -> &'static str {
    match event_type {
        EventType::Communications => "communicationsAlarm",
        EventType::QualityOfService => "qualityOfServiceAlarm",
        // The list has no *other*: software is what is left.
        EventType::ProcessingError | EventType::Other => "processingErrorAlarm",
        EventType::Equipment => "equipmentAlarm",
        EventType::Environmental => "environmentalAlarm",
        EventType::IntegrityViolation => "integrityViolation",
        EventType::OperationalViolation => "operationalViolation",
        EventType::PhysicalViolation => "physicalViolation",
        // TMF splits X.736's *security service or mechanism violation* in two.
        EventType::SecurityServiceOrMechanismViolation => "securityService",
        EventType::TimeDomainViolation => "timeDomainViolation",
    }
}

fn severity(alarm: &Alarm) -> &'static str {
    match alarm.state {
        AlarmState::Active => alarm.perceived_severity.as_str(),
        AlarmState::Cleared => "cleared",
    }
}

fn state(alarm: &Alarm) -> &'static str {
    match alarm.state {
        AlarmState::Cleared => "cleared",
        AlarmState::Active if alarm.status_change_time > alarm.raise_time => "updated",
        AlarmState::Active => "raised",
    }
}

fn handling(alarm: &Alarm) -> Value {
    let ack = alarm.acknowledgement.as_ref();
    let clearing = alarm.clearing.as_ref().filter(|clearing| clearing.kind == ClearingKind::Manual);
    let cleared_by = clearing.and_then(|clearing| clearing.actor.as_ref());
    let comments: Vec<Value> = alarm
        .comments
        .iter()
        .map(|comment| {
            without_empty(json!({
                "comment": comment.text,
                "userId": user_of(&comment.actor),
                "systemId": system_of(&comment.actor),
                "time": time(comment.time),
            }))
        })
        .collect();
    json!({
        "ackState": if ack.is_some() { "acknowledged" } else { "unacknowledged" },
        "ackUserId": ack.map(|ack| user_of(&ack.actor)),
        "ackSystemId": ack.map(|ack| system_of(&ack.actor)),
        "clearUserId": cleared_by.map(user_of),
        "clearSystemId": cleared_by.map(system_of),
        "comment": comments,
    })
}

fn relations(alarm: &Alarm) -> Value {
    let reference = |name: &crate::model::Name| json!({ "id": name.id(), "href": href(&name.id()) });
    let threshold = alarm.threshold.as_ref().map(|crossing| {
        let direction = match crossing.direction {
            ThresholdDirection::Up => "up",
            ThresholdDirection::Down => "down",
        };
        json!({
            "direction": direction,
            "indicatorName": crossing.metric,
            "observedValue": crossing.observed.to_string(),
            "threshold": { "name": crossing.metric, "value": crossing.level },
        })
    });
    let place = (!alarm.zone.is_empty()).then(|| json!([{ "name": alarm.zone, "role": "zone" }]));
    json!({
        "affectedService": alarm.service_refs.iter().map(|id| json!({ "id": id })).collect::<Vec<_>>(),
        "parentAlarm": alarm.root_cause.iter().map(reference).collect::<Vec<_>>(),
        "correlatedAlarm": alarm.correlated.iter().map(reference).collect::<Vec<_>>(),
        "crossedThresholdInformation": threshold,
        "place": place,
    })
}
