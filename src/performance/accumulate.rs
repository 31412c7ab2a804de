//! From readings to results of granularity periods, aligned to UTC.
//!
//! Accumulators exist only for what an order wants. One takes 56 bytes: the default job (14 metrics of a machine at
//! three granularities) costs 2.4 KB a machine, 24 MB for 10,000; a test measures it.
//!
//! A reading belongs to the period it was taken in; what a counter moved since the reading before is counted in that
//! period as well. So every movement is counted exactly once, over true intervals, and periods add up. A period of an
//! owner is closed by its first reading of a later one, or when time has passed.

use super::counter::{Delta, between};
use super::order::Orders;
use super::plan::{Plan, Plans};
use super::reading::{OwnerReadings, PartReadings, Reading};
use super::slot::{HOST_LOST, MeasuredTiming, Slot, value_of};
use crate::model::measurement::{AbsentReason, MeasuredKey, Owner, Part, PeriodResult, PeriodValue, SuspectReason};
use crate::model::metric::{Metric, MetricKind};
use crate::model::{HostId, Timestamp};
use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

/// Accumulators of one part, at each granularity of its plan.
#[derive(Debug)]
struct PartSlots {
    part: Part,
    plan: Arc<Plan>,
    /// Begin of the open period of each level.
    begins: Box<[Timestamp]>,
    /// Level by level.
    slots: Box<[Slot]>,
}

#[derive(Debug, Default)]
struct OwnerSlots {
    host: Option<HostId>,
    parts: Vec<PartSlots>,
}

/// Accumulators of everything that is ordered.
#[derive(Debug)]
pub struct Accumulators {
    timing: MeasuredTiming,
    orders: Orders,
    plans: Plans,
    owners: HashMap<Owner, OwnerSlots>,
    lost: BTreeSet<HostId>,
    /// Granularities in use, and until when each was closed for everybody.
    closed: HashMap<u32, Timestamp>,
    series: usize,
}

impl Accumulators {
    /// Nothing accumulated yet.
    pub fn new(timing: MeasuredTiming, orders: Orders) -> Self {
        Self {
            timing,
            orders,
            plans: Plans::default(),
            owners: HashMap::new(),
            lost: BTreeSet::new(),
            closed: HashMap::new(),
            series: 0,
        }
    }

    /// Number of series that count against the capacity: one metric of one part.
    pub fn series(&self) -> usize {
        self.series
    }

    /// Readings become rarer or usual again.
    pub fn stretch(&mut self, stretch: u32) {
        self.timing.stretch = stretch;
        if stretch > 1 {
            self.mark(|_| true, SuspectReason::Overload);
        }
    }

    /// Other orders: what both want is kept, what is new begins late, what nobody wants any more is dropped.
    pub fn reorder(&mut self, orders: Orders, now: Timestamp) {
        self.orders = orders;
        let owners: Vec<Owner> = self.owners.keys().cloned().collect();
        for owner in owners {
            let Some(mut held) = self.owners.remove(&owner) else { continue };
            let parts = std::mem::take(&mut held.parts);
            for part in parts {
                let planned = self.planned(&owner, &part.part, held.host.as_ref(), now);
                held.parts.push(self.replanned(part, planned, now));
            }
            self.owners.insert(owner, held);
        }
        self.plans.tidy();
    }

    fn planned(&mut self, owner: &Owner, part: &Part, host: Option<&HostId>, now: Timestamp) -> Arc<Plan> {
        let key = MeasuredKey { owner: owner.clone(), part: part.clone() };
        let plan = self.orders.plan(&key, host, now);
        self.plans.intern(plan)
    }

    fn replanned(&mut self, former: PartSlots, plan: Arc<Plan>, now: Timestamp) -> PartSlots {
        if Arc::ptr_eq(&former.plan, &plan) {
            return former;
        }
        let mut fresh = self.opened(former.part.clone(), plan, now);
        let old = former.plan.levels.iter().enumerate().flat_map(|(level, (granularity, metrics))| {
            metrics.iter().map(move |metric| (*granularity, *metric, level))
        });
        let kept: HashMap<(u32, Metric), (Timestamp, Slot)> = old
            .zip(former.slots.iter())
            .map(|((granularity, metric, level), slot)| ((granularity, metric), (former.begins[level], *slot)))
            .collect();
        let mut at = 0;
        let plan = Arc::clone(&fresh.plan);
        for (level, (granularity, metrics)) in plan.levels.iter().enumerate() {
            for metric in metrics {
                if let Some((begin, slot)) = kept.get(&(*granularity, *metric)) {
                    fresh.begins[level] = *begin;
                    fresh.slots[at] = *slot;
                }
                at += 1;
            }
        }
        self.series -= former.plan.counted;
        fresh
    }

