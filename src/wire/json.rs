//! The proto3 JSON form of messages, by their descriptors.

use super::DESCRIPTORS;
use prost::Message;
use prost_reflect::{DescriptorPool, DeserializeOptions, DynamicMessage, MessageDescriptor, SerializeOptions};
use std::sync::LazyLock;

/// Why a message has no JSON form, or a JSON text no message.
#[derive(Debug, thiserror::Error)]
pub enum JsonError {
    /// The type is not part of the interface.
    #[error("{0} is no message of this interface")]
    UnknownType(String),
    /// The text is not the JSON of such a message.
    #[error("not a {message}: {reason}")]
    Malformed {
        /// Type of the message.
        message: String,
        /// What is wrong.
        reason: String,
    },
}

static POOL: LazyLock<DescriptorPool> = LazyLock::new(|| {
    DescriptorPool::decode(DESCRIPTORS).expect("the build wrote this descriptor set, and a test decodes it")
});

/// Descriptors of every message and service of the interface, with custom options.
pub fn pool() -> &'static DescriptorPool {
    &POOL
}

/// Descriptor of a message type by its full name, e.g. `vrm.v1.Host`.
///
/// # Errors
/// [`JsonError::UnknownType`].
pub fn message_descriptor(full_name: &str) -> Result<MessageDescriptor, JsonError> {
    pool().get_message_by_name(full_name).ok_or_else(|| JsonError::UnknownType(full_name.to_owned()))
}

/// A message as a dynamic one of the named type.
///
/// # Errors
/// [`JsonError::UnknownType`], or [`JsonError::Malformed`] if the message is of another type.
pub fn to_dynamic<M: Message>(message: &M, full_name: &str) -> Result<DynamicMessage, JsonError> {
    DynamicMessage::decode(message_descriptor(full_name)?, message.encode_to_vec().as_slice())
        .map_err(|error| JsonError::Malformed { message: full_name.to_owned(), reason: error.to_string() })
}

/// The JSON value of a message of the named type (proto3 JSON mapping, lowerCamelCase names).
///
/// With `defaults`, fields without presence that have their default value are shown too.
///
/// # Errors
/// As [`to_dynamic`].
pub fn to_json<M: Message>(message: &M, full_name: &str, defaults: bool) -> Result<serde_json::Value, JsonError> {
    let options = SerializeOptions::new().skip_default_fields(!defaults);
    to_dynamic(message, full_name)?
        .serialize_with_options(serde_json::value::Serializer, &options)
        .map_err(|error| JsonError::Malformed { message: full_name.to_owned(), reason: error.to_string() })
}

/// The message of the named type that a JSON text stands for. Unknown fields are refused.
///
/// # Errors
/// [`JsonError::UnknownType`], [`JsonError::Malformed`].
pub fn from_json<M: Message + Default>(text: &str, full_name: &str) -> Result<M, JsonError> {
    let malformed = |reason: String| JsonError::Malformed { message: full_name.to_owned(), reason };
    let mut deserializer = serde_json::Deserializer::from_str(text);
    let options = DeserializeOptions::new().deny_unknown_fields(true);
    let dynamic = DynamicMessage::deserialize_with_options(message_descriptor(full_name)?, &mut deserializer, &options)
        .map_err(|error| malformed(error.to_string()))?;
    deserializer.end().map_err(|error| malformed(error.to_string()))?;
    M::decode(dynamic.encode_to_vec().as_slice()).map_err(|error| malformed(error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::v1;

    #[test]
    fn json_and_message_are_two_forms_of_one_thing() {
        let position = v1::StreamPosition { epoch: "e".into(), sequence: 1 << 60 };
        let json = to_json(&position, "vrm.v1.StreamPosition", false).unwrap();
        assert_eq!(json["sequence"], serde_json::json!("1152921504606846976"), "64-bit numbers are strings");
        let back: v1::StreamPosition = from_json(&json.to_string(), "vrm.v1.StreamPosition").unwrap();
        assert_eq!(back, position);
    }

    #[test]
    fn unknown_fields_and_types_are_refused() {
        assert!(from_json::<v1::StreamPosition>("{\"epoc\": 1}", "vrm.v1.StreamPosition").is_err());
        assert!(matches!(
            to_json(&v1::StreamPosition::default(), "vrm.v1.Nothing", false),
            Err(JsonError::UnknownType(_))
        ));
    }

    #[test]
    fn every_rpc_carries_a_policy() {
        let policy = pool().get_extension_by_name("vrm.v1.method_policy").unwrap();
        let mut rpcs = 0;
        for service in pool().services().filter(|service| service.full_name().starts_with("vrm.v1.")) {
            for method in service.methods() {
                assert!(method.options().has_extension(&policy), "{}", method.full_name());
                rpcs += 1;
            }
        }
        assert!(rpcs > 30, "{rpcs}");
    }
}
