//! 50 watchers that never read and one that does, while everything changes: memory must stay flat, and the reader
//! must be told everything in order.

use super::daemon::{self, Daemon};
use super::process::Process;
use super::simulated::head;
use super::table::{Table, mebibytes};
use anyhow::Context;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};
use vrm::client::{Applied, Client, Replica};
use vrm::wire::v1::{self, watch_resources_response::Message};

const STALLED: usize = 50;

/// Memory may move by 16 MiB between the first third of the storm and its end: pages of the allocator, not a queue.
const FLAT: f64 = 16.0;

type Stream = tonic::Streaming<v1::WatchResourcesResponse>;

/// What the reader saw.
#[derive(Debug, Default)]
struct Progress {
    messages: AtomicU64,
    merged: AtomicU64,
    position: AtomicU64,
    synchronized: AtomicBool,
    /// Heartbeats whose digest agreed with what the reader holds.
    digests: AtomicU64,
}

/// Measures the part.
///
/// # Errors
/// The daemon fails.
pub async fn measure(table: &mut Table, watched: Duration, rate: u32) -> anyhow::Result<()> {
    let daemon = Daemon::start(&daemon::host("sim", "sim://?hosts=200&vms=10000&churn=none"))?;
    let client = daemon.connect().await?;
    daemon.full_inventory(&client, 200, 10_000).await?;
    table.note("RSS without watchers", mebibytes(daemon.process().resident()?));

    let mut held = Vec::new();
    for _ in 0..STALLED {
        held.push(stall(&daemon).await?);
    }
    let progress = Arc::new(Progress::default());
    let reader = tokio::spawn(read(daemon.connect().await?, Arc::clone(&progress)));
    table.note("RSS with 50 stalled and one reader", mebibytes(daemon.process().resident()?));

    let storm = serde_json::json!({"do": "storm", "changes_per_second": rate, "seconds": watched.as_secs()});
    let (accepted, answer) = daemon.simulator().await?.ask(&storm).await?;
    anyhow::ensure!(accepted, "storm refused: {answer}");
    let samples = follow(&daemon, &client, &progress, watched).await?;
    report_memory(table, &samples);
    report_rate(table, &samples, rate);
    table.note("CPU of the daemon meanwhile", super::table::cores(samples.cores));

    settle(&client, &progress, &reader).await?;
    let count = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
    table.note(
        "reader: messages, changes merged into them",
        format!("{}, {}", count(&progress.messages), count(&progress.merged)),
    );
    table.holds("reader: numbers contiguous, positions never back", yes(!reader.is_finished()), !reader.is_finished());
    let synchronized = progress.synchronized.load(Ordering::Relaxed) && count(&progress.digests) > 0;
    table.holds("reader: synchronized, digest equal after the storm", yes(synchronized), synchronized);
    if reader.is_finished() {
        println!("   reader ended: {:?}", reader.await);
    }
    let sessions = client.sessions().await?;
    let stalled = sessions.iter().filter(|session| session.stalled.is_some_and(|time| time.seconds > 5)).count();
    table.note("sessions shown as stalled", stalled.to_string());
    if let Some(stalled) = held.pop() {
        let read = tokio::time::timeout(Duration::from_secs(30), awake(stalled, head(&client).await?)).await;
        let shown = match &read {
            Ok(Ok((messages, took))) => format!("{messages} messages, {took:.1?}"),
            Ok(Err(fault)) => fault.to_string(),
            Err(_) => "not within 30 s".to_owned(),
        };
        table.holds("a stalled one that reads again is at the head after", shown, matches!(read, Ok(Ok(_))));
    }
    drop(held);
    tokio::time::sleep(Duration::from_secs(2)).await;
    table.note("RSS after they left", mebibytes(daemon.process().resident()?));
    table.note("RSS, peak", mebibytes(daemon.process().peak()?));
    table.note("journal.db with its log", mebibytes(bytes(daemon.store_bytes())));
    Ok(())
}

fn yes(so: bool) -> &'static str {
    if so { "yes" } else { "no" }
}

#[expect(clippy::cast_precision_loss, reason = "a size for people")]
fn bytes(bytes: u64) -> f64 {
    bytes as f64 / 1_048_576.0
}

/// Heartbeats every 5 s: what was sent merged with a snapshot is told no more, only bookmarked.
fn request() -> v1::WatchResourcesRequest {
    let heartbeat_interval = Some(prost_types::Duration { seconds: 5, nanos: 0 });
    let options = v1::StreamOptions { heartbeat_interval, ..Default::default() };
    v1::WatchResourcesRequest { options: Some(options), ..Default::default() }
}

/// A watcher on a connection of its own that takes one message and no more.
struct Stalled {
    _client: Client,
    stream: Stream,
    replica: Replica,
}

async fn stall(daemon: &Daemon) -> anyhow::Result<Stalled> {
    let client = daemon.connect().await?;
    let mut stream = client.inventory().watch_resources(request()).await?.into_inner();
    let mut replica = Replica::default();
    replica.begin_stream();
    replica.apply(stream.message().await?.context("a first message")?)?;
    Ok(Stalled { _client: client, stream, replica })
}

