//! Alarm types in words of the interface, and what requests say about alarms in words of the model.

use super::alarm::{event_type, probable_cause, severity};
use super::common::same_variants;
use crate::model::Timestamp;
use crate::model::alarm::{AlarmMatch, AlarmProfile, AlarmShelf, AlarmTypeDescriptor, ClearingRule, PerceivedSeverity};
use crate::wire::v1;
use std::collections::BTreeMap;

/// The message of an alarm type with where it can be detected here.
pub fn alarm_type(descriptor: &AlarmTypeDescriptor, availability: v1::AlarmTypeAvailability) -> v1::AlarmType {
    let AlarmTypeDescriptor {
        number,
        id,
        object_classes,
        event_type: kind,
        probable_cause: cause,
        severities,
        clearing,
        hold_on_seconds,
        hold_off_seconds,
        thresholds,
        off_by_default,
        external,
        survives_object,
        meaning,
        detection,
        clearing_condition,
        repair_action,
        detectable,
    } = descriptor;
    v1::AlarmType {
        name: format!("alarmTypes/{id}"),
        alarm_type: id.clone(),
        number: *number,
        object_classes: object_classes.clone(),
        event_type: event_type(*kind),
        probable_cause: Some(probable_cause(cause)),
        severities: severities.iter().map(|each| severity(*each)).collect(),
        clearing: clearing_rule(*clearing),
        hold_on_seconds: *hold_on_seconds,
        hold_off_seconds: *hold_off_seconds,
        thresholds: thresholds.clone(),
        off_by_default: *off_by_default,
        external: *external,
        survives_object: *survives_object,
        meaning: meaning.clone(),
        detection: detection.clone(),
        clearing_condition: clearing_condition.clone(),
        repair_action: repair_action.clone(),
        detectable: detectable.clone(),
        availability: Some(availability),
    }
}

/// The severity of an interface word; nothing if it says none.
pub fn severity_from(severity: v1::Severity) -> Option<PerceivedSeverity> {
    match severity {
        v1::Severity::Unspecified => None,
        v1::Severity::Indeterminate => Some(PerceivedSeverity::Indeterminate),
        v1::Severity::Warning => Some(PerceivedSeverity::Warning),
        v1::Severity::Minor => Some(PerceivedSeverity::Minor),
        v1::Severity::Major => Some(PerceivedSeverity::Major),
        v1::Severity::Critical => Some(PerceivedSeverity::Critical),
    }
}

/// A time of a request in microseconds, what is finer cut off; nothing if it lies outside of what
/// can be told.
pub fn time_from(time: prost_types::Timestamp) -> Option<Timestamp> {
    let prost_types::Timestamp { seconds, nanos } = time;
    let within = (0..1_000_000_000).contains(&nanos);
    let micros = seconds.checked_mul(1_000_000)?.checked_add(i64::from(nanos) / 1_000)?;
    within.then_some(Timestamp(micros))
}

/// The shelf of a request; its actor and count are the engine's. Times out of range are absent:
/// check them before.
pub fn shelf_from(shelf: v1::AlarmShelf) -> AlarmShelf {
    let v1::AlarmShelf {
        name: _,
        uid: _,
        revision: _,
        last_change_sequence: _,
        etag: _,
        create_time: _,
        update_time: _,
        order,
        matches,
        reason,
        expire_time,
        actor: _,
        shelved_count: _,
    } = shelf;
    AlarmShelf {
        order,
        matches: match_from(matches.unwrap_or_default()),
        reason,
        expire_time: expire_time.and_then(time_from),
        ..AlarmShelf::default()
    }
}

/// The profile of a request; entries of its severity map that say nothing are left out: check them
/// before.
pub fn profile_from_request(profile: v1::AlarmProfile) -> AlarmProfile {
    let v1::AlarmProfile {
        name: _,
        uid: _,
        revision: _,
        last_change_sequence: _,
        etag: _,
        create_time: _,
        update_time: _,
        order,
        matches,
        severity: graded,
        hold_on_seconds,
        hold_off_seconds,
        thresholds,
        off,
        from_file: _,
    } = profile;
    let mapping = |entry: &v1::SeverityMapping| Some((severity_from(entry.from())?, severity_from(entry.to())?));
    AlarmProfile {
        order,
        matches: match_from(matches.unwrap_or_default()),
        severity: graded.iter().filter_map(mapping).collect::<BTreeMap<_, _>>(),
        hold_on_seconds,
        hold_off_seconds,
        thresholds,
        off,
        from_file: false,
    }
}

fn match_from(matches: v1::AlarmMatch) -> AlarmMatch {
    let v1::AlarmMatch { alarm_types, object_pattern, labels, host, resource_group } = matches;
    AlarmMatch { alarm_types, object_pattern, labels, host, resource_group }
}

same_variants! {
    fn clearing_rule(ClearingRule) -> v1::alarm_type::ClearingRule { Automatic, Manual, QuietTime }
}
