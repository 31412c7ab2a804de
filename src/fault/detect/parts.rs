//! Names of parts of objects that have conditions of their own.

use crate::model::Name;
use crate::model::name::encode;

/// A part of an object: `hosts/h/nics/eth0`.
pub(super) fn part(parent: &Name, collection: &str, id: &str) -> Name {
    Name::new(format!("{parent}/{collection}/{}", encode(id)))
}

/// A NIC of a machine (by MAC address) or host (by kernel name).
pub(super) fn nic(parent: &Name, id: &str) -> Name {
    part(parent, "nics", id)
}

/// A disk of a machine (by target) or host (by kernel name).
pub(super) fn disk(parent: &Name, id: &str) -> Name {
    part(parent, "disks", id)
}

/// A filesystem of a host, by mount point.
pub(super) fn filesystem(host: &Name, mount_point: &str) -> Name {
    part(host, "filesystems", mount_point)
}

/// The agent in a machine's guest.
pub(super) fn agent(machine: &Name) -> Name {
    Name::new(format!("{machine}/agent"))
}

/// True if a path lies under a mount point.
pub(super) fn lies_under(path: &str, mount_point: &str) -> bool {
    let rest = path.strip_prefix(mount_point.trim_end_matches('/'));
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}
