//! The port: what the VRM wants of a hypervisor, whatever its technology.
//!
//! An implementation owns its threads and connections. Every call ends by its deadline; a call
//! that hangs inside is abandoned, cut and counted there, and never delays another endpoint (P5).
//! Observations are facts, not decisions: nothing here knows of alarms, names or the store.

use crate::model::host::EndpointKey;
use crate::model::incident::Incident;
use crate::model::observation::{GoneCause, HypervisorFacts, Observation, Scope};
use crate::model::registration::{HostRegistration, Profile};
use crate::model::time::Timestamp;
use futures_util::future::BoxFuture;
use std::sync::{Arc, LazyLock};
use std::time::{Duration, Instant};
use tokio::sync::mpsc;
use uuid::Uuid;

/// One endpoint: one technology of one host.
///
/// All methods may be called from any task; calls of different scopes may overlap.
pub trait Hypervisor: Send + Sync {
    /// Which endpoint this is.
    fn key(&self) -> &EndpointKey;

    /// The address without credentials, for people.
    fn uri(&self) -> &str;

    /// What this endpoint may do at most: the narrower of the daemon's and the host's profile.
    fn profile(&self) -> Profile;

    /// Makes a new connection with event subscriptions and probes capabilities.
    ///
    /// Drops the previous connection, if any. Events are subscribed to *before* this returns, so
    /// that a full reading begun afterwards misses nothing.
    ///
    /// # Errors
    /// [`HypervisorError::Unreachable`], [`HypervisorError::Refused`] or [`HypervisorError::TimedOut`].
    fn connect(&self, deadline: Duration) -> BoxFuture<'_, Result<Link, HypervisorError>>;

    /// Reads the given scope.
    ///
    /// # Errors
    /// [`HypervisorError::Unsupported`] if the endpoint lacks it, [`HypervisorError::NeedsManage`]
    /// if the connection is read-only, [`HypervisorError::Busy`] if a previous call of that lane
    /// still runs; [`HypervisorError::Unreachable`] means the link is lost.
    fn observe(&self, scope: Scope, deadline: Duration) -> BoxFuture<'_, Result<Observation, HypervisorError>>;

    /// Asks for a sign of life, cheaply.
    ///
    /// # Errors
    /// As [`Hypervisor::observe`].
    fn probe(&self, deadline: Duration) -> BoxFuture<'_, Result<(), HypervisorError>>;

    /// Drops the connection and everything that waits on it; never blocks.
    fn disconnect(&self);

    /// Counters about the endpoint's own working.
    fn vitals(&self) -> Vitals;
}

/// A fresh connection.
#[derive(Debug)]
pub struct Link {
    /// Counts connections of this endpoint from 1.
    pub generation: u64,
    /// The hypervisor, with probed capabilities.
    pub hypervisor: HypervisorFacts,
    /// Its events; the sender's end closing means the connection is gone.
    pub events: mpsc::Receiver<HypervisorEvent>,
}

/// Something an endpoint said by itself. Events are hints: the object is read again.
#[derive(Clone, Debug, PartialEq)]
pub struct HypervisorEvent {
    /// Connection it came over.
    pub generation: u64,
    /// When we received it.
    pub seen: Timestamp,
    /// What it is about.
    pub subject: EventSubject,
}

/// What an event is about.
#[derive(Clone, Debug, PartialEq)]
pub enum EventSubject {
    /// Something about a machine changed.
    Machine {
        /// The machine.
        uuid: Uuid,
        /// Set if the event says that the machine leaves: what it says about why.
        leaving: Option<GoneCause>,
        /// What happened, where reading the machine again would not show it.
        incident: Option<Box<Incident>>,
        /// The event in words, e.g. `lifecycle stopped/migrated`.
        text: String,
    },
    /// Something about a storage pool changed.
    StoragePool(String),
    /// Something about a network changed.
    Network(String),
    /// A host device came, went or changed.
    HostDevice(String),
    /// Events were lost: everything must be compared again.
    Gap,
    /// The connection is gone; the text says what was seen.
    Closed(String),
}

