//! Changes of attributes.

use super::common::same_variants;
use crate::model::{AttributeChange, ChangeSource};
use crate::wire::v1;
use prost_types::value::Kind;

/// Longest text value told in a change, in bytes; longer ones are left out, as the proto says.
const VALUE_BYTES: usize = 4_096;

/// An attribute's old and new value.
pub fn attribute_change(change: &AttributeChange) -> v1::AttributeChange {
    v1::AttributeChange { path: change.path.clone(), old_value: bounded(&change.old), new_value: bounded(&change.new) }
}

fn bounded(value: &serde_json::Value) -> Option<prost_types::Value> {
    let value = json_value(value);
    (prost::Message::encoded_len(&value) <= VALUE_BYTES).then_some(value)
}

/// A JSON value as protobuf carries it. Numbers become doubles.
pub fn json_value(value: &serde_json::Value) -> prost_types::Value {
    let kind = match value {
        serde_json::Value::Null => Kind::NullValue(0),
        serde_json::Value::Bool(value) => Kind::BoolValue(*value),
        serde_json::Value::Number(number) => Kind::NumberValue(number.as_f64().unwrap_or(f64::NAN)),
        serde_json::Value::String(text) => Kind::StringValue(text.clone()),
        serde_json::Value::Array(items) => {
            Kind::ListValue(prost_types::ListValue { values: items.iter().map(json_value).collect() })
        }
        serde_json::Value::Object(fields) => Kind::StructValue(prost_types::Struct {
            fields: fields.iter().map(|(key, value)| (key.clone(), json_value(value))).collect(),
        }),
    };
    prost_types::Value { kind: Some(kind) }
}

same_variants! {
    /// What caused a change.
    pub fn change_source(ChangeSource) -> v1::ChangeSource { ManagementOperation, ResourceOperation, Resync }
}
