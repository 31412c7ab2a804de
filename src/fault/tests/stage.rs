//! A small managed world, its clock, and what became of alarms in it.

use crate::fault::{FaultSettings, RecordEffect, Sign, Surveillance};
use crate::model::alarm_command::{AlarmAct, AlarmCommand, AlarmRefusal, AlarmTarget};
use crate::model::annotation::{Expectation, ExpectationOrigin, ExpectationSetting};
use crate::model::host::{ConnectionState, Host};
use crate::model::incident::{Incident, IncidentKind, IncidentSubject};
use crate::model::relation::Topology;
use crate::model::state::{AdministrativeState, ResourceState, StateReason};
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
}

impl Stage {
    pub(super) fn new() -> Self {
        Self::with(FaultSettings::default())
    }

    pub(super) fn with(settings: FaultSettings) -> Self {
        let now = Timestamp(1_000_000_000);
        let surveillance = Surveillance::restore(settings.clone(), ids(), &[], now);
        Self { world: World::default(), surveillance, now, told: Vec::new(), settings }
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

    fn collect(&mut self) {
        for effect in self.surveillance.take_effects() {
            match effect {
                RecordEffect::Put { name, body: Body::Alarm(alarm) } => self.told.push((name, Some(*alarm))),
                RecordEffect::Remove { name } => self.told.push((name, None)),
                RecordEffect::Put { .. } => {}
            }
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
        let body = Body::Host(Box::new(Host { connection_state, ..Host::default() }));
        self.see(&Name::host(&host_id(host)), state, Annotations::default(), body);
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

    /// What a part of the VRM tells of itself.
    pub(super) fn signs(&mut self, signs: Vec<Sign>) {
        self.surveillance.signs(signs, &self.world, self.now);
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

    /// The process ends and another one begins with what is stored; nothing was seen yet.
    pub(super) fn restart(&mut self) {
        let records: Vec<Arc<Object>> = self
            .list()
            .into_iter()
            .map(|(name, alarm)| {
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
                    body: Body::Alarm(Box::new(alarm)),
                })
            })
            .collect();
        self.surveillance = Surveillance::restore(self.settings.clone(), ids(), &records, self.now);
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
