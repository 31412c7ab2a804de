//! The simulated world: a pure function of seed, script and time.
//!
//! Nothing here reads a clock or does I/O. [`World::advance`] moves it on and tells what happened on
//! the way; how often it is called makes no difference to what the world is at a given time.

use super::dice::Dice;
use super::fault::{Fault, Script};
use super::machine::{Who, disks};
use super::overlay::{HostTrouble, Overlay, Storm};
use super::params::Churn;
use super::timeline::{GROUP, Moment, Temper, Timeline, real, simulated};
use crate::hypervisor::port::EventSubject;
use crate::model::name::HostId;
use crate::model::observation::GoneCause;
use crate::model::time::Timestamp;
use crate::model::virtual_machine::{RunState, RunStateReason};
use std::cmp::Reverse;
use std::collections::{BTreeSet, BinaryHeap, HashMap};
use uuid::Uuid;

/// Simulated time in one leap beyond which events are not told one by one: hosts say that events were lost.
const LEAP_US: i64 = 600_000_000;
/// Simulated time by which a clock has to go back before the world goes with it.
const SETBACK_US: i64 = 60_000_000;
/// Longest part of a leap in which the script goes on; during the rest it stands still, or a clock that
/// was set by years would have to live through all of its faults.
const SCRIPT_LEAP_US: i64 = 86_400_000_000;
/// Time between two changes of a host's network and volume under churn `lifecycle`, at least.
const TOGGLE_US: i64 = 60_000_000;
/// Hosts that may change something in one second under churn `lifecycle`; more hosts change more slowly.
const TOGGLES_PER_SECOND: i64 = 20;

/// What a world is made from.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The name that, with the seed, decides what is drawn.
    pub name: String,
    /// Ids of the hosts.
    pub hosts: Vec<HostId>,
    /// Machines that exist at any moment.
    pub vms: u32,
    /// What everything is drawn from.
    pub seed: u64,
    /// What changes by itself.
    pub churn: Churn,
    /// What fails, by time since the start.
    pub script: Script,
    /// Thousandths: how much faster than the clock.
    pub speed_milli: u32,
}

/// Something a host would tell by itself.
#[derive(Clone, Debug, PartialEq)]
pub struct WorldEvent {
    /// Index of the host that tells it.
    pub host: u64,
    /// When it happened.
    pub at: Timestamp,
    /// What it is about.
    pub subject: EventSubject,
}

/// What changes next by itself; ordered by time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Due {
    /// The machine of a slot takes its next step.
    Slot(u64),
    /// The network and the volume of a host that come and go.
    Host(u64),
}

/// The simulated world.
#[derive(Clone, Debug)]
pub struct World {
    pub(super) plan: Plan,
    pub(super) dice: Dice,
    pub(super) timeline: Timeline,
    pub(super) overlay: Overlay,
    /// For each host the slots whose machine can be there.
    pub(super) visitors: Vec<Vec<u64>>,
    /// Slots of the machines that never make room for others, by their UUID.
    pub(super) lasting: HashMap<Uuid, u64>,
    /// Simulated time.
    pub(super) now: i64,
    start: i64,
    due: BinaryHeap<Reverse<(i64, Due)>>,
    next_entry: u64,
    skipped: u64,
}

impl World {
    /// The world at its start; the script's times count from here.
    pub fn new(plan: Plan, start: Timestamp) -> Self {
        let dice = Dice::new(plan.seed, &plan.name);
        let hosts = u32::try_from(plan.hosts.len()).unwrap_or(u32::MAX);
        let timeline = Timeline::new(dice, hosts, plan.vms, plan.churn, plan.speed_milli);
        let mut visitors = vec![Vec::new(); plan.hosts.len()];
        for slot in 0..u64::from(plan.vms) {
            let mut stays = vec![timeline.home(slot)];
            stays.extend(timeline.is_mobile(slot).then(|| timeline.partner(slot)));
            for host in stays {
                if let Some(slots) = usize::try_from(host).ok().and_then(|host| visitors.get_mut(host)) {
                    slots.push(slot);
                }
            }
        }
        let lasting = (0..u64::from(plan.vms))
            .filter(|slot| !timeline.is_tenant(*slot))
            .map(|slot| (Who { slot, generation: 0, copy: false }.uuid(dice), slot))
            .collect();
        let start = simulated(start, plan.speed_milli);
        let mut world = Self {
            plan,
            dice,
            timeline,
            overlay: Overlay::default(),
            visitors,
            lasting,
            now: start,
            start,
            due: BinaryHeap::new(),
            next_entry: 0,
            skipped: 0,
        };
        world.wind_up();
        world
    }

