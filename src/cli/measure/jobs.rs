//! `create`, `suspend`, `resume` and `delete` of measurement jobs and threshold monitors.

use super::scope::{id, names};
use crate::cli::change::{actor, refuse_selectors, request_id};
use crate::cli::exit::{Exit, Failure};
use crate::cli::format::word;
use crate::cli::frame::Frame;
use crate::cli::kind::{Kind, Request, parse_requests};
use crate::cli::measure_args::{JobArgs, MonitorArgs, PriorityWord, ScopeArgs, SuspendArgs};
use crate::cli::outcome::Outcomes;
use crate::cli::output::warn;
use crate::client::{Client, ClientError, schema};
use crate::wire::v1;
use serde_json::Value;

/// Entries of a list of what is unsupported that are told.
const TOLD: usize = 10;

/// `create job`.
///
/// # Errors
/// Wrong use; the daemon refuses or does not answer.
pub async fn create_job(frame: &Frame, args: &JobArgs) -> Result<Exit, Failure> {
    let client = frame.client().await?;
    let at = |time: jiff::Timestamp| super::query::stamp(time);
    let job = v1::MeasurementJob {
        description: args.scope.description.clone(),
        metrics: args.metrics.clone(),
        scope: Some(scope(&client, &args.scope).await?),
        granularity_seconds: args.scope.every.unwrap_or(0),
        reporting_seconds: args.report_every.unwrap_or(0),
        start_time: args.from.map(at),
        stop_time: args.until.map(at),
        priority: match args.priority {
            PriorityWord::Low => v1::JobPriority::Low.into(),
            PriorityWord::Medium => v1::JobPriority::Medium.into(),
            PriorityWord::High => v1::JobPriority::High.into(),
        },
        zero_suppression: args.zero_suppression,
        ..v1::MeasurementJob::default()
    };
    let request = v1::CreateMeasurementJobRequest {
        measurement_job_id: args.name.clone(),
        measurement_job: Some(job),
        request_id: request_id(),
        validate_only: args.scope.dry_run,
        actor: actor(client.target()),
    };
    let made = client
        .call(|| {
            let (mut service, request) = (client.performance(), request.clone());
            async move { service.create_measurement_job(request).await }
        })
        .await
        .map(|response| {
            tell_unsupported(&response.unsupported, response.unsupported_omitted, response.series_count);
            schema::to_json("vrm.v1.MeasurementJob", &response.measurement_job.unwrap_or_default())
        });
    told(frame, &client, Kind::Job, &args.name, args.scope.dry_run, made)
}

/// `create monitor`.
///
/// # Errors
/// Wrong use; the daemon refuses or does not answer.
pub async fn create_monitor(frame: &Frame, args: &MonitorArgs) -> Result<Exit, Failure> {
    let client = frame.client().await?;
    let way = if args.down { v1::ThresholdDirection::Down } else { v1::ThresholdDirection::Up };
    let level = |(value, severity): &(f64, crate::cli::alarm_args::SeverityWord)| v1::ThresholdLevel {
        value: *value,
        severity: severity.severity().into(),
    };
    let monitor = v1::ThresholdMonitor {
        description: args.scope.description.clone(),
        metric: args.metric.clone(),
        scope: Some(scope(&client, &args.scope).await?),
        direction: way.into(),
        levels: args.levels.iter().map(level).collect(),
        hysteresis: args.hysteresis,
        granularity_seconds: args.scope.every.unwrap_or(0),
        ..v1::ThresholdMonitor::default()
    };
    let request = v1::CreateThresholdMonitorRequest {
        threshold_monitor_id: args.name.clone(),
        threshold_monitor: Some(monitor),
        request_id: request_id(),
        validate_only: args.scope.dry_run,
        actor: actor(client.target()),
    };
    let made = client
        .call(|| {
            let (mut service, request) = (client.performance(), request.clone());
            async move { service.create_threshold_monitor(request).await }
        })
        .await
        .map(|response| {
            tell_unsupported(&response.unsupported, response.unsupported_omitted, response.series_count);
            schema::to_json("vrm.v1.ThresholdMonitor", &response.threshold_monitor.unwrap_or_default())
        });
    told(frame, &client, Kind::Monitor, &args.name, args.scope.dry_run, made)
}

async fn scope(client: &Client, args: &ScopeArgs) -> Result<v1::MeasurementScope, Failure> {
    let objects = names(client, &args.of).await?;
    let mut roots = names(client, &args.below).await?;
    if objects.is_empty() && roots.is_empty() {
        roots.push("cluster".to_owned());
    }
    Ok(v1::MeasurementScope { objects, roots })
}

fn tell_unsupported(unsupported: &[v1::UnsupportedMeasurement], omitted: u32, series: u64) {
    for one in unsupported.iter().take(TOLD) {
        let of = if one.object.is_empty() { String::new() } else { format!(" of {}", one.object) };
        let reason = word(one.reason().as_str_name(), "ABSENT_REASON_");
        warn(&format!("{}{of}: {reason}: {}", one.metric, one.text));
    }
    let more = unsupported.len().saturating_sub(TOLD) + usize::try_from(omitted).unwrap_or(usize::MAX);
    if more > 0 {
        warn(&format!("and {more} more that cannot be measured"));
    }
    eprintln!("{series} series");
}

