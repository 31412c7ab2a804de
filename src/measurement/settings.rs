//! What the measurement task is made of.

use super::event::PeriodSink;
use crate::changes::ChangeLog;
use crate::engine::EngineHandle;
use crate::model::Timestamp;
use crate::performance::job::Capacity;
use std::sync::Arc;
use std::time::Duration;

/// A moment on both clocks.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Moment {
    /// Wall clock.
    pub wall: Timestamp,
    /// Monotonic clock, since the same fixed moment as in sample batches.
    pub monotonic: Duration,
}

/// Lowest level of a built-in monitor, so that figures far below it need not be told.
#[derive(Clone, Debug, PartialEq)]
pub struct BuiltInLevel {
    /// Alarm type.
    pub alarm_type: String,
    /// The lowest level less the hysteresis.
    pub floor: f64,
}

/// Settings of measurement.
#[derive(Clone, Debug, PartialEq)]
pub struct MeasurementSettings {
    /// Base interval of readings; 10 s by default. Set by the administrator only.
    pub interval: Duration,
    /// How much may be ordered.
    pub capacity: Capacity,
    /// Lowest levels of the built-in monitors.
    pub built_in: Vec<BuiltInLevel>,
}

impl Default for MeasurementSettings {
    fn default() -> Self {
        Self { interval: Duration::from_secs(10), capacity: Capacity::default(), built_in: Vec::new() }
    }
}

/// Parts of the task.
pub struct MeasurementParts {
    /// Settings.
    pub settings: MeasurementSettings,
    /// Published state: jobs, monitors, what inventory figures come from.
    pub changes: Arc<ChangeLog>,
    /// Takes crossings, and records of jobs and monitors.
    pub engine: EngineHandle,
    /// Keeps results.
    pub store: Arc<dyn PeriodSink>,
    /// The clocks.
    pub clock: Arc<dyn Fn() -> Moment + Send + Sync>,
}

impl std::fmt::Debug for MeasurementParts {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("MeasurementParts").field("settings", &self.settings).finish_non_exhaustive()
    }
}