    /// Ids of the hosts.
    pub fn hosts(&self) -> &[HostId] {
        &self.plan.hosts
    }

    /// What is wrong with the way to a host.
    pub fn host_trouble(&self, host: u64) -> Option<HostTrouble> {
        self.overlay.hosts.get(&host).copied()
    }

    /// Everything faults have done.
    pub fn overlay(&self) -> &Overlay {
        &self.overlay
    }

    /// Entries of the script that could not be carried out, e.g. because their machine did not run.
    pub fn skipped(&self) -> u64 {
        self.skipped
    }

    /// When the world changes next; nothing if it never does.
    pub fn next_due(&self) -> Option<Timestamp> {
        self.next_change().map(|at| real(at, self.plan.speed_milli))
    }

    /// Moves the world on and tells what happened, in order.
    ///
    /// A clock that goes back a little is waited for; one that was set back takes the world with it,
    /// but not what faults have done.
    pub fn advance(&mut self, now: Timestamp) -> Vec<WorldEvent> {
        let target = simulated(now, self.plan.speed_milli);
        let step = target.saturating_sub(self.now);
        if step < -SETBACK_US {
            self.now = target;
            self.start = self.start.saturating_add(step);
        }
        if !(-SETBACK_US..=LEAP_US).contains(&step) {
            return self.leap(target);
        }
        let mut events = Vec::new();
        while let Some(at) = self.next_change().filter(|at| *at <= target) {
            self.now = self.now.max(at);
            self.happen(at, &mut events);
        }
        self.now = self.now.max(target);
        events
    }

    /// Moves the world on by much: faults strike in order, the rest is not told but for the fact that it is not.
    fn leap(&mut self, target: i64) -> Vec<WorldEvent> {
        let mut events: Vec<WorldEvent> = Vec::new();
        let standstill = target.saturating_sub(self.now).saturating_sub(SCRIPT_LEAP_US);
        self.start = self.start.saturating_add(standstill.max(0));
        while let Some((at, fault)) = self.next_fault().filter(|(at, _)| *at <= target) {
            self.pass_to(at);
            self.next_entry += 1;
            self.skipped += u64::from(self.strike(&fault, &mut events).is_err());
            events.retain(|event| matches!(event.subject, EventSubject::Closed(_)));
        }
        self.pass_to(target);
        self.wind_up();
        let gaps = self.all_hosts().map(|host| self.event(host, self.now, EventSubject::Gap));
        gaps.chain(events).collect()
    }

    /// State of a slot's machine now.
    pub fn moment(&self, slot: u64) -> Moment {
        self.moment_at(slot, self.now)
    }

    /// The machine of a slot now.
    pub fn who(&self, slot: u64) -> Who {
        let held = self.overlay.holds(slot).then(|| self.moment(slot).generation);
        let generation = held.unwrap_or_else(|| self.timeline.generation(slot, self.now));
        Who { slot, generation, copy: false }
    }

    /// The slot whose machine has this UUID now.
    pub(super) fn slot_with(&self, uuid: Uuid) -> Option<u64> {
        let tenants = || (0..u64::from(self.plan.vms)).filter(|slot| self.timeline.is_tenant(*slot));
        let lasting = self.lasting.get(&uuid).copied();
        lasting.or_else(|| tenants().find(|slot| self.who(*slot).uuid(self.dice) == uuid))
    }

    /// True if the machine of a slot vanishes when it stops.
    pub(super) fn is_transient(&self, slot: u64) -> bool {
        slot % 11 == 4 && self.timeline.temper(slot) == Temper::Steady(RunState::Running)
    }

