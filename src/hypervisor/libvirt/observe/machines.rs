//! Machines: their states in one call, and what they consist of.

use crate::hypervisor::libvirt::ffi::bulk::Subject;
use crate::hypervisor::libvirt::ffi::{bulk, domain};
use crate::hypervisor::libvirt::memory::{Known, Memory, fault, now};
use crate::hypervisor::libvirt::states::run_state;
use crate::hypervisor::libvirt::stats::{Figures, NOWAIT};
use crate::hypervisor::libvirt::xml;
use crate::hypervisor::port::HypervisorError;
use crate::model::observation::{
    CollectError, Fact, GoneCause, ListedKind, MachineFacts, MachineStateFacts, Observation,
};
use crate::model::virtual_machine::Snapshot;
use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::sync::Arc;
use uuid::Uuid;
use virt::connect::Connect;
use virt::domain::Domain;
use virt_sys as sys;

/// What is longer is not parsed: the machine stays listed, its definition is unread.
const XML_LIMIT: usize = 4 << 20;

/// Run states of all machines; machines not read before come completely.
pub fn states(connect: &Connect, memory: &Memory, bulk: bool) -> Result<Observation, HypervisorError> {
    let mut reading = Reading::new(connect, memory)?;
    let known: HashSet<Uuid> = memory.machines().keys().copied().collect();
    for state in all_states(&reading.domains, connect, bulk)? {
        reading.present.insert(state.uuid.to_string());
        if known.contains(&state.uuid) {
            reading.facts.push(Fact::MachineState(state));
        } else {
            reading.machine(state)?;
        }
    }
    Ok(reading.finish())
}

/// All machines with definitions and snapshots.
pub fn all(connect: &Connect, memory: &Memory, bulk: bool) -> Result<Observation, HypervisorError> {
    let mut reading = Reading::new(connect, memory)?;
    for state in all_states(&reading.domains, connect, bulk)? {
        reading.present.insert(state.uuid.to_string());
        reading.machine(state)?;
    }
    Ok(reading.finish())
}

/// One machine with definition and snapshots, or that it does not exist.
pub fn one(connect: &Connect, memory: &Memory, uuid: Uuid) -> Result<Observation, HypervisorError> {
    let facts = match read_one(connect, memory, uuid) {
        Ok(machine) => vec![Fact::Machine(Box::new(machine))],
        Err(HypervisorError::NotFound(_)) => {
            memory.machines().remove(&uuid);
            vec![Fact::MachineGone { uuid, cause: GoneCause::Unknown }]
        }
        Err(error) => return Err(error),
    };
    Ok(Observation { time: now(), facts, errors: Vec::new() })
}

fn read_one(connect: &Connect, memory: &Memory, uuid: Uuid) -> Result<MachineFacts, HypervisorError> {
    let domain = connect.lookup_domain_by_uuid(uuid).map_err(fault)?;
    let state = state_of(&domain)?;
    let flags =
        Flags { persistent: domain.is_persistent().map_err(fault)?, autostart: autostart(&domain)?, snapshots: true };
    describe(&domain, memory, state, flags)
}

/// A container or a driver without autostart is simply not started with its host.
fn autostart(domain: &Domain) -> Result<bool, HypervisorError> {
    match domain.autostart().map_err(fault) {
        Err(HypervisorError::Unsupported(_) | HypervisorError::WrongState(_)) => Ok(false),
        other => other,
    }
}

/// What list filters tell about a machine.
#[derive(Clone, Copy)]
struct Flags {
    persistent: bool,
    autostart: bool,
    snapshots: bool,
}

/// A listing under way.
struct Reading<'a> {
    memory: &'a Memory,
    domains: BTreeMap<Uuid, Domain>,
    persistent: HashSet<Uuid>,
    autostart: HashSet<Uuid>,
    /// Nothing if the driver cannot tell.
    with_snapshots: Option<HashSet<Uuid>>,
    facts: Vec<Fact>,
    errors: Vec<CollectError>,
    present: BTreeSet<String>,
}

impl<'a> Reading<'a> {
    fn new(connect: &Connect, memory: &'a Memory) -> Result<Self, HypervisorError> {
        let listed = |flags| connect.list_all_domains(flags).map_err(fault);
        let ids = |domains: Vec<Domain>| domains.iter().map(|each| domain::subject(each).uuid).collect();
        let all = listed(0)?;
        Ok(Self {
            memory,
            domains: all.into_iter().map(|each| (domain::subject(&each).uuid, each)).collect(),
            persistent: ids(listed(sys::VIR_CONNECT_LIST_DOMAINS_PERSISTENT)?),
            autostart: ids(listed(sys::VIR_CONNECT_LIST_DOMAINS_AUTOSTART)?),
            with_snapshots: listed(sys::VIR_CONNECT_LIST_DOMAINS_HAS_SNAPSHOT).ok().map(ids),
            facts: Vec::new(),
            errors: Vec::new(),
            present: BTreeSet::new(),
        })
    }

