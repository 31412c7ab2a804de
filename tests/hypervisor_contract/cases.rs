//! The contract, case by case.

use crate::subject::{Act, Case, Connected, Need, PATIENCE, Subject};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;
use uuid::Uuid;
use vrm::hypervisor::port::{EventSubject, HypervisorError};
use vrm::model::capability::{Availability, Capability};
use vrm::model::network::Network;
use vrm::model::observation::{
    Fact, GoneCause, ListedKind, MachineFacts, MachineStateFacts, MachineStatistics, PoolFacts, Scope,
};
use vrm::model::virtual_machine::RunState;

/// Lists the cases once, for the table of needs and for the suites.
macro_rules! cases {
    (($d:tt) $($name:ident: [$($need:ident),*],)*) => {
        /// Every case and what it needs.
        pub const CASES: &[Case] = &[$(Case { name: stringify!($name), needs: &[$(Need::$need),*] }),*];

        /// Makes a test of every case for a subject, and one that counts what had to be skipped.
        ///
        /// `on` runs a future to its end, `subject` makes a subject inside of it.
        macro_rules! contract_suite {
            (subject: $d subject:expr, on: $d on:expr, skipped: $d skipped:expr) => {
                $(
                    #[test]
                    fn $name() {
                        ($d on)(async {
                            let subject = ($d subject)().await;
                            let case = crate::cases::CASES.iter().find(|case| case.name == stringify!($name));
                            match case.expect("listed").missing(&subject) {
                                Some(need) => eprintln!("skipped: the subject has no {need:?}"),
                                None => crate::cases::$name(&subject).await,
                            }
                        });
                    }
                )*

                #[test]
                fn the_number_of_skipped_cases_is_known() {
                    ($d on)(async {
                        let subject = ($d subject)().await;
                        let skipped: Vec<&str> = crate::cases::CASES
                            .iter()
                            .filter(|case| case.missing(&subject).is_some())
                            .map(|case| case.name)
                            .collect();
                        assert_eq!(skipped.len(), $d skipped, "skipped: {skipped:?}");
                    });
                }
            };
        }
    };
}

cases! { ($)
    the_address_and_key_are_known_before_contact: [],
    nothing_can_be_read_before_connecting: [],
    the_first_connection_has_generation_one_and_probed_capabilities: [],
    the_generation_rises_and_the_old_connection_ends: [],
    disconnecting_is_idempotent_and_ends_the_events: [],
    a_sign_of_life_is_given_while_connected: [],
    the_hypervisor_and_its_host_are_described: [],
    the_list_of_machines_is_complete: [],
    run_states_are_complete_and_agree_with_the_full_reading: [],
    a_new_machine_is_described_by_the_first_reading_of_states: [],
    one_machine_is_read_as_in_the_list: [],
    an_unknown_machine_is_gone: [],
    run_states_make_sense: [ActiveMachine, OffMachine],
    definitions_make_sense: [],
    snapshots_form_chains: [Snapshots],
    statistics_are_of_active_machines_only: [Statistics, ActiveMachine, OffMachine],
    counters_do_not_fall: [Statistics, MovingCounters, ActiveMachine],
    the_list_of_pools_is_complete_and_consistent: [Storage],
    one_pool_is_read_as_in_the_list: [Storage],
    an_unknown_pool_is_gone: [Storage],
    the_list_of_networks_is_complete_and_consistent: [Networks],
    one_network_is_read_as_in_the_list: [Networks],
    an_unknown_network_is_gone: [Networks],
    host_devices_have_names_once: [HostDevices],
    times_of_readings_do_not_go_backwards: [],
    readings_of_different_scopes_may_overlap: [],
    a_stopped_machine_is_told_and_seen: [MachineEvents, ActiveMachine],
    a_restarted_machine_is_another_incarnation: [MachineEvents, ActiveMachine],
    a_stopped_pool_is_told_and_seen: [PoolEvents, Storage],
    a_stopped_network_is_told_and_seen: [NetworkEvents, Networks],
    a_hanging_call_ends_at_its_deadline: [Hang],
    disconnecting_ends_a_hanging_call: [Hang],
    a_cut_connection_is_lost_and_can_be_made_again: [Cut],
    a_cut_connection_is_told: [Cut, LossDetection],
}

