//! libvirt's event numbers in words. Numbers a later libvirt adds come out as numbers.

use crate::model::observation::GoneCause;
use std::borrow::Cow;

fn word(words: &[&'static str], number: i32) -> Cow<'static, str> {
    match usize::try_from(number).ok().and_then(|index| words.get(index)) {
        Some(word) => Cow::Borrowed(word),
        None => Cow::Owned(number.to_string()),
    }
}

/// A life-cycle event, e.g. `lifecycle stopped/migrated` (virDomainEventType and its details).
pub fn lifecycle(event: i32, detail: i32) -> String {
    const EVENTS: [&str; 9] =
        ["defined", "undefined", "started", "suspended", "resumed", "stopped", "shutdown", "pmsuspended", "crashed"];
    const DETAILS: [&[&str]; 9] = [
        &["added", "updated", "renamed", "from_snapshot"],
        &["removed", "renamed"],
        &["booted", "migrated", "restored", "from_snapshot", "wakeup", "recreated"],
        &[
            "paused",
            "migrated",
            "ioerror",
            "watchdog",
            "restored",
            "from_snapshot",
            "api_error",
            "postcopy",
            "postcopy_failed",
        ],
        &["unpaused", "migrated", "from_snapshot", "postcopy", "postcopy_failed"],
        &["shutdown", "destroyed", "crashed", "migrated", "saved", "failed", "from_snapshot", "recreated"],
        &["finished", "guest", "host"],
        &["memory", "disk"],
        &["panicked", "crashloaded"],
    ];
    let details = usize::try_from(event).ok().and_then(|index| DETAILS.get(index)).copied().unwrap_or(&[]);
    format!("lifecycle {}/{}", word(&EVENTS, event), word(details, detail))
}

/// What a life-cycle event says about a machine that leaves; nothing if it stays.
///
/// A rename comes as undefined/renamed and is no leaving; a stopped machine leaves only if it is
/// transient, which the re-reading decides.
pub fn leaving(event: i32, detail: i32) -> Option<GoneCause> {
    match (event, detail) {
        (5, 3) => Some(GoneCause::Migrated),
        // Crashed (its guest panicked, or so) and failed (its process died).
        (5, 2 | 5) => Some(GoneCause::Failed),
        (1, 0) | (5, _) => Some(GoneCause::Removed),
        _ => None,
    }
}

/// virDomainEventWatchdogAction.
pub fn watchdog(action: i32) -> Cow<'static, str> {
    word(&["none", "pause", "reset", "poweroff", "shutdown", "debug", "inject-nmi"], action)
}

/// virDomainEventIOErrorAction.
pub fn io_error(action: i32) -> Cow<'static, str> {
    word(&["none", "pause", "report"], action)
}

/// virDomainEventGraphicsPhase.
pub fn graphics(phase: i32) -> Cow<'static, str> {
    word(&["connect", "initialize", "disconnect"], phase)
}

/// virDomainBlockJobType.
pub fn block_job(kind: i32) -> Cow<'static, str> {
    word(&["unknown", "pull", "copy", "commit", "active-commit", "backup"], kind)
}

/// virConnectDomainEventBlockJobStatus.
pub fn block_job_status(status: i32) -> Cow<'static, str> {
    word(&["completed", "failed", "canceled", "ready"], status)
}

/// virConnectDomainEventAgentLifecycleReason.
pub fn agent_reason(reason: i32) -> Cow<'static, str> {
    word(&["unknown", "domain_started", "channel"], reason)
}

/// virDomainDiskErrorCode; *none* is never told.
pub fn disk_error(error: i32) -> Cow<'static, str> {
    word(&["none", "unspecified", "no_space"], error)
}

/// virDomainJobOperation.
pub fn job_operation(operation: i32) -> Cow<'static, str> {
    const OPERATIONS: [&str; 10] = [
        "unknown",
        "start",
        "save",
        "restore",
        "migration_in",
        "migration_out",
        "snapshot",
        "snapshot_revert",
        "dump",
        "backup",
    ];
    word(&OPERATIONS, operation)
}

/// virDomainMetadataType.
pub fn metadata(kind: i32) -> Cow<'static, str> {
    word(&["description", "title", "element"], kind)
}

/// virDomainMemoryFailureRecipientType.
pub fn memory_recipient(recipient: i32) -> Cow<'static, str> {
    word(&["hypervisor", "guest"], recipient)
}

/// virDomainMemoryFailureActionType.
pub fn memory_action(action: i32) -> Cow<'static, str> {
    word(&["ignore", "inject", "fatal", "reset"], action)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lifecycle_events_read_as_words() {
        assert_eq!(lifecycle(5, 3), "lifecycle stopped/migrated");
        assert_eq!(lifecycle(3, 2), "lifecycle suspended/ioerror");
        assert_eq!(lifecycle(99, 7), "lifecycle 99/7");
    }

    #[test]
    fn only_stopping_and_undefining_leave() {
        assert_eq!(leaving(5, 3), Some(GoneCause::Migrated));
        assert_eq!(leaving(5, 1), Some(GoneCause::Removed));
        assert_eq!(leaving(5, 2), Some(GoneCause::Failed));
        assert_eq!(leaving(5, 5), Some(GoneCause::Failed));
        assert_eq!(leaving(1, 0), Some(GoneCause::Removed));
        assert_eq!(leaving(1, 1), None, "a rename is no leaving");
        assert_eq!(leaving(2, 0), None);
    }
}
