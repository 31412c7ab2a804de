//! The engine with a real store and the simulator, driven through its handle.

use super::{AnnotationPatch, CommandContext, CommandError, EngineEnd, EngineHandle, EngineParts, start};
use crate::changes::{ChangeLog, DeliveryMode, Restored, Selector, StreamEvent, Subscription, SubscriptionOptions};
use crate::engine::Assignment;
use crate::fault::FaultSettings;
use crate::hypervisor::sim::{SimOpener, SimSetup};
use crate::inventory::InventorySettings;
use crate::model::annotation::Expectation;
use crate::model::history::TransitionHistory;
use crate::model::registration::{HostOrigin, HostRegistration, Profile};
use crate::model::virtual_machine::VirtualMachine;
use crate::model::{
    Actor, Annotations, Body, Change, ChangeKind, ChangeSource, HostId, Name, Object, ResourceState, Timestamp,
};
use crate::store::{Journal, OpenOptions, Transaction};
use std::path::Path;
use std::sync::Arc;
use std::time::SystemTime;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

mod alarms;

/// An engine on a state directory; assignments are kept, no collector runs.
struct Rig {
    handle: EngineHandle,
    log: Arc<ChangeLog>,
    stop: CancellationToken,
    task: tokio::task::JoinHandle<EngineEnd>,
    assignments: mpsc::UnboundedReceiver<Assignment>,
    vitals: Arc<super::EngineVitals>,
    /// Speaks in the store's name.
    acks: mpsc::UnboundedSender<crate::store::Ack>,
}

fn now() -> Timestamp {
    Timestamp::from_system(SystemTime::now())
}

fn rig(directory: &Path) -> Rig {
    rig_after(directory, false)
}

/// The same, as if the log had been set aside before.
fn rig_after(directory: &Path, rebuilt: bool) -> Rig {
    let (journal, loaded) =
        Journal::open(&OpenOptions { directory: directory.to_owned(), vrm_id: "vrm1".into() }).unwrap();
    let restored = Restored {
        epoch: loaded.epoch,
        head: loaded.head,
        objects: loaded.objects.clone(),
        tombstones: loaded.tombstones.clone(),
        forgotten: loaded.forgotten,
    };
    let log = Arc::new(ChangeLog::new(restored, Arc::clone(&journal.reader) as Arc<dyn TransitionHistory>));
    let (sender, assignments) = mpsc::unbounded_channel();
    let (acks, acks_inbox) = mpsc::unbounded_channel();
    let (forward, mut from_store) = (acks.clone(), journal.acks);
    tokio::spawn(async move {
        while let Some(ack) = from_store.recv().await {
            if forward.send(ack).is_err() {
                return;
            }
        }
    });
    let stop = CancellationToken::new();
    let parts = EngineParts {
        settings: InventorySettings::default(),
        fault: FaultSettings::default(),
        head: loaded.head,
        objects: loaded.objects,
        tombstones: loaded.tombstones,
        hosts: loaded.hosts,
        requests: loaded.requests,
        rebuilt,
        store: journal.store,
        acks: acks_inbox,
        changes: Arc::clone(&log),
        opener: Arc::new(SimOpener::new(SimSetup { clock: Arc::new(now), profile: Profile::Monitor })),
        assignments: sender,
        removal_guard: 0.1,
        clock: Arc::new(now),
    };
    let (handle, vitals, task) = start(parts, stop.clone());
    Rig { handle, log, stop, task, assignments, vitals, acks }
}

impl Rig {
    async fn end(self) {
        self.stop.cancel();
        assert_eq!(self.task.await.unwrap(), EngineEnd::Stopped);
    }
}

fn registration(id: &str, query: &str) -> HostRegistration {
    HostRegistration {
        id: HostId::parse(id).unwrap(),
        uris: vec![format!("sim://{query}")],
        credential: String::new(),
        profile: None,
        allow_insecure: false,
        labels: std::collections::BTreeMap::new(),
        reserve: Default::default(),
        origin: HostOrigin::File,
    }
}

fn context(request_id: &str) -> CommandContext {
    CommandContext {
        actor: Actor { principal: "uid:0(root)".into(), ..Actor::default() },
        method: "vrm.v1.Test/Call".into(),
        request_id: request_id.into(),
        ..CommandContext::default()
    }
}

fn label(key: &str, value: &str) -> AnnotationPatch {
    AnnotationPatch { labels: [(key.to_owned(), Some(value.to_owned()))].into(), ..AnnotationPatch::default() }
}

fn a() -> Name {
    Name::new("hosts/a")
}

