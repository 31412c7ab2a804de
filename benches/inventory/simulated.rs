//! 200 simulated hosts with 10,000 machines, quiet and with their states changing.

use super::daemon::{self, Daemon};
use super::table::{Table, cores, in_millis, mebibytes, millis};
use super::test_driver::listings;
use std::time::Duration;

/// Measures the part.
///
/// # Errors
/// The daemon fails.
pub async fn measure(table: &mut Table, watched: Duration) -> anyhow::Result<()> {
    for churn in ["none", "state"] {
        let uri = format!("sim://?hosts=200&vms=10000&churn={churn}");
        let daemon = Daemon::start(&daemon::host("sim", &uri))?;
        let client = daemon.connect().await?;
        let full = daemon.full_inventory(&client, 200, 10_000).await?;
        table.note(format!("churn={churn}: start to full inventory"), millis(in_millis(full)));
        table.note(format!("churn={churn}: CPU until then"), format!("{:.2} s", daemon.process().cpu()?.seconds()));
        listings(table, &client).await?;
        let before = head(&client).await?;
        let used = daemon.process().cores_over(watched).await?;
        let changes = head(&client).await? - before;
        table.at_most(format!("churn={churn}: CPU over {} s", watched.as_secs()), used, 1.0, cores);
        table.note(format!("churn={churn}: changes meanwhile"), changes.to_string());
        table.at_most(format!("churn={churn}: RSS"), daemon.process().resident()?, 256.0, mebibytes);
        table.note(format!("churn={churn}: RSS, peak"), mebibytes(daemon.process().peak()?));
    }
    Ok(())
}

/// Head of the change log.
///
/// # Errors
/// The call fails.
pub async fn head(client: &vrm::client::Client) -> anyhow::Result<u64> {
    Ok(client.server_info().await?.head.unwrap_or_default().sequence)
}
