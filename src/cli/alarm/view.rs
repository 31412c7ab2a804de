//! Alarms of the interface as the mappings into foreign records read them. Pure.

use super::subject::id;
use crate::cli::args::Format;
use crate::cli::exit::Failure;
use crate::client::Client;
use crate::export::{AlarmView, Reporter, o2ims, tmf642, ves_fault};
use crate::model::alarm::{
    Acknowledgement, Alarm, AlarmComment, AlarmState, AlarmTransition, Clearing, ClearingKind, EventType,
    ExternalReference, ImpactedObject, PerceivedSeverity, ProbableCause, Reliability, SecurityDetail, Shelving,
    StatusChange, Suppression, ThresholdCrossing, ThresholdDirection,
};
use crate::model::{Actor, HostId, Name, Timestamp};
use crate::wire::v1;
use serde_json::{Value, json};

/// Who reports: the daemon asked.
///
/// # Errors
/// The daemon does not answer.
pub async fn reporter(client: &Client) -> Result<Reporter, Failure> {
    let facts = client.server_info().await.map_err(|error| Failure::of_client(&error, client.target()))?;
    Ok(Reporter { vrm_id: facts.vrm_id, dn: facts.system_dn })
}

/// The foreign record of an alarm; null for formats of our own.
pub fn foreign(reporter: &Reporter, alarm: &v1::Alarm, format: Format) -> Value {
    match format {
        Format::Tmf642 => tmf642(reporter, &view(alarm)),
        Format::Ves => ves_fault(reporter, &view(alarm)),
        Format::O2ims => o2ims(reporter, &view(alarm)),
        _ => Value::Null,
    }
}

/// Several foreign records as one document: what a list in that world looks like.
pub fn document(records: Vec<Value>, format: Format) -> Value {
    if format != Format::Ves {
        return Value::Array(records);
    }
    // A batch of VES has the events without their envelope.
    let events = records.into_iter().map(|mut record| record.get_mut("event").map(Value::take).unwrap_or_default());
    json!({ "eventList": events.collect::<Vec<_>>() })
}

/// The alarm as the mappings read it.
pub fn view(alarm: &v1::Alarm) -> AlarmView {
    AlarmView {
        name: name(&alarm.name),
        uid: uuid::Uuid::parse_str(&alarm.uid)
            .unwrap_or_else(|_| uuid::Uuid::parse_str(id(&alarm.name)).unwrap_or_default()),
        revision: alarm.revision,
        sequence: alarm.last_change_sequence,
        // The interface does not tell when the record began; its first episode is that but for the hold-on.
        report_time: time(alarm.first_raise_time.as_ref()),
        change_time: time(alarm.report_time.as_ref()),
        alarm: record(alarm),
    }
}

fn record(alarm: &v1::Alarm) -> Alarm {
    let cause = alarm.probable_cause.clone().unwrap_or_default();
    Alarm {
        alarm_type: alarm.alarm_type.clone(),
        event_type: event_type(alarm.event_type()),
        probable_cause: ProbableCause { number: cause.number, name: cause.name },
        state: state(alarm.state()),
        perceived_severity: severity(alarm.perceived_severity()),
        highest_severity: severity(alarm.highest_severity()),
        object: name(&alarm.object),
        object_dn: alarm.object_dn.clone(),
        object_class: alarm.object_class.clone(),
        object_label: alarm.object_label.clone(),
        host: alarm.host.strip_prefix("hosts/").and_then(|host| HostId::parse(host).ok()),
        zone: alarm.zone.clone(),
        resource_group: alarm.resource_group.clone(),
        service_refs: alarm.service_refs.clone(),
        raise_time: time(alarm.raise_time.as_ref()),
        first_raise_time: time(alarm.first_raise_time.as_ref()),
        status_change_time: time(alarm.change_time.as_ref()),
        clear_time: alarm.clear_time.as_ref().map(|at| time(Some(at))),
        raise_count: alarm.raise_count,
        ..handling(alarm)
    }
}

