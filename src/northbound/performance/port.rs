//! The way to measurements: what this service needs of whoever measures and keeps history.

use crate::engine::{CommandContext, CommandError};
use crate::measurement::{LatestTable, MeasurementEvent};
use crate::model::history::HistoryError;
use crate::model::measurement::{
    MeasuredKey, MeasurementJob, MeasurementQuery, MeasurementSeries, Owner, ThresholdMonitor,
};
use crate::model::metric::Metric;
use crate::model::{Name, Object, Timestamp};
use std::fmt::Debug;
use std::sync::Arc;
use tokio::sync::broadcast;

/// What measures, keeps and reports.
#[tonic::async_trait]
pub trait Measurements: Debug + Send + Sync {
    /// The metric catalogue, in its order.
    fn descriptions(&self) -> Vec<MetricDescription>;

    /// The newest readings of everything, as published last.
    fn snapshot(&self) -> Arc<LatestTable>;

    /// Tells what comes to be; a receiver that lags loses the oldest.
    fn subscribe(&self) -> broadcast::Receiver<MeasurementEvent>;

    /// Parts of an object that have history, the object itself among them. Blocks on the disk.
    ///
    /// # Errors
    /// [`HistoryError`] if the history cannot be read.
    fn kept_parts(&self, owner: &Owner) -> Result<Vec<MeasuredKey>, HistoryError>;

    /// Reads history. Blocks on the disk.
    ///
    /// # Errors
    /// [`HistoryError`] if the history cannot be read.
    fn history(&self, query: &MeasurementQuery) -> Result<Vec<MeasurementSeries>, HistoryError>;

    /// Changes jobs and monitors; the record afterwards, nothing if it is gone by it or with *validate only*.
    ///
    /// # Errors
    /// [`OrderRefusal`].
    async fn command(
        &self,
        context: CommandContext,
        command: MeasurementCommand,
    ) -> Result<Option<Arc<Object>>, OrderRefusal>;

    /// Works out a report; nothing for a subject that is not reported on. Blocks on the disk.
    ///
    /// # Errors
    /// [`HistoryError`] if the history cannot be read.
    fn report(&self, question: &ReportQuestion) -> Result<Option<ReportTable>, HistoryError>;

    /// Results of a job as a document of another world; nothing for a form that is not written. Blocks only to
    /// compute.
    fn document(&self, document: ReportDocument, job: &MeasurementJob, series: &[MeasurementSeries]) -> Option<String>;
}

/// An entry of the metric catalogue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MetricDescription {
    /// The metric.
    pub metric: Metric,
    /// Measured of every object by the default job.
    pub core: bool,
    /// Worked out from others.
    pub derived: bool,
    /// Where it can be measured, in words of the catalogue.
    pub visible: Vec<String>,
    /// What it means.
    pub meaning: String,
    /// Where it is read.
    pub source: String,
    /// Nearest names in standards.
    pub standards: Vec<String>,
}

/// Why a job or a monitor was refused.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum OrderRefusal {
    /// By the engine.
    #[error(transparent)]
    Command(#[from] CommandError),
    /// A field of the record is out of range, or nothing of it can be measured.
    #[error("{field}: {reason}")]
    Invalid {
        /// The field of the record.
        field: String,
        /// What is wrong.
        reason: String,
    },
    /// There is no room for it.
    #[error("{wanted} series are wanted, {fitting} of them would fit")]
    NoRoom {
        /// Series it wants.
        wanted: u64,
        /// How many of them would fit.
        fitting: u64,
        /// The limit of all.
        limit: u64,
    },
}

/// A change of a job or a monitor.
#[derive(Clone, Debug, PartialEq)]
pub enum MeasurementCommand {
    /// Makes a job or changes it.
    PutJob {
        /// `measurementJobs/{id}`.
        name: Name,
        /// It must not exist yet.
        create: bool,
        /// The job.
        job: Box<MeasurementJob>,
    },
    /// Removes a job.
    DeleteJob(Name),
    /// Makes a monitor or changes it.
    PutMonitor {
        /// `thresholdMonitors/{id}`.
        name: Name,
        /// It must not exist yet.
        create: bool,
        /// The monitor.
        monitor: Box<ThresholdMonitor>,
    },
    /// Removes a monitor.
    DeleteMonitor(Name),
}

/// Form of a document.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReportDocument {
    /// 3GPP measData.
    MeasDataXml,
    /// RFC 4180.
    Csv,
}

/// What a report is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReportSubject {
    /// Time up and down.
    Availability,
    /// What there is and what is allocated.
    Capacity,
    /// What was used.
    Usage,
    /// Alarms raised.
    Alarms,
}

/// What a report has rows for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum GroupBy {
    /// Each machine.
    Machine,
    /// Each host.
    Host,
    /// Each service reference.
    Service,
    /// Each value of a label.
    Label(String),
}

/// A report that is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReportQuestion {
    /// Subject.
    pub subject: ReportSubject,
    /// Begin.
    pub begin: Timestamp,
    /// End.
    pub end: Timestamp,
    /// Rows.
    pub group_by: GroupBy,
}

/// A column of a report.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReportColumn {
    /// Its name, for ever.
    pub name: &'static str,
    /// Unit in UCUM; empty for texts.
    pub unit: &'static str,
    /// For people.
    pub title: &'static str,
}

/// A cell of a report.
#[derive(Clone, Debug, PartialEq)]
pub enum ReportCell {
    /// A text.
    Text(String),
    /// A number.
    Number(f64),
    /// Not known.
    Unknown,
}

/// A report: a cell of each column in every row.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ReportTable {
    /// Columns.
    pub columns: Vec<ReportColumn>,
    /// Rows.
    pub rows: Vec<Vec<ReportCell>>,
}

/// Nobody measures: everything is empty, and nothing can be changed.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoMeasurements;

#[tonic::async_trait]
impl Measurements for NoMeasurements {
    fn descriptions(&self) -> Vec<MetricDescription> {
        Vec::new()
    }

    fn snapshot(&self) -> Arc<LatestTable> {
        Arc::default()
    }

    fn subscribe(&self) -> broadcast::Receiver<MeasurementEvent> {
        // Without a sender the receiver is told at once that nothing comes.
        broadcast::channel(1).1
    }

    fn kept_parts(&self, _owner: &Owner) -> Result<Vec<MeasuredKey>, HistoryError> {
        Ok(Vec::new())
    }

    fn history(&self, _query: &MeasurementQuery) -> Result<Vec<MeasurementSeries>, HistoryError> {
        Ok(Vec::new())
    }

    async fn command(
        &self,
        _context: CommandContext,
        _command: MeasurementCommand,
    ) -> Result<Option<Arc<Object>>, OrderRefusal> {
        Err(CommandError::Stopping.into())
    }

    fn report(&self, _question: &ReportQuestion) -> Result<Option<ReportTable>, HistoryError> {
        Ok(None)
    }

    fn document(
        &self,
        _document: ReportDocument,
        _job: &MeasurementJob,
        _series: &[MeasurementSeries],
    ) -> Option<String> {
        None
    }
}
