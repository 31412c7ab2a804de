//! Open streams: who watches what, how far they are, and the bounds on their number.

use super::auth::{Identity, PeerKind};
use super::failure::Failure;
use super::limits;
use super::reason::Reason;
use crate::model::{Actor, Timestamp};
use crate::wire::{convert, v1};
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// What does not change about a session.
#[derive(Clone, Debug)]
pub struct SessionFacts {
    /// Who.
    pub actor: Actor,
    /// Full name of the method.
    pub method: String,
    /// When it began.
    pub start_time: Timestamp,
    /// The filter in force.
    pub filter: String,
    /// Classes asked for, as the request said them.
    pub kinds: Vec<i32>,
    /// The options in force.
    pub options: v1::StreamOptions,
}

/// An open stream.
#[derive(Debug)]
pub struct Session {
    id: u64,
    facts: SessionFacts,
    /// Cancelled by `CloseSession`.
    closed: CancellationToken,
    position: AtomicU64,
    messages: AtomicU64,
    bytes: AtomicU64,
    merged: AtomicU64,
    /// Set while a message waits for the client to take it.
    waiting_since: Mutex<Option<Instant>>,
}

impl Session {
    /// Its number.
    pub fn id(&self) -> u64 {
        self.id
    }

    /// Full name of its method.
    pub fn method(&self) -> &str {
        &self.facts.method
    }

    /// Whose it is.
    pub fn principal(&self) -> &str {
        &self.facts.actor.principal
    }

    /// Notes a message handed to the connection.
    pub fn sent(&self, position: u64, bytes: usize) {
        self.position.store(position, Ordering::Relaxed);
        self.messages.fetch_add(1, Ordering::Relaxed);
        self.bytes.fetch_add(u64::try_from(bytes).unwrap_or(u64::MAX), Ordering::Relaxed);
        *self.waiting_since.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    /// Notes that there is no room for the next message.
    pub fn waits(&self) {
        self.waiting_since.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert_with(Instant::now);
    }

    /// Notes the changes merged so far.
    pub fn merged(&self, total: u64) {
        self.merged.store(total, Ordering::Relaxed);
    }

    /// Resolves when an operator closes the session.
    pub fn closed(&self) -> CancellationToken {
        self.closed.clone()
    }

    fn stalled(&self) -> Option<Duration> {
        self.waiting_since.lock().unwrap_or_else(PoisonError::into_inner).map(|since| since.elapsed())
    }

    /// The session as the interface shows it.
    pub fn message(&self, epoch: &str, head: u64) -> v1::Session {
        let sequence = self.position.load(Ordering::Relaxed);
        v1::Session {
            name: format!("sessions/{}", self.id),
            actor: Some(convert::actor(&self.facts.actor)),
            method: self.facts.method.clone(),
            start_time: Some(convert::timestamp(self.facts.start_time)),
            filter: self.facts.filter.clone(),
            kinds: self.facts.kinds.clone(),
            options: Some(self.facts.options.clone()),
            position: Some(v1::StreamPosition { epoch: epoch.to_owned(), sequence }),
            lag: head.saturating_sub(sequence),
            messages: self.messages.load(Ordering::Relaxed),
            bytes: self.bytes.load(Ordering::Relaxed),
            merged: self.merged.load(Ordering::Relaxed),
            stalled: self.stalled().and_then(|stalled| stalled.try_into().ok()),
        }
    }
}

/// Bounds on open streams.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WatchLimits {
    /// Of one remote principal.
    pub per_principal: usize,
    /// Altogether.
    pub total: usize,
}

impl Default for WatchLimits {
    fn default() -> Self {
        Self { per_principal: limits::WATCHES_PER_PRINCIPAL, total: limits::WATCHES }
    }
}

/// All open streams.
#[derive(Debug, Default)]
pub struct Sessions {
    limits: WatchLimits,
    next: AtomicU64,
    open: Mutex<BTreeMap<u64, Arc<Session>>>,
}

impl Sessions {
    /// No streams yet.
    pub fn new(limits: WatchLimits) -> Self {
        Self { limits, ..Self::default() }
    }

    /// The bounds in force.
    pub fn limits(&self) -> WatchLimits {
        self.limits
    }

    /// Enters a stream; it leaves when the guard is dropped.
    ///
    /// # Errors
    /// `STREAM_LIMIT`.
    pub fn enter(self: &Arc<Self>, identity: &Identity, facts: SessionFacts) -> Result<OpenSession, Failure> {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        if open.len() >= self.limits.total {
            return Err(stream_limit("daemon", self.limits.total));
        }
        let of_principal = open.values().filter(|session| session.facts.actor.principal == identity.principal).count();
        if identity.kind != PeerKind::Local && of_principal >= self.limits.per_principal {
            return Err(stream_limit(&identity.principal, self.limits.per_principal));
        }
        let id = self.next.fetch_add(1, Ordering::Relaxed) + 1;
        let session = Arc::new(Session {
            id,
            facts,
            closed: CancellationToken::new(),
            position: AtomicU64::new(0),
            messages: AtomicU64::new(0),
            bytes: AtomicU64::new(0),
            merged: AtomicU64::new(0),
            waiting_since: Mutex::new(None),
        });
        open.insert(id, Arc::clone(&session));
        Ok(OpenSession { sessions: Arc::clone(self), session })
    }

    /// All of them, oldest first.
    pub fn all(&self) -> Vec<Arc<Session>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner).values().cloned().collect()
    }

    /// The one of a name.
    ///
    /// # Errors
    /// `INVALID_FIELD`, `SESSION_NOT_FOUND`.
    pub fn get(&self, name: &str) -> Result<Arc<Session>, Failure> {
        let id = name.strip_prefix("sessions/").and_then(|id| id.parse::<u64>().ok());
        let id = id.ok_or_else(|| Failure::field("name", "must have the form sessions/NUMBER"))?;
        let open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        open.get(&id).cloned().ok_or_else(|| {
            Failure::new(Reason::SessionNotFound, format!("{name} does not exist"))
                .with("name", name)
                .resource("vrm.v1/Session", name)
        })
    }

    /// Asks the stream of a name to end.
    ///
    /// # Errors
    /// As [`Sessions::get`].
    pub fn close(&self, name: &str) -> Result<(), Failure> {
        self.get(name)?.closed.cancel();
        Ok(())
    }
}

fn stream_limit(subject: &str, most: usize) -> Failure {
    Failure::new(Reason::StreamLimit, format!("{subject} has {most} open streams, the most there may be"))
        .with("limit", most.to_string())
        .quota(subject)
}

/// A session that is listed as long as this exists.
#[derive(Debug)]
pub struct OpenSession {
    sessions: Arc<Sessions>,
    session: Arc<Session>,
}

impl std::ops::Deref for OpenSession {
    type Target = Session;

    fn deref(&self) -> &Session {
        &self.session
    }
}

impl Drop for OpenSession {
    fn drop(&mut self) {
        self.sessions.open.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.session.id);
    }
}
