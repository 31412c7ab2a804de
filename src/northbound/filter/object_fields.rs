//! What managed objects can be filtered by. The lists in `inventory_service.proto` say the same;
//! a test compares them.

use super::alarm_fields::ALARM;
use super::value::{Access, Field, Kind, Value};
use crate::model::host::{Cluster, Host, Hypervisor};
use crate::model::network::Network;
use crate::model::storage::{Image, StorageBacking, StoragePool, Volume};
use crate::model::virtual_machine::{Snapshot, VirtualMachine};
use crate::model::{Body, HostId, Object, ObjectClass};
use crate::wire::{convert, v1};
use std::borrow::Cow;

/// The fields of the given classes; the common ones are always among them. Empty: all classes.
pub fn object_fields(classes: &[ObjectClass]) -> Vec<&'static Field<Object>> {
    if classes == [ObjectClass::Alarm] {
        // Alarms are records: they have neither states nor labels of their own.
        return ALARM.iter().collect();
    }
    let wanted = |class: &ObjectClass| classes.is_empty() || classes.contains(class);
    let own = ObjectClass::RESOURCES.iter().filter(|class| wanted(class)).flat_map(|class| fields_of(*class));
    COMMON.iter().chain(own).collect()
}

/// Names and kinds of everything that can be filtered by: of every class, and of each beside it.
pub fn filterable() -> Vec<(&'static str, Vec<(&'static str, &'static str)>)> {
    let told = |fields: &'static [Field<Object>]| fields.iter().map(|field| (field.name, field.kind.word())).collect();
    let mut all = vec![("", told(COMMON))];
    let classes = ObjectClass::RESOURCES.into_iter().filter(|class| !fields_of(*class).is_empty());
    all.extend(classes.map(|class| (class.as_str(), told(fields_of(class)))));
    all.push((ObjectClass::Alarm.as_str(), told(ALARM)));
    all
}

fn fields_of(class: ObjectClass) -> &'static [Field<Object>] {
    match class {
        ObjectClass::Vrm
        | ObjectClass::Alarm
        | ObjectClass::AlarmShelf
        | ObjectClass::AlarmProfile
        | ObjectClass::MeasurementJob
        | ObjectClass::ThresholdMonitor => &[],
        ObjectClass::Cluster => CLUSTER,
        ObjectClass::Host => HOST,
        ObjectClass::Hypervisor => HYPERVISOR,
        ObjectClass::VirtualMachine => VIRTUAL_MACHINE,
        ObjectClass::StoragePool => STORAGE_POOL,
        ObjectClass::Volume => VOLUME,
        ObjectClass::StorageBacking => STORAGE_BACKING,
        ObjectClass::Network => NETWORK,
        ObjectClass::Snapshot => SNAPSHOT,
        ObjectClass::Image => IMAGE,
    }
}

/// The kind of an enum field.
macro_rules! word {
    ($enum:ident, $prefix:literal) => {
        Kind::Word { prefix: $prefix, known: |word| v1::$enum::from_str_name(word).is_some() }
    };
}

/// The interface's word for an enum number.
macro_rules! words {
    ($enum:ident, $($number:expr),*) => {
        Value::Words(
            [$($number),*].into_iter().filter_map(|number| v1::$enum::try_from(number).ok()).map(|word| word.as_str_name()).collect(),
        )
    };
}

/// A field of every object.
const fn common(name: &'static str, kind: Kind, get: for<'a> fn(&'a Object) -> Value<'a>) -> Field<Object> {
    Field { name, kind, access: Access::Plain(get) }
}

/// A field of one class: absent in objects of other classes.
macro_rules! field {
    ($class:ident, $name:literal, $kind:expr, $get:expr) => {
        Field {
            name: $name,
            kind: $kind,
            access: Access::Plain(|object| {
                /// Gives the closure its type.
                fn typed<'a>(body: &'a $class, get: fn(&'a $class) -> Value<'a>) -> Value<'a> {
                    get(body)
                }
                match &object.body {
                    Body::$class(body) => typed(body, $get),
                    _ => Value::Absent,
                }
            }),
        }
    };
}

