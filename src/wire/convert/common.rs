//! What all classes share: times, states, annotations, capacity.

use crate::model::annotation::{ExpectationOrigin, ExpectationSetting, Maintenance};
use crate::model::capacity::{Amount, Capacity};
use crate::model::dn::DnScheme;
use crate::model::host::ConnectionState;
use crate::model::name::{HostId, Name, ObjectClass};
use crate::model::state::{
    AdministrativeState, AvailabilityStatus, OperationalState, ProceduralStatus, ResourceState, UsageState,
};
use crate::model::{Actor, Expectation, Object, Timestamp};
use crate::wire::v1;
use std::collections::BTreeMap;

/// Generates a translation between two enums that have the same variants.
macro_rules! same_variants {
    ($(#[$doc:meta])* $visibility:vis fn $name:ident($from:ty) -> $to:ty { $($variant:ident),* $(,)? }) => {
        $(#[$doc])*
        $visibility fn $name(value: $from) -> i32 {
            type From = $from;
            type To = $to;
            i32::from(match value { $(From::$variant => To::$variant),* })
        }
    };
}
pub(super) use same_variants;

/// An instant as protobuf wants it.
pub fn timestamp(time: Timestamp) -> prost_types::Timestamp {
    let (seconds, nanos) = time.seconds_and_nanos();
    prost_types::Timestamp { seconds, nanos }
}

/// The fields every managed object message begins with.
pub(super) struct Common {
    pub(super) name: String,
    pub(super) uid: String,
    pub(super) revision: u64,
    pub(super) last_change_sequence: u64,
    pub(super) etag: String,
    pub(super) dn: String,
    pub(super) display_name: String,
    pub(super) labels: BTreeMap<String, String>,
    pub(super) user_label: String,
    pub(super) service_refs: Vec<String>,
    pub(super) expectation: Option<v1::ExpectationSetting>,
    pub(super) state: Option<v1::ResourceState>,
    pub(super) create_time: Option<prost_types::Timestamp>,
    pub(super) update_time: Option<prost_types::Timestamp>,
    /// Of hosts only.
    pub(super) maintenance: Option<v1::HostMaintenance>,
}

impl Common {
    pub(super) fn of(object: &Object, dn: &DnScheme) -> Self {
        Self {
            name: object.name.to_string(),
            uid: object.uid.to_string(),
            revision: object.revision,
            last_change_sequence: object.last_change_sequence,
            etag: object.etag(),
            dn: dn.dn(&object.name),
            display_name: object.display_name(),
            labels: object.labels(),
            user_label: object.annotations.user_label.clone(),
            service_refs: object.annotations.service_refs.clone(),
            expectation: object.annotations.expectation.map(expectation_setting),
            state: Some(resource_state(&object.state)),
            create_time: Some(timestamp(object.create_time)),
            update_time: Some(timestamp(object.change_time)),
            maintenance: object.annotations.maintenance.as_ref().map(maintenance),
        }
    }
}

/// Builds a managed object message from [`Common`] and the fields of its class.
macro_rules! message {
    ($type:ident, $common:expr, { $($field:ident : $value:expr),* $(,)? }) => {{
        let common = $common;
        $crate::wire::v1::$type {
            name: common.name,
            uid: common.uid,
            revision: common.revision,
            last_change_sequence: common.last_change_sequence,
            etag: common.etag,
            dn: common.dn,
            display_name: common.display_name,
            labels: common.labels,
            user_label: common.user_label,
            service_refs: common.service_refs,
            expectation: common.expectation,
            state: common.state,
            create_time: common.create_time,
            update_time: common.update_time,
            $($field: $value),*
        }
    }};
}
pub(super) use message;

/// The names of hosts.
pub(super) fn host_names(hosts: &[HostId]) -> Vec<String> {
    hosts.iter().map(host_name).collect()
}

/// The name of a host.
pub(super) fn host_name(host: &HostId) -> String {
    Name::host(host).to_string()
}

/// The name of a host, or empty for none.
pub(super) fn host_or_empty(host: Option<&HostId>) -> String {
    host.map(host_name).unwrap_or_default()
}

/// Who acted.
pub fn actor(actor: &Actor) -> v1::Actor {
    let Actor { principal, user, system, peer } = actor.clone();
    v1::Actor { principal, user, system, peer }
}

fn maintenance(maintenance: &Maintenance) -> v1::HostMaintenance {
    let Maintenance { since, planned_end, reason, actor: who } = maintenance;
    v1::HostMaintenance {
        since: Some(timestamp(*since)),
        planned_end: planned_end.map(timestamp),
        reason: reason.clone(),
        actor: Some(actor(who)),
    }
}

fn expectation_setting(setting: ExpectationSetting) -> v1::ExpectationSetting {
    let ExpectationSetting { expected, origin, adopted: _ } = setting;
    v1::ExpectationSetting { expected: expectation(expected), origin: expectation_origin(origin) }
}

fn resource_state(state: &ResourceState) -> v1::ResourceState {
    let ResourceState { operational, administrative, usage, availability, procedural, unknown, reason, since } = state;
    v1::ResourceState {
        operational: operational_state(*operational),
        administrative: administrative.map(administrative_state).unwrap_or_default(),
        usage: usage_state(*usage),
        availability: availability.iter().map(|status| availability_status(*status)).collect(),
        procedural: procedural.map(procedural_status).unwrap_or_default(),
        unknown: *unknown,
        reason: Some(v1::StateReason { code: reason.code.clone(), text: reason.text.clone() }),
        since: (since.0 != Timestamp::default()).then(|| timestamp(since.0)),
    }
}

/// Capacity with the overcommit used.
pub fn capacity(capacity: &Capacity) -> v1::Capacity {
    let Capacity { vcpus, memory_bytes, storage_bytes } = capacity;
    v1::Capacity {
        vcpus: vcpus.map(amount),
        memory_bytes: memory_bytes.map(amount),
        storage_bytes: storage_bytes.map(amount),
    }
}

fn amount(amount: Amount) -> v1::Amount {
    let Amount { total, allocated, available, overcommit, reserved } = amount;
    v1::Amount { total, allocated, available, overcommit, reserved }
}

/// A profile from the model's word for it.
pub fn profile_word(word: &str) -> v1::Profile {
    match word {
        "monitor" => v1::Profile::Monitor,
        "manage" => v1::Profile::Manage,
        _ => v1::Profile::Unspecified,
    }
}

/// In words of the interface; records are no class of managed objects.
pub fn object_class(class: ObjectClass) -> i32 {
    use v1::ObjectClass as To;
    i32::from(match class {
        ObjectClass::Vrm => To::Vrm,
        ObjectClass::Cluster => To::Cluster,
        ObjectClass::Host => To::Host,
        ObjectClass::Hypervisor => To::Hypervisor,
        ObjectClass::VirtualMachine => To::VirtualMachine,
        ObjectClass::StoragePool => To::StoragePool,
        ObjectClass::Volume => To::Volume,
        ObjectClass::StorageBacking => To::StorageBacking,
        ObjectClass::Network => To::Network,
        ObjectClass::Snapshot => To::Snapshot,
        ObjectClass::Image => To::Image,
        ObjectClass::Alarm
        | ObjectClass::AlarmShelf
        | ObjectClass::AlarmProfile
        | ObjectClass::MeasurementJob
        | ObjectClass::ThresholdMonitor => To::Unspecified,
    })
}
same_variants! { /// In words of the interface.
pub fn expectation(Expectation) -> v1::Expectation { Running, Off, Any } }
same_variants! { fn expectation_origin(ExpectationOrigin) -> v1::ExpectationOrigin { Observed, Operator, Label } }
same_variants! { /// In words of the interface.
pub fn operational_state(OperationalState) -> v1::OperationalState { Enabled, Disabled } }
same_variants! {
    /// In words of the interface.
    pub fn administrative_state(AdministrativeState) -> v1::AdministrativeState { Locked, Unlocked, ShuttingDown }
}
same_variants! { /// In words of the interface.
pub fn usage_state(UsageState) -> v1::UsageState { Idle, Active, Busy } }
same_variants! {
    /// In words of the interface.
    pub fn availability_status(AvailabilityStatus) -> v1::AvailabilityStatus {
        Failed, PowerOff, OffLine, OffDuty, Dependency, Degraded,
    }
}
same_variants! { /// In words of the interface.
pub fn procedural_status(ProceduralStatus) -> v1::ProceduralStatus { Initializing, Terminating } }
same_variants! {
    /// In words of the interface.
    pub fn connection_state(ConnectionState) -> v1::ConnectionState {
        Connecting, Synchronizing, Connected, Degraded, Lost, Refused,
    }
}
