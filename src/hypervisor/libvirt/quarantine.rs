//! Which machines are left out of bulk statistics because their hypervisor process does not answer.
//!
//! Pure. One hung process blocks the first bulk call that meets it for as long as it hangs, so it has
//! to be known beforehand: by control information, which never blocks, asked for machines in doubt
//! and, in turn, for every machine once a minute.

use super::ffi::domain::ControlReading;
use crate::model::virtual_machine::ControlState;
use std::collections::HashMap;
use std::time::{Duration, Instant};
use uuid::Uuid;

/// A control channel occupied for longer than this is hung; a busy one is free again sooner.
const PATIENCE: Duration = Duration::from_secs(5);

/// Each machine is asked at least this often.
const ROUND: Duration = Duration::from_secs(60);

/// A poll asks at most this share of the machines that are due; polls come every ten seconds.
const SHARE: usize = 6;

/// What is known about the hypervisor processes of one endpoint.
#[derive(Debug, Default)]
pub struct Quarantine {
    machines: HashMap<Uuid, Entry>,
    /// A bulk call hung: each machine may be the cause.
    doubt_all: bool,
}

#[derive(Debug, Default)]
struct Entry {
    incarnation: Option<u32>,
    answered_monitor: bool,
    doubted: bool,
    quarantined: bool,
    asked: Option<Instant>,
}

impl Quarantine {
    /// Takes note of the running machines and says whose control information to ask before polling.
    pub fn before_poll(&mut self, running: &[(Uuid, Option<u32>)], now: Instant) -> Vec<Uuid> {
        self.keep_only(running);
        let doubt_all = std::mem::take(&mut self.doubt_all);
        let mut budget = running.len().div_ceil(SHARE);
        let mut ask = Vec::new();
        for (uuid, _) in running {
            let Some(entry) = self.machines.get_mut(uuid) else { continue };
            let due = entry.asked.is_none_or(|asked| now.duration_since(asked) >= ROUND);
            if doubt_all || entry.doubted || entry.quarantined {
                ask.push(*uuid);
            } else if due && budget > 0 {
                budget -= 1;
                ask.push(*uuid);
            }
        }
        ask
    }

    /// Takes an answer and returns the verdict on that machine.
    pub fn judge(&mut self, uuid: Uuid, reading: ControlReading, now: Instant) -> ControlState {
        let entry = self.machines.entry(uuid).or_default();
        entry.asked = Some(now);
        let hung = reading.since_ms >= u64::try_from(PATIENCE.as_millis()).unwrap_or(u64::MAX);
        let (verdict, quarantined, doubted) = match reading.state {
            0 => (ControlState::Responding, false, false),
            1 => (ControlState::Job, false, false),
            2 if hung => (ControlState::NotResponding, true, false),
            2 => (ControlState::Responding, entry.quarantined, true),
            3 => (ControlState::Failed, true, false),
            _ => (ControlState::Unknown, false, false),
        };
        (entry.quarantined, entry.doubted) = (quarantined, doubted);
        if quarantined && verdict == ControlState::Responding { ControlState::NotResponding } else { verdict }
    }

    /// True if the machine must be left out of bulk calls.
    pub fn holds(&self, uuid: Uuid) -> bool {
        self.machines.get(&uuid).is_some_and(|entry| entry.quarantined)
    }

    /// True if a call that waits for the machine's job lock might hang now.
    pub fn doubts(&self, uuid: Uuid) -> bool {
        self.doubt_all || self.machines.get(&uuid).is_some_and(|entry| entry.quarantined || entry.doubted)
    }

    /// Takes note whether a record held figures that only the hypervisor process can give; true if they
    /// were there before and have gone missing, so that the record is partial.
    pub fn note_record(&mut self, uuid: Uuid, monitor_figures: bool) -> bool {
        let entry = self.machines.entry(uuid).or_default();
        let missing = entry.answered_monitor && !monitor_figures;
        entry.answered_monitor |= monitor_figures;
        entry.doubted |= missing;
        missing
    }

    /// A call about all machines ran into its deadline.
    pub fn poll_timed_out(&mut self) {
        self.doubt_all = true;
    }

