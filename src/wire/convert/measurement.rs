//! Measurements, measurement jobs and threshold monitors in words of the interface, and what requests say of
//! them in words of the model.

use super::alarm::severity;
use super::alarm_rule::{severity_from, time_from};
use super::common::{same_variants, timestamp};
use crate::model::measurement::{
    AbsentReason, JobPriority, LatestReading, MeasurementJob, MeasurementScope, MeasurementSeries, Number, PeriodValue,
    Suspect, SuspectReason, ThresholdDirection, ThresholdLevel, ThresholdMonitor,
};
use crate::model::metric::{MeasuredClass, Metric, MetricKind};
use crate::model::{Body, Name, Object, Timestamp};
use crate::wire::v1;
use std::time::Duration;
use v1::measurement_point::Result as Outcome;

same_variants! {
    /// The kind of a metric.
    pub fn metric_kind(MetricKind) -> v1::MetricKind { Cumulative, Gauge, Event, Status }
}

same_variants! {
    /// The class of what is measured.
    pub fn measured_class(MeasuredClass) -> v1::MeasuredClass {
        Host, HostCpu, NumaNode, HostDisk, HostFilesystem, HostNic, Sensor, VirtualMachine, VirtualCpu, VirtualDisk,
        VirtualNic, StoragePool, Volume, Network, Cluster, Vrm,
    }
}

same_variants! {
    /// Why there is no value.
    pub fn absent_reason(AbsentReason) -> v1::AbsentReason {
        Unsupported, ReadOnlyConnection, Stale, HostLost, NotResponding, NotRunning, NoInterval, NoEvents, NotMeasured,
    }
}

same_variants! {
    fn suspect_reason(SuspectReason) -> v1::SuspectReason {
        LateStart, Gap, CounterReset, HostLost, ClockStep, Migration, SourceClock, Overload,
    }
}

same_variants! {
    fn job_priority(JobPriority) -> v1::JobPriority { Low, Medium, High }
}

same_variants! {
    fn direction(ThresholdDirection) -> v1::ThresholdDirection { Up, Down }
}

fn suspect_reasons(suspect: Suspect) -> Vec<i32> {
    suspect.reasons().map(suspect_reason).collect()
}

/// The newest reading as a point.
pub fn reading_point(reading: &LatestReading) -> v1::MeasurementPoint {
    let LatestReading { key: _, metric: _, value, time, start, suspect } = reading;
    let result = match value {
        Ok(Number::Integer(value)) => Outcome::IntegerValue(*value),
        Ok(Number::Real(value)) => Outcome::DoubleValue(*value),
        Err(reason) => Outcome::Absent(absent_reason(*reason)),
    };
    v1::MeasurementPoint {
        result: Some(result),
        min: None,
        max: None,
        last: None,
        samples: 0,
        suspect_reasons: suspect_reasons(*suspect),
        start_time: start.map(timestamp),
        time: Some(timestamp(*time)),
    }
}

/// The result of a period as a point.
pub fn period_point(begin: Timestamp, granularity: Duration, value: &PeriodValue) -> v1::MeasurementPoint {
    let PeriodValue { value, min, max, last, samples, suspect } = value;
    let result = match value {
        Ok(value) => Outcome::DoubleValue(*value),
        Err(reason) => Outcome::Absent(absent_reason(*reason)),
    };
    v1::MeasurementPoint {
        result: Some(result),
        min: *min,
        max: *max,
        last: *last,
        samples: *samples,
        suspect_reasons: suspect_reasons(*suspect),
        start_time: Some(timestamp(begin)),
        time: Some(timestamp(begin.plus(granularity))),
    }
}

/// A series of the history. Its label is the object's name for people.
pub fn measurement_series(series: &MeasurementSeries, granularity: Duration, label: &str) -> v1::MeasurementSeries {
    let MeasurementSeries { key, metric, points, p95: _ } = series;
    v1::MeasurementSeries {
        object: key.name().to_string(),
        object_label: label.to_owned(),
        metric: metric.name().to_owned(),
        points: points.iter().map(|(begin, value)| period_point(*begin, granularity, value)).collect(),
    }
}

/// The message of a job; nothing for an object of another class.
pub fn measurement_job(object: &Object) -> Option<v1::MeasurementJob> {
    let Body::MeasurementJob(job) = &object.body else { return None };
    let MeasurementJob {
        id: _,
        description,
        metrics,
        scope,
        granularity_seconds,
        reporting_seconds,
        start,
        stop,
        priority,
        suspended,
        zero_suppression,
    } = &**job;
    Some(v1::MeasurementJob {
        name: object.name.to_string(),
        uid: object.uid.to_string(),
        revision: object.revision,
        last_change_sequence: object.last_change_sequence,
        etag: object.etag(),
        create_time: Some(timestamp(object.create_time)),
        update_time: Some(timestamp(object.change_time)),
        description: description.clone(),
        metrics: metrics.iter().map(ToString::to_string).collect(),
        scope: Some(measurement_scope(scope)),
        granularity_seconds: *granularity_seconds,
        reporting_seconds: *reporting_seconds,
        start_time: start.map(timestamp),
        stop_time: stop.map(timestamp),
        priority: job_priority(*priority),
        zero_suppression: *zero_suppression,
        administrative_state: suspension(*suspended),
    })
}

