//! Virtual networks: libvirt's `<network>`.

use super::error::XmlError;
use super::reader::{Element, with_root};
use super::{extensions, nic, quantity, source};
use crate::model::network::{Network, Subnet};
use std::collections::HashSet;

/// Reads a network XML (libvirt: virNetworkGetXMLDesc).
///
/// Host, technology, activity, autostart and persistence are not in it; the caller fills them.
///
/// # Errors
/// [`XmlError`]: beyond unreadable documents only a missing name.
pub fn network(text: &str) -> Result<Network, XmlError> {
    with_root(text, "network", |root| {
        let display_name = root.text_of("name");
        if display_name.is_empty() {
            return Err(XmlError::Missing("name"));
        }
        // The number of attached NICs moves with every start of a machine and follows from the relations.
        root.claim_attribute("connections");
        let forward = root.child("forward");
        let word = |child: &'static str, name| root.child(child).map(|child| child.word(name)).unwrap_or_default();
        let mut network = Network {
            display_name,
            network_uuid: root.text_of("uuid"),
            bridge_name: word("bridge", "name"),
            forward_mode: forward_mode(forward),
            uplinks: forward.map(uplinks).unwrap_or_default(),
            vlan_tags: root.child("vlan").map(nic::vlan_tags).unwrap_or_default(),
            mtu: root.child("mtu").and_then(|mtu| mtu.number("size")).unwrap_or_default(),
            subnets: root.children("ip").filter_map(subnet).collect(),
            port_groups: root.children("portgroup").map(|group| group.word("name")).collect(),
            domain: word("domain", "name"),
            ..Network::default()
        };
        network.extensions = extensions::left_over(root);
        Ok(network)
    })
}

/// No `<forward>` means isolated, one without a mode means NAT.
fn forward_mode(forward: Option<Element<'_, '_>>) -> String {
    let mode = match forward {
        None => "isolated",
        Some(forward) => match forward.attribute("mode") {
            None | Some("") => "nat",
            Some("none") => "isolated",
            Some(mode) => mode,
        },
    };
    mode.to_owned()
}

fn uplinks(forward: Element<'_, '_>) -> Vec<String> {
    let main = forward.attribute("dev").map(str::to_owned).into_iter();
    let mut seen = HashSet::new();
    main.chain(forward.elements().filter_map(uplink)).filter(|uplink| seen.insert(uplink.clone())).collect()
}

fn uplink(element: Element<'_, '_>) -> Option<String> {
    element.claim_attribute("connections");
    match element.name() {
        "interface" | "pf" => Some(element.word("dev")),
        "address" => Some(format!("pci:{}", source::pci_address(element))),
        _ => None,
    }
}

fn subnet(ip: Element<'_, '_>) -> Option<Subnet> {
    let gateway = ip.peek("address")?;
    let cidr = quantity::cidr(gateway, ip.number("prefix"), ip.peek("netmask"))?;
    for name in ["address", "netmask", "family"] {
        ip.claim_attribute(name);
    }
    let ranges = ip.child("dhcp").into_iter().flat_map(|dhcp| dhcp.children("range"));
    let dhcp_ranges = ranges.map(|range| format!("{}-{}", range.word("start"), range.word("end"))).collect();
    Some(Subnet { cidr, gateway: gateway.to_owned(), dhcp_ranges })
}
