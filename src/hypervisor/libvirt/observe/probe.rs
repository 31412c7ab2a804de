//! What an endpoint can do, found out by trying cheap calls; never by its driver's name.

use crate::hypervisor::libvirt::ffi::{bulk, domain, node};
use crate::hypervisor::libvirt::memory::fault;
use crate::hypervisor::libvirt::stats::GROUPS;
use crate::hypervisor::port::HypervisorError;
use crate::model::capability::{Availability, Capabilities, Capability};
use virt::connect::Connect;
use virt::domain::Domain;
use virt_sys as sys;

/// A filter that no machine passes (a transient machine is never inactive), so that a probe costs nothing.
const NOBODY: u32 = sys::VIR_CONNECT_GET_ALL_DOMAINS_STATS_INACTIVE | sys::VIR_CONNECT_GET_ALL_DOMAINS_STATS_TRANSIENT;

/// Which bulk calls the driver has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Bulk {
    /// States of all machines in one call.
    pub states: bool,
    /// All figures of all machines in one call.
    pub figures: bool,
}

/// Tries the bulk calls.
pub fn bulk_calls(connect: &Connect) -> Result<Bulk, HypervisorError> {
    let works = |groups| {
        let flags = NOBODY | sys::VIR_CONNECT_GET_ALL_DOMAINS_STATS_ENFORCE_STATS;
        match bulk::all(connect, groups, flags, |_, _| {}).map_err(fault) {
            Ok(()) => Ok(true),
            Err(error) if error.is_link_loss() => Err(error),
            Err(_) => Ok(false),
        }
    };
    Ok(Bulk { states: works(sys::VIR_DOMAIN_STATS_STATE)?, figures: works(GROUPS)? })
}

/// Verdict on live migration; nothing is known without the host's capabilities document.
pub fn migration(migrates: Option<bool>, read_only: bool) -> Availability {
    match migrates {
        None => Availability::Unknown,
        Some(false) => Availability::Unsupported,
        Some(true) if read_only => Availability::NeedsManage,
        Some(true) => Availability::Available,
    }
}

/// Verdicts that need neither storage nor devices, nor anything that has a fresh daemon examine its
/// hypervisors first.
pub fn without_storage(connect: &Connect, bulk: Bulk, read_only: bool) -> Result<Capabilities, HypervisorError> {
    let mut verdicts = Capabilities::new();
    let yes_or_no = |works| if works { Availability::Available } else { Availability::Unsupported };
    verdicts.insert(Capability::BulkStatistics, yes_or_no(bulk.figures));
    verdicts.insert(Capability::HostCpuStatistics, verdict(node::cpu_statistics(connect, None).map_err(fault))?);
    verdicts.insert(Capability::HostMemoryStatistics, verdict(node::memory_statistics(connect).map_err(fault))?);
    verdicts.insert(Capability::HostHardware, verdict(connect.sys_info(0).map_err(fault))?);
    verdicts.insert(Capability::Networks, verdict(connect.list_all_networks(0).map_err(fault))?);
    verdicts.insert(Capability::Snapshots, snapshots(connect)?);
    verdicts.insert(Capability::ControlState, control(connect)?);
    let writes = if read_only { Availability::NeedsManage } else { Availability::Unknown };
    verdicts.insert(Capability::GuestAgent, writes);
    Ok(verdicts)
}

/// Verdicts on storage and devices; to be asked on the storage lane.
pub fn storage(connect: &Connect, read_only: bool) -> Result<Capabilities, HypervisorError> {
    let mut verdicts = Capabilities::new();
    let storage = verdict(connect.list_all_storage_pools(0).map_err(fault))?;
    let refresh = if storage == Availability::Available && read_only { Availability::NeedsManage } else { storage };
    verdicts.insert(Capability::Storage, storage);
    verdicts.insert(Capability::StorageRefresh, refresh);
    let devices = connect.list_all_node_devices(sys::VIR_CONNECT_LIST_NODE_DEVICES_CAP_NET).map_err(fault);
    verdicts.insert(Capability::HostDevices, verdict(devices)?);
    verdicts.insert(Capability::DiskErrors, disk_errors(connect)?);
    Ok(verdicts)
}

/// What the outcome of a trial call says.
pub fn verdict<T>(outcome: Result<T, HypervisorError>) -> Result<Availability, HypervisorError> {
    match outcome {
        Ok(_) => Ok(Availability::Available),
        Err(HypervisorError::Unsupported(_)) => Ok(Availability::Unsupported),
        Err(HypervisorError::NeedsManage(_)) => Ok(Availability::NeedsManage),
        Err(error) if error.is_link_loss() => Err(error),
        Err(_) => Ok(Availability::Unknown),
    }
}

/// Asked of any machine; without one there is no verdict.
fn snapshots(connect: &Connect) -> Result<Availability, HypervisorError> {
    ask_any(connect, 0, |any| any.num_snapshots(0).map(|_| ()).map_err(fault))
}

/// Asked of any running machine; without one there is no verdict.
fn control(connect: &Connect) -> Result<Availability, HypervisorError> {
    ask_any(connect, sys::VIR_CONNECT_LIST_DOMAINS_ACTIVE, |any| domain::control(any).map(|_| ()).map_err(fault))
}

/// Asked of any running machine that answers; without one there is no verdict.
fn disk_errors(connect: &Connect) -> Result<Availability, HypervisorError> {
    let running = match connect.list_all_domains(sys::VIR_CONNECT_LIST_DOMAINS_ACTIVE).map_err(fault) {
        Ok(running) => running,
        Err(error) => return verdict(Err::<(), _>(error)),
    };
    let answers = |each: &&Domain| domain::control(each).map_or(true, |reading| reading.state == 0);
    let any = running.iter().find(answers);
    any.map_or(Ok(Availability::Unknown), |any| verdict(domain::disk_errors(any).map_err(fault)))
}

fn ask_any(
    connect: &Connect,
    filter: u32,
    question: impl Fn(&Domain) -> Result<(), HypervisorError>,
) -> Result<Availability, HypervisorError> {
    match connect.list_all_domains(filter).map_err(fault) {
        Ok(machines) => machines.first().map_or(Ok(Availability::Unknown), |any| verdict(question(any))),
        // A host with more machines than libvirt lists is still a host.
        Err(error) => verdict(Err::<(), _>(error)),
    }
}
