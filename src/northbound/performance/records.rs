//! Measurement jobs and threshold monitors: records of the log, checked here, kept by whoever measures.

use super::names::{check_granularity, check_metric, check_metrics, measured_name, root_name};
use super::port::MeasurementCommand;
use super::reader::Performance;
use super::selection::Selection;
use super::supported::{Support, support};
use crate::engine::CommandContext;
use crate::model::measurement::{MeasurementScope, ThresholdDirection};
use crate::model::metric::Metric;
use crate::model::{Body, Name, Object, ObjectClass};
use crate::northbound::failure::Failure;
use crate::northbound::limits;
use crate::northbound::listing::{PageArguments, PageStart};
use crate::northbound::reason::Reason;
use crate::northbound::request::{mask_paths, name_of_class, time};
use crate::wire::convert;
use crate::wire::v1;
use std::collections::BTreeSet;
use std::sync::Arc;

/// Longest description, in characters.
const DESCRIPTION: usize = 1_024;

/// Granularity period of a job that names none, in seconds (REQ-PM-FUN-04).
const JOB_GRANULARITY: u32 = 900;

/// Granularity period of a monitor that names none, in seconds.
const MONITOR_GRANULARITY: u32 = 60;

/// Most levels of a monitor.
const LEVELS: usize = 4;

/// A page of records.
pub(super) struct Page {
    pub(super) objects: Vec<Arc<Object>>,
    pub(super) next_page_token: String,
    pub(super) total_size: i32,
}

impl Performance {
    /// The record of a name.
    pub(super) fn record(&self, field: &str, class: ObjectClass, name: &str) -> Result<Arc<Object>, Failure> {
        let name = name_of_class(field, name, class)?;
        self.published.log.get(name.as_str()).ok_or_else(|| Failure::not_found(Some(class), name.as_str()))
    }

    /// Records of a class by name.
    pub(super) fn records(&self, class: ObjectClass, arguments: PageArguments<'_>) -> Result<Page, Failure> {
        let start = PageStart::new(&self.published, arguments, &["records", class.as_str()])?;
        let mut all = self.published.log.all(class);
        all.sort_by(|one, other| one.name.cmp(&other.name));
        let total_size = i32::try_from(all.len()).unwrap_or(i32::MAX);
        let is_left =
            |object: &Arc<Object>| start.after.as_ref().is_none_or(|(_, after)| object.name.as_str() > after.as_str());
        let mut left = all.into_iter().filter(is_left);
        let objects: Vec<_> = left.by_ref().take(start.size).collect();
        let next_page_token = match (left.next(), objects.last()) {
            (Some(_), Some(last)) => start.next_token(String::new(), last.name.to_string()),
            _ => String::new(),
        };
        Ok(Page { objects, next_page_token, total_size })
    }

    pub(super) async fn put_job(
        &self,
        context: CommandContext,
        name: Name,
        create: bool,
        mut job: v1::MeasurementJob,
    ) -> Result<(v1::MeasurementJob, Support), Failure> {
        if job.granularity_seconds == 0 {
            job.granularity_seconds = JOB_GRANULARITY;
        }
        self.check_job(&job)?;
        let record = convert::job_from(name.id(), &job);
        let metrics = if record.metrics.is_empty() { self.core() } else { record.metrics.iter().copied().collect() };
        let present = if create { None } else { self.published.log.get(name.as_str()) };
        let support = self.admit(&record.scope, metrics, present.as_deref())?;
        let command = MeasurementCommand::PutJob { name: name.clone(), create, job: Box::new(record) };
        let put = self.measurements.command(context, command).await?;
        let shown = put.and_then(|object| convert::measurement_job(&object));
        // With validate_only nothing came to be: what would be is shown.
        Ok((shown.unwrap_or(v1::MeasurementJob { name: name.to_string(), ..job }), support))
    }

    pub(super) async fn put_monitor(
        &self,
        context: CommandContext,
        name: Name,
        create: bool,
        mut monitor: v1::ThresholdMonitor,
    ) -> Result<(v1::ThresholdMonitor, Support), Failure> {
        if monitor.granularity_seconds == 0 {
            monitor.granularity_seconds = MONITOR_GRANULARITY;
        }
        let metric = self.check_monitor(&monitor)?;
        let record = convert::monitor_from(name.id(), &monitor);
        check_levels(&record)?;
        let selection = Selection::of_scope(&record.scope, BTreeSet::from([metric]));
        let support = support(&self.published, &*self.measurements, &selection);
        if support.is_nothing() {
            return Err(nothing("threshold_monitor.metric", &support));
        }
        let command = MeasurementCommand::PutMonitor { name: name.clone(), create, monitor: Box::new(record) };
        let put = self.measurements.command(context, command).await?;
        let shown = put.and_then(|object| convert::threshold_monitor(&object));
        Ok((shown.unwrap_or(v1::ThresholdMonitor { name: name.to_string(), ..monitor }), support))
    }

