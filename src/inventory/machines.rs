//! Machines: instances by endpoint, and the one object made of them.

use super::facts::Evidence;
use crate::model::host::EndpointKey;
use crate::model::observation::{GoneCause, MachineFacts, MachineStateFacts, MachineStatistics};
use crate::model::virtual_machine::{
    ControlState, RunState, RunStateReason, Snapshot, VirtualMachine, VmDefinition, VmInstance, VmVolatile,
};
use crate::model::{Annotations, ChangeSource, HostId, Timestamp, Volatile};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;
use uuid::Uuid;

/// A machine that was running and is found missing, or was migrated away, is kept for ten seconds:
/// the other host's word usually comes within milliseconds, and it must not be deleted and made anew.
pub(super) const DEPARTURE_HOLD: Duration = Duration::from_secs(10);

/// A machine as one endpoint knows it.
#[derive(Clone, Debug)]
pub(super) struct Instance {
    pub(super) state: MachineStateFacts,
    pub(super) persistent: bool,
    pub(super) autostart: bool,
    pub(super) definition: Arc<VmDefinition>,
    /// Of the sources of the definition's disks.
    disks_digest: String,
    pub(super) unread: String,
    pub(super) labels: BTreeMap<String, String>,
    pub(super) snapshots: Vec<Snapshot>,
    pub(super) control: ControlState,
    pub(super) statistics: Option<Box<MachineStatistics>>,
    pub(super) started: Option<Timestamp>,
    /// When the reading of the present state began.
    pub(super) read: Timestamp,
    /// False while its endpoint is not connected: the state is the last known.
    pub(super) fresh: bool,
}

/// Everything known of one UUID.
#[derive(Clone, Debug, Default)]
pub(super) struct Machine {
    pub(super) instances: BTreeMap<EndpointKey, Instance>,
    /// Set while no endpoint knows it and it may still turn up elsewhere.
    pub(super) departed: Option<Departure>,
    /// What it counts for in its host's allocation.
    pub(super) counted: Option<(HostId, u64, u64)>,
}

/// A machine that is nowhere, for the time being.
#[derive(Clone, Copy, Debug)]
pub(super) struct Departure {
    /// How long it is waited for.
    deadline: Timestamp,
    /// How it was found missing: its removal will say so too.
    source: ChangeSource,
}

/// All machines.
#[derive(Debug, Default)]
pub(super) struct Machines {
    pub(super) by_uuid: HashMap<Uuid, Machine>,
    /// Machines by endpoint, to find what is missing.
    pub(super) at: HashMap<EndpointKey, BTreeSet<Uuid>>,
    /// Annotations that take effect with the machine's next change.
    pub(super) pending_annotations: HashMap<Uuid, Annotations>,
}

impl Machines {
    /// Takes a full reading of a machine; false if an older one must not overwrite.
    pub(super) fn observe(&mut self, key: &EndpointKey, evidence: &Evidence, facts: MachineFacts) -> bool {
        let uuid = facts.state.uuid;
        let machine = self.by_uuid.entry(uuid).or_default();
        if machine.instances.get(key).is_some_and(|former| former.fresh && former.read > evidence.read) {
            return false;
        }
        let former = machine.instances.remove(key);
        if machine.departed.take().is_some() {
            // It turned up: what was kept of where it left is no instance any more.
            machine.instances.clear();
        }
        let former = former.as_ref();
        let (definition, unread) = match facts.definition {
            Ok(definition) => (definition, String::new()),
            // The last readable definition is better than none.
            Err(reason) => (former.map(|former| Arc::clone(&former.definition)).unwrap_or_default(), reason),
        };
        let definition = share(former, definition);
        let disks_digest = match former.filter(|former| Arc::ptr_eq(&former.definition, &definition)) {
            Some(former) => former.disks_digest.clone(),
            None => disks_digest(&definition),
        };
        let mut instance = Instance {
            persistent: facts.persistent,
            autostart: facts.autostart,
            definition,
            disks_digest,
            unread,
            labels: facts.labels,
            snapshots: facts.snapshots.unwrap_or_else(|| former.map(|old| old.snapshots.clone()).unwrap_or_default()),
            control: former.map(|former| former.control).unwrap_or_default(),
            statistics: former.and_then(|former| former.statistics.clone()),
            started: former.and_then(|former| former.started),
            state: former.map(|former| former.state.clone()).unwrap_or_default(),
            read: evidence.read,
            fresh: true,
        };
        instance.move_to(facts.state, evidence, former.is_some());
        machine.instances.insert(key.clone(), instance);
        self.at.entry(key.clone()).or_default().insert(uuid);
        true
    }

