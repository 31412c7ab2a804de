//! The unit of inventory and log: a managed object with its common attributes.

use super::alarm::{Alarm, AlarmProfile, AlarmShelf};
use super::annotation::{Annotations, EXPECT_LABEL};
use super::host::{Cluster, Host, Hypervisor, Vrm};
use super::measurement::{MeasurementJob, ThresholdMonitor};
use super::name::{HostId, Name, ObjectClass};
use super::network::Network;
use super::state::ResourceState;
use super::storage::{Image, StorageBacking, StoragePool, Volume};
use super::time::Timestamp;
use super::virtual_machine::{Snapshot, VirtualMachine};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use uuid::Uuid;

/// A managed object as it is stored, published and served.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Object {
    /// Its name.
    pub name: Name,
    /// Tells it from a later object of the same name.
    pub uid: Uuid,
    /// Counts its changes from 1.
    pub revision: u64,
    /// Log sequence of its creation.
    pub created_sequence: u64,
    /// Log sequence of its last change.
    pub last_change_sequence: u64,
    /// When it was first seen.
    pub create_time: Timestamp,
    /// When it last changed.
    pub change_time: Timestamp,
    /// States.
    pub state: ResourceState,
    /// What people say about it.
    #[serde(default)]
    pub annotations: Annotations,
    /// Attributes of its class.
    pub body: Body,
}

/// Attributes by class.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "each variant is documented at its type")]
pub enum Body {
    Vrm(Box<Vrm>),
    Cluster(Box<Cluster>),
    Host(Box<Host>),
    Hypervisor(Box<Hypervisor>),
    VirtualMachine(Box<VirtualMachine>),
    StoragePool(Box<StoragePool>),
    Volume(Box<Volume>),
    StorageBacking(Box<StorageBacking>),
    Network(Box<Network>),
    Snapshot(Box<Snapshot>),
    Image(Box<Image>),
    Alarm(Box<Alarm>),
    AlarmShelf(Box<AlarmShelf>),
    AlarmProfile(Box<AlarmProfile>),
    MeasurementJob(Box<MeasurementJob>),
    ThresholdMonitor(Box<ThresholdMonitor>),
}

impl Body {
    /// A body of a class with no attributes.
    pub fn empty(class: ObjectClass) -> Self {
        match class {
            ObjectClass::Vrm => Self::Vrm(Box::default()),
            ObjectClass::Cluster => Self::Cluster(Box::default()),
            ObjectClass::Host => Self::Host(Box::default()),
            ObjectClass::Hypervisor => Self::Hypervisor(Box::default()),
            ObjectClass::VirtualMachine => Self::VirtualMachine(Box::default()),
            ObjectClass::StoragePool => Self::StoragePool(Box::default()),
            ObjectClass::Volume => Self::Volume(Box::default()),
            ObjectClass::StorageBacking => Self::StorageBacking(Box::default()),
            ObjectClass::Network => Self::Network(Box::default()),
            ObjectClass::Snapshot => Self::Snapshot(Box::default()),
            ObjectClass::Image => Self::Image(Box::default()),
            ObjectClass::Alarm => Self::Alarm(Box::default()),
            ObjectClass::AlarmShelf => Self::AlarmShelf(Box::default()),
            ObjectClass::AlarmProfile => Self::AlarmProfile(Box::default()),
            ObjectClass::MeasurementJob => Self::MeasurementJob(Box::default()),
            ObjectClass::ThresholdMonitor => Self::ThresholdMonitor(Box::default()),
        }
    }

    /// Class of the object.
    pub fn class(&self) -> ObjectClass {
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
            Self::Alarm(_) => ObjectClass::Alarm,
            Self::AlarmShelf(_) => ObjectClass::AlarmShelf,
            Self::AlarmProfile(_) => ObjectClass::AlarmProfile,
            Self::MeasurementJob(_) => ObjectClass::MeasurementJob,
            Self::ThresholdMonitor(_) => ObjectClass::ThresholdMonitor,
        }
    }
}

impl Object {
    /// Class of the object.
    pub fn class(&self) -> ObjectClass {
        self.body.class()
    }

