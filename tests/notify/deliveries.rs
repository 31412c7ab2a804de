//! What each kind of sink delivers, and when.

use crate::common::wait_until;
use crate::recorder::Recorder;
use crate::source::{Source, alarm, name};
use axum::http::StatusCode;
use serde_json::Value;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio_util::sync::CancellationToken;
use vrm::export::Reporter;
use vrm::model::alarm::{Alarm, AlarmTransition, Shelving, Suppression};
use vrm::model::{Name, PerceivedSeverity};
use vrm::notify::{
    self, Endpoint, Filter, NotifyConfig, NotifyHandle, SinkConfig, SinkHealth, SinkKind, SinkObserver, WebhookConfig,
};

pub fn endpoint(address: SocketAddr) -> Endpoint {
    Endpoint { url: format!("http://{address}"), ca_file: None, token_file: None, timeout: Duration::from_secs(5) }
}

pub fn webhook(address: SocketAddr) -> SinkConfig {
    let kind = SinkKind::Webhook(WebhookConfig { endpoint: endpoint(address), secret_file: None });
    SinkConfig { name: "noc".into(), filter: Filter::default(), delay: Duration::ZERO, kind }
}

/// Sinks over a source, ended with the test.
pub struct Running {
    pub handle: NotifyHandle,
    pub stop: CancellationToken,
}

fn config(sinks: Vec<SinkConfig>) -> NotifyConfig {
    NotifyConfig::new(Reporter { vrm_id: "v".into(), dn: "VRM=v".into() }, sinks)
}

pub fn run(source: &Source, directory: &Path, sinks: Vec<SinkConfig>) -> Running {
    let stop = CancellationToken::new();
    let handle = notify::start(config(sinks), &source.log, directory, None, &stop).unwrap();
    Running { handle, stop }
}

impl Running {
    pub async fn end(self) {
        self.stop.cancel();
        self.handle.stopped().await;
    }
}

pub struct Place(tempfile::TempDir);

impl Place {
    pub fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    pub fn path(&self) -> &Path {
        self.0.path()
    }

    pub fn file(&self, name: &str, content: &str) -> PathBuf {
        let path = self.path().join(name);
        std::fs::write(&path, content).unwrap();
        path
    }
}

pub fn events(recorder: &Recorder) -> Vec<(String, String)> {
    recorder.changes().into_iter().map(|(alarm, event, _)| (alarm, event)).collect()
}

