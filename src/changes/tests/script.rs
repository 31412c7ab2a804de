//! A small writer that numbers changes as the engine does, and a client that keeps a copy.

use crate::changes::{ChangeLog, DeliveryKind, Restored, StreamEvent, StreamItem, Subscription, digest_of};
use crate::model::alarm::Alarm;
use crate::model::history::{HistoryError, TransitionHistory};
use crate::model::virtual_machine::VirtualMachine;
use crate::model::{Body, Change, ChangeKind, ChangeSource, Name, Object, ObjectClass, ResourceState, Timestamp};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use uuid::Uuid;

/// Everything ever published, as the store would have it.
#[derive(Default)]
pub(super) struct Memory(Mutex<Kept>);

#[derive(Default)]
struct Kept {
    changes: Vec<Arc<Change>>,
    oldest_resource: u64,
    oldest_record: u64,
}

impl Kept {
    fn oldest(&self, classes: &[ObjectClass]) -> u64 {
        let of = |class: &ObjectClass| if class.is_resource() { self.oldest_resource } else { self.oldest_record };
        classes.iter().map(of).max().unwrap_or(0)
    }
}

impl TransitionHistory for Memory {
    fn read(
        &self,
        after: u64,
        until: u64,
        classes: &[ObjectClass],
        limit: usize,
    ) -> Result<Vec<Arc<Change>>, HistoryError> {
        let wanted = |change: &&Arc<Change>| {
            change.sequence > after && change.sequence <= until && classes.contains(&change.object.class())
        };
        Ok(self.0.lock().unwrap().changes.iter().filter(wanted).take(limit).cloned().collect())
    }

    fn oldest(&self, classes: &[ObjectClass]) -> u64 {
        self.0.lock().unwrap().oldest(classes)
    }
}

impl Memory {
    /// Forgets the transitions of resources up to a sequence.
    pub(super) fn forget_until(&self, sequence: u64) {
        let mut kept = self.0.lock().unwrap();
        kept.oldest_resource = kept.oldest_resource.max(sequence);
        kept.changes.retain(|change| change.sequence > sequence || !change.object.class().is_resource());
    }

    /// Forgets the transitions of records up to a sequence.
    pub(super) fn forget_records_until(&self, sequence: u64) {
        let mut kept = self.0.lock().unwrap();
        kept.oldest_record = kept.oldest_record.max(sequence);
        kept.changes.retain(|change| change.sequence > sequence || change.object.class().is_resource());
    }
}

/// The one writer.
pub(super) struct Writer {
    pub(super) log: Arc<ChangeLog>,
    pub(super) memory: Arc<Memory>,
    objects: BTreeMap<u8, Object>,
    revisions: BTreeMap<u8, u64>,
    created: BTreeMap<u8, u64>,
    sequence: u64,
}

/// Ids from here are alarms, those below are machines.
pub(super) const ALARMS: u8 = 100;

pub(super) fn name(id: u8) -> Name {
    let uuid = Uuid::from_u128(u128::from(id));
    if id >= ALARMS { Name::alarm(uuid) } else { Name::virtual_machine(uuid) }
}

fn body(id: u8, color: &str) -> Body {
    if id >= ALARMS {
        Body::Alarm(Box::new(Alarm { text: color.to_owned(), ..Alarm::default() }))
    } else {
        Body::VirtualMachine(Box::new(VirtualMachine { display_name: color.to_owned(), ..VirtualMachine::default() }))
    }
}

impl Writer {
    pub(super) fn new() -> Self {
        let memory = Arc::new(Memory::default());
        let restored = Restored { epoch: "e1".into(), ..Restored::default() };
        let log = Arc::new(ChangeLog::new(restored, Arc::clone(&memory) as Arc<dyn TransitionHistory>));
        Self {
            log,
            memory,
            objects: BTreeMap::new(),
            revisions: BTreeMap::new(),
            created: BTreeMap::new(),
            sequence: 0,
        }
    }

    /// Makes or changes an object; `color` is what filters look at.
    pub(super) fn put(&mut self, id: u8, color: &str) {
        let kind = if self.objects.contains_key(&id) { ChangeKind::Changed } else { ChangeKind::Created };
        self.sequence += 1;
        let revision = self.revisions.entry(id).or_default();
        *revision += 1;
        let created = *self.created.entry(id).or_insert(self.sequence);
        let object = Object {
            name: name(id),
            uid: Uuid::from_u128(u128::from(id)),
            revision: *revision,
            created_sequence: created,
            last_change_sequence: self.sequence,
            create_time: Timestamp(0),
            change_time: Timestamp(0),
            state: ResourceState::default(),
            annotations: crate::model::Annotations::default(),
            body: body(id, color),
        };
        self.objects.insert(id, object.clone());
        self.publish(kind, object);
    }

