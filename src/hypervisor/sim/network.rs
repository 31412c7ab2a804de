//! The virtual networks of simulated hosts. Pure.

use super::dice::{Dice, Topic};
use super::hardware::TECHNOLOGY;
use crate::model::name::HostId;
use crate::model::network::{Network, Subnet};

/// The network that comes and goes under churn `lifecycle`.
pub const PASSING: &str = "lab";

/// Every network of a host; `passing` adds the one that comes and goes.
pub fn networks(dice: Dice, host: u64, id: &HostId, passing: bool) -> Vec<Network> {
    let names = super::machine::NETWORKS.into_iter().chain(passing.then_some(PASSING));
    names.enumerate().map(|(index, name)| network(dice, host, id, index as u64, name)).collect()
}

fn network(dice: Dice, host: u64, id: &HostId, index: u64, name: &str) -> Network {
    let base = Network {
        host: Some(id.clone()),
        technology: TECHNOLOGY.to_owned(),
        display_name: name.to_owned(),
        network_uuid: dice.uuid(Topic::NetworkUuid, host, index).to_string(),
        active: true,
        autostart: name != PASSING,
        persistent: true,
        ..Network::default()
    };
    match name {
        "default" => Network {
            bridge_name: "virbr0".to_owned(),
            forward_mode: "nat".to_owned(),
            uplinks: vec!["eno1".to_owned()],
            subnets: vec![subnet(122)],
            ..base
        },
        "lan" => Network { bridge_name: "br0".to_owned(), forward_mode: "bridge".to_owned(), ..base },
        "vlan120" => Network {
            bridge_name: "ovsbr0".to_owned(),
            forward_mode: "bridge".to_owned(),
            vlan_tags: vec![120],
            mtu: 9_000,
            port_groups: vec!["signalling".to_owned(), "user-plane".to_owned()],
            ..base
        },
        "isolated" => Network {
            bridge_name: "virbr1".to_owned(),
            forward_mode: "isolated".to_owned(),
            domain: "isolated.example.net".to_owned(),
            subnets: vec![subnet(200)],
            ..base
        },
        _ => Network {
            bridge_name: "virbr9".to_owned(),
            forward_mode: "route".to_owned(),
            subnets: vec![subnet(209)],
            ..base
        },
    }
}

fn subnet(third: u8) -> Subnet {
    Subnet {
        cidr: format!("192.168.{third}.0/24"),
        gateway: format!("192.168.{third}.1"),
        dhcp_ranges: vec![format!("192.168.{third}.2-192.168.{third}.254")],
    }
}
