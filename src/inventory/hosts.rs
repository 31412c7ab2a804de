//! Hosts and hypervisors: registrations, connections and what the hosts say of themselves.

use super::facts::LinkStanding;
use super::missed::Unannounced;
use crate::model::capacity::{Amount, Capacity, Overcommit};
use crate::model::host::{ConnectionState, Host, HostVolatile, Hypervisor, HypervisorVolatile};
use crate::model::observation::{HostDeviceFacts, HostFacts, HostStatistics, HypervisorFacts};
use crate::model::registration::{HostRegistration, Profile};
use crate::model::state::{AvailabilityStatus, ResourceState, StateReason, UsageState};
use crate::model::{Timestamp, Volatile};
use std::collections::BTreeMap;

/// One endpoint of a host.
#[derive(Clone, Debug)]
pub(super) struct EndpointSource {
    pub(super) uri: String,
    pub(super) standing: LinkStanding,
    /// What was seen when the link was lost, for people.
    pub(super) trouble: String,
    pub(super) generation: u64,
    /// Why objects read through it are not known now; nothing once it was read completely.
    pub(super) unknown: Option<StateReason>,
    pub(super) hypervisor: HypervisorFacts,
    pub(super) host: Option<HostFacts>,
    pub(super) missed_events: u64,
    pub(super) unannounced: Unannounced,
    pub(super) last_event: Option<Timestamp>,
    pub(super) severed_lanes: u64,
}

/// A host as registered, with its endpoints and everything they said.
#[derive(Clone, Debug)]
pub(super) struct HostSource {
    pub(super) registration: HostRegistration,
    pub(super) profile: Profile,
    pub(super) warnings: Vec<String>,
    pub(super) endpoints: BTreeMap<String, EndpointSource>,
    pub(super) devices: HostDeviceFacts,
    pub(super) statistics: HostStatistics,
    pub(super) last_seen: Option<Timestamp>,
    /// Set when the host's UUID is not what it was: another machine may answer under its address.
    pub(super) identity_change: Option<String>,
    /// Last known attributes from the store, until the host is read again.
    pub(super) remembered: Option<Host>,
}

/// What machines on a host add up to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Allocation {
    pub(super) machines: u64,
    pub(super) vcpus: u64,
    pub(super) memory_bytes: u64,
}

impl EndpointSource {
    pub(super) fn new(uri: String, remembered: Option<&Hypervisor>) -> Self {
        let hypervisor = remembered.map(remembered_facts).unwrap_or_default();
        Self {
            uri,
            standing: LinkStanding::Connecting,
            trouble: String::new(),
            generation: 0,
            unknown: Some(StateReason::code(StateReason::NOT_YET_SEEN)),
            hypervisor,
            host: None,
            missed_events: 0,
            unannounced: Unannounced::default(),
            last_event: None,
            severed_lanes: 0,
        }
    }

    /// True if nothing comes through and that is a fault.
    pub(super) fn is_lost(&self) -> bool {
        matches!(self.standing, LinkStanding::Unreachable | LinkStanding::ServiceLost | LinkStanding::Refused)
    }

    pub(super) fn connection_state(&self) -> ConnectionState {
        match self.standing {
            LinkStanding::Connecting => ConnectionState::Connecting,
            LinkStanding::Synchronizing => ConnectionState::Synchronizing,
            LinkStanding::Connected => ConnectionState::Connected,
            LinkStanding::Degraded => ConnectionState::Degraded,
            LinkStanding::Unreachable | LinkStanding::ServiceLost => ConnectionState::Lost,
            LinkStanding::Refused => ConnectionState::Refused,
        }
    }

    pub(super) fn body(&self, technology: &str) -> Hypervisor {
        Hypervisor {
            technology: technology.to_owned(),
            connection_uri: self.uri.clone(),
            connection_state: self.connection_state(),
            version: self.hypervisor.version.clone(),
            libvirt_version: self.hypervisor.libvirt_version.clone(),
            machine_types: self.hypervisor.machine_types.clone(),
            guest_archs: self.hypervisor.guest_archs.clone(),
            capabilities: self.hypervisor.capabilities.clone(),
            events: self.hypervisor.events.clone(),
            volatile: Volatile(HypervisorVolatile {
                generation: self.generation,
                missed_events: self.missed_events,
                last_event: self.last_event,
                severed_lanes: self.severed_lanes,
            }),
        }
    }

