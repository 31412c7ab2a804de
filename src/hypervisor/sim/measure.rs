//! What the simulated machines measure: the figures of `machine`, told in the words of the catalogue. Pure.
//!
//! Every counter is a function of the weighted time the machine has been running, so that counters agree with
//! each other: the virtual CPUs' time adds up to a part of the machine's, packets to bytes, operations to bytes.

use super::census::Seen;
use super::machine;
use super::world::World;
use crate::hypervisor::measured::{self, Readings, count, lack, sample};
use crate::model::measurement::{AbsentReason, Number, Owner, Part, Sample};
use crate::model::metric::Metric;
use crate::model::observation::MachineStatistics;
use crate::model::virtual_machine::{DiskVolatile, NicVolatile};

/// Of a machine's CPU time so much is its virtual CPUs'; the rest is the emulator's.
const VCPU_PERCENT: u64 = 95;
/// Bytes of an average read, write and packet.
const READ: u64 = 24_576;
const WRITE: u64 = 9_216;
const PACKET: u64 = 850;
/// Nanoseconds an average read, write and flush takes.
const READ_NS: u64 = 420_000;
const WRITE_NS: u64 = 780_000;
const FLUSH_NS: u64 = 2_100_000;
/// The guests' drivers tell their memory once in this many microseconds.
const BALLOON_US: i64 = 10_000_000;

impl World {
    /// Samples of a machine, from its figures.
    pub fn machine_samples(&self, seen: &Seen, figures: &MachineStatistics, samples: &mut Vec<Sample>) {
        let owner = Owner::Machine(figures.uuid);
        let incarnation = seen.moment.incarnation.unwrap_or_default();
        let begin = samples.len();
        let container = seen.who.is_container();
        let shape = machine::shape(seen.who, self.dice);
        let state = count(Metric::VmState, seen.moment.run_state as u64);
        if figures.partial {
            samples.push(sample(&owner, Part::Whole, incarnation, vec![state]));
            samples.extend(silent_parts(&owner, incarnation, shape.vcpus, &machine::targets(seen.who, self.dice)));
            let macs = machine::macs(seen.who, self.dice);
            samples
                .extend(macs.iter().map(|mac| sample(&owner, Part::Nic(mac.as_str().into()), incarnation, Vec::new())));
            for sample in &mut samples[begin..] {
                lack(sample, wanted(&sample.key.part), AbsentReason::NotResponding);
            }
            return;
        }
        let mut whole = sample(&owner, Part::Whole, incarnation, whole(figures, shape, state.1));
        if container {
            lack(&mut whole, &measured::GUEST_MEMORY, AbsentReason::Unsupported);
        } else {
            whole.readings.extend(guest_memory(figures, self.now));
        }
        lack(&mut whole, &[Metric::VmMemoryHugetlbAlloc, Metric::VmMemoryHugetlbFail], AbsentReason::Unsupported);
        samples.push(whole);
        let total = figures.cpu_time_ns.unwrap_or_default();
        for number in 0..shape.vcpus {
            let mut cpu = sample(&owner, Part::Cpu(number), incarnation, vcpu(total, number, shape.vcpus, container));
            lack(&mut cpu, &measured::VIRTUAL_CPU, AbsentReason::Unsupported);
            samples.push(cpu);
        }
        let disks =
            figures.disks.iter().map(|(target, disk)| (Part::Disk(target.as_str().into()), disk_readings(disk)));
        let nics = figures.nics.iter().map(|(mac, nic)| (Part::Nic(mac.as_str().into()), nic_readings(nic)));
        samples.extend(disks.chain(nics).map(|(part, readings)| sample(&owner, part, incarnation, readings)));
    }
}

/// What is read of a part of a machine.
fn wanted(part: &Part) -> &'static [Metric] {
    match part {
        Part::Whole => &measured::MACHINE,
        Part::Cpu(_) => &measured::VIRTUAL_CPU,
        Part::Disk(_) => &measured::DISK,
        Part::Nic(_) => &measured::NIC,
        Part::NumaNode(_) | Part::Filesystem(_) | Part::Sensor(_) => &[],
    }
}

/// Parts of a machine of which nothing can be read.
fn silent_parts(owner: &Owner, incarnation: u64, vcpus: u32, targets: &[String]) -> Vec<Sample> {
    let cpus = (0..vcpus).map(Part::Cpu);
    let disks = targets.iter().map(|target| Part::Disk(target.as_str().into()));
    cpus.chain(disks).map(|part| sample(owner, part, incarnation, Vec::new())).collect()
}