    /// Suspends or resumes a record; answers it afterwards.
    pub(super) async fn set_suspended(
        &self,
        context: CommandContext,
        class: ObjectClass,
        name: &str,
        suspended: bool,
    ) -> Result<Arc<Object>, Failure> {
        let present = self.record("name", class, name)?;
        let (name, create) = (present.name.clone(), false);
        let mut changed = Object::clone(&present);
        let command = match &mut changed.body {
            Body::MeasurementJob(job) => {
                job.suspended = suspended;
                MeasurementCommand::PutJob { name, create, job: job.clone() }
            }
            Body::ThresholdMonitor(monitor) => {
                monitor.suspended = suspended;
                MeasurementCommand::PutMonitor { name, create, monitor: monitor.clone() }
            }
            _ => return Err(Failure::not_found(Some(class), name.as_str())),
        };
        Ok(self.measurements.command(context, command).await?.unwrap_or_else(|| Arc::new(changed)))
    }

    fn core(&self) -> BTreeSet<Metric> {
        let descriptions = self.measurements.descriptions();
        descriptions.iter().filter(|description| description.core).map(|description| description.metric).collect()
    }

    /// What a job can have, if that is something and there is room for it.
    fn admit(
        &self,
        scope: &MeasurementScope,
        metrics: BTreeSet<Metric>,
        present: Option<&Object>,
    ) -> Result<Support, Failure> {
        let core = metrics == self.core();
        let selection = Selection::of_scope(scope, metrics);
        let mut support = support(&self.published, &*self.measurements, &selection);
        if core {
            // The core set is what each class has of it.
            support.unsupported.retain(|one| !one.object.is_empty());
        }
        if support.is_nothing() {
            return Err(nothing("measurement_job.metrics", &support));
        }
        let capacity = self.measurements.capacity();
        let own = present.map_or(0, |object| self.series_of(object));
        let free = capacity.most.saturating_sub(capacity.used.saturating_sub(own));
        if support.series > free {
            let text = format!("the job has {} series and there is room for {free}", support.series);
            return Err(Failure::new(Reason::InsufficientCapacity, text)
                .with("series", support.series.to_string())
                .with("free", free.to_string())
                .with("most", capacity.most.to_string())
                .quota("measurement series"));
        }
        Ok(support)
    }

    /// Series a job has now.
    fn series_of(&self, object: &Object) -> u64 {
        let Body::MeasurementJob(job) = &object.body else { return 0 };
        let metrics = if job.metrics.is_empty() { self.core() } else { job.metrics.iter().copied().collect() };
        support(&self.published, &*self.measurements, &Selection::of_scope(&job.scope, metrics)).series
    }

    fn check_job(&self, job: &v1::MeasurementJob) -> Result<(), Failure> {
        check_description("measurement_job.description", &job.description)?;
        check_metrics("measurement_job.metrics", &job.metrics)?;
        self.check_scope("measurement_job.scope", job.scope.as_ref())?;
        check_granularity("measurement_job.granularity_seconds", job.granularity_seconds)?;
        check_reporting(job.granularity_seconds, job.reporting_seconds)?;
        let start = time("measurement_job.start_time", job.start_time)?;
        let stop = time("measurement_job.stop_time", job.stop_time)?;
        if let (Some(start), Some(stop)) = (start, stop)
            && stop <= start
        {
            return Err(Failure::field("measurement_job.stop_time", "must lie after start_time"));
        }
        v1::JobPriority::try_from(job.priority)
            .map(|_| ())
            .map_err(|_| Failure::field("measurement_job.priority", "no such priority"))
    }

    fn check_monitor(&self, monitor: &v1::ThresholdMonitor) -> Result<Metric, Failure> {
        check_description("threshold_monitor.description", &monitor.description)?;
        let metric = check_metric("threshold_monitor.metric", &monitor.metric)?;
        self.check_scope("threshold_monitor.scope", monitor.scope.as_ref())?;
        check_granularity("threshold_monitor.granularity_seconds", monitor.granularity_seconds)?;
        if !monitor.hysteresis.is_finite() || monitor.hysteresis < 0.0 {
            return Err(Failure::field("threshold_monitor.hysteresis", "must be a number that is not negative"));
        }
        v1::ThresholdDirection::try_from(monitor.direction)
            .map_err(|_| Failure::field("threshold_monitor.direction", "no such direction"))?;
        if monitor.levels.iter().any(|level| convert::severity_from(level.severity()).is_none()) {
            return Err(Failure::field("threshold_monitor.levels", "each level must have a severity"));
        }
        Ok(metric)
    }

