//! Definitions of machines are stored once, and are there whenever a state that had one is read.

use super::{change, commit, open};
use crate::model::history::TransitionHistory;
use crate::model::virtual_machine::VmDefinition;
use crate::model::{Body, Change, ChangeKind, ObjectClass};
use crate::store::definitions::{Definitions, forget};
use crate::store::retention::{Limits, forget_definitions, prune};
use crate::store::schema;
use crate::store::{Journal, Transaction};
use rusqlite::Connection;
use std::path::Path;
use std::sync::Arc;

/// A change of machine `number` whose definition has this title.
fn defined(sequence: u64, number: u128, kind: ChangeKind, title: &str) -> Arc<Change> {
    let mut change = (*change(sequence, number, kind)).clone();
    let mut object = (*change.object).clone();
    if let Body::VirtualMachine(vm) = &mut object.body {
        vm.definition = Arc::new(VmDefinition { title: title.to_owned(), ..VmDefinition::default() });
    }
    change.object = Arc::new(object);
    Arc::new(change)
}

fn title(change: &Change) -> &str {
    match &change.object.body {
        Body::VirtualMachine(vm) => &vm.definition.title,
        _ => "no machine",
    }
}

fn titles(journal: &Journal) -> Vec<String> {
    let read = journal.reader.read(0, 1_000, &[ObjectClass::VirtualMachine], 1_000).unwrap();
    read.iter().map(|change| title(change).to_owned()).collect()
}

fn stored(directory: &Path) -> Vec<i64> {
    let connection = Connection::open(directory.join("journal.db")).unwrap();
    let mut statement = connection.prepare("SELECT id FROM definitions ORDER BY id").unwrap();
    statement.query_map([], |row| row.get(0)).unwrap().collect::<Result<_, _>>().unwrap()
}

/// Two machines: one is redefined once, the other goes.
fn story() -> Vec<Arc<Change>> {
    use ChangeKind::{Changed, Created, Removed};
    vec![
        defined(1, 1, Created, "a"),
        defined(2, 1, Changed, "a"),
        defined(3, 2, Created, "b"),
        defined(4, 1, Changed, "c"),
        defined(5, 1, Changed, "c"),
        defined(6, 2, Removed, "b"),
    ]
}

async fn told(directory: &Path) -> Journal {
    let (mut journal, _) = open(directory);
    for (id, change) in (1..).zip(story()) {
        commit(&mut journal, Transaction { id, changes: vec![change], ..Transaction::default() }).await;
    }
    journal
}

#[tokio::test]
async fn a_definition_is_stored_with_the_change_that_brought_it() {
    let directory = tempfile::tempdir().unwrap();
    let journal = told(directory.path()).await;
    assert_eq!(stored(directory.path()), [1, 3, 4]);
    assert_eq!(titles(&journal), ["a", "a", "b", "c", "c", "b"]);
    drop(journal);
    let (mut journal, loaded) = open(directory.path());
    let [object] = loaded.objects.as_slice() else { panic!("one machine is left") };
    assert_eq!(**object, *story()[4].object);
    // Known after the restart, too.
    let more = vec![defined(7, 1, ChangeKind::Changed, "c"), defined(8, 2, ChangeKind::Created, "b")];
    commit(&mut journal, Transaction { id: 7, changes: more, ..Transaction::default() }).await;
    assert_eq!(stored(directory.path()), [1, 3, 4, 8]);
    assert_eq!(titles(&journal)[6..], ["c", "b"]);
}

#[tokio::test]
async fn what_nothing_refers_to_is_forgotten() {
    for (kept, left) in [(6, vec![1, 3, 4]), (4, vec![1, 3, 4]), (2, vec![3, 4]), (0, vec![4])] {
        let directory = tempfile::tempdir().unwrap();
        let journal = told(directory.path()).await;
        let mut connection = Connection::open(directory.path().join("journal.db")).unwrap();
        prune(&mut connection, &Limits { resources: kept, ..Limits::default() }, |_| ()).unwrap();
        forget_definitions(&connection).unwrap();
        assert_eq!(stored(directory.path()), left, "{kept} kept");
        let expected: Vec<&str> = ["a", "a", "b", "c", "c", "b"][6 - usize::try_from(kept).unwrap()..].to_vec();
        assert_eq!(titles(&journal), expected);
        drop(journal);
        assert_eq!(*open(directory.path()).1.objects[0], *story()[4].object);
    }
}

#[test]
fn what_was_rolled_back_is_stored_again() {
    let mut connection = Connection::open_in_memory().unwrap();
    schema::migrate(&mut connection, 0, schema::VERSION).unwrap();
    let mut definitions = Definitions::default();
    let first = defined(1, 1, ChangeKind::Created, "a");
    definitions.store(&connection, &first).unwrap();
    definitions.committed();
    for attempt in 0..2 {
        let transaction = connection.transaction().unwrap();
        let other = defined(2, 1, ChangeKind::Changed, "b");
        assert_eq!(definitions.of(&first.object), Some(1), "attempt {attempt}");
        assert_eq!(definitions.store(&transaction, &other).unwrap(), Some(2));
        let gone = defined(3, 1, ChangeKind::Removed, "b");
        assert_eq!(definitions.store(&transaction, &gone).unwrap(), Some(2));
        assert_eq!(definitions.of(&gone.object), None);
        drop(transaction);
        definitions.rolled_back();
    }
    forget(&connection, 0, true).unwrap();
    let left: i64 = connection.query_row("SELECT count(*) FROM definitions", [], |row| row.get(0)).unwrap();
    assert_eq!(left, 1);
}
