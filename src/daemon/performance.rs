//! Joins measurement and its history with what is north of them.

use crate::engine::{CommandContext, CommandError};
use crate::measurement::{LatestTable, MeasurementError, MeasurementEvent, MeasurementHandle, PeriodSink};
use crate::model::Object;
use crate::model::history::HistoryError;
use crate::model::measurement::{
    MeasuredKey, MeasurementJob, MeasurementQuery, MeasurementSeries, Owner, Part, PeriodResult,
};
use crate::model::metric::{MeasuredClass, Metric};
use crate::northbound::{
    MeasurementCommand, Measurements, MetricDescription, OrderRefusal, ReportDocument, ReportQuestion, ReportTable,
};
use crate::performance::catalogue;
use crate::performance::job::Refusal;
use crate::settings::Settings;
use crate::store::{HistorySettings, MeasurementReader, MeasurementStore, StoreError};
use std::sync::Arc;
use tokio::sync::broadcast;

/// What measures, as the northbound wants it.
#[derive(Debug)]
pub(super) struct Measured {
    handle: MeasurementHandle,
    history: MeasurementReader,
}

impl Measured {
    pub(super) fn new(handle: MeasurementHandle, history: MeasurementReader) -> Self {
        Self { handle, history }
    }

    /// Parts of an object that is gone, as the history knows them.
    fn gone_parts(&self, owner: &Owner) -> Result<Vec<MeasuredKey>, HistoryError> {
        let classes: &[MeasuredClass] = match (owner, owner.name().class()) {
            (Owner::Machine(_), _) => &[
                MeasuredClass::VirtualMachine,
                MeasuredClass::VirtualCpu,
                MeasuredClass::VirtualDisk,
                MeasuredClass::VirtualNic,
            ],
            (Owner::Host(_), _) => &[
                MeasuredClass::Host,
                MeasuredClass::HostCpu,
                MeasuredClass::NumaNode,
                MeasuredClass::HostDisk,
                MeasuredClass::HostFilesystem,
                MeasuredClass::HostNic,
                MeasuredClass::Sensor,
            ],
            // The others have no parts.
            _ => return Ok(vec![MeasuredKey::whole(owner.clone())]),
        };
        let mut parts = Vec::new();
        for class in classes {
            let objects = self.history.objects(*class, true).map_err(|error| HistoryError(error.to_string()))?;
            parts.extend(objects.into_iter().map(|object| object.key).filter(|key| key.owner == *owner));
        }
        Ok(parts)
    }
}

/// Opens the history and starts its writer.
pub(super) fn open(settings: &Settings) -> Result<(MeasurementStore, MeasurementReader), StoreError> {
    let kept = HistorySettings {
        retention: vec![
            (60, settings.measurement.keep_minutes),
            (900, settings.measurement.keep_quarters),
            (3_600, settings.measurement.keep_hours),
        ],
        ..HistorySettings::default()
    };
    MeasurementStore::open(&settings.state_directory, &kept)
}

/// Waits until all results are written.
pub(super) async fn flush(history: &MeasurementStore) {
    if let Err(error) = history.flush().await {
        tracing::warn!(%error, "history");
    }
}

/// Keeps results of periods in the history.
#[derive(Debug)]
pub(super) struct Kept(pub(super) MeasurementStore);

impl PeriodSink for Kept {
    fn append(&self, results: Vec<PeriodResult>) {
        self.0.append(results);
    }
}

#[tonic::async_trait]
impl Measurements for Measured {
    fn descriptions(&self) -> Vec<MetricDescription> {
        Metric::ALL.into_iter().map(description).collect()
    }

    fn snapshot(&self) -> Arc<LatestTable> {
        self.handle.snapshot()
    }

    fn subscribe(&self) -> broadcast::Receiver<MeasurementEvent> {
        self.handle.subscribe()
    }

    fn kept_parts(&self, owner: &Owner) -> Result<Vec<MeasuredKey>, HistoryError> {
        let table = self.handle.snapshot();
        match table.owner(owner) {
            None => self.gone_parts(owner),
            Some(readings) => {
                let key = |part: &Part| MeasuredKey { owner: owner.clone(), part: part.clone() };
                Ok(readings.parts.iter().map(|held| key(&held.part)).collect())
            }
        }
    }

    fn history(&self, query: &MeasurementQuery) -> Result<Vec<MeasurementSeries>, HistoryError> {
        self.history.query(query).map_err(|error| HistoryError(error.to_string()))
    }

    async fn command(
        &self,
        context: CommandContext,
        command: MeasurementCommand,
    ) -> Result<Option<Arc<Object>>, OrderRefusal> {
        let validate_only = context.validate_only;
        let result = match command {
            MeasurementCommand::PutJob { name: _, create, job } => {
                self.handle.put_job(context, create, *job).await.map(|made| Some(made.object))
            }
            MeasurementCommand::PutMonitor { name: _, create, monitor } => {
                self.handle.put_monitor(context, create, *monitor).await.map(|made| Some(made.object))
            }
            MeasurementCommand::DeleteJob(name) => self.handle.remove_job(context, &name.id()).await.map(|()| None),
            MeasurementCommand::DeleteMonitor(name) => {
                self.handle.remove_monitor(context, &name.id()).await.map(|()| None)
            }
        };
        match result {
            // A record that was only checked is not there to be shown.
            Err(MeasurementError::Command(CommandError::NotFound { .. })) if validate_only => Ok(None),
            result => result.map_err(refusal),
        }
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

fn description(metric: Metric) -> MetricDescription {
    let catalogue::MetricDescriptor { meaning, source, standards, visible, core, derived } =
        catalogue::descriptor(metric).clone();
    MetricDescription { metric, core, derived, visible, meaning, source, standards }
}

fn refusal(error: MeasurementError) -> OrderRefusal {
    match error {
        MeasurementError::Command(error) => OrderRefusal::Command(error),
        MeasurementError::Refused(Refusal::Invalid { field, reason }) => OrderRefusal::Invalid { field, reason },
        MeasurementError::Refused(Refusal::NothingSupported(reason)) => {
            OrderRefusal::Invalid { field: "metrics".to_owned(), reason }
        }
        MeasurementError::Refused(Refusal::NoRoom { wanted, fitting, limit }) => {
            OrderRefusal::NoRoom { wanted, fitting, limit }
        }
    }
}