fn host_value(host: Option<HostId>) -> Value<'static> {
    host.map_or(Value::Absent, |host| Value::made(host.to_string()))
}

fn host_values(hosts: &[HostId]) -> Value<'_> {
    Value::Texts(hosts.iter().map(|host| Cow::Borrowed(host.as_str())).collect())
}

fn each<'a, T>(items: &'a [T], text: fn(&'a T) -> &'a str) -> Value<'a> {
    Value::Texts(items.iter().map(|item| Cow::Borrowed(text(item))).collect())
}

fn numbers(numbers: &[u32]) -> Value<'static> {
    Value::Texts(numbers.iter().map(|number| Cow::Owned(number.to_string())).collect())
}

/// Label that names the resource group of an object.
const GROUP_LABEL: &str = "vrm.group";

static COMMON: &[Field<Object>] = &[
    common("name", Kind::Text, |o| Value::text(o.name.as_str())),
    common("uid", Kind::Text, |o| Value::made(o.uid.to_string())),
    common("revision", Kind::Number, |o| Value::count(o.revision)),
    common("last_change_sequence", Kind::Number, |o| Value::count(o.last_change_sequence)),
    common("display_name", Kind::Text, |o| Value::made(o.display_name())),
    Field {
        name: "labels",
        kind: Kind::Keyed,
        access: Access::Keyed(|o, key| o.labels().remove(key).map_or(Value::Absent, Value::made)),
    },
    common("resource_group", Kind::Text, |o| Value::made(o.labels().remove(GROUP_LABEL).unwrap_or_default())),
    common("user_label", Kind::Text, |o| Value::text(&o.annotations.user_label)),
    common("service_refs", Kind::Texts, |o| Value::texts(&o.annotations.service_refs)),
    common("expectation", word!(Expectation, "EXPECTATION_"), |o| match o.annotations.expectation {
        Some(setting) => words!(Expectation, convert::expectation(setting.expected)),
        None => Value::Absent,
    }),
    common("host", Kind::Host, |o| match &o.body {
        Body::Host(_) => host_value(o.name.host_id()),
        _ => host_value(o.host()),
    }),
    common("create_time", Kind::Time, |o| Value::Time(o.create_time)),
    common("update_time", Kind::Time, |o| Value::Time(o.change_time)),
    common("age", Kind::Age, |o| Value::Time(o.create_time)),
    common("object_class", word!(ObjectClass, "OBJECT_CLASS_"), |o| {
        words!(ObjectClass, convert::object_class(o.class()))
    }),
    common("state.operational", word!(OperationalState, "OPERATIONAL_STATE_"), |o| {
        words!(OperationalState, convert::operational_state(o.state.operational))
    }),
    common("state.administrative", word!(AdministrativeState, "ADMINISTRATIVE_STATE_"), |o| {
        match o.state.administrative {
            Some(state) => words!(AdministrativeState, convert::administrative_state(state)),
            None => Value::Absent,
        }
    }),
    common("state.usage", word!(UsageState, "USAGE_STATE_"), |o| {
        words!(UsageState, convert::usage_state(o.state.usage))
    }),
    common("state.availability", word!(AvailabilityStatus, "AVAILABILITY_STATUS_"), |o| {
        let status = |status| v1::AvailabilityStatus::try_from(convert::availability_status(status)).ok();
        Value::Words(o.state.availability.iter().filter_map(|s| status(*s)).map(|word| word.as_str_name()).collect())
    }),
    common("state.procedural", word!(ProceduralStatus, "PROCEDURAL_STATUS_"), |o| match o.state.procedural {
        Some(status) => words!(ProceduralStatus, convert::procedural_status(status)),
        None => Value::Absent,
    }),
    common("state.unknown", Kind::Flag, |o| Value::Flag(o.state.unknown)),
    common("state.reason", Kind::Text, |o| Value::text(&o.state.reason.code)),
    common("state.since", Kind::Time, |o| Value::Time(o.state.since.0)),
];

