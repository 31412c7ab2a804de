//! The JSON of an alarm's change, as webhooks and commands get it.
//!
//! Spelled as proto3 JSON spells `alarm.proto`: lowerCamelCase names, enum values in capitals, times in RFC 3339,
//! 64-bit numbers as text; what is empty is left out.

use super::view::{AlarmView, Reporter, time, without_empty};
use crate::model::Timestamp;
use crate::model::alarm::{AlarmState, ClearingKind, Reliability, StatusChange, ThresholdDirection};
use crate::model::audit::Actor;
use serde::Serialize;
use serde_json::{Value, json};

/// What became of an alarm, in the eyes of a receiver.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChangeEvent {
    /// It is to be told from now on.
    Raised,
    /// It was told and is told again, changed.
    Changed,
    /// It was told and is over for the receiver.
    Cleared(WithdrawReason),
}

/// Why an alarm is over for a receiver.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WithdrawReason {
    /// The condition is gone, or a person or the object's end cleared it.
    Cleared,
    /// It was put on a shelf.
    Shelved,
    /// It is suppressed, e.g. by maintenance.
    Suppressed,
    /// Another alarm explains it and the receiver wants roots only.
    Correlated,
    /// It no longer passes the receiver's filter.
    Filtered,
    /// It is no longer known, e.g. after the log was lost.
    Gone,
}

impl WithdrawReason {
    /// The word in the record.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Cleared => "CLEARED",
            Self::Shelved => "SHELVED",
            Self::Suppressed => "SUPPRESSED",
            Self::Correlated => "CORRELATED",
            Self::Filtered => "FILTERED",
            Self::Gone => "GONE",
        }
    }
}

impl ChangeEvent {
    /// The word in the record.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Raised => "RAISED",
            Self::Changed => "CHANGED",
            Self::Cleared(_) => "CLEARED",
        }
    }
}

/// What is told beside the alarm itself.
#[derive(Clone, Copy, Debug)]
pub struct Told<'a> {
    /// What became of the alarm.
    pub event: ChangeEvent,
    /// Epoch of the log.
    pub epoch: &'a str,
    /// When it is told.
    pub sent: Timestamp,
}

/// The record of one change.
pub fn change_record(reporter: &Reporter, view: &AlarmView, told: Told<'_>) -> Value {
    let reason = match told.event {
        ChangeEvent::Cleared(reason) => Some(reason.as_str()),
        ChangeEvent::Raised | ChangeEvent::Changed => None,
    };
    without_empty(json!({
        "event": told.event.as_str(),
        "reason": reason,
        "transition": view.transition().map(word),
        "vrm": reporter.vrm_id,
        "position": { "epoch": told.epoch, "sequence": view.sequence.to_string() },
        "sendTime": time(told.sent),
        "alarm": alarm(view),
    }))
}

/// A model word in capitals, as enum values are spelled.
fn word(value: impl Serialize) -> Value {
    match serde_json::to_value(value) {
        Ok(Value::String(text)) => Value::String(text.to_ascii_uppercase()),
        _ => Value::Null,
    }
}

fn alarm(view: &AlarmView) -> Value {
    let mut members = identity(view);
    for part in [times(view), handling(view), relations(view), advice(view)] {
        if let (Value::Object(members), Value::Object(part)) = (&mut members, part) {
            members.extend(part);
        }
    }
    without_empty(members)
}

fn identity(view: &AlarmView) -> Value {
    let alarm = &view.alarm;
    let cause = (alarm.probable_cause.number > 0)
        .then(|| json!({ "number": alarm.probable_cause.number, "name": alarm.probable_cause.name }));
    json!({
        "name": view.name.as_str(),
        "uid": view.uid,
        "revision": view.revision.to_string(),
        "lastChangeSequence": view.sequence.to_string(),
        "alarmType": alarm.alarm_type,
        "eventType": upper_snake(alarm.event_type.as_str()),
        "probableCause": cause,
        "state": word(alarm.state),
        "perceivedSeverity": word(alarm.perceived_severity),
        "highestSeverity": word(alarm.highest_severity),
        "object": alarm.object.as_str(),
        "objectDn": alarm.object_dn,
        "objectClass": alarm.object_class,
        "objectLabel": alarm.object_label,
        "host": alarm.host.as_ref().map(ToString::to_string),
        "zone": alarm.zone,
        "resourceGroup": alarm.resource_group,
        "serviceRefs": alarm.service_refs,
    })
}

fn times(view: &AlarmView) -> Value {
    let alarm = &view.alarm;
    json!({
        "raiseTime": time(alarm.raise_time),
        "firstRaiseTime": time(alarm.first_raise_time),
        "statusChangeTime": time(alarm.status_change_time),
        "changeTime": time(view.change_time),
        "clearTime": alarm.clear_time.map(time),
        "reportTime": time(view.report_time),
        "raiseCount": alarm.raise_count,
        "repeatCount": alarm.repeat_count.to_string(),
        "lastRepeatTime": alarm.last_repeat_time.map(time),
    })
}

