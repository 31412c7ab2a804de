//! What collectors report.

use crate::fault::Sign;
use crate::hypervisor::port::{Endpoint, Vitals};
use crate::model::host::EndpointKey;
use crate::model::measurement::ThresholdCrossing;
use crate::model::observation::{HypervisorFacts, Observation};
use crate::model::{HostId, Timestamp};

/// Why something was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// An event said so.
    Event,
    /// It was time: a difference found now is an event that was missed.
    Poll,
    /// A connection was made and everything is compared.
    Resync,
}

/// State of one endpoint's connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LinkState {
    /// First contact is being made.
    Connecting,
    /// Connected; first full reading under way.
    Synchronizing,
    /// Connected and read completely.
    Connected,
    /// Connected, but calls run into their deadlines.
    Degraded(String),
    /// No contact.
    Unreachable(String),
    /// The machine answers, its hypervisor service does not.
    ServiceLost(String),
    /// Our credential is refused.
    Refused(String),
}

/// One report of a collector.
#[derive(Clone, Debug)]
pub enum Report {
    /// The connection of an endpoint changed.
    Link {
        /// Which endpoint.
        key: EndpointKey,
        /// When.
        time: Timestamp,
        /// To what.
        state: LinkState,
        /// Which connection it is.
        generation: u64,
        /// The hypervisor, told with the first state of a connection.
        hypervisor: Option<Box<HypervisorFacts>>,
    },
    /// Something was read.
    Observed {
        /// Through which endpoint.
        key: EndpointKey,
        /// Through which connection of it.
        generation: u64,
        /// Why.
        cause: Cause,
        /// What.
        observation: Observation,
    },
    /// Conditions of the VRM itself: its store, its sinks, its certificates, its load.
    Own(Vec<Sign>),
    /// What the measurement part found at the end of periods.
    Crossings(Vec<ThresholdCrossing>),
    /// Counters about an endpoint's own working.
    Vitals {
        /// Which endpoint.
        key: EndpointKey,
        /// The counters.
        vitals: Vitals,
        /// When the last event came.
        last_event: Option<Timestamp>,
    },
}

/// What collectors have to do.
#[derive(Debug)]
pub enum Assignment {
    /// Watch this endpoint from now on.
    Watch(Endpoint),
    /// Stop watching every endpoint of this host.
    Drop(HostId),
}
