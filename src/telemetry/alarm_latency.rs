//! How long an alarm's change takes from being seen until it is committed and until a stream takes it.

use prometheus_client::metrics::histogram::Histogram;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Upper bounds in seconds, around the promised 250 ms and 1 s (design.md P3).
const BOUNDS: [f64; 12] = [0.001, 0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0];

/// What had been reached when the time was taken; all times begin when the change was seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LatencyStage {
    /// The store has it.
    Committed,
    /// A subscriber's transport has it.
    Handed,
}

impl LatencyStage {
    /// Every stage in order.
    pub const ALL: [Self; 2] = [Self::Committed, Self::Handed];

    /// Value of the label `stage`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Committed => "committed",
            Self::Handed => "handed",
        }
    }
}

/// The recorder; clones share their histograms.
#[derive(Clone, Debug)]
pub struct AlarmLatency {
    committed: Histogram,
    handed: Histogram,
    recorded: Arc<[AtomicU64; 2]>,
    /// Times at or below each of [`BOUNDS`], by stage.
    below: Arc<[[AtomicU64; BOUNDS.len()]; 2]>,
}

impl Default for AlarmLatency {
    fn default() -> Self {
        Self {
            committed: Histogram::new(BOUNDS),
            handed: Histogram::new(BOUNDS),
            recorded: Arc::default(),
            below: Arc::default(),
        }
    }
}

impl AlarmLatency {
    /// Records the time one change of an alarm took since it was seen. Only live changes count, no snapshots.
    pub fn record(&self, stage: LatencyStage, took: Duration) {
        self.histogram(stage).observe(took.as_secs_f64());
        self.recorded[stage as usize].fetch_add(1, Ordering::Relaxed);
        let reached = BOUNDS.iter().zip(&self.below[stage as usize]).filter(|(bound, _)| took.as_secs_f64() <= **bound);
        for (_, count) in reached {
            count.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// How many times were recorded for a stage.
    pub fn recorded(&self, stage: LatencyStage) -> u64 {
        self.recorded[stage as usize].load(Ordering::Relaxed)
    }

    /// The least bound that holds for a share of the recorded times; nothing if there are none, or if it lies
    /// beyond the last bound.
    pub fn quantile(&self, stage: LatencyStage, share: f64) -> Option<Duration> {
        let counts: Vec<u64> = self.below[stage as usize].iter().map(|count| count.load(Ordering::Relaxed)).collect();
        let total = self.recorded(stage);
        #[expect(
            clippy::cast_precision_loss,
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "counts of alarms lie far below 2^53"
        )]
        let wanted = (total as f64 * share).ceil() as u64;
        let at = counts.iter().position(|count| total > 0 && *count >= wanted)?;
        BOUNDS.get(at).map(|bound| Duration::from_secs_f64(*bound))
    }

    /// The histogram of a stage.
    pub fn histogram(&self, stage: LatencyStage) -> &Histogram {
        match stage {
            LatencyStage::Committed => &self.committed,
            LatencyStage::Handed => &self.handed,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quantile_is_the_bound_that_holds_for_so_many() {
        let latency = AlarmLatency::default();
        assert_eq!(latency.quantile(LatencyStage::Handed, 0.5), None);
        for _ in 0..98 {
            latency.record(LatencyStage::Handed, Duration::from_micros(1_500));
        }
        latency.record(LatencyStage::Handed, Duration::from_millis(80));
        latency.record(LatencyStage::Handed, Duration::from_secs(60));
        assert_eq!(latency.quantile(LatencyStage::Handed, 0.5), Some(Duration::from_millis(2)));
        assert_eq!(latency.quantile(LatencyStage::Handed, 0.99), Some(Duration::from_millis(100)));
        assert_eq!(latency.quantile(LatencyStage::Handed, 1.0), None, "beyond the last bound");
        assert_eq!(latency.quantile(LatencyStage::Committed, 0.5), None);
    }
}
