use super::*;
use crate::hypervisor::sim::census::Seen;
use crate::hypervisor::sim::fault::Entry;
use crate::model::observation::{Fact, MachineFacts};
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use uuid::Uuid;

const SECOND: i64 = 1_000_000;
/// Some day in 2026.
const DAY: i64 = 1_790_000_000 * SECOND;

fn described(world: &World, seen: &Seen) -> MachineFacts {
    world.machine_facts(seen, Arc::new(world.definition(&world.shape(seen))))
}

fn plan(hosts: usize, vms: u32, seed: u64, churn: Churn) -> Plan {
    let hosts = (1..=hosts).map(|number| HostId::parse(&format!("sim-{number}")).expect("good id")).collect();
    Plan { name: "sim".to_owned(), hosts, vms, seed, churn, script: Script::Empty, speed_milli: 1_000 }
}

fn at(seconds: i64) -> Timestamp {
    Timestamp(DAY + seconds * SECOND)
}

/// Everything that can be seen of a world, as text.
fn everything(world: &World) -> String {
    let mut text = String::new();
    for host in 0..world.hosts().len() as u64 {
        for seen in world.machines(host) {
            text.push_str(&format!("{:?} {:?}\n", described(world, &seen), world.machine_statistics(&seen)));
        }
        text.push_str(&format!("{:?} {:?}\n", world.pools(host), world.networks(host)));
    }
    text
}

fn some_faults() -> Script {
    let fault = |at: i64, fault| Entry { at: at * SECOND, fault };
    let vm = |slot: u32| format!("#{slot}");
    Script::Written(vec![
        fault(20, Fault::CrashMachine { vm: vm(0) }),
        fault(25, Fault::HangMachine { vm: vm(1) }),
        fault(26, Fault::IoError { vm: vm(2) }),
        fault(30, Fault::Storm { changes_per_second: 7, seconds: 40 }),
        fault(31, Fault::FillPool { host: "1".to_owned(), pool: "nfs".to_owned() }),
        fault(50, Fault::DuplicateUuid { vm: vm(4), host: "2".to_owned() }),
        fault(90, Fault::Restore { host: None, vm: None }),
        fault(200, Fault::PanicMachine { vm: vm(3) }),
    ])
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_world_depends_on_time_and_not_on_how_it_was_reached(
        seed in any::<u64>(),
        lifecycle in any::<bool>(),
        mut stops in proptest::collection::vec(0_i64..600, 0..12),
        end in 600_i64..1_500,
    ) {
        let churn = if lifecycle { Churn::Lifecycle } else { Churn::State };
        let plan = Plan { script: some_faults(), ..plan(3, 24, seed, churn) };
        let mut straight = World::new(plan.clone(), at(0));
        let mut strolling = World::new(plan, at(0));
        stops.sort_unstable();
        for stop in stops {
            strolling.advance(at(stop));
        }
        straight.advance(at(end));
        strolling.advance(at(end));
        prop_assert_eq!(everything(&straight), everything(&strolling));
    }

    #[test]
    fn a_world_without_script_does_not_remember_its_start(seed in any::<u64>(), earlier in 0_i64..100_000) {
        let plan = plan(4, 40, seed, Churn::Lifecycle);
        let mut old = World::new(plan.clone(), at(-earlier));
        old.advance(at(0));
        prop_assert_eq!(everything(&old), everything(&World::new(plan, at(0))));
    }

    #[test]
    fn the_number_of_machines_is_constant_under_churn(seed in any::<u64>(), hosts in 1_usize..9, vms in 0_u32..200) {
        let mut world = World::new(plan(hosts, vms, seed, Churn::Lifecycle), at(0));
        for step in 0..40 {
            world.advance(at(step * 13));
            let uuids: BTreeSet<Uuid> =
                (0..hosts as u64).flat_map(|host| world.machines(host)).map(|seen| world.uuid(&seen)).collect();
            prop_assert_eq!(uuids.len(), vms as usize);
        }
    }

    #[test]
    fn counters_only_grow_within_an_incarnation(seed in any::<u64>(), speed in 100_u32..20_000) {
        let plan = Plan { script: some_faults(), speed_milli: speed, ..plan(3, 24, seed, Churn::Lifecycle) };
        let mut world = World::new(plan, at(0));
        let mut before: BTreeMap<RunKey, Vec<u64>> = BTreeMap::new();
        for step in 0..150 {
            world.advance(at(step * 3));
            for (key, counters) in counters(&world) {
                if let Some(former) = before.insert(key, counters.clone()) {
                    prop_assert!(former.iter().zip(&counters).all(|(old, new)| old <= new), "{key:?} {former:?} {counters:?}");
                }
            }
        }
    }

    #[test]
    fn whatever_differs_has_been_told(seed in any::<u64>(), steps in proptest::collection::vec(1_i64..90, 1..30)) {
        let plan = Plan { script: some_faults(), ..plan(3, 24, seed, Churn::Lifecycle) };
        let mut world = World::new(plan, at(0));
        let (mut now, mut before) = (0, states(&world));
        for step in steps {
            now += step;
            let events = world.advance(at(now));
            let after = states(&world);
            let told: BTreeSet<(u64, Uuid)> = events
                .iter()
                .filter_map(|event| match &event.subject {
                    EventSubject::Machine { uuid, .. } => Some((event.host, *uuid)),
                    _ => None,
                })
                .collect();
            for key in before.keys().chain(after.keys()) {
                if before.get(key) != after.get(key) {
                    prop_assert!(told.contains(key), "{key:?}: {:?} became {:?}", before.get(key), after.get(key));
                }
            }
            before = after;
        }
    }
}

