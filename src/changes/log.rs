//! Published state: what exists, what is gone, and in which order it changed.

use super::position::{ListStatus, Position};
use crate::model::history::TransitionHistory;
use crate::model::object::Tombstone;
use crate::model::relation::Topology;
use crate::model::{Change, ChangeKind, ChangeSource, HostId, Name, Object, ObjectClass};
use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use tokio::sync::watch;

/// Transitions kept in memory: 4,096, so that live subscribers never read the disk. Older ones
/// come from the store; a subscriber notices nothing but a few milliseconds.
pub(super) const RECENT_TRANSITIONS: usize = 4_096;

/// Tombstones kept: 200,000 (design.md 5). When more objects are gone the oldest tombstone is
/// forgotten and `oldest` moves: who resumes from before gets a snapshot.
const TOMBSTONES: usize = 200_000;

/// What the store knew at start.
#[derive(Debug, Default)]
pub struct Restored {
    /// Identity of the log.
    pub epoch: String,
    /// Last sequence.
    pub head: u64,
    /// Everything that exists.
    pub objects: Vec<Arc<Object>>,
    /// Everything that is gone and remembered.
    pub tombstones: Vec<Tombstone>,
    /// Highest sequence of a tombstone that is no longer kept.
    pub forgotten: u64,
}

/// One page of a listing.
#[derive(Debug, Default)]
pub struct Page {
    /// Its objects, ordered by name.
    pub objects: Vec<Arc<Object>>,
    /// Name to continue after; nothing on the last page.
    pub next: Option<Name>,
}

/// An object's place: its slot keeps its number as long as object or tombstone exist.
#[derive(Clone, Debug)]
pub(super) enum Slot {
    Free,
    Live(Arc<Object>),
    Gone(Arc<Tombstone>),
}

#[derive(Default)]
struct State {
    head: u64,
    slots: Vec<Slot>,
    /// What caused the last change of each slot's tenant; not known for changes before the start.
    sources: Vec<Option<ChangeSource>>,
    free: Vec<u32>,
    by_name: HashMap<Name, u32>,
    by_class: BTreeMap<ObjectClass, BTreeMap<Name, Arc<Object>>>,
    /// One entry per object and per tombstone: the sequence of its last change.
    index: BTreeMap<u64, u32>,
    tombstones: BTreeMap<u64, u32>,
    forgotten: u64,
    recent: VecDeque<Arc<Change>>,
    /// Volumes by host and path, for relations.
    volume_paths: HashMap<(HostId, String), Name>,
}

/// The published log. Cheap to share; all methods are short and never block on the disk.
pub struct ChangeLog {
    epoch: String,
    state: RwLock<State>,
    head: watch::Sender<u64>,
    status: watch::Sender<ListStatus>,
    /// Counts forced gaps, for integrators' tests.
    forced_gaps: watch::Sender<u64>,
    history: Arc<dyn TransitionHistory>,
}

impl std::fmt::Debug for ChangeLog {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("ChangeLog")
            .field("epoch", &self.epoch)
            .field("head", &self.head())
            .finish_non_exhaustive()
    }
}

impl ChangeLog {
    /// Publishes what the store knew at start.
    pub fn new(restored: Restored, history: Arc<dyn TransitionHistory>) -> Self {
        let mut state = State { head: restored.head, forgotten: restored.forgotten, ..State::default() };
        for object in restored.objects {
            state.put(object);
        }
        for tombstone in restored.tombstones {
            state.bury(tombstone);
        }
        Self {
            epoch: restored.epoch,
            head: watch::Sender::new(state.head),
            status: watch::Sender::new(ListStatus::default()),
            forced_gaps: watch::Sender::new(0),
            state: RwLock::new(state),
            history,
        }
    }

    /// Publishes committed changes, in order of sequence.
    pub fn publish(&self, changes: &[Arc<Change>]) {
        let Some(last) = changes.last() else { return };
        {
            let mut state = self.write();
            for change in changes {
                state.apply(change);
            }
            state.head = last.sequence;
        }
        self.head.send_replace(last.sequence);
    }

    /// Replaces moving values of objects; raises no sequence. Objects that are gone are left out.
    pub fn refresh(&self, objects: Vec<Arc<Object>>) {
        let mut state = self.write();
        for object in objects {
            state.refresh(object);
        }
    }

    /// Tells subscribers how far the lists can be trusted.
    pub fn set_status(&self, status: ListStatus) {
        self.status.send_if_modified(|current| {
            let changed = *current != status;
            *current = status;
            changed
        });
    }

    /// How far the lists can be trusted now.
    pub fn status(&self) -> ListStatus {
        self.status.borrow().clone()
    }

    pub(super) fn watch_status(&self) -> watch::Receiver<ListStatus> {
        self.status.subscribe()
    }

    /// Makes every open stream behave as if its subscriber had been too slow (`vrmctl sim lag`).
    pub fn force_gap(&self) {
        self.forced_gaps.send_modify(|count| *count += 1);
    }

