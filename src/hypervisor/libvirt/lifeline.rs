//! What can be cut to free a lane's thread, seen from both sides: the thread notes what it may wait
//! on, others give it up and cut that.

use super::sever::{self, Opening};
use super::uri::Target;
use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, AtomicI32, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Shared between a lane's thread and everybody who may give it up.
#[derive(Debug, Default)]
pub struct Lifeline {
    /// Set once: nobody waits for this thread any more, it ends as soon as it can.
    abandoned: AtomicBool,
    thread: AtomicI32,
    waits: Mutex<Waits>,
}

#[derive(Debug, Default)]
struct Waits {
    opening: Option<Opening>,
    sockets: BTreeSet<u64>,
}

impl Lifeline {
    /// True once nobody waits for this thread any more.
    pub fn is_abandoned(&self) -> bool {
        self.abandoned.load(Ordering::SeqCst)
    }

    /// Gives the thread up.
    pub fn abandon(&self) {
        self.abandoned.store(true, Ordering::SeqCst);
    }

    /// Called by the thread itself, first of all.
    pub fn begin(&self) {
        self.thread.store(rustix::thread::gettid().as_raw_nonzero().get(), Ordering::SeqCst);
    }

    /// Notes that an open begins; it can be cut from now on.
    pub fn begin_open(&self, opening: Opening) {
        self.waits().opening = Some(opening);
    }

    /// Notes the sockets an open has made.
    pub fn end_open(&self) {
        let opening = self.waits().opening.clone();
        let sockets = opening.map(|opening| opening.sockets()).unwrap_or_default();
        let mut waits = self.waits();
        waits.opening = None;
        waits.sockets.extend(sockets);
    }

    /// Notes that the thread's connection is closed.
    pub fn forget_sockets(&self) {
        self.waits().sockets.clear();
    }

    /// Cuts everything the thread may wait on. What is not severable stays as it is.
    pub fn cut(&self, target: &Target) {
        if !target.severable() {
            return;
        }
        if sever::waits_on_child(target) {
            sever::end_children(self.thread.load(Ordering::SeqCst));
            return;
        }
        let (opening, mut sockets) = {
            let waits = self.waits();
            (waits.opening.clone(), waits.sockets.clone())
        };
        sockets.extend(opening.map(|opening| opening.sockets()).unwrap_or_default());
        if !sockets.is_empty() {
            sever::cut_sockets(&sockets);
        }
    }

    fn waits(&self) -> MutexGuard<'_, Waits> {
        self.waits.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