    /// A call about this machine ran into its deadline.
    pub fn call_timed_out(&mut self, uuid: Uuid) {
        self.machines.entry(uuid).or_default().doubted = true;
    }

    /// Number of machines left out now.
    pub fn count(&self) -> usize {
        self.machines.values().filter(|entry| entry.quarantined).count()
    }

    /// Forgets machines that stopped, and what was known of an earlier run.
    fn keep_only(&mut self, running: &[(Uuid, Option<u32>)]) {
        let now: HashMap<Uuid, Option<u32>> = running.iter().copied().collect();
        self.machines.retain(|uuid, entry| now.get(uuid).is_some_and(|id| *id == entry.incarnation));
        for (uuid, incarnation) in running {
            self.machines.entry(*uuid).or_insert_with(|| Entry { incarnation: *incarnation, ..Entry::default() });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OK: ControlReading = ControlReading { state: 0, since_ms: 0 };

    fn occupied(since_ms: u64) -> ControlReading {
        ControlReading { state: 2, since_ms }
    }

    fn machines(count: u128) -> Vec<(Uuid, Option<u32>)> {
        (1..=count).map(|number| (Uuid::from_u128(number), Some(1))).collect()
    }

    #[test]
    fn every_machine_is_asked_once_a_minute_in_turn() {
        let (mut quarantine, running, start) = (Quarantine::default(), machines(12), Instant::now());
        let mut asked = HashMap::<Uuid, u32>::new();
        for poll in 0..6 {
            let now = start + Duration::from_secs(10 * poll);
            let ask = quarantine.before_poll(&running, now);
            assert_eq!(ask.len(), 2, "a sixth per poll");
            for uuid in ask {
                quarantine.judge(uuid, OK, now);
                *asked.entry(uuid).or_default() += 1;
            }
        }
        assert_eq!(asked.len(), 12);
        assert!(asked.values().all(|times| *times == 1));
    }

    #[test]
    fn a_timed_out_poll_puts_all_in_doubt_and_the_hung_one_is_left_out() {
        let (mut quarantine, running, now) = (Quarantine::default(), machines(3), Instant::now());
        quarantine.before_poll(&running, now);
        let hung = running[1].0;
        assert!(!quarantine.doubts(hung));
        quarantine.poll_timed_out();
        assert!(quarantine.doubts(hung) && quarantine.doubts(running[0].0));
        assert_eq!(quarantine.before_poll(&running, now).len(), 3);
        assert_eq!(quarantine.judge(hung, occupied(6_000), now), ControlState::NotResponding);
        assert!(quarantine.holds(hung) && quarantine.doubts(hung));
        assert_eq!(quarantine.count(), 1);
        assert!(quarantine.before_poll(&running, now).contains(&hung), "asked at each poll while held");
        assert_eq!(quarantine.judge(hung, OK, now), ControlState::Responding);
        assert!(!quarantine.holds(hung));
    }

    #[test]
    fn busy_for_a_moment_is_doubt_not_quarantine() {
        let (mut quarantine, running, now) = (Quarantine::default(), machines(1), Instant::now());
        quarantine.before_poll(&running, now);
        assert_eq!(quarantine.judge(running[0].0, occupied(800), now), ControlState::Responding);
        assert!(!quarantine.holds(running[0].0));
        assert_eq!(quarantine.before_poll(&running, now), [running[0].0]);
        assert_eq!(quarantine.judge(running[0].0, ControlReading { state: 3, since_ms: 0 }, now), ControlState::Failed);
        assert!(quarantine.holds(running[0].0));
    }

    #[test]
    fn missing_monitor_figures_are_partial_only_if_they_were_there() {
        let (mut quarantine, running, now) = (Quarantine::default(), machines(2), Instant::now());
        quarantine.before_poll(&running, now);
        let (disks, diskless) = (running[0].0, running[1].0);
        assert!(!quarantine.note_record(disks, true));
        assert!(!quarantine.note_record(diskless, false));
        assert!(quarantine.note_record(disks, false));
        assert!(!quarantine.note_record(diskless, false));
        let restarted = [(disks, Some(2))];
        quarantine.before_poll(&restarted, now);
        assert!(!quarantine.note_record(disks, false), "a new run starts anew");
    }
}
