//! When to try again: back-off of a lost endpoint. Pure.

use std::time::Duration;

/// First wait after a loss: 1 s.
const FIRST: Duration = Duration::from_secs(1);

/// Longest wait: 30 s.
const LONGEST: Duration = Duration::from_secs(30);

/// Longest wait after a refused credential: 5 min, since trying locks accounts.
const LONGEST_REFUSED: Duration = Duration::from_secs(300);

/// Waits between attempts: doubled each time, up to a limit, with ± 20 % jitter so that forty
/// hosts do not knock together.
#[derive(Debug)]
pub(super) struct Backoff {
    attempts: u32,
    seed: u64,
}

impl Backoff {
    /// A back-off whose jitter depends on `seed`, e.g. a digest of the endpoint's key.
    pub(super) fn new(seed: u64) -> Self {
        Self { attempts: 0, seed }
    }

    /// Forgets failures after a success.
    pub(super) fn reset(&mut self) {
        self.attempts = 0;
    }

    /// How long to wait before the next attempt.
    pub(super) fn next(&mut self, refused: bool) -> Duration {
        let limit = if refused { LONGEST_REFUSED } else { LONGEST };
        let plain = FIRST.saturating_mul(1_u32 << self.attempts.min(9)).min(limit);
        self.attempts = self.attempts.saturating_add(1);
        jittered(plain, &mut self.seed)
    }
}

/// The duration ± 20 %.
pub(super) fn jittered(plain: Duration, seed: &mut u64) -> Duration {
    // xorshift64*: cheap, and good enough to spread timers.
    *seed ^= *seed >> 12;
    *seed ^= *seed << 25;
    *seed ^= *seed >> 27;
    let random = seed.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33;
    let permille = 800 + random % 401;
    plain.saturating_mul(u32::try_from(permille).unwrap_or(1_000)) / 1_000
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_to_a_limit_and_start_anew_after_a_success() {
        let mut backoff = Backoff::new(7);
        let waits: Vec<Duration> = (0..8).map(|_| backoff.next(false)).collect();
        assert!(waits[0] <= Duration::from_millis(1_200), "{waits:?}");
        assert!(waits[2] >= Duration::from_millis(3_200), "{waits:?}");
        assert!(waits.iter().all(|wait| *wait <= Duration::from_secs(36)), "{waits:?}");
        backoff.reset();
        assert!(backoff.next(false) <= Duration::from_millis(1_200));
    }

    #[test]
    fn a_refused_credential_is_tried_rarely() {
        let mut backoff = Backoff::new(7);
        let last = (0..12).map(|_| backoff.next(true)).last().unwrap();
        assert!(last >= Duration::from_secs(240), "{last:?}");
    }
}
