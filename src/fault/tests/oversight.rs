//! Hosts away, maintenance, shelves, profiles, commands and floods.

use super::stage::Stage;
use crate::fault::catalogue::AlarmType;
use crate::fault::{Finding, Sign};
use crate::model::alarm::{AlarmMatch, AlarmTransition, Reliability, limits};
use crate::model::alarm_command::{AlarmAct, AlarmCommand, AlarmRefusal, AlarmTarget};
use crate::model::host::ConnectionState;
use crate::model::incident::{IncidentKind, IncidentSubject};
use crate::model::virtual_machine::{RunState, RunStateReason};
use crate::model::{AlarmProfile, AlarmShelf, Name, PerceivedSeverity};
use std::time::Duration;
use uuid::Uuid;

fn site() -> Stage {
    let mut stage = Stage::new();
    for host in ["a", "b", "c", "d", "e"] {
        stage.host(host, ConnectionState::Connected);
    }
    stage.machine(1, "a", RunState::Off, RunStateReason::Failed);
    stage
}

fn vm(number: u128) -> Name {
    Name::virtual_machine(Uuid::from_u128(number))
}

fn matching(alarm_type: &str) -> AlarmMatch {
    AlarmMatch { alarm_types: vec![alarm_type.to_owned()], ..AlarmMatch::default() }
}

#[test]
fn a_restart_while_a_host_is_away_keeps_its_alarms_and_their_end_is_seen() {
    let mut stage = site();
    stage.host("a", ConnectionState::Lost);
    stage.pass(20);
    let away = stage.the("vmCrashed").1.reliability;
    assert!(matches!(away, Reliability::SourceUnreachable { .. }));
    let told = stage.told.len();
    stage.restart();
    stage.pass(20);
    assert_eq!(stage.told.len(), told, "{:?}", &stage.told[told..]);
    assert_eq!(stage.the("vmCrashed").1.reliability, away, "since when it was");
    stage.host("a", ConnectionState::Connected);
    assert_eq!(stage.the("vmCrashed").1.reliability, Reliability::Ok);
    assert_eq!(stage.active(), ["vmCrashed"]);
}

#[test]
fn hosts_that_are_only_connecting_after_a_restart_are_not_back() {
    let mut stage = site();
    for host in ["a", "b", "c"] {
        stage.host(host, ConnectionState::Lost);
    }
    stage.pass(10);
    stage.restart();
    stage.pass(120);
    assert!(stage.the("vrmIsolated").1.is_active());
    for host in ["a", "b"] {
        stage.host(host, ConnectionState::Connected);
    }
    stage.pass(31);
    assert!(!stage.the("vrmIsolated").1.is_active(), "half of them are back for 30 s");
    let (_, left) = stage
        .list()
        .into_iter()
        .find(|(_, alarm)| alarm.alarm_type == "hostUnreachable" && alarm.is_active())
        .expect("c");
    assert!(left.root, "what is still away stands for itself");
}

#[test]
fn refused_credentials_are_no_isolation() {
    let mut stage = site();
    for host in ["a", "b", "c", "d"] {
        stage.host(host, ConnectionState::Refused);
    }
    stage.pass(60);
    assert!(!stage.active().contains(&"vrmIsolated".to_owned()), "{:?}", stage.active());
}

#[test]
fn maintenance_suppresses_and_what_is_left_is_told_after_the_settle_time_also_over_a_restart() {
    let mut stage = site();
    stage.lock("a", true);
    let (name, alarm) = stage.the("vmCrashed");
    assert!(alarm.planned_outage && alarm.suppressed_by.is_some());
    stage.restart();
    stage.pass(300);
    assert!(stage.list()[&name].suppressed_by.is_some(), "still locked");
    stage.lock("a", false);
    stage.pass(60);
    stage.restart();
    assert!(stage.list()[&name].suppressed_by.is_some(), "settling");
    stage.pass(121);
    let alarm = &stage.list()[&name];
    assert!(alarm.suppressed_by.is_none() && !alarm.planned_outage);
    assert_eq!(alarm.history.last().expect("kept").transition, AlarmTransition::Unsuppressed);
}