#[tokio::test]
async fn a_reply_leaves_after_its_change_is_published() {
    let directory = tempfile::tempdir().unwrap();
    let rig = rig(directory.path());
    rig.handle.configure_hosts(vec![registration("a", "")], false).await.unwrap();
    let object = rig.handle.annotate(context(""), a(), label("tier", "gold")).await.unwrap();
    let published = rig.log.get("hosts/a").unwrap();
    assert_eq!(published.revision, object.revision);
    assert_eq!(published.labels()["tier"], "gold");
    rig.end().await;
}

#[tokio::test]
async fn a_repeated_request_id_changes_nothing_and_another_content_is_refused_also_after_a_restart() {
    let directory = tempfile::tempdir().unwrap();
    let first = rig(directory.path());
    first.handle.configure_hosts(vec![registration("a", "")], false).await.unwrap();
    let revision = first.handle.annotate(context("r1"), a(), label("tier", "gold")).await.unwrap().revision;
    assert_eq!(first.handle.annotate(context("r1"), a(), label("tier", "gold")).await.unwrap().revision, revision);
    first.end().await;
    let second = rig(directory.path());
    second.handle.configure_hosts(vec![registration("a", "")], false).await.unwrap();
    let head = second.log.head();
    second.handle.annotate(context("r1"), a(), label("tier", "gold")).await.unwrap();
    assert_eq!(second.log.head(), head);
    let refused = second.handle.annotate(context("r1"), a(), label("tier", "tin")).await.unwrap_err();
    assert_eq!(refused, CommandError::RequestIdReused("r1".into()));
    assert_eq!(second.log.get("hosts/a").unwrap().labels()["tier"], "gold");
    second.end().await;
}

#[tokio::test]
async fn stale_etags_unknown_names_and_bad_fields_are_refused() {
    let directory = tempfile::tempdir().unwrap();
    let rig = rig(directory.path());
    rig.handle.configure_hosts(vec![registration("a", "")], false).await.unwrap();
    let stale = CommandContext { etag: "old".into(), ..context("") };
    let error = rig.handle.annotate(stale, a(), label("k", "v")).await.unwrap_err();
    assert!(matches!(error, CommandError::EtagMismatch { .. }), "{error}");
    let error = rig.handle.annotate(context(""), Name::new("hosts/b"), label("k", "v")).await.unwrap_err();
    assert!(matches!(error, CommandError::NotFound { .. }), "{error}");
    for patch in [label("", "v"), label("k", &"v".repeat(257)), label("a\nb", "v")] {
        let error = rig.handle.annotate(context(""), a(), patch).await.unwrap_err();
        assert!(matches!(&error, CommandError::InvalidField { field, .. } if field == "labels"), "{error}");
    }
    let error = rig.handle.expect(context(""), a(), Some(Expectation::Off)).await.unwrap_err();
    assert!(matches!(error, CommandError::InvalidField { .. }), "{error}");
    rig.end().await;
}

#[tokio::test]
async fn validate_only_checks_and_changes_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let rig = rig(directory.path());
    rig.handle.configure_hosts(vec![registration("a", "")], false).await.unwrap();
    let head = rig.log.head();
    let dry = CommandContext { validate_only: true, ..context("") };
    rig.handle.annotate(dry.clone(), a(), label("tier", "gold")).await.unwrap();
    rig.handle.register_host(dry.clone(), registration("b", "")).await.unwrap();
    assert!(rig.handle.register_host(dry, registration("b", "?vms=none")).await.is_err());
    assert_eq!(rig.log.head(), head);
    rig.end().await;
}

#[tokio::test]
async fn a_registered_host_survives_a_restart_and_a_file_host_is_changed_only_in_its_file() {
    let directory = tempfile::tempdir().unwrap();
    let first = rig(directory.path());
    first.handle.configure_hosts(vec![registration("a", "")], false).await.unwrap();
    first.handle.register_host(context("r"), registration("b", "")).await.unwrap();
    let twice = first.handle.register_host(context(""), registration("b", "")).await.unwrap_err();
    assert!(matches!(twice, CommandError::AlreadyExists { .. }), "{twice}");
    let host = HostId::parse("a").unwrap();
    let refused = first.handle.deregister_host(context(""), host.clone(), true).await.unwrap_err();
    assert_eq!(refused, CommandError::ConfiguredHost(host));
    first.end().await;
    let mut second = rig(directory.path());
    second.handle.configure_hosts(vec![registration("a", "")], false).await.unwrap();
    assert!(second.log.get("hosts/b").is_some());
    let watched = std::iter::from_fn(|| second.assignments.try_recv().ok())
        .filter(|assignment| matches!(assignment, Assignment::Watch(_)))
        .count();
    assert_eq!(watched, 2);
    second.handle.deregister_host(context(""), HostId::parse("b").unwrap(), false).await.unwrap();
    assert!(second.log.get("hosts/b").is_none());
    second.end().await;
}

