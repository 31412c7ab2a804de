//! Starting the sinks and looking after them.

use super::alertmanager::Alertmanager;
use super::config::{Filter, NotifyConfig, SinkConfig, SinkKind};
use super::exec::{COMMANDS, Exec};
use super::health::{HealthCell, SinkHealth, SinkObserver};
use super::journal::Journal;
use super::memory::SinkMemory;
use super::retry::Backoff;
use super::sink::{Channel, Sink};
use super::webhook::Webhook;
use crate::changes::ChangeLog;
use crate::telemetry::SinkFigures;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// Why the sinks cannot be started.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The directory or a position cannot be read or written.
    #[error("{path}: {source}")]
    Memory {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A sink's settings are wrong.
    #[error("notify sink {name}: {reason}")]
    Sink {
        /// Which.
        name: String,
        /// What is wrong.
        reason: String,
    },
}

/// The running sinks.
#[derive(Debug)]
pub struct NotifyHandle {
    cells: Vec<Arc<HealthCell>>,
    tasks: Vec<JoinHandle<()>>,
}

impl NotifyHandle {
    /// How each sink does.
    pub fn health(&self) -> Vec<SinkHealth> {
        self.cells.iter().map(|cell| cell.read()).collect()
    }

    /// The figures of each sink, for the metrics page.
    pub fn figures(&self) -> Vec<Arc<SinkFigures>> {
        self.cells.iter().map(|cell| Arc::clone(&cell.figures)).collect()
    }

    /// Waits until every sink has ended after `stop`. What is under way then is delivered again at the next start.
    pub async fn stopped(self) {
        for task in self.tasks {
            // A sink that panicked was counted where panics are.
            drop(task.await);
        }
    }
}

/// Starts every sink; positions are kept in `state_dir/notify`. Needs a runtime with several threads.
///
/// # Errors
/// [`StartError`] if a position cannot be read or written, or a sink's settings are wrong.
pub fn start(
    config: NotifyConfig,
    log: &Arc<ChangeLog>,
    state_dir: &Path,
    observer: Option<Arc<dyn SinkObserver>>,
    stop: &CancellationToken,
) -> Result<NotifyHandle, StartError> {
    let NotifyConfig { reporter, sinks: configs, report_after } = config;
    let directory = state_dir.join("notify");
    std::fs::create_dir_all(&directory).map_err(|source| StartError::Memory { path: directory.clone(), source })?;
    let slots = Arc::new(Semaphore::new(COMMANDS));
    let made = configs.into_iter().map(move |sink| {
        let figures = Arc::new(SinkFigures::new(&sink.name, sink.kind.as_str()));
        let health = Arc::new(HealthCell::new(figures, observer.clone(), report_after));
        make(sink, &reporter, log, &directory, health, &slots, stop)
    });
    let sinks = made.collect::<Result<Vec<Sink>, StartError>>()?;
    let cells = sinks.iter().map(|sink| Arc::clone(&sink.health)).collect();
    let tasks = sinks.into_iter().map(|sink| tokio::spawn(sink.run())).collect();
    Ok(NotifyHandle { cells, tasks })
}

fn make(
    config: SinkConfig,
    reporter: &crate::export::Reporter,
    log: &Arc<ChangeLog>,
    directory: &Path,
    health: Arc<HealthCell>,
    slots: &Arc<Semaphore>,
    stop: &CancellationToken,
) -> Result<Sink, StartError> {
    let name = config.name;
    let wrong = |reason| StartError::Sink { name: name.clone(), reason };
    let resend = resend(&config.kind);
    let filter = Filter { everything: matches!(config.kind, SinkKind::Journal(_)), ..config.filter };
    let channel = match config.kind {
        SinkKind::Alertmanager(config) => Channel::Alertmanager(Box::new(Alertmanager::new(config).map_err(wrong)?)),
        SinkKind::Webhook(config) => Channel::Webhook(Box::new(Webhook::new(config).map_err(wrong)?)),
        SinkKind::Exec(config) => Channel::Exec(Exec::new(config, Arc::clone(slots)).map_err(wrong)?),
        SinkKind::Journal(config) => Channel::Journal(Box::new(Journal::new(config))),
    };
    let path = directory.join(format!("{name}.position"));
    let memory = SinkMemory::open(&path).map_err(|source| StartError::Memory { path, source })?;
    Ok(Sink {
        log: Arc::clone(log),
        reporter: reporter.clone(),
        filter,
        delay: config.delay,
        resend,
        channel,
        memory,
        health,
        backoff: Backoff::new(seed(&name)),
        stop: stop.clone(),
    })
}

fn resend(kind: &SinkKind) -> Option<Duration> {
    match kind {
        SinkKind::Alertmanager(config) => Some(config.resend),
        SinkKind::Webhook(_) | SinkKind::Exec(_) | SinkKind::Journal(_) => None,
    }
}

/// Two sinks, and two daemons, shall not try in step.
fn seed(name: &str) -> u64 {
    let time = u64::try_from(super::channel::now().0).unwrap_or(1);
    name.bytes().fold(time, |seed, byte| seed.wrapping_mul(31).wrapping_add(u64::from(byte)))
}
