//! The task that owns performance management: it takes samples, keeps the last readings, closes periods, judges
//! thresholds, and follows the published jobs and monitors.
//!
//! Collectors never wait for it ([`SampleSink`]), readers never wait for it ([`LatestTable`] is published). It writes
//! nothing itself: results go to a [`PeriodSink`], crossings to the engine, jobs through the engine.

mod clocks;
mod event;
mod figures;
mod handle;
mod inbox;
mod jobs;
mod settings;
mod table;
mod task;
mod thresholds;
mod vitals;
mod world;

pub use event::{MeasurementEvent, NoStore, PeriodSink};
pub use handle::{JobOutcome, MeasurementError, MeasurementHandle, Used};
pub use inbox::SampleSink;
pub use settings::{BuiltInLevel, MeasurementParts, MeasurementSettings, Moment};
pub use table::{HostReadings, LatestTable};
pub use task::start;
pub use vitals::MeasurementVitals;

#[cfg(test)]
mod tests;
