//! The alarm list: one record per object and type, found by name, by object and by host.
//!
//! It keeps records and what became of them in this turn; which transition happens is decided by its
//! callers. A record that is cleared and acknowledged leaves the list.

use super::catalogue::AlarmType;
use super::conditions::ConditionKey;
use super::place::owner;
use super::record;
use crate::model::alarm::{AlarmTransition, limits};
use crate::model::{Alarm, Body, HostId, Name, Timestamp};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::time::Duration;

/// An alarm of which only text or counts change is told at most once in this time: 10 s.
pub(super) const QUIET: Duration = Duration::from_secs(10);

/// A root that gets more and more children is told at most once in this time: 2 s.
const JOINING: Duration = Duration::from_secs(2);

/// What became of a record in this turn, in order.
#[derive(Clone, Debug, PartialEq)]
pub enum RecordEffect {
    /// It is new or changed.
    Put {
        /// Its name.
        name: Name,
        /// What it is now.
        body: Body,
    },
    /// It is gone.
    Remove {
        /// Its name.
        name: Name,
    },
}

/// Whether a change is a transition of its own or a part of the one before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Telling {
    /// Subscribers see it by itself.
    Separate,
    /// It completes what this turn already tells of the record, if it tells anything.
    Merged,
    /// No transition: told with the next one, at the latest so long after the last.
    Soft(Duration),
}

/// What of a record is looked up by.
#[derive(PartialEq)]
struct Facets {
    host: Option<HostId>,
    clear_time: Option<Timestamp>,
    root_cause: Option<Name>,
    shelf: Option<Name>,
}

impl Facets {
    fn of(alarm: &Alarm) -> Self {
        Self {
            host: alarm.host.clone(),
            clear_time: alarm.clear_time,
            root_cause: alarm.root_cause.clone(),
            shelf: alarm.shelved.as_ref().map(|shelving| shelving.shelf.clone()),
        }
    }
}

/// Every alarm that is active, or cleared and not acknowledged.
#[derive(Debug, Default)]
pub(super) struct AlarmList {
    records: HashMap<Name, Alarm>,
    by_key: HashMap<ConditionKey, Name>,
    by_owner: HashMap<Name, BTreeSet<Name>>,
    by_host: HashMap<HostId, BTreeSet<Name>>,
    /// Cleared alarms, by the time they were cleared.
    cleared: BTreeSet<(Timestamp, Name)>,
    /// Alarms by the one that explains them.
    by_root: HashMap<Name, BTreeSet<Name>>,
    /// Roots whose count may be wrong until the end of the turn.
    uncounted: BTreeSet<Name>,
    on_shelf: BTreeMap<Name, u32>,
    effects: Vec<RecordEffect>,
    /// Where the last effect of a record is in `effects`.
    last_effect: HashMap<Name, usize>,
    /// When a record was told last, while it is listed.
    told: HashMap<Name, Timestamp>,
    /// Records that changed softly since, and when they are told.
    untold: BTreeSet<(Timestamp, Name)>,
    /// The same, by name.
    due: HashMap<Name, Timestamp>,
    /// Soft changes that were not told by themselves.
    coalesced: u64,
    now: Timestamp,
}

impl AlarmList {
    /// What follows happens at this time.
    pub(super) fn at(&mut self, now: Timestamp) {
        self.now = now;
    }

    /// Soft changes so far that were not told by themselves.
    pub(super) fn coalesced(&self) -> u64 {
        self.coalesced
    }

    /// Takes a stored record.
    pub(super) fn restore(&mut self, name: &Name, alarm: Alarm) {
        self.index(name, &alarm);
        self.records.insert(name.clone(), alarm);
    }

    pub(super) fn get(&self, name: &Name) -> Option<&Alarm> {
        self.records.get(name)
    }

    pub(super) fn len(&self) -> usize {
        self.records.len()
    }

    /// Name of the record of a condition.
    pub(super) fn of(&self, key: &ConditionKey) -> Option<&Name> {
        self.by_key.get(key)
    }

