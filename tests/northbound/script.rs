//! A scripted change log: what the engine would publish, written by the test.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use uuid::Uuid;
use vrm::changes::{ChangeLog, Restored};
use vrm::model::history::{HistoryError, TransitionHistory};
use vrm::model::virtual_machine::{RunState, VirtualMachine};
use vrm::model::{
    AttributeChange, Body, Change, ChangeKind, ChangeSource, HostId, Name, Object, ObjectClass, ResourceState,
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
        self.publish(kind, object);
        sequence
    }

    /// Publishes a removal.
    pub fn remove(&mut self, name: &Name) -> u64 {
        let sequence = self.log.head() + 1;
        let mut object = self.objects.remove(name).unwrap();
        object.revision += 1;
        object.last_change_sequence = sequence;
        self.gone.insert(name.clone(), object.clone());
        self.publish(ChangeKind::Removed, object);
        sequence
    }

    fn publish(&mut self, kind: ChangeKind, object: Object) {
        let attribute = AttributeChange {
            path: "run_state".into(),
            old: serde_json::json!("off"),
            new: serde_json::json!("running"),
        };
        let change = Arc::new(Change {
            sequence: object.last_change_sequence,
            kind,
            name: object.name.clone(),
            time: object.change_time,
            object: Arc::new(object),
            attributes: if kind == ChangeKind::Changed { vec![attribute] } else { Vec::new() },
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
