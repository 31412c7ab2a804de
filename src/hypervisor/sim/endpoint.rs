//! One simulated host as the port wants it.

use super::census::{Seen, Shape};
use super::overlay::HostTrouble;
use super::stage::Stage;
use super::world::World;
use crate::hypervisor::port::{Hypervisor, HypervisorError, Link, Vitals};
use crate::model::host::EndpointKey;
use crate::model::measurement::SampleBatch;
use crate::model::observation::{Fact, MachineFacts, Observation, Scope};
use crate::model::registration::Profile;
use crate::model::virtual_machine::VmDefinition;
use futures_util::future::BoxFuture;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

/// Machines described while the world is held: a full reading of a big host does not keep the others waiting.
const CHUNK: usize = 256;

/// A simulated endpoint.
#[derive(Debug)]
pub struct SimEndpoint {
    key: EndpointKey,
    uri: String,
    profile: Profile,
    host: u64,
    stage: Arc<Stage>,
    generation: AtomicU64,
    /// Machines described completely over the present connection.
    described: Mutex<HashSet<Uuid>>,
    /// Definitions told last: most looks find a machine with the one it had.
    definitions: Mutex<HashMap<Uuid, (Shape, Arc<VmDefinition>)>>,
    /// How often bad things had been counted when it was last told.
    counted: Mutex<BTreeMap<String, u64>>,
    severed: AtomicU64,
    stuck: AtomicU32,
}

impl SimEndpoint {
    /// The endpoint of the host with this index on a stage.
    pub fn new(key: EndpointKey, uri: String, profile: Profile, host: u64, stage: Arc<Stage>) -> Self {
        Self {
            key,
            uri,
            profile,
            host,
            stage,
            generation: AtomicU64::new(0),
            described: Mutex::default(),
            definitions: Mutex::default(),
            counted: Mutex::default(),
            severed: AtomicU64::new(0),
            stuck: AtomicU32::new(0),
        }
    }

    fn trouble(&self) -> Option<HostTrouble> {
        self.stage.look(|world, _| world.host_trouble(self.host))
    }

    /// Waits as a call to the host would, and fails as it would.
    async fn reach(&self, cut: &CancellationToken, deadline: Duration) -> Result<(), HypervisorError> {
        match self.trouble() {
            None => Ok(()),
            Some(HostTrouble::Dropped) => Err(HypervisorError::Unreachable("no route to host".to_owned())),
            Some(HostTrouble::Refused) => Err(HypervisorError::Refused("authentication failed".to_owned())),
            Some(HostTrouble::ServiceLost) => Err(HypervisorError::ServiceLost("connection refused".to_owned())),
            Some(HostTrouble::Hung) => self.hang(cut, None, deadline).await,
            Some(HostTrouble::Slow(delay)) => self.hang(cut, Some(Duration::from_millis(delay)), deadline).await,
        }
    }

    async fn hang(
        &self,
        cut: &CancellationToken,
        delay: Option<Duration>,
        deadline: Duration,
    ) -> Result<(), HypervisorError> {
        let _stuck = Stuck::new(&self.stuck);
        let in_time = delay.filter(|delay| *delay <= deadline);
        // Cancel-safety: both branches only wait.
        tokio::select! {
            () = tokio::time::sleep(in_time.unwrap_or(deadline)) => {}
            () = cut.cancelled() => return Err(lost()),
        }
        if in_time.is_none() {
            self.severed.fetch_add(1, Ordering::Relaxed);
            return Err(HypervisorError::TimedOut(deadline));
        }
        Ok(())
    }

    async fn call(&self, deadline: Duration) -> Result<(), HypervisorError> {
        let cut = self.stage.line(self.host).ok_or_else(lost)?;
        self.reach(&cut, deadline).await?;
        if cut.is_cancelled() { Err(lost()) } else { Ok(()) }
    }