#[test]
fn shelves_take_alarms_in_order_and_give_them_back() {
    let mut stage = site();
    let put = |id: &str, order: u32, seconds: Option<u64>, now: crate::model::Timestamp| AlarmCommand::PutShelf {
        name: Name::new(format!("alarmShelves/{id}")),
        create: true,
        shelf: Box::new(AlarmShelf {
            order,
            matches: matching("vmCrashed"),
            expire_time: seconds.map(|seconds| now.plus(Duration::from_secs(seconds))),
            ..AlarmShelf::default()
        }),
    };
    let now = stage.now;
    stage.command(put("late", 20, None, now)).expect("made");
    stage.command(put("early", 10, Some(60), now)).expect("made");
    let shelf = |stage: &Stage| stage.the("vmCrashed").1.shelved.map(|shelving| shelving.shelf.id());
    assert_eq!(shelf(&stage).as_deref(), Some("early"));
    stage.machine(2, "b", RunState::Off, RunStateReason::Failed);
    assert!(stage.list().values().all(|alarm| alarm.shelved.is_some()), "later ones too");
    stage.lose(&vm(2));
    stage.pass(61);
    assert_eq!(stage.list().values().next().expect("kept").shelved.as_ref().expect("shelved").shelf.id(), "late");
    stage.command(AlarmCommand::DeleteShelf(Name::new("alarmShelves/late"))).expect("removed");
    assert!(stage.list().values().all(|alarm| alarm.shelved.is_none()));
}

#[test]
fn a_profile_grades_holds_and_switches_off() {
    let mut stage = site();
    let name = Name::new("alarmProfiles/p");
    let put = |stage: &mut Stage, create: bool, profile: AlarmProfile| {
        let profile = AlarmProfile { matches: matching("vmCrashed"), ..profile };
        let command = AlarmCommand::PutProfile { name: name.clone(), create, profile: Box::new(profile) };
        stage.command(command).expect("taken");
    };
    let critical = [(PerceivedSeverity::Major, PerceivedSeverity::Critical)].into();
    put(&mut stage, true, AlarmProfile { severity: critical, ..AlarmProfile::default() });
    assert_eq!(stage.the("vmCrashed").1.perceived_severity, PerceivedSeverity::Critical);
    put(&mut stage, false, AlarmProfile { off: Some(true), ..AlarmProfile::default() });
    assert!(stage.active().is_empty());
    put(&mut stage, false, AlarmProfile { hold_on_seconds: Some(60), ..AlarmProfile::default() });
    assert!(stage.active().is_empty(), "it has to stand");
    put(&mut stage, false, AlarmProfile { hold_on_seconds: Some(0), ..AlarmProfile::default() });
    assert_eq!(stage.active(), ["vmCrashed"], "a shorter hold holds at once");
    assert_eq!(stage.the("vmCrashed").1.raise_count, 2);
}

#[test]
fn acts_are_kept_bounded_and_answered() {
    let mut stage = site();
    let (name, _) = stage.the("vmCrashed");
    for number in 0..40 {
        stage.act(&name, AlarmAct::Comment(format!("remark {number}"))).expect("kept");
    }
    let alarm = stage.the("vmCrashed").1;
    assert_eq!((alarm.comments.len(), alarm.history.len()), (limits::COMMENTS, limits::HISTORY));
    assert_eq!(alarm.comments.last().expect("kept").text, "remark 39");
    stage.act(&name, AlarmAct::Acknowledge("mine".into())).expect("acknowledged");
    let told = stage.told.len();
    stage.act(&name, AlarmAct::Acknowledge("mine".into())).expect("no error");
    assert_eq!(stage.told.len(), told, "nothing changed");
    stage.act(&name, AlarmAct::Unacknowledge(String::new())).expect("taken back");
    assert!(stage.the("vmCrashed").1.acknowledgement.is_none());
    stage.act(&name, AlarmAct::Link("INC1".into())).expect("linked");
    stage.act(&name, AlarmAct::Unlink("INC1".into())).expect("unlinked");
    assert!(stage.the("vmCrashed").1.external_references.is_empty());
    assert_eq!(stage.act(&name, AlarmAct::Purge), Err(AlarmRefusal::StillActive(name.clone())));
    stage.machine(1, "a", RunState::Running, RunStateReason::Booted);
    stage.act(&name, AlarmAct::Purge).expect("purged");
    assert!(stage.list().is_empty());
    assert_eq!(stage.act(&name, AlarmAct::Purge), Err(AlarmRefusal::NotFound(name)));
}

