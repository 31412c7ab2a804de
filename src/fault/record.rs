//! What may happen to one alarm record. Every function keeps the record's history.

use super::finding::Finding;
use crate::model::alarm::{
    Acknowledgement, AlarmComment, AlarmState, AlarmTransition, AlarmTypeDescriptor, Clearing, ClearingKind,
    ExternalReference, PerceivedSeverity, Reliability, StatusChange, limits,
};
use crate::model::{Actor, Alarm, HostId, Timestamp};

/// What is known of the faulty object when an alarm is raised (operations.md F18).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ObjectAtRaise {
    /// Distinguished name.
    pub dn: String,
    /// Class as DNs carry it.
    pub class: String,
    /// The name people know it by.
    pub label: String,
    /// Host it is on.
    pub host: Option<HostId>,
    /// Label `zone`.
    pub zone: String,
    /// Label `vrm.group`.
    pub resource_group: String,
    /// Cloud services it supports.
    pub service_refs: Vec<String>,
}

/// A new alarm.
pub fn raised(
    finding: &Finding,
    descriptor: &AlarmTypeDescriptor,
    severity: PerceivedSeverity,
    object: ObjectAtRaise,
    since: Timestamp,
    now: Timestamp,
) -> Alarm {
    let mut alarm = Alarm {
        alarm_type: descriptor.id.clone(),
        event_type: descriptor.event_type,
        probable_cause: descriptor.probable_cause.clone(),
        object: finding.object.clone(),
        repair_action: descriptor.repair_action.clone(),
        first_raise_time: since,
        root: true,
        ..Alarm::default()
    };
    describe(&mut alarm, object);
    begin(&mut alarm, finding, severity, since, now, AlarmTransition::Raised);
    alarm
}

/// The condition of a cleared alarm is back: another episode of the same record, not acknowledged.
pub fn re_raise(
    alarm: &mut Alarm,
    finding: &Finding,
    severity: PerceivedSeverity,
    object: ObjectAtRaise,
    since: Timestamp,
    now: Timestamp,
) {
    describe(alarm, object);
    alarm.clear_time = None;
    alarm.clearing = None;
    alarm.acknowledgement = None;
    alarm.reliability = Reliability::Ok;
    begin(alarm, finding, severity, since, now, AlarmTransition::ReRaised);
}

fn describe(alarm: &mut Alarm, object: ObjectAtRaise) {
    alarm.object_dn = object.dn;
    alarm.object_class = object.class;
    alarm.object_label = object.label;
    alarm.host = object.host;
    alarm.zone = object.zone;
    alarm.resource_group = object.resource_group;
    alarm.service_refs = object.service_refs;
}

fn begin(
    alarm: &mut Alarm,
    finding: &Finding,
    severity: PerceivedSeverity,
    since: Timestamp,
    now: Timestamp,
    transition: AlarmTransition,
) {
    alarm.state = AlarmState::Active;
    alarm.perceived_severity = severity;
    alarm.highest_severity = severity;
    alarm.raise_time = since;
    alarm.status_change_time = now;
    alarm.raise_count += 1;
    tell(alarm, finding);
    note(alarm, now, transition, None, None);
}

fn tell(alarm: &mut Alarm, finding: &Finding) {
    alarm.text.clone_from(&finding.text);
    alarm.attributes.clone_from(&finding.attributes);
    alarm.threshold.clone_from(&finding.threshold);
    alarm.security.clone_from(&finding.security);
}

/// What a repeated detection changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Repetition {
    /// The severity: a transition.
    Severity,
    /// Text or details: to be told some time.
    Words,
    /// Nothing but the count.
    Nothing,
}

/// The condition of an active alarm was detected again.
pub fn again(alarm: &mut Alarm, finding: &Finding, severity: PerceivedSeverity, now: Timestamp) -> Repetition {
    alarm.repeat_count.0 += 1;
    alarm.last_repeat_time.0 = Some(now);
    let words = alarm.text != finding.text || alarm.attributes != finding.attributes;
    tell(alarm, finding);
    if regrade(alarm, severity, now) {
        return Repetition::Severity;
    }
    if !words {
        return Repetition::Nothing;
    }
    alarm.status_change_time = now;
    note_latest(alarm, now, AlarmTransition::Updated);
    Repetition::Words
}

/// True if the alarm is grave and its object, or one that suffers from it, supports a cloud service.
pub fn affects_service(alarm: &Alarm) -> bool {
    let services =
        !alarm.service_refs.is_empty() || alarm.impacted.iter().any(|object| !object.service_refs.is_empty());
    services && alarm.perceived_severity >= PerceivedSeverity::Major
}

