//! Which notifications a subscriber chose (REQ-NTF-FUN-01): from the types of a request to a condition
//! on transitions. What is read of a change is its kind and the paths that differ.

use crate::changes::{Choice, DeliveryKind, DeliveryMode};
use crate::model::{AttributeChange, Body, Object};
use crate::northbound::failure::Failure;
use crate::northbound::limits;
use crate::wire::v1;
use std::collections::BTreeSet;
use std::sync::Arc;
use v1::AlarmNotificationType as OfAlarms;
use v1::ResourceNotificationType as OfResources;

/// Attributes that name other objects: their change is a relationship change (X.721).
const RELATIONS: [&str; 15] = [
    "host",
    "hosts",
    "defined_on",
    "instances",
    "backing_source",
    "backing_sources",
    "backing_path",
    "pool",
    "pools",
    "volumes",
    "virtual_machines",
    "uplinks",
    "parent",
    "definition.disks",
    "definition.nics",
];

/// The mode of a stream that chooses: one by one, unless the request says otherwise.
///
/// # Errors
/// `INVALID_FIELD` for STATE, which merges what happened and so knows no single notification.
pub fn mode_of_choice(
    chosen: &[i32],
    options: &v1::StreamOptions,
    default: DeliveryMode,
) -> Result<DeliveryMode, Failure> {
    if chosen.is_empty() {
        return Ok(default);
    }
    if options.delivery_mode == i32::from(v1::DeliveryMode::State) {
        return Err(Failure::field(
            "notification_types",
            "need delivery mode TRANSITIONS: STATE tells the latest state of what changed, however it came to be",
        ));
    }
    Ok(DeliveryMode::Transitions)
}

/// The choice of a resource stream; nothing if everything is wanted.
///
/// # Errors
/// `INVALID_FIELD` for a number that is no type.
pub fn resource_choice(chosen: &[i32]) -> Result<Option<Choice>, Failure> {
    let chosen = understood(chosen, |number| OfResources::try_from(number).ok())?;
    Ok((!chosen.is_empty()).then(|| {
        let choice: Choice = Arc::new(move |kind, attributes, _: &Object| {
            resource_types(kind, attributes).iter().any(|told| chosen.contains(told))
        });
        choice
    }))
}

/// The choice of an alarm stream; nothing if everything is wanted.
///
/// # Errors
/// `INVALID_FIELD` for a number that is no type.
pub fn alarm_choice(chosen: &[i32]) -> Result<Option<Choice>, Failure> {
    let chosen = understood(chosen, |number| OfAlarms::try_from(number).ok())?;
    Ok((!chosen.is_empty()).then(|| {
        let choice: Choice = Arc::new(move |kind, attributes, object: &Object| {
            alarm_types(kind, attributes, object).iter().any(|told| chosen.contains(told))
        });
        choice
    }))
}

fn understood<T: Copy + Ord + Default>(
    chosen: &[i32],
    read: impl Fn(i32) -> Option<T>,
) -> Result<BTreeSet<T>, Failure> {
    if chosen.len() > limits::REQUEST_ITEMS {
        return Err(Failure::field("notification_types", format!("at most {}", limits::REQUEST_ITEMS)));
    }
    let one = |number: &i32| {
        read(*number)
            .filter(|known| *known != T::default())
            .ok_or_else(|| Failure::field("notification_types", format!("{number} is no notification type")))
    };
    chosen.iter().map(one).collect()
}

/// What a transition of a managed object is; a change of several kinds of attributes is several.
pub(super) fn resource_types(kind: DeliveryKind, attributes: &[AttributeChange]) -> Vec<OfResources> {
    match kind {
        DeliveryKind::Created => return vec![OfResources::ObjectCreation],
        DeliveryKind::Removed => return vec![OfResources::ObjectDeletion],
        DeliveryKind::Snapshot | DeliveryKind::Changed => {}
    }
    let mut types: Vec<OfResources> = attributes.iter().map(|change| resource_type(&change.path)).collect();
    types.sort_unstable();
    types.dedup();
    if types.is_empty() {
        // A change that does not say of what.
        types.push(OfResources::AttributeValueChange);
    }
    types
}

fn resource_type(path: &str) -> OfResources {
    let is_state = path.starts_with("state.")
        || matches!(
            path,
            "run_state" | "run_state_reason" | "control_state" | "connection_state" | "pool_state" | "active"
        );
    if is_state {
        OfResources::StateChange
    } else if RELATIONS.contains(&path) {
        OfResources::RelationshipChange
    } else {
        OfResources::AttributeValueChange
    }
}

/// What a transition of an alarm is.
pub(super) fn alarm_types(kind: DeliveryKind, attributes: &[AttributeChange], object: &Object) -> Vec<OfAlarms> {
    let active = matches!(&object.body, Body::Alarm(alarm) if alarm.is_active());
    let began = if active { OfAlarms::NewAlarm } else { OfAlarms::ClearedAlarm };
    match kind {
        DeliveryKind::Created => return vec![began],
        DeliveryKind::Removed => return vec![OfAlarms::AlarmRemoved],
        DeliveryKind::Snapshot | DeliveryKind::Changed => {}
    }
    let of = |path: &str| match path {
        "state" | "raise_count" => Some(began),
        "acknowledgement" => Some(OfAlarms::AckStateChanged),
        "comments" | "external_references" => Some(OfAlarms::Comments),
        "root" | "root_cause" | "correlated" | "correlated_count" => Some(OfAlarms::CorrelationChanged),
        "shelved" | "suppressed_by" | "planned_outage" => Some(OfAlarms::ShelvingChanged),
        // They accompany every change.
        "history" | "status_change_time" | "clear_time" | "clearing" | "raise_time" => None,
        _ => Some(OfAlarms::ChangedAlarm),
    };
    let mut types: Vec<OfAlarms> = attributes.iter().filter_map(|change| of(&change.path)).collect();
    types.sort_unstable();
    types.dedup();
    if types.is_empty() {
        types.push(OfAlarms::ChangedAlarm);
    }
    types
}
