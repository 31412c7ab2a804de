//! What the daemon costs with 10,000 machines, and how fast it stays: `./dev bench inventory [PART…]`.
//!
//! An own harness: each part starts the release `vrmd` as a child in an empty directory, talks to it over gRPC as
//! any client does, and reads its costs from /proc. It prints facts about the machine, progress, and one table of
//! figures beside their targets; it keeps nothing. How to read the figures, and those of one machine, is written in
//! docs/benchmarks.md.

#[path = "inventory/daemon.rs"]
#[expect(dead_code, reason = "shared with the benchmark of alarms, which uses more of it")]
mod daemon;
#[path = "inventory/hung.rs"]
mod hung;
#[path = "inventory/latency.rs"]
mod latency;
#[path = "inventory/process.rs"]
mod process;
#[path = "inventory/raw.rs"]
mod raw;
#[path = "../tests/fake_libvirtd/server.rs"]
#[expect(dead_code, reason = "shared with the tests, which use more of it")]
mod server;
#[path = "inventory/simulated.rs"]
mod simulated;
#[path = "inventory/stalled.rs"]
mod stalled;
#[path = "inventory/table.rs"]
mod table;
#[path = "inventory/test_driver.rs"]
mod test_driver;
#[path = "../tests/fake_libvirtd/xdr.rs"]
mod xdr;

use clap::{Parser, ValueEnum};
use std::path::PathBuf;
use std::time::Duration;
use table::Table;

/// Benchmarks of the inventory.
#[derive(Debug, Parser)]
struct Arguments {
    /// Parts to run; all of them if none is named
    parts: Vec<Part>,
    /// How long CPU and memory are watched in each part
    #[arg(long, default_value_t = 60)]
    seconds: u64,
    /// Changes a second in part `stalled`
    #[arg(long, default_value_t = 10_000)]
    rate: u32,
    /// Cargo passes it
    #[arg(long, hide = true)]
    bench: bool,
    /// Measures libvirt alone on this file, as a child of part `libvirt10k`
    #[arg(long, hide = true)]
    raw: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Part {
    /// 10,000 machines on one test:///FILE.xml
    #[value(name = "libvirt10k")]
    TestDriver,
    /// 200 simulated hosts with 10,000 machines
    #[value(name = "sim10k")]
    Simulated,
    /// 50 watchers that never read, while everything changes
    Stalled,
    /// From an event to the stream, while 10,000 machines are being read
    Latency,
    /// One host that does not answer beside hosts that do
    Hung,
}

fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    if let Some(file) = &arguments.raw {
        return raw::measure(file);
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(run(arguments))
}

async fn run(arguments: Arguments) -> anyhow::Result<()> {
    process::print_machine_facts();
    let parts = if arguments.parts.is_empty() { Part::value_variants().to_vec() } else { arguments.parts };
    let watched = Duration::from_secs(arguments.seconds);
    let mut table = Table::default();
    for part in parts {
        let name = part.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default();
        println!("\n== {name}, load {}", process::load());
        table.begin(&name);
        match part {
            Part::TestDriver => test_driver::measure(&mut table, watched).await?,
            Part::Simulated => simulated::measure(&mut table, watched).await?,
            Part::Stalled => stalled::measure(&mut table, watched, arguments.rate).await?,
            Part::Latency => latency::measure(&mut table).await?,
            Part::Hung => hung::measure(&mut table, watched / 2).await?,
        }
    }
    println!("\n{table}");
    Ok(())
}