fn told(
    frame: &Frame,
    client: &Client,
    kind: Kind,
    asked: &str,
    dry_run: bool,
    result: Result<Value, ClientError>,
) -> Result<Exit, Failure> {
    let made = result.as_ref().ok().and_then(|json| json.get("name")).and_then(Value::as_str).map(id);
    let shown = format!("{}/{}", kind.word(), made.unwrap_or(asked));
    let mut outcomes = Outcomes::new(frame, "created", dry_run, Vec::new());
    outcomes.note(client, &shown, result)?;
    Ok(outcomes.finish())
}

/// `suspend` and `resume`.
///
/// # Errors
/// Wrong use; the daemon does not answer.
pub async fn suspend(
    frame: &Frame,
    args: &SuspendArgs,
    suspended: bool,
    stdin: &mut dyn FnMut() -> Vec<String>,
) -> Result<Exit, Failure> {
    let verb = if suspended { "suspend" } else { "resume" };
    let requests = parse_requests(&args.words, stdin)?;
    let named = named(frame, verb, &requests)?;
    let client = frame.client().await?;
    let done = if suspended { "suspended" } else { "resumed" };
    let mut outcomes = Outcomes::new(frame, done, args.dry_run, Vec::new());
    for (kind, name) in named {
        let result = set_suspended(&client, kind, &name, suspended, args.dry_run).await;
        outcomes.note(&client, &format!("{}/{name}", kind.word()), result)?;
    }
    Ok(outcomes.finish())
}

/// The jobs and monitors of a command.
fn named(frame: &Frame, verb: &str, requests: &[Request]) -> Result<Vec<(Kind, String)>, Failure> {
    refuse_selectors(frame)?;
    if let Some(wrong) = requests.iter().find(|request| !matches!(request.kind, Kind::Job | Kind::Monitor)) {
        let text = format!("{verb} {}: this version does so with jobs and monitors only", wrong.kind.word());
        return Err(Failure::usage(text).with_next(format!("vrmctl {verb} --help")));
    }
    let named: Vec<_> = requests
        .iter()
        .flat_map(|request| request.names.iter().map(|name| (request.kind, id(name).to_owned())))
        .collect();
    if named.is_empty() {
        return Err(Failure::usage(format!("{verb} which? name them")).with_next("vrmctl get jobs"));
    }
    Ok(named)
}

/// Makes a call about one record: its request and method.
macro_rules! one {
    ($client:ident, $method:ident, $request:expr) => {{
        let request = $request;
        $client
            .call(|| {
                let (mut service, request) = ($client.performance(), request.clone());
                async move { service.$method(request).await }
            })
            .await
    }};
}

async fn set_suspended(
    client: &Client,
    kind: Kind,
    id: &str,
    suspended: bool,
    validate_only: bool,
) -> Result<Value, ClientError> {
    let (request_id, actor, etag) = (request_id(), actor(client.target()), String::new());
    let name = full_name(kind, id);
    let of_job = |job: v1::MeasurementJob| schema::to_json("vrm.v1.MeasurementJob", &job);
    let of_monitor = |monitor: v1::ThresholdMonitor| schema::to_json("vrm.v1.ThresholdMonitor", &monitor);
    match (kind, suspended) {
        (Kind::Job, true) => {
            let request = v1::SuspendMeasurementJobRequest { name, etag, request_id, validate_only, actor };
            one!(client, suspend_measurement_job, request).map(of_job)
        }
        (Kind::Job, false) => {
            let request = v1::ResumeMeasurementJobRequest { name, etag, request_id, validate_only, actor };
            one!(client, resume_measurement_job, request).map(of_job)
        }
        (_, true) => {
            let request = v1::SuspendThresholdMonitorRequest { name, etag, request_id, validate_only, actor };
            one!(client, suspend_threshold_monitor, request).map(of_monitor)
        }
        (_, false) => {
            let request = v1::ResumeThresholdMonitorRequest { name, etag, request_id, validate_only, actor };
            one!(client, resume_threshold_monitor, request).map(of_monitor)
        }
    }
}

fn full_name(kind: Kind, id: &str) -> String {
    let collection = if kind == Kind::Job { "measurementJobs" } else { "thresholdMonitors" };
    format!("{collection}/{id}")
}

/// Removes a job or a monitor.
///
/// # Errors
/// As the client says.
pub async fn delete(client: &Client, kind: Kind, id: &str, validate_only: bool) -> Result<(), ClientError> {
    let (request_id, actor, etag) = (request_id(), actor(client.target()), String::new());
    let name = full_name(kind, id);
    if kind == Kind::Job {
        let request = v1::DeleteMeasurementJobRequest { name, etag, request_id, validate_only, actor };
        return one!(client, delete_measurement_job, request);
    }
    let request = v1::DeleteThresholdMonitorRequest { name, etag, request_id, validate_only, actor };
    one!(client, delete_threshold_monitor, request)
}
