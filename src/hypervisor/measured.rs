//! Words for samples that every implementation of the port shares: which metrics belong together, and how a
//! sample is put together. Pure; what is read and from where is each implementation's own.

use crate::model::measurement::{AbsentReason, MeasuredKey, Number, Owner, Part, Sample};
use crate::model::metric::Metric;

/// What only the guest's balloon driver can tell.
pub const GUEST_MEMORY: [Metric; 11] = [
    Metric::VmMemoryGuestAvailable,
    Metric::VmMemoryGuestUnused,
    Metric::VmMemoryGuestUsable,
    Metric::VmMemoryGuestDiskCaches,
    Metric::VmMemorySwapIn,
    Metric::VmMemorySwapOut,
    Metric::VmMemoryFaultMajor,
    Metric::VmMemoryFaultMinor,
    Metric::VmMemoryStatsAge,
    Metric::VmMemoryHugetlbAlloc,
    Metric::VmMemoryHugetlbFail,
];

/// What is read of a machine as a whole, guest memory left out.
pub const MACHINE: [Metric; 9] = [
    Metric::VmCpuTime,
    Metric::VmCpuTimeUser,
    Metric::VmCpuTimeSystem,
    Metric::VmCpuHaltpollSuccess,
    Metric::VmCpuHaltpollFail,
    Metric::VmMemoryCurrent,
    Metric::VmMemoryMaximum,
    Metric::VmMemoryRss,
    Metric::VmState,
];

/// What is read of each virtual CPU.
pub const VIRTUAL_CPU: [Metric; 8] = [
    Metric::VcpuTime,
    Metric::VcpuWait,
    Metric::VcpuDelay,
    Metric::VcpuState,
    Metric::VcpuHalted,
    Metric::VcpuExits,
    Metric::VcpuHaltExits,
    Metric::VcpuIrqExits,
];

/// What is read of each disk.
pub const DISK: [Metric; 11] = [
    Metric::VdiskReadOps,
    Metric::VdiskWriteOps,
    Metric::VdiskReadBytes,
    Metric::VdiskWriteBytes,
    Metric::VdiskReadTime,
    Metric::VdiskWriteTime,
    Metric::VdiskFlushOps,
    Metric::VdiskFlushTime,
    Metric::VdiskAllocation,
    Metric::VdiskCapacity,
    Metric::VdiskPhysical,
];

/// What is read of each NIC.
pub const NIC: [Metric; 8] = [
    Metric::VnicRxBytes,
    Metric::VnicTxBytes,
    Metric::VnicRxPackets,
    Metric::VnicTxPackets,
    Metric::VnicRxErrors,
    Metric::VnicTxErrors,
    Metric::VnicRxDropped,
    Metric::VnicTxDropped,
];

/// Readings in the order in which they were taken.
pub type Readings = Vec<(Metric, Number)>;

/// A sample without anything absent.
pub fn sample(owner: &Owner, part: Part, incarnation: u64, readings: Readings) -> Sample {
    let key = MeasuredKey { owner: owner.clone(), part };
    Sample { key, incarnation, readings, absent: Vec::new() }
}

/// Says of those of `wanted` that were not read why, unless the sample says so already.
pub fn lack(sample: &mut Sample, wanted: &[Metric], reason: AbsentReason) {
    for metric in wanted {
        let told = sample.readings.iter().any(|(read, _)| read == metric);
        if !told && !sample.absent.iter().any(|(absent, _)| absent == metric) {
            sample.absent.push((*metric, reason));
        }
    }
}

/// A whole number.
pub fn count(metric: Metric, value: u64) -> (Metric, Number) {
    (metric, Number::Integer(value))
}
