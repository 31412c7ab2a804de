//! Choosing where log events go, and setting that up once per process.

use super::journal;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::{EnvFilter, Layer};

/// Why logging cannot be set up.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// The filter is wrong.
    #[error("log.level {filter:?}: {reason}")]
    Filter {
        /// The filter.
        filter: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The journal's thread cannot be started.
    #[error("journal: {0}")]
    Journal(std::io::Error),
    /// Somebody else set it up before.
    #[error("logging is set up already")]
    Twice,
}

/// Counters about logging and panics.
#[derive(Clone, Debug, Default)]
pub struct LogCounters {
    pub(super) dropped: Arc<AtomicU64>,
    panics: Arc<AtomicU64>,
}

impl LogCounters {
    /// Records dropped because the journal did not read.
    pub fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }

    /// Panics in any thread since start.
    pub fn panics(&self) -> u64 {
        self.panics.load(Ordering::Relaxed)
    }
}

/// Sends log events to the journal if standard error is connected to it, else to standard error.
///
/// # Errors
/// [`LogError`] if the filter is wrong or the journal's thread cannot be started.
pub fn init(filter: &str) -> Result<LogCounters, LogError> {
    let counters = LogCounters::default();
    let filter = EnvFilter::try_new(filter)
        .map_err(|error| LogError::Filter { filter: filter.to_owned(), reason: error.to_string() })?;
    let layer = if systemd_journal_logger::connected_to_journal() {
        journal::layer(Arc::clone(&counters.dropped)).map_err(LogError::Journal)?.boxed()
    } else {
        tracing_subscriber::fmt::layer().with_writer(std::io::stderr).with_target(false).compact().boxed()
    };
    let registry = tracing_subscriber::registry().with(layer.with_filter(filter));
    tracing::subscriber::set_global_default(registry).map_err(|_| LogError::Twice)?;
    count_panics(&counters);
    Ok(counters)
}

fn count_panics(counters: &LogCounters) {
    let panics = Arc::clone(&counters.panics);
    std::panic::set_hook(Box::new(move |panic| {
        panics.fetch_add(1, Ordering::Relaxed);
        let thread = std::thread::current();
        tracing::error!(thread = thread.name().unwrap_or("unnamed"), %panic, "panic");
    }));
}
