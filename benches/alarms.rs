//! How fast faults are told, kept and found again: `./dev bench alarms [PART…]`.
//!
//! An own harness like that of `inventory`: each part starts the release `vrmd` as a child in an empty directory and
//! talks to it over gRPC as any client does. It prints one table of figures beside their targets and keeps nothing.

#[path = "alarms/active.rs"]
mod active;
#[path = "alarms/crowd.rs"]
mod crowd;
#[path = "inventory/daemon.rs"]
#[expect(dead_code, reason = "shared with the benchmark of the inventory, which uses more of it")]
mod daemon;
#[path = "alarms/guests.rs"]
mod guests;
#[path = "alarms/kills.rs"]
mod kills;
#[path = "inventory/process.rs"]
#[expect(dead_code, reason = "shared with the benchmark of the inventory, which uses more of it")]
mod process;
#[path = "alarms/raise.rs"]
mod raise;
#[path = "alarms/reporter.rs"]
mod reporter;
#[path = "alarms/resume.rs"]
mod resume;
#[path = "alarms/subscriber.rs"]
mod subscriber;
#[path = "inventory/table.rs"]
#[expect(dead_code, reason = "shared with the benchmark of the inventory, which uses more of it")]
mod table;

use clap::{Parser, ValueEnum};
use table::Table;

/// Benchmarks of fault management.
#[derive(Debug, Parser)]
struct Arguments {
    /// Parts to run; all of them if none is named
    parts: Vec<Part>,
    /// A tenth of everything, against the same targets: says that it works, not how fast it is
    #[arg(long)]
    quick: bool,
    /// Cargo passes it
    #[arg(long, hide = true)]
    bench: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Part {
    /// 10,000 alarms raised and cleared, with a subscriber that must hear of each
    Raise,
    /// 10,000 active alarms: listed, and read again after a kill
    Active,
    /// A subscriber that missed 100,000 transitions
    Resume,
    /// QEMU processes killed: until 50 subscribers know, with the exit status from the kernel
    Kills,
    /// The same by libvirt's event alone, and from that event
    Events,
}

fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(run(arguments))
}

async fn run(arguments: Arguments) -> anyhow::Result<()> {
    process::print_machine_facts();
    let parts = if arguments.parts.is_empty() { Part::value_variants().to_vec() } else { arguments.parts };
    let alarms = if arguments.quick { 1_000 } else { 10_000 };
    let mut table = Table::default();
    for part in parts {
        let name = part.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default();
        println!("\n== {name}, load {}", process::load());
        table.begin(&name);
        match part {
            Part::Raise => raise::measure(&mut table, alarms).await?,
            Part::Active => active::measure(&mut table, alarms).await?,
            Part::Resume => resume::measure(&mut table, alarms).await?,
            Part::Kills => kills::measure(&mut table, kills::Way::ExitStatus, arguments.quick).await?,
            Part::Events => kills::measure(&mut table, kills::Way::Event, arguments.quick).await?,
        }
    }
    println!("\n{table}");
    Ok(())
}
