//! What the engine hands to the store, and what comes back.

use crate::model::registration::HostRegistration;
use crate::model::{AuditRecord, Change, HostId, Timestamp};
use std::sync::Arc;

/// Everything one engine turn makes durable; committed whole or not at all.
#[derive(Debug, Default)]
pub struct Transaction {
    /// Number given by the engine; acknowledgements carry it.
    pub id: u64,
    /// Changes with contiguous sequence numbers.
    pub changes: Vec<Arc<Change>>,
    /// Registered hosts that came or went.
    pub hosts: Vec<HostRow>,
    /// The request id this turn answered.
    pub request: Option<RequestRow>,
    /// The acts behind it, or that were refused.
    pub audit: Vec<AuditRecord>,
}

impl Transaction {
    /// True if there is nothing to commit.
    pub fn is_empty(&self) -> bool {
        self.changes.is_empty() && self.hosts.is_empty() && self.request.is_none() && self.audit.is_empty()
    }
}

/// A change of the registered hosts.
#[derive(Clone, Debug)]
pub enum HostRow {
    /// Registered or changed.
    Put(HostRegistration),
    /// Deregistered.
    Delete(HostId),
}

/// A request id with what it was used for; kept for at least 24 hours.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestRow {
    /// The caller's id.
    pub request_id: String,
    /// When it was first used.
    pub time: Timestamp,
    /// Digest over the request's content.
    pub fingerprint: String,
    /// Name of the object it changed.
    pub target: String,
}

/// Word of the store on a transaction or on itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ack {
    /// A transaction ended.
    Done {
        /// Its number.
        id: u64,
        /// How.
        outcome: Outcome,
    },
    /// The store's own condition changed.
    Condition(StoreCondition),
}

/// How a transaction ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Durable.
    Committed,
    /// The process must end: the disk did not keep a promise (fsync), or the database is damaged.
    Fatal(String),
}

/// Condition of the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum StoreCondition {
    /// Commits go through.
    #[default]
    Good,
    /// The disk is full: nothing is lost, nothing is committed; tried again each second.
    Full,
}
