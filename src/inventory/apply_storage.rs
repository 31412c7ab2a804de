//! Pools, volumes, backings and images: facts applied, objects made.

use super::core::Inventory;
use super::facts::Evidence;
use super::storage::PoolSource;
use crate::model::annotation::{Expectation, ExpectationOrigin, ExpectationSetting};
use crate::model::host::EndpointKey;
use crate::model::observation::PoolFacts;
use crate::model::state::{ResourceState, UsageState};
use crate::model::virtual_machine::VirtualMachine;
use crate::model::{Annotations, Body, HostId, Name, ObjectClass, Volatile};

impl Inventory {
    pub(super) fn observe_pool(&mut self, evidence: &Evidence, key: &EndpointKey, facts: PoolFacts) {
        let name = facts.pool.display_name.clone();
        let filesystems = self.filesystems(&key.host);
        if self.storage.observe(key, evidence, facts, &filesystems, self.settings.overcommit.storage) {
            self.refresh_pool(evidence, &key.host, &name);
        }
    }

    pub(super) fn lose_pool(&mut self, evidence: &Evidence, key: &EndpointKey, pool: &str) {
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

    pub(super) fn refresh_pool(&mut self, evidence: &Evidence, host: &HostId, pool: &str) {
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

    pub(super) fn refresh_volumes(
        &mut self,
        evidence: &Evidence,
        pool: &Name,
        source: &PoolSource,
        state: &ResourceState,
    ) {
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

    pub(super) fn with_expectation(&self, name: &Name, running: bool, fresh: bool) -> Annotations {
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

    pub(super) fn move_backing(&mut self, evidence: &Evidence, former: Option<&str>, source: &str, pool: &Name) {
        if let Some(former) = former.filter(|former| *former != source) {
            self.leave_backing(evidence, former, pool);
        }
        if !source.is_empty() {
            self.storage.backings.entry(source.to_owned()).or_default().pools.insert(pool.clone());
            self.refresh_backing(evidence, source);
        }
    }

    pub(super) fn refresh_backings(
        &mut self,
        evidence: &Evidence,
        name: &Name,
        former: Option<Vec<String>>,
        vm: &VirtualMachine,
    ) {
        let former = former.unwrap_or_default();
        // Nothing moved: it is a user of these already.
        if former == vm.backing_sources {
            return;
        }
        for gone in former.iter().filter(|source| !vm.backing_sources.contains(source)) {
            self.leave_backing(evidence, gone, name);
        }
        for source in &vm.backing_sources {
            let users = self.storage.backings.entry(source.clone()).or_default();
            if users.machines.insert(name.clone()) {
                self.touch_backing(evidence, source);
            }
        }
    }

    pub(super) fn leave_backing(&mut self, evidence: &Evidence, source: &str, user: &Name) {
        let Some(users) = self.storage.backings.get_mut(source) else { return };
        users.pools.remove(user);
        users.machines.remove(user);
        if users.pools.is_empty() && users.machines.is_empty() {
            self.storage.backings.remove(source);
            self.table.remove(evidence, &Name::storage_backing(source));
        } else {
            self.touch_backing(evidence, source);
        }
    }

    /// The users of a backing changed: a new one is made at once, a known one with the next tick.
    fn touch_backing(&mut self, evidence: &Evidence, source: &str) {
        if self.table.get(&Name::storage_backing(source)).is_none() {
            self.refresh_backing(evidence, source);
        } else {
            self.dirty_backings.insert(source.to_owned(), evidence.source);
        }
    }

    /// Makes the backings anew whose users changed since the last call.
    pub(super) fn refresh_touched_backings(&mut self, evidence: &Evidence) {
        for (backing, source) in std::mem::take(&mut self.dirty_backings) {
            self.refresh_backing(&Evidence { source, ..*evidence }, &backing);
        }
    }

    pub(super) fn refresh_backing(&mut self, evidence: &Evidence, source: &str) {
        let Some(users) = self.storage.backings.get(source) else { return };
        let hosts = users.machines.iter().filter_map(|name| self.machine_host(name)).collect();
        let Some(backing) = self.storage.backing(source, hosts, self.settings.overcommit.storage) else { return };
        let name = Name::storage_backing(source);
        let annotations = self.table.annotations(&name);
        let state = ResourceState::enabled(UsageState::Active);
        self.table.put(evidence, &name, state, annotations, Body::StorageBacking(Box::new(backing)));
    }

    pub(super) fn machine_host(&self, name: &Name) -> Option<HostId> {
        self.table.get(name).and_then(|object| object.host())
    }

    pub(super) fn refresh_images(&mut self, evidence: &Evidence) {
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
}
