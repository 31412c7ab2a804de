//! The way to measurement for everybody else. Cheap to clone; readers never wait for the task.

use super::event::MeasurementEvent;
use super::inbox::SampleSink;
use super::jobs;
use super::settings::{MeasurementSettings, Moment};
use super::table::LatestTable;
use super::vitals::MeasurementVitals;
use super::world;
use crate::changes::ChangeLog;
use crate::engine::{CommandContext, CommandError, EngineHandle};
use crate::model::measurement::{LatestReading, MeasuredKey, MeasurementJob, Owner, ThresholdMonitor};
use crate::model::metric::Metric;
use crate::model::{Body, HostId, Name, Object};
use crate::performance::job::{self, Capacity, Load, Refusal, Unsupported};
use crate::performance::shed::Shedding;
use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError, RwLock};
use tokio::sync::{Notify, broadcast};

/// What the task and its handles share.
pub(super) struct Shared {
    pub(super) table: RwLock<Arc<LatestTable>>,
    pub(super) events: broadcast::Sender<MeasurementEvent>,
    pub(super) sink: SampleSink,
    pub(super) vitals: Arc<MeasurementVitals>,
    pub(super) settings: MeasurementSettings,
    pub(super) changes: Arc<ChangeLog>,
    pub(super) engine: EngineHandle,
    pub(super) clock: Arc<dyn Fn() -> Moment + Send + Sync>,
    /// Orders may have changed.
    pub(super) reordered: Notify,
}

/// Asks and orders measurements. Cheap to clone.
#[derive(Clone)]
pub struct MeasurementHandle {
    pub(super) shared: Arc<Shared>,
}

impl std::fmt::Debug for MeasurementHandle {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("MeasurementHandle").finish_non_exhaustive()
    }
}

/// An accepted job or monitor.
#[derive(Clone, Debug)]
pub struct JobOutcome {
    /// Its record.
    pub object: Arc<Object>,
    /// What of it cannot be measured.
    pub unsupported: Vec<Unsupported>,
}

/// How much is ordered and how much may be.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Used {
    /// Series and samples a second that are measured.
    pub load: Load,
    /// The limits.
    pub capacity: Capacity,
    /// What is shed.
    pub shedding: Shedding,
}

/// Why an order is refused.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum MeasurementError {
    /// By its content.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// By the engine.
    #[error(transparent)]
    Command(#[from] CommandError),
}

impl MeasurementHandle {
    /// Where collectors put samples.
    pub fn sink(&self) -> SampleSink {
        self.shared.sink.clone()
    }

    /// A host does not answer any more.
    pub fn host_lost(&self, host: HostId) {
        self.shared.sink.host_lost(host);
    }

    /// A host answers again.
    pub fn host_back(&self, host: HostId) {
        self.shared.sink.host_back(host);
    }

    /// The last readings of some metrics of some objects and parts; nothing where nothing was ever told.
    pub fn latest(&self, keys: &[MeasuredKey], metrics: &[Metric]) -> Vec<LatestReading> {
        self.snapshot().latest(keys, metrics)
    }

    /// The last readings of an owner and its parts.
    pub fn latest_of_owner(&self, owner: &Owner) -> Vec<LatestReading> {
        self.snapshot().latest_of_owner(owner)
    }

