//! Rows of objects that wait are taken from the transitions.

use super::{change, commit, open};
use crate::model::object::Tombstone;
use crate::model::{Change, ChangeKind, Name, Object};
use crate::store::retention::{Limits, prune};
use crate::store::{Journal, Loaded, Transaction};
use rusqlite::Connection;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

/// What a daemon that was killed just now would find.
fn after_a_kill(directory: &Path) -> Loaded {
    let copy = tempfile::tempdir().unwrap();
    for file in ["journal.db", "journal.db-wal"] {
        std::fs::copy(directory.join(file), copy.path().join(file)).unwrap();
    }
    open(copy.path()).1
}

type Model = BTreeMap<Name, Result<Object, Tombstone>>;

fn found(loaded: &Loaded) -> Model {
    let live = loaded.objects.iter().map(|object| (object.name.clone(), Ok((**object).clone())));
    let gone = loaded.tombstones.iter().map(|tombstone| (tombstone.name.clone(), Err(tombstone.clone())));
    live.chain(gone).collect()
}

fn apply(model: &mut Model, change: &Change) {
    let tenant = match change.kind {
        ChangeKind::Removed => Err(Tombstone::of(&change.object, change.time)),
        _ => Ok((*change.object).clone()),
    };
    model.insert(change.name.clone(), tenant);
}

async fn write(journal: &mut Journal, model: &mut Model, id: u64, changes: Vec<Arc<Change>>) {
    changes.iter().for_each(|change| apply(model, change));
    commit(journal, Transaction { id, changes, ..Transaction::default() }).await;
}

#[tokio::test]
async fn a_killed_daemon_finds_every_object_as_it_was_committed_last() {
    let directory = tempfile::tempdir().unwrap();
    let (mut journal, _) = open(directory.path());
    let mut model = Model::new();
    let mut sequence = 0;
    for id in 1..=12 {
        let next = |_| {
            sequence += 1;
            // Some objects change all the time, some seldom; some go and come back.
            let number = if sequence % 3 == 0 { sequence % 11 } else { (sequence * 7) % 1_900 };
            let kind = if sequence % 5 == 0 { ChangeKind::Removed } else { ChangeKind::Changed };
            change(sequence, number.into(), kind)
        };
        let changes = (0..700).map(next).collect();
        write(&mut journal, &mut model, id, changes).await;
        if id == 8 {
            // Nothing is forgotten that a row still lacks.
            let limits = Limits { resources: 1, ..Limits::default() };
            prune(&mut Connection::open(directory.path().join("journal.db")).unwrap(), &limits, |_| {}).unwrap();
        }
        let loaded = after_a_kill(directory.path());
        assert_eq!(loaded.head, sequence);
        assert_eq!(found(&loaded), model, "after transaction {id}");
    }
    // With little to do the rows catch up.
    let waiting = || -> i64 {
        let connection = Connection::open(directory.path().join("journal.db")).unwrap();
        connection
            .query_row("SELECT count(*) FROM meta WHERE key = 'objects_complete_until'", [], |row| row.get(0))
            .unwrap()
    };
    assert_eq!(waiting(), 1);
    for id in 13..=30 {
        sequence += 1;
        write(&mut journal, &mut model, id, vec![change(sequence, 1, ChangeKind::Changed)]).await;
    }
    assert_eq!(waiting(), 0);
    assert_eq!(found(&after_a_kill(directory.path())), model);
}

#[tokio::test]
async fn an_orderly_end_leaves_no_row_behind() {
    let directory = tempfile::tempdir().unwrap();
    let (mut journal, _) = open(directory.path());
    let changes = (1..=2_000).map(|sequence| change(sequence, sequence.into(), ChangeKind::Created)).collect();
    commit(&mut journal, Transaction { id: 1, changes, ..Transaction::default() }).await;
    let Journal { store, mut acks, .. } = journal;
    drop(store);
    // The writer's end closes this.
    assert_eq!(acks.recv().await, None);
    let connection = Connection::open(directory.path().join("journal.db")).unwrap();
    let count = |sql: &str| -> i64 { connection.query_row(sql, [], |row| row.get(0)).unwrap() };
    assert_eq!(count("SELECT count(*) FROM objects"), 2_000);
    assert_eq!(count("SELECT count(*) FROM meta WHERE key = 'objects_complete_until'"), 0);
}
