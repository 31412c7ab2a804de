//! Making a connection: subscriptions first, then what the endpoint can do.

use super::counters::Counters;
use super::ffi::{close, events};
use super::lanes::{Lanes, Purpose};
use super::memory::{Memory, fault};
use super::observe::{host, probe};
use super::sink::{self, Registration};
use super::uri::Target;
use crate::hypervisor::port::{HypervisorError, HypervisorEvent};
use crate::model::capability::{Availability, Capabilities, Capability};
use crate::model::observation::HypervisorFacts;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::mpsc;

/// The storage part of the probe may take this long; a hung pool must not delay everything else.
const STORAGE_PROBE: Duration = Duration::from_secs(2);

/// A fresh daemon examines its hypervisors at the first question for them, which takes it seconds for
/// each; connecting waits for it no longer than this.
const EXAMINATION: Duration = Duration::from_secs(2);

/// A live connection of one generation.
#[derive(Debug)]
pub struct Connection {
    /// Its threads.
    pub lanes: Lanes,
    /// Which bulk calls the driver has.
    pub bulk: probe::Bulk,
    subscribed: Subscribed,
    read_only: bool,
}

/// What the event connection accepted.
#[derive(Clone, Debug, Default)]
struct Subscribed {
    events: Vec<String>,
    capabilities: Capabilities,
}

/// A new connection and what comes with it.
#[derive(Debug)]
pub struct Opened {
    /// The connection.
    pub connection: Arc<Connection>,
    /// The hypervisor, with verdicts on its capabilities.
    pub hypervisor: HypervisorFacts,
    /// Its events.
    pub events: mpsc::Receiver<HypervisorEvent>,
    /// Number of the sink they come through.
    pub sink: usize,
}

impl Connection {
    /// Connects: opens the event connection, subscribes, then probes.
    ///
    /// # Errors
    /// Why there is no connection.
    pub async fn open(
        target: Arc<Target>,
        counters: Arc<Counters>,
        memory: Arc<Memory>,
        generation: u64,
        deadline: Duration,
    ) -> Result<Opened, HypervisorError> {
        let until = Instant::now() + deadline;
        let read_only = target.read_only;
        let lanes = Lanes::new(target, counters);
        let (events, sink, subscribed) = subscribe(&lanes, memory, generation, deadline).await?;
        let left = until.saturating_duration_since(Instant::now());
        let bulk = lanes.call(Purpose::Control, left, |session| probe::bulk_calls(&session.connect()?)).await?;
        let connection = Self { lanes, bulk, subscribed, read_only };
        let left = until.saturating_duration_since(Instant::now());
        let hypervisor = connection.hypervisor(left, Some(EXAMINATION)).await?;
        Ok(Opened { connection: Arc::new(connection), hypervisor, events, sink })
    }

    /// Reads the hypervisor and probes its capabilities afresh. With `patience`, what a fresh daemon
    /// needs long for is left out after that time.
    ///
    /// # Errors
    /// If the control lane gives no answer, or the examination none within the deadline; a storage part
    /// that hangs leaves its verdicts unknown.
    pub async fn hypervisor(
        &self,
        deadline: Duration,
        patience: Option<Duration>,
    ) -> Result<HypervisorFacts, HypervisorError> {
        let (bulk, read_only) = (self.bulk, self.read_only);
        let general = self.lanes.call(Purpose::Control, deadline, move |session| {
            let connect = session.connect()?;
            Ok((host::identity(&connect)?, probe::without_storage(&connect, bulk, read_only)?))
        });
        let storage = self.lanes.call(Purpose::Storage, deadline.min(STORAGE_PROBE), move |session| {
            probe::storage(&session.connect()?, read_only)
        });
        let (general, storage, examined) = tokio::join!(general, storage, self.examine(deadline, patience));
        let (mut facts, verdicts) = general?;
        let examined = examined?;
        let migration = probe::migration(examined.as_ref().map(|examined| examined.migrates), read_only);
        if let Some(examined) = examined {
            examined.complete(&mut facts);
        }
        let unknown =
            [Capability::Storage, Capability::StorageRefresh, Capability::HostDevices, Capability::DiskErrors];
        facts.capabilities.extend(unknown.map(|capability| (capability, Availability::Unknown)));
        facts.capabilities.extend(storage.unwrap_or_default());
        facts.capabilities.extend(verdicts);
        facts.capabilities.insert(Capability::Migration, migration);
        facts.capabilities.extend(self.subscribed.capabilities.clone());
        facts.events = self.subscribed.events.clone();
        Ok(facts)
    }

    /// Has the daemon examine its hypervisors, on a lane where nobody waits for a sign of life.
    async fn examine(
        &self,
        deadline: Duration,
        patience: Option<Duration>,
    ) -> Result<Option<host::Examined>, HypervisorError> {
        let examination = self.lanes.call(Purpose::Poll, deadline, |session| host::Examined::read(&session.connect()?));
        let Some(patience) = patience else { return examination.await.map(Some) };
        match tokio::time::timeout(patience, examination).await {
            Ok(Err(error)) if error.is_link_loss() => Err(error),
            Ok(examined) => Ok(examined.ok()),
            // It goes on by itself; the daemon remembers the result for the next reading.
            Err(_) => Ok(None),
        }
    }

    /// True if pools may be refreshed here.
    pub fn may_refresh(&self) -> bool {
        !self.read_only
    }
}

/// Opens the event connection and subscribes to each event on its own; refusals are recorded.
async fn subscribe(
    lanes: &Lanes,
    memory: Arc<Memory>,
    generation: u64,
    deadline: Duration,
) -> Result<(mpsc::Receiver<HypervisorEvent>, usize, Subscribed), HypervisorError> {
    lanes
        .call(Purpose::Events, deadline, move |session| {
            let connect = session.connect()?;
            let (registration, receiver) = Registration::new(generation, sink::CAPACITY, memory);
            let watched = close::watch(&connect, registration.number()).is_ok();
            let mut subscribed = Subscribed::default();
            let mut held = Vec::new();
            for event in events::all() {
                match events::subscribe(&connect, &event, registration.number()).map_err(fault) {
                    Ok(subscription) => {
                        held.push(subscription);
                        subscribed.events.push(event.name.to_owned());
                    }
                    Err(error) if error.is_link_loss() => return Err(error),
                    Err(error) => tracing::debug!(event = event.name, %error, "event refused"),
                }
            }
            let told_of_loss = watched && session.has_keepalive();
            let sink = registration.number();
            session.hold(registration, held);
            subscribed.capabilities = event_capabilities(&subscribed.events, told_of_loss);
            Ok((receiver, sink, subscribed))
        })
        .await
}

fn event_capabilities(events: &[String], told_of_loss: bool) -> Capabilities {
    let verdict = |works| if works { Availability::Available } else { Availability::Unsupported };
    let has = |name: &str| verdict(events.iter().any(|event| event == name));
    Capabilities::from([
        (Capability::MachineEvents, has("lifecycle")),
        (Capability::NetworkEvents, has("network_lifecycle")),
        (Capability::StorageEvents, has("pool_lifecycle")),
        (Capability::DeviceEvents, has("device_lifecycle")),
        (Capability::LossDetection, verdict(told_of_loss)),
    ])
}
