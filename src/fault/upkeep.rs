//! What time brings to the alarm list: holds, shelves and quiet times that end, the first look after a restart.

use super::catalogue::{self, AlarmType};
use super::list::{RecordEffect, Telling};
use super::place::owner;
use super::record;
use super::surveillance::Surveillance;
use crate::model::alarm::ClearingKind;
use crate::model::relation::Topology;
use crate::model::{Actor, Alarm, Body, HostId, Name, Timestamp};
use std::time::Duration;

/// An alarm that says its object failed stays so long after the object: 24 h (operations.md F18).
const ORPHAN_LIFE: Duration = Duration::from_secs(24 * 3600);

impl Surveillance {
    /// Does what is due: holds that end, quiet times, shelves, acknowledgements by the system.
    pub fn tick(&mut self, world: &dyn Topology, now: Timestamp) {
        self.list.at(now);
        if std::mem::take(&mut self.waking) {
            self.wake(world, now);
        }
        for step in self.conditions.tick(now) {
            self.step(step, None, world, now);
        }
        let confirmed = self.backings.confirmed(now);
        self.judge_backings(confirmed, world, now);
        let settled: Vec<HostId> =
            self.settling.iter().filter(|(_, due)| **due <= now).map(|(host, _)| host.clone()).collect();
        for host in settled {
            self.settling.remove(&host);
            self.suppress_anew(&host, now);
        }
        self.judge_isolation(world, now);
        self.expire_shelves(world, now);
        self.bury_orphans(world, now);
        self.acknowledge_old(now);
        self.list.tell_held_back();
    }

    /// What a restart leaves to be done when the managed world is there.
    fn wake(&mut self, world: &dyn Topology, now: Timestamp) {
        for name in self.list.names() {
            let survives = |alarm: &Alarm| {
                AlarmType::parse(&alarm.alarm_type).is_some_and(|kind| catalogue::descriptor(kind).survives_object)
            };
            let gone =
                |alarm: &&Alarm| alarm.is_active() && survives(alarm) && world.object(&owner(&alarm.object)).is_none();
            if let Some(alarm) = self.list.get(&name).filter(gone) {
                let since = alarm.status_change_time;
                self.orphans.insert(name, since);
            }
        }
        for key in self.conditions.keys() {
            self.witness(&key, Duration::ZERO, world, now);
        }
        for key in self.conditions.keys() {
            if key.alarm_type == AlarmType::StorageBackingLost && self.backings.on(&key.object).is_empty() {
                self.all_over(&[key], world, now);
            }
        }
    }

    fn expire_shelves(&mut self, world: &dyn Topology, now: Timestamp) {
        let expired: Vec<Name> = self
            .shelves
            .iter()
            .filter(|(_, shelf)| shelf.expire_time.is_some_and(|expire| expire <= now))
            .map(|(name, _)| name.clone())
            .collect();
        if expired.is_empty() {
            return;
        }
        for name in expired {
            self.shelves.remove(&name);
            self.list.tell(RecordEffect::Remove { name });
        }
        self.shelve_anew(world, now);
    }

    /// What says that an object failed ends a day after the object, unless somebody ends it before.
    fn bury_orphans(&mut self, world: &dyn Topology, now: Timestamp) {
        let old: Vec<Name> = self
            .orphans
            .iter()
            .filter(|(_, gone)| now.since(**gone) >= ORPHAN_LIFE)
            .map(|(name, _)| name.clone())
            .collect();
        for name in old {
            self.acknowledge_by_system(&name, now);
            self.bury(&name, world, now);
        }
    }

    /// Ends an alarm whose object is gone.
    pub(super) fn bury(&mut self, name: &Name, world: &dyn Topology, now: Timestamp) {
        self.orphans.remove(name);
        if let Some(key) = self.key_of(name) {
            self.end(&key, ClearingKind::ObjectGone, world, now);
        }
    }

    fn acknowledge_by_system(&mut self, name: &Name, now: Timestamp) {
        self.list
            .change(name, |alarm| record::acknowledge(alarm, &Actor::system(), "", now).then_some(Telling::Separate));
    }

    fn acknowledge_old(&mut self, now: Timestamp) {
        let Some(after) = self.settings.acknowledge_cleared_after else { return };
        while let Some((cleared, name)) = self.list.oldest_cleared().cloned() {
            if now.since(cleared) < after {
                return;
            }
            self.acknowledge_by_system(&name, now);
            self.list.remove(&name);
        }
    }

    /// When [`Surveillance::tick`] has something to do; nothing while nothing waits.
    pub fn next_deadline(&self) -> Option<Timestamp> {
        let cleared = self.list.oldest_cleared().map(|(time, _)| *time);
        let acknowledge = cleared.zip(self.settings.acknowledge_cleared_after).map(|(time, after)| time.plus(after));
        let shelf = self.shelves.values().filter_map(|shelf| shelf.expire_time).min();
        let settled = self.settling.values().min().copied();
        let orphan = self.orphans.values().min().map(|gone| gone.plus(ORPHAN_LIFE));
        let own = [self.conditions.next_deadline(), self.backings.next_deadline(), self.list.next_deadline()];
        own.into_iter().chain([acknowledge, shelf, settled, orphan]).flatten().min()
    }

    /// Tells how many alarms each shelf has, if that changed.
    pub(super) fn count_shelved(&mut self) {
        let mut changed = Vec::new();
        for (name, shelf) in &mut self.shelves {
            let count = self.list.on_shelf().get(name).copied().unwrap_or(0);
            if shelf.shelved_count.0 != count {
                shelf.shelved_count.0 = count;
                changed.push((name.clone(), shelf.clone()));
            }
        }
        for (name, shelf) in changed {
            self.list.tell(RecordEffect::Put { name, body: Body::AlarmShelf(Box::new(shelf)) });
        }
    }
}
