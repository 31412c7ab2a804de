//! The task: samples in; readings, periods and crossings out.

use super::clocks::{ClockSteps, Origins};
use super::event::{MeasurementEvent, PeriodSink};
use super::figures::{self, Rounds};
use super::handle::{MeasurementHandle, Shared};
use super::inbox::{Inbox, Message, SampleSink, is_late};
use super::jobs;
use super::settings::{MeasurementParts, Moment};
use super::table::{HostReadings, LatestTable};
use super::thresholds::Thresholds;
use super::vitals::MeasurementVitals;
use super::world::{self, World, is_connected};
use crate::changes::ChangeLog;
use crate::model::measurement::{Number, Owner, Part, PeriodResult, Sample, SampleBatch};
use crate::model::metric::Metric;
use crate::model::{Body, HostId, Name, ObjectClass, Timestamp};
use crate::performance::shed::{Shedder, Shedding};
use crate::performance::{Accumulators, Look, MeasuredTiming, Orders, OwnerReadings, derive, merge};
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;
use tokio::sync::{Notify, broadcast};
use tokio_util::sync::CancellationToken;

/// How often what is due is done.
const TICK: Duration = Duration::from_secs(1);

/// Results in one event and one hand-over to the store: 256.
const CHUNK: usize = 256;

/// Events that may wait for a subscriber: 64, at most 20 MB.
const EVENTS: usize = 64;

/// Owners taken before others get the thread.
const OWNERS_AT_ONCE: usize = 512;

/// Crossings in one report to the engine, so that a turn stays short.
const CROSSINGS: usize = 128;

/// Starts the task. It ends when `stop` is cancelled; open periods are not told then.
pub fn start(parts: MeasurementParts, stop: CancellationToken) -> (MeasurementHandle, tokio::task::JoinHandle<()>) {
    let vitals = Arc::new(MeasurementVitals::default());
    let inbox = Arc::new(Inbox::default());
    let shared = Arc::new(Shared {
        table: RwLock::default(),
        events: broadcast::Sender::new(EVENTS),
        sink: SampleSink { inbox: Arc::clone(&inbox), vitals: Arc::clone(&vitals) },
        vitals,
        settings: parts.settings.clone(),
        changes: parts.changes,
        engine: parts.engine,
        clock: parts.clock,
        reordered: Notify::new(),
    });
    let timing = MeasuredTiming { base: parts.settings.interval, stretch: 1 };
    let task = Task {
        accumulators: Accumulators::new(timing, Orders::default()),
        thresholds: Thresholds::new(&parts.settings.built_in, standing(&shared.changes)),
        store: parts.store,
        readings: HashMap::new(),
        table: LatestTable::default(),
        origins: HashMap::new(),
        steps: ClockSteps::default(),
        rounds: HashMap::new(),
        batches: HashMap::new(),
        world: World::default(),
        next_look: Duration::ZERO,
        ordered: None,
        next_turn: None,
        shedder: Shedder::default(),
        late: false,
        dropped: 0,
        shared: Arc::clone(&shared),
    };
    let join = tokio::spawn(task.run(inbox, stop));
    (MeasurementHandle { shared }, join)
}

/// Active alarms by type and object.
fn standing(changes: &ChangeLog) -> HashSet<(String, Name)> {
    let alarms = changes.all(ObjectClass::Alarm).into_iter();
    let active = alarms.filter_map(|object| match &object.body {
        Body::Alarm(alarm) if alarm.is_active() => Some((alarm.alarm_type.clone(), alarm.object.clone())),
        _ => None,
    });
    active.collect()
}

