//! Machines: libvirt's `<domain>`.
//!
//! Labels of the operator's own tools come from the metadata:
//!
//! ```xml
//! <metadata>
//!   <vrm:labels xmlns:vrm="urn:vrm:labels:1">
//!     <vrm:label key="tier">gold</vrm:label>
//!   </vrm:labels>
//! </metadata>
//! ```

use super::error::XmlError;
use super::extensions;
use super::reader::{Element, with_root};
use super::{disk, hostdev, nic};
use crate::model::annotation::limits;
use crate::model::virtual_machine::{GuestAgent, VmDefinition};
use std::collections::BTreeMap;
use uuid::Uuid;

/// XML namespace of labels in a domain's `<metadata>`.
pub const LABELS_NAMESPACE: &str = "urn:vrm:labels:1";

/// Name of the channel that QEMU's guest agent listens on.
const AGENT_CHANNEL: &str = "org.qemu.guest_agent.0";

/// A machine as its domain XML says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ParsedDomain {
    /// Identity.
    pub uuid: Uuid,
    /// libvirt's name.
    pub name: String,
    /// What it consists of.
    pub definition: VmDefinition,
    /// Labels from its metadata, at most [`limits::LABELS`]; others stay in the extensions.
    pub labels: BTreeMap<String, String>,
    /// Targets of its disks by the alias libvirt gives them while the machine runs.
    pub disk_aliases: BTreeMap<String, String>,
}

/// Reads a domain XML (libvirt: virDomainGetXMLDesc), active or inactive, of any driver.
///
/// # Errors
/// [`XmlError`]: beyond unreadable documents only a missing name or UUID.
pub fn domain(text: &str) -> Result<ParsedDomain, XmlError> {
    with_root(text, "domain", |root| {
        let uuid = uuid_of(root).ok_or(XmlError::Missing("uuid"))?;
        let name = root.text_of("name");
        if name.is_empty() {
            return Err(XmlError::Missing("name"));
        }
        // The id of the running instance is told by the hypervisor itself; here it would make every start a change.
        root.claim_attribute("id");
        let labels = labels(root);
        let mut definition = definition(root);
        definition.extensions = extensions::left_over(root);
        Ok(ParsedDomain { uuid, name, definition, labels, disk_aliases: disk_aliases(root) })
    })
}

/// Events name a disk by its alias, which exists while the machine runs.
fn disk_aliases(root: Element<'_, '_>) -> BTreeMap<String, String> {
    let disks = root.child("devices").into_iter().flat_map(|devices| devices.children("disk"));
    disks
        .filter_map(|disk| {
            let alias = disk.child("alias")?.peek("name")?;
            Some((alias.to_owned(), disk.child("target")?.peek("dev")?.to_owned()))
        })
        .collect()
}

/// UUID of the object in one of libvirt's notations, with or without hyphens.
pub fn uuid_of(root: Element<'_, '_>) -> Option<Uuid> {
    let text = root.child("uuid")?.text();
    let digits: String = text.chars().filter(|c| !c.is_whitespace() && *c != '-').collect();
    Uuid::try_parse(&digits).ok()
}

fn definition(root: Element<'_, '_>) -> VmDefinition {
    let mut definition = VmDefinition {
        title: root.text_of("title"),
        description: root.text_of("description"),
        virtualization_type: root.word("type"),
        ..VmDefinition::default()
    };
    read_os(root, &mut definition);
    read_processors(root, &mut definition);
    read_memory(root, &mut definition);
    if let Some(devices) = root.child("devices") {
        read_devices(devices, &mut definition);
    }
    definition
}

fn read_os(root: Element<'_, '_>, definition: &mut VmDefinition) {
    let Some(os) = root.child("os") else { return };
    if let Some(kind) = os.child("type") {
        definition.os_type = kind.text().into_owned();
        definition.arch = kind.word("arch");
        definition.machine_type = kind.word("machine");
    }
    let loader = os.child("loader");
    let is_flash = loader.is_some_and(|loader| loader.peek("type") == Some("pflash"));
    definition.firmware = match os.attribute("firmware") {
        Some(firmware) => firmware.to_owned(),
        None if is_flash => "efi".to_owned(),
        None => String::new(),
    };
    let is_enforced = loader.is_some_and(|loader| loader.is_yes("secure"));
    definition.secure_boot = is_enforced || has_secure_boot_feature(os);
    definition.boot_order = os.children("boot").map(|boot| boot.word("dev")).collect();
}

fn has_secure_boot_feature(os: Element<'_, '_>) -> bool {
    os.child("firmware").is_some_and(|firmware| {
        let mut features = firmware.children("feature");
        features.any(|feature| feature.peek("name") == Some("secure-boot") && feature.peek("enabled") == Some("yes"))
    })
}

