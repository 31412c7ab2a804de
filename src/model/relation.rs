//! Relations between managed objects, and the view of the managed world that pure modules get.

use super::name::{Name, ObjectClass};
use super::object::{Body, Object};
use std::sync::Arc;

/// Relation between two objects (information model section 2.4), named from the first to the second.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Relation {
    /// Virtual machine to the host it runs on.
    RunsOn,
    /// Virtual machine to every host that holds its definition.
    DefinedOn,
    /// Virtual machine to the volume one of its disks uses.
    UsesVolume,
    /// Volume to its pool.
    StoredIn,
    /// Volume to the volume below it.
    BackedBy,
    /// Pool or virtual machine to what it really lies on.
    LiesOn,
    /// Virtual machine to a network one of its NICs is attached to.
    AttachedTo,
    /// Network to a NIC of its host it forwards through; the NIC is part of the host, so the host is named.
    UplinkedBy,
    /// Snapshot to its virtual machine.
    SnapshotOf,
    /// Snapshot to its parent.
    ChildOf,
    /// Image to a volume that holds it.
    LocatedIn,
    /// Any object to the one that contains it.
    ContainedIn,
}

impl Relation {
    /// Every relation.
    pub const ALL: [Self; 12] = [
        Self::RunsOn,
        Self::DefinedOn,
        Self::UsesVolume,
        Self::StoredIn,
        Self::BackedBy,
        Self::LiesOn,
        Self::AttachedTo,
        Self::UplinkedBy,
        Self::SnapshotOf,
        Self::ChildOf,
        Self::LocatedIn,
        Self::ContainedIn,
    ];

    /// The relation's name on the interface.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::RunsOn => "runs_on",
            Self::DefinedOn => "defined_on",
            Self::UsesVolume => "uses_volume",
            Self::StoredIn => "stored_in",
            Self::BackedBy => "backed_by",
            Self::LiesOn => "lies_on",
            Self::AttachedTo => "attached_to",
            Self::UplinkedBy => "uplinked_by",
            Self::SnapshotOf => "snapshot_of",
            Self::ChildOf => "child_of",
            Self::LocatedIn => "located_in",
            Self::ContainedIn => "contained_in",
        }
    }
}

/// The managed world as pure modules see it: a snapshot that does not change while it is looked at.
pub trait Topology {
    /// The object of a name.
    fn object(&self, name: &Name) -> Option<Arc<Object>>;

    /// All objects of a class, ordered by name.
    fn objects(&self, class: ObjectClass) -> Vec<Arc<Object>>;

    /// Objects of a class that lie below another by their names, ordered by name. To be found faster by who keeps an
    /// index.
    fn below(&self, class: ObjectClass, parent: &Name) -> Vec<Arc<Object>> {
        let mut found = self.objects(class);
        let is_below =
            |name: &Name| name.as_str().strip_prefix(parent.as_str()).is_some_and(|rest| rest.starts_with('/'));
        found.retain(|object| is_below(&object.name));
        found
    }

    /// The volume whose path on a host is `path`.
    fn volume_by_path(&self, host: &super::name::HostId, path: &str) -> Option<Name>;

    /// Objects that stand on another one, as [`dependents`]. To be found faster by who keeps an index.
    fn dependents(&self, name: &Name) -> Vec<Name> {
        scanned_dependents(self, name)
    }
}

/// The relations that start at an object, as far as the other end exists.
pub fn relations(object: &Object, topology: &dyn Topology) -> Vec<(Relation, Name)> {
    let mut found = Vec::new();
    collect_relations(object, topology, &mut found);
    found.sort();
    found.dedup();
    found.retain(|(_, name)| topology.object(name).is_some());
    found
}

