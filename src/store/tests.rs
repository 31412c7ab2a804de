//! What the journal keeps, and what it refuses to open.

use super::{Ack, HostRow, Journal, Loaded, OpenOptions, Outcome, RequestRow, StoreError, Transaction, set_aside};
use crate::model::history::TransitionHistory;
use crate::model::registration::{HostOrigin, HostRegistration};
use crate::model::virtual_machine::VirtualMachine;
use crate::model::{
    Actor, Annotations, AttributeChange, AuditRecord, Body, Change, ChangeKind, ChangeSource, HostId, Name, Object,
    ObjectClass, ResourceState, Timestamp,
};
use std::path::Path;
use std::sync::Arc;
use uuid::Uuid;

mod alarms;
mod behind;
mod definitions;
mod migration;
mod retention;

fn open(directory: &Path) -> (Journal, Loaded) {
    try_open(directory).unwrap()
}

fn try_open(directory: &Path) -> Result<(Journal, Loaded), StoreError> {
    Journal::open(&OpenOptions { directory: directory.to_owned(), vrm_id: "vrm1".into() })
}

fn change(sequence: u64, number: u128, kind: ChangeKind) -> Arc<Change> {
    let uuid = Uuid::from_u128(number);
    let vm = VirtualMachine { uuid, display_name: format!("vm-{number} \u{0} ✓"), ..VirtualMachine::default() };
    let object = Object {
        name: Name::virtual_machine(uuid),
        uid: uuid,
        revision: sequence,
        created_sequence: 1,
        last_change_sequence: sequence,
        create_time: Timestamp(1),
        change_time: Timestamp(2),
        state: ResourceState::default(),
        annotations: Annotations { user_label: "kept".into(), ..Annotations::default() },
        body: Body::VirtualMachine(Box::new(vm)),
    };
    Arc::new(Change {
        sequence,
        kind,
        name: object.name.clone(),
        object: Arc::new(object),
        attributes: vec![AttributeChange { path: "run_state".into(), old: "off".into(), new: "running".into() }],
        source: ChangeSource::Resync,
        time: Timestamp(3),
    })
}

fn host() -> HostRegistration {
    HostRegistration {
        id: HostId::parse("kvm-07").unwrap(),
        uris: vec!["qemu+ssh://kvm-07/system".into()],
        credential: "ssh".into(),
        profile: None,
        allow_insecure: false,
        labels: [("rack".to_owned(), "r12".to_owned())].into(),
        reserve: Default::default(),
        origin: HostOrigin::Api,
    }
}

async fn commit(journal: &mut Journal, transaction: Transaction) {
    let id = transaction.id;
    journal.store.submit(transaction);
    assert_eq!(journal.acks.recv().await, Some(Ack::Done { id, outcome: Outcome::Committed }));
}

#[tokio::test]
async fn everything_of_a_transaction_is_there_after_a_restart() {
    let directory = tempfile::tempdir().unwrap();
    let (mut journal, loaded) = open(directory.path());
    assert!(loaded.fresh && loaded.objects.is_empty());
    let request = RequestRow {
        request_id: "r1".into(),
        time: Timestamp(5),
        fingerprint: "f".into(),
        target: "hosts/kvm-07".into(),
    };
    let audit = AuditRecord {
        time: Timestamp(5),
        actor: Actor::system(),
        method: "m".into(),
        target: "t".into(),
        request_id: "r1".into(),
        outcome: "OK".into(),
        detail: String::new(),
    };
    let transaction = Transaction {
        id: 1,
        changes: vec![change(1, 1, ChangeKind::Created), change(2, 2, ChangeKind::Created)],
        hosts: vec![HostRow::Put(host())],
        request: Some(request.clone()),
        audit: vec![audit],
    };
    commit(&mut journal, transaction).await;
    commit(
        &mut journal,
        Transaction { id: 2, changes: vec![change(3, 2, ChangeKind::Removed)], ..Transaction::default() },
    )
    .await;
    drop(journal);
    let (journal, again) = open(directory.path());
    assert!(!again.fresh);
    assert_eq!((again.epoch, again.vrm_id.as_str(), again.head), (loaded.epoch, "vrm1", 3));
    assert_eq!(again.objects.len(), 1);
    assert_eq!(*again.objects[0], *change(1, 1, ChangeKind::Created).object);
    assert_eq!((again.tombstones.len(), again.tombstones[0].revision), (1, 3));
    assert_eq!(again.tombstones[0].annotations.user_label, "kept");
    assert_eq!(again.hosts, [host()]);
    assert_eq!(again.requests, [request]);
    let read = journal.reader.read(1, 3, &ObjectClass::RESOURCES, 10).unwrap();
    assert_eq!(read, [change(2, 2, ChangeKind::Created), change(3, 2, ChangeKind::Removed)]);
    assert!(journal.reader.quick_check().is_ok());
}

#[tokio::test]
async fn acknowledgements_come_in_order_under_load() {
    let directory = tempfile::tempdir().unwrap();
    let (mut journal, _) = open(directory.path());
    for id in 1..=2_000 {
        let transaction =
            Transaction { id, changes: vec![change(id, 1, ChangeKind::Changed)], ..Transaction::default() };
        journal.store.submit(transaction);
    }
    for id in 1..=2_000 {
        assert_eq!(journal.acks.recv().await, Some(Ack::Done { id, outcome: Outcome::Committed }));
    }
}

#[tokio::test]
async fn a_flush_waits_for_what_was_handed_over() {
    let directory = tempfile::tempdir().unwrap();
    let (mut journal, _) = open(directory.path());
    journal.store.submit(Transaction {
        id: 1,
        changes: vec![change(1, 1, ChangeKind::Created)],
        ..Transaction::default()
    });
    journal.store.flush().await;
    assert!(journal.acks.try_recv().is_ok());
}

#[test]
fn a_damaged_store_is_refused_with_the_way_out() {
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("journal.db"), vec![7_u8; 8_192]).unwrap();
    let error = try_open(directory.path()).unwrap_err();
    assert!(matches!(error, StoreError::Unreadable { .. }), "{error}");
    assert!(error.to_string().contains("--set-aside-store"), "{error}");
}

#[test]
fn a_damaged_record_is_named() {
    let directory = tempfile::tempdir().unwrap();
    drop(open(directory.path()));
    let raw = rusqlite::Connection::open(directory.path().join("journal.db")).unwrap();
    raw.execute("INSERT INTO objects (name, last_sequence, body) VALUES ('hosts/x', 1, '{')", []).unwrap();
    let error = try_open(directory.path()).unwrap_err();
    assert!(error.to_string().contains("object hosts/x"), "{error}");
}

#[test]
fn a_newer_store_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    drop(open(directory.path()));
    let raw = rusqlite::Connection::open(directory.path().join("journal.db")).unwrap();
    raw.pragma_update(None, "user_version", 99).unwrap();
    drop(raw);
    assert!(matches!(try_open(directory.path()), Err(StoreError::Newer { found: 99, .. })));
}

#[test]
fn a_store_set_aside_begins_a_new_epoch() {
    let directory = tempfile::tempdir().unwrap();
    let (journal, loaded) = open(directory.path());
    drop(journal);
    let target = set_aside(directory.path(), Timestamp(0)).unwrap();
    assert!(target.join("journal.db").exists());
    let (_journal, again) = open(directory.path());
    assert_ne!(again.epoch, loaded.epoch);
}
