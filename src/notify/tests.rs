//! Rules of the sinks that need no receiver.

use super::memory::{REMEMBERED, SinkMemory};
use super::retry::Backoff;
use crate::changes::Position;
use crate::export::Identity;
use crate::model::Name;
use std::time::Duration;
use uuid::Uuid;

fn name(number: usize) -> Name {
    Name::alarm(Uuid::from_u128(number as u128))
}

fn identity(alarm_type: &str) -> Identity {
    Identity { alarm_type: alarm_type.into(), ..Identity::default() }
}

fn at(sequence: u64) -> Option<Position> {
    Some(Position { epoch: "e1".into(), sequence })
}

#[test]
fn a_memory_is_after_a_restart_what_was_committed() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("noc.position");
    let mut memory = SinkMemory::open(&path).unwrap();
    assert_eq!(memory.position(), None);
    memory.tell(&name(1), identity("a"));
    memory.tell(&name(2), identity("b"));
    memory.wait(&name(3));
    memory.wait(&name(4));
    memory.advance("e1", 7);
    memory.commit().unwrap();
    memory.end(&name(1));
    memory.tell(&name(3), identity("c"));
    memory.end(&name(4));
    memory.advance("e1", 9);
    memory.commit().unwrap();
    memory.tell(&name(5), identity("never committed"));
    memory.advance("e1", 10);
    drop(memory);
    let memory = SinkMemory::open(&path).unwrap();
    assert_eq!(memory.position(), at(9).as_ref());
    assert_eq!(memory.told().keys().collect::<Vec<_>>(), [&name(2), &name(3)]);
    assert!(memory.waiting().is_empty());
}

#[test]
fn a_position_never_moves_backwards_within_an_epoch() {
    let directory = tempfile::tempdir().unwrap();
    let mut memory = SinkMemory::open(&directory.path().join("p")).unwrap();
    memory.advance("e1", 9);
    memory.advance("e1", 3);
    assert_eq!(memory.position(), at(9).as_ref());
    memory.advance("e2", 1);
    assert_eq!(memory.position(), Some(&Position { epoch: "e2".into(), sequence: 1 }));
}

#[test]
fn file_and_memory_are_bounded() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("p");
    let mut memory = SinkMemory::open(&path).unwrap();
    for round in 0..40 {
        for number in 0..100 {
            memory.tell(&name(number), identity("a"));
            memory.end(&name(number));
            memory.advance("e1", round * 100 + number as u64 + 1);
        }
        memory.commit().unwrap();
    }
    let lines = std::fs::read_to_string(&path).unwrap().lines().count();
    assert!(lines < 2_300, "{lines} lines for nothing");
    for number in 0..REMEMBERED + 10 {
        memory.tell(&name(number), identity("a"));
    }
    assert_eq!(memory.told().len(), REMEMBERED);
    assert!(memory.is_full());
}

#[test]
fn pauses_double_with_jitter_up_to_a_bound_and_begin_anew_after_success() {
    let mut backoff = Backoff::new(42);
    for full in [1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000] {
        let pause = backoff.pause(None);
        let bounds = Duration::from_millis(full / 2)..=Duration::from_millis(full);
        assert!(bounds.contains(&pause), "{pause:?} is not in {bounds:?}");
    }
    backoff.reset();
    assert!(backoff.pause(None) <= Duration::from_secs(1));
    assert_eq!(backoff.pause(Some(Duration::from_secs(100))), Duration::from_secs(100));
    assert_eq!(backoff.pause(Some(Duration::from_secs(86_400))), Duration::from_secs(300));
    let other = Backoff::new(43).pause(None);
    assert_ne!(other, Backoff::new(44).pause(None), "two sinks do not try in step");
}
