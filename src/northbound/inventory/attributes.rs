//! Objects with some of their attributes only.

use crate::northbound::failure::Failure;
use crate::northbound::limits;
use crate::wire::{json, v1};
use prost::Message;
use prost_reflect::{DynamicMessage, Kind, MessageDescriptor, ReflectMessage, Value};
use std::collections::BTreeMap;

/// Attributes that are always shown.
const ALWAYS: [&str; 2] = ["name", "uid"];

/// Which attributes are wanted; empty: all.
#[derive(Clone, Debug, Default)]
pub(super) struct Attributes {
    tree: Tree,
}

#[derive(Clone, Debug, Default)]
struct Tree {
    below: BTreeMap<String, Tree>,
}

impl Attributes {
    /// Understands paths, each of which must exist in some class.
    ///
    /// # Errors
    /// `INVALID_FIELD`.
    pub(super) fn parse(paths: &[String]) -> Result<Self, Failure> {
        if paths.len() > limits::REQUEST_ITEMS {
            return Err(Failure::field("attributes", format!("at most {} paths", limits::REQUEST_ITEMS)));
        }
        let mut tree = Tree::default();
        for path in paths {
            if path.len() > limits::IDENTIFIER || !classes().any(|class| exists(&class, path)) {
                return Err(Failure::field("attributes", format!("no class has an attribute {path}")));
            }
            let mut at = &mut tree;
            for part in path.split('.') {
                at = at.below.entry(part.to_owned()).or_default();
            }
        }
        Ok(Self { tree })
    }

    /// Leaves out what is not wanted.
    ///
    /// # Errors
    /// `INTERNAL` if the descriptors do not fit the generated code, which a test excludes.
    pub(super) fn prune(&self, object: v1::ManagedObject) -> Result<v1::ManagedObject, Failure> {
        if self.tree.below.is_empty() {
            return Ok(object);
        }
        let bug = |error: &dyn std::fmt::Display| {
            tracing::error!("attributes cannot be left out: {error}");
            Failure::new(crate::northbound::reason::Reason::Internal, "attributes cannot be left out")
        };
        let mut dynamic = json::to_dynamic(&object, "vrm.v1.ManagedObject").map_err(|error| bug(&error))?;
        let field = dynamic
            .descriptor()
            .oneofs()
            .next()
            .and_then(|oneof| oneof.fields().find(|field| dynamic.has_field(field)));
        if let Some(field) = field
            && let Some(resource) = dynamic.get_field_mut(&field).as_message_mut()
        {
            let mut tree = self.tree.clone();
            for name in ALWAYS {
                tree.below.entry(name.to_owned()).or_default();
            }
            keep(resource, &tree);
        }
        v1::ManagedObject::decode(dynamic.encode_to_vec().as_slice()).map_err(|error| bug(&error))
    }
}

/// Message types of all classes.
fn classes() -> impl Iterator<Item = MessageDescriptor> {
    let object = json::pool().get_message_by_name("vrm.v1.ManagedObject");
    let oneof = object.and_then(|object| object.oneofs().next());
    oneof.into_iter().flat_map(|oneof| {
        oneof
            .fields()
            .filter_map(|field| match field.kind() {
                Kind::Message(message) => Some(message),
                _ => None,
            })
            .collect::<Vec<_>>()
    })
}

fn exists(message: &MessageDescriptor, path: &str) -> bool {
    let (first, rest) = path.split_once('.').map_or((path, None), |(first, rest)| (first, Some(rest)));
    let Some(field) = message.get_field_by_name(first) else { return false };
    match (rest, field.kind()) {
        (None, _) => true,
        // Keys of maps are free.
        (Some(_), _) if field.is_map() => true,
        (Some(rest), Kind::Message(below)) => exists(&below, rest),
        (Some(_), _) => false,
    }
}

fn keep(message: &mut DynamicMessage, tree: &Tree) {
    let present: Vec<_> = message.descriptor().fields().filter(|field| message.has_field(field)).collect();
    for field in present {
        let Some(below) = tree.below.get(field.name()) else {
            message.clear_field(&field);
            continue;
        };
        if below.below.is_empty() {
            continue;
        }
        match message.get_field_mut(&field) {
            Value::Message(inner) => keep(inner, below),
            Value::List(items) => items.iter_mut().filter_map(Value::as_message_mut).for_each(|item| keep(item, below)),
            Value::Map(entries) => {
                let wanted = |key: &prost_reflect::MapKey| key.as_str().is_none_or(|key| below.below.contains_key(key));
                entries.retain(|key, _| wanted(key));
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_wanted_remains() {
        let definition = v1::VmDefinition {
            arch: "x86_64".into(),
            title: "t".into(),
            disks: vec![v1::VirtualDisk { target: "vda".into(), bus: "scsi".into(), ..Default::default() }],
            ..Default::default()
        };
        let vm = v1::VirtualMachine {
            name: "virtualMachines/1".into(),
            uid: "u".into(),
            etag: "e".into(),
            labels: [("a".to_owned(), "1".to_owned()), ("b".to_owned(), "2".to_owned())].into(),
            definition: Some(definition),
            ..Default::default()
        };
        let object = v1::ManagedObject {
            resource: Some(v1::managed_object::Resource::VirtualMachine(vm)),
            ..Default::default()
        };
        let paths = ["definition.arch", "definition.disks.target", "labels.a"].map(str::to_owned);
        let pruned = Attributes::parse(&paths).unwrap().prune(object).unwrap();
        let Some(v1::managed_object::Resource::VirtualMachine(vm)) = pruned.resource else { panic!("class is kept") };
        let definition = vm.definition.unwrap();
        assert_eq!((vm.uid.as_str(), vm.etag.as_str()), ("u", ""));
        assert_eq!((definition.arch.as_str(), definition.title.as_str()), ("x86_64", ""));
        assert_eq!((definition.disks[0].target.as_str(), definition.disks[0].bus.as_str()), ("vda", ""));
        assert_eq!(vm.labels.len(), 1);
    }

    #[test]
    fn unknown_paths_are_refused() {
        for path in ["x", "definition.x", "uid.x", "", "."] {
            assert!(Attributes::parse(&[path.to_owned()]).is_err(), "{path}");
        }
    }
}