    async fn open(&self, deadline: Duration) -> Result<Link, HypervisorError> {
        self.stage.start();
        self.disconnect();
        self.reach(&CancellationToken::new(), deadline).await?;
        let generation = self.generation.fetch_add(1, Ordering::Relaxed) + 1;
        self.described.lock().unwrap_or_else(PoisonError::into_inner).clear();
        let (events, _) = self.stage.plug(self.host, generation);
        Ok(Link { generation, hypervisor: super::hardware::hypervisor(self.profile), events })
    }

    async fn read(&self, scope: Scope, deadline: Duration) -> Result<Observation, HypervisorError> {
        self.call(deadline).await?;
        let host = self.host;
        let mut samples = None;
        let facts = match scope {
            Scope::Hypervisor => self.look(|world| world.hypervisor_facts(host, self.profile)),
            Scope::MachineStates => self.machine_states().await,
            Scope::Machines => self.machines().await,
            Scope::Machine(uuid) => self.machine(uuid),
            Scope::Statistics => {
                let (facts, batch) = self.statistics().await;
                samples = Some(Box::new(batch));
                facts
            }
            Scope::StoragePools => self.look(|world| world.pools(host)),
            Scope::StoragePool(name) => self.look(|world| vec![world.pool(host, &name)]),
            Scope::Networks => self.look(|world| world.networks(host)),
            Scope::Network(name) => self.look(|world| vec![world.network(host, &name)]),
            Scope::HostDevices => self.look(|world| {
                let incidents = world.host_incidents(host, true);
                [world.device_facts(host)].into_iter().chain(incidents).collect()
            }),
        };
        Ok(Observation { time: self.stage.look(|_, now| now), facts, errors: Vec::new(), samples })
    }

    fn look<T>(&self, look: impl FnOnce(&World) -> T) -> T {
        self.stage.look(|world, _| look(world))
    }

    /// Runs `describe` over machines in pieces, letting others have the world in between.
    async fn in_pieces(&self, seen: &[Seen], mut describe: impl FnMut(&World, &[Seen], &mut Vec<Fact>)) -> Vec<Fact> {
        let mut facts = Vec::with_capacity(seen.len() + 1);
        for piece in seen.chunks(CHUNK) {
            self.look(|world| describe(world, piece, &mut facts));
            tokio::task::yield_now().await;
        }
        facts
    }

    async fn machine_states(&self) -> Vec<Fact> {
        let seen = self.look(|world| world.machines(self.host));
        let mut facts = self
            .in_pieces(&seen, |world, piece, facts| {
                for seen in piece {
                    if self.described.lock().unwrap_or_else(PoisonError::into_inner).insert(world.uuid(seen)) {
                        facts.push(Fact::Machine(Box::new(self.machine_facts(world, seen))));
                    } else {
                        facts.push(Fact::MachineState(world.state_facts(seen)));
                    }
                }
            })
            .await;
        facts.push(self.look(|world| world.machines_complete(&seen)));
        self.forget_others(&seen);
        facts
    }

    async fn machines(&self) -> Vec<Fact> {
        let seen = self.look(|world| world.machines(self.host));
        let mut facts = self
            .in_pieces(&seen, |world, piece, facts| {
                for seen in piece {
                    self.describe(world, seen, facts);
                }
            })
            .await;
        facts.push(self.look(|world| world.machines_complete(&seen)));
        self.forget_others(&seen);
        facts
    }

    fn machine(&self, uuid: Uuid) -> Vec<Fact> {
        self.look(|world| {
            let mut facts = Vec::new();
            match world.machine(self.host, uuid) {
                Some(seen) => self.describe(world, &seen, &mut facts),
                None => facts.push(World::machine_gone(uuid)),
            }
            facts
        })
    }

    fn describe(&self, world: &World, seen: &Seen, facts: &mut Vec<Fact>) {
        self.described.lock().unwrap_or_else(PoisonError::into_inner).insert(world.uuid(seen));
        facts.push(Fact::Machine(Box::new(self.machine_facts(world, seen))));
        facts.push(world.control(seen));
        facts.extend(world.disk_errors(seen, false));
    }

