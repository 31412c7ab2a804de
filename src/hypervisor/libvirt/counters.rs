//! Counters of an endpoint that outlive its connections, and the threads it has lost.

use super::lifeline::Lifeline;
use super::uri::Target;
use crate::hypervisor::port::Vitals;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// See [`Vitals`].
#[derive(Debug, Default)]
pub struct Counters {
    severed_lanes: AtomicU64,
    quarantined: AtomicU32,
    stuck: Mutex<Vec<Arc<Lifeline>>>,
}

impl Counters {
    /// A lane was given up because a call hung.
    pub fn lane_severed(&self) {
        self.severed_lanes.fetch_add(1, Ordering::Relaxed);
    }

    /// A thread hangs in a call nobody waits for any more.
    pub fn stuck(&self, thread: &Arc<Lifeline>) {
        self.threads().push(thread.clone());
    }

    /// A stuck thread has come back.
    pub fn unstuck(&self, thread: &Arc<Lifeline>) {
        self.threads().retain(|stuck| !Arc::ptr_eq(stuck, thread));
    }

    /// Threads that hang now.
    pub fn stuck_threads(&self) -> u32 {
        u32::try_from(self.threads().len()).unwrap_or(u32::MAX)
    }

    /// Cuts the stuck threads' sockets once more: a client that tries a host's next address after the
    /// first was cut opens another one.
    pub fn cut_stuck_again(&self, target: &Target) {
        let stuck = self.threads().clone();
        for thread in stuck {
            thread.cut(target);
        }
    }

    /// Notes how many machines are left out of bulk calls now.
    pub fn set_quarantined(&self, machines: usize) {
        self.quarantined.store(u32::try_from(machines).unwrap_or(u32::MAX), Ordering::Relaxed);
    }

    /// The counters as the port shows them.
    pub fn vitals(&self) -> Vitals {
        Vitals {
            severed_lanes: self.severed_lanes.load(Ordering::Relaxed),
            stuck_threads: self.stuck_threads(),
            quarantined_machines: self.quarantined.load(Ordering::Relaxed),
        }
    }

    fn threads(&self) -> MutexGuard<'_, Vec<Arc<Lifeline>>> {
        self.stuck.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
