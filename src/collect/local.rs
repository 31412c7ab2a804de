//! Details of the machine the daemon runs on, for endpoints that are that machine.

use crate::host::LocalHost;
use crate::model::Timestamp;
use crate::model::capability::{Availability, Capability};
use crate::model::observation::{CollectError, Fact, Observation};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Reads the local machine once it is known that an endpoint is it.
#[derive(Clone, Debug)]
pub(super) struct LocalDetails {
    host: Arc<LocalHost>,
    applies: Arc<AtomicBool>,
}

impl LocalDetails {
    pub(super) fn new(host: Arc<LocalHost>) -> Self {
        Self { host, applies: Arc::default() }
    }

    /// True once the endpoint was found to be this machine.
    pub(super) fn applies(&self) -> bool {
        self.applies.load(Ordering::Relaxed)
    }

    /// Looks whether what an endpoint says of its host is this machine, and says so among its
    /// capabilities unless the endpoint has its own word on that.
    pub(super) fn judge(&self, uri: &str, observation: &mut Observation) {
        for fact in &observation.facts {
            if let Fact::Host(facts) = fact {
                let local = self.host.is_local(&facts.host_uuid, &facts.host_name, uri);
                self.applies.store(local, Ordering::Relaxed);
            }
        }
        let verdict = if self.applies() { Availability::Available } else { Availability::Unsupported };
        for fact in &mut observation.facts {
            if let Fact::Hypervisor(facts) = fact {
                facts.capabilities.entry(Capability::LocalHostDetails).or_insert(verdict);
            }
        }
    }

    /// Devices, filesystems and system of this machine.
    pub(super) async fn devices(&self, time: Timestamp) -> Observation {
        let host = Arc::clone(&self.host);
        match tokio::task::spawn_blocking(move || host.devices()).await {
            Ok((facts, errors)) => Observation { time, facts: vec![Fact::HostDevices(Box::new(facts))], errors },
            Err(error) => failed(time, "host devices", &error),
        }
    }

    /// Moving figures of this machine.
    pub(super) async fn statistics(&self, time: Timestamp) -> Observation {
        let host = Arc::clone(&self.host);
        match tokio::task::spawn_blocking(move || host.statistics()).await {
            Ok((facts, errors)) => Observation { time, facts: vec![Fact::HostStatistics(Box::new(facts))], errors },
            Err(error) => failed(time, "host figures", &error),
        }
    }
}

fn failed(time: Timestamp, what: &str, error: &tokio::task::JoinError) -> Observation {
    let error = CollectError { what: what.to_owned(), reason: error.to_string() };
    Observation { time, facts: Vec::new(), errors: vec![error] }
}
