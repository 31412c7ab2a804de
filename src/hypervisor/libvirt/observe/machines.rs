//! Machines: their states in one call, and what they consist of.

use crate::hypervisor::libvirt::ffi::bulk::Subject;
use crate::hypervisor::libvirt::ffi::{bulk, domain};
use crate::hypervisor::libvirt::memory::{Memory, fault, now};
use crate::hypervisor::libvirt::record::Record;
use crate::hypervisor::libvirt::states::run_state;
use crate::hypervisor::libvirt::stats::NOWAIT;
use crate::hypervisor::libvirt::xml;
use crate::hypervisor::port::HypervisorError;
use crate::model::observation::{
    CollectError, Fact, GoneCause, ListedKind, MachineFacts, MachineStateFacts, Observation,
};
use crate::model::virtual_machine::{Snapshot, VmDefinition};
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;
use uuid::Uuid;
use virt::connect::Connect;
use virt::domain::Domain;
use virt_sys as sys;

/// What is longer is not parsed: the machine stays listed, its definition is unread.
const XML_LIMIT: usize = 4 << 20;

/// `virDomainControlState`: the monitor is in use; 3 is that it is broken.
const OCCUPIED: u32 = sys::VIR_DOMAIN_CONTROL_OCCUPIED;

/// Run states of all machines; machines not read before come completely.
pub fn states(connect: &Connect, memory: &Memory, bulk: bool) -> Result<Observation, HypervisorError> {
    let states = all_states(connect, bulk)?;
    let known: HashSet<Uuid> = memory.machines().keys().copied().collect();
    let (old, new): (Vec<_>, Vec<_>) = states.into_iter().partition(|state| known.contains(&state.uuid));
    let mut reading = Reading::new(memory);
    for state in old {
        reading.present.insert(state.uuid.to_string());
        reading.facts.push(Fact::MachineState(state));
    }
    if !new.is_empty() {
        reading.machines(new, &Listing::read(connect)?)?;
    }
    Ok(reading.finish())
}

/// All machines with definitions and snapshots.
pub fn all(connect: &Connect, memory: &Memory, bulk: bool) -> Result<Observation, HypervisorError> {
    let states = all_states(connect, bulk)?;
    let mut reading = Reading::new(memory);
    reading.machines(states, &Listing::read(connect)?)?;
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
    Ok(Observation { time: now(), facts, errors: Vec::new(), samples: None })
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

/// What list calls tell about all machines.
struct Listing {
    domains: HashMap<Uuid, Domain>,
    persistent: HashSet<Uuid>,
    autostart: HashSet<Uuid>,
    /// Nothing if the driver cannot tell.
    with_snapshots: Option<HashSet<Uuid>>,
}

impl Listing {
    fn read(connect: &Connect) -> Result<Self, HypervisorError> {
        let listed = |flags| connect.list_all_domains(flags).map_err(fault);
        let ids = |domains: Vec<Domain>| domains.iter().map(|each| domain::subject(each).uuid).collect();
        let all = listed(0)?;
        // The filter is accepted, and nobody passes it, also where the driver has no snapshots at all.
        let has_snapshots = all.first().is_some_and(|any| any.num_snapshots(0).is_ok());
        let with_snapshots = has_snapshots.then(|| listed(sys::VIR_CONNECT_LIST_DOMAINS_HAS_SNAPSHOT).ok().map(ids));
        Ok(Self {
            domains: all.into_iter().map(|each| (domain::subject(&each).uuid, each)).collect(),
            persistent: ids(listed(sys::VIR_CONNECT_LIST_DOMAINS_PERSISTENT)?),
            autostart: ids(listed(sys::VIR_CONNECT_LIST_DOMAINS_AUTOSTART)?),
            with_snapshots: with_snapshots.flatten(),
        })
    }

    fn flags(&self, uuid: &Uuid) -> Flags {
        Flags {
            persistent: self.persistent.contains(uuid),
            autostart: self.autostart.contains(uuid),
            snapshots: self.with_snapshots.as_ref().is_none_or(|with| with.contains(uuid)),
        }
    }
}

/// A reading under way.
struct Reading<'a> {
    memory: &'a Memory,
    facts: Vec<Fact>,
    errors: Vec<CollectError>,
    present: BTreeSet<String>,
}

impl<'a> Reading<'a> {
    fn new(memory: &'a Memory) -> Self {
        Self { memory, facts: Vec::new(), errors: Vec::new(), present: BTreeSet::new() }
    }