    /// Slots for periods that have begun already.
    fn opened(&mut self, part: Part, plan: Arc<Plan>, now: Timestamp) -> PartSlots {
        let mut slots = Vec::with_capacity(plan.slots());
        let mut begins = Vec::with_capacity(plan.levels.len());
        for (granularity, metrics) in &plan.levels {
            let begin = aligned(now, *granularity);
            let late = now.since(begin) > self.timing.base;
            begins.push(begin);
            self.closed.entry(*granularity).or_insert(begin);
            for _ in metrics {
                let mut slot = Slot::default();
                if late {
                    slot.suspect(SuspectReason::LateStart);
                }
                slots.push(slot);
            }
        }
        self.series += plan.counted;
        PartSlots { part, plan, begins: begins.into(), slots: slots.into() }
    }

    /// Takes a look at an owner: `previous` is the look before.
    pub fn feed(
        &mut self,
        previous: Option<&OwnerReadings>,
        current: &OwnerReadings,
        stepped: bool,
        results: &mut Vec<PeriodResult>,
    ) {
        let mut held = self.owners.remove(&current.owner).unwrap_or_default();
        let elsewhere = held.host != current.host;
        held.host.clone_from(&current.host);
        if elsewhere {
            // The order may be about a host.
            let parts = std::mem::take(&mut held.parts);
            for part in parts {
                let plan = self.planned(&current.owner, &part.part, current.host.as_ref(), current.time);
                held.parts.push(self.replanned(part, plan, current.time));
            }
        }
        let lost = held.host.as_ref().is_some_and(|host| self.lost.contains(host));
        for readings in &current.parts {
            let at = match held.parts.binary_search_by(|slots| slots.part.cmp(&readings.part)) {
                Ok(at) => at,
                Err(at) => {
                    let plan = self.planned(&current.owner, &readings.part, current.host.as_ref(), current.time);
                    let opened = self.opened(readings.part.clone(), plan, current.time);
                    held.parts.insert(at, opened);
                    at
                }
            };
            let slots = &mut held.parts[at];
            let feeding = Feeding { timing: self.timing, previous, current, stepped, lost };
            feeding.feed(slots, readings, results);
        }
        self.owners.insert(current.owner.clone(), held);
    }

    /// Closes what ended at least `grace` before `now` and was not closed by a later reading.
    pub fn close(&mut self, now: Timestamp, grace: Duration, results: &mut Vec<PeriodResult>) {
        let cut = Timestamp(now.0 - i64::try_from(grace.as_micros()).unwrap_or(0));
        let due: Vec<u32> = self
            .closed
            .iter()
            .filter(|(granularity, until)| aligned(cut, **granularity) > **until)
            .map(|(granularity, _)| *granularity)
            .collect();
        for granularity in &due {
            self.closed.insert(*granularity, aligned(cut, *granularity));
        }
        if due.is_empty() {
            return;
        }
        for (owner, held) in &mut self.owners {
            let lost = held.host.as_ref().is_some_and(|host| self.lost.contains(host));
            for slots in &mut held.parts {
                for (level, (granularity, _)) in Arc::clone(&slots.plan).levels.iter().enumerate() {
                    if due.contains(granularity) {
                        close_until(owner, slots, level, aligned(cut, *granularity), self.timing, lost, results);
                    }
                }
            }
        }
    }

    /// A host does not answer: what was not read there is lost.
    pub fn host_lost(&mut self, host: &HostId) {
        self.lost.insert(host.clone());
        self.mark(|of| of == Some(host), SuspectReason::HostLost);
    }

    /// A host answers again.
    pub fn host_back(&mut self, host: &HostId) {
        if self.lost.remove(host) {
            self.mark(|of| of == Some(host), SuspectReason::HostLost);
        }
    }

    /// The wall clock was set.
    pub fn clock_step(&mut self) {
        self.mark(|_| true, SuspectReason::ClockStep);
    }

