//! Third-party clients against the real daemon: Python's grpcio, buf and Prometheus, as integrators use them.
//!
//! `VRM_TEST_PYTHON` names a Python with `requirements.txt` installed, `VRM_TEST_BUF` the buf
//! binary of `package.json`; without them the tests say that they were skipped.
#![cfg(feature = "daemon")]
#![expect(clippy::unwrap_used, reason = "a test that cannot go on should stop where it is")]

mod page;

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

/// Longest wait for anything.
const PATIENCE: Duration = Duration::from_secs(60);

/// The daemon with two simulated hosts of four machines; ended when dropped.
struct Daemon {
    child: Child,
    directory: tempfile::TempDir,
    address: String,
}

impl Daemon {
    fn start() -> Self {
        Self::with_metrics("off")
    }

    /// With the OpenMetrics page at an address.
    fn with_page(page: std::net::SocketAddr) -> Self {
        Self::with_metrics(&page.to_string())
    }

    fn with_metrics(metrics: &str) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let mut child = Command::new(env!("CARGO_BIN_EXE_vrmd"))
            .args(["--host", "sim://?hosts=2&vms=4&churn=state&speed=60", "--insecure-loopback", "--metrics", metrics])
            .args(["--listen", "127.0.0.1:0", "--listen"])
            .arg(format!("unix:{}", directory.path().join("vrmd.sock").display()))
            .arg("--state-dir")
            .arg(directory.path().join("state"))
            .env_remove("NOTIFY_SOCKET")
            .env_remove("JOURNAL_STREAM")
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let address = address(&mut child);
        Self { child, directory, address }
    }

    fn socket(&self) -> PathBuf {
        self.directory.path().join("vrmd.sock")
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Reads the log until every host was read; answers the TCP address it names.
fn address(child: &mut Child) -> String {
    let mut address = None;
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
    let deadline = Instant::now() + PATIENCE;
    for line in lines.by_ref().map_while(Result::ok) {
        if let Some(at) = line.find("127.0.0.1:") {
            let found: String =
                line[at..].chars().take_while(|letter| !matches!(letter, '"' | '\u{1b}' | ' ')).collect();
            address = Some(found);
        }
        if line.contains("every host was read") {
            break;
        }
        assert!(Instant::now() < deadline, "not ready in time");
    }
    // The log must be read on, or the daemon would wait for room in the pipe.
    std::thread::spawn(move || lines.for_each(drop));
    address.expect("the daemon says where it listens")
}

fn tool(variable: &str) -> Option<PathBuf> {
    let path = std::env::var_os(variable).map(PathBuf::from).filter(|path| path.exists());
    if path.is_none() {
        eprintln!("skipped: {variable} names no program");
    }
    path
}

fn checked(what: &str, output: &Output) -> String {
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{what}: {}\n{out}\n{err}", output.status);
    out.into_owned()
}

/// Reports that a host is down, over the socket, where this user may.
fn report(daemon: &Daemon, buf: &Path) {
    let data = "{\"alarmType\": \"hostMemoryEccUncorrected\", \"object\": \"hosts/sim-1\", \"active\": true}";
    let output = Command::new(buf)
        .args(["curl", "--protocol", "grpc", "--http2-prior-knowledge", "-d", data, "--unix-socket"])
        .arg(daemon.socket())
        .arg("http://localhost/vrm.v1.AlarmService/ReportCondition")
        .output()
        .unwrap();
    checked("report", &output);
}

#[test]
fn python_grpcio_discovers_lists_and_watches() {
    let (Some(python), Some(buf)) = (tool("VRM_TEST_PYTHON"), tool("VRM_TEST_BUF")) else { return };
    let daemon = Daemon::start();
    report(&daemon, &buf);
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/interop/client.py");
    for target in [daemon.address.clone(), format!("unix:{}", daemon.socket().display())] {
        let output = Command::new(&python).arg(&script).arg(&target).output().unwrap();
        let said = checked(&target, &output);
        assert!(said.contains("all checks passed"), "{said}");
    }
}

#[test]
fn buf_curl_lists_and_watches() {
    let Some(buf) = tool("VRM_TEST_BUF") else { return };
    let daemon = Daemon::start();
    report(&daemon, &buf);
    let call = |service: &str, method: &str, data: &str| {
        let url = format!("http://{}/vrm.v1.{service}/{method}", daemon.address);
        Command::new(&buf)
            .args(["curl", "--protocol", "grpc", "--http2-prior-knowledge", "-d", data, &url])
            .output()
            .unwrap()
    };
    let curl = |method: &str, data: &str| call("InventoryService", method, data);
    let alarms = checked(
        "alarms",
        &call("AlarmService", "ListAlarms", "{\"filter\": \"alarm_type = hostMemoryEccUncorrected\"}"),
    );
    let alarms: serde_json::Value = serde_json::from_str(&alarms).unwrap();
    assert_eq!(alarms["alarms"][0]["perceivedSeverity"], "SEVERITY_CRITICAL", "{alarms}");
    let watch = checked("watch alarms", &call("AlarmService", "WatchAlarms", "{\"options\": {\"once\": true}}"));
    let messages: Vec<serde_json::Value> =
        serde_json::Deserializer::from_str(&watch).into_iter().collect::<Result<_, _>>().unwrap();
    assert!(messages.iter().any(|message| message["change"]["kind"] == "KIND_SNAPSHOT"), "{watch}");
    // The loopback listener is a viewer's: 8 times PERMISSION_DENIED.
    assert_eq!(call("AlarmService", "AcknowledgeAlarm", "{\"name\": \"alarms/x\"}").status.code(), Some(56));
    let list = checked("list", &curl("ListVirtualMachines", "{\"filter\": \"host = sim-1\"}"));
    let list: serde_json::Value = serde_json::from_str(&list).unwrap();
    assert!(list["virtualMachines"].as_array().is_some_and(|machines| !machines.is_empty()), "{list}");
    let watch = checked("watch", &curl("WatchResources", "{\"options\": {\"once\": true}}"));
    let messages: Vec<serde_json::Value> =
        serde_json::Deserializer::from_str(&watch).into_iter().collect::<Result<_, _>>().unwrap();
    assert!(messages[0].get("started").is_some(), "{}", messages[0]);
    assert!(messages.last().unwrap().get("syncComplete").is_some());
    // buf's exit code is eight times the gRPC code.
    assert_eq!(curl("GetHost", "{\"name\": \"hosts/nothing\"}").status.code(), Some(40));
    assert_eq!(curl("ListHosts", "{\"filter\": \"x\"}").status.code(), Some(24));
}

#[test]
fn the_protos_are_lint_clean() {
    let Some(buf) = tool("VRM_TEST_BUF") else { return };
    let protos = Path::new(env!("CARGO_MANIFEST_DIR")).join("proto");
    checked("lint", &Command::new(buf).arg("lint").current_dir(protos).output().unwrap());
}