fn machines(facts: &[Fact]) -> BTreeMap<Uuid, MachineFacts> {
    let machine = |fact: &Fact| match fact {
        Fact::Machine(machine) => Some((machine.state.uuid, machine.as_ref().clone())),
        _ => None,
    };
    facts.iter().filter_map(machine).collect()
}

fn states(facts: &[Fact]) -> BTreeMap<Uuid, MachineStateFacts> {
    let state = |fact: &Fact| match fact {
        Fact::Machine(machine) => Some((machine.state.uuid, machine.state.clone())),
        Fact::MachineState(state) => Some((state.uuid, state.clone())),
        _ => None,
    };
    facts.iter().filter_map(state).collect()
}

fn statistics(facts: &[Fact]) -> BTreeMap<Uuid, MachineStatistics> {
    let figures = |fact: &Fact| match fact {
        Fact::MachineStatistics(figures) => Some((figures.uuid, figures.as_ref().clone())),
        _ => None,
    };
    facts.iter().filter_map(figures).collect()
}

fn pools(facts: &[Fact]) -> BTreeMap<String, PoolFacts> {
    let pool = |fact: &Fact| match fact {
        Fact::StoragePool(pool) => Some((pool.pool.display_name.clone(), pool.as_ref().clone())),
        _ => None,
    };
    facts.iter().filter_map(pool).collect()
}

fn networks(facts: &[Fact]) -> BTreeMap<String, Network> {
    let network = |fact: &Fact| match fact {
        Fact::Network(network) => Some((network.display_name.clone(), network.as_ref().clone())),
        _ => None,
    };
    facts.iter().filter_map(network).collect()
}

/// What a listing says exists; exactly one such fact of the kind has to be there.
fn listed(facts: &[Fact], wanted: ListedKind) -> BTreeSet<String> {
    let lists: Vec<_> = facts
        .iter()
        .filter_map(|fact| match fact {
            Fact::ListComplete { kind, present } if *kind == wanted => Some(present),
            _ => None,
        })
        .collect();
    assert_eq!(lists.len(), 1, "one list of {wanted:?}");
    lists[0].as_ref().clone()
}

fn texts<'a, T: ToString + 'a>(keys: impl Iterator<Item = &'a T>) -> BTreeSet<String> {
    keys.map(ToString::to_string).collect()
}

/// A machine that is running now.
async fn running_machine(connected: &Connected) -> Uuid {
    let facts = connected.facts(Scope::Machines).await;
    let running = machines(&facts).into_values().find(|machine| machine.state.run_state == RunState::Running);
    running.expect("a machine runs").state.uuid
}

/// A machine read alone.
async fn machine(connected: &Connected, uuid: Uuid) -> Option<MachineFacts> {
    machines(&connected.facts(Scope::Machine(uuid)).await).remove(&uuid)
}

/// Whether an event is about a machine.
fn is_about(subject: &EventSubject, wanted: Uuid) -> bool {
    matches!(subject, EventSubject::Machine { uuid, .. } if *uuid == wanted)
}

pub async fn the_address_and_key_are_known_before_contact(subject: &dyn Subject) {
    let endpoint = subject.endpoint();
    assert!(endpoint.uri().contains(':'), "{}", endpoint.uri());
    assert!(endpoint.uri().starts_with(&endpoint.key().technology), "{} {}", endpoint.uri(), endpoint.key());
    assert_eq!(endpoint.vitals().stuck_threads, 0);
}

pub async fn nothing_can_be_read_before_connecting(subject: &dyn Subject) {
    let endpoint = subject.endpoint();
    let error = endpoint.observe(Scope::Machines, PATIENCE).await.expect_err("not connected");
    assert!(error.is_link_loss(), "{error}");
    let error = endpoint.probe(PATIENCE).await.expect_err("not connected");
    assert!(error.is_link_loss(), "{error}");
}

pub async fn the_first_connection_has_generation_one_and_probed_capabilities(subject: &dyn Subject) {
    let connected = Connected::to(subject).await;
    let link = &connected.link;
    assert_eq!(link.generation, 1);
    assert!(!link.hypervisor.technology.is_empty());
    assert_eq!(link.hypervisor.technology, link.hypervisor.technology.to_lowercase());
    let known = link.hypervisor.capabilities.values().filter(|verdict| **verdict != Availability::Unknown).count();
    assert!(known > 0, "some capability is judged: {:?}", link.hypervisor.capabilities);
    if link.hypervisor.capabilities.get(&Capability::MachineEvents) == Some(&Availability::Available) {
        assert!(!link.hypervisor.events.is_empty(), "the subscriptions are named");
    }
}

