//! Derived metrics: worked out from two looks at one owner, over the true interval between them.
//!
//! A derived metric is told at the looks at which what it comes from was read. Where an input is absent it is absent
//! for the same reason; without a second reading it is absent as `NoInterval`, without events to divide by as
//! `NoEvents`. It is never 0 for want of knowledge.

use super::counter::moved;
use super::reading::{OwnerReadings, Reading};
use crate::model::measurement::{AbsentReason, Number, Part};
use crate::model::metric::{MeasuredClass, Metric};
use std::time::Duration;

/// Guest figures older than this tell nothing of now: then the machine's process is looked at.
const GUEST_FIGURES: f64 = 120.0;

type Value = Result<Number, AbsentReason>;

/// Works out every derived metric of an owner.
pub fn derive(previous: Option<&OwnerReadings>, current: &mut OwnerReadings) {
    let parts: Vec<Part> = current.parts.iter().map(|part| part.part.clone()).collect();
    let mut whole = false;
    for part in &parts {
        if *part == Part::Whole {
            whole = true;
            continue;
        }
        derive_part(previous, current, part);
    }
    if whole {
        derive_part(previous, current, &Part::Whole);
    }
}

fn derive_part(previous: Option<&OwnerReadings>, current: &mut OwnerReadings, part: &Part) {
    let key = crate::model::measurement::MeasuredKey { owner: current.owner.clone(), part: part.clone() };
    let Some(class) = key.class() else { return };
    let looks = Looks { previous, current, part };
    let values = match class {
        MeasuredClass::VirtualMachine => machine(&looks),
        MeasuredClass::VirtualCpu => virtual_cpu(&looks),
        MeasuredClass::VirtualDisk => virtual_disk(&looks),
        MeasuredClass::VirtualNic => virtual_nic(&looks),
        MeasuredClass::Host => host(&looks),
        MeasuredClass::HostCpu => vec![share(&looks, Metric::HostCpuUsagePerCpu, Metric::HostCpuTimeBusyPerCpu)],
        MeasuredClass::HostDisk => host_disk(&looks),
        MeasuredClass::HostFilesystem => vec![(Metric::HostFsUsage, filesystem(&looks))],
        MeasuredClass::HostNic => host_nic(&looks),
        MeasuredClass::StoragePool => {
            vec![(Metric::PoolUsage, looks.part_of(Metric::PoolAllocation, Metric::PoolCapacity))]
        }
        _ => Vec::new(),
    };
    let values: Vec<(Metric, Value)> =
        values.into_iter().filter_map(|(metric, value)| value.map(|value| (metric, value))).collect();
    let at = current.at;
    let held = current.part_mut(part);
    for (metric, value) in values {
        // What a source tells itself is not worked out again.
        if held.get(metric).is_some_and(|reading| reading.at() == at) {
            continue;
        }
        match value {
            Ok(number) => held.put(Reading::new(metric, number, at)),
            Err(reason) => held.put_absent(metric, reason),
        }
    }
}

/// Two looks at a part.
struct Looks<'a> {
    previous: Option<&'a OwnerReadings>,
    current: &'a OwnerReadings,
    part: &'a Part,
}

/// What to do about a derived metric: nothing if its inputs were not read at this look.
type Told = Option<Value>;

impl Looks<'_> {
    /// A level read at this look or carried on.
    fn level(&self, metric: Metric) -> Option<f64> {
        self.current.part(self.part)?.get(metric).map(|reading| reading.number().as_f64())
    }

    fn fresh(&self, metric: Metric) -> bool {
        let held = self.current.part(self.part);
        held.and_then(|held| held.get(metric)).is_some_and(|reading| self.current.is_fresh(reading))
    }

    fn absence(&self, metric: Metric) -> Option<AbsentReason> {
        self.current.part(self.part)?.absence(metric)
    }

    /// How far a counter moved at this look, and in how many seconds.
    fn moved(&self, metric: Metric) -> Result<(f64, f64), Option<AbsentReason>> {
        if let Some((amount, interval)) = moved(self.previous, self.current, self.part, metric) {
            return Ok((amount.as_f64(), interval.as_secs_f64()));
        }
        if self.fresh(metric) { Err(Some(AbsentReason::NoInterval)) } else { Err(self.absence(metric)) }
    }

    /// Counters added up, per second.
    fn rate(&self, metrics: &[Metric]) -> Told {
        let mut sum = 0.0;
        for metric in metrics {
            match self.moved(*metric) {
                Ok((amount, seconds)) => sum += amount / seconds,
                Err(reason) => return reason.map(Err),
            }
        }
        real(sum)
    }

    /// One sum of counters by another, times a factor.
    fn ratio(&self, above: &[Metric], below: &[Metric], factor: f64) -> Told {
        let sum = |metrics: &[Metric]| {
            metrics.iter().try_fold(0.0, |sum, metric| self.moved(*metric).map(|(amount, _)| sum + amount))
        };
        match (sum(above), sum(below)) {
            (Ok(above), Ok(below)) if below > 0.0 => real(above / below * factor),
            (Ok(_), Ok(_)) => Some(Err(AbsentReason::NoEvents)),
            (Err(reason), _) | (_, Err(reason)) => reason.map(Err),
        }
    }

    /// One level by another, in percent.
    fn part_of(&self, part: Metric, whole: Metric) -> Told {
        if !self.fresh(part) {
            return self.absence(part).map(Err);
        }
        match (self.level(part), self.level(whole)) {
            (Some(part), Some(whole)) if whole > 0.0 => real(part / whole * 100.0),
            (Some(_), Some(_)) => Some(Err(AbsentReason::NoEvents)),
            _ => Some(Err(self.absence(whole).unwrap_or(AbsentReason::Unsupported))),
        }
    }
}

