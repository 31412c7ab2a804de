//! From one record of bulk statistics to readings. Pure; nothing is copied but names of devices.
//!
//! Keys are matched as they lie in libvirt's array; keys and types this version does not know are passed over.

use super::ffi::typed::Value;
use super::stats::kibibytes;
use crate::hypervisor::measured::Readings;
use crate::model::measurement::Number;
use crate::model::metric::Metric;

/// What one record holds.
#[derive(Debug, Default, PartialEq)]
pub struct Record {
    /// libvirt's numbers for state and reason.
    pub state: Option<(i32, i32)>,
    /// Readings of the machine as a whole.
    pub whole: Readings,
    /// Readings of virtual CPUs by number.
    pub cpus: Vec<(u32, Readings)>,
    /// Disks in the order of the record.
    pub disks: Vec<Device>,
    /// NICs in the order of the record, called by their interface on the host.
    pub nics: Vec<Device>,
    /// When the guest's balloon driver last told its memory, in seconds since 1970.
    pub guest_memory_time: Option<u64>,
    /// Parameters the record had.
    pub parameters: usize,
    /// It holds figures that only the hypervisor process can give.
    pub has_monitor_figures: bool,
}

/// A device in a record: numbered by libvirt, its name one field among others.
#[derive(Debug, Default, PartialEq)]
pub struct Device {
    /// libvirt's number.
    pub index: u32,
    /// Target of a disk, interface of a NIC; empty until it is told.
    pub name: String,
    /// Path of a disk's image, if told.
    pub path: String,
    /// Readings.
    pub readings: Readings,
}

impl Device {
    /// What it is called: its name, else its path; nothing if it has neither.
    pub fn key(&self) -> Option<&str> {
        [self.name.as_str(), self.path.as_str()].into_iter().find(|key| !key.is_empty())
    }
}

/// A whole number among readings.
pub fn integer(readings: &Readings, metric: Metric) -> Option<u64> {
    readings.iter().find_map(|(read, number)| match number {
        Number::Integer(value) if *read == metric => Some(*value),
        _ => None,
    })
}

impl Record {
    /// Reads a record.
    pub fn read<'a, N: AsRef<str>>(parameters: impl Iterator<Item = (N, Value<'a>)>) -> Self {
        let mut record = Self::default();
        let (mut state, mut reason) = (None, None);
        for (key, value) in parameters {
            record.parameters += 1;
            let key = key.as_ref();
            let Some((group, rest)) = key.split_once('.') else { continue };
            match (group, rest) {
                ("block", rest) => {
                    record.has_monitor_figures |=
                        device(&mut record.disks, rest, &value, disk_metric) == Some("rd.reqs");
                }
                ("net", rest) => drop(device(&mut record.nics, rest, &value, nic_metric)),
                ("state", "state") => state = small(&value),
                ("state", "reason") => reason = small(&value),
                ("balloon", "last-update") => record.guest_memory_time = number(&value).filter(|time| *time > 0),
                ("balloon", rest) => {
                    record.has_monitor_figures |= rest == "rss";
                    record.whole.extend(number(&value).and_then(|value| balloon(rest, value)));
                }
                ("vcpu", rest) => record.vcpu(rest, &value),
                _ => {
                    let reading = cpu_metric(key).zip(number(&value));
                    record.whole.extend(reading.map(|(metric, value)| (metric, Number::Integer(value))));
                }
            }
        }
        record.state = state.zip(reason.or(Some(0)));
        if let Some(number) = record.state.and_then(|(state, _)| u64::try_from(state).ok()) {
            record.whole.push((Metric::VmState, Number::Integer(number)));
        }
        record
    }

    fn vcpu(&mut self, key: &str, value: &Value<'_>) {
        let Some(value) = number(value).map(Number::Integer) else { return };
        match key {
            "current" => return self.whole.push((Metric::VmVcpuCurrent, value)),
            "maximum" => return self.whole.push((Metric::VmVcpuMaximum, value)),
            _ => {}
        }
        let Some((index, field)) = key.split_once('.') else { return };
        let (Ok(index), Some(metric)) = (index.parse(), vcpu_metric(field)) else { return };
        if self.cpus.last().is_none_or(|(last, _)| *last != index) {
            self.cpus.push((index, Vec::with_capacity(8)));
        }
        if let Some((_, readings)) = self.cpus.last_mut() {
            readings.push((metric, value));
        }
    }
}

