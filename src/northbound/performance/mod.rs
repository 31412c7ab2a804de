//! `PerformanceService`: metrics, measurements, jobs, threshold monitors and reports.
//!
//! Measurements are read through [`Measurements`], jobs and monitors are records of the log; what a measurement
//! means is decided elsewhere.

mod chunks;
mod descriptors;
mod names;
mod opening;
mod port;
mod query;
mod reader;
mod records;
mod reports;
mod selection;
mod service;
mod stream;
mod supported;
mod telling;

pub use port::{
    GroupBy, MeasurementCommand, Measurements, MetricDescription, NoMeasurements, OrderRefusal, ReportCell,
    ReportColumn, ReportDocument, ReportQuestion, ReportSubject, ReportTable,
};
pub use reader::Performance;
