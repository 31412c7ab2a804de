//! The task of one endpoint: connect, read everything, follow events and schedules, reconnect.
//!
//! ```text
//! connecting ──▶ synchronizing ──▶ connected ◀──▶ degraded
//!     ▲                │                │             │
//!     └── back-off ◀── lost ◀───────────┴─────────────┘
//! ```

use super::link::Backoff;
use super::local::LocalDetails;
use super::readings::{Clock, Reader};
use super::schedule::{Periods, Reading, Schedule};
use crate::engine::{Cause, EngineHandle, LinkState, Report};
use crate::host::LocalHost;
use crate::hypervisor::port::{Endpoint, EventSubject, HypervisorError, HypervisorEvent, Link};
use crate::measurement::SampleSink;
use crate::model::Timestamp;
use crate::model::incident::IncidentKind;
use crate::model::observation::{GoneCause, Scope};
use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::Instant;
use uuid::Uuid;

/// More machines than this waiting to be read again, and one listing is cheaper: 256.
const HINTS_BEFORE_LISTING: usize = 256;

/// A machine is read again within this time: 10 s.
const HINT_DEADLINE: Duration = Duration::from_secs(10);

/// Probes that may fail in a row before the link counts as lost: 2, so that a loss is seen within
/// 5 s + 2 × 4 s (design.md 6: 15 s).
const PROBE_FAILURES: u32 = 2;

/// A sign of life is waited for 4 s.
const PROBE_DEADLINE: Duration = Duration::from_secs(4);

/// A connection is waited for 10 s.
const CONNECT_DEADLINE: Duration = Duration::from_secs(10);

/// A listing with all definitions is waited for 60 s.
const FULL_DEADLINE: Duration = Duration::from_secs(60);

/// Readings that may time out in a row before the endpoint counts as degraded.
const TIMEOUTS_BEFORE_DEGRADED: u32 = 2;

/// Periods of the readings, set by the administrator.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cadence {
    /// Sign of life; default 5 s.
    pub probe: Duration,
    /// Moving figures; default 10 s.
    pub statistics: Duration,
    /// Run states; default 60 s.
    pub states: Duration,
    /// Everything; default 300 s.
    pub full: Duration,
}

impl Default for Cadence {
    fn default() -> Self {
        let seconds = Duration::from_secs;
        Self { probe: seconds(5), statistics: seconds(10), states: seconds(60), full: seconds(300) }
    }
}

/// What a collector is made of.
pub(super) struct Collector {
    pub(super) endpoint: Arc<Endpoint>,
    pub(super) engine: EngineHandle,
    pub(super) clock: Clock,
    pub(super) cadence: Cadence,
    pub(super) local: Arc<LocalHost>,
    pub(super) samples: SampleSink,
}

/// What ended a connection.
struct Loss {
    state: LinkState,
    refused: bool,
}

impl Loss {
    fn from_error(error: &HypervisorError) -> Self {
        let text = error.to_string();
        match error {
            HypervisorError::Refused(_) => Self { state: LinkState::Refused(text), refused: true },
            HypervisorError::ServiceLost(_) => Self { state: LinkState::ServiceLost(text), refused: false },
            _ => Self { state: LinkState::Unreachable(text), refused: false },
        }
    }
}

impl Collector {
    /// Watches the endpoint for ever.
    pub(super) async fn run(self) {
        let hypervisor = Arc::clone(&self.endpoint.hypervisor);
        let seed = seed_of(&hypervisor.key().to_string());
        let mut backoff = Backoff::new(seed);
        let mut generation = 0;
        self.report_link(generation, LinkState::Connecting, None).await;
        loop {
            let loss = match hypervisor.connect(CONNECT_DEADLINE).await {
                Ok(link) => {
                    backoff.reset();
                    generation = link.generation;
                    let loss = self.follow(link, seed).await;
                    hypervisor.disconnect();
                    loss
                }
                Err(error) => Loss::from_error(&error),
            };
            self.report_link(generation, loss.state.clone(), None).await;
            let wait = backoff.next(loss.refused);
            tracing::info!(endpoint = %hypervisor.key(), ?wait, state = ?loss.state, "not connected");
            tokio::time::sleep(wait).await;
        }
    }

    async fn report_link(
        &self,
        generation: u64,
        state: LinkState,
        hypervisor: Option<Box<crate::model::observation::HypervisorFacts>>,
    ) {
        let key = self.endpoint.hypervisor.key().clone();
        self.engine.report_urgent(Report::Link { key, time: (self.clock)(), state, generation, hypervisor }).await;
    }

