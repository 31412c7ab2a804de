//! Storage that several hosts and machines lie on: evidence makes the parent (operations.md F8).
//!
//! Kept here: which conditions show that a backing may be lost, and the verdict. Raising is the
//! caller's business.

use super::catalogue::AlarmType;
use super::conditions::ConditionKey;
use super::correlation;
use super::place::owner;
use crate::model::relation::Topology;
use crate::model::{Body, HostId, Name, ObjectClass, Timestamp};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::time::Duration;

/// Types that show it: catalogue numbers 48, 49, 50, 71, 83 and 84.
const WITNESSES: [AlarmType; 6] = [
    AlarmType::VmPausedIoError,
    AlarmType::VmDiskNoSpace,
    AlarmType::VmDiskIoError,
    AlarmType::PoolInaccessible,
    AlarmType::HostMountHung,
    AlarmType::VmIoStalled,
];

/// A condition that has to stand long before it is told counts when a second reading confirmed it:
/// after 12 s, with polls every 10 s.
const CONFIRMED: Duration = Duration::from_secs(12);

/// True for types that show that a backing may be lost.
pub(super) fn is_witness(alarm_type: AlarmType) -> bool {
    WITNESSES.contains(&alarm_type)
}

/// One condition and where it points.
#[derive(Clone, Debug)]
struct Witness {
    since: Timestamp,
    counts_from: Timestamp,
    /// Backings it may lie on; several if it cannot be told which.
    backings: Vec<Name>,
    host: Option<HostId>,
    machine: Option<Name>,
}

/// Levels of the verdict.
#[derive(Clone, Copy, Debug)]
pub(super) struct Levels {
    /// Hosts that are enough.
    pub(super) hosts: usize,
    /// Machines that are enough.
    pub(super) machines: usize,
    /// They must begin within this time.
    pub(super) window: Duration,
}

impl Levels {
    /// Levels as the catalogue and profiles state them.
    pub(super) fn of(thresholds: &BTreeMap<String, f64>) -> Self {
        let level = |name: &str, default: f64| thresholds.get(name).copied().unwrap_or(default).clamp(1.0, 1e6);
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "clamped to small positive numbers above"
        )]
        let count = |name: &str, default: f64| level(name, default) as usize;
        Self {
            hosts: count("hosts", 2.0),
            machines: count("machines", 5.0),
            window: Duration::from_secs_f64(level("window_seconds", 10.0)),
        }
    }
}

/// Who shows that a backing is lost.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Verdict {
    /// Hosts.
    pub(super) hosts: BTreeSet<HostId>,
    /// Machines.
    pub(super) machines: BTreeSet<Name>,
}

/// Every condition that may show a lost backing.
#[derive(Debug, Default)]
pub(super) struct BackingEvidence {
    witnesses: HashMap<ConditionKey, Witness>,
    by_backing: HashMap<Name, BTreeSet<ConditionKey>>,
    unconfirmed: BTreeSet<(Timestamp, ConditionKey)>,
}

impl BackingEvidence {
    /// Takes a condition that stands; answers the backings it may lie on.
    pub(super) fn note(
        &mut self,
        key: &ConditionKey,
        since: Timestamp,
        told: bool,
        hold_on: Duration,
        world: &dyn Topology,
    ) -> Vec<Name> {
        self.drop(key);
        let backings = backings_of(&key.object, world);
        if backings.is_empty() {
            return backings;
        }
        let place = owner(&key.object);
        let object = world.object(&place);
        let counts_from = if told { since } else { since.plus(hold_on.min(CONFIRMED)) };
        let witness = Witness {
            since,
            counts_from,
            backings: backings.clone(),
            host: object.and_then(|object| object.host()).or_else(|| place.host_id()),
            machine: (place.class() == Some(ObjectClass::VirtualMachine)).then_some(place),
        };
        if counts_from > since {
            self.unconfirmed.insert((counts_from, key.clone()));
        }
        for backing in &backings {
            self.by_backing.entry(backing.clone()).or_default().insert(key.clone());
        }
        self.witnesses.insert(key.clone(), witness);
        backings
    }

    /// A condition is over; answers the backings it spoke for.
    pub(super) fn drop(&mut self, key: &ConditionKey) -> Vec<Name> {
        let Some(witness) = self.witnesses.remove(key) else { return Vec::new() };
        self.unconfirmed.remove(&(witness.counts_from, key.clone()));
        for backing in &witness.backings {
            if let Some(keys) = self.by_backing.get_mut(backing) {
                keys.remove(key);
                if keys.is_empty() {
                    self.by_backing.remove(backing);
                }
            }
        }
        witness.backings
    }

    /// Conditions that may lie on a backing.
    pub(super) fn on(&self, backing: &Name) -> Vec<ConditionKey> {
        self.by_backing.get(backing).map(|keys| keys.iter().cloned().collect()).unwrap_or_default()
    }

