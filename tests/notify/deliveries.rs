//! What each kind of sink delivers, and when.

use crate::common::wait_until;
use crate::recorder::Recorder;
use crate::source::{Source, name, now};
use axum::http::StatusCode;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio_util::sync::CancellationToken;
use vrm::export::Reporter;
use vrm::model::PerceivedSeverity;
use vrm::notify::{
    self, AlertmanagerConfig, Endpoint, Filter, NotifyConfig, NotifyHandle, SinkConfig, SinkKind, WebhookConfig,
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

pub fn run(source: &Source, directory: &Path, sinks: Vec<SinkConfig>) -> Running {
    let stop = CancellationToken::new();
    let reporter = Reporter { vrm_id: "v".into(), dn: "VRM=v".into() };
    let config = NotifyConfig::new(reporter, sinks);
    let handle = notify::start(config, &source.log, directory, None, &stop).unwrap();
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

fn events(recorder: &Recorder) -> Vec<(String, String)> {
    recorder.changes().into_iter().map(|(alarm, event, _)| (alarm, event)).collect()
}

fn told(number: u128, event: &str) -> (String, String) {
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
