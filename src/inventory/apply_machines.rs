//! Machines and their snapshots: facts applied, objects made of instances.

use super::core::Inventory;
use super::facts::Evidence;
use super::machine_state::{self, resource_state};
use super::storage::disk_backings;
use crate::model::host::{EndpointKey, HostFilesystem};
use crate::model::observation::{GoneCause, MachineFacts};
use crate::model::state::{ResourceState, StateReason, UsageState};
use crate::model::virtual_machine::{Snapshot, VirtualMachine};
use crate::model::{Annotations, Body, HostId, Name, Object, Timestamp};
use uuid::Uuid;

impl Inventory {
    pub(super) fn observe_machine(&mut self, evidence: &Evidence, key: &EndpointKey, facts: MachineFacts) {
        let uuid = facts.state.uuid;
        if self.machines.observe(key, evidence, facts) {
            self.refresh_machine(evidence, uuid);
        }
    }

    pub(super) fn lose_machine(&mut self, evidence: &Evidence, key: &EndpointKey, uuid: Uuid, cause: GoneCause) {
        if cause == GoneCause::Failed && self.machines.fail(key, uuid) {
            // Its last state says why it goes: otherwise a crash would look like an ordinary removal.
            self.refresh_machine(evidence, uuid);
        }
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

    pub(super) fn forget_machine(&mut self, evidence: &Evidence, uuid: Uuid) {
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

    pub(super) fn served_machine(&self, name: &Name) -> Option<VirtualMachine> {
        match self.table.get(name).map(|object| &object.body) {
            Some(Body::VirtualMachine(vm)) => Some((**vm).clone()),
            _ => None,
        }
    }

    pub(super) fn filesystems(&self, host: &HostId) -> Vec<HostFilesystem> {
        let Some(source) = self.hosts.get(host) else { return Vec::new() };
        match (&source.devices.filesystems, &source.remembered) {
            (Some(filesystems), _) => filesystems.clone(),
            (None, Some(remembered)) => remembered.filesystems.clone(),
            (None, None) => Vec::new(),
        }
    }

    /// Makes a machine's object of its instances.
    pub(super) fn refresh_machine(&mut self, evidence: &Evidence, uuid: Uuid) {
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

    pub(super) fn update_expectation(
        &self,
        annotations: &mut Annotations,
        vm: &VirtualMachine,
        fresh: bool,
        now: Timestamp,
    ) {
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
    pub(super) fn unknown_reason(&self, key: &EndpointKey) -> StateReason {
        self.endpoint(key)
            .and_then(|endpoint| endpoint.unknown.clone())
            .unwrap_or_else(|| StateReason::code(StateReason::NOT_YET_SEEN))
    }

    /// Keeps the allocation of hosts in step with one machine.
    pub(super) fn account(&mut self, uuid: Uuid, vm: Option<&VirtualMachine>) {
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

    pub(super) fn refresh_snapshots(
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
            // A snapshot has no moving values: one that is the same need not be told anew with every move of its machine.
            if self.table.get(&name).is_some_and(|known| is_same(known, &state, &snapshot)) {
                continue;
            }
            let annotations = self.table.annotations(&name);
            self.table.put(evidence, &name, state, annotations, Body::Snapshot(Box::new(snapshot)));
        }
    }
}

fn is_same(known: &Object, state: &ResourceState, snapshot: &Snapshot) -> bool {
    known.state == *state && matches!(&known.body, Body::Snapshot(body) if **body == *snapshot)
}

fn with_unknown(mut state: ResourceState, of: &ResourceState) -> ResourceState {
    state.unknown = of.unknown;
    if of.unknown {
        state.reason = of.reason.clone();
    }
    state
}