fn real(value: f64) -> Told {
    value.is_finite().then_some(Ok(Number::Real(value)))
}

/// Nanoseconds per second in percent.
const NANOSECONDS_PERCENT: f64 = 1e-7;

fn capped(told: Told) -> Told {
    told.map(|value| value.map(|number| Number::Real(number.as_f64().min(100.0))))
}

/// A time in nanoseconds as a share of the interval, at most 100 %.
fn share(looks: &Looks<'_>, metric: Metric, time: Metric) -> (Metric, Told) {
    (metric, capped(scaled(looks.rate(&[time]), NANOSECONDS_PERCENT)))
}

fn scaled(told: Told, factor: f64) -> Told {
    told.map(|value| value.map(|number| Number::Real(number.as_f64() * factor)))
}

fn virtual_cpu(looks: &Looks<'_>) -> Vec<(Metric, Told)> {
    vec![share(looks, Metric::VcpuUsage, Metric::VcpuTime), share(looks, Metric::VcpuStealRatio, Metric::VcpuDelay)]
}

fn virtual_disk(looks: &Looks<'_>) -> Vec<(Metric, Told)> {
    use Metric::{
        VdiskAllocation, VdiskCapacity, VdiskFlushOps, VdiskFlushTime, VdiskReadBytes, VdiskReadOps, VdiskReadTime,
        VdiskWriteBytes, VdiskWriteOps, VdiskWriteTime,
    };
    // Nanoseconds to milliseconds.
    let latency = |time, ops| looks.ratio(&[time], &[ops], 1e-6);
    vec![
        (Metric::VdiskLatencyRead, latency(VdiskReadTime, VdiskReadOps)),
        (Metric::VdiskLatencyWrite, latency(VdiskWriteTime, VdiskWriteOps)),
        (Metric::VdiskLatencyFlush, latency(VdiskFlushTime, VdiskFlushOps)),
        (Metric::VdiskIops, looks.rate(&[VdiskReadOps, VdiskWriteOps])),
        (Metric::VdiskThroughput, looks.rate(&[VdiskReadBytes, VdiskWriteBytes])),
        (Metric::VdiskUsage, looks.part_of(VdiskAllocation, VdiskCapacity)),
    ]
}

fn virtual_nic(looks: &Looks<'_>) -> Vec<(Metric, Told)> {
    use Metric::{VnicRxBytes, VnicRxPackets, VnicTxBytes, VnicTxPackets};
    let (bytes, packets) = ([VnicRxBytes, VnicTxBytes], [VnicRxPackets, VnicTxPackets]);
    vec![
        (Metric::VnicRxRate, looks.rate(&[VnicRxBytes])),
        (Metric::VnicTxRate, looks.rate(&[VnicTxBytes])),
        (Metric::VnicPacketRate, looks.rate(&packets)),
        (Metric::VnicPacketSize, looks.ratio(&bytes, &packets, 1.0)),
    ]
}

fn host_disk(looks: &Looks<'_>) -> Vec<(Metric, Told)> {
    use Metric::{HostDiskIoTime, HostDiskReadOps, HostDiskReadTime, HostDiskWriteOps, HostDiskWriteTime};
    vec![
        // Milliseconds per second to percent.
        (Metric::HostDiskBusy, capped(scaled(looks.rate(&[HostDiskIoTime]), 0.1))),
        (Metric::HostDiskLatencyRead, looks.ratio(&[HostDiskReadTime], &[HostDiskReadOps], 1.0)),
        (Metric::HostDiskLatencyWrite, looks.ratio(&[HostDiskWriteTime], &[HostDiskWriteOps], 1.0)),
    ]
}

fn filesystem(looks: &Looks<'_>) -> Told {
    if !looks.fresh(Metric::HostFsUsed) {
        return looks.absence(Metric::HostFsUsed).map(Err);
    }
    let (used, available) = (looks.level(Metric::HostFsUsed)?, looks.level(Metric::HostFsAvailable)?);
    if used + available > 0.0 { real(used / (used + available) * 100.0) } else { Some(Err(AbsentReason::NoEvents)) }
}