    fn check_scope(&self, field: &str, scope: Option<&v1::MeasurementScope>) -> Result<(), Failure> {
        let Some(scope) = scope.filter(|scope| !(scope.objects.is_empty() && scope.roots.is_empty())) else {
            return Err(Failure::field(field, "is required; the root `cluster` is everything"));
        };
        if scope.objects.len() > limits::BATCH || scope.roots.len() > limits::REQUEST_ITEMS {
            let text = format!("at most {} objects and {} roots", limits::BATCH, limits::REQUEST_ITEMS);
            return Err(Failure::field(field, text));
        }
        for object in &scope.objects {
            let owner = measured_name(&format!("{field}.objects"), object)?.owner.name();
            if self.published.log.get(owner.as_str()).is_none() {
                return Err(Failure::not_found(owner.class(), owner.as_str()));
            }
        }
        for root in &scope.roots {
            root_name(&self.published, &format!("{field}.roots"), root)?;
        }
        Ok(())
    }
}

/// Puts the fields of the mask into the present job; an empty mask means all of them.
pub(super) fn merged_job(
    present: &Object,
    wanted: v1::MeasurementJob,
    mask: Option<&prost_types::FieldMask>,
) -> Result<v1::MeasurementJob, Failure> {
    let Some(mut job) = convert::measurement_job(present) else { return Ok(wanted) };
    let fields = [
        "description",
        "metrics",
        "scope",
        "granularity_seconds",
        "reporting_seconds",
        "start_time",
        "stop_time",
        "priority",
        "zero_suppression",
    ];
    for path in mask_paths(mask, &fields)? {
        match path {
            "description" => job.description.clone_from(&wanted.description),
            "metrics" => job.metrics.clone_from(&wanted.metrics),
            "scope" => job.scope.clone_from(&wanted.scope),
            "granularity_seconds" => job.granularity_seconds = wanted.granularity_seconds,
            "reporting_seconds" => job.reporting_seconds = wanted.reporting_seconds,
            "start_time" => job.start_time = wanted.start_time,
            "stop_time" => job.stop_time = wanted.stop_time,
            "priority" => job.priority = wanted.priority,
            _ => job.zero_suppression = wanted.zero_suppression,
        }
    }
    Ok(job)
}

/// The same for monitors.
pub(super) fn merged_monitor(
    present: &Object,
    wanted: v1::ThresholdMonitor,
    mask: Option<&prost_types::FieldMask>,
) -> Result<v1::ThresholdMonitor, Failure> {
    let Some(mut monitor) = convert::threshold_monitor(present) else { return Ok(wanted) };
    let fields = ["description", "metric", "scope", "direction", "levels", "hysteresis", "granularity_seconds"];
    for path in mask_paths(mask, &fields)? {
        match path {
            "description" => monitor.description.clone_from(&wanted.description),
            "metric" => monitor.metric.clone_from(&wanted.metric),
            "scope" => monitor.scope.clone_from(&wanted.scope),
            "direction" => monitor.direction = wanted.direction,
            "levels" => monitor.levels.clone_from(&wanted.levels),
            "hysteresis" => monitor.hysteresis = wanted.hysteresis,
            _ => monitor.granularity_seconds = wanted.granularity_seconds,
        }
    }
    Ok(monitor)
}

fn check_description(field: &str, text: &str) -> Result<(), Failure> {
    if text.chars().count() > DESCRIPTION {
        return Err(Failure::field(field, format!("at most {DESCRIPTION} characters")));
    }
    Ok(())
}

fn check_reporting(granularity: u32, reporting: u32) -> Result<(), Failure> {
    const DAY: u32 = 86_400;
    let aligned = reporting == 0 || DAY.is_multiple_of(reporting) || reporting.is_multiple_of(DAY);
    if !reporting.is_multiple_of(granularity) || !aligned {
        let text = "must be a multiple of granularity_seconds, and divide a day or be days";
        return Err(Failure::field("measurement_job.reporting_seconds", text));
    }
    Ok(())
}

fn check_levels(monitor: &crate::model::measurement::ThresholdMonitor) -> Result<(), Failure> {
    let bad = |text: &str| Err(Failure::field("threshold_monitor.levels", text));
    let levels = &monitor.levels;
    if levels.is_empty() || levels.len() > LEVELS {
        return bad("one to four levels");
    }
    if levels.iter().any(|level| !level.value.is_finite()) {
        return bad("each value must be a number");
    }
    let worse = |pair: &[crate::model::measurement::ThresholdLevel]| match monitor.direction {
        ThresholdDirection::Up => pair[0].value < pair[1].value,
        ThresholdDirection::Down => pair[0].value > pair[1].value,
    };
    if levels.windows(2).any(|pair| !worse(pair) || pair[0].severity >= pair[1].severity) {
        return bad("the mildest first, each further one worse in value and severity");
    }
    Ok(())
}

fn nothing(field: &str, support: &Support) -> Failure {
    let first = support.unsupported.first();
    let example = first.map(|one| format!("{} of {}: {}", one.metric, one.object, one.text)).unwrap_or_default();
    Failure::field(field, format!("nothing of it can be measured; {example}"))
        .with("unsupported", (support.unsupported.len() + support.omitted as usize).to_string())
}