/// Takes `N.field` of a device; says which field it was if its value was taken.
fn device<'k>(
    devices: &mut Vec<Device>,
    key: &'k str,
    value: &Value<'_>,
    metric: fn(&str) -> Option<Metric>,
) -> Option<&'k str> {
    let (index, field) = key.split_once('.')?;
    let index = index.parse().ok()?;
    // The fields of one device come together.
    if devices.last().is_none_or(|last| last.index != index) {
        devices.push(Device { index, readings: Vec::with_capacity(11), ..Device::default() });
    }
    let device = devices.last_mut()?;
    match (field, value) {
        ("name", Value::Text(name)) => device.name = name.to_string(),
        ("path", Value::Text(path)) => device.path = path.to_string(),
        _ => {
            device.readings.push((metric(field)?, Number::Integer(number(value)?)));
            return Some(field);
        }
    }
    None
}

fn cpu_metric(key: &str) -> Option<Metric> {
    Some(match key {
        "cpu.time" => Metric::VmCpuTime,
        "cpu.user" => Metric::VmCpuTimeUser,
        "cpu.system" => Metric::VmCpuTimeSystem,
        "cpu.haltpoll.success.time" => Metric::VmCpuHaltpollSuccess,
        "cpu.haltpoll.fail.time" => Metric::VmCpuHaltpollFail,
        _ => return None,
    })
}

/// libvirt counts memory in KiB, faults and pages one by one.
fn balloon(field: &str, value: u64) -> Option<(Metric, Number)> {
    let (metric, value) = match field {
        "current" => (Metric::VmMemoryCurrent, kibibytes(value)),
        "maximum" => (Metric::VmMemoryMaximum, kibibytes(value)),
        "rss" => (Metric::VmMemoryRss, kibibytes(value)),
        "available" => (Metric::VmMemoryGuestAvailable, kibibytes(value)),
        "unused" => (Metric::VmMemoryGuestUnused, kibibytes(value)),
        "usable" => (Metric::VmMemoryGuestUsable, kibibytes(value)),
        "disk_caches" => (Metric::VmMemoryGuestDiskCaches, kibibytes(value)),
        "swap_in" => (Metric::VmMemorySwapIn, kibibytes(value)),
        "swap_out" => (Metric::VmMemorySwapOut, kibibytes(value)),
        "major_fault" => (Metric::VmMemoryFaultMajor, value),
        "minor_fault" => (Metric::VmMemoryFaultMinor, value),
        "hugetlb_pgalloc" => (Metric::VmMemoryHugetlbAlloc, value),
        "hugetlb_pgfail" => (Metric::VmMemoryHugetlbFail, value),
        _ => return None,
    };
    Some((metric, Number::Integer(value)))
}

fn vcpu_metric(field: &str) -> Option<Metric> {
    Some(match field {
        "time" => Metric::VcpuTime,
        "wait" => Metric::VcpuWait,
        "delay" => Metric::VcpuDelay,
        "state" => Metric::VcpuState,
        "halted" => Metric::VcpuHalted,
        "exits.sum" => Metric::VcpuExits,
        "halt_exits.sum" => Metric::VcpuHaltExits,
        "irq_exits.sum" => Metric::VcpuIrqExits,
        _ => return None,
    })
}

fn disk_metric(field: &str) -> Option<Metric> {
    Some(match field {
        "rd.reqs" => Metric::VdiskReadOps,
        "wr.reqs" => Metric::VdiskWriteOps,
        "rd.bytes" => Metric::VdiskReadBytes,
        "wr.bytes" => Metric::VdiskWriteBytes,
        "rd.times" => Metric::VdiskReadTime,
        "wr.times" => Metric::VdiskWriteTime,
        "fl.reqs" => Metric::VdiskFlushOps,
        "fl.times" => Metric::VdiskFlushTime,
        "allocation" => Metric::VdiskAllocation,
        "capacity" => Metric::VdiskCapacity,
        "physical" => Metric::VdiskPhysical,
        _ => return None,
    })
}

fn nic_metric(field: &str) -> Option<Metric> {
    Some(match field {
        "rx.bytes" => Metric::VnicRxBytes,
        "tx.bytes" => Metric::VnicTxBytes,
        "rx.pkts" => Metric::VnicRxPackets,
        "tx.pkts" => Metric::VnicTxPackets,
        "rx.errs" => Metric::VnicRxErrors,
        "tx.errs" => Metric::VnicTxErrors,
        "rx.drop" => Metric::VnicRxDropped,
        "tx.drop" => Metric::VnicTxDropped,
        _ => return None,
    })
}

