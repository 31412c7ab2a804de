//! Figures about the engine itself, read by the metrics page and `info`.

use crate::fault::FaultCounters;
use crate::telemetry::{AlarmLatency, LatencyStage};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// Upper bounds of the turn-time histogram in microseconds: a turn should take ≤ 5 ms.
pub const TURN_BOUNDS_US: [u64; 8] = [50, 200, 1_000, 5_000, 20_000, 100_000, 500_000, u64::MAX];

/// Counters of the engine; relaxed, since nobody decides by them.
#[derive(Debug, Default)]
pub struct EngineVitals {
    turns: [AtomicU64; 8],
    turn_time_us: AtomicU64,
    alarm_latency: AlarmLatency,
    outstanding: AtomicU64,
    changes: AtomicU64,
    refused_busy: AtomicU64,
    last_turn: AtomicU64,
    fault: Mutex<FaultCounters>,
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
        self.alarm_latency.record(LatencyStage::Committed, latency);
    }

    pub(super) fn set_outstanding(&self, transactions: usize) {
        self.outstanding.store(transactions as u64, Ordering::Relaxed);
    }

    pub(super) fn refuse_busy(&self) {
        self.refused_busy.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn set_fault(&self, counters: FaultCounters) {
        *self.fault.lock().unwrap_or_else(PoisonError::into_inner) = counters;
    }

    /// What fault management merged or dropped since start.
    pub fn fault(&self) -> FaultCounters {
        *self.fault.lock().unwrap_or_else(PoisonError::into_inner)
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

    /// How long alarm changes take from being seen; streams record their part in clones of it.
    pub fn alarm_latency(&self) -> &AlarmLatency {
        &self.alarm_latency
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