/// A run of a machine at a host.
type RunKey = (Uuid, u64, Option<u64>);

fn counters(world: &World) -> Vec<(RunKey, Vec<u64>)> {
    let running = world.census().into_iter().filter(|seen| seen.moment.incarnation.is_some() && !seen.hung);
    running
        .map(|seen| {
            let figures = world.machine_statistics(&seen);
            let disks = figures.disks.values().flat_map(|disk| [disk.read_bytes, disk.written_bytes]);
            let nics = figures.nics.values().flat_map(|nic| [nic.received_bytes, nic.transmitted_bytes]);
            let all = [figures.cpu_time_ns].into_iter().chain(disks).chain(nics).flatten().collect();
            ((figures.uuid, seen.moment.host, seen.moment.incarnation), all)
        })
        .collect()
}

type StateKey = (RunState, RunStateReason, Option<u64>, bool, bool);

fn states(world: &World) -> BTreeMap<(u64, Uuid), StateKey> {
    let key = |seen: &Seen| {
        let moment = seen.moment;
        (moment.run_state, moment.reason, moment.incarnation, moment.renamed, moment.snapshot)
    };
    (0..world.hosts().len() as u64)
        .flat_map(|host| world.machines(host).into_iter().map(move |seen| (host, seen)))
        .map(|(host, seen)| ((host, world.uuid(&seen)), key(&seen)))
        .collect()
}

#[test]
fn churn_has_its_pace_and_its_variety() {
    let mut world = World::new(plan(3, 24, 7, Churn::State), at(0));
    let mut texts: BTreeMap<String, u32> = BTreeMap::new();
    for second in 1..=600 {
        for event in world.advance(at(second)) {
            let EventSubject::Machine { text, .. } = event.subject else { panic!("machines only: {event:?}") };
            *texts.entry(text).or_default() += 1;
        }
    }
    let changes: u32 =
        texts.iter().filter(|(text, _)| !text.contains("stopped/migrated")).map(|(_, count)| count).sum();
    assert!((200..300).contains(&changes), "600 s at one in 2 to 3 s: {changes}");
    for expected in [
        "lifecycle started/booted",
        "lifecycle stopped/shutdown",
        "lifecycle suspended/user",
        "lifecycle resumed/unpaused",
        "lifecycle resumed/migrated",
        "lifecycle stopped/migrated",
    ] {
        assert!(texts.contains_key(expected), "{expected}: {texts:?}");
    }
}

#[test]
fn lifecycle_churn_brings_and_takes_and_renames() {
    let mut world = World::new(plan(3, 24, 7, Churn::Lifecycle), at(0));
    let mut seen = BTreeSet::new();
    for second in 1..=1_800 {
        for event in world.advance(at(second)) {
            seen.insert(match event.subject {
                EventSubject::Machine { text, .. } => text,
                EventSubject::Network(name) => format!("network {name}"),
                EventSubject::StoragePool(name) => format!("pool {name}"),
                other => panic!("{other:?}"),
            });
        }
    }
    for expected in [
        "lifecycle defined/added",
        "lifecycle undefined/removed",
        "lifecycle defined/renamed",
        "metadata changed",
        "network lab",
        "pool default",
    ] {
        assert!(seen.contains(expected), "{expected}: {seen:?}");
    }
}

