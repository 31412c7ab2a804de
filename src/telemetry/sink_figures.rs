//! Figures of one notification sink: written by the sink, read by the metrics page.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// Counters of a sink; relaxed, since nobody decides by them.
#[derive(Debug)]
pub struct SinkFigures {
    name: String,
    kind: &'static str,
    delivered: AtomicU64,
    failures: AtomicU64,
    refused: AtomicU64,
    failing: AtomicBool,
    told: AtomicU64,
    lag: AtomicU64,
}

impl SinkFigures {
    /// Zeroed figures of a sink.
    pub fn new(name: &str, kind: &'static str) -> Self {
        Self {
            name: name.to_owned(),
            kind,
            delivered: AtomicU64::new(0),
            failures: AtomicU64::new(0),
            refused: AtomicU64::new(0),
            failing: AtomicBool::new(false),
            told: AtomicU64::new(0),
            lag: AtomicU64::new(0),
        }
    }

    /// The sink's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its kind, as in the settings.
    pub fn kind(&self) -> &'static str {
        self.kind
    }

    /// Counts delivered changes.
    pub fn deliver(&self, changes: usize) {
        self.delivered.fetch_add(changes as u64, Ordering::Relaxed);
    }

    /// Counts a failed try.
    pub fn fail(&self) {
        self.failures.fetch_add(1, Ordering::Relaxed);
        self.failing.store(true, Ordering::Relaxed);
    }

    /// A try succeeded.
    pub fn recover(&self) {
        self.failing.store(false, Ordering::Relaxed);
    }

    /// Counts a change that the receiver would not take.
    pub fn refuse(&self) {
        self.refused.fetch_add(1, Ordering::Relaxed);
    }

    /// Alarms the receiver believes in, and sequences between position and head.
    pub fn set_state(&self, told: usize, lag: u64) {
        self.told.store(told as u64, Ordering::Relaxed);
        self.lag.store(lag, Ordering::Relaxed);
    }

    /// Changes delivered.
    pub fn delivered(&self) -> u64 {
        self.delivered.load(Ordering::Relaxed)
    }

    /// Failed tries.
    pub fn failures(&self) -> u64 {
        self.failures.load(Ordering::Relaxed)
    }

    /// Changes given up because the receiver would not take them.
    pub fn refused(&self) -> u64 {
        self.refused.load(Ordering::Relaxed)
    }

    /// True while the last try failed.
    pub fn is_failing(&self) -> bool {
        self.failing.load(Ordering::Relaxed)
    }

    /// Alarms the receiver believes in.
    pub fn told(&self) -> u64 {
        self.told.load(Ordering::Relaxed)
    }

    /// Sequences between position and head after the last delivery.
    pub fn lag(&self) -> u64 {
        self.lag.load(Ordering::Relaxed)
    }
}
