//! Stand-in until the XML readers arrive; reads names and UUIDs only.

use crate::model::host::{HostCpu, HostDisk, HostHardware, HostNic, NumaNode};
use crate::model::network::Network;
use crate::model::storage::{StoragePool, Volume};
use crate::model::virtual_machine::{Snapshot, VmDefinition};
use std::collections::BTreeMap;
use uuid::Uuid;

/// Why a document cannot be read.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{0}")]
pub struct XmlError(String);

/// A domain as its XML says.
#[derive(Clone, Debug, Default)]
pub struct ParsedDomain {
    /// UUID.
    pub uuid: Uuid,
    /// Name.
    pub name: String,
    /// Definition.
    pub definition: VmDefinition,
    /// Labels.
    pub labels: BTreeMap<String, String>,
}

/// Capabilities of a host.
#[derive(Clone, Debug, Default)]
pub struct ParsedCapabilities {
    /// Host UUID.
    pub host_uuid: String,
    /// Processor.
    pub cpu: HostCpu,
    /// NUMA cells.
    pub numa_nodes: Vec<NumaNode>,
    /// Guest architectures.
    pub guest_archs: Vec<String>,
    /// Machine types.
    pub machine_types: Vec<String>,
}

/// A device of a host.
#[derive(Clone, Debug)]
pub enum NodeDevice {
    /// A network interface.
    Nic(HostNic),
    /// A disk.
    Disk(HostDisk),
    /// Anything else.
    Other,
}

fn child(text: &str, name: &str) -> Result<String, XmlError> {
    let document = roxmltree::Document::parse(text).map_err(|error| XmlError(error.to_string()))?;
    let found = document.root_element().children().find(|node| node.has_tag_name(name));
    Ok(found.and_then(|node| node.text()).unwrap_or_default().to_owned())
}

/// Reads a domain.
pub fn domain(text: &str) -> Result<ParsedDomain, XmlError> {
    let uuid = child(text, "uuid")?.parse().unwrap_or_default();
    Ok(ParsedDomain { uuid, name: child(text, "name")?, ..ParsedDomain::default() })
}

/// Reads a network.
pub fn network(text: &str) -> Result<Network, XmlError> {
    Ok(Network { display_name: child(text, "name")?, ..Network::default() })
}

/// Reads a pool.
pub fn pool(text: &str) -> Result<StoragePool, XmlError> {
    Ok(StoragePool { display_name: child(text, "name")?, ..StoragePool::default() })
}

/// Reads a volume.
pub fn volume(text: &str) -> Result<Volume, XmlError> {
    Ok(Volume { display_name: child(text, "name")?, key: child(text, "key")?, ..Volume::default() })
}

/// Reads capabilities.
pub fn capabilities(text: &str) -> Result<ParsedCapabilities, XmlError> {
    child(text, "host").map(|_| ParsedCapabilities::default())
}

/// Reads SMBIOS.
pub fn sysinfo(text: &str) -> Result<HostHardware, XmlError> {
    child(text, "bios").map(|_| HostHardware::default())
}

/// Reads a device.
pub fn node_device(text: &str) -> Result<NodeDevice, XmlError> {
    child(text, "name").map(|_| NodeDevice::Other)
}

/// Reads a snapshot.
pub fn snapshot(text: &str) -> Result<Snapshot, XmlError> {
    Ok(Snapshot { display_name: child(text, "name")?, ..Snapshot::default() })
}