    /// Follows one connection until it is lost.
    async fn follow(&self, link: Link, seed: u64) -> Loss {
        let reader = Reader {
            hypervisor: Arc::clone(&self.endpoint.hypervisor),
            engine: self.engine.clone(),
            clock: Arc::clone(&self.clock),
            generation: link.generation,
            local: LocalDetails::new(Arc::clone(&self.local)),
            samples: self.samples.clone(),
        };
        self.report_link(link.generation, LinkState::Synchronizing, Some(Box::new(link.hypervisor))).await;
        let periods = Periods {
            probe: self.cadence.probe,
            statistics: self.cadence.statistics,
            states: self.cadence.states,
            full: self.cadence.full,
        };
        let mut following = Following {
            collector: self,
            schedule: Schedule::new(periods, Instant::now(), seed),
            readings: JoinSet::new(),
            running: HashSet::new(),
            hints: Hints::default(),
            probe_failures: 0,
            timeouts: 0,
            degraded: false,
            synchronized: false,
            last_event: None,
            reader,
        };
        following.start(Task::Synchronize);
        following.run(link.events).await
    }
}

/// Something that runs beside the event loop of a connection.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Task {
    /// The first full reading, or one after lost events.
    Synchronize,
    /// A periodic reading.
    Periodic(Reading),
    /// Objects read again because of events.
    Hinted,
}

/// Objects to be read again.
#[derive(Debug, Default)]
struct Hints {
    machines: VecDeque<Uuid>,
    leaving: HashMap<Uuid, Option<GoneCause>>,
    pools: VecDeque<String>,
    networks: VecDeque<String>,
    devices: bool,
    listing: bool,
}

impl Hints {
    fn is_empty(&self) -> bool {
        self.machines.is_empty() && self.pools.is_empty() && self.networks.is_empty() && !self.devices && !self.listing
    }

    fn machine(&mut self, uuid: Uuid, leaving: Option<GoneCause>) {
        match self.leaving.get_mut(&uuid) {
            Some(known) => *known = leaving.or(*known),
            None => {
                self.leaving.insert(uuid, leaving);
                self.machines.push_back(uuid);
            }
        }
    }

    fn note(&mut self, subject: EventSubject) {
        match subject {
            EventSubject::Machine { uuid, leaving, .. } => self.machine(uuid, leaving),
            EventSubject::StoragePool(pool) if !self.pools.contains(&pool) => self.pools.push_back(pool),
            EventSubject::Network(network) if !self.networks.contains(&network) => self.networks.push_back(network),
            EventSubject::HostDevice(_) => self.devices = true,
            EventSubject::StoragePool(_) | EventSubject::Network(_) => {}
            EventSubject::Gap | EventSubject::Closed(_) => self.listing = true,
        }
    }

    fn take(&mut self) -> Self {
        std::mem::take(self)
    }
}

/// One connection being followed.
struct Following<'a> {
    collector: &'a Collector,
    reader: Reader,
    schedule: Schedule,
    readings: JoinSet<(Task, Result<(), HypervisorError>)>,
    running: HashSet<Task>,
    hints: Hints,
    probe_failures: u32,
    timeouts: u32,
    degraded: bool,
    synchronized: bool,
    last_event: Option<Timestamp>,
}

