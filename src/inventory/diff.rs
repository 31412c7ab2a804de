//! Which attributes differ between two states of one object.

use crate::model::state::AvailabilityStatus;
use crate::model::virtual_machine::VirtualMachine;
use crate::model::{Alarm, AttributeChange, Body, Object, ResourceState};
use serde_json::{Map, Value};
use std::collections::BTreeSet;

/// Keys that never enter a difference: they move without being a change.
const IGNORED: [&str; 2] = ["volatile", "since"];

/// Attributes whose parts are told one by one instead of as a whole.
const OPENED: [&str; 3] = ["state", "annotations", "definition"];

/// Longest value told in a change, in bytes of JSON: 4 KiB. A longer one is told as its length,
/// the full one stands in the object itself.
const LONGEST_VALUE: usize = 4096;

/// The notifiable attributes that differ, by path in proto spelling, ordered. What is equal is not made JSON of: this is
/// done for every change, and most changes touch one attribute of many.
pub(super) fn attribute_changes(old: &Object, new: &Object) -> Vec<AttributeChange> {
    let (mut before, mut after) = (Map::new(), Map::new());
    let mut changes = Vec::new();
    if old.state != new.state {
        state_attributes(&old.state, &new.state, &mut changes);
    }
    if old.annotations != new.annotations {
        extend(&mut before, to_value(&old.annotations));
        extend(&mut after, to_value(&new.annotations));
    }
    match (&old.body, &new.body) {
        (Body::VirtualMachine(old_vm), Body::VirtualMachine(new_vm)) => {
            machine_attributes(old_vm, new_vm, &mut changes, &mut before, &mut after);
        }
        (Body::Alarm(old_alarm), Body::Alarm(new_alarm)) => alarm_attributes(old_alarm, new_alarm, &mut changes),
        (old_body, new_body) if old_body != new_body => {
            class_attributes(old_body, &mut before);
            class_attributes(new_body, &mut after);
        }
        _ => {}
    }
    compare("", &before, &after, &mut changes);
    changes.sort_by(|one, other| one.path.cmp(&other.path));
    changes
}

/// A value that differs, without its way through a map.
fn differing<T: serde::Serialize + PartialEq>(path: &str, old: &T, new: &T, changes: &mut Vec<AttributeChange>) {
    if old != new {
        let (old, new) = (bounded(to_value(old)), bounded(to_value(new)));
        changes.push(AttributeChange { path: path.to_owned(), old, new });
    }
}

/// What differs between two states; as its serialization has it, what says nothing is absent.
fn state_attributes(old: &ResourceState, new: &ResourceState, changes: &mut Vec<AttributeChange>) {
    let ResourceState { operational, administrative, usage, availability, procedural, unknown, reason, since: _ } = old;
    let told = |set: &BTreeSet<AvailabilityStatus>| (!set.is_empty()).then(|| set.clone());
    differing("state.administrative", administrative, &new.administrative, changes);
    differing("state.availability", &told(availability), &told(&new.availability), changes);
    differing("state.operational", operational, &new.operational, changes);
    differing("state.procedural", procedural, &new.procedural, changes);
    differing("state.reason", reason, &new.reason, changes);
    differing("state.unknown", unknown, &new.unknown, changes);
    differing("state.usage", usage, &new.usage, changes);
}

/// Tells those attributes of a machine that differ. Every field is named, so that none is forgotten.
macro_rules! differing_fields {
    ($old:ident, $new:ident, $changes:ident, $($field:ident),*) => {
        let VirtualMachine { volatile: _, definition: _, definition_unread: _, $($field: _),* } = $old;
        $(differing(stringify!($field), &$old.$field, &$new.$field, $changes);)*
    };
}

fn machine_attributes(
    old: &VirtualMachine,
    new: &VirtualMachine,
    changes: &mut Vec<AttributeChange>,
    before: &mut Map<String, Value>,
    after: &mut Map<String, Value>,
) {
    differing_fields!(
        old,
        new,
        changes,
        uuid,
        display_name,
        host,
        defined_on,
        instances,
        run_state,
        run_state_reason,
        control_state,
        technology,
        persistent,
        autostart,
        backing_sources,
        snapshot_names,
        source_labels
    );
    // As its serialization has it: absent if it says nothing.
    let told = |text: &String| (!text.is_empty()).then(|| text.clone());
    differing("definition_unread", &told(&old.definition_unread), &told(&new.definition_unread), changes);
    if old.definition != new.definition {
        before.insert("definition".to_owned(), to_value(&old.definition));
        after.insert("definition".to_owned(), to_value(&new.definition));
    }
}