fn whole(figures: &MachineStatistics, shape: machine::Shape, state: Number) -> Readings {
    let total = figures.cpu_time_ns.unwrap_or_default();
    let current = figures.memory_actual_bytes.unwrap_or_default();
    vec![
        count(Metric::VmCpuTime, total),
        count(Metric::VmCpuTimeUser, total / 10 * 7),
        count(Metric::VmCpuTimeSystem, total / 10 * 2),
        count(Metric::VmCpuHaltpollSuccess, total / 400),
        count(Metric::VmCpuHaltpollFail, total / 900),
        count(Metric::VmVcpuCurrent, u64::from(shape.vcpus)),
        count(Metric::VmVcpuMaximum, u64::from(shape.vcpus) * 2),
        count(Metric::VmMemoryCurrent, current),
        count(Metric::VmMemoryMaximum, shape.memory_bytes),
        count(Metric::VmMemoryRss, figures.memory_rss_bytes.unwrap_or_default()),
        (Metric::VmState, state),
    ]
}

/// As told by the guest some seconds ago.
fn guest_memory(figures: &MachineStatistics, now: i64) -> Readings {
    let available = figures.memory_actual_bytes.unwrap_or_default() / 32 * 31;
    let busy = figures.cpu_time_ns.unwrap_or_default() / 1_000_000;
    let unused = available / 100 * (20 + busy / 60_000 % 15);
    let caches = available / 100 * 18;
    let age = u64::try_from(now.rem_euclid(BALLOON_US) / 1_000_000).unwrap_or_default();
    vec![
        count(Metric::VmMemoryGuestAvailable, available),
        count(Metric::VmMemoryGuestUnused, unused),
        count(Metric::VmMemoryGuestUsable, unused + caches),
        count(Metric::VmMemoryGuestDiskCaches, caches),
        count(Metric::VmMemorySwapIn, busy / 900 * 4_096),
        count(Metric::VmMemorySwapOut, busy / 700 * 4_096),
        count(Metric::VmMemoryFaultMajor, busy / 900),
        count(Metric::VmMemoryFaultMinor, busy * 3),
        count(Metric::VmMemoryStatsAge, age),
    ]
}

fn vcpu(total: u64, number: u32, vcpus: u32, container: bool) -> Readings {
    // The first ones are a little busier. Shares add up to less than the whole, being rounded down.
    let weight = |number: u32| u128::from(1_000 - 20 * number.min(40));
    let all: u128 = (0..vcpus).map(weight).sum();
    let share = u128::from(total / 100 * VCPU_PERCENT) * weight(number) / all.max(1);
    let time = u64::try_from(share).unwrap_or(u64::MAX);
    let mut readings = vec![
        count(Metric::VcpuTime, time),
        count(Metric::VcpuWait, time / 60),
        count(Metric::VcpuDelay, time / 250),
        count(Metric::VcpuState, 1),
    ];
    if !container {
        readings.extend([
            count(Metric::VcpuHalted, u64::from((total / 5_000_000_000 + u64::from(number)).is_multiple_of(3))),
            count(Metric::VcpuExits, time / 90_000),
            count(Metric::VcpuHaltExits, time / 400_000),
            count(Metric::VcpuIrqExits, time / 1_500_000),
        ]);
    }
    readings
}

fn disk_readings(disk: &DiskVolatile) -> Readings {
    let (read, written) = (disk.read_bytes.unwrap_or_default(), disk.written_bytes.unwrap_or_default());
    let (reads, writes) = (read / READ, written / WRITE);
    let flushes = writes / 25;
    vec![
        count(Metric::VdiskReadOps, reads),
        count(Metric::VdiskWriteOps, writes),
        count(Metric::VdiskReadBytes, read),
        count(Metric::VdiskWriteBytes, written),
        count(Metric::VdiskReadTime, reads.saturating_mul(READ_NS)),
        count(Metric::VdiskWriteTime, writes.saturating_mul(WRITE_NS)),
        count(Metric::VdiskFlushOps, flushes),
        count(Metric::VdiskFlushTime, flushes.saturating_mul(FLUSH_NS)),
        count(Metric::VdiskAllocation, disk.allocation_bytes.unwrap_or_default()),
        count(Metric::VdiskCapacity, disk.capacity_bytes.unwrap_or_default()),
        count(Metric::VdiskPhysical, disk.physical_bytes.unwrap_or_default()),
    ]
}

fn nic_readings(nic: &NicVolatile) -> Readings {
    let (received, sent) = (nic.received_bytes.unwrap_or_default(), nic.transmitted_bytes.unwrap_or_default());
    vec![
        count(Metric::VnicRxBytes, received),
        count(Metric::VnicTxBytes, sent),
        count(Metric::VnicRxPackets, received / PACKET),
        count(Metric::VnicTxPackets, sent / PACKET),
        count(Metric::VnicRxErrors, 0),
        count(Metric::VnicTxErrors, 0),
        count(Metric::VnicRxDropped, received / PACKET / 100_000),
        count(Metric::VnicTxDropped, 0),
    ]
}
