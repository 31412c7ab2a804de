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

/// Whether the VRM is cut off, given what was found before if it is. Nothing if nothing changes.
pub(super) fn judge(
    lost: &BTreeMap<HostId, Timestamp>,
    standing: Option<&Finding>,
    world: &dyn Topology,
) -> Option<Sign> {
    let hosts = world.objects(ObjectClass::Host);
    let connected = hosts.iter().filter(|host| !host.state.unknown).count();
    let latest = lost.values().max().copied().unwrap_or_default();
    let together: BTreeSet<&HostId> =
        lost.iter().filter(|(_, since)| latest.since(**since) <= TOGETHER).map(|(host, _)| host).collect();
    let former =
        standing.map_or(0, |finding| finding.attributes.get("lost").and_then(|n| n.parse().ok()).unwrap_or(LEAST));
    if together.len() >= LEAST.max(former + 1) && together.len() >= connected {
        return Some(Sign::Present(Box::new(found(&together, together.len() + connected, world))));
    }
    let standing = standing?;
    // Hosts that are not judged yet after a restart are not back.
    let missing = hosts.len() - connected;
    Some(if missing * 2 <= former {
        Sign::Over { alarm_type: AlarmType::VrmIsolated, object: Name::vrm() }
    } else {
        Sign::Present(Box::new(standing.clone()))
    })
}

fn found(together: &BTreeSet<&HostId>, total: usize, world: &dyn Topology) -> Finding {
    let hosts: Vec<&str> = together.iter().take(10).map(|host| host.as_str()).collect();
    let mut text = format!("{} of {total} hosts were lost within {} s", together.len(), TOGETHER.as_secs());
    if let Some((key, value)) = common_place(together, world) {
        text.push_str(&format!("; all lost hosts are in {key} {value}"));
    }
    Finding::new(AlarmType::VrmIsolated, &Name::vrm(), text)
        .with("hosts", hosts.join(" "))
        .with("lost", together.len().to_string())
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
