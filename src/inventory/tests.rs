//! What the inventory makes of facts, by small stories.

use super::{Effects, Evidence, Inventory, InventorySettings, LinkStanding};
use crate::model::annotation::{Expectation, ExpectationOrigin};
use crate::model::host::EndpointKey;
use crate::model::observation::{
    Fact, GoneCause, HostFacts, HypervisorFacts, ListedKind, MachineFacts, MachineStateFacts, Observation, PoolFacts,
};
use crate::model::registration::{HostRegistration, Profile};
use crate::model::state::{AdministrativeState, StateReason};
use crate::model::storage::{PoolState, StoragePool, Volume};
use crate::model::virtual_machine::{RunState, RunStateReason, VirtualDisk, VirtualMachine, VmDefinition};
use crate::model::{Body, ChangeKind, ChangeSource, HostId, Name, Object, OutsideChanges, Timestamp};
use std::collections::BTreeMap;
use std::sync::Arc;
use uuid::Uuid;

/// A story: an inventory, a clock in seconds, and everything that changed since last asked.
struct Story {
    inventory: Inventory,
    now: i64,
}

fn host(id: &str) -> HostId {
    HostId::parse(id).unwrap()
}

fn key(id: &str) -> EndpointKey {
    EndpointKey { host: host(id), technology: "qemu".into() }
}

fn registration(id: &str) -> HostRegistration {
    HostRegistration {
        id: host(id),
        uris: vec![format!("qemu+ssh://{id}/system")],
        credential: String::new(),
        profile: None,
        allow_insecure: false,
        labels: BTreeMap::new(),
        reserve: Default::default(),
        origin: crate::model::registration::HostOrigin::File,
    }
}

fn machine(number: u128, run_state: RunState, reason: RunStateReason) -> MachineFacts {
    let definition = VmDefinition {
        vcpus_current: 2,
        memory_current_bytes: 1 << 30,
        disks: vec![VirtualDisk { source: format!("/images/{number}.qcow2"), ..VirtualDisk::default() }],
        ..VmDefinition::default()
    };
    MachineFacts {
        state: MachineStateFacts {
            uuid: Uuid::from_u128(number),
            display_name: format!("vm-{number}"),
            run_state,
            reason,
            incarnation: run_state.is_active().then_some(1),
        },
        persistent: true,
        autostart: true,
        definition: Ok(Arc::new(definition)),
        labels: BTreeMap::new(),
        snapshots: Some(Vec::new()),
    }
}

fn running(number: u128) -> Fact {
    Fact::Machine(Box::new(machine(number, RunState::Running, RunStateReason::Booted)))
}

fn off(number: u128, reason: RunStateReason) -> Fact {
    Fact::Machine(Box::new(machine(number, RunState::Off, reason)))
}

fn present(numbers: &[u128]) -> Fact {
    let present = numbers.iter().map(|number| Uuid::from_u128(*number).to_string()).collect();
    Fact::ListComplete { kind: ListedKind::Machines, present: Arc::new(present) }
}

impl Story {
    fn new(hosts: &[&str]) -> Self {
        let mut story =
            Self { inventory: Inventory::restore(settings(), 0, Vec::new(), Vec::new(), Timestamp(0)), now: 1 };
        for id in hosts {
            story.add(id);
            story.connect(id, 1);
        }
        story.effects();
        story
    }

    fn add(&mut self, id: &str) {
        let evidence = self.evidence(ChangeSource::ManagementOperation);
        let endpoints = [("qemu".to_owned(), format!("qemu+ssh://{id}/system"))];
        self.inventory.add_host(&evidence, registration(id), Profile::Monitor, Vec::new(), &endpoints);
    }

    fn evidence(&self, source: ChangeSource) -> Evidence {
        let now = Timestamp(self.now * 1_000_000);
        Evidence { now, read: now, source, periodic: false }
    }

