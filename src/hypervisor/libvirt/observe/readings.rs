//! From one machine's record to its fact and its samples: one reading, told twice. Pure.

use crate::hypervisor::libvirt::memory::Known;
use crate::hypervisor::libvirt::record::{self, Device, Record, integer};
use crate::hypervisor::measured::{self, Readings, count, lack, sample};
use crate::model::measurement::{AbsentReason, Owner, Part, Sample};
use crate::model::metric::Metric;
use crate::model::observation::MachineStatistics;
use crate::model::virtual_machine::{DiskVolatile, NicVolatile, VirtualNic};
use std::time::Duration;
use uuid::Uuid;

/// Guest memory told longer ago than so many periods is stale.
const PERIODS: u32 = 3;

/// What is known about a record beside what it holds.
#[derive(Clone, Copy, Debug)]
pub struct Context {
    /// The run it belongs to.
    pub incarnation: u64,
    /// Seconds since 1970 at which it was read.
    pub now: u64,
    /// Period in which guests tell their memory, as far as known.
    pub period: Duration,
    /// Why there is no guest memory, if there is none.
    pub no_guest_memory: AbsentReason,
    /// Figures of virtual CPUs were asked for.
    pub asked_vcpus: bool,
    /// Virtual CPUs present and possible, as told before in this run.
    pub vcpus: Option<(u64, u64)>,
    /// The hypervisor process does not answer.
    pub silent: bool,
}

/// The fact and the samples of a machine.
pub fn tell(
    uuid: Uuid,
    mut record: Record,
    known: Option<&Known>,
    context: &Context,
) -> (MachineStatistics, Vec<Sample>) {
    record.nics.iter_mut().for_each(|nic| name_nic(nic, known));
    let figures = figures(uuid, &record, context.silent);
    (figures, samples(uuid, record, known, context))
}

/// Calls a NIC by its MAC address and turns its readings to the guest's side.
fn name_nic(device: &mut Device, known: Option<&Known>) {
    let nics = known.and_then(|known| known.definition.as_ref()).map(|definition| &definition.nics);
    let Some(nic) = nics.into_iter().flatten().find(|nic| nic.host_interface == device.name) else { return };
    if is_host_view(nic) {
        record::turned(&mut device.readings);
    }
    if !nic.mac.is_empty() {
        device.name.clone_from(&nic.mac);
    }
}

/// libvirt turns the counters of a tap to the guest's side by itself, except for type `ethernet`, which it takes for
/// a device that needs no turning (virDomainNetTypeSharesHostView); a macvtap's counters are the guest's own.
fn is_host_view(nic: &VirtualNic) -> bool {
    nic.connection_type == "ethernet" && !nic.host_interface.starts_with("macvtap")
}

fn figures(uuid: Uuid, record: &Record, partial: bool) -> MachineStatistics {
    let disk = |device: &Device| {
        let of = |metric| integer(&device.readings, metric);
        let figures = DiskVolatile {
            read_bytes: of(Metric::VdiskReadBytes),
            written_bytes: of(Metric::VdiskWriteBytes),
            allocation_bytes: of(Metric::VdiskAllocation),
            capacity_bytes: of(Metric::VdiskCapacity),
            physical_bytes: of(Metric::VdiskPhysical),
        };
        Some((device.key()?.to_owned(), figures))
    };
    let nic = |device: &Device| {
        let of = |metric| integer(&device.readings, metric);
        let figures =
            NicVolatile { received_bytes: of(Metric::VnicRxBytes), transmitted_bytes: of(Metric::VnicTxBytes) };
        Some((device.key()?.to_owned(), figures))
    };
    MachineStatistics {
        uuid,
        cpu_time_ns: integer(&record.whole, Metric::VmCpuTime),
        memory_actual_bytes: integer(&record.whole, Metric::VmMemoryCurrent),
        memory_rss_bytes: integer(&record.whole, Metric::VmMemoryRss),
        disks: record.disks.iter().filter_map(disk).collect(),
        nics: record.nics.iter().filter_map(nic).collect(),
        partial,
    }
}