/// What people did with it, and what surrounds it.
fn handling(alarm: &v1::Alarm) -> Alarm {
    Alarm {
        clearing: alarm.clearing.as_ref().and_then(clearing),
        acknowledgement: alarm.acknowledgement.as_ref().map(|note| Acknowledgement {
            actor: actor(note.actor.as_ref()),
            time: time(note.time.as_ref()),
            comment: note.comment.clone(),
        }),
        comments: alarm.comments.iter().map(comment).collect(),
        external_references: alarm.external_references.iter().map(reference).collect(),
        root: alarm.root,
        root_cause: Some(&alarm.root_cause).filter(|name| !name.is_empty()).map(|one| name(one)),
        correlated: alarm.correlated.iter().map(|one| name(one)).collect(),
        correlated_count: alarm.correlated_count,
        impacted: alarm.impacted.iter().map(impacted).collect(),
        impacted_count: alarm.impacted_count,
        service_affecting: alarm.service_affecting,
        planned_outage: alarm.planned_outage,
        shelved: alarm.shelved.as_ref().map(|shelved| Shelving {
            shelf: name(&shelved.shelf),
            expire_time: shelved.expire_time.as_ref().map(|at| time(Some(at))),
        }),
        suppressed_by: alarm
            .suppressed_by
            .as_ref()
            .map(|by| Suppression { by: name(&by.by), reason: by.reason.clone() }),
        text: alarm.text.clone(),
        attributes: alarm.attributes.clone().into_iter().collect(),
        threshold: alarm.threshold.as_ref().map(threshold),
        repair_action: alarm.repair_action.clone(),
        runbook_url: alarm.runbook_url.clone(),
        reliability: reliability(alarm.reliability.as_ref()),
        security: alarm.security.clone().map(|security| SecurityDetail {
            service_user: security.service_user,
            service_provider: security.service_provider,
            detector: security.detector,
        }),
        history: alarm.history.iter().filter_map(status_change).collect(),
        ..Alarm::default()
    }
}

/// A name as the model has it.
fn name(text: &str) -> Name {
    Name::new(text)
}

fn time(time: Option<&prost_types::Timestamp>) -> Timestamp {
    time.map_or(Timestamp::default(), |at| {
        Timestamp(at.seconds.saturating_mul(1_000_000).saturating_add(i64::from(at.nanos) / 1_000))
    })
}

fn actor(actor: Option<&v1::Actor>) -> Actor {
    let actor = actor.cloned().unwrap_or_default();
    Actor { principal: actor.principal, user: actor.user, system: actor.system, ..Actor::default() }
}

fn comment(comment: &v1::AlarmComment) -> AlarmComment {
    AlarmComment { actor: actor(comment.actor.as_ref()), time: time(comment.time.as_ref()), text: comment.text.clone() }
}

fn reference(of: &v1::ExternalReference) -> ExternalReference {
    ExternalReference { reference: of.reference.clone(), actor: actor(of.actor.as_ref()), time: time(of.time.as_ref()) }
}

fn impacted(of: &v1::ImpactedObject) -> ImpactedObject {
    ImpactedObject { name: name(&of.name), label: of.label.clone(), service_refs: of.service_refs.clone() }
}

fn threshold(of: &v1::ThresholdCrossing) -> ThresholdCrossing {
    let direction = match of.direction() {
        v1::threshold_crossing::Direction::Down => ThresholdDirection::Down,
        _ => ThresholdDirection::Up,
    };
    ThresholdCrossing {
        metric: of.metric.clone(),
        level: of.level,
        clear_level: of.clear_level,
        direction,
        observed: of.observed,
    }
}

fn clearing(of: &v1::AlarmClearing) -> Option<Clearing> {
    use v1::alarm_clearing::Kind;
    let kind = match of.kind() {
        Kind::Unspecified => return None,
        Kind::Automatic => ClearingKind::Automatic,
        Kind::Manual => ClearingKind::Manual,
        Kind::ObjectGone => ClearingKind::ObjectGone,
        Kind::Reclassified => ClearingKind::Reclassified,
    };
    Some(Clearing { kind, actor: of.actor.as_ref().map(|who| actor(Some(who))) })
}

