//! Alarms and the rules about them, in words of the interface.

use super::change::attribute_change;
use super::common::{actor, host_or_empty, same_variants, timestamp};
use super::object::Detail;
use crate::model::alarm::{
    Acknowledgement, Alarm, AlarmComment, AlarmMatch, AlarmProfile, AlarmShelf, AlarmState, AlarmTransition, Clearing,
    ClearingKind, EventType, ExternalReference, ImpactedObject, PerceivedSeverity, ProbableCause, Reliability,
    SecurityDetail, Shelving, StatusChange, Suppression, ThresholdCrossing, ThresholdDirection,
};
use crate::model::{AttributeChange, Body, Object, Timestamp};
use crate::wire::v1;

/// The message of an alarm; nothing for an object of another class.
pub fn alarm(object: &Object, detail: Detail) -> Option<v1::Alarm> {
    match &object.body {
        Body::Alarm(alarm) => Some(alarm_record(object, alarm, detail)),
        _ => None,
    }
}

/// The message of a shelf; nothing for an object of another class.
pub fn alarm_shelf(object: &Object) -> Option<v1::AlarmShelf> {
    match &object.body {
        Body::AlarmShelf(shelf) => Some(shelf_record(object, shelf)),
        _ => None,
    }
}

/// The message of a profile; nothing for an object of another class.
pub fn alarm_profile(object: &Object) -> Option<v1::AlarmProfile> {
    match &object.body {
        Body::AlarmProfile(profile) => Some(profile_record(object, profile)),
        _ => None,
    }
}

fn alarm_record(object: &Object, alarm: &Alarm, detail: Detail) -> v1::Alarm {
    let full = detail == Detail::Full;
    v1::Alarm {
        comments: alarm.comments.iter().map(comment).collect(),
        external_references: alarm.external_references.iter().map(external_reference).collect(),
        correlated: if full { alarm.correlated.iter().map(ToString::to_string).collect() } else { Vec::new() },
        impacted: if full { alarm.impacted.iter().map(impacted_object).collect() } else { Vec::new() },
        history: if full { alarm.history.iter().map(status_change).collect() } else { Vec::new() },
        ..scalars(object, alarm)
    }
}

/// All of a record but its lists of messages.
fn scalars(object: &Object, alarm: &Alarm) -> v1::Alarm {
    let Alarm {
        alarm_type,
        event_type: kind,
        probable_cause: cause,
        state,
        perceived_severity,
        highest_severity,
        object: faulty,
        object_dn,
        object_class,
        object_label,
        host,
        zone,
        resource_group,
        service_refs,
        raise_time,
        first_raise_time,
        status_change_time,
        clear_time,
        raise_count,
        repeat_count,
        last_repeat_time,
        clearing: end,
        acknowledgement: note,
        comments: _,
        external_references: _,
        root,
        root_cause,
        correlated: _,
        correlated_count,
        impacted: _,
        impacted_count,
        service_affecting,
        planned_outage,
        shelved,
        suppressed_by,
        text,
        attributes,
        threshold,
        repair_action,
        runbook_url,
        reliability: trust,
        security,
        history: _,
    } = alarm;
    v1::Alarm {
        name: object.name.to_string(),
        uid: object.uid.to_string(),
        revision: object.revision,
        last_change_sequence: object.last_change_sequence,
        etag: object.etag(),
        alarm_type: alarm_type.clone(),
        event_type: event_type(*kind),
        probable_cause: Some(probable_cause(cause)),
        state: alarm_state(*state),
        perceived_severity: severity(*perceived_severity),
        highest_severity: severity(*highest_severity),
        object: faulty.to_string(),
        object_dn: object_dn.clone(),
        object_class: object_class.clone(),
        object_label: object_label.clone(),
        host: host_or_empty(host.as_ref()),
        zone: zone.clone(),
        resource_group: resource_group.clone(),
        service_refs: service_refs.clone(),
        raise_time: Some(timestamp(*raise_time)),
        first_raise_time: Some(timestamp(*first_raise_time)),
        change_time: Some(timestamp(*status_change_time)),
        clear_time: clear_time.map(timestamp),
        report_time: Some(timestamp(object.change_time)),
        raise_count: *raise_count,
        repeat_count: repeat_count.0,
        last_repeat_time: last_repeat_time.0.map(timestamp),
        clearing: end.as_ref().map(clearing),
        acknowledgement: note.as_ref().map(acknowledgement),
        root: *root,
        root_cause: root_cause.as_ref().map(ToString::to_string).unwrap_or_default(),
        correlated_count: *correlated_count,
        impacted_count: *impacted_count,
        service_affecting: *service_affecting,
        planned_outage: *planned_outage,
        shelved: shelved.as_ref().map(shelving),
        suppressed_by: suppressed_by.as_ref().map(suppression),
        text: text.clone(),
        attributes: attributes.clone(),
        threshold: threshold.as_ref().map(threshold_crossing),
        repair_action: repair_action.clone(),
        runbook_url: runbook_url.clone(),
        reliability: Some(reliability(*trust)),
        security: security.as_ref().map(security_detail),
        ..v1::Alarm::default()
    }
}

