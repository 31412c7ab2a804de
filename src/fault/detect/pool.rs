//! Conditions of storage pools.

use super::context::Context;
use super::levels::{self, float, percent};
use super::machine::stop_severity;
use crate::fault::catalogue::AlarmType;
use crate::fault::finding::{Assessment, Finding};
use crate::model::Object;
use crate::model::state::AdministrativeState;
use crate::model::storage::{PoolState, StoragePool};

/// Types of pools whose use tells something: the others are allocated completely by nature (operations.md F14).
const GROWING: [&str; 7] = ["dir", "fs", "netfs", "rbd", "zfs", "gluster", "vstorage"];

/// What a pool's state says.
pub(super) fn assess(object: &Object, pool: &StoragePool, context: &Context<'_>) -> Assessment {
    if object.state.unknown {
        return Assessment::default();
    }
    let mut assessment =
        Assessment { judged: vec![AlarmType::PoolInactive, AlarmType::PoolDegraded], ..Assessment::default() };
    if !was_probed(object, context) {
        assessment.judged.push(AlarmType::PoolInaccessible);
    }
    assessment.findings.extend(state(object, pool, context).map(|finding| context.steady(finding)));
    capacity(object, pool, context, &mut assessment);
    overcommitted(object, pool, context, &mut assessment);
    assessment
}

/// What a probe found only a probe can end: libvirt itself does not tell that a pool is inaccessible.
fn was_probed(object: &Object, context: &Context<'_>) -> bool {
    context
        .standing(AlarmType::PoolInaccessible, &object.name)
        .is_some_and(|standing| standing.finding.attributes.get("evidence").is_some_and(|evidence| evidence == "probe"))
}

fn state(object: &Object, pool: &StoragePool, context: &Context<'_>) -> Option<Finding> {
    let name = &pool.display_name;
    match pool.pool_state {
        PoolState::Inaccessible => {
            let text = format!("pool {name} is not accessible");
            Some(Finding::new(AlarmType::PoolInaccessible, &object.name, text))
        }
        PoolState::Degraded => {
            let text = format!("pool {name} has lost redundancy");
            Some(Finding::new(AlarmType::PoolDegraded, &object.name, text))
        }
        PoolState::Inactive if object.state.administrative == Some(AdministrativeState::Unlocked) => {
            let text = format!("pool {name} is inactive and expected to be active");
            let severity = stop_severity(object.annotations.expectation, context.outside_changes);
            Some(Finding::new(AlarmType::PoolInactive, &object.name, text).severity(severity))
        }
        _ => None,
    }
}

/// True if full means that something cannot grow.
fn grows(pool: &StoragePool) -> bool {
    GROWING.contains(&pool.pool_type.as_str()) || pool.pool_type.contains("thin")
}

/// Judged on fresh figures only: libvirt repeats those of the last refresh for ever (operations.md F2).
fn capacity(object: &Object, pool: &StoragePool, context: &Context<'_>, assessment: &mut Assessment) {
    let figures = &pool.volatile;
    let (Some(size), Some(free), Some(as_of)) = (figures.capacity_bytes, figures.available_bytes, figures.as_of) else {
        return;
    };
    let stale = context.seconds(AlarmType::PoolCapacityHigh, &object.name, "stale_seconds");
    if !grows(pool) || size == 0 || context.now.since(as_of) > stale {
        return;
    }
    assessment.judged.push(AlarmType::PoolCapacityHigh);
    let grading = (context.grading)(AlarmType::PoolCapacityHigh, &object.name);
    let used = percent(size.saturating_sub(free), size);
    let stands = context.severity(AlarmType::PoolCapacityHigh, &object.name);
    let Some((severity, crossing)) = levels::risen(&grading, "percent", used, stands) else { return };
    let text = format!("pool {} is used to {used:.0} %", pool.display_name);
    let finding = Finding::new(AlarmType::PoolCapacityHigh, &object.name, text).severity(severity).crossing(crossing);
    assessment.findings.push(context.steady(finding));
}

fn overcommitted(object: &Object, pool: &StoragePool, context: &Context<'_>, assessment: &mut Assessment) {
    let Some(size) = pool.volatile.capacity_bytes.filter(|size| *size > 0) else { return };
    assessment.judged.push(AlarmType::PoolOvercommitted);
    let ratio = float(pool.volatile.volume_capacity_bytes) / float(size);
    if ratio <= context.number(AlarmType::PoolOvercommitted, &object.name, "ratio.warning") {
        return;
    }
    let text = format!("{ratio:.1} times the capacity of pool {} is promised to its volumes", pool.display_name);
    assessment.findings.push(context.steady(Finding::new(AlarmType::PoolOvercommitted, &object.name, text)));
}
