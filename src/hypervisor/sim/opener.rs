//! Turns `sim://` registrations into endpoints.

use super::dice::{Dice, Topic};
use super::endpoint::SimEndpoint;
use super::fault::{Fault, Script};
use super::hardware::TECHNOLOGY;
use super::params::{FaultSource, SimParams};
use super::stage::{Clock, SimHandle, Stage};
use super::timeline::GROUP;
use super::world::{Plan, World};
use crate::hypervisor::port::{Endpoint, OpenError, Opener};
use crate::model::host::EndpointKey;
use crate::model::name::HostId;
use crate::model::registration::{HostRegistration, Profile};
use crate::model::time::Timestamp;
use std::sync::Arc;
use std::time::SystemTime;

/// Largest script that is read, in bytes.
const MAX_SCRIPT: u64 = 8 << 20;

/// What the daemon gives the simulator.
#[derive(Clone)]
pub struct SimSetup {
    /// The clock that turns every world.
    pub clock: Clock,
    /// The daemon's profile: the upper bound of every host's.
    pub profile: Profile,
}

impl std::fmt::Debug for SimSetup {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("SimSetup").field("profile", &self.profile).finish_non_exhaustive()
    }
}

/// The clock of this machine as tokio counts it: stands still where a test has paused tokio's time.
pub fn tokio_clock() -> Clock {
    let (system, instant) = (Timestamp::from_system(SystemTime::now()), tokio::time::Instant::now());
    Arc::new(move || system.plus(instant.elapsed()))
}

/// Opens simulated hosts.
#[derive(Clone, Debug)]
pub struct SimOpener {
    setup: SimSetup,
    handle: SimHandle,
}

impl SimOpener {
    /// An opener; faults are injected through its [`SimOpener::handle`].
    pub fn new(setup: SimSetup) -> Self {
        Self { setup, handle: SimHandle::new() }
    }

    /// The way to the worlds of all hosts opened here.
    pub fn handle(&self) -> SimHandle {
        self.handle.clone()
    }

    fn script(params: &SimParams) -> Result<Script, String> {
        let FaultSource::File(path) = &params.faults else { return Ok(Script::built_in(&params.faults)) };
        let size = std::fs::metadata(path).map_err(|error| format!("{path}: {error}"))?;
        if !size.is_file() || size.len() > MAX_SCRIPT {
            return Err(format!("{path}: not a file of at most {MAX_SCRIPT} bytes"));
        }
        let text = std::fs::read_to_string(path).map_err(|error| format!("{path}: {error}"))?;
        Script::parse(&text).map_err(|error| format!("{path}: {error}"))
    }

    fn world(&self, registration: &HostRegistration, params: &SimParams) -> Result<World, OpenError> {
        let plan = Plan {
            name: registration.id.to_string(),
            hosts: host_ids(&registration.id, params.hosts).map_err(|reason| wrong(registration, "id", reason))?,
            vms: params.vms,
            seed: params.seed,
            churn: params.churn,
            script: Self::script(params).map_err(|reason| wrong(registration, "uri", format!("faults: {reason}")))?,
            speed_milli: params.speed_milli,
        };
        let faults: Vec<Fault> = match &plan.script {
            Script::Written(entries) => entries.iter().map(|entry| entry.fault.clone()).collect(),
            _ => Vec::new(),
        };
        let world = World::new(plan, (self.setup.clock)());
        for fault in faults {
            world
                .check(&fault)
                .map_err(|error| wrong(registration, "uri", format!("faults: {}: {error}", fault.kind())))?;
        }
        Ok(world)
    }
}

impl Opener for SimOpener {
    fn open(&self, registration: &HostRegistration) -> Result<Vec<Endpoint>, OpenError> {
        let simulated: Vec<&String> = registration.uris.iter().filter(|uri| uri.starts_with("sim:")).collect();
        let [uri] = simulated.as_slice() else {
            return Err(wrong(registration, "uri", "one sim:// address a host, no more"));
        };
        let params = SimParams::parse(uri).map_err(|error| wrong(registration, "uri", error.to_string()))?;
        if params.hosts > 1 && registration.uris.len() > 1 {
            return Err(wrong(registration, "uri", "hosts: several simulated hosts have no other address"));
        }
        let world = self.world(registration, &params)?;
        let hosts = world.hosts().to_vec();
        let stage = Stage::new(world, Arc::clone(&self.setup.clock), self.handle.clone());
        let profile = registration.profile.unwrap_or(self.setup.profile).min(self.setup.profile);
        let dice = Dice::new(params.seed, registration.id.as_str());
        let endpoints = (0..).zip(hosts).map(|(index, id)| {
            let key = EndpointKey { host: id.clone(), technology: TECHNOLOGY.to_owned() };
            let endpoint = SimEndpoint::new(key, (*uri).clone(), profile, index, Arc::clone(&stage));
            let registration = place(registration, id, dice, index);
            Endpoint { registration, hypervisor: Arc::new(endpoint), warnings: Vec::new() }
        });
        Ok(endpoints.collect())
    }
}

/// `sim` alone, or `sim-1` to `sim-N`.
fn host_ids(id: &HostId, hosts: u32) -> Result<Vec<HostId>, String> {
    if hosts == 1 {
        return Ok(vec![id.clone()]);
    }
    (1..=hosts).map(|number| HostId::parse(&format!("{id}-{number}")).map_err(|error| error.to_string())).collect()
}

/// The registration of one host, with labels that say where it stands.
fn place(registration: &HostRegistration, id: HostId, dice: Dice, index: u64) -> HostRegistration {
    let mut own = HostRegistration { id, ..registration.clone() };
    let group = index / GROUP;
    let zone = ["north", "south", "east"][usize::try_from(dice.below(3, Topic::Place, group, 0)).unwrap_or(0)];
    own.labels.entry("rack".to_owned()).or_insert_with(|| format!("r{}", group + 1));
    own.labels.entry("zone".to_owned()).or_insert_with(|| zone.to_owned());
    own
}

fn wrong(registration: &HostRegistration, field: &str, reason: impl Into<String>) -> OpenError {
    OpenError { host: registration.id.to_string(), field: field.to_owned(), reason: reason.into() }
}