    /// Takes a reading of the state alone; false if the machine is not known there or it is older.
    pub(super) fn observe_state(&mut self, key: &EndpointKey, evidence: &Evidence, state: MachineStateFacts) -> bool {
        let Some(machine) = self.by_uuid.get_mut(&state.uuid) else { return false };
        let Some(instance) = machine.instances.get_mut(key) else { return false };
        if instance.fresh && instance.read > evidence.read {
            return false;
        }
        machine.departed = None;
        self.at.entry(key.clone()).or_default().insert(state.uuid);
        instance.read = evidence.read;
        instance.fresh = true;
        instance.move_to(state, evidence, true);
        true
    }

    /// Takes moving figures; false if the machine is not known there.
    pub(super) fn observe_statistics(&mut self, key: &EndpointKey, statistics: Box<MachineStatistics>) -> bool {
        let Some(instance) = self.instance(key, statistics.uuid) else { return false };
        instance.statistics = Some(statistics);
        true
    }

    /// Takes the verdict on the hypervisor process; false if nothing changed.
    pub(super) fn observe_control(&mut self, key: &EndpointKey, uuid: Uuid, control: ControlState) -> bool {
        let Some(instance) = self.instance(key, uuid) else { return false };
        std::mem::replace(&mut instance.control, control) != control
    }

    /// A machine ended without order and leaves; true if it is known there.
    pub(super) fn fail(&mut self, key: &EndpointKey, uuid: Uuid) -> bool {
        let Some(instance) = self.instance(key, uuid) else { return false };
        instance.state.run_state = RunState::Off;
        instance.state.reason = RunStateReason::Failed;
        true
    }

    fn instance(&mut self, key: &EndpointKey, uuid: Uuid) -> Option<&mut Instance> {
        self.by_uuid.get_mut(&uuid)?.instances.get_mut(key)
    }

    /// An endpoint does not know a machine (any more); true if something changed.
    pub(super) fn lose(&mut self, key: &EndpointKey, uuid: Uuid, cause: GoneCause, evidence: &Evidence) -> bool {
        let Some(machine) = self.by_uuid.get_mut(&uuid) else { return false };
        if machine.instances.get(key).is_none_or(|instance| instance.fresh && instance.read > evidence.read) {
            return false;
        }
        let Some(instance) = machine.instances.remove(key) else { return false };
        if let Some(here) = self.at.get_mut(key) {
            here.remove(&uuid);
        }
        if !machine.instances.is_empty() {
            return true;
        }
        let may_return = match cause {
            GoneCause::Removed | GoneCause::Failed => false,
            GoneCause::Migrated => true,
            GoneCause::Unknown => instance.state.run_state.is_active(),
        };
        if may_return {
            // Kept as it was last seen, so that its object stays whole while we wait.
            let stale = Instance { fresh: false, ..instance };
            machine.instances.insert(key.clone(), stale);
            let deadline = evidence.now.plus(DEPARTURE_HOLD);
            machine.departed = Some(Departure { deadline, source: evidence.source });
        }
        true
    }

    /// Machines whose wait is over, and how they were found missing.
    pub(super) fn overdue(&self, now: Timestamp) -> Vec<(Uuid, ChangeSource)> {
        let due = |machine: &Machine| machine.departed.filter(|departure| departure.deadline <= now);
        self.by_uuid.iter().filter_map(|(uuid, machine)| Some((*uuid, due(machine)?.source))).collect()
    }

    /// Machines an endpoint knows.
    pub(super) fn known_at(&self, key: &EndpointKey) -> Vec<Uuid> {
        self.at.get(key).map(|uuids| uuids.iter().copied().collect()).unwrap_or_default()
    }

    /// Machines that have an instance at an endpoint, lost ones included.
    pub(super) fn mark_stale(&mut self, key: &EndpointKey) -> Vec<Uuid> {
        let uuids = self.known_at(key);
        for uuid in &uuids {
            if let Some(instance) = self.instance(key, *uuid) {
                instance.fresh = false;
            }
        }
        uuids
    }
}

/// The former definition if nothing changed in it, so that equal ones are held once.
fn share(former: Option<&Instance>, definition: Arc<VmDefinition>) -> Arc<VmDefinition> {
    match former {
        Some(former) if former.definition == definition => Arc::clone(&former.definition),
        _ => definition,
    }
}