#[test]
fn six_in_ten_run_and_nothing_changes_without_churn() {
    let mut world = World::new(plan(1, 100, 3, Churn::None), at(0));
    let count = |world: &World, state| world.census().iter().filter(|seen| seen.moment.run_state == state).count();
    assert_eq!(count(&world, RunState::Running), 60);
    assert_eq!(count(&world, RunState::Paused), 8);
    assert_eq!(count(&world, RunState::Off), 32);
    let before = states(&world);
    assert_eq!(world.next_due(), None);
    assert_eq!(world.advance(at(500)), []);
    assert_eq!(states(&world), before);
}

#[test]
fn machines_have_variety() {
    let world = World::new(plan(3, 200, 1, Churn::State), at(0));
    let facts: Vec<_> = world.census().iter().map(|seen| described(&world, seen)).collect();
    let any = |what: &str, found: &dyn Fn(&MachineFacts) -> bool| {
        assert!(facts.iter().any(found), "none with {what}");
    };
    let definition = |facts: &MachineFacts| facts.definition.clone().expect("readable");
    any("a long name", &|facts| facts.state.display_name.len() > 150);
    any("a name in another script", &|facts| !facts.state.display_name.is_ascii());
    any("containers", &|facts| definition(facts).os_type == "exe");
    any("several disks", &|facts| definition(facts).disks.len() > 2);
    any("several NICs", &|facts| definition(facts).nics.len() > 3);
    any("a snapshot chain", &|facts| facts.snapshots.as_ref().is_some_and(|chain| chain.len() > 3));
    any("no persistence", &|facts| !facts.persistent);
    any("disks on rbd", &|facts| definition(facts).disks.iter().any(|disk| disk.source.starts_with("rbd://")));
    any("an overlay", &|facts| definition(facts).disks.iter().any(|disk| !disk.backing_chain.is_empty()));
    let macs: BTreeSet<String> =
        facts.iter().flat_map(|facts| definition(facts).nics.clone()).map(|nic| nic.mac).collect();
    assert_eq!(macs.len(), facts.iter().map(|facts| definition(facts).nics.len()).sum::<usize>(), "no MAC twice");
}

#[test]
fn every_disk_file_is_a_volume_of_its_host() {
    let world = World::new(plan(5, 60, 9, Churn::State), at(0));
    for host in 0..5 {
        let paths: BTreeSet<String> = world
            .pools(host)
            .into_iter()
            .filter_map(|fact| match fact {
                Fact::StoragePool(pool) => Some(pool.volumes.expect("listed")),
                _ => None,
            })
            .flatten()
            .map(|volume| volume.path)
            .collect();
        for seen in world.machines(host) {
            let definition = described(&world, &seen).definition.expect("readable");
            for disk in definition.disks.iter().filter(|disk| matches!(disk.source_type.as_str(), "file" | "block")) {
                assert!(paths.contains(&disk.source), "{} on host {host}", disk.source);
            }
        }
    }
}

fn running(world: &World) -> Seen {
    *world.census().iter().find(|seen| seen.moment.run_state == RunState::Running).expect("one runs")
}

#[test]
fn a_crashed_machine_is_off_until_restored_and_then_a_new_incarnation() {
    let mut world = World::new(plan(2, 12, 5, Churn::None), at(0));
    let victim = running(&world);
    let (slot, vm) = (victim.who.slot, format!("#{}", victim.who.slot));
    let events = world.inject(&Fault::CrashMachine { vm: vm.clone() }).expect("runs");
    assert!(matches!(&events[0].subject, EventSubject::Machine { text, .. } if text == "lifecycle stopped/crashed"));
    assert_eq!(world.moment(slot).reason, RunStateReason::Crashed);
    assert_eq!(world.inject(&Fault::IoError { vm: vm.clone() }).expect_err("not twice").field, "vm");
    world.advance(at(60));
    assert_eq!(world.moment(slot).run_state, RunState::Off);
    let events = world.inject(&Fault::Restore { host: None, vm: Some(vm) }).expect("restored");
    assert_eq!(events.len(), 1);
    let after = world.moment(slot);
    assert_eq!(after.run_state, RunState::Running);
    assert_ne!(after.incarnation, victim.moment.incarnation);
    assert_eq!(after.active_us, 0, "counters begin anew");
}

#[test]
fn a_shared_pool_fills_up_on_all_hosts_of_its_group() {
    let mut world = World::new(plan(6, 12, 5, Churn::None), at(0));
    let fill = Fault::FillPool { host: "sim-2".to_owned(), pool: "nfs".to_owned() };
    let hosts: Vec<u64> = world.inject(&fill).expect("known").iter().map(|event| event.host).collect();
    assert_eq!(hosts, [0, 1, 2, 3]);
    let free = |world: &World, host| match world.pool(host, "nfs") {
        Fact::StoragePool(pool) => pool.pool.volatile.available_bytes,
        other => panic!("{other:?}"),
    };
    assert_eq!(free(&world, 3), Some(0));
    assert!(free(&world, 4) > Some(0));
    world.inject(&Fault::Restore { host: None, vm: None }).expect("restored");
    assert!(free(&world, 3) > Some(0));
}

