//! Details of the machine the daemon runs on, for endpoints that are that machine.

use crate::host::LocalHost;
use crate::model::Timestamp;
use crate::model::capability::{Availability, Capability};
use crate::model::observation::{CollectError, Fact, ListedKind, Observation};
use crate::model::storage::{PoolState, StoragePool};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// Reads the local machine once it is known that an endpoint is it.
#[derive(Clone, Debug)]
pub(super) struct LocalDetails {
    host: Arc<LocalHost>,
    applies: Arc<AtomicBool>,
    /// Folders of pools that are files of this machine, by pool.
    pools: Arc<Mutex<BTreeMap<String, PathBuf>>>,
}

impl LocalDetails {
    pub(super) fn new(host: Arc<LocalHost>) -> Self {
        Self { host, applies: Arc::default(), pools: Arc::default() }
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
        self.note_pools(&observation.facts);
        let verdict = if self.applies() { Availability::Available } else { Availability::Unsupported };
        for fact in &mut observation.facts {
            if let Fact::Hypervisor(facts) = fact {
                facts.capabilities.entry(Capability::LocalHostDetails).or_insert(verdict);
            }
        }
    }

    /// Remembers where active pools of files lie.
    fn note_pools(&self, facts: &[Fact]) {
        let mut pools = self.pools.lock().unwrap_or_else(PoisonError::into_inner);
        for fact in facts {
            match fact {
                Fact::StoragePool(facts) if is_folder(&facts.pool) => {
                    pools.insert(facts.pool.display_name.clone(), PathBuf::from(&facts.pool.target_path));
                }
                Fact::StoragePool(facts) => drop(pools.remove(&facts.pool.display_name)),
                Fact::StoragePoolGone(name) => drop(pools.remove(name)),
                Fact::ListComplete { kind: ListedKind::StoragePools, present } => {
                    pools.retain(|name, _| present.contains(name));
                }
                _ => {}
            }
        }
    }

    /// Devices, filesystems and system of this machine.
    pub(super) async fn devices(&self, time: Timestamp) -> Observation {
        let host = Arc::clone(&self.host);
        match tokio::task::spawn_blocking(move || host.devices()).await {
            Ok((facts, errors)) => {
                Observation { time, facts: vec![Fact::HostDevices(Box::new(facts))], errors, samples: None }
            }
            Err(error) => failed(time, "host devices", &error),
        }
    }

    /// Moving figures of this machine.
    pub(super) async fn statistics(&self, time: Timestamp) -> Observation {
        let host = Arc::clone(&self.host);
        let pools = self.pools.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let read = move || {
            let (figures, errors) = host.statistics();
            (figures, host.incidents(&pools, time), errors)
        };
        match tokio::task::spawn_blocking(read).await {
            Ok((figures, incidents, errors)) => {
                let incidents = incidents.into_iter().map(|incident| Fact::Incident(Box::new(incident)));
                let facts = [Fact::HostStatistics(Box::new(figures))].into_iter().chain(incidents).collect();
                Observation { time, facts, errors, samples: None }
            }
            Err(error) => failed(time, "host figures", &error),
        }
    }
}

/// True for active pools whose volumes are files in a folder.
fn is_folder(pool: &StoragePool) -> bool {
    pool.pool_state != PoolState::Inactive
        && matches!(pool.pool_type.as_str(), "dir" | "fs" | "netfs" | "gluster")
        && pool.target_path.starts_with('/')
}

fn failed(time: Timestamp, what: &str, error: &tokio::task::JoinError) -> Observation {
    let error = CollectError { what: what.to_owned(), reason: error.to_string() };
    Observation { time, facts: Vec::new(), errors: vec![error], samples: None }
}