fn reliability(of: Option<&v1::AlarmReliability>) -> Reliability {
    match of {
        Some(of) if of.state() == v1::alarm_reliability::State::SourceUnreachable => {
            Reliability::SourceUnreachable { since: time(of.since.as_ref()) }
        }
        _ => Reliability::Ok,
    }
}

fn status_change(change: &v1::AlarmStatusChange) -> Option<StatusChange> {
    use v1::AlarmTransition as Told;
    let transition = match change.transition() {
        Told::Unspecified => return None,
        Told::Raised => AlarmTransition::Raised,
        Told::ReRaised => AlarmTransition::ReRaised,
        Told::SeverityChanged => AlarmTransition::SeverityChanged,
        Told::Updated => AlarmTransition::Updated,
        Told::Cleared => AlarmTransition::Cleared,
        Told::Acknowledged => AlarmTransition::Acknowledged,
        Told::Unacknowledged => AlarmTransition::Unacknowledged,
        Told::Commented => AlarmTransition::Commented,
        Told::Linked => AlarmTransition::Linked,
        Told::Shelved => AlarmTransition::Shelved,
        Told::Unshelved => AlarmTransition::Unshelved,
        Told::Suppressed => AlarmTransition::Suppressed,
        Told::Unsuppressed => AlarmTransition::Unsuppressed,
        Told::Correlated => AlarmTransition::Correlated,
        Told::ReliabilityChanged => AlarmTransition::ReliabilityChanged,
    };
    Some(StatusChange {
        time: time(change.time.as_ref()),
        transition,
        severity: severity(change.severity()),
        text: change.text.clone(),
        actor: change.actor.as_ref().map(|who| actor(Some(who))),
    })
}

fn state(of: v1::AlarmState) -> AlarmState {
    if of == v1::AlarmState::Cleared { AlarmState::Cleared } else { AlarmState::Active }
}

fn severity(of: v1::Severity) -> PerceivedSeverity {
    match of {
        v1::Severity::Unspecified | v1::Severity::Indeterminate => PerceivedSeverity::Indeterminate,
        v1::Severity::Warning => PerceivedSeverity::Warning,
        v1::Severity::Minor => PerceivedSeverity::Minor,
        v1::Severity::Major => PerceivedSeverity::Major,
        v1::Severity::Critical => PerceivedSeverity::Critical,
    }
}

fn event_type(of: v1::EventType) -> EventType {
    // The interface and the model have IANA's numbers.
    let number = u32::try_from(i32::from(of)).unwrap_or_default();
    EventType::ALL.into_iter().find(|known| known.number() == number).unwrap_or_default()
}

#[cfg(all(test, feature = "daemon"))]
mod tests {
    use super::*;
    use crate::wire::convert;

    #[test]
    fn words_of_the_interface_come_back_as_they_went() {
        for known in PerceivedSeverity::ALL {
            assert_eq!(v1::Severity::try_from(convert::severity(known)).map(severity), Ok(known));
        }
        for known in EventType::ALL {
            assert_eq!(v1::EventType::try_from(convert::event_type(known)).map(event_type), Ok(known));
        }
    }

    #[test]
    fn a_list_is_what_that_world_calls_one() {
        let reporter = Reporter { vrm_id: "dc1-a".to_owned(), dn: "VrmFunction=dc1-a".to_owned() };
        let alarm = v1::Alarm {
            name: "alarms/01a20ec7-6b4c-70c4-9f42-4e7d83d052ec".to_owned(),
            alarm_type: "vmCrashed".to_owned(),
            perceived_severity: v1::Severity::Critical.into(),
            ..v1::Alarm::default()
        };
        let record = |format| document(vec![foreign(&reporter, &alarm, format)], format);
        assert_eq!(record(Format::Tmf642)[0]["specificProblem"], "vmCrashed");
        assert_eq!(record(Format::O2ims)[0]["perceivedSeverity"], 0);
        assert_eq!(record(Format::Ves)["eventList"][0]["faultFields"]["alarmCondition"], "vmCrashed");
    }
}
