//! Figures that need no hypervisor: worked out from published state at each base interval.

use super::settings::Moment;
use super::world::{World, is_connected};
use crate::model::capacity::{Amount, Capacity};
use crate::model::host::Host;
use crate::model::measurement::{AbsentReason, MeasuredKey, Number, Owner, Sample};
use crate::model::metric::Metric;
use crate::model::storage::{StoragePool, Volume};
use crate::model::{Body, HostId, Name, Object};
use std::collections::HashMap;
use std::time::Duration;

/// Figures of a pool older than this tell nothing of now (operations.md F2).
const STALE: Duration = Duration::from_secs(600);

/// Rounds of statistics of one host.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Rounds {
    pub(super) duration: Option<Duration>,
    pub(super) overrun: u64,
    pub(super) failed: u64,
}

/// A sample of the VRM's own, and the host it belongs to.
pub(super) type Own = (Option<HostId>, Sample);

/// Everything that published state tells.
pub(super) fn figures(world: &World, rounds: &HashMap<HostId, Rounds>, now: Moment) -> Vec<Own> {
    let mut samples = Vec::new();
    let machines = machines_by_host(world);
    for (id, object, host) in world.each_host() {
        let counted = machines.get(&id).copied().unwrap_or_default();
        samples.push((Some(id.clone()), host_sample(&id, object, host, counted, rounds.get(&id))));
    }
    samples.extend(world.pools.iter().filter_map(|object| match &object.body {
        Body::StoragePool(pool) => Some((None, pool_sample(object, pool, now))),
        _ => None,
    }));
    samples.extend(world.volumes.iter().filter_map(|object| match &object.body {
        Body::Volume(volume) => Some((None, volume_sample(object, volume, now))),
        _ => None,
    }));
    samples.extend(network_samples(world));
    samples.extend(world.clusters.iter().filter_map(|object| match &object.body {
        Body::Cluster(cluster) => Some((None, cluster_sample(&cluster.volatile.capacity, world))),
        _ => None,
    }));
    samples
}

/// A sample about an object; what the VRM works out itself never begins anew.
fn sample(owner: Owner, readings: Vec<(Metric, Number)>) -> Sample {
    Sample { key: MeasuredKey::whole(owner), incarnation: 0, readings, absent: Vec::new() }
}

#[derive(Clone, Copy, Debug, Default)]
struct Machines {
    known: u64,
    running: u64,
}

fn machines_by_host(world: &World) -> HashMap<HostId, Machines> {
    let mut counted: HashMap<HostId, Machines> = HashMap::new();
    for machine in world.each_machine() {
        if let Some(host) = &machine.host {
            let machines = counted.entry(host.clone()).or_default();
            machines.known += 1;
            machines.running += u64::from(machine.run_state.is_active());
        }
    }
    counted
}

fn host_sample(id: &HostId, object: &Object, host: &Host, machines: Machines, rounds: Option<&Rounds>) -> Sample {
    let connected = u64::from(is_connected(host));
    let mut readings = vec![(Metric::HostHypervisorConnected, Number::Integer(connected))];
    // What runs on a host that does not answer is not known.
    if !object.state.unknown && host.synchronized {
        readings.push((Metric::HostVmCount, Number::Integer(machines.known)));
        readings.push((Metric::HostVmRunning, Number::Integer(machines.running)));
        let Capacity { vcpus, memory_bytes, .. } = host.volatile.capacity;
        if let Some(vcpus) = vcpus {
            readings.push((Metric::HostVcpuAllocated, Number::Integer(vcpus.allocated)));
            let ratio = (vcpus.total > 0).then(|| Number::Real(float(vcpus.allocated) / float(vcpus.total)));
            readings.extend(ratio.map(|ratio| (Metric::HostCpuAllocationRatio, ratio)));
        }
        readings.extend(memory_bytes.map(|memory| (Metric::HostMemoryAllocated, Number::Integer(memory.allocated))));
    }
    if let Some(rounds) = rounds {
        readings.push((Metric::VrmCollectionOverrun, Number::Integer(rounds.overrun)));
        readings.push((Metric::VrmCollectionFailed, Number::Integer(rounds.failed)));
        let duration = rounds.duration.map(|spent| Number::Real(spent.as_secs_f64()));
        readings.extend(duration.map(|spent| (Metric::VrmCollectionDuration, spent)));
    }
    sample(Owner::Host(id.clone()), readings)
}