fn host_nic(looks: &Looks<'_>) -> Vec<(Metric, Told)> {
    let utilisation = |bytes: Metric| match looks.level(Metric::HostNetLinkSpeed) {
        // Bytes per second to percent of bits per second.
        Some(speed) if speed > 0.0 => scaled(looks.rate(&[bytes]), 800.0 / speed),
        // Bridges and virtual interfaces have no speed.
        _ if looks.fresh(bytes) => Some(Err(AbsentReason::Unsupported)),
        _ => None,
    };
    vec![
        (Metric::HostNetUtilisationRx, utilisation(Metric::HostNetRxBytes)),
        (Metric::HostNetUtilisationTx, utilisation(Metric::HostNetTxBytes)),
    ]
}

fn host(looks: &Looks<'_>) -> Vec<(Metric, Told)> {
    vec![(Metric::HostCpuUsage, host_cpu(looks)), (Metric::HostMemoryUsage, host_memory(looks))]
}

fn host_cpu(looks: &Looks<'_>) -> Told {
    use Metric::{
        HostCpuTimeIdle, HostCpuTimeIntr, HostCpuTimeIowait, HostCpuTimeKernel, HostCpuTimeNice, HostCpuTimeSoftirq,
        HostCpuTimeSteal, HostCpuTimeUser,
    };
    let needed = [HostCpuTimeUser, HostCpuTimeKernel, HostCpuTimeIdle];
    for metric in needed {
        if let Err(reason) = looks.moved(metric) {
            return reason.map(Err);
        }
    }
    // What a server does not tell it counts in the others.
    let told = |metric: Metric| looks.moved(metric).map_or(0.0, |(amount, _)| amount);
    let optional = [HostCpuTimeIntr, HostCpuTimeSteal, HostCpuTimeSoftirq, HostCpuTimeNice];
    let busy = told(HostCpuTimeUser) + told(HostCpuTimeKernel) + optional.map(told).iter().sum::<f64>();
    let all = busy + told(HostCpuTimeIdle) + told(HostCpuTimeIowait);
    if all > 0.0 { real(busy / all * 100.0) } else { Some(Err(AbsentReason::NoEvents)) }
}

fn host_memory(looks: &Looks<'_>) -> Told {
    use Metric::{HostMemoryAvailable, HostMemoryBuffers, HostMemoryCached, HostMemoryFree, HostMemoryTotal};
    let total = looks.level(HostMemoryTotal).filter(|total| *total > 0.0)?;
    let used = |free: f64| real(((total - free) / total * 100.0).clamp(0.0, 100.0));
    if looks.fresh(HostMemoryAvailable) {
        return used(looks.level(HostMemoryAvailable)?);
    }
    // Where the kernel tells what is available, another way of counting would make the figure jump.
    if !looks.fresh(HostMemoryFree) || looks.level(HostMemoryAvailable).is_some() {
        return None;
    }
    let caches = [HostMemoryBuffers, HostMemoryCached].map(|metric| looks.level(metric).unwrap_or(0.0));
    used(looks.level(HostMemoryFree)? + caches.iter().sum::<f64>())
}

fn machine(looks: &Looks<'_>) -> Vec<(Metric, Told)> {
    let per_cpu = looks.level(Metric::VmVcpuCurrent).filter(|count| *count > 0.0);
    let rate = looks.rate(&[Metric::VmCpuTime]);
    let usage = match per_cpu {
        Some(count) => capped(scaled(rate, NANOSECONDS_PERCENT / count)),
        None => rate.is_some().then_some(Err(AbsentReason::Unsupported)),
    };
    let sums = [
        (Metric::VmDiskReadBytes, Metric::VdiskReadBytes),
        (Metric::VmDiskWriteBytes, Metric::VdiskWriteBytes),
        (Metric::VmNetRxBytes, Metric::VnicRxBytes),
        (Metric::VmNetTxBytes, Metric::VnicTxBytes),
    ];
    let mut values = vec![
        (Metric::VmCpuUsage, usage),
        (Metric::VmCpuUsageCores, scaled(rate, 1e-9)),
        (Metric::VmCpuEmulatorTime, emulator_time(looks)),
        (Metric::VmCpuSteal, steal(looks)),
        (Metric::VmMemoryUsage, machine_memory(looks)),
        (Metric::VmDiskIops, disk_iops(looks)),
    ];
    values.extend(sums.map(|(sum, of)| (sum, sum_of_parts(looks, sum, of))));
    values
}

