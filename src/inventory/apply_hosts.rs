//! Hosts, hypervisors, cluster and manager: registrations, connections, and their objects.

use super::core::Inventory;
use super::facts::{Evidence, LinkStanding};
use super::hosts::{EndpointSource, HostSource, added, reason_code};
use super::machine_state;
use super::storage::Storage;
use crate::model::capacity::Capacity;
use crate::model::host::{Cluster, ClusterVolatile, EndpointKey};
use crate::model::observation::{GoneCause, HypervisorFacts};
use crate::model::registration::{HostRegistration, Profile};
use crate::model::state::{ResourceState, StateReason, UsageState};
use crate::model::{Body, ChangeSource, HostId, Name, Timestamp, Volatile};
use std::collections::BTreeSet;
use uuid::Uuid;

impl Inventory {
    /// Adds a host, or replaces its registration. `endpoints` are technology and address of each.
    pub fn add_host(
        &mut self,
        evidence: &Evidence,
        registration: HostRegistration,
        profile: Profile,
        warnings: Vec<String>,
        endpoints: &[(String, String)],
    ) {
        let id = registration.id.clone();
        let mut source = HostSource::new(registration, profile, warnings);
        source.remembered = match self.table.get(&Name::host(&id)).map(|object| &object.body) {
            Some(Body::Host(host)) => Some((**host).clone()),
            _ => None,
        };
        for (technology, uri) in endpoints {
            let remembered = match self.table.get(&Name::hypervisor(&id, technology)).map(|object| &object.body) {
                Some(Body::Hypervisor(hypervisor)) => Some((**hypervisor).clone()),
                _ => None,
            };
            source.endpoints.insert(technology.clone(), EndpointSource::new(uri.clone(), remembered.as_ref()));
        }
        let former = self.hosts.insert(id.clone(), source);
        let former_technologies = former.into_iter().flat_map(|former| former.endpoints.into_keys());
        let stored = self.table.hypervisors_of(&id);
        for technology in former_technologies.chain(stored).collect::<BTreeSet<String>>() {
            if !endpoints.iter().any(|(kept, _)| *kept == technology) {
                self.drop_endpoint(evidence, &EndpointKey { host: id.clone(), technology });
            }
        }
        for (technology, _) in endpoints {
            self.refresh_hypervisor(evidence, &EndpointKey { host: id.clone(), technology: technology.clone() });
        }
        self.refresh_host(evidence, &id);
        self.refresh_top(evidence);
    }

    /// Removes a host and everything on it, as one batch.
    pub fn remove_host(&mut self, evidence: &Evidence, host: &HostId) {
        let technologies: Vec<String> = match self.hosts.remove(host) {
            Some(source) => source.endpoints.into_keys().collect(),
            None => self.table.hypervisors_of(host),
        };
        for technology in technologies {
            self.drop_endpoint(evidence, &EndpointKey { host: host.clone(), technology });
        }
        self.table.remove(evidence, &Name::host(host));
        self.refresh_top(evidence);
    }

    pub(super) fn drop_endpoint(&mut self, evidence: &Evidence, key: &EndpointKey) {
        let gone = Evidence { read: Timestamp(i64::MAX), ..*evidence };
        for uuid in self.machines.known_at(key) {
            self.lose_machine(&gone, key, uuid, GoneCause::Removed);
        }
        for pool in self.storage.known_at(key) {
            self.lose_pool(evidence, key, &pool);
        }
        for network in self.networks.known_at(key) {
            self.lose_network(evidence, key, &network);
        }
        self.table.remove(evidence, &Name::hypervisor(&key.host, &key.technology));
    }

