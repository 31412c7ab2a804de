//! A managed object of any class.

use super::common::{Common, object_class};
use super::{host, machine, storage};
use crate::model::dn::DnScheme;
use crate::model::{Body, Object};
use crate::wire::v1;
use v1::managed_object::Resource;

/// How much of an object is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Detail {
    /// Without what is large (`VIEW_BASIC`).
    Basic,
    /// Everything (`VIEW_FULL`).
    Full,
}

/// A message type that serves one class of managed objects.
pub trait Served: prost::Message + Default {
    /// Takes the message out of a resource, if it is of this class.
    fn from_resource(resource: Resource) -> Option<Self>;
}

/// The message of a managed resource; nothing for records, which have messages of their own.
pub fn resource(object: &Object, dn: &DnScheme, detail: Detail) -> Option<Resource> {
    let common = Common::of(object, dn);
    let full = detail == Detail::Full;
    Some(match &object.body {
        Body::Vrm(vrm) => Resource::Vrm(host::vrm(common, vrm)),
        Body::Cluster(cluster) => Resource::Cluster(host::cluster(common, cluster)),
        Body::Host(body) => Resource::Host(host::host(common, body, full)),
        Body::Hypervisor(hypervisor) => Resource::Hypervisor(host::hypervisor(common, hypervisor, full)),
        Body::VirtualMachine(vm) => Resource::VirtualMachine(machine::virtual_machine(common, vm, full)),
        Body::StoragePool(pool) => Resource::StoragePool(storage::storage_pool(common, pool, full)),
        Body::Volume(volume) => Resource::Volume(storage::volume(common, volume)),
        Body::StorageBacking(backing) => Resource::StorageBacking(storage::storage_backing(common, backing)),
        Body::Network(network) => Resource::Network(storage::network(common, network, full)),
        Body::Snapshot(snapshot) => Resource::Snapshot(machine::snapshot(common, snapshot)),
        Body::Image(image) => Resource::Image(storage::image(common, image)),
        Body::Alarm(_)
        | Body::AlarmShelf(_)
        | Body::AlarmProfile(_)
        | Body::MeasurementJob(_)
        | Body::ThresholdMonitor(_) => return None,
    })
}

/// The object with its class and both of its names.
pub fn managed_object(object: &Object, dn: &DnScheme, detail: Detail) -> v1::ManagedObject {
    v1::ManagedObject {
        object_class: object_class(object.class()),
        name: object.name.to_string(),
        dn: dn.dn(&object.name),
        resource: resource(object, dn, detail),
    }
}

macro_rules! classes {
    ($($class:ident),* $(,)?) => {
        /// The same resource as a change carries it.
        pub fn to_change_resource(resource: Resource) -> v1::resource_change::Resource {
            match resource { $(Resource::$class(message) => v1::resource_change::Resource::$class(message)),* }
        }

        $(impl Served for v1::$class {
            fn from_resource(resource: Resource) -> Option<Self> {
                if let Resource::$class(message) = resource { Some(message) } else { None }
            }
        })*
    };
}
classes!(Vrm, Cluster, Host, Hypervisor, VirtualMachine, StoragePool, Volume, StorageBacking, Network, Snapshot, Image);
