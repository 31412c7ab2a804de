//! Starts and ends collectors as hosts come and go, and restarts those that fail inside.

use super::collector::{Cadence, Collector};
use super::readings::Clock;
use crate::engine::{Assignment, EngineHandle};
use crate::host::LocalHost;
use crate::hypervisor::port::Endpoint;
use crate::model::HostId;
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

/// Everybody's first word is waited for at most 15 s (operations.md F22).
const FIRST_WORD: Duration = Duration::from_secs(15);

/// What the collectors need.
#[derive(Clone)]
pub struct CollectorSettings {
    /// Periods of the readings.
    pub cadence: Cadence,
    /// Reads details of the machine the daemon runs on.
    pub local: Arc<LocalHost>,
    /// The clock.
    pub clock: Clock,
}

impl std::fmt::Debug for CollectorSettings {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("CollectorSettings").field("cadence", &self.cadence).finish_non_exhaustive()
    }
}

/// True once every endpoint known at start was read or judged lost.
pub type Settled = watch::Receiver<bool>;

/// Counts endpoints that have not said anything yet.
#[derive(Clone, Debug)]
pub(super) struct ContactLatch {
    made: Arc<std::sync::Once>,
    silent: Arc<AtomicU64>,
    settled: watch::Sender<bool>,
}

impl ContactLatch {
    /// The endpoint was read, or judged lost.
    pub(super) fn made(&self) {
        self.made.call_once(|| {
            if self.silent.fetch_sub(1, Ordering::AcqRel) == 1 {
                self.settled.send_replace(true);
            }
        });
    }
}

/// Starts the supervisor. It ends, with all collectors, when `stop` is cancelled.
pub fn start(
    settings: CollectorSettings,
    engine: EngineHandle,
    assignments: mpsc::UnboundedReceiver<Assignment>,
    stop: CancellationToken,
) -> (Settled, tokio::task::JoinHandle<()>) {
    let (settled, receiver) = watch::channel(false);
    let supervisor = Supervisor {
        settings,
        engine,
        silent: Arc::new(AtomicU64::new(0)),
        settled,
        hosts: HashMap::new(),
        tasks: JoinSet::new(),
    };
    (receiver, tokio::spawn(supervisor.run(assignments, stop)))
}

struct Supervisor {
    settings: CollectorSettings,
    engine: EngineHandle,
    silent: Arc<AtomicU64>,
    settled: watch::Sender<bool>,
    hosts: HashMap<HostId, Vec<CancellationToken>>,
    tasks: JoinSet<()>,
}

impl Supervisor {
    async fn run(mut self, mut assignments: mpsc::UnboundedReceiver<Assignment>, stop: CancellationToken) {
        let first_word = tokio::time::sleep(FIRST_WORD);
        tokio::pin!(first_word);
        let mut waiting = true;
        loop {
            // Cancel-safety: `recv`, `join_next` and the pinned sleep lose nothing when another arm wins.
            tokio::select! {
                () = stop.cancelled() => break,
                assignment = assignments.recv() => match assignment {
                    Some(Assignment::Watch(endpoint)) => self.watch(endpoint, &stop),
                    Some(Assignment::Drop(host)) => self.release(&host),
                    None => break,
                },
                Some(_) = self.tasks.join_next(), if !self.tasks.is_empty() => {}
                () = &mut first_word, if waiting => {
                    waiting = false;
                    self.settled.send_replace(true);
                }
            }
        }
        self.tasks.shutdown().await;
    }

    fn watch(&mut self, endpoint: Endpoint, stop: &CancellationToken) {
        let host = endpoint.registration.id.clone();
        let stop = stop.child_token();
        self.hosts.entry(host).or_default().push(stop.clone());
        self.silent.fetch_add(1, Ordering::AcqRel);
        let latch = ContactLatch {
            made: Arc::new(std::sync::Once::new()),
            silent: Arc::clone(&self.silent),
            settled: self.settled.clone(),
        };
        let settings = self.settings.clone();
        let engine = self.engine.clone();
        self.tasks.spawn(async move {
            let endpoint = Arc::new(endpoint);
            let supervised = supervise(&endpoint, &settings, &engine, &latch);
            // Cancel-safety: a collector holds nothing that must be finished; its connection is dropped below.
            tokio::select! {
                () = stop.cancelled() => {}
                () = supervised => {}
            }
            latch.made();
            endpoint.hypervisor.disconnect();
        });
    }

    fn release(&mut self, host: &HostId) {
        for stop in self.hosts.remove(host).unwrap_or_default() {
            stop.cancel();
        }
    }
}

/// Runs a collector, and a new one whenever it fails inside: a panic over one host's data must not
/// take the daemon along, nor end the watch over that host.
async fn supervise(
    endpoint: &Arc<Endpoint>,
    settings: &CollectorSettings,
    engine: &EngineHandle,
    latch: &ContactLatch,
) {
    loop {
        let collector = Collector {
            local: Arc::clone(&settings.local),
            endpoint: Arc::clone(endpoint),
            engine: engine.clone(),
            clock: Arc::clone(&settings.clock),
            cadence: settings.cadence,
            latch: latch.clone(),
        };
        let mut task = JoinSet::new();
        task.spawn(collector.run());
        let ended = task.join_next().await;
        tracing::error!(endpoint = %endpoint.hypervisor.key(), ?ended, "collector ended; it is started anew");
        tokio::time::sleep(Duration::from_secs(5)).await;
    }
}