    /// Which of the changes of a host's network and volume is the latest; nothing if they do not change.
    pub(super) fn toggles(&self, host: u64, time: i64) -> Option<i64> {
        (self.plan.churn == Churn::Lifecycle).then(|| {
            let phase = i64::try_from(host).unwrap_or(0) * 7_000_000;
            (time + phase).div_euclid(self.toggle_us())
        })
    }

    fn toggle_us(&self) -> i64 {
        let hosts = i64::try_from(self.plan.hosts.len()).unwrap_or(i64::MAX);
        TOGGLE_US.max(hosts * 1_000_000 / TOGGLES_PER_SECOND)
    }

    pub(super) fn all_hosts(&self) -> std::ops::Range<u64> {
        0..self.plan.hosts.len() as u64
    }

    fn moment_at(&self, slot: u64, time: i64) -> Moment {
        self.overlay.applied(slot, u64::from(self.plan.vms), time, self.timeline.at(slot, time))
    }

    /// What the clock shows now.
    pub(super) fn clock(&self) -> Timestamp {
        real(self.now, self.plan.speed_milli)
    }

    pub(super) fn event(&self, host: u64, at: i64, subject: EventSubject) -> WorldEvent {
        WorldEvent { host, at: real(at, self.plan.speed_milli), subject }
    }

    /// Pools in which machines of a slot have volumes.
    fn pools_of(&self, slot: u64, generations: [u64; 2]) -> BTreeSet<String> {
        let mobile = self.timeline.is_mobile(slot);
        let disks = |generation| disks(Who { slot, generation, copy: false }, self.dice, mobile);
        generations.into_iter().flat_map(disks).map(|disk| disk.lies.pool().to_owned()).collect()
    }

    /// Computes anew what is due after now.
    fn wind_up(&mut self) {
        let slots = (0..u64::from(self.plan.vms)).map(Due::Slot);
        let all: Vec<Due> = slots.chain(self.all_hosts().map(Due::Host)).collect();
        self.due = all.into_iter().filter_map(|due| Some(Reverse((self.next_of(due, self.now)?, due)))).collect();
    }

    fn pass_to(&mut self, time: i64) {
        self.now = self.now.max(time);
        self.overlay.storm =
            self.overlay.storm.filter(|storm| storm.end() > self.now).map(|storm| storm.told_until(self.now));
    }

    fn next_of(&self, due: Due, time: i64) -> Option<i64> {
        match due {
            Due::Slot(slot) => self.timeline.next(slot, time).map(|(at, _)| at),
            Due::Host(host) => {
                let number = self.toggles(host, time)?;
                let phase = i64::try_from(host).unwrap_or(0) * 7_000_000;
                Some((number + 1) * self.toggle_us() - phase)
            }
        }
    }

    fn next_fault(&self) -> Option<(i64, Fault)> {
        let (hosts, vms) = (self.plan.hosts.len() as u64, u64::from(self.plan.vms));
        let entry = self.plan.script.entry(self.next_entry, self.dice, hosts, vms)?;
        Some((self.start.saturating_add(entry.at).max(self.now), entry.fault))
    }

    fn next_change(&self) -> Option<i64> {
        let due = self.due.peek().map(|Reverse((at, _))| *at);
        let fault = self.next_fault().map(|(at, _)| at);
        let storm = self.overlay.storm.map(|storm| storm.next().unwrap_or(storm.end()));
        [due, fault, storm].into_iter().flatten().min()
    }

    /// Lets the first thing that is due at a time happen.
    fn happen(&mut self, at: i64, events: &mut Vec<WorldEvent>) {
        if let Some((_, fault)) = self.next_fault().filter(|(fault_at, _)| *fault_at <= at) {
            self.next_entry += 1;
            self.skipped += u64::from(self.strike(&fault, events).is_err());
            return;
        }
        if let Some(Reverse((_, due))) = self.due.peek().copied().filter(|Reverse((due_at, _))| *due_at <= at) {
            self.due.pop();
            if let Some(next) = self.next_of(due, at) {
                self.due.push(Reverse((next, due)));
            }
            self.tell_due(due, at, events);
            return;
        }
        self.blow(at, events);
    }

