//! The table of objects: revisions, sequence numbers, tombstones, and the changes of a turn.

use super::diff::attribute_changes;
use super::facts::Evidence;
use crate::model::object::Tombstone;
use crate::model::{
    Annotations, Body, Change, ChangeKind, HostId, Name, Object, ObjectClass, ResourceState, Timestamp, Volatile,
};
use std::collections::{BTreeSet, HashMap, VecDeque};
use std::sync::Arc;
use uuid::Uuid;

/// Tombstones whose revision is continued if the name returns: 200,000, as in the change log.
const TOMBSTONES: usize = 200_000;

/// What a turn did.
#[derive(Debug, Default)]
pub struct Effects {
    /// Changes with contiguous sequence numbers, to be committed and published.
    pub changes: Vec<Arc<Change>>,
    /// Objects of which only moving values changed; nothing to commit.
    pub refreshed: Vec<Arc<Object>>,
}

/// Every object, ahead of what is committed.
#[derive(Debug, Default)]
pub(super) struct Table {
    objects: HashMap<Name, Arc<Object>>,
    /// Names of what exists, by class: finds what lies under a prefix.
    ordered: BTreeSet<(ObjectClass, Name)>,
    tombstones: HashMap<Name, Tombstone>,
    burials: VecDeque<Name>,
    sequence: u64,
    effects: Effects,
}

impl Table {
    /// Takes what the store knew.
    pub(super) fn restore(&mut self, head: u64, objects: Vec<Arc<Object>>, tombstones: Vec<Tombstone>) {
        self.sequence = head;
        self.ordered = objects.iter().map(|object| (object.class(), object.name.clone())).collect();
        self.objects = objects.into_iter().map(|object| (object.name.clone(), object)).collect();
        let mut tombstones = tombstones;
        tombstones.sort_by_key(|tombstone| tombstone.last_change_sequence);
        for tombstone in tombstones {
            self.bury(tombstone);
        }
    }

    /// What happened since the last call.
    pub(super) fn take_effects(&mut self) -> Effects {
        std::mem::take(&mut self.effects)
    }

    pub(super) fn changes_so_far(&self) -> usize {
        self.effects.changes.len()
    }

    /// The changes of this turn from a number on.
    pub(super) fn changes_from(&self, number: usize) -> Vec<Arc<Change>> {
        self.effects.changes.iter().skip(number).cloned().collect()
    }

    pub(super) fn get(&self, name: &Name) -> Option<&Arc<Object>> {
        self.objects.get(name)
    }

    pub(super) fn of_class(&self, class: ObjectClass) -> Vec<Arc<Object>> {
        self.of_prefix(class, "").filter_map(|name| self.objects.get(name)).cloned().collect()
    }

    /// Objects of a class below another.
    pub(super) fn below(&self, class: ObjectClass, parent: &Name) -> Vec<Arc<Object>> {
        let prefix = format!("{parent}/");
        self.of_prefix(class, &prefix).filter_map(|name| self.objects.get(name)).cloned().collect()
    }

    /// Technologies of the hypervisors stored for a host.
    pub(super) fn hypervisors_of(&self, host: &HostId) -> Vec<String> {
        let prefix = format!("hosts/{host}/hypervisors/");
        self.of_prefix(ObjectClass::Hypervisor, &prefix).map(Name::id).collect()
    }

    /// Names of the volumes stored for a pool.
    pub(super) fn volumes_of(&self, pool: &Name) -> Vec<Name> {
        let prefix = format!("{pool}/volumes/");
        self.of_prefix(ObjectClass::Volume, &prefix).cloned().collect()
    }

    fn of_prefix<'a>(&'a self, class: ObjectClass, prefix: &'a str) -> impl Iterator<Item = &'a Name> {
        use std::ops::Bound;
        let start = (class, Name::new(prefix));
        self.ordered
            .range((Bound::Included(start), Bound::Unbounded))
            .take_while(move |(of, name)| *of == class && name.as_str().starts_with(prefix))
            .map(|(_, name)| name)
    }

    /// Annotations of an object, those of its tombstone if it returns, or none.
    pub(super) fn annotations(&self, name: &Name) -> Annotations {
        match self.objects.get(name) {
            Some(object) => object.annotations.clone(),
            None => self.tombstones.get(name).map(|tombstone| tombstone.annotations.clone()).unwrap_or_default(),
        }
    }