#[test]
fn cleared_alarms_are_acknowledged_by_the_system_after_a_day() {
    let mut stage = site();
    stage.machine(1, "a", RunState::Running, RunStateReason::Booted);
    stage.pass(24 * 3600 - 5);
    assert_eq!(stage.list().len(), 1);
    stage.pass(10);
    assert!(stage.list().is_empty());
    let (_, last) = stage.told.iter().rev().find(|(_, alarm)| alarm.is_some()).expect("told");
    let acknowledged = last.as_ref().and_then(|alarm| alarm.acknowledgement.as_ref()).expect("acknowledged");
    assert_eq!(acknowledged.actor.principal, crate::model::Actor::system().principal);
}

#[test]
fn the_alarm_of_a_machine_that_is_gone_leaves_when_somebody_took_note_or_after_a_day() {
    let mut stage = site();
    stage.machine(2, "b", RunState::Off, RunStateReason::Failed);
    for number in [1, 2] {
        stage.lose(&vm(number));
    }
    assert_eq!(stage.active().len(), 2);
    let (first, _) = stage.list().into_iter().next().expect("listed");
    stage.act(&first, AlarmAct::Acknowledge(String::new())).expect("acknowledged");
    assert_eq!(stage.list().len(), 1);
    stage.restart();
    stage.pass(24 * 3600 + 1);
    assert!(stage.list().is_empty());
}

#[test]
fn what_another_alarm_absorbed_is_not_told_for_a_moment_when_both_end() {
    let mut stage = site();
    stage.incident("b", IncidentSubject::Machine(Uuid::from_u128(2)), IncidentKind::GuestPanicked);
    stage.machine(2, "b", RunState::Off, RunStateReason::Crashed);
    stage.machine(2, "b", RunState::Running, RunStateReason::Booted);
    stage.incident("b", IncidentSubject::Machine(Uuid::from_u128(2)), IncidentKind::GuestPanicked);
    stage.machine(2, "b", RunState::Off, RunStateReason::Crashed);
    stage.lose(&vm(2));
    let crashes = stage.told.iter().filter(|(_, alarm)| {
        alarm.as_ref().is_some_and(|alarm| alarm.object == vm(2) && alarm.alarm_type == "vmCrashed")
    });
    assert_eq!(crashes.count(), 0);
}

#[test]
fn one_failure_told_by_two_signs_counts_once() {
    let mut stage = Stage::new();
    stage.host("a", ConnectionState::Connected);
    for _ in 0..2 {
        stage.machine(1, "a", RunState::Off, RunStateReason::Crashed);
        stage.incident("a", IncidentSubject::Machine(Uuid::from_u128(1)), IncidentKind::GuestPanicked);
        stage.machine(1, "a", RunState::Running, RunStateReason::Booted);
        stage.pass(60);
    }
    assert!(!stage.list().values().any(|alarm| alarm.alarm_type == "vmCrashLoop"));
}

#[test]
fn words_alone_are_told_once_in_ten_seconds_and_a_severity_at_once() {
    let mut stage = site();
    let finding = |text: String, severity| {
        vec![Sign::Present(Box::new(Finding::new(AlarmType::VrmOverload, &Name::vrm(), text).severity(severity)))]
    };
    let minor = PerceivedSeverity::Minor;
    stage.signs(finding("0".into(), minor));
    stage.pass(31);
    let told = stage.told.len();
    for number in 1..100 {
        stage.signs(finding(number.to_string(), minor));
    }
    assert_eq!(stage.told.len(), told);
    stage.pass(10);
    assert_eq!(stage.told.len(), told + 1, "one for all of them");
    assert_eq!(stage.the("vrmOverload").1.text, "99", "the last one");
    assert!(stage.surveillance.counters().coalesced >= 99);
    stage.signs(finding("100".into(), PerceivedSeverity::Major));
    assert_eq!(stage.the("vrmOverload").1.perceived_severity, PerceivedSeverity::Major);
}

