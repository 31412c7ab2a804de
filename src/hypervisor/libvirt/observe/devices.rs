//! NICs and disks of the host. Runs on the storage lane only: reading a disk can block (F8).

use crate::hypervisor::libvirt::memory::{fault, now};
use crate::hypervisor::libvirt::xml::{self, NodeDevice};
use crate::hypervisor::port::HypervisorError;
use crate::model::observation::{CollectError, Fact, HostDeviceFacts, Observation};
use virt::connect::Connect;
use virt_sys as sys;

/// NICs and disks, as the driver lists them.
pub fn all(connect: &Connect) -> Result<Observation, HypervisorError> {
    let (mut nics, mut disks, mut errors) = (Vec::new(), Vec::new(), Vec::new());
    let wanted = sys::VIR_CONNECT_LIST_NODE_DEVICES_CAP_NET | sys::VIR_CONNECT_LIST_NODE_DEVICES_CAP_STORAGE;
    for handle in connect.list_all_node_devices(wanted).map_err(fault)? {
        let text = match handle.xml_desc(0).map_err(fault) {
            Ok(text) => text,
            Err(HypervisorError::NotFound(_)) => continue,
            Err(error) if error.is_link_loss() => return Err(error),
            Err(error) => {
                let what = format!("device {}", handle.name().unwrap_or_default());
                errors.push(CollectError { what, reason: error.to_string() });
                continue;
            }
        };
        match xml::node_device(&text) {
            Ok(NodeDevice::Nic(nic)) => nics.push(nic),
            Ok(NodeDevice::Disk(disk)) => disks.push(disk),
            Ok(NodeDevice::Other) => {}
            Err(error) => errors.push(CollectError { what: "device".into(), reason: error.to_string() }),
        }
    }
    nics.sort_by(|one, other| one.name.cmp(&other.name));
    disks.sort_by(|one, other| one.name.cmp(&other.name));
    let facts = HostDeviceFacts {
        nics: Some(nics),
        disks: Some(disks),
        not_available: not_available(),
        ..HostDeviceFacts::default()
    };
    Ok(Observation { time: now(), facts: vec![Fact::HostDevices(Box::new(facts))], errors, samples: None })
}

fn not_available() -> std::collections::BTreeMap<String, String> {
    let reason = "libvirt does not tell; seen on the VRM's own host and through a host's agent";
    ["filesystems", "os_name", "kernel_version"].map(|part| (part.to_owned(), reason.to_owned())).into()
}
