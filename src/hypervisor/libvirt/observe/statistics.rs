//! Moving figures of all running machines and of the host. Runs on the poll lane only.

use super::{disk_errors, host};
use crate::hypervisor::libvirt::ffi::typed::Parameters;
use crate::hypervisor::libvirt::ffi::{bulk, bulk::Subject, domain};
use crate::hypervisor::libvirt::memory::{Known, Memory, fault, now};
use crate::hypervisor::libvirt::stats::{self, Figures, GROUPS, GROUPS_WITHOUT_MONITOR, NOWAIT};
use crate::hypervisor::port::HypervisorError;
use crate::model::observation::{CollectError, Fact, MachineStatistics, Observation};
use crate::model::virtual_machine::{ControlState, DiskVolatile, NicVolatile};
use std::collections::HashMap;
use std::time::Instant;
use uuid::Uuid;
use virt::connect::Connect;
use virt::domain::Domain;
use virt_sys as sys;

/// `virDomainMemoryStatTags`: the balloon's size.
const MEMORY_ACTUAL: u32 = sys::VIR_DOMAIN_MEMORY_STAT_ACTUAL_BALLOON;
/// `virDomainMemoryStatTags`: resident memory of the hypervisor process.
const MEMORY_RSS: u32 = sys::VIR_DOMAIN_MEMORY_STAT_RSS;

/// Figures of all running machines and of the host.
pub fn all(connect: &Connect, memory: &Memory, bulk: bool) -> Result<Observation, HypervisorError> {
    let running = connect.list_all_domains(sys::VIR_CONNECT_LIST_DOMAINS_ACTIVE).map_err(fault)?;
    let running = running.into_iter().map(|each| (domain::subject(&each), each)).collect();
    let mut poll = Poll { memory, running, facts: Vec::new(), errors: Vec::new() };
    poll.ask_doubted()?;
    if bulk {
        poll.in_bulk()?;
    } else {
        poll.one_by_one()?;
    }
    poll.ask_disks()?;
    poll.facts.push(Fact::HostStatistics(Box::new(host::statistics(connect, memory))));
    Ok(Observation { time: now(), facts: poll.facts, errors: poll.errors, samples: None })
}

struct Poll<'a> {
    memory: &'a Memory,
    running: Vec<(Subject, Domain)>,
    facts: Vec<Fact>,
    errors: Vec<CollectError>,
}

