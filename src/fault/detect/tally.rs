//! What has to be counted over time to be judged: lost connections, missed events, restarts, agents.
//!
//! The detectors themselves remember nothing. What is here is forgotten at a restart of the daemon; that delays an
//! alarm of these types by a window at most.

use crate::fault::catalogue::AlarmType;
use crate::fault::conditions::ConditionKey;
use crate::model::host::{ConnectionState, Host, Hypervisor};
use crate::model::incident::{Incident, IncidentKind};
use crate::model::virtual_machine::{RunState, VirtualMachine};
use crate::model::{Body, HostId, Name, Object, Timestamp};
use std::collections::{HashMap, HashSet, VecDeque};
use std::time::Duration;

/// Entries kept per count; older ones leave. More than any window needs.
const KEPT: usize = 1_024;

/// A counter that did not rise for so long has ceased to rise: 2 min.
const CEASED: Duration = Duration::from_secs(120);

/// A host that is up for less than it was before by so much was booted; less is two sources read in turn.
const YOUNGER: u64 = 30;

/// Counts and former values, by object.
#[derive(Debug, Default)]
pub struct Tallies {
    counts: HashMap<ConditionKey, VecDeque<(Timestamp, u64)>>,
    hosts: HashMap<Name, HostMark>,
    missed: HashMap<Name, u64>,
    agents: HashMap<Name, AgentMark>,
    links_up: HashSet<Name>,
}

#[derive(Debug, Default)]
struct HostMark {
    lost: bool,
    uptime: Option<u64>,
    /// Which run of its kernel; also the stored one of before a restart of the daemon.
    boot_id: String,
    /// A boot that one of the two showed and the other will show too.
    by_uptime: bool,
    by_boot_id: bool,
    /// What the inventory warns of the host's identity.
    identity: Option<String>,
    /// When that warning came or went; nothing before the first one.
    identity_changed: Option<Timestamp>,
}

#[derive(Debug, Default)]
struct AgentMark {
    since: Option<Timestamp>,
    longest: Duration,
}

impl HostMark {
    /// Whether the host was booted since it was seen last: two sources tell it, at their own times.
    fn booted(&mut self, younger: bool, boot_id: &str) -> bool {
        let another = !boot_id.is_empty() && !self.boot_id.is_empty() && self.boot_id != boot_id;
        if !boot_id.is_empty() {
            boot_id.clone_into(&mut self.boot_id);
        }
        let by_uptime = younger && !std::mem::take(&mut self.by_boot_id);
        let by_boot_id = another && !by_uptime && !std::mem::take(&mut self.by_uptime);
        self.by_uptime |= by_uptime && !another;
        self.by_boot_id |= by_boot_id && !younger;
        by_uptime || by_boot_id
    }
}

impl Tallies {
    /// Takes note of an object's present state.
    pub fn observe(&mut self, object: &Object, now: Timestamp) {
        match &object.body {
            Body::Host(host) => self.observe_host(object, host, now),
            Body::Hypervisor(hypervisor) => self.observe_hypervisor(object, hypervisor, now),
            Body::VirtualMachine(vm) if !object.state.unknown => self.observe_machine(object, vm, now),
            _ => {}
        }
    }

    fn observe_host(&mut self, object: &Object, host: &Host, now: Timestamp) {
        let lost = matches!(host.connection_state, ConnectionState::Lost | ConnectionState::Refused);
        let up = host.connection_state == ConnectionState::Connected;
        let uptime = host.volatile.uptime_seconds.filter(|_| !object.state.unknown);
        let identity = identity_warning(host).filter(|_| !object.state.unknown).cloned();
        let first = !self.hosts.contains_key(&object.name);
        let mark = self.hosts.entry(object.name.clone()).or_default();
        let newly_lost = lost && !mark.lost && !first;
        mark.lost = lost || (mark.lost && !up);
        let younger = uptime.zip(mark.uptime).is_some_and(|(uptime, former)| uptime.saturating_add(YOUNGER) < former);
        mark.uptime = uptime.or(mark.uptime);
        let booted = mark.booted(younger, &host.boot_id);
        if mark.identity != identity && !object.state.unknown {
            mark.identity = identity;
            mark.identity_changed = Some(now);
        }
        if newly_lost {
            self.add(AlarmType::HostConnectionUnstable, &object.name, 1, now);
        }
        if booted {
            self.add(AlarmType::UnexpectedHostRestart, &object.name, 1, now);
        }
    }

    fn observe_hypervisor(&mut self, object: &Object, hypervisor: &Hypervisor, now: Timestamp) {
        let missed = hypervisor.volatile.missed_events;
        let former = self.missed.insert(object.name.clone(), missed);
        let more = former.map_or(0, |former| missed.saturating_sub(former));
        if let Some(host) = object.name.host_id().filter(|_| more > 0) {
            self.add(AlarmType::EventChannelStalled, &Name::host(&host), more, now);
        }
    }