#[tokio::test]
async fn the_removal_guard_refuses_the_whole_configuration() {
    let directory = tempfile::tempdir().unwrap();
    let rig = rig(directory.path());
    let all: Vec<HostRegistration> = ["a", "b", "c", "d"].iter().map(|id| registration(id, "")).collect();
    rig.handle.configure_hosts(all.clone(), false).await.unwrap();
    let refused = rig.handle.configure_hosts(all[..1].to_vec(), false).await.unwrap_err();
    assert!(matches!(refused, CommandError::RemovalGuard { removed: 3, total: 4, .. }), "{refused}");
    assert!(rig.log.get("hosts/d").is_some());
    rig.handle.configure_hosts(all[..3].to_vec(), false).await.unwrap();
    assert!(rig.log.get("hosts/d").is_none(), "one host may always go");
    rig.handle.configure_hosts(Vec::new(), true).await.unwrap();
    assert!(rig.log.get("hosts/a").is_none());
    rig.end().await;
}

#[tokio::test]
async fn a_host_configured_twice_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let rig = rig(directory.path());
    let twice = vec![registration("a", ""), registration("a", "?vms=3")];
    let refused = rig.handle.configure_hosts(twice, false).await.unwrap_err();
    assert!(matches!(refused, CommandError::InvalidField { .. }), "{refused}");
    assert!(rig.log.get("hosts/a").is_none());
    rig.end().await;
}

#[tokio::test]
async fn a_change_through_the_interface_is_told_as_a_management_operation() {
    let directory = tempfile::tempdir().unwrap();
    let rig = rig(directory.path());
    rig.handle.configure_hosts(vec![registration("a", "")], false).await.unwrap();
    let options =
        SubscriptionOptions { updates_only: true, mode: DeliveryMode::Transitions, ..SubscriptionOptions::default() };
    let everything = Selector { classes: Vec::new(), matches: None, choice: None };
    let mut subscription = Subscription::start(Arc::clone(&rig.log), everything, options).unwrap();
    rig.handle.annotate(context(""), a(), label("tier", "gold")).await.unwrap();
    let delivery = loop {
        if let StreamEvent::Change(delivery) = subscription.next().await.unwrap().event {
            break delivery;
        }
    };
    assert_eq!(delivery.source, Some(ChangeSource::ManagementOperation));
    let labels = delivery.attributes.iter().find(|attribute| attribute.path == "labels").unwrap();
    assert_eq!((labels.old.is_null(), labels.new["tier"].as_str()), (true, Some("gold")));
    rig.end().await;
}

/// Everything a start finds becomes unknown in one turn, which may be more than may wait for the disk.
#[tokio::test]
async fn a_start_on_many_objects_takes_its_hosts() {
    let directory = tempfile::tempdir().unwrap();
    fill(directory.path(), 4_000).await;
    let rig = rig(directory.path());
    let hosts = vec![registration("sim", "?hosts=1&vms=0")];
    rig.handle.configure_hosts(hosts, false).await.expect("the daemon's own word is not refused as load");
    rig.end().await;
}

/// Puts so many machines into the store.
async fn fill(directory: &Path, machines: u64) {
    let made = |sequence: u64| {
        let uuid = uuid::Uuid::from_u128(sequence.into());
        let vm = VirtualMachine { uuid, ..VirtualMachine::default() };
        let object = Object {
            name: Name::virtual_machine(uuid),
            uid: uuid,
            revision: 1,
            created_sequence: sequence,
            last_change_sequence: sequence,
            create_time: Timestamp(1),
            change_time: Timestamp(1),
            state: ResourceState::default(),
            annotations: Annotations::default(),
            body: Body::VirtualMachine(Box::new(vm)),
        };
        Arc::new(Change {
            sequence,
            kind: ChangeKind::Created,
            name: object.name.clone(),
            object: Arc::new(object),
            attributes: Vec::new(),
            source: ChangeSource::Resync,
            time: Timestamp(1),
        })
    };
    let options = OpenOptions { directory: directory.to_owned(), vrm_id: "vrm1".into() };
    let (mut journal, _) = Journal::open(&options).unwrap();
    journal.store.submit(Transaction { id: 1, changes: (1..=machines).map(made).collect(), ..Transaction::default() });
    journal.acks.recv().await.expect("committed");
}
