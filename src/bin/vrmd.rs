//! The daemon: arguments and exit codes.

use clap::Parser;
use std::path::PathBuf;
use std::process::ExitCode;
use vrm::daemon::{self, Options};
use vrm::settings::Inputs;

/// The virtualized resource manager: watches the libvirt hosts of one cluster and serves what it
/// knows over gRPC.
#[derive(Debug, Parser)]
#[command(name = "vrmd", version, about)]
struct Arguments {
    /// Main settings file [default: /etc/vrm/vrm.toml]; drop-ins lie beside it in vrm.d and hosts.d
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// A host; repeat for more hosts, or with the same ID for a further technology of one host.
    /// Without --config the settings files are not read then
    #[arg(long, value_name = "[ID=]URI")]
    host: Vec<String>,
    /// Where clients connect, instead of what the files say [default: unix:/run/vrm/vrmd.sock]
    #[arg(long, value_name = "unix:PATH|ADDR:PORT")]
    listen: Vec<String>,
    /// Permits a plaintext TCP listener on a loopback address; its callers may only read
    #[arg(long)]
    insecure_loopback: bool,
    /// Where the daemon keeps its store [default: /var/lib/vrm]
    #[arg(long, value_name = "DIR")]
    state_dir: Option<PathBuf>,
    /// What may be done to hosts: monitor (read only) or manage
    #[arg(long, value_name = "monitor|manage")]
    profile: Option<String>,
    /// The OpenMetrics page [default: 127.0.0.1:9478]
    #[arg(long, value_name = "ADDR:PORT|off")]
    metrics: Option<String>,
    /// Serve TCP with throw-away certificates, written to DIR for the clients
    #[arg(long, value_name = "DIR")]
    dev_tls: Option<PathBuf>,
    /// Remove more hosts than the removal guard permits
    #[arg(long)]
    allow_removals: bool,
    /// Move an unreadable store away and begin anew
    #[arg(long)]
    set_aside_store: bool,
    /// Read and check the settings, change nothing
    #[arg(long)]
    check: bool,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let options = Options {
        inputs: Inputs {
            config: arguments.config,
            hosts: arguments.host,
            listen: arguments.listen,
            state_dir: arguments.state_dir,
            profile: arguments.profile,
            metrics: arguments.metrics,
            local_name: rustix::system::uname().nodename().to_string_lossy().into_owned(),
        },
        insecure_loopback: arguments.insecure_loopback,
        dev_tls: arguments.dev_tls,
        allow_removals: arguments.allow_removals,
        set_aside_store: arguments.set_aside_store,
    };
    let exit = if arguments.check { daemon::check(&options) } else { daemon::run(options) };
    ExitCode::from(exit.code())
}
