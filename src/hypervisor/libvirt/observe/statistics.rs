//! Moving figures of all running machines and of the host, and the samples that are the same readings. Runs on the
//! poll lane only.

use super::readings::{self, Context};
use super::{disk_errors, host_readings, single};
use crate::hypervisor::libvirt::ffi::typed::Parameters;
use crate::hypervisor::libvirt::ffi::{bulk, bulk::Subject, domain};
use crate::hypervisor::libvirt::memory::{Memory, fault, now};
use crate::hypervisor::libvirt::record::{Record, integer};
use crate::hypervisor::libvirt::stats::{self, GROUPS, GROUPS_SLOW, GROUPS_WITHOUT_MONITOR, NOWAIT, Polling};
use crate::hypervisor::port::{HypervisorError, monotonic};
use crate::model::host::EndpointKey;
use crate::model::measurement::{AbsentReason, Sample, SampleBatch};
use crate::model::metric::Metric;
use crate::model::observation::{CollectError, Fact, Observation};
use crate::model::time::Timestamp;
use crate::model::virtual_machine::ControlState;
use std::collections::HashMap;
use std::time::{Duration, Instant};
use uuid::Uuid;
use virt::connect::Connect;
use virt::domain::Domain;
use virt_sys as sys;

/// Guests whose period is not known to us tell their memory this often at least.
const USUAL_PERIOD: Duration = Duration::from_secs(10);

/// How to poll.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Which endpoint it is.
    pub key: EndpointKey,
    /// The driver has bulk statistics.
    pub bulk: bool,
    /// The connection is read-only.
    pub read_only: bool,
    /// What the administrator set.
    pub polling: Polling,
}

/// Figures and samples of all running machines and of the host.
pub fn all(connect: &Connect, memory: &Memory, plan: &Plan) -> Result<Observation, HypervisorError> {
    let (time, begin) = (now(), Instant::now());
    let monotonic = monotonic();
    let slow = memory.next_poll().is_multiple_of(plan.polling.vcpu_every.max(1));
    let running = connect.list_all_domains(sys::VIR_CONNECT_LIST_DOMAINS_ACTIVE).map_err(fault)?;
    let running = running.into_iter().map(|each| (domain::subject(&each), each)).collect();
    let mut poll =
        Poll { memory, plan, slow, time, running, facts: Vec::new(), errors: Vec::new(), samples: Vec::new() };
    poll.ask_doubted()?;
    if plan.bulk {
        poll.in_bulk()?;
    } else {
        poll.one_by_one()?;
    }
    let (figures, own) = host_readings::read(connect, memory, &plan.key.host, slow, time);
    poll.samples.extend(own);
    let spent = begin.elapsed();
    poll.ask_disks()?;
    poll.facts.push(Fact::HostStatistics(Box::new(figures)));
    let batch = SampleBatch { time, monotonic: monotonic + spent / 2, spent, samples: poll.samples };
    Ok(Observation { time, facts: poll.facts, errors: poll.errors, samples: Some(Box::new(batch)) })
}

struct Poll<'a> {
    memory: &'a Memory,
    plan: &'a Plan,
    /// It is the turn of the groups of now and then.
    slow: bool,
    time: Timestamp,
    running: Vec<(Subject, Domain)>,
    facts: Vec<Fact>,
    errors: Vec<CollectError>,
    samples: Vec<Sample>,
}

impl Poll<'_> {
    /// Asks control information of machines in doubt before any call that could hang on them.
    fn ask_doubted(&mut self) -> Result<(), HypervisorError> {
        let running: Vec<_> = self.running.iter().map(|(subject, _)| (subject.uuid, subject.id)).collect();
        let present: std::collections::HashSet<Uuid> = running.iter().map(|(uuid, _)| *uuid).collect();
        self.memory.runs().keep_only(|uuid| present.contains(&uuid));
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
        let groups = if self.slow { GROUPS | GROUPS_SLOW } else { GROUPS };
        let (mut suspects, mut records) = (Vec::new(), Vec::new());
        for chunk in stats::chunks(&parameters) {
            bulk::some(&healthy_handles[chunk], groups, NOWAIT, |subject, parameters| {
                let (record, partial) = self.record(&subject, parameters);
                suspects.extend(partial.then_some(subject.uuid));
                records.push((subject, record, partial));
            })
            .map_err(fault)?;
        }
        bulk::some(&held, GROUPS_WITHOUT_MONITOR, NOWAIT, |subject, parameters| {
            records.push((subject, Record::read(parameters), true));
        })
        .map_err(fault)?;
        for (subject, record, silent) in records {
            self.tell(&subject, record, silent);
        }
        self.ask_control(&suspects)
    }

    fn record(&self, subject: &Subject, parameters: Parameters<'_>) -> (Record, bool) {
        let record = Record::read(parameters);
        let partial = self.memory.quarantine().note_record(subject.uuid, record.has_monitor_figures);
        // Without the groups of now and then a record is small: the larger one is what the chunks must hold.
        if let Some(known) = self.memory.machines().get_mut(&subject.uuid).filter(|_| !partial) {
            known.parameters = Some(known.parameters.unwrap_or(0).max(record.parameters));
        }
        (record, partial)
    }

    /// Tells a record as a fact and as samples.
    fn tell(&mut self, subject: &Subject, record: Record, silent: bool) {
        let uuid = subject.uuid;
        let wall_ms = u64::try_from(self.time.0 / 1_000).unwrap_or_default();
        let whole = |metric| integer(&record.whole, metric);
        let (incarnation, vcpus) = {
            let mut runs = self.memory.runs();
            let incarnation = runs.incarnation(uuid, subject.id, whole(Metric::VmCpuTime), wall_ms);
            if let Some((current, maximum)) = whole(Metric::VmVcpuCurrent).zip(whole(Metric::VmVcpuMaximum)) {
                runs.note_vcpus(uuid, current, maximum);
            }
            (incarnation, runs.vcpus(uuid))
        };
        let context = Context {
            incarnation,
            now: wall_ms / 1_000,
            period: self.plan.polling.balloon_period.unwrap_or(USUAL_PERIOD),
            no_guest_memory: match self.plan.read_only {
                true => AbsentReason::ReadOnlyConnection,
                false => AbsentReason::Unsupported,
            },
            asked_vcpus: self.slow,
            vcpus,
            silent,
        };
        let machines = self.memory.machines();
        let (figures, samples) = readings::tell(uuid, record, machines.get(&uuid), &context);
        drop(machines);
        self.facts.push(Fact::MachineStatistics(Box::new(figures)));
        self.samples.extend(samples);
    }

    /// For drivers without bulk statistics (containers, Xen).
    fn one_by_one(&mut self) -> Result<(), HypervisorError> {
        let mut records = Vec::new();
        for (subject, handle) in &self.running {
            if self.memory.quarantine().holds(subject.uuid) {
                records.push((subject.clone(), Record::default(), true));
                continue;
            }
            let known = self.memory.machines().get(&subject.uuid).cloned().unwrap_or_default();
            match single::read(handle, &known) {
                Ok(record) => records.push((subject.clone(), record, false)),
                Err(HypervisorError::NotFound(_) | HypervisorError::WrongState(_)) => {}
                Err(error) if error.is_link_loss() => return Err(error),
                Err(error) => {
                    let what = format!("statistics of {}", subject.uuid);
                    self.errors.push(CollectError { what, reason: error.to_string() });
                }
            }
        }
        for (subject, record, silent) in records {
            self.tell(&subject, record, silent);
        }
        Ok(())
    }
}
