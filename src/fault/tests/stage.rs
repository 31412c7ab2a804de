//! A small managed world, its clock, and what became of alarms in it.

use crate::fault::{FaultSettings, Hearing, RecordEffect, Sign, Surveillance};
use crate::model::alarm_command::{AlarmAct, AlarmCommand, AlarmRefusal, AlarmTarget};
use crate::model::annotation::{Expectation, ExpectationOrigin, ExpectationSetting};
use crate::model::host::{ConnectionState, Host, HostFilesystem};
use crate::model::incident::{Incident, IncidentKind, IncidentSubject};
use crate::model::relation::Topology;
use crate::model::state::{AdministrativeState, ResourceState, StateReason};
use crate::model::storage::StorageBacking;
use crate::model::virtual_machine::{RunState, RunStateReason, VirtualMachine};
use crate::model::{Actor, Alarm, Annotations, Body, HostId, Name, Object, ObjectClass, Timestamp, Volatile};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use uuid::Uuid;

/// Objects of the world, by name.
#[derive(Default)]
pub(super) struct World(pub(super) BTreeMap<Name, Arc<Object>>);

impl Topology for World {
    fn object(&self, name: &Name) -> Option<Arc<Object>> {
        self.0.get(name).cloned()
    }

    fn objects(&self, class: ObjectClass) -> Vec<Arc<Object>> {
        self.0.values().filter(|object| object.class() == class).cloned().collect()
    }

    fn volume_by_path(&self, _: &HostId, _: &str) -> Option<Name> {
        None
    }
}

/// Surveillance over a world, seen second by second.
pub(super) struct Stage {
    pub(super) world: World,
    pub(super) surveillance: Surveillance,
    pub(super) now: Timestamp,
    /// Every state an alarm record went through, in order; nothing for its removal.
    pub(super) told: Vec<(Name, Option<Alarm>)>,
    pub(super) settings: FaultSettings,
    /// Shelves and profiles as told last.
    rules: BTreeMap<Name, Body>,
    /// Alarms as told last.
    listed: BTreeMap<Name, Alarm>,
}

impl Stage {
    pub(super) fn new() -> Self {
        Self::with(FaultSettings::default())
    }

    pub(super) fn with(settings: FaultSettings) -> Self {
        let now = Timestamp(1_000_000_000);
        let surveillance = Surveillance::restore(settings.clone(), ids(), &[], now);
        Self {
            world: World::default(),
            surveillance,
            now,
            told: Vec::new(),
            settings,
            rules: BTreeMap::new(),
            listed: BTreeMap::new(),
        }
    }

    /// Lets the time pass, doing what becomes due on the way.
    pub(super) fn pass(&mut self, seconds: u64) {
        let end = self.now.plus(Duration::from_secs(seconds));
        while let Some(due) = self.surveillance.next_deadline().filter(|due| *due <= end) {
            self.now = self.now.max(due);
            self.surveillance.tick(&self.world, self.now);
            self.collect();
        }
        self.now = end;
        self.surveillance.tick(&self.world, self.now);
        self.collect();
    }

    /// As the engine: what differs in nothing but moving values is no change.
    fn collect(&mut self) {
        for effect in self.surveillance.take_effects() {
            match effect {
                RecordEffect::Put { name, body: Body::Alarm(alarm) } => {
                    if self.listed.insert(name.clone(), (*alarm).clone()).as_ref() != Some(&*alarm) {
                        self.told.push((name, Some(*alarm)));
                    }
                }
                RecordEffect::Remove { name } => {
                    self.rules.remove(&name);
                    if self.listed.remove(&name).is_some() {
                        self.told.push((name, None));
                    }
                }
                RecordEffect::Put { name, body } => drop(self.rules.insert(name, body)),
            }
        }
    }

    /// What is seen from now on was polled.
    pub(super) fn polled(&mut self) {
        self.surveillance.hear(Hearing::Poll);
    }

    pub(super) fn crossings(&mut self, crossings: &[crate::model::measurement::ThresholdCrossing]) {
        self.surveillance.crossings(crossings, &self.world, self.now);
        self.collect();
    }

    pub(super) fn monitor_ended(&mut self, monitor: &str) {
        self.surveillance.monitor_ended(monitor, &self.world, self.now);
        self.collect();
    }

    pub(super) fn signs(&mut self, signs: Vec<Sign>) {
        self.surveillance.signs(signs, &self.world, self.now);
        self.collect();
    }

    /// Lets an object be read again.
    pub(super) fn see_again(&mut self, name: &Name) {
        if let Some(object) = self.world.0.get(name).cloned() {
            self.surveillance.object_seen(&object, &self.world, self.now);
            self.collect();
        }
    }

    /// A host with an expectation of its maintenance.
    pub(super) fn lock(&mut self, host: &str, locked: bool) {
        let name = Name::host(&host_id(host));
        if let Some(object) = self.world.0.get(&name).cloned() {
            let mut object = (*object).clone();
            let word = if locked { AdministrativeState::Locked } else { AdministrativeState::Unlocked };
            object.state.administrative = Some(word);
            self.world.0.insert(name.clone(), Arc::new(object));
            self.see_again(&name);
        }
    }