impl Poll<'_> {
    /// Asks control information of machines in doubt before any call that could hang on them.
    fn ask_doubted(&mut self) -> Result<(), HypervisorError> {
        let running: Vec<_> = self.running.iter().map(|(subject, _)| (subject.uuid, subject.id)).collect();
        let ask = self.memory.quarantine().before_poll(&running, Instant::now());
        self.ask_control(&ask)
    }

    /// Asks the disks of machines in doubt, and those of the others in turn.
    fn ask_disks(&mut self) -> Result<(), HypervisorError> {
        let running: Vec<Uuid> = self.running.iter().map(|(subject, _)| subject.uuid).collect();
        let ask = self.memory.disk_doubts().before_poll(&running, Instant::now());
        let handles: HashMap<Uuid, &Domain> = self.running.iter().map(|(subject, each)| (subject.uuid, each)).collect();
        for uuid in ask {
            let Some(handle) = handles.get(&uuid) else { continue };
            self.facts.extend(disk_errors::of_one(handle, self.memory, uuid)?);
        }
        Ok(())
    }

    fn ask_control(&mut self, machines: &[Uuid]) -> Result<(), HypervisorError> {
        let handles: HashMap<Uuid, &Domain> = self.running.iter().map(|(subject, each)| (subject.uuid, each)).collect();
        for uuid in machines {
            let Some(handle) = handles.get(uuid) else { continue };
            let control = match domain::control(handle).map_err(fault) {
                Ok(reading) => self.memory.quarantine().judge(*uuid, reading, Instant::now()),
                Err(error) if error.is_link_loss() => return Err(error),
                // Stopped meanwhile, or a driver without it: nothing is known.
                Err(HypervisorError::Unsupported(_)) => return Ok(()),
                Err(_) => ControlState::Unknown,
            };
            self.facts.push(Fact::MachineControl { uuid: *uuid, control });
        }
        Ok(())
    }

    fn in_bulk(&mut self) -> Result<(), HypervisorError> {
        let (held, healthy): (Vec<_>, Vec<_>) = {
            let quarantine = self.memory.quarantine();
            self.running.iter().partition(|(subject, _)| quarantine.holds(subject.uuid))
        };
        let handles =
            |machines: &[&(Subject, Domain)]| -> Vec<Domain> { machines.iter().map(|each| each.1.clone()).collect() };
        let (held, healthy_handles) = (handles(&held), handles(&healthy));
        let parameters: Vec<_> = {
            let machines = self.memory.machines();
            healthy.iter().map(|(subject, _)| machines.get(&subject.uuid).and_then(|known| known.parameters)).collect()
        };
        let (mut suspects, mut facts) = (Vec::new(), Vec::new());
        for chunk in stats::chunks(&parameters) {
            bulk::some(&healthy_handles[chunk], GROUPS, NOWAIT, |subject, parameters| {
                let (fact, partial) = self.record(&subject, parameters);
                suspects.extend(partial.then_some(subject.uuid));
                facts.push(fact);
            })
            .map_err(fault)?;
        }
        bulk::some(&held, GROUPS_WITHOUT_MONITOR, NOWAIT, |subject, parameters| {
            let figures = Figures::read(parameters);
            facts.push(self.fact(subject.uuid, figures, true));
        })
        .map_err(fault)?;
        self.facts.append(&mut facts);
        self.ask_control(&suspects)
    }

    fn record(&self, subject: &Subject, parameters: Parameters<'_>) -> (Fact, bool) {
        let figures = Figures::read(parameters);
        let partial = self.memory.quarantine().note_record(subject.uuid, figures.has_monitor_figures);
        if let Some(known) = self.memory.machines().get_mut(&subject.uuid).filter(|_| !partial) {
            known.parameters = Some(figures.parameters);
        }
        (self.fact(subject.uuid, figures, partial), partial)
    }

    fn fact(&self, uuid: Uuid, figures: Figures, partial: bool) -> Fact {
        let machines = self.memory.machines();
        let known = machines.get(&uuid);
        let key = |interface: String| match known.and_then(|known| known.mac(&interface)) {
            Some(mac) => mac.to_owned(),
            None => interface,
        };
        let nics = figures.nics.into_iter().map(|(interface, figures)| (key(interface), figures)).collect();
        Fact::MachineStatistics(Box::new(MachineStatistics {
            uuid,
            cpu_time_ns: figures.cpu_time_ns,
            memory_actual_bytes: figures.memory_actual_bytes,
            memory_rss_bytes: figures.memory_rss_bytes,
            disks: figures.disks,
            nics,
            partial,
        }))
    }

    /// For drivers without bulk statistics (containers, Xen).
    fn one_by_one(&mut self) -> Result<(), HypervisorError> {
        for (subject, handle) in &self.running {
            if self.memory.quarantine().holds(subject.uuid) {
                continue;
            }
            let known = self.memory.machines().get(&subject.uuid).cloned().unwrap_or_default();
            match single(handle, subject.uuid, &known) {
                Ok(figures) => self.facts.push(Fact::MachineStatistics(Box::new(figures))),
                Err(HypervisorError::NotFound(_) | HypervisorError::WrongState(_)) => {}
                Err(error) if error.is_link_loss() => return Err(error),
                Err(error) => {
                    let what = format!("statistics of {}", subject.uuid);
                    self.errors.push(CollectError { what, reason: error.to_string() });
                }
            }
        }
        Ok(())
    }
}

/// Figures of one machine by single calls; what a driver lacks is absent.
fn single(handle: &Domain, uuid: Uuid, known: &Known) -> Result<MachineStatistics, HypervisorError> {
    let general = handle.info().map_err(fault)?;
    let memory = handle.memory_stats(0).unwrap_or_default();
    let memory_of = |tag| memory.iter().find(|stat| stat.tag == tag).map(|stat| stats::kibibytes(stat.val));
    let definition = known.definition.as_deref();
    let disks = definition.into_iter().flat_map(|definition| &definition.disks);
    let disks = disks.filter_map(|disk| Some((disk.target.clone(), disk_figures(handle, &disk.target)?))).collect();
    let nics = definition.into_iter().flat_map(|definition| &definition.nics);
    let nics = nics.filter_map(|nic| Some((nic.mac.clone(), nic_figures(handle, &nic.host_interface)?))).collect();
    Ok(MachineStatistics {
        uuid,
        cpu_time_ns: Some(general.cpu_time),
        memory_actual_bytes: memory_of(MEMORY_ACTUAL).or(Some(stats::kibibytes(general.memory))),
        memory_rss_bytes: memory_of(MEMORY_RSS),
        disks,
        nics,
        partial: false,
    })
}

fn disk_figures(handle: &Domain, target: &str) -> Option<DiskVolatile> {
    let figures = handle.block_stats(target).ok()?;
    // libvirt says -1 for what it does not know.
    let (read_bytes, written_bytes) = (u64::try_from(figures.rd_bytes).ok(), u64::try_from(figures.wr_bytes).ok());
    Some(DiskVolatile { read_bytes, written_bytes, ..DiskVolatile::default() })
}

fn nic_figures(handle: &Domain, interface: &str) -> Option<NicVolatile> {
    if interface.is_empty() {
        return None;
    }
    let figures = handle.interface_stats(interface).ok()?;
    let (received_bytes, transmitted_bytes) =
        (u64::try_from(figures.rx_bytes).ok(), u64::try_from(figures.tx_bytes).ok());
    Some(NicVolatile { received_bytes, transmitted_bytes })
}
