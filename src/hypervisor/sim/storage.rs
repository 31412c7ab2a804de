//! The pools and volumes of simulated hosts. Pure.

use super::dice::{Dice, Topic};
use super::hardware::TECHNOLOGY;
use super::machine::{BASE_IMAGE, DiskPlan, Lies};
use crate::model::name::HostId;
use crate::model::observation::PoolFacts;
use crate::model::storage::{PoolState, PoolVolatile, StoragePool, Volume, VolumeVolatile};
use crate::model::time::Timestamp;
use crate::model::volatile::Volatile;
use std::collections::BTreeMap;

const GIB: u64 = 1 << 30;
/// Pool figures are as old as the last refresh, as with libvirt: here one every five minutes.
const REFRESH_US: i64 = 300_000_000;

/// The pools of every host.
pub const POOLS: [&str; 5] = ["default", "nfs", "ceph", "fast", "isos"];

/// Name of the volume that comes and goes under churn `lifecycle`.
pub const PASSING: &str = "scratch.raw";

/// The pool and the host it is on.
#[derive(Clone, Copy, Debug)]
pub struct PoolPlace<'a> {
    /// Index of the host.
    pub host: u64,
    /// Its id.
    pub id: &'a HostId,
    /// Group of hosts it shares storage with.
    pub group: u64,
    /// Name of the pool, one of [`POOLS`].
    pub pool: &'a str,
}

/// What is wrong with a pool.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PoolTrouble {
    /// It has been stopped.
    pub stopped: bool,
    /// It has no space left.
    pub full: bool,
    /// It runs and cannot be reached.
    pub lost: bool,
    /// It has lost redundancy.
    pub degraded: bool,
}

/// A pool with the volumes that lie in it.
pub fn pool(
    dice: Dice,
    place: PoolPlace<'_>,
    disks: &[DiskPlan],
    passing: bool,
    trouble: PoolTrouble,
    now: Timestamp,
) -> PoolFacts {
    // A full pool was looked at because it is full; otherwise the figures wait for the next refresh.
    let as_of = if trouble.full { now } else { Timestamp(now.0.div_euclid(REFRESH_US).saturating_mul(REFRESH_US)) };
    let mut volumes: Vec<Volume> = disks.iter().map(|disk| volume(&place, disk, as_of)).collect();
    volumes.extend(images(&place, as_of));
    if passing && place.pool == "default" {
        volumes.push(image(&place, PASSING, "raw", GIB, GIB, as_of));
    }
    volumes.sort_by(|a, b| a.display_name.cmp(&b.display_name));
    let mut pool = shape(dice, &place);
    pool.volume_count = u32::try_from(volumes.len()).unwrap_or(u32::MAX);
    pool.pool_state = match trouble {
        PoolTrouble { stopped: true, .. } => PoolState::Inactive,
        PoolTrouble { lost: true, .. } => PoolState::Inaccessible,
        PoolTrouble { degraded: true, .. } => PoolState::Degraded,
        _ => PoolState::Running,
    };
    pool.volatile = Volatile(figures(&place, &volumes, trouble, as_of));
    PoolFacts { pool, volumes: (!trouble.stopped).then_some(volumes) }
}

fn shape(dice: Dice, place: &PoolPlace<'_>) -> StoragePool {
    let (group, id) = (place.group, place.id);
    let (pool_type, target_path, source, backing_source) = match place.pool {
        "nfs" => {
            let source = format!("nfs://filer-{group}.example.net/export/vms");
            ("netfs", "/srv/nfs/vms".to_owned(), source.clone(), source)
        }
        "ceph" => {
            let source = format!("rbd://ceph-{group}.example.net/vms-{group}");
            ("rbd", String::new(), source.clone(), source)
        }
        "fast" => ("logical", "/dev/fast".to_owned(), "/dev/nvme1n1".to_owned(), format!("local://{id}/dev/fast")),
        "isos" => ("dir", "/srv/isos".to_owned(), String::new(), format!("local://{id}/")),
        _ => {
            ("dir", "/var/lib/libvirt/images".to_owned(), String::new(), format!("local://{id}/var/lib/libvirt/images"))
        }
    };
    let number = POOLS.iter().position(|name| *name == place.pool).unwrap_or(0) as u64;
    StoragePool {
        host: Some(id.clone()),
        technology: TECHNOLOGY.to_owned(),
        display_name: place.pool.to_owned(),
        pool_uuid: dice.uuid(Topic::PoolUuid, place.host, number).to_string(),
        pool_type: pool_type.to_owned(),
        autostart: true,
        persistent: true,
        target_path,
        source,
        backing_source,
        extensions: BTreeMap::new(),
        ..StoragePool::default()
    }
}

