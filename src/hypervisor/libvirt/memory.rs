//! What an endpoint remembers between readings: which machines were read, and what their devices are called.

use super::disk_doubts::DiskDoubts;
use super::errors::{Phase, from_libvirt};
use super::ffi::failure::Failure;
use super::huge_pages::Reserved;
use super::quarantine::Quarantine;
use super::runs::Runs;
use crate::hypervisor::port::HypervisorError;
use crate::model::observation::GoneCause;
use crate::model::time::Timestamp;
use crate::model::virtual_machine::VmDefinition;
use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime};
use uuid::Uuid;

/// What is remembered of one machine. Never a libvirt handle: those keep dead connections open.
#[derive(Clone, Debug, Default)]
pub struct Known {
    /// Its definition when last read, if it could be.
    pub definition: Option<Arc<VmDefinition>>,
    /// Labels of that definition.
    pub labels: BTreeMap<String, String>,
    /// Targets of its disks by alias, if it ran when it was read.
    pub disk_aliases: BTreeMap<String, String>,
    /// Statistics parameters of its last record.
    pub parameters: Option<usize>,
}

impl Known {
    /// Target of the disk that an event calls by alias and source path; nothing if it is none of ours.
    pub fn disk(&self, alias: &str, path: &str) -> Option<&str> {
        if let Some(target) = self.disk_aliases.get(alias) {
            return Some(target);
        }
        let disks = &self.definition.as_ref()?.disks;
        let lies_at = |source: &str| !path.is_empty() && source == path;
        // The disk's own image first: several machines' disks may lie over one base image.
        let own = disks.iter().find(|disk| lies_at(&disk.source));
        let backed = || disks.iter().find(|disk| disk.backing_chain.iter().any(|image| lies_at(image)));
        Some(own.or_else(backed)?.target.as_str())
    }
}

/// The memory of one endpoint.
#[derive(Debug, Default)]
pub struct Memory {
    machines: Mutex<HashMap<Uuid, Known>>,
    quarantine: Mutex<Quarantine>,
    disk_doubts: Mutex<DiskDoubts>,
    refreshed: Mutex<HashMap<String, Timestamp>>,
    refresh_tried: Mutex<HashMap<String, Timestamp>>,
    huge_pages: Mutex<Arc<[Reserved]>>,
    departures: Mutex<HashMap<Uuid, (Instant, GoneCause)>>,
    runs: Mutex<Runs>,
    /// Statistics polls so far.
    polls: AtomicU64,
    /// Microseconds the last probe took; 0 until one came back.
    probe_us: AtomicU64,
}

/// Stops that are remembered, so that the end of a process is known to have been told: 4,096.
const DEPARTURES: usize = 4_096;

/// A stop is remembered for so long.
const REMEMBERED: Duration = Duration::from_secs(30);

impl Memory {
    /// Machines read completely over the present connection.
    pub fn machines(&self) -> MutexGuard<'_, HashMap<Uuid, Known>> {
        self.machines.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Hung hypervisor processes.
    pub fn quarantine(&self) -> MutexGuard<'_, Quarantine> {
        self.quarantine.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Machines whose disks may have errors.
    pub fn disk_doubts(&self) -> MutexGuard<'_, DiskDoubts> {
        self.disk_doubts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// When each storage pool was last refreshed, as far as known.
    pub fn refreshed(&self) -> MutexGuard<'_, HashMap<String, Timestamp>> {
        self.refreshed.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// When a refresh of each storage pool was last begun by us.
    pub fn refresh_tried(&self) -> MutexGuard<'_, HashMap<String, Timestamp>> {
        self.refresh_tried.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Huge pages that were reserved when the host was last read.
    pub fn huge_pages(&self) -> Arc<[Reserved]> {
        self.huge_pages.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Which start of each machine its counters belong to.
    pub fn runs(&self) -> MutexGuard<'_, Runs> {
        self.runs.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts a statistics poll; its number, from 0.
    pub fn next_poll(&self) -> u64 {
        self.polls.fetch_add(1, Ordering::Relaxed)
    }

    /// A probe came back after this time.
    pub fn note_probe(&self, took: Duration) {
        self.probe_us.store(u64::try_from(took.as_micros()).unwrap_or(u64::MAX).max(1), Ordering::Relaxed);
    }

    /// How long the last probe took, if one came back.
    pub fn probe_time(&self) -> Option<Duration> {
        Some(self.probe_us.load(Ordering::Relaxed)).filter(|us| *us > 0).map(Duration::from_micros)
    }

    /// An event told that the machine stopped or went.
    pub fn note_departure(&self, uuid: Uuid, cause: GoneCause) {
        self.runs().end(uuid);
        let mut departures = self.departures.lock().unwrap_or_else(PoisonError::into_inner);
        if departures.len() >= DEPARTURES {
            departures.retain(|_, (at, _)| at.elapsed() < REMEMBERED);
        }
        if departures.len() < DEPARTURES {
            departures.insert(uuid, (Instant::now(), cause));
        }
    }

    /// Why the machine went, if an event has told so since then or just before.
    pub fn departure(&self, uuid: Uuid, since: Instant) -> Option<GoneCause> {
        let departures = self.departures.lock().unwrap_or_else(PoisonError::into_inner);
        let told = departures.get(&uuid).filter(|(at, _)| *at + Duration::from_secs(1) >= since);
        told.map(|(_, cause)| *cause)
    }

    /// The machine runs: what was told of an earlier run is of no interest.
    pub fn forget_departure(&self, uuid: Uuid) {
        self.departures.lock().unwrap_or_else(PoisonError::into_inner).remove(&uuid);
    }

    /// Takes note of the reserved huge pages.
    pub fn note_huge_pages(&self, reserved: Vec<Reserved>) {
        *self.huge_pages.lock().unwrap_or_else(PoisonError::into_inner) = reserved.into();
    }

    /// A new connection: everything is to be read again. Hung processes stay hung.
    pub fn new_connection(&self) {
        self.machines().clear();
        self.disk_doubts().new_connection();
    }
}

/// A libvirt error met in a call.
pub fn fault(error: impl Into<Failure>) -> HypervisorError {
    from_libvirt(&error.into(), Phase::Call)
}

/// The present time.
pub fn now() -> Timestamp {
    Timestamp::from_system(SystemTime::now())
}
