//! What `docs/information-model.md` says of states, relations and notifications, against the code
//! that makes them (REQ-CM-FUN-05, -07, -40; REQ-GEN-NON-10).

#![expect(clippy::panic, reason = "a tidy test whose document has another form has failed")]

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

use serde::de::DeserializeOwned;
use uuid::Uuid;
use vrm::inventory::{Evidence, Inventory, InventorySettings, LinkStanding};
use vrm::model::host::EndpointKey;
use vrm::model::network::Network;
use vrm::model::observation::{Fact, HypervisorFacts, MachineFacts, MachineStateFacts, Observation, PoolFacts};
use vrm::model::registration::{HostOrigin, HostRegistration, Profile};
use vrm::model::relation::{Relation, Topology, relations};
use vrm::model::storage::{Image, PoolState, StoragePool, Volume};
use vrm::model::virtual_machine::{RunState, RunStateReason, Snapshot, VirtualDisk, VirtualMachine, VirtualNic};
use vrm::model::{Body, ChangeKind, ChangeSource, HostId, Name, Object, ObjectClass, ResourceState, Timestamp};
use vrm::wire::json;

use crate::sources::{ROOT, read};

const MACHINE: Uuid = Uuid::from_u128(1);

#[test]
fn machine_states_are_those_of_the_table() {
    let mut compared = 0;
    for cells in rows("**State mapping of a machine.**") {
        let Some((run_state, reasons)) = run_state(&cells[1]) else { continue };
        for reason in reasons {
            assert_state(&cells[1], &cells[2..6], &machine_state(run_state, reason));
            compared += 1;
        }
    }
    assert!(compared > 35, "only {compared} states compared");
}

#[test]
fn pool_states_are_those_of_the_table() {
    let mut compared = 0;
    for cells in rows("**State mapping of the other classes.**") {
        let Some(state) = cells[1].split(' ').next().and_then(parse).filter(|_| cells[0] == "StoragePool") else {
            continue;
        };
        let pool = StoragePool { display_name: "p".into(), pool_state: state, ..StoragePool::default() };
        let fact = Fact::StoragePool(Box::new(PoolFacts { pool, volumes: Some(Vec::new()) }));
        let mut story = Story::begun();
        story.see(fact);
        assert_state(&cells[1], &cells[2..6], &story.object(&Name::storage_pool(&host(), "p")).state);
        compared += usize::from(state != PoolState::default()) + 1;
    }
    assert_eq!(compared, 9, "all five states");
}

#[test]
fn a_renamed_or_restarted_machine_is_the_same_object() {
    let name = Name::virtual_machine(MACHINE);
    let mut story = Story::begun();
    let mut uids = BTreeSet::new();
    let lives = [("old", 1), ("new", 1), ("new", 2)];
    for (display_name, incarnation) in lives {
        let facts = machine_facts(display_name, RunState::Running, RunStateReason::Booted, incarnation);
        story.see(Fact::Machine(Box::new(facts)));
        let object = story.object(&name);
        let Body::VirtualMachine(vm) = &object.body else { panic!("{object:?}") };
        assert_eq!(vm.display_name, display_name);
        uids.insert(object.uid);
    }
    assert_eq!(uids.len(), 1);
    let kinds: Vec<ChangeKind> = story
        .inventory
        .take_effects()
        .changes
        .iter()
        .filter(|change| change.name == name)
        .map(|change| change.kind)
        .collect();
    assert_eq!(kinds.first(), Some(&ChangeKind::Created));
    assert!(kinds.len() >= 2 && kinds[1..].iter().all(|kind| *kind == ChangeKind::Changed), "{kinds:?}");
}

#[test]
fn the_relations_are_those_of_the_table() {
    let named: BTreeSet<String> = rows("### 2.4").iter().map(|cells| cells[0].trim_matches('`').to_owned()).collect();
    assert_eq!(named, Relation::ALL.iter().map(|relation| relation.as_str().to_owned()).collect());
}

