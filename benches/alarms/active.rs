//! 10,000 active alarms: how long listing them takes, and a start on them after `kill -9`.

use super::daemon::Daemon;
use super::reporter;
use super::table::{Table, in_millis, mebibytes, millis};
use prost::Message as _;
use std::time::{Duration, Instant};
use vrm::client::Client;
use vrm::wire::v1;

/// All pages of the list.
const LIST_MILLIS: f64 = 1_000.0;

/// From `kill -9` to READY.
const READY_MILLIS: f64 = 2_000.0;

/// Kills measured.
const KILLS: usize = 5;

/// Listings measured.
const LISTINGS: usize = 5;

/// Measures the part.
///
/// # Errors
/// The daemon fails.
pub async fn measure(table: &mut Table, alarms: usize) -> anyhow::Result<()> {
    let mut daemon = reporter::world().await?;
    reporter::report(&daemon, &reporter::disks(0, alarms), true).await?;
    let client = daemon.connect().await?;
    for (name, view) in [("BASIC", v1::View::Basic), ("FULL", v1::View::Full)] {
        let mut slowest = Duration::ZERO;
        let mut bytes = 0;
        for _ in 0..LISTINGS {
            let (count, size, took) = list(&client, view).await?;
            anyhow::ensure!(count == alarms, "{count} alarms listed");
            slowest = slowest.max(took);
            bytes = size;
        }
        let what = format!("{alarms} alarms listed, {name} ({bytes} bytes), slowest of {LISTINGS}");
        table.at_most(what, in_millis(slowest), LIST_MILLIS, millis);
    }
    restarts(table, &mut daemon, alarms).await
}

async fn restarts(table: &mut Table, daemon: &mut Daemon, alarms: usize) -> anyhow::Result<()> {
    let mut slowest = Duration::ZERO;
    for _ in 0..KILLS {
        let killed = Instant::now();
        daemon.kill_and_restart()?;
        daemon.ready().await?;
        slowest = slowest.max(killed.elapsed());
        let (count, _, _) = list(&daemon.connect().await?, v1::View::Basic).await?;
        anyhow::ensure!(count == alarms, "{count} alarms after the kill");
    }
    let what = format!("kill -9 to READY with {alarms} active alarms and 10,000 machines, slowest of {KILLS}");
    table.at_most(what, in_millis(slowest), READY_MILLIS, millis);
    table.holds("alarms after each kill", alarms.to_string(), true);
    table.note("RSS after it", mebibytes(daemon.process().resident()?));
    Ok(())
}

/// Lists all alarms in pages of 1,000: how many, bytes, time.
async fn list(client: &Client, view: v1::View) -> anyhow::Result<(usize, usize, Duration)> {
    let begun = Instant::now();
    let (mut count, mut bytes) = (0, 0);
    let mut request = v1::ListAlarmsRequest { page_size: 1_000, view: view.into(), ..Default::default() };
    loop {
        let page = client.alarm_service().list_alarms(request.clone()).await?.into_inner();
        count += page.alarms.len();
        bytes += page.encoded_len();
        if page.next_page_token.is_empty() {
            return Ok((count, bytes, begun.elapsed()));
        }
        request.page_token = page.next_page_token;
    }
}
