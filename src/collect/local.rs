//! Details of the machine the daemon runs on, for endpoints that are that machine.

use crate::host::LocalHost;
use crate::hypervisor::port::monotonic;
use crate::model::Timestamp;
use crate::model::capability::{Availability, Capability};
use crate::model::measurement::{Owner, Part, Sample, SampleBatch};
use crate::model::metric::Metric;
use crate::model::name::HostId;
use crate::model::observation::{CollectError, Fact, ListedKind, Observation};
use crate::model::storage::{PoolState, StoragePool};
use std::collections::{BTreeMap, BTreeSet};
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
    /// What was sampled last.
    sampled: Arc<Mutex<Option<Sampled>>>,
}

/// What the machine itself measured.
#[derive(Debug, Default)]
struct Sampled {
    /// The boot.
    incarnation: u64,
    readings: BTreeSet<(Part, Metric)>,
}

impl Sampled {
    fn of(samples: &[Sample]) -> Self {
        let own = || samples.iter().filter(|sample| matches!(sample.key.owner, Owner::Host(_)));
        let readings =
            own().flat_map(|sample| sample.readings.iter().map(|(metric, _)| (sample.key.part.clone(), *metric)));
        Self { readings: readings.collect(), incarnation: own().next().map_or(0, |sample| sample.incarnation) }
    }
}

impl LocalDetails {
    pub(super) fn new(host: Arc<LocalHost>) -> Self {
        Self { host, applies: Arc::default(), pools: Arc::default(), sampled: Arc::default() }
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
        if let Some(batch) = observation.samples.as_deref_mut().filter(|_| self.applies()) {
            self.yield_to_own(batch);
        }
        self.note_pools(&observation.facts);
        let verdict = if self.applies() { Availability::Available } else { Availability::Unsupported };
        for fact in &mut observation.facts {
            if let Fact::Hypervisor(facts) = fact {
                facts.capabilities.entry(Capability::LocalHostDetails).or_insert(verdict);
            }
        }
    }

    /// Takes out of a hypervisor's samples of the host what the machine itself measures: two sources of one figure
    /// never agree. What is left counts from the same boot.
    fn yield_to_own(&self, batch: &mut SampleBatch) {
        let sampled = self.sampled.lock().unwrap_or_else(PoisonError::into_inner);
        batch.samples.retain_mut(|sample| {
            if !matches!(sample.key.owner, Owner::Host(_)) {
                return true;
            }
            // Nothing measured yet: it will be in a moment.
            let Some(own) = sampled.as_ref() else { return false };
            let measured = |metric| own.readings.contains(&(sample.key.part.clone(), metric));
            sample.readings.retain(|(metric, _)| !measured(*metric));
            sample.absent.clear();
            sample.incarnation = own.incarnation;
            !sample.readings.is_empty()
        });
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

    /// Moving figures of this machine, which is `id`, and samples of it.
    pub(super) async fn statistics(&self, id: &HostId, time: Timestamp) -> Observation {
        let (host, id, begin) = (Arc::clone(&self.host), id.clone(), monotonic());
        let pools = self.pools.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let read = move || {
            let (figures, errors) = host.statistics();
            let incidents = host.incidents(&pools, time);
            let (samples, more) = host.samples(&id, &pools);
            (figures, incidents, samples, errors.into_iter().chain(more).collect())
        };
        match tokio::task::spawn_blocking(read).await {
            Ok((figures, incidents, samples, errors)) => {
                let incidents = incidents.into_iter().map(|incident| Fact::Incident(Box::new(incident)));
                let facts = [Fact::HostStatistics(Box::new(figures))].into_iter().chain(incidents).collect();
                *self.sampled.lock().unwrap_or_else(PoisonError::into_inner) = Some(Sampled::of(&samples));
                let spent = monotonic().saturating_sub(begin);
                let batch = SampleBatch { time, monotonic: begin + spent / 2, spent, samples };
                Observation { time, facts, errors, samples: Some(Box::new(batch)) }
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