    /// Puts an object into the world and lets it be seen.
    pub(super) fn see(&mut self, name: &Name, mut state: ResourceState, annotations: Annotations, body: Body) {
        let former = self.world.0.get(name).filter(|former| former.state == state);
        state.since = former.map_or(Volatile(self.now), |former| former.state.since);
        let object = Object {
            name: name.clone(),
            uid: Uuid::nil(),
            revision: 1,
            created_sequence: 1,
            last_change_sequence: 1,
            create_time: self.now,
            change_time: self.now,
            state,
            annotations,
            body,
        };
        self.world.0.insert(name.clone(), Arc::new(object.clone()));
        self.surveillance.object_seen(&object, &self.world, self.now);
        self.collect();
    }

    /// Takes an object out of the world.
    pub(super) fn lose(&mut self, name: &Name) {
        let Some(object) = self.world.0.remove(name) else { return };
        self.surveillance.object_gone(&object, &self.world, self.now);
        self.collect();
    }

    pub(super) fn host(&mut self, host: &str, connection_state: ConnectionState) {
        let lost = connection_state == ConnectionState::Lost;
        let state = ResourceState {
            unknown: lost,
            reason: StateReason::code(if lost { StateReason::HOST_UNREACHABLE } else { "" }),
            administrative: Some(AdministrativeState::Unlocked),
            ..ResourceState::default()
        };
        let name = Name::host(&host_id(host));
        let held = self.world.0.get(&name).cloned();
        let administrative = held.as_ref().map_or(state.administrative, |held| held.state.administrative);
        let known = held.and_then(|held| match &held.body {
            Body::Host(host) => Some((**host).clone()),
            _ => None,
        });
        let body = Body::Host(Box::new(Host { connection_state, ..known.unwrap_or_default() }));
        let state = ResourceState { administrative, ..state };
        self.see(&name, state, Annotations::default(), body);
        self.known_on(&host_id(host), !lost);
    }

    /// Makes everything on a host unknown or known, as the inventory does.
    fn known_on(&mut self, host: &HostId, known: bool) {
        let machines: Vec<Arc<Object>> = self.world.objects(ObjectClass::VirtualMachine);
        for machine in machines.into_iter().filter(|machine| machine.host().as_ref() == Some(host)) {
            let mut machine = (*machine).clone();
            machine.state.unknown = !known;
            machine.state.reason = StateReason::code(if known { "" } else { StateReason::HOST_UNREACHABLE });
            let name = machine.name.clone();
            self.world.0.insert(name.clone(), Arc::new(machine));
            self.see_again(&name);
        }
    }

    pub(super) fn machine(&mut self, number: u128, host: &str, run_state: RunState, reason: RunStateReason) -> Name {
        let expected = Expectation::Running;
        let annotations = Annotations {
            expectation: Some(ExpectationSetting {
                expected,
                origin: ExpectationOrigin::Operator,
                adopted: Volatile(None),
            }),
            ..Annotations::default()
        };
        self.machine_with(number, host, run_state, reason, annotations)
    }

    pub(super) fn machine_with(
        &mut self,
        number: u128,
        host: &str,
        run_state: RunState,
        reason: RunStateReason,
        annotations: Annotations,
    ) -> Name {
        let uuid = Uuid::from_u128(number);
        let state = ResourceState {
            administrative: match annotations.expectation.map(|setting| setting.expected) {
                Some(Expectation::Off) => Some(AdministrativeState::Locked),
                Some(Expectation::Any) => None,
                _ => Some(AdministrativeState::Unlocked),
            },
            reason: StateReason::code(&format!("{run_state:?} {}", reason.as_str())),
            ..ResourceState::default()
        };
        let vm = VirtualMachine {
            uuid,
            display_name: format!("vm-{number}"),
            host: Some(host_id(host)),
            run_state,
            run_state_reason: reason,
            ..VirtualMachine::default()
        };
        let name = Name::virtual_machine(uuid);
        self.see(&name, state, annotations, Body::VirtualMachine(Box::new(vm)));
        name
    }

    /// Changes what is known of an object and lets it be seen.
    pub(super) fn change(&mut self, name: &Name, change: impl FnOnce(&mut Object)) {
        let mut object = (**self.world.0.get(name).expect("it was seen before")).clone();
        change(&mut object);
        self.see(name, object.state, object.annotations, object.body);
    }

    /// Lets an object be read again as it is.
    pub(super) fn again(&mut self, name: &Name) {
        self.change(name, |_| ());
    }

    pub(super) fn incident(&mut self, host: &str, subject: IncidentSubject, kind: IncidentKind) {
        self.incident_with(host, subject, kind, &[]);
    }

    pub(super) fn incident_with(
        &mut self,
        host: &str,
        subject: IncidentSubject,
        kind: IncidentKind,
        details: &[(&str, &str)],
    ) {
        let details = details.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
        let incident = Incident { time: self.now, subject, kind, details };
        self.surveillance.incident(&host_id(host), &incident, &self.world, self.now);
        self.collect();
    }

