//! Tells systemd that the daemon lives: the engine turns, and libvirt's event loop does.

use super::service;
use crate::engine::EngineVitals;
use std::time::Duration;

/// Feeds the service manager's watchdog as long as engine and event loop move.
pub(super) struct Watchdog {
    period: Option<Duration>,
    fed: tokio::time::Instant,
    heartbeat: u64,
}

impl Watchdog {
    pub(super) fn new() -> Self {
        Self { period: service::watchdog_period(), fed: tokio::time::Instant::now(), heartbeat: 0 }
    }

    pub(super) fn look(&mut self, vitals: &EngineVitals) {
        let Some(period) = self.period else { return };
        let heartbeat = vitals.heartbeat();
        if heartbeat != self.heartbeat && event_loop_turns() && self.fed.elapsed() >= period {
            self.heartbeat = heartbeat;
            self.fed = tokio::time::Instant::now();
            service::alive();
        }
    }
}

/// libvirt's event loop ticks once a second; ten seconds of silence is a stall.
fn event_loop_turns() -> bool {
    #[cfg(feature = "libvirt")]
    {
        use crate::hypervisor::libvirt::event_loop;
        event_loop::silence().is_none_or(|silence| silence < Duration::from_secs(10))
    }
    #[cfg(not(feature = "libvirt"))]
    true
}