fn pool_sample(object: &Object, pool: &StoragePool, now: Moment) -> Sample {
    let figures = &*pool.volatile;
    let mut told = sample(
        Owner::Other(object.name.clone()),
        vec![(Metric::PoolVolumeCount, Number::Integer(u64::from(pool.volume_count)))],
    );
    let age = figures.as_of.map(|as_of| now.wall.since(as_of));
    told.readings.extend(age.map(|age| (Metric::PoolFiguresAge, Number::Real(age.as_secs_f64()))));
    let sizes = [
        (Metric::PoolCapacity, figures.capacity_bytes),
        (Metric::PoolAllocation, figures.allocation_bytes),
        (Metric::PoolAvailable, figures.available_bytes),
    ];
    if object.state.unknown || age.is_none_or(|age| age > STALE) {
        let reason = if object.state.unknown { AbsentReason::HostLost } else { AbsentReason::Stale };
        told.absent.extend(sizes.map(|(metric, _)| (metric, reason)));
        told.absent.extend([(Metric::PoolUsage, reason), (Metric::PoolOvercommitRatio, reason)]);
        return told;
    }
    for (metric, bytes) in sizes {
        match bytes {
            Some(bytes) => told.readings.push((metric, Number::Integer(bytes))),
            None => told.absent.push((metric, AbsentReason::Unsupported)),
        }
    }
    if let Some(capacity) = figures.capacity_bytes.filter(|capacity| *capacity > 0) {
        let ratio = float(figures.volume_capacity_bytes) / float(capacity);
        told.readings.push((Metric::PoolOvercommitRatio, Number::Real(ratio)));
    }
    told
}

fn volume_sample(object: &Object, volume: &Volume, now: Moment) -> Sample {
    let mut told = sample(
        Owner::Other(object.name.clone()),
        vec![(Metric::VolumeCapacity, Number::Integer(volume.capacity_bytes))],
    );
    let fresh = volume.volatile.as_of.is_some_and(|as_of| now.wall.since(as_of) <= STALE);
    match volume.volatile.allocation_bytes.filter(|_| fresh) {
        Some(bytes) => told.readings.push((Metric::VolumeAllocation, Number::Integer(bytes))),
        None => told.absent.push((Metric::VolumeAllocation, AbsentReason::Stale)),
    }
    told
}

fn network_samples(world: &World) -> Vec<Own> {
    let mut connections: HashMap<Name, u64> = HashMap::new();
    for machine in world.each_machine().filter(|machine| machine.run_state.is_active()) {
        let Some(host) = &machine.host else { continue };
        for nic in machine.definition.nics.iter().filter(|nic| !nic.network.is_empty()) {
            *connections.entry(Name::network(host, &nic.network)).or_default() += 1;
        }
    }
    let known = world.networks.iter().filter(|object| !object.state.unknown);
    let told = known.map(|object| {
        let count = connections.get(&object.name).copied().unwrap_or(0);
        let readings = vec![(Metric::NetworkConnections, Number::Integer(count))];
        (None, sample(Owner::Other(object.name.clone()), readings))
    });
    told.collect()
}

fn cluster_sample(capacity: &Capacity, world: &World) -> Sample {
    let mut readings = Vec::new();
    let mut add = |amount: Option<Amount>, total: Metric, allocated: Metric| {
        if let Some(amount) = amount {
            readings.push((total, Number::Integer(amount.total)));
            readings.push((allocated, Number::Integer(amount.allocated)));
        }
    };
    add(capacity.vcpus, Metric::ClusterVcpuTotal, Metric::ClusterVcpuAllocated);
    add(capacity.memory_bytes, Metric::ClusterMemoryTotal, Metric::ClusterMemoryAllocated);
    add(capacity.storage_bytes, Metric::ClusterStorageTotal, Metric::ClusterStorageAllocated);
    let headroom = headroom(world).map(|percent| (Metric::ClusterRedundancyHeadroom, Number::Real(percent)));
    readings.extend(headroom);
    sample(Owner::Other(Name::cluster()), readings)
}

/// Memory left elsewhere if the largest host is lost, by what is allocated on it, in percent.
fn headroom(world: &World) -> Option<f64> {
    let amounts: Vec<Amount> =
        world.each_host().filter_map(|(_, _, host)| host.volatile.capacity.memory_bytes).collect();
    let largest = amounts.iter().max_by_key(|amount| amount.total)?;
    let elsewhere: u64 = amounts.iter().map(|amount| amount.available).sum::<u64>().saturating_sub(largest.available);
    (largest.allocated > 0).then(|| float(elsewhere) / float(largest.allocated) * 100.0)
}

#[expect(clippy::cast_precision_loss, reason = "sizes lie far below 2^53")]
fn float(value: u64) -> f64 {
    value as f64
}
