//! Conditions of virtual networks.

use super::context::Context;
use super::machine::stop_severity;
use crate::fault::catalogue::AlarmType;
use crate::fault::finding::{Assessment, Finding};
use crate::model::host::{Host, HostNic};
use crate::model::network::Network;
use crate::model::relation::Topology;
use crate::model::state::AdministrativeState;
use crate::model::{Body, Name, Object, ObjectClass};
use std::sync::Arc;

/// Networks whose conditions depend on a host that was seen; none for other objects.
pub fn networks_of(object: &Object, world: &dyn Topology) -> Vec<Arc<Object>> {
    if object.class() != ObjectClass::Host || object.state.unknown {
        return Vec::new();
    }
    world.below(ObjectClass::Network, &object.name)
}

/// What a network's state and its host's interfaces say.
pub(super) fn assess(object: &Object, network: &Network, context: &Context<'_>) -> Assessment {
    if object.state.unknown {
        return Assessment::default();
    }
    let mut assessment = Assessment { judged: vec![AlarmType::VirtualNetworkInactive], ..Assessment::default() };
    if !network.active && object.state.administrative == Some(AdministrativeState::Unlocked) {
        let text = format!("network {} is inactive and expected to be active", network.display_name);
        let severity = stop_severity(object.annotations.expectation, context.outside_changes);
        let finding = Finding::new(AlarmType::VirtualNetworkInactive, &object.name, text).severity(severity);
        assessment.findings.push(context.steady(finding));
    }
    uplinks(object, network, context, &mut assessment);
    assessment
}

fn uplinks(object: &Object, network: &Network, context: &Context<'_>, assessment: &mut Assessment) {
    let host = object.name.host_id().and_then(|host| context.world.object(&Name::host(&host)));
    let Some(Body::Host(host)) = host.as_deref().filter(|host| !host.state.unknown).map(|host| &host.body) else {
        return;
    };
    assessment.judged.push(AlarmType::VirtualNetworkUplinkLost);
    let uplinks = uplinks_of(network, host);
    if !network.active || uplinks.is_empty() || uplinks.iter().any(|nic| nic.link_state != "down") {
        return;
    }
    let names: Vec<&str> = uplinks.iter().map(|nic| nic.name.as_str()).collect();
    let text = format!("network {} reaches nothing: {} without link", network.display_name, names.join(", "));
    let finding = Finding::new(AlarmType::VirtualNetworkUplinkLost, &object.name, text);
    assessment.findings.push(context.steady(finding.with("uplinks", names.join(" "))));
}

/// Interfaces with hardware behind them that a network goes out through: those it names, or those in its bridge.
fn uplinks_of<'a>(network: &Network, host: &'a Host) -> Vec<&'a HostNic> {
    let named = |nic: &&HostNic| network.uplinks.contains(&nic.name);
    let bridged = |nic: &&HostNic| !network.bridge_name.is_empty() && nic.master == network.bridge_name;
    // A bridge of libvirt's own carries the network's bridge name and no cable.
    let own = |nic: &&HostNic| nic.name != network.bridge_name;
    host.nics.iter().filter(|nic| (named(nic) || bridged(nic)) && own(nic)).collect()
}
