//! The one retry policy: doubling pauses with jitter, for ever.

use std::time::Duration;

/// First pause.
const FIRST: Duration = Duration::from_secs(1);

/// Longest pause: a receiver that is back waits no longer than this.
const LONGEST: Duration = Duration::from_secs(30);

/// Longest pause a receiver may ask for.
const LONGEST_ASKED: Duration = Duration::from_secs(300);

/// Pauses between tries.
#[derive(Debug)]
pub(super) struct Backoff {
    failures: u32,
    /// State of the jitter; no secret depends on it.
    random: u64,
}

impl Backoff {
    pub(super) fn new(seed: u64) -> Self {
        Self { failures: 0, random: seed | 1 }
    }

    /// A try succeeded.
    pub(super) fn reset(&mut self) {
        self.failures = 0;
    }

    /// The pause after another failure: between half of the doubled pause and all of it, or what
    /// the receiver asked for.
    pub(super) fn pause(&mut self, asked: Option<Duration>) -> Duration {
        let full = FIRST.saturating_mul(1 << self.failures.min(10)).min(LONGEST);
        self.failures = self.failures.saturating_add(1);
        // xorshift64
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        let share = u32::try_from(self.random % 1_000).unwrap_or(0);
        let pause = full / 2 + full / 2 * share / 1_000;
        asked.map_or(pause, |asked| asked.min(LONGEST_ASKED).max(pause))
    }
}