static CLUSTER: &[Field<Object>] = &[
    field!(Cluster, "cluster_id", Kind::Text, |c| Value::text(&c.cluster_id)),
    field!(Cluster, "technologies", Kind::Texts, |c| Value::texts(&c.technologies)),
    field!(Cluster, "host_count", Kind::Number, |c| Value::count(c.host_count.into())),
];

static HOST: &[Field<Object>] = &[
    field!(Host, "host_name", Kind::Text, |h| Value::text(&h.host_name)),
    field!(Host, "connection_state", word!(ConnectionState, "CONNECTION_STATE_"), |h| {
        words!(ConnectionState, convert::connection_state(h.connection_state))
    }),
    field!(Host, "synchronized", Kind::Flag, |h| Value::Flag(h.synchronized)),
    field!(Host, "origin", word!(HostOrigin, "HOST_ORIGIN_"), |h| words!(HostOrigin, convert::host_origin(h.origin))),
    field!(Host, "profile", word!(Profile, "PROFILE_"), |h| {
        words!(Profile, i32::from(convert::profile_word(&h.profile)))
    }),
    field!(Host, "host_uuid", Kind::Text, |h| Value::text(&h.host_uuid)),
    field!(Host, "connection_uris", Kind::Texts, |h| Value::texts(&h.connection_uris)),
    field!(Host, "warnings", Kind::Texts, |h| Value::texts(&h.warnings)),
    field!(Host, "os_name", Kind::Text, |h| Value::text(&h.os_name)),
    field!(Host, "kernel_version", Kind::Text, |h| Value::text(&h.kernel_version)),
    field!(Host, "memory_total_bytes", Kind::Number, |h| Value::count(h.memory_total_bytes)),
    field!(Host, "cpu.model", Kind::Text, |h| Value::text(&h.cpu.model)),
    field!(Host, "cpu.arch", Kind::Text, |h| Value::text(&h.cpu.arch)),
    field!(Host, "cpu.logical_cpus", Kind::Number, |h| Value::count(h.cpu.logical_cpus.into())),
    field!(Host, "hardware.vendor", Kind::Text, |h| Value::text(&h.hardware.vendor)),
    field!(Host, "hardware.model", Kind::Text, |h| Value::text(&h.hardware.model)),
    field!(Host, "hardware.serial_number", Kind::Text, |h| Value::text(&h.hardware.serial_number)),
];

static HYPERVISOR: &[Field<Object>] = &[
    field!(Hypervisor, "technology", Kind::Text, |h| Value::text(&h.technology)),
    field!(Hypervisor, "connection_state", word!(ConnectionState, "CONNECTION_STATE_"), |h| {
        words!(ConnectionState, convert::connection_state(h.connection_state))
    }),
    field!(Hypervisor, "connection_uri", Kind::Text, |h| Value::text(&h.connection_uri)),
    field!(Hypervisor, "version", Kind::Text, |h| Value::text(&h.version)),
    field!(Hypervisor, "libvirt_version", Kind::Text, |h| Value::text(&h.libvirt_version)),
];

