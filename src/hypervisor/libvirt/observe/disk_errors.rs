//! Errors of machines' disks, as incidents. Runs on the poll lane only: it waits for the job lock.

use crate::hypervisor::libvirt::ffi::domain;
use crate::hypervisor::libvirt::ffi::failure::Failure;
use crate::hypervisor::libvirt::incidents;
use crate::hypervisor::libvirt::memory::{Memory, fault, now};
use crate::hypervisor::libvirt::states::run_state;
use crate::hypervisor::libvirt::words;
use crate::hypervisor::port::HypervisorError;
use crate::model::incident::IncidentKind;
use crate::model::observation::Fact;
use crate::model::virtual_machine::RunState;
use std::time::Instant;
use uuid::Uuid;
use virt::connect::Connect;
use virt::domain::Domain;

/// `virDomainControlState`: something else holds the machine's monitor.
const OCCUPIED: u32 = virt_sys::VIR_DOMAIN_CONTROL_OCCUPIED;

/// Errors of the disks of these machines; those that stopped or do not answer are left out.
pub fn of(connect: &Connect, memory: &Memory, machines: &[Uuid]) -> Result<Vec<Fact>, HypervisorError> {
    let mut facts = Vec::new();
    for uuid in machines {
        let domain = match connect.lookup_domain_by_uuid(*uuid).map_err(fault) {
            Ok(domain) => domain,
            Err(error) if error.is_link_loss() => return Err(error),
            Err(_) => continue,
        };
        facts.extend(of_one(&domain, memory, *uuid)?);
    }
    Ok(facts)
}

/// The same for one machine.
pub fn of_one(domain: &Domain, memory: &Memory, uuid: Uuid) -> Result<Option<Fact>, HypervisorError> {
    // One that is hung would hold us for half a minute.
    if memory.quarantine().doubts(uuid) || domain::control(domain).is_ok_and(|reading| reading.state >= OCCUPIED) {
        return Ok(None);
    }
    let errors = match errors_now(domain).map_err(fault) {
        Ok(errors) => errors,
        Err(error) if error.is_link_loss() => return Err(error),
        Err(HypervisorError::Unsupported(_)) => {
            memory.disk_doubts().note(uuid, false, Instant::now());
            return Ok(None);
        }
        // Stopped meanwhile, or busy.
        Err(_) => return Ok(None),
    };
    memory.disk_doubts().note(uuid, !errors.is_empty(), Instant::now());
    let errors = errors.into_iter().map(|(target, error)| (target, words::disk_error(error).into_owned()));
    let mut incident = incidents::of_machine(uuid, IncidentKind::DiskErrors(errors.collect()));
    incident.time = now();
    Ok(Some(Fact::Incident(incident)))
}

/// A running machine has none. QEMU remembers an error beyond the `cont` that ends it, until its device is
/// reset (10.0.2 with `-blockdev`), and an error that does not stop the machine is told by events alone.
fn errors_now(domain: &Domain) -> Result<Vec<(String, i32)>, Failure> {
    let (state, _) = domain::state(domain)?;
    if run_state(state, 0).0 == RunState::Running { Ok(Vec::new()) } else { domain::disk_errors(domain) }
}
