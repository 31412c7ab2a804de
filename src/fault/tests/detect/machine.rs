//! Conditions that the state of a machine shows.

use super::*;
use crate::fault::{Finding, Sign, catalogue::AlarmType};
use crate::model::virtual_machine::{ControlState, DiskVolatile, VmInstance};

/// A state that is an alarm after `hold_on` seconds, and none when the machine runs again.
fn a_state_is_an_alarm(alarm_type: &str, run_state: RunState, reason: RunStateReason, hold_on: u64) -> Stage {
    let mut stage = stage();
    stage.pass(60);
    machine_is(&mut stage, run_state, reason);
    if hold_on > 0 {
        stage.pass(hold_on - 1);
        machine_is(&mut stage, run_state, reason);
        assert!(stage.active().is_empty(), "held on");
        stage.pass(1);
    }
    assert_eq!(stage.active(), [alarm_type]);
    stage
}

fn running_clears(mut stage: Stage, alarm_type: &str) {
    stage.pass(5);
    running(&mut stage);
    assert!(is_cleared(&stage, alarm_type));
}

#[test]
fn raises_vm_unexpected_stop() {
    let stage = a_state_is_an_alarm("vmUnexpectedStop", RunState::Off, RunStateReason::Shutdown, 0);
    assert_eq!(severity(&stage, "vmUnexpectedStop"), PerceivedSeverity::Major, "an operator expects it to run");
}

#[test]
fn clears_vm_unexpected_stop() {
    running_clears(
        a_state_is_an_alarm("vmUnexpectedStop", RunState::Off, RunStateReason::Destroyed, 0),
        "vmUnexpectedStop",
    );
    let mut stage = a_state_is_an_alarm("vmUnexpectedStop", RunState::Off, RunStateReason::Destroyed, 0);
    stage.change(&machine(), lock);
    assert!(is_cleared(&stage, "vmUnexpectedStop"), "it is expected to be off now");
}

#[test]
fn raises_vm_paused_io_error() {
    a_state_is_an_alarm("vmPausedIoError", RunState::Paused, RunStateReason::IoError, 0);
}

#[test]
fn clears_vm_paused_io_error() {
    running_clears(
        a_state_is_an_alarm("vmPausedIoError", RunState::Paused, RunStateReason::IoError, 0),
        "vmPausedIoError",
    );
}

#[test]
fn raises_vm_paused_unexpected() {
    a_state_is_an_alarm("vmPausedUnexpected", RunState::Paused, RunStateReason::User, 600);
}

#[test]
fn clears_vm_paused_unexpected() {
    running_clears(
        a_state_is_an_alarm("vmPausedUnexpected", RunState::Paused, RunStateReason::User, 600),
        "vmPausedUnexpected",
    );
}

#[test]
fn raises_vm_transient_state_stuck() {
    for (run_state, reason) in [
        (RunState::ShuttingDown, RunStateReason::User),
        (RunState::Paused, RunStateReason::Migration),
        (RunState::Paused, RunStateReason::Save),
        (RunState::Paused, RunStateReason::Snapshot),
        (RunState::Paused, RunStateReason::StartingUp),
    ] {
        a_state_is_an_alarm("vmTransientStateStuck", run_state, reason, 300);
    }
}

#[test]
fn clears_vm_transient_state_stuck() {
    running_clears(
        a_state_is_an_alarm("vmTransientStateStuck", RunState::ShuttingDown, RunStateReason::User, 300),
        "vmTransientStateStuck",
    );
}

fn on_two_hosts(stage: &mut Stage, digest: &str) {
    change_machine(stage, |vm| {
        vm.instances = ["a", "b"]
            .map(|host| VmInstance {
                host: host_id(host),
                technology: "qemu".into(),
                display_name: "vm-1".into(),
                run_state: RunState::Running,
                disks_digest: digest.into(),
            })
            .into();
    });
}

#[test]
fn raises_vm_duplicate_active() {
    let mut stage = stage();
    on_two_hosts(&mut stage, "d");
    assert!(stage.active().is_empty(), "a migration is over within the hold");
    stage.pass(6);
    let (_, alarm) = stage.the("vmDuplicateActive");
    assert!(alarm.text.contains("same disks"), "{}", alarm.text);
    assert_eq!(alarm.attributes["hosts"], "a b");
}

#[test]
fn clears_vm_duplicate_active() {
    let mut stage = stage();
    on_two_hosts(&mut stage, "d");
    stage.pass(6);
    change_machine(&mut stage, |vm| vm.instances.clear());
    assert!(is_cleared(&stage, "vmDuplicateActive"));
}

fn control(stage: &mut Stage, control: ControlState) {
    change_machine(stage, |vm| {
        vm.control_state = if control.is_trouble() { control } else { ControlState::Unknown };
        vm.volatile.control_state = control;
    });
}

#[test]
fn raises_vm_control_failure() {
    let mut stage = stage();
    control(&mut stage, ControlState::NotResponding);
    stage.pass(29);
    assert!(stage.active().is_empty());
    stage.pass(1);
    assert_eq!(stage.active(), ["vmControlFailure"]);
}

#[test]
fn raises_vm_control_failure_when_a_job_locks_the_machine() {
    let mut stage = stage();
    for _ in 0..12 {
        control(&mut stage, ControlState::Job);
        assert!(stage.active().is_empty(), "a job is normal for a while");
        stage.pass(10);
    }
    assert_eq!(stage.active(), ["vmControlFailure"]);
}

#[test]
fn clears_vm_control_failure() {
    let mut stage = stage();
    control(&mut stage, ControlState::Failed);
    stage.pass(31);
    control(&mut stage, ControlState::Responding);
    assert!(is_cleared(&stage, "vmControlFailure"));
}