/// The message of a monitor; nothing for an object of another class.
pub fn threshold_monitor(object: &Object) -> Option<v1::ThresholdMonitor> {
    let Body::ThresholdMonitor(monitor) = &object.body else { return None };
    let ThresholdMonitor {
        id: _,
        description,
        metric,
        scope,
        direction: way,
        levels,
        hysteresis,
        granularity_seconds,
        suspended,
    } = &**monitor;
    let level = |level: &ThresholdLevel| v1::ThresholdLevel { value: level.value, severity: severity(level.severity) };
    Some(v1::ThresholdMonitor {
        name: object.name.to_string(),
        uid: object.uid.to_string(),
        revision: object.revision,
        last_change_sequence: object.last_change_sequence,
        etag: object.etag(),
        create_time: Some(timestamp(object.create_time)),
        update_time: Some(timestamp(object.change_time)),
        description: description.clone(),
        metric: metric.map(|metric| metric.name().to_owned()).unwrap_or_default(),
        scope: Some(measurement_scope(scope)),
        direction: direction(*way),
        levels: levels.iter().map(level).collect(),
        hysteresis: *hysteresis,
        granularity_seconds: *granularity_seconds,
        administrative_state: suspension(*suspended),
    })
}

fn measurement_scope(scope: &MeasurementScope) -> v1::MeasurementScope {
    let MeasurementScope { objects, roots } = scope;
    let texts = |names: &[Name]| names.iter().map(ToString::to_string).collect();
    v1::MeasurementScope { objects: texts(objects), roots: texts(roots) }
}

fn suspension(suspended: bool) -> i32 {
    let state = if suspended { v1::AdministrativeState::Locked } else { v1::AdministrativeState::Unlocked };
    state.into()
}

/// The scope of a request.
pub fn scope_from(scope: &v1::MeasurementScope) -> MeasurementScope {
    let v1::MeasurementScope { objects, roots } = scope;
    let names = |texts: &[String]| texts.iter().map(|text| Name::new(text.as_str())).collect();
    MeasurementScope { objects: names(objects), roots: names(roots) }
}

/// The job of a request, not suspended; metrics that are not known and times out of range are left out: check
/// them before.
pub fn job_from(id: String, job: &v1::MeasurementJob) -> MeasurementJob {
    MeasurementJob {
        id,
        description: job.description.clone(),
        metrics: job.metrics.iter().filter_map(|name| Metric::parse(name)).collect(),
        scope: job.scope.as_ref().map(scope_from).unwrap_or_default(),
        granularity_seconds: job.granularity_seconds,
        reporting_seconds: job.reporting_seconds,
        start: job.start_time.and_then(time_from),
        stop: job.stop_time.and_then(time_from),
        priority: match job.priority() {
            v1::JobPriority::Low => JobPriority::Low,
            v1::JobPriority::Unspecified | v1::JobPriority::Medium => JobPriority::Medium,
            v1::JobPriority::High => JobPriority::High,
        },
        suspended: job.administrative_state() == v1::AdministrativeState::Locked,
        zero_suppression: job.zero_suppression,
    }
}

/// The monitor of a request, not suspended; levels that say no severity are left out: check them before.
pub fn monitor_from(id: String, monitor: &v1::ThresholdMonitor) -> ThresholdMonitor {
    let level = |level: &v1::ThresholdLevel| {
        Some(ThresholdLevel { value: level.value, severity: severity_from(level.severity())? })
    };
    ThresholdMonitor {
        id,
        description: monitor.description.clone(),
        metric: Metric::parse(&monitor.metric),
        scope: monitor.scope.as_ref().map(scope_from).unwrap_or_default(),
        direction: match monitor.direction() {
            v1::ThresholdDirection::Unspecified | v1::ThresholdDirection::Up => ThresholdDirection::Up,
            v1::ThresholdDirection::Down => ThresholdDirection::Down,
        },
        levels: monitor.levels.iter().filter_map(level).collect(),
        hysteresis: monitor.hysteresis,
        granularity_seconds: monitor.granularity_seconds,
        suspended: monitor.administrative_state() == v1::AdministrativeState::Locked,
    }
}