    pub(super) fn state(&self) -> ResourceState {
        let mut state = match self.standing {
            LinkStanding::Connected | LinkStanding::Synchronizing => ResourceState::enabled(UsageState::Active),
            LinkStanding::Degraded => ResourceState {
                availability: [AvailabilityStatus::Degraded].into(),
                ..ResourceState::enabled(UsageState::Active)
            },
            LinkStanding::ServiceLost => ResourceState::disabled([AvailabilityStatus::Failed]),
            // Not known: shown as it is when it works, and marked.
            LinkStanding::Connecting | LinkStanding::Unreachable | LinkStanding::Refused => {
                ResourceState::enabled(UsageState::Active)
            }
        };
        state.unknown =
            matches!(self.standing, LinkStanding::Connecting | LinkStanding::Unreachable | LinkStanding::Refused);
        state.reason = StateReason::with_text(reason_code(self.standing), self.trouble.clone());
        state
    }
}

/// Code of the reason behind a standing.
pub(super) fn reason_code(standing: LinkStanding) -> &'static str {
    match standing {
        LinkStanding::Connecting => StateReason::NOT_YET_SEEN,
        LinkStanding::Synchronizing => "synchronizing",
        LinkStanding::Connected => "connected",
        LinkStanding::Degraded => "slow",
        LinkStanding::Unreachable => StateReason::HOST_UNREACHABLE,
        LinkStanding::ServiceLost => StateReason::HYPERVISOR_SERVICE_LOST,
        LinkStanding::Refused => "access_refused",
    }
}

fn remembered_facts(hypervisor: &Hypervisor) -> HypervisorFacts {
    HypervisorFacts {
        technology: hypervisor.technology.clone(),
        version: hypervisor.version.clone(),
        libvirt_version: hypervisor.libvirt_version.clone(),
        machine_types: hypervisor.machine_types.clone(),
        guest_archs: hypervisor.guest_archs.clone(),
        capabilities: hypervisor.capabilities.clone(),
        events: hypervisor.events.clone(),
    }
}

impl HostSource {
    pub(super) fn new(registration: HostRegistration, profile: Profile, warnings: Vec<String>) -> Self {
        Self {
            registration,
            profile,
            warnings,
            endpoints: BTreeMap::new(),
            devices: HostDeviceFacts::default(),
            statistics: HostStatistics::default(),
            last_seen: None,
            identity_change: None,
            remembered: None,
        }
    }

    /// UUID the host was last known by; empty if it never told.
    pub(super) fn known_uuid(&self) -> &str {
        let told = self.endpoints.values().find_map(|endpoint| endpoint.host.as_ref());
        match (told, &self.remembered) {
            (Some(facts), _) => &facts.host_uuid,
            (None, Some(remembered)) => &remembered.host_uuid,
            (None, None) => "",
        }
    }

    /// Notes that the host's UUID is another one now (hostIdentityChanged).
    pub(super) fn note_identity(&mut self, uuid: &str) {
        let known = self.known_uuid();
        if !known.is_empty() && !uuid.is_empty() && known != uuid {
            self.identity_change =
                Some(format!("host UUID changed from {known} to {uuid}: is this still the same machine?"));
        }
    }

    /// The worst connection state of its endpoints; a host with one good endpoint is not lost.
    fn connection_state(&self) -> ConnectionState {
        let rank = |state: ConnectionState| match state {
            ConnectionState::Connected => 0,
            ConnectionState::Degraded => 1,
            ConnectionState::Synchronizing => 2,
            ConnectionState::Connecting => 3,
            ConnectionState::Refused => 4,
            ConnectionState::Lost => 5,
        };
        let states: Vec<ConnectionState> = self.endpoints.values().map(EndpointSource::connection_state).collect();
        let best = states.iter().copied().min_by_key(|state| rank(*state)).unwrap_or_default();
        let worst = states.iter().copied().max_by_key(|state| rank(*state)).unwrap_or_default();
        if rank(best) < rank(worst) && rank(best) <= 1 { ConnectionState::Degraded } else { worst }
    }