/// A stalled watcher reads again: how many messages and how long until it is synchronized and at the head.
async fn awake(mut stalled: Stalled, head: u64) -> anyhow::Result<(u64, Duration)> {
    let begun = Instant::now();
    let mut messages = 0;
    while let Some(message) = stalled.stream.message().await? {
        messages += 1;
        stalled.replica.apply(message)?;
        let position = stalled.replica.position().map_or(0, |position| position.sequence);
        if stalled.replica.is_synced() && position >= head {
            return Ok((messages, begun.elapsed()));
        }
    }
    anyhow::bail!("the daemon ended the stream")
}

/// The honest reader: follows the stream by its rules, and ends only with a fault.
async fn read(client: Client, progress: Arc<Progress>) -> anyhow::Result<()> {
    let mut stream = client.inventory().watch_resources(request()).await?.into_inner();
    let mut replica = Replica::default();
    replica.begin_stream();
    while let Some(message) = stream.message().await? {
        let position = message.position.as_ref().map_or(0, |position| position.sequence);
        let digest = matches!(&message.message, Some(Message::Heartbeat(beat)) if beat.state_digest.is_some());
        if let Applied::Updated { change, .. } = replica.apply(message)? {
            progress.merged.fetch_add(change.merged_count.into(), Ordering::Relaxed);
        }
        progress.digests.fetch_add(digest.into(), Ordering::Relaxed);
        progress.messages.fetch_add(1, Ordering::Relaxed);
        progress.position.store(position, Ordering::Relaxed);
        progress.synchronized.store(replica.is_synced(), Ordering::Relaxed);
    }
    anyhow::bail!("the daemon ended the stream")
}

/// What was seen once a second.
struct Samples {
    resident: Vec<f64>,
    heads: Vec<u64>,
    took: Duration,
    cores: f64,
}

async fn follow(daemon: &Daemon, client: &Client, progress: &Progress, watched: Duration) -> anyhow::Result<Samples> {
    let process: Process = daemon.process();
    let (begun, before) = (Instant::now(), process.cpu()?);
    let mut samples =
        Samples { resident: Vec::new(), heads: vec![head(client).await?], took: Duration::ZERO, cores: 0.0 };
    let mut second = tokio::time::interval(Duration::from_secs(1));
    second.tick().await;
    while begun.elapsed() < watched {
        second.tick().await;
        samples.resident.push(process.resident()?);
        samples.heads.push(head(client).await?);
        if let (5.., [.., earlier, _, _, _, _, last]) = (samples.heads.len(), &samples.heads[..])
            && samples.resident.len().is_multiple_of(5)
        {
            println!(
                "   {:3.0} s: RSS {:.1} MiB, {} changes/s, reader {} behind",
                begun.elapsed().as_secs_f64(),
                samples.resident.last().copied().unwrap_or_default(),
                (last - earlier) / 5,
                last.saturating_sub(progress.position.load(Ordering::Relaxed)),
            );
        }
    }
    samples.took = begun.elapsed();
    samples.cores = process.cpu()?.cores_since(before);
    Ok(samples)
}

fn report_memory(table: &mut Table, samples: &Samples) {
    let third = samples.resident.len() / 3;
    let most = |part: &[f64]| part.iter().copied().fold(0.0, f64::max);
    let (early, late) = (most(&samples.resident[..third]), most(&samples.resident[third..]));
    table.note("RSS, highest in the first third of the storm", mebibytes(early));
    table.note("RSS, highest later", mebibytes(late));
    table.at_most("growth between them", late - early, FLAT, mebibytes);
}

#[expect(clippy::cast_precision_loss, reason = "a rate for people")]
fn report_rate(table: &mut Table, samples: &Samples, rate: u32) {
    let moved = samples.heads.last().zip(samples.heads.first()).map_or(0, |(last, first)| last - first);
    let achieved = moved as f64 / samples.took.as_secs_f64();
    table.holds(
        format!("changes/s committed and published, of {rate} made"),
        format!("{achieved:.0}"),
        achieved >= f64::from(rate) * 0.9,
    );
}

/// Waits until the reader has had a heartbeat with a digest after the storm, that is: until it has everything.
async fn settle(
    client: &Client,
    progress: &Progress,
    reader: &tokio::task::JoinHandle<anyhow::Result<()>>,
) -> anyhow::Result<()> {
    let begun = Instant::now();
    let mut last = head(client).await?;
    let mut quiet_since = Instant::now();
    let mut digests = progress.digests.load(Ordering::Relaxed);
    while begun.elapsed() < Duration::from_secs(60) && !reader.is_finished() {
        tokio::time::sleep(Duration::from_millis(200)).await;
        let now = head(client).await?;
        if now != last {
            last = now;
            quiet_since = Instant::now();
            digests = progress.digests.load(Ordering::Relaxed);
        }
        let caught_up = progress.position.load(Ordering::Relaxed) >= last;
        if caught_up && progress.digests.load(Ordering::Relaxed) > digests && quiet_since.elapsed().as_secs() >= 2 {
            return Ok(());
        }
    }
    Ok(())
}
