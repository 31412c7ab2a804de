//! Which attributes differ between two states of one object.

use crate::model::{AttributeChange, Object};
use serde_json::{Map, Value};

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
    compare("", &flat(old), &flat(new), &mut changes);
    changes
}

/// State, annotations and the attributes of the class in one map.
fn flat(object: &Object) -> Map<String, Value> {
    let mut flat = Map::new();
    flat.insert("state".to_owned(), to_value(&object.state));
    if let Value::Object(annotations) = to_value(&object.annotations) {
        flat.extend(annotations);
    }
    if let Value::Object(tagged) = to_value(&object.body) {
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
