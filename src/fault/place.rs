//! Where a fault is: objects, and parts of objects that are alarmed but not managed by themselves.

use crate::model::relation::Topology;
use crate::model::{Name, Object};

/// Collections whose members are parts of their parent, not objects of their own (design.md 8).
const PARTS: [&str; 6] = ["disks", "nics", "filesystems", "cpus", "numaNodes", "sensors"];

/// Name of a sink of notifications: a part of the VRM that only alarms know. `id` is of letters, digits, `-` and `_`.
pub fn notification_sink(id: &str) -> Name {
    Name::new(format!("notificationSinks/{id}"))
}

/// The managed object a faulty object is, or is a part of: `virtualMachines/U` for
/// `virtualMachines/U/disks/vda`.
pub(super) fn owner(object: &Name) -> Name {
    let segments: Vec<&str> = object.as_str().split('/').collect();
    match segments.as_slice() {
        ["notificationSinks", _] => Name::vrm(),
        [collection, id, "agent"] => Name::new(format!("{collection}/{id}")),
        [collection, id, part, _] if PARTS.contains(part) => Name::new(format!("{collection}/{id}")),
        _ => object.clone(),
    }
}

/// Class of a faulty object as DNs carry it, parts included.
pub(super) fn class_of(object: &Name) -> &'static str {
    let segments: Vec<&str> = object.as_str().split('/').collect();
    match segments.as_slice() {
        ["virtualMachines", _, "disks", _] => "VirtualDisk",
        ["virtualMachines", _, "nics", _] => "VirtualNic",
        ["virtualMachines", _, "cpus", _] => "VirtualCpu",
        ["virtualMachines", _, "agent"] => "GuestAgent",
        ["notificationSinks", _] => "NotificationSink",
        ["hosts", _, "disks", _] => "HostDisk",
        ["hosts", _, "nics", _] => "HostNic",
        ["hosts", _, "filesystems", _] => "HostFilesystem",
        ["hosts", _, "cpus", _] => "HostCpu",
        ["hosts", _, "numaNodes", _] => "NumaNode",
        ["hosts", _, "sensors", _] => "Sensor",
        _ => object.class().map_or("ManagedObject", crate::model::ObjectClass::as_str),
    }
}

/// Looks at the object that a faulty object is, or is a part of: as it was just seen, else as the world has it.
pub(super) fn with_owner<T>(
    object: &Name,
    hint: Option<&Object>,
    world: &dyn Topology,
    look: impl FnOnce(Option<&Object>) -> T,
) -> T {
    let place = owner(object);
    match hint.filter(|hint| hint.name == place) {
        Some(hint) => look(Some(hint)),
        None => look(world.object(&place).as_deref()),
    }
}
