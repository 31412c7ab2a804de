//! Conditions that what happens to a machine shows.

use super::*;
use crate::model::alarm_command::AlarmAct;
use crate::model::incident::IncidentKind;
use std::collections::BTreeMap;

fn happens(kind: IncidentKind) -> Stage {
    let mut stage = stage();
    stage.pass(60);
    stage.incident("a", the_machine(), kind);
    running(&mut stage);
    stage
}

fn happens_to_disk(kind: IncidentKind) -> Stage {
    let mut stage = stage();
    stage.pass(60);
    stage.incident("a", the_disk(), kind);
    running(&mut stage);
    stage
}

#[test]
fn raises_vm_crashed_by_its_exit() {
    let stage = happens(IncidentKind::ProcessDied { signal: Some(9), status: None });
    assert_eq!(stage.the("vmCrashed").1.attributes["signal"], "9");
    let stage = happens(IncidentKind::ProcessDied { signal: None, status: Some(0) });
    assert!(stage.active().is_empty(), "it was stopped in order");
}

#[test]
fn raises_vm_guest_panicked() {
    assert_eq!(happens(IncidentKind::GuestPanicked).active(), ["vmGuestPanicked"]);
}

#[test]
fn clears_vm_guest_panicked() {
    let mut stage = happens(IncidentKind::GuestPanicked);
    stage.incident("a", the_machine(), IncidentKind::Rebooted);
    assert!(is_cleared(&stage, "vmGuestPanicked"));
}

#[test]
fn raises_vm_watchdog_fired() {
    let mut stage = happens(IncidentKind::WatchdogFired("pause".into()));
    machine_is(&mut stage, RunState::Paused, RunStateReason::Watchdog);
    stage.pass(600);
    assert_eq!(stage.active(), ["vmWatchdogFired"], "it stands as long as the machine stands still");
    running(&mut stage);
    stage.pass(299);
    assert_eq!(stage.active(), ["vmWatchdogFired"]);
    stage.pass(2);
    assert!(is_cleared(&stage, "vmWatchdogFired"), "it has run for 5 min");
}

#[test]
fn clears_vm_watchdog_fired() {
    let mut stage = happens(IncidentKind::WatchdogFired("reset".into()));
    stage.incident("a", the_machine(), IncidentKind::Rebooted);
    stage.pass(299);
    assert!(!is_cleared(&stage, "vmWatchdogFired"));
    stage.pass(2);
    assert!(is_cleared(&stage, "vmWatchdogFired"));
}

#[test]
fn reading_a_paused_machine_again_is_no_crash_loop() {
    let mut stage = happens(IncidentKind::WatchdogFired("pause".into()));
    for _ in 0..20 {
        stage.pass(10);
        machine_is(&mut stage, RunState::Paused, RunStateReason::Watchdog);
    }
    assert_eq!(stage.active(), ["vmWatchdogFired"]);
}

#[test]
fn raises_vm_crash_loop() {
    let mut stage = stage();
    for _ in 0..3 {
        stage.pass(60);
        stage.incident("a", the_machine(), IncidentKind::WatchdogFired("reset".into()));
    }
    assert!(stage.active().contains(&"vmCrashLoop".to_owned()));
}

#[test]
fn clears_vm_crash_loop() {
    let mut stage = stage();
    for _ in 0..3 {
        stage.incident("a", the_machine(), IncidentKind::WatchdogFired("reset".into()));
        stage.pass(60);
    }
    stage.pass(1_801);
    assert!(is_cleared(&stage, "vmCrashLoop"));
}

fn io_error(action: &str, reason: &str) -> IncidentKind {
    IncidentKind::IoError { action: action.into(), reason: reason.into() }
}

#[test]
fn raises_vm_disk_no_space() {
    let mut stage = happens_to_disk(io_error("pause", "enospc"));
    machine_is(&mut stage, RunState::Paused, RunStateReason::IoError);
    assert_eq!(stage.active(), ["vmDiskNoSpace"], "told once, at the disk");
    assert_eq!(stage.the("vmDiskNoSpace").1.object_class, "VirtualDisk");
    let errors = BTreeMap::from([("vda".to_owned(), "no_space".to_owned())]);
    assert_eq!(happens(IncidentKind::DiskErrors(errors)).active(), ["vmDiskNoSpace"]);
}