pub async fn the_generation_rises_and_the_old_connection_ends(subject: &dyn Subject) {
    let mut first = Connected::to(subject).await;
    let second = first.endpoint.connect(PATIENCE).await.expect("it connects again");
    assert_eq!(second.generation, first.link.generation + 1);
    let ended = async {
        // What was under way may still come, with the old generation.
        while let Some(event) = first.link.events.recv().await {
            assert_eq!(event.generation, first.link.generation);
        }
    };
    tokio::time::timeout(PATIENCE, ended).await.expect("the old events end");
    first.read(Scope::MachineStates).await;
}

pub async fn disconnecting_is_idempotent_and_ends_the_events(subject: &dyn Subject) {
    let mut connected = Connected::to(subject).await;
    connected.endpoint.disconnect();
    connected.endpoint.disconnect();
    let ended = async { while connected.link.events.recv().await.is_some() {} };
    tokio::time::timeout(PATIENCE, ended).await.expect("the events end");
    let error = connected.endpoint.observe(Scope::MachineStates, PATIENCE).await.expect_err("not connected");
    assert!(error.is_link_loss(), "{error}");
    let again = connected.endpoint.connect(PATIENCE).await.expect("it connects again");
    assert_eq!(again.generation, 2);
}

pub async fn a_sign_of_life_is_given_while_connected(subject: &dyn Subject) {
    let connected = Connected::to(subject).await;
    connected.endpoint.probe(PATIENCE).await.expect("alive");
    connected.endpoint.disconnect();
    connected.endpoint.probe(PATIENCE).await.expect_err("not connected");
}

pub async fn the_hypervisor_and_its_host_are_described(subject: &dyn Subject) {
    let connected = Connected::to(subject).await;
    let facts = connected.facts(Scope::Hypervisor).await;
    let hosts: Vec<_> = facts.iter().filter(|fact| matches!(fact, Fact::Host(_))).collect();
    let [Fact::Host(host)] = hosts.as_slice() else { panic!("one host: {hosts:?}") };
    assert!(!host.host_name.is_empty());
    assert!(host.memory_total_bytes > 0);
    assert!(host.cpu.logical_cpus > 0);
    let hypervisors: Vec<_> = facts.iter().filter(|fact| matches!(fact, Fact::Hypervisor(_))).collect();
    let [Fact::Hypervisor(hypervisor)] = hypervisors.as_slice() else { panic!("one hypervisor: {hypervisors:?}") };
    assert_eq!(hypervisor.technology, connected.link.hypervisor.technology);
    assert_eq!(hypervisor.capabilities, connected.link.hypervisor.capabilities);
}

pub async fn the_list_of_machines_is_complete(subject: &dyn Subject) {
    let connected = Connected::to(subject).await;
    let facts = connected.facts(Scope::Machines).await;
    let machines = machines(&facts);
    assert!(!machines.is_empty(), "the subject has machines");
    assert_eq!(listed(&facts, ListedKind::Machines), texts(machines.keys()));
    let names: BTreeSet<_> = machines.values().map(|machine| &machine.state.display_name).collect();
    assert_eq!(names.len(), machines.len(), "names are unique on a host");
}

pub async fn run_states_are_complete_and_agree_with_the_full_reading(subject: &dyn Subject) {
    let connected = Connected::to(subject).await;
    let full = connected.facts(Scope::Machines).await;
    let brief = connected.facts(Scope::MachineStates).await;
    assert_eq!(states(&full), states(&brief));
    assert_eq!(listed(&full, ListedKind::Machines), listed(&brief, ListedKind::Machines));
    assert_eq!(machines(&brief).len(), 0, "known machines are not described again");
}

