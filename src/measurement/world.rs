//! What the measurement task knows of the managed world, from published state.

use crate::changes::ChangeLog;
use crate::model::host::{ConnectionState, Host};
use crate::model::measurement::{MeasurementJob, ThresholdMonitor};
use crate::model::virtual_machine::VirtualMachine;
use crate::model::{Body, HostId, Object, ObjectClass};
use std::collections::HashMap;
use std::sync::Arc;
use uuid::Uuid;

/// One look at published state.
#[derive(Debug, Default)]
pub(super) struct World {
    pub(super) hosts: Vec<Arc<Object>>,
    pub(super) machines: HashMap<Uuid, Arc<Object>>,
    pub(super) pools: Vec<Arc<Object>>,
    pub(super) volumes: Vec<Arc<Object>>,
    pub(super) networks: Vec<Arc<Object>>,
    pub(super) clusters: Vec<Arc<Object>>,
}

impl World {
    pub(super) fn look(changes: &ChangeLog) -> Self {
        let machines = changes.all(ObjectClass::VirtualMachine).into_iter();
        Self {
            hosts: changes.all(ObjectClass::Host),
            machines: machines.filter_map(|object| Some((machine(&object)?.uuid, Arc::clone(&object)))).collect(),
            pools: changes.all(ObjectClass::StoragePool),
            volumes: changes.all(ObjectClass::Volume),
            networks: changes.all(ObjectClass::Network),
            clusters: changes.all(ObjectClass::Cluster),
        }
    }

    /// Hosts with what they are; those without an id are none.
    pub(super) fn each_host(&self) -> impl Iterator<Item = (HostId, &Object, &Host)> {
        self.hosts.iter().filter_map(|object| match &object.body {
            Body::Host(host) => Some((object.name.host_id()?, &**object, &**host)),
            _ => None,
        })
    }

    pub(super) fn each_machine(&self) -> impl Iterator<Item = &VirtualMachine> {
        self.machines.values().filter_map(|object| machine(object))
    }

    pub(super) fn machine(&self, uuid: &Uuid) -> Option<&VirtualMachine> {
        self.machines.get(uuid).and_then(|object| machine(object))
    }
}

/// True while a host answers.
pub(super) fn is_connected(host: &Host) -> bool {
    matches!(host.connection_state, ConnectionState::Connected | ConnectionState::Degraded)
}

fn machine(object: &Object) -> Option<&VirtualMachine> {
    match &object.body {
        Body::VirtualMachine(machine) => Some(machine),
        _ => None,
    }
}

/// The jobs as published.
pub(super) fn jobs(changes: &ChangeLog) -> Vec<MeasurementJob> {
    let job = |object: Arc<Object>| match &object.body {
        Body::MeasurementJob(job) => Some((**job).clone()),
        _ => None,
    };
    changes.all(ObjectClass::MeasurementJob).into_iter().filter_map(job).collect()
}

/// The monitors as published.
pub(super) fn monitors(changes: &ChangeLog) -> Vec<ThresholdMonitor> {
    let monitor = |object: Arc<Object>| match &object.body {
        Body::ThresholdMonitor(monitor) => Some((**monitor).clone()),
        _ => None,
    };
    changes.all(ObjectClass::ThresholdMonitor).into_iter().filter_map(monitor).collect()
}
