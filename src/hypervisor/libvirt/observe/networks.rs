//! Virtual networks.

use crate::hypervisor::libvirt::memory::{fault, now};
use crate::hypervisor::libvirt::xml;
use crate::hypervisor::port::HypervisorError;
use crate::model::network::Network;
use crate::model::observation::{CollectError, Fact, ListedKind, Observation};
use std::collections::BTreeSet;
use std::sync::Arc;
use virt::connect::Connect;

/// All networks.
pub fn all(connect: &Connect) -> Result<Observation, HypervisorError> {
    let (mut facts, mut errors, mut present) = (Vec::new(), Vec::new(), BTreeSet::new());
    for handle in connect.list_all_networks(0).map_err(fault)? {
        let name = handle.name().map_err(fault)?;
        match read(&handle) {
            Ok(network) => facts.push(Fact::Network(Box::new(network))),
            Err(HypervisorError::NotFound(_)) => continue,
            Err(error) if error.is_link_loss() => return Err(error),
            Err(error) => errors.push(CollectError { what: format!("network {name}"), reason: error.to_string() }),
        }
        present.insert(name);
    }
    facts.push(Fact::ListComplete { kind: ListedKind::Networks, present: Arc::new(present) });
    Ok(Observation { time: now(), facts, errors, samples: None })
}

/// One network, or that it does not exist.
pub fn one(connect: &Connect, name: &str) -> Result<Observation, HypervisorError> {
    let network = connect.lookup_network_by_name(name).map_err(fault).and_then(|handle| read(&handle));
    let fact = match network {
        Ok(network) => Fact::Network(Box::new(network)),
        Err(HypervisorError::NotFound(_)) => Fact::NetworkGone(name.to_owned()),
        Err(error) => return Err(error),
    };
    Ok(Observation { time: now(), facts: vec![fact], errors: Vec::new(), samples: None })
}

fn read(handle: &virt::network::Network) -> Result<Network, HypervisorError> {
    let text = handle.xml_desc(0).map_err(fault)?;
    let malformed =
        |error: xml::XmlError| HypervisorError::Malformed { what: "network".into(), reason: error.to_string() };
    let mut network = xml::network(&text).map_err(malformed)?;
    network.active = handle.is_active().map_err(fault)?;
    network.persistent = handle.is_persistent().map_err(fault)?;
    network.autostart = handle.autostart().unwrap_or(false);
    Ok(network)
}