fn handling(view: &AlarmView) -> Value {
    let alarm = &view.alarm;
    let clearing = alarm.clearing.as_ref().filter(|_| alarm.state == AlarmState::Cleared).map(|clearing| {
        let kind = match clearing.kind {
            ClearingKind::Automatic => "AUTOMATIC",
            ClearingKind::Manual => "MANUAL",
            ClearingKind::ObjectGone => "OBJECT_GONE",
            ClearingKind::Reclassified => "RECLASSIFIED",
        };
        without_empty(json!({ "kind": kind, "actor": clearing.actor.as_ref().map(actor) }))
    });
    let acknowledgement = alarm.acknowledgement.as_ref().map(|ack| {
        without_empty(json!({ "actor": actor(&ack.actor), "time": time(ack.time), "comment": ack.comment }))
    });
    let comments: Vec<Value> = alarm
        .comments
        .iter()
        .map(|comment| json!({ "actor": actor(&comment.actor), "time": time(comment.time), "text": comment.text }))
        .collect();
    let references: Vec<Value> = alarm
        .external_references
        .iter()
        .map(|link| json!({ "reference": link.reference, "actor": actor(&link.actor), "time": time(link.time) }))
        .collect();
    let shelved = alarm.shelved.as_ref().map(|shelving| {
        without_empty(json!({ "shelf": shelving.shelf.as_str(), "expireTime": shelving.expire_time.map(time) }))
    });
    let suppressed = alarm.suppressed_by.as_ref().map(|by| json!({ "by": by.by.as_str(), "reason": by.reason }));
    json!({
        "clearing": clearing,
        "acknowledgement": acknowledgement,
        "comments": comments,
        "externalReferences": references,
        "shelved": shelved,
        "suppressedBy": suppressed,
    })
}

fn relations(view: &AlarmView) -> Value {
    let alarm = &view.alarm;
    let impacted: Vec<Value> = alarm
        .impacted
        .iter()
        .map(|object| {
            without_empty(json!({
                "name": object.name.as_str(), "label": object.label, "serviceRefs": object.service_refs,
            }))
        })
        .collect();
    json!({
        "root": alarm.root,
        "rootCause": alarm.root_cause.as_ref().map(ToString::to_string),
        "correlated": alarm.correlated.iter().map(ToString::to_string).collect::<Vec<_>>(),
        "correlatedCount": alarm.correlated_count,
        "impacted": impacted,
        "impactedCount": alarm.impacted_count,
        "serviceAffecting": alarm.service_affecting,
        "plannedOutage": alarm.planned_outage,
    })
}

fn advice(view: &AlarmView) -> Value {
    let alarm = &view.alarm;
    let threshold = alarm.threshold.as_ref().map(|crossing| {
        let direction = match crossing.direction {
            ThresholdDirection::Up => "UP",
            ThresholdDirection::Down => "DOWN",
        };
        json!({
            "metric": crossing.metric,
            "level": crossing.level,
            "clearLevel": crossing.clear_level,
            "direction": direction,
            "observed": crossing.observed,
        })
    });
    let unreachable_since = match alarm.reliability {
        Reliability::Ok => None,
        Reliability::SourceUnreachable { since } => Some(json!({ "sourceUnreachableSince": time(since) })),
    };
    let security = alarm.security.as_ref().map(|detail| {
        without_empty(json!({
            "serviceUser": detail.service_user,
            "serviceProvider": detail.service_provider,
            "detector": detail.detector,
        }))
    });
    json!({
        "text": alarm.text,
        "attributes": alarm.attributes,
        "threshold": threshold,
        "repairAction": alarm.repair_action,
        "runbookUrl": alarm.runbook_url,
        "reliability": unreachable_since,
        "security": security,
        "history": alarm.history.iter().map(status_change).collect::<Vec<_>>(),
    })
}

fn status_change(change: &StatusChange) -> Value {
    without_empty(json!({
        "time": time(change.time),
        "transition": word(change.transition),
        "severity": word(change.severity),
        "text": change.text,
        "actor": change.actor.as_ref().map(actor),
    }))
}

fn actor(actor: &Actor) -> Value {
    without_empty(json!({
        "principal": actor.principal, "user": actor.user, "system": actor.system, "sessionPeer": actor.peer,
    }))
}

/// `processingError` as `PROCESSING_ERROR`.
pub(super) fn upper_snake(camel: &str) -> String {
    let mut text = String::with_capacity(camel.len() + 8);
    for character in camel.chars() {
        if character.is_ascii_uppercase() {
            text.push('_');
        }
        text.push(character.to_ascii_uppercase());
    }
    text
}
