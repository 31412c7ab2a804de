//! Rules for measurement jobs and threshold monitors: what can be ordered, and how much of it.

use super::catalogue::{self, GRANULARITIES};
use crate::model::measurement::{MeasurementJob, MeasurementScope, ThresholdDirection, ThresholdMonitor};
use crate::model::metric::{MeasuredClass, Metric};
use crate::model::{Name, PerceivedSeverity};
use std::collections::BTreeSet;

/// How much may be measured (operations.md F34).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Capacity {
    /// Series: one metric of one object or part, whatever the granularities.
    pub series: u64,
    /// Samples a second.
    pub samples_per_second: u64,
}

impl Default for Capacity {
    fn default() -> Self {
        Self { series: 200_000, samples_per_second: 20_000 }
    }
}

/// How much is measured.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Load {
    /// Series.
    pub series: u64,
    /// Samples a second.
    pub samples_per_second: f64,
}

/// Why an order is refused.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum Refusal {
    /// A field is missing, malformed or out of range.
    #[error("{field}: {reason}")]
    Invalid {
        /// Path of the field.
        field: String,
        /// What is wrong with it.
        reason: String,
    },
    /// Nothing of it can be measured.
    #[error("nothing of it can be measured: {0}")]
    NothingSupported(String),
    /// There is no room for it.
    #[error("{wanted} series are wanted, {fitting} of them would fit ({limit} in all)")]
    NoRoom {
        /// Series it wants.
        wanted: u64,
        /// How many of them would fit.
        fitting: u64,
        /// The limit.
        limit: u64,
    },
}

/// A pair that an accepted job cannot measure.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unsupported {
    /// The object; nothing for a metric that no object of the scope has.
    pub object: Option<Name>,
    /// The metric; nothing for an object that is not measured at all.
    pub metric: Option<Metric>,
    /// Why.
    pub reason: String,
}

/// Longest id: 64 characters.
const ID: usize = 64;

/// Longest description: 1,024 characters.
const DESCRIPTION: usize = 1_024;

/// Names a scope may list: 10,000.
const NAMES: usize = 10_000;

fn invalid(field: &str, reason: impl Into<String>) -> Refusal {
    Refusal::Invalid { field: field.to_owned(), reason: reason.into() }
}

/// Checks a job's form.
///
/// # Errors
/// [`Refusal::Invalid`] names the field.
pub fn check_job(job: &MeasurementJob) -> Result<(), Refusal> {
    check_common(&job.id, &job.description, &job.scope, job.granularity_seconds)?;
    let reporting = job.reporting_seconds;
    if reporting != 0 && !reporting.is_multiple_of(job.granularity_seconds) {
        return Err(invalid("reporting_seconds", format!("{reporting} is no multiple of {}", job.granularity_seconds)));
    }
    if reporting > 86_400 {
        return Err(invalid("reporting_seconds", "is longer than a day"));
    }
    if let (Some(start), Some(stop)) = (job.start, job.stop)
        && stop <= start
    {
        return Err(invalid("stop", "does not lie after the start"));
    }
    let distinct: BTreeSet<&Metric> = job.metrics.iter().collect();
    if distinct.len() < job.metrics.len() {
        return Err(invalid("metrics", "names a metric twice"));
    }
    Ok(())
}

/// Checks a monitor's form and puts its levels in order, the mildest first.
///
/// # Errors
/// [`Refusal::Invalid`] names the field.
pub fn check_monitor(monitor: &mut ThresholdMonitor) -> Result<(), Refusal> {
    check_common(&monitor.id, &monitor.description, &monitor.scope, monitor.granularity_seconds)?;
    if monitor.metric.is_none() {
        return Err(invalid("metric", "is missing"));
    }
    if monitor.levels.is_empty() || monitor.levels.len() > 4 {
        return Err(invalid("levels", "must be one to four"));
    }
    if !monitor.hysteresis.is_finite() || monitor.hysteresis < 0.0 {
        return Err(invalid("hysteresis", "must be a number of 0 or more"));
    }
    let raised = |severity| (PerceivedSeverity::Warning..=PerceivedSeverity::Critical).contains(&severity);
    if monitor.levels.iter().any(|level| !level.value.is_finite() || !raised(level.severity)) {
        return Err(invalid("levels", "each needs a number and a severity from warning to critical"));
    }
    monitor.levels.sort_by_key(|level| level.severity);
    let grows = |pair: &[crate::model::measurement::ThresholdLevel]| match monitor.direction {
        ThresholdDirection::Up => pair[0].value < pair[1].value,
        ThresholdDirection::Down => pair[0].value > pair[1].value,
    };
    let distinct = monitor.levels.windows(2).all(|pair| pair[0].severity < pair[1].severity);
    if !distinct || !monitor.levels.windows(2).all(grows) {
        return Err(invalid("levels", "must get worse with severity, each severity once"));
    }
    Ok(())
}