    /// Sets state, annotations and attributes of an object; makes it if need be.
    pub(super) fn put(
        &mut self,
        evidence: &Evidence,
        name: &Name,
        mut state: ResourceState,
        annotations: Annotations,
        body: Body,
    ) {
        let Some(existing) = self.objects.get(name).cloned() else {
            state.since = Volatile(evidence.now);
            self.create(evidence, name, state, annotations, body);
            return;
        };
        state.since = if same_states(&state, &existing.state) { existing.state.since } else { Volatile(evidence.now) };
        let unchanged = state == existing.state && annotations == existing.annotations && body == existing.body;
        // Field by field: a clone of the whole would copy a body only to drop it.
        let mut object = Object {
            name: existing.name.clone(),
            uid: existing.uid,
            revision: existing.revision,
            created_sequence: existing.created_sequence,
            last_change_sequence: existing.last_change_sequence,
            create_time: existing.create_time,
            change_time: existing.change_time,
            state,
            annotations,
            body,
        };
        if unchanged {
            let object = Arc::new(object);
            self.objects.insert(name.clone(), Arc::clone(&object));
            self.effects.refreshed.push(object);
            return;
        }
        self.number(&mut object, evidence.now);
        let attributes = attribute_changes(&existing, &object);
        self.record(evidence, ChangeKind::Changed, object, attributes);
    }

    fn create(&mut self, evidence: &Evidence, name: &Name, state: ResourceState, annotations: Annotations, body: Body) {
        let former = self.tombstones.remove(name);
        let mut object = Object {
            name: name.clone(),
            uid: former.as_ref().map_or_else(|| new_uid(name, evidence.now, self.sequence), |former| former.uid),
            revision: former.as_ref().map_or(0, |former| former.revision),
            // A name that returns is the same object to subscribers that missed its absence.
            created_sequence: former.as_ref().map_or(self.sequence + 1, |former| former.created_sequence),
            last_change_sequence: 0,
            create_time: former.as_ref().map_or(evidence.now, |former| former.create_time),
            change_time: evidence.now,
            state,
            annotations,
            body,
        };
        self.number(&mut object, evidence.now);
        self.record(evidence, ChangeKind::Created, object, Vec::new());
    }

    /// Removes an object; nothing if there is none.
    pub(super) fn remove(&mut self, evidence: &Evidence, name: &Name) {
        let Some(existing) = self.objects.remove(name) else { return };
        self.ordered.remove(&(existing.class(), name.clone()));
        let mut object = Object::clone(&existing);
        self.number(&mut object, evidence.now);
        self.bury(Tombstone::of(&object, evidence.now));
        self.push(evidence, ChangeKind::Removed, object, Vec::new());
    }

    fn number(&mut self, object: &mut Object, now: Timestamp) {
        self.sequence += 1;
        object.revision += 1;
        object.last_change_sequence = self.sequence;
        object.change_time = now;
    }

    fn record(
        &mut self,
        evidence: &Evidence,
        kind: ChangeKind,
        object: Object,
        attributes: Vec<crate::model::AttributeChange>,
    ) {
        let object = self.push(evidence, kind, object, attributes);
        if kind == ChangeKind::Created {
            self.ordered.insert((object.class(), object.name.clone()));
        }
        self.objects.insert(object.name.clone(), object);
    }

    fn push(
        &mut self,
        evidence: &Evidence,
        kind: ChangeKind,
        object: Object,
        attributes: Vec<crate::model::AttributeChange>,
    ) -> Arc<Object> {
        let object = Arc::new(object);
        self.effects.changes.push(Arc::new(Change {
            sequence: object.last_change_sequence,
            kind,
            name: object.name.clone(),
            object: Arc::clone(&object),
            attributes,
            source: evidence.source,
            time: evidence.now,
        }));
        object
    }

    fn bury(&mut self, tombstone: Tombstone) {
        self.burials.push_back(tombstone.name.clone());
        self.tombstones.insert(tombstone.name.clone(), tombstone);
        while self.burials.len() > TOMBSTONES {
            if let Some(name) = self.burials.pop_front() {
                self.tombstones.remove(&name);
            }
        }
    }
}

/// True if nothing but the reason differs: another word for the same state starts no new one.
fn same_states(one: &ResourceState, other: &ResourceState) -> bool {
    let ResourceState { operational, administrative, usage, availability, procedural, unknown, reason: _, since: _ } =
        one;
    *operational == other.operational
        && *administrative == other.administrative
        && *usage == other.usage
        && *availability == other.availability
        && *procedural == other.procedural
        && *unknown == other.unknown
}

/// A uid that needs no source of chance: equal inputs never occur twice in one log.
fn new_uid(name: &Name, now: Timestamp, sequence: u64) -> Uuid {
    Uuid::new_v5(&Uuid::NAMESPACE_OID, format!("{name} {} {sequence}", now.0).as_bytes())
}
