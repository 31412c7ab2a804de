//! The command line: arguments, exit codes, and the commands about this machine's set-up.

use clap::Parser;
use std::path::Path;
use std::process::ExitCode;
use vrm::cli::args::{ConfigAction, TryArgs, Verb};
use vrm::cli::{Cli, Exit, Failure};
use vrm::setup::{Trial, TrialError, find_vrmd};

fn main() -> ExitCode {
    let cli = Cli::parse();
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return told(&Failure::new(Exit::Failed, error.to_string())),
    };
    match runtime.block_on(dispatch(cli)) {
        Ok(code) => ExitCode::from(code),
        Err(failure) => told(&failure),
    }
}

fn told(failure: &Failure) -> ExitCode {
    eprintln!("error: {failure}");
    ExitCode::from(failure.exit.code())
}

async fn dispatch(cli: Cli) -> Result<u8, Failure> {
    match &cli.verb {
        Verb::Try(args) => trial(args).await,
        Verb::Config { action: ConfigAction::Check { file } } => check(file),
        Verb::Config { action: ConfigAction::Diff { file } } => {
            let hosts = vrm::cli::running_hosts(cli.global.clone()).await?;
            diff(file, &hosts)
        }
        _ => Box::pin(vrm::cli::run(cli)).await,
    }
}

fn check(file: &Path) -> Result<u8, Failure> {
    let vrmd = find_vrmd().ok_or_else(|| {
        Failure::new(Exit::Failed, "config check needs vrmd, which is neither beside vrmctl nor in PATH")
    })?;
    let status = vrm::setup::check(&vrmd, file)
        .map_err(|error| Failure::new(Exit::Failed, format!("{}: {error}", vrmd.display())))?;
    if status.success() {
        return Ok(Exit::Done.code());
    }
    Err(Failure::new(Exit::Failed, format!("{}: the daemon would not take these settings", file.display())))
}

fn diff(file: &Path, hosts: &[vrm::client::v1::Host]) -> Result<u8, Failure> {
    let difference = vrm::setup::diff(file, hosts)
        .map_err(|why| Failure::new(Exit::Failed, why).with_next("vrmctl config check"))?;
    for line in &difference.lines {
        println!("{line}");
    }
    for warning in &difference.warnings {
        eprintln!("warning: {warning}");
    }
    if difference.lines.is_empty() {
        eprintln!("no difference in hosts");
    }
    eprintln!("only hosts are compared: the daemon does not tell its other settings");
    Ok(if difference.lines.is_empty() { Exit::Done } else { Exit::NotFound }.code())
}

async fn trial(args: &TryArgs) -> Result<u8, Failure> {
    let mut trial = tokio::select! {
        started = Trial::start(args.vrmd.as_deref(), &args.hosts) => started.map_err(|error| no_trial(&error))?,
        _ = tokio::signal::ctrl_c() => return Ok(Exit::Done.code()),
    };
    let endpoint = trial.endpoint();
    let what = if args.hosts.is_empty() { "3 simulated hosts".to_owned() } else { args.hosts.join(" ") };
    eprintln!("vrmd runs on {what}, profile monitor: it changes nothing. In another terminal:");
    eprintln!("  export VRM_ENDPOINT={endpoint}");
    eprintln!("  vrmctl get vms");
    eprintln!("  vrmctl watch vms");
    eprintln!("  vrmctl summary");
    eprintln!("Its log is {}. Ctrl-C ends it and removes everything.", trial.log_path().display());
    let mut terminated = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())
        .map_err(|error| Failure::new(Exit::Failed, error.to_string()))?;
    tokio::select! {
        why = trial.ended() => return Err(Failure::new(Exit::Failed, why)),
        _ = tokio::signal::ctrl_c() => {}
        _ = terminated.recv() => {}
    }
    eprintln!("\nstopping");
    trial.stop().await;
    Ok(Exit::Done.code())
}

fn no_trial(error: &TrialError) -> Failure {
    let failure = Failure::new(Exit::Failed, error.to_string());
    match error {
        TrialError::NoDaemon => failure.with_next("vrmctl try --vrmd PATH"),
        _ => failure,
    }
}