/// The severity changes without a new detection (a profile changed); true if it did.
pub fn regrade(alarm: &mut Alarm, severity: PerceivedSeverity, now: Timestamp) -> bool {
    if severity == alarm.perceived_severity {
        return false;
    }
    alarm.perceived_severity = severity;
    alarm.highest_severity = alarm.highest_severity.max(severity);
    alarm.service_affecting = affects_service(alarm);
    alarm.status_change_time = now;
    note(alarm, now, AlarmTransition::SeverityChanged, None, None);
    true
}

/// The condition is over; false if it was already.
pub fn clear(alarm: &mut Alarm, kind: ClearingKind, actor: Option<Actor>, remark: &str, now: Timestamp) -> bool {
    if !alarm.is_active() {
        return false;
    }
    alarm.state = AlarmState::Cleared;
    alarm.clear_time = Some(now);
    alarm.status_change_time = now;
    alarm.clearing = Some(Clearing { kind, actor: actor.clone() });
    note(alarm, now, AlarmTransition::Cleared, Some(remark), actor);
    true
}

/// Somebody takes note; false if somebody did already.
pub fn acknowledge(alarm: &mut Alarm, actor: &Actor, comment: &str, now: Timestamp) -> bool {
    if alarm.acknowledgement.is_some() {
        return false;
    }
    alarm.acknowledgement = Some(Acknowledgement { actor: actor.clone(), time: now, comment: comment.to_owned() });
    note(alarm, now, AlarmTransition::Acknowledged, Some(comment), Some(actor.clone()));
    true
}

/// The note is taken back; false if there was none.
pub fn unacknowledge(alarm: &mut Alarm, actor: &Actor, comment: &str, now: Timestamp) -> bool {
    if alarm.acknowledgement.take().is_none() {
        return false;
    }
    note(alarm, now, AlarmTransition::Unacknowledged, Some(comment), Some(actor.clone()));
    true
}

/// A remark; the oldest goes when there are too many.
pub fn comment(alarm: &mut Alarm, actor: &Actor, text: &str, now: Timestamp) {
    alarm.comments.push(AlarmComment { actor: actor.clone(), time: now, text: text.to_owned() });
    drop_oldest(&mut alarm.comments, limits::COMMENTS);
    note(alarm, now, AlarmTransition::Commented, Some(text), Some(actor.clone()));
}

/// Links a ticket; false if it is linked already.
pub fn link(alarm: &mut Alarm, actor: &Actor, reference: &str, now: Timestamp) -> bool {
    if alarm.external_references.iter().any(|held| held.reference == reference) {
        return false;
    }
    let reference_held = ExternalReference { reference: reference.to_owned(), actor: actor.clone(), time: now };
    alarm.external_references.push(reference_held);
    drop_oldest(&mut alarm.external_references, limits::REFERENCES);
    note(alarm, now, AlarmTransition::Linked, Some(reference), Some(actor.clone()));
    true
}

/// Takes a link away; false if there is none.
pub fn unlink(alarm: &mut Alarm, actor: &Actor, reference: &str, now: Timestamp) -> bool {
    let before = alarm.external_references.len();
    alarm.external_references.retain(|held| held.reference != reference);
    if alarm.external_references.len() == before {
        return false;
    }
    note(alarm, now, AlarmTransition::Linked, Some(&format!("{reference} removed")), Some(actor.clone()));
    true
}

/// Adds an entry to the history; a remark stands instead of the alarm's text.
pub fn note(
    alarm: &mut Alarm,
    now: Timestamp,
    transition: AlarmTransition,
    remark: Option<&str>,
    actor: Option<Actor>,
) {
    let text = remark.filter(|remark| !remark.is_empty()).unwrap_or(&alarm.text).to_owned();
    alarm.history.push(StatusChange { time: now, transition, severity: alarm.perceived_severity, text, actor });
    drop_oldest(&mut alarm.history, limits::HISTORY);
}

/// As [`note`], but in the place of the last entry if that one tells of the same without an actor: what
/// happens often must not push everything else out.
pub fn note_latest(alarm: &mut Alarm, now: Timestamp, transition: AlarmTransition) {
    if alarm.history.last().is_some_and(|last| last.transition == transition && last.actor.is_none()) {
        alarm.history.pop();
    }
    note(alarm, now, transition, None, None);
}

fn drop_oldest<T>(kept: &mut Vec<T>, limit: usize) {
    let excess = kept.len().saturating_sub(limit);
    kept.drain(..excess);
}