    fn mark(&mut self, concerned: impl Fn(Option<&HostId>) -> bool, reason: SuspectReason) {
        for held in self.owners.values_mut().filter(|held| concerned(held.host.as_ref())) {
            for slot in held.parts.iter_mut().flat_map(|part| part.slots.iter_mut()) {
                slot.suspect(reason);
            }
        }
    }

    /// An owner is gone: what was measured of its open periods is told, as far as anything was.
    pub fn forget(&mut self, owner: &Owner, results: &mut Vec<PeriodResult>) {
        let Some(mut held) = self.owners.remove(owner) else { return };
        for slots in &mut held.parts {
            self.series -= slots.plan.counted;
            for level in 0..slots.begins.len() {
                let result = result_of(owner, slots, level, self.timing, false, true);
                results.extend(result.filter(|result| result.values.iter().any(|(_, value)| value.samples > 0)));
            }
        }
    }

    /// Owners that are accumulated.
    pub fn owners(&self) -> impl Iterator<Item = &Owner> {
        self.owners.keys()
    }

    /// Bytes that accumulators take, without allocator overhead.
    pub fn bytes(&self) -> usize {
        let part = |part: &PartSlots| size_of::<PartSlots>() + size_of_val(&*part.slots) + size_of_val(&*part.begins);
        let owner = |held: &OwnerSlots| size_of::<(Owner, OwnerSlots)>() + held.parts.iter().map(part).sum::<usize>();
        self.owners.values().map(owner).sum()
    }
}

/// One look at one owner, being counted.
struct Feeding<'a> {
    timing: MeasuredTiming,
    previous: Option<&'a OwnerReadings>,
    current: &'a OwnerReadings,
    stepped: bool,
    lost: bool,
}

impl Feeding<'_> {
    fn feed(&self, slots: &mut PartSlots, readings: &PartReadings, results: &mut Vec<PeriodResult>) {
        let plan = Arc::clone(&slots.plan);
        let mut first = 0;
        for (level, (granularity, metrics)) in plan.levels.iter().enumerate() {
            let begin = aligned(self.current.time, *granularity);
            if self.stepped {
                mark_level(&mut slots.slots[first..first + metrics.len()], SuspectReason::ClockStep);
            }
            if begin > slots.begins[level] {
                close_until(&self.current.owner, slots, level, begin, self.timing, self.lost, results);
            } else if slots.begins[level].since(begin) >= Duration::from_secs(u64::from(*granularity)) && self.stepped {
                // The clock was set back: this period is told as far as it came, and an earlier one begins again.
                let result = result_of(&self.current.owner, slots, level, self.timing, self.lost, true);
                results.extend(result);
                reopen(slots, level, begin, self.lost);
            }
            if self.stepped {
                mark_level(&mut slots.slots[first..first + metrics.len()], SuspectReason::ClockStep);
            }
            for (at, metric) in metrics.iter().enumerate() {
                self.take(&mut slots.slots[first + at], readings, *metric);
            }
            first += metrics.len();
        }
    }

    fn take(&self, slot: &mut Slot, readings: &PartReadings, metric: Metric) {
        if let Some(reason) = readings.absence(metric) {
            slot.set_absent(reason);
            if reason == AbsentReason::NoInterval
                && self.previous.is_some_and(|before| self.began_anew(before, readings))
            {
                self.began(slot);
            }
            return;
        }
        let Some(reading) = readings.get(metric).filter(|reading| self.current.is_fresh(reading)) else { return };
        let time = self.current.time;
        match metric.kind() {
            MetricKind::Cumulative | MetricKind::Event => self.count(slot, readings, reading),
            MetricKind::Gauge => {
                let interval = self.interval(readings, reading).min(self.timing.gap(metric));
                slot.weigh(reading.number().as_f64(), interval);
            }
            MetricKind::Status => slot.counted = true,
        }
        slot.see(reading.number().as_f64(), time);
        slot.suspect |= reading.suspect().0;
        if let Some(before) = self.before(readings, metric)
            && reading.at().saturating_sub(before.at()) > self.timing.gap(metric)
        {
            slot.suspect(SuspectReason::Gap);
        }
    }

    fn count(&self, slot: &mut Slot, readings: &PartReadings, reading: &Reading) {
        match between(self.previous, readings, reading) {
            Delta::Moved { amount, .. } => slot.count(amount),
            Delta::First if self.previous.is_some_and(|before| self.began_anew(before, readings)) => self.began(slot),
            Delta::First => slot.suspect(SuspectReason::LateStart),
            Delta::Reset => self.began(slot),
        }
    }

    fn began_anew(&self, before: &OwnerReadings, readings: &PartReadings) -> bool {
        before.part(&readings.part).is_some_and(|part| !readings.continues(part))
    }

    fn began(&self, slot: &mut Slot) {
        let reason = if self.current.moved { SuspectReason::Migration } else { SuspectReason::CounterReset };
        slot.suspect(reason);
    }

    fn before(&self, readings: &PartReadings, metric: Metric) -> Option<Reading> {
        let part = self.previous?.part(&readings.part)?;
        part.get(metric).copied()
    }

    /// For how long a level speaks: since it was read before, at first for one interval.
    fn interval(&self, readings: &PartReadings, reading: &Reading) -> Duration {
        let since = self.before(readings, reading.metric()).map(|before| reading.at().saturating_sub(before.at()));
        since.filter(|since| !since.is_zero()).unwrap_or(self.timing.expected(reading.metric()))
    }
}

