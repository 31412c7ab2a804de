//! Interface to model: the few words that requests carry.

use super::common::same_variants;
use crate::model::registration::Profile;
use crate::model::relation::Relation;
use crate::model::{Expectation, ObjectClass};
use crate::wire::v1;

/// The class of an interface word; nothing if it says none.
pub fn class_from(class: v1::ObjectClass) -> Option<ObjectClass> {
    Some(match class {
        v1::ObjectClass::Unspecified => return None,
        v1::ObjectClass::Vrm => ObjectClass::Vrm,
        v1::ObjectClass::Cluster => ObjectClass::Cluster,
        v1::ObjectClass::Host => ObjectClass::Host,
        v1::ObjectClass::Hypervisor => ObjectClass::Hypervisor,
        v1::ObjectClass::VirtualMachine => ObjectClass::VirtualMachine,
        v1::ObjectClass::StoragePool => ObjectClass::StoragePool,
        v1::ObjectClass::Volume => ObjectClass::Volume,
        v1::ObjectClass::StorageBacking => ObjectClass::StorageBacking,
        v1::ObjectClass::Network => ObjectClass::Network,
        v1::ObjectClass::Snapshot => ObjectClass::Snapshot,
        v1::ObjectClass::Image => ObjectClass::Image,
    })
}

/// The expectation of an interface word; nothing if it says none.
pub fn expectation_from(expectation: v1::Expectation) -> Option<Expectation> {
    match expectation {
        v1::Expectation::Unspecified => None,
        v1::Expectation::Running => Some(Expectation::Running),
        v1::Expectation::Off => Some(Expectation::Off),
        v1::Expectation::Any => Some(Expectation::Any),
    }
}

/// The profile of an interface word; nothing if it says none.
pub fn profile_from(profile: v1::Profile) -> Option<Profile> {
    match profile {
        v1::Profile::Unspecified => None,
        v1::Profile::Monitor => Some(Profile::Monitor),
        v1::Profile::Manage => Some(Profile::Manage),
    }
}

/// The relation of an interface word; nothing if it says none.
pub fn relation_from(relation: v1::Relation) -> Option<Relation> {
    Some(match relation {
        v1::Relation::Unspecified => return None,
        v1::Relation::RunsOn => Relation::RunsOn,
        v1::Relation::DefinedOn => Relation::DefinedOn,
        v1::Relation::UsesVolume => Relation::UsesVolume,
        v1::Relation::StoredIn => Relation::StoredIn,
        v1::Relation::BackedBy => Relation::BackedBy,
        v1::Relation::LiesOn => Relation::LiesOn,
        v1::Relation::AttachedTo => Relation::AttachedTo,
        v1::Relation::UplinkedBy => Relation::UplinkedBy,
        v1::Relation::SnapshotOf => Relation::SnapshotOf,
        v1::Relation::ChildOf => Relation::ChildOf,
        v1::Relation::LocatedIn => Relation::LocatedIn,
        v1::Relation::ContainedIn => Relation::ContainedIn,
    })
}

same_variants! {
    /// A relation.
    pub fn relation(Relation) -> v1::Relation {
        RunsOn, DefinedOn, UsesVolume, StoredIn, BackedBy, LiesOn, AttachedTo, UplinkedBy, SnapshotOf, ChildOf,
        LocatedIn, ContainedIn,
    }
}