fn shelf_record(object: &Object, shelf: &AlarmShelf) -> v1::AlarmShelf {
    let AlarmShelf { order, matches, reason, expire_time, actor: who, shelved_count } = shelf;
    v1::AlarmShelf {
        name: object.name.to_string(),
        uid: object.uid.to_string(),
        revision: object.revision,
        last_change_sequence: object.last_change_sequence,
        etag: object.etag(),
        create_time: Some(timestamp(object.create_time)),
        update_time: Some(timestamp(object.change_time)),
        order: *order,
        matches: Some(alarm_match(matches)),
        reason: reason.clone(),
        expire_time: expire_time.map(timestamp),
        actor: Some(actor(who)),
        shelved_count: shelved_count.0,
    }
}

fn profile_record(object: &Object, profile: &AlarmProfile) -> v1::AlarmProfile {
    let AlarmProfile {
        order,
        matches,
        severity: graded,
        hold_on_seconds,
        hold_off_seconds,
        thresholds,
        off,
        from_file,
    } = profile;
    let mapping = |(from, to): (&PerceivedSeverity, &PerceivedSeverity)| v1::SeverityMapping {
        from: severity(*from),
        to: severity(*to),
    };
    v1::AlarmProfile {
        name: object.name.to_string(),
        uid: object.uid.to_string(),
        revision: object.revision,
        last_change_sequence: object.last_change_sequence,
        etag: object.etag(),
        create_time: Some(timestamp(object.create_time)),
        update_time: Some(timestamp(object.change_time)),
        order: *order,
        matches: Some(alarm_match(matches)),
        severity: graded.iter().map(mapping).collect(),
        hold_on_seconds: *hold_on_seconds,
        hold_off_seconds: *hold_off_seconds,
        thresholds: thresholds.clone(),
        off: *off,
        from_file: *from_file,
    }
}

fn alarm_match(matches: &AlarmMatch) -> v1::AlarmMatch {
    let AlarmMatch { alarm_types, object_pattern, labels, host, resource_group } = matches.clone();
    v1::AlarmMatch { alarm_types, object_pattern, labels, host, resource_group }
}

/// Attributes of alarms that are points in time: told as RFC 3339 in changes.
const TIMES: [&str; 5] = ["raise_time", "first_raise_time", "status_change_time", "clear_time", "last_repeat_time"];

/// An attribute's old and new value in an alarm: names as the proto has them, times as RFC 3339.
pub fn alarm_attribute_change(change: &AttributeChange) -> v1::AttributeChange {
    let mut told = change.clone();
    if TIMES.contains(&change.path.as_str()) {
        told.old = time_value(&change.old);
        told.new = time_value(&change.new);
    }
    if change.path == "status_change_time" {
        "change_time".clone_into(&mut told.path);
    }
    attribute_change(&told)
}

fn time_value(value: &serde_json::Value) -> serde_json::Value {
    value.as_i64().map_or_else(|| value.clone(), |micros| Timestamp(micros).to_string().into())
}

/// Probable cause.
pub(super) fn probable_cause(cause: &ProbableCause) -> v1::ProbableCause {
    let ProbableCause { number, name } = cause.clone();
    v1::ProbableCause { number, name }
}

fn clearing(clearing: &Clearing) -> v1::AlarmClearing {
    let Clearing { kind, actor: who } = clearing;
    v1::AlarmClearing { kind: clearing_kind(*kind), actor: who.as_ref().map(actor) }
}