/// Of the guest where it tells, else of its process; which of the two is seen at `vm.memory.guest.usable`.
fn machine_memory(looks: &Looks<'_>) -> Told {
    let age = looks.level(Metric::VmMemoryStatsAge).unwrap_or(0.0);
    let guest = (looks.level(Metric::VmMemoryGuestAvailable), looks.level(Metric::VmMemoryGuestUsable));
    if let (Some(available), Some(usable)) = guest
        && looks.fresh(Metric::VmMemoryGuestUsable)
        && available > 0.0
        && age <= GUEST_FIGURES
    {
        return real(((available - usable) / available * 100.0).clamp(0.0, 100.0));
    }
    if !looks.fresh(Metric::VmMemoryRss) {
        return looks.absence(Metric::VmMemoryRss).map(Err);
    }
    let (rss, current) = (looks.level(Metric::VmMemoryRss)?, looks.level(Metric::VmMemoryCurrent)?);
    if current > 0.0 { real((rss / current * 100.0).min(100.0)) } else { Some(Err(AbsentReason::NoEvents)) }
}

/// The parts of this owner that have a metric at this look.
fn parts_with(looks: &Looks<'_>, metric: Metric) -> Vec<Part> {
    let fresh =
        |part: &&super::reading::PartReadings| part.get(metric).is_some_and(|reading| looks.current.is_fresh(reading));
    looks.current.parts.iter().filter(fresh).map(|part| part.part.clone()).collect()
}

fn steal(looks: &Looks<'_>) -> Told {
    let cpus = parts_with(looks, Metric::VcpuDelay);
    if cpus.is_empty() {
        return None;
    }
    let mut shares = Vec::new();
    for cpu in &cpus {
        if let Some((amount, interval)) = moved(looks.previous, looks.current, cpu, Metric::VcpuDelay) {
            shares.push(amount.as_f64() / nanoseconds(interval));
        }
    }
    if shares.is_empty() {
        return Some(Err(AbsentReason::NoInterval));
    }
    let count = f64::from(u32::try_from(shares.len()).unwrap_or(u32::MAX));
    real((shares.iter().sum::<f64>() / count * 100.0).min(100.0))
}

fn nanoseconds(interval: Duration) -> f64 {
    interval.as_secs_f64() * 1e9
}

fn emulator_time(looks: &Looks<'_>) -> Told {
    let cpus = parts_with(looks, Metric::VcpuTime);
    if cpus.is_empty() || !looks.fresh(Metric::VmCpuTime) {
        return None;
    }
    let sum: u64 = cpus.iter().filter_map(|cpu| integer(looks.current, cpu, Metric::VcpuTime)).sum();
    let all = integer(looks.current, looks.part, Metric::VmCpuTime)?;
    // The two were read one after the other: what seems to go back stood still.
    let before = own_before(looks, Metric::VmCpuEmulatorTime).unwrap_or(0);
    Some(Ok(Number::Integer(all.saturating_sub(sum).max(before))))
}

fn integer(readings: &OwnerReadings, part: &Part, metric: Metric) -> Option<u64> {
    match readings.part(part)?.get(metric)?.number() {
        Number::Integer(value) => Some(value),
        Number::Real(_) => None,
    }
}

/// The former value of a derived counter, if it counts on.
fn own_before(looks: &Looks<'_>, metric: Metric) -> Option<u64> {
    let same =
        |part: &&super::reading::PartReadings| looks.current.part(looks.part).is_some_and(|now| now.continues(part));
    let previous = looks.previous?;
    previous.part(looks.part).filter(same)?;
    integer(previous, looks.part, metric)
}

/// A counter of the owner that counts what its parts count. It moves by what each part moved, so that a part that is
/// plugged in, taken out or begins anew neither adds what it counted before nor takes anything away.
fn sum_of_parts(looks: &Looks<'_>, sum: Metric, of: Metric) -> Told {
    let parts = parts_with(looks, of);
    if parts.is_empty() {
        return None;
    }
    let Some(before) = own_before(looks, sum) else {
        let all = parts.iter().filter_map(|part| integer(looks.current, part, of)).fold(0, u64::saturating_add);
        return Some(Ok(Number::Integer(all)));
    };
    let step = |part: &Part| match moved(looks.previous, looks.current, part, of) {
        Some((Number::Integer(amount), _)) => amount,
        _ => 0,
    };
    Some(Ok(Number::Integer(parts.iter().map(step).fold(before, u64::saturating_add))))
}

fn disk_iops(looks: &Looks<'_>) -> Told {
    let disks = parts_with(looks, Metric::VdiskIops);
    if !disks.is_empty() {
        let value =
            |part: &Part| looks.current.part(part)?.get(Metric::VdiskIops).map(|reading| reading.number().as_f64());
        return real(disks.iter().filter_map(value).sum());
    }
    let first = !parts_with(looks, Metric::VdiskReadOps).is_empty();
    first.then_some(Err(AbsentReason::NoInterval))
}