impl Following<'_> {
    async fn run(mut self, mut events: mpsc::Receiver<HypervisorEvent>) -> Loss {
        loop {
            // Cancel-safety: `recv`, `join_next` and `sleep_until` lose nothing when another arm wins.
            tokio::select! {
                biased;
                event = events.recv() => match event {
                    None => return Loss::from_error(&HypervisorError::Unreachable("connection closed".into())),
                    Some(event) if event.generation != self.reader.generation => {}
                    Some(HypervisorEvent { subject: EventSubject::Closed(text), .. }) => {
                        return self.judge_closed(text).await;
                    }
                    Some(event) => self.take_event(event).await,
                },
                Some(done) = self.readings.join_next(), if !self.readings.is_empty() => {
                    if let Some(loss) = self.done(done).await {
                        return loss;
                    }
                }
                () = tokio::time::sleep_until(self.schedule.next_deadline()) => self.begin_due().await,
            }
        }
    }

    /// What happened is told at once; what it did to the object is read.
    async fn take_event(&mut self, mut event: HypervisorEvent) {
        self.last_event = Some(event.seen);
        if let EventSubject::Machine { incident, .. } = &mut event.subject
            && let Some(incident) = incident.take()
        {
            // Of a process that died libvirt knows nothing for a moment, and a question about it waits.
            let told_again = matches!(incident.kind, IncidentKind::ProcessDied { .. });
            self.reader.report_incidents(vec![*incident]).await;
            if told_again {
                return;
            }
        }
        self.hints.note(event.subject);
        self.follow_hints();
    }

    /// A closed connection: does the machine itself still answer? A short probe by a new
    /// connection tells a dead daemon from a dead host.
    async fn judge_closed(&self, text: String) -> Loss {
        match self.reader.hypervisor.probe(Duration::from_secs(1)).await {
            Err(error @ (HypervisorError::ServiceLost(_) | HypervisorError::Refused(_))) => Loss::from_error(&error),
            _ => Loss::from_error(&HypervisorError::Unreachable(text)),
        }
    }

    fn start(&mut self, task: Task) {
        if !self.running.insert(task.clone()) {
            return;
        }
        let reader = self.reader.clone();
        let cadence = self.collector.cadence;
        match task {
            Task::Synchronize => {
                self.readings.spawn(async move { (task, synchronize(&reader, cadence).await) });
            }
            Task::Periodic(reading) => {
                self.readings.spawn(async move { (task, read_periodic(&reader, reading, cadence).await) });
            }
            Task::Hinted => {
                let hints = self.hints.take();
                self.readings.spawn(async move { (task, read_hints(&reader, hints, cadence).await) });
            }
        }
    }

    /// Reads hinted objects; those that come meanwhile are read in the next go.
    fn follow_hints(&mut self) {
        if !self.hints.is_empty() && !self.running.contains(&Task::Hinted) {
            self.start(Task::Hinted);
        }
    }

    async fn begin_due(&mut self) {
        let running = &self.running;
        let busy = |reading: Reading| {
            running.contains(&Task::Periodic(reading))
                || (reading != Reading::Probe && running.contains(&Task::Synchronize))
        };
        let due = self.schedule.take_due(Instant::now(), busy);
        if due.skipped.contains(&Reading::Statistics) {
            self.collector.samples.overrun(self.reader.hypervisor.key().host.clone());
        }
        for reading in due.taken {
            self.start(Task::Periodic(reading));
        }
        let key = self.reader.hypervisor.key().clone();
        let vitals = self.reader.hypervisor.vitals();
        self.reader.engine.report_urgent(Report::Vitals { key, vitals, last_event: self.last_event }).await;
    }

    /// Takes the end of a reading; answers a loss if the link is gone.
    async fn done(
        &mut self,
        done: Result<(Task, Result<(), HypervisorError>), tokio::task::JoinError>,
    ) -> Option<Loss> {
        let Ok((task, result)) = done else {
            // A reading that panicked is counted by the panic hook; the connection is made anew.
            return Some(Loss::from_error(&HypervisorError::Unreachable("a reading failed inside".into())));
        };
        self.running.remove(&task);
        let outcome = match result {
            Ok(()) => self.succeeded(&task).await,
            Err(error) if error.is_link_loss() => Some(Loss::from_error(&error)),
            Err(error) => self.failed(&task, &error).await,
        };
        self.follow_hints();
        outcome
    }

    async fn succeeded(&mut self, task: &Task) -> Option<Loss> {
        match task {
            Task::Synchronize => {
                self.synchronized = true;
                self.report_bulk_link(LinkState::Connected).await;
            }
            Task::Periodic(Reading::Probe) => self.probe_failures = 0,
            Task::Periodic(_) => {
                self.timeouts = 0;
                if std::mem::take(&mut self.degraded) {
                    self.report_bulk_link(LinkState::Connected).await;
                }
            }
            Task::Hinted => {}
        }
        None
    }

    async fn failed(&mut self, task: &Task, error: &HypervisorError) -> Option<Loss> {
        tracing::debug!(endpoint = %self.reader.hypervisor.key(), ?task, %error, "reading failed");
        match task {
            Task::Periodic(Reading::Probe) => {
                self.probe_failures += 1;
                if self.probe_failures >= PROBE_FAILURES {
                    return Some(Loss::from_error(&HypervisorError::Unreachable(error.to_string())));
                }
                self.schedule.hasten(Reading::Probe, Instant::now());
            }
            Task::Synchronize => {
                // Not read completely is not read: begin anew on a fresh connection.
                return Some(Loss::from_error(&HypervisorError::Unreachable(format!("first reading: {error}"))));
            }
            Task::Periodic(reading) => {
                if *reading == Reading::Statistics {
                    self.collector.samples.failed(self.reader.hypervisor.key().host.clone());
                }
                self.timeouts += 1;
                if self.timeouts >= TIMEOUTS_BEFORE_DEGRADED && self.synchronized && !self.degraded {
                    self.degraded = true;
                    self.report_bulk_link(LinkState::Degraded(error.to_string())).await;
                }
            }
            Task::Hinted => self.schedule.hasten(Reading::States, Instant::now() + Duration::from_secs(1)),
        }
        None
    }

    /// Told behind the facts of the reading it concludes.
    async fn report_bulk_link(&self, state: LinkState) {
        let key = self.reader.hypervisor.key().clone();
        let time = (self.reader.clock)();
        let generation = self.reader.generation;
        self.reader.engine.report_bulk(Report::Link { key, time, state, generation, hypervisor: None }).await;
    }
}

