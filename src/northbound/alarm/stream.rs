//! `WatchAlarms`: the alarm list and its changes on a stream.

use super::reader::Alarms;
use crate::changes::{Delivery, DeliveryKind, DeliveryMode};
use crate::model::alarm::{Alarm, AlarmTransition};
use crate::model::{AttributeChange, Body, Object, ObjectClass};
use crate::northbound::auth::Caller;
use crate::northbound::failure::Failure;
use crate::northbound::listing::object_filter;
use crate::northbound::published::Published;
use crate::northbound::watch::{
    Answers, Opening, Payload, Said, alarm_choice, effective_options, envelope, mode_of_choice, subscription_options,
};
use crate::wire::convert::{self, Detail};
use crate::wire::v1;
use v1::alarm_change::Kind;

/// A stream of alarms.
pub type AlarmAnswers = Answers<v1::WatchAlarmsResponse>;

/// Alarms on a stream.
#[derive(Debug)]
pub struct AlarmPayload;

impl Payload for AlarmPayload {
    type Change = v1::AlarmChange;
    type Response = v1::WatchAlarmsResponse;
    const METHOD: &'static str = "vrm.v1.AlarmService/WatchAlarms";

    fn change(published: &Published, delivery: &Delivery) -> v1::AlarmChange {
        let Delivery { kind: _, object, attributes, source, time, merged } = delivery;
        let attribute_changes: Vec<_> = attributes.iter().map(convert::alarm_attribute_change).collect();
        let paths: Vec<String> = attribute_changes.iter().map(|change| change.path.clone()).collect();
        v1::AlarmChange {
            kind: kind(delivery).into(),
            alarm: convert::alarm(object, Detail::Full),
            changed_fields: (!paths.is_empty()).then_some(prost_types::FieldMask { paths }),
            attribute_changes,
            source: source.map(convert::change_source).unwrap_or_default(),
            event_time: Some(convert::timestamp(*time)),
            report_time: Some(convert::timestamp((published.now)())),
            time_received: true,
            merged_count: u32::try_from(*merged).unwrap_or(u32::MAX),
        }
    }

    fn response(
        position: v1::StreamPosition,
        message_number: u64,
        said: Said<v1::AlarmChange>,
    ) -> v1::WatchAlarmsResponse {
        envelope!(WatchAlarmsResponse, v1::watch_alarms_response::Message, position, message_number, said)
    }
}

impl Alarms {
    pub(super) fn watch(&self, caller: &Caller, request: v1::WatchAlarmsRequest) -> Result<AlarmAnswers, Failure> {
        let options = request.options.unwrap_or_default();
        mode_of_choice(&request.notification_types, &options, DeliveryMode::Transitions)?;
        let choice = alarm_choice(&request.notification_types)?;
        self.watching.open::<AlarmPayload>(caller, Opening { choice, ..opening(request.filter, options)? })
    }
}

/// A subscription of alarms; every transition unless something else is asked for (operations.md F18).
pub(super) fn opening(filter_text: String, options: v1::StreamOptions) -> Result<Opening, Failure> {
    let options = subscription_options(options, DeliveryMode::Transitions)?;
    let effective = effective_options(&options);
    let filter = object_filter(&filter_text, &[ObjectClass::Alarm])?;
    let classes = vec![ObjectClass::Alarm];
    Ok(Opening { classes, filter, filter_text, kinds: Vec::new(), options, effective, choice: None })
}

/// What the message says.
fn kind(delivery: &Delivery) -> Kind {
    let Body::Alarm(alarm) = &delivery.object.body else { return Kind::Changed };
    match delivery.kind {
        DeliveryKind::Snapshot => Kind::Snapshot,
        DeliveryKind::Removed => Kind::Removed,
        DeliveryKind::Created if alarm.is_active() => Kind::Raised,
        DeliveryKind::Created => Kind::Cleared,
        DeliveryKind::Changed if delivery.merged > 0 => Kind::Merged,
        DeliveryKind::Changed if delivery.attributes.is_empty() => last_kind(&delivery.object, alarm),
        DeliveryKind::Changed => changed_kind(alarm, &delivery.attributes),
    }
}

/// The kind of a transition, by what differs; the weightiest of several.
fn changed_kind(alarm: &Alarm, attributes: &[AttributeChange]) -> Kind {
    let differs = |path: &str| attributes.iter().any(|change| change.path == path);
    if differs("state") || differs("raise_count") {
        if alarm.is_active() { Kind::Raised } else { Kind::Cleared }
    } else if differs("acknowledgement") {
        Kind::Acknowledgement
    } else if differs("shelved") || differs("suppressed_by") {
        Kind::Shelving
    } else {
        Kind::Changed
    }
}

/// The kind of a state of which only the history tells how it came to be.
fn last_kind(object: &Object, alarm: &Alarm) -> Kind {
    use AlarmTransition as T;
    let last = alarm.history.last().filter(|entry| entry.time >= object.change_time);
    match last.map(|entry| entry.transition) {
        Some(T::Raised | T::ReRaised) if alarm.is_active() => Kind::Raised,
        Some(T::Cleared) if !alarm.is_active() => Kind::Cleared,
        Some(T::Acknowledged | T::Unacknowledged) => Kind::Acknowledgement,
        Some(T::Shelved | T::Unshelved | T::Suppressed | T::Unsuppressed) => Kind::Shelving,
        _ => Kind::Changed,
    }
}