    fn link(&mut self, id: &str, standing: LinkStanding, generation: u64) {
        self.now += 1;
        let evidence = self.evidence(ChangeSource::ResourceOperation);
        let facts = (standing == LinkStanding::Synchronizing).then(HypervisorFacts::default);
        self.inventory.link_changed(&evidence, &key(id), standing, "seen in a test", generation, facts);
    }

    fn connect(&mut self, id: &str, generation: u64) {
        self.link(id, LinkStanding::Synchronizing, generation);
        self.link(id, LinkStanding::Connected, generation);
    }

    fn see(&mut self, id: &str, generation: u64, facts: Vec<Fact>) {
        self.now += 1;
        let evidence = self.evidence(ChangeSource::ResourceOperation);
        let observation = Observation { time: evidence.read, facts, errors: Vec::new(), samples: None };
        self.inventory.observe(&evidence, &key(id), generation, observation);
    }

    fn effects(&mut self) -> Effects {
        self.inventory.take_effects()
    }

    /// Kind and name of every change since last asked, machines only.
    fn machine_changes(&mut self) -> Vec<(ChangeKind, String)> {
        let effects = self.effects();
        let of_machines = effects.changes.iter().filter(|change| change.name.as_str().starts_with("virtualMachines/"));
        of_machines.map(|change| (change.kind, change.name.to_string())).collect()
    }

    fn object(&self, number: u128) -> Option<Arc<Object>> {
        self.inventory.object(&Name::virtual_machine(Uuid::from_u128(number))).cloned()
    }

    fn vm(&self, number: u128) -> VirtualMachine {
        match &self.object(number).unwrap().body {
            Body::VirtualMachine(vm) => (**vm).clone(),
            other => panic!("{other:?}"),
        }
    }

    /// The same world after a restart of the daemon: what was committed, nothing more.
    fn restarted(&self, names: &[Name]) -> Self {
        let objects: Vec<Arc<Object>> = names.iter().filter_map(|name| self.inventory.object(name).cloned()).collect();
        let head = objects.iter().map(|object| object.last_change_sequence).max().unwrap_or(0);
        let now = self.now + 1;
        Self { inventory: Inventory::restore(settings(), head, objects, Vec::new(), Timestamp(now * 1_000_000)), now }
    }
}

fn settings() -> InventorySettings {
    InventorySettings { outside_changes: OutsideChanges::Adopt, ..InventorySettings::default() }
}

#[test]
fn a_machine_is_created_changed_and_removed_with_contiguous_sequences() {
    let mut story = Story::new(&["a"]);
    story.see("a", 1, vec![running(1)]);
    story.see("a", 1, vec![off(1, RunStateReason::Shutdown)]);
    story.see("a", 1, vec![Fact::MachineGone { uuid: Uuid::from_u128(1), cause: GoneCause::Removed }]);
    let effects = story.effects();
    let sequences: Vec<u64> = effects.changes.iter().map(|change| change.sequence).collect();
    let first = sequences[0];
    assert_eq!(sequences, (first..first + sequences.len() as u64).collect::<Vec<u64>>());
    let of_machine: Vec<(ChangeKind, u64)> = effects
        .changes
        .iter()
        .filter(|change| change.name == Name::virtual_machine(Uuid::from_u128(1)))
        .map(|change| (change.kind, change.object.revision))
        .collect();
    assert_eq!(of_machine, [(ChangeKind::Created, 1), (ChangeKind::Changed, 2), (ChangeKind::Removed, 3)]);
    assert!(story.object(1).is_none());
}

