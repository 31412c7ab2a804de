//! 10,000 machines on one `test:///FILE.xml`: the whole way through the real libvirt adapter.

use super::daemon::{self, Daemon};
use super::raw;
use super::table::{Table, cores, in_millis, mebibytes, millis};
use std::fmt::Write as _;
use std::time::Duration;
use vrm::wire::v1::View;

const MACHINES: u32 = 10_000;

/// Measures the part.
///
/// # Errors
/// The daemon or libvirt fails.
pub async fn measure(table: &mut Table, watched: Duration) -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("node.xml");
    std::fs::write(&file, node(MACHINES))?;
    let raw = raw::of(&file)?;
    table.note("libvirt alone: open", millis(raw.open));
    table.note("libvirt alone: list, all XML and states", millis(raw.read));
    table.note("libvirt alone: bulk statistics", millis(raw.statistics));
    table.note("libvirt alone: RSS", mebibytes(raw.resident));

    let daemon = Daemon::start(&daemon::host("test", &format!("test://{}", file.display())))?;
    let client = daemon.connect().await?;
    table.note("socket answers after", millis(in_millis(daemon.age())));
    let full = in_millis(daemon.full_inventory(&client, 1, 10_000).await?);
    table.note("start to full inventory", millis(full));
    table.note("  of it beyond libvirt's open and reading", millis(full - raw.open - raw.read));
    table.note("CPU until then", format!("{:.2} s", daemon.process().cpu()?.seconds()));
    listings(table, &client).await?;

    let used = daemon.process().cores_over(watched).await?;
    table.note(format!("CPU of the polls over {} s", watched.as_secs()), cores(used));
    let resident = daemon.process().resident()?;
    table.note("RSS", mebibytes(resident));
    table.note("RSS, peak", mebibytes(daemon.process().peak()?));
    table.note("  own share of RSS", mebibytes(resident - raw.resident));
    Ok(())
}

/// All pages listed, five times in each view.
pub async fn listings(table: &mut Table, client: &vrm::client::Client) -> anyhow::Result<()> {
    for (name, view) in [("BASIC", View::Basic), ("FULL", View::Full)] {
        let mut slowest = Duration::ZERO;
        let mut last = None;
        for _ in 0..5 {
            let listing = daemon::list_all(client, view).await?;
            slowest = slowest.max(listing.took);
            last = Some(listing);
        }
        let Some(listing) = last else { continue };
        let size = listing.bytes.div_ceil(1 << 10);
        let what =
            format!("{} machines in {} pages, {name}, {size} KiB, slowest of 5", listing.machines, listing.pages);
        table.at_most(what, in_millis(slowest), 500.0, millis);
    }
    Ok(())
}

/// A host for the test driver, most machines running, some paused or off.
fn node(machines: u32) -> String {
    let mut text = String::from(
        "<node xmlns:test='http://libvirt.org/schemas/domain/test/1.0'><cpu><mhz>2400</mhz><model>x86_64</model>\
         <active>64</active><nodes>2</nodes><sockets>1</sockets><cores>16</cores><threads>2</threads></cpu>\
         <memory>268435456</memory>\n",
    );
    for number in 0..machines {
        let state = [1, 1, 1, 3, 5][number as usize % 5];
        // Writing to a string cannot fail.
        let _ = writeln!(
            text,
            "<domain type='test' xmlns:test='http://libvirt.org/schemas/domain/test/1.0'>\
             <test:runstate>{state}</test:runstate><name>vm{number:05}</name>\
             <uuid>00000000-0000-4000-8000-{number:012x}</uuid><memory unit='MiB'>2048</memory><vcpu>2</vcpu>\
             <iothreads>1</iothreads><os><type>hvm</type></os><devices>\
             <disk type='file'><source file='/d/{number}.img'/><target dev='vda'/></disk>\
             <interface type='network'><source network='default'/><target dev='testnet{number}'/></interface>\
             </devices></domain>"
        );
    }
    text.push_str("</node>\n");
    text
}
