//! A machine's figures by single calls, for drivers without bulk statistics (containers, Xen): the same record.
//!
//! What a driver lacks is absent. Runs on the poll lane only.

use crate::hypervisor::libvirt::ffi::domain;
use crate::hypervisor::libvirt::memory::{Known, fault};
use crate::hypervisor::libvirt::record::{Device, Record};
use crate::hypervisor::libvirt::stats::kibibytes;
use crate::hypervisor::measured::{Readings, count};
use crate::hypervisor::port::HypervisorError;
use crate::model::metric::Metric;
use virt::domain::Domain;
use virt_sys as sys;

/// Reads a machine.
pub fn read(handle: &Domain, known: &Known) -> Result<Record, HypervisorError> {
    let general = handle.info().map_err(fault)?;
    let mut record = Record::default();
    let vcpus = u64::from(general.nr_virt_cpu);
    record.whole =
        vec![count(Metric::VmCpuTime, general.cpu_time), count(Metric::VmMemoryMaximum, kibibytes(general.max_mem))];
    record.state = Some(domain::state(handle).map_err(fault)?);
    let state = record.state.and_then(|(state, _)| u64::try_from(state).ok());
    record.whole.extend(state.map(|state| count(Metric::VmState, state)));
    if vcpus > 0 {
        record.whole.push(count(Metric::VmVcpuCurrent, vcpus));
    }
    add_memory(&mut record, handle);
    if !record.whole.iter().any(|(metric, _)| *metric == Metric::VmMemoryCurrent) {
        record.whole.push(count(Metric::VmMemoryCurrent, kibibytes(general.memory)));
    }
    let definition = known.definition.as_deref();
    let disks = definition.into_iter().flat_map(|definition| &definition.disks);
    record.disks = disks.filter_map(|disk| device(&disk.target, disk_readings(handle, &disk.target)?)).collect();
    let nics = definition.into_iter().flat_map(|definition| &definition.nics);
    record.nics =
        nics.filter_map(|nic| device(&nic.host_interface, nic_readings(handle, &nic.host_interface)?)).collect();
    Ok(record)
}

/// Memory as the hypervisor tells it; the guest's own figures only with the time at which it told them, because a
/// container's figures of the same name mean something else.
fn add_memory(record: &mut Record, handle: &Domain) {
    let stats = handle.memory_stats(0).unwrap_or_default();
    record.guest_memory_time =
        stats.iter().find(|stat| stat.tag == sys::VIR_DOMAIN_MEMORY_STAT_LAST_UPDATE).map(|stat| stat.val);
    record.guest_memory_time = record.guest_memory_time.filter(|time| *time > 0);
    let told = record.guest_memory_time.is_some();
    for stat in stats {
        let (metric, guest) = match stat.tag {
            sys::VIR_DOMAIN_MEMORY_STAT_ACTUAL_BALLOON => (Metric::VmMemoryCurrent, false),
            sys::VIR_DOMAIN_MEMORY_STAT_RSS => (Metric::VmMemoryRss, false),
            sys::VIR_DOMAIN_MEMORY_STAT_AVAILABLE => (Metric::VmMemoryGuestAvailable, true),
            sys::VIR_DOMAIN_MEMORY_STAT_UNUSED => (Metric::VmMemoryGuestUnused, true),
            sys::VIR_DOMAIN_MEMORY_STAT_USABLE => (Metric::VmMemoryGuestUsable, true),
            sys::VIR_DOMAIN_MEMORY_STAT_DISK_CACHES => (Metric::VmMemoryGuestDiskCaches, true),
            sys::VIR_DOMAIN_MEMORY_STAT_SWAP_IN => (Metric::VmMemorySwapIn, true),
            sys::VIR_DOMAIN_MEMORY_STAT_SWAP_OUT => (Metric::VmMemorySwapOut, true),
            sys::VIR_DOMAIN_MEMORY_STAT_MAJOR_FAULT => (Metric::VmMemoryFaultMajor, true),
            sys::VIR_DOMAIN_MEMORY_STAT_MINOR_FAULT => (Metric::VmMemoryFaultMinor, true),
            _ => continue,
        };
        let is_faults = matches!(metric, Metric::VmMemoryFaultMajor | Metric::VmMemoryFaultMinor);
        if told || !guest {
            record.whole.push(count(metric, if is_faults { stat.val } else { kibibytes(stat.val) }));
        }
    }
}

fn device(name: &str, readings: Readings) -> Option<Device> {
    (!readings.is_empty()).then(|| Device { name: name.to_owned(), readings, ..Device::default() })
}

fn disk_readings(handle: &Domain, target: &str) -> Option<Readings> {
    let figures = handle.block_stats(target).ok()?;
    Some(told([
        (Metric::VdiskReadOps, figures.rd_req),
        (Metric::VdiskReadBytes, figures.rd_bytes),
        (Metric::VdiskWriteOps, figures.wr_req),
        (Metric::VdiskWriteBytes, figures.wr_bytes),
    ]))
}

fn nic_readings(handle: &Domain, interface: &str) -> Option<Readings> {
    if interface.is_empty() {
        return None;
    }
    let figures = handle.interface_stats(interface).ok()?;
    Some(told([
        (Metric::VnicRxBytes, figures.rx_bytes),
        (Metric::VnicTxBytes, figures.tx_bytes),
        (Metric::VnicRxPackets, figures.rx_packets),
        (Metric::VnicTxPackets, figures.tx_packets),
        (Metric::VnicRxErrors, figures.rx_errs),
        (Metric::VnicTxErrors, figures.tx_errs),
        (Metric::VnicRxDropped, figures.rx_drop),
        (Metric::VnicTxDropped, figures.tx_drop),
    ]))
}

/// libvirt says -1 for what it does not know.
fn told<const N: usize>(figures: [(Metric, i64); N]) -> Readings {
    figures.into_iter().filter_map(|(metric, value)| Some(count(metric, u64::try_from(value).ok()?))).collect()
}
