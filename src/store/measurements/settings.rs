//! How much history is kept.

use std::time::Duration;

/// How much history is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HistorySettings {
    /// How long results are kept, by granularity period in seconds, ascending. Results of a granularity that is not
    /// there are kept as long as those of the next coarser one, the coarsest as long as the last.
    pub retention: Vec<(u32, Duration)>,
    /// How long intervals of availability and lists of reports are kept.
    pub record_retention: Duration,
    /// Most bytes of the database; the oldest results go first, each granularity in proportion.
    pub cap_bytes: u64,
    /// The history is written only while so much of the disk is free: the journal comes first.
    pub keep_free_bytes: u64,
    /// Most results waiting to be written; more are dropped and counted.
    pub waiting_results: usize,
}

const DAY: u64 = 86_400;

impl Default for HistorySettings {
    /// The figures of the issue: 60 s for 48 h, 900 s for 35 days, 3600 s for 400 days; 2 GiB.
    fn default() -> Self {
        let days = |days| Duration::from_secs(days * DAY);
        Self {
            retention: vec![(60, days(2)), (900, days(35)), (3_600, days(400))],
            record_retention: days(400),
            cap_bytes: 2 << 30,
            keep_free_bytes: 64 << 20,
            waiting_results: 60_000,
        }
    }
}

impl HistorySettings {
    /// How long results of a granularity are kept.
    pub fn retention_of(&self, granularity_seconds: u32) -> Duration {
        let coarser = self.retention.iter().find(|(seconds, _)| *seconds >= granularity_seconds);
        coarser.or(self.retention.last()).map_or(self.record_retention, |(_, kept)| *kept)
    }
}
