//! Random lives of alarms: whatever happens, the list stays a list.

use super::stage::Stage;
use crate::model::alarm::{AlarmMatch, limits};
use crate::model::alarm_command::{AlarmAct, AlarmCommand};
use crate::model::host::ConnectionState;
use crate::model::incident::{IncidentKind, IncidentSubject};
use crate::model::virtual_machine::{RunState, RunStateReason};
use crate::model::{Alarm, AlarmProfile, AlarmShelf, Name};
use proptest::prelude::*;
use std::collections::BTreeSet;
use uuid::Uuid;

const HOSTS: [&str; 4] = ["a", "b", "c", "d"];
const BACKING: &str = "nfs://server/export";

#[derive(Clone, Debug)]
enum Step {
    Machine(u128, u8),
    Panic(u128),
    Watchdog(u128),
    Lose(u128),
    Host(usize, bool),
    Lock(usize, bool),
    Pass(u64),
    Act(usize, u8),
    Shelf(bool),
    Profile(u8),
    Polled(bool),
    Restart,
}

fn step() -> impl Strategy<Value = Step> {
    let machine = 1_u128..9;
    prop_oneof![
        6 => (machine.clone(), 0_u8..5).prop_map(|(n, kind)| Step::Machine(n, kind)),
        1 => machine.clone().prop_map(Step::Panic),
        1 => machine.clone().prop_map(Step::Watchdog),
        1 => machine.prop_map(Step::Lose),
        2 => (0_usize..4, any::<bool>()).prop_map(|(host, lost)| Step::Host(host, lost)),
        1 => (0_usize..4, any::<bool>()).prop_map(|(host, locked)| Step::Lock(host, locked)),
        3 => prop_oneof![0_u64..12, 50_u64..130, 590_u64..2_000].prop_map(Step::Pass),
        3 => (any::<usize>(), 0_u8..6).prop_map(|(at, act)| Step::Act(at, act)),
        1 => any::<bool>().prop_map(Step::Shelf),
        1 => (0_u8..3).prop_map(Step::Profile),
        1 => any::<bool>().prop_map(Step::Polled),
        1 => Just(Step::Restart),
    ]
}

/// A lost host shows nothing of its machines, and what happens to a machine is told of one that is listed.
fn can_be_seen(stage: &Stage, step: &Step) -> bool {
    let listed = |number: u128| stage.world.0.contains_key(&Name::virtual_machine(Uuid::from_u128(number)));
    let there = |number: u128| {
        let host = Name::new(format!("hosts/{}", host_of(number)));
        stage.world.0.get(&host).is_some_and(|host| !host.state.unknown)
    };
    match *step {
        Step::Machine(number, _) | Step::Lose(number) => there(number),
        Step::Panic(number) | Step::Watchdog(number) => there(number) && listed(number),
        _ => true,
    }
}

fn host_of(number: u128) -> &'static str {
    HOSTS[usize::try_from(number).unwrap_or(0) % HOSTS.len()]
}

fn take(stage: &mut Stage, step: &Step) {
    match *step {
        Step::Machine(number, 0) => drop(stage.machine_on(number, host_of(number), BACKING, true)),
        Step::Machine(number, 1) => drop(stage.machine_on(number, host_of(number), BACKING, false)),
        Step::Machine(number, kind) => {
            let (state, reason) = match kind {
                2 => (RunState::Off, RunStateReason::Failed),
                3 => (RunState::Off, RunStateReason::Shutdown),
                _ => (RunState::Running, RunStateReason::Booted),
            };
            stage.machine(number, host_of(number), state, reason);
        }
        Step::Panic(number) => incident(stage, number, IncidentKind::GuestPanicked),
        Step::Watchdog(number) => incident(stage, number, IncidentKind::WatchdogFired("none".into())),
        Step::Lose(number) => stage.lose(&Name::virtual_machine(Uuid::from_u128(number))),
        Step::Host(host, lost) => {
            let state = if lost { ConnectionState::Lost } else { ConnectionState::Connected };
            stage.host(HOSTS[host], state);
        }
        Step::Lock(host, locked) => stage.lock(HOSTS[host], locked),
        Step::Pass(seconds) => stage.pass(seconds),
        Step::Act(at, act) => act_on(stage, at, act),
        Step::Shelf(put) => rule(stage, put),
        Step::Profile(kind) => profile(stage, kind),
        Step::Polled(polled) => {
            let hearing = if polled { crate::fault::Hearing::Poll } else { crate::fault::Hearing::Event };
            stage.surveillance.hear(hearing);
        }
        Step::Restart => stage.restart(),
    }
}

fn incident(stage: &mut Stage, number: u128, kind: IncidentKind) {
    stage.incident(host_of(number), IncidentSubject::Machine(Uuid::from_u128(number)), kind);
}