#[test]
fn clears_vm_disk_no_space() {
    let mut stage = happens_to_disk(io_error("pause", "enospc"));
    machine_is(&mut stage, RunState::Paused, RunStateReason::IoError);
    stage.pass(60);
    running(&mut stage);
    assert!(is_cleared(&stage, "vmDiskNoSpace"));
    assert!(stage.active().is_empty());
    let mut stage = happens_to_disk(io_error("pause", "enospc"));
    stage.incident("a", the_machine(), IncidentKind::DiskErrors(BTreeMap::new()));
    assert!(is_cleared(&stage, "vmDiskNoSpace"));
}

#[test]
fn raises_vm_disk_io_error() {
    assert_eq!(happens_to_disk(io_error("report", "eio")).active(), ["vmDiskIoError"]);
}

#[test]
fn clears_vm_disk_io_error() {
    let mut stage = happens_to_disk(io_error("report", "eio"));
    stage.pass(899);
    assert_eq!(stage.active(), ["vmDiskIoError"]);
    stage.pass(2);
    assert!(is_cleared(&stage, "vmDiskIoError"));
    let mut stage = happens_to_disk(io_error("report", "eio"));
    stage.incident("a", the_machine(), IncidentKind::Rebooted);
    assert!(is_cleared(&stage, "vmDiskIoError"), "the guest was reset");
}

#[test]
fn raises_vm_disk_threshold_by_event() {
    let stage = happens_to_disk(IncidentKind::BlockThreshold { threshold: 80, excess: 1 });
    assert_eq!(stage.the("vmDiskThreshold").1.attributes["threshold"], "80");
}

#[test]
fn clears_vm_disk_threshold_when_the_device_was_extended() {
    let mut stage = stage();
    let used = |stage: &mut Stage, used: u64, of: u64| {
        change_machine(stage, |vm| {
            let figures = vm.volatile.disks.entry("vda".into()).or_default();
            (figures.allocation_bytes, figures.physical_bytes) = (Some(used), Some(of));
        });
    };
    used(&mut stage, 81, 100);
    stage.incident("a", the_disk(), IncidentKind::BlockThreshold { threshold: 80, excess: 1 });
    stage.pass(60);
    used(&mut stage, 82, 100);
    assert_eq!(stage.active(), ["vmDiskThreshold"]);
    used(&mut stage, 82, 200);
    assert!(is_cleared(&stage, "vmDiskThreshold"));
}

#[test]
fn raises_vm_control_failure_by_event() {
    assert_eq!(happens(IncidentKind::ControlBroken).active(), ["vmControlFailure"], "at once");
}

fn memory_failure(recipient: &str, action: &str) -> IncidentKind {
    IncidentKind::MemoryFailure { recipient: recipient.into(), action: action.into() }
}

#[test]
fn raises_vm_memory_failure() {
    let stage = happens(memory_failure("guest", "inject"));
    assert_eq!(severity(&stage, "vmMemoryFailure"), PerceivedSeverity::Major);
    for (recipient, action) in [("guest", "fatal"), ("guest", "reset"), ("hypervisor", "ignore")] {
        let stage = happens(memory_failure(recipient, action));
        assert_eq!(severity(&stage, "vmMemoryFailure"), PerceivedSeverity::Critical);
    }
}

#[test]
fn clears_vm_memory_failure_by_hand() {
    let mut stage = happens(memory_failure("guest", "inject"));
    stage.pass(100_000);
    let (name, alarm) = stage.the("vmMemoryFailure");
    assert!(alarm.is_active(), "nothing tells that it is good again");
    stage.act(&name, AlarmAct::Clear("new module".into())).expect("a person may");
    assert!(is_cleared(&stage, "vmMemoryFailure"));
}

fn block_job(status: &str) -> IncidentKind {
    IncidentKind::BlockJobEnded { job: "copy".into(), status: status.into() }
}

#[test]
fn raises_vm_block_job_failed() {
    assert_eq!(happens_to_disk(block_job("failed")).active(), ["vmBlockJobFailed"]);
    assert!(happens_to_disk(block_job("canceled")).active().is_empty(), "that is how backup tools end a copy");
}

