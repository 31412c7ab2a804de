//! What can be wrong with a part of a host, and how that is seen. Pure.

use crate::model::incident::{Incident, IncidentKind, IncidentSubject};
use crate::model::time::Timestamp;
use std::collections::BTreeMap;

/// Something wrong with a part of a host.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Ailment {
    /// The filesystem mounted there does not answer.
    MountHung(String),
    /// The disk has failed.
    DiskFailed(String),
    /// The interface has no carrier.
    NicDown(String),
    /// A verdict on something that is not in the inventory: alarm type, and part (`disk:sda`, or empty).
    Condition(String, String),
    /// Memory is used up.
    LowMemory,
    /// No huge page is free.
    NoHugePages,
    /// The filesystem mounted there has no space left.
    FullFilesystem(String),
    /// The pool runs and cannot be reached.
    LostPool(String),
    /// The pool has lost redundancy.
    DegradedPool(String),
}

impl Ailment {
    /// The ailment in words.
    pub fn words(&self) -> String {
        match self {
            Self::MountHung(mount) => format!("hung mount {mount}"),
            Self::DiskFailed(disk) => format!("failed disk {disk}"),
            Self::NicDown(nic) => format!("link of {nic} down"),
            Self::Condition(alarm_type, object) if object.is_empty() => alarm_type.clone(),
            Self::Condition(alarm_type, object) => format!("{alarm_type} of {object}"),
            Self::LowMemory => "low memory".to_owned(),
            Self::NoHugePages => "no huge pages".to_owned(),
            Self::FullFilesystem(mount) => format!("full filesystem {mount}"),
            Self::LostPool(pool) => format!("lost pool {pool}"),
            Self::DegradedPool(pool) => format!("degraded pool {pool}"),
        }
    }

    /// What a look at the part says; nothing where the part's own figures or state say it.
    pub fn incidents(&self, active: bool, time: Timestamp) -> Vec<Incident> {
        let condition = |subject, alarm_type: &str| {
            let kind = IncidentKind::Condition { alarm_type: alarm_type.to_owned(), active };
            vec![incident(time, subject, kind)]
        };
        match self {
            Self::MountHung(mount) => {
                let pools = POOLS_BY_MOUNT.into_iter().filter(|(_, on)| on == mount).map(|(pool, _)| pool);
                let subjects = pools.map(|pool| IncidentSubject::StoragePool(pool.to_owned()));
                let subjects = subjects.chain([IncidentSubject::HostFilesystem(mount.clone())]);
                subjects.map(|subject| probed(time, subject, active)).collect()
            }
            Self::DiskFailed(disk) => condition(IncidentSubject::HostDisk(disk.clone()), "hostDiskFailed"),
            Self::Condition(alarm_type, object) => condition(subject_of(object), alarm_type),
            _ => Vec::new(),
        }
    }
}

/// Directory pools by the filesystem they lie on.
const POOLS_BY_MOUNT: [(&str, &str); 3] =
    [("default", "/var/lib/libvirt/images"), ("nfs", "/srv/nfs/vms"), ("isos", "/")];

/// Filesystems of every host.
pub const MOUNTS: [&str; 3] = ["/", "/srv/nfs/vms", "/var/lib/libvirt/images"];

/// The filesystem that hosts of a group share.
pub const SHARED_MOUNT: &str = "/srv/nfs/vms";

/// Kinds of parts that a condition may name, e.g. `disk:sda`.
pub const PARTS: [&str; 5] = ["disk", "nic", "filesystem", "pool", "network"];

/// The part of a host that `disk:sda` and the like mean; the host itself if nothing is named.
fn subject_of(object: &str) -> IncidentSubject {
    match object.split_once(':') {
        Some(("disk", name)) => IncidentSubject::HostDisk(name.to_owned()),
        Some(("nic", name)) => IncidentSubject::HostNic(name.to_owned()),
        Some(("filesystem", mount)) => IncidentSubject::HostFilesystem(mount.to_owned()),
        Some(("pool", name)) => IncidentSubject::StoragePool(name.to_owned()),
        Some(("network", name)) => IncidentSubject::Network(name.to_owned()),
        _ => IncidentSubject::Host,
    }
}

fn probed(time: Timestamp, subject: IncidentSubject, hung: bool) -> Incident {
    let result = if hung { Err("does not answer for 5s".to_owned()) } else { Ok(()) };
    incident(time, subject, IncidentKind::Probed(result))
}

/// An incident of a part of a host.
pub fn incident(time: Timestamp, subject: IncidentSubject, kind: IncidentKind) -> Incident {
    Incident { time, subject, kind, details: BTreeMap::new() }
}
