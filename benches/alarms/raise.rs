//! 10,000 alarms raised and 10,000 cleared over the wire, and a subscriber that must hear of each once.

use super::reporter;
use super::subscriber::Subscriber;
use super::table::{Table, cores, in_millis, millis};
use std::time::Instant;

/// Both together.
const TARGET_MILLIS: f64 = 10_000.0;

/// Measures the part.
///
/// # Errors
/// The daemon fails.
pub async fn measure(table: &mut Table, alarms: usize) -> anyhow::Result<()> {
    let daemon = reporter::world().await?;
    let mut subscriber = Subscriber::new(daemon.connect().await?).await?;
    let disks = reporter::disks(0, alarms);
    let (begun, before) = (Instant::now(), daemon.process().cpu()?);
    let raised = reporter::report(&daemon, &disks, true).await?;
    table.note(format!("{alarms} raised by ReportCondition, until the last answer"), millis(in_millis(raised)));
    let cleared = reporter::report(&daemon, &disks, false).await?;
    table.note(format!("{alarms} cleared, until the last answer"), millis(in_millis(cleared)));
    let last = subscriber.until(alarms, alarms).await?;
    let whole = in_millis(last - begun);
    table.at_most("both, until the last message at the subscriber", whole, TARGET_MILLIS, millis);
    table.note("CPU of the daemon meanwhile", cores(daemon.process().cpu()?.cores_since(before)));
    let verdict = subscriber.judge(&disks);
    let shown = format!("{} once, {} lost, {} repeated", verdict.once, verdict.lost, verdict.repeated);
    table.holds("told to the subscriber", shown, verdict.once == alarms);
    Ok(())
}