    fn observe_machine(&mut self, object: &Object, vm: &VirtualMachine, now: Timestamp) {
        let running = vm.run_state == RunState::Running;
        let connected = vm.definition.agent.connected.map(|connected| connected && running);
        if let Some(connected) = connected.filter(|_| vm.definition.agent.configured) {
            self.agent(&object.name, connected, now);
        }
        if !running {
            return;
        }
        for nic in vm.definition.nics.iter().filter(|nic| nic.link_state != "down") {
            self.links_up.insert(super::parts::nic(&object.name, &nic.mac));
        }
    }

    fn agent(&mut self, machine: &Name, connected: bool, now: Timestamp) {
        if !connected && !self.agents.contains_key(machine) {
            return;
        }
        let mark = self.agents.entry(machine.clone()).or_default();
        if let Some(since) = mark.since {
            mark.longest = mark.longest.max(now.since(since));
        }
        mark.since = connected.then(|| mark.since.unwrap_or(now));
    }

    /// Takes note of something that happened.
    pub fn count(&mut self, host: &HostId, incident: &Incident, now: Timestamp) {
        match &incident.kind {
            IncidentKind::Counted { counter, by } => {
                let counted = match counter.as_str() {
                    "ecc_corrected" => AlarmType::HostMemoryEccCorrected,
                    "cpu_throttle" => AlarmType::HostCpuThrottled,
                    _ => return,
                };
                self.add(counted, &Name::host(host), *by, now);
            }
            IncidentKind::AgentConnected(connected) => {
                if let Some(uuid) = incident.machine() {
                    self.agent(&Name::virtual_machine(uuid), *connected, now);
                }
            }
            IncidentKind::MigrationIteration(_) => {
                if let Some(uuid) = incident.machine() {
                    self.add(AlarmType::VmMigrationSlow, &Name::virtual_machine(uuid), 1, now);
                }
            }
            IncidentKind::JobEnded { .. } => {
                if let Some(uuid) = incident.machine() {
                    self.counts.remove(&key(AlarmType::VmMigrationSlow, &Name::virtual_machine(uuid)));
                }
            }
            _ => {}
        }
    }

    /// Forgets an object that is gone.
    pub fn forget(&mut self, object: &Name) {
        let inside = format!("{object}/");
        let about = |name: &Name| name == object || name.as_str().starts_with(&inside);
        self.hosts.remove(object);
        self.missed.remove(object);
        self.agents.remove(object);
        self.counts.retain(|key, _| !about(&key.object));
        self.links_up.retain(|name| !about(name));
    }

    fn add(&mut self, alarm_type: AlarmType, object: &Name, by: u64, now: Timestamp) {
        let counts = self.counts.entry(key(alarm_type, object)).or_default();
        counts.push_back((now, by));
        if counts.len() > KEPT {
            counts.pop_front();
        }
    }

    /// How much was counted within a window, if something was counted just now.
    pub fn just_now(&self, alarm_type: AlarmType, object: &Name, window: Duration, now: Timestamp) -> Option<u64> {
        let counts = self.counts.get(&key(alarm_type, object))?;
        counts.back().filter(|(last, _)| *last == now)?;
        let within = counts.iter().filter(|(time, _)| now.since(*time) <= window);
        Some(within.map(|(_, by)| *by).fold(0, u64::saturating_add))
    }

    /// For how long a counter has been rising without a pause, if it rose just now.
    pub fn rising_for(&self, alarm_type: AlarmType, object: &Name, now: Timestamp) -> Option<Duration> {
        let counts = self.counts.get(&key(alarm_type, object))?;
        counts.back().filter(|(last, _)| *last == now)?;
        let mut begin = now;
        for (time, _) in counts.iter().rev() {
            if begin.since(*time) > CEASED {
                break;
            }
            begin = *time;
        }
        Some(now.since(begin))
    }

    /// Since the first of what was counted of a type.
    pub fn first(&self, alarm_type: AlarmType, object: &Name) -> Option<Timestamp> {
        self.counts.get(&key(alarm_type, object))?.front().map(|(time, _)| *time)
    }

    /// When the warning about a host's identity came or went, as far as it was seen to.
    pub fn identity_changed(&self, host: &Name) -> Option<Timestamp> {
        self.hosts.get(host)?.identity_changed
    }

    /// How long the agent of a machine was connected at a stretch, at most.
    pub fn agent_was_stable(&self, machine: &Name) -> Duration {
        self.agents.get(machine).map_or(Duration::ZERO, |mark| mark.longest)
    }

    /// True if this NIC of a machine was seen with its link up.
    pub fn link_was_up(&self, nic: &Name) -> bool {
        self.links_up.contains(nic)
    }
}

fn key(alarm_type: AlarmType, object: &Name) -> ConditionKey {
    ConditionKey { object: object.clone(), alarm_type }
}

/// What the inventory warns of a host's identity: its UUID changed, or another host has the same.
pub(super) fn identity_warning(host: &Host) -> Option<&String> {
    host.warnings.iter().find(|warning| warning.contains("UUID"))
}