fn figures(place: &PoolPlace<'_>, volumes: &[Volume], trouble: PoolTrouble, as_of: Timestamp) -> PoolVolatile {
    if trouble.stopped {
        return PoolVolatile::default();
    }
    let promised: u64 = volumes.iter().map(|volume| volume.capacity_bytes).sum();
    let taken: u64 = volumes.iter().filter_map(|volume| volume.volatile.allocation_bytes).sum();
    let least: u64 = match place.pool {
        "nfs" | "ceph" => 40 << 40,
        "isos" => 50 << 30,
        _ => 3 << 40,
    };
    // Never so small that the machines in it would fill it: a healthy site is quiet.
    let capacity = least.max(taken.saturating_mul(2)).max(promised);
    let allocation = if trouble.full { capacity } else { taken.saturating_add(drift(capacity, as_of)) };
    PoolVolatile {
        capacity_bytes: Some(capacity),
        allocation_bytes: Some(allocation),
        available_bytes: Some(capacity.saturating_sub(allocation)),
        as_of: Some(as_of),
        volume_capacity_bytes: promised,
        ..PoolVolatile::default()
    }
}

/// What else lies there: up to a tenth of the pool, slowly up and down over a day.
fn drift(capacity: u64, as_of: Timestamp) -> u64 {
    let step = u64::try_from(as_of.0.div_euclid(REFRESH_US).rem_euclid(288)).unwrap_or(0);
    capacity / 2_880 * step.min(288 - step)
}

fn volume(place: &PoolPlace<'_>, disk: &DiskPlan, as_of: Timestamp) -> Volume {
    let path = disk.path(place.group);
    Volume {
        host: Some(place.id.clone()),
        pool: place.pool.to_owned(),
        key: path.clone(),
        display_name: disk.volume.clone(),
        path,
        volume_type: match disk.lies {
            Lies::Local | Lies::Nfs => "file",
            Lies::Rbd => "network",
            Lies::Logical => "block",
        }
        .to_owned(),
        format: disk.format().to_owned(),
        backing_path: if disk.overlay { BASE_IMAGE.to_owned() } else { String::new() },
        encrypted: false,
        capacity_bytes: disk.size,
        volatile: Volatile(VolumeVolatile { allocation_bytes: Some(disk.allocation()), as_of: Some(as_of) }),
    }
}

/// Volumes that belong to no machine: what machines are made from.
fn images(place: &PoolPlace<'_>, as_of: Timestamp) -> Vec<Volume> {
    match place.pool {
        "default" => vec![image(place, "debian-12-base.qcow2", "qcow2", 10 * GIB, 2 * GIB, as_of)],
        "isos" => vec![
            image(place, "debian-12.11.0-amd64-netinst.iso", "iso", 700 << 20, 700 << 20, as_of),
            image(place, "virtio-win.iso", "iso", 754 << 20, 754 << 20, as_of),
        ],
        _ => Vec::new(),
    }
}

fn image(place: &PoolPlace<'_>, name: &str, format: &str, size: u64, taken: u64, as_of: Timestamp) -> Volume {
    let directory = if place.pool == "isos" { "/srv/isos" } else { "/var/lib/libvirt/images" };
    let path = format!("{directory}/{name}");
    Volume {
        host: Some(place.id.clone()),
        pool: place.pool.to_owned(),
        key: path.clone(),
        display_name: name.to_owned(),
        path,
        volume_type: "file".to_owned(),
        format: format.to_owned(),
        capacity_bytes: size,
        volatile: Volatile(VolumeVolatile { allocation_bytes: Some(taken), as_of: Some(as_of) }),
        ..Volume::default()
    }
}
