//! The inventory as the managed world that pure modules see.
//!
//! What stands on an object comes from the indexes that are kept anyway. When 200 hosts are lost at
//! once each one's machines are asked for: that must not cost a look at all machines each time.

use super::core::Inventory;
use crate::model::relation::{Topology, scanned_dependents, stands_on};
use crate::model::{Body, HostId, Name, Object, ObjectClass};
use std::sync::Arc;

impl Topology for Inventory {
    fn object(&self, name: &Name) -> Option<Arc<Object>> {
        self.table.get(name).cloned()
    }

    fn objects(&self, class: ObjectClass) -> Vec<Arc<Object>> {
        self.table.of_class(class)
    }

    fn below(&self, class: ObjectClass, parent: &Name) -> Vec<Arc<Object>> {
        self.table.below(class, parent)
    }

    fn volume_by_path(&self, host: &HostId, path: &str) -> Option<Name> {
        let holds = |object: &Arc<Object>| match &object.body {
            Body::Volume(volume) => volume.path == path && volume.host.as_ref() == Some(host),
            _ => false,
        };
        self.table.of_class(ObjectClass::Volume).iter().find(|object| holds(object)).map(|object| object.name.clone())
    }

    fn dependents(&self, name: &Name) -> Vec<Name> {
        dependents(self, name)
    }
}

/// As [`crate::model::relation::dependents`].
fn dependents(inventory: &Inventory, name: &Name) -> Vec<Name> {
    let candidates = match (name.class(), name.host_id()) {
        (Some(ObjectClass::Host), Some(host)) => on_host(inventory, &host),
        (Some(ObjectClass::Hypervisor | ObjectClass::StoragePool | ObjectClass::Network), Some(host)) => {
            machines(inventory, &host)
        }
        (Some(ObjectClass::StorageBacking), _) => on_backing(inventory, name),
        (Some(ObjectClass::Vrm | ObjectClass::Cluster), _) => return scanned_dependents(inventory, name),
        _ => Vec::new(),
    };
    let stands = |other: &Name| inventory.object(other).is_some_and(|object| stands_on(object, name));
    let mut found: Vec<Name> = candidates.into_iter().filter(stands).collect();
    found.sort();
    found.dedup();
    found
}

/// Machines known at an endpoint of a host.
fn machines(inventory: &Inventory, host: &HostId) -> Vec<Name> {
    let at = |technology: &String| {
        let key = crate::model::host::EndpointKey { host: host.clone(), technology: technology.clone() };
        inventory.machines.known_at(&key)
    };
    inventory.table.hypervisors_of(host).iter().flat_map(at).map(Name::virtual_machine).collect()
}

fn on_host(inventory: &Inventory, host: &HostId) -> Vec<Name> {
    let mut found = machines(inventory, host);
    found.extend(inventory.table.hypervisors_of(host).iter().map(|technology| Name::hypervisor(host, technology)));
    let first = (host.clone(), String::new());
    let pools = inventory.storage.pools.range(first.clone()..).take_while(|((of, _), _)| of == host);
    found.extend(pools.map(|((_, pool), _)| Name::storage_pool(host, pool)));
    let networks = inventory.networks.by_key.range(first..).take_while(|((of, _), _)| of == host);
    found.extend(networks.map(|((_, network), _)| Name::network(host, network)));
    found
}

fn on_backing(inventory: &Inventory, name: &Name) -> Vec<Name> {
    let Some(Body::StorageBacking(backing)) = inventory.object(name).map(|object| &object.body) else {
        return Vec::new();
    };
    let users = inventory.storage.backings.get(&backing.source);
    users.map(|users| users.pools.iter().chain(&users.machines).cloned().collect()).unwrap_or_default()
}
