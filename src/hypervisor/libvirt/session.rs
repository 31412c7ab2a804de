//! What a lane's thread holds: its connection and, on the event lane, the subscriptions.

use super::errors::{Phase, from_libvirt};
use super::event_loop;
use super::ffi::events::Subscription;
use super::ffi::{close, failure::Failure, node};
use super::lifeline::Lifeline;
use super::sever::{Opening, PeerAddresses};
use super::sink::Registration;
use super::uri::Target;
use crate::hypervisor::port::HypervisorError;
use std::sync::{Arc, PoisonError};
use virt::connect::Connect;

/// Seconds between keepalive messages, and how many may stay unanswered (design: 3 s x 2).
const KEEPALIVE: (i32, u32) = (3, 2);

/// A lane's connection. Lives and dies on the lane's thread.
pub struct Session {
    target: Arc<Target>,
    lifeline: Arc<Lifeline>,
    connect: Option<Connect>,
    keepalive: bool,
    events: Option<(Registration, Vec<Subscription>)>,
}

impl Session {
    /// A session without connection.
    pub fn new(target: Arc<Target>, lifeline: Arc<Lifeline>) -> Self {
        Self { target, lifeline, connect: None, keepalive: false, events: None }
    }

    /// The lane's connection, opened if need be.
    ///
    /// # Errors
    /// Why it could not be opened.
    pub fn connect(&mut self) -> Result<Connect, HypervisorError> {
        if let Some(connect) = &self.connect {
            return Ok(connect.clone());
        }
        let connect = self.open()?;
        self.keepalive = node::keepalive(&connect, KEEPALIVE.0, KEEPALIVE.1).unwrap_or(false);
        self.connect = Some(connect.clone());
        Ok(connect)
    }

    /// True if the other end answers keepalive messages.
    pub fn has_keepalive(&self) -> bool {
        self.keepalive
    }

    /// Keeps subscriptions alive until the session is closed.
    pub fn hold(&mut self, registration: Registration, subscriptions: Vec<Subscription>) {
        self.events = Some((registration, subscriptions));
    }

    /// Closes the connection without waiting for the other end.
    pub fn close(&mut self) {
        let Some(connect) = self.connect.take() else { return };
        // A polite close waits for an answer that a hung daemon never gives.
        self.lifeline.cut(&self.target);
        if let Some((registration, subscriptions)) = self.events.take() {
            drop(registration);
            close::unwatch(&connect);
            drop(subscriptions);
        }
        drop(connect);
        self.lifeline.forget_sockets();
    }

    fn open(&self) -> Result<Connect, HypervisorError> {
        if !event_loop::is_running() {
            return Err(HypervisorError::Unsupported("libvirt's event loop was not started".into()));
        }
        let peer = PeerAddresses::of(&self.target.peer);
        let gate = peer.gate(&self.target.peer);
        let _turn = gate.lock().unwrap_or_else(PoisonError::into_inner);
        if self.lifeline.is_abandoned() {
            return Err(HypervisorError::Unreachable("given up before it was opened".into()));
        }
        if self.target.severable() {
            self.lifeline.begin_open(Opening::begin(peer));
        }
        let uri = Some(self.target.opened.as_str());
        let result = if self.target.read_only { Connect::open_read_only(uri) } else { Connect::open(uri) };
        // At once: the next libvirt call of this thread resets it.
        let failure = result.as_ref().err().map(|_| Failure::last());
        self.lifeline.end_open();
        match (result, failure) {
            (Ok(connect), _) => Ok(connect),
            (Err(error), failure) => Err(self.explain(&failure.unwrap_or_else(|| Failure::of(&error)))),
        }
    }

    /// Over a child process (ssh) the end of file says nothing about the service.
    fn explain(&self, failure: &Failure) -> HypervisorError {
        match from_libvirt(failure, Phase::Open) {
            HypervisorError::ServiceLost(text) if super::sever::waits_on_child(&self.target) => {
                HypervisorError::Unreachable(text)
            }
            other => other,
        }
    }
}