    pub(super) fn state(&self) -> ResourceState {
        let worst = self.endpoints.values().max_by_key(|endpoint| endpoint.is_lost());
        let reason = worst
            .map(|endpoint| StateReason::with_text(reason_code(endpoint.standing), endpoint.trouble.clone()))
            .unwrap_or_default();
        let mut state = match self.connection_state() {
            ConnectionState::Connected | ConnectionState::Synchronizing => ResourceState::enabled(UsageState::Active),
            ConnectionState::Degraded => ResourceState {
                availability: [AvailabilityStatus::Degraded].into(),
                ..ResourceState::enabled(UsageState::Active)
            },
            ConnectionState::Connecting | ConnectionState::Lost | ConnectionState::Refused => {
                ResourceState { unknown: true, ..ResourceState::enabled(UsageState::Active) }
            }
        };
        state.administrative = Some(crate::model::state::AdministrativeState::Unlocked);
        state.reason = reason;
        state
    }

    /// The host as it is served.
    pub(super) fn body(&self, allocation: Allocation, storage: Option<Amount>, overcommit: &Overcommit) -> Host {
        let facts = self.endpoints.values().rev().find_map(|endpoint| endpoint.host.clone());
        let mut host = self.remembered.clone().unwrap_or_default();
        if let Some(facts) = &facts {
            apply_facts(&mut host, facts);
        }
        host.connection_uris = self.endpoints.values().map(|endpoint| endpoint.uri.clone()).collect();
        host.connection_state = self.connection_state();
        host.synchronized = self.endpoints.values().all(|endpoint| endpoint.unknown.is_none());
        host.origin = self.registration.origin;
        self.profile.as_str().clone_into(&mut host.profile);
        host.warnings.clone_from(&self.warnings);
        host.source_labels.clone_from(&self.registration.labels);
        self.apply_devices(&mut host);
        host.volatile = Volatile(self.moving(&host, allocation, storage, overcommit));
        host
    }

    fn apply_devices(&self, host: &mut Host) {
        let devices = &self.devices;
        if let Some(nics) = &devices.nics {
            host.nics.clone_from(nics);
        }
        if let Some(disks) = &devices.disks {
            host.disks.clone_from(disks);
        }
        if let Some(filesystems) = &devices.filesystems {
            host.filesystems.clone_from(filesystems);
        }
        if let Some(name) = &devices.os_name {
            host.os_name.clone_from(name);
        }
        if let Some(version) = &devices.kernel_version {
            host.kernel_version.clone_from(version);
        }
        if let Some(id) = &devices.boot_id {
            host.boot_id.clone_from(id);
        }
        host.not_available.extend(devices.not_available.clone());
    }

    fn moving(
        &self,
        host: &Host,
        allocation: Allocation,
        storage: Option<Amount>,
        overcommit: &Overcommit,
    ) -> HostVolatile {
        let known = host.cpu.logical_cpus > 0;
        let reserve = self.registration.reserve;
        HostVolatile {
            last_seen: self.last_seen,
            memory_free_bytes: self.statistics.memory_free_bytes,
            cpu_time_ns: self.statistics.cpu_time_ns.clone(),
            huge_pages: self.statistics.huge_pages.clone(),
            filesystem_available_bytes: self.statistics.filesystem_available_bytes.clone(),
            uptime_seconds: self.statistics.uptime_seconds,
            capacity: Capacity {
                vcpus: known.then(|| {
                    let total = u64::from(host.cpu.logical_cpus);
                    Amount::reserving(total, allocation.vcpus, overcommit.cpu, u64::from(reserve.cpus))
                }),
                memory_bytes: known.then(|| {
                    let (total, promised) = (host.memory_total_bytes, allocation.memory_bytes);
                    Amount::reserving(total, promised, overcommit.memory, reserve.memory_bytes)
                }),
                storage_bytes: storage,
            },
        }
    }
}

fn apply_facts(host: &mut Host, facts: &HostFacts) {
    host.host_name.clone_from(&facts.host_name);
    host.host_uuid.clone_from(&facts.host_uuid);
    host.cpu = facts.cpu.clone();
    host.memory_total_bytes = facts.memory_total_bytes;
    host.numa_nodes.clone_from(&facts.numa_nodes);
    host.hardware = facts.hardware.clone().unwrap_or_default();
    host.not_available.clone_from(&facts.not_available);
}

/// Sum of two amounts; what one host lacks the other still has.
pub(super) fn added(sum: Option<Amount>, more: Option<Amount>, overcommit: f64) -> Option<Amount> {
    match (sum, more) {
        (Some(sum), Some(more)) => Some(Amount::reserving(
            sum.total.saturating_add(more.total),
            sum.allocated.saturating_add(more.allocated),
            overcommit,
            sum.reserved.saturating_add(more.reserved),
        )),
        (sum, more) => sum.or(more),
    }
}
