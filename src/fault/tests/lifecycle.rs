//! The life of one alarm.

use super::stage::Stage;
use crate::model::alarm::ClearingKind;
use crate::model::alarm_command::{AlarmAct, AlarmRefusal};
use crate::model::host::ConnectionState;
use crate::model::incident::{IncidentKind, IncidentSubject};
use crate::model::virtual_machine::{RunState, RunStateReason};
use crate::model::{Name, PerceivedSeverity};
use uuid::Uuid;

fn stage() -> Stage {
    let mut stage = Stage::new();
    stage.host("a", ConnectionState::Connected);
    stage.machine(1, "a", RunState::Running, RunStateReason::Booted);
    stage
}

#[test]
fn raises_vm_crashed() {
    let mut stage = stage();
    let vm = stage.machine(1, "a", RunState::Off, RunStateReason::Failed);
    let (_, alarm) = stage.the("vmCrashed");
    assert_eq!(alarm.object, vm);
    assert_eq!(alarm.perceived_severity, PerceivedSeverity::Major);
    assert_eq!((alarm.object_label.as_str(), alarm.raise_count, alarm.root), ("vm-1", 1, true));
    assert_eq!(stage.told.len(), 1, "once");
}

#[test]
fn clears_vm_crashed() {
    let mut stage = stage();
    stage.machine(1, "a", RunState::Off, RunStateReason::Failed);
    stage.machine(1, "a", RunState::Running, RunStateReason::Booted);
    let (name, alarm) = stage.the("vmCrashed");
    assert!(!alarm.is_active());
    assert_eq!(alarm.clearing.expect("cleared").kind, ClearingKind::Automatic);
    stage.act(&name, AlarmAct::Acknowledge("seen".into())).expect("acknowledged");
    assert!(stage.list().is_empty(), "cleared and acknowledged alarms leave the list");
}

#[test]
fn a_second_episode_continues_the_record() {
    let mut stage = stage();
    stage.machine(1, "a", RunState::Off, RunStateReason::Failed);
    let first = stage.the("vmCrashed");
    stage.machine(1, "a", RunState::Running, RunStateReason::Booted);
    stage.pass(5);
    stage.machine(1, "a", RunState::Off, RunStateReason::Failed);
    let (name, alarm) = stage.the("vmCrashed");
    assert_eq!((name, alarm.raise_count), (first.0, 2));
    assert_eq!(alarm.first_raise_time, first.1.raise_time);
    assert!(alarm.raise_time > alarm.first_raise_time);
}

#[test]
fn a_transient_machine_that_dies_keeps_its_alarm() {
    let mut stage = stage();
    let vm = stage.machine(1, "a", RunState::Off, RunStateReason::Failed);
    stage.lose(&vm);
    let (name, alarm) = stage.the("vmCrashed");
    assert!(alarm.is_active(), "its disappearance does not clear it");
    stage.act(&name, AlarmAct::Clear(String::new())).expect("nothing else will ever clear it");
    assert!(!stage.the("vmCrashed").1.is_active());
}

#[test]
fn an_ordinary_removal_clears_the_rest() {
    let mut stage = stage();
    let vm = stage.machine(1, "a", RunState::Paused, RunStateReason::IoError);
    assert_eq!(stage.active(), ["vmPausedIoError"]);
    stage.lose(&vm);
    assert_eq!(stage.the("vmPausedIoError").1.clearing.expect("cleared").kind, ClearingKind::ObjectGone);
}

#[test]
fn what_clears_by_itself_cannot_be_cleared_by_hand() {
    let mut stage = stage();
    stage.machine(1, "a", RunState::Off, RunStateReason::Failed);
    let (name, _) = stage.the("vmCrashed");
    assert_eq!(stage.act(&name, AlarmAct::Clear(String::new())), Err(AlarmRefusal::NotClearable(name)));
}

