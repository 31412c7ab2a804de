//! What explains what: roots, their consequences, and who suffers (design.md 8, operations.md F8, F12).
//!
//! No graph is kept: an object names what it stands on, and what stands on it is looked up when an
//! alarm that explains others is raised.

use super::catalogue::{self, AlarmType};
use super::conditions::ConditionKey;
use super::list::AlarmList;
use super::place::{class_of, owner};
use crate::model::alarm::{ImpactedObject, limits};
use crate::model::relation::Topology;
use crate::model::{Body, Name, Object};

/// Class of a mounted filesystem of a host.
const FILESYSTEM: &str = "HostFilesystem";

/// What an object stands on: its parent, host, backings, pools and networks; nearest first.
pub(super) fn supports(object: &Object) -> Vec<Name> {
    let mut found = Vec::new();
    match &object.body {
        Body::VirtualMachine(vm) => {
            found.extend(vm.backing_sources.iter().map(|source| Name::storage_backing(source)));
            if let Some(host) = &vm.host {
                let disks = &vm.definition.disks;
                found.extend(disks.iter().filter(|d| !d.pool.is_empty()).map(|d| Name::storage_pool(host, &d.pool)));
                let nics = &vm.definition.nics;
                found.extend(nics.iter().filter(|n| !n.network.is_empty()).map(|n| Name::network(host, &n.network)));
                found.push(Name::hypervisor(host, &vm.technology));
                found.push(Name::host(host));
            }
        }
        Body::StoragePool(pool) => {
            if !pool.backing_source.is_empty() {
                found.push(Name::storage_backing(&pool.backing_source));
            }
            found.extend(object.host().map(|host| Name::host(&host)));
        }
        _ => found.extend(object.host().map(|host| Name::host(&host)).filter(|host| *host != object.name)),
    }
    found.push(Name::cluster());
    found.push(Name::vrm());
    found
}

/// What a mounted filesystem of a host lies on, if that is known.
pub(super) fn backing_of_filesystem(world: &dyn Topology, object: &Name) -> Option<Name> {
    if class_of(object) != FILESYSTEM {
        return None;
    }
    let host = object.host_id()?;
    let mount = object.id();
    let known = world.object(&Name::host(&host))?;
    let Body::Host(body) = &known.body else { return None };
    body.filesystems
        .iter()
        .any(|filesystem| filesystem.mount_point == mount)
        .then(|| Name::storage_backing(&crate::model::storage::backing_of_path(&host, &mount, &body.filesystems)))
}

/// The active alarm that explains a condition best: the one of the lowest rank.
pub(super) fn root_of(
    list: &AlarmList,
    world: &dyn Topology,
    key: &ConditionKey,
    hint: Option<&Object>,
) -> Option<Name> {
    let owner = owner(&key.object);
    let known = world.object(&owner);
    let object = hint.filter(|hint| hint.name == owner).or(known.as_deref());
    let mut places = vec![owner.clone()];
    places.extend(backing_of_filesystem(world, &key.object));
    match object {
        Some(object) => places.extend(supports(object)),
        None => places.extend([Name::cluster(), Name::vrm()]),
    }
    places.dedup();
    let mut best: Option<(u32, Name)> = None;
    for place in places {
        for name in list.about(&place) {
            let Some(alarm) = list.get(&name).filter(|alarm| alarm.is_active()) else { continue };
            let Some(kind) = AlarmType::parse(&alarm.alarm_type) else { continue };
            let itself = kind == key.alarm_type && alarm.object == key.object;
            if itself
                || !catalogue::rules(kind).explains.contains(&key.alarm_type)
                || !encloses(&alarm.object, &key.object)
                || !concerns(world, &alarm.object, object)
            {
                continue;
            }
            let rank = catalogue::rules(kind).rank;
            if best.as_ref().is_none_or(|(held, _)| rank < *held) {
                best = Some((rank, name));
            }
        }
    }
    best.map(|(_, name)| topmost(list, name))
}

/// False if the cause is a filesystem that the object does not lie on: one mount that hangs is not the
/// trouble of everything on its host.
fn concerns(world: &dyn Topology, cause: &Name, object: Option<&Object>) -> bool {
    let (Some(object), Some(backing)) = (object, backing_of_filesystem(world, cause)) else { return true };
    match &object.body {
        Body::VirtualMachine(vm) => vm.backing_sources.iter().any(|source| Name::storage_backing(source) == backing),
        Body::StoragePool(pool) => Name::storage_backing(&pool.backing_source) == backing,
        _ => true,
    }
}

/// True unless both are parts of one object and different ones: one disk does not explain another.
fn encloses(cause: &Name, effect: &Name) -> bool {
    let parts = *cause != owner(cause) && *effect != owner(effect);
    !parts || cause == effect || owner(cause) != owner(effect)
}

/// Follows root causes upwards; bounded, whatever the records say.
fn topmost(list: &AlarmList, name: Name) -> Name {
    let mut name = name;
    for _ in 0..8 {
        match list.get(&name).and_then(|alarm| alarm.root_cause.clone()) {
            Some(above) if list.get(&above).is_some_and(crate::model::Alarm::is_active) => name = above,
            _ => break,
        }
    }
    name
}

/// Active alarms that a new alarm may explain, ordered by name; `seen` are conditions that show it.
pub(super) fn explained_by(
    list: &AlarmList,
    world: &dyn Topology,
    root: &ConditionKey,
    seen: &[ConditionKey],
) -> Vec<Name> {
    let explains = &catalogue::rules(root.alarm_type).explains;
    if explains.is_empty() {
        return Vec::new();
    }
    let place = owner(&root.object);
    let mut places = world.dependents(&place);
    places.push(place);
    let explained = |name: &Name| {
        list.get(name).is_some_and(|alarm| {
            let kind = AlarmType::parse(&alarm.alarm_type);
            let itself = kind == Some(root.alarm_type) && alarm.object == root.object;
            alarm.is_active()
                && !itself
                && kind.is_some_and(|kind| explains.contains(&kind))
                && encloses(&root.object, &alarm.object)
        })
    };
    let about = places.iter().flat_map(|place| list.about(place));
    let shown = seen.iter().filter_map(|key| list.active(key).cloned());
    let mut names: Vec<Name> = about.chain(shown).filter(explained).collect();
    names.sort();
    names.dedup();
    names
}

/// Virtual machines that suffer when something at an object is wrong: the first ones, and how many.
pub(super) fn impacted(world: &dyn Topology, object: &Name) -> (Vec<ImpactedObject>, u32) {
    let place = owner(object);
    let mut suffering: Vec<ImpactedObject> = world
        .dependents(&place)
        .into_iter()
        .filter_map(|name| world.object(&name))
        .filter(|object| matches!(object.body, Body::VirtualMachine(_)))
        .map(|object| ImpactedObject {
            name: object.name.clone(),
            label: object.display_name(),
            service_refs: object.annotations.service_refs.clone(),
        })
        .collect();
    suffering.sort();
    let count = u32::try_from(suffering.len()).unwrap_or(u32::MAX);
    suffering.truncate(limits::IMPACTED);
    (suffering, count)
}