#[test]
fn a_change_names_what_differs_with_old_and_new_value() {
    let mut story = Story::new(&["a"]);
    story.see("a", 1, vec![running(1)]);
    story.effects();
    story.see("a", 1, vec![off(1, RunStateReason::Shutdown)]);
    let effects = story.effects();
    let change = effects.changes.iter().find(|change| change.name.as_str().starts_with("virtualMachines/")).unwrap();
    let run_state = change.attributes.iter().find(|attribute| attribute.path == "run_state").unwrap();
    assert_eq!((run_state.old.as_str(), run_state.new.as_str()), (Some("running"), Some("off")));
    assert!(change.attributes.iter().any(|attribute| attribute.path == "state.operational"));
    assert!(change.attributes.iter().all(|attribute| !attribute.path.contains("volatile")));
}

#[test]
fn an_unchanged_reading_makes_no_change() {
    let mut story = Story::new(&["a"]);
    story.see("a", 1, vec![running(1)]);
    story.effects();
    story.see("a", 1, vec![running(1), present(&[1])]);
    let effects = story.effects();
    assert_eq!(effects.changes.len(), 0, "{:?}", effects.changes);
    assert!(!effects.refreshed.is_empty());
}

#[test]
fn unreachable_is_unknown_and_never_off() {
    let mut story = Story::new(&["a"]);
    story.see("a", 1, vec![running(1)]);
    story.link("a", LinkStanding::Unreachable, 1);
    let object = story.object(1).unwrap();
    assert!(object.state.unknown);
    assert_eq!(object.state.reason.code, StateReason::HOST_UNREACHABLE);
    assert_eq!(story.vm(1).run_state, RunState::Running);
    story.link("a", LinkStanding::Synchronizing, 2);
    assert!(story.object(1).unwrap().state.unknown, "a new connection alone proves nothing");
    story.see("a", 2, vec![running(1)]);
    assert!(!story.object(1).unwrap().state.unknown);
}

#[test]
fn facts_of_an_old_connection_or_after_its_end_are_left_out() {
    let mut story = Story::new(&["a"]);
    story.see("a", 1, vec![running(1)]);
    story.link("a", LinkStanding::Unreachable, 1);
    story.see("a", 1, vec![off(1, RunStateReason::Shutdown)]);
    assert_eq!(story.vm(1).run_state, RunState::Running);
    story.link("a", LinkStanding::Connected, 1);
    assert!(story.object(1).unwrap().state.unknown, "the end of a connection may overtake its completion");
}

#[test]
fn an_older_reading_never_overwrites_a_younger_one() {
    let mut story = Story::new(&["a"]);
    story.see("a", 1, vec![running(1)]);
    story.see("a", 1, vec![off(1, RunStateReason::Shutdown)]);
    let late = Evidence { read: Timestamp(1), ..story.evidence(ChangeSource::ResourceOperation) };
    let observation = Observation { time: Timestamp(1), facts: vec![running(1)], errors: Vec::new(), samples: None };
    story.inventory.observe(&late, &key("a"), 1, observation);
    assert_eq!(story.vm(1).run_state, RunState::Off);
}

#[test]
fn a_restart_during_an_outage_removes_nothing() {
    let mut story = Story::new(&["a"]);
    story.see("a", 1, vec![running(1), running(2)]);
    let names: Vec<Name> = [
        Name::host(&host("a")),
        Name::hypervisor(&host("a"), "qemu"),
        Name::virtual_machine(Uuid::from_u128(1)),
        Name::virtual_machine(Uuid::from_u128(2)),
    ]
    .into();
    let mut restarted = story.restarted(&names);
    assert!(restarted.object(1).unwrap().state.unknown);
    assert_eq!(restarted.object(1).unwrap().state.reason.code, StateReason::NOT_YET_SEEN);
    restarted.add("a");
    restarted.link("a", LinkStanding::Unreachable, 0);
    let removed = restarted.machine_changes().into_iter().filter(|(kind, _)| *kind == ChangeKind::Removed).count();
    assert_eq!(removed, 0);
    restarted.link("a", LinkStanding::Synchronizing, 1);
    restarted.see("a", 1, vec![running(1), off(2, RunStateReason::Shutdown), present(&[1, 2])]);
    restarted.link("a", LinkStanding::Connected, 1);
    let changes = restarted.machine_changes();
    assert!(changes.iter().all(|(kind, _)| *kind == ChangeKind::Changed), "{changes:?}");
    assert!(!restarted.object(2).unwrap().state.unknown);
}

