//! Moving figures of the host, told twice: as its fact and as samples. What the driver lacks is absent.

use crate::hypervisor::libvirt::ffi::node;
use crate::hypervisor::libvirt::huge_pages;
use crate::hypervisor::libvirt::memory::Memory;
use crate::hypervisor::libvirt::stats::kibibytes;
use crate::hypervisor::measured::{Readings, count, lack, sample};
use crate::model::measurement::{AbsentReason, Number, Owner, Part, Sample};
use crate::model::metric::Metric;
use crate::model::name::HostId;
use crate::model::observation::HostStatistics;
use crate::model::time::Timestamp;
use std::collections::BTreeMap;
use uuid::Uuid;
use virt::connect::Connect;

/// CPUs and NUMA nodes read one by one at most.
const MOST: u32 = 1_024;

/// Modes of CPU time as libvirt calls them.
const MODES: [(&str, Metric); 5] = [
    ("user", Metric::HostCpuTimeUser),
    ("kernel", Metric::HostCpuTimeKernel),
    ("idle", Metric::HostCpuTimeIdle),
    ("iowait", Metric::HostCpuTimeIowait),
    ("intr", Metric::HostCpuTimeIntr),
];

/// Kinds of memory as libvirt calls them.
const MEMORY: [(&str, Metric); 4] = [
    ("total", Metric::HostMemoryTotal),
    ("free", Metric::HostMemoryFree),
    ("buffers", Metric::HostMemoryBuffers),
    ("cached", Metric::HostMemoryCached),
];

/// Reads the host; with `slow` also each CPU and NUMA node, one call each.
pub fn read(
    connect: &Connect,
    memory: &Memory,
    host: &HostId,
    slow: bool,
    time: Timestamp,
) -> (HostStatistics, Vec<Sample>) {
    let cpu = node::cpu_statistics(connect, None).unwrap_or_default();
    let kinds = node::memory_statistics(connect).unwrap_or_default();
    let free = kinds.get("free").copied().map(kibibytes).or_else(|| node::free_memory(connect).ok());
    let now_ms = u64::try_from(time.0 / 1_000).unwrap_or_default();
    // A host that was booted anew has used less CPU time than before.
    let total = cpu.values().fold(0, |sum: u64, time| sum.saturating_add(*time));
    let incarnation = memory.runs().incarnation(Uuid::nil(), None, (total > 0).then_some(total), now_ms);
    let owner = Owner::Host(host.clone());
    let mut whole = sample(&owner, Part::Whole, incarnation, readings(&cpu, &MODES, |time| time));
    whole.readings.extend(readings(&kinds, &MEMORY, kibibytes));
    let known_free = free.filter(|_| !kinds.contains_key("free"));
    whole.readings.extend(known_free.map(|free| count(Metric::HostMemoryFree, free)));
    let probe = memory.probe_time().map(|time| (Metric::HostHypervisorRpcLatency, Number::Real(time.as_secs_f64())));
    whole.readings.extend(probe);
    if slow {
        whole.readings.extend(shared_pages(connect));
    }
    let wanted: Vec<Metric> = MODES.iter().chain(&MEMORY).map(|(_, metric)| *metric).collect();
    lack(&mut whole, &wanted, AbsentReason::Unsupported);
    let mut samples = vec![whole];
    if slow {
        samples.extend(cpus(connect, &owner, incarnation));
        samples.extend(nodes(connect, &owner, incarnation));
    }
    let figures = HostStatistics {
        memory_free_bytes: free,
        cpu_time_ns: cpu,
        huge_pages: huge_pages::now(connect, &memory.huge_pages()),
        ..HostStatistics::default()
    };
    (figures, samples)
}

fn readings(from: &BTreeMap<String, u64>, names: &[(&str, Metric)], scale: fn(u64) -> u64) -> Readings {
    names.iter().filter_map(|(name, metric)| Some(count(*metric, scale(*from.get(*name)?)))).collect()
}

/// Pages KSM shares (virNodeGetMemoryParameters, which a read-only connection may ask).
fn shared_pages(connect: &Connect) -> Readings {
    let told = node::memory_parameters(connect).unwrap_or_default();
    let names = [("shm_pages_shared", Metric::HostKsmPagesShared), ("shm_pages_sharing", Metric::HostKsmPagesSharing)];
    readings(&told, &names, |pages| pages)
}

/// Time each CPU was busy; CPUs that are off or that the driver does not tell apart are left out.
fn cpus(connect: &Connect, owner: &Owner, incarnation: u64) -> Vec<Sample> {
    let count_of = connect.node_info().map_or(0, |node| node.cpus.min(MOST));
    let mut samples = Vec::new();
    for number in 0..count_of {
        let Ok(modes) = node::cpu_statistics(connect, Some(number)) else { break };
        let busy = ["user", "kernel", "intr"].into_iter().filter_map(|mode| modes.get(mode)).sum();
        let readings = vec![count(Metric::HostCpuTimeBusyPerCpu, busy)];
        samples.push(sample(owner, Part::Cpu(number), incarnation, readings));
    }
    samples
}

fn nodes(connect: &Connect, owner: &Owner, incarnation: u64) -> Vec<Sample> {
    let cells = connect.node_info().map_or(0, |node| node.nodes.min(MOST));
    let free = connect.cells_free_memory(0, i32::try_from(cells).unwrap_or(0)).unwrap_or_default();
    let node = |(number, free): (usize, &u64)| {
        let number = u32::try_from(number).unwrap_or(u32::MAX);
        sample(owner, Part::NumaNode(number), incarnation, vec![count(Metric::HostMemoryNumaFree, *free)])
    };
    free.iter().enumerate().map(node).collect()
}