fn act_on(stage: &mut Stage, at: usize, act: u8) {
    let names: Vec<Name> = stage.list().into_keys().collect();
    if names.is_empty() {
        return;
    }
    let act = match act {
        0 => AlarmAct::Acknowledge(String::new()),
        1 => AlarmAct::Unacknowledge(String::new()),
        2 => AlarmAct::Clear(String::new()),
        3 => AlarmAct::Comment("looked".into()),
        4 => AlarmAct::Link("INC1".into()),
        _ => AlarmAct::Purge,
    };
    // A refusal is an answer too.
    drop(stage.act(&names[at % names.len()], act));
}

fn crashes() -> AlarmMatch {
    AlarmMatch { alarm_types: vec!["vmCrashed".into()], ..AlarmMatch::default() }
}

fn rule(stage: &mut Stage, put: bool) {
    let name = Name::new("alarmShelves/s");
    let expire_time = Some(stage.now.plus(std::time::Duration::from_secs(300)));
    let shelf = Box::new(AlarmShelf { matches: crashes(), expire_time, ..AlarmShelf::default() });
    let command =
        if put { AlarmCommand::PutShelf { name, create: true, shelf } } else { AlarmCommand::DeleteShelf(name) };
    drop(stage.command(command));
}

fn profile(stage: &mut Stage, kind: u8) {
    let name = Name::new("alarmProfiles/p");
    let profile = AlarmProfile {
        matches: crashes(),
        off: (kind == 1).then_some(true),
        hold_on_seconds: Some(3),
        ..AlarmProfile::default()
    };
    let put = AlarmCommand::PutProfile { name: name.clone(), create: true, profile: Box::new(profile) };
    drop(stage.command(if kind == 0 { AlarmCommand::DeleteProfile(name) } else { put }));
}

/// What may be told up to ten seconds late does not count.
fn settled(alarm: &Alarm) -> Alarm {
    Alarm {
        text: String::new(),
        attributes: std::collections::BTreeMap::new(),
        correlated: Vec::new(),
        correlated_count: 0,
        history: Vec::new(),
        status_change_time: alarm.raise_time,
        ..alarm.clone()
    }
}

fn check(stage: &Stage) {
    let told = stage.list();
    let list = &stage.surveillance.list;
    assert_eq!(told.keys().cloned().collect::<Vec<_>>(), list.names(), "what was told is the list");
    let mut keys = BTreeSet::new();
    for (name, alarm) in &told {
        let held = list.get(name).expect("listed");
        assert_eq!(settled(alarm), settled(held), "no change is lost");
        assert!(keys.insert((held.object.clone(), held.alarm_type.clone())), "one record per object and type");
        assert_eq!(held.root, held.root_cause.is_none());
        assert!(held.is_active() || held.acknowledgement.is_none(), "cleared and acknowledged leaves");
        assert_eq!(held.is_active(), held.clear_time.is_none());
        assert!(held.history.len() <= limits::HISTORY && held.comments.len() <= limits::COMMENTS);
        if let Some(root) = held.root_cause.as_ref().filter(|_| held.is_active()) {
            let root = list.get(root).expect("a root is listed");
            assert!(root.is_active() && root.root, "a root is active and has no root: {root:?} of {held:?}");
        }
        if held.is_active() {
            assert_eq!(held.correlated_count as usize, list.explained_by(name).len());
        }
    }
    let shelved = told.values().filter(|alarm| alarm.shelved.is_some()).count();
    assert_eq!(list.on_shelf().values().sum::<u32>() as usize, shelved);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    #[test]
    fn the_list_stays_a_list(steps in prop::collection::vec(step(), 1..60)) {
        let mut stage = Stage::new();
        stage.backing(BACKING);
        for host in HOSTS {
            stage.host(host, ConnectionState::Connected);
        }
        for step in steps {
            take(&mut stage, &step);
            check(&stage);
            stage.pass(0);
            check(&stage);
            prop_assert!(stage.surveillance.next_deadline().is_none_or(|due| due > stage.now), "what is due is done");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    #[test]
    fn a_restart_tells_nothing(steps in prop::collection::vec(step(), 1..40)) {
        let mut stage = Stage::new();
        stage.backing(BACKING);
        for host in HOSTS {
            stage.host(host, ConnectionState::Connected);
        }
        for step in steps {
            if can_be_seen(&stage, &step) {
                take(&mut stage, &step);
            }
        }
        // What was not told yet would be told later without a restart too, and what is read again be judged.
        for name in stage.world.0.keys().cloned().collect::<Vec<_>>() {
            stage.see_again(&name);
        }
        stage.pass(3_000);
        let before = stage.told.len();
        stage.restart();
        prop_assert_eq!(stage.told.len(), before, "{:?}", &stage.told[before..]);
    }
}
