//! Devices of a host: libvirt's `<device>`.

use super::error::XmlError;
use super::reader::{Element, with_root};
use crate::model::host::{HostDisk, HostNic};

/// A host device, as far as the model knows its kind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NodeDevice {
    /// A network interface.
    Nic(HostNic),
    /// A disk.
    Disk(HostDisk),
    /// Anything else: loopback, the host's ends of guests' NICs, PCI and USB devices, optical drives.
    Other,
}

/// Link speeds from here on are the kernel's way to say that it does not know.
const UNKNOWN_SPEED: u64 = u32::MAX as u64;

/// Reads a node device XML (libvirt: virNodeDeviceGetXMLDesc).
///
/// MTU, master and addresses of a NIC and the world-wide name of a disk are not in it.
///
/// # Errors
/// [`XmlError`] for unreadable documents.
pub fn node_device(text: &str) -> Result<NodeDevice, XmlError> {
    with_root(text, "device", |root| {
        let driver = root.text_of("driver/name");
        for capability in root.children("capability") {
            match capability.peek("type") {
                Some("net") => return Ok(nic(capability, driver)),
                Some("storage") => return Ok(disk(capability)),
                _ => {}
            }
        }
        Ok(NodeDevice::Other)
    })
}

fn nic(capability: Element<'_, '_>, driver: String) -> NodeDevice {
    let name = capability.text_of("interface");
    if name.is_empty() || is_guest_side(&name) {
        return NodeDevice::Other;
    }
    let link = capability.child("link");
    let speed = link.and_then(|link| link.number::<u64>("speed")).filter(|&speed| speed < UNKNOWN_SPEED);
    NodeDevice::Nic(HostNic {
        mac: capability.text_of("address").to_ascii_lowercase(),
        link_state: link.map(|link| link_state(&link.word("state")).to_owned()).unwrap_or_default(),
        speed_bits_per_second: speed.unwrap_or_default().saturating_mul(1_000_000),
        driver,
        name,
        ..HostNic::default()
    })
}

/// Interfaces that exist for a guest or for the machine itself come and go and are not the host's equipment.
fn is_guest_side(name: &str) -> bool {
    name == "lo" || ["vnet", "tap", "macvtap", "veth", "vif"].iter().any(|prefix| name.starts_with(prefix))
}

/// libvirt passes on the kernel's word: only `up` carries traffic.
fn link_state(word: &str) -> &'static str {
    match word {
        "up" => "up",
        "" | "unknown" => "",
        _ => "down",
    }
}

fn disk(capability: Element<'_, '_>) -> NodeDevice {
    let drive_type = capability.text_of("drive_type");
    if !matches!(drive_type.as_str(), "disk" | "") {
        return NodeDevice::Other;
    }
    let block = capability.text_of("block");
    NodeDevice::Disk(HostDisk {
        name: block.strip_prefix("/dev/").unwrap_or(&block).to_owned(),
        model: [capability.text_of("vendor"), capability.text_of("model")].join(" ").trim().to_owned(),
        serial: capability.text_of("serial"),
        wwn: String::new(),
        size_bytes: size(capability),
        rotational: None,
    })
}

fn size(capability: Element<'_, '_>) -> u64 {
    let fixed = capability.child("size").and_then(|size| size.bytes("bytes"));
    let medium = || capability.children("capability").find_map(|part| part.child("media_size")?.bytes("bytes"));
    fixed.or_else(medium).unwrap_or_default()
}