/// Readings of a NIC seen from the other end of its cable.
pub fn turned(readings: &mut Readings) {
    for (metric, _) in readings {
        *metric = match *metric {
            Metric::VnicRxBytes => Metric::VnicTxBytes,
            Metric::VnicTxBytes => Metric::VnicRxBytes,
            Metric::VnicRxPackets => Metric::VnicTxPackets,
            Metric::VnicTxPackets => Metric::VnicRxPackets,
            Metric::VnicRxErrors => Metric::VnicTxErrors,
            Metric::VnicTxErrors => Metric::VnicRxErrors,
            Metric::VnicRxDropped => Metric::VnicTxDropped,
            Metric::VnicTxDropped => Metric::VnicRxDropped,
            other => other,
        };
    }
}

fn number(value: &Value<'_>) -> Option<u64> {
    match value {
        Value::Boolean(flag) => Some(u64::from(*flag)),
        value => value.as_u64(),
    }
}

fn small(value: &Value<'_>) -> Option<i32> {
    value.as_u64().and_then(|number| i32::try_from(number).ok())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::borrow::Cow;

    #[test]
    fn a_record_of_qemu() {
        let text = |text: &'static str| Value::Text(Cow::Borrowed(text));
        let record = Record::read(
            [
                ("state.state", Value::Signed(1)),
                ("state.reason", Value::Signed(5)),
                ("cpu.time", Value::Unsigned(7)),
                ("balloon.current", Value::Unsigned(2)),
                ("balloon.rss", Value::Unsigned(3)),
                ("balloon.last-update", Value::Unsigned(1_700_000_000)),
                ("balloon.major_fault", Value::Unsigned(5)),
                ("vcpu.current", Value::Unsigned(2)),
                ("vcpu.0.state", Value::Signed(1)),
                ("vcpu.0.halted", Value::Boolean(true)),
                ("vcpu.1.time", Value::Unsigned(23)),
                ("vcpu.1.something.new", Value::Boolean(true)),
                ("block.count", Value::Unsigned(2)),
                ("block.0.name", text("vda")),
                ("block.0.rd.reqs", Value::Unsigned(9)),
                ("block.0.rd.bytes", Value::Unsigned(11)),
                ("block.7.path", text("/dev/x")),
                ("block.7.capacity", Value::Unsigned(13)),
                ("net.count", Value::Unsigned(1)),
                ("net.0.name", text("vnet3")),
                ("net.0.rx.bytes", Value::Unsigned(17)),
                ("net.0.tx.bytes", Value::Signed(19)),
                ("block.x.name", text("no index")),
            ]
            .into_iter(),
        );
        assert_eq!(record.state, Some((1, 5)));
        let whole = |metric| integer(&record.whole, metric);
        assert_eq!(whole(Metric::VmCpuTime), Some(7));
        assert_eq!(whole(Metric::VmMemoryCurrent), Some(2_048));
        assert_eq!(whole(Metric::VmMemoryFaultMajor), Some(5));
        assert_eq!(whole(Metric::VmState), Some(1));
        assert_eq!(whole(Metric::VmCpuTimeUser), None, "absent is absent, never 0");
        assert_eq!(record.guest_memory_time, Some(1_700_000_000));
        let keys: Vec<_> = record.disks.iter().map(Device::key).collect();
        assert_eq!(keys, [Some("vda"), Some("/dev/x")]);
        assert_eq!(integer(&record.disks[0].readings, Metric::VdiskReadBytes), Some(11));
        assert_eq!(integer(&record.disks[0].readings, Metric::VdiskWriteBytes), None);
        assert_eq!(
            record.cpus[0],
            (0, vec![(Metric::VcpuState, Number::Integer(1)), (Metric::VcpuHalted, Number::Integer(1))])
        );
        assert_eq!(record.cpus[1], (1, vec![(Metric::VcpuTime, Number::Integer(23))]));
        assert_eq!(record.nics[0].key(), Some("vnet3"));
        let mut nic = record.nics[0].readings.clone();
        turned(&mut nic);
        assert_eq!(integer(&nic, Metric::VnicTxBytes), Some(17));
        assert!(record.has_monitor_figures);
        assert_eq!(record.parameters, 23);
    }

    #[test]
    fn without_the_monitor_nothing_is_zero() {
        let record = Record::read([("state.state", Value::Signed(1)), ("cpu.time", Value::Unsigned(5))].into_iter());
        assert!(!record.has_monitor_figures);
        assert_eq!((integer(&record.whole, Metric::VmMemoryRss), record.disks.len()), (None, 0));
    }
}