#[test]
fn what_is_missing_after_a_complete_listing_is_gone() {
    let mut story = Story::new(&["a"]);
    story.see("a", 1, vec![off(1, RunStateReason::Shutdown), running(2)]);
    story.machine_changes();
    story.see("a", 1, vec![present(&[])]);
    let gone = story.machine_changes();
    assert_eq!(gone.len(), 1, "the one that was off goes at once: {gone:?}");
    assert!(story.object(2).is_some(), "the one that ran may turn up at another host");
    story.inventory.tick(Timestamp((story.now + 11) * 1_000_000));
    assert!(story.object(2).is_none());
}

#[test]
fn a_migrated_machine_keeps_its_name_whoever_speaks_first() {
    for source_first in [true, false] {
        let mut story = Story::new(&["a", "b"]);
        story.see("a", 1, vec![running(1)]);
        story.machine_changes();
        let leave = vec![Fact::MachineGone { uuid: Uuid::from_u128(1), cause: GoneCause::Migrated }];
        if source_first {
            story.see("a", 1, leave);
            story.see("b", 1, vec![running(1)]);
        } else {
            story.see("b", 1, vec![running(1)]);
            story.see("a", 1, leave);
        }
        let changes = story.machine_changes();
        assert!(changes.iter().all(|(kind, _)| *kind == ChangeKind::Changed), "{changes:?}");
        assert_eq!(story.vm(1).host, Some(host("b")));
        assert_eq!(story.vm(1).instances.len(), 1);
        story.inventory.tick(Timestamp((story.now + 60) * 1_000_000));
        assert!(story.object(1).is_some());
    }
}

#[test]
fn two_machines_with_one_uuid_are_two_instances() {
    let mut story = Story::new(&["a", "b"]);
    story.see("a", 1, vec![running(1)]);
    story.see("b", 1, vec![off(1, RunStateReason::Shutdown)]);
    let vm = story.vm(1);
    assert_eq!(vm.instances.len(), 2);
    assert_eq!(vm.host, Some(host("a")), "the running one stands for it");
    story.see("b", 1, vec![Fact::MachineGone { uuid: Uuid::from_u128(1), cause: GoneCause::Removed }]);
    assert_eq!(story.vm(1).instances.len(), 1);
}

#[test]
fn the_first_observation_is_the_expectation_and_autostart_is_no_evidence() {
    let mut story = Story::new(&["a"]);
    story.see("a", 1, vec![running(1), off(2, RunStateReason::Unknown)]);
    let expected = |story: &Story, number| story.object(number).unwrap().annotations.expectation.unwrap().expected;
    assert_eq!(expected(&story, 1), Expectation::Running);
    assert_eq!(expected(&story, 2), Expectation::Off);
    assert_eq!(story.object(2).unwrap().state.administrative, Some(AdministrativeState::Locked));
    story.see("a", 1, vec![off(1, RunStateReason::Shutdown)]);
    assert_eq!(expected(&story, 1), Expectation::Off, "an ordinary stop from outside is adopted");
    story.see("a", 1, vec![running(2), off(2, RunStateReason::Crashed)]);
    assert_eq!(expected(&story, 2), Expectation::Running, "a crash is not");
}

#[test]
fn an_operators_expectation_is_never_adopted_away() {
    let mut story = Story::new(&["a"]);
    story.see("a", 1, vec![running(1)]);
    let name = Name::virtual_machine(Uuid::from_u128(1));
    let mut annotations = story.object(1).unwrap().annotations.clone();
    if let Some(setting) = &mut annotations.expectation {
        setting.origin = ExpectationOrigin::Operator;
    }
    assert!(story.inventory.annotate(&story.evidence(ChangeSource::ManagementOperation), &name, annotations));
    story.see("a", 1, vec![off(1, RunStateReason::Shutdown)]);
    assert_eq!(story.object(1).unwrap().annotations.expectation.unwrap().expected, Expectation::Running);
}

