//! The inventory as a whole: facts are applied here, and objects are made of what is known.

use super::facts::{Evidence, InventorySettings};
use super::hosts::{Allocation, EndpointSource, HostSource};
use super::machine_state::{self};
use super::machines::Machines;
use super::networks::Networks;
use super::restore;
use super::storage::Storage;
use super::table::{Effects, Table};
use crate::model::host::EndpointKey;
use crate::model::object::Tombstone;
use crate::model::observation::{Fact, GoneCause, ListedKind, Observation};
use crate::model::registration::{HostOrigin, HostRegistration};
use crate::model::{Annotations, Body, ChangeSource, HostId, Name, Object, ObjectClass, ResourceState, Timestamp};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;
use uuid::Uuid;

/// All managed objects and where they come from.
#[derive(Debug, Default)]
pub struct Inventory {
    pub(super) settings: InventorySettings,
    pub(super) table: Table,
    pub(super) hosts: BTreeMap<HostId, HostSource>,
    pub(super) machines: Machines,
    pub(super) storage: Storage,
    pub(super) networks: Networks,
    pub(super) allocations: HashMap<HostId, Allocation>,
    /// Hosts whose moving values need to be made anew.
    pub(super) dirty_hosts: BTreeSet<HostId>,
    pub(super) images_dirty: bool,
    /// Backings whose users changed since they were last made, and what changed them. One object
    /// names all users: made anew with every machine, 10,000 machines on one backing would cost
    /// the square of their number.
    pub(super) dirty_backings: BTreeMap<String, ChangeSource>,
}

impl Inventory {
    /// An inventory that knows what the store knew: every object as it was last seen, its state
    /// unknown until its host is read (operations.md F5). Its first changes say so.
    pub fn restore(
        settings: InventorySettings,
        head: u64,
        objects: Vec<Arc<Object>>,
        tombstones: Vec<Tombstone>,
        now: Timestamp,
    ) -> Self {
        let mut inventory = Self {
            settings,
            machines: restore::machines(&objects),
            storage: restore::storage(&objects),
            networks: restore::networks(&objects),
            ..Self::default()
        };
        inventory.table.restore(head, objects, tombstones);
        let evidence = Evidence { now, read: now, source: ChangeSource::Resync, periodic: false };
        let uuids: Vec<Uuid> = inventory.machines.by_uuid.keys().copied().collect();
        for uuid in uuids {
            inventory.refresh_machine(&evidence, uuid);
        }
        let pools: Vec<(HostId, String)> = inventory.storage.pools.keys().cloned().collect();
        for (host, pool) in pools {
            inventory.refresh_pool(&evidence, &host, &pool);
        }
        let networks: Vec<(HostId, String)> = inventory.networks.by_key.keys().cloned().collect();
        for (host, network) in networks {
            inventory.refresh_network(&evidence, &host, &network);
        }
        inventory.refresh_top(&evidence);
        inventory
    }

    /// The object of a name, ahead of what is committed.
    pub fn object(&self, name: &Name) -> Option<&Arc<Object>> {
        self.table.get(name)
    }

    /// What happened since the last call.
    pub fn take_effects(&mut self) -> Effects {
        self.table.take_effects()
    }

    /// Registrations, in order of host id.
    pub fn registrations(&self) -> impl Iterator<Item = &HostRegistration> {
        self.hosts.values().map(|host| &host.registration)
    }

    /// Hosts with an endpoint that is not read completely, in order.
    pub fn incomplete_hosts(&self) -> Vec<HostId> {
        let incomplete = |host: &&HostSource| host.endpoints.values().any(|endpoint| endpoint.unknown.is_some());
        self.hosts.values().filter(incomplete).map(|host| host.registration.id.clone()).collect()
    }

    /// Hosts that do not answer, in order.
    pub fn lost_hosts(&self) -> Vec<HostId> {
        let lost = |host: &&HostSource| host.endpoints.values().any(|endpoint| endpoint.is_lost());
        self.hosts.values().filter(lost).map(|host| host.registration.id.clone()).collect()
    }

    /// Number of virtual machines with an instance on a host.
    pub fn machines_on(&self, host: &HostId) -> usize {
        self.machines.at.iter().filter(|(key, _)| key.host == *host).map(|(_, uuids)| uuids.len()).sum()
    }

    /// Applies what was read through an endpoint. Facts of an older connection, or of one that is
    /// lost meanwhile, are left out.
    pub fn observe(&mut self, evidence: &Evidence, key: &EndpointKey, generation: u64, observation: Observation) {
        let current = |endpoint: &EndpointSource| endpoint.generation == generation && endpoint.standing.is_up();
        if !self.endpoint(key).is_some_and(current) {
            return;
        }
        let before = self.table.changes_so_far();
        if let Some(host) = self.hosts.get_mut(&key.host) {
            host.last_seen = Some(observation.time);
        }
        if let Some(endpoint) = self.endpoint_mut(key).filter(|_| !evidence.periodic) {
            endpoint.unannounced.announced(&key.host, &observation.facts);
        }
        for fact in observation.facts {
            self.apply(evidence, key, fact);
        }
        let found = if evidence.periodic { self.table.changes_from(before) } else { Vec::new() };
        if let Some(endpoint) = self.endpoint_mut(key) {
            endpoint.missed_events += endpoint.unannounced.found(&found, evidence.now);
            endpoint.missed_events += endpoint.unannounced.missed(evidence.now);
        }
    }

