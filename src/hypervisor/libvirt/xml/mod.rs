//! libvirt's XML documents, read into the model's types.
//!
//! Pure: text in, values out, no I/O, no panic. Every document that libvirt itself accepts is read:
//! unknown words are kept as they are, and what the model does not name goes to the extensions of
//! the object (domain, network, pool) by path. Documents come from hosts that may be hostile, so
//! size, depth and number of nodes are bounded before anything is built (`guard`), document types
//! are refused, and secrets are never kept (`secrets`).

mod capabilities;
mod disk;
mod domain;
mod error;
mod extensions;
mod guard;
mod hostdev;
mod network;
mod nic;
mod node_device;
mod pool;
mod quantity;
mod reader;
mod secrets;
mod snapshot;
mod source;
mod sysinfo;
mod volume;

#[cfg(test)]
mod tests;

pub use capabilities::{ParsedCapabilities, capabilities};
pub use domain::{LABELS_NAMESPACE, ParsedDomain, domain};
pub use error::XmlError;
pub use network::network;
pub use node_device::{NodeDevice, node_device};
pub use pool::pool;
pub use snapshot::snapshot;
pub use sysinfo::sysinfo;
pub use volume::volume;