impl Instance {
    /// The instance that an object from the store was made of.
    pub(super) fn restored(vm: &VirtualMachine, name: &str, run_state: RunState, snapshots: Vec<Snapshot>) -> Self {
        Self {
            state: MachineStateFacts {
                uuid: vm.uuid,
                display_name: name.to_owned(),
                run_state,
                reason: vm.run_state_reason,
                incarnation: vm.volatile.incarnation,
            },
            persistent: vm.persistent,
            autostart: vm.autostart,
            definition: Arc::clone(&vm.definition),
            disks_digest: disks_digest(&vm.definition),
            unread: vm.definition_unread.clone(),
            labels: vm.source_labels.clone(),
            snapshots,
            control: ControlState::Unknown,
            statistics: None,
            started: vm.volatile.start_time,
            read: vm.volatile.observed,
            fresh: false,
        }
    }

    /// Goes to a new state; a new incarnation starts its figures anew.
    fn move_to(&mut self, state: MachineStateFacts, evidence: &Evidence, known_before: bool) {
        let restarted = state.incarnation != self.state.incarnation;
        if !state.run_state.is_active() {
            self.started = None;
            self.statistics = None;
            self.control = ControlState::Unknown;
        } else if restarted || self.started.is_none() {
            self.statistics = None;
            // A start that was not witnessed has no known time.
            self.started = (known_before && restarted && !evidence.periodic).then_some(evidence.now);
        }
        self.state = state;
    }

    /// How much this instance is *the* machine: known before lost, active before off.
    fn rank(&self) -> (u8, bool) {
        let activity = match self.state.run_state {
            RunState::Running | RunState::Blocked => 5,
            RunState::ShuttingDown => 4,
            RunState::Suspended | RunState::Paused => 3,
            RunState::Crashed => 2,
            RunState::Off => 1,
            RunState::Unknown => 0,
        };
        (activity, self.fresh)
    }
}

/// Digest of the sources of a machine's disks: instances with equal ones share data.
fn disks_digest(definition: &VmDefinition) -> String {
    let mut sources: Vec<&str> = definition.disks.iter().map(|disk| disk.source.as_str()).collect();
    sources.retain(|source| !source.is_empty());
    sources.sort_unstable();
    crate::model::name::digest16(&sources.join("\n"))
}

impl Machine {
    /// The instance that stands for the machine: the most active one, a known one before a lost
    /// one, then the one at `current`, then the first.
    pub(super) fn primary(&self, current: Option<&HostId>) -> Option<(&EndpointKey, &Instance)> {
        self.instances.iter().max_by_key(|(key, instance)| (instance.rank(), current == Some(&key.host)))
    }

    /// The machine as it is served.
    pub(super) fn body(
        &self,
        uuid: Uuid,
        current: Option<&HostId>,
        backing_sources: Vec<String>,
    ) -> Option<VirtualMachine> {
        let (key, primary) = self.primary(current)?;
        let mut defined_on: Vec<HostId> = self.instances.keys().map(|key| key.host.clone()).collect();
        defined_on.dedup();
        let mut snapshot_names: Vec<String> =
            primary.snapshots.iter().map(|snapshot| snapshot.display_name.clone()).collect();
        snapshot_names.sort();
        Some(VirtualMachine {
            uuid,
            display_name: primary.state.display_name.clone(),
            host: Some(key.host.clone()),
            defined_on,
            instances: self.instances.iter().map(|(key, instance)| served_instance(key, instance)).collect(),
            run_state: primary.state.run_state,
            run_state_reason: primary.state.reason,
            control_state: if primary.control.is_trouble() { primary.control } else { ControlState::Unknown },
            technology: key.technology.clone(),
            persistent: primary.persistent,
            autostart: primary.autostart,
            definition: Arc::clone(&primary.definition),
            definition_unread: primary.unread.clone(),
            snapshot_names,
            backing_sources,
            source_labels: primary.labels.clone(),
            volatile: Volatile(moving(primary)),
        })
    }
}

fn served_instance(key: &EndpointKey, instance: &Instance) -> VmInstance {
    VmInstance {
        host: key.host.clone(),
        technology: key.technology.clone(),
        display_name: instance.state.display_name.clone(),
        run_state: instance.state.run_state,
        disks_digest: instance.disks_digest.clone(),
    }
}

fn moving(instance: &Instance) -> VmVolatile {
    let mut volatile = VmVolatile {
        observed: instance.read,
        start_time: instance.started,
        incarnation: instance.state.incarnation,
        control_state: instance.control,
        ..VmVolatile::default()
    };
    if let Some(statistics) = &instance.statistics {
        volatile.cpu_time_ns = statistics.cpu_time_ns;
        volatile.memory_actual_bytes = statistics.memory_actual_bytes;
        volatile.memory_rss_bytes = statistics.memory_rss_bytes;
        volatile.disks = statistics.disks.clone();
        volatile.nics = statistics.nics.clone();
        volatile.statistics_partial = statistics.partial;
    }
    volatile
}