    /// Reads a machine completely. One that vanished meanwhile is left out; a lost link ends the reading.
    fn machine(&mut self, state: MachineStateFacts) -> Result<(), HypervisorError> {
        let uuid = state.uuid;
        let Some(domain) = self.domains.get(&uuid) else { return Ok(()) };
        let flags = Flags {
            persistent: self.persistent.contains(&uuid),
            autostart: self.autostart.contains(&uuid),
            snapshots: self.with_snapshots.as_ref().is_none_or(|with| with.contains(&uuid)),
        };
        match describe(domain, self.memory, state, flags) {
            Ok(facts) => self.facts.push(Fact::Machine(Box::new(facts))),
            Err(HypervisorError::NotFound(_)) => {
                self.present.remove(&uuid.to_string());
            }
            Err(error) if error.is_link_loss() => return Err(error),
            Err(error) => {
                self.errors.push(CollectError { what: format!("machine {uuid}"), reason: error.to_string() });
            }
        }
        Ok(())
    }

    fn finish(mut self) -> Observation {
        let present = &self.present;
        self.memory.machines().retain(|uuid, _| present.contains(&uuid.to_string()));
        self.facts.push(Fact::ListComplete { kind: ListedKind::Machines, present: Arc::new(self.present) });
        Observation { time: now(), facts: self.facts, errors: self.errors }
    }
}

/// States of all machines, in one call where the driver can.
fn all_states(
    domains: &BTreeMap<Uuid, Domain>,
    connect: &Connect,
    bulk: bool,
) -> Result<Vec<MachineStateFacts>, HypervisorError> {
    if bulk {
        let mut states = Vec::with_capacity(domains.len());
        bulk::all(connect, sys::VIR_DOMAIN_STATS_STATE, NOWAIT, |subject, parameters| {
            let (state, reason) = Figures::read(parameters).state.unwrap_or_default();
            states.push(state_facts(subject, state, reason));
        })
        .map_err(fault)?;
        return Ok(states);
    }
    let mut states = Vec::with_capacity(domains.len());
    for domain in domains.values() {
        match state_of(domain) {
            Ok(state) => states.push(state),
            Err(HypervisorError::NotFound(_)) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(states)
}

/// Present state of a machine; the handle's own id is as old as the handle.
fn state_of(domain: &Domain) -> Result<MachineStateFacts, HypervisorError> {
    let (state, reason) = domain::state(domain).map_err(fault)?;
    Ok(state_facts(domain::subject(domain), state, reason))
}

/// libvirt's numbers in the model's words.
pub fn state_facts(subject: Subject, state: i32, reason: i32) -> MachineStateFacts {
    let (run_state, reason) = run_state(state, reason);
    MachineStateFacts {
        uuid: subject.uuid,
        display_name: subject.name,
        run_state,
        reason,
        incarnation: subject.id.map(u64::from),
    }
}

fn describe(
    domain: &Domain,
    memory: &Memory,
    state: MachineStateFacts,
    flags: Flags,
) -> Result<MachineFacts, HypervisorError> {
    let text = domain.xml_desc(0).map_err(fault);
    let parsed = match text {
        Ok(text) if text.len() > XML_LIMIT => Err(format!("{} bytes of XML, {XML_LIMIT} are read", text.len())),
        Ok(text) => xml::domain(&text).map_err(|error| error.to_string()),
        Err(error @ HypervisorError::NotFound(_)) => return Err(error),
        Err(error) if error.is_link_loss() => return Err(error),
        Err(error) => Err(error.to_string()),
    };
    let (definition, labels) = match parsed {
        Ok(parsed) => (Ok(Arc::new(parsed.definition)), parsed.labels),
        Err(reason) => (Err(reason), BTreeMap::new()),
    };
    remember(memory, state.uuid, definition.as_deref().ok());
    let snapshots = if flags.snapshots { snapshots(domain, state.uuid)? } else { Some(Vec::new()) };
    let (persistent, autostart) = (flags.persistent, flags.autostart);
    Ok(MachineFacts { state, persistent, autostart, definition, labels, snapshots })
}

fn remember(memory: &Memory, uuid: Uuid, definition: Option<&crate::model::virtual_machine::VmDefinition>) {
    let mut machines = memory.machines();
    let parameters = machines.get(&uuid).and_then(|known| known.parameters);
    let known = definition.map(Known::from_definition).unwrap_or_default();
    machines.insert(uuid, Known { parameters, ..known });
}

/// Snapshots of a machine; nothing if the driver has none or one cannot be read.
fn snapshots(domain: &Domain, uuid: Uuid) -> Result<Option<Vec<Snapshot>>, HypervisorError> {
    let listed = match domain.list_all_snapshots(0).map_err(fault) {
        Ok(listed) => listed,
        Err(error) if error.is_link_loss() => return Err(error),
        Err(error @ HypervisorError::NotFound(_)) => return Err(error),
        Err(_) => return Ok(None),
    };
    let mut snapshots = Vec::with_capacity(listed.len());
    for handle in listed {
        let text = match handle.xml_desc(0).map_err(fault) {
            Ok(text) => text,
            Err(HypervisorError::NotFound(_)) => continue,
            Err(error) if error.is_link_loss() => return Err(error),
            Err(_) => return Ok(None),
        };
        let Some(mut snapshot) = (text.len() <= XML_LIMIT).then(|| xml::snapshot(&text).ok()).flatten() else {
            return Ok(None);
        };
        snapshot.vm_uuid = uuid;
        snapshot.current = handle.is_current(0).unwrap_or(false);
        snapshots.push(snapshot);
    }
    Ok(Some(snapshots))
}