    /// Name of the record of a condition, if it is active.
    pub(super) fn active(&self, key: &ConditionKey) -> Option<&Name> {
        self.of(key).filter(|name| self.records.get(*name).is_some_and(Alarm::is_active))
    }

    /// Records about an object or its parts.
    pub(super) fn about(&self, owner: &Name) -> Vec<Name> {
        self.by_owner.get(owner).map(|names| names.iter().cloned().collect()).unwrap_or_default()
    }

    /// Records about anything on a host.
    pub(super) fn on_host(&self, host: &HostId) -> Vec<Name> {
        self.by_host.get(host).map(|names| names.iter().cloned().collect()).unwrap_or_default()
    }

    /// Names of all records.
    pub(super) fn names(&self) -> Vec<Name> {
        let mut names: Vec<Name> = self.records.keys().cloned().collect();
        names.sort();
        names
    }

    /// The alarm cleared longest ago.
    pub(super) fn oldest_cleared(&self) -> Option<&(Timestamp, Name)> {
        self.cleared.first()
    }

    /// Records that name another one as their root.
    pub(super) fn explained_by(&self, root: &Name) -> Vec<Name> {
        self.by_root.get(root).map(|names| names.iter().cloned().collect()).unwrap_or_default()
    }

    /// Alarms on each shelf that has any.
    pub(super) fn on_shelf(&self) -> &BTreeMap<Name, u32> {
        &self.on_shelf
    }

    /// Adds a record.
    pub(super) fn insert(&mut self, name: &Name, alarm: Alarm) {
        self.index(name, &alarm);
        self.records.insert(name.clone(), alarm);
        self.push(name, Telling::Separate);
    }

    /// Changes a record, but not what it is about; nothing is told if `change` answers nothing, or if
    /// there is no such record.
    pub(super) fn change(&mut self, name: &Name, change: impl FnOnce(&mut Alarm) -> Option<Telling>) -> bool {
        let Some(alarm) = self.records.get_mut(name) else { return false };
        let before = Facets::of(alarm);
        let telling = change(alarm);
        let after = Facets::of(alarm);
        if before.clear_time.is_some() && after.clear_time.is_none() {
            self.uncounted.insert(name.clone());
        }
        if before != after {
            self.drop_facets(name, &before);
            self.add_facets(name, &after);
        }
        if let Some(telling) = telling {
            self.push(name, telling);
        }
        telling.is_some()
    }

    /// Takes a record off the list.
    pub(super) fn remove(&mut self, name: &Name) {
        let Some(alarm) = self.records.remove(name) else { return };
        self.unindex(name, &alarm);
        self.told.remove(name);
        self.tell_no_more(name);
        self.last_effect.insert(name.clone(), self.effects.len());
        self.effects.push(RecordEffect::Remove { name: name.clone() });
    }

    /// Adds an effect of another record class to this turn.
    pub(super) fn tell(&mut self, effect: RecordEffect) {
        self.effects.push(effect);
    }

    /// Effects of this turn, in order.
    pub(super) fn take_effects(&mut self) -> Vec<RecordEffect> {
        for root in std::mem::take(&mut self.uncounted) {
            self.recount(&root);
        }
        self.last_effect.clear();
        std::mem::take(&mut self.effects)
    }

    /// Tells what changed softly and was held back long enough.
    pub(super) fn tell_held_back(&mut self) {
        while let Some((due, name)) = self.untold.first().cloned() {
            if due > self.now {
                return;
            }
            self.tell_no_more(&name);
            self.push(&name, Telling::Separate);
        }
    }

    /// When something held back is to be told.
    pub(super) fn next_deadline(&self) -> Option<Timestamp> {
        self.untold.first().map(|(due, _)| *due)
    }

    /// Makes count and list of what an active root explains those of the records.
    fn recount(&mut self, root: &Name) {
        let children = self.by_root.get(root);
        let count = children.map_or(0, |names| u32::try_from(names.len()).unwrap_or(u32::MAX));
        let first: Vec<Name> =
            children.map(|names| names.iter().take(limits::CORRELATED).cloned().collect()).unwrap_or_default();
        let now = self.now;
        self.change(root, |alarm| {
            if !alarm.is_active() || (alarm.correlated_count == count && alarm.correlated == first) {
                return None;
            }
            if count > alarm.correlated_count {
                record::note_latest(alarm, now, AlarmTransition::Correlated);
            }
            alarm.correlated = first;
            alarm.correlated_count = count;
            Some(Telling::Soft(JOINING))
        });
    }

