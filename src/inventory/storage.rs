//! Pools, volumes, what they really lie on, and the images among the volumes.

use super::facts::Evidence;
use crate::model::annotation::Expectation;
use crate::model::capacity::{Amount, Capacity};
use crate::model::host::{EndpointKey, HostFilesystem};
use crate::model::observation::PoolFacts;
use crate::model::state::{
    AvailabilityStatus, OperationalState, ProceduralStatus, ResourceState, StateReason, UsageState,
};
use crate::model::storage::{Image, PoolState, StorageBacking, StoragePool, Volume, backing_of_path};
use crate::model::virtual_machine::VirtualDisk;
use crate::model::{HostId, Name, Timestamp, Volatile};
use std::collections::{BTreeMap, BTreeSet};

/// A pool with its volumes and the endpoints that report it.
#[derive(Clone, Debug)]
pub(super) struct PoolSource {
    pub(super) pool: StoragePool,
    pub(super) volumes: BTreeMap<Name, Volume>,
    pub(super) reporters: BTreeSet<String>,
    pub(super) read: Timestamp,
    pub(super) fresh: bool,
}

/// Who lies on a backing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct BackingUse {
    pub(super) pools: BTreeSet<Name>,
    pub(super) machines: BTreeSet<Name>,
}

/// All pools and backings.
#[derive(Debug, Default)]
pub(super) struct Storage {
    pub(super) pools: BTreeMap<(HostId, String), PoolSource>,
    pub(super) backings: BTreeMap<String, BackingUse>,
}

impl Storage {
    /// Takes a reading of a pool; false if a younger one stands.
    pub(super) fn observe(
        &mut self,
        key: &EndpointKey,
        evidence: &Evidence,
        facts: PoolFacts,
        filesystems: &[HostFilesystem],
        overcommit: f64,
    ) -> bool {
        let at = (key.host.clone(), facts.pool.display_name.clone());
        let former = self.pools.get(&at);
        if former.is_some_and(|former| former.fresh && former.read > evidence.read) {
            return false;
        }
        let mut reporters = former.map(|former| former.reporters.clone()).unwrap_or_default();
        reporters.insert(key.technology.clone());
        let mut pool = facts.pool;
        pool.host = Some(key.host.clone());
        pool.technology = reporters.first().cloned().unwrap_or_default();
        pool.backing_source = pool_backing(&key.host, &pool, filesystems);
        let volumes = match facts.volumes {
            Some(volumes) => named(&key.host, &pool.display_name, volumes),
            None => former.map(|former| former.volumes.clone()).unwrap_or_default(),
        };
        pool.volume_count = u32::try_from(volumes.len()).unwrap_or(u32::MAX);
        let promised = volumes.values().map(|volume| volume.capacity_bytes).fold(0, u64::saturating_add);
        pool.volatile.volume_capacity_bytes = promised;
        pool.volatile.capacity = Capacity {
            storage_bytes: pool.volatile.capacity_bytes.map(|total| Amount::new(total, promised, overcommit)),
            ..Capacity::default()
        };
        self.pools.insert(at, PoolSource { pool, volumes, reporters, read: evidence.read, fresh: true });
        true
    }

    /// An endpoint does not know a pool (any more); what it was if nobody else knows it either.
    pub(super) fn lose(&mut self, key: &EndpointKey, name: &str) -> Option<PoolSource> {
        let at = (key.host.clone(), name.to_owned());
        let source = self.pools.get_mut(&at)?;
        source.reporters.remove(&key.technology);
        if source.reporters.is_empty() { self.pools.remove(&at) } else { None }
    }

    /// Names an endpoint reports.
    pub(super) fn known_at(&self, key: &EndpointKey) -> Vec<String> {
        let of_host = self.pools.iter().filter(|((host, _), _)| *host == key.host);
        of_host
            .filter(|(_, source)| source.reporters.contains(&key.technology))
            .map(|((_, name), _)| name.clone())
            .collect()
    }