#[test]
fn what_comes_and_goes_is_held_and_says_so() {
    let mut stage = site();
    for _ in 0..4 {
        stage.machine(2, "b", RunState::Paused, RunStateReason::IoError);
        stage.machine(2, "b", RunState::Running, RunStateReason::Booted);
        stage.pass(5);
    }
    let told = stage.told.len();
    for _ in 0..10 {
        stage.machine(2, "b", RunState::Paused, RunStateReason::IoError);
        stage.machine(2, "b", RunState::Running, RunStateReason::Booted);
        stage.pass(5);
    }
    let alarm = stage.the("vmPausedIoError").1;
    assert!(alarm.is_active());
    assert_eq!(alarm.attributes.get("toggling").map(String::as_str), Some("true"));
    assert!(stage.told.len() - told <= 6, "{} told", stage.told.len() - told);
    stage.pass(601);
    assert!(!stage.the("vmPausedIoError").1.is_active());
}

/// REQ-FM-FUN-19: a profile says when a condition of its types toggles.
#[test]
fn a_profile_says_when_a_condition_toggles() {
    let flap = |stage: &mut Stage, times: usize| {
        for _ in 0..times {
            stage.machine(2, "b", RunState::Paused, RunStateReason::IoError);
            stage.machine(2, "b", RunState::Running, RunStateReason::Booted);
            stage.pass(5);
        }
    };
    let profiled = |count: f64, seconds: f64| {
        let mut stage = site();
        let thresholds = [("toggle.count".to_owned(), count), ("toggle.seconds".to_owned(), seconds)].into();
        let profile = AlarmProfile { matches: matching("vmPausedIoError"), thresholds, ..AlarmProfile::default() };
        let name = Name::new("alarmProfiles/t");
        stage.command(AlarmCommand::PutProfile { name, create: true, profile: Box::new(profile) }).expect("taken");
        stage
    };
    let mut early = profiled(2.0, 60.0);
    flap(&mut early, 3);
    assert!(early.the("vmPausedIoError").1.is_active(), "the third return is held");
    early.pass(61);
    assert!(!early.the("vmPausedIoError").1.is_active(), "for the window of the profile");
    let mut never = profiled(0.0, 600.0);
    flap(&mut never, 8);
    assert!(!never.the("vmPausedIoError").1.is_active(), "switched off");
}

#[test]
fn related_alarms_are_acted_on_once_each() {
    let mut stage = site();
    for host in ["b", "c", "d"] {
        stage.host(host, ConnectionState::Lost);
    }
    stage.pass(10);
    let (root, _) = stage.the("vrmIsolated");
    let act = AlarmAct::Acknowledge("all".into());
    let targets = vec![AlarmTarget { name: root, etag: String::new() }];
    stage.command(AlarmCommand::Act { targets, related: true, act }).expect("acknowledged");
    let acknowledged = stage.list().values().filter(|alarm| alarm.acknowledgement.is_some()).count();
    assert_eq!(acknowledged, 4, "{:#?}", stage.list());
}

#[test]
fn a_flood_of_ten_thousand_is_carried_without_loss() {
    let mut stage = Stage::new();
    for host in 0..200 {
        stage.host(&format!("h{host}"), ConnectionState::Connected);
    }
    // CPU time, not the clock's: other tests run beside this one.
    let begun = cpu_time();
    for number in 0..10_000_u128 {
        let host = format!("h{}", number % 200);
        stage.machine(number, &host, RunState::Paused, RunStateReason::IoError);
    }
    assert_eq!(stage.active().len(), 10_000);
    for number in 0..10_000_u128 {
        let host = format!("h{}", number % 200);
        stage.machine(number, &host, RunState::Running, RunStateReason::Booted);
    }
    let took = cpu_time() - begun;
    assert!(stage.active().is_empty());
    assert_eq!(stage.told.len(), 20_000, "each raise and each clear");
    eprintln!("10,000 raised and cleared in {took:?} (unoptimised)");
    assert!(took < Duration::from_secs(10));
}

/// CPU time of this thread.
fn cpu_time() -> Duration {
    let figures = std::fs::read_to_string("/proc/thread-self/schedstat").expect("Linux keeps it");
    let on_cpu = figures.split_whitespace().next().and_then(|figure| figure.parse().ok());
    Duration::from_nanos(on_cpu.expect("a number of nanoseconds"))
}