    pub(super) fn watch_forced_gaps(&self) -> watch::Receiver<u64> {
        self.forced_gaps.subscribe()
    }

    /// Identity of the log.
    pub fn epoch(&self) -> &str {
        &self.epoch
    }

    /// Sequence of the last published change.
    pub fn head(&self) -> u64 {
        *self.head.borrow()
    }

    /// The last published position.
    pub fn position(&self) -> Position {
        Position { epoch: self.epoch.clone(), sequence: self.head() }
    }

    /// Wakes whenever the head moves.
    pub fn watch_head(&self) -> watch::Receiver<u64> {
        self.head.subscribe()
    }

    /// Oldest sequence after which latest states can be resumed.
    pub fn oldest_state(&self) -> u64 {
        self.read().forgotten
    }

    /// Oldest sequence after which every transition of some classes can be resumed: alarms are kept longer than
    /// resources.
    pub fn oldest_transition(&self, classes: &[ObjectClass]) -> u64 {
        let in_memory = self.read().recent.front().map(|change| change.sequence.saturating_sub(1));
        let on_disk = self.history.oldest(classes);
        in_memory.map_or(on_disk, |sequence| sequence.min(on_disk))
    }

    /// The object of a name.
    pub fn get(&self, name: &str) -> Option<Arc<Object>> {
        let state = self.read();
        match state.by_name.get(name).map(|slot| &state.slots[*slot as usize]) {
            Some(Slot::Live(object)) => Some(Arc::clone(object)),
            _ => None,
        }
    }

    /// Objects of a class in order of name, after `after`, as long as `take` wants more.
    ///
    /// `take` answers whether the object belongs to the page, or that the page is full.
    pub fn page(
        &self,
        class: ObjectClass,
        after: Option<&Name>,
        mut take: impl FnMut(&Arc<Object>) -> std::ops::ControlFlow<(), bool>,
    ) -> Page {
        use std::ops::Bound;
        let state = self.read();
        let Some(objects) = state.by_class.get(&class) else { return Page::default() };
        let start = after.map_or(Bound::Unbounded, |name| Bound::Excluded(name.clone()));
        let mut page = Page::default();
        let mut previous = after.cloned();
        for (name, object) in objects.range((start, Bound::Unbounded)) {
            match take(object) {
                std::ops::ControlFlow::Continue(true) => page.objects.push(Arc::clone(object)),
                std::ops::ControlFlow::Continue(false) => {}
                std::ops::ControlFlow::Break(()) => {
                    page.next = previous;
                    return page;
                }
            }
            previous = Some(name.clone());
        }
        page
    }

    /// All objects of a class, ordered by name.
    pub fn all(&self, class: ObjectClass) -> Vec<Arc<Object>> {
        self.read().by_class.get(&class).map(|objects| objects.values().cloned().collect()).unwrap_or_default()
    }

    /// Number of objects of a class.
    pub fn count(&self, class: ObjectClass) -> usize {
        self.read().by_class.get(&class).map_or(0, BTreeMap::len)
    }

    /// The last changes after a cursor, one per object: sequence and slot, up to the present head.
    pub(super) fn round(&self, after: u64) -> (u64, Vec<(u64, u32)>) {
        let state = self.read();
        let round = state.index.range(after.saturating_add(1)..).map(|(sequence, slot)| (*sequence, *slot)).collect();
        (state.head, round)
    }

    /// The tenant of a slot, and what caused its last change.
    pub(super) fn slot(&self, slot: u32) -> (Slot, Option<ChangeSource>) {
        let state = self.read();
        match state.slots.get(slot as usize) {
            Some(tenant) => (tenant.clone(), state.sources[slot as usize]),
            None => (Slot::Free, None),
        }
    }

    pub(super) fn slot_of(&self, name: &Name) -> Option<u32> {
        self.read().by_name.get(name).copied()
    }

    /// Transitions after a cursor that are in memory; nothing if they are not all there.
    pub(super) fn recent(&self, after: u64, limit: usize) -> Option<Vec<Arc<Change>>> {
        let state = self.read();
        if after >= state.head {
            return Some(Vec::new());
        }
        let first = state.recent.front()?.sequence;
        if after + 1 < first {
            return None;
        }
        let start = state.recent.partition_point(|change| change.sequence <= after);
        Some(state.recent.iter().skip(start).take(limit).cloned().collect())
    }

    pub(super) fn history(&self) -> Arc<dyn TransitionHistory> {
        Arc::clone(&self.history)
    }