static VIRTUAL_MACHINE: &[Field<Object>] = &[
    field!(VirtualMachine, "uuid", Kind::Text, |vm| Value::made(vm.uuid.to_string())),
    field!(VirtualMachine, "defined_on", Kind::Hosts, |vm| host_values(&vm.defined_on)),
    field!(VirtualMachine, "run_state", word!(RunState, "RUN_STATE_"), |vm| {
        words!(RunState, convert::run_state(vm.run_state))
    }),
    field!(VirtualMachine, "run_state_reason", word!(RunStateReason, "RUN_STATE_REASON_"), |vm| {
        words!(RunStateReason, convert::run_state_reason(vm.run_state_reason))
    }),
    field!(VirtualMachine, "control_state", word!(ControlState, "CONTROL_STATE_"), |vm| {
        words!(ControlState, convert::control_state(vm.control()))
    }),
    field!(VirtualMachine, "technology", Kind::Text, |vm| Value::text(&vm.technology)),
    field!(VirtualMachine, "persistent", Kind::Flag, |vm| Value::Flag(vm.persistent)),
    field!(VirtualMachine, "autostart", Kind::Flag, |vm| Value::Flag(vm.autostart)),
    field!(VirtualMachine, "definition_unread", Kind::Text, |vm| Value::text(&vm.definition_unread)),
    field!(VirtualMachine, "backing_sources", Kind::Texts, |vm| Value::texts(&vm.backing_sources)),
    field!(VirtualMachine, "definition.title", Kind::Text, |vm| Value::text(&vm.definition.title)),
    field!(VirtualMachine, "definition.description", Kind::Text, |vm| Value::text(&vm.definition.description)),
    field!(VirtualMachine, "definition.virtualization_type", Kind::Text, |vm| {
        Value::text(&vm.definition.virtualization_type)
    }),
    field!(VirtualMachine, "definition.machine_type", Kind::Text, |vm| Value::text(&vm.definition.machine_type)),
    field!(VirtualMachine, "definition.arch", Kind::Text, |vm| Value::text(&vm.definition.arch)),
    field!(VirtualMachine, "definition.os_type", Kind::Text, |vm| Value::text(&vm.definition.os_type)),
    field!(VirtualMachine, "definition.firmware", Kind::Text, |vm| Value::text(&vm.definition.firmware)),
    field!(VirtualMachine, "definition.vcpus_current", Kind::Number, |vm| {
        Value::count(vm.definition.vcpus_current.into())
    }),
    field!(VirtualMachine, "definition.vcpus_maximum", Kind::Number, |vm| {
        Value::count(vm.definition.vcpus_maximum.into())
    }),
    field!(VirtualMachine, "definition.memory_current_bytes", Kind::Number, |vm| {
        Value::count(vm.definition.memory_current_bytes)
    }),
    field!(VirtualMachine, "definition.memory_maximum_bytes", Kind::Number, |vm| {
        Value::count(vm.definition.memory_maximum_bytes)
    }),
    field!(VirtualMachine, "definition.disks.source", Kind::Texts, |vm| each(&vm.definition.disks, |d| &d.source)),
    field!(VirtualMachine, "definition.disks.target", Kind::Texts, |vm| each(&vm.definition.disks, |d| &d.target)),
    field!(VirtualMachine, "definition.nics.mac", Kind::Texts, |vm| each(&vm.definition.nics, |n| &n.mac)),
    field!(VirtualMachine, "definition.nics.network", Kind::Texts, |vm| each(&vm.definition.nics, |n| &n.network)),
    field!(VirtualMachine, "definition.nics.bridge", Kind::Texts, |vm| each(&vm.definition.nics, |n| &n.bridge)),
];

static STORAGE_POOL: &[Field<Object>] = &[
    field!(StoragePool, "technology", Kind::Text, |p| Value::text(&p.technology)),
    field!(StoragePool, "pool_uuid", Kind::Text, |p| Value::text(&p.pool_uuid)),
    field!(StoragePool, "pool_type", Kind::Text, |p| Value::text(&p.pool_type)),
    field!(StoragePool, "pool_state", word!(PoolState, "POOL_STATE_"), |p| {
        words!(PoolState, convert::pool_state(p.pool_state))
    }),
    field!(StoragePool, "autostart", Kind::Flag, |p| Value::Flag(p.autostart)),
    field!(StoragePool, "persistent", Kind::Flag, |p| Value::Flag(p.persistent)),
    field!(StoragePool, "target_path", Kind::Text, |p| Value::text(&p.target_path)),
    field!(StoragePool, "source", Kind::Text, |p| Value::text(&p.source)),
    field!(StoragePool, "backing_source", Kind::Text, |p| Value::text(&p.backing_source)),
    field!(StoragePool, "volume_count", Kind::Number, |p| Value::count(p.volume_count.into())),
];

