//! From one schema to the next, and the way back.

use super::{change, open, try_open};
use crate::model::history::TransitionHistory;
use crate::model::{ChangeKind, HostId, Name, ObjectClass};
use crate::store::schema;
use rusqlite::{Connection, params};
use std::path::Path;
use uuid::Uuid;

/// A store as the first schema had it: a machine with transitions 11 to 20, those before being forgotten.
fn old_store(directory: &Path) {
    let mut connection = Connection::open(directory.join("journal.db")).unwrap();
    schema::configure_writer(&connection).unwrap();
    schema::migrate(&mut connection, 0, 1).unwrap();
    connection.execute("INSERT INTO meta VALUES ('epoch', 'old'), ('vrm_id', 'vrm1')", []).unwrap();
    for sequence in 11..=20 {
        let change = change(sequence, 1, ChangeKind::Changed);
        let body = serde_json::to_string(&*change.object).unwrap();
        let number = i64::try_from(sequence).unwrap();
        let row = params![change.name.as_str(), number, body];
        connection.execute("INSERT OR REPLACE INTO objects VALUES (?1, ?2, NULL, ?3)", row).unwrap();
        connection.execute("INSERT INTO transitions VALUES (?2, 3, ?1, 'changed', 'resync', '[]', ?3)", row).unwrap();
    }
}

fn version_and_epoch(file: &Path) -> (i64, String) {
    let connection = Connection::open(file).unwrap();
    let epoch = connection.query_row("SELECT value FROM meta WHERE key = 'epoch'", [], |row| row.get(0)).unwrap();
    (schema::version(&connection).unwrap(), epoch)
}

#[test]
fn an_old_store_is_migrated_and_its_copy_is_the_way_back() {
    let directory = tempfile::tempdir().unwrap();
    old_store(directory.path());
    let (journal, loaded) = open(directory.path());
    assert_eq!((loaded.epoch.as_str(), loaded.head, loaded.objects.len()), ("old", 20, 1));
    let classes = [ObjectClass::VirtualMachine];
    assert_eq!(journal.reader.oldest(&classes), 10);
    assert_eq!(journal.reader.oldest(&[ObjectClass::Alarm]), 10, "what was before nobody knows");
    let read = journal.reader.read(10, 20, &classes, 100).unwrap();
    assert_eq!(read.iter().map(|change| change.sequence).collect::<Vec<u64>>(), (11..=20).collect::<Vec<u64>>());
    drop(journal);

    let copy = directory.path().join("journal.db.pre-3");
    let (version, epoch) = version_and_epoch(&copy);
    assert_eq!(version, 1);
    assert_ne!(epoch, "old", "subscribers must not take its numbers for those they know");
    let connection = Connection::open(&copy).unwrap();
    let count = |table: &str| -> i64 {
        connection.query_row(&format!("SELECT count(*) FROM {table}"), [], |row| row.get(0)).unwrap()
    };
    assert_eq!((count("objects"), count("transitions")), (1, 10));

    // The way back, as the README describes it; and forward again.
    drop(connection);
    for suffix in ["", "-wal", "-shm"] {
        let _ = std::fs::remove_file(directory.path().join(format!("journal.db{suffix}")));
    }
    std::fs::copy(&copy, directory.path().join("journal.db")).unwrap();
    let (_, loaded) = open(directory.path());
    assert_eq!((loaded.epoch, loaded.head, loaded.objects.len()), (epoch, 20, 1));
}

#[test]
fn two_copies_are_kept_and_a_new_store_makes_none() {
    let directory = tempfile::tempdir().unwrap();
    drop(open(directory.path()));
    drop(open(directory.path()));
    let copies = || {
        std::fs::read_dir(directory.path())
            .unwrap()
            .filter(|entry| entry.as_ref().unwrap().file_name().to_string_lossy().contains(".pre-"))
    };
    assert_eq!(copies().count(), 0);
    let connection = Connection::open(directory.path().join("journal.db")).unwrap();
    for schema in 2..=5 {
        crate::store::aside::keep_copy(&connection, directory.path(), schema).unwrap();
    }
    let mut names: Vec<_> = copies().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    assert_eq!(names, ["journal.db.pre-4", "journal.db.pre-5"]);
}

#[test]
fn a_copy_that_cannot_be_made_leaves_the_store_as_it_was() {
    let directory = tempfile::tempdir().unwrap();
    old_store(directory.path());
    std::fs::create_dir(directory.path().join("journal.db.pre-3.unfinished")).unwrap();
    assert!(try_open(directory.path()).is_err());
    assert_eq!(version_and_epoch(&directory.path().join("journal.db")), (1, "old".to_owned()));
}

#[test]
fn the_class_of_a_row_is_that_of_its_name() {
    let directory = tempfile::tempdir().unwrap();
    drop(open(directory.path()));
    let connection = Connection::open(directory.path().join("journal.db")).unwrap();
    let host = HostId::parse("h").unwrap();
    let names = [
        Name::vrm(),
        Name::cluster(),
        Name::host(&host),
        Name::hypervisor(&host, "qemu"),
        Name::virtual_machine(Uuid::nil()),
        Name::storage_pool(&host, "alarms"),
        Name::volume(&host, "p", "k"),
        Name::storage_backing("s"),
        Name::network(&host, "n"),
        Name::snapshot(Uuid::nil(), "s"),
        Name::image("i"),
        Name::alarm(Uuid::nil()),
        Name::alarm_shelf("s"),
        Name::alarm_profile("p"),
        Name::measurement_job("j"),
        Name::threshold_monitor("m"),
    ];
    for (name, sequence) in names.iter().zip(1_i64..) {
        connection
            .execute(
                "INSERT INTO transitions (sequence, time, name, kind, source, attributes, body)
                 VALUES (?1, 0, ?2, '', '', '', '')",
                params![sequence, name.as_str()],
            )
            .unwrap();
        let class: String = connection
            .query_row("SELECT class FROM transitions WHERE sequence = ?1", [sequence], |row| row.get(0))
            .unwrap();
        assert_eq!(class, crate::store::row::word(&name.class().unwrap()), "{name}");
    }
    let classes: std::collections::BTreeSet<_> = names.iter().map(|name| name.class().unwrap()).collect();
    assert_eq!(classes, ObjectClass::RESOURCES.into_iter().chain(ObjectClass::RECORDS).collect(), "all are tried");
}