    fn push(&mut self, name: &Name, telling: Telling) {
        let told_now = self.last_effect.get(name).copied();
        if let (Telling::Soft(quiet), None) = (telling, told_now)
            && !self.may_tell_softly(name, quiet)
        {
            return;
        }
        let Some(alarm) = self.records.get(name) else { return };
        let effect = RecordEffect::Put { name: name.clone(), body: Body::Alarm(Box::new(alarm.clone())) };
        match told_now {
            Some(place) if telling != Telling::Separate => self.effects[place] = effect,
            _ => {
                self.last_effect.insert(name.clone(), self.effects.len());
                self.effects.push(effect);
            }
        }
        self.told.insert(name.clone(), self.now);
        self.tell_no_more(name);
    }

    /// False if the record was told a short time ago: it is told again later.
    fn may_tell_softly(&mut self, name: &Name, quiet: Duration) -> bool {
        let Some(due) = self.told.get(name).map(|told| told.plus(quiet)).filter(|due| *due > self.now) else {
            return true;
        };
        self.coalesced += 1;
        let due = self.due.get(name).copied().map_or(due, |held| held.min(due));
        self.tell_no_more(name);
        self.due.insert(name.clone(), due);
        self.untold.insert((due, name.clone()));
        false
    }

    fn tell_no_more(&mut self, name: &Name) {
        if let Some(due) = self.due.remove(name) {
            self.untold.remove(&(due, name.clone()));
        }
    }

    fn index(&mut self, name: &Name, alarm: &Alarm) {
        if let Some(alarm_type) = AlarmType::parse(&alarm.alarm_type) {
            self.by_key.insert(ConditionKey { object: alarm.object.clone(), alarm_type }, name.clone());
        }
        self.by_owner.entry(owner(&alarm.object)).or_default().insert(name.clone());
        self.add_facets(name, &Facets::of(alarm));
    }

    fn unindex(&mut self, name: &Name, alarm: &Alarm) {
        if let Some(alarm_type) = AlarmType::parse(&alarm.alarm_type) {
            self.by_key.remove(&ConditionKey { object: alarm.object.clone(), alarm_type });
        }
        drop_from(&mut self.by_owner, &owner(&alarm.object), name);
        self.drop_facets(name, &Facets::of(alarm));
    }

    fn add_facets(&mut self, name: &Name, facets: &Facets) {
        if let Some(host) = &facets.host {
            self.by_host.entry(host.clone()).or_default().insert(name.clone());
        }
        if let Some(time) = facets.clear_time {
            self.cleared.insert((time, name.clone()));
        }
        if let Some(root) = &facets.root_cause {
            self.by_root.entry(root.clone()).or_default().insert(name.clone());
            self.uncounted.insert(root.clone());
        }
        if let Some(shelf) = &facets.shelf {
            *self.on_shelf.entry(shelf.clone()).or_default() += 1;
        }
    }

    fn drop_facets(&mut self, name: &Name, facets: &Facets) {
        if let Some(host) = &facets.host {
            drop_from(&mut self.by_host, host, name);
        }
        if let Some(time) = facets.clear_time {
            self.cleared.remove(&(time, name.clone()));
        }
        if let Some(root) = &facets.root_cause {
            drop_from(&mut self.by_root, root, name);
            self.uncounted.insert(root.clone());
        }
        if let Some(shelf) = &facets.shelf
            && let Some(count) = self.on_shelf.get_mut(shelf)
        {
            *count -= 1;
            if *count == 0 {
                self.on_shelf.remove(shelf);
            }
        }
    }
}

fn drop_from<K: std::hash::Hash + Eq>(index: &mut HashMap<K, BTreeSet<Name>>, key: &K, name: &Name) {
    if let Some(names) = index.get_mut(key) {
        names.remove(name);
        if names.is_empty() {
            index.remove(key);
        }
    }
}
