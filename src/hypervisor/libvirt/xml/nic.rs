//! NICs of a machine.

use super::reader::Element;
use super::source;
use crate::model::virtual_machine::VirtualNic;

/// Reads an `<interface>` of a machine.
pub fn nic(element: Element<'_, '_>) -> VirtualNic {
    let child_word = |child: &'static str, name| element.child(child).map(|child| child.word(name)).unwrap_or_default();
    let link_state = child_word("link", "state");
    VirtualNic {
        mac: child_word("mac", "address").to_ascii_lowercase(),
        model: child_word("model", "type"),
        connection_type: element.word("type"),
        network: child_word("source", "network"),
        bridge: attachment(element),
        host_interface: child_word("target", "dev"),
        link_state: if link_state.is_empty() { "up".to_owned() } else { link_state },
        vlan_tags: element.child("vlan").map(vlan_tags).unwrap_or_default(),
        mtu: element.child("mtu").and_then(|mtu| mtu.number("size")).unwrap_or_default(),
        port_profile: port_profile(element),
    }
}

/// Bridge, or interface of the host, it is attached to.
fn attachment(element: Element<'_, '_>) -> String {
    let Some(source) = element.child("source") else { return String::new() };
    match source.attribute("bridge") {
        Some(bridge) => bridge.to_owned(),
        None if element.peek("type") == Some("hostdev") => String::new(),
        None => source.word("dev"),
    }
}

fn port_profile(element: Element<'_, '_>) -> String {
    match element.child("source").and_then(|source| source.attribute("portgroup")) {
        Some(group) => group.to_owned(),
        None => element.at("virtualport/parameters").map(|port| port.word("profileid")).unwrap_or_default(),
    }
}

/// VLAN tags of a `<vlan>`.
pub fn vlan_tags(vlan: Element<'_, '_>) -> Vec<u32> {
    vlan.children("tag").filter_map(|tag| tag.number("id")).collect()
}

/// The PCI function behind a NIC of type `hostdev`, as `pci:0000:06:02.0`.
pub fn passed_through(element: Element<'_, '_>) -> Option<String> {
    if element.peek("type") != Some("hostdev") {
        return None;
    }
    element.at("source/address").map(|address| format!("pci:{}", source::pci_address(address)))
}
