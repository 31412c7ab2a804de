//! Alarms that left the list, and reading the transitions of alarms alone.

use super::{commit, open};
use crate::changes::{
    ChangeLog, DeliveryMode, Position, Restored, Selector, StreamEvent, Subscription, SubscriptionOptions,
};
use crate::model::alarm::{Alarm, PerceivedSeverity};
use crate::model::alarm_command::ClosedAlarmQuery;
use crate::model::history::TransitionHistory;
use crate::model::{
    Annotations, Body, Change, ChangeKind, ChangeSource, Name, Object, ObjectClass, ResourceState, Timestamp,
};
use crate::store::{JournalReader, Transaction};
use std::sync::Arc;
use std::time::Instant;
use uuid::Uuid;

/// An alarm of an object that was raised at second `sequence`.
pub(super) fn alarm(
    sequence: u64,
    kind: ChangeKind,
    object: &str,
    alarm_type: &str,
    highest: PerceivedSeverity,
) -> Arc<Change> {
    let time = Timestamp(i64::try_from(sequence).unwrap() * 1_000_000);
    let body = Alarm {
        alarm_type: alarm_type.into(),
        object: Name::new(object),
        highest_severity: highest,
        raise_time: time,
        ..Alarm::default()
    };
    let uid = Uuid::from_u128(sequence.into());
    let object = Object {
        name: Name::alarm(uid),
        uid,
        revision: 1,
        created_sequence: sequence,
        last_change_sequence: sequence,
        create_time: time,
        change_time: time,
        state: ResourceState::default(),
        annotations: Annotations::default(),
        body: Body::Alarm(Box::new(body)),
    };
    let name = object.name.clone();
    let source = ChangeSource::ResourceOperation;
    Arc::new(Change { sequence, kind, name, object: Arc::new(object), attributes: Vec::new(), source, time })
}

fn rows(reader: &JournalReader, query: &ClosedAlarmQuery) -> Vec<u64> {
    reader.closed_alarms(query).unwrap().rows.iter().map(|(row, ..)| *row).collect()
}

#[tokio::test]
async fn closed_alarms_are_found_by_time_object_type_and_severity() {
    use PerceivedSeverity::{Critical, Major, Minor};
    let directory = tempfile::tempdir().unwrap();
    let (mut journal, _) = open(directory.path());
    let removed = ChangeKind::Removed;
    let changes = vec![
        alarm(1, ChangeKind::Created, "hosts/a", "hostLost", Critical),
        alarm(2, removed, "hosts/a", "hostLost", Critical),
        alarm(3, removed, "hosts/a/nics/eth0", "hostLinkDown", Major),
        alarm(4, removed, "hosts/ab", "hostLost", Minor),
        alarm(5, removed, "virtualMachines/u", "vmCrashed", Critical),
    ];
    let fifth = Arc::clone(&changes[4]);
    commit(&mut journal, Transaction { id: 1, changes, ..Transaction::default() }).await;
    let reader = &journal.reader;
    let all = ClosedAlarmQuery { limit: 10, ..ClosedAlarmQuery::default() };
    assert_eq!(rows(reader, &all), [5, 4, 3, 2], "newest first, and nothing that is still listed");
    let newest = &reader.closed_alarms(&all).unwrap().rows[0];
    assert_eq!((&*newest.1, newest.2), (&*fifth.object, fifth.time));
    assert_eq!(rows(reader, &ClosedAlarmQuery { object: "hosts/a".into(), ..all.clone() }), [3, 2]);
    assert_eq!(rows(reader, &ClosedAlarmQuery { alarm_type: "hostLost".into(), ..all.clone() }), [4, 2]);
    assert_eq!(rows(reader, &ClosedAlarmQuery { min_severity: Some(Major), ..all.clone() }), [5, 3, 2]);
    assert_eq!(rows(reader, &ClosedAlarmQuery { before: Some(Timestamp(3_000_000)), ..all.clone() }), [3, 2]);
    assert_eq!(rows(reader, &ClosedAlarmQuery { after: Some(Timestamp(4_000_000)), ..all.clone() }), [5, 4]);
    let first = reader.closed_alarms(&ClosedAlarmQuery { limit: 3, ..all.clone() }).unwrap();
    assert_eq!(first.next, Some(3));
    let second = reader.closed_alarms(&ClosedAlarmQuery { limit: 3, continue_after: first.next, ..all }).unwrap();
    assert_eq!((second.rows.len(), second.rows[0].0, second.next), (1, 2, None));
}

/// A subscriber of alarms comes back after many transitions, with as many of resources in between. The issue asks for
/// 100,000 in ten seconds from a release build; here a tenth of that, unoptimised and beside other tests.
#[tokio::test]
async fn a_resume_over_many_alarm_transitions_reads_every_one_and_no_other() {
    const ALARMS: u64 = 10_000;
    let directory = tempfile::tempdir().unwrap();
    let (mut journal, loaded) = open(directory.path());
    let mut sequence = 0;
    let mut next = || {
        sequence += 1;
        if sequence % 2 == 0 {
            alarm(sequence, ChangeKind::Created, "hosts/a", "hostLost", PerceivedSeverity::Major)
        } else {
            super::change(sequence, 1, ChangeKind::Changed)
        }
    };
    for id in 1..=100 {
        let changes = (0..ALARMS / 50).map(|_| next()).collect();
        commit(&mut journal, Transaction { id, changes, ..Transaction::default() }).await;
    }
    let restored = Restored { epoch: loaded.epoch.clone(), head: 2 * ALARMS, ..Restored::default() };
    let log = ChangeLog::new(restored, Arc::clone(&journal.reader) as Arc<dyn TransitionHistory>);
    let options = SubscriptionOptions {
        resume_after: Some(Position { epoch: loaded.epoch, sequence: 0 }),
        mode: DeliveryMode::Transitions,
        once: true,
        ..SubscriptionOptions::default()
    };
    let selector = Selector { classes: vec![ObjectClass::Alarm], matches: None, choice: None };
    let begun = Instant::now();
    let mut subscription = Subscription::start(Arc::new(log), selector, options).unwrap();
    let mut told = 0;
    while let Some(item) = subscription.next().await {
        assert!(!matches!(item.event, StreamEvent::Lagged { .. }), "{item:?}");
        told += u64::from(matches!(item.event, StreamEvent::Change(_)));
    }
    assert_eq!(told, ALARMS);
    let took = begun.elapsed();
    assert!(took.as_secs() < 10, "{took:?}");
    eprintln!("{told} transitions in {took:?}");
}
