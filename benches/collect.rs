//! What a round of statistics of 100 real QEMU machines costs, ours beside others: `./dev bench collect`.
//!
//! An own harness: it makes a lab host (tests/lab) with so many machines, and lets each contestant work alone for a
//! while, in turns: the raw bulk call of libvirt as the limit, `vrmd`, Debian's prometheus-libvirt-exporter and
//! collectd's plugin `virt`. Told are, per round: the contestant's own CPU time, libvirtd's, and the wall time where a
//! round has one. Needs root. How to read the figures is written in docs/benchmarks.md.

#[path = "collect/contestants.rs"]
mod contestants;
#[path = "collect/herd.rs"]
mod herd;
#[path = "inventory/process.rs"]
#[expect(dead_code, reason = "shared with the other benchmarks, which use more of it")]
mod process;
#[path = "collect/tasks.rs"]
mod tasks;

use clap::Parser;
use contestants::Contestant;
use herd::Herd;
use std::time::{Duration, Instant};

/// Benchmark of collecting statistics.
#[derive(Debug, Parser)]
struct Arguments {
    /// Machines on the host
    #[arg(long, default_value_t = 100)]
    machines: u32,
    /// Turns of each contestant
    #[arg(long, default_value_t = 2)]
    turns: u32,
    /// Rounds in each turn, 10 s apart where the contestant has a clock of its own
    #[arg(long, default_value_t = 6)]
    rounds: u32,
    /// Wait until the machine's load is below this before measuring
    #[arg(long, default_value_t = 1.5)]
    load: f64,
    /// Cargo passes it
    #[arg(long, hide = true)]
    bench: bool,
    /// Makes the raw calls on this address, as a child
    #[arg(long, hide = true)]
    raw: Option<String>,
    /// Asks for virtual CPUs too, in the child
    #[arg(long, hide = true)]
    with_vcpus: bool,
}

/// Sums over the turns of one contestant.
#[derive(Debug, Default)]
struct Sums {
    rounds: u32,
    own: Duration,
    libvirtd: Duration,
    wall: Option<Duration>,
}

fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    if let Some(uri) = &arguments.raw {
        return contestants::raw_calls(uri, arguments.with_vcpus, arguments.rounds);
    }
    process::print_machine_facts();
    let herd = Herd::start(arguments.machines)?;
    println!("machines {} on {}", arguments.machines, herd.uri());
    wait_for_load(arguments.load);
    let mut sums: Vec<(Contestant, Sums)> = Contestant::ALL.map(|one| (one, Sums::default())).into();
    for turn in 1..=arguments.turns {
        for (contestant, sums) in &mut sums {
            let turned = contestant.turn(&herd, arguments.rounds)?;
            println!("turn {turn}, {contestant}: {turned:?}, load {}", process::load());
            sums.rounds += turned.rounds;
            sums.own += turned.own;
            sums.libvirtd += turned.libvirtd;
            if let Some(wall) = turned.wall {
                *sums.wall.get_or_insert_default() += wall;
            }
        }
    }
    print_table(&sums);
    Ok(())
}

/// Other work on the machine would be measured with ours; gives up after five minutes.
fn wait_for_load(most: f64) {
    let begun = Instant::now();
    while begun.elapsed() < Duration::from_secs(300) {
        let load = process::load();
        if load.split(' ').next().and_then(|first| first.parse::<f64>().ok()).is_some_and(|load| load <= most) {
            return;
        }
        println!("waiting for load <= {most}: {load}");
        std::thread::sleep(Duration::from_secs(15));
    }
    println!("the machine does not come to rest: the figures hold other work too");
}

fn print_table(sums: &[(Contestant, Sums)]) {
    println!("\n| contestant | rounds | wall a round | own CPU a round | libvirtd CPU a round |");
    println!("|---|---|---|---|---|");
    for (contestant, sums) in sums {
        let each = |time: Duration| format!("{:.1} ms", time.as_secs_f64() * 1_000.0 / f64::from(sums.rounds.max(1)));
        let wall = sums.wall.map_or("–".to_owned(), each);
        println!("| {contestant} | {} | {wall} | {} | {} |", sums.rounds, each(sums.own), each(sums.libvirtd));
    }
}
