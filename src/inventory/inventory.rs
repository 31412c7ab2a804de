//! The inventory as a whole: facts are applied here, and objects are made of what is known.

use super::facts::{Evidence, InventorySettings, LinkStanding};
use super::hosts::{Allocation, EndpointSource, HostSource, reason_code};
use super::machine_state::{self, resource_state};
use super::machines::Machines;
use super::networks::Networks;
use super::restore;
use super::storage::{PoolSource, Storage, disk_backings};
use super::table::{Effects, Table};
use crate::model::annotation::{Expectation, ExpectationOrigin, ExpectationSetting};
use crate::model::capacity::Capacity;
use crate::model::host::{Cluster, ClusterVolatile, EndpointKey, HostFilesystem};
use crate::model::object::Tombstone;
use crate::model::observation::{Fact, GoneCause, HypervisorFacts, ListedKind, MachineFacts, Observation, PoolFacts};
use crate::model::registration::{HostOrigin, HostRegistration, Profile};
use crate::model::state::{ResourceState, StateReason, UsageState};
use crate::model::virtual_machine::VirtualMachine;
use crate::model::{Annotations, Body, ChangeSource, HostId, Name, Object, ObjectClass, Timestamp, Volatile};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;
use uuid::Uuid;

/// All managed objects and where they come from.
#[derive(Debug, Default)]
pub struct Inventory {
    settings: InventorySettings,
    table: Table,
    hosts: BTreeMap<HostId, HostSource>,
    machines: Machines,
    storage: Storage,
    networks: Networks,
    allocations: HashMap<HostId, Allocation>,
    /// Hosts whose moving values need to be made anew.
    dirty_hosts: BTreeSet<HostId>,
    images_dirty: bool,
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

    // --- hosts -----------------------------------------------------------------------------

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

