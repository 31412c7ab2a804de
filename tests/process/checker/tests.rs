//! The checker is proven by what it must find: each guarantee broken on purpose in an otherwise good life.

use super::{Entry, Journal, Row, Said, Wanted, check, digest_of};
use crate::common::{Exact, held};

fn wanted(transitions: bool, filter: &str) -> Wanted {
    Wanted { client: "c".to_owned(), transitions, filter: filter.to_owned(), alarms: false }
}

fn message(number: u64, position: u64, said: Said) -> Entry {
    Entry::Message { number, epoch: "e".to_owned(), position, said }
}

fn changed(name: &str, revision: u64, sequence: u64) -> Said {
    Said::Changed { name: name.to_owned(), held: held(name, revision, sequence) }
}

fn removed(name: &str, revision: u64, sequence: u64) -> Said {
    Said::Removed { name: name.to_owned(), held: held(name, revision, sequence) }
}

/// Two objects, a change of each, a disconnection in between, the removal of one.
fn life() -> Vec<Entry> {
    let snapshot = |name: &str, sequence| Said::Snapshot { name: name.to_owned(), held: held(name, 1, sequence) };
    vec![
        Entry::Opened { resume_after: None },
        message(1, 0, Said::Started { snapshot_follows: true }),
        message(2, 1, snapshot("a", 1)),
        message(3, 2, snapshot("b", 2)),
        message(4, 2, Said::Synchronized),
        message(5, 3, changed("a", 2, 3)),
        Entry::Ended,
        Entry::Opened { resume_after: Some(3) },
        message(1, 3, Said::Started { snapshot_follows: false }),
        message(2, 4, changed("b", 2, 4)),
        message(3, 4, Said::Synchronized),
        message(4, 5, removed("a", 3, 5)),
        message(5, 5, Said::Heartbeat { objects: 1, digest: Some(digest_of("b", 2)) }),
    ]
}

fn journal() -> Journal {
    [(1, "a", 1), (2, "b", 1), (3, "a", 2), (4, "b", 2), (5, "a", 3)]
        .map(|(sequence, name, revision)| (sequence, Row { name: name.to_owned(), revision, removed: sequence == 5 }))
        .into()
}

fn exact(sequence: u64, objects: &[(&str, u64, u64)]) -> Exact {
    let objects = objects.iter().map(|(name, revision, at)| ((*name).to_owned(), held(name, *revision, *at)));
    Exact { epoch: "e".to_owned(), sequence, objects: objects.collect() }
}

fn snapshots() -> Vec<Exact> {
    vec![exact(3, &[("a", 2, 3), ("b", 1, 2)]), exact(4, &[("a", 2, 3), ("b", 2, 4)]), exact(5, &[("b", 2, 4)])]
}

/// The guarantee found broken in a life of TRANSITIONS after `tamper`.
fn found(tamper: impl FnOnce(&mut Vec<Entry>)) -> Option<&'static str> {
    let mut life = life();
    tamper(&mut life);
    check(&wanted(true, ""), &life, &snapshots(), &journal()).err().map(|broken| broken.guarantee)
}

#[test]
fn a_good_life_passes_in_every_mode() {
    assert_eq!(found(|_| ()), None);
    for wanted in [wanted(false, ""), wanted(true, "x = y")] {
        assert_eq!(check(&wanted, &life(), &snapshots(), &journal()), Ok(()));
    }
}

#[test]
fn what_a_snapshot_showed_ahead_of_its_position_need_not_be_told_again() {
    let mut life = life();
    // `a` changed (3) after the snapshot was begun at 2 and before it was sent: 3 is not told once more.
    life[2] = message(2, 1, Said::Snapshot { name: "a".to_owned(), held: held("a", 2, 3) });
    life[5] = message(5, 4, changed("b", 2, 4));
    life[7] = Entry::Opened { resume_after: Some(4) };
    life[8] = message(1, 4, Said::Started { snapshot_follows: false });
    life.remove(9);
    life[9] = message(2, 4, Said::Synchronized);
    life[10] = message(3, 5, removed("a", 3, 5));
    life.truncate(11);
    assert_eq!(check(&wanted(true, ""), &life, &snapshots()[1..], &journal()), Ok(()));
}

#[test]
fn an_object_whose_last_change_lies_ahead_may_be_told_later_in_its_round() {
    let mut life = life();
    // STATE: `a` changed at 3 and again at 5 before the round began; at position 4 it need not have been told.
    life[5] = message(5, 4, changed("b", 2, 4));
    life[6] = message(6, 5, removed("a", 3, 5));
    life[7] = message(7, 5, Said::Heartbeat { objects: 1, digest: Some(digest_of("b", 2)) });
    life.truncate(8);
    assert_eq!(check(&wanted(false, ""), &life, &snapshots(), &journal()), Ok(()));
    assert_eq!(check(&wanted(true, "x = y"), &life, &snapshots(), &journal()).expect_err("3").guarantee, "reliable");
}

#[test]
fn a_lost_message_is_found() {
    assert_eq!(found(|life| drop(life.remove(2))), Some("ordered"));
    assert_eq!(found(|life| drop(life.remove(5))), Some("reliable"));
    // Lost together with its number, and nothing to compare with: only the gap in the sequence tells.
    let alone = |tamper: fn(&mut Vec<Entry>)| {
        let mut life = life();
        tamper(&mut life);
        check(&wanted(true, ""), &life, &[], &journal()).expect_err("a transition is missing").guarantee
    };
    assert_eq!(alone(|life| drop(life.remove(5))), "resumable");
    assert_eq!(alone(|life| life[9] = message(2, 4, Said::Status)), "resumable");
}

