//! What the store knew, as sources: everything as last seen, nothing fresh.

use super::machines::{Instance, Machines};
use super::networks::{NetworkSource, Networks};
use super::storage::{PoolSource, Storage};
use crate::model::host::EndpointKey;
use crate::model::virtual_machine::{Snapshot, VirtualMachine};
use crate::model::{Body, Name, Object, Timestamp};
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use uuid::Uuid;

/// Machines with their instances; of an instance that did not stand for the machine only name and
/// run state are known.
pub(super) fn machines(objects: &[Arc<Object>]) -> Machines {
    let mut snapshots: HashMap<Uuid, Vec<Snapshot>> = HashMap::new();
    for object in objects {
        if let Body::Snapshot(snapshot) = &object.body {
            snapshots.entry(snapshot.vm_uuid).or_default().push((**snapshot).clone());
        }
    }
    let mut machines = Machines::default();
    for object in objects {
        if let Body::VirtualMachine(vm) = &object.body {
            let held = snapshots.remove(&vm.uuid).unwrap_or_default();
            restore_machine(&mut machines, vm, &held);
        }
    }
    machines
}

fn restore_machine(machines: &mut Machines, vm: &VirtualMachine, snapshots: &[Snapshot]) {
    let machine = machines.by_uuid.entry(vm.uuid).or_default();
    for instance in &vm.instances {
        let key = EndpointKey { host: instance.host.clone(), technology: instance.technology.clone() };
        let primary = vm.host.as_ref() == Some(&instance.host);
        let held = if primary { snapshots.to_vec() } else { Vec::new() };
        let restored = Instance::restored(vm, &instance.display_name, instance.run_state, held);
        machine.instances.insert(key.clone(), restored);
        machines.at.entry(key).or_default().insert(vm.uuid);
    }
}

/// Pools with their volumes, and who lies on which backing.
pub(super) fn storage(objects: &[Arc<Object>]) -> Storage {
    let mut storage = Storage::default();
    for object in objects {
        let Some(host) = object.name.host_id() else { continue };
        if let Body::StoragePool(pool) = &object.body {
            let source = PoolSource {
                pool: (**pool).clone(),
                volumes: BTreeMap::new(),
                reporters: [pool.technology.clone()].into(),
                read: Timestamp::default(),
                fresh: false,
            };
            storage.pools.insert((host, pool.display_name.clone()), source);
            let users = storage.backings.entry(pool.backing_source.clone()).or_default();
            users.pools.insert(object.name.clone());
        }
    }
    for object in objects {
        match &object.body {
            Body::Volume(volume) => {
                let key = (object.name.host_id(), volume.pool.clone());
                if let (Some(host), pool) = key
                    && let Some(source) = storage.pools.get_mut(&(host, pool))
                {
                    source.volumes.insert(object.name.clone(), (**volume).clone());
                }
            }
            Body::VirtualMachine(vm) => {
                for source in &vm.backing_sources {
                    let users = storage.backings.entry(source.clone()).or_default();
                    users.machines.insert(Name::virtual_machine(vm.uuid));
                }
            }
            _ => {}
        }
    }
    storage
}

/// Networks.
pub(super) fn networks(objects: &[Arc<Object>]) -> Networks {
    let mut networks = Networks::default();
    for object in objects {
        if let (Body::Network(network), Some(host)) = (&object.body, object.name.host_id()) {
            let source = NetworkSource {
                network: (**network).clone(),
                reporters: [network.technology.clone()].into(),
                read: Timestamp::default(),
                fresh: false,
            };
            networks.by_key.insert((host, network.display_name.clone()), source);
        }
    }
    networks
}