    /// Backings for which a condition counts from now on.
    pub(super) fn confirmed(&mut self, now: Timestamp) -> Vec<Name> {
        let mut touched = BTreeSet::new();
        while let Some((due, key)) = self.unconfirmed.first().cloned() {
            if due > now {
                break;
            }
            self.unconfirmed.remove(&(due, key.clone()));
            touched.extend(self.witnesses.get(&key).into_iter().flat_map(|witness| witness.backings.clone()));
        }
        touched.into_iter().collect()
    }

    /// When a condition begins to count.
    pub(super) fn next_deadline(&self) -> Option<Timestamp> {
        self.unconfirmed.first().map(|(due, _)| *due)
    }

    /// Puts the likeliest culprit first: what most points at, shared storage before local.
    pub(super) fn likeliest_first(&self, backings: &mut [Name], levels: Levels, world: &dyn Topology, now: Timestamp) {
        backings.sort_by_cached_key(|backing| {
            let counted = self.counted(backing, levels, now, &|_| false);
            let sure = counted.iter().filter(|witness| witness.backings.len() == 1).count();
            let verdict = verdict(&counted);
            let shared = world.object(backing).is_some_and(|object| match &object.body {
                Body::StorageBacking(body) => body.backing_type != "local",
                _ => false,
            });
            std::cmp::Reverse((verdict.hosts.len(), sure > 0, verdict.machines.len(), shared, backing.clone()))
        });
    }

    /// Whether a backing is lost. What may lie on another one that `is_lost` does not count.
    pub(super) fn judge(
        &self,
        backing: &Name,
        levels: Levels,
        world: &dyn Topology,
        now: Timestamp,
        is_lost: &dyn Fn(&Name) -> bool,
    ) -> Option<Verdict> {
        let elsewhere = |other: &Name| other != backing && is_lost(other);
        let counted = self.counted(backing, levels, now, &elsewhere);
        let verdict = verdict(&counted);
        let many = verdict.hosts.len() >= levels.hosts || verdict.machines.len() >= levels.machines;
        let whole = || match verdict.hosts.iter().collect::<Vec<_>>().as_slice() {
            [host] => {
                let other = counted.iter().any(|witness| witness.machine.is_none());
                let enough = verdict.machines.len() >= 2 || (other && !verdict.machines.is_empty());
                enough && lies_wholly(host, backing, &verdict.machines, world)
            }
            _ => false,
        };
        (many || whole()).then_some(verdict)
    }

    fn counted(
        &self,
        backing: &Name,
        levels: Levels,
        now: Timestamp,
        elsewhere: &dyn Fn(&Name) -> bool,
    ) -> Vec<&Witness> {
        let keys = self.by_backing.get(backing).into_iter().flatten();
        let mut counted: Vec<&Witness> = keys
            .filter_map(|key| self.witnesses.get(key))
            .filter(|witness| witness.counts_from <= now && !witness.backings.iter().any(elsewhere))
            .collect();
        let latest = counted.iter().map(|witness| witness.since).max().unwrap_or(now);
        counted.retain(|witness| latest.since(witness.since) <= levels.window);
        counted
    }
}

fn verdict(counted: &[&Witness]) -> Verdict {
    Verdict {
        hosts: counted.iter().filter_map(|witness| witness.host.clone()).collect(),
        machines: counted.iter().filter_map(|witness| witness.machine.clone()).collect(),
    }
}

/// True if every disk of every active machine of a host lies on the backing, and all of them show it.
fn lies_wholly(host: &HostId, backing: &Name, showing: &BTreeSet<Name>, world: &dyn Topology) -> bool {
    world.dependents(&Name::host(host)).into_iter().filter_map(|name| world.object(&name)).all(|object| {
        let Body::VirtualMachine(vm) = &object.body else { return true };
        let lies = |source: &String| Name::storage_backing(source) == *backing;
        !vm.run_state.is_active()
            || vm.backing_sources.is_empty()
            || (vm.backing_sources.iter().all(lies) && showing.contains(&object.name))
    })
}

/// Backings that a faulty object may lie on.
pub(super) fn backings_of(object: &Name, world: &dyn Topology) -> Vec<Name> {
    if let Some(backing) = correlation::backing_of_filesystem(world, object) {
        return vec![backing];
    }
    let Some(known) = world.object(&owner(object)) else { return Vec::new() };
    match &known.body {
        Body::StoragePool(pool) if !pool.backing_source.is_empty() => vec![Name::storage_backing(&pool.backing_source)],
        Body::VirtualMachine(vm) => {
            let all: Vec<Name> = vm.backing_sources.iter().map(|source| Name::storage_backing(source)).collect();
            let disk = vm.definition.disks.iter().find(|disk| owner(object) != *object && disk.target == object.id());
            let pool = disk.filter(|disk| !disk.pool.is_empty()).zip(vm.host.as_ref());
            let pool = pool.and_then(|(disk, host)| world.object(&Name::storage_pool(host, &disk.pool)));
            match pool.as_ref().map(|pool| &pool.body) {
                Some(Body::StoragePool(pool)) => vec![Name::storage_backing(&pool.backing_source)],
                _ => all,
            }
        }
        _ => Vec::new(),
    }
}