fn check_common(id: &str, description: &str, scope: &MeasurementScope, granularity: u32) -> Result<(), Refusal> {
    let good = |character: char| character.is_ascii_alphanumeric() || "-_.".contains(character);
    if id.is_empty() || id.len() > ID || !id.chars().all(good) {
        return Err(invalid("id", format!("must have 1 to {ID} letters, digits, '-', '_' or '.'")));
    }
    if description.chars().count() > DESCRIPTION {
        return Err(invalid("description", format!("is longer than {DESCRIPTION} characters")));
    }
    if !GRANULARITIES.contains(&granularity) {
        return Err(invalid("granularity_seconds", format!("{granularity} is none of {GRANULARITIES:?}")));
    }
    let names = scope.objects.len() + scope.roots.len();
    if names == 0 || names > NAMES {
        return Err(invalid("scope", format!("must name 1 to {NAMES} objects or roots")));
    }
    Ok(())
}

/// What of a job can be measured: its metrics against the classes in its scope. `classes` are those of the objects
/// that are there now, with their parts; `objects` tells of each name listed whether it exists.
///
/// # Errors
/// [`Refusal::NothingSupported`] if no pair is left.
pub fn accept(
    job: &MeasurementJob,
    classes: &BTreeSet<MeasuredClass>,
    exists: impl Fn(&Name) -> bool,
) -> Result<Vec<Unsupported>, Refusal> {
    let mut unsupported = Vec::new();
    let named = job.scope.objects.iter().chain(&job.scope.roots);
    let missing: Vec<&Name> = named.filter(|name| !exists(name)).collect();
    for name in &missing {
        let reason = "does not exist now; it is measured when it appears".to_owned();
        unsupported.push(Unsupported { object: Some((*name).clone()), metric: None, reason });
    }
    let wanted = |class: MeasuredClass| match job.metrics.is_empty() {
        true => !catalogue::core_set(class).is_empty(),
        false => job.metrics.iter().any(|metric| metric.class() == class),
    };
    // A root that is there takes what will join; only objects listed one by one are all there will be.
    let open = job.scope.roots.iter().any(&exists);
    for metric in &job.metrics {
        if !classes.contains(&metric.class()) && !open {
            let reason = format!("no object of the scope is a {:?}", metric.class());
            unsupported.push(Unsupported { object: None, metric: Some(*metric), reason });
        }
    }
    if !open && !classes.iter().any(|class| wanted(*class)) {
        let reasons: Vec<&str> = unsupported.iter().map(|pair| pair.reason.as_str()).take(3).collect();
        return Err(Refusal::NothingSupported(reasons.join("; ")));
    }
    Ok(unsupported)
}

/// Whether an order that adds `added` to `used` fits.
///
/// # Errors
/// [`Refusal::NoRoom`] with the number that would.
pub fn fits(capacity: Capacity, used: Load, added: Load) -> Result<(), Refusal> {
    let free_series = capacity.series.saturating_sub(used.series);
    let limit = Number(capacity.samples_per_second).float();
    let free_rate = (limit - used.samples_per_second).max(0.0);
    let share = if added.samples_per_second > free_rate { free_rate / added.samples_per_second } else { 1.0 };
    let by_rate = Number::floor(Number(added.series).float() * share);
    let fitting = free_series.min(by_rate).min(added.series);
    if fitting < added.series {
        return Err(Refusal::NoRoom { wanted: added.series, fitting, limit: capacity.series });
    }
    Ok(())
}

/// A count on its way to and from floating point.
struct Number(u64);

impl Number {
    #[expect(clippy::cast_precision_loss, reason = "capacities lie far below 2^53")]
    fn float(&self) -> f64 {
        self.0 as f64
    }

    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "from a capacity, not negative")]
    fn floor(value: f64) -> u64 {
        value.max(0.0) as u64
    }
}

/// What so many series cost: each takes a sample every base interval.
pub fn load(series: u64, base_seconds: f64) -> Load {
    Load { series, samples_per_second: Number(series).float() / base_seconds.max(1.0) }
}

/// Id of the built-in default job.
pub const DEFAULT_JOB: &str = "default";
