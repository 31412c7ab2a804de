//! A throw-away daemon: started as the person who asks, in a private directory, gone without a trace.

use crate::client::{Client, Endpoint};
use rustix::process::{Pid, Signal, kill_process};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};
use tokio::process::{Child, Command};

/// 30 seconds: longest start of the daemon.
const START_LIMIT: Duration = Duration::from_secs(30);
/// 12 seconds: the daemon's own stop takes at most 10.
const STOP_LIMIT: Duration = Duration::from_secs(12);
/// The hosts of a trial without any: three simulated ones that live.
const SIMULATED: &str = "sim=sim://?hosts=3&vms=24&seed=7&churn=state";

/// Why a trial did not work.
#[derive(Debug, thiserror::Error)]
pub enum TrialError {
    /// No program `vrmd`.
    #[error("vrmd is neither beside vrmctl nor in PATH")]
    NoDaemon,
    /// The directory, or starting the program.
    #[error("{0}: {1}")]
    Io(String, std::io::Error),
    /// The daemon ended instead of getting ready.
    #[error("vrmd did not start ({status}):\n{log}")]
    Ended {
        /// How it ended.
        status: String,
        /// The end of what it wrote.
        log: String,
    },
    /// The daemon did not get ready in time.
    #[error("vrmd was not ready within 30 s:\n{log}")]
    NotReady {
        /// The end of what it wrote.
        log: String,
    },
}

/// The program `vrmd`: beside this one, else in PATH.
pub fn find_vrmd() -> Option<PathBuf> {
    let beside = std::env::current_exe().ok().and_then(|own| own.parent().map(|directory| directory.join("vrmd")));
    let path = std::env::var_os("PATH").unwrap_or_default();
    beside
        .into_iter()
        .chain(std::env::split_paths(&path).map(|directory| directory.join("vrmd")))
        .find(|path| path.is_file())
}

/// A running throw-away daemon. Dropping it kills the daemon and removes its directory.
#[derive(Debug)]
pub struct Trial {
    child: Child,
    directory: PathBuf,
}

impl Trial {
    /// Starts one on these hosts, or on simulated ones.
    ///
    /// # Errors
    /// [`TrialError`].
    pub async fn start(vrmd: Option<&Path>, hosts: &[String]) -> Result<Self, TrialError> {
        let vrmd = vrmd.map(Path::to_path_buf).or_else(find_vrmd).ok_or(TrialError::NoDaemon)?;
        let directory = private_directory()?;
        let started = spawn(&vrmd, &directory, hosts);
        let child = match started {
            Ok(child) => child,
            Err(error) => {
                let _ = std::fs::remove_dir_all(&directory);
                return Err(TrialError::Io(vrmd.display().to_string(), error));
            }
        };
        let mut trial = Self { child, directory };
        trial.wait_ready().await?;
        Ok(trial)
    }

    /// Its socket.
    pub fn endpoint(&self) -> Endpoint {
        Endpoint::Unix(self.directory.join("vrmd.sock"))
    }

    /// File that it logs to.
    pub fn log_path(&self) -> PathBuf {
        self.directory.join("vrmd.log")
    }

    async fn wait_ready(&mut self) -> Result<(), TrialError> {
        let start = Instant::now();
        let target = self.endpoint().into();
        while start.elapsed() < START_LIMIT {
            if let Ok(Some(status)) = self.child.try_wait() {
                return Err(TrialError::Ended { status: status.to_string(), log: self.log_end() });
            }
            if let Ok(client) = Client::connect(&target).await
                && client.server_info().await.is_ok()
            {
                return Ok(());
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        Err(TrialError::NotReady { log: self.log_end() })
    }

    fn log_end(&self) -> String {
        let log = std::fs::read_to_string(self.log_path()).unwrap_or_default();
        let lines: Vec<&str> = log.lines().collect();
        lines[lines.len().saturating_sub(12)..].join("\n")
    }

    /// Returns when the daemon has ended by itself.
    pub async fn ended(&mut self) -> String {
        let status = self.child.wait().await;
        let status = status.map_or_else(|error| error.to_string(), |status| status.to_string());
        format!("vrmd ended ({status}):\n{}", self.log_end())
    }

    /// Stops the daemon in order and removes everything.
    pub async fn stop(mut self) {
        let pid = self.child.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw);
        if let Some(pid) = pid {
            // Gone already is as good.
            let _ = kill_process(pid, Signal::TERM);
            let _ = tokio::time::timeout(STOP_LIMIT, self.child.wait()).await;
        }
    }
}

impl Drop for Trial {
    fn drop(&mut self) {
        let _ = self.child.start_kill();
        let _ = std::fs::remove_dir_all(&self.directory);
    }
}

fn private_directory() -> Result<PathBuf, TrialError> {
    let runtime = std::env::var_os("XDG_RUNTIME_DIR").map(PathBuf::from).filter(|path| path.is_dir());
    let directory =
        runtime.unwrap_or_else(std::env::temp_dir).join(format!("vrm-try-{}", uuid::Uuid::new_v4().simple()));
    let made = std::fs::DirBuilder::new().mode(0o700).create(&directory);
    made.map_err(|error| TrialError::Io(directory.display().to_string(), error))?;
    Ok(directory)
}

fn spawn(vrmd: &Path, directory: &Path, hosts: &[String]) -> std::io::Result<Child> {
    let log = std::fs::File::create(directory.join("vrmd.log"))?;
    // An empty file: the settings of this machine are none of the trial's business.
    let settings = directory.join("vrm.toml");
    std::fs::write(&settings, "")?;
    let mut command = Command::new(vrmd);
    command.arg("--config").arg(&settings);
    command.arg("--listen").arg(format!("unix:{}", directory.join("vrmd.sock").display()));
    command.arg("--state-dir").arg(directory.join("state")).arg("--metrics").arg("off");
    let simulated = [SIMULATED.to_owned()];
    for host in if hosts.is_empty() { &simulated[..] } else { hosts } {
        command.arg("--host").arg(host);
    }
    command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log);
    // Its own group: Ctrl-C is ours, and the daemon is stopped in order.
    command.process_group(0).kill_on_drop(true);
    command.spawn()
}
