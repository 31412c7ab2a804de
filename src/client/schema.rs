//! The interface as data: messages as proto3 JSON, and what the interface says about its words.

use super::object::{Object, ObjectExt, message_name};
use crate::wire::DESCRIPTORS;
use prost::Message;
use prost_reflect::prost_types::FileDescriptorProto;
use prost_reflect::{DescriptorPool, DynamicMessage, SerializeOptions};
use serde_json::Value;
use std::sync::LazyLock;

static POOL: LazyLock<DescriptorPool> =
    LazyLock::new(|| DescriptorPool::decode(DESCRIPTORS).expect("the build encoded these descriptors"));

/// Name of our package.
const PACKAGE: &str = "vrm.v1";

/// A message in the proto3 JSON mapping; `name` is its full protobuf name. Null if the name is unknown.
pub fn to_json(name: &str, message: &impl Message) -> Value {
    bytes_to_json(name, &message.encode_to_vec())
}

/// An object in the proto3 JSON mapping.
pub fn object_json(object: &Object) -> Value {
    bytes_to_json(message_name(object.class()), &object.to_bytes())
}

fn bytes_to_json(name: &str, bytes: &[u8]) -> Value {
    let Some(descriptor) = POOL.get_message_by_name(name) else { return Value::Null };
    let Ok(message) = DynamicMessage::decode(descriptor, bytes) else { return Value::Null };
    let options = SerializeOptions::new();
    message.serialize_with_options(serde_json::value::Serializer, &options).unwrap_or(Value::Null)
}

/// What the interface says about a word.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Explanation {
    /// The word as the interface spells it.
    pub word: String,
    /// Where it stands: an enum or a field of a message.
    pub place: String,
    /// What it means.
    pub text: String,
}

/// Explains an enum value (error reason, state, relation …, with or without its prefix), an enum, a message or
/// a field, in any case. Empty if the interface does not know it.
pub fn explain(word: &str) -> Vec<Explanation> {
    let wanted = normal(word);
    let mut found = Vec::new();
    for value in POOL.all_enums().filter(|e| e.package_name() == PACKAGE).flat_map(|e| e.values().collect::<Vec<_>>()) {
        let prefix = enum_prefix(value.parent_enum().name());
        let short = value.name().strip_prefix(&prefix).unwrap_or(value.name());
        if normal(value.name()) == wanted || normal(short) == wanted {
            let place = value.parent_enum().full_name().trim_start_matches("vrm.v1.").to_owned();
            let text = comment(value.parent_file().file_descriptor_proto(), value.path());
            found.push(Explanation { word: short.to_owned(), place, text });
        }
    }
    for part in POOL.all_enums().filter(|part| part.package_name() == PACKAGE && normal(part.name()) == wanted) {
        let values: Vec<String> = part.values().map(|value| value.name().to_owned()).collect();
        let text = comment(part.parent_file().file_descriptor_proto(), part.path());
        found.push(Explanation {
            word: part.name().to_owned(),
            place: "enum".to_owned(),
            text: format!("{text}\nValues: {}", values.join(", ")),
        });
    }
    found.extend(explain_messages(&wanted));
    found.dedup();
    found
}

fn explain_messages(wanted: &str) -> Vec<Explanation> {
    let mut found = Vec::new();
    for message in POOL.all_messages().filter(|message| message.package_name() == PACKAGE) {
        let file = message.parent_file();
        if normal(message.name()) == wanted {
            let text = comment(file.file_descriptor_proto(), message.path());
            found.push(Explanation { word: message.name().to_owned(), place: "message".to_owned(), text });
        }
        if message.name().ends_with("Request") || message.name().ends_with("Response") {
            continue;
        }
        for field in message.fields().filter(|field| normal(field.name()) == wanted) {
            let text = comment(file.file_descriptor_proto(), field.path());
            found.push(Explanation {
                word: field.name().to_owned(),
                place: format!("field of {}", message.name()),
                text,
            });
        }
    }
    found
}

/// Every word of an enum with its meaning, e.g. of `vrm.v1.ErrorReason`.
pub fn enum_words(full_name: &str) -> Vec<Explanation> {
    let Some(part) = POOL.get_enum_by_name(full_name) else { return Vec::new() };
    let prefix = enum_prefix(part.name());
    let values = part.values().filter(|value| value.number() != 0);
    values
        .map(|value| Explanation {
            word: value.name().strip_prefix(&prefix).unwrap_or(value.name()).to_owned(),
            place: part.name().to_owned(),
            text: comment(value.parent_file().file_descriptor_proto(), value.path()),
        })
        .collect()
}

/// A word without case and separators, so that `ioError`, `io_error` and `IO-ERROR` are one.
fn normal(word: &str) -> String {
    word.chars().filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_lowercase()).collect()
}

/// `RunState` → `RUN_STATE_`.
fn enum_prefix(name: &str) -> String {
    let mut prefix = String::new();
    for c in name.chars() {
        if c.is_ascii_uppercase() && !prefix.is_empty() {
            prefix.push('_');
        }
        prefix.push(c.to_ascii_uppercase());
    }
    prefix + "_"
}

/// The comment before a declaration, as one paragraph per blank line.
fn comment(file: &FileDescriptorProto, path: &[i32]) -> String {
    let locations = file.source_code_info.as_ref().map(|info| info.location.as_slice()).unwrap_or_default();
    let location = locations.iter().find(|location| location.path == path);
    let text = location.map(|location| location.leading_comments().to_owned()).unwrap_or_default();
    text.lines().map(str::trim).collect::<Vec<_>>().join(" ").trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::v1;

    #[test]
    fn error_reasons_are_explained_however_they_are_spelled() {
        for word in ["ETAG_MISMATCH", "etag-mismatch", "ERROR_REASON_ETAG_MISMATCH", "etagMismatch"] {
            let found = explain(word);
            assert_eq!(found.len(), 1, "{word}");
            assert_eq!((found[0].word.as_str(), found[0].place.as_str()), ("ETAG_MISMATCH", "ErrorReason"));
            assert!(found[0].text.starts_with("ABORTED: the object changed meanwhile"), "{}", found[0].text);
        }
        assert!(explain("no such word").is_empty());
    }

    #[test]
    fn every_error_reason_has_a_meaning() {
        let words = enum_words("vrm.v1.ErrorReason");
        assert!(words.len() > 50);
        assert!(words.iter().all(|word| !word.text.is_empty()));
    }

    #[test]
    fn numbers_of_64_bits_are_strings_and_enums_are_names() {
        let vm = v1::VirtualMachine {
            name: "virtualMachines/x".to_owned(),
            revision: 7,
            run_state: v1::RunState::Running.into(),
            ..v1::VirtualMachine::default()
        };
        let json = object_json(&Object::VirtualMachine(vm));
        assert_eq!(
            json,
            serde_json::json!({"name": "virtualMachines/x", "revision": "7", "runState": "RUN_STATE_RUNNING"})
        );
    }
}
