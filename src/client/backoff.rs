//! Growing, jittered pauses between attempts. Pure: chance is an argument.

use std::time::Duration;

/// Pauses from 1 s to 60 s, doubling, each shortened by chance by up to a half, so that many
/// clients of one daemon do not come back at the same moment.
#[derive(Clone, Debug, Default)]
pub struct Backoff {
    attempts: u32,
}

impl Backoff {
    /// 1 second: the daemon may only be restarting.
    pub const FIRST: Duration = Duration::from_secs(1);
    /// 1 minute: the longest pause.
    pub const LONGEST: Duration = Duration::from_secs(60);

    /// The next pause; `chance` is any random number.
    pub fn pause(&mut self, chance: u64) -> Duration {
        let doubled = Self::FIRST.saturating_mul(1 << self.attempts.min(6));
        self.attempts = self.attempts.saturating_add(1);
        let longest = doubled.min(Self::LONGEST);
        let jitter = f64::from(u32::try_from(chance % 1_000).unwrap_or(0)) / 1_000.0;
        longest.mul_f64(1.0 - jitter / 2.0).max(Self::FIRST)
    }

    /// The attempt was a success: start again with the shortest pause.
    pub fn reset(&mut self) {
        self.attempts = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_to_a_minute_and_never_leave_the_bounds() {
        let mut backoff = Backoff::default();
        let calm: Vec<u64> = (0..8).map(|_| backoff.pause(0).as_secs()).collect();
        assert_eq!(calm, [1, 2, 4, 8, 16, 32, 60, 60]);
        for chance in 0..2_000 {
            let pause = backoff.pause(chance);
            assert!(pause >= Duration::from_secs(30) && pause <= Backoff::LONGEST, "{pause:?}");
        }
        backoff.reset();
        assert_eq!(backoff.pause(999), Backoff::FIRST);
    }
}