/// Counters about an endpoint's own working.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Vitals {
    /// Lanes cut because a call hung, since start.
    pub severed_lanes: u64,
    /// Threads that are stuck in a call now.
    pub stuck_threads: u32,
    /// Machines left out of bulk calls because their hypervisor process does not answer.
    pub quarantined_machines: u32,
}

/// The clock that samples are dated by beside the wall clock: since the first look at it in this process.
///
/// One for all sources, so that samples of one object from two sources can be put in order.
pub fn monotonic() -> Duration {
    static FIRST: LazyLock<Instant> = LazyLock::new(Instant::now);
    FIRST.elapsed()
}

/// Why a call to a hypervisor gave no result.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HypervisorError {
    /// No connection, or it broke.
    #[error("host does not answer: {0}")]
    Unreachable(String),
    /// The address answers, the hypervisor's service does not.
    #[error("hypervisor service does not answer: {0}")]
    ServiceLost(String),
    /// Our credential was not accepted.
    #[error("access refused: {0}")]
    Refused(String),
    /// No answer within the deadline. A write may or may not have happened.
    #[error("no answer within {0:?}")]
    TimedOut(Duration),
    /// Too many calls wait already.
    #[error("host busy: {0}")]
    Busy(String),
    /// The object does not exist there.
    #[error("not found: {0}")]
    NotFound(String),
    /// The driver or server lacks it.
    #[error("not supported: {0}")]
    Unsupported(String),
    /// The read-only connection of profile monitor forbids it.
    #[error("needs profile manage: {0}")]
    NeedsManage(String),
    /// The object's state forbids it.
    #[error("wrong state: {0}")]
    WrongState(String),
    /// What it sent cannot be read.
    #[error("unreadable answer about {what}: {reason}")]
    Malformed {
        /// What was asked for.
        what: String,
        /// What is wrong with the answer.
        reason: String,
    },
    /// Any other failure.
    #[error("hypervisor error {code} (domain {domain}): {message}")]
    Other {
        /// libvirt's error number.
        code: i32,
        /// libvirt's error domain.
        domain: i32,
        /// libvirt's text.
        message: String,
    },
}

impl HypervisorError {
    /// True if the connection must be rebuilt after this error.
    pub fn is_link_loss(&self) -> bool {
        matches!(self, Self::Unreachable(_) | Self::ServiceLost(_) | Self::Refused(_))
    }
}

/// Why a registration cannot be turned into endpoints.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("host {host}: {field}: {reason}")]
pub struct OpenError {
    /// Host id of the registration.
    pub host: String,
    /// Field at fault, e.g. `uri`.
    pub field: String,
    /// What is wrong.
    pub reason: String,
}

/// An endpoint together with the registration of the host it belongs to.
///
/// One registration may stand for several hosts (`sim://?hosts=3`).
pub struct Endpoint {
    /// Registration of this very host.
    pub registration: HostRegistration,
    /// The way to it.
    pub hypervisor: Arc<dyn Hypervisor>,
    /// Warnings that stand as long as the registration does.
    pub warnings: Vec<String>,
}

impl std::fmt::Debug for Endpoint {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Endpoint")
            .field("key", self.hypervisor.key())
            .field("uri", &self.hypervisor.uri())
            .finish()
    }
}

/// Turns a registration into endpoints; the daemon injects it, so the port knows no implementation.
pub trait Opener: Send + Sync {
    /// Checks the registration and makes its endpoints, without contacting anybody.
    ///
    /// # Errors
    /// [`OpenError`] naming the field: a bad URI, an unknown scheme, `qemu+tcp` without
    /// `allow_insecure`, a credential inside the URI, an unknown credential name.
    fn open(&self, registration: &HostRegistration) -> Result<Vec<Endpoint>, OpenError>;
}
