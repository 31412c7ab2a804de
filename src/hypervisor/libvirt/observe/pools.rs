//! Storage pools and their volumes. Runs on the storage lane only: a dead mount blocks here (F8).

use crate::hypervisor::libvirt::memory::{Memory, fault, now};
use crate::hypervisor::libvirt::states::pool_state;
use crate::hypervisor::libvirt::xml;
use crate::hypervisor::port::HypervisorError;
use crate::model::incident::{Incident, IncidentKind, IncidentSubject};
use crate::model::observation::{CollectError, Fact, ListedKind, Observation, PoolFacts};
use crate::model::storage::{PoolState, Volume};
use crate::model::time::Timestamp;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;
use virt::connect::Connect;
use virt::storage_pool::StoragePool;

/// In profile manage a pool's figures are refreshed once they are this old.
const REFRESH_AFTER: Duration = Duration::from_secs(300);

/// Pools refreshed in one reading at most; each may walk a large folder.
const REFRESHES: usize = 4;

/// All pools with their volumes.
pub fn all(connect: &Connect, memory: &Memory, may_refresh: bool) -> Result<Observation, HypervisorError> {
    let (mut facts, mut errors, mut present) = (Vec::new(), Vec::new(), BTreeSet::new());
    let handles = connect.list_all_storage_pools(0).map_err(fault)?;
    if may_refresh {
        facts.extend(refresh_due(&handles, memory));
    }
    for handle in handles {
        let name = handle.name().map_err(fault)?;
        match read(&handle, memory) {
            Ok(pool) => facts.push(Fact::StoragePool(Box::new(pool))),
            Err(HypervisorError::NotFound(_)) => continue,
            Err(error) if error.is_link_loss() => return Err(error),
            Err(error) => errors.push(CollectError { what: format!("pool {name}"), reason: error.to_string() }),
        }
        present.insert(name);
    }
    facts.push(Fact::ListComplete { kind: ListedKind::StoragePools, present: Arc::new(present) });
    Ok(Observation { time: now(), facts, errors, samples: None })
}

/// One pool with its volumes, or that it does not exist.
pub fn one(connect: &Connect, memory: &Memory, name: &str) -> Result<Observation, HypervisorError> {
    let pool = connect.lookup_storage_pool_by_name(name).map_err(fault).and_then(|handle| read(&handle, memory));
    let fact = match pool {
        Ok(pool) => Fact::StoragePool(Box::new(pool)),
        Err(HypervisorError::NotFound(_)) => Fact::StoragePoolGone(name.to_owned()),
        Err(error) => return Err(error),
    };
    Ok(Observation { time: now(), facts: vec![fact], errors: Vec::new(), samples: None })
}

/// Refreshes the active pools that were longest not tried, and tells how that went: it is a look at the pool.
/// One that hangs is not tried again before the others were.
fn refresh_due(handles: &[StoragePool], memory: &Memory) -> Vec<Fact> {
    let active = handles.iter().filter(|handle| handle.is_active().unwrap_or(false));
    let named = active.filter_map(|handle| Some((handle.name().ok()?, handle)));
    let mut due: Vec<(Option<Timestamp>, String, &StoragePool)> = {
        let tried = memory.refresh_tried();
        named.map(|(name, handle)| (tried.get(&name).copied(), name, handle)).collect()
    };
    due.retain(|(tried, _, _)| tried.is_none_or(|at| now().since(at) >= REFRESH_AFTER));
    due.sort_by_key(|(tried, _, _)| *tried);
    let mut facts = Vec::new();
    for (_, name, handle) in due.into_iter().take(REFRESHES) {
        memory.refresh_tried().insert(name.clone(), now());
        let verdict = match handle.refresh(0).map_err(fault) {
            Ok(_) => {
                memory.refreshed().insert(name.clone(), now());
                Ok(())
            }
            // Not the pool's fault.
            Err(HypervisorError::NotFound(_) | HypervisorError::Busy(_) | HypervisorError::NeedsManage(_)) => continue,
            Err(error) if error.is_link_loss() => break,
            Err(error) => Err(error.to_string()),
        };
        facts.push(looked_at(name, verdict));
    }
    facts
}

/// A look at a pool, as an incident.
fn looked_at(pool: String, verdict: Result<(), String>) -> Fact {
    Fact::Incident(Box::new(Incident {
        time: now(),
        subject: IncidentSubject::StoragePool(pool),
        kind: IncidentKind::Probed(verdict),
        details: BTreeMap::from([("by".to_owned(), "refresh".to_owned())]),
    }))
}

fn read(handle: &StoragePool, memory: &Memory) -> Result<PoolFacts, HypervisorError> {
    let text = handle.xml_desc(0).map_err(fault)?;
    let malformed =
        |error: xml::XmlError| HypervisorError::Malformed { what: "pool".into(), reason: error.to_string() };
    let mut pool = xml::pool(&text).map_err(malformed)?;
    let figures = handle.info().map_err(fault)?;
    pool.pool_state = pool_state(figures.state);
    pool.autostart = handle.autostart().unwrap_or(false);
    pool.persistent = handle.is_persistent().map_err(fault)?;
    let running = pool.pool_state != PoolState::Inactive;
    pool.volatile.capacity_bytes = running.then_some(figures.capacity);
    pool.volatile.allocation_bytes = running.then_some(figures.allocation);
    pool.volatile.available_bytes = running.then_some(figures.available);
    pool.volatile.as_of = memory.refreshed().get(&pool.display_name).copied();
    let volumes = if running { volumes(handle, &pool.display_name)? } else { Some(Vec::new()) };
    let listed = volumes.as_deref().unwrap_or_default();
    pool.volume_count = u32::try_from(listed.len()).unwrap_or(u32::MAX);
    pool.volatile.volume_capacity_bytes = listed.iter().map(|volume| volume.capacity_bytes).sum();
    Ok(PoolFacts { pool, volumes })
}

/// The pool's volumes; nothing if the driver cannot list them.
fn volumes(handle: &StoragePool, pool: &str) -> Result<Option<Vec<Volume>>, HypervisorError> {
    let handles = match handle.list_all_volumes(0).map_err(fault) {
        Ok(handles) => handles,
        Err(error) if error.is_link_loss() => return Err(error),
        Err(_) => return Ok(None),
    };
    let mut volumes = Vec::with_capacity(handles.len());
    for handle in handles {
        let text = match handle.xml_desc(0).map_err(fault) {
            Ok(text) => text,
            Err(error) if error.is_link_loss() => return Err(error),
            // Deleted meanwhile, or a file that cannot be probed.
            Err(_) => continue,
        };
        if let Ok(mut volume) = xml::volume(&text) {
            volume.pool = pool.to_owned();
            volumes.push(volume);
        }
    }
    Ok(Some(volumes))
}
