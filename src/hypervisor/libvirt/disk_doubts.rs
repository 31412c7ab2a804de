//! Which machines' disks are to be asked for errors, and when. Pure.
//!
//! `virDomainGetDiskErrors` waits for the machine's job lock, so it is asked rarely: of every machine once
//! after a connection was made and then in turn, and at each poll of machines in doubt — those of which an
//! event told an I/O error and those found paused by one — until an answer without errors.

use std::collections::HashMap;
use std::time::{Duration, Instant};
use uuid::Uuid;

/// Each machine is asked at least this often.
const ROUND: Duration = Duration::from_secs(300);

/// A poll asks at most this share of the machines that were not asked over this connection; polls come
/// every ten seconds, so all have been asked after a minute.
const FIRST_SHARE: usize = 6;

/// A poll asks at most this share of the others.
const SHARE: usize = 30;

/// Machines asked in one poll at most, doubted ones included.
const MOST: usize = 256;

/// What is known about the disks of one endpoint's machines.
#[derive(Debug, Default)]
pub struct DiskDoubts {
    machines: HashMap<Uuid, Entry>,
}

#[derive(Debug, Default)]
struct Entry {
    doubted: bool,
    asked: Option<Instant>,
}

impl DiskDoubts {
    /// A disk of the machine may have an error.
    pub fn doubt(&mut self, uuid: Uuid) {
        self.machines.entry(uuid).or_default().doubted = true;
    }

    /// True if a disk of the machine may have an error.
    pub fn doubts(&self, uuid: Uuid) -> bool {
        self.machines.get(&uuid).is_some_and(|entry| entry.doubted)
    }

    /// Takes note of the running machines and says whose disks to ask about in this poll.
    pub fn before_poll(&mut self, running: &[Uuid], now: Instant) -> Vec<Uuid> {
        self.machines.retain(|uuid, _| running.contains(uuid));
        let (mut first, mut again) = (running.len().div_ceil(FIRST_SHARE), running.len().div_ceil(SHARE));
        let mut ask = Vec::new();
        for uuid in running {
            let entry = self.machines.entry(*uuid).or_default();
            let budget = if entry.asked.is_none() { &mut first } else { &mut again };
            let due = entry.asked.is_none_or(|asked| now.duration_since(asked) >= ROUND);
            if entry.doubted {
                ask.push(*uuid);
            } else if due && *budget > 0 {
                *budget -= 1;
                ask.push(*uuid);
            }
        }
        ask.truncate(MOST);
        ask
    }

    /// Takes an answer: a machine stays in doubt as long as a disk has an error.
    pub fn note(&mut self, uuid: Uuid, has_errors: bool, now: Instant) {
        self.machines.insert(uuid, Entry { doubted: has_errors, asked: Some(now) });
    }

    /// A new connection: every machine is to be asked again, what was doubted stays in doubt.
    pub fn new_connection(&mut self) {
        self.machines.values_mut().for_each(|entry| entry.asked = None);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn machines(count: u128) -> Vec<Uuid> {
        (1..=count).map(Uuid::from_u128).collect()
    }

    #[test]
    fn all_are_asked_within_a_minute_then_rarely() {
        let (mut doubts, running, start) = (DiskDoubts::default(), machines(60), Instant::now());
        let mut asked = Vec::new();
        for poll in 0..6 {
            let now = start + Duration::from_secs(10 * poll);
            for uuid in doubts.before_poll(&running, now) {
                doubts.note(uuid, false, now);
                asked.push(uuid);
            }
        }
        asked.sort();
        assert_eq!(asked, running, "each once");
        assert!(doubts.before_poll(&running, start + Duration::from_secs(70)).is_empty());
        assert_eq!(doubts.before_poll(&running, start + Duration::from_secs(400)).len(), 2);
        doubts.new_connection();
        assert_eq!(doubts.before_poll(&running, start + Duration::from_secs(401)).len(), 10);
    }

    #[test]
    fn a_doubted_machine_is_asked_at_each_poll_until_it_is_well() {
        let (mut doubts, running, now) = (DiskDoubts::default(), machines(2), Instant::now());
        running.iter().for_each(|uuid| doubts.note(*uuid, false, now));
        assert!(doubts.before_poll(&running, now).is_empty());
        doubts.doubt(running[1]);
        assert_eq!(doubts.before_poll(&running, now), [running[1]]);
        doubts.note(running[1], true, now);
        assert_eq!(doubts.before_poll(&running, now), [running[1]]);
        doubts.note(running[1], false, now);
        assert!(doubts.before_poll(&running, now).is_empty() && !doubts.doubts(running[1]));
    }

    #[test]
    fn a_machine_that_stopped_is_forgotten() {
        let (mut doubts, running, now) = (DiskDoubts::default(), machines(2), Instant::now());
        doubts.doubt(running[1]);
        doubts.before_poll(&running[..1], now);
        assert!(!doubts.doubts(running[1]));
    }
}
