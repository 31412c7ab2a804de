use super::*;
use crate::model::dn::DnScheme;
use crate::model::{Body, Name, Object, ObjectClass, ResourceState, Timestamp};
use crate::wire::{json, v1};

fn scheme() -> DnScheme {
    DnScheme { prefix: String::new(), vrm_id: "v1".into(), cluster_id: "c1".into() }
}

fn object(class: ObjectClass) -> Object {
    Object {
        name: Name::new("hosts/a"),
        uid: uuid::Uuid::from_u128(7),
        revision: 3,
        created_sequence: 1,
        last_change_sequence: 9,
        create_time: Timestamp(1_000_000),
        change_time: Timestamp(2_000_000),
        state: ResourceState::default(),
        annotations: crate::model::Annotations::default(),
        body: Body::empty(class),
    }
}

#[test]
fn every_class_has_a_message_with_the_common_fields() {
    for class in ObjectClass::RESOURCES {
        let managed = managed_object(&object(class), &scheme(), Detail::Full);
        let json = json::to_json(&managed, "vrm.v1.ManagedObject", false).unwrap();
        let fields = json.as_object().unwrap();
        let resource = fields.values().find(|value| value.is_object()).unwrap();
        assert_eq!(resource["revision"], "3", "{class:?}");
        assert_eq!(resource["dn"], "VrmFunction=v1,Cluster=c1,Host=a");
        assert_eq!(resource["createTime"], "1970-01-01T00:00:01Z");
        assert_eq!(resource["etag"], "00000000-3");
        assert_eq!(class_from(v1::ObjectClass::try_from(managed.object_class).unwrap()), Some(class));
    }
}

#[test]
fn basic_view_leaves_out_what_is_large() {
    let mut vm = crate::model::virtual_machine::VirtualMachine::default();
    let definition = std::sync::Arc::make_mut(&mut vm.definition);
    definition.vcpus_current = 4;
    definition.disks.push(Default::default());
    definition.extensions.insert("a".into(), "b".into());
    let object = Object { body: Body::VirtualMachine(Box::new(vm)), ..object(ObjectClass::VirtualMachine) };
    let of = |detail| resource(&object, &scheme(), detail).and_then(v1::VirtualMachine::from_resource).unwrap();
    let (basic, full) = (of(Detail::Basic).definition.unwrap(), of(Detail::Full).definition.unwrap());
    assert_eq!((basic.vcpus_current, full.vcpus_current), (4, 4));
    assert!(basic.disks.is_empty() && basic.extensions.is_empty());
    assert!(full.disks.len() == 1 && full.extensions.len() == 1);
}

#[test]
fn absent_figures_are_absent_and_not_zero() {
    let object = object(ObjectClass::StoragePool);
    let pool = resource(&object, &scheme(), Detail::Full).and_then(v1::StoragePool::from_resource).unwrap();
    assert_eq!(pool.figures.unwrap().capacity_bytes, None);
}

#[test]
fn relations_translate_both_ways() {
    for of in crate::model::relation::Relation::ALL {
        assert_eq!(relation_from(v1::Relation::try_from(relation(of)).unwrap()), Some(of));
    }
}

#[test]
fn long_values_are_left_out_of_changes() {
    let change = crate::model::AttributeChange {
        path: "description".into(),
        old: serde_json::Value::Null,
        new: serde_json::json!("x".repeat(5_000)),
    };
    let change = attribute_change(&change);
    assert!(change.old_value.is_some() && change.new_value.is_none());
}
