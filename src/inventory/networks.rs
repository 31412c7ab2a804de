//! Virtual networks, by host and name.

use super::facts::Evidence;
use crate::model::annotation::Expectation;
use crate::model::host::EndpointKey;
use crate::model::network::Network;
use crate::model::state::{AvailabilityStatus, ResourceState, StateReason, UsageState};
use crate::model::{HostId, Timestamp};
use std::collections::{BTreeMap, BTreeSet};

/// A network with the endpoints that report it: two technologies of one host share the driver.
#[derive(Clone, Debug)]
pub(super) struct NetworkSource {
    pub(super) network: Network,
    pub(super) reporters: BTreeSet<String>,
    pub(super) read: Timestamp,
    pub(super) fresh: bool,
}

/// All networks.
#[derive(Debug, Default)]
pub(super) struct Networks {
    pub(super) by_key: BTreeMap<(HostId, String), NetworkSource>,
}

impl Networks {
    /// Takes a reading; false if a younger one stands.
    pub(super) fn observe(&mut self, key: &EndpointKey, evidence: &Evidence, mut network: Network) -> bool {
        let at = (key.host.clone(), network.display_name.clone());
        let reporters = match self.by_key.get(&at) {
            Some(former) if former.fresh && former.read > evidence.read => return false,
            Some(former) => former.reporters.clone(),
            None => BTreeSet::new(),
        };
        let mut reporters = reporters;
        reporters.insert(key.technology.clone());
        network.host = Some(key.host.clone());
        // The first reporter by name stands for all, so that the attribute does not flicker.
        network.technology = reporters.first().cloned().unwrap_or_default();
        self.by_key.insert(at, NetworkSource { network, reporters, read: evidence.read, fresh: true });
        true
    }

    /// An endpoint does not know a network (any more); true if nobody else does either.
    pub(super) fn lose(&mut self, key: &EndpointKey, name: &str) -> bool {
        let at = (key.host.clone(), name.to_owned());
        let Some(source) = self.by_key.get_mut(&at) else { return false };
        source.reporters.remove(&key.technology);
        let orphaned = source.reporters.is_empty();
        if orphaned {
            self.by_key.remove(&at);
        }
        orphaned
    }

    /// Names an endpoint reports.
    pub(super) fn known_at(&self, key: &EndpointKey) -> Vec<String> {
        let of_host = self.by_key.iter().filter(|((host, _), _)| *host == key.host);
        of_host
            .filter(|(_, source)| source.reporters.contains(&key.technology))
            .map(|((_, name), _)| name.clone())
            .collect()
    }
}

impl NetworkSource {
    /// X.731 state of the network.
    pub(super) fn state(&self, expected: Option<Expectation>) -> ResourceState {
        let mut state = if self.network.active {
            ResourceState::enabled(UsageState::Active)
        } else {
            ResourceState::disabled([AvailabilityStatus::OffLine])
        };
        state.reason = StateReason::code(if self.network.active { "active" } else { "inactive" });
        state.administrative = super::machine_state::administrative(expected);
        state
    }
}
