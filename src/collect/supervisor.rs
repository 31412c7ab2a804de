//! Starts and ends collectors as hosts come and go, and restarts those that fail inside.

use super::collector::{Cadence, Collector};
use super::readings::Clock;
use crate::engine::{Assignment, EngineHandle};
use crate::host::LocalHost;
use crate::hypervisor::port::Endpoint;
use crate::measurement::SampleSink;
use crate::model::HostId;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

/// What the collectors need.
#[derive(Clone)]
pub struct CollectorSettings {
    /// Periods of the readings.
    pub cadence: Cadence,
    /// Reads details of the machine the daemon runs on.
    pub local: Arc<LocalHost>,
    /// The clock.
    pub clock: Clock,
    /// Takes what is measured.
    pub samples: SampleSink,
}

impl std::fmt::Debug for CollectorSettings {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("CollectorSettings").field("cadence", &self.cadence).finish_non_exhaustive()
    }
}

/// Starts the supervisor. It ends, with all collectors, when `stop` is cancelled.
pub fn start(
    settings: CollectorSettings,
    engine: EngineHandle,
    assignments: mpsc::UnboundedReceiver<Assignment>,
    stop: CancellationToken,
) -> tokio::task::JoinHandle<()> {
    let supervisor = Supervisor { settings, engine, hosts: HashMap::new(), tasks: JoinSet::new() };
    tokio::spawn(supervisor.run(assignments, stop))
}

struct Supervisor {
    settings: CollectorSettings,
    engine: EngineHandle,
    hosts: HashMap<HostId, Vec<CancellationToken>>,
    tasks: JoinSet<()>,
}

impl Supervisor {
    async fn run(mut self, mut assignments: mpsc::UnboundedReceiver<Assignment>, stop: CancellationToken) {
        loop {
            // Cancel-safety: `recv` and `join_next` lose nothing when another arm wins.
            tokio::select! {
                () = stop.cancelled() => break,
                assignment = assignments.recv() => match assignment {
                    Some(Assignment::Watch(endpoint)) => self.watch(endpoint, &stop),
                    Some(Assignment::Drop(host)) => self.release(&host),
                    None => break,
                },
                Some(_) = self.tasks.join_next(), if !self.tasks.is_empty() => {}
            }
        }
        self.tasks.shutdown().await;
    }

    fn watch(&mut self, endpoint: Endpoint, stop: &CancellationToken) {
        let host = endpoint.registration.id.clone();
        let stop = stop.child_token();
        self.hosts.entry(host).or_default().push(stop.clone());
        let settings = self.settings.clone();
        let engine = self.engine.clone();
        self.tasks.spawn(async move {
            let endpoint = Arc::new(endpoint);
            let supervised = supervise(&endpoint, &settings, &engine);
            // Cancel-safety: a collector holds nothing that must be finished; its connection is dropped below.
            tokio::select! {
                () = stop.cancelled() => {}
                () = supervised => {}
            }
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
async fn supervise(endpoint: &Arc<Endpoint>, settings: &CollectorSettings, engine: &EngineHandle) {
    loop {
        let collector = Collector {
            local: Arc::clone(&settings.local),
            endpoint: Arc::clone(endpoint),
            engine: engine.clone(),
            clock: Arc::clone(&settings.clock),
            cadence: settings.cadence,
            samples: settings.samples.clone(),
        };
        let mut task = JoinSet::new();
        task.spawn(collector.run());
        let ended = task.join_next().await;
        tracing::error!(endpoint = %endpoint.hypervisor.key(), ?ended, "collector ended; it is started anew");
        tokio::time::sleep(Duration::from_secs(5)).await;
    }
}