#[test]
fn every_relation_leads_from_object_to_object() {
    let world = World::populated();
    let of = |name: &Name| relations(&world.objects[name], &world).into_iter().collect::<BTreeSet<_>>();
    let (vm, image, pool) = (Name::virtual_machine(MACHINE), Name::image("base"), Name::storage_pool(&host(), "p"));
    let (disk, base) = (Name::volume(&host(), "p", "/p/disk"), Name::volume(&host(), "p", "/p/base"));
    let (first, second) = (Name::snapshot(MACHINE, "first"), Name::snapshot(MACHINE, "second"));
    let network = Name::network(&host(), "n");
    for (from, relation, to) in [
        (&vm, Relation::RunsOn, &Name::host(&host())),
        (&vm, Relation::DefinedOn, &Name::host(&host())),
        (&vm, Relation::UsesVolume, &disk),
        (&vm, Relation::LiesOn, &Name::storage_backing("nfs://s/e")),
        (&vm, Relation::AttachedTo, &network),
        (&network, Relation::UplinkedBy, &Name::host(&host())),
        (&disk, Relation::StoredIn, &pool),
        (&disk, Relation::BackedBy, &base),
        (&pool, Relation::LiesOn, &Name::storage_backing("nfs://s/e")),
        (&image, Relation::LocatedIn, &base),
        (&first, Relation::SnapshotOf, &vm),
        (&second, Relation::ChildOf, &first),
        (&pool, Relation::ContainedIn, &Name::host(&host())),
    ] {
        assert!(of(from).contains(&(relation, to.clone())), "{from} {relation:?} {to}: {:?}", of(from));
    }
    assert!(of(&base).iter().all(|(relation, _)| *relation != Relation::BackedBy), "nothing lies below");
}

#[test]
fn every_notification_is_one_message_and_every_message_is_named() {
    let mapping = rows("### A.3");
    let mapped: BTreeMap<&str, &str> = mapping.iter().map(|cells| (cells[0].as_str(), cells[1].as_str())).collect();
    assert_eq!(mapped.len(), mapping.len(), "a notification is mapped twice");
    for cells in rows("#### 3.6.2").iter().filter(|cells| cells[1] == "M") {
        let name = cells[0].rsplit(": ").next().unwrap_or_default();
        assert!(mapped.contains_key(name), "{name} is mapped to no message");
    }
    let stream = json::pool().get_message_by_name("vrm.v1.WatchResourcesResponse").expect("a message of the contract");
    let oneof = stream.oneofs().next().expect("one of the messages");
    let messages: BTreeSet<String> =
        oneof.fields().filter_map(|field| Some(field.kind().as_message()?.name().to_owned())).collect();
    let named: BTreeSet<String> = mapped.values().filter_map(|text| Some(text.split('`').nth(1)?.to_owned())).collect();
    assert_eq!(named, messages);
    for (message, word, of) in [("ResourceChange", "kind ", "Kind"), ("ListStatus", "state ", "State")] {
        let told = mapped.values().filter(|text| text.contains(&format!("`{message}`, {word}")));
        let told: BTreeSet<String> = told.filter_map(|text| Some(word_after(text, word)?.to_owned())).collect();
        assert_eq!(told, words_of(&format!("vrm.v1.{message}.{of}")), "{message}");
    }
}

fn word_after<'a>(text: &'a str, word: &str) -> Option<&'a str> {
    text.split(word).nth(1)?.split(',').next()
}

/// The values of an enum as words, without the one that is not used.
fn words_of(name: &str) -> BTreeSet<String> {
    let values = json::pool().get_enum_by_name(name).expect("an enum of the contract");
    let prefix = values.get_value(0).expect("every enum has a zero").name().trim_end_matches("UNSPECIFIED").to_owned();
    values
        .values()
        .skip(1)
        .map(|value| value.name().trim_start_matches(&prefix).replace('_', " ").to_lowercase())
        .collect()
}