    pub(super) fn remove(&mut self, id: u8) {
        let Some(mut object) = self.objects.remove(&id) else { return };
        self.sequence += 1;
        let revision = self.revisions.entry(id).or_default();
        *revision += 1;
        object.revision = *revision;
        object.last_change_sequence = self.sequence;
        self.publish(ChangeKind::Removed, object);
    }

    fn publish(&mut self, kind: ChangeKind, object: Object) {
        let change = Arc::new(Change {
            sequence: self.sequence,
            kind,
            name: object.name.clone(),
            object: Arc::new(object),
            attributes: Vec::new(),
            source: ChangeSource::ResourceOperation,
            time: Timestamp(0),
        });
        self.memory.0.lock().unwrap().changes.push(Arc::clone(&change));
        self.log.publish(&[change]);
    }

    /// What a subscriber of all resources with that filter should hold: name to revision.
    pub(super) fn expected(&self, color: Option<&str>) -> BTreeMap<String, u64> {
        self.expected_of(&ObjectClass::RESOURCES, color)
    }

    /// What a subscriber of some classes with that filter should hold.
    pub(super) fn expected_of(&self, classes: &[ObjectClass], color: Option<&str>) -> BTreeMap<String, u64> {
        let wanted =
            |object: &&Object| classes.contains(&object.class()) && color.is_none_or(|color| color_of(object) == color);
        self.objects.values().filter(wanted).map(|object| (object.name.to_string(), object.revision)).collect()
    }
}

pub(super) fn color_of(object: &Object) -> String {
    match &object.body {
        Body::VirtualMachine(vm) => vm.display_name.clone(),
        Body::Alarm(alarm) => alarm.text.clone(),
        _ => String::new(),
    }
}

/// A client that follows the rules of the interface.
#[derive(Debug, Default)]
pub(super) struct Copy {
    pub(super) held: BTreeMap<String, u64>,
    /// Revisions seen, also of removed objects: an older one is ignored (S6).
    seen: BTreeMap<String, u64>,
    in_snapshot: Option<Vec<String>>,
    pub(super) position: u64,
    pub(super) synchronized: bool,
    pub(super) transitions: Vec<(String, u64)>,
}

impl Copy {
    /// Takes one item; panics where the stream breaks a rule.
    pub(super) fn take(&mut self, item: &StreamItem) {
        match &item.event {
            StreamEvent::Started { snapshot_follows, .. } => {
                self.synchronized = false;
                self.position = item.position;
                if *snapshot_follows {
                    self.in_snapshot = Some(Vec::new());
                }
                return;
            }
            StreamEvent::Lagged { snapshot_follows: true, .. } => {
                self.in_snapshot = Some(Vec::new());
                self.position = item.position;
                return;
            }
            StreamEvent::SyncComplete { .. } => {
                self.synchronized = true;
                if let Some(sent) = self.in_snapshot.take() {
                    self.held.retain(|name, _| sent.contains(name));
                }
            }
            StreamEvent::Change(delivery) => {
                let name = delivery.object.name.to_string();
                let revision = delivery.object.revision;
                let seen = self.seen.get(&name).copied().unwrap_or(0);
                assert!(revision >= seen, "S6: revision {revision} of {name} after {seen}");
                self.seen.insert(name.clone(), revision);
                self.transitions.push((name.clone(), revision));
                if delivery.kind == DeliveryKind::Removed {
                    self.held.remove(&name);
                } else {
                    if let Some(sent) = &mut self.in_snapshot {
                        sent.push(name.clone());
                    }
                    self.held.insert(name, revision);
                }
            }
            StreamEvent::Heartbeat { object_count, state_digest } => {
                if let Some(digest) = state_digest {
                    assert_eq!(*object_count, self.held.len() as u64, "heartbeat count");
                    let own = self.held.iter().fold(0, |sum, (name, revision)| sum ^ digest_of(name, *revision));
                    assert_eq!(*digest, own, "S10: digest");
                }
            }
            StreamEvent::Lagged { .. } | StreamEvent::Status(_) => {}
        }
        assert!(item.position >= self.position, "S5: position goes back");
        self.position = item.position;
    }
}

/// Takes items until nothing more comes at once.
pub(super) async fn drain(subscription: &mut Subscription, copy: &mut Copy) -> Vec<StreamItem> {
    let mut items = Vec::new();
    // Paused time: a second passes at once when nobody has anything to do, so this waits for
    // silence, not for a clock. Reading history happens on another thread, hence the generosity.
    while let Ok(Some(item)) = tokio::time::timeout(std::time::Duration::from_secs(1), subscription.next()).await {
        copy.take(&item);
        items.push(item);
    }
    items
}
