//! Which attributes differ between two states of one object.

use crate::model::virtual_machine::VirtualMachine;
use crate::model::{AttributeChange, Body, Object, Volatile};
use serde_json::{Map, Value};
use std::sync::Arc;

/// Keys that never enter a difference: they move without being a change.
const IGNORED: [&str; 2] = ["volatile", "since"];

/// Attributes whose parts are told one by one instead of as a whole.
const OPENED: [&str; 3] = ["state", "annotations", "definition"];

/// Longest value told in a change, in bytes of JSON: 4 KiB. A longer one is told as its length,
/// the full one stands in the object itself.
const LONGEST_VALUE: usize = 4096;

/// The notifiable attributes that differ, by path in proto spelling, ordered.
pub(super) fn attribute_changes(old: &Object, new: &Object) -> Vec<AttributeChange> {
    let mut changes = Vec::new();
    let (old_flat, new_flat) = match (&old.body, &new.body) {
        (Body::VirtualMachine(old_vm), Body::VirtualMachine(new_vm)) => {
            // Most changes of machines leave the definition alone, which is most of a machine: with
            // what is ignored anyway it need not be made JSON of, twice for every change.
            let same = Arc::ptr_eq(&old_vm.definition, &new_vm.definition);
            (flat(old, &lean(old_vm, same)), flat(new, &lean(new_vm, same)))
        }
        _ => (flat(old, &old.body), flat(new, &new.body)),
    };
    compare("", &old_flat, &new_flat, &mut changes);
    changes
}

/// A machine without its moving values, and without its definition if that is the same on both sides.
fn lean(vm: &VirtualMachine, same_definition: bool) -> Body {
    let definition = if same_definition { Arc::default() } else { Arc::clone(&vm.definition) };
    Body::VirtualMachine(Box::new(VirtualMachine {
        uuid: vm.uuid,
        display_name: vm.display_name.clone(),
        host: vm.host.clone(),
        defined_on: vm.defined_on.clone(),
        instances: vm.instances.clone(),
        run_state: vm.run_state,
        run_state_reason: vm.run_state_reason,
        control_state: vm.control_state,
        technology: vm.technology.clone(),
        persistent: vm.persistent,
        autostart: vm.autostart,
        definition,
        definition_unread: vm.definition_unread.clone(),
        backing_sources: vm.backing_sources.clone(),
        snapshot_names: vm.snapshot_names.clone(),
        source_labels: vm.source_labels.clone(),
        volatile: Volatile::default(),
    }))
}

/// State, annotations and the attributes of the class in one map.
fn flat(object: &Object, body: &Body) -> Map<String, Value> {
    let mut flat = Map::new();
    flat.insert("state".to_owned(), to_value(&object.state));
    if let Value::Object(annotations) = to_value(&object.annotations) {
        flat.extend(annotations);
    }
    if let Value::Object(tagged) = to_value(body) {
        for body in tagged.into_values() {
            if let Value::Object(attributes) = body {
                flat.extend(attributes);
            }
        }
    }
    flat
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
