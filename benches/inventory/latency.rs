//! From an event on a host with 10,000 machines to the message on a stream, with its polls resting and while they
//! are being applied one after the other.

use super::daemon::{self, Daemon, Simulator};
use super::table::{Table, cores, in_millis, millis, quantile, spread};
use anyhow::Context;
use std::time::{Duration, Instant};
use vrm::wire::v1::{self, resource_change::Kind, resource_change::Resource, watch_resources_response::Message};

/// p99 of event to stream (P3).
const TARGET: f64 = 250.0;

const SAMPLES: usize = 200;

/// As fast as settings permit, so that some reading of all machines is under way most of the time.
const BUSY: &str = "[poll]\nstatistics = \"1s\"\nstate = \"1s\"\ndefinitions = \"10s\"\n";

type Stream = tonic::Streaming<v1::WatchResourcesResponse>;

/// Measures the part.
///
/// # Errors
/// The daemon fails.
pub async fn measure(table: &mut Table) -> anyhow::Result<()> {
    for (name, settings) in [("polls as by default", ""), ("polls every second, definitions every 10 s", BUSY)] {
        let host = daemon::host("sim", "sim://?hosts=1&vms=10000&churn=none");
        let daemon = Daemon::start(&format!("{settings}{host}"))?;
        let client = daemon.connect().await?;
        let full = daemon.full_inventory(&client, 1, 10_000).await?;
        table.note(format!("{name}: start to full inventory"), millis(in_millis(full)));
        let request = v1::WatchResourcesRequest {
            kinds: vec![v1::ObjectClass::VirtualMachine.into()],
            options: Some(v1::StreamOptions { updates_only: true, ..Default::default() }),
            ..Default::default()
        };
        let mut stream = client.inventory().watch_resources(request).await?.into_inner();
        let before = daemon.process().cpu()?;
        let samples = samples(&mut daemon.simulator().await?, &mut stream).await?;
        let used = daemon.process().cpu()?.cores_since(before);
        let mut sorted = samples.clone();
        sorted.sort_by(f64::total_cmp);
        table.note(format!("{name}: event to stream, p50 / p99 / max of {}", samples.len()), spread(&samples));
        table.at_most(format!("{name}: p99"), quantile(&sorted, 0.99), TARGET, millis);
        table.note(format!("{name}: CPU meanwhile"), cores(used));
    }
    Ok(())
}

/// Guests panic one by one; each time until the stream says so, in milliseconds.
async fn samples(simulator: &mut Simulator, stream: &mut Stream) -> anyhow::Result<Vec<f64>> {
    let mut samples = Vec::new();
    for number in 0_u64..10_000 {
        if samples.len() == SAMPLES {
            break;
        }
        // Uneven pauses, so that samples do not march in step with the polls.
        tokio::time::sleep(Duration::from_millis(60 + number * 61 % 241)).await;
        let request = serde_json::json!({"do": "panic-machine", "vm": format!("#{number}")});
        // Before the request: the simulator's own time counts too.
        let asked = Instant::now();
        let (accepted, _) = simulator.ask(&request).await?;
        // A machine that is off cannot panic.
        if accepted {
            let told = tokio::time::timeout(Duration::from_secs(30), told(stream)).await;
            told.context("the stream tells of it within 30 s")??;
            samples.push(in_millis(asked.elapsed()));
        }
    }
    Ok(samples)
}

/// Waits for a machine that crashed; nothing else changes, and one crashes at a time.
async fn told(stream: &mut Stream) -> anyhow::Result<()> {
    loop {
        let message = stream.message().await?.context("the stream goes on")?.message;
        if let Some(Message::Change(change)) = message
            && let Some(Resource::VirtualMachine(machine)) = change.resource
            // A transient machine is gone when its guest panics.
            && (change.kind == i32::from(Kind::Removed) || machine.run_state == i32::from(v1::RunState::Crashed))
        {
            return Ok(());
        }
    }
}
