//! Talking to the service manager: ready, reloading, stopping, status, watchdog.

use sd_notify::NotifyState;
use std::time::Duration;

/// Tells that the daemon serves.
pub(super) fn ready(status: &str) {
    notify(&[NotifyState::Ready, NotifyState::Status(status)]);
}

/// Tells what is going on, for `systemctl status`.
pub(super) fn status(status: &str) {
    notify(&[NotifyState::Status(status)]);
}

/// Tells that the daemon stops.
pub(super) fn stopping() {
    notify(&[NotifyState::Stopping]);
}

/// Tells that settings are read again; [`ready`] must follow.
pub(super) fn reloading() {
    match NotifyState::monotonic_usec_now() {
        Ok(now) => notify(&[NotifyState::Reloading, now]),
        Err(error) => tracing::debug!(%error, "no monotonic clock for the service manager"),
    }
}

/// How often the service manager wants to see progress; nothing if it does not watch.
pub(super) fn watchdog_period() -> Option<Duration> {
    sd_notify::watchdog_enabled().map(|period| period / 2)
}

/// Shows progress.
pub(super) fn alive() {
    notify(&[NotifyState::Watchdog]);
}

fn notify(states: &[NotifyState<'_>]) {
    // Without a service manager there is nobody to tell.
    if let Err(error) = sd_notify::notify(states) {
        tracing::debug!(%error, "service manager was not told");
    }
}
