//! Which attributes differ between two states of one object.

use crate::model::virtual_machine::VirtualMachine;
use crate::model::{AttributeChange, Body, Object};
use serde_json::{Map, Value};

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
    if old.state != new.state {
        before.insert("state".to_owned(), to_value(&old.state));
        after.insert("state".to_owned(), to_value(&new.state));
    }
    if old.annotations != new.annotations {
        extend(&mut before, to_value(&old.annotations));
        extend(&mut after, to_value(&new.annotations));
    }
    match (&old.body, &new.body) {
        (Body::VirtualMachine(old_vm), Body::VirtualMachine(new_vm)) => {
            machine_attributes(old_vm, new_vm, &mut before, &mut after);
        }
        (old_body, new_body) if old_body != new_body => {
            class_attributes(old_body, &mut before);
            class_attributes(new_body, &mut after);
        }
        _ => {}
    }
    let mut changes = Vec::new();
    compare("", &before, &after, &mut changes);
    changes
}

/// Puts those attributes of a machine that differ into two maps. Every field is named, so that none is forgotten.
macro_rules! differing_fields {
    ($old:ident, $new:ident, $before:ident, $after:ident, $($field:ident),*) => {
        let VirtualMachine { volatile: _, $($field: _),* } = $old;
        $(if $old.$field != $new.$field {
            $before.insert(stringify!($field).to_owned(), to_value(&$old.$field));
            $after.insert(stringify!($field).to_owned(), to_value(&$new.$field));
        })*
    };
}

fn machine_attributes(
    old: &VirtualMachine,
    new: &VirtualMachine,
    before: &mut Map<String, Value>,
    after: &mut Map<String, Value>,
) {
    differing_fields!(
        old,
        new,
        before,
        after,
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
        definition,
        definition_unread,
        backing_sources,
        snapshot_names,
        source_labels
    );
    // As its serialization has it.
    for side in [before, after] {
        if side.get("definition_unread").is_some_and(|text| text == "") {
            side.remove("definition_unread");
        }
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
            _ => changes.push(AttributeChange { path, old: bounded(before), new: bounded(after) }),
        }
    }
}

fn bounded(value: &Value) -> Value {
    let length = value.to_string().len();
    if length <= LONGEST_VALUE { value.clone() } else { Value::String(format!("({length} bytes)")) }
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
}
