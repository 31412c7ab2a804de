//! The northbound contract in Rust: generated types of `proto/`, and their descriptors.
//!
//! Words of the interface are translated to words of the model here and nowhere else. Nothing
//! here decides anything.

pub mod convert;
pub mod json;

/// Types generated from `proto/vrm/v1` (`vrm.v1`) and the gRPC health protocol.
#[allow(
    missing_docs,
    missing_debug_implementations,
    unused_qualifications,
    clippy::all,
    clippy::pedantic,
    clippy::allow_attributes_without_reason,
    clippy::disallowed_methods,
    reason = "generated"
)]
pub mod pb {
    include!(concat!(env!("OUT_DIR"), "/generated.rs"));
}

pub use pb::grpc::health::v1 as health_v1;
pub use pb::vrm::v1;

/// Encoded `FileDescriptorSet` of the interface with its custom options and comments.
pub const DESCRIPTORS: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/descriptors.bin"));