fn acknowledgement(note: &Acknowledgement) -> v1::Acknowledgement {
    let Acknowledgement { actor: who, time, comment } = note;
    v1::Acknowledgement { actor: Some(actor(who)), time: Some(timestamp(*time)), comment: comment.clone() }
}

fn comment(comment: &AlarmComment) -> v1::AlarmComment {
    let AlarmComment { actor: who, time, text } = comment;
    v1::AlarmComment { actor: Some(actor(who)), time: Some(timestamp(*time)), text: text.clone() }
}

fn external_reference(reference: &ExternalReference) -> v1::ExternalReference {
    let ExternalReference { reference, actor: who, time } = reference;
    v1::ExternalReference { reference: reference.clone(), actor: Some(actor(who)), time: Some(timestamp(*time)) }
}

/// An object that suffers.
pub fn impacted_object(impacted: &ImpactedObject) -> v1::ImpactedObject {
    let ImpactedObject { name, label, service_refs } = impacted;
    v1::ImpactedObject { name: name.to_string(), label: label.clone(), service_refs: service_refs.clone() }
}

fn shelving(shelving: &Shelving) -> v1::AlarmShelving {
    let Shelving { shelf, expire_time } = shelving;
    v1::AlarmShelving { shelf: shelf.to_string(), expire_time: expire_time.map(timestamp) }
}

fn suppression(suppression: &Suppression) -> v1::AlarmSuppression {
    let Suppression { by, reason } = suppression;
    v1::AlarmSuppression { by: by.to_string(), reason: reason.clone() }
}

fn threshold_crossing(crossing: &ThresholdCrossing) -> v1::ThresholdCrossing {
    let ThresholdCrossing { metric, level, clear_level, direction, observed } = crossing;
    v1::ThresholdCrossing {
        metric: metric.clone(),
        level: *level,
        clear_level: *clear_level,
        direction: threshold_direction(*direction),
        observed: *observed,
    }
}

fn reliability(reliability: Reliability) -> v1::AlarmReliability {
    use v1::alarm_reliability::State;
    match reliability {
        Reliability::Ok => v1::AlarmReliability { state: State::Ok.into(), since: None },
        Reliability::SourceUnreachable { since } => {
            v1::AlarmReliability { state: State::SourceUnreachable.into(), since: Some(timestamp(since)) }
        }
    }
}

fn security_detail(security: &SecurityDetail) -> v1::SecurityDetail {
    let SecurityDetail { service_user, service_provider, detector } = security.clone();
    v1::SecurityDetail { service_user, service_provider, detector }
}

fn status_change(change: &StatusChange) -> v1::AlarmStatusChange {
    let StatusChange { time, transition, severity: after, text, actor: who } = change;
    v1::AlarmStatusChange {
        time: Some(timestamp(*time)),
        transition: alarm_transition(*transition),
        severity: severity(*after),
        text: text.clone(),
        actor: who.as_ref().map(actor),
    }
}

same_variants! {
    /// In words of the interface.
    pub fn severity(PerceivedSeverity) -> v1::Severity { Indeterminate, Warning, Minor, Major, Critical }
}
same_variants! {
    /// In words of the interface.
    pub fn event_type(EventType) -> v1::EventType {
        Other, Communications, QualityOfService, ProcessingError, Equipment, Environmental, IntegrityViolation,
        OperationalViolation, PhysicalViolation, SecurityServiceOrMechanismViolation, TimeDomainViolation,
    }
}
same_variants! {
    /// In words of the interface.
    pub fn alarm_state(AlarmState) -> v1::AlarmState { Active, Cleared }
}
same_variants! {
    /// In words of the interface.
    pub fn alarm_transition(AlarmTransition) -> v1::AlarmTransition {
        Raised, ReRaised, SeverityChanged, Updated, Cleared, Acknowledged, Unacknowledged, Commented, Linked, Shelved,
        Unshelved, Suppressed, Unsuppressed, Correlated, ReliabilityChanged,
    }
}
same_variants! {
    fn clearing_kind(ClearingKind) -> v1::alarm_clearing::Kind { Automatic, Manual, ObjectGone, Reclassified }
}
same_variants! {
    fn threshold_direction(ThresholdDirection) -> v1::threshold_crossing::Direction { Up, Down }
}