#[test]
fn faults_that_make_no_sense_name_their_field() {
    let mut world = World::new(plan(2, 4, 5, Churn::None), at(0));
    let text = str::to_owned;
    for (fault, field) in [
        (Fault::DropHost { host: text("kvm-07") }, "host"),
        (Fault::DropHost { host: text("3") }, "host"),
        (Fault::CrashMachine { vm: text("#4") }, "vm"),
        (Fault::CrashMachine { vm: text("nobody") }, "vm"),
        (Fault::StopPool { host: text("1"), pool: text("attic") }, "pool"),
        (Fault::StopNetwork { host: text("1"), network: text("attic") }, "network"),
        (Fault::Storm { changes_per_second: 0, seconds: 1 }, "changes_per_second"),
        (Fault::Storm { changes_per_second: 1, seconds: 0 }, "seconds"),
        (Fault::DuplicateUuid { vm: text("#0"), host: text("1") }, "host"),
    ] {
        assert_eq!(world.inject(&fault).expect_err("nonsense").field, field, "{fault:?}");
    }
}

#[test]
fn a_storm_makes_its_changes_and_leaves_no_trace() {
    let mut world = World::new(plan(2, 50, 5, Churn::None), at(0));
    let before = states(&world);
    world.inject(&Fault::Storm { changes_per_second: 1_000, seconds: 2 }).expect("calm before");
    assert_eq!(world.advance(at(1)).len(), 1_000);
    let rest = world.advance(at(3)).len();
    assert!((1_000..=1_050).contains(&rest), "{rest}");
    assert_eq!(states(&world), before);
    assert_eq!(world.next_due(), None);
}

#[test]
fn after_a_leap_everybody_is_told_to_look_again() {
    let plan = Plan { script: some_faults(), ..plan(3, 24, 7, Churn::State) };
    let mut world = World::new(plan, at(0));
    let events = world.advance(at(86_400));
    assert_eq!(events.iter().filter(|event| event.subject == EventSubject::Gap).count(), 3);
    assert_eq!(events.len(), 3);
}

#[test]
fn a_clock_that_was_set_back_takes_the_world_with_it() {
    let plan = plan(3, 24, 7, Churn::Lifecycle);
    let mut world = World::new(plan.clone(), at(0));
    world.advance(at(5_000));
    assert_eq!(world.advance(at(4_990)), [], "a little is waited for");
    let events = world.advance(at(100));
    assert!(events.iter().all(|event| event.subject == EventSubject::Gap));
    assert_eq!(everything(&world), everything(&World::new(plan, at(100))));
    assert!(!world.advance(at(160)).is_empty(), "and it goes on from there");
}

#[test]
fn clocks_may_say_anything() {
    for script in [Script::Drip, Script::Storm, some_faults()] {
        for speed_milli in [10, 1_000, 1_000_000] {
            let plan = Plan { script: script.clone(), speed_milli, ..plan(3, 24, 7, Churn::Lifecycle) };
            let mut world = World::new(plan, Timestamp(0));
            for time in [-5, 0, 1, DAY, 0, DAY * 20, i64::MAX, i64::MIN, 7] {
                world.advance(Timestamp(time));
                let machines: usize = (0..3).map(|host| world.machines(host).len()).sum();
                assert!(machines >= 22, "two at most have been stopped for good: {machines}");
                assert!(!everything(&world).is_empty());
            }
            World::new(Plan { speed_milli, ..self::plan(3, 24, 7, Churn::State) }, Timestamp(i64::MIN));
        }
    }
}

#[test]
fn a_big_world_is_cheap() {
    let began = std::time::Instant::now();
    let mut world = World::new(plan(200, 10_000, 7, Churn::State), at(0));
    let mut events = 0;
    for second in 1..=60 {
        events += world.advance(at(second)).len();
    }
    let machines: usize = (0..200).map(|host| world.machines(host).len()).sum();
    assert_eq!(machines, 10_000);
    assert!((2_000..6_000).contains(&events), "capped at about 50 changes a second: {events}");
    // Generous: an unoptimised build on a busy machine; a quadratic slip would take minutes.
    assert!(began.elapsed() < std::time::Duration::from_secs(30), "{:?}", began.elapsed());
}
