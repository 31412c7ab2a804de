//! Transactions that are on their way through the store, in order.

use crate::model::{AuditRecord, Change, Timestamp};
use std::collections::VecDeque;
use std::sync::Arc;

/// At most 1,024 transactions are outstanding (design.md 4); then bulk reports wait and commands are refused.
const WINDOW_TRANSACTIONS: usize = 1_024;

/// At most 8 MiB of changes are outstanding.
const WINDOW_BYTES: usize = 8 * 1024 * 1024;

/// What a change weighs in the window: 2.5 KiB, the usual size of a stored object.
const CHANGE_BYTES: usize = 2_560;

/// Sends a reply that was held back until its turn was committed.
pub(super) type HeldReply = Box<dyn FnOnce() + Send>;

/// One outstanding transaction.
pub(super) struct Pending {
    pub(super) id: u64,
    pub(super) changes: Vec<Arc<Change>>,
    pub(super) replies: Vec<HeldReply>,
    /// Acts to tell the journal of once they are committed.
    pub(super) audit: Vec<AuditRecord>,
    /// When what led to it was seen, if alarms changed.
    pub(super) seen: Option<Timestamp>,
}

/// All of them.
#[derive(Default)]
pub(super) struct Window {
    queue: VecDeque<Pending>,
    bytes: usize,
}

impl Window {
    pub(super) fn push(&mut self, pending: Pending) {
        self.bytes += weight(&pending);
        self.queue.push_back(pending);
    }

    /// The transaction of that number, which must be the oldest.
    pub(super) fn pop(&mut self, id: u64) -> Option<Pending> {
        if self.queue.front()?.id != id {
            return None;
        }
        let pending = self.queue.pop_front()?;
        self.bytes = self.bytes.saturating_sub(weight(&pending));
        Some(pending)
    }

    pub(super) fn is_full(&self) -> bool {
        self.queue.len() >= WINDOW_TRANSACTIONS || self.bytes >= WINDOW_BYTES
    }

    pub(super) fn len(&self) -> usize {
        self.queue.len()
    }
}

fn weight(pending: &Pending) -> usize {
    pending.changes.len() * CHANGE_BYTES
}
