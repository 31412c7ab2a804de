//! Alarms as notifications of 3GPP's fault supervision (TS 28.532 Rel-18, TS 28.111 Rel-19).
//!
//! One notification per change: new, changed, cleared, acknowledgement changed, comments. Enum
//! values are in capitals; CLEARED is a severity there.

use super::change::upper_snake;
use super::view::{AlarmView, Reporter, system_of, time, user_of, without_empty};
use crate::model::alarm::{Alarm, AlarmState, AlarmTransition, ClearingKind, EventType, ThresholdDirection};
use serde_json::{Value, json};

/// Which notification tells a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotificationType {
    /// notifyNewAlarm.
    NewAlarm,
    /// notifyNewSecAlarm: a new alarm of an X.736 type.
    NewSecurityAlarm,
    /// notifyChangedAlarm (Rel-19 keeps only notifyChangedAlarmGeneral; consumers take both).
    ChangedAlarm,
    /// notifyClearedAlarm.
    ClearedAlarm,
    /// notifyAckStateChanged.
    AckStateChanged,
    /// notifyComments.
    Comments,
}

impl NotificationType {
    /// The notification of an alarm's last change.
    pub fn of(view: &AlarmView) -> Self {
        match view.transition() {
            _ if view.alarm.history.is_empty() => Self::by_state(&view.alarm),
            Some(AlarmTransition::Raised | AlarmTransition::ReRaised) => Self::new_alarm(&view.alarm),
            Some(AlarmTransition::Cleared) => Self::ClearedAlarm,
            Some(AlarmTransition::Acknowledged | AlarmTransition::Unacknowledged) => Self::AckStateChanged,
            Some(AlarmTransition::Commented) => Self::Comments,
            Some(
                AlarmTransition::SeverityChanged
                | AlarmTransition::Updated
                | AlarmTransition::Linked
                | AlarmTransition::Shelved
                | AlarmTransition::Unshelved
                | AlarmTransition::Suppressed
                | AlarmTransition::Unsuppressed
                | AlarmTransition::Correlated
                | AlarmTransition::ReliabilityChanged,
            )
            | None => Self::ChangedAlarm,
        }
    }

    fn by_state(alarm: &Alarm) -> Self {
        if alarm.is_active() { Self::new_alarm(alarm) } else { Self::ClearedAlarm }
    }

    fn new_alarm(alarm: &Alarm) -> Self {
        if alarm.event_type.is_security() && alarm.security.is_some() { Self::NewSecurityAlarm } else { Self::NewAlarm }
    }

    /// The name on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::NewAlarm => "notifyNewAlarm",
            Self::NewSecurityAlarm => "notifyNewSecAlarm",
            Self::ChangedAlarm => "notifyChangedAlarm",
            Self::ClearedAlarm => "notifyClearedAlarm",
            Self::AckStateChanged => "notifyAckStateChanged",
            Self::Comments => "notifyComments",
        }
    }
}

/// The notification of an alarm's last change.
pub fn notification(reporter: &Reporter, view: &AlarmView) -> Value {
    let kind = NotificationType::of(view);
    let alarm = &view.alarm;
    let mut record = json!({
        "href": alarm.object.as_str(),
        "objectInstance": dn(alarm),
        "notificationId": view.sequence,
        "notificationType": kind.as_str(),
        "eventTime": time(event_time(kind, view)),
        "systemDN": reporter.dn,
        "alarmId": view.id(),
    });
    let part = match kind {
        NotificationType::NewAlarm => merged(common(alarm), details(alarm)),
        NotificationType::NewSecurityAlarm => merged(common(alarm), security(alarm)),
        // Correlation has no notification of its own: that one wants the ids of former notifications.
        NotificationType::ChangedAlarm => merged(common(alarm), json!({ "rootCauseIndicator": alarm.root })),
        NotificationType::ClearedAlarm => merged(common(alarm), cleared(alarm)),
        NotificationType::AckStateChanged => merged(common(alarm), acknowledgement(alarm)),
        NotificationType::Comments => merged(common(alarm), json!({ "comments": comments(alarm) })),
    };
    record = merged(record, part);
    without_empty(record)
}

fn merged(mut record: Value, part: Value) -> Value {
    if let (Value::Object(members), Value::Object(part)) = (&mut record, part) {
        members.extend(part);
    }
    record
}

fn dn(alarm: &Alarm) -> &str {
    if alarm.object_dn.is_empty() { alarm.object.as_str() } else { &alarm.object_dn }
}

