//! The port's implementation: which scope is read on which lane.

use super::connection::{Connection, Opened};
use super::counters::Counters;
use super::lanes::Purpose;
use super::memory::{Memory, fault, now};
use super::observe::statistics::Plan;
use super::observe::{devices, disk_errors, host, machines, networks, pools, statistics};
use super::process_watch::ProcessWatch;
use super::stats::Polling;
use super::uri::Target;
use crate::hypervisor::port::{Hypervisor, HypervisorError, Link, Vitals};
use crate::model::host::EndpointKey;
use crate::model::observation::{Fact, Observation, Scope};
use crate::model::registration::Profile;
use crate::model::virtual_machine::{RunState, RunStateReason};
use futures_util::future::BoxFuture;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use uuid::Uuid;
use virt::connect::Connect;

/// A call that has been running for longer than this is shown as stuck, though its caller still waits.
const SLOW: Duration = Duration::from_secs(5);

/// Errors of disks are waited for this long when a reading of machines shows that there may be some.
const DISK_ERRORS: Duration = Duration::from_secs(3);

/// One endpoint reached through libvirt.
#[derive(Debug)]
pub struct LibvirtHypervisor {
    key: EndpointKey,
    profile: Profile,
    polling: Polling,
    target: Arc<Target>,
    counters: Arc<Counters>,
    memory: Arc<Memory>,
    /// Nothing for endpoints whose processes are not on this machine.
    processes: Option<ProcessWatch>,
    generation: AtomicU64,
    /// The last bulk reading of states hung: ask one by one, which libvirtd's priority workers answer.
    doubt_bulk_states: AtomicBool,
    connection: Mutex<Option<Arc<Connection>>>,
}

impl LibvirtHypervisor {
    /// An endpoint without connection.
    pub fn new(key: EndpointKey, profile: Profile, target: Target) -> Self {
        let memory = Arc::<Memory>::default();
        Self {
            key,
            profile,
            polling: Polling::default(),
            processes: target.pid_files().map(|folder| ProcessWatch::new(folder, memory.clone())),
            target: Arc::new(target),
            counters: Arc::default(),
            memory,
            generation: AtomicU64::new(0),
            doubt_bulk_states: AtomicBool::new(false),
            connection: Mutex::new(None),
        }
    }

    /// With another way to poll figures.
    #[must_use]
    pub fn with_polling(self, polling: Polling) -> Self {
        Self { polling, ..self }
    }

    fn current(&self) -> MutexGuard<'_, Option<Arc<Connection>>> {
        self.connection.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn connected(&self) -> Result<Arc<Connection>, HypervisorError> {
        self.current().clone().ok_or_else(|| HypervisorError::Unreachable("not connected".into()))
    }

    async fn reconnect(&self, deadline: Duration) -> Result<Link, HypervisorError> {
        self.disconnect();
        let generation = self.generation.fetch_add(1, Ordering::SeqCst) + 1;
        let (target, counters, memory) = (self.target.clone(), self.counters.clone(), self.memory.clone());
        let Opened { connection, hypervisor, events, sink } =
            Connection::open(target, counters, memory, generation, deadline).await.map_err(|error| match error {
                // Of the last step's share: the whole was what the caller waited for.
                HypervisorError::TimedOut(_) => HypervisorError::TimedOut(deadline),
                other => self.explain(other),
            })?;
        self.memory.new_connection();
        *self.current() = Some(connection);
        if let Some(processes) = &self.processes {
            processes.tell_to(sink);
        }
        Ok(Link { generation, hypervisor, events })
    }

    /// The machine we run on is there: a link to it that is lost is a service that is lost.
    fn explain(&self, error: HypervisorError) -> HypervisorError {
        match error {
            HypervisorError::Unreachable(text) if self.target.is_local() => HypervisorError::ServiceLost(text),
            other => other,
        }
    }