/// Tells those attributes of an alarm that differ.
fn alarm_attributes(old: &Alarm, new: &Alarm, changes: &mut Vec<AttributeChange>) {
    macro_rules! fields {
        ($($field:ident),*) => {
            let Alarm { repeat_count: _, last_repeat_time: _, $($field: _),* } = old;
            $(differing(stringify!($field), &old.$field, &new.$field, changes);)*
        };
    }
    fields!(
        alarm_type,
        event_type,
        probable_cause,
        state,
        perceived_severity,
        highest_severity,
        object,
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
        clearing,
        acknowledgement,
        comments,
        external_references,
        root,
        root_cause,
        correlated,
        correlated_count,
        impacted,
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
        reliability,
        security,
        history
    );
    if old != new {
        // They move without being a change, but are told together with one.
        differing("repeat_count", &old.repeat_count.0, &new.repeat_count.0, changes);
        differing("last_repeat_time", &old.last_repeat_time.0, &new.last_repeat_time.0, changes);
    }
}

/// The attributes of the class in a map.
fn class_attributes(body: &Body, flat: &mut Map<String, Value>) {
    if let Value::Object(tagged) = to_value(body) {
        tagged.into_values().for_each(|attributes| extend(flat, attributes));
    }
}

fn extend(map: &mut Map<String, Value>, value: Value) {
    if let Value::Object(attributes) = value {
        map.extend(attributes);
    }
}

fn to_value<T: serde::Serialize>(value: &T) -> Value {
    // Model types hold strings, numbers and maps with string keys only: this cannot fail.
    serde_json::to_value(value).unwrap_or(Value::Null)
}

fn compare(prefix: &str, old: &Map<String, Value>, new: &Map<String, Value>, changes: &mut Vec<AttributeChange>) {
    let mut keys: Vec<&String> = old.keys().chain(new.keys()).filter(|key| !IGNORED.contains(&key.as_str())).collect();
    keys.sort();
    keys.dedup();
    for key in keys {
        let before = old.get(key).unwrap_or(&Value::Null);
        let after = new.get(key).unwrap_or(&Value::Null);
        if before == after {
            continue;
        }
        let path = format!("{prefix}{key}");
        match (before, after) {
            (Value::Object(before), Value::Object(after)) if OPENED.contains(&key.as_str()) => {
                compare(&format!("{path}."), before, after, changes);
            }
            _ => changes.push(AttributeChange { path, old: bounded(before.clone()), new: bounded(after.clone()) }),
        }
    }
}

fn bounded(value: Value) -> Value {
    let length = match &value {
        Value::Null | Value::Bool(_) | Value::Number(_) => 0,
        Value::String(_) | Value::Array(_) | Value::Object(_) => json_length(&value),
    };
    if length <= LONGEST_VALUE { value } else { Value::String(format!("({length} bytes)")) }
}