fn collect_relations(object: &Object, topology: &dyn Topology, found: &mut Vec<(Relation, Name)>) {
    if let Some(parent) = object.name.parent() {
        found.push((Relation::ContainedIn, parent));
    }
    match &object.body {
        Body::VirtualMachine(vm) => {
            for host in &vm.defined_on {
                found.push((Relation::DefinedOn, Name::host(host)));
            }
            found.extend(vm.backing_sources.iter().map(|source| (Relation::LiesOn, Name::storage_backing(source))));
            let Some(host) = &vm.host else { return };
            if vm.run_state.is_active() {
                found.push((Relation::RunsOn, Name::host(host)));
            }
            for disk in &vm.definition.disks {
                if let Some(volume) = topology.volume_by_path(host, &disk.source) {
                    found.push((Relation::UsesVolume, volume));
                }
            }
            for nic in vm.definition.nics.iter().filter(|nic| !nic.network.is_empty()) {
                found.push((Relation::AttachedTo, Name::network(host, &nic.network)));
            }
        }
        Body::StoragePool(pool) if !pool.backing_source.is_empty() => {
            found.push((Relation::LiesOn, Name::storage_backing(&pool.backing_source)));
        }
        Body::Volume(volume) => {
            let Some(host) = &volume.host else { return };
            found.push((Relation::StoredIn, Name::storage_pool(host, &volume.pool)));
            if let Some(below) = topology.volume_by_path(host, &volume.backing_path) {
                found.push((Relation::BackedBy, below));
            }
        }
        Body::Network(network) if !network.uplinks.is_empty() => {
            found.extend(network.host.iter().map(|host| (Relation::UplinkedBy, Name::host(host))));
        }
        Body::Snapshot(snapshot) => {
            found.push((Relation::SnapshotOf, Name::virtual_machine(snapshot.vm_uuid)));
            if !snapshot.parent.is_empty() {
                found.push((Relation::ChildOf, Name::snapshot(snapshot.vm_uuid, &snapshot.parent)));
            }
        }
        Body::Image(image) => {
            found.extend(image.volumes.iter().map(|volume| (Relation::LocatedIn, Name::new(volume.as_str()))));
        }
        _ => {}
    }
}

/// Objects that stand on another one: what lies on a host, a backing, a pool or a network; everything,
/// for the cluster and the VRM. Ordered by name.
pub fn dependents(topology: &dyn Topology, name: &Name) -> Vec<Name> {
    topology.dependents(name)
}

/// As [`dependents`], by a look at every object of the classes concerned.
pub fn scanned_dependents<T: Topology + ?Sized>(topology: &T, name: &Name) -> Vec<Name> {
    let classes: &[ObjectClass] = match name.class() {
        Some(ObjectClass::Vrm | ObjectClass::Cluster) => &[ObjectClass::Host, ObjectClass::Hypervisor],
        Some(ObjectClass::Host) => {
            &[ObjectClass::Hypervisor, ObjectClass::VirtualMachine, ObjectClass::StoragePool, ObjectClass::Network]
        }
        Some(ObjectClass::StorageBacking) => &[ObjectClass::StoragePool, ObjectClass::VirtualMachine],
        Some(ObjectClass::Hypervisor | ObjectClass::StoragePool | ObjectClass::Network) => {
            &[ObjectClass::VirtualMachine]
        }
        _ => &[],
    };
    let mut found: Vec<Name> = Vec::new();
    for class in classes {
        let objects = topology.objects(*class);
        found.extend(objects.iter().filter(|object| stands_on(object, name)).map(|object| object.name.clone()));
    }
    found.sort();
    found
}

/// True if an object stands on another one directly.
pub fn stands_on(object: &Object, name: &Name) -> bool {
    match name.class() {
        Some(ObjectClass::Vrm | ObjectClass::Cluster) => true,
        Some(ObjectClass::Host) => object.host().is_some_and(|host| Name::host(&host) == *name),
        Some(ObjectClass::StorageBacking) => match &object.body {
            Body::VirtualMachine(vm) => vm.backing_sources.iter().any(|source| Name::storage_backing(source) == *name),
            Body::StoragePool(pool) => {
                !pool.backing_source.is_empty() && Name::storage_backing(&pool.backing_source) == *name
            }
            _ => false,
        },
        Some(class) => match &object.body {
            Body::VirtualMachine(vm) if vm.host == name.host_id() => match class {
                ObjectClass::Hypervisor => vm.technology == name.id(),
                ObjectClass::StoragePool => {
                    vm.definition.disks.iter().any(|disk| !disk.pool.is_empty() && disk.pool == name.id())
                }
                ObjectClass::Network => vm.definition.nics.iter().any(|nic| nic.network == name.id()),
                _ => false,
            },
            _ => false,
        },
        None => false,
    }
}