    /// Reads on one lane with that lane's connection.
    async fn read<F>(&self, purpose: Purpose, deadline: Duration, work: F) -> Result<Observation, HypervisorError>
    where
        F: FnOnce(&Connect, &Memory, &Connection) -> Result<Observation, HypervisorError> + Send + 'static,
    {
        let (connection, memory) = (self.connected()?, self.memory.clone());
        let inner = connection.clone();
        connection.lanes.call(purpose, deadline, move |session| work(&session.connect()?, &memory, &inner)).await
    }

    async fn read_scope(&self, scope: Scope, deadline: Duration) -> Result<Observation, HypervisorError> {
        use Purpose::{Control, Poll, Storage};
        match scope {
            Scope::Hypervisor => self.read_hypervisor(deadline).await,
            Scope::MachineStates => self.read_states(deadline).await,
            Scope::Machines => {
                self.read(Poll, deadline, |connect, memory, own| machines::all(connect, memory, own.bulk.states)).await
            }
            Scope::Machine(uuid) => {
                self.read(Control, deadline, move |connect, memory, _| machines::one(connect, memory, uuid)).await
            }
            Scope::Statistics => self.read_statistics(deadline).await,
            Scope::StoragePools => {
                self.read(Storage, deadline, |connect, memory, own| pools::all(connect, memory, own.may_refresh()))
                    .await
            }
            Scope::StoragePool(name) => {
                self.read(Storage, deadline, move |connect, memory, _| pools::one(connect, memory, &name)).await
            }
            Scope::Networks => self.read(Control, deadline, |connect, _, _| networks::all(connect)).await,
            Scope::Network(name) => {
                self.read(Control, deadline, move |connect, _, _| networks::one(connect, &name)).await
            }
            Scope::HostDevices => self.read(Storage, deadline, |connect, _, _| devices::all(connect)).await,
        }
    }

    async fn read_states(&self, deadline: Duration) -> Result<Observation, HypervisorError> {
        let doubt = self.doubt_bulk_states.load(Ordering::Relaxed);
        let result = self
            .read(Purpose::Control, deadline, move |connect, memory, own| {
                machines::states(connect, memory, own.bulk.states && !doubt)
            })
            .await;
        self.doubt_bulk_states.store(matches!(result, Err(HypervisorError::TimedOut(_))), Ordering::Relaxed);
        result
    }

    async fn read_hypervisor(&self, deadline: Duration) -> Result<Observation, HypervisorError> {
        let hypervisor = self.connected()?.hypervisor(deadline, None).await?;
        let mut observation = self
            .read(Purpose::Poll, deadline, |connect, memory, _| {
                let facts = vec![Fact::Host(Box::new(host::host(connect, memory)?))];
                Ok(Observation { time: now(), facts, errors: Vec::new(), samples: None })
            })
            .await?;
        observation.facts.push(Fact::Hypervisor(Box::new(hypervisor)));
        Ok(observation)
    }

    async fn read_statistics(&self, deadline: Duration) -> Result<Observation, HypervisorError> {
        let (key, polling) = (self.key.clone(), self.polling);
        self.read(Purpose::Poll, deadline, move |connect, memory, own| {
            let plan = Plan { key, bulk: own.bulk.figures, read_only: !own.may_refresh(), polling };
            statistics::all(connect, memory, &plan)
        })
        .await
    }

    /// Reads the disks of machines that were found paused by an error, or of which an event told one.
    async fn add_disk_errors(&self, observation: &mut Observation, deadline: Duration) {
        let suspects = suspects(&observation.facts, &self.memory);
        let Ok(connection) = self.connected() else { return };
        if suspects.is_empty() {
            return;
        }
        let memory = self.memory.clone();
        let read = connection.lanes.call(Purpose::Poll, deadline.min(DISK_ERRORS), move |session| {
            disk_errors::of(&session.connect()?, &memory, &suspects)
        });
        // Without an answer the next poll asks again.
        observation.facts.extend(read.await.unwrap_or_default());
    }

