//! A scripted change log: what the engine would publish, written by the test.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use uuid::Uuid;
use vrm::changes::{ChangeLog, Restored};
use vrm::model::alarm::{AlarmTransition, EventType, PerceivedSeverity, ProbableCause, StatusChange};
use vrm::model::history::{HistoryError, TransitionHistory};
use vrm::model::virtual_machine::{RunState, VirtualMachine};
use vrm::model::{
    Alarm, AttributeChange, Body, Change, ChangeKind, ChangeSource, HostId, Name, Object, ObjectClass, ResourceState,
    Timestamp,
};

/// Transitions as the store would keep them.
#[derive(Default)]
pub struct History {
    changes: Mutex<Vec<Arc<Change>>>,
    oldest: Mutex<u64>,
}

impl TransitionHistory for History {
    fn read(
        &self,
        after: u64,
        until: u64,
        classes: &[ObjectClass],
        limit: usize,
    ) -> Result<Vec<Arc<Change>>, HistoryError> {
        let changes = self.changes.lock().unwrap();
        let wanted = |change: &&Arc<Change>| {
            change.sequence > after && change.sequence <= until && classes.contains(&change.object.class())
        };
        Ok(changes.iter().filter(wanted).take(limit).cloned().collect())
    }

    fn oldest(&self, _: &[ObjectClass]) -> u64 {
        *self.oldest.lock().unwrap()
    }
}

/// The writer of a change log.
pub struct Script {
    pub log: Arc<ChangeLog>,
    history: Arc<History>,
    objects: BTreeMap<Name, Object>,
    /// What is gone: a name that comes back continues its revision.
    gone: BTreeMap<Name, Object>,
}

impl Script {
    /// An empty log, at sequence 10, of which the first four are forgotten.
    pub fn new(epoch: &str) -> Self {
        let history = Arc::new(History::default());
        *history.oldest.lock().unwrap() = 10;
        let restored = Restored { epoch: epoch.into(), head: 10, forgotten: 4, ..Restored::default() };
        let log = Arc::new(ChangeLog::new(restored, Arc::clone(&history) as Arc<dyn TransitionHistory>));
        Self { log, history, objects: BTreeMap::new(), gone: BTreeMap::new() }
    }

    /// Publishes an object or its new state; `run_state` stands for what changed.
    pub fn put(&mut self, name: &Name, body: Body) -> u64 {
        let attribute = AttributeChange {
            path: "run_state".into(),
            old: serde_json::json!("off"),
            new: serde_json::json!("running"),
        };
        self.put_with(name, body, vec![attribute])
    }

    /// The same, with a change of the attribute of a path.
    pub fn put_path(&mut self, name: &Name, body: Body, path: &str) -> u64 {
        let attribute =
            AttributeChange { path: path.into(), old: serde_json::json!("kvm-07"), new: serde_json::json!("kvm-08") };
        self.put_with(name, body, vec![attribute])
    }

    /// Publishes an alarm; what differs from its last state is told as the engine would.
    pub fn put_alarm(&mut self, name: &Name, alarm: Alarm) -> u64 {
        let known = self.objects.get(name).map(|object| serde_json::to_value(&object.body).unwrap());
        let new = serde_json::to_value(Body::Alarm(Box::new(alarm.clone()))).unwrap();
        let mut attributes = Vec::new();
        if let (Some(old), Some(new)) = (known.as_ref().map(|old| &old["alarm"]), new["alarm"].as_object()) {
            for (path, value) in new.iter().filter(|(path, value)| old[path.as_str()] != **value) {
                attributes.push(AttributeChange {
                    path: path.clone(),
                    old: old[path.as_str()].clone(),
                    new: value.clone(),
                });
            }
        }
        self.put_with(name, Body::Alarm(Box::new(alarm)), attributes)
    }

    fn put_with(&mut self, name: &Name, body: Body, attributes: Vec<AttributeChange>) -> u64 {
        let sequence = self.log.head() + 1;
        let now = Timestamp(i64::try_from(sequence).unwrap() * 1_000_000);
        let known = self.objects.get(name);
        let before = known.or_else(|| self.gone.get(name));
        let object = Object {
            name: name.clone(),
            uid: before.map_or_else(Uuid::new_v4, |before| before.uid),
            revision: before.map_or(1, |before| before.revision + 1),
            created_sequence: before.map_or(sequence, |before| before.created_sequence),
            last_change_sequence: sequence,
            create_time: known.map_or(now, |known| known.create_time),
            change_time: now,
            state: ResourceState::default(),
            annotations: known.map(|known| known.annotations.clone()).unwrap_or_default(),
            body,
        };
        let kind = if known.is_some() { ChangeKind::Changed } else { ChangeKind::Created };
        self.objects.insert(name.clone(), object.clone());
        self.publish(kind, object, attributes);
        sequence
    }