    /// Reads machines completely. One that vanished meanwhile is left out; a lost link ends the reading.
    fn machines(&mut self, states: Vec<MachineStateFacts>, listing: &Listing) -> Result<(), HypervisorError> {
        for state in states {
            let uuid = state.uuid;
            let Some(domain) = listing.domains.get(&uuid) else { continue };
            match describe(domain, self.memory, state, listing.flags(&uuid)) {
                Ok(facts) => self.facts.push(Fact::Machine(Box::new(facts))),
                Err(HypervisorError::NotFound(_)) => continue,
                Err(error) if error.is_link_loss() => return Err(error),
                Err(error) => {
                    self.errors.push(CollectError { what: format!("machine {uuid}"), reason: error.to_string() });
                }
            }
            self.present.insert(uuid.to_string());
        }
        Ok(())
    }

    fn finish(mut self) -> Observation {
        let present = &self.present;
        self.memory.machines().retain(|uuid, _| present.contains(&uuid.to_string()));
        self.facts.push(Fact::ListComplete { kind: ListedKind::Machines, present: Arc::new(self.present) });
        Observation { time: now(), facts: self.facts, errors: self.errors, samples: None }
    }
}

/// States of all machines, in one call where the driver can.
fn all_states(connect: &Connect, bulk: bool) -> Result<Vec<MachineStateFacts>, HypervisorError> {
    let mut states = Vec::new();
    if bulk {
        bulk::all(connect, sys::VIR_DOMAIN_STATS_STATE, NOWAIT, |subject, parameters| {
            let (state, reason) = Record::read(parameters).state.unwrap_or_default();
            states.push(state_facts(subject, state, reason));
        })
        .map_err(fault)?;
        return Ok(states);
    }
    for domain in connect.list_all_domains(0).map_err(fault)? {
        match state_of(&domain) {
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
        // A handle that is older than the state may still carry the id of a run that has ended.
        incarnation: subject.id.filter(|_| run_state.is_active()).map(u64::from),
    }
}

fn describe(
    domain: &Domain,
    memory: &Memory,
    state: MachineStateFacts,
    flags: Flags,
) -> Result<MachineFacts, HypervisorError> {
    let uuid = state.uuid;
    let (definition, labels) = if state.run_state.is_active() && hangs(domain, memory, uuid)? {
        remembered(memory, uuid)
    } else {
        definition(domain, memory, uuid)?
    };
    let snapshots = if flags.snapshots { snapshots(domain, uuid)? } else { Some(Vec::new()) };
    let (persistent, autostart) = (flags.persistent, flags.autostart);
    Ok(MachineFacts { state, persistent, autostart, definition, labels, snapshots })
}

/// A definition, or why there is none, and its labels.
type Described = (Result<Arc<VmDefinition>, String>, BTreeMap<String, String>);

/// True if reading the definition would wait for the machine's job lock: libvirt 11 takes it to write
/// the XML, and a statistics call that hangs on a hung process holds it.
fn hangs(domain: &Domain, memory: &Memory, uuid: Uuid) -> Result<bool, HypervisorError> {
    if !memory.quarantine().doubts(uuid) {
        return Ok(false);
    }
    match domain::control(domain).map_err(fault) {
        Ok(reading) => Ok(reading.state >= OCCUPIED),
        Err(error) if error.is_link_loss() => Err(error),
        Err(_) => Ok(false),
    }
}

/// What was read when the hypervisor process still answered.
fn remembered(memory: &Memory, uuid: Uuid) -> Described {
    let machines = memory.machines();
    let known = machines.get(&uuid).and_then(|known| Some((known.definition.clone()?, known.labels.clone())));
    match known {
        Some((definition, labels)) => (Ok(definition), labels),
        None => (Err("its hypervisor process does not answer".to_owned()), BTreeMap::new()),
    }
}

fn definition(domain: &Domain, memory: &Memory, uuid: Uuid) -> Result<Described, HypervisorError> {
    let parsed = match domain.xml_desc(0).map_err(fault) {
        Ok(text) if text.len() > XML_LIMIT => Err(format!("{} bytes of XML, {XML_LIMIT} are read", text.len())),
        Ok(text) => xml::domain(&text).map_err(|error| error.to_string()),
        Err(error @ HypervisorError::NotFound(_)) => return Err(error),
        Err(error) if error.is_link_loss() => return Err(error),
        Err(error) => Err(error.to_string()),
    };
    let (definition, labels, disk_aliases) = match parsed {
        Ok(parsed) => (Ok(Arc::new(parsed.definition)), parsed.labels, parsed.disk_aliases),
        Err(reason) => (Err(reason), BTreeMap::new(), BTreeMap::new()),
    };
    let mut machines = memory.machines();
    let known = machines.entry(uuid).or_default();
    known.disk_aliases = disk_aliases;
    known.definition = definition.as_ref().ok().cloned();
    known.labels.clone_from(&labels);
    Ok((definition, labels))
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