static VOLUME: &[Field<Object>] = &[
    field!(Volume, "pool", Kind::Text, |v| Value::text(&v.pool)),
    field!(Volume, "key", Kind::Text, |v| Value::text(&v.key)),
    field!(Volume, "path", Kind::Text, |v| Value::text(&v.path)),
    field!(Volume, "volume_type", Kind::Text, |v| Value::text(&v.volume_type)),
    field!(Volume, "format", Kind::Text, |v| Value::text(&v.format)),
    field!(Volume, "backing_path", Kind::Text, |v| Value::text(&v.backing_path)),
    field!(Volume, "encrypted", Kind::Flag, |v| Value::Flag(v.encrypted)),
    field!(Volume, "capacity_bytes", Kind::Number, |v| Value::count(v.capacity_bytes)),
];

static STORAGE_BACKING: &[Field<Object>] = &[
    field!(StorageBacking, "source", Kind::Text, |b| Value::text(&b.source)),
    field!(StorageBacking, "backing_type", Kind::Text, |b| Value::text(&b.backing_type)),
    field!(StorageBacking, "hosts", Kind::Hosts, |b| host_values(&b.hosts)),
    field!(StorageBacking, "pools", Kind::Texts, |b| Value::texts(&b.pools)),
    field!(StorageBacking, "virtual_machines", Kind::Texts, |b| Value::texts(&b.virtual_machines)),
];

static NETWORK: &[Field<Object>] = &[
    field!(Network, "technology", Kind::Text, |n| Value::text(&n.technology)),
    field!(Network, "network_uuid", Kind::Text, |n| Value::text(&n.network_uuid)),
    field!(Network, "active", Kind::Flag, |n| Value::Flag(n.active)),
    field!(Network, "autostart", Kind::Flag, |n| Value::Flag(n.autostart)),
    field!(Network, "persistent", Kind::Flag, |n| Value::Flag(n.persistent)),
    field!(Network, "bridge_name", Kind::Text, |n| Value::text(&n.bridge_name)),
    field!(Network, "forward_mode", Kind::Text, |n| Value::text(&n.forward_mode)),
    field!(Network, "uplinks", Kind::Texts, |n| Value::texts(&n.uplinks)),
    field!(Network, "vlan_tags", Kind::Texts, |n| numbers(&n.vlan_tags)),
    field!(Network, "mtu", Kind::Number, |n| Value::count(n.mtu.into())),
    field!(Network, "domain", Kind::Text, |n| Value::text(&n.domain)),
    field!(Network, "subnets.cidr", Kind::Texts, |n| each(&n.subnets, |subnet| &subnet.cidr)),
    field!(Network, "port_groups", Kind::Texts, |n| Value::texts(&n.port_groups)),
];

static SNAPSHOT: &[Field<Object>] = &[
    field!(Snapshot, "vm_uuid", Kind::Text, |s| Value::made(s.vm_uuid.to_string())),
    field!(Snapshot, "parent", Kind::Text, |s| Value::text(&s.parent)),
    field!(Snapshot, "current", Kind::Flag, |s| Value::Flag(s.current)),
    field!(Snapshot, "taken_time", Kind::Time, |s| Value::Time(s.create_time)),
    field!(Snapshot, "description", Kind::Text, |s| Value::text(&s.description)),
    field!(Snapshot, "vm_state", Kind::Text, |s| Value::text(&s.vm_state)),
    field!(Snapshot, "memory_included", Kind::Flag, |s| Value::Flag(s.memory_included)),
    field!(Snapshot, "disk_mode", Kind::Text, |s| Value::text(&s.disk_mode)),
];

static IMAGE: &[Field<Object>] = &[
    field!(Image, "format", Kind::Text, |i| Value::text(&i.format)),
    field!(Image, "virtual_size_bytes", Kind::Number, |i| Value::count(i.virtual_size_bytes)),
    field!(Image, "volumes", Kind::Texts, |i| Value::texts(&i.volumes)),
];