#[test]
fn a_host_that_goes_down_does_not_teach_that_its_machines_belong_off() {
    let mut story = Story::new(&["a"]);
    story.see("a", 1, vec![running(1)]);
    story.see("a", 1, vec![off(1, RunStateReason::Shutdown)]);
    story.link("a", LinkStanding::Unreachable, 1);
    assert_eq!(story.object(1).unwrap().annotations.expectation.unwrap().expected, Expectation::Running);
}

fn warnings(story: &Story, id: &str) -> Vec<String> {
    match &story.inventory.object(&Name::host(&host(id))).unwrap().body {
        Body::Host(host) => host.warnings.clone(),
        other => panic!("{other:?}"),
    }
}

fn identity(uuid: &str) -> Fact {
    Fact::Host(Box::new(HostFacts { host_uuid: uuid.into(), ..HostFacts::default() }))
}

#[test]
fn another_or_a_shared_host_uuid_is_a_warning_and_never_a_merge() {
    let mut story = Story::new(&["a", "b"]);
    story.see("a", 1, vec![identity("u1")]);
    assert!(warnings(&story, "a").is_empty());
    story.see("a", 1, vec![identity("u2")]);
    assert!(warnings(&story, "a")[0].contains("from u1 to u2"));
    story.see("b", 1, vec![identity("u2")]);
    assert!(warnings(&story, "b")[0].contains("host a has the same UUID"));
}

#[test]
fn machines_count_for_the_host_they_run_on() {
    let mut story = Story::new(&["a"]);
    let facts = HostFacts {
        cpu: crate::model::host::HostCpu { logical_cpus: 8, ..Default::default() },
        memory_total_bytes: 16 << 30,
        ..HostFacts::default()
    };
    story.see("a", 1, vec![Fact::Host(Box::new(facts)), running(1), running(2), off(3, RunStateReason::Shutdown)]);
    story.inventory.tick(Timestamp((story.now + 1) * 1_000_000));
    let object = story.inventory.object(&Name::host(&host("a"))).unwrap();
    let Body::Host(host) = &object.body else { panic!("{object:?}") };
    let vcpus = host.volatile.capacity.vcpus.unwrap();
    assert_eq!((vcpus.total, vcpus.allocated, vcpus.available), (8, 4, 28));
    assert_eq!(host.volatile.capacity.memory_bytes.unwrap().allocated, 2 << 30);
}

fn shared_pool() -> Fact {
    let pool = StoragePool {
        display_name: "nfs1".into(),
        pool_type: "netfs".into(),
        pool_state: PoolState::Running,
        target_path: "/images".into(),
        source: "nfs://server/export".into(),
        volatile: crate::model::Volatile(crate::model::storage::PoolVolatile {
            capacity_bytes: Some(1 << 40),
            ..Default::default()
        }),
        ..StoragePool::default()
    };
    let volume = |file: &str, backing: &str| Volume {
        key: format!("/images/{file}"),
        path: format!("/images/{file}"),
        display_name: file.to_owned(),
        backing_path: backing.to_owned(),
        capacity_bytes: 10 << 30,
        ..Volume::default()
    };
    let volumes = vec![volume("1.qcow2", "/images/base.qcow2"), volume("base.qcow2", "")];
    Fact::StoragePool(Box::new(PoolFacts { pool, volumes: Some(volumes) }))
}

