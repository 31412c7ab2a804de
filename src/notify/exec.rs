//! The command: one run per change, JSON on its standard input, bounded in time and number.
//!
//! Status 0 is delivered, 65 (`EX_DATAERR`) refuses this one change, everything else is tried again.

use super::channel::{Failure, Parcel, Progress, now};
use super::config::ExecConfig;
use super::notice::Notice;
use crate::export::{Told, change_record};
use std::process::Stdio;
use std::sync::Arc;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::process::{Child, Command};
use tokio::sync::Semaphore;
use tokio::time::timeout;

/// Commands at once, of all sinks together; a sink itself runs one after the other.
pub(super) const COMMANDS: usize = 4;

/// What is read of a command's standard error: 4 KiB.
const SAID: u64 = 4_096;

/// Exit status of a command that will never take this change.
const REFUSED: i32 = 65;

#[derive(Debug)]
pub(super) struct Exec {
    config: ExecConfig,
    slots: Arc<Semaphore>,
}

impl Exec {
    pub(super) fn new(config: ExecConfig, slots: Arc<Semaphore>) -> Result<Self, String> {
        if config.command.first().is_none_or(|program| !program.starts_with('/')) {
            return Err("command must begin with an absolute path".into());
        }
        Ok(Self { config, slots })
    }

    pub(super) async fn deliver(&self, parcel: Parcel<'_>) -> Progress {
        for (done, notice) in parcel.notices.iter().enumerate() {
            if let Err(failure) = self.run(parcel, notice).await {
                return Progress::stopped(done, failure);
            }
        }
        Progress::all(parcel.notices.len())
    }

    async fn run(&self, parcel: Parcel<'_>, notice: &Notice) -> Result<(), Failure> {
        let _slot = self.slots.acquire().await.map_err(|_| Failure::later("stopping"))?;
        let told = Told { event: notice.event, epoch: parcel.epoch, sent: now() };
        let record = change_record(parcel.reporter, &notice.view, told).to_string();
        let program = self.config.command[0].clone();
        let mut child = Command::new(&program)
            .args(&self.config.command[1..])
            .env_clear()
            .env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")
            .env("VRM_EVENT", notice.event.as_str())
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .map_err(|error| Failure::later(format!("{program}: {error}")))?;
        match timeout(self.config.timeout, feed(&mut child, record)).await {
            Ok(result) => result.map_err(|failure| prefixed(&program, failure)),
            Err(_) => {
                // Also reaps it; what it started itself is the command's own business.
                let _ = child.kill().await;
                Err(Failure::later(format!("{program}: killed after {} s", self.config.timeout.as_secs())))
            }
        }
    }
}

fn prefixed(program: &str, failure: Failure) -> Failure {
    match failure {
        Failure::Later { reason, pause } => Failure::Later { reason: format!("{program}: {reason}"), pause },
        Failure::Refused(reason) => Failure::Refused(format!("{program}: {reason}")),
    }
}

/// Feeds the record, reads what the command complains about, and waits for its end.
async fn feed(child: &mut Child, record: String) -> Result<(), Failure> {
    let stdin = child.stdin.take();
    let stderr = child.stderr.take();
    let write = async {
        if let Some(mut stdin) = stdin {
            // A command that does not read its input may still do its duty: the status decides.
            let _ = stdin.write_all(record.as_bytes()).await;
        }
    };
    let read = async {
        let mut said = Vec::new();
        if let Some(mut stderr) = stderr {
            let _ = (&mut stderr).take(SAID).read_to_end(&mut said).await;
            let _ = tokio::io::copy(&mut stderr, &mut tokio::io::sink()).await;
        }
        said
    };
    let ((), said, status) = tokio::join!(write, read, child.wait());
    let status = status.map_err(|error| Failure::later(error.to_string()))?;
    let said = String::from_utf8_lossy(&said);
    match status.code() {
        Some(0) => Ok(()),
        Some(REFUSED) => Err(Failure::Refused(format!("{status} {}", said.trim()))),
        _ => Err(Failure::later(format!("{status} {}", said.trim()))),
    }
}
