//! Managed objects of any class, as clients hold them.

use crate::wire::v1;
use crate::wire::v1::ObjectClass;
use prost::Message;

/// A managed object; the variant tells its class.
pub type Object = v1::managed_object::Resource;

/// Repeats an expression for the message inside of any object.
macro_rules! each {
    ($object:expr, $inner:ident => $value:expr) => {
        match $object {
            Object::Vrm($inner) => $value,
            Object::Cluster($inner) => $value,
            Object::Host($inner) => $value,
            Object::Hypervisor($inner) => $value,
            Object::VirtualMachine($inner) => $value,
            Object::StoragePool($inner) => $value,
            Object::Volume($inner) => $value,
            Object::StorageBacking($inner) => $value,
            Object::Network($inner) => $value,
            Object::Snapshot($inner) => $value,
            Object::Image($inner) => $value,
        }
    };
}

/// What all classes have in common.
pub trait ObjectExt {
    /// Class.
    fn class(&self) -> ObjectClass;
    /// Resource name.
    fn name(&self) -> &str;
    /// Tells the object from a later one of the same name.
    fn uid(&self) -> &str;
    /// Counts its changes.
    fn revision(&self) -> u64;
    /// The name people know it by.
    fn display_name(&self) -> &str;
    /// Freshness check value.
    fn etag(&self) -> &str;
    /// Resource name of the host it is on; empty for classes that are on none.
    fn host(&self) -> &str;
    /// State, if it has been told.
    fn state(&self) -> Option<&v1::ResourceState>;
    /// The message in protobuf encoding.
    fn to_bytes(&self) -> Vec<u8>;
}

impl ObjectExt for Object {
    fn class(&self) -> ObjectClass {
        match self {
            Self::Vrm(_) => ObjectClass::Vrm,
            Self::Cluster(_) => ObjectClass::Cluster,
            Self::Host(_) => ObjectClass::Host,
            Self::Hypervisor(_) => ObjectClass::Hypervisor,
            Self::VirtualMachine(_) => ObjectClass::VirtualMachine,
            Self::StoragePool(_) => ObjectClass::StoragePool,
            Self::Volume(_) => ObjectClass::Volume,
            Self::StorageBacking(_) => ObjectClass::StorageBacking,
            Self::Network(_) => ObjectClass::Network,
            Self::Snapshot(_) => ObjectClass::Snapshot,
            Self::Image(_) => ObjectClass::Image,
        }
    }

    fn name(&self) -> &str {
        each!(self, inner => &inner.name)
    }

    fn uid(&self) -> &str {
        each!(self, inner => &inner.uid)
    }

    fn revision(&self) -> u64 {
        each!(self, inner => inner.revision)
    }

    fn display_name(&self) -> &str {
        each!(self, inner => &inner.display_name)
    }

    fn etag(&self) -> &str {
        each!(self, inner => &inner.etag)
    }

    fn host(&self) -> &str {
        match self {
            Self::Host(host) => &host.name,
            Self::Hypervisor(hypervisor) => hypervisor.name.split("/hypervisors/").next().unwrap_or_default(),
            Self::VirtualMachine(vm) => &vm.host,
            Self::StoragePool(pool) => &pool.host,
            Self::Volume(volume) => &volume.host,
            Self::Network(network) => &network.host,
            Self::Snapshot(snapshot) => &snapshot.host,
            Self::Vrm(_) | Self::Cluster(_) | Self::StorageBacking(_) | Self::Image(_) => "",
        }
    }

    fn state(&self) -> Option<&v1::ResourceState> {
        each!(self, inner => inner.state.as_ref())
    }

    fn to_bytes(&self) -> Vec<u8> {
        each!(self, inner => inner.encode_to_vec())
    }
}

/// Full protobuf name of a class's message.
pub fn message_name(class: ObjectClass) -> &'static str {
    match class {
        ObjectClass::Unspecified => "vrm.v1.ManagedObject",
        ObjectClass::Vrm => "vrm.v1.Vrm",
        ObjectClass::Cluster => "vrm.v1.Cluster",
        ObjectClass::Host => "vrm.v1.Host",
        ObjectClass::Hypervisor => "vrm.v1.Hypervisor",
        ObjectClass::VirtualMachine => "vrm.v1.VirtualMachine",
        ObjectClass::StoragePool => "vrm.v1.StoragePool",
        ObjectClass::Volume => "vrm.v1.Volume",
        ObjectClass::StorageBacking => "vrm.v1.StorageBacking",
        ObjectClass::Network => "vrm.v1.Network",
        ObjectClass::Snapshot => "vrm.v1.Snapshot",
        ObjectClass::Image => "vrm.v1.Image",
    }
}

/// Name in JSON of the field that holds a class's objects in its list response.
pub fn list_field(class: ObjectClass) -> &'static str {
    match class {
        ObjectClass::Unspecified => "objects",
        ObjectClass::Vrm => "vrms",
        ObjectClass::Cluster => "clusters",
        ObjectClass::Host => "hosts",
        ObjectClass::Hypervisor => "hypervisors",
        ObjectClass::VirtualMachine => "virtualMachines",
        ObjectClass::StoragePool => "storagePools",
        ObjectClass::Volume => "volumes",
        ObjectClass::StorageBacking => "storageBackings",
        ObjectClass::Network => "networks",
        ObjectClass::Snapshot => "snapshots",
        ObjectClass::Image => "images",
    }
}

/// Class of the object a resource name denotes; nothing if it is no resource name.
pub fn class_of_name(name: &str) -> Option<ObjectClass> {
    let segments: Vec<&str> = name.split('/').collect();
    if segments.iter().any(|segment| segment.is_empty()) {
        return None;
    }
    match *segments.as_slice() {
        ["vrm"] => Some(ObjectClass::Vrm),
        ["cluster"] => Some(ObjectClass::Cluster),
        ["hosts", _] => Some(ObjectClass::Host),
        ["hosts", _, "hypervisors", _] => Some(ObjectClass::Hypervisor),
        ["hosts", _, "storagePools", _] => Some(ObjectClass::StoragePool),
        ["hosts", _, "storagePools", _, "volumes", _] => Some(ObjectClass::Volume),
        ["hosts", _, "networks", _] => Some(ObjectClass::Network),
        ["virtualMachines", _] => Some(ObjectClass::VirtualMachine),
        ["virtualMachines", _, "snapshots", _] => Some(ObjectClass::Snapshot),
        ["storageBackings", _] => Some(ObjectClass::StorageBacking),
        ["images", _] => Some(ObjectClass::Image),
        _ => None,
    }
}

/// The object of a change; nothing if the change carries none.
pub(super) fn of_change(resource: Option<v1::resource_change::Resource>) -> Option<Object> {
    use v1::resource_change::Resource;
    Some(match resource? {
        Resource::Vrm(inner) => Object::Vrm(inner),
        Resource::Cluster(inner) => Object::Cluster(inner),
        Resource::Host(inner) => Object::Host(inner),
        Resource::Hypervisor(inner) => Object::Hypervisor(inner),
        Resource::VirtualMachine(inner) => Object::VirtualMachine(inner),
        Resource::StoragePool(inner) => Object::StoragePool(inner),
        Resource::Volume(inner) => Object::Volume(inner),
        Resource::StorageBacking(inner) => Object::StorageBacking(inner),
        Resource::Network(inner) => Object::Network(inner),
        Resource::Snapshot(inner) => Object::Snapshot(inner),
        Resource::Image(inner) => Object::Image(inner),
    })
}
