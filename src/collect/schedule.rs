//! Which reading is due when. Pure: time is passed in.

use crate::model::observation::Scope;
use std::time::Duration;
use tokio::time::Instant;

use super::link::jittered;

/// A kind of periodic reading; at most one of each runs at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Reading {
    /// A sign of life.
    Probe,
    /// Moving figures.
    Statistics,
    /// Run states, pool and network states.
    States,
    /// Everything with definitions.
    Full,
}

impl Reading {
    pub(super) const ALL: [Self; 4] = [Self::Probe, Self::Statistics, Self::States, Self::Full];

    /// What it reads, in order.
    pub(super) fn scopes(self) -> Vec<Scope> {
        match self {
            Self::Probe => Vec::new(),
            Self::Statistics => vec![Scope::Statistics],
            Self::States => vec![Scope::MachineStates, Scope::Networks, Scope::StoragePools],
            Self::Full => {
                vec![Scope::Hypervisor, Scope::HostDevices, Scope::StoragePools, Scope::Networks, Scope::Machines]
            }
        }
    }
}

/// Periods of the readings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Periods {
    pub(super) probe: Duration,
    pub(super) statistics: Duration,
    pub(super) states: Duration,
    pub(super) full: Duration,
}

/// Due times of one endpoint.
#[derive(Debug)]
pub(super) struct Schedule {
    periods: Periods,
    due: [Instant; 4],
    seed: u64,
    /// Readings that came due while the previous one still ran.
    pub(super) skipped: u64,
}

/// Readings whose time has come.
#[derive(Debug, Default)]
pub(super) struct Due {
    /// To be made now.
    pub(super) taken: Vec<Reading>,
    /// Left out, because the one before still runs.
    pub(super) skipped: Vec<Reading>,
}

impl Schedule {
    /// A schedule that starts now, each reading at a random point of its first period: two
    /// collectors must not read in step for ever.
    pub(super) fn new(periods: Periods, now: Instant, seed: u64) -> Self {
        let mut schedule = Self { periods, due: [now; 4], seed: seed | 1, skipped: 0 };
        for (at, reading) in Reading::ALL.into_iter().enumerate() {
            schedule.due[at] = now + jittered(schedule.period(reading), &mut schedule.seed);
        }
        schedule
    }

    fn period(&self, reading: Reading) -> Duration {
        match reading {
            Reading::Probe => self.periods.probe,
            Reading::Statistics => self.periods.statistics,
            Reading::States => self.periods.states,
            Reading::Full => self.periods.full,
        }
    }

    /// When the next reading is due.
    pub(super) fn next_deadline(&self) -> Instant {
        self.due.iter().min().copied().unwrap_or_else(Instant::now)
    }

    /// Readings due now; each is moved one period on, from its due time, so that slowness does not
    /// add up. `busy` tells which still run: they are skipped and counted.
    pub(super) fn take_due(&mut self, now: Instant, busy: impl Fn(Reading) -> bool) -> Due {
        let mut due = Due::default();
        for (at, reading) in Reading::ALL.into_iter().enumerate() {
            if self.due[at] > now {
                continue;
            }
            let period = self.period(reading).max(Duration::from_millis(100));
            while self.due[at] <= now {
                self.due[at] += period;
            }
            if busy(reading) {
                self.skipped += 1;
                due.skipped.push(reading);
            } else {
                due.taken.push(reading);
            }
        }
        due
    }

    /// Makes a reading due at once.
    pub(super) fn hasten(&mut self, reading: Reading, now: Instant) {
        if let Some(at) = Reading::ALL.iter().position(|other| *other == reading) {
            self.due[at] = now;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn schedule(now: Instant) -> Schedule {
        let seconds = Duration::from_secs;
        let periods = Periods { probe: seconds(5), statistics: seconds(10), states: seconds(60), full: seconds(300) };
        Schedule::new(periods, now, 42)
    }

    #[test]
    fn every_reading_comes_once_a_period_and_busy_ones_are_skipped() {
        let start = Instant::now();
        let mut schedule = schedule(start);
        let mut counts = [0_u32; 4];
        for second in 0..=600 {
            let now = start + Duration::from_secs(second);
            for reading in schedule.take_due(now, |reading| reading == Reading::Full).taken {
                counts[Reading::ALL.iter().position(|other| *other == reading).unwrap()] += 1;
            }
        }
        assert!((118..=121).contains(&counts[0]), "{counts:?}");
        assert!((58..=61).contains(&counts[1]), "{counts:?}");
        assert!((9..=11).contains(&counts[2]), "{counts:?}");
        assert_eq!(counts[3], 0);
        assert!(schedule.skipped >= 1);
    }

    #[test]
    fn a_long_stall_does_not_bring_a_burst() {
        let start = Instant::now();
        let mut schedule = schedule(start);
        let late = start + Duration::from_secs(100);
        let first = schedule.take_due(late, |_| false).taken;
        assert!(first.contains(&Reading::Probe));
        assert!(schedule.take_due(late, |_| false).taken.is_empty());
    }
}
