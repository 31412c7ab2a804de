//! Alertmanager sinks: against a recorder, and against Debian's Alertmanager where it is installed.

use crate::common::{PATIENCE, skip_because, wait_for, wait_until};
use crate::deliveries::{Place, endpoint, run};
use crate::local::program;
use crate::recorder::Recorder;
use crate::source::Source;
use serde_json::Value;
use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;
use tokio::process::{Child, Command};
use vrm::model::PerceivedSeverity;
use vrm::model::alarm::AlarmTransition;
use vrm::notify::{AlertmanagerConfig, Filter, SinkConfig, SinkKind};

fn sink(address: SocketAddr, resend: Duration) -> SinkConfig {
    let kind = SinkKind::Alertmanager(AlertmanagerConfig { endpoint: endpoint(address), resend });
    SinkConfig { name: "alertmanager".into(), filter: Filter::default(), delay: Duration::ZERO, kind }
}

fn alerts(recorder: &Recorder) -> Vec<Value> {
    let batches = recorder.taken().into_iter().map(|request| {
        assert_eq!(request.path, "/api/v2/alerts");
        request.json()
    });
    batches.flat_map(|batch| batch.as_array().unwrap().clone()).collect()
}

fn is_over(alert: &Value) -> bool {
    let now = crate::source::now().to_string();
    alert["endsAt"].as_str().unwrap() <= now.as_str()
}

#[tokio::test(flavor = "multi_thread")]
async fn alerts_are_told_again_follow_the_severity_and_end() {
    let place = Place::new();
    let (recorder, address) = Recorder::start().await;
    let mut source = Source::open(place.path());
    let running = run(&source, place.path(), vec![sink(address, Duration::from_millis(200))]);
    source.raise(1).await;
    wait_until("it to be told again", || alerts(&recorder).len() >= 3).await;
    let first = alerts(&recorder)[0].clone();
    assert_eq!(first["labels"]["alertname"], "vmCrashed");
    assert_eq!(first["labels"]["severity"], "major");
    assert!(!is_over(&first), "{first}");
    let critical = |alarm: &mut vrm::model::Alarm| alarm.perceived_severity = PerceivedSeverity::Critical;
    source.edit(1, AlarmTransition::SeverityChanged, critical).await;
    let told = |severity: &str, over: bool| {
        alerts(&recorder).iter().any(|alert| alert["labels"]["severity"] == severity && is_over(alert) == over)
    };
    wait_until("the end of the former and the new one", || told("major", true) && told("critical", false)).await;
    source.clear(1).await;
    wait_until("the end", || told("critical", true)).await;
    running.end().await;
    let last = alerts(&recorder).pop().unwrap();
    assert!(is_over(&last) && last["labels"]["severity"] == "critical", "{last}");
}

/// Routes every alert by itself to the recorder, at once.
fn configuration(receiver: SocketAddr) -> String {
    format!(
        "route:\n  receiver: recorder\n  group_by: ['...']\n  group_wait: 10ms\n  group_interval: 1s\n  \
         repeat_interval: 1h\nreceivers:\n  - name: recorder\n    webhook_configs:\n      - url: http://{receiver}/\n        \
         send_resolved: true\n"
    )
}

fn spawn(program: &Path, place: &Place, configuration: &Path, address: SocketAddr) -> Child {
    Command::new(program)
        .arg(format!("--config.file={}", configuration.display()))
        .arg(format!("--storage.path={}", place.path().join("alertmanager").display()))
        .arg(format!("--web.listen-address={address}"))
        .arg("--cluster.listen-address=")
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .unwrap()
}

/// Names of the objects that the Alertmanager notified its receiver of with this status.
fn notified(recorder: &Recorder, status: &str) -> BTreeSet<String> {
    let notifications = recorder.taken().into_iter().map(|request| request.json());
    let alerts = notifications.flat_map(|notification| notification["alerts"].as_array().unwrap().clone());
    let wanted = alerts.filter(|alert| alert["status"] == status);
    wanted.map(|alert| alert["labels"]["name"].as_str().unwrap().to_owned()).collect()
}

async fn all_notified(recorder: &Recorder, status: &str, count: usize) {
    let all = async || (notified(recorder, status).len() == count).then_some(());
    wait_for(&format!("{count} alerts {status}"), 2 * PATIENCE, all).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn debians_alertmanager_notifies_every_raise_and_every_resolve() {
    let Some(program) = program("VRM_TEST_ALERTMANAGER", "prometheus-alertmanager") else {
        return skip_because("prometheus-alertmanager (Debian package of that name) is not installed");
    };
    let place = Place::new();
    let (recorder, receiver) = Recorder::start().await;
    let configuration = place.file("alertmanager.yml", &configuration(receiver));
    // A port that is free now: the Alertmanager comes later, and again after it was killed.
    let address = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let mut source = Source::open(place.path());
    let running = run(&source, place.path(), vec![sink(address, Duration::from_secs(1))]);
    for number in 1..=200 {
        source.raise(number).await;
    }
    wait_until("tries in vain", || running.handle.health()[0].failing_since.is_some()).await;
    let mut first = spawn(&program, &place, &configuration, address);
    all_notified(&recorder, "firing", 200).await;
    for number in 1..=100 {
        source.clear(number).await;
    }
    all_notified(&recorder, "resolved", 100).await;
    first.kill().await.unwrap();

    // It keeps alerts in memory only: what is active comes again because it is told again.
    let before = recorder.taken().len();
    let _second = spawn(&program, &place, &configuration, address);
    wait_until("the rest to fire again", || recorder.taken().len() >= before + 100).await;
    for number in 101..=200 {
        source.clear(number).await;
    }
    all_notified(&recorder, "resolved", 200).await;
    running.end().await;
}
