//! Rows of metrics, jobs and monitors for `get`.

use super::scope::id;
use super::value::short;
use crate::cli::exit::{Exit, Failure};
use crate::cli::format::{Cell, Tone, short_span, word};
use crate::cli::frame::Frame;
use crate::cli::heads::Head;
use crate::cli::kind::Kind;
use crate::cli::output::Row;
use crate::client::{Client, schema, time};
use crate::wire::v1;
use std::time::Duration;

const fn narrow(name: &'static str) -> Head {
    Head { name, wide: false }
}

const fn wide(name: &'static str) -> Head {
    Head { name, wide: true }
}

/// Columns of a metric.
pub const METRIC: &[Head] =
    &[narrow("NAME"), narrow("CLASS"), narrow("UNIT"), narrow("KIND"), narrow("CORE"), narrow("MEANING"), wide("PAGE")];

/// Columns of a job.
pub const JOB: &[Head] = &[
    narrow("NAME"),
    narrow("STATE"),
    narrow("EVERY"),
    narrow("REPORTS"),
    narrow("OF"),
    narrow("METRICS"),
    narrow("AGE"),
    wide("PRIORITY"),
    wide("DESCRIPTION"),
];

/// Columns of a monitor.
pub const MONITOR: &[Head] = &[
    narrow("NAME"),
    narrow("STATE"),
    narrow("METRIC"),
    narrow("LEVELS"),
    narrow("OF"),
    narrow("EVERY"),
    narrow("AGE"),
    wide("HYSTERESIS"),
    wide("DESCRIPTION"),
];

/// Rows of one of the kinds, all or those named, and names that mean nothing.
///
/// # Errors
/// Wrong use; a call failed.
pub async fn rows(
    frame: &Frame,
    client: &Client,
    kind: Kind,
    names: &[String],
) -> Result<(Vec<Row>, Vec<Failure>), Failure> {
    let plural = kind.plural();
    if frame.global.filter.is_some() || !frame.global.selector.is_empty() {
        return Err(Failure::usage(format!("{plural} are not filtered")).with_next(format!("vrmctl get {plural}")));
    }
    let of_call = |error| Failure::of_client(&error, client.target());
    let mut rows = match kind {
        Kind::Metric => client.metrics().await.map_err(of_call)?.metric_descriptors.iter().map(metric_row).collect(),
        Kind::Job => {
            let jobs = client.measurement_jobs().await.map_err(of_call)?;
            jobs.iter().map(|job| job_row(frame, job)).collect::<Vec<_>>()
        }
        _ => {
            let monitors = client.threshold_monitors().await.map_err(of_call)?;
            monitors.iter().map(|monitor| monitor_row(frame, monitor)).collect()
        }
    };
    let is_named = |row: &Row, name: &String| row.name == *name || id(&row.name).eq_ignore_ascii_case(name);
    let failures = names.iter().filter(|name| !rows.iter().any(|row| is_named(row, name))).map(|name| {
        Failure::new(Exit::NotFound, format!("{}/{name} not found", kind.word()))
            .with_next(format!("vrmctl get {plural}"))
    });
    let failures = failures.collect();
    rows.retain(|row| names.is_empty() || names.iter().any(|name| is_named(row, name)));
    let mark = frame.mark(client.target());
    rows.iter_mut().for_each(|row| row.context.clone_from(&mark));
    Ok((rows, failures))
}

fn metric_row(metric: &v1::MetricDescriptor) -> Row {
    Row {
        context: None,
        name: metric.name.clone(),
        title: metric.metric.clone(),
        json: schema::to_json("vrm.v1.MetricDescriptor", metric),
        cells: vec![
            Cell::text(metric.metric.clone()),
            Cell::text(word(metric.measured_class().as_str_name(), "MEASURED_CLASS_")),
            Cell::text(metric.unit.clone()),
            Cell::text(word(metric.kind().as_str_name(), "METRIC_KIND_")),
            Cell::flag(metric.core),
            Cell::text(metric.meaning.clone()),
            Cell::text(metric.open_metrics_name.clone()),
        ],
    }
}

fn job_row(frame: &Frame, job: &v1::MeasurementJob) -> Row {
    let metrics = if job.metrics.is_empty() { "core".to_owned() } else { job.metrics.join(",") };
    Row {
        context: None,
        name: job.name.clone(),
        title: job.name.clone(),
        json: schema::to_json("vrm.v1.MeasurementJob", job),
        cells: vec![
            Cell::text(id(&job.name)),
            state(job.administrative_state()),
            seconds(job.granularity_seconds),
            seconds(job.reporting_seconds),
            Cell::text(of(job.scope.as_ref())),
            Cell::text(metrics),
            frame.clock.age_cell(time(job.create_time.as_ref())),
            Cell::text(word(job.priority().as_str_name(), "JOB_PRIORITY_")),
            Cell::text(job.description.clone()),
        ],
    }
}

fn monitor_row(frame: &Frame, monitor: &v1::ThresholdMonitor) -> Row {
    Row {
        context: None,
        name: monitor.name.clone(),
        title: monitor.name.clone(),
        json: schema::to_json("vrm.v1.ThresholdMonitor", monitor),
        cells: vec![
            Cell::text(id(&monitor.name)),
            state(monitor.administrative_state()),
            Cell::text(monitor.metric.clone()),
            Cell::text(levels(monitor)),
            Cell::text(of(monitor.scope.as_ref())),
            seconds(monitor.granularity_seconds),
            frame.clock.age_cell(time(monitor.create_time.as_ref())),
            Cell::text(short(monitor.hysteresis)),
            Cell::text(monitor.description.clone()),
        ],
    }
}

/// `90=minor 95=major`, with the way in front.
pub fn levels(monitor: &v1::ThresholdMonitor) -> String {
    let way = if monitor.direction() == v1::ThresholdDirection::Down { "≤" } else { "≥" };
    let level = |level: &v1::ThresholdLevel| {
        format!("{way}{} {}", short(level.value), word(level.severity().as_str_name(), "SEVERITY_"))
    };
    monitor.levels.iter().map(level).collect::<Vec<_>>().join(", ")
}

/// What a job or a monitor is about, in short.
pub fn of(scope: Option<&v1::MeasurementScope>) -> String {
    let Some(scope) = scope else { return String::new() };
    let roots = scope.roots.iter().map(|root| format!("{root} and below"));
    scope.objects.iter().cloned().chain(roots).collect::<Vec<_>>().join(", ")
}

fn state(state: v1::AdministrativeState) -> Cell {
    match state {
        v1::AdministrativeState::Locked => Cell::text("suspended").toned(Tone::Warn),
        _ => Cell::text("measuring").toned(Tone::Good),
    }
}

fn seconds(seconds: u32) -> Cell {
    if seconds == 0 {
        return Cell::text("");
    }
    Cell { text: short_span(Duration::from_secs(seconds.into())), raw: seconds.into(), tone: Tone::Plain }
}
