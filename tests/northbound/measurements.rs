//! Metrics, measurements, jobs, monitors and reports as clients meet them.

use super::measurement_fake::Fake;
use super::raw::reason;
use super::script::{Script, machine, vm};
use super::server::TestServer;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tonic::{Code, Streaming};
use v1::measurement_point::Result as Outcome;
use v1::watch_measurements_request::Mode;
use v1::watch_measurements_response::Message;
use vrm::model::virtual_machine::RunState;
use vrm::wire::v1;

/// A server with the machines `web-1` to `web-3` on `kvm-07` that are measured.
async fn measured() -> (TestServer, Arc<Fake>) {
    let mut script = Script::new("e1");
    script.populate();
    for number in 1..=3 {
        script.put(&vm(number), machine(&format!("web-{number}"), RunState::Running));
    }
    let log = Arc::clone(&script.log);
    let fake = Fake::new(Arc::new(Mutex::new(script)), 4);
    for number in 1..=3 {
        fake.sample(number, 100, 5_000_000_000, 12.5);
    }
    (TestServer::measuring(&log, Arc::clone(&fake) as _).await, fake)
}

fn metrics(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

fn at(seconds: i64) -> Option<prost_types::Timestamp> {
    Some(prost_types::Timestamp { seconds, nanos: 0 })
}

#[tokio::test]
async fn the_catalogue_is_published_with_the_names_of_the_page() {
    let (server, _fake) = measured().await;
    let mut client = server.performance().await;
    let all = client.list_metric_descriptors(v1::ListMetricDescriptorsRequest::default()).await.unwrap().into_inner();
    let metric = all.metric_descriptors.iter().find(|metric| metric.metric == "vm.cpu.time").unwrap();
    assert_eq!((metric.unit.as_str(), metric.kind(), metric.core), ("ns", v1::MetricKind::Cumulative, true));
    assert_eq!(metric.open_metrics_name, "vrm_vm_cpu_seconds_total");
    let request = v1::ListMetricDescriptorsRequest { measured_class: v1::MeasuredClass::Sensor.into() };
    let sensors = client.list_metric_descriptors(request).await.unwrap().into_inner().metric_descriptors;
    assert!(!sensors.is_empty() && sensors.iter().all(|metric| metric.metric.starts_with("host.")));
}

#[tokio::test]
async fn newest_readings_come_with_their_start_and_what_is_absent_with_its_reason() {
    let (server, _fake) = measured().await;
    let mut client = server.performance().await;
    let request = v1::QueryMeasurementsRequest {
        objects: vec![vm(1).to_string()],
        metrics: metrics(&["vm.cpu.time", "vm.memory.rss", "vdisk.read.bytes"]),
        ..Default::default()
    };
    let series = client.query_measurements(request).await.unwrap().into_inner().series;
    let told: Vec<(&str, &str)> = series.iter().map(|one| (one.object_label.as_str(), one.metric.as_str())).collect();
    assert_eq!(told, [("web-1", "vm.cpu.time"), ("web-1", "vm.memory.rss"), ("web-1", "vdisk.read.bytes")]);
    let point = &series[0].points[0];
    assert_eq!(point.result, Some(Outcome::IntegerValue(5_000_000_000)));
    assert_eq!((point.start_time, point.time), (at(1), at(100)));
    assert_eq!(series[1].points[0].result, Some(Outcome::Absent(v1::AbsentReason::Unsupported.into())));
    assert_eq!(series[2].object, format!("{}/disks/vda", vm(1)), "a machine stands for its disks");
}

#[tokio::test]
async fn pages_follow_keys_and_roots_and_filters_select() {
    let (server, _fake) = measured().await;
    let mut client = server.performance().await;
    let mut request = v1::QueryMeasurementsRequest {
        roots: vec!["hosts/kvm-07".to_owned()],
        metrics: metrics(&["vm.cpu.time", "vm.cpu.usage"]),
        page_size: 4,
        ..Default::default()
    };
    let first = client.query_measurements(request.clone()).await.unwrap().into_inner();
    assert_eq!(first.series.len(), 4);
    request.page_token = first.next_page_token;
    let second = client.query_measurements(request.clone()).await.unwrap().into_inner();
    assert_eq!((second.series.len(), second.next_page_token.as_str()), (2, ""));
    let mut all: Vec<_> = first.series.iter().chain(&second.series).map(|one| (&one.object, &one.metric)).collect();
    all.dedup();
    assert_eq!(all.len(), 6);
    request.metrics = metrics(&["vm.cpu.time"]);
    let refused = client.query_measurements(request).await.unwrap_err();
    assert_eq!(reason(&refused), "INVALID_PAGE_TOKEN");
    let filtered = v1::QueryMeasurementsRequest {
        filter: "display_name = web-2".to_owned(),
        metrics: metrics(&["vm.cpu.time"]),
        ..Default::default()
    };
    let series = client.query_measurements(filtered).await.unwrap().into_inner().series;
    assert_eq!(series.iter().map(|one| one.object_label.as_str()).collect::<Vec<_>>(), ["web-2"]);
}

#[tokio::test]
async fn wrong_questions_are_told_with_their_field() {
    let (server, _fake) = measured().await;
    let mut client = server.performance().await;
    let good = v1::QueryMeasurementsRequest { metrics: metrics(&["vm.cpu.time"]), ..Default::default() };
    let wrong = [
        v1::QueryMeasurementsRequest { metrics: metrics(&["vm.nothing"]), ..good.clone() },
        v1::QueryMeasurementsRequest { objects: vec!["alarms/1".into()], ..good.clone() },
        v1::QueryMeasurementsRequest { granularity_seconds: 7, ..good.clone() },
        v1::QueryMeasurementsRequest { begin_time: at(1), ..good.clone() },
        v1::QueryMeasurementsRequest { granularity_seconds: 10, begin_time: at(1), ..good.clone() },
    ];
    for request in wrong {
        let refused = client.query_measurements(request.clone()).await.unwrap_err();
        assert_eq!(
            (refused.code(), reason(&refused).as_str()),
            (Code::InvalidArgument, "INVALID_FIELD"),
            "{request:?}"
        );
    }
    let root = v1::QueryMeasurementsRequest { roots: vec!["hosts/nowhere".into()], ..good };
    assert_eq!(reason(&client.query_measurements(root).await.unwrap_err()), "HOST_NOT_FOUND");
}

#[tokio::test]
async fn history_has_least_greatest_and_why_it_must_be_used_with_care() {
    let (server, fake) = measured().await;
    fake.close(1, 0, 20.0);
    fake.close(1, 2, 40.0);
    let mut client = server.performance().await;
    let request = v1::QueryMeasurementsRequest {
        objects: vec![vm(1).to_string()],
        metrics: metrics(&["vm.cpu.usage"]),
        granularity_seconds: 60,
        begin_time: at(0),
        end_time: at(300),
        ..Default::default()
    };
    let series = client.query_measurements(request).await.unwrap().into_inner().series;
    let points = &series[0].points;
    assert_eq!(points.len(), 2, "a period that was not measured is not there");
    assert_eq!((points[0].min, points[0].max, points[0].samples), (Some(19.0), Some(21.0), 6));
    assert_eq!(points[0].suspect_reasons, [i32::from(v1::SuspectReason::LateStart)]);
    assert_eq!((points[1].start_time, points[1].time), (at(120), at(180)));
}

async fn next(stream: &mut Streaming<v1::WatchMeasurementsResponse>) -> Message {
    let message = tokio::time::timeout(Duration::from_secs(20), stream.message()).await.expect("in time");
    message.unwrap().expect("the stream goes on").message.unwrap()
}

async fn watch(server: &TestServer, request: v1::WatchMeasurementsRequest) -> Streaming<v1::WatchMeasurementsResponse> {
    server.performance().await.watch_measurements(request).await.unwrap().into_inner()
}

fn values(message: &Message) -> Vec<(String, Option<Outcome>)> {
    let Message::Update(update) = message else { panic!("{message:?}") };
    update.series.iter().map(|one| (one.object_label.clone(), one.points[0].result)).collect()
}

#[tokio::test]
async fn a_stream_of_readings_begins_with_a_snapshot_and_goes_on() {
    let (server, fake) = measured().await;
    let request = v1::WatchMeasurementsRequest { metrics: metrics(&["vm.cpu.usage"]), ..Default::default() };
    let mut stream = watch(&server, request).await;
    let Message::Started(started) = next(&mut stream).await else { panic!("started is first") };
    assert!(started.snapshot_follows && started.head.unwrap().epoch.starts_with('m'));
    assert_eq!(values(&next(&mut stream).await).len(), 3);
    let Message::SyncComplete(complete) = next(&mut stream).await else { panic!("the snapshot ends") };
    assert_eq!(complete.object_count, 3);
    fake.sample(2, 110, 6_000_000_000, 99.0);
    assert_eq!(values(&next(&mut stream).await), [("web-2".to_owned(), Some(Outcome::DoubleValue(99.0)))]);
}

#[tokio::test]
async fn on_change_tells_only_what_differs() {
    let (server, fake) = measured().await;
    let request = v1::WatchMeasurementsRequest {
        objects: vec![vm(1).to_string()],
        metrics: metrics(&["vm.cpu.usage"]),
        mode: Mode::OnChange.into(),
        ..Default::default()
    };
    let mut stream = watch(&server, request).await;
    for _ in 0..3 {
        next(&mut stream).await;
    }
    fake.sample(1, 110, 6_000_000_000, 12.5);
    fake.sample(1, 120, 7_000_000_000, 50.0);
    assert_eq!(values(&next(&mut stream).await), [("web-1".to_owned(), Some(Outcome::DoubleValue(50.0)))]);
}

#[tokio::test]
async fn a_stream_of_periods_gets_from_history_what_it_missed() {
    let (server, fake) = measured().await;
    fake.close(1, 0, 10.0);
    fake.close(1, 1, 20.0);
    let request = v1::WatchMeasurementsRequest {
        metrics: metrics(&["vm.cpu.usage"]),
        mode: Mode::Periods.into(),
        granularity_seconds: 60,
        since: at(60),
        ..Default::default()
    };
    let mut stream = watch(&server, request.clone()).await;
    let Message::Started(started) = next(&mut stream).await else { panic!("started is first") };
    assert!(!started.snapshot_follows);
    assert_eq!(values(&next(&mut stream).await), [("web-1".to_owned(), Some(Outcome::DoubleValue(20.0)))]);
    assert!(matches!(next(&mut stream).await, Message::SyncComplete(_)));
    fake.close(1, 2, 30.0);
    assert_eq!(values(&next(&mut stream).await), [("web-1".to_owned(), Some(Outcome::DoubleValue(30.0)))]);
    let resumed = v1::StreamOptions { resume_after: Some(v1::StreamPosition::default()), ..Default::default() };
    let resumed = v1::WatchMeasurementsRequest { options: Some(resumed), ..request };
    let refused = server.performance().await.watch_measurements(resumed).await.unwrap_err();
    assert_eq!(reason(&refused), "INVALID_FIELD");
}

#[tokio::test]
async fn a_stream_that_lags_is_told_and_gets_the_newest() {
    let (server, fake) = measured().await;
    let request = v1::WatchMeasurementsRequest {
        objects: vec![vm(1).to_string()],
        metrics: metrics(&["vm.cpu.usage"]),
        ..Default::default()
    };
    let mut stream = watch(&server, request).await;
    for _ in 0..3 {
        next(&mut stream).await;
    }
    // More than wait in the fake and on the way: the client takes none of it before the last is sent.
    for second in 0..5_000_u32 {
        fake.sample(1, u64::from(200 + second), 1, f64::from(second));
    }
    let mut lagged = false;
    loop {
        match next(&mut stream).await {
            Message::Lagged(message) => lagged = message.snapshot_follows && message.skipped_count > 0,
            Message::Update(update) if update.series[0].points[0].result == Some(Outcome::DoubleValue(4_999.0)) => {
                break;
            }
            _ => {}
        }
    }
    assert!(lagged);
}

#[tokio::test]
async fn a_stream_ends_with_the_daemon_and_says_so() {
    let (server, _fake) = measured().await;
    let request = v1::WatchMeasurementsRequest { metrics: metrics(&["vm.cpu.usage"]), ..Default::default() };
    let mut stream = watch(&server, request).await;
    for _ in 0..3 {
        next(&mut stream).await;
    }
    server.stop.cancel();
    let Message::Closing(closing) = next(&mut stream).await else { panic!("closing is last") };
    assert_eq!(closing.reason(), v1::stream_closing::Reason::Shutdown);
    assert_eq!(stream.message().await.unwrap_err().code(), Code::Unavailable);
}

fn job(names: &[&str]) -> v1::CreateMeasurementJobRequest {
    v1::CreateMeasurementJobRequest {
        measurement_job_id: "night".to_owned(),
        measurement_job: Some(v1::MeasurementJob {
            metrics: metrics(names),
            scope: Some(v1::MeasurementScope { roots: vec!["cluster".to_owned()], ..Default::default() }),
            reporting_seconds: 3_600,
            ..Default::default()
        }),
        ..Default::default()
    }
}

#[tokio::test]
async fn a_job_takes_what_it_can_and_says_what_not() {
    let (server, _fake) = measured().await;
    let mut client = server.performance().await;
    let request = v1::CreateMeasurementJobRequest { validate_only: true, ..job(&["vm.cpu.usage", "vm.memory.rss"]) };
    let checked = client.create_measurement_job(request).await.unwrap().into_inner();
    assert_eq!((checked.series_count, checked.unsupported.len()), (3, 3));
    let gone = client.get_measurement_job(v1::GetMeasurementJobRequest { name: "measurementJobs/night".into() }).await;
    assert_eq!(reason(&gone.unwrap_err()), "MEASUREMENT_JOB_NOT_FOUND", "it was only checked");
    let made = client.create_measurement_job(job(&["vm.cpu.usage", "vm.memory.rss"])).await.unwrap().into_inner();
    assert_eq!(made.unsupported[0].reason(), v1::AbsentReason::Unsupported);
    assert_eq!(
        (made.unsupported[0].object.as_str(), made.unsupported[0].metric.as_str()),
        (vm(1).as_str(), "vm.memory.rss")
    );
    let made = made.measurement_job.unwrap();
    assert_eq!((made.name.as_str(), made.granularity_seconds), ("measurementJobs/night", 900));
    let again = client.create_measurement_job(job(&["vm.cpu.usage"])).await.unwrap_err();
    assert_eq!((again.code(), reason(&again).as_str()), (Code::AlreadyExists, "MEASUREMENT_JOB_EXISTS"));
    let nothing = v1::CreateMeasurementJobRequest { measurement_job_id: "none".into(), ..job(&["vm.memory.rss"]) };
    assert_eq!(client.create_measurement_job(nothing).await.unwrap_err().code(), Code::InvalidArgument);
}

#[tokio::test]
async fn a_job_is_changed_suspended_listed_and_deleted() {
    let (server, _fake) = measured().await;
    let mut client = server.performance().await;
    let made =
        client.create_measurement_job(job(&["vm.cpu.usage"])).await.unwrap().into_inner().measurement_job.unwrap();
    let changed = v1::UpdateMeasurementJobRequest {
        measurement_job: Some(v1::MeasurementJob {
            name: made.name.clone(),
            description: "at night".into(),
            ..Default::default()
        }),
        update_mask: Some(prost_types::FieldMask { paths: vec!["description".into()] }),
        ..Default::default()
    };
    let changed = client.update_measurement_job(changed).await.unwrap().into_inner().measurement_job.unwrap();
    assert_eq!((changed.description.as_str(), changed.reporting_seconds), ("at night", 3_600));
    let wrong = v1::UpdateMeasurementJobRequest {
        measurement_job: Some(changed.clone()),
        update_mask: Some(prost_types::FieldMask { paths: vec!["uid".into()] }),
        ..Default::default()
    };
    assert_eq!(reason(&client.update_measurement_job(wrong).await.unwrap_err()), "IMMUTABLE_FIELD");
    let name = made.name.clone();
    let suspended = v1::SuspendMeasurementJobRequest { name: name.clone(), ..Default::default() };
    let suspended = client.suspend_measurement_job(suspended).await.unwrap().into_inner();
    assert_eq!(suspended.administrative_state(), v1::AdministrativeState::Locked);
    let resumed = v1::ResumeMeasurementJobRequest { name: name.clone(), ..Default::default() };
    let resumed = client.resume_measurement_job(resumed).await.unwrap().into_inner();
    assert_eq!(resumed.administrative_state(), v1::AdministrativeState::Unlocked);
    let list = client.list_measurement_jobs(v1::ListMeasurementJobsRequest::default()).await.unwrap().into_inner();
    assert_eq!((list.total_size, list.measurement_jobs.len()), (1, 1));
    client
        .delete_measurement_job(v1::DeleteMeasurementJobRequest { name: name.clone(), ..Default::default() })
        .await
        .unwrap();
    let again = client.delete_measurement_job(v1::DeleteMeasurementJobRequest { name, ..Default::default() }).await;
    assert_eq!(reason(&again.unwrap_err()), "MEASUREMENT_JOB_NOT_FOUND");
}

#[tokio::test]
async fn beyond_the_capacity_the_number_that_would_fit_is_told() {
    let (server, fake) = measured().await;
    *fake.room.lock().unwrap() = 0;
    let refused = server.performance().await.create_measurement_job(job(&["vm.cpu.usage"])).await.unwrap_err();
    assert_eq!((refused.code(), reason(&refused).as_str()), (Code::ResourceExhausted, "INSUFFICIENT_CAPACITY"));
    use tonic_types::StatusExt;
    let facts = refused.get_details_error_info().unwrap().metadata;
    assert_eq!((facts["fitting"].as_str(), facts["limit"].as_str()), ("0", "1000"));
}

#[tokio::test]
async fn a_monitor_has_levels_that_get_worse() {
    let (server, _fake) = measured().await;
    let mut client = server.performance().await;
    let level = |value, severity: v1::Severity| v1::ThresholdLevel { value, severity: severity.into() };
    let monitor = |levels| v1::CreateThresholdMonitorRequest {
        threshold_monitor_id: "hot".to_owned(),
        threshold_monitor: Some(v1::ThresholdMonitor {
            metric: "vm.cpu.usage".to_owned(),
            scope: Some(v1::MeasurementScope { objects: vec![vm(1).to_string()], ..Default::default() }),
            levels,
            hysteresis: 5.0,
            ..Default::default()
        }),
        ..Default::default()
    };
    let (minor, major) = (v1::Severity::Minor, v1::Severity::Major);
    for wrong in [vec![], vec![level(90.0, major), level(95.0, minor)], vec![level(95.0, minor), level(90.0, major)]] {
        let refused = client.create_threshold_monitor(monitor(wrong)).await.unwrap_err();
        assert_eq!(reason(&refused), "INVALID_FIELD");
    }
    let good = monitor(vec![level(90.0, minor), level(95.0, major)]);
    let made = client.create_threshold_monitor(good).await.unwrap().into_inner();
    assert_eq!(made.series_count, 1);
    let made = made.threshold_monitor.unwrap();
    assert_eq!((made.direction(), made.granularity_seconds), (v1::ThresholdDirection::Up, 60));
}

#[tokio::test]
async fn viewers_read_and_change_nothing() {
    let (server, _fake) = measured().await;
    let channel = server.viewer_channel().await;
    let mut client = v1::performance_service_client::PerformanceServiceClient::new(channel);
    assert!(client.list_measurement_jobs(v1::ListMeasurementJobsRequest::default()).await.is_ok());
    assert_eq!(client.create_measurement_job(job(&["vm.cpu.usage"])).await.unwrap_err().code(), Code::PermissionDenied);
}

#[tokio::test]
async fn reports_are_listed_and_come_in_every_form() {
    let (server, _fake) = measured().await;
    let mut client = server.performance().await;
    let made =
        client.create_measurement_job(job(&["vm.cpu.usage"])).await.unwrap().into_inner().measurement_job.unwrap();
    let request = v1::ListMeasurementReportsRequest { parent: made.name, page_size: 2, ..Default::default() };
    let page = client.list_measurement_reports(request).await.unwrap().into_inner();
    assert_eq!(page.measurement_reports.len(), 2);
    assert!(!page.next_page_token.is_empty());
    let report = &page.measurement_reports[0];
    assert_eq!(report.end_time.unwrap().seconds - report.begin_time.unwrap().seconds, 3_600);
    for (format, word) in [
        (v1::MeasurementReportFormat::MeasDataXml, "MeasDataXml of night"),
        (v1::MeasurementReportFormat::Csv, "Csv of night"),
    ] {
        let request = v1::GetMeasurementReportRequest { name: report.name.clone(), format: format.into() };
        let mut pieces = client.get_measurement_report(request).await.unwrap().into_inner();
        let head = pieces.message().await.unwrap().unwrap();
        assert_eq!(head.measurement_report.unwrap().name, report.name);
        let text = String::from_utf8(pieces.message().await.unwrap().unwrap().data).unwrap();
        assert!(text.starts_with(word), "{text}");
    }
}

#[tokio::test]
async fn a_report_for_people_has_columns_first_and_null_for_what_is_not_known() {
    let (server, _fake) = measured().await;
    let mut client = server.performance().await;
    let request = v1::GenerateReportRequest {
        kind: v1::ReportKind::Availability.into(),
        begin_time: at(0),
        end_time: at(3_600),
        ..Default::default()
    };
    let mut pieces = client.generate_report(request.clone()).await.unwrap().into_inner();
    let columns = pieces.message().await.unwrap().unwrap().columns;
    assert_eq!(columns.iter().map(|column| column.name.as_str()).collect::<Vec<_>>(), ["object", "up_seconds", "x"]);
    let rows = pieces.message().await.unwrap().unwrap().rows;
    let kinds: Vec<_> = rows[0].cells.iter().map(|cell| cell.kind.clone().unwrap()).collect();
    assert_eq!(kinds[1], prost_types::value::Kind::NumberValue(3_600.0));
    assert_eq!(kinds[2], prost_types::value::Kind::NullValue(0));
    let wrong = v1::GenerateReportRequest { kind: 0, ..request };
    assert_eq!(client.generate_report(wrong).await.unwrap_err().code(), Code::InvalidArgument);
}