fn samples(uuid: Uuid, record: Record, known: Option<&Known>, context: &Context) -> Vec<Sample> {
    let owner = Owner::Machine(uuid);
    let of = |part, readings| sample(&owner, part, context.incarnation, readings);
    let missing = if context.silent { AbsentReason::NotResponding } else { AbsentReason::Unsupported };
    let mut samples = Vec::with_capacity(1 + record.cpus.len() + record.disks.len() + record.nics.len());
    let mut whole = of(Part::Whole, record.whole);
    add_vcpus(&mut whole.readings, context.vcpus);
    if context.silent {
        lack(&mut whole, &measured::GUEST_MEMORY, missing);
    } else {
        judge_guest_memory(&mut whole, record.guest_memory_time, context);
    }
    lack(&mut whole, &measured::MACHINE, missing);
    samples.push(whole);
    let cpus = record.cpus.into_iter().map(|(number, readings)| (Part::Cpu(number), readings));
    let disks = devices(record.disks, Part::Disk);
    for (part, readings) in cpus.chain(disks) {
        samples.push(of(part, readings));
    }
    if context.silent {
        add_silent(&mut samples, &of, known, context);
    }
    samples.extend(devices(record.nics, Part::Nic).map(|(part, readings)| of(part, readings)));
    for sample in &mut samples {
        match sample.key.part {
            Part::Cpu(_) => lack(sample, &measured::VIRTUAL_CPU, missing),
            Part::Disk(_) => lack(sample, &measured::DISK, missing),
            // Interfaces are the host's: they are read whatever the process does.
            Part::Nic(_) => lack(sample, &measured::NIC, AbsentReason::Unsupported),
            _ => {}
        }
    }
    samples
}

fn devices(devices: Vec<Device>, part: fn(std::sync::Arc<str>) -> Part) -> impl Iterator<Item = (Part, Readings)> {
    devices.into_iter().filter_map(move |device| Some((part(device.key()?.into()), device.readings)))
}

/// The numbers of virtual CPUs, told in every sample though they are asked for now and then only.
fn add_vcpus(readings: &mut Readings, vcpus: Option<(u64, u64)>) {
    if let Some((current, maximum)) = vcpus.filter(|_| integer(readings, Metric::VmVcpuCurrent).is_none()) {
        readings.push(count(Metric::VmVcpuCurrent, current));
        readings.push(count(Metric::VmVcpuMaximum, maximum));
    }
}

/// Adds the age of guest memory figures, and takes away those that are too old or were never told.
fn judge_guest_memory(whole: &mut Sample, told: Option<u64>, context: &Context) {
    let Some(told) = told else {
        whole.readings.retain(|(metric, _)| !measured::GUEST_MEMORY.contains(metric));
        return lack(whole, &measured::GUEST_MEMORY, context.no_guest_memory);
    };
    let age = context.now.saturating_sub(told);
    if age > context.period.as_secs().saturating_mul(PERIODS.into()) {
        whole.readings.retain(|(metric, _)| !measured::GUEST_MEMORY.contains(metric));
        whole.readings.push(count(Metric::VmMemoryStatsAge, age));
        return lack(whole, &measured::GUEST_MEMORY, AbsentReason::Stale);
    }
    whole.readings.push(count(Metric::VmMemoryStatsAge, age));
    lack(whole, &measured::GUEST_MEMORY, AbsentReason::Unsupported);
}

