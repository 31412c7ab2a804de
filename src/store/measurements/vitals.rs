//! How the history store does: figures anybody may read at any time.

use crate::model::Timestamp;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, AtomicUsize, Ordering::Relaxed};

/// Figures shared by the writer, its handle and readers.
#[derive(Debug, Default)]
pub struct HistoryVitals {
    pub(super) waiting: AtomicUsize,
    pub(super) written: AtomicU64,
    pub(super) dropped: AtomicU64,
    pub(super) lost: AtomicU64,
    pub(super) full: AtomicBool,
    pub(super) failed: AtomicBool,
    pub(super) newest: AtomicI64,
    pub(super) set_aside: std::sync::OnceLock<PathBuf>,
}

impl HistoryVitals {
    /// Results that wait to be written.
    pub fn waiting(&self) -> usize {
        self.waiting.load(Relaxed)
    }

    /// Results written since the start.
    pub fn written(&self) -> u64 {
        self.written.load(Relaxed)
    }

    /// Results dropped because too many waited.
    pub fn dropped(&self) -> u64 {
        self.dropped.load(Relaxed)
    }

    /// Results lost because the disk was full or failed.
    pub fn lost(&self) -> u64 {
        self.lost.load(Relaxed)
    }

    /// True while nothing is written because the disk is full, or nearly: the journal comes first.
    pub fn is_full(&self) -> bool {
        self.full.load(Relaxed)
    }

    /// True while the database cannot be written for another reason than room.
    pub fn has_failed(&self) -> bool {
        self.failed.load(Relaxed)
    }

    /// Begin of the newest period that was written; nothing if none was since the start.
    pub fn newest(&self) -> Option<Timestamp> {
        Some(self.newest.load(Relaxed)).filter(|time| *time != 0).map(Timestamp)
    }

    /// Where a damaged database was put at the start.
    pub fn set_aside(&self) -> Option<&PathBuf> {
        self.set_aside.get()
    }
}