    /// The name people know it by.
    pub fn display_name(&self) -> String {
        match &self.body {
            Body::Vrm(vrm) => vrm.vrm_id.clone(),
            Body::Cluster(cluster) => cluster.cluster_id.clone(),
            Body::Host(_)
            | Body::Hypervisor(_)
            | Body::AlarmShelf(_)
            | Body::AlarmProfile(_)
            | Body::MeasurementJob(_)
            | Body::ThresholdMonitor(_) => self.name.id(),
            Body::VirtualMachine(vm) => vm.display_name.clone(),
            Body::StoragePool(pool) => pool.display_name.clone(),
            Body::Volume(volume) => volume.display_name.clone(),
            Body::StorageBacking(backing) => backing.source.clone(),
            Body::Network(network) => network.display_name.clone(),
            Body::Snapshot(snapshot) => snapshot.display_name.clone(),
            Body::Image(image) => image.display_name.clone(),
            Body::Alarm(alarm) => format!("{} {}", alarm.alarm_type, alarm.object_label),
        }
    }

    /// The host it lies on, for objects that lie on one.
    pub fn host(&self) -> Option<HostId> {
        match &self.body {
            Body::VirtualMachine(vm) => vm.host.clone(),
            Body::Snapshot(snapshot) => snapshot.host.clone(),
            Body::Alarm(alarm) => alarm.host.clone(),
            Body::Vrm(_)
            | Body::Cluster(_)
            | Body::StorageBacking(_)
            | Body::Image(_)
            | Body::AlarmShelf(_)
            | Body::AlarmProfile(_)
            | Body::MeasurementJob(_)
            | Body::ThresholdMonitor(_) => None,
            Body::Host(_) | Body::Hypervisor(_) | Body::StoragePool(_) | Body::Volume(_) | Body::Network(_) => {
                self.name.host_id()
            }
        }
    }

    /// Labels of the object: those found at the source, overridden by those set through the VRM.
    pub fn labels(&self) -> BTreeMap<String, String> {
        let mut labels = match &self.body {
            Body::VirtualMachine(vm) => vm.source_labels.clone(),
            Body::Host(host) => host.source_labels.clone(),
            _ => BTreeMap::new(),
        };
        labels.extend(self.annotations.labels.iter().map(|(key, value)| (key.clone(), value.clone())));
        labels
    }

    /// Value of the label that overrides a stored expectation, if the object carries it.
    pub fn expect_label(&self) -> Option<String> {
        self.labels().remove(EXPECT_LABEL)
    }

    /// Freshness check value for reads and conditional changes.
    pub fn etag(&self) -> String {
        format!("{}-{}", &self.uid.simple().to_string()[..8], self.revision)
    }
}

/// What is remembered of an object that is gone, so that subscribers that were away can be told.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Tombstone {
    /// Its name.
    pub name: Name,
    /// Its class.
    pub class: ObjectClass,
    /// Its uid.
    pub uid: Uuid,
    /// Revision of the removal.
    pub revision: u64,
    /// Log sequence of its creation.
    pub created_sequence: u64,
    /// Log sequence of its removal.
    pub last_change_sequence: u64,
    /// When it was first seen.
    pub create_time: Timestamp,
    /// When it went.
    pub remove_time: Timestamp,
    /// What people said about it; it has that again if it returns.
    #[serde(default)]
    pub annotations: Annotations,
}

impl Tombstone {
    /// The tombstone of an object as it was removed.
    pub fn of(object: &Object, remove_time: Timestamp) -> Self {
        Self {
            name: object.name.clone(),
            class: object.class(),
            uid: object.uid,
            revision: object.revision,
            created_sequence: object.created_sequence,
            last_change_sequence: object.last_change_sequence,
            create_time: object.create_time,
            remove_time,
            annotations: object.annotations.clone(),
        }
    }

    /// An object with the tombstone's identity and no attributes.
    pub fn as_object(&self) -> Object {
        Object {
            name: self.name.clone(),
            uid: self.uid,
            revision: self.revision,
            created_sequence: self.created_sequence,
            last_change_sequence: self.last_change_sequence,
            create_time: self.create_time,
            change_time: self.remove_time,
            state: ResourceState::default(),
            annotations: self.annotations.clone(),
            body: Body::empty(self.class),
        }
    }
}
