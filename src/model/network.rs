//! Virtual networks.

use super::name::HostId;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// A virtual network of one host.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Network {
    /// Host it is defined on.
    pub host: Option<HostId>,
    /// Driver it was read through.
    pub technology: String,
    /// libvirt's name.
    pub display_name: String,
    /// libvirt's UUID; cloned hosts share it, so it is no key.
    pub network_uuid: String,
    /// Running.
    pub active: bool,
    /// Started with the host.
    pub autostart: bool,
    /// Survives being stopped.
    pub persistent: bool,
    /// Bridge on the host, empty if none.
    pub bridge_name: String,
    /// `nat`, `route`, `open`, `bridge`, `private`, `vepa`, `passthrough`, `hostdev` or `isolated`.
    pub forward_mode: String,
    /// Interfaces of the host it forwards through.
    pub uplinks: Vec<String>,
    /// VLAN tags.
    pub vlan_tags: Vec<u32>,
    /// MTU; 0 for the default.
    pub mtu: u32,
    /// Subnets.
    pub subnets: Vec<Subnet>,
    /// Names of its port groups.
    pub port_groups: Vec<String>,
    /// DNS domain, empty if none.
    pub domain: String,
    /// What the model does not name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub extensions: BTreeMap<String, String>,
}

/// An IP subnet of a virtual network.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Subnet {
    /// Network in CIDR form.
    pub cidr: String,
    /// Address of the host in it, empty if none.
    pub gateway: String,
    /// DHCP ranges as `first-last`.
    pub dhcp_ranges: Vec<String>,
}