fn stalled() -> Stage {
    let mut stage = stage();
    let mount = IncidentSubject::HostFilesystem("/srv/nfs".into());
    stage.incident("a", mount, crate::model::incident::IncidentKind::Probed(Err("5 s".into())));
    control(&mut stage, ControlState::NotResponding);
    stage.pass(31);
    stage
}

#[test]
fn raises_vm_io_stalled() {
    let stage = stalled();
    let active = stage.active();
    assert!(active.contains(&"vmIoStalled".to_owned()), "{active:?}");
    assert!(!active.contains(&"vmControlFailure".to_owned()), "its disk explains why it is silent");
    assert_eq!(stage.the("vmIoStalled").1.root_cause.as_ref(), Some(&stage.the("hostMountHung").0));
}

#[test]
fn raises_vm_io_stalled_on_partial_statistics() {
    let mut stage = stage();
    let backing = Name::storage_backing("nfs://filer/vms");
    let lost = Finding::new(AlarmType::StorageBackingLost, &backing, "lost");
    stage.signs(vec![Sign::Present(Box::new(lost))]);
    change_machine(&mut stage, |vm| vm.volatile.statistics_partial = true);
    stage.pass(31);
    assert!(stage.active().contains(&"vmIoStalled".to_owned()));
}

#[test]
fn clears_vm_io_stalled() {
    let mut stage = stalled();
    control(&mut stage, ControlState::Responding);
    stage.pass(29);
    assert!(!is_cleared(&stage, "vmIoStalled"), "held off");
    stage.pass(2);
    assert!(is_cleared(&stage, "vmIoStalled"));
}

fn agent(stage: &mut Stage, connected: bool) {
    change_definition(stage, |definition| definition.agent.connected = Some(connected));
}

fn agent_lost() -> Stage {
    let mut stage = stage();
    stage.pass(3_600);
    agent(&mut stage, false);
    stage.pass(599);
    assert!(stage.active().is_empty(), "a reboot is over within the hold");
    stage.pass(1);
    stage
}

#[test]
fn raises_vm_guest_agent_lost() {
    let stage = agent_lost();
    assert_eq!(stage.the("vmGuestAgentLost").1.object.as_str(), format!("{}/agent", machine()));
}

#[test]
fn an_agent_that_was_never_stable_is_not_missed() {
    let mut stage = stage();
    stage.pass(3_000);
    agent(&mut stage, false);
    stage.pass(3_000);
    agent(&mut stage, false);
    assert!(stage.active().is_empty());
}

#[test]
fn clears_vm_guest_agent_lost() {
    let mut stage = agent_lost();
    agent(&mut stage, true);
    assert!(is_cleared(&stage, "vmGuestAgentLost"));
    let mut stage = agent_lost();
    machine_is(&mut stage, RunState::Paused, RunStateReason::Snapshot);
    assert!(is_cleared(&stage, "vmGuestAgentLost"), "nobody answers in a paused machine");
}

fn link(stage: &mut Stage, word: &str) {
    change_definition(stage, |definition| definition.nics[0].link_state = word.into());
}

#[test]
fn raises_vm_nic_link_down() {
    let mut stage = stage();
    stage.pass(600);
    link(&mut stage, "down");
    stage.pass(31);
    let (_, alarm) = stage.the("vmNicLinkDown");
    assert_eq!(alarm.object_class, "VirtualNic");
}

#[test]
fn clears_vm_nic_link_down() {
    let mut stage = stage();
    link(&mut stage, "down");
    stage.pass(31);
    link(&mut stage, "up");
    assert!(is_cleared(&stage, "vmNicLinkDown"));
}

fn disk_used(stage: &mut Stage, used: u64, of: u64) {
    change_machine(stage, |vm| {
        let figures =
            DiskVolatile { allocation_bytes: Some(used), physical_bytes: Some(of), ..DiskVolatile::default() };
        vm.volatile.disks.insert("vda".into(), figures);
    });
}

#[test]
fn raises_vm_disk_threshold() {
    let mut stage = stage();
    disk_used(&mut stage, 89, 100);
    stage.pass(60);
    assert!(stage.active().is_empty());
    disk_used(&mut stage, 90, 100);
    stage.pass(31);
    let (_, alarm) = stage.the("vmDiskThreshold");
    assert_eq!(alarm.threshold.expect("a threshold").clear_level.to_bits(), 85.0_f64.to_bits());
}

#[test]
fn clears_vm_disk_threshold() {
    let mut stage = stage();
    disk_used(&mut stage, 92, 100);
    stage.pass(31);
    disk_used(&mut stage, 86, 100);
    assert!(!is_cleared(&stage, "vmDiskThreshold"), "hysteresis");
    disk_used(&mut stage, 84, 100);
    assert!(is_cleared(&stage, "vmDiskThreshold"));
}

#[test]
fn a_stopped_machine_under_warn_is_a_warning() {
    let settings = crate::fault::FaultSettings {
        outside_changes: crate::model::OutsideChanges::Warn,
        ..crate::fault::FaultSettings::default()
    };
    let mut stage = Stage::with(settings);
    stage.host("a", ConnectionState::Connected);
    running(&mut stage);
    stage.change(&machine(), |object| object.annotations.expectation = None);
    machine_is(&mut stage, RunState::Off, RunStateReason::Shutdown);
    stage.change(&machine(), |object| object.annotations.expectation = None);
    assert_eq!(severity(&stage, "vmUnexpectedStop"), PerceivedSeverity::Warning);
}