fn mark_level(slots: &mut [Slot], reason: SuspectReason) {
    for slot in slots {
        slot.suspect(reason);
    }
}

/// Closes the periods of a level that end at `until` or before.
fn close_until(
    owner: &Owner,
    slots: &mut PartSlots,
    level: usize,
    until: Timestamp,
    timing: MeasuredTiming,
    lost: bool,
    results: &mut Vec<PeriodResult>,
) {
    let length = Duration::from_secs(u64::from(slots.plan.levels[level].0));
    if slots.begins[level] >= until {
        return;
    }
    results.extend(result_of(owner, slots, level, timing, lost, false));
    // While a host is lost each period is told; what simply was not measured is not there.
    let mut next = slots.begins[level].plus(length);
    reopen(slots, level, next, lost);
    while lost && next < until {
        results.extend(result_of(owner, slots, level, timing, true, false));
        next = next.plus(length);
        reopen(slots, level, next, lost);
    }
    reopen(slots, level, until, lost);
}

fn reopen(slots: &mut PartSlots, level: usize, begin: Timestamp, lost: bool) {
    slots.begins[level] = begin;
    let (first, count) = extent(&slots.plan, level);
    for slot in &mut slots.slots[first..first + count] {
        *slot = Slot::default();
        if lost {
            slot.suspect(SuspectReason::HostLost);
        }
    }
}

fn extent(plan: &Plan, level: usize) -> (usize, usize) {
    let first = plan.levels[..level].iter().map(|(_, metrics)| metrics.len()).sum();
    (first, plan.levels[level].1.len())
}

/// The result of an open period; nothing if there is nothing to say.
fn result_of(
    owner: &Owner,
    slots: &PartSlots,
    level: usize,
    timing: MeasuredTiming,
    lost: bool,
    partial: bool,
) -> Option<PeriodResult> {
    let (granularity, metrics) = &slots.plan.levels[level];
    let (first, count) = extent(&slots.plan, level);
    let length = Duration::from_secs(u64::from(*granularity));
    let end = slots.begins[level].plus(length);
    let values = metrics.iter().zip(&slots.slots[first..first + count]);
    let told = |(metric, slot): (&Metric, &Slot)| {
        let mut value = value_of(*metric, slot, end, timing, lost);
        if partial && value.samples > 0 {
            value.suspect.add(SuspectReason::Gap);
        }
        (*metric, value)
    };
    let values: Vec<(Metric, PeriodValue)> = values
        .filter(|(_, slot)| slot.samples > 0 || slot.absent != 0 || lost || slot.suspect & HOST_LOST != 0)
        .map(told)
        .collect();
    let key = MeasuredKey { owner: owner.clone(), part: slots.part.clone() };
    (!values.is_empty()).then_some(PeriodResult { key, begin: slots.begins[level], granularity: length, values })
}

/// Begin of the period that holds a moment; periods are aligned to UTC.
pub fn aligned(time: Timestamp, granularity: u32) -> Timestamp {
    let length = i64::from(granularity.max(1)) * 1_000_000;
    Timestamp(time.0.div_euclid(length) * length)
}