    /// Pools of a host.
    pub(super) fn of_host<'a>(&'a self, host: &'a HostId) -> impl Iterator<Item = &'a PoolSource> {
        self.pools.iter().filter(move |((of, _), _)| of == host).map(|(_, source)| source)
    }

    /// Storage of a set of pools, each backing counted once: on shared storage the largest pool
    /// stands for all of them.
    pub(super) fn amount<'a>(pools: impl Iterator<Item = &'a PoolSource>, overcommit: f64) -> Option<Amount> {
        let mut by_backing: BTreeMap<&str, (u64, u64)> = BTreeMap::new();
        for source in pools {
            let Some(total) = source.pool.volatile.capacity_bytes else { continue };
            let entry = by_backing.entry(source.pool.backing_source.as_str()).or_default();
            entry.0 = entry.0.max(total);
            entry.1 = entry.1.max(source.pool.volatile.volume_capacity_bytes);
        }
        let sum = |pick: fn(&(u64, u64)) -> u64| by_backing.values().map(pick).fold(0, u64::saturating_add);
        (!by_backing.is_empty()).then(|| Amount::new(sum(|entry| entry.0), sum(|entry| entry.1), overcommit))
    }

    /// The backing as it is served; nothing if nobody lies on it.
    pub(super) fn backing(
        &self,
        source: &str,
        machine_hosts: BTreeSet<HostId>,
        overcommit: f64,
    ) -> Option<StorageBacking> {
        let users = self.backings.get(source)?;
        let mut hosts = machine_hosts;
        hosts.extend(users.pools.iter().filter_map(Name::host_id));
        let pools = self.pools.values().filter(|pool| pool.pool.backing_source == source);
        let capacity = Capacity { storage_bytes: Self::amount(pools, overcommit), ..Capacity::default() };
        Some(StorageBacking {
            source: source.to_owned(),
            backing_type: backing_type(source).to_owned(),
            hosts: hosts.into_iter().collect(),
            pools: users.pools.iter().map(Name::to_string).collect(),
            virtual_machines: users.machines.iter().map(Name::to_string).collect(),
            volatile: Volatile(crate::model::storage::BackingVolatile { capacity }),
        })
    }

    /// The volumes that machines are made from: installation media, and what others are based on.
    pub(super) fn images(&self) -> BTreeMap<Name, Image> {
        let mut below: BTreeSet<(&HostId, &str)> = BTreeSet::new();
        for ((host, _), source) in &self.pools {
            let bases = source.volumes.values().map(|volume| volume.backing_path.as_str());
            below.extend(bases.filter(|path| !path.is_empty()).map(|path| (host, path)));
        }
        let mut images: BTreeMap<Name, Image> = BTreeMap::new();
        for ((host, _), source) in &self.pools {
            for (name, volume) in &source.volumes {
                if volume.format == "iso" || below.contains(&(host, volume.path.as_str())) {
                    let image = images.entry(Name::image(&volume.display_name)).or_insert_with(|| Image {
                        display_name: volume.display_name.clone(),
                        format: volume.format.clone(),
                        virtual_size_bytes: volume.capacity_bytes,
                        volumes: Vec::new(),
                    });
                    image.volumes.push(name.to_string());
                }
            }
        }
        images
    }
}

fn named(host: &HostId, pool: &str, volumes: Vec<Volume>) -> BTreeMap<Name, Volume> {
    let place = |mut volume: Volume| {
        volume.host = Some(host.clone());
        pool.clone_into(&mut volume.pool);
        (Name::volume(host, pool, &volume.key), volume)
    };
    volumes.into_iter().map(place).collect()
}

