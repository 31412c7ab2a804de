//! Monotonic clocks of several origins, and steps of the wall clock.

use super::settings::Moment;
use crate::model::Timestamp;
use std::time::Duration;

/// The wall clock was set if it moved by more than this against the monotonic one: 1 s.
const STEP_MICROS: u64 = 1_000_000;

/// Clocks whose origins differ by less are one: 0.5 s.
const SAME_MICROS: u64 = 500_000;

/// Origins kept for a host: its endpoints and the machine itself have a few; the oldest leaves.
const KEPT: usize = 8;

fn micros(duration: Duration) -> i64 {
    i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)
}

/// By how much the monotonic clocks of a host's sources differ from ours.
#[derive(Debug, Default)]
pub(super) struct Origins(Vec<i64>);

impl Origins {
    /// The moment of a look on our monotonic clock. What is added to a source's clock is always the same, so that
    /// intervals between its looks stay true.
    pub(super) fn ours(&mut self, now: Moment, begun: Timestamp, monotonic: Duration, spent: Duration) -> Duration {
        let theirs = begun.0.saturating_add(micros(spent / 2)).saturating_sub(micros(monotonic));
        let difference = theirs.saturating_sub(now.wall.0.saturating_sub(micros(now.monotonic)));
        let known = self.0.iter().copied().find(|held| held.abs_diff(difference) < SAME_MICROS);
        let difference = known.unwrap_or_else(|| {
            if self.0.len() >= KEPT {
                self.0.remove(0);
            }
            self.0.push(difference);
            difference
        });
        let ours = micros(monotonic).saturating_add(difference);
        Duration::from_micros(u64::try_from(ours).unwrap_or(0))
    }
}

/// Steps of the wall clock against the monotonic one.
#[derive(Debug, Default)]
pub(super) struct ClockSteps {
    offset: Option<i64>,
    last: Option<Duration>,
}

impl ClockSteps {
    /// Looks at both clocks; true if the wall clock was set since the last look.
    pub(super) fn look(&mut self, now: Moment) -> bool {
        let offset = now.wall.0.saturating_sub(micros(now.monotonic));
        let stepped = self.offset.is_some_and(|before| before.abs_diff(offset) > STEP_MICROS);
        if stepped || self.offset.is_none() {
            self.offset = Some(offset);
        }
        if stepped {
            self.last = Some(now.monotonic);
        }
        stepped
    }

    /// True if it was set between two moments of the monotonic clock.
    pub(super) fn between(&self, before: Duration, after: Duration) -> bool {
        // A step is noticed up to a second late; a look right before it may be marked too.
        self.last.is_some_and(|step| before <= step && step <= after + Duration::from_secs(1))
    }
}
