//! Somebody who tells conditions over the wire, many at a time, as monitoring agents of many hosts would.

use super::daemon::{self, Daemon};
use anyhow::Context;
use futures_util::{StreamExt, TryStreamExt, stream};
use std::time::{Duration, Instant};
use vrm::client::Client;
use vrm::wire::v1;

/// Connections that reports are made on.
const CONNECTIONS: usize = 4;

/// Reports under way at once, all together.
const AT_ONCE: usize = 128;

/// Hosts the conditions are spread over.
const HOSTS: usize = 200;

/// The world that is reported about: 200 hosts with 10,000 machines, at rest.
///
/// # Errors
/// The daemon fails.
pub async fn world() -> anyhow::Result<Daemon> {
    let daemon = Daemon::start(&daemon::host("sim", "sim://?hosts=200&vms=10000&churn=none"))?;
    let client = daemon.connect().await?;
    daemon.full_inventory(&client, 200, 10_000).await?;
    Ok(daemon)
}

/// Disks of the hosts, so many, none named before in another `batch`.
pub fn disks(batch: usize, count: usize) -> Vec<String> {
    (0..count).map(|at| format!("hosts/sim-{}/disks/b{batch}d{}", at % HOSTS + 1, at / HOSTS)).collect()
}

/// Says of each disk that it failed, or that it works again; how long it took until the last answer.
///
/// # Errors
/// A report is refused.
pub async fn report(daemon: &Daemon, disks: &[String], failed: bool) -> anyhow::Result<Duration> {
    let mut clients = Vec::new();
    for _ in 0..CONNECTIONS {
        clients.push(daemon.connect().await?);
    }
    let begun = Instant::now();
    let reports = disks.iter().zip(clients.iter().cycle()).map(|(disk, client)| one(client, disk, failed));
    stream::iter(reports).buffer_unordered(AT_ONCE).try_collect::<()>().await?;
    Ok(begun.elapsed())
}

async fn one(client: &Client, disk: &str, failed: bool) -> anyhow::Result<()> {
    let request = v1::ReportConditionRequest {
        alarm_type: "hostDiskFailed".to_owned(),
        object: disk.to_owned(),
        active: failed,
        text: "the controller says so".to_owned(),
        ..Default::default()
    };
    client.alarm_service().report_condition(request).await.with_context(|| disk.to_owned())?;
    Ok(())
}
