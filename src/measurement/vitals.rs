//! Figures about the measurement part itself.

use std::sync::atomic::{AtomicU64, Ordering};

/// Counters and levels; relaxed, since nobody decides by them.
#[derive(Debug, Default)]
pub struct MeasurementVitals {
    pub(super) batches: AtomicU64,
    pub(super) samples: AtomicU64,
    pub(super) dropped_batches: AtomicU64,
    pub(super) results: AtomicU64,
    pub(super) crossings: AtomicU64,
    pub(super) owners: AtomicU64,
    pub(super) accumulator_bytes: AtomicU64,
    pub(super) series: AtomicU64,
    pub(super) shedding: AtomicU64,
    pub(super) clock_steps: AtomicU64,
}

/// The figures at one moment, each with its name.
impl MeasurementVitals {
    pub(super) fn add(counter: &AtomicU64, count: u64) {
        counter.fetch_add(count, Ordering::Relaxed);
    }

    /// Every figure: name, value, and whether it only rises.
    pub fn figures(&self) -> [(&'static str, u64, bool); 10] {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        [
            ("batches", read(&self.batches), true),
            ("samples", read(&self.samples), true),
            ("dropped_batches", read(&self.dropped_batches), true),
            ("period_results", read(&self.results), true),
            ("threshold_reports", read(&self.crossings), true),
            ("clock_steps", read(&self.clock_steps), true),
            ("owners", read(&self.owners), false),
            ("accumulator_bytes", read(&self.accumulator_bytes), false),
            ("series", read(&self.series), false),
            ("shedding_step", read(&self.shedding), false),
        ]
    }
}