pub fn told(number: u128, event: &str) -> (String, String) {
    (name(number).to_string(), event.to_owned())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_webhook_is_told_of_raise_and_resolve_signed_and_goes_on_where_it_stopped() {
    let place = Place::new();
    let (recorder, address) = Recorder::start().await;
    let mut source = Source::open(place.path());
    let mut sink = webhook(address);
    let secret_file = Some(place.file("secret", "s3cret\n"));
    sink.kind = SinkKind::Webhook(WebhookConfig { endpoint: endpoint(address), secret_file });
    let running = run(&source, place.path(), vec![sink.clone()]);
    source.raise(1).await;
    source.raise(2).await;
    source.clear(1).await;
    wait_until("three changes", || recorder.taken().len() == 3).await;
    assert_eq!(events(&recorder), [told(1, "RAISED"), told(2, "RAISED"), told(1, "CLEARED")]);
    running.end().await;

    source.clear(2).await;
    let running = run(&source, place.path(), vec![sink]);
    wait_until("the fourth change", || recorder.taken().len() == 4).await;
    assert_eq!(events(&recorder)[3], told(2, "CLEARED"));
    running.end().await;

    let request = &recorder.taken()[0];
    let signed = format!("{}.{}", request.header("x-vrm-timestamp"), request.body);
    let key = ring::hmac::Key::new(ring::hmac::HMAC_SHA256, b"s3cret");
    let hex: String = ring::hmac::sign(&key, signed.as_bytes()).as_ref().iter().map(|b| format!("{b:02x}")).collect();
    assert_eq!(request.header("x-vrm-signature"), format!("sha256={hex}"));
    assert_eq!(request.json()["alarm"]["alarmType"], "vmCrashed");
    assert_eq!(request.json()["alarm"]["perceivedSeverity"], "MAJOR");
}

fn sink(recorder: SocketAddr, filter: Filter, delay: Duration) -> SinkConfig {
    SinkConfig { filter, delay, ..webhook(recorder) }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sink_is_told_of_what_passes_its_filter_and_of_its_withdrawal() {
    let place = Place::new();
    let (recorder, address) = Recorder::start().await;
    let mut source = Source::open(place.path());
    let filter = Filter {
        minimum_severity: PerceivedSeverity::Major,
        roots_only: true,
        alarm_types: vec!["vmCrashed".into()],
        everything: false,
    };
    let running = run(&source, place.path(), vec![sink(address, filter, Duration::ZERO)]);
    source.raise(1).await;
    source.put(2, Alarm { perceived_severity: PerceivedSeverity::Minor, ..alarm(2) }).await;
    source.put(3, Alarm { root: false, ..alarm(3) }).await;
    source.put(4, Alarm { alarm_type: "vmRebooted".into(), ..alarm(4) }).await;
    source.raise(5).await;
    source.edit(2, AlarmTransition::SeverityChanged, |alarm| alarm.perceived_severity = PerceivedSeverity::Major).await;
    source.edit(1, AlarmTransition::Correlated, |alarm| alarm.root = false).await;
    let shelf = Shelving { shelf: Name::alarm_shelf("night"), expire_time: None };
    source.edit(2, AlarmTransition::Shelved, |alarm| alarm.shelved = Some(shelf)).await;
    let lock = Suppression { by: Name::new("hosts/kvm-07"), reason: "maintenance".into() };
    source.edit(5, AlarmTransition::Suppressed, |alarm| alarm.suppressed_by = Some(lock)).await;
    source.edit(5, AlarmTransition::Unsuppressed, |alarm| alarm.suppressed_by = None).await;
    source.edit(5, AlarmTransition::Commented, |_| ()).await;
    source.clear(3).await;
    source.clear(5).await;
    source.remove(5).await;
    wait_until("the last clear", || events(&recorder).last() == Some(&told(5, "CLEARED"))).await;
    running.end().await;
    assert_eq!(
        events(&recorder),
        [
            told(1, "RAISED"),
            told(5, "RAISED"),
            told(2, "RAISED"),
            told(1, "CLEARED"),
            told(2, "CLEARED"),
            told(5, "CLEARED"),
            told(5, "RAISED"),
            told(5, "CHANGED"),
            told(5, "CLEARED"),
        ]
    );
    let reasons: Vec<Value> = recorder.taken().iter().map(|request| request.json()["reason"].clone()).collect();
    let reasons: Vec<&str> = reasons.iter().filter_map(Value::as_str).collect();
    assert_eq!(reasons, ["CORRELATED", "SHELVED", "SUPPRESSED", "CLEARED"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_over_within_the_delay_is_never_told_and_the_wait_survives_a_restart() {
    let place = Place::new();
    let (recorder, address) = Recorder::start().await;
    let mut source = Source::open(place.path());
    let config = sink(address, Filter::default(), Duration::from_secs(3));
    let running = run(&source, place.path(), vec![config.clone()]);
    source.raise(1).await;
    source.raise(2).await;
    source.clear(1).await;
    let waits = || std::fs::read_to_string(place.path().join("notify/noc.position")).unwrap().contains("\"waiting\"");
    wait_until("a stored wait", waits).await;
    running.end().await;
    let running = run(&source, place.path(), vec![config]);
    wait_until("the alarm that lasts", || !recorder.taken().is_empty()).await;
    assert_eq!(events(&recorder), [told(2, "RAISED")]);
    let raised = recorder.taken()[0].json()["alarm"]["raiseTime"].as_str().unwrap().to_owned();
    assert!(recorder.taken()[0].json()["sendTime"].as_str().unwrap() > raised.as_str());
    source.clear(2).await;
    wait_until("its end", || recorder.taken().len() == 2).await;
    running.end().await;
}

#[derive(Default)]
struct Watcher(Mutex<Vec<(bool, SinkHealth)>>);

impl SinkObserver for Watcher {
    fn failing(&self, health: &SinkHealth) {
        self.0.lock().unwrap().push((false, health.clone()));
    }

    fn recovered(&self, health: &SinkHealth) {
        self.0.lock().unwrap().push((true, health.clone()));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sink_that_fails_for_long_is_reported_and_so_is_its_recovery() {
    let place = Place::new();
    let (recorder, address) = Recorder::start().await;
    let mut source = Source::open(place.path());
    recorder.answer(Some(StatusCode::INTERNAL_SERVER_ERROR));
    let watcher = Arc::new(Watcher::default());
    let config = NotifyConfig { report_after: Duration::from_millis(1), ..config(vec![webhook(address)]) };
    let observer = Some(Arc::clone(&watcher) as Arc<dyn SinkObserver>);
    let stop = CancellationToken::new();
    let handle = notify::start(config, &source.log, place.path(), observer, &stop).unwrap();
    source.raise(1).await;
    wait_until("a report", || !watcher.0.lock().unwrap().is_empty()).await;
    let (_, health) = watcher.0.lock().unwrap()[0].clone();
    assert_eq!(health.name, "noc");
    assert!(health.failing_since.is_some() && health.last_error.contains("500"), "{health:?}");
    assert!(handle.figures()[0].is_failing());
    recorder.answer(None);
    wait_until("the recovery", || watcher.0.lock().unwrap().last().is_some_and(|(recovered, _)| *recovered)).await;
    wait_until("health", || handle.health()[0].failing_since.is_none()).await;
    assert_eq!(recorder.taken().len(), 1);
    stop.cancel();
    handle.stopped().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_that_is_refused_does_not_hold_up_the_others() {
    let place = Place::new();
    let (recorder, address) = Recorder::start().await;
    let mut source = Source::open(place.path());
    recorder.answer(Some(StatusCode::BAD_REQUEST));
    let running = run(&source, place.path(), vec![webhook(address)]);
    source.raise(1).await;
    wait_until("it to be given up", || running.handle.figures()[0].refused() == 1).await;
    recorder.answer(None);
    source.raise(2).await;
    wait_until("the next one", || events(&recorder) == [told(2, "RAISED")]).await;
    running.end().await;
}
