//! The OpenMetrics page as others read it: the reference parser, a real Prometheus, and the queries of the dashboard.

use super::{Daemon, PATIENCE, checked, tool};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// Pause between two looks at something that tells nobody when it changes.
const PAUSE: Duration = Duration::from_millis(100);

fn free_address() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}

/// The body of an answer to a GET; nothing while nobody listens.
fn get(address: SocketAddr, path: &str) -> Option<String> {
    let mut stream = TcpStream::connect(address).ok()?;
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    // HTTP 1.0: the answer is not cut into chunks and ends with the connection.
    write!(stream, "GET {path} HTTP/1.0\r\nHost: {address}\r\n\r\n").ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok()?;
    let (head, body) = answer.split_once("\r\n\r\n")?;
    head.lines().next()?.contains(" 200 ").then(|| body.to_owned())
}

fn wait_for<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + PATIENCE * 2;
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(Instant::now() < deadline, "waited in vain: {what}");
        std::thread::sleep(PAUSE);
    }
}

/// A page on which rates of machines and their disks are told.
fn measured_page(address: SocketAddr) -> String {
    wait_for("a page with measured machines", || {
        get(address, "/metrics").filter(|page| page.contains("vrm_vm_cpu_usage_ratio{") && page.ends_with("# EOF\n"))
    })
}

#[test]
fn the_reference_parser_reads_the_page() {
    let Some(python) = tool("VRM_TEST_PYTHON") else { return };
    let address = free_address();
    let _daemon = Daemon::with_page(address);
    let page = measured_page(address);
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/interop/page.py");
    let mut parser = Command::new(python)
        .arg(script)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    parser.stdin.take().unwrap().write_all(page.as_bytes()).unwrap();
    let families = checked("parse the page", &parser.wait_with_output().unwrap());
    for family in
        ["vrm_vm info", "vrm_vm_state stateset", "vrm_vm_cpu_seconds counter", "vrm_vm_memory_rss_bytes gauge"]
    {
        assert!(families.lines().any(|line| line.starts_with(family)), "{family} in {families}");
    }
}

/// A Prometheus that scrapes one page every second.
struct Prometheus {
    child: Child,
    address: SocketAddr,
    _directory: tempfile::TempDir,
}

impl Prometheus {
    fn scraping(program: PathBuf, page: SocketAddr) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let address = free_address();
        let rules = Path::new(env!("CARGO_MANIFEST_DIR")).join("packaging/prometheus/vrm.rules.yml");
        let config = format!(
            "global: {{scrape_interval: 1s, evaluation_interval: 1s}}\nrule_files: [{rules:?}]\n\
             scrape_configs: [{{job_name: vrm, static_configs: [{{targets: [\"{page}\"]}}]}}]\n"
        );
        std::fs::write(directory.path().join("prometheus.yml"), config).unwrap();
        let child = Command::new(program)
            .arg(format!("--config.file={}", directory.path().join("prometheus.yml").display()))
            .arg(format!("--storage.tsdb.path={}", directory.path().join("data").display()))
            .arg(format!("--web.listen-address={address}"))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        Self { child, address, _directory: directory }
    }

    /// Number of series a query gives now; nothing while Prometheus starts.
    ///
    /// A query that Prometheus refuses fails the test.
    fn series(&self, query: &str) -> Option<usize> {
        let encoded: String = query.bytes().map(|byte| format!("%{byte:02x}")).collect();
        let answer = get(self.address, &format!("/api/v1/query?query={encoded}"))?;
        let answer: serde_json::Value = serde_json::from_str(&answer).unwrap();
        assert_eq!(answer["status"], "success", "{query}: {answer}");
        answer["data"]["result"].as_array().map(Vec::len)
    }
}

impl Drop for Prometheus {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Every query of the dashboard, as Grafana would ask it.
fn dashboard_queries() -> Vec<String> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("packaging/grafana/vrm.json");
    let dashboard: serde_json::Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    let panels = dashboard["panels"].as_array().unwrap();
    let targets = panels.iter().flat_map(|panel| panel["targets"].as_array().unwrap());
    targets.map(|target| target["expr"].as_str().unwrap().replace("$__rate_interval", "1m")).collect()
}

#[test]
fn a_prometheus_scrapes_the_page_and_every_query_of_the_dashboard_finds_series() {
    let program =
        std::env::var_os("VRM_TEST_PROMETHEUS").map_or_else(|| PathBuf::from("/usr/bin/prometheus"), PathBuf::from);
    if !program.exists() {
        eprintln!("skipped: prometheus (Debian package prometheus) is not installed");
        return;
    }
    let address = free_address();
    let _daemon = Daemon::with_page(address);
    measured_page(address);
    let prometheus = Prometheus::scraping(program, address);
    let queries = dashboard_queries();
    assert!(queries.len() > 15, "{}", queries.len());
    for query in &queries {
        wait_for(query, || prometheus.series(query).filter(|series| *series > 0));
    }
    assert_eq!(prometheus.series("up == 0"), Some(0), "no scrape failed");
    assert_eq!(prometheus.series("count by (vm) (vrm_vm_info) > 1"), Some(0), "a machine has one name");
    assert_eq!(prometheus.series("max_over_time(scrape_samples_post_metric_relabeling[1m]) < 100"), Some(0));
}