/// Parts of a machine that does not answer, of which nothing was read: that they exist is known.
fn add_silent(
    samples: &mut Vec<Sample>,
    of: &dyn Fn(Part, Readings) -> Sample,
    known: Option<&Known>,
    context: &Context,
) {
    let disks = known.and_then(|known| known.definition.as_ref()).map(|definition| &definition.disks);
    let disks = disks.into_iter().flatten().map(|disk| Part::Disk(disk.target.as_str().into()));
    let vcpus = u32::try_from(context.vcpus.map_or(0, |(current, _)| current)).unwrap_or(0);
    let cpus = (0..vcpus).filter(|_| context.asked_vcpus).map(Part::Cpu);
    for part in disks.chain(cpus) {
        if !samples.iter().any(|sample| sample.key.part == part) {
            samples.push(of(part, Vec::new()));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::measurement::Number;
    use crate::model::virtual_machine::{VirtualDisk, VmDefinition};
    use std::sync::Arc;

    const CONTEXT: Context = Context {
        incarnation: 5,
        now: 1_000,
        period: Duration::from_secs(10),
        no_guest_memory: AbsentReason::ReadOnlyConnection,
        asked_vcpus: true,
        vcpus: Some((2, 4)),
        silent: false,
    };

    fn known(connection_type: &str, interface: &str) -> Known {
        let nic = VirtualNic {
            mac: "52:54:00:00:00:01".into(),
            connection_type: connection_type.into(),
            host_interface: interface.into(),
            ..VirtualNic::default()
        };
        let disk = VirtualDisk { target: "vda".into(), ..VirtualDisk::default() };
        let definition = VmDefinition { nics: vec![nic], disks: vec![disk], ..VmDefinition::default() };
        Known { definition: Some(Arc::new(definition)), ..Known::default() }
    }

    fn nic_record(interface: &str) -> Record {
        let readings = vec![(Metric::VnicRxBytes, Number::Integer(3)), (Metric::VnicTxBytes, Number::Integer(9))];
        let device = Device { name: interface.into(), readings, ..Device::default() };
        Record { nics: vec![device], ..Record::default() }
    }

    fn absent(samples: &[Sample], part: &Part, metric: Metric) -> Option<AbsentReason> {
        let sample = samples.iter().find(|sample| sample.key.part == *part)?;
        sample.absent.iter().find(|(absent, _)| *absent == metric).map(|(_, reason)| *reason)
    }

    #[test]
    fn nics_are_called_by_mac_and_seen_from_the_guest() {
        for (connection_type, interface, received) in
            [("bridge", "vnet0", 3), ("ethernet", "tap0", 9), ("ethernet", "macvtap0", 3), ("direct", "macvtap1", 3)]
        {
            let known = known(connection_type, interface);
            let (figures, samples) = tell(Uuid::nil(), nic_record(interface), Some(&known), &CONTEXT);
            assert_eq!(figures.nics["52:54:00:00:00:01"].received_bytes, Some(received), "{connection_type}");
            let nic = samples.iter().find(|sample| sample.key.part == Part::Nic("52:54:00:00:00:01".into()));
            assert_eq!(integer(&nic.expect("told").readings, Metric::VnicRxBytes), Some(received));
        }
        let (figures, _) = tell(Uuid::nil(), nic_record("vnet9"), None, &CONTEXT);
        assert_eq!(figures.nics["vnet9"].received_bytes, Some(3), "not read yet: by its interface");
    }

    #[test]
    fn guest_memory_is_fresh_stale_or_forbidden_but_never_zero() {
        let record = |time| Record {
            whole: vec![(Metric::VmMemoryGuestUnused, Number::Integer(77))],
            guest_memory_time: time,
            ..Record::default()
        };
        let whole = |time| tell(Uuid::nil(), record(time), None, &CONTEXT).1.remove(0);
        let fresh = whole(Some(980));
        assert_eq!(integer(&fresh.readings, Metric::VmMemoryGuestUnused), Some(77));
        assert_eq!(integer(&fresh.readings, Metric::VmMemoryStatsAge), Some(20));
        let stale = whole(Some(960));
        assert_eq!(integer(&stale.readings, Metric::VmMemoryGuestUnused), None);
        assert_eq!(integer(&stale.readings, Metric::VmMemoryStatsAge), Some(40));
        assert_eq!(absent(&[stale], &Part::Whole, Metric::VmMemoryGuestUnused), Some(AbsentReason::Stale));
        let never = [whole(None)];
        let reason = absent(&never, &Part::Whole, Metric::VmMemoryGuestUnused);
        assert_eq!(reason, Some(AbsentReason::ReadOnlyConnection));
    }

    #[test]
    fn of_a_silent_machine_everything_is_named_and_absent() {
        let context = Context { silent: true, ..CONTEXT };
        let (figures, samples) = tell(Uuid::nil(), nic_record("vnet0"), Some(&known("bridge", "vnet0")), &context);
        assert!(figures.partial);
        for (part, metric) in [
            (Part::Whole, Metric::VmCpuTime),
            (Part::Disk("vda".into()), Metric::VdiskReadOps),
            (Part::Cpu(1), Metric::VcpuTime),
        ] {
            assert_eq!(absent(&samples, &part, metric), Some(AbsentReason::NotResponding), "{part:?}");
        }
        let nic = Part::Nic("52:54:00:00:00:01".into());
        assert_eq!(absent(&samples, &nic, Metric::VnicRxBytes), None, "interfaces are the host's");
    }
}
