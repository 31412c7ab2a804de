//! Storage pools, volumes, images, and the backing that several of them share.

use super::capacity::Capacity;
use super::host::HostFilesystem;
use super::name::HostId;
use super::time::Timestamp;
use super::volatile::Volatile;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// State of a storage pool (libvirt: virStoragePoolState).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PoolState {
    /// Not running.
    #[default]
    Inactive,
    /// Being built.
    Building,
    /// Usable.
    Running,
    /// Usable with losses.
    Degraded,
    /// Running but not accessible.
    Inaccessible,
}

/// A storage pool of one host.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct StoragePool {
    /// Host it is defined on.
    pub host: Option<HostId>,
    /// Driver it was read through.
    pub technology: String,
    /// libvirt's name.
    pub display_name: String,
    /// libvirt's UUID; cloned hosts share it, so it is no key.
    pub pool_uuid: String,
    /// `dir`, `fs`, `netfs`, `logical`, `rbd` ….
    pub pool_type: String,
    /// State.
    pub pool_state: PoolState,
    /// Started with the host.
    pub autostart: bool,
    /// Survives being stopped.
    pub persistent: bool,
    /// Where its volumes appear on the host.
    pub target_path: String,
    /// Where its data comes from, without secrets: `nfs://server/export`.
    pub source: String,
    /// Canonical source of the backing it lies on.
    pub backing_source: String,
    /// Volumes in it, by name.
    pub volume_count: u32,
    /// What the model does not name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub extensions: BTreeMap<String, String>,
    /// Moving values.
    #[serde(default)]
    pub volatile: Volatile<PoolVolatile>,
}

/// Values of a pool that move without being a change.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct PoolVolatile {
    /// Size in bytes.
    pub capacity_bytes: Option<u64>,
    /// Bytes taken.
    pub allocation_bytes: Option<u64>,
    /// Bytes free.
    pub available_bytes: Option<u64>,
    /// When the figures were true: libvirt only knows those of the last refresh (operations.md F2).
    pub as_of: Option<Timestamp>,
    /// Sum of the capacities of its volumes.
    pub volume_capacity_bytes: u64,
    /// Capacity with overcommit.
    pub capacity: Capacity,
}

/// A volume of a storage pool.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Volume {
    /// Host.
    pub host: Option<HostId>,
    /// Pool, by libvirt name.
    pub pool: String,
    /// Opaque key, often a path.
    pub key: String,
    /// Name in the pool.
    pub display_name: String,
    /// Path on the host.
    pub path: String,
    /// `file`, `block`, `dir`, `network` ….
    pub volume_type: String,
    /// `qcow2`, `raw` ….
    pub format: String,
    /// Path of the image below it, empty if none.
    pub backing_path: String,
    /// Encrypted.
    pub encrypted: bool,
    /// Size the guest would see, in bytes.
    pub capacity_bytes: u64,
    /// Moving values.
    #[serde(default)]
    pub volatile: Volatile<VolumeVolatile>,
}

/// Values of a volume that move without being a change.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct VolumeVolatile {
    /// Bytes taken.
    pub allocation_bytes: Option<u64>,
    /// When the figures were true.
    pub as_of: Option<Timestamp>,
}

/// What several pools and disks really lie on (operations.md F8).
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct StorageBacking {
    /// Canonical source: `nfs://server/export`, `rbd://…/pool`, `local://host/filesystem`.
    pub source: String,
    /// `local`, `nfs`, `rbd`, `iscsi`, `gluster`, `other`.
    pub backing_type: String,
    /// Hosts that use it, sorted.
    pub hosts: Vec<HostId>,
    /// Names of the pools on it, sorted.
    pub pools: Vec<String>,
    /// Names of the virtual machines with a disk on it, sorted.
    pub virtual_machines: Vec<String>,
    /// Moving values.
    #[serde(default)]
    pub volatile: Volatile<BackingVolatile>,
}

/// Values of a backing that move without being a change.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct BackingVolatile {
    /// Capacity, shared pools counted once.
    pub capacity: Capacity,
}

/// A catalogue entry that virtual machines are made from.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Image {
    /// Name in the catalogue.
    pub display_name: String,
    /// `qcow2`, `raw`, `iso` ….
    pub format: String,
    /// Size the guest would see, in bytes.
    pub virtual_size_bytes: u64,
    /// Names of the volumes that hold a copy, sorted.
    pub volumes: Vec<String>,
}

/// Canonical source of what a path on a host lies on: the mount it is in, or itself. What is mounted from
/// `server:/path` is one backing for all hosts, whatever the file system (an NFS export through FUSE too).
pub fn backing_of_path(host: &HostId, path: &str, filesystems: &[HostFilesystem]) -> String {
    let within = |mount: &str| mount == "/" || path == mount || path.starts_with(&format!("{mount}/"));
    let mount = filesystems
        .iter()
        .filter(|filesystem| within(&filesystem.mount_point))
        .max_by_key(|filesystem| filesystem.mount_point.len());
    let Some(mount) = mount else { return format!("local://{host}{path}") };
    let fs_type = mount.fs_type.trim_start_matches("fuse.");
    if fs_type.starts_with("nfs") {
        return format!("nfs://{}", mount.source.replacen(":/", "/", 1));
    }
    if matches!(fs_type, "ceph" | "cifs" | "glusterfs") {
        return format!("{fs_type}://{}", mount.source);
    }
    match mount.source.split_once(":/") {
        Some((server, path)) if !server.is_empty() && !server.contains('/') => format!("{fs_type}://{server}/{path}"),
        _ => format!("local://{host}{}", mount.mount_point),
    }
}