/// The rows of the first table after a text, without its head.
fn rows(after: &str) -> Vec<Vec<String>> {
    let model = read(&Path::new(ROOT).join("docs/information-model.md"));
    let rest = model.split_once(&format!("\n{after}")).unwrap_or_else(|| panic!("no {after} in the model")).1;
    rest.lines()
        .skip_while(|line| !line.starts_with('|'))
        .take_while(|line| line.starts_with('|'))
        .skip(2)
        .map(|line| line.trim_matches('|').split('|').map(|cell| cell.trim().to_owned()).collect())
        .collect()
}

fn parse<T: DeserializeOwned>(word: &str) -> Option<T> {
    serde_json::from_value(serde_json::Value::from(word)).ok()
}

/// `paused (user, …)`: the state and its reasons, where `…` stands for any that is not named.
fn run_state(cell: &str) -> Option<(RunState, Vec<RunStateReason>)> {
    let (state, reasons) = cell.trim_end_matches(')').split_once(" (").unwrap_or((cell, "…"));
    let reason = |word: &str| match word {
        "…" => RunStateReason::Unknown,
        word => parse(word).unwrap_or_else(|| panic!("{word} is no reason, in {cell}")),
    };
    Some((parse(state)?, reasons.split(", ").map(reason).collect()))
}

/// Compares operational, usage, availability and procedural with cells of a table.
fn assert_state(what: &str, cells: &[String], state: &ResourceState) {
    let word = |value: serde_json::Value| value.as_str().map(str::to_owned).unwrap_or_default();
    let [operational, usage, procedural] = [
        serde_json::to_value(state.operational),
        serde_json::to_value(state.usage),
        serde_json::to_value(state.procedural),
    ]
    .map(|value| word(value.expect("a word")));
    let availability: BTreeSet<String> =
        state.availability.iter().map(|status| word(serde_json::to_value(status).expect("a word"))).collect();
    let named: BTreeSet<String> = cells[2].split(", ").filter(|word| !word.is_empty()).map(str::to_owned).collect();
    assert_eq!((&cells[0], &cells[1], &named, &cells[3]), (&operational, &usage, &availability, &procedural), "{what}");
}

fn host() -> HostId {
    HostId::parse("a").expect("good")
}

fn machine_state(run_state: RunState, reason: RunStateReason) -> ResourceState {
    let mut story = Story::begun();
    story.see(Fact::Machine(Box::new(machine_facts("m", run_state, reason, 1))));
    story.object(&Name::virtual_machine(MACHINE)).state.clone()
}

fn machine_facts(name: &str, run_state: RunState, reason: RunStateReason, incarnation: u64) -> MachineFacts {
    MachineFacts {
        state: MachineStateFacts {
            uuid: MACHINE,
            display_name: name.into(),
            run_state,
            reason,
            incarnation: run_state.is_active().then_some(incarnation),
        },
        persistent: true,
        autostart: false,
        definition: Ok(Arc::default()),
        labels: BTreeMap::new(),
        snapshots: None,
    }
}

/// An inventory with one host that is being read for the first time.
struct Story {
    inventory: Inventory,
    now: i64,
}

impl Story {
    fn begun() -> Self {
        let inventory = Inventory::restore(InventorySettings::default(), 0, Vec::new(), Vec::new(), Timestamp(0));
        let mut story = Self { inventory, now: 0 };
        let registration = HostRegistration {
            id: host(),
            uris: vec!["qemu:///system".into()],
            credential: String::new(),
            profile: None,
            allow_insecure: false,
            labels: BTreeMap::new(),
            reserve: Default::default(),
            origin: HostOrigin::File,
        };
        let key = endpoint();
        let endpoints = [(key.technology.clone(), "qemu:///system".to_owned())];
        let evidence = story.evidence();
        story.inventory.add_host(&evidence, registration, Profile::Monitor, Vec::new(), &endpoints);
        let hypervisor = Some(HypervisorFacts::default());
        story.inventory.link_changed(&evidence, &key, LinkStanding::Synchronizing, "", 1, hypervisor);
        story
    }

    fn evidence(&mut self) -> Evidence {
        self.now += 1;
        let now = Timestamp(self.now);
        Evidence { now, read: now, source: ChangeSource::ResourceOperation, periodic: false }
    }

