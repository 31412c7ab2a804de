//! libvirt's numbers for states, as the model's words. Numbers a later libvirt adds become `Unknown`.

use crate::model::storage::PoolState;
use crate::model::virtual_machine::{RunState, RunStateReason as Reason};

/// virDomainState and the reason list that belongs to it.
pub fn run_state(state: i32, reason: i32) -> (RunState, Reason) {
    const RUNNING: &[Reason] = &[
        Reason::Unknown,
        Reason::Booted,
        Reason::Migrated,
        Reason::Restored,
        Reason::FromSnapshot,
        Reason::Unpaused,
        Reason::MigrationCanceled,
        Reason::SaveCanceled,
        Reason::Wakeup,
        Reason::Crashed,
        Reason::PostCopy,
        Reason::PostCopyFailed,
    ];
    const PAUSED: &[Reason] = &[
        Reason::Unknown,
        Reason::User,
        Reason::Migration,
        Reason::Save,
        Reason::Dump,
        Reason::IoError,
        Reason::Watchdog,
        Reason::FromSnapshot,
        Reason::ShuttingDown,
        Reason::Snapshot,
        Reason::Crashed,
        Reason::StartingUp,
        Reason::PostCopy,
        Reason::PostCopyFailed,
        Reason::ApiError,
    ];
    const SHUTDOWN: &[Reason] = &[Reason::Unknown, Reason::User];
    const SHUTOFF: &[Reason] = &[
        Reason::Unknown,
        Reason::Shutdown,
        Reason::Destroyed,
        Reason::Crashed,
        Reason::Migrated,
        Reason::Saved,
        Reason::Failed,
        Reason::FromSnapshot,
        Reason::Daemon,
    ];
    const CRASHED: &[Reason] = &[Reason::Unknown, Reason::Panicked];
    let (state, reasons): (RunState, &[Reason]) = match state {
        1 => (RunState::Running, RUNNING),
        2 => (RunState::Blocked, &[]),
        3 => (RunState::Paused, PAUSED),
        4 => (RunState::ShuttingDown, SHUTDOWN),
        5 => (RunState::Off, SHUTOFF),
        6 => (RunState::Crashed, CRASHED),
        7 => (RunState::Suspended, &[]),
        _ => (RunState::Unknown, &[]),
    };
    let reason = usize::try_from(reason).ok().and_then(|index| reasons.get(index)).copied();
    (state, reason.unwrap_or_default())
}

/// virStoragePoolState.
pub fn pool_state(state: u32) -> PoolState {
    match state {
        1 => PoolState::Building,
        2 => PoolState::Running,
        3 => PoolState::Degraded,
        4 => PoolState::Inaccessible,
        _ => PoolState::Inactive,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use virt_sys as sys;

    #[test]
    fn reasons_stand_at_libvirts_numbers() {
        let rows = [
            (
                sys::VIR_DOMAIN_RUNNING,
                sys::VIR_DOMAIN_RUNNING_POSTCOPY_FAILED,
                RunState::Running,
                Reason::PostCopyFailed,
            ),
            (sys::VIR_DOMAIN_RUNNING, sys::VIR_DOMAIN_RUNNING_UNPAUSED, RunState::Running, Reason::Unpaused),
            (sys::VIR_DOMAIN_PAUSED, sys::VIR_DOMAIN_PAUSED_IOERROR, RunState::Paused, Reason::IoError),
            (sys::VIR_DOMAIN_PAUSED, sys::VIR_DOMAIN_PAUSED_WATCHDOG, RunState::Paused, Reason::Watchdog),
            (sys::VIR_DOMAIN_PAUSED, sys::VIR_DOMAIN_PAUSED_CRASHED, RunState::Paused, Reason::Crashed),
            (sys::VIR_DOMAIN_PAUSED, sys::VIR_DOMAIN_PAUSED_API_ERROR, RunState::Paused, Reason::ApiError),
            (sys::VIR_DOMAIN_SHUTOFF, sys::VIR_DOMAIN_SHUTOFF_CRASHED, RunState::Off, Reason::Crashed),
            (sys::VIR_DOMAIN_SHUTOFF, sys::VIR_DOMAIN_SHUTOFF_FAILED, RunState::Off, Reason::Failed),
            (sys::VIR_DOMAIN_SHUTOFF, sys::VIR_DOMAIN_SHUTOFF_DAEMON, RunState::Off, Reason::Daemon),
            (sys::VIR_DOMAIN_CRASHED, sys::VIR_DOMAIN_CRASHED_PANICKED, RunState::Crashed, Reason::Panicked),
            (sys::VIR_DOMAIN_NOSTATE, 0, RunState::Unknown, Reason::Unknown),
            (sys::VIR_DOMAIN_PMSUSPENDED, 0, RunState::Suspended, Reason::Unknown),
        ];
        for (state, reason, want, want_reason) in rows {
            let got = run_state(state.try_into().expect("small"), reason.try_into().expect("small"));
            assert_eq!(got, (want, want_reason));
        }
        assert_eq!(run_state(1, 99), (RunState::Running, Reason::Unknown));
        assert_eq!(run_state(-1, -1), (RunState::Unknown, Reason::Unknown), "unknown is not off");
    }
}
