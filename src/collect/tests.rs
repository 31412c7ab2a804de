//! Collectors on the simulator in virtual time: connect, read, follow, lose, find again.

use super::{Cadence, CollectorSettings, start};
use crate::changes::{ChangeLog, Restored};
use crate::engine::{EngineHandle, EngineParts, start as start_engine};
use crate::fault::FaultSettings;
use crate::host::{LocalHost, Root};
use crate::hypervisor::sim::fault::Fault;
use crate::hypervisor::sim::{SimHandle, SimOpener, SimSetup, tokio_clock};
use crate::inventory::InventorySettings;
use crate::model::history::TransitionHistory;
use crate::model::registration::{HostOrigin, HostRegistration, Profile};
use crate::model::{HostId, Object, ObjectClass};
use crate::store::{Journal, OpenOptions};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

struct Rig {
    engine: EngineHandle,
    log: Arc<ChangeLog>,
    sim: SimHandle,
    clock: crate::hypervisor::sim::Clock,
    _directory: tempfile::TempDir,
}

fn rig() -> Rig {
    let directory = tempfile::tempdir().unwrap();
    let (journal, loaded) =
        Journal::open(&OpenOptions { directory: directory.path().to_owned(), vrm_id: "vrm1".into() }).unwrap();
    let restored = Restored { epoch: loaded.epoch, ..Restored::default() };
    let log = Arc::new(ChangeLog::new(restored, Arc::clone(&journal.reader) as Arc<dyn TransitionHistory>));
    let clock = tokio_clock();
    let opener = SimOpener::new(SimSetup { clock: Arc::clone(&clock), profile: Profile::Monitor });
    let sim = opener.handle();
    let (assignments, assigned) = mpsc::unbounded_channel();
    let parts = EngineParts {
        settings: InventorySettings::default(),
        fault: FaultSettings::default(),
        head: 0,
        objects: Vec::new(),
        tombstones: Vec::new(),
        hosts: Vec::new(),
        requests: Vec::new(),
        rebuilt: false,
        store: journal.store,
        acks: journal.acks,
        changes: Arc::clone(&log),
        opener: Arc::new(opener),
        assignments,
        removal_guard: 0.1,
        clock: Arc::clone(&clock),
    };
    let (engine, _, _) = start_engine(parts, CancellationToken::new());
    let local = Arc::new(LocalHost::new(Root::at(directory.path())));
    let samples = crate::measurement::SampleSink::unread();
    let settings = CollectorSettings { cadence: Cadence::default(), local, clock: Arc::clone(&clock), samples };
    start(settings, engine.clone(), assigned, CancellationToken::new());
    Rig { engine, log, sim, clock, _directory: directory }
}

impl Rig {
    async fn watch(&self, query: &str) {
        let registration = HostRegistration {
            id: HostId::parse("sim").unwrap(),
            uris: vec![format!("sim://{query}")],
            credential: String::new(),
            profile: None,
            allow_insecure: false,
            labels: std::collections::BTreeMap::new(),
            origin: HostOrigin::File,
        };
        self.engine.configure_hosts(vec![registration], false).await.unwrap();
    }

    /// Waits until published state fulfils a condition. Time is virtual: the bound is never slept.
    async fn until(&self, what: &str, condition: impl Fn(&ChangeLog) -> bool) {
        let mut head = self.log.watch_head();
        let waited = tokio::time::timeout(Duration::from_secs(3_600), async {
            while !condition(&self.log) {
                let _ = head.changed().await;
            }
        });
        assert!(waited.await.is_ok(), "never: {what}");
    }
}

fn all(log: &ChangeLog, class: ObjectClass, condition: impl Fn(&Object) -> bool) -> bool {
    let objects = log.all(class);
    !objects.is_empty() && objects.iter().all(|object| condition(object))
}

#[tokio::test(start_paused = true)]
async fn every_host_is_read_completely() {
    let rig = rig();
    rig.watch("?hosts=3&vms=24&seed=7").await;
    rig.until("24 machines, all known", |log| {
        log.count(ObjectClass::VirtualMachine) == 24
            && all(log, ObjectClass::VirtualMachine, |vm| !vm.state.unknown)
            && all(log, ObjectClass::Host, |host| !host.state.unknown)
    })
    .await;
    assert!(rig.log.count(ObjectClass::StoragePool) > 0);
    assert!(rig.log.count(ObjectClass::Network) > 0);
}

#[tokio::test(start_paused = true)]
async fn a_dropped_host_leaves_its_machines_as_last_known_and_returns() {
    let rig = rig();
    rig.watch("?hosts=2&vms=10&seed=7").await;
    rig.until("all read", |log| log.count(ObjectClass::VirtualMachine) == 10).await;
    rig.sim.inject(&Fault::DropHost { host: "sim-1".into() }).unwrap();
    rig.until("host unknown", |log| log.get("hosts/sim-1").is_some_and(|host| host.state.unknown)).await;
    let of_lost = |object: &Object| object.host().is_some_and(|host| host.as_str() == "sim-1");
    let machines = rig.log.all(ObjectClass::VirtualMachine);
    assert_eq!(machines.len(), 10, "nothing is deleted");
    assert!(machines.iter().filter(|vm| of_lost(vm)).all(|vm| vm.state.unknown));
    assert!(machines.iter().filter(|vm| !of_lost(vm)).all(|vm| !vm.state.unknown), "the other host is not concerned");
    rig.sim.inject(&Fault::Restore { host: Some("sim-1".into()), vm: None }).unwrap();
    rig.until("all known again", |log| all(log, ObjectClass::VirtualMachine, |vm| !vm.state.unknown)).await;
}

#[tokio::test(start_paused = true)]
async fn a_hanging_host_is_found_within_fifteen_seconds() {
    let rig = rig();
    rig.watch("?hosts=2&vms=10&seed=7").await;
    rig.until("all read", |log| all(log, ObjectClass::Host, |host| !host.state.unknown)).await;
    // Taken from the record, not from the waiting: virtual time runs on while the store writes.
    let begun = (rig.clock)();
    rig.sim.inject(&Fault::HangHost { host: "sim-1".into() }).unwrap();
    rig.until("host unknown", |log| log.get("hosts/sim-1").is_some_and(|host| host.state.unknown)).await;
    let took = rig.log.get("hosts/sim-1").unwrap().state.since.since(begun);
    assert!(took <= Duration::from_secs(15), "{took:?}");
    assert!(!rig.log.get("hosts/sim-2").unwrap().state.unknown);
}