    pub(super) fn apply(&mut self, evidence: &Evidence, key: &EndpointKey, fact: Fact) {
        match fact {
            Fact::Host(facts) => {
                if let Some(host) = self.hosts.get_mut(&key.host) {
                    host.note_identity(&facts.host_uuid);
                }
                if let Some(endpoint) = self.endpoint_mut(key) {
                    endpoint.host = Some(*facts);
                }
                self.refresh_host(evidence, &key.host);
            }
            Fact::Hypervisor(facts) => {
                if let Some(endpoint) = self.endpoint_mut(key) {
                    endpoint.hypervisor = *facts;
                }
                self.refresh_hypervisor(evidence, key);
            }
            Fact::HostDevices(facts) => {
                if let Some(host) = self.hosts.get_mut(&key.host) {
                    host.devices = *facts;
                }
                self.refresh_host(evidence, &key.host);
            }
            Fact::HostStatistics(facts) => {
                if let Some(host) = self.hosts.get_mut(&key.host) {
                    host.statistics = *facts;
                }
                self.dirty_hosts.insert(key.host.clone());
            }
            Fact::Machine(facts) => self.observe_machine(evidence, key, *facts),
            Fact::MachineState(facts) => {
                let uuid = facts.uuid;
                if self.machines.observe_state(key, evidence, facts) {
                    self.refresh_machine(evidence, uuid);
                }
            }
            Fact::MachineStatistics(facts) => {
                let uuid = facts.uuid;
                if self.machines.observe_statistics(key, facts) {
                    self.refresh_machine(evidence, uuid);
                }
            }
            Fact::MachineControl { uuid, control } => {
                if self.machines.observe_control(key, uuid, control) {
                    self.refresh_machine(evidence, uuid);
                }
            }
            Fact::MachineGone { uuid, cause } => self.lose_machine(evidence, key, uuid, cause),
            Fact::StoragePool(facts) => self.observe_pool(evidence, key, *facts),
            Fact::StoragePoolGone(pool) => self.lose_pool(evidence, key, &pool),
            // No state of the inventory: the engine hands it to fault management.
            Fact::Incident(_) => {}
            Fact::Network(network) => {
                let name = network.display_name.clone();
                if self.networks.observe(key, evidence, *network) {
                    self.refresh_network(evidence, &key.host, &name);
                }
            }
            Fact::NetworkGone(network) => self.lose_network(evidence, key, &network),
            Fact::ListComplete { kind, present } => self.lose_absent(evidence, key, kind, &present),
        }
    }

    pub(super) fn lose_absent(
        &mut self,
        evidence: &Evidence,
        key: &EndpointKey,
        kind: ListedKind,
        present: &BTreeSet<String>,
    ) {
        match kind {
            ListedKind::Machines => {
                for uuid in self.machines.known_at(key) {
                    if !present.contains(&uuid.to_string()) {
                        self.lose_machine(evidence, key, uuid, GoneCause::Unknown);
                    }
                }
            }
            ListedKind::StoragePools => {
                for pool in self.storage.known_at(key).into_iter().filter(|pool| !present.contains(pool)) {
                    self.lose_pool(evidence, key, &pool);
                }
            }
            ListedKind::Networks => {
                for network in self.networks.known_at(key).into_iter().filter(|name| !present.contains(name)) {
                    self.lose_network(evidence, key, &network);
                }
            }
        }
    }

    /// Replaces the annotations of an object; false if there is none.
    pub fn annotate(&mut self, evidence: &Evidence, name: &Name, mut annotations: Annotations) -> bool {
        let Some(object) = self.table.get(name).cloned() else { return false };
        let mut state = object.state.clone();
        if let Body::VirtualMachine(vm) = &object.body {
            self.update_expectation(&mut annotations, vm, !state.unknown, evidence.now);
        }
        if matches!(object.class(), ObjectClass::VirtualMachine | ObjectClass::StoragePool | ObjectClass::Network) {
            state.administrative =
                machine_state::administrative(annotations.expectation.map(|setting| setting.expected));
        }
        if object.class() == ObjectClass::Host {
            state.administrative = Some(machine_state::locked_by(annotations.maintenance.as_ref()));
        }
        self.table.put(evidence, name, state, annotations, object.body.clone());
        true
    }

    /// Keeps a record beside the resources (an alarm, a rule about alarms) and numbers its change.
    pub fn put_record(&mut self, evidence: &Evidence, name: &Name, body: Body) {
        self.table.put(evidence, name, ResourceState::default(), Annotations::default(), body);
    }

    /// Removes a record.
    pub fn remove_record(&mut self, evidence: &Evidence, name: &Name) {
        self.table.remove(evidence, name);
    }

    /// Records as they are.
    pub fn records(&self) -> Vec<Arc<Object>> {
        ObjectClass::RECORDS.into_iter().flat_map(|class| self.table.of_class(class)).collect()
    }

    /// Hosts that settings files own, now or when the store was last written.
    pub fn file_hosts(&self) -> BTreeSet<HostId> {
        let stored = self.table.of_class(ObjectClass::Host).into_iter().filter_map(|object| match &object.body {
            Body::Host(host) if host.origin == HostOrigin::File => object.name.host_id(),
            _ => None,
        });
        stored.collect()
    }

    /// Owner of a host's registration, if it is registered.
    pub fn origin_of(&self, host: &HostId) -> Option<HostOrigin> {
        self.hosts.get(host).map(|source| source.registration.origin)
    }
}