    pub(super) fn act(&mut self, name: &Name, act: AlarmAct) -> Result<(), AlarmRefusal> {
        let targets = vec![AlarmTarget { name: name.clone(), etag: String::new() }];
        self.command(AlarmCommand::Act { targets, related: false, act })
    }

    pub(super) fn command(&mut self, command: AlarmCommand) -> Result<(), AlarmRefusal> {
        let actor = Actor { principal: "uid:1000(alice)".into(), ..Actor::default() };
        let mut results = self.surveillance.command(command, &actor, false, &self.world, self.now);
        self.collect();
        results.remove(0).1
    }

    /// Machines on a storage that hosts share, mounted at /mnt, with a disk `vda` each.
    pub(super) fn machine_on(&mut self, number: u128, host: &str, backing: &str, paused: bool) -> Name {
        let uuid = Uuid::from_u128(number);
        let (run_state, run_state_reason) = match paused {
            true => (RunState::Paused, RunStateReason::IoError),
            false => (RunState::Running, RunStateReason::Booted),
        };
        let vm = VirtualMachine {
            uuid,
            display_name: format!("vm-{number}"),
            host: Some(host_id(host)),
            run_state,
            run_state_reason,
            backing_sources: vec![backing.to_owned()],
            ..VirtualMachine::default()
        };
        let name = Name::virtual_machine(uuid);
        let body = Body::VirtualMachine(Box::new(vm));
        self.see(&name, ResourceState::default(), Annotations::default(), body);
        name
    }

    /// A host that mounts `source` at /mnt.
    pub(super) fn host_with_mount(&mut self, host: &str, fs_type: &str, source: &str) -> Name {
        let mount = |mount_point: &str, fs_type: &str, source: &str| HostFilesystem {
            mount_point: mount_point.into(),
            fs_type: fs_type.into(),
            source: source.into(),
            ..HostFilesystem::default()
        };
        let body = Host {
            connection_state: ConnectionState::Connected,
            filesystems: vec![mount("/", "ext4", "/dev/sda1"), mount("/mnt", fs_type, source)],
            ..Host::default()
        };
        let name = Name::host(&host_id(host));
        self.see(&name, ResourceState::default(), Annotations::default(), Body::Host(Box::new(body)));
        Name::new(format!("{name}/filesystems/{}", crate::model::name::encode("/mnt")))
    }

    pub(super) fn backing(&mut self, source: &str) -> Name {
        let body = StorageBacking {
            source: source.to_owned(),
            backing_type: source.split(':').next().unwrap_or_default().to_owned(),
            ..StorageBacking::default()
        };
        let name = Name::storage_backing(source);
        self.see(&name, ResourceState::default(), Annotations::default(), Body::StorageBacking(Box::new(body)));
        name
    }

    /// The last told state of each record that is still listed, ordered by name.
    pub(super) fn list(&self) -> BTreeMap<Name, Alarm> {
        let mut list = BTreeMap::new();
        for (name, alarm) in &self.told {
            match alarm {
                Some(alarm) => drop(list.insert(name.clone(), alarm.clone())),
                None => drop(list.remove(name)),
            }
        }
        list
    }

    /// Types of the active alarms, in order of their ids.
    pub(super) fn active(&self) -> Vec<String> {
        self.list().values().filter(|alarm| alarm.is_active()).map(|alarm| alarm.alarm_type.clone()).collect()
    }

    /// The one listed alarm of a type.
    pub(super) fn the(&self, alarm_type: &str) -> (Name, Alarm) {
        let found: Vec<_> = self.list().into_iter().filter(|(_, alarm)| alarm.alarm_type == alarm_type).collect();
        assert_eq!(found.len(), 1, "{alarm_type} among {:?}", self.list());
        found.into_iter().next().expect("there is one")
    }

    /// The process ends and another one begins with what is stored; then everything is read again.
    pub(super) fn restart(&mut self) {
        let stored = |(name, body): (Name, Body)| {
            Arc::new(Object {
                name,
                uid: Uuid::nil(),
                revision: 1,
                created_sequence: 1,
                last_change_sequence: 1,
                create_time: self.now,
                change_time: self.now,
                state: ResourceState::default(),
                annotations: Annotations::default(),
                body,
            })
        };
        let alarms = self.list().into_iter().map(|(name, alarm)| (name, Body::Alarm(Box::new(alarm))));
        let records: Vec<Arc<Object>> = alarms.chain(self.rules.clone()).map(stored).collect();
        self.surveillance = Surveillance::restore(self.settings.clone(), ids(), &records, self.now);
        self.surveillance.tick(&self.world, self.now);
        self.collect();
        for name in self.world.0.keys().cloned().collect::<Vec<_>>() {
            self.see_again(&name);
        }
    }
}

/// Numbers instead of chance.
fn ids() -> crate::fault::AlarmIds {
    static NEXT: std::sync::atomic::AtomicU64 = std::sync::atomic::AtomicU64::new(1);
    Box::new(|_| Uuid::from_u128(u128::from(NEXT.fetch_add(1, std::sync::atomic::Ordering::Relaxed))))
}

pub(super) fn host_id(host: &str) -> HostId {
    HostId::parse(host).expect("a valid host id")
}
