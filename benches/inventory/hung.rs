//! One libvirtd that does not answer beside eight that do: the others must not notice.

use super::daemon::{self, Daemon};
use super::server::{Behaviour, FakeLibvirtd};
use super::table::{Table, in_millis, millis, percent, quantile, spread};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};
use vrm::client::Client;
use vrm::hypervisor::libvirt::{Config, LibvirtOpener};
use vrm::hypervisor::port::{Hypervisor, Opener};
use vrm::model::name::HostId;
use vrm::model::observation::Scope;
use vrm::model::registration::{HostOrigin, HostRegistration, Profile};
use vrm::wire::v1;

const WELL: usize = 8;

const MACHINES: u32 = 100;

/// Statistics every second, everything else so seldom that it does not come into play.
const SETTINGS: &str = "[poll]\nprobe = \"1s\"\nstatistics = \"1s\"\nstate = \"1h\"\ndefinitions = \"24h\"\n";

/// Other hosts connect within a second.
const CONNECTED: f64 = 1_000.0;

/// Poll times of others move by less than 5 %.
const SHIFT: f64 = 5.0;

/// A poll of some 2 ms may also take 1 ms longer whatever share that is: the hanging lanes are threads on the same two
/// cores. What the issue asks of is the time of the polls, which is the interval between them.
const LONGER: f64 = 1.0;

/// Measures the part.
///
/// # Errors
/// The daemon fails.
pub async fn measure(table: &mut Table, watched: Duration) -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let behaviour = Behaviour { machines: MACHINES, ..Behaviour::default() };
    let start = |name: String| FakeLibvirtd::start(&folder.path().join(name), behaviour.clone());
    let well: Vec<FakeLibvirtd> = (0..WELL).map(|number| start(format!("well-{number}"))).collect();
    let victim = start("victim".to_owned());
    victim.behave(|behaviour| behaviour.silent = true);
    let mut settings = SETTINGS.to_owned();
    for (number, daemon) in well.iter().enumerate() {
        settings.push_str(&daemon::host(&format!("well-{number}"), &daemon.uri()));
    }
    settings.push_str(&daemon::host("victim", &victim.uri()));
    settings.push_str(&daemon::host("sim", "sim://?hosts=8&vms=400&churn=none"));

    let daemon = Daemon::start(&settings)?;
    let client = daemon.connect().await?;
    let socket = daemon.age();
    let others = daemon.full_inventory(&client, 16, 0).await?;
    table.note("socket answers after", millis(in_millis(socket)));
    let what = "16 other hosts connected and read after start, one silent";
    table.at_most(what, in_millis(others), CONNECTED, millis);

    victim.behave(|behaviour| behaviour.silent = false);
    daemon.full_inventory(&client, 17, 0).await?;
    let before = daemon.process().threads_and_files()?;
    let calm = intervals(&client, watched).await?;
    victim.behave(|behaviour| behaviour.hang_all = true);
    let hung = intervals(&client, watched).await?;
    report(table, "time between polls, victim answers", &calm);
    report(table, "time between polls, victim hangs", &hung);
    table.at_most("shift of their mean", shift(&calm, &hung), SHIFT, percent);
    victim.behave(|behaviour| behaviour.hang_all = false);
    daemon.full_inventory(&client, 17, 0).await?;
    let after = daemon.process().threads_and_files()?;
    table.note("threads, descriptors before and after", format!("{before:?}, {after:?}"));
    drop(daemon);
    poll_durations(table, &well, &victim).await
}

fn report(table: &mut Table, what: &str, values: &[f64]) {
    table.note(format!("{what}, p50 / p99 / max of {}", values.len()), spread(values));
}

#[expect(clippy::cast_precision_loss, reason = "some hundred values")]
fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len().max(1) as f64
}

fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    quantile(&sorted, 0.5)
}

fn shift(before: &[f64], after: &[f64]) -> f64 {
    (mean(after) / mean(before) - 1.0).abs() * 100.0
}

