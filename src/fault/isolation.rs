//! Many hosts lost at once: it is rather us who are cut off (operations.md F12).

use super::catalogue::AlarmType;
use super::finding::{Finding, Sign};
use crate::model::relation::Topology;
use crate::model::{HostId, Name, ObjectClass, Timestamp};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// Hosts lost within this time are lost together: 15 s.
const TOGETHER: Duration = Duration::from_secs(15);

/// Fewer lost hosts are no isolation.
const LEAST: usize = 3;

/// Whether the VRM is cut off; nothing if no host is lost and none was.
pub(super) fn judge(lost: &BTreeMap<HostId, Timestamp>, world: &dyn Topology, now: Timestamp) -> Option<Sign> {
    let total = world.objects(ObjectClass::Host).len();
    let latest = lost.values().max().copied().unwrap_or(now);
    let together: BTreeSet<&HostId> =
        lost.iter().filter(|(_, since)| latest.since(**since) <= TOGETHER).map(|(host, _)| host).collect();
    if together.len() < LEAST || together.len() * 2 < total {
        let over = Sign::Over { alarm_type: AlarmType::VrmIsolated, object: Name::vrm() };
        return (lost.len() * 2 < total || total == 0).then_some(over);
    }
    let hosts: Vec<&str> = together.iter().take(10).map(|host| host.as_str()).collect();
    let mut text = format!("{} of {total} hosts were lost within {} s", together.len(), TOGETHER.as_secs());
    if let Some((key, value)) = common_place(&together, world) {
        text.push_str(&format!("; all lost hosts are in {key} {value}"));
    }
    let finding = Finding::new(AlarmType::VrmIsolated, &Name::vrm(), text)
        .with("hosts", hosts.join(" "))
        .with("lost", together.len().to_string());
    Some(Sign::Present(Box::new(finding)))
}

/// Rack or zone that all lost hosts share, if not all hosts do.
fn common_place(lost: &BTreeSet<&HostId>, world: &dyn Topology) -> Option<(&'static str, String)> {
    let objects = world.objects(ObjectClass::Host);
    ["rack", "zone"].into_iter().find_map(|key| {
        let place = |host: &HostId| world.object(&Name::host(host))?.labels().remove(key);
        let mut places: Vec<Option<String>> = lost.iter().map(|host| place(host)).collect();
        places.dedup();
        let [Some(value)] = places.as_slice() else { return None };
        let elsewhere = objects.iter().any(|object| object.labels().get(key) != Some(value));
        elsewhere.then(|| (key, value.clone()))
    })
}
