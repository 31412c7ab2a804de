//! Conditions of the cluster as a whole.

use super::context::Context;
use super::levels::{self, float};
use crate::fault::catalogue::AlarmType;
use crate::fault::finding::{Assessment, Finding};
use crate::model::capacity::Amount;
use crate::model::host::Cluster;
use crate::model::state::AdministrativeState;
use crate::model::virtual_machine::RunState;
use crate::model::{Body, Object, ObjectClass};
use std::collections::{BTreeMap, BTreeSet};

/// What the cluster shows. Capacity and redundancy are looked at only where a profile asks for it.
pub(super) fn assess(object: &Object, cluster: &Cluster, context: &Context<'_>) -> Assessment {
    let mut assessment = Assessment {
        judged: vec![
            AlarmType::HypervisorSoftwareMismatch,
            AlarmType::ClusterCapacityLow,
            AlarmType::ClusterRedundancyLost,
        ],
        ..Assessment::default()
    };
    let found = [mismatch(object, context), capacity(object, cluster, context), redundancy(object, context)];
    assessment.findings.extend(found.into_iter().flatten().map(|finding| context.steady(finding)));
    assessment
}

/// Versions by technology, of every host that ever told one: a lost host has not been upgraded by being lost.
fn mismatch(object: &Object, context: &Context<'_>) -> Option<Finding> {
    let mut versions: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for known in context.world.objects(ObjectClass::Hypervisor) {
        let Body::Hypervisor(hypervisor) = &known.body else { continue };
        if !hypervisor.version.is_empty() {
            let version = format!("{} {}", hypervisor.version, hypervisor.libvirt_version);
            versions.entry(hypervisor.technology.clone()).or_default().insert(version.trim().to_owned());
        }
    }
    let (technology, several) = versions.into_iter().find(|(_, versions)| versions.len() > 1)?;
    let list = several.into_iter().take(8).collect::<Vec<_>>().join(", ");
    let text = format!("hosts have run different versions of {technology} for long: {list}");
    Some(Finding::new(AlarmType::HypervisorSoftwareMismatch, &object.name, text).with("versions", list))
}

fn capacity(object: &Object, cluster: &Cluster, context: &Context<'_>) -> Option<Finding> {
    let grading = (context.grading)(AlarmType::ClusterCapacityLow, &object.name);
    if grading.off {
        return None;
    }
    let sums = cluster.volatile.capacity;
    let ratio = |name: &str| grading.thresholds.get(name).copied().unwrap_or(1.0);
    let left = |what: &'static str, amount: Option<Amount>, ratio: f64| {
        amount.filter(|amount| amount.total > 0).map(|amount| {
            let limit = float(amount.total) * ratio;
            (what, (limit - float(amount.allocated)).max(0.0) * 100.0 / limit)
        })
    };
    let least = [
        left("virtual CPUs", sums.vcpus, ratio("cpu_ratio")),
        left("memory", sums.memory_bytes, ratio("memory_ratio")),
        left("storage", sums.storage_bytes, ratio("storage_ratio")),
    ];
    let (what, percent) = least.into_iter().flatten().min_by(|a, b| a.1.total_cmp(&b.1))?;
    let stands = context.severity(AlarmType::ClusterCapacityLow, &object.name);
    let (severity, crossing) = levels::fallen(&grading, "available_percent", percent, stands)?;
    let text = format!("{percent:.0} % of the cluster's {what} are left to give");
    let finding = Finding::new(AlarmType::ClusterCapacityLow, &object.name, text);
    Some(finding.severity(severity).crossing(crossing).with("resource", what))
}

/// Whether the machines that run would fit into what is left without the largest host.
fn redundancy(object: &Object, context: &Context<'_>) -> Option<Finding> {
    let grading = (context.grading)(AlarmType::ClusterRedundancyLost, &object.name);
    let hosts: Vec<u64> = if grading.off { Vec::new() } else { usable_hosts(context) };
    let fewest = grading.thresholds.get("hosts").copied().unwrap_or(3.0);
    let largest = hosts.iter().max().copied()?;
    if float(hosts.len() as u64) < fewest {
        return None;
    }
    let machines = context.world.objects(ObjectClass::VirtualMachine);
    let needed = machines.iter().filter_map(|machine| match &machine.body {
        Body::VirtualMachine(vm) if vm.run_state == RunState::Running => Some(vm.definition.memory_current_bytes),
        _ => None,
    });
    let needed = needed.fold(0, u64::saturating_add);
    let left = hosts.iter().copied().fold(0, u64::saturating_add) - largest;
    (needed > left).then(|| {
        let text = "without its largest host the cluster could not hold the machines that run";
        Finding::new(AlarmType::ClusterRedundancyLost, &object.name, text)
    })
}

/// Memory of each host that machines could go to.
fn usable_hosts(context: &Context<'_>) -> Vec<u64> {
    let hosts = context.world.objects(ObjectClass::Host);
    let usable = hosts
        .iter()
        .filter(|host| !host.state.unknown && host.state.administrative != Some(AdministrativeState::Locked));
    usable
        .filter_map(|host| match &host.body {
            Body::Host(host) => Some(host.memory_total_bytes),
            _ => None,
        })
        .collect()
}