/// Times between two readings of each host that is well, by the daemon's own stamps, in milliseconds.
async fn intervals(client: &Client, watched: Duration) -> anyhow::Result<Vec<f64>> {
    let mut last: BTreeMap<String, f64> = BTreeMap::new();
    let mut intervals = Vec::new();
    let begun = Instant::now();
    while begun.elapsed() < watched {
        let request = v1::ListHostsRequest { page_size: 1_000, ..Default::default() };
        for host in client.inventory().list_hosts(request).await?.into_inner().hosts {
            let Some(seen) = host.figures.and_then(|figures| figures.last_seen) else { continue };
            if host.name.ends_with("victim") {
                continue;
            }
            #[expect(clippy::cast_precision_loss, reason = "milliseconds of this century")]
            let seen = seen.seconds as f64 * 1_000.0 + f64::from(seen.nanos) / 1e6;
            match last.insert(host.name, seen) {
                Some(previous) if seen > previous => intervals.push(seen - previous),
                _ => {}
            }
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    Ok(intervals)
}

/// How long one poll takes at the adapter itself, in one process with an endpoint that hangs.
async fn poll_durations(table: &mut Table, well: &[FakeLibvirtd], victim: &FakeLibvirtd) -> anyhow::Result<()> {
    let opener = LibvirtOpener::new(Config { profile: Profile::Monitor, credentials: BTreeMap::new() })
        .map_err(anyhow::Error::msg)?;
    let deadline = Duration::from_secs(10);
    let mut endpoints = Vec::new();
    let mut links = Vec::new();
    for daemon in well.iter().chain([victim]) {
        let hypervisor = endpoint(&opener, &daemon.uri())?;
        links.push(hypervisor.connect(deadline).await?);
        hypervisor.observe(Scope::Machines, deadline).await?;
        endpoints.push(hypervisor);
    }
    let Some(hanging) = endpoints.pop() else { return Ok(()) };
    let calm = rounds(&endpoints).await?;
    victim.behave(|behaviour| behaviour.hang_all = true);
    let calls = tokio::spawn(async move {
        loop {
            // Every one ends at its deadline, and its lane is replaced.
            let _ = hanging.observe(Scope::Statistics, Duration::from_millis(500)).await;
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    });
    tokio::time::sleep(Duration::from_secs(1)).await;
    let hung = rounds(&endpoints).await?;
    calls.abort();
    report(table, "one poll of 100 machines, victim answers", &calm);
    report(table, "one poll of 100 machines, victim hangs", &hung);
    let shift = (median(&hung) - median(&calm)).abs();
    table.at_most("shift of their median", shift, LONGER.max(median(&calm) * SHIFT / 100.0), millis);
    Ok(())
}

/// 100 rounds of polls, in milliseconds each.
async fn rounds(endpoints: &[Arc<dyn Hypervisor>]) -> anyhow::Result<Vec<f64>> {
    let mut durations = Vec::new();
    for _ in 0..100 {
        for endpoint in endpoints {
            let begun = Instant::now();
            endpoint.observe(Scope::Statistics, Duration::from_secs(10)).await?;
            durations.push(in_millis(begun.elapsed()));
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    Ok(durations)
}

fn endpoint(opener: &LibvirtOpener, uri: &str) -> anyhow::Result<Arc<dyn Hypervisor>> {
    let registration = HostRegistration {
        id: HostId::parse("fake").map_err(|error| anyhow::anyhow!("{error}"))?,
        uris: vec![uri.to_owned()],
        credential: String::new(),
        profile: None,
        allow_insecure: false,
        labels: BTreeMap::new(),
        reserve: Default::default(),
        origin: HostOrigin::File,
    };
    let mut endpoints = opener.open(&registration)?;
    anyhow::ensure!(endpoints.len() == 1, "one address is one endpoint");
    Ok(endpoints.remove(0).hypervisor)
}