fn read_processors(root: Element<'_, '_>, definition: &mut VmDefinition) {
    let vcpu = root.child("vcpu");
    definition.vcpus_maximum = vcpu.and_then(Element::text_number).unwrap_or(1);
    definition.vcpus_current = vcpu.and_then(|vcpu| vcpu.number("current")).unwrap_or(definition.vcpus_maximum);
    if let Some(cpu) = root.child("cpu") {
        definition.cpu_model = cpu_model(cpu);
    }
    let pins = root.child("cputune").into_iter().flat_map(|tune| tune.children("vcpupin"));
    definition.cpu_pinning = pins.filter_map(|pin| Some((pin.number("vcpu")?, pin.word("cpuset")))).collect();
}

/// The model of a custom CPU, else the mode.
fn cpu_model(cpu: Element<'_, '_>) -> String {
    match cpu.attribute("mode") {
        Some(mode) if mode != "custom" => mode.to_owned(),
        _ => cpu.text_of("model"),
    }
}

fn read_memory(root: Element<'_, '_>, definition: &mut VmDefinition) {
    let bytes = |name| root.child(name).and_then(|element| element.bytes("KiB"));
    definition.memory_maximum_bytes = bytes("memory").unwrap_or_default();
    definition.memory_current_bytes = bytes("currentMemory").unwrap_or(definition.memory_maximum_bytes);
    definition.huge_pages = root.child("memoryBacking").is_some_and(|backing| backing.has("hugepages"));
    if let Some(memory) = root.at("numatune/memory") {
        definition.numa_nodeset = memory.word("nodeset");
    }
}

fn read_devices(devices: Element<'_, '_>, definition: &mut VmDefinition) {
    let mut boot = Vec::new();
    for device in devices.elements() {
        let label = read_device(device, definition);
        if let Some(order) = device.child("boot").and_then(|boot| boot.number::<u32>("order")) {
            boot.push((order, label));
        }
    }
    boot.sort();
    definition.boot_order.extend(boot.into_iter().map(|(_, label)| label));
}

/// Reads one device and returns the name it has in the boot order.
fn read_device(device: Element<'_, '_>, definition: &mut VmDefinition) -> String {
    match device.name() {
        "disk" => {
            definition.disks.push(disk::disk(device));
            definition.disks.last().map(|disk| disk.target.clone()).unwrap_or_default()
        }
        "filesystem" => {
            definition.disks.push(disk::filesystem(device));
            String::new()
        }
        "interface" => {
            definition.passthrough_devices.extend(nic::passed_through(device));
            definition.nics.push(nic::nic(device));
            definition.nics.last().map(|nic| nic.mac.clone()).unwrap_or_default()
        }
        "hostdev" => {
            let text = hostdev::hostdev(device);
            definition.passthrough_devices.push(text.clone());
            text
        }
        other => {
            read_small_device(device, other, definition);
            other.to_owned()
        }
    }
}

fn read_small_device(device: Element<'_, '_>, name: &str, definition: &mut VmDefinition) {
    match name {
        "tpm" => definition.tpm = true,
        "memballoon" => definition.balloon = device.peek("model") != Some("none"),
        "serial" | "parallel" => definition.consoles.push(name.to_owned()),
        "console" if !repeats_serial(device, definition) => definition.consoles.push(name.to_owned()),
        "graphics" => definition.consoles.push(device.word("type")),
        "channel" => read_channel(device, &mut definition.agent),
        _ => {}
    }
}

/// libvirt shows the first serial port a second time as a console, after it.
fn repeats_serial(console: Element<'_, '_>, definition: &VmDefinition) -> bool {
    let has_serial = definition.consoles.iter().any(|console| console == "serial");
    has_serial && console.child("target").is_none_or(|target| matches!(target.peek("type"), None | Some("serial")))
}

fn read_channel(channel: Element<'_, '_>, agent: &mut GuestAgent) {
    let Some(target) = channel.child("target") else { return };
    if target.peek("name") == Some(AGENT_CHANNEL) {
        agent.configured = true;
        agent.connected = target.attribute("state").map(|state| state == "connected");
    }
}

fn labels(root: Element<'_, '_>) -> BTreeMap<String, String> {
    let mut labels = BTreeMap::new();
    let metadata = root.child("metadata").into_iter();
    let groups = metadata.flat_map(|metadata| metadata.children_in(LABELS_NAMESPACE, "labels"));
    for label in groups.flat_map(|group| group.children_in(LABELS_NAMESPACE, "label")) {
        let key = label.peek("key").unwrap_or_default();
        let value = label.peek_text();
        let fits = !key.is_empty() && key.len() <= limits::LABEL_KEY && value.len() <= limits::LABEL_VALUE;
        if fits && (labels.len() < limits::LABELS || labels.contains_key(key)) {
            label.claim();
            label.claim_attribute("key");
            labels.insert(key.to_owned(), value.into_owned());
        }
    }
    labels
}