    /// Publishes a removal.
    pub fn remove(&mut self, name: &Name) -> u64 {
        let sequence = self.log.head() + 1;
        let mut object = self.objects.remove(name).unwrap();
        object.revision += 1;
        object.last_change_sequence = sequence;
        self.gone.insert(name.clone(), object.clone());
        self.publish(ChangeKind::Removed, object, Vec::new());
        sequence
    }

    fn publish(&mut self, kind: ChangeKind, object: Object, attributes: Vec<AttributeChange>) {
        let change = Arc::new(Change {
            sequence: object.last_change_sequence,
            kind,
            name: object.name.clone(),
            time: object.change_time,
            object: Arc::new(object),
            attributes: if kind == ChangeKind::Changed { attributes } else { Vec::new() },
            source: ChangeSource::ResourceOperation,
        });
        self.history.changes.lock().unwrap().push(Arc::clone(&change));
        self.log.publish(&[change]);
    }

    /// Forgets transitions up to a sequence.
    pub fn forget_transitions(&self, up_to: u64) {
        *self.history.oldest.lock().unwrap() = up_to;
        self.history.changes.lock().unwrap().retain(|change| change.sequence > up_to);
    }

    /// One object of every class, all of host `kvm-07`.
    pub fn populate(&mut self) {
        for (name, class) in every_class() {
            let body = match class {
                ObjectClass::VirtualMachine => machine("web-1", RunState::Running),
                _ => Body::empty(class),
            };
            self.put(&name, body);
        }
    }
}

/// A name of every class.
pub fn every_class() -> Vec<(Name, ObjectClass)> {
    let host = host();
    vec![
        (Name::vrm(), ObjectClass::Vrm),
        (Name::cluster(), ObjectClass::Cluster),
        (Name::host(&host), ObjectClass::Host),
        (Name::hypervisor(&host, "qemu"), ObjectClass::Hypervisor),
        (vm(1), ObjectClass::VirtualMachine),
        (Name::storage_pool(&host, "default"), ObjectClass::StoragePool),
        (Name::volume(&host, "default", "/images/a"), ObjectClass::Volume),
        (Name::storage_backing("nfs://a/b"), ObjectClass::StorageBacking),
        (Name::network(&host, "default"), ObjectClass::Network),
        (Name::snapshot(Uuid::from_u128(1), "before"), ObjectClass::Snapshot),
        (Name::image("debian"), ObjectClass::Image),
    ]
}

/// The host everything lies on.
pub fn host() -> HostId {
    HostId::parse("kvm-07").unwrap()
}

/// Name of a numbered machine.
pub fn vm(number: u128) -> Name {
    Name::virtual_machine(Uuid::from_u128(number))
}

/// A machine of host `kvm-07`.
pub fn machine(display_name: &str, run_state: RunState) -> Body {
    Body::VirtualMachine(Box::new(VirtualMachine {
        display_name: display_name.into(),
        host: Some(host()),
        defined_on: vec![host()],
        run_state,
        ..Default::default()
    }))
}

/// Name of a numbered alarm.
pub fn alarm(number: u128) -> Name {
    Name::alarm(Uuid::from_u128(number))
}

/// An active major alarm of machine `number`, raised at that second.
pub fn crashed(number: u128) -> Alarm {
    let time = Timestamp(i64::try_from(number).unwrap() * 1_000_000);
    Alarm {
        alarm_type: "vmCrashed".into(),
        event_type: EventType::ProcessingError,
        probable_cause: ProbableCause { number: 545, name: "softwareProgramAbnormallyTerminated".into() },
        perceived_severity: PerceivedSeverity::Major,
        highest_severity: PerceivedSeverity::Major,
        object: vm(number),
        object_class: "VirtualMachine".into(),
        object_label: format!("web-{number}"),
        host: Some(host()),
        raise_time: time,
        first_raise_time: time,
        status_change_time: time,
        raise_count: 1,
        root: true,
        text: format!("web-{number} crashed"),
        attributes: [("signal".to_owned(), "9".to_owned())].into(),
        history: vec![StatusChange {
            time,
            transition: AlarmTransition::Raised,
            severity: PerceivedSeverity::Major,
            text: String::new(),
            actor: None,
        }],
        ..Alarm::default()
    }
}