/// Deadline of a whole listing: at most its period, at least 5 s, at most 20 s.
fn listing_deadline(period: Duration) -> Duration {
    period.clamp(Duration::from_secs(5), Duration::from_secs(20))
}

async fn synchronize(reader: &Reader, cadence: Cadence) -> Result<(), HypervisorError> {
    for scope in Reading::Full.scopes() {
        read_scope(reader, scope, Cause::Resync, FULL_DEADLINE).await?;
    }
    // Figures come at the first period anyway; failing to get them now is no failure of the reading.
    let _ = read_scope(reader, Scope::Statistics, Cause::Resync, listing_deadline(cadence.statistics)).await;
    Ok(())
}

async fn read_periodic(reader: &Reader, reading: Reading, cadence: Cadence) -> Result<(), HypervisorError> {
    let deadline = match reading {
        Reading::Probe => return reader.hypervisor.probe(PROBE_DEADLINE).await,
        Reading::Statistics => listing_deadline(cadence.statistics),
        Reading::States => listing_deadline(cadence.states),
        Reading::Full => FULL_DEADLINE,
    };
    let mut result = Ok(());
    for scope in reading.scopes() {
        // One scope that fails must not keep the others from being read.
        match read_scope(reader, scope, Cause::Poll, deadline).await {
            Err(error) if error.is_link_loss() => return Err(error),
            Err(error) => result = Err(error),
            Ok(()) => {}
        }
    }
    result
}

/// Reads a scope; what the machine itself shows of a local host comes from `host`.
async fn read_scope(reader: &Reader, scope: Scope, cause: Cause, deadline: Duration) -> Result<(), HypervisorError> {
    let time = (reader.clock)();
    match scope {
        Scope::HostDevices if reader.local.applies() => {
            reader.report_bulk(cause, reader.local.devices(time).await).await;
            Ok(())
        }
        Scope::Statistics if reader.local.applies() => {
            let result = reader.read(scope, cause, deadline).await;
            reader.report_bulk(cause, reader.local.statistics(&reader.hypervisor.key().host, time).await).await;
            result
        }
        _ => reader.read(scope, cause, deadline).await,
    }
}

async fn read_hints(reader: &Reader, hints: Hints, cadence: Cadence) -> Result<(), HypervisorError> {
    let deadline = listing_deadline(cadence.states);
    if hints.listing {
        for scope in [Scope::Machines, Scope::Networks, Scope::StoragePools] {
            reader.read(scope, Cause::Resync, FULL_DEADLINE).await?;
        }
        return Ok(());
    }
    let mut result = Ok(());
    if hints.machines.len() > HINTS_BEFORE_LISTING {
        // A listing tells of all at once; it is no periodic reading, so it counts no missed event.
        reader.read_hinted(Scope::Machines, None, FULL_DEADLINE).await?;
    } else {
        for uuid in hints.machines {
            let leaving = hints.leaving.get(&uuid).copied().flatten();
            match reader.read_machine(uuid, leaving, HINT_DEADLINE).await {
                Err(error) if error.is_link_loss() => return Err(error),
                Err(error) => result = Err(error),
                Ok(()) => {}
            }
        }
    }
    for network in hints.networks {
        result = reader.read_hinted(Scope::Network(network), None, HINT_DEADLINE).await.and(result);
    }
    for pool in hints.pools {
        result = reader.read_hinted(Scope::StoragePool(pool), None, deadline).await.and(result);
    }
    if hints.devices {
        result = reader.read_hinted(Scope::HostDevices, None, deadline).await.and(result);
    }
    result
}

/// A seed from an endpoint's key.
fn seed_of(key: &str) -> u64 {
    key.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}

impl std::fmt::Debug for Collector {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Collector").field("endpoint", &self.endpoint).finish_non_exhaustive()
    }
}