    fn machine_facts(&self, world: &World, seen: &Seen) -> MachineFacts {
        let shape = world.shape(seen);
        let mut definitions = self.definitions.lock().unwrap_or_else(PoisonError::into_inner);
        let definition = match definitions.get(&world.uuid(seen)) {
            Some((known, definition)) if *known == shape => Arc::clone(definition),
            _ => {
                let definition = Arc::new(world.definition(&shape));
                definitions.insert(world.uuid(seen), (shape, Arc::clone(&definition)));
                definition
            }
        };
        world.machine_facts(seen, definition)
    }

    /// Keeps the memory of described machines to those that exist.
    fn forget_others(&self, seen: &[Seen]) {
        let present: HashSet<Uuid> = self.look(|world| seen.iter().map(|seen| world.uuid(seen)).collect());
        self.described.lock().unwrap_or_else(PoisonError::into_inner).retain(|uuid| present.contains(uuid));
        self.definitions.lock().unwrap_or_else(PoisonError::into_inner).retain(|uuid, _| present.contains(uuid));
    }

    /// Figures and samples. Those of machines are of the moment at which the machines were looked at, those of the
    /// host of a moment later.
    async fn statistics(&self) -> (Vec<Fact>, SampleBatch) {
        let (seen, time) = self.stage.look(|world, now| (world.machines(self.host), now));
        let mut samples = Vec::new();
        let mut facts =
            self.in_pieces(&seen, |world, piece, facts| facts.append(&mut world.statistics(piece, &mut samples))).await;
        let promised = facts.iter().filter_map(|fact| match fact {
            Fact::MachineStatistics(figures) => figures.memory_actual_bytes,
            _ => None,
        });
        let promised = promised.fold(0, u64::saturating_add);
        let (own, end) = self.stage.look(|world, now| (world.host_statistics(self.host, promised, &mut samples), now));
        facts.push(own);
        let mut counted = self.counted.lock().unwrap_or_else(PoisonError::into_inner);
        facts.extend(self.look(|world| {
            let mut incidents = world.host_incidents(self.host, false);
            incidents.append(&mut world.newly_counted(self.host, &mut counted));
            incidents
        }));
        let monotonic = Duration::from_micros(u64::try_from(time.0).unwrap_or_default());
        (facts, SampleBatch { time, monotonic, spent: end.since(time), samples })
    }
}

impl Hypervisor for SimEndpoint {
    fn key(&self) -> &EndpointKey {
        &self.key
    }

    fn uri(&self) -> &str {
        &self.uri
    }

    fn profile(&self) -> Profile {
        self.profile
    }

    fn connect(&self, deadline: Duration) -> BoxFuture<'_, Result<Link, HypervisorError>> {
        Box::pin(self.open(deadline))
    }

    fn observe(&self, scope: Scope, deadline: Duration) -> BoxFuture<'_, Result<Observation, HypervisorError>> {
        Box::pin(self.read(scope, deadline))
    }

    fn probe(&self, deadline: Duration) -> BoxFuture<'_, Result<(), HypervisorError>> {
        Box::pin(self.call(deadline))
    }

    fn disconnect(&self) {
        self.stage.unplug(self.host, self.generation.load(Ordering::Relaxed));
    }

    fn vitals(&self) -> Vitals {
        let hung = self.look(|world| world.hung_machines(self.host));
        Vitals {
            severed_lanes: self.severed.load(Ordering::Relaxed),
            stuck_threads: self.stuck.load(Ordering::Relaxed),
            quarantined_machines: u32::try_from(hung).unwrap_or(u32::MAX),
        }
    }
}

fn lost() -> HypervisorError {
    HypervisorError::Unreachable("not connected".to_owned())
}

/// Counts a call that waits, for as long as it lives.
struct Stuck<'a>(&'a AtomicU32);

impl<'a> Stuck<'a> {
    fn new(count: &'a AtomicU32) -> Self {
        count.fetch_add(1, Ordering::Relaxed);
        Self(count)
    }
}

impl Drop for Stuck<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}