impl PoolSource {
    /// X.731 state of the pool.
    pub(super) fn state(&self, expected: Option<Expectation>) -> ResourceState {
        let mut state = match self.pool.pool_state {
            PoolState::Inactive => ResourceState::disabled([AvailabilityStatus::OffLine]),
            PoolState::Building => {
                ResourceState { procedural: Some(ProceduralStatus::Initializing), ..ResourceState::disabled([]) }
            }
            PoolState::Running => ResourceState::enabled(UsageState::Active),
            PoolState::Degraded => ResourceState {
                availability: [AvailabilityStatus::Degraded].into(),
                ..ResourceState::enabled(UsageState::Active)
            },
            PoolState::Inaccessible => {
                ResourceState::disabled([AvailabilityStatus::Failed, AvailabilityStatus::Dependency])
            }
        };
        let word = match self.pool.pool_state {
            PoolState::Inactive => "inactive",
            PoolState::Building => "building",
            PoolState::Running => "running",
            PoolState::Degraded => "degraded",
            PoolState::Inaccessible => "inaccessible",
        };
        state.reason = StateReason::code(word);
        state.administrative = super::machine_state::administrative(expected);
        state
    }

    /// X.731 state of a volume in it.
    pub(super) fn volume_state(&self) -> ResourceState {
        let usable = self.state(None).operational == OperationalState::Enabled;
        if usable {
            ResourceState::enabled(UsageState::Idle)
        } else {
            ResourceState::disabled([AvailabilityStatus::Dependency])
        }
    }
}

/// Canonical source of what a pool lies on.
fn pool_backing(host: &HostId, pool: &StoragePool, filesystems: &[HostFilesystem]) -> String {
    match pool.pool_type.as_str() {
        "netfs" | "rbd" | "iscsi" | "iscsi-direct" | "gluster" | "sheepdog" | "vstorage" if !pool.source.is_empty() => {
            pool.source.clone()
        }
        _ if pool.target_path.starts_with('/') => backing_of_path(host, &pool.target_path, filesystems),
        _ => format!("local://{host}/{}", pool.display_name),
    }
}

/// Canonical sources of what a machine's disks lie on, sorted.
pub(super) fn disk_backings(
    host: &HostId,
    disks: &[VirtualDisk],
    storage: &Storage,
    filesystems: &[HostFilesystem],
) -> Vec<String> {
    let found: BTreeSet<String> =
        disks.iter().filter_map(|disk| disk_backing(host, disk, storage, filesystems)).collect();
    found.into_iter().collect()
}

fn disk_backing(
    host: &HostId,
    disk: &VirtualDisk,
    storage: &Storage,
    filesystems: &[HostFilesystem],
) -> Option<String> {
    if !disk.pool.is_empty() {
        return storage.pools.get(&(host.clone(), disk.pool.clone())).map(|pool| pool.pool.backing_source.clone());
    }
    if let Some((protocol, rest)) = disk.source.split_once("://") {
        // protocol://hosts/pool/image: the image is the disk, the rest is the backing.
        return Some(match rest.rsplit_once('/') {
            Some((backing, _)) => format!("{protocol}://{backing}"),
            None => disk.source.clone(),
        });
    }
    if !disk.source.starts_with('/') {
        return None;
    }
    let pool = storage
        .of_host(host)
        .filter(|pool| pool.pool.target_path.starts_with('/'))
        .filter(|pool| disk.source.starts_with(&format!("{}/", pool.pool.target_path)))
        .max_by_key(|pool| pool.pool.target_path.len());
    match pool {
        Some(pool) => Some(pool.pool.backing_source.clone()),
        None if filesystems.is_empty() => {
            let directory = disk.source.rsplit_once('/').map(|(directory, _)| directory);
            let directory = directory.filter(|directory| !directory.is_empty()).unwrap_or("/");
            Some(format!("local://{host}{directory}"))
        }
        None => Some(backing_of_path(host, &disk.source, filesystems)),
    }
}

fn backing_type(source: &str) -> &str {
    match source.split_once("://").map(|(scheme, _)| scheme) {
        Some(scheme @ ("local" | "nfs" | "rbd" | "iscsi" | "gluster" | "ceph")) => scheme,
        _ => "other",
    }
}
