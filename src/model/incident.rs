//! What happened once and leaves no state to read: the facts behind event alarms.
//!
//! A hypervisor port turns its events and probes into these; what follows from them (type, severity,
//! clearing) is decided in `fault`.

use super::time::Timestamp;
use std::collections::BTreeMap;
use uuid::Uuid;

/// One thing that happened, or one verdict of a probe.
#[derive(Clone, Debug, PartialEq)]
pub struct Incident {
    /// When we received it.
    pub time: Timestamp,
    /// What it happened to.
    pub subject: IncidentSubject,
    /// What happened.
    pub kind: IncidentKind,
    /// Details for the alarm's attributes, e.g. `path`, `reason`.
    pub details: BTreeMap<String, String>,
}

impl Incident {
    /// The machine it happened to, or to whose disk.
    pub fn machine(&self) -> Option<Uuid> {
        match &self.subject {
            IncidentSubject::Machine(uuid) | IncidentSubject::MachineDisk { uuid, .. } => Some(*uuid),
            _ => None,
        }
    }
}

/// What an incident happened to.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum IncidentSubject {
    /// A machine.
    Machine(Uuid),
    /// A disk of a machine, by target (`vda`).
    MachineDisk {
        /// The machine.
        uuid: Uuid,
        /// Target device; empty if only the machine is known.
        target: String,
    },
    /// The endpoint's host.
    Host,
    /// A filesystem of the endpoint's host, by mount point.
    HostFilesystem(String),
    /// A disk of the endpoint's host, by kernel name.
    HostDisk(String),
    /// A network interface of the endpoint's host, by kernel name.
    HostNic(String),
    /// A storage pool of the endpoint's host.
    StoragePool(String),
    /// A network of the endpoint's host.
    Network(String),
}

/// What happened. *Active* ones stand until the opposite is told.
#[derive(Clone, Debug, PartialEq)]
pub enum IncidentKind {
    /// The machine's process ended without order; `signal` or `status` where the kernel told them.
    ProcessDied {
        /// Signal that ended it.
        signal: Option<i32>,
        /// Exit status.
        status: Option<i32>,
    },
    /// The guest's kernel panicked (pvpanic or lifecycle crashed/panicked).
    GuestPanicked,
    /// The machine was reset from inside or outside.
    Rebooted,
    /// The machine's watchdog fired; the action taken, e.g. `reset`, `pause`, `none`.
    WatchdogFired(String),
    /// An I/O error of a disk.
    IoError {
        /// `pause`, `report` or `none`.
        action: String,
        /// `enospc`, `eio` … or empty.
        reason: String,
    },
    /// Errors of a machine's disks as read (virDomainGetDiskErrors): target to `no_space` or `unspecified`;
    /// an empty map says that none has one.
    DiskErrors(BTreeMap<String, String>),
    /// The machine's monitor broke (control_error event).
    ControlBroken,
    /// A write threshold was crossed (block_threshold): bytes.
    BlockThreshold {
        /// The threshold.
        threshold: u64,
        /// How far beyond.
        excess: u64,
    },
    /// Memory of the machine failed (memory_failure).
    MemoryFailure {
        /// `hypervisor` or `guest`.
        recipient: String,
        /// `ignore`, `inject`, `fatal`, `reset`.
        action: String,
    },
    /// A block job ended: its kind, and `completed`, `failed`, `canceled` or `ready`.
    BlockJobEnded {
        /// `pull`, `copy`, `commit`, `active-commit`, `backup`.
        job: String,
        /// How it ended.
        status: String,
    },
    /// A device could not be removed; its alias.
    DeviceRemovalFailed(String),
    /// A device was removed; its alias.
    DeviceRemoved(String),
    /// The guest agent came or went.
    AgentConnected(bool),
    /// A job of the machine (migration, save, dump) ended; true if it failed.
    JobEnded {
        /// It failed.
        failed: bool,
    },
    /// A live migration copies its memory for the n-th time.
    MigrationIteration(u32),
    /// A look at something by a deadline-bounded probe: `Err` says why it failed or hung.
    Probed(Result<(), String>),
    /// A counter of bad things rose by so many since the last look, e.g. `oom_kill`, `ecc_corrected`,
    /// `ecc_uncorrected`, `cpu_throttle`.
    Counted {
        /// Which counter.
        counter: String,
        /// By how many.
        by: u64,
    },
    /// A verdict about a part of the host that is not in the inventory: sensor, RAID, power supply.
    Condition {
        /// Alarm type it speaks for.
        alarm_type: String,
        /// It is there, or it is over.
        active: bool,
    },
}
