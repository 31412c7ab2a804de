//! Virtual networks: facts applied, objects made.

use super::core::Inventory;
use super::facts::Evidence;
use crate::model::host::EndpointKey;
use crate::model::{Body, HostId, Name};

impl Inventory {
    pub(super) fn lose_network(&mut self, evidence: &Evidence, key: &EndpointKey, network: &str) {
        if self.networks.lose(key, network) {
            self.table.remove(evidence, &Name::network(&key.host, network));
        }
    }

    pub(super) fn refresh_network(&mut self, evidence: &Evidence, host: &HostId, network: &str) {
        let Some(source) = self.networks.by_key.get(&(host.clone(), network.to_owned())).cloned() else { return };
        let name = Name::network(host, network);
        let annotations = self.with_expectation(&name, source.network.active, source.fresh);
        let mut state = source.state(annotations.expectation.map(|setting| setting.expected));
        if !source.fresh {
            state.unknown = true;
            state.reason =
                self.unknown_reason(&EndpointKey { host: host.clone(), technology: source.network.technology.clone() });
        }
        self.table.put(evidence, &name, state, annotations, Body::Network(Box::new(source.network)));
    }
}
