//! Conditions of storage pools.

use super::*;
use crate::model::alarm_command::{AlarmCommand, ReportedCondition};
use crate::model::incident::IncidentKind;
use crate::model::storage::{PoolState, StoragePool};

fn name() -> Name {
    Name::storage_pool(&host_id("a"), "vms")
}

fn seen(stage: &mut Stage, pool_state: PoolState, pool_type: &str, change: impl FnOnce(&mut StoragePool)) {
    let mut pool = StoragePool {
        host: Some(host_id("a")),
        display_name: "vms".into(),
        pool_type: pool_type.into(),
        pool_state,
        ..StoragePool::default()
    };
    change(&mut pool);
    expected_up(stage, &name(), Body::StoragePool(Box::new(pool)));
}

fn in_state(pool_state: PoolState) -> Stage {
    let mut stage = stage();
    seen(&mut stage, pool_state, "dir", |_| ());
    stage.pass(31);
    stage
}

fn runs(stage: &mut Stage) {
    seen(stage, PoolState::Running, "dir", |_| ());
}

#[test]
fn raises_pool_inactive() {
    let mut stage = in_state(PoolState::Inactive);
    assert_eq!(stage.active(), ["poolInactive"]);
    stage.change(&name(), lock);
    assert!(stage.active().is_empty(), "it is expected to be off");
}

#[test]
fn clears_pool_inactive() {
    let mut stage = in_state(PoolState::Inactive);
    runs(&mut stage);
    assert!(is_cleared(&stage, "poolInactive"));
}

#[test]
fn raises_pool_degraded() {
    assert_eq!(in_state(PoolState::Degraded).active(), ["poolDegraded"]);
}

#[test]
fn clears_pool_degraded() {
    let mut stage = in_state(PoolState::Degraded);
    runs(&mut stage);
    assert!(is_cleared(&stage, "poolDegraded"));
}

#[test]
fn a_reported_degradation_outlasts_what_libvirt_reads() {
    let mut stage = in_state(PoolState::Running);
    let mut report = ReportedCondition {
        alarm_type: "poolDegraded".into(),
        object: name(),
        active: true,
        ..ReportedCondition::default()
    };
    stage.command(AlarmCommand::Report(report.clone())).expect("a type for reporters");
    stage.pass(60);
    runs(&mut stage);
    assert_eq!(stage.active(), ["poolDegraded"]);
    report.active = false;
    stage.command(AlarmCommand::Report(report)).expect("a type for reporters");
    assert!(is_cleared(&stage, "poolDegraded"));
}

fn probed(stage: &mut Stage, result: Result<(), String>) {
    stage.incident("a", IncidentSubject::StoragePool("vms".into()), IncidentKind::Probed(result));
}

#[test]
fn raises_pool_inaccessible() {
    assert_eq!(in_state(PoolState::Inaccessible).active(), ["poolInaccessible"]);
    let mut stage = in_state(PoolState::Running);
    probed(&mut stage, Err("stale file handle".into()));
    stage.pass(3_600);
    runs(&mut stage);
    assert_eq!(stage.active(), ["poolInaccessible"], "libvirt calls it running all the same");
}

#[test]
fn clears_pool_inaccessible() {
    let mut stage = in_state(PoolState::Inaccessible);
    runs(&mut stage);
    assert!(is_cleared(&stage, "poolInaccessible"));
    let mut stage = in_state(PoolState::Running);
    probed(&mut stage, Err("stale file handle".into()));
    probed(&mut stage, Ok(()));
    assert!(is_cleared(&stage, "poolInaccessible"));
}

fn used(stage: &mut Stage, pool_type: &str, percent: u64) {
    let now = stage.now;
    seen(stage, PoolState::Running, pool_type, |pool| {
        pool.volatile.capacity_bytes = Some(100 * GIB);
        pool.volatile.available_bytes = Some((100 - percent) * GIB);
        pool.volatile.as_of = Some(now);
    });
}

#[test]
fn raises_pool_capacity_high() {
    for (percent, severity) in
        [(80, PerceivedSeverity::Minor), (90, PerceivedSeverity::Major), (95, PerceivedSeverity::Critical)]
    {
        let mut stage = stage();
        used(&mut stage, "netfs", percent);
        stage.pass(31);
        assert_eq!(super::severity(&stage, "poolCapacityHigh"), severity);
    }
}

#[test]
fn clears_pool_capacity_high() {
    let mut stage = stage();
    used(&mut stage, "netfs", 92);
    stage.pass(31);
    used(&mut stage, "netfs", 86);
    assert_eq!(severity(&stage, "poolCapacityHigh"), PerceivedSeverity::Major, "hysteresis of the level");
    used(&mut stage, "netfs", 84);
    assert_eq!(severity(&stage, "poolCapacityHigh"), PerceivedSeverity::Minor);
    used(&mut stage, "netfs", 74);
    assert!(is_cleared(&stage, "poolCapacityHigh"));
}

#[test]
fn pools_that_are_full_by_nature_and_old_figures_say_nothing() {
    let mut stage = stage();
    for pool_type in ["logical", "scsi", "mpath", "iscsi", "disk"] {
        used(&mut stage, pool_type, 100);
        stage.pass(60);
    }
    used(&mut stage, "dir", 50);
    let old = stage.now;
    stage.pass(700);
    seen(&mut stage, PoolState::Running, "dir", |pool| {
        pool.volatile.capacity_bytes = Some(100);
        pool.volatile.available_bytes = Some(0);
        pool.volatile.as_of = Some(old);
    });
    stage.pass(60);
    assert!(stage.active().is_empty());
}

fn promised(stage: &mut Stage, promised: u64) {
    seen(stage, PoolState::Running, "dir", |pool| {
        pool.volatile.capacity_bytes = Some(100);
        pool.volatile.volume_capacity_bytes = promised;
    });
}

#[test]
fn raises_pool_overcommitted() {
    let mut stage = stage();
    promised(&mut stage, 200);
    stage.pass(31);
    assert!(stage.active().is_empty(), "as much as policy allows");
    promised(&mut stage, 201);
    stage.pass(31);
    assert_eq!(stage.active(), ["poolOvercommitted"]);
}

#[test]
fn clears_pool_overcommitted() {
    let mut stage = stage();
    promised(&mut stage, 300);
    stage.pass(31);
    promised(&mut stage, 200);
    assert!(is_cleared(&stage, "poolOvercommitted"));
}
