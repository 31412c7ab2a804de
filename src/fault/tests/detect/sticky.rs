//! What an event told is not taken back by the reading after it.

use super::*;
use crate::model::incident::IncidentKind;

fn incarnation(stage: &mut Stage, incarnation: u64) {
    change_machine(stage, |vm| vm.volatile.incarnation = Some(incarnation));
}

#[test]
fn a_panic_stands_while_libvirt_calls_the_machine_running() {
    let mut stage = stage();
    stage.pass(60);
    stage.incident("a", the_machine(), IncidentKind::GuestPanicked);
    for _ in 0..100 {
        running(&mut stage);
        stage.pass(10);
    }
    assert_eq!(stage.active(), ["vmGuestPanicked"]);
    machine_is(&mut stage, RunState::Off, RunStateReason::Destroyed);
    assert_eq!(stage.active(), ["vmGuestPanicked"], "a stop says nothing about it");
    stage.pass(5);
    running(&mut stage);
    assert!(is_cleared(&stage, "vmGuestPanicked"), "it runs again");
}

#[test]
fn another_incarnation_is_another_run_and_the_same_is_not() {
    let mut stage = stage();
    incarnation(&mut stage, 7);
    stage.incident("a", the_machine(), IncidentKind::GuestPanicked);
    machine_is(&mut stage, RunState::Paused, RunStateReason::User);
    stage.pass(60);
    running(&mut stage);
    assert_eq!(stage.active(), ["vmGuestPanicked"], "paused and resumed, it is the same guest");
    incarnation(&mut stage, 8);
    assert!(is_cleared(&stage, "vmGuestPanicked"));
}

#[test]
fn a_migrated_panic_is_still_one() {
    let mut stage = stage();
    incarnation(&mut stage, 7);
    stage.incident("a", the_machine(), IncidentKind::GuestPanicked);
    stage.pass(60);
    machine_is(&mut stage, RunState::Running, RunStateReason::Migrated);
    incarnation(&mut stage, 9);
    assert_eq!(stage.active(), ["vmGuestPanicked"]);
}

#[test]
fn a_panic_stands_over_a_restart_of_the_daemon() {
    let mut stage = stage();
    incarnation(&mut stage, 7);
    stage.incident("a", the_machine(), IncidentKind::GuestPanicked);
    stage.pass(60);
    stage.restart();
    stage.pass(60);
    running(&mut stage);
    assert_eq!(stage.active(), ["vmGuestPanicked"]);
}

#[test]
fn a_late_reading_does_not_take_an_event_back_but_a_later_one_does() {
    let mut stage = stage();
    stage.pass(60);
    stage.incident("a", the_machine(), IncidentKind::ControlBroken);
    running(&mut stage);
    stage.pass(20);
    running(&mut stage);
    assert_eq!(stage.active(), ["vmControlFailure"]);
    stage.pass(11);
    running(&mut stage);
    assert!(is_cleared(&stage, "vmControlFailure"));
}

#[test]
fn a_new_state_after_the_event_counts_at_once() {
    let mut stage = stage();
    stage.pass(60);
    let kind = IncidentKind::IoError { action: "pause".into(), reason: "eio".into() };
    stage.incident("a", the_disk(), kind);
    machine_is(&mut stage, RunState::Paused, RunStateReason::IoError);
    stage.pass(1);
    machine_is(&mut stage, RunState::Running, RunStateReason::Unpaused);
    assert!(is_cleared(&stage, "vmPausedIoError"));
}

#[test]
fn a_panic_and_the_stop_it_causes_are_one_failure() {
    let mut stage = stage();
    for _ in 0..2 {
        stage.pass(60);
        stage.incident("a", the_machine(), IncidentKind::GuestPanicked);
        machine_is(&mut stage, RunState::Crashed, RunStateReason::Panicked);
        stage.pass(5);
        running(&mut stage);
    }
    assert!(stage.active().is_empty(), "two failures are no loop: {:?}", stage.active());
}