    /// A reading that hangs says that some hypervisor process does; the next one finds out which.
    fn take_note(&self, scope: &Scope, result: &Result<Observation, HypervisorError>) {
        let hung = matches!(result, Err(HypervisorError::TimedOut(_)));
        let mut quarantine = self.memory.quarantine();
        match scope {
            Scope::Statistics | Scope::Machines if hung => quarantine.poll_timed_out(),
            Scope::Machine(uuid) if hung => quarantine.call_timed_out(*uuid),
            _ => {}
        }
        self.counters.set_quarantined(quarantine.count());
    }
}

impl Hypervisor for LibvirtHypervisor {
    fn key(&self) -> &EndpointKey {
        &self.key
    }

    fn uri(&self) -> &str {
        &self.target.shown
    }

    fn profile(&self) -> Profile {
        self.profile
    }

    fn connect(&self, deadline: Duration) -> BoxFuture<'_, Result<Link, HypervisorError>> {
        Box::pin(self.reconnect(deadline))
    }

    fn observe(&self, scope: Scope, deadline: Duration) -> BoxFuture<'_, Result<Observation, HypervisorError>> {
        Box::pin(async move {
            let result = self.read_scope(scope.clone(), deadline).await;
            self.take_note(&scope, &result);
            let mut observation = result.map_err(|error| self.explain(error))?;
            if let Some(processes) = &self.processes {
                processes.follow(&observation.facts);
            }
            self.add_disk_errors(&mut observation, deadline).await;
            observation.facts.iter_mut().for_each(|fact| stamp(&self.key, fact));
            Ok(observation)
        })
    }

    fn probe(&self, deadline: Duration) -> BoxFuture<'_, Result<(), HypervisorError>> {
        Box::pin(async move {
            let connection = self.connected()?;
            // Answered by libvirtd's priority workers, also while hung machines hold the others.
            let ask = |connect: Connect| connect.lib_version().map(|_| ()).map_err(fault);
            let memory = self.memory.clone();
            let answer = connection.lanes.call(Purpose::Control, deadline, move |session| {
                let (connect, begin) = (session.connect()?, Instant::now());
                ask(connect).inspect(|()| memory.note_probe(begin.elapsed()))
            });
            answer.await.map_err(|error| self.explain(error))
        })
    }

    fn disconnect(&self) {
        let connection = self.current().take();
        if let Some(connection) = connection {
            connection.lanes.close();
        }
    }

    fn vitals(&self) -> Vitals {
        let slow = self.current().as_ref().map_or(0, |connection| connection.lanes.slow(SLOW));
        let counted = self.counters.vitals();
        Vitals { stuck_threads: counted.stuck_threads + slow, ..counted }
    }
}

/// Running machines of a reading whose disks may have errors.
fn suspects(facts: &[Fact], memory: &Memory) -> Vec<Uuid> {
    let states = facts.iter().filter_map(|fact| match fact {
        Fact::Machine(machine) => Some(&machine.state),
        Fact::MachineState(state) => Some(state),
        _ => None,
    });
    let mut doubts = memory.disk_doubts();
    let active = states.filter(|state| state.run_state.is_active());
    let suspect = active.filter(|state| {
        if state.run_state == RunState::Paused && state.reason == RunStateReason::IoError {
            doubts.doubt(state.uuid);
        }
        doubts.doubts(state.uuid)
    });
    suspect.map(|state| state.uuid).collect()
}

/// Writes into objects of a host which host and driver they were read from.
fn stamp(key: &EndpointKey, fact: &mut Fact) {
    match fact {
        Fact::Machine(machine) => {
            let snapshots = machine.snapshots.iter_mut().flatten();
            snapshots.for_each(|snapshot| snapshot.host = Some(key.host.clone()));
        }
        Fact::StoragePool(facts) => {
            facts.pool.host = Some(key.host.clone());
            facts.pool.technology.clone_from(&key.technology);
            let volumes = facts.volumes.iter_mut().flatten();
            volumes.for_each(|volume| volume.host = Some(key.host.clone()));
        }
        Fact::Network(network) => {
            network.host = Some(key.host.clone());
            network.technology.clone_from(&key.technology);
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests;