#[test]
fn a_restart_keeps_ids_and_raise_times_and_judges_anew() {
    let mut stage = stage();
    stage.machine(1, "a", RunState::Off, RunStateReason::Failed);
    let before = stage.the("vmCrashed");
    stage.restart();
    stage.pass(60);
    stage.machine(1, "a", RunState::Off, RunStateReason::Failed);
    assert_eq!(stage.told.len(), 1, "nothing twice");
    stage.restart();
    stage.machine(1, "a", RunState::Running, RunStateReason::Booted);
    let after = stage.the("vmCrashed");
    assert_eq!((after.0, after.1.raise_time), (before.0, before.1.raise_time));
    assert!(!after.1.is_active());
}

#[test]
fn a_panic_absorbs_the_crash_it_causes() {
    let mut stage = stage();
    stage.incident("a", IncidentSubject::Machine(Uuid::from_u128(1)), IncidentKind::GuestPanicked);
    stage.machine(1, "a", RunState::Off, RunStateReason::Crashed);
    assert_eq!(stage.active(), ["vmGuestPanicked"]);
}

#[test]
fn three_failures_in_ten_minutes_are_a_loop() {
    let mut stage = stage();
    for _ in 0..3 {
        stage.machine(1, "a", RunState::Off, RunStateReason::Failed);
        stage.machine(1, "a", RunState::Running, RunStateReason::Booted);
        stage.pass(60);
    }
    assert_eq!(stage.active(), ["vmCrashLoop"]);
    stage.pass(1_900);
    assert!(stage.active().is_empty());
}

#[test]
fn a_lost_host_is_one_root_and_its_machines_are_impacted() {
    let mut stage = stage();
    for host in ["b", "c", "d", "e"] {
        stage.host(host, ConnectionState::Connected);
    }
    for number in 2..200 {
        stage.machine(number, "a", RunState::Running, RunStateReason::Booted);
    }
    stage.host("a", ConnectionState::Lost);
    assert!(stage.active().is_empty(), "hold-on");
    stage.pass(6);
    assert_eq!(stage.active(), ["hostUnreachable"]);
    let (_, alarm) = stage.the("hostUnreachable");
    assert_eq!((alarm.impacted_count, alarm.impacted.len()), (199, 100));
    stage.host("a", ConnectionState::Connected);
    assert!(stage.active().is_empty());
}

#[test]
fn many_hosts_lost_at_once_are_our_own_isolation() {
    let mut stage = stage();
    for host in ["b", "c", "d"] {
        stage.host(host, ConnectionState::Connected);
    }
    for host in ["a", "b", "c"] {
        stage.host(host, ConnectionState::Lost);
    }
    stage.pass(6);
    let (root, alarm) = stage.the("vrmIsolated");
    assert_eq!(alarm.correlated_count, 3);
    let children: Vec<_> = stage.list().into_values().filter(|alarm| alarm.alarm_type == "hostUnreachable").collect();
    assert_eq!(children.len(), 3);
    assert!(children.iter().all(|alarm| alarm.root_cause.as_ref() == Some(&root) && !alarm.root));
    for host in ["a", "b", "c"] {
        stage.host(host, ConnectionState::Connected);
    }
    stage.pass(31);
    assert!(stage.active().is_empty());
}

#[test]
fn alarms_of_a_lost_host_are_kept_as_the_last_known() {
    let mut stage = stage();
    stage.host("b", ConnectionState::Connected);
    stage.machine(1, "a", RunState::Off, RunStateReason::Failed);
    stage.host("a", ConnectionState::Lost);
    let (_, alarm) = stage.the("vmCrashed");
    assert!(alarm.is_active());
    assert_ne!(alarm.reliability, crate::model::alarm::Reliability::Ok);
    stage.host("a", ConnectionState::Connected);
    assert_eq!(stage.the("vmCrashed").1.reliability, crate::model::alarm::Reliability::Ok);
    assert_eq!(stage.the("vmCrashed").1.object, Name::virtual_machine(Uuid::from_u128(1)));
}
