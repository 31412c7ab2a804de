//! A subscriber that was away for 100,000 transitions: how long until it has them all.

use super::daemon::Daemon;
use super::reporter;
use super::table::{Table, in_millis, mebibytes, millis};
use anyhow::Context;
use std::time::{Duration, Instant};
use v1::watch_alarms_response::Message;
use vrm::wire::v1;

/// Until everything is told that was missed.
const TARGET_MILLIS: f64 = 10_000.0;

/// Rounds of raising and clearing: as many transitions for each alarm and twice that, since a full list drops some.
const ROUNDS: usize = 5;

/// Measures the part.
///
/// # Errors
/// The daemon fails.
pub async fn measure(table: &mut Table, alarms: usize) -> anyhow::Result<()> {
    let daemon = reporter::world().await?;
    let client = daemon.connect().await?;
    let start = client.server_info().await?.head.context("always there")?;
    let begun = Instant::now();
    for round in 0..ROUNDS {
        let disks = reporter::disks(round, alarms);
        reporter::report(&daemon, &disks, true).await?;
        reporter::report(&daemon, &disks, false).await?;
    }
    let head = client.server_info().await?.head.context("always there")?;
    let made = in_millis(begun.elapsed());
    table.note(format!("{} changes made in", head.sequence - start.sequence), millis(made));
    for (name, mode) in [("TRANSITIONS", v1::DeliveryMode::Transitions), ("STATE", v1::DeliveryMode::State)] {
        let (told, took) = caught_up(&daemon, start.clone(), mode).await?;
        let enough = mode != v1::DeliveryMode::Transitions || told >= 2 * ROUNDS * alarms;
        table.at_most(format!("{name}: {told} messages until synchronized"), in_millis(took), TARGET_MILLIS, millis);
        table.holds(format!("{name}: nothing missing"), if enough { "yes" } else { "no" }, enough);
    }
    table.note("RSS after it", mebibytes(daemon.process().resident()?));
    Ok(())
}

/// Resumes and reads until synchronized: how many changes were told, and how long it took.
async fn caught_up(
    daemon: &Daemon,
    from: v1::StreamPosition,
    mode: v1::DeliveryMode,
) -> anyhow::Result<(usize, Duration)> {
    let client = daemon.connect().await?;
    let options = v1::StreamOptions { resume_after: Some(from), delivery_mode: mode.into(), ..Default::default() };
    let request = v1::WatchAlarmsRequest { options: Some(options), ..Default::default() };
    let begun = Instant::now();
    let mut stream = client.alarm_service().watch_alarms(request).await?.into_inner();
    let mut told = 0;
    while let Some(message) = stream.message().await? {
        match message.message {
            Some(Message::Change(_)) => told += 1,
            Some(Message::SyncComplete(_)) => return Ok((told, begun.elapsed())),
            Some(Message::Lagged(lagged)) => anyhow::bail!("not resumable: {lagged:?}"),
            _ => {}
        }
    }
    anyhow::bail!("the daemon ended the stream")
}