struct Task {
    shared: Arc<Shared>,
    store: Arc<dyn PeriodSink>,
    accumulators: Accumulators,
    thresholds: Thresholds,
    readings: HashMap<Owner, Arc<OwnerReadings>>,
    table: LatestTable,
    /// Where the monotonic clocks of each host's sources begin.
    origins: HashMap<HostId, Origins>,
    steps: ClockSteps,
    rounds: HashMap<HostId, Rounds>,
    /// Batches of each host, to take only some of them under overload.
    batches: HashMap<HostId, u32>,
    world: World,
    /// When the published state is looked at next.
    next_look: Duration,
    /// Revisions of the jobs, monitors and profiles that the orders come from, and what was shed then.
    ordered: Option<(Vec<(Name, u64)>, Shedding)>,
    next_turn: Option<Timestamp>,
    shedder: Shedder,
    late: bool,
    dropped: u64,
}

impl Task {
    async fn run(mut self, inbox: Arc<Inbox>, stop: CancellationToken) {
        let mut tick = tokio::time::interval(TICK);
        tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Skip);
        let shared = Arc::clone(&self.shared);
        loop {
            // Cancel-safety: `filled`, `notified` and `tick` lose nothing when another arm wins.
            tokio::select! {
                biased;
                () = stop.cancelled() => return,
                () = shared.reordered.notified() => self.follow_orders(),
                _ = tick.tick() => self.tick().await,
                () = inbox.filled() => {}
            }
            while let Some(message) = inbox.take() {
                self.take(message).await;
                if stop.is_cancelled() {
                    return;
                }
            }
        }
    }

    async fn take(&mut self, message: Message) {
        match message {
            Message::Batch(host, batch) => self.batch(host, batch).await,
            Message::Lost(host) => self.host_lost(&host),
            Message::Back(host) => self.host_back(&host),
            Message::Overrun(host) => self.rounds.entry(host).or_default().overrun += 1,
            Message::Failed(host) => self.rounds.entry(host).or_default().failed += 1,
        }
    }

    /// Takes what one look at a host gave.
    async fn batch(&mut self, host: HostId, batch: SampleBatch) {
        let now = (self.shared.clock)();
        let vitals = &self.shared.vitals;
        MeasurementVitals::add(&vitals.batches, 1);
        MeasurementVitals::add(&vitals.samples, batch.samples.len() as u64);
        self.note_step(now);
        let taken = self.origins.entry(host.clone()).or_default().ours(now, batch.time, batch.monotonic, batch.spent);
        let waited = now.monotonic.saturating_sub(taken).saturating_sub(batch.spent);
        self.late |= is_late(waited, self.shared.settings.interval);
        self.rounds.entry(host.clone()).or_default().duration = Some(batch.spent);
        let count = self.batches.entry(host.clone()).or_default();
        *count = count.wrapping_add(1);
        if !count.is_multiple_of(self.shedder.step().stretch()) {
            return;
        }
        if self.table.lost.contains(&host) {
            self.host_back(&host);
        }
        let mut owners: BTreeMap<Owner, Vec<Sample>> = BTreeMap::new();
        for sample in batch.samples {
            owners.entry(sample.key.owner.clone()).or_default().push(sample);
        }
        owners.retain(|owner, samples| self.belongs(owner, &host, samples));
        let moment = Moment { wall: batch.time, monotonic: taken };
        self.look(Some(host), moment, owners).await;
    }

    /// True if a host may tell of an owner: while a machine migrates two hosts know it, and only one runs it.
    /// What statistics lack and the definition knows is added.
    fn belongs(&self, owner: &Owner, host: &HostId, samples: &mut [Sample]) -> bool {
        let Owner::Machine(uuid) = owner else { return true };
        let Some(machine) = self.world.machine(uuid) else { return true };
        if machine.host.as_ref().is_some_and(|known| known != host) {
            return false;
        }
        let whole = samples.iter_mut().find(|sample| sample.key.part == Part::Whole);
        if let Some(whole) = whole
            && machine.run_state.is_active()
            && !whole.readings.is_empty()
            && whole.readings.iter().all(|(metric, _)| *metric != Metric::VmVcpuCurrent)
        {
            let count = u64::from(machine.definition.vcpus_current);
            whole.readings.push((Metric::VmVcpuCurrent, Number::Integer(count)));
        }
        true
    }

    /// One look: last readings, derived metrics, accumulators, publication.
    async fn look(&mut self, host: Option<HostId>, moment: Moment, owners: BTreeMap<Owner, Vec<Sample>>) {
        let mut results = Vec::new();
        let mut seen: Vec<Arc<OwnerReadings>> = Vec::with_capacity(owners.len());
        for (count, (owner, samples)) in owners.into_iter().enumerate() {
            let look = Look { host: host.as_ref(), time: moment.wall, at: moment.monotonic };
            let previous = self.readings.get(&owner).cloned();
            let stepped = previous.as_ref().is_some_and(|previous| self.steps.between(previous.at, moment.monotonic));
            let mut current = merge(previous.as_deref(), owner.clone(), &samples, &look);
            derive(previous.as_deref(), &mut current);
            self.accumulators.feed(previous.as_deref(), &current, stepped, &mut results);
            if current.moved
                && let Some(former) = previous.and_then(|previous| previous.host.clone())
            {
                self.unpublish(&Some(former), &owner);
            }
            let current = Arc::new(current);
            self.readings.insert(owner, Arc::clone(&current));
            seen.push(current);
            if count % OWNERS_AT_ONCE == OWNERS_AT_ONCE - 1 {
                tokio::task::yield_now().await;
            }
        }
        self.publish(host, moment.wall, seen);
        self.tell(results).await;
    }

    /// Notes that the wall clock was set.
    fn note_step(&mut self, now: Moment) {
        if self.steps.look(now) {
            tracing::warn!("the wall clock was set; periods that were open are suspect");
            MeasurementVitals::add(&self.shared.vitals.clock_steps, 1);
            self.accumulators.clock_step();
        }
    }

    fn publish(&mut self, host: Option<HostId>, time: Timestamp, seen: Vec<Arc<OwnerReadings>>) {
        let mut sampled = HostReadings { host: host.clone(), time, owners: BTreeMap::new() };
        // Copying pointers of a host's owners is cheap; readers keep the former list.
        let mut held = self.table.hosts.get(&host).map(|held| (**held).clone()).unwrap_or_default();
        held.host.clone_from(&host);
        held.time = time;
        for readings in seen {
            held.owners.insert(readings.owner.clone(), Arc::clone(&readings));
            sampled.owners.insert(readings.owner.clone(), readings);
        }
        self.table.hosts.insert(host, Arc::new(held));
        self.publish_table();
        // Nobody listens: then nobody is told.
        let _ = self.shared.events.send(MeasurementEvent::Sampled(Arc::new(sampled)));
    }

    fn publish_table(&self) {
        let table = Arc::new(self.table.clone());
        *self.shared.table.write().unwrap_or_else(PoisonError::into_inner) = table;
    }

    fn unpublish(&mut self, host: &Option<HostId>, owner: &Owner) {
        if let Some(held) = self.table.hosts.get_mut(host) {
            Arc::make_mut(held).owners.remove(owner);
            if held.owners.is_empty() {
                self.table.hosts.remove(host);
            }
        }
    }

    /// Results go to the store, to subscribers, and to the monitors.
    async fn tell(&mut self, mut results: Vec<PeriodResult>) {
        if results.is_empty() {
            return;
        }
        MeasurementVitals::add(&self.shared.vitals.results, results.len() as u64);
        let readings = &self.readings;
        let host_of = |owner: &Owner| readings.get(owner).and_then(|held| held.host.as_ref());
        let crossings = self.thresholds.judge(&results, host_of);
        while !results.is_empty() {
            let rest = results.split_off(results.len().min(CHUNK));
            let chunk = std::mem::replace(&mut results, rest);
            if self.shared.events.receiver_count() > 0 {
                let event = MeasurementEvent::PeriodClosed(Arc::new(chunk.clone()));
                let _ = self.shared.events.send(event);
            }
            self.store.append(chunk);
            tokio::task::yield_now().await;
        }
        self.report(crossings).await;
    }

    async fn report(&self, mut crossings: Vec<crate::model::measurement::ThresholdCrossing>) {
        MeasurementVitals::add(&self.shared.vitals.crossings, crossings.len() as u64);
        while !crossings.is_empty() {
            let rest = crossings.split_off(crossings.len().min(CROSSINGS));
            self.shared.engine.report_crossings(std::mem::replace(&mut crossings, rest)).await;
        }
    }

    async fn tick(&mut self) {
        let now = (self.shared.clock)();
        self.note_step(now);
        self.follow_orders();
        if now.monotonic >= self.next_look {
            self.next_look = now.monotonic + self.shared.settings.interval;
            self.round(now).await;
        }
        let mut results = Vec::new();
        let grace = self.shared.settings.interval.mul_f64(1.5);
        self.accumulators.close(now.wall, grace, &mut results);
        self.tell(results).await;
        let vitals = &self.shared.vitals;
        vitals.owners.store(self.readings.len() as u64, Ordering::Relaxed);
        vitals.series.store(self.accumulators.series() as u64, Ordering::Relaxed);
    }

    /// What is done once a base interval.
    async fn round(&mut self, now: Moment) {
        self.judge_load();
        self.world = World::look(&self.shared.changes);
        self.follow_hosts();
        self.drop_gone(now).await;
        let mut by_host: BTreeMap<Option<HostId>, BTreeMap<Owner, Vec<Sample>>> = BTreeMap::new();
        for (host, sample) in figures::figures(&self.world, &self.rounds, now) {
            by_host.entry(host).or_default().entry(sample.key.owner.clone()).or_default().push(sample);
        }
        for (host, owners) in by_host {
            self.look(host, now, owners).await;
        }
        let bytes = self.accumulators.bytes() as u64;
        self.shared.vitals.accumulator_bytes.store(bytes, Ordering::Relaxed);
    }

    fn judge_load(&mut self) {
        let dropped = self.shared.vitals.dropped_batches.load(Ordering::Relaxed);
        let overloaded = std::mem::take(&mut self.late) || dropped > self.dropped;
        self.dropped = dropped;
        if let Some(step) = self.shedder.round(overloaded) {
            tracing::warn!(what = step.text(), "measurement sheds load");
            self.accumulators.stretch(step.stretch());
            let at = Shedding::ALL.iter().position(|known| *known == step).unwrap_or(0);
            self.shared.vitals.shedding.store(at as u64, Ordering::Relaxed);
        }
    }

    /// Published state says which hosts answer.
    fn follow_hosts(&mut self) {
        let states: Vec<(HostId, bool)> = self
            .world
            .each_host()
            .map(|(id, object, host)| (id, object.state.unknown || !is_connected(host)))
            .collect();
        for (id, lost) in &states {
            let known = self.table.lost.contains(id);
            match (*lost, known) {
                (true, false) if self.table.hosts.contains_key(&Some(id.clone())) => self.host_lost(id),
                (false, true) => self.host_back(id),
                _ => {}
            }
        }
        let present: BTreeSet<&HostId> = states.iter().map(|(id, _)| id).collect();
        self.table.lost.retain(|host| present.contains(host));
        self.rounds.retain(|host, _| present.contains(host));
        self.batches.retain(|host, _| present.contains(host));
        self.origins.retain(|host, _| present.contains(host));
    }

    fn host_lost(&mut self, host: &HostId) {
        if self.table.lost.insert(host.clone()) {
            self.accumulators.host_lost(host);
            self.publish_table();
        }
    }

    fn host_back(&mut self, host: &HostId) {
        if self.table.lost.remove(host) {
            self.accumulators.host_back(host);
            self.publish_table();
        }
    }

    /// Machines, hosts and others that are gone or off vanish, with what they were beyond.
    async fn drop_gone(&mut self, now: Moment) {
        let patience = self.shared.settings.interval.mul_f64(1.5) * self.shedder.step().stretch();
        let gone: Vec<Arc<OwnerReadings>> = self
            .readings
            .values()
            .filter(|held| now.monotonic.saturating_sub(held.at) > patience && !self.is_present(held))
            .cloned()
            .collect();
        let (mut results, mut crossings) = (Vec::new(), Vec::new());
        for readings in &gone {
            self.readings.remove(&readings.owner);
            self.unpublish(&readings.host, &readings.owner);
            self.accumulators.forget(&readings.owner, &mut results);
            crossings.extend(self.thresholds.forget(&readings.owner, now.wall));
        }
        if !gone.is_empty() {
            self.publish_table();
        }
        self.tell(results).await;
        self.report(crossings).await;
    }

    /// True if there is something to be measured, whether or not it answers now.
    fn is_present(&self, held: &OwnerReadings) -> bool {
        match &held.owner {
            Owner::Machine(uuid) => match (self.world.machine(uuid), self.world.machines.get(uuid)) {
                (Some(machine), Some(object)) => machine.run_state.is_active() || object.state.unknown,
                _ => false,
            },
            Owner::Host(host) => self.world.each_host().any(|(id, ..)| id == *host),
            Owner::Other(name) => self.shared.changes.get(name.as_str()).is_some(),
        }
    }

    /// Makes the orders those of the published jobs and monitors.
    fn follow_orders(&mut self) {
        let now = (self.shared.clock)().wall;
        let changes = &self.shared.changes;
        let classes = [ObjectClass::MeasurementJob, ObjectClass::ThresholdMonitor, ObjectClass::AlarmProfile];
        let records = classes.into_iter().flat_map(|class| changes.all(class));
        let revisions: Vec<(Name, u64)> = records.map(|record| (record.name.clone(), record.revision)).collect();
        let present = Some((revisions, self.shedder.step()));
        let turned = self.next_turn.is_some_and(|turn| turn <= now);
        if self.ordered == present && !turned {
            return;
        }
        let (jobs, monitors) = (world::jobs(changes), world::monitors(changes));
        for (alarm_type, floor) in floors(&self.shared.settings.built_in, changes) {
            self.thresholds.set_floor(&alarm_type, floor);
        }
        let orders = jobs::orders(&jobs, &monitors, self.shedder.step());
        self.next_turn = orders.next_turn(now);
        self.accumulators.reorder(orders, now);
        self.thresholds.set(monitors);
        if std::mem::replace(&mut self.ordered, present).is_some() {
            let _ = self.shared.events.send(MeasurementEvent::JobChanged);
        }
    }
}

/// Lowest levels of the built-in monitors, as profiles amend them.
fn floors(built_in: &[super::settings::BuiltInLevel], changes: &ChangeLog) -> Vec<(String, f64)> {
    let profiles = changes.all(ObjectClass::AlarmProfile);
    let amended = |alarm_type: &str| {
        let of_type = profiles.iter().filter_map(|object| match &object.body {
            Body::AlarmProfile(profile) => Some(profile),
            _ => None,
        });
        let stated = of_type.filter(|profile| {
            let types = &profile.matches.alarm_types;
            types.is_empty() || types.iter().any(|known| known == alarm_type)
        });
        // Any number of a profile may be a level; a hysteresis makes the floor lower than need be, which costs little.
        stated.flat_map(|profile| profile.thresholds.values().copied()).reduce(f64::min)
    };
    let floor = |level: &super::settings::BuiltInLevel| {
        let lowest = amended(&level.alarm_type).map_or(level.floor, |amended| amended.min(level.floor));
        (level.alarm_type.clone(), lowest)
    };
    built_in.iter().map(floor).collect()
}