    fn read(&self) -> RwLockReadGuard<'_, State> {
        self.state.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, State> {
        self.state.write().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Topology for ChangeLog {
    fn object(&self, name: &Name) -> Option<Arc<Object>> {
        self.get(name.as_str())
    }

    fn objects(&self, class: ObjectClass) -> Vec<Arc<Object>> {
        self.all(class)
    }

    fn volume_by_path(&self, host: &HostId, path: &str) -> Option<Name> {
        self.read().volume_paths.get(&(host.clone(), path.to_owned())).cloned()
    }
}

impl State {
    fn apply(&mut self, change: &Arc<Change>) {
        match change.kind {
            ChangeKind::Created | ChangeKind::Changed => self.put(Arc::clone(&change.object)),
            ChangeKind::Removed => self.bury(Tombstone::of(&change.object, change.time)),
        }
        if let Some(slot) = self.by_name.get(&change.name) {
            self.sources[*slot as usize] = Some(change.source);
        }
        self.recent.push_back(Arc::clone(change));
        if self.recent.len() > RECENT_TRANSITIONS {
            self.recent.pop_front();
        }
    }

    /// The slot of a name, emptied of its previous tenant.
    fn vacate(&mut self, name: &Name) -> u32 {
        let Some(slot) = self.by_name.get(name).copied() else {
            let slot = self.free.pop().unwrap_or_else(|| {
                self.slots.push(Slot::Free);
                self.sources.push(None);
                u32::try_from(self.slots.len() - 1).unwrap_or(u32::MAX)
            });
            self.by_name.insert(name.clone(), slot);
            return slot;
        };
        match std::mem::replace(&mut self.slots[slot as usize], Slot::Free) {
            Slot::Live(object) => {
                self.index.remove(&object.last_change_sequence);
                self.forget_path(&object);
                if let Some(objects) = self.by_class.get_mut(&object.class()) {
                    objects.remove(name);
                }
            }
            Slot::Gone(tombstone) => {
                self.index.remove(&tombstone.last_change_sequence);
                self.tombstones.remove(&tombstone.last_change_sequence);
            }
            Slot::Free => {}
        }
        slot
    }

    fn put(&mut self, object: Arc<Object>) {
        if self.replace(&object) {
            return;
        }
        let slot = self.vacate(&object.name);
        self.index.insert(object.last_change_sequence, slot);
        self.learn_path(&object);
        self.by_class.entry(object.class()).or_default().insert(object.name.clone(), Arc::clone(&object));
        self.slots[slot as usize] = Slot::Live(object);
    }

    /// Puts a later state of a tenant in its place, which is what most changes are; false if there is no such tenant.
    fn replace(&mut self, object: &Arc<Object>) -> bool {
        let Some(slot) = self.by_name.get(&object.name).copied() else { return false };
        let Slot::Live(former) = &self.slots[slot as usize] else { return false };
        let former = Arc::clone(former);
        let Some(listed) = self.by_class.get_mut(&object.class()).and_then(|class| class.get_mut(&object.name)) else {
            return false;
        };
        *listed = Arc::clone(object);
        self.index.remove(&former.last_change_sequence);
        self.index.insert(object.last_change_sequence, slot);
        self.forget_path(&former);
        self.learn_path(object);
        self.slots[slot as usize] = Slot::Live(Arc::clone(object));
        true
    }

    fn bury(&mut self, tombstone: Tombstone) {
        let slot = self.vacate(&tombstone.name);
        self.index.insert(tombstone.last_change_sequence, slot);
        self.tombstones.insert(tombstone.last_change_sequence, slot);
        self.slots[slot as usize] = Slot::Gone(Arc::new(tombstone));
        while self.tombstones.len() > TOMBSTONES {
            self.forget_oldest_tombstone();
        }
    }

    fn forget_oldest_tombstone(&mut self) {
        let Some((sequence, slot)) = self.tombstones.pop_first() else { return };
        self.index.remove(&sequence);
        if let Slot::Gone(tombstone) = std::mem::replace(&mut self.slots[slot as usize], Slot::Free) {
            self.by_name.remove(&tombstone.name);
        }
        self.free.push(slot);
        self.forgotten = self.forgotten.max(sequence);
    }

    fn refresh(&mut self, object: Arc<Object>) {
        let Some(slot) = self.by_name.get(&object.name).copied() else { return };
        let Slot::Live(current) = &self.slots[slot as usize] else { return };
        // A younger revision is on its way through the store: its values come with it.
        if current.revision != object.revision || current.uid != object.uid {
            return;
        }
        if let Some(listed) = self.by_class.get_mut(&object.class()).and_then(|class| class.get_mut(&object.name)) {
            *listed = Arc::clone(&object);
        }
        self.slots[slot as usize] = Slot::Live(object);
    }

    fn learn_path(&mut self, object: &Object) {
        if let crate::model::Body::Volume(volume) = &object.body
            && let Some(host) = &volume.host
            && !volume.path.is_empty()
        {
            self.volume_paths.insert((host.clone(), volume.path.clone()), object.name.clone());
        }
    }

    fn forget_path(&mut self, object: &Object) {
        if let crate::model::Body::Volume(volume) = &object.body
            && let Some(host) = &volume.host
        {
            self.volume_paths.remove(&(host.clone(), volume.path.clone()));
        }
    }
}