fn event_time(kind: NotificationType, view: &AlarmView) -> crate::model::Timestamp {
    let alarm = &view.alarm;
    match kind {
        NotificationType::NewAlarm | NotificationType::NewSecurityAlarm => alarm.raise_time,
        NotificationType::ClearedAlarm => alarm.clear_time.unwrap_or(view.change_time),
        _ => view.change_time,
    }
}

fn common(alarm: &Alarm) -> Value {
    json!({
        "alarmType": alarm_type(alarm.event_type),
        "probableCause": alarm.probable_cause.name,
        "specificProblem": alarm.alarm_type,
        "perceivedSeverity": severity(alarm),
    })
}

fn alarm_type(event_type: EventType) -> String {
    let word = upper_snake(event_type.as_str());
    match event_type {
        EventType::Communications
        | EventType::QualityOfService
        | EventType::ProcessingError
        | EventType::Equipment
        | EventType::Environmental => format!("{word}_ALARM"),
        // The list has no *other*: software is what is left.
        EventType::Other => "PROCESSING_ERROR_ALARM".to_owned(),
        _ => word,
    }
}

fn severity(alarm: &Alarm) -> String {
    match alarm.state {
        AlarmState::Active => alarm.perceived_severity.as_str().to_ascii_uppercase(),
        AlarmState::Cleared => "CLEARED".to_owned(),
    }
}

fn details(alarm: &Alarm) -> Value {
    let threshold = alarm.threshold.as_ref().map(|crossing| {
        let level = match crossing.direction {
            ThresholdDirection::Up => json!({ "up": { "high": crossing.level, "low": crossing.clear_level } }),
            ThresholdDirection::Down => json!({ "down": { "high": crossing.clear_level, "low": crossing.level } }),
        };
        json!({ "observedMeasurement": crossing.metric, "observedValue": crossing.observed, "thresholdLevel": level })
    });
    json!({
        "thresholdInfo": threshold,
        "proposedRepairActions": alarm.repair_action,
        "additionalText": alarm.text,
        "additionalInformation": additional(alarm),
        "rootCauseIndicator": alarm.root,
    })
}

/// AttributeNameValuePairSet: an object of names and values.
fn additional(alarm: &Alarm) -> Value {
    let mut set = json!({
        "objectLabel": alarm.object_label,
        "host": alarm.host.as_ref().map(ToString::to_string),
        "zone": alarm.zone,
        "resourceGroup": alarm.resource_group,
        "serviceRefs": alarm.service_refs,
        "serviceAffecting": alarm.service_affecting,
        "impactedCount": alarm.impacted_count,
        "runbookUrl": alarm.runbook_url,
    });
    if let Value::Object(members) = &mut set {
        for (name, value) in &alarm.attributes {
            members.entry(name.clone()).or_insert_with(|| Value::String(value.clone()));
        }
    }
    without_empty(set)
}

fn security(alarm: &Alarm) -> Value {
    let detail = alarm.security.clone().unwrap_or_default();
    json!({
        "serviceUser": detail.service_user,
        "serviceProvider": detail.service_provider,
        "securityAlarmDetector": detail.detector,
        "additionalText": alarm.text,
        "additionalInformation": additional(alarm),
        "rootCauseIndicator": alarm.root,
    })
}

fn cleared(alarm: &Alarm) -> Value {
    let manual = alarm.clearing.as_ref().filter(|clearing| clearing.kind == ClearingKind::Manual);
    let actor = manual.and_then(|clearing| clearing.actor.as_ref());
    json!({
        "clearUserId": actor.map(user_of),
        "clearSystemId": actor.map(system_of),
        "clearingType": if manual.is_some() { "MANUAL" } else { "AUTOMATIC" },
    })
}

fn acknowledgement(alarm: &Alarm) -> Value {
    match &alarm.acknowledgement {
        Some(ack) => json!({
            "ackState": "ACKNOWLEDGED",
            "ackUserId": user_of(&ack.actor),
            "ackSystemId": system_of(&ack.actor),
        }),
        None => {
            let actor = alarm.history.last().and_then(|change| change.actor.as_ref());
            json!({
                "ackState": "UNACKNOWLEDGED",
                "ackUserId": actor.map(user_of),
                "ackSystemId": actor.map(system_of),
            })
        }
    }
}

/// A map of comments; ours have no id, so their time in microseconds is it.
fn comments(alarm: &Alarm) -> Value {
    let entries = alarm.comments.iter().map(|comment| {
        let entry = json!({
            "commentTime": time(comment.time),
            "commentUserId": user_of(&comment.actor),
            "commentSystemId": system_of(&comment.actor),
            "commentText": comment.text,
        });
        (comment.time.0.to_string(), without_empty(entry))
    });
    Value::Object(entries.collect())
}