#[test]
fn clears_vm_block_job_failed() {
    let mut stage = happens_to_disk(block_job("failed"));
    stage.incident("a", the_disk(), block_job("completed"));
    assert!(is_cleared(&stage, "vmBlockJobFailed"));
}

#[test]
fn raises_vm_device_removal_failed() {
    let stage = happens(IncidentKind::DeviceRemovalFailed("net1".into()));
    assert_eq!(stage.the("vmDeviceRemovalFailed").1.attributes["device"], "net1");
}

#[test]
fn clears_vm_device_removal_failed() {
    let mut stage = happens(IncidentKind::DeviceRemovalFailed("net1".into()));
    stage.incident("a", the_machine(), IncidentKind::DeviceRemoved("net2".into()));
    assert!(!is_cleared(&stage, "vmDeviceRemovalFailed"), "another device");
    stage.incident("a", the_machine(), IncidentKind::DeviceRemoved("net1".into()));
    assert!(is_cleared(&stage, "vmDeviceRemovalFailed"));
    let mut stage = happens(IncidentKind::DeviceRemovalFailed("net1".into()));
    stage.pass(86_401);
    assert!(is_cleared(&stage, "vmDeviceRemovalFailed"));
}

fn job_ended(stage: &mut Stage, operation: &str, failed: bool) {
    stage.incident_with("a", the_machine(), IncidentKind::JobEnded { failed }, &[("operation", operation)]);
}

#[test]
fn raises_vm_migration_failed() {
    let mut stage = stage();
    job_ended(&mut stage, "save", true);
    assert!(stage.active().is_empty(), "another job");
    job_ended(&mut stage, "migration_out", true);
    assert_eq!(severity(&stage, "vmMigrationFailed"), PerceivedSeverity::Minor);
    machine_is(&mut stage, RunState::Paused, RunStateReason::PostCopyFailed);
    assert_eq!(severity(&stage, "vmMigrationFailed"), PerceivedSeverity::Critical);
}

#[test]
fn clears_vm_migration_failed() {
    let mut stage = stage();
    job_ended(&mut stage, "migration_out", true);
    running(&mut stage);
    assert!(!is_cleared(&stage, "vmMigrationFailed"), "that it runs is no news");
    job_ended(&mut stage, "migration_out", false);
    assert!(is_cleared(&stage, "vmMigrationFailed"));
    machine_is(&mut stage, RunState::Paused, RunStateReason::PostCopyFailed);
    assert!(!is_cleared(&stage, "vmMigrationFailed"));
    stage.pass(60);
    running(&mut stage);
    assert!(is_cleared(&stage, "vmMigrationFailed"), "resumed after post-copy");
}

#[test]
fn raises_vm_migration_slow() {
    let mut stage = stage();
    stage.incident("a", the_machine(), IncidentKind::MigrationIteration(30));
    assert!(stage.active().is_empty());
    stage.incident("a", the_machine(), IncidentKind::MigrationIteration(31));
    assert_eq!(stage.active(), ["vmMigrationSlow"]);
}

#[test]
fn raises_vm_migration_slow_by_time() {
    let mut stage = stage();
    stage.incident("a", the_machine(), IncidentKind::MigrationIteration(1));
    stage.pass(901);
    stage.incident("a", the_machine(), IncidentKind::MigrationIteration(3));
    assert_eq!(stage.active(), ["vmMigrationSlow"]);
}

#[test]
fn clears_vm_migration_slow() {
    let mut stage = stage();
    stage.incident("a", the_machine(), IncidentKind::MigrationIteration(64));
    job_ended(&mut stage, "migration_out", false);
    assert!(is_cleared(&stage, "vmMigrationSlow"));
    stage.pass(1_000);
    stage.incident("a", the_machine(), IncidentKind::MigrationIteration(1));
    assert!(is_cleared(&stage, "vmMigrationSlow"), "another migration begins at nothing");
}

#[test]
fn an_agent_event_tells_what_the_state_tells() {
    let mut stage = stage();
    stage.pass(3_600);
    stage.incident("a", the_machine(), IncidentKind::AgentConnected(false));
    stage.pass(601);
    assert_eq!(stage.active(), ["vmGuestAgentLost"]);
    stage.incident("a", the_machine(), IncidentKind::AgentConnected(true));
    assert!(is_cleared(&stage, "vmGuestAgentLost"));
}
