//! What is forgotten, against a small model.

use super::alarms::alarm;
use super::{change, commit, open};
use crate::model::alarm::PerceivedSeverity;
use crate::model::history::TransitionHistory;
use crate::model::{Change, ChangeKind, ObjectClass};
use crate::store::retention::{Limits, Oldest, prune};
use crate::store::{Journal, Transaction};
use proptest::prelude::*;
use rusqlite::Connection;
use std::cell::Cell;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// One second passes with every change; alarms are the changes that are told so.
fn changes(alarms: &[bool]) -> Vec<Arc<Change>> {
    let make = |(is_alarm, sequence): (&bool, u64)| {
        if *is_alarm {
            return alarm(sequence, ChangeKind::Removed, "hosts/a", "hostLost", PerceivedSeverity::Major);
        }
        let mut resource = (*change(sequence, 1, ChangeKind::Changed)).clone();
        resource.time = crate::model::Timestamp(i64::try_from(sequence).unwrap() * 1_000_000);
        Arc::new(resource)
    };
    alarms.iter().zip(1..).map(make).collect()
}

fn pruned(directory: &Path, limits: &Limits) -> Oldest {
    let mut connection = Connection::open(directory.join("journal.db")).unwrap();
    let announced = Cell::new(Oldest::default());
    prune(&mut connection, limits, |oldest| announced.set(oldest)).unwrap();
    assert_eq!(Oldest::read(&connection).unwrap(), announced.get());
    announced.get()
}

fn read(journal: &Journal, after: u64, classes: &[ObjectClass]) -> Vec<u64> {
    journal.reader.read(after, 1_000_000, classes, 1_000_000).unwrap().iter().map(|change| change.sequence).collect()
}

fn count(directory: &Path, table: &str) -> i64 {
    let connection = Connection::open(directory.join("journal.db")).unwrap();
    connection.query_row(&format!("SELECT count(*) FROM {table}"), [], |row| row.get(0)).unwrap()
}

async fn filled(directory: &Path, alarms: &[bool]) -> Journal {
    let (mut journal, _) = open(directory);
    // In portions of which every object's row is written at once.
    for (portion, id) in changes(alarms).chunks(200).zip(1..) {
        commit(&mut journal, Transaction { id, changes: portion.to_vec(), ..Transaction::default() }).await;
    }
    journal
}

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

async fn play(alarms: Vec<bool>, kept: u64, life: u64) {
    let directory = tempfile::tempdir().unwrap();
    let journal = filled(directory.path(), &alarms).await;
    let limits = Limits { resources: kept, records: seconds(life), ..Limits::default() };
    let oldest = pruned(directory.path(), &limits);
    let head = alarms.len() as u64;
    let of = |wanted: bool| -> Vec<u64> {
        alarms.iter().zip(1..).filter(|(is_alarm, _)| **is_alarm == wanted).map(|(_, sequence)| sequence).collect()
    };
    let (resources, records) = (of(false), of(true));
    let newest_resources = resources[resources.len().saturating_sub(usize::try_from(kept).unwrap())..].to_vec();
    let young_records: Vec<u64> = records.into_iter().filter(|sequence| *sequence + life >= head).collect();
    assert_eq!(read(&journal, 0, &ObjectClass::RESOURCES), newest_resources);
    assert_eq!(read(&journal, 0, &ObjectClass::RECORDS), young_records);
    // Nothing that was forgotten lies after `oldest`.
    let gone = |before: &[u64]| resources.iter().filter(|sequence| !before.contains(sequence)).max().copied();
    assert!(gone(&newest_resources).is_none_or(|last| last <= oldest.resource));
    assert!(newest_resources.first().is_none_or(|first| *first > oldest.resource));
    assert!(young_records.first().is_none_or(|first| *first > oldest.record));
    // A second pruning has no more records to count between the resources: it may forget some more of those.
    let again = pruned(directory.path(), &limits);
    assert!(again.resource >= oldest.resource && again.record == oldest.record);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn resources_go_by_number_and_records_by_age(
        alarms in proptest::collection::vec(any::<bool>(), 1..80),
        kept in 1_u64..40,
        life in 1_u64..80,
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(play(alarms, kept, life));
    }
}

#[tokio::test]
async fn a_store_beyond_its_bytes_gives_up_resources_first_then_old_records_then_closed_alarms() {
    let directory = tempfile::tempdir().unwrap();
    let alternating: Vec<bool> = (0..1_000).map(|number| number % 2 == 0).collect();
    let journal = filled(directory.path(), &alternating).await;
    let roomy = Limits { resources_least: 100, records_least: seconds(300), ..Limits::default() };
    assert_eq!(pruned(directory.path(), &roomy), Oldest::default(), "there is room");
    let tight = Limits { bytes: 1, ..roomy };
    // The oldest tenth of what may go, which is what lies before the last 100 of 500 resources.
    let first = pruned(directory.path(), &tight);
    assert_eq!((first.resource, first.record), (81, 0));
    for _ in 0..100 {
        pruned(directory.path(), &tight);
    }
    assert_eq!(read(&journal, 0, &ObjectClass::RESOURCES).len(), 100);
    assert_eq!(read(&journal, 0, &[ObjectClass::Alarm]).first(), Some(&701), "younger than 300 s");
    assert!(count(directory.path(), "closed_alarms") < 500);
    assert_eq!(count(directory.path(), "objects"), 501);
}

#[tokio::test]
async fn what_is_forgotten_is_forgotten_after_a_restart_too() {
    let directory = tempfile::tempdir().unwrap();
    let journal = filled(directory.path(), &[false; 20]).await;
    drop(journal);
    let limits = Limits { resources: 5, ..Limits::default() };
    assert_eq!(pruned(directory.path(), &limits).resource, 15);
    let (journal, _) = open(directory.path());
    assert_eq!(journal.reader.oldest(&ObjectClass::RESOURCES), 15);
    assert_eq!(journal.reader.oldest(&ObjectClass::RECORDS), 0);
}

#[tokio::test]
async fn closed_alarms_outlive_their_transitions() {
    let directory = tempfile::tempdir().unwrap();
    let _journal = filled(directory.path(), &[true; 100]).await;
    let limits = Limits { records: seconds(10), closed_alarms: seconds(40), ..Limits::default() };
    pruned(directory.path(), &limits);
    assert_eq!((count(directory.path(), "transitions"), count(directory.path(), "closed_alarms")), (11, 41));
}
