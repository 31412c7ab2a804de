//! Pages about one thing: `describe` of jobs and monitors, `explain` of metrics.

use super::lists::{levels, of};
use super::scope::id;
use super::value::short;
use crate::cli::exit::{Exit, Failure};
use crate::cli::find::{batch_exit, tell};
use crate::cli::format::{Cell, short_span, word};
use crate::cli::frame::Frame;
use crate::cli::kind::Kind;
use crate::cli::output::{data, print};
use crate::cli::page::Page;
use crate::client::{Client, schema, time};
use crate::wire::v1;
use serde_json::Value;
use std::time::Duration;

/// Reports shown on the page of a job.
const REPORTS: i32 = 10;

/// `describe job|monitor NAME…`.
///
/// # Errors
/// Wrong use; the daemon does not answer.
pub async fn describe(frame: &Frame, kind: Kind, names: &[String]) -> Result<Exit, Failure> {
    if names.is_empty() {
        return Err(Failure::usage(format!("name the {} to describe", kind.word()))
            .with_next(format!("vrmctl get {}", kind.plural())));
    }
    let client = frame.client().await?;
    let mut failures = Vec::new();
    let mut pages = Vec::new();
    for name in names {
        match page(frame, &client, kind, id(name)).await? {
            Some(page) => pages.push(page),
            None => failures.push(
                Failure::new(Exit::NotFound, format!("{}/{name} not found", kind.word()))
                    .with_next(format!("vrmctl get {}", kind.plural())),
            ),
        }
    }
    for (text, json) in &pages {
        match frame.global.output.is_data() {
            true => print(&data(json, frame.global.output))?,
            false => print(text)?,
        }
    }
    tell(&failures);
    Ok(batch_exit(pages.len(), &failures))
}

async fn page(frame: &Frame, client: &Client, kind: Kind, name: &str) -> Result<Option<(String, Value)>, Failure> {
    let of_call = |error| Failure::of_client(&error, client.target());
    if kind == Kind::Monitor {
        let monitors = client.threshold_monitors().await.map_err(of_call)?;
        let monitor = monitors.into_iter().find(|monitor| id(&monitor.name) == name);
        return Ok(monitor
            .map(|monitor| (monitor_page(frame, &monitor), schema::to_json("vrm.v1.ThresholdMonitor", &monitor))));
    }
    let jobs = client.measurement_jobs().await.map_err(of_call)?;
    let Some(job) = jobs.into_iter().find(|job| id(&job.name) == name) else { return Ok(None) };
    let reports = client.newest_reports(&job.name, REPORTS).await.map_err(of_call)?;
    Ok(Some((job_page(frame, &job, &reports), schema::to_json("vrm.v1.MeasurementJob", &job))))
}

fn span(seconds: u32) -> String {
    if seconds == 0 { String::new() } else { short_span(Duration::from_secs(seconds.into())) }
}

fn administrative(state: v1::AdministrativeState) -> &'static str {
    if state == v1::AdministrativeState::Locked { "suspended" } else { "measuring" }
}

fn job_page(frame: &Frame, job: &v1::MeasurementJob, reports: &[v1::MeasurementReport]) -> String {
    let at = |moment: Option<&prost_types::Timestamp>| time(moment).map(|time| frame.clock.local(time));
    let mut page = Page::new(frame.colour);
    page.section(&format!("job/{}", id(&job.name)));
    page.some("what for", job.description.clone());
    page.field("state", administrative(job.administrative_state()));
    page.field("of", of(job.scope.as_ref()));
    page.field("metrics", if job.metrics.is_empty() { "the core set".to_owned() } else { job.metrics.join(", ") });
    page.field("periods", span(job.granularity_seconds));
    page.some("reports of", span(job.reporting_seconds));
    page.some("from", at(job.start_time.as_ref()).unwrap_or_default());
    page.some("until", at(job.stop_time.as_ref()).unwrap_or_default());
    page.field("priority", word(job.priority().as_str_name(), "JOB_PRIORITY_"));
    if job.zero_suppression {
        page.field("zeros", "left out of reports");
    }
    page.some("made", at(job.create_time.as_ref()).unwrap_or_default());
    let lines = reports.iter().map(|report| {
        vec![
            Cell::text(id(&report.name)),
            frame.clock.time_cell(time(report.begin_time.as_ref())),
            frame.clock.time_cell(time(report.end_time.as_ref())),
        ]
    });
    page.table("Newest reports", &["REPORT", "BEGIN", "END"], lines.collect());
    page.finish()
}

fn monitor_page(frame: &Frame, monitor: &v1::ThresholdMonitor) -> String {
    let mut page = Page::new(frame.colour);
    page.section(&format!("monitor/{}", id(&monitor.name)));
    page.some("what for", monitor.description.clone());
    page.field("state", administrative(monitor.administrative_state()));
    page.field("metric", monitor.metric.clone());
    page.field("of", of(monitor.scope.as_ref()));
    page.field("levels", levels(monitor));
    page.field("hysteresis", short(monitor.hysteresis));
    page.field("periods", span(monitor.granularity_seconds));
    let made = time(monitor.create_time.as_ref()).map(|time| frame.clock.local(time));
    page.some("made", made.unwrap_or_default());
    page.finish()
}

/// `explain METRIC`; nothing if there is no metric of that name.
///
/// # Errors
/// Standard output cannot be written.
pub async fn explain_metric(frame: &Frame, word: &str) -> Result<Option<Exit>, Failure> {
    // Everything else that is explained needs no daemon.
    if !word.contains('.') {
        return Ok(None);
    }
    let client = frame.client().await?;
    let metrics = client.metrics().await.map_err(|error| Failure::of_client(&error, client.target()))?;
    let Some(metric) = metrics.metric_descriptors.iter().find(|metric| metric.metric == word) else { return Ok(None) };
    if frame.global.output.is_data() {
        print(&data(&schema::to_json("vrm.v1.MetricDescriptor", metric), frame.global.output))?;
    } else {
        print(&metric_page(frame, metric))?;
    }
    Ok(Some(Exit::Done))
}

fn metric_page(frame: &Frame, metric: &v1::MetricDescriptor) -> String {
    let mut page = Page::new(frame.colour);
    page.section(&metric.metric);
    page.some("meaning", metric.meaning.clone());
    page.field("of", word(metric.measured_class().as_str_name(), "MEASURED_CLASS_"));
    page.field("unit", metric.unit.clone());
    page.field("kind", word(metric.kind().as_str_name(), "METRIC_KIND_"));
    page.some("source", metric.source.clone());
    if metric.derived {
        page.field("derived", "worked out by the VRM over the true interval");
    }
    if metric.core {
        page.field("measured", "of every object, by the default job");
    }
    let visible: Vec<String> = metric.availability().map(|one| word(one.as_str_name(), "AVAILABILITY_")).collect();
    page.some("available in", visible.join(", "));
    page.some("standards", metric.standards.join("; "));
    page.some("OpenMetrics", metric.open_metrics_name.clone());
    page.field("look", format!("vrmctl query {} --last 1h --chart", metric.metric));
    page.finish()
}