#[test]
fn a_lost_state_is_found_by_comparison() {
    let mut life = life();
    life[9] = message(2, 4, Said::Status);
    for transitions in [true, false] {
        let verdict = check(&wanted(transitions, "x = y"), &life, &snapshots(), &journal());
        assert_eq!(verdict.expect_err("b is old").guarantee, "reliable");
    }
}

#[test]
fn a_position_that_goes_back_is_found() {
    assert_eq!(found(|life| life[10] = message(3, 3, Said::Synchronized)), Some("ordered"));
}

#[test]
fn a_repeated_transition_is_found() {
    let repeat = |life: &mut Vec<Entry>| {
        life[11] = message(4, 4, changed("b", 2, 4));
        life.truncate(12);
    };
    assert_eq!(found(repeat), Some("unique"));
}

#[test]
fn an_older_state_after_a_newer_one_is_found() {
    let older = |life: &mut Vec<Entry>| life[4] = message(4, 2, changed("b", 0, 2));
    assert_eq!(found(older), Some("ordered"));
}

#[test]
fn what_was_never_committed_is_found() {
    let mut journal = journal();
    journal.remove(&5);
    let verdict = check(&wanted(true, ""), &life(), &snapshots(), &journal);
    assert_eq!(verdict.expect_err("5 is not in the journal").guarantee, "committed");
    assert_eq!(found(|life| life[11] = message(4, 5, removed("a", 4, 5))), Some("committed"));
}

#[test]
fn another_epoch_and_a_needless_gap_are_found() {
    let epoch = |life: &mut Vec<Entry>| {
        let said = Said::Started { snapshot_follows: false };
        life[8] = Entry::Message { number: 1, epoch: "f".to_owned(), position: 3, said };
    };
    assert_eq!(found(epoch), Some("resumable"));
    assert_eq!(found(|life| life[9] = message(2, 4, Said::Lagged)), Some("resumable"));
}

#[test]
fn a_wrong_digest_is_found() {
    let digest = |life: &mut Vec<Entry>| {
        life[12] = message(5, 5, Said::Heartbeat { objects: 1, digest: Some(digest_of("b", 1)) });
    };
    assert_eq!(found(digest), Some("reliable"));
}

#[test]
fn an_object_that_should_be_gone_is_found() {
    let mut life = life();
    life[11] = message(4, 5, Said::Heartbeat { objects: 2, digest: None });
    life.truncate(12);
    for transitions in [true, false] {
        let verdict = check(&wanted(transitions, "x = y"), &life, &snapshots(), &journal());
        assert_eq!(verdict.expect_err("a is gone").guarantee, "reliable");
    }
}

/// The same life with the names of alarms, between changes of resources that are none of its business.
fn of_alarms(tamper: impl FnOnce(&mut Vec<Entry>)) -> Option<&'static str> {
    let renamed = |name: &str| format!("alarms/{name}");
    let mut life = life();
    tamper(&mut life);
    for entry in &mut life {
        let Entry::Message { said, .. } = entry else { continue };
        match said {
            Said::Snapshot { name, .. } | Said::Changed { name, .. } | Said::Removed { name, .. } => {
                *name = renamed(name);
            }
            Said::Heartbeat { digest, .. } => *digest = digest.map(|_| digest_of("alarms/b", 2)),
            _ => {}
        }
    }
    let mut journal: Journal =
        journal().into_iter().map(|(sequence, row)| (sequence, Row { name: renamed(&row.name), ..row })).collect();
    let resource = Row { name: "hosts/a".to_owned(), revision: 1, removed: false };
    journal.insert(6, resource.clone());
    journal.insert(7, resource);
    let wanted = Wanted { alarms: true, ..wanted(true, "") };
    check(&wanted, &life, &[], &journal).err().map(|broken| broken.guarantee)
}

#[test]
fn a_life_with_alarms_is_judged_alike() {
    assert_eq!(of_alarms(|_| ()), None);
    assert_eq!(of_alarms(|life| drop(life.remove(2))), Some("ordered"));
    assert_eq!(of_alarms(|life| life[9] = message(2, 4, Said::Status)), Some("resumable"));
    // It says that 8 was told, but 6 and 7 are of resources: they are not missed, 8 is not in the journal.
    let ahead = |life: &mut Vec<Entry>| life[12] = message(5, 8, changed("b", 3, 8));
    assert_eq!(of_alarms(ahead), Some("committed"));
}

#[test]
fn a_stream_of_resources_does_not_miss_alarms() {
    let mut journal = journal();
    let alarm = Row { name: "alarms/x".to_owned(), revision: 1, removed: false };
    journal.insert(4, alarm);
    let mut life = life();
    life[9] = message(2, 4, Said::Status);
    life.truncate(12);
    assert_eq!(check(&wanted(true, ""), &life, &[], &journal), Ok(()));
    let alarms = Wanted { alarms: true, ..wanted(true, "") };
    assert!(check(&alarms, &life, &[], &journal).is_err(), "it does, if it asked for alarms");
}

#[test]
fn a_client_that_never_catches_up_is_found() {
    assert_eq!(found(|life| life.truncate(11)), Some("reliable"));
}