#[test]
fn pools_of_two_hosts_on_one_export_share_a_backing_that_is_counted_once() {
    let mut story = Story::new(&["a", "b"]);
    for id in ["a", "b"] {
        story.see(id, 1, vec![shared_pool()]);
    }
    story.see("a", 1, vec![running(1)]);
    story.inventory.tick(Timestamp((story.now + 1) * 1_000_000));
    let object = story.inventory.object(&Name::storage_backing("nfs://server/export")).unwrap();
    let Body::StorageBacking(backing) = &object.body else { panic!("{object:?}") };
    assert_eq!((backing.hosts.len(), backing.pools.len(), backing.virtual_machines.len()), (2, 2, 1));
    assert_eq!(backing.volatile.capacity.storage_bytes.unwrap().total, 1 << 40);
    let cluster = story.inventory.object(&Name::cluster()).unwrap();
    let Body::Cluster(cluster) = &cluster.body else { panic!("{cluster:?}") };
    assert_eq!(cluster.volatile.capacity.storage_bytes.unwrap().total, 1 << 40);
    assert!(story.inventory.object(&Name::image("base.qcow2")).is_some(), "what others are based on is an image");
}

#[test]
fn a_pool_that_goes_takes_its_volumes_along() {
    let mut story = Story::new(&["a"]);
    story.see("a", 1, vec![shared_pool()]);
    let volume = Name::volume(&host("a"), "nfs1", "/images/1.qcow2");
    assert!(story.inventory.object(&volume).is_some());
    story.see("a", 1, vec![Fact::StoragePoolGone("nfs1".into())]);
    assert!(story.inventory.object(&volume).is_none());
    assert!(story.inventory.object(&Name::storage_backing("nfs://server/export")).is_none());
}

#[test]
fn a_removed_host_takes_everything_along() {
    let mut story = Story::new(&["a", "b"]);
    story.see("a", 1, vec![running(1), shared_pool()]);
    story.see("b", 1, vec![running(2)]);
    let evidence = story.evidence(ChangeSource::ManagementOperation);
    story.inventory.remove_host(&evidence, &host("a"));
    assert!(story.object(1).is_none());
    assert!(story.object(2).is_some());
    assert!(story.inventory.object(&Name::host(&host("a"))).is_none());
    assert!(story.inventory.object(&Name::hypervisor(&host("a"), "qemu")).is_none());
}

#[test]
fn a_name_that_returns_continues_its_revision() {
    let mut story = Story::new(&["a"]);
    story.see("a", 1, vec![off(1, RunStateReason::Shutdown)]);
    let uid = story.object(1).unwrap().uid;
    story.see("a", 1, vec![Fact::MachineGone { uuid: Uuid::from_u128(1), cause: GoneCause::Removed }]);
    story.see("a", 1, vec![off(1, RunStateReason::Shutdown)]);
    let object = story.object(1).unwrap();
    assert_eq!((object.revision, object.uid), (3, uid));
}

#[test]
fn what_stands_on_an_object_is_found_by_index_as_by_looking_at_everything() {
    use crate::model::relation::{Topology, scanned_dependents};
    let mut story = Story::new(&["a", "b"]);
    for (id, number) in [("a", 1), ("b", 2)] {
        story.see(id, 1, vec![shared_pool(), running(number), off(number + 10, RunStateReason::Shutdown)]);
    }
    story.inventory.tick(Timestamp((story.now + 1) * 1_000_000));
    let mut found = 0;
    for class in crate::model::ObjectClass::RESOURCES {
        for object in Topology::objects(&story.inventory, class) {
            let indexed = Topology::dependents(&story.inventory, &object.name);
            assert_eq!(indexed, scanned_dependents(&story.inventory, &object.name), "{}", object.name);
            found += indexed.len();
        }
    }
    assert!(found > 10, "{found}");
}

