//! The alarm list: one record per object and type, found by name, by object and by host.
//!
//! It keeps records and what became of them in this turn; which transition happens is decided by its
//! callers. A record that is cleared and acknowledged leaves the list.

use super::catalogue::AlarmType;
use super::conditions::ConditionKey;
use super::place::owner;
use crate::model::{Alarm, Body, HostId, Name, Timestamp};
use std::collections::{BTreeMap, BTreeSet, HashMap};

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

impl RecordEffect {
    fn name(&self) -> &Name {
        match self {
            Self::Put { name, .. } | Self::Remove { name } => name,
        }
    }
}

/// Whether a change is a transition of its own or a part of the one before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Telling {
    /// Subscribers see it by itself.
    Separate,
    /// It completes what this turn already tells of the record, if it tells anything.
    Merged,
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
    effects: Vec<RecordEffect>,
}

impl AlarmList {
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

    /// Adds a record.
    pub(super) fn insert(&mut self, name: Name, alarm: Alarm) {
        self.index(&name, &alarm);
        self.push(&name, &alarm, Telling::Separate);
        self.records.insert(name, alarm);
    }

    /// Changes a record; nothing is told if `change` answers nothing, or if there is no such record.
    pub(super) fn change(&mut self, name: &Name, change: impl FnOnce(&mut Alarm) -> Option<Telling>) -> bool {
        let Some(mut alarm) = self.records.remove(name) else { return false };
        self.unindex(name, &alarm);
        let telling = change(&mut alarm);
        self.index(name, &alarm);
        if let Some(telling) = telling {
            self.push(name, &alarm, telling);
        }
        self.records.insert(name.clone(), alarm);
        telling.is_some()
    }

    /// Takes a record off the list.
    pub(super) fn remove(&mut self, name: &Name) {
        if let Some(alarm) = self.records.remove(name) {
            self.unindex(name, &alarm);
            self.effects.push(RecordEffect::Remove { name: name.clone() });
        }
    }

    /// Adds an effect of another record class to this turn.
    pub(super) fn tell(&mut self, effect: RecordEffect) {
        self.effects.push(effect);
    }

    pub(super) fn take_effects(&mut self) -> Vec<RecordEffect> {
        std::mem::take(&mut self.effects)
    }

    fn push(&mut self, name: &Name, alarm: &Alarm, telling: Telling) {
        let effect = RecordEffect::Put { name: name.clone(), body: Body::Alarm(Box::new(alarm.clone())) };
        let told = self.effects.iter_mut().rev().find(|told| told.name() == name);
        match told {
            Some(told) if telling == Telling::Merged => *told = effect,
            _ => self.effects.push(effect),
        }
    }

    fn index(&mut self, name: &Name, alarm: &Alarm) {
        if let Some(alarm_type) = AlarmType::parse(&alarm.alarm_type) {
            self.by_key.insert(ConditionKey { object: alarm.object.clone(), alarm_type }, name.clone());
        }
        self.by_owner.entry(owner(&alarm.object)).or_default().insert(name.clone());
        if let Some(host) = &alarm.host {
            self.by_host.entry(host.clone()).or_default().insert(name.clone());
        }
        if let Some(time) = alarm.clear_time {
            self.cleared.insert((time, name.clone()));
        }
    }

    fn unindex(&mut self, name: &Name, alarm: &Alarm) {
        if let Some(alarm_type) = AlarmType::parse(&alarm.alarm_type) {
            self.by_key.remove(&ConditionKey { object: alarm.object.clone(), alarm_type });
        }
        drop_from(&mut self.by_owner, &owner(&alarm.object), name);
        if let Some(host) = &alarm.host {
            drop_from(&mut self.by_host, host, name);
        }
        if let Some(time) = alarm.clear_time {
            self.cleared.remove(&(time, name.clone()));
        }
    }

    /// How many records are active, by severity, and how many are cleared.
    pub(super) fn counts(&self) -> BTreeMap<&'static str, usize> {
        let mut counts = BTreeMap::new();
        for alarm in self.records.values() {
            let word = if alarm.is_active() { alarm.perceived_severity.as_str() } else { "cleared" };
            *counts.entry(word).or_default() += 1;
        }
        counts
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
