//! Conditions of virtual networks.

use super::*;
use crate::model::host::HostNic;
use crate::model::network::Network;

fn name() -> Name {
    Name::network(&host_id("a"), "lan")
}

fn network(stage: &mut Stage, active: bool) {
    let network = Network {
        host: Some(host_id("a")),
        display_name: "lan".into(),
        active,
        bridge_name: "br0".into(),
        forward_mode: "bridge".into(),
        ..Network::default()
    };
    expected_up(stage, &name(), Body::Network(Box::new(network)));
}

fn links(stage: &mut Stage, states: &[&str]) {
    change_host(stage, |host| {
        host.nics = states
            .iter()
            .enumerate()
            .map(|(index, state)| HostNic {
                name: format!("eno{index}"),
                driver: "ice".into(),
                master: "br0".into(),
                link_state: (*state).into(),
                ..HostNic::default()
            })
            .collect();
    });
}

#[test]
fn raises_virtual_network_inactive() {
    let mut stage = stage();
    network(&mut stage, false);
    stage.pass(31);
    assert_eq!(stage.active(), ["virtualNetworkInactive"]);
}

#[test]
fn clears_virtual_network_inactive() {
    let mut stage = stage();
    network(&mut stage, false);
    stage.pass(31);
    network(&mut stage, true);
    assert!(is_cleared(&stage, "virtualNetworkInactive"));
    network(&mut stage, false);
    stage.change(&name(), lock);
    stage.pass(60);
    assert!(is_cleared(&stage, "virtualNetworkInactive"), "it is expected to be off");
}

fn cut_off() -> Stage {
    let mut stage = stage();
    links(&mut stage, &["up", "up"]);
    network(&mut stage, true);
    links(&mut stage, &["down", "up"]);
    stage.pass(60);
    assert_eq!(stage.active(), ["hostNicLinkDown"]);
    links(&mut stage, &["down", "down"]);
    stage.pass(6);
    stage
}

#[test]
fn raises_virtual_network_uplink_lost() {
    let stage = cut_off();
    assert!(stage.active().contains(&"virtualNetworkUplinkLost".to_owned()), "seen at the host's interfaces alone");
    assert_eq!(stage.the("virtualNetworkUplinkLost").1.attributes["uplinks"], "eno0 eno1");
}

#[test]
fn clears_virtual_network_uplink_lost() {
    let mut stage = cut_off();
    links(&mut stage, &["down", "up"]);
    stage.pass(31);
    assert!(is_cleared(&stage, "virtualNetworkUplinkLost"));
}

#[test]
fn a_network_of_its_own_has_no_uplink() {
    let mut stage = stage();
    network(&mut stage, true);
    change_host(&mut stage, |host| {
        host.nics = vec![HostNic { name: "br0".into(), link_state: "down".into(), ..HostNic::default() }];
    });
    stage.pass(60);
    assert!(stage.active().is_empty());
}