pub async fn a_new_machine_is_described_by_the_first_reading_of_states(subject: &dyn Subject) {
    let connected = Connected::to(subject).await;
    let first = connected.facts(Scope::MachineStates).await;
    assert_eq!(texts(machines(&first).keys()), listed(&first, ListedKind::Machines));
    let second = connected.facts(Scope::MachineStates).await;
    assert_eq!(machines(&second).len(), 0);
    assert_eq!(states(&first), states(&second));
}

pub async fn one_machine_is_read_as_in_the_list(subject: &dyn Subject) {
    let connected = Connected::to(subject).await;
    let all = machines(&connected.facts(Scope::Machines).await);
    for (uuid, listed) in all {
        assert_eq!(machine(&connected, uuid).await, Some(listed));
    }
}

pub async fn an_unknown_machine_is_gone(subject: &dyn Subject) {
    let connected = Connected::to(subject).await;
    let unknown = Uuid::from_u128(0x00de_adbe_ef00_4000_8000_0000_0000_0001);
    let facts = connected.facts(Scope::Machine(unknown)).await;
    let [Fact::MachineGone { uuid, cause }] = facts.as_slice() else { panic!("gone, nothing else: {facts:?}") };
    assert_eq!(*uuid, unknown);
    assert_eq!(*cause, GoneCause::Unknown, "nobody said why");
}

pub async fn run_states_make_sense(subject: &dyn Subject) {
    let connected = Connected::to(subject).await;
    let states = states(&connected.facts(Scope::MachineStates).await);
    for state in states.values() {
        assert!(!state.display_name.is_empty(), "{state:?}");
        assert_ne!(state.run_state, RunState::Unknown, "{state:?}");
        assert_eq!(state.incarnation.is_some(), state.run_state.is_active(), "{state:?}");
    }
    assert!(states.values().any(|state| state.run_state.is_active()));
    assert!(states.values().any(|state| state.run_state == RunState::Off));
    let running: Vec<_> = states.values().filter_map(|state| state.incarnation).collect();
    let distinct: BTreeSet<_> = running.iter().collect();
    assert_eq!(distinct.len(), running.len(), "incarnations are unique on a host");
}

pub async fn definitions_make_sense(subject: &dyn Subject) {
    let connected = Connected::to(subject).await;
    for machine in machines(&connected.facts(Scope::Machines).await).into_values() {
        let name = &machine.state.display_name;
        let definition = machine.definition.unwrap_or_else(|reason| panic!("{name}: {reason}"));
        assert!(definition.vcpus_current > 0 && definition.vcpus_current <= definition.vcpus_maximum, "{name}");
        assert!(definition.memory_maximum_bytes > 0, "{name}");
        assert!(definition.memory_current_bytes <= definition.memory_maximum_bytes, "{name}");
        assert!(!definition.virtualization_type.is_empty() && !definition.os_type.is_empty(), "{name}");
        let targets: BTreeSet<_> = definition.disks.iter().map(|disk| &disk.target).collect();
        assert_eq!(targets.len(), definition.disks.len(), "{name}: disk targets are unique");
        let macs: BTreeSet<_> = definition.nics.iter().map(|nic| nic.mac.to_lowercase()).collect();
        assert_eq!(macs, definition.nics.iter().map(|nic| nic.mac.clone()).collect(), "{name}: unique, lower case");
        assert!(machine.persistent || machine.state.run_state.is_active(), "{name}: what is transient runs");
    }
}

pub async fn snapshots_form_chains(subject: &dyn Subject) {
    let connected = Connected::to(subject).await;
    let mut found = 0;
    for machine in machines(&connected.facts(Scope::Machines).await).into_values() {
        let snapshots = machine.snapshots.expect("snapshots can be listed");
        let names: BTreeSet<_> = snapshots.iter().map(|snapshot| snapshot.display_name.as_str()).collect();
        assert_eq!(names.len(), snapshots.len(), "names are unique in a machine");
        for snapshot in &snapshots {
            assert_eq!(snapshot.vm_uuid, machine.state.uuid);
            assert!(snapshot.parent.is_empty() || names.contains(snapshot.parent.as_str()), "{snapshot:?}");
        }
        assert!(snapshots.iter().filter(|snapshot| snapshot.current).count() <= 1);
        found += snapshots.len();
    }
    assert!(found > 0, "the subject has a snapshot");
}

