//! What can happen to a machine beyond dying and hanging: how it looks, and what its host tells of it. Pure.

use crate::model::incident::{Incident, IncidentKind, IncidentSubject};
use crate::model::time::Timestamp;
use crate::model::virtual_machine::{RunState, RunStateReason};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use uuid::Uuid;

/// Bytes at which the block threshold of a mishap lies.
const THRESHOLD: u64 = 8 << 30;

/// Something that happens to a machine; in JSON the kind of a fault, e.g. `{"kind":"watchdog","vm":"#1"}`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Mishap {
    /// Its watchdog fires and pauses it.
    Watchdog,
    /// A disk finds no space: it is paused.
    Enospc,
    /// Its process is killed: told with the signal, then the machine failed.
    KillMachine,
    /// It is shut off by somebody else.
    StopMachine,
    /// It is paused by somebody else.
    PauseMachine,
    /// It is paused for a migration that does not go on.
    StickMachine,
    /// An I/O error that only the guest sees.
    ReportIoError,
    /// A disk's write threshold is crossed.
    BlockThreshold,
    /// Its monitor breaks.
    ControlError,
    /// Its memory fails fatally.
    MemoryFailure,
    /// A block job fails; at the end a later one succeeds.
    BlockJobFailed,
    /// The agent in its guest goes.
    AgentLost,
    /// A device cannot be removed; at the end it is.
    DeviceStuck,
    /// Its migration fails; at the end a later one succeeds.
    MigrationFailed,
    /// Its migration copies the memory over and over; at the end it is done.
    MigrationSlow,
    /// It is reset once.
    Reboot,
}

impl Mishap {
    /// Every mishap.
    pub const ALL: [Self; 16] = [
        Self::Watchdog,
        Self::Enospc,
        Self::KillMachine,
        Self::StopMachine,
        Self::PauseMachine,
        Self::StickMachine,
        Self::ReportIoError,
        Self::BlockThreshold,
        Self::ControlError,
        Self::MemoryFailure,
        Self::BlockJobFailed,
        Self::AgentLost,
        Self::DeviceStuck,
        Self::MigrationFailed,
        Self::MigrationSlow,
        Self::Reboot,
    ];

    /// The mishap of a kind of fault.
    pub fn of_kind(kind: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|mishap| mishap.kind() == kind)
    }

    /// The kind as JSON spells it.
    pub fn kind(self) -> &'static str {
        match self {
            Self::Watchdog => "watchdog",
            Self::Enospc => "enospc",
            Self::KillMachine => "kill-machine",
            Self::StopMachine => "stop-machine",
            Self::PauseMachine => "pause-machine",
            Self::StickMachine => "stick-machine",
            Self::ReportIoError => "report-io-error",
            Self::BlockThreshold => "block-threshold",
            Self::ControlError => "control-error",
            Self::MemoryFailure => "memory-failure",
            Self::BlockJobFailed => "block-job-failed",
            Self::AgentLost => "agent-lost",
            Self::DeviceStuck => "device-stuck",
            Self::MigrationFailed => "migration-failed",
            Self::MigrationSlow => "migration-slow",
            Self::Reboot => "reboot",
        }
    }

    /// The state in which it holds the machine; nothing if the machine goes on.
    pub fn state(self) -> Option<(RunState, RunStateReason)> {
        match self {
            Self::Watchdog => Some((RunState::Paused, RunStateReason::Watchdog)),
            Self::Enospc => Some((RunState::Paused, RunStateReason::IoError)),
            Self::KillMachine => Some((RunState::Off, RunStateReason::Failed)),
            Self::StopMachine => Some((RunState::Off, RunStateReason::Destroyed)),
            Self::PauseMachine => Some((RunState::Paused, RunStateReason::User)),
            Self::StickMachine => Some((RunState::Paused, RunStateReason::Migration)),
            _ => None,
        }
    }

    /// True if it is about a disk, so that a machine without one is spared.
    pub fn needs_disk(self) -> bool {
        matches!(self, Self::Enospc | Self::ReportIoError | Self::BlockThreshold | Self::BlockJobFailed)
    }

    /// What is told when it begins.
    pub fn begins(self) -> Option<IncidentKind> {
        Some(match self {
            Self::Watchdog => IncidentKind::WatchdogFired("pause".to_owned()),
            Self::Enospc => io_error("pause", "enospc"),
            Self::KillMachine => IncidentKind::ProcessDied { signal: Some(9), status: None },
            Self::StopMachine | Self::PauseMachine | Self::StickMachine => return None,
            Self::ReportIoError => io_error("report", ""),
            Self::BlockThreshold => IncidentKind::BlockThreshold { threshold: THRESHOLD, excess: 1 << 20 },
            Self::ControlError => IncidentKind::ControlBroken,
            Self::MemoryFailure => {
                IncidentKind::MemoryFailure { recipient: "guest".to_owned(), action: "fatal".to_owned() }
            }
            Self::BlockJobFailed => block_job("failed"),
            Self::AgentLost => IncidentKind::AgentConnected(false),
            Self::DeviceStuck => IncidentKind::DeviceRemovalFailed("net1".to_owned()),
            Self::MigrationFailed => IncidentKind::JobEnded { failed: true },
            Self::MigrationSlow => IncidentKind::MigrationIteration(64),
            Self::Reboot => IncidentKind::Rebooted,
        })
    }

    /// What is told when it is over, beyond the machine's state.
    pub fn ends(self) -> Option<IncidentKind> {
        match self {
            Self::Enospc => Some(IncidentKind::DiskErrors(BTreeMap::new())),
            Self::BlockJobFailed => Some(block_job("completed")),
            Self::AgentLost => Some(IncidentKind::AgentConnected(true)),
            Self::DeviceStuck => Some(IncidentKind::DeviceRemoved("net1".to_owned())),
            Self::MigrationFailed | Self::MigrationSlow => Some(IncidentKind::JobEnded { failed: false }),
            _ => None,
        }
    }
}

/// An I/O error event.
pub fn io_error(action: &str, reason: &str) -> IncidentKind {
    IncidentKind::IoError { action: action.to_owned(), reason: reason.to_owned() }
}

fn block_job(status: &str) -> IncidentKind {
    IncidentKind::BlockJobEnded { job: "copy".to_owned(), status: status.to_owned() }
}

/// An incident of a machine, or of its disk where the kind is about one.
pub fn incident(time: Timestamp, uuid: Uuid, target: &str, kind: IncidentKind) -> Incident {
    let of_disk = matches!(
        kind,
        IncidentKind::IoError { .. } | IncidentKind::BlockThreshold { .. } | IncidentKind::BlockJobEnded { .. }
    );
    let subject = if of_disk {
        IncidentSubject::MachineDisk { uuid, target: target.to_owned() }
    } else {
        IncidentSubject::Machine(uuid)
    };
    let mut details = BTreeMap::new();
    if matches!(kind, IncidentKind::JobEnded { .. }) {
        details.insert("operation".to_owned(), "migration_out".to_owned());
    }
    Incident { time, subject, kind, details }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_are_spelled_as_json_does() {
        for mishap in Mishap::ALL {
            assert_eq!(serde_json::to_value(mishap).expect("json"), mishap.kind());
            assert_eq!(Mishap::of_kind(mishap.kind()), Some(mishap));
            assert!(mishap.begins().is_some() || mishap.state().is_some(), "{mishap:?} can be seen");
        }
        assert_eq!(Mishap::of_kind("melt"), None);
    }
}