    fn drop_endpoint(&mut self, evidence: &Evidence, key: &EndpointKey) {
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
    fn all_only_last_known(&mut self, evidence: &Evidence, key: &EndpointKey) {
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

    fn take_back_adoption(&mut self, uuid: Uuid, now: Timestamp) {
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

    fn endpoint_mut(&mut self, key: &EndpointKey) -> Option<&mut EndpointSource> {
        self.hosts.get_mut(&key.host)?.endpoints.get_mut(&key.technology)
    }

    fn endpoint(&self, key: &EndpointKey) -> Option<&EndpointSource> {
        self.hosts.get(&key.host)?.endpoints.get(&key.technology)
    }

    // --- facts -----------------------------------------------------------------------------

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
        for fact in observation.facts {
            self.apply(evidence, key, fact);
        }
        let found = (self.table.changes_so_far() - before) as u64;
        if let Some(endpoint) = self.endpoint_mut(key).filter(|_| evidence.periodic && found > 0) {
            endpoint.missed_events += found;
        }
    }

    fn apply(&mut self, evidence: &Evidence, key: &EndpointKey, fact: Fact) {
        match fact {
            Fact::Host(facts) => {
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

    fn lose_absent(&mut self, evidence: &Evidence, key: &EndpointKey, kind: ListedKind, present: &BTreeSet<String>) {
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

    // --- machines --------------------------------------------------------------------------

    fn observe_machine(&mut self, evidence: &Evidence, key: &EndpointKey, facts: MachineFacts) {
        let uuid = facts.state.uuid;
        if self.machines.observe(key, evidence, facts) {
            self.refresh_machine(evidence, uuid);
        }
    }

    fn lose_machine(&mut self, evidence: &Evidence, key: &EndpointKey, uuid: Uuid, cause: GoneCause) {
        if !self.machines.lose(key, uuid, cause, evidence) {
            return;
        }
        match self.machines.by_uuid.get(&uuid) {
            // Waiting for another host's word: the object stays as it is.
            Some(machine) if machine.departed.is_some() => {}
            Some(machine) if !machine.instances.is_empty() => self.refresh_machine(evidence, uuid),
            _ => self.forget_machine(evidence, uuid),
        }
    }

    fn forget_machine(&mut self, evidence: &Evidence, uuid: Uuid) {
        let name = Name::virtual_machine(uuid);
        self.account(uuid, None);
        self.machines.by_uuid.remove(&uuid);
        self.machines.pending_annotations.remove(&uuid);
        if let Some(vm) = self.served_machine(&name) {
            for snapshot in &vm.snapshot_names {
                self.table.remove(evidence, &Name::snapshot(uuid, snapshot));
            }
            for source in &vm.backing_sources {
                self.leave_backing(evidence, source, &name);
            }
        }
        self.table.remove(evidence, &name);
    }

    fn served_machine(&self, name: &Name) -> Option<VirtualMachine> {
        match self.table.get(name).map(|object| &object.body) {
            Some(Body::VirtualMachine(vm)) => Some((**vm).clone()),
            _ => None,
        }
    }

    fn filesystems(&self, host: &HostId) -> Vec<HostFilesystem> {
        let Some(source) = self.hosts.get(host) else { return Vec::new() };
        match (&source.devices.filesystems, &source.remembered) {
            (Some(filesystems), _) => filesystems.clone(),
            (None, Some(remembered)) => remembered.filesystems.clone(),
            (None, None) => Vec::new(),
        }
    }

    /// Makes a machine's object of its instances.
    fn refresh_machine(&mut self, evidence: &Evidence, uuid: Uuid) {
        let name = Name::virtual_machine(uuid);
        let former = self.table.get(&name).cloned();
        let former_vm = former.as_ref().and_then(|object| match &object.body {
            Body::VirtualMachine(vm) => Some(vm),
            _ => None,
        });
        let current = former_vm.and_then(|vm| vm.host.clone());
        let Some(machine) = self.machines.by_uuid.get(&uuid) else { return };
        let Some((key, primary)) = machine.primary(current.as_ref()) else { return };
        let reuse = former_vm.filter(|vm| vm.definition == primary.definition && vm.host.as_ref() == Some(&key.host));
        let backings = match reuse {
            Some(vm) if !vm.backing_sources.is_empty() => vm.backing_sources.clone(),
            _ => disk_backings(&key.host, &primary.definition.disks, &self.storage, &self.filesystems(&key.host)),
        };
        let key = key.clone();
        let fresh = primary.fresh;
        let Some(vm) = machine.body(uuid, current.as_ref(), backings) else { return };
        let mut annotations = match self.machines.pending_annotations.remove(&uuid) {
            Some(annotations) => annotations,
            None => self.table.annotations(&name),
        };
        self.update_expectation(&mut annotations, &vm, fresh, evidence.now);
        let expected = annotations.expectation.map(|setting| setting.expected);
        let mut state = resource_state(vm.run_state, vm.run_state_reason, vm.control_state, expected);
        if !fresh {
            state.unknown = true;
            state.reason = self.unknown_reason(&key);
        }
        self.account(uuid, Some(&vm));
        self.refresh_backings(evidence, &name, former_vm.map(|vm| vm.backing_sources.clone()), &vm);
        self.refresh_snapshots(evidence, uuid, &key, former_vm.map(|vm| vm.snapshot_names.clone()), &state);
        self.table.put(evidence, &name, state, annotations, Body::VirtualMachine(Box::new(vm)));
    }

    fn update_expectation(&self, annotations: &mut Annotations, vm: &VirtualMachine, fresh: bool, now: Timestamp) {
        let label = annotations.labels.get(crate::model::annotation::EXPECT_LABEL);
        let label = label.or_else(|| vm.source_labels.get(crate::model::annotation::EXPECT_LABEL)).cloned();
        if fresh {
            annotations.expectation = machine_state::expectation(
                annotations.expectation,
                label.as_deref(),
                vm.run_state,
                vm.run_state_reason,
                self.settings.outside_changes,
                now,
            );
        }
    }

    /// Why something read through an endpoint is not known.
    fn unknown_reason(&self, key: &EndpointKey) -> StateReason {
        self.endpoint(key)
            .and_then(|endpoint| endpoint.unknown.clone())
            .unwrap_or_else(|| StateReason::code(StateReason::NOT_YET_SEEN))
    }

    /// Keeps the allocation of hosts in step with one machine.
    fn account(&mut self, uuid: Uuid, vm: Option<&VirtualMachine>) {
        let counted = vm.filter(|vm| vm.run_state.is_active()).and_then(|vm| {
            let host = vm.host.clone()?;
            Some((host, u64::from(vm.definition.vcpus_current), vm.definition.memory_current_bytes))
        });
        let Some(machine) = self.machines.by_uuid.get_mut(&uuid) else { return };
        let former = std::mem::replace(&mut machine.counted, counted.clone());
        if former == counted {
            return;
        }
        if let Some((host, vcpus, memory)) = former {
            let allocation = self.allocations.entry(host.clone()).or_default();
            allocation.machines = allocation.machines.saturating_sub(1);
            allocation.vcpus = allocation.vcpus.saturating_sub(vcpus);
            allocation.memory_bytes = allocation.memory_bytes.saturating_sub(memory);
            self.dirty_hosts.insert(host);
        }
        if let Some((host, vcpus, memory)) = counted {
            let allocation = self.allocations.entry(host.clone()).or_default();
            allocation.machines += 1;
            allocation.vcpus = allocation.vcpus.saturating_add(vcpus);
            allocation.memory_bytes = allocation.memory_bytes.saturating_add(memory);
            self.dirty_hosts.insert(host);
        }
    }

    fn refresh_snapshots(
        &mut self,
        evidence: &Evidence,
        uuid: Uuid,
        key: &EndpointKey,
        former: Option<Vec<String>>,
        machine_state: &ResourceState,
    ) {
        let instance = self.machines.by_uuid.get(&uuid).and_then(|machine| machine.instances.get(key));
        let snapshots = instance.map(|instance| instance.snapshots.clone()).unwrap_or_default();
        for gone in former.unwrap_or_default() {
            if !snapshots.iter().any(|snapshot| snapshot.display_name == gone) {
                self.table.remove(evidence, &Name::snapshot(uuid, &gone));
            }
        }
        for mut snapshot in snapshots {
            let name = Name::snapshot(uuid, &snapshot.display_name);
            snapshot.vm_uuid = uuid;
            snapshot.host = Some(key.host.clone());
            let state = with_unknown(ResourceState::enabled(UsageState::Idle), machine_state);
            let annotations = self.table.annotations(&name);
            self.table.put(evidence, &name, state, annotations, Body::Snapshot(Box::new(snapshot)));
        }
    }

    // --- storage ---------------------------------------------------------------------------

    fn observe_pool(&mut self, evidence: &Evidence, key: &EndpointKey, facts: PoolFacts) {
        let name = facts.pool.display_name.clone();
        let filesystems = self.filesystems(&key.host);
        if self.storage.observe(key, evidence, facts, &filesystems, self.settings.overcommit.storage) {
            self.refresh_pool(evidence, &key.host, &name);
        }
    }

    fn lose_pool(&mut self, evidence: &Evidence, key: &EndpointKey, pool: &str) {
        let Some(source) = self.storage.lose(key, pool) else { return };
        for volume in source.volumes.keys() {
            self.table.remove(evidence, volume);
        }
        let name = Name::storage_pool(&key.host, pool);
        self.leave_backing(evidence, &source.pool.backing_source, &name);
        self.table.remove(evidence, &name);
        self.images_dirty = true;
        self.dirty_hosts.insert(key.host.clone());
    }

    fn refresh_pool(&mut self, evidence: &Evidence, host: &HostId, pool: &str) {
        let name = Name::storage_pool(host, pool);
        let Some(source) = self.storage.pools.get(&(host.clone(), pool.to_owned())).cloned() else { return };
        let running = source.state(None).operational == crate::model::state::OperationalState::Enabled;
        let annotations = self.with_expectation(&name, running, source.fresh);
        let mut state = source.state(annotations.expectation.map(|setting| setting.expected));
        let mut volume_state = source.volume_state();
        if !source.fresh {
            let reason =
                self.unknown_reason(&EndpointKey { host: host.clone(), technology: source.pool.technology.clone() });
            for state in [&mut state, &mut volume_state] {
                state.unknown = true;
                state.reason = reason.clone();
            }
        }
        let former_backing = match self.table.get(&name).map(|object| &object.body) {
            Some(Body::StoragePool(former)) => Some(former.backing_source.clone()),
            _ => None,
        };
        self.move_backing(evidence, former_backing.as_deref(), &source.pool.backing_source, &name);
        self.refresh_volumes(evidence, &name, &source, &volume_state);
        self.table.put(evidence, &name, state, annotations, Body::StoragePool(Box::new(source.pool)));
        self.dirty_hosts.insert(host.clone());
    }

    fn refresh_volumes(&mut self, evidence: &Evidence, pool: &Name, source: &PoolSource, state: &ResourceState) {
        for gone in self.table.volumes_of(pool) {
            if !source.volumes.contains_key(&gone) {
                self.table.remove(evidence, &gone);
                self.images_dirty = true;
            }
        }
        for (name, volume) in &source.volumes {
            let annotations = self.table.annotations(name);
            self.images_dirty |= self.table.get(name).is_none();
            self.table.put(evidence, name, state.clone(), annotations, Body::Volume(Box::new(volume.clone())));
        }
    }

    fn with_expectation(&self, name: &Name, running: bool, fresh: bool) -> Annotations {
        let mut annotations = self.table.annotations(name);
        let observed = if running { Expectation::Running } else { Expectation::Off };
        let strict = annotations.expectation.is_some_and(|setting| setting.origin != ExpectationOrigin::Observed);
        let adopts = self.settings.outside_changes == crate::model::OutsideChanges::Adopt;
        if fresh && !strict && (adopts || annotations.expectation.is_none()) {
            annotations.expectation = Some(ExpectationSetting {
                expected: observed,
                origin: ExpectationOrigin::Observed,
                adopted: Volatile(None),
            });
        }
        annotations
    }

    fn move_backing(&mut self, evidence: &Evidence, former: Option<&str>, source: &str, pool: &Name) {
        if let Some(former) = former.filter(|former| *former != source) {
            self.leave_backing(evidence, former, pool);
        }
        if !source.is_empty() {
            self.storage.backings.entry(source.to_owned()).or_default().pools.insert(pool.clone());
            self.refresh_backing(evidence, source);
        }
    }

    fn refresh_backings(&mut self, evidence: &Evidence, name: &Name, former: Option<Vec<String>>, vm: &VirtualMachine) {
        let former = former.unwrap_or_default();
        for gone in former.iter().filter(|source| !vm.backing_sources.contains(source)) {
            self.leave_backing(evidence, gone, name);
        }
        for source in &vm.backing_sources {
            let users = self.storage.backings.entry(source.clone()).or_default();
            if users.machines.insert(name.clone()) {
                self.refresh_backing(evidence, source);
            }
        }
    }

    fn leave_backing(&mut self, evidence: &Evidence, source: &str, user: &Name) {
        let Some(users) = self.storage.backings.get_mut(source) else { return };
        users.pools.remove(user);
        users.machines.remove(user);
        if users.pools.is_empty() && users.machines.is_empty() {
            self.storage.backings.remove(source);
            self.table.remove(evidence, &Name::storage_backing(source));
        } else {
            self.refresh_backing(evidence, source);
        }
    }

    fn refresh_backing(&mut self, evidence: &Evidence, source: &str) {
        let Some(users) = self.storage.backings.get(source) else { return };
        let hosts = users.machines.iter().filter_map(|name| self.machine_host(name)).collect();
        let Some(backing) = self.storage.backing(source, hosts, self.settings.overcommit.storage) else { return };
        let name = Name::storage_backing(source);
        let annotations = self.table.annotations(&name);
        let state = ResourceState::enabled(UsageState::Active);
        self.table.put(evidence, &name, state, annotations, Body::StorageBacking(Box::new(backing)));
    }

    fn machine_host(&self, name: &Name) -> Option<HostId> {
        self.table.get(name).and_then(|object| object.host())
    }

    fn refresh_images(&mut self, evidence: &Evidence) {
        let images = self.storage.images();
        for object in self.table.of_class(ObjectClass::Image) {
            if !images.contains_key(&object.name) {
                self.table.remove(evidence, &object.name);
            }
        }
        for (name, image) in images {
            let annotations = self.table.annotations(&name);
            let state = ResourceState::enabled(UsageState::Active);
            self.table.put(evidence, &name, state, annotations, Body::Image(Box::new(image)));
        }
    }

    // --- networks --------------------------------------------------------------------------

    fn lose_network(&mut self, evidence: &Evidence, key: &EndpointKey, network: &str) {
        if self.networks.lose(key, network) {
            self.table.remove(evidence, &Name::network(&key.host, network));
        }
    }

    fn refresh_network(&mut self, evidence: &Evidence, host: &HostId, network: &str) {
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

    // --- hosts, cluster, manager -------------------------------------------------------------

    fn refresh_hypervisor(&mut self, evidence: &Evidence, key: &EndpointKey) {
        let Some(endpoint) = self.endpoint(key) else { return };
        let (state, body) = (endpoint.state(), endpoint.body(&key.technology));
        let name = Name::hypervisor(&key.host, &key.technology);
        let annotations = self.table.annotations(&name);
        self.table.put(evidence, &name, state, annotations, Body::Hypervisor(Box::new(body)));
    }

    fn refresh_host(&mut self, evidence: &Evidence, host: &HostId) {
        let Some(source) = self.hosts.get(host) else { return };
        let allocation = self.allocations.get(host).copied().unwrap_or_default();
        let storage = Storage::amount(self.storage.of_host(host), self.settings.overcommit.storage);
        let body = source.body(allocation, storage, &self.settings.overcommit);
        let state = source.state();
        let name = Name::host(host);
        let annotations = self.table.annotations(&name);
        self.table.put(evidence, &name, state, annotations, Body::Host(Box::new(body)));
    }

    fn refresh_top(&mut self, evidence: &Evidence) {
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

    fn cluster_capacity(&self) -> Capacity {
        let overcommit = &self.settings.overcommit;
        let hosts =
            self.hosts.keys().filter_map(|host| match self.table.get(&Name::host(host)).map(|object| &object.body) {
                Some(Body::Host(host)) => Some(host.volatile.capacity),
                _ => None,
            });
        let mut sum = Capacity::default();
        for capacity in hosts {
            sum.vcpus = super::hosts::added(sum.vcpus, capacity.vcpus, overcommit.cpu);
            sum.memory_bytes = super::hosts::added(sum.memory_bytes, capacity.memory_bytes, overcommit.memory);
        }
        sum.storage_bytes = Storage::amount(self.storage.pools.values(), overcommit.storage);
        sum
    }

    /// Does what is due: machines that did not turn up are removed, moving sums are made anew.
    /// To be called about once a second.
    pub fn tick(&mut self, now: Timestamp) {
        let evidence = Evidence { now, read: now, source: ChangeSource::ResourceOperation, periodic: false };
        for uuid in self.machines.overdue(now) {
            self.forget_machine(&evidence, uuid);
        }
        if std::mem::take(&mut self.images_dirty) {
            self.refresh_images(&evidence);
        }
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

    // --- commands --------------------------------------------------------------------------

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
        self.table.put(evidence, name, state, annotations, object.body.clone());
        true
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

fn with_unknown(mut state: ResourceState, of: &ResourceState) -> ResourceState {
    state.unknown = of.unknown;
    if of.unknown {
        state.reason = of.reason.clone();
    }
    state
}
