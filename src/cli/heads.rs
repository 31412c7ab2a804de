//! The columns of every kind. Pure.

use crate::wire::v1::ObjectClass;

/// A column of a kind's table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Head {
    /// What stands above it.
    pub name: &'static str,
    /// Only shown in wide tables.
    pub wide: bool,
}

const fn narrow(name: &'static str) -> Head {
    Head { name, wide: false }
}

const fn wide(name: &'static str) -> Head {
    Head { name, wide: true }
}

const VM: &[Head] = &[
    narrow("NAME"),
    narrow("HOST"),
    narrow("STATE"),
    narrow("VCPUS"),
    narrow("MEMORY"),
    narrow("EXPECT"),
    narrow("AGE"),
    wide("SINCE"),
    wide("TECH"),
    wide("AUTOSTART"),
    wide("UUID"),
    wide("LABELS"),
];
const HOST: &[Head] = &[
    narrow("NAME"),
    narrow("STATE"),
    narrow("PROFILE"),
    narrow("CPUS"),
    narrow("MEMORY"),
    narrow("FREE"),
    narrow("AGE"),
    wide("ORIGIN"),
    wide("MODEL"),
    wide("OS"),
    wide("LAST-SEEN"),
    wide("ADDRESSES"),
    wide("WARNINGS"),
    wide("LABELS"),
];
const POOL: &[Head] = &[
    narrow("NAME"),
    narrow("HOST"),
    narrow("STATE"),
    narrow("TYPE"),
    narrow("SIZE"),
    narrow("FREE"),
    narrow("USED"),
    narrow("AS-OF"),
    narrow("AGE"),
    wide("VOLUMES"),
    wide("EXPECT"),
    wide("AUTOSTART"),
    wide("TARGET"),
    wide("BACKING"),
    wide("LABELS"),
];
const VOLUME: &[Head] = &[
    narrow("NAME"),
    narrow("POOL"),
    narrow("HOST"),
    narrow("FORMAT"),
    narrow("SIZE"),
    narrow("USED"),
    narrow("AGE"),
    wide("TYPE"),
    wide("ENCRYPTED"),
    wide("PATH"),
    wide("BASE"),
    wide("LABELS"),
];
const NETWORK: &[Head] = &[
    narrow("NAME"),
    narrow("HOST"),
    narrow("STATE"),
    narrow("MODE"),
    narrow("BRIDGE"),
    narrow("SUBNETS"),
    narrow("AGE"),
    wide("UPLINKS"),
    wide("EXPECT"),
    wide("AUTOSTART"),
    wide("DOMAIN"),
    wide("LABELS"),
];
const SNAPSHOT: &[Head] = &[
    narrow("NAME"),
    narrow("VM"),
    narrow("STATE"),
    narrow("CURRENT"),
    narrow("TAKEN"),
    narrow("PARENT"),
    narrow("AGE"),
    wide("HOST"),
    wide("MEMORY"),
    wide("DISKS"),
    wide("DESCRIPTION"),
    wide("LABELS"),
];
const IMAGE: &[Head] =
    &[narrow("NAME"), narrow("FORMAT"), narrow("SIZE"), narrow("COPIES"), narrow("AGE"), wide("LABELS")];
const BACKING: &[Head] = &[
    narrow("NAME"),
    narrow("TYPE"),
    narrow("STATE"),
    narrow("HOSTS"),
    narrow("POOLS"),
    narrow("VMS"),
    narrow("SIZE"),
    narrow("PROMISED"),
    narrow("AGE"),
    wide("ID"),
    wide("LABELS"),
];
const HYPERVISOR: &[Head] = &[
    narrow("HOST"),
    narrow("TECH"),
    narrow("STATE"),
    narrow("VERSION"),
    narrow("LIBVIRT"),
    narrow("LAST-EVENT"),
    narrow("AGE"),
    wide("ADDRESS"),
    wide("MISSED"),
    wide("RECONNECTS"),
    wide("LABELS"),
];
const CLUSTER: &[Head] = &[
    narrow("NAME"),
    narrow("HOSTS"),
    narrow("VMS"),
    narrow("TECH"),
    narrow("VCPUS"),
    narrow("MEMORY"),
    narrow("STORAGE"),
    narrow("AGE"),
    wide("LABELS"),
];
const VRM: &[Head] =
    &[narrow("NAME"), narrow("PROFILE"), narrow("VERSION"), narrow("DN"), narrow("AGE"), wide("LABELS")];

/// Columns of objects of several kinds in one table.
pub const MIXED: &[Head] = &[narrow("KIND"), narrow("NAME"), narrow("HOST"), narrow("STATE"), narrow("AGE")];

/// Columns of a session.
pub const SESSION: &[Head] = &[
    narrow("NAME"),
    narrow("WHO"),
    narrow("METHOD"),
    narrow("AGE"),
    narrow("LAG"),
    narrow("MERGED"),
    narrow("STALLED"),
    wide("PEER"),
    wide("STARTED"),
    wide("MESSAGES"),
    wide("SIZE"),
    wide("FILTER"),
];

/// Columns of a class.
pub fn heads(class: ObjectClass) -> &'static [Head] {
    match class {
        ObjectClass::VirtualMachine => VM,
        ObjectClass::Host => HOST,
        ObjectClass::StoragePool => POOL,
        ObjectClass::Volume => VOLUME,
        ObjectClass::Network => NETWORK,
        ObjectClass::Snapshot => SNAPSHOT,
        ObjectClass::Image => IMAGE,
        ObjectClass::StorageBacking => BACKING,
        ObjectClass::Hypervisor => HYPERVISOR,
        ObjectClass::Cluster => CLUSTER,
        ObjectClass::Vrm | ObjectClass::Unspecified => VRM,
    }
}
