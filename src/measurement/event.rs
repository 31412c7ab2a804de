//! What the measurement task tells: readings, closed periods, changed orders.

use super::table::HostReadings;
use crate::model::measurement::PeriodResult;
use std::sync::Arc;

/// Something that subscribers are told.
#[derive(Clone, Debug)]
pub enum MeasurementEvent {
    /// Readings of one host, or of what the VRM knows itself.
    Sampled(Arc<HostReadings>),
    /// Periods that ended, at most 256 results. A subscriber that lags reads them from the history.
    PeriodClosed(Arc<Vec<PeriodResult>>),
    /// Jobs or monitors changed.
    JobChanged,
}

/// Where results of periods are kept.
pub trait PeriodSink: Send + Sync {
    /// Takes results; never waits for a disk.
    fn append(&self, results: Vec<PeriodResult>);
}

/// Keeps nothing.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoStore;

impl PeriodSink for NoStore {
    fn append(&self, _: Vec<PeriodResult>) {}
}
