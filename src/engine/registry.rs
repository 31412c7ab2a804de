//! Which hosts belong to the cluster: registration by file and by API (operations.md F21).

use super::command::CommandError;
use super::report::Assignment;
use crate::hypervisor::port::{Endpoint, Opener};
use crate::inventory::{Evidence, Inventory};
use crate::model::HostId;
use crate::model::host::EndpointKey;
use crate::model::registration::{HostOrigin, HostRegistration};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use tokio::sync::mpsc;

/// Opens registrations and hands their endpoints to the collectors.
pub(super) struct Registry {
    opener: Arc<dyn Opener>,
    assignments: mpsc::UnboundedSender<Assignment>,
    /// Share of the hosts that one configuration may remove; at least one may always go.
    removal_guard: f64,
    /// Registrations as they are watched now, to leave unchanged hosts alone at a reload.
    watched: BTreeMap<HostId, (HostRegistration, Vec<(String, String)>)>,
}

impl Registry {
    pub(super) fn new(
        opener: Arc<dyn Opener>,
        assignments: mpsc::UnboundedSender<Assignment>,
        removal_guard: f64,
    ) -> Self {
        Self { opener, assignments, removal_guard, watched: BTreeMap::new() }
    }

    /// Endpoints of a registration, by host.
    pub(super) fn open(
        &self,
        registration: &HostRegistration,
    ) -> Result<BTreeMap<HostId, Vec<Endpoint>>, CommandError> {
        let mut hosts: BTreeMap<HostId, Vec<Endpoint>> = BTreeMap::new();
        for mut endpoint in self.opener.open(registration)? {
            endpoint.registration.origin = registration.origin;
            hosts.entry(endpoint.registration.id.clone()).or_default().push(endpoint);
        }
        Ok(hosts)
    }

    /// Puts a host into the inventory and its endpoints under watch.
    pub(super) fn adopt(
        &mut self,
        inventory: &mut Inventory,
        evidence: &Evidence,
        host: &HostId,
        endpoints: Vec<Endpoint>,
    ) {
        let Some(first) = endpoints.first() else { return };
        let registration = first.registration.clone();
        let profile = first.hypervisor.profile();
        let warnings: BTreeSet<String> = endpoints.iter().flat_map(|endpoint| endpoint.warnings.clone()).collect();
        let addresses: Vec<(String, String)> = endpoints
            .iter()
            .map(|endpoint| (endpoint.hypervisor.key().technology.clone(), endpoint.hypervisor.uri().to_owned()))
            .collect();
        let watched = (registration.clone(), addresses.clone());
        if self.watched.get(host) == Some(&watched) {
            return;
        }
        if self.watched.insert(host.clone(), watched).is_some() {
            self.assign(Assignment::Drop(host.clone()));
        }
        inventory.add_host(evidence, registration, profile, warnings.into_iter().collect(), &addresses);
        for endpoint in endpoints {
            self.assign(Assignment::Watch(endpoint));
        }
    }

    /// Takes a host out of watch and inventory.
    pub(super) fn expel(&mut self, inventory: &mut Inventory, evidence: &Evidence, host: &HostId) {
        self.watched.remove(host);
        self.assign(Assignment::Drop(host.clone()));
        inventory.remove_host(evidence, host);
    }

    fn assign(&self, assignment: Assignment) {
        // The collectors end before the engine only while the daemon stops.
        let _ = self.assignments.send(assignment);
    }

    /// Replaces the hosts that files own; nothing changes on an error. Answers warnings.
    pub(super) fn configure(
        &mut self,
        inventory: &mut Inventory,
        evidence: &Evidence,
        registrations: &[HostRegistration],
        allow_removals: bool,
    ) -> Result<Vec<String>, CommandError> {
        let mut warnings = Vec::new();
        let mut hosts: BTreeMap<HostId, Vec<Endpoint>> = BTreeMap::new();
        for registration in registrations {
            for (host, endpoints) in self.open(registration)? {
                if inventory.origin_of(&host) == Some(HostOrigin::Api) {
                    warnings.push(format!("host {host} was registered through the API too; the settings file wins"));
                }
                if hosts.insert(host.clone(), endpoints).is_some() {
                    return Err(CommandError::InvalidField {
                        field: format!("host {host}"),
                        reason: "is configured twice; endpoints of one host belong into one table (key uris)".into(),
                    });
                }
            }
        }
        let removed = self.removals(inventory, &hosts, allow_removals)?;
        for host in removed {
            self.expel(inventory, evidence, &host);
        }
        for (host, endpoints) in hosts {
            self.adopt(inventory, evidence, &host, endpoints);
        }
        Ok(warnings)
    }

    /// File hosts that would go, unless they are more than the guard allows.
    fn removals(
        &self,
        inventory: &Inventory,
        hosts: &BTreeMap<HostId, Vec<Endpoint>>,
        allow_removals: bool,
    ) -> Result<Vec<HostId>, CommandError> {
        let present = inventory.file_hosts();
        let removed: Vec<HostId> = present.iter().filter(|host| !hosts.contains_key(*host)).cloned().collect();
        #[expect(
            clippy::cast_precision_loss,
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "host counts are small and the guard is checked to lie between 0 and 1"
        )]
        let allowed = ((present.len() as f64 * self.removal_guard) as usize).max(1);
        if removed.len() > allowed && !allow_removals {
            let names: Vec<&str> = removed.iter().map(HostId::as_str).collect();
            return Err(CommandError::RemovalGuard {
                removed: removed.len(),
                total: present.len(),
                names: names.join(", "),
            });
        }
        Ok(removed)
    }

    /// True if the endpoint is watched.
    pub(super) fn watches(&self, key: &EndpointKey) -> bool {
        self.watched
            .get(&key.host)
            .is_some_and(|(_, addresses)| addresses.iter().any(|(technology, _)| *technology == key.technology))
    }
}