    /// Takes the state of an endpoint's connection.
    pub fn link_changed(
        &mut self,
        evidence: &Evidence,
        key: &EndpointKey,
        standing: LinkStanding,
        trouble: &str,
        generation: u64,
        hypervisor: Option<HypervisorFacts>,
    ) {
        let Some(endpoint) = self.endpoint_mut(key) else { return };
        // The end of a connection is told with urgency and may overtake that it was read completely.
        let over = endpoint.is_lost() && generation == endpoint.generation && standing.is_up();
        if generation < endpoint.generation || over {
            return;
        }
        endpoint.standing = standing;
        trouble.clone_into(&mut endpoint.trouble);
        endpoint.generation = generation;
        if let Some(facts) = hypervisor {
            endpoint.hypervisor = facts;
        }
        match standing {
            LinkStanding::Connected | LinkStanding::Degraded => endpoint.unknown = None,
            LinkStanding::Unreachable | LinkStanding::ServiceLost | LinkStanding::Refused => {
                endpoint.unknown = Some(StateReason::with_text(reason_code(standing), trouble));
            }
            LinkStanding::Connecting | LinkStanding::Synchronizing => {}
        }
        self.refresh_hypervisor(evidence, key);
        self.refresh_host(evidence, &key.host);
        if !standing.is_up() && standing != LinkStanding::Connecting {
            self.all_only_last_known(evidence, key);
        }
        self.refresh_top(evidence);
    }

    /// After a loss everything read through the endpoint is only last known; the reason is told anew.
    pub(super) fn all_only_last_known(&mut self, evidence: &Evidence, key: &EndpointKey) {
        for uuid in self.machines.mark_stale(key) {
            self.take_back_adoption(uuid, evidence.now);
            self.refresh_machine(evidence, uuid);
        }
        for pool in self.storage.known_at(key) {
            if let Some(source) = self.storage.pools.get_mut(&(key.host.clone(), pool.clone())) {
                source.fresh = false;
            }
            self.refresh_pool(evidence, &key.host, &pool);
        }
        for network in self.networks.known_at(key) {
            if let Some(source) = self.networks.by_key.get_mut(&(key.host.clone(), network.clone())) {
                source.fresh = false;
            }
            self.refresh_network(evidence, &key.host, &network);
        }
    }

    pub(super) fn take_back_adoption(&mut self, uuid: Uuid, now: Timestamp) {
        let name = Name::virtual_machine(uuid);
        let mut annotations = self.table.annotations(&name);
        let kept = machine_state::expectation_at_loss(annotations.expectation, now);
        if kept != annotations.expectation {
            annotations.expectation = kept;
            self.machines.pending_annotations.insert(uuid, annotations);
        }
    }

    /// Takes counters about an endpoint's own working.
    pub fn vitals(&mut self, key: &EndpointKey, severed_lanes: u64, last_event: Option<Timestamp>) {
        if let Some(endpoint) = self.endpoint_mut(key) {
            endpoint.severed_lanes = severed_lanes;
            endpoint.last_event = last_event;
            self.dirty_hosts.insert(key.host.clone());
        }
    }

    pub(super) fn endpoint_mut(&mut self, key: &EndpointKey) -> Option<&mut EndpointSource> {
        self.hosts.get_mut(&key.host)?.endpoints.get_mut(&key.technology)
    }

    pub(super) fn endpoint(&self, key: &EndpointKey) -> Option<&EndpointSource> {
        self.hosts.get(&key.host)?.endpoints.get(&key.technology)
    }

    pub(super) fn refresh_hypervisor(&mut self, evidence: &Evidence, key: &EndpointKey) {
        let Some(endpoint) = self.endpoint(key) else { return };
        let (state, body) = (endpoint.state(), endpoint.body(&key.technology));
        let name = Name::hypervisor(&key.host, &key.technology);
        let annotations = self.table.annotations(&name);
        self.table.put(evidence, &name, state, annotations, Body::Hypervisor(Box::new(body)));
    }

