//! libvirt's event loop: one per process, on its own thread, registered before any connection opens.
//!
//! Registered late, remote connections accept subscriptions and silently deliver nothing. The loop
//! cannot be stopped again. A one-second timer keeps it turning and shows that it does.

use super::ffi::{failure::Failure, timer};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// Period of the heartbeat.
const BEAT: Duration = Duration::from_secs(1);

/// When the loop was started; heartbeats are counted in milliseconds from here.
static STARTED: OnceLock<Result<Instant, String>> = OnceLock::new();
static LAST_BEAT: AtomicU64 = AtomicU64::new(0);

/// Starts the loop if it does not run yet. Must be called before the first connection is opened.
///
/// # Errors
/// Why libvirt or the system refused; it stays refused for the life of the process.
pub fn start() -> Result<(), String> {
    STARTED.get_or_init(launch).as_ref().map(|_| ()).map_err(Clone::clone)
}

/// True once [`start`] has succeeded.
pub fn is_running() -> bool {
    matches!(STARTED.get(), Some(Ok(_)))
}

/// Time since the loop last turned; nothing if it was never started. More than a few seconds mean
/// that it hangs, and with it events and keepalive of all hosts.
pub fn silence() -> Option<Duration> {
    let started = STARTED.get()?.as_ref().ok()?;
    Some(started.elapsed().saturating_sub(Duration::from_millis(LAST_BEAT.load(Ordering::Relaxed))))
}

fn launch() -> Result<Instant, String> {
    virt::error::clear_error_callback();
    virt::event::event_register_default_impl().map_err(|error| error.to_string())?;
    timer::start(BEAT, beat).map_err(|failure: Failure| failure.message)?;
    std::thread::Builder::new().name("virt-events".into()).spawn(turn).map_err(|error| error.to_string())?;
    Ok(Instant::now())
}

fn turn() {
    loop {
        if let Err(error) = virt::event::event_run_default_impl() {
            tracing::error!(%error, "libvirt's event loop failed a turn");
            std::thread::sleep(Duration::from_millis(100));
        }
    }
}

fn beat() {
    if let Some(Ok(started)) = STARTED.get() {
        let since = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
        LAST_BEAT.store(since, Ordering::Relaxed);
    }
}
