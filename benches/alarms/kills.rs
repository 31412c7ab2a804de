//! QEMU processes of a real libvirtd killed one by one, and many at once beside a storm of other changes: how long
//! until each of 50 subscribers knows.

use super::crowd::{Crowd, Moment};
use super::daemon::{self, Daemon};
use super::guests::Guests;
use super::table::{Table, in_millis, millis, quantile, spread};
use anyhow::Context;
use std::time::{Duration, Instant, SystemTime};
use vrm::client::Client;
use vrm::wire::v1;

const SUBSCRIBERS: usize = 50;

/// Guests started together; in a storm also killed together.
const BATCH: usize = 20;

/// Changes a second of simulated machines beside the kills.
const STORM_RATE: u32 = 1_000;

/// How the daemon comes to know of a death.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// The kernel gives the exit status to the holder of a pidfd; libvirt's event follows.
    ExitStatus,
    /// libvirt's event alone.
    Event,
}

impl Way {
    /// p99 from the kill at rest, in milliseconds.
    fn target(self) -> f64 {
        match self {
            Self::ExitStatus => 60.0,
            Self::Event => 300.0,
        }
    }
}

/// Latencies in milliseconds, one for each subscriber and kill.
#[derive(Debug, Default)]
struct Samples {
    from_kill: Vec<f64>,
    from_event: Vec<f64>,
}

/// Measures the part.
///
/// # Errors
/// The daemon or the lab fails.
pub async fn measure(table: &mut Table, way: Way, quick: bool) -> anyhow::Result<()> {
    let guests = match Guests::up()? {
        Ok(guests) => guests,
        Err(reason) => {
            table.note("skipped", reason);
            return Ok(());
        }
    };
    let mut settings = daemon::host("sim", "sim://?hosts=20&vms=1000&churn=none");
    let entrance = match way {
        Way::ExitStatus => guests.entrance()?,
        Way::Event => Vec::new(),
    };
    let uri = if way == Way::ExitStatus { "qemu:///system".to_owned() } else { guests.uri() };
    settings.push_str(&daemon::host("lab", &uri));
    let daemon = Daemon::start_in(&settings, &entrance)?;
    let client = daemon.connect().await?;
    daemon.full_inventory(&client, 21, 1_003).await?;
    let crowd = Crowd::new(&daemon, SUBSCRIBERS).await?;
    let bench = Bench { guests, daemon, client, crowd };
    let (calm, stormy) = if quick { (1, 1) } else { (10, 2) };
    let mut samples = Samples::default();
    for batch in 0..calm {
        bench.one_by_one(&format!("calm{batch}"), &mut samples).await?;
    }
    report(table, way, &format!("at rest, {} kills", calm * BATCH), &samples, way.target(), 20.0);
    let mut samples = Samples::default();
    for batch in 0..stormy {
        bench.all_at_once(&format!("storm{batch}"), &mut samples).await?;
    }
    let what = format!("{BATCH} killed at once beside {STORM_RATE} changes/s, {stormy} times");
    report(table, way, &what, &samples, 1_000.0, 250.0);
    Ok(())
}

fn report(table: &mut Table, way: Way, what: &str, samples: &Samples, from_kill: f64, from_event: f64) {
    let last = |values: &[f64], share| {
        let mut sorted = values.to_vec();
        sorted.sort_by(f64::total_cmp);
        quantile(&sorted, share)
    };
    let kills = &samples.from_kill;
    table.note(format!("{what}: kill to subscriber, p50 / p99 / max of {}", kills.len()), spread(kills));
    table.at_most(format!("{what}: kill to subscriber, p99"), last(kills, 0.99), from_kill, millis);
    table.at_most(format!("{what}: kill to subscriber, max"), last(kills, 1.0), 1_000.0, millis);
    if way == Way::Event {
        let events = &samples.from_event;
        table.note(format!("{what}: event to subscriber, p50 / p99 / max of {}", events.len()), spread(events));
        table.at_most(format!("{what}: event to subscriber, p99"), last(events, 0.99), from_event, millis);
    }
}

struct Bench {
    guests: Guests,
    daemon: Daemon,
    client: Client,
    crowd: Crowd,
}

impl Bench {
    /// Starts a batch, and waits until the daemon knows that each of it runs and has let go of the processor.
    async fn started(&self, batch: &str) -> anyhow::Result<Vec<String>> {
        let names: Vec<String> = (0..BATCH).map(|at| format!("{batch}-{at}")).collect();
        tokio::task::block_in_place(|| self.guests.start(&names))?;
        let filter = format!("display_name = \"{batch}-*\" AND run_state = RUNNING");
        let asked = Instant::now();
        loop {
            let request = v1::ListVirtualMachinesRequest { filter: filter.clone(), page_size: 1, ..Default::default() };
            let listed = self.client.inventory().list_virtual_machines(request).await?.into_inner();
            if usize::try_from(listed.total_size)? == BATCH {
                break;
            }
            anyhow::ensure!(asked.elapsed() < Duration::from_secs(30), "{} of {batch} run", listed.total_size);
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        // The firmware of the last ones is still looking for a disk to start from.
        tokio::time::sleep(Duration::from_millis(500)).await;
        Ok(names)
    }

    async fn one_by_one(&self, batch: &str, samples: &mut Samples) -> anyhow::Result<()> {
        let names = self.started(batch).await?;
        for name in &names {
            let killed = Instant::now();
            self.guests.kill(name)?;
            self.note(name, killed, samples).await?;
        }
        self.guests.forget(&names);
        Ok(())
    }

    async fn all_at_once(&self, batch: &str, samples: &mut Samples) -> anyhow::Result<()> {
        let names = self.started(batch).await?;
        let storm = serde_json::json!({"do": "storm", "changes_per_second": STORM_RATE, "seconds": 5});
        let (accepted, answer) = self.daemon.simulator().await?.ask(&storm).await?;
        anyhow::ensure!(accepted, "storm refused: {answer}");
        let storm_begun = Instant::now();
        tokio::time::sleep(Duration::from_secs(1)).await;
        let mut killed = Vec::new();
        for name in &names {
            killed.push((name, Instant::now()));
            self.guests.kill(name)?;
        }
        for (name, at) in killed {
            self.note(name, at, samples).await?;
        }
        self.guests.forget(&names);
        // The next one may begin when this storm is over.
        tokio::time::sleep(Duration::from_secs(6).saturating_sub(storm_begun.elapsed())).await;
        Ok(())
    }

    async fn note(&self, name: &str, killed: Instant, samples: &mut Samples) -> anyhow::Result<()> {
        let heard = self.crowd.hears(name).await?;
        samples.from_kill.extend(heard.iter().map(|(at, _)| in_millis(*at - killed)));
        let told = self.event(name).await.with_context(|| format!("virsh was not told of {name}"))?;
        samples.from_event.extend(heard.iter().map(|moment| since(*moment, told)));
        Ok(())
    }

    /// When libvirt told of it.
    async fn event(&self, name: &str) -> Option<SystemTime> {
        let asked = Instant::now();
        while asked.elapsed() < Duration::from_secs(10) {
            if let Some(told) = self.guests.stopped(name) {
                return Some(told);
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        None
    }
}

/// Milliseconds from an event; 0 if it was heard before.
fn since(moment: Moment, event: SystemTime) -> f64 {
    moment.1.duration_since(event).map_or(0.0, in_millis)
}