pub async fn statistics_are_of_active_machines_only(subject: &dyn Subject) {
    let connected = Connected::to(subject).await;
    let states = states(&connected.facts(Scope::MachineStates).await);
    let figures = statistics(&connected.facts(Scope::Statistics).await);
    let active = states.values().filter(|state| state.run_state.is_active()).map(|state| state.uuid);
    assert_eq!(figures.keys().copied().collect::<BTreeSet<_>>(), active.collect());
    let somebody_has_figures = figures.values().any(|figures| figures.cpu_time_ns.is_some());
    assert!(somebody_has_figures, "CPU time is reported");
}

pub async fn counters_do_not_fall(subject: &dyn Subject) {
    let connected = Connected::to(subject).await;
    let running = running_machine(&connected).await;
    let before = statistics(&connected.facts(Scope::Statistics).await);
    let moved = async {
        loop {
            let after = statistics(&connected.facts(Scope::Statistics).await);
            for (uuid, figures) in &after {
                let Some(former) = before.get(uuid) else { continue };
                assert!(former.cpu_time_ns <= figures.cpu_time_ns, "{former:?} {figures:?}");
            }
            if before.get(&running).map(|figures| figures.cpu_time_ns) != after.get(&running).map(|now| now.cpu_time_ns)
            {
                return;
            }
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    };
    tokio::time::timeout(PATIENCE, moved).await.expect("the counters of a running machine move");
}

pub async fn the_list_of_pools_is_complete_and_consistent(subject: &dyn Subject) {
    let connected = Connected::to(subject).await;
    let facts = connected.facts(Scope::StoragePools).await;
    let pools = pools(&facts);
    assert_eq!(listed(&facts, ListedKind::StoragePools), texts(pools.keys()));
    let mut volumes = 0;
    for PoolFacts { pool, volumes: listed } in pools.values() {
        assert_eq!(pool.host.as_ref(), Some(&connected.endpoint.key().host));
        assert!(!pool.pool_type.is_empty());
        let figures = &pool.volatile;
        if let (Some(capacity), Some(allocation)) = (figures.capacity_bytes, figures.allocation_bytes) {
            assert!(allocation <= capacity, "{pool:?}");
            assert!(figures.as_of.is_some(), "figures have an age: {pool:?}");
        }
        for volume in listed.iter().flatten() {
            assert_eq!(volume.pool, pool.display_name);
            assert!(!volume.key.is_empty() && !volume.display_name.is_empty(), "{volume:?}");
            volumes += 1;
        }
        let keys: BTreeSet<_> = listed.iter().flatten().map(|volume| &volume.key).collect();
        assert_eq!(keys.len(), listed.iter().flatten().count(), "keys are unique in a pool");
    }
    assert!(volumes > 0, "the subject has a volume");
}

pub async fn one_pool_is_read_as_in_the_list(subject: &dyn Subject) {
    let connected = Connected::to(subject).await;
    for (name, listed) in pools(&connected.facts(Scope::StoragePools).await) {
        let alone = pools(&connected.facts(Scope::StoragePool(name.clone())).await);
        assert_eq!(alone, BTreeMap::from([(name, listed)]));
    }
}

pub async fn an_unknown_pool_is_gone(subject: &dyn Subject) {
    let connected = Connected::to(subject).await;
    let facts = connected.facts(Scope::StoragePool("no-such-pool".to_owned())).await;
    assert!(matches!(facts.as_slice(), [Fact::StoragePoolGone(name)] if name == "no-such-pool"), "{facts:?}");
}

pub async fn the_list_of_networks_is_complete_and_consistent(subject: &dyn Subject) {
    let connected = Connected::to(subject).await;
    let facts = connected.facts(Scope::Networks).await;
    let networks = networks(&facts);
    assert!(!networks.is_empty(), "the subject has a network");
    assert_eq!(listed(&facts, ListedKind::Networks), texts(networks.keys()));
    for network in networks.values() {
        assert_eq!(network.host.as_ref(), Some(&connected.endpoint.key().host));
        assert!(!network.forward_mode.is_empty(), "{network:?}");
    }
}

pub async fn one_network_is_read_as_in_the_list(subject: &dyn Subject) {
    let connected = Connected::to(subject).await;
    for (name, listed) in networks(&connected.facts(Scope::Networks).await) {
        let alone = networks(&connected.facts(Scope::Network(name.clone())).await);
        assert_eq!(alone, BTreeMap::from([(name, listed)]));
    }
}

pub async fn an_unknown_network_is_gone(subject: &dyn Subject) {
    let connected = Connected::to(subject).await;
    let facts = connected.facts(Scope::Network("no-such-network".to_owned())).await;
    assert!(matches!(facts.as_slice(), [Fact::NetworkGone(name)] if name == "no-such-network"), "{facts:?}");
}

pub async fn host_devices_have_names_once(subject: &dyn Subject) {
    let connected = Connected::to(subject).await;
    let mut facts = connected.facts(Scope::HostDevices).await;
    // What ails the host may be told beside its devices.
    facts.retain(|fact| !matches!(fact, Fact::Incident(_)));
    let [Fact::HostDevices(devices)] = facts.as_slice() else { panic!("one fact: {facts:?}") };
    let nics: Vec<_> = devices.nics.iter().flatten().map(|nic| nic.name.as_str()).collect();
    let disks: Vec<_> = devices.disks.iter().flatten().map(|disk| disk.name.as_str()).collect();
    for names in [nics, disks] {
        assert!(names.iter().all(|name| !name.is_empty()), "{names:?}");
        assert_eq!(names.iter().collect::<BTreeSet<_>>().len(), names.len(), "{names:?}");
    }
}

pub async fn times_of_readings_do_not_go_backwards(subject: &dyn Subject) {
    let connected = Connected::to(subject).await;
    let mut latest = connected.read(Scope::Hypervisor).await.time;
    for scope in [Scope::Machines, Scope::MachineStates, Scope::MachineStates] {
        let time = connected.read(scope).await.time;
        assert!(time >= latest, "{time} before {latest}");
        latest = time;
    }
}

pub async fn readings_of_different_scopes_may_overlap(subject: &dyn Subject) {
    let connected = Connected::to(subject).await;
    let (hypervisor, machines, states, probe) = tokio::join!(
        connected.endpoint.observe(Scope::Hypervisor, PATIENCE),
        connected.endpoint.observe(Scope::Machines, PATIENCE),
        connected.endpoint.observe(Scope::MachineStates, PATIENCE),
        connected.endpoint.probe(PATIENCE),
    );
    let good = |error: &HypervisorError| matches!(error, HypervisorError::Busy(_));
    for error in [hypervisor.err(), machines.err(), states.err(), probe.err()].into_iter().flatten() {
        assert!(good(&error), "done, or refused as busy: {error}");
    }
    connected.read(Scope::MachineStates).await;
}

pub async fn a_stopped_machine_is_told_and_seen(subject: &dyn Subject) {
    let mut connected = Connected::to(subject).await;
    let uuid = running_machine(&connected).await;
    subject.act(Act::StopMachine(uuid)).await;
    let event = connected.event("the machine stopped", |event| is_about(&event.subject, uuid)).await;
    assert_eq!(event.generation, connected.link.generation);
    if let Some(machine) = machine(&connected, uuid).await {
        assert!(!machine.state.run_state.is_active(), "{:?}", machine.state);
        assert_eq!(machine.state.incarnation, None);
    }
    assert!(!statistics(&connected.facts(Scope::Statistics).await).contains_key(&uuid));
}

pub async fn a_restarted_machine_is_another_incarnation(subject: &dyn Subject) {
    let mut connected = Connected::to(subject).await;
    let uuid = running_machine(&connected).await;
    let before = machine(&connected, uuid).await.expect("it exists").state;
    subject.act(Act::StopMachine(uuid)).await;
    connected.event("the machine stopped", |event| is_about(&event.subject, uuid)).await;
    subject.act(Act::StartMachine(uuid)).await;
    let after = tokio::time::timeout(PATIENCE, async {
        loop {
            connected.event("the machine started", |event| is_about(&event.subject, uuid)).await;
            match machine(&connected, uuid).await {
                Some(machine) if machine.state.run_state == RunState::Running => return machine.state,
                _ => {}
            }
        }
    });
    let after = after.await.expect("it runs again");
    assert_eq!((after.uuid, &after.display_name), (before.uuid, &before.display_name));
    assert_ne!(after.incarnation, before.incarnation);
}

pub async fn a_stopped_pool_is_told_and_seen(subject: &dyn Subject) {
    use vrm::model::storage::PoolState;
    let mut connected = Connected::to(subject).await;
    let pools_before = pools(&connected.facts(Scope::StoragePools).await);
    let running = pools_before.into_values().find(|pool| pool.pool.pool_state == PoolState::Running);
    let name = running.expect("a pool runs").pool.display_name;
    subject.act(Act::StopPool(name.clone())).await;
    connected.event("the pool stopped", |event| event.subject == EventSubject::StoragePool(name.clone())).await;
    let after = pools(&connected.facts(Scope::StoragePool(name.clone())).await);
    assert_eq!(after.get(&name).map(|pool| pool.pool.pool_state), Some(PoolState::Inactive));
}

pub async fn a_stopped_network_is_told_and_seen(subject: &dyn Subject) {
    let mut connected = Connected::to(subject).await;
    let networks_before = networks(&connected.facts(Scope::Networks).await);
    let name = networks_before.into_values().find(|network| network.active).expect("one is active").display_name;
    subject.act(Act::StopNetwork(name.clone())).await;
    connected.event("the network stopped", |event| event.subject == EventSubject::Network(name.clone())).await;
    let after = networks(&connected.facts(Scope::Network(name.clone())).await);
    assert_eq!(after.get(&name).map(|network| network.active), Some(false));
}

pub async fn a_hanging_call_ends_at_its_deadline(subject: &dyn Subject) {
    let connected = Connected::to(subject).await;
    subject.act(Act::Hang).await;
    let deadline = Duration::from_secs(2);
    let began = tokio::time::Instant::now();
    let error = connected.endpoint.observe(Scope::MachineStates, deadline).await.expect_err("it hangs");
    assert_eq!(error, HypervisorError::TimedOut(deadline));
    assert!(began.elapsed() >= deadline && began.elapsed() < deadline * 2, "{:?}", began.elapsed());
    assert!(connected.endpoint.vitals().severed_lanes > 0, "the cut lane is counted");
    let error = connected.endpoint.connect(deadline).await.expect_err("also a new connection hangs");
    assert!(matches!(error, HypervisorError::TimedOut(_) | HypervisorError::Busy(_)), "{error}");
    subject.act(Act::Release).await;
    connected.endpoint.connect(PATIENCE).await.expect("it connects again");
    connected.read(Scope::MachineStates).await;
}

pub async fn disconnecting_ends_a_hanging_call(subject: &dyn Subject) {
    let connected = Connected::to(subject).await;
    subject.act(Act::Hang).await;
    let endpoint = connected.endpoint.clone();
    let call = tokio::spawn(async move { endpoint.observe(Scope::MachineStates, PATIENCE * 10).await });
    let stuck = async {
        while connected.endpoint.vitals().stuck_threads == 0 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(PATIENCE, stuck).await.expect("the call is seen to be stuck");
    connected.endpoint.disconnect();
    let error =
        tokio::time::timeout(PATIENCE, call).await.expect("it ends").expect("no panic").expect_err("in failure");
    assert!(error.is_link_loss(), "{error}");
}

pub async fn a_cut_connection_is_lost_and_can_be_made_again(subject: &dyn Subject) {
    let connected = Connected::to(subject).await;
    subject.act(Act::Cut).await;
    let error = connected.endpoint.observe(Scope::MachineStates, PATIENCE).await.expect_err("it is cut");
    assert!(error.is_link_loss(), "{error}");
    let error = connected.endpoint.connect(PATIENCE).await.expect_err("it stays cut");
    assert!(error.is_link_loss(), "{error}");
    subject.act(Act::Release).await;
    let again = connected.endpoint.connect(PATIENCE).await.expect("it connects again");
    assert!(again.generation > connected.link.generation);
    connected.read(Scope::MachineStates).await;
}

pub async fn a_cut_connection_is_told(subject: &dyn Subject) {
    let mut connected = Connected::to(subject).await;
    subject.act(Act::Cut).await;
    let mut closed = false;
    let ended = async {
        while let Some(event) = connected.link.events.recv().await {
            closed |= matches!(event.subject, EventSubject::Closed(_));
        }
    };
    tokio::time::timeout(PATIENCE, ended).await.expect("the events end");
    assert!(closed, "with a word why");
}