    pub(super) fn refresh_host(&mut self, evidence: &Evidence, host: &HostId) {
        let Some(source) = self.hosts.get(host) else { return };
        let allocation = self.allocations.get(host).copied().unwrap_or_default();
        let storage = Storage::amount(self.storage.of_host(host), self.settings.overcommit.storage);
        let mut body = source.body(allocation, storage, &self.settings.overcommit);
        body.warnings.extend(source.identity_change.clone());
        body.warnings.extend(self.shared_uuid(host, &body.host_uuid));
        let mut state = source.state();
        let name = Name::host(host);
        let annotations = self.table.annotations(&name);
        state.administrative = Some(machine_state::locked_by(annotations.maintenance.as_ref()));
        self.table.put(evidence, &name, state, annotations, Body::Host(Box::new(body)));
    }

    /// A warning if another host tells the same UUID; they are never merged.
    fn shared_uuid(&self, host: &HostId, uuid: &str) -> Option<String> {
        let same = |(other, source): &(&HostId, &HostSource)| *other != host && source.known_uuid() == uuid;
        let (other, _) = self.hosts.iter().filter(|_| !uuid.is_empty()).find(same)?;
        Some(format!("host {other} has the same UUID {uuid}: a cloned installation, or one machine registered twice"))
    }

    pub(super) fn refresh_top(&mut self, evidence: &Evidence) {
        let vrm = Body::Vrm(Box::new(self.settings.vrm.clone()));
        let annotations = self.table.annotations(&Name::vrm());
        self.table.put(evidence, &Name::vrm(), ResourceState::enabled(UsageState::Active), annotations, vrm);
        let technologies: BTreeSet<String> =
            self.hosts.values().flat_map(|host| host.endpoints.keys().cloned()).collect();
        let cluster = Cluster {
            cluster_id: self.settings.cluster_id.clone(),
            technologies: technologies.into_iter().collect(),
            host_count: u32::try_from(self.hosts.len()).unwrap_or(u32::MAX),
            volatile: Volatile(ClusterVolatile {
                vm_count: u32::try_from(self.machines.by_uuid.len()).unwrap_or(u32::MAX),
                capacity: self.cluster_capacity(),
            }),
        };
        let annotations = self.table.annotations(&Name::cluster());
        let state = ResourceState::enabled(UsageState::Active);
        self.table.put(evidence, &Name::cluster(), state, annotations, Body::Cluster(Box::new(cluster)));
    }

    pub(super) fn cluster_capacity(&self) -> Capacity {
        let overcommit = &self.settings.overcommit;
        let hosts =
            self.hosts.keys().filter_map(|host| match self.table.get(&Name::host(host)).map(|object| &object.body) {
                Some(Body::Host(host)) => Some(host.volatile.capacity),
                _ => None,
            });
        let mut sum = Capacity::default();
        for capacity in hosts {
            sum.vcpus = added(sum.vcpus, capacity.vcpus, overcommit.cpu);
            sum.memory_bytes = added(sum.memory_bytes, capacity.memory_bytes, overcommit.memory);
        }
        sum.storage_bytes = Storage::amount(self.storage.pools.values(), overcommit.storage);
        sum
    }

    /// Does what is due: machines that did not turn up are removed, moving sums are made anew.
    /// To be called about once a second.
    pub fn tick(&mut self, now: Timestamp) {
        let evidence = Evidence { now, read: now, source: ChangeSource::ResourceOperation, periodic: false };
        for (uuid, source) in self.machines.overdue(now) {
            self.forget_machine(&Evidence { source, ..evidence }, uuid);
        }
        if std::mem::take(&mut self.images_dirty) {
            self.refresh_images(&evidence);
        }
        self.refresh_touched_backings(&evidence);
        let dirty = std::mem::take(&mut self.dirty_hosts);
        if dirty.is_empty() {
            return;
        }
        for host in &dirty {
            let technologies: Vec<String> =
                self.hosts.get(host).map(|source| source.endpoints.keys().cloned().collect()).unwrap_or_default();
            for technology in technologies {
                self.refresh_hypervisor(&evidence, &EndpointKey { host: host.clone(), technology });
            }
            self.refresh_host(&evidence, host);
        }
        self.refresh_top(&evidence);
    }
}