    fn tell_due(&self, due: Due, at: i64, events: &mut Vec<WorldEvent>) {
        match due {
            Due::Slot(slot) => self.tell(slot, self.moment_at(slot, at - 1), self.moment_at(slot, at), events),
            Due::Host(host) => {
                events.push(self.event(host, at, EventSubject::Network(super::network::PASSING.to_owned())));
                events.push(self.event(host, at, EventSubject::StoragePool("default".to_owned())));
            }
        }
    }

    /// The storm's change at this time, or its end.
    fn blow(&mut self, at: i64, events: &mut Vec<WorldEvent>) {
        let Some(storm) = self.overlay.storm else { return };
        if storm.next().is_none() {
            self.end_storm(events);
            return;
        }
        let slot = u64::try_from(storm.told).unwrap_or(0).checked_rem(u64::from(self.plan.vms));
        self.overlay.storm = Some(Storm { told: storm.told + 1, ..storm });
        if let Some(slot) = slot {
            self.tell(slot, self.moment_at(slot, at - 1), self.moment_at(slot, at), events);
        }
    }

    pub(super) fn end_storm(&mut self, events: &mut Vec<WorldEvent>) {
        let before: Vec<Moment> = (0..u64::from(self.plan.vms)).map(|slot| self.moment(slot)).collect();
        self.overlay.storm = None;
        for (slot, before) in (0..).zip(before) {
            self.tell(slot, before, self.moment(slot), events);
        }
    }

    /// Tells the difference between two moments of a machine.
    pub(super) fn tell(&self, slot: u64, before: Moment, after: Moment, events: &mut Vec<WorldEvent>) {
        let uuid = |moment: Moment| Who { slot, generation: moment.generation, copy: false }.uuid(self.dice);
        let machine = |moment: Moment, leaving, text: &str| {
            let subject = EventSubject::Machine { uuid: uuid(moment), leaving, incident: None, text: text.to_owned() };
            self.event(moment.host, self.now, subject)
        };
        if before.generation != after.generation {
            events.push(machine(before, Some(GoneCause::Removed), "lifecycle undefined/removed"));
            events.push(machine(after, None, "lifecycle defined/added"));
            for pool in self.pools_of(slot, [before.generation, after.generation]) {
                events.push(self.event(self.timeline.home(slot), self.now, EventSubject::StoragePool(pool)));
            }
        } else if before.host != after.host {
            events.push(machine(before, Some(GoneCause::Migrated), "lifecycle stopped/migrated"));
            events.push(machine(after, None, "lifecycle resumed/migrated"));
        } else if (before.run_state, before.reason, before.incarnation)
            != (after.run_state, after.reason, after.incarnation)
        {
            let vanished = self.is_transient(slot) && !after.run_state.is_active();
            let failed = matches!(after.reason, RunStateReason::Crashed | RunStateReason::Failed);
            let cause = if failed { GoneCause::Failed } else { GoneCause::Removed };
            events.push(machine(after, vanished.then_some(cause), &lifecycle_text(after)));
        } else if before.renamed != after.renamed {
            events.push(machine(after, None, "lifecycle defined/renamed"));
        } else if before.snapshot != after.snapshot {
            events.push(machine(after, None, "metadata changed"));
        }
    }

    /// Hosts that share storage with a host.
    pub(super) fn group_of(&self, host: u64) -> std::ops::Range<u64> {
        let first = host / GROUP * GROUP;
        first..(first + GROUP).min(self.plan.hosts.len() as u64)
    }
}

/// The words of libvirt's lifecycle event for a state.
fn lifecycle_text(moment: Moment) -> String {
    let event = match (moment.run_state, moment.reason) {
        (RunState::Running, RunStateReason::Unpaused) => "resumed",
        (RunState::Running, _) => "started",
        (RunState::Paused, _) => "suspended",
        (RunState::Crashed, _) => "crashed",
        _ => "stopped",
    };
    format!("lifecycle {event}/{}", moment.reason.as_str())
}

#[cfg(test)]
mod tests;