    fn see(&mut self, fact: Fact) {
        let evidence = self.evidence();
        let observation = Observation { time: evidence.read, facts: vec![fact], errors: Vec::new(), samples: None };
        self.inventory.observe(&evidence, &endpoint(), 1, observation);
    }

    fn object(&self, name: &Name) -> Arc<Object> {
        self.inventory.object(name).cloned().unwrap_or_else(|| panic!("{name} is not there"))
    }
}

fn endpoint() -> EndpointKey {
    EndpointKey { host: host(), technology: "qemu".into() }
}

/// A small managed world.
#[derive(Default)]
struct World {
    objects: BTreeMap<Name, Arc<Object>>,
}

impl World {
    fn populated() -> Self {
        let mut world = Self::default();
        world.put(Name::host(&host()), Body::empty(ObjectClass::Host));
        world.put(Name::storage_backing("nfs://s/e"), Body::empty(ObjectClass::StorageBacking));
        let network = Network { host: Some(host()), uplinks: vec!["eth0".into()], ..Network::default() };
        world.put(Name::network(&host(), "n"), Body::Network(Box::new(network)));
        let pool = StoragePool { backing_source: "nfs://s/e".into(), ..StoragePool::default() };
        world.put(Name::storage_pool(&host(), "p"), Body::StoragePool(Box::new(pool)));
        for (path, below) in [("/p/base", ""), ("/p/disk", "/p/base")] {
            let (pool, path, backing_path) = ("p".to_owned(), path.to_owned(), below.to_owned());
            let volume = Volume { host: Some(host()), pool, path: path.clone(), backing_path, ..Volume::default() };
            world.put(Name::volume(&host(), "p", &path), Body::Volume(Box::new(volume)));
        }
        let volumes = vec![Name::volume(&host(), "p", "/p/base").to_string()];
        world.put(Name::image("base"), Body::Image(Box::new(Image { volumes, ..Image::default() })));
        world.put(Name::virtual_machine(MACHINE), Body::VirtualMachine(Box::new(machine())));
        for (name, parent) in [("first", ""), ("second", "first")] {
            let snapshot = Snapshot { vm_uuid: MACHINE, parent: parent.into(), ..Snapshot::default() };
            world.put(Name::snapshot(MACHINE, name), Body::Snapshot(Box::new(snapshot)));
        }
        world
    }

    fn put(&mut self, name: Name, body: Body) {
        let object = Object {
            name: name.clone(),
            uid: Uuid::nil(),
            revision: 1,
            created_sequence: 1,
            last_change_sequence: 1,
            create_time: Timestamp(0),
            change_time: Timestamp(0),
            state: ResourceState::default(),
            annotations: vrm::model::Annotations::default(),
            body,
        };
        self.objects.insert(name, Arc::new(object));
    }
}

fn machine() -> VirtualMachine {
    let mut vm = VirtualMachine {
        uuid: MACHINE,
        host: Some(host()),
        defined_on: vec![host()],
        run_state: RunState::Running,
        backing_sources: vec!["nfs://s/e".into()],
        ..VirtualMachine::default()
    };
    let definition = Arc::make_mut(&mut vm.definition);
    definition.disks = vec![VirtualDisk { source: "/p/disk".into(), ..VirtualDisk::default() }];
    definition.nics = vec![VirtualNic { network: "n".into(), ..VirtualNic::default() }];
    vm
}

impl Topology for World {
    fn object(&self, name: &Name) -> Option<Arc<Object>> {
        self.objects.get(name).cloned()
    }

    fn objects(&self, class: ObjectClass) -> Vec<Arc<Object>> {
        self.objects.values().filter(|object| object.name.class() == Some(class)).cloned().collect()
    }

    fn volume_by_path(&self, host: &HostId, path: &str) -> Option<Name> {
        let is_it = |volume: &Volume| volume.host.as_ref() == Some(host) && volume.path == path;
        let found = self.objects.values().find(|object| matches!(&object.body, Body::Volume(volume) if is_it(volume)));
        found.map(|object| object.name.clone())
    }
}
