//! Sinks on the machine itself: commands, and the journal; and the Prometheus rule where promtool is.

use crate::common::{skip_because, wait_until};
use crate::deliveries::{Place, run};
use crate::source::{Source, name};
use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;
use tokio::net::UnixDatagram;
use vrm::notify::{ExecConfig, Filter, JournalConfig, SinkConfig, SinkKind};
use vrm::telemetry::message_id;

fn exec(script: &Path, timeout: Duration) -> SinkConfig {
    let command = vec![script.display().to_string(), "an argument".into()];
    let kind = SinkKind::Exec(ExecConfig { command, timeout });
    SinkConfig { name: "pager".into(), filter: Filter::default(), delay: Duration::ZERO, kind }
}

fn script(place: &Place, text: &str) -> PathBuf {
    let path = place.file("page-me", &format!("#!/bin/sh\n{text}\n"));
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
    path
}

#[tokio::test(flavor = "multi_thread")]
async fn a_command_gets_each_change_on_its_input_and_a_failed_one_again() {
    let place = Place::new();
    let mut source = Source::open(place.path());
    let told = place.path().join("told");
    let failed = place.path().join("failed");
    let text = format!(
        "[ -e {failed} ] || {{ touch {failed}; echo 'no line' >&2; exit 1; }}\n{{ echo \"$VRM_EVENT $1\"; cat; echo; }} >> {told}",
        failed = failed.display(),
        told = told.display()
    );
    let running = run(&source, place.path(), vec![exec(&script(&place, &text), Duration::from_secs(10))]);
    source.raise(1).await;
    source.clear(1).await;
    let lines = || std::fs::read_to_string(&told).unwrap_or_default().lines().count();
    wait_until("two runs", || lines() == 4).await;
    assert!(running.handle.health()[0].last_error.contains("no line"), "{:?}", running.handle.health());
    running.end().await;
    let text = std::fs::read_to_string(&told).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!((lines[0], lines[2]), ("RAISED an argument", "CLEARED an argument"));
    let change: serde_json::Value = serde_json::from_str(lines[1]).unwrap();
    assert_eq!(change["alarm"]["name"], name(1).as_str());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_command_that_hangs_is_killed() {
    let place = Place::new();
    let mut source = Source::open(place.path());
    let sink = exec(&script(&place, "exec sleep 1000"), Duration::from_millis(300));
    let running = run(&source, place.path(), vec![sink]);
    source.raise(1).await;
    wait_until("a failure", || running.handle.health()[0].failing_since.is_some()).await;
    assert!(running.handle.health()[0].last_error.contains("killed"), "{:?}", running.handle.health());
    running.end().await;
}

/// Fields of a datagram in journald's native protocol.
fn fields(mut datagram: &[u8]) -> BTreeMap<String, String> {
    let mut fields = BTreeMap::new();
    while !datagram.is_empty() {
        let end = datagram.iter().position(|byte| *byte == b'\n').unwrap();
        let line = String::from_utf8(datagram[..end].to_vec()).unwrap();
        datagram = &datagram[end + 1..];
        if let Some((field, value)) = line.split_once('=') {
            fields.insert(field.to_owned(), value.to_owned());
        } else {
            let length = usize::try_from(u64::from_le_bytes(datagram[..8].try_into().unwrap())).unwrap();
            fields.insert(line, String::from_utf8(datagram[8..8 + length].to_vec()).unwrap());
            datagram = &datagram[8 + length + 1..];
        }
    }
    fields
}

#[tokio::test(flavor = "multi_thread")]
async fn every_state_change_becomes_a_journal_record() {
    let place = Place::new();
    let socket = place.path().join("journal.sock");
    let kind = SinkKind::Journal(JournalConfig { socket: socket.clone() });
    let sink = SinkConfig { name: "journal".into(), filter: Filter::default(), delay: Duration::ZERO, kind };
    let mut source = Source::open(place.path());
    // journald is away at first: nothing is lost by that.
    let running = run(&source, place.path(), vec![sink.clone()]);
    source.raise(1).await;
    wait_until("a try in vain", || running.handle.health()[0].failing_since.is_some()).await;
    running.end().await;
    let journald = UnixDatagram::bind(&socket).unwrap();
    let running = run(&source, place.path(), vec![sink]);
    let mut alarm = crate::source::alarm(2);
    alarm.text = "two\nlines".into();
    source.put(2, alarm).await;
    source.clear(1).await;
    let mut records = Vec::new();
    let mut buffer = vec![0; 65_536];
    while records.len() < 3 {
        let received = tokio::time::timeout(Duration::from_secs(20), journald.recv(&mut buffer)).await;
        records.push(fields(&buffer[..received.unwrap().unwrap()]));
    }
    running.end().await;
    let field = |record: usize, field: &str| records[record].get(field).cloned().unwrap_or_default();
    assert_eq!(field(0, "MESSAGE"), "major vmCrashed raised at web-1: QEMU ended by signal 9");
    assert_eq!(field(0, "MESSAGE_ID"), message_id("vmCrashed").simple().to_string());
    assert_eq!(field(0, "PRIORITY"), "3");
    assert_eq!(field(0, "VRM_ALARM"), name(1).id());
    assert_eq!(field(0, "VRM_ALARM_TYPE"), "vmCrashed");
    assert!(field(0, "VRM_OBJECT").starts_with("virtualMachines/"));
    assert_eq!((field(0, "VRM_SEVERITY"), field(0, "VRM_STATE")), ("major".into(), "active".into()));
    assert_eq!(field(1, "MESSAGE"), "major vmCrashed raised at web-2: two\nlines");
    assert_eq!((field(2, "VRM_STATE"), field(2, "VRM_TRANSITION")), ("cleared".into(), "cleared".into()));
    assert_eq!(field(2, "PRIORITY"), "6");
}

/// A message id is written into other people's catalogues: it must never change.
#[test]
fn message_ids_are_stable() {
    assert_eq!(message_id("vmCrashed").simple().to_string(), "34195809527b5553aed7555a0012cf31");
}

#[test]
fn the_prometheus_rule_does_what_it_says() {
    let Some(promtool) = program("VRM_TEST_PROMTOOL", "promtool") else {
        return skip_because("promtool (Debian package prometheus) is not installed");
    };
    let rules = Path::new(env!("CARGO_MANIFEST_DIR")).join("packaging/prometheus");
    let output =
        Command::new(promtool).args(["test", "rules", "vrm.rules.test.yml"]).current_dir(rules).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
}

/// A program named by the environment or found in the path.
pub fn program(variable: &str, name: &str) -> Option<PathBuf> {
    if let Some(path) = std::env::var_os(variable) {
        return Some(path.into());
    }
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|directory| directory.join(name)).find(|path| path.exists())
}
