//! Figures about the engine itself, read by the metrics page and `info`.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Upper bounds of the turn-time histogram in microseconds: a turn should take ≤ 5 ms.
pub const TURN_BOUNDS_US: [u64; 8] = [50, 200, 1_000, 5_000, 20_000, 100_000, 500_000, u64::MAX];

/// Upper bounds in microseconds of the histogram of alarm latency: from the time a fault was seen to its commit.
pub const ALARM_LATENCY_BOUNDS_US: [u64; 12] =
    [1_000, 2_000, 5_000, 10_000, 20_000, 50_000, 100_000, 250_000, 500_000, 1_000_000, 5_000_000, u64::MAX];

/// Counters of the engine; relaxed, since nobody decides by them.
#[derive(Debug, Default)]
pub struct EngineVitals {
    turns: [AtomicU64; 8],
    turn_time_us: AtomicU64,
    alarm_latency: [AtomicU64; 12],
    alarm_latency_us: AtomicU64,
    outstanding: AtomicU64,
    changes: AtomicU64,
    refused_busy: AtomicU64,
    last_turn: AtomicU64,
}

impl EngineVitals {
    pub(super) fn turn(&self, took: Duration, changes: usize) {
        let micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        let bucket = TURN_BOUNDS_US.iter().position(|bound| micros <= *bound).unwrap_or(TURN_BOUNDS_US.len() - 1);
        self.turns[bucket].fetch_add(1, Ordering::Relaxed);
        self.turn_time_us.fetch_add(micros, Ordering::Relaxed);
        self.changes.fetch_add(changes as u64, Ordering::Relaxed);
    }

    pub(super) fn alarms_committed(&self, latency: Duration) {
        let micros = u64::try_from(latency.as_micros()).unwrap_or(u64::MAX);
        let bucket = ALARM_LATENCY_BOUNDS_US.iter().position(|bound| micros <= *bound);
        self.alarm_latency[bucket.unwrap_or(ALARM_LATENCY_BOUNDS_US.len() - 1)].fetch_add(1, Ordering::Relaxed);
        self.alarm_latency_us.fetch_add(micros, Ordering::Relaxed);
    }

    pub(super) fn set_outstanding(&self, transactions: usize) {
        self.outstanding.store(transactions as u64, Ordering::Relaxed);
    }

    pub(super) fn refuse_busy(&self) {
        self.refused_busy.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn beat(&self) {
        self.last_turn.fetch_add(1, Ordering::Relaxed);
    }

    /// Counts rounds of the engine's loop; a watchdog looks whether it moves.
    pub fn heartbeat(&self) -> u64 {
        self.last_turn.load(Ordering::Relaxed)
    }

    /// Turns by upper bound of their time, and the sum of their times in microseconds.
    pub fn turn_times(&self) -> ([u64; 8], u64) {
        let counts = std::array::from_fn(|at| self.turns[at].load(Ordering::Relaxed));
        (counts, self.turn_time_us.load(Ordering::Relaxed))
    }

    /// Transactions with alarm changes by upper bound of the time from seen to committed, and the sum of these
    /// times in microseconds. What comes after the commit (publish, streams) is not in it.
    pub fn alarm_latencies(&self) -> ([u64; 12], u64) {
        let counts = std::array::from_fn(|at| self.alarm_latency[at].load(Ordering::Relaxed));
        (counts, self.alarm_latency_us.load(Ordering::Relaxed))
    }

    /// Transactions that wait for the store.
    pub fn outstanding(&self) -> u64 {
        self.outstanding.load(Ordering::Relaxed)
    }

    /// Changes made since start.
    pub fn changes(&self) -> u64 {
        self.changes.load(Ordering::Relaxed)
    }

    /// Commands refused because too much waited for the store.
    pub fn refused_busy(&self) -> u64 {
        self.refused_busy.load(Ordering::Relaxed)
    }
}