    /// The last readings of everything, as published last.
    pub fn snapshot(&self) -> Arc<LatestTable> {
        Arc::clone(&self.shared.table.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// What is told from now on. At most 64 events wait for a subscriber; one that lags misses the oldest and is told.
    pub fn subscribe(&self) -> broadcast::Receiver<MeasurementEvent> {
        self.shared.events.subscribe()
    }

    /// The built-in default job, one record for each of its granularities. These are not in the log.
    pub fn default_jobs(&self) -> Vec<MeasurementJob> {
        jobs::default_jobs()
    }

    /// Makes (`create`) or changes a measurement job; takes effect when it is published.
    ///
    /// # Errors
    /// [`Refusal`] by its content or for want of room; [`CommandError`] by the engine.
    pub async fn put_job(
        &self,
        context: CommandContext,
        create: bool,
        job: MeasurementJob,
    ) -> Result<JobOutcome, MeasurementError> {
        check_id(&job.id)?;
        job::check_job(&job)?;
        let table = self.snapshot();
        let classes = jobs::classes(&table, &job.scope);
        let unsupported = job::accept(&job, &classes, |name| self.exists(&table, name))?;
        self.check_room(&table, Some(&job), None)?;
        let name = Name::measurement_job(&job.id);
        let object = self.put(context, name, create, Body::MeasurementJob(Box::new(job))).await?;
        Ok(JobOutcome { object, unsupported })
    }

    /// Makes (`create`) or changes a threshold monitor; it judges from the next period on.
    ///
    /// # Errors
    /// As [`MeasurementHandle::put_job`].
    pub async fn put_monitor(
        &self,
        context: CommandContext,
        create: bool,
        mut monitor: ThresholdMonitor,
    ) -> Result<JobOutcome, MeasurementError> {
        check_id(&monitor.id)?;
        job::check_monitor(&mut monitor)?;
        self.check_room(&self.snapshot(), None, Some(&monitor))?;
        let name = Name::threshold_monitor(&monitor.id);
        let object = self.put(context, name, create, Body::ThresholdMonitor(Box::new(monitor))).await?;
        Ok(JobOutcome { object, unsupported: Vec::new() })
    }

    /// Removes a measurement job; its history stays.
    ///
    /// # Errors
    /// [`CommandError::NotFound`], [`CommandError::EtagMismatch`], store errors.
    pub async fn remove_job(&self, context: CommandContext, id: &str) -> Result<(), MeasurementError> {
        check_id(id)?;
        self.remove(context, Name::measurement_job(id)).await
    }

    /// Removes a threshold monitor; its alarms end.
    ///
    /// # Errors
    /// As [`MeasurementHandle::remove_job`].
    pub async fn remove_monitor(&self, context: CommandContext, id: &str) -> Result<(), MeasurementError> {
        self.remove(context, Name::threshold_monitor(id)).await
    }

    /// How much is ordered and how much may be.
    pub fn capacity(&self) -> Used {
        let vitals = &self.shared.vitals;
        let series = vitals.series.load(Ordering::Relaxed);
        let step = usize::try_from(vitals.shedding.load(Ordering::Relaxed)).unwrap_or(0);
        Used {
            load: job::load(series, self.shared.settings.interval.as_secs_f64()),
            capacity: self.shared.settings.capacity,
            shedding: Shedding::ALL.get(step).copied().unwrap_or_default(),
        }
    }

    /// Figures about measurement itself.
    pub fn vitals(&self) -> Arc<MeasurementVitals> {
        Arc::clone(&self.shared.vitals)
    }

    async fn put(
        &self,
        context: CommandContext,
        name: Name,
        create: bool,
        body: Body,
    ) -> Result<Arc<Object>, MeasurementError> {
        let object = self.shared.engine.put_record(context, name, create, body).await?;
        self.shared.reordered.notify_one();
        Ok(object)
    }

    async fn remove(&self, context: CommandContext, name: Name) -> Result<(), MeasurementError> {
        self.shared.engine.remove_record(context, name).await?;
        self.shared.reordered.notify_one();
        Ok(())
    }

    fn exists(&self, table: &LatestTable, name: &Name) -> bool {
        if self.shared.changes.get(name.as_str()).is_some() {
            return true;
        }
        let Some(key) = MeasuredKey::of_name(name) else { return false };
        table.owner(&key.owner).is_some_and(|readings| readings.part(&key.part).is_some())
    }

    /// Whether a new or changed order fits beside all others.
    fn check_room(
        &self,
        table: &LatestTable,
        job: Option<&MeasurementJob>,
        monitor: Option<&ThresholdMonitor>,
    ) -> Result<(), Refusal> {
        let (mut jobs, mut monitors) = (world::jobs(&self.shared.changes), world::monitors(&self.shared.changes));
        jobs.retain(|held| job.is_none_or(|job| held.id != job.id));
        monitors.retain(|held| monitor.is_none_or(|monitor| held.id != monitor.id));
        let (now, base) = ((self.shared.clock)().wall, self.shared.settings.interval);
        let used = jobs::cost(table, &jobs::orders(&jobs, &monitors, Shedding::None), now, base);
        jobs.extend(job.cloned());
        monitors.extend(monitor.cloned());
        let wanted = jobs::cost(table, &jobs::orders(&jobs, &monitors, Shedding::None), now, base);
        let added = Load {
            series: wanted.series.saturating_sub(used.series),
            samples_per_second: (wanted.samples_per_second - used.samples_per_second).max(0.0),
        };
        if added.series == 0 {
            return Ok(());
        }
        job::fits(self.shared.settings.capacity, used, added)
    }
}

fn check_id(id: &str) -> Result<(), Refusal> {
    if jobs::is_reserved(id) {
        let reason = format!("{id} is built in");
        return Err(Refusal::Invalid { field: "id".to_owned(), reason });
    }
    Ok(())
}