/// Length of a value's JSON, without making it.
fn json_length(value: &Value) -> usize {
    struct Counter(usize);
    impl std::io::Write for Counter {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0 += bytes.len();
            Ok(bytes.len())
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
    let mut counter = Counter(0);
    // Neither a counter nor a value that was made from a record can fail.
    let _ = serde_json::to_writer(&mut counter, value);
    counter.0
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::virtual_machine::{ControlState, RunState, RunStateReason, VmDefinition, VmInstance};
    use crate::model::{Annotations, HostId, Name, ResourceState, Timestamp};
    use std::sync::Arc;
    use uuid::Uuid;

    fn object(vm: VirtualMachine) -> Object {
        Object {
            name: Name::virtual_machine(vm.uuid),
            uid: Uuid::nil(),
            revision: 1,
            created_sequence: 1,
            last_change_sequence: 1,
            create_time: Timestamp(0),
            change_time: Timestamp(0),
            state: ResourceState::default(),
            annotations: Annotations::default(),
            body: Body::VirtualMachine(Box::new(vm)),
        }
    }

    /// A machine's attributes are compared one by one: the same must come out as from its whole JSON.
    #[test]
    fn every_attribute_of_a_machine_is_compared() {
        let host = HostId::parse("h").unwrap();
        let instance = VmInstance {
            host: host.clone(),
            technology: "t".into(),
            display_name: "n".into(),
            run_state: RunState::Running,
            disks_digest: String::new(),
        };
        let old = VirtualMachine::default();
        let new = VirtualMachine {
            uuid: Uuid::from_u128(7),
            display_name: "n".into(),
            host: Some(host.clone()),
            defined_on: vec![host],
            instances: vec![instance],
            run_state: RunState::Running,
            run_state_reason: RunStateReason::Booted,
            control_state: ControlState::Failed,
            technology: "t".into(),
            persistent: true,
            autostart: true,
            definition: Arc::new(VmDefinition { title: "x".into(), ..VmDefinition::default() }),
            definition_unread: "y".into(),
            backing_sources: vec!["b".into()],
            snapshot_names: vec!["s".into()],
            source_labels: [("k".to_owned(), "v".to_owned())].into(),
            ..VirtualMachine::default()
        };
        let (old, new) = (object(old), object(new));
        let (mut before, mut after) = (Map::new(), Map::new());
        class_attributes(&old.body, &mut before);
        class_attributes(&new.body, &mut after);
        let mut expected = Vec::new();
        compare("", &before, &after, &mut expected);
        assert_eq!(attribute_changes(&old, &new), expected);
        assert_eq!(expected.len(), after.len() - 1, "all but the moving values: {expected:?}");
        assert_eq!(attribute_changes(&new, &new), []);
    }

    /// The same for alarms.
    #[test]
    fn every_attribute_of_an_alarm_is_compared() {
        use crate::model::alarm::{AlarmState, Reliability, ThresholdCrossing, ThresholdDirection};
        let old = Alarm::default();
        let mut new = Alarm {
            alarm_type: "t".into(),
            state: AlarmState::Cleared,
            object: Name::vrm(),
            text: "x".into(),
            raise_count: 2,
            clear_time: Some(Timestamp(7)),
            root: true,
            correlated: vec![Name::cluster()],
            attributes: [("k".to_owned(), "v".to_owned())].into(),
            threshold: Some(ThresholdCrossing {
                metric: "m".into(),
                level: 1.0,
                clear_level: 0.5,
                direction: ThresholdDirection::Up,
                observed: 2.0,
            }),
            reliability: Reliability::SourceUnreachable { since: Timestamp(5) },
            ..Alarm::default()
        };
        new.repeat_count.0 = 3;
        new.last_repeat_time.0 = Some(Timestamp(9));
        let of =
            |alarm: &Alarm| Object { body: Body::Alarm(Box::new(alarm.clone())), ..object(VirtualMachine::default()) };
        for (old, new) in [(&old, &new), (&new, &old), (&new, &new)] {
            let (mut before, mut after) = (Map::new(), Map::new());
            class_attributes(&of(old).body, &mut before);
            class_attributes(&of(new).body, &mut after);
            let mut expected = Vec::new();
            compare("", &before, &after, &mut expected);
            expected.sort_by(|one, other| one.path.cmp(&other.path));
            assert_eq!(attribute_changes(&of(old), &of(new)), expected);
        }
        let moved = Alarm { repeat_count: crate::model::Volatile(8), ..new.clone() };
        assert_eq!(attribute_changes(&of(&new), &of(&moved)), [], "no change by itself");
    }

    /// The same for states.
    #[test]
    fn every_part_of_a_state_is_compared() {
        let working = ResourceState::enabled(crate::model::state::UsageState::Active);
        let broken = ResourceState {
            administrative: Some(crate::model::state::AdministrativeState::Locked),
            procedural: Some(crate::model::state::ProceduralStatus::Initializing),
            unknown: true,
            reason: crate::model::state::StateReason::code("crashed"),
            ..ResourceState::disabled([AvailabilityStatus::Failed])
        };
        for (old, new) in [(&working, &broken), (&broken, &working), (&working, &working)] {
            let whole = |state: &ResourceState| Map::from_iter([("state".to_owned(), to_value(state))]);
            let mut expected = Vec::new();
            compare("", &whole(old), &whole(new), &mut expected);
            let of = |state: &ResourceState| Object { state: state.clone(), ..object(VirtualMachine::default()) };
            assert_eq!(attribute_changes(&of(old), &of(new)), expected);
            assert_eq!(expected.len(), if old == new { 0 } else { 7 }, "{expected:?}");
        }
    }
}