/// REQ-CM-FUN-24: what a host keeps for itself is told and not available, of the host and of the cluster.
#[test]
fn what_settings_reserve_is_not_available() {
    let mut story = Story::new(&[]);
    let reserve = crate::model::registration::HostReserve { cpus: 2, memory_bytes: 8 << 30 };
    let evidence = story.evidence(ChangeSource::ManagementOperation);
    let endpoints = [("qemu".to_owned(), "qemu+ssh://a/system".to_owned())];
    let registration = HostRegistration { reserve, ..registration("a") };
    story.inventory.add_host(&evidence, registration, Profile::Monitor, Vec::new(), &endpoints);
    story.connect("a", 1);
    let mut facts = HostFacts::default();
    facts.cpu.logical_cpus = 16;
    facts.memory_total_bytes = 64 << 30;
    story.see("a", 1, vec![Fact::Host(Box::new(facts)), running(1)]);
    story.inventory.tick(Timestamp(story.now * 1_000_000));
    let host = story.inventory.object(&Name::host(&host("a"))).unwrap();
    let Body::Host(host) = &host.body else { panic!("a host") };
    let (vcpus, memory) = (host.volatile.capacity.vcpus.unwrap(), host.volatile.capacity.memory_bytes.unwrap());
    let ratio = crate::model::capacity::Overcommit::default();
    assert_eq!((vcpus.total, vcpus.reserved, vcpus.allocated), (16, 2, 2));
    assert_eq!((vcpus.available, ratio.cpu), (14 * 4 - 2, 4.0));
    assert_eq!((memory.reserved, memory.available), (8 << 30, (64 << 30) - (8 << 30) - (1 << 30)));
    let cluster = story.inventory.object(&Name::cluster()).unwrap();
    let Body::Cluster(cluster) = &cluster.body else { panic!("the cluster") };
    assert_eq!(cluster.volatile.capacity.memory_bytes.unwrap().reserved, 8 << 30);
}

/// Suspicion of operations.md F30: only what libvirt announces can be missed, and a slow event is not.
#[test]
fn only_announced_changes_without_their_event_are_missed() {
    let mut story = Story::new(&["a"]);
    let missed = |story: &Story| {
        let hypervisor = story.inventory.object(&Name::hypervisor(&host("a"), "qemu")).unwrap();
        let Body::Hypervisor(hypervisor) = &hypervisor.body else { panic!("a hypervisor") };
        hypervisor.volatile.missed_events
    };
    let poll = |story: &mut Story, seconds: i64, facts: Vec<Fact>| {
        story.now += seconds;
        let evidence = Evidence { periodic: true, ..story.evidence(ChangeSource::ResourceOperation) };
        let observation = Observation { time: evidence.read, facts, errors: Vec::new(), samples: None };
        story.inventory.observe(&evidence, &key("a"), 1, observation);
        story.inventory.vitals(&key("a"), 0, None);
        story.inventory.tick(evidence.now);
    };
    story.see("a", 1, vec![running(1), running(2)]);
    // Larger, with another NIC: no event tells that.
    let facts = HostFacts { memory_total_bytes: 64 << 30, ..HostFacts::default() };
    poll(&mut story, 10, vec![Fact::Host(Box::new(facts))]);
    let mut grown = machine(1, RunState::Running, RunStateReason::Booted);
    grown.definition = Ok(Arc::new(VmDefinition { vcpus_current: 4, ..VmDefinition::default() }));
    poll(&mut story, 10, vec![Fact::Machine(Box::new(grown))]);
    poll(&mut story, 60, Vec::new());
    assert_eq!(missed(&story), 0, "nothing that an event tells");
    // The poll overtakes the event.
    poll(&mut story, 10, vec![off(1, RunStateReason::Shutdown)]);
    story.see("a", 1, vec![off(1, RunStateReason::Shutdown)]);
    poll(&mut story, 60, Vec::new());
    assert_eq!(missed(&story), 0, "the event was only slower");
    poll(&mut story, 10, vec![off(2, RunStateReason::Shutdown)]);
    assert_eq!(missed(&story), 0, "it may still come");
    poll(&mut story, 11, Vec::new());
    assert_eq!(missed(&story), 1, "one machine, one event");
}
