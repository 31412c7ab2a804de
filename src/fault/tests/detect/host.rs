//! Conditions that the state of a host or its hypervisor shows.

use super::*;
use crate::model::alarm_command::AlarmAct;
use crate::model::annotation::Maintenance;
use crate::model::host::{HostFilesystem, HostNic, HugePages, Hypervisor};
use crate::model::{Actor, StateReason};
use std::time::Duration;

/// The local machine: 512 GiB, in good order.
fn local() -> Stage {
    let mut stage = stage();
    change_host(&mut stage, |host| {
        host.memory_total_bytes = 512 * GIB;
        host.volatile.memory_free_bytes = Some(40 * GIB);
        host.volatile.uptime_seconds = Some(100_000);
    });
    stage
}

#[test]
fn raises_host_unreachable() {
    let mut stage = stage();
    stage.host("b", ConnectionState::Connected);
    stage.host("c", ConnectionState::Connected);
    stage.host("a", ConnectionState::Lost);
    stage.pass(6);
    assert_eq!(stage.active(), ["hostUnreachable"]);
}

#[test]
fn clears_host_unreachable() {
    let mut stage = stage();
    stage.host("a", ConnectionState::Lost);
    stage.pass(6);
    stage.host("a", ConnectionState::Connected);
    assert!(is_cleared(&stage, "hostUnreachable"));
}

#[test]
fn raises_hypervisor_auth_failed() {
    let mut stage = stage();
    stage.host("a", ConnectionState::Refused);
    assert_eq!(stage.active(), ["hypervisorAuthFailed"]);
}

#[test]
fn clears_hypervisor_auth_failed() {
    let mut stage = stage();
    stage.host("a", ConnectionState::Refused);
    stage.host("a", ConnectionState::Connected);
    assert!(is_cleared(&stage, "hypervisorAuthFailed"));
}

fn hypervisor(stage: &mut Stage, connection_state: ConnectionState, missed_events: u64) {
    let lost = connection_state == ConnectionState::Lost;
    let state = ResourceState {
        unknown: lost,
        reason: StateReason::code(if lost { StateReason::HYPERVISOR_SERVICE_LOST } else { "" }),
        ..ResourceState::default()
    };
    let mut body = Hypervisor { connection_state, technology: "qemu".into(), ..Hypervisor::default() };
    body.volatile.missed_events = missed_events;
    let name = Name::hypervisor(&host_id("a"), "qemu");
    stage.see(&name, state, Annotations::default(), Body::Hypervisor(Box::new(body)));
}

#[test]
fn raises_hypervisor_service_failed() {
    let mut stage = stage();
    hypervisor(&mut stage, ConnectionState::Lost, 0);
    stage.pass(29);
    assert!(stage.active().is_empty(), "an upgrade of libvirt is over before that");
    stage.pass(2);
    assert_eq!(stage.active(), ["hypervisorServiceFailed"]);
}

#[test]
fn clears_hypervisor_service_failed() {
    let mut stage = stage();
    hypervisor(&mut stage, ConnectionState::Lost, 0);
    stage.pass(31);
    hypervisor(&mut stage, ConnectionState::Connected, 0);
    assert!(is_cleared(&stage, "hypervisorServiceFailed"));
}

fn missed(counts: &[u64]) -> Stage {
    let mut stage = stage();
    for count in counts {
        hypervisor(&mut stage, ConnectionState::Connected, *count);
        stage.pass(60);
    }
    stage
}

#[test]
fn raises_event_channel_stalled() {
    assert!(missed(&[900, 901, 902]).active().is_empty(), "what was missed before we looked does not count");
    let stage = missed(&[0, 1, 2, 3]);
    assert_eq!(stage.active(), ["eventChannelStalled"]);
    assert_eq!(stage.the("eventChannelStalled").1.object, host());
    let sparse: Vec<u64> = (0..40).map(|minute| minute / 6).collect();
    assert!(missed(&sparse).active().is_empty(), "two in ten minutes");
}

#[test]
fn clears_event_channel_stalled() {
    let mut stage = missed(&[0, 1, 2, 3, 3, 3, 3, 3, 3, 3, 3]);
    assert_eq!(stage.active(), ["eventChannelStalled"]);
    stage.pass(180);
    assert!(is_cleared(&stage, "eventChannelStalled"));
}

fn breaks(stage: &mut Stage, times: usize) {
    for _ in 0..times {
        stage.host("a", ConnectionState::Lost);
        stage.pass(1);
        stage.host("a", ConnectionState::Connected);
        stage.pass(60);
    }
}

#[test]
fn raises_host_connection_unstable() {
    let mut stage = stage();
    breaks(&mut stage, 2);
    assert!(stage.active().is_empty());
    breaks(&mut stage, 1);
    assert_eq!(stage.active(), ["hostConnectionUnstable"]);
}

#[test]
fn clears_host_connection_unstable() {
    let mut stage = stage();
    breaks(&mut stage, 3);
    stage.pass(1_801);
    assert!(is_cleared(&stage, "hostConnectionUnstable"));
}

fn lock_host(stage: &mut Stage, minutes: Option<u64>) {
    let planned_end = minutes.map(|minutes| stage.now.plus(Duration::from_secs(60 * minutes)));
    let maintenance = Maintenance { since: stage.now, planned_end, reason: "disks".into(), actor: Actor::default() };
    stage.change(&host(), |object| {
        lock(object);
        object.annotations.maintenance = Some(maintenance);
    });
}

fn unlock_host(stage: &mut Stage) {
    stage.change(&host(), |object| {
        object.state.administrative = Some(AdministrativeState::Unlocked);
        object.annotations.maintenance = None;
    });
}

#[test]
fn raises_host_out_of_service() {
    let mut stage = stage();
    lock_host(&mut stage, None);
    let (_, alarm) = stage.the("hostOutOfService");
    assert_eq!((alarm.perceived_severity, alarm.suppressed_by), (PerceivedSeverity::Warning, None));
}

#[test]
fn clears_host_out_of_service() {
    let mut stage = stage();
    lock_host(&mut stage, None);
    unlock_host(&mut stage);
    assert!(is_cleared(&stage, "hostOutOfService"));
}

#[test]
fn raises_maintenance_overrun() {
    let mut stage = stage();
    lock_host(&mut stage, Some(60));
    stage.pass(3_599);
    assert_eq!(stage.active(), ["hostOutOfService"]);
    stage.pass(2);
    assert!(stage.active().contains(&"maintenanceOverrun".to_owned()), "though nobody looked at the host since");
}

#[test]
fn clears_maintenance_overrun() {
    let mut stage = stage();
    lock_host(&mut stage, Some(10));
    stage.pass(601);
    lock_host(&mut stage, Some(30));
    assert!(is_cleared(&stage, "maintenanceOverrun"), "the end was moved");
    stage.pass(1_801);
    assert!(!is_cleared(&stage, "maintenanceOverrun"), "and has passed again");
    unlock_host(&mut stage);
    assert!(is_cleared(&stage, "maintenanceOverrun"));
}

#[test]
fn an_end_that_is_moved_in_time_is_no_overrun() {
    let mut stage = stage();
    lock_host(&mut stage, Some(10));
    stage.pass(300);
    lock_host(&mut stage, Some(60));
    stage.pass(3_000);
    assert_eq!(stage.active(), ["hostOutOfService"]);
}

#[test]
fn raises_host_identity_changed() {
    let mut stage = stage();
    change_host(&mut stage, |host| host.warnings.push("qemu+tcp is not encrypted".into()));
    assert!(stage.active().is_empty());
    change_host(&mut stage, |host| {
        host.warnings.push("host UUID changed from 1 to 2: is this still the same machine?".into());
    });
    assert_eq!(stage.active(), ["hostIdentityChanged"]);
    let (name, _) = stage.the("hostIdentityChanged");
    stage.act(&name, AlarmAct::Clear("new board".into())).expect("a person may");
    stage.pass(60);
    stage.again(&host());
    assert!(stage.active().is_empty(), "accepted");
}

#[test]
fn clears_host_identity_changed() {
    let mut stage = stage();
    change_host(&mut stage, |host| host.warnings.push("host b has the same UUID 1: a cloned installation".into()));
    stage.pass(60);
    change_host(&mut stage, |host| host.warnings.clear());
    assert!(is_cleared(&stage, "hostIdentityChanged"));
}

fn free(stage: &mut Stage, bytes: u64) {
    change_host(stage, |host| host.volatile.memory_free_bytes = Some(bytes));
}

#[test]
fn raises_host_memory_high() {
    let mut stage = local();
    free(&mut stage, 9 * GIB);
    stage.pass(31);
    assert!(stage.active().is_empty(), "at 2 %, but 9 GiB");
    free(&mut stage, 7 * GIB);
    stage.pass(31);
    assert_eq!(severity(&stage, "hostMemoryHigh"), PerceivedSeverity::Minor);
    free(&mut stage, GIB);
    assert_eq!(severity(&stage, "hostMemoryHigh"), PerceivedSeverity::Critical);
}

#[test]
fn clears_host_memory_high() {
    let mut stage = local();
    free(&mut stage, GIB);
    stage.pass(31);
    free(&mut stage, 30 * GIB);
    assert!(is_cleared(&stage, "hostMemoryHigh"));
}

#[test]
fn what_a_remote_host_calls_free_says_nothing() {
    let mut stage = stage();
    change_host(&mut stage, |host| {
        host.memory_total_bytes = 512 * GIB;
        host.volatile.memory_free_bytes = Some(GIB / 2);
    });
    stage.pass(60);
    assert!(stage.active().is_empty());
}

fn no_huge_pages(stage: &mut Stage, free: u64) {
    change_host(stage, |host| {
        host.volatile.huge_pages = vec![HugePages { page_size_bytes: 2 << 20, total: 4_096, free }];
    });
}

#[test]
fn raises_huge_pages_exhausted() {
    let mut stage = stage();
    no_huge_pages(&mut stage, 0);
    stage.pass(60);
    assert!(stage.active().is_empty(), "nobody wants one");
    change_definition(&mut stage, |definition| definition.huge_pages = true);
    machine_is(&mut stage, RunState::Off, RunStateReason::Failed);
    stage.again(&host());
    stage.pass(31);
    assert!(stage.active().contains(&"hugePagesExhausted".to_owned()));
}

#[test]
fn clears_huge_pages_exhausted() {
    let mut stage = stage();
    change_definition(&mut stage, |definition| definition.huge_pages = true);
    machine_is(&mut stage, RunState::Off, RunStateReason::Failed);
    no_huge_pages(&mut stage, 0);
    stage.pass(31);
    no_huge_pages(&mut stage, 512);
    assert!(is_cleared(&stage, "hugePagesExhausted"));
}

fn filesystem(stage: &mut Stage, mount_point: &str, size: u64, free: u64) {
    change_host(stage, |host| {
        host.filesystems = vec![HostFilesystem {
            mount_point: mount_point.into(),
            fs_type: "ext4".into(),
            size_bytes: size * GIB,
            ..HostFilesystem::default()
        }];
        host.volatile.filesystem_available_bytes = [(mount_point.to_owned(), free * GIB)].into();
    });
}

#[test]
fn raises_host_filesystem_high() {
    let mut stage = stage();
    filesystem(&mut stage, "/data", 20_000, 2_000);
    stage.pass(31);
    assert!(stage.active().is_empty(), "90 % of 20 TB leave much");
    filesystem(&mut stage, "/data", 100, 15);
    stage.pass(31);
    assert_eq!(severity(&stage, "hostFilesystemHigh"), PerceivedSeverity::Minor);
    filesystem(&mut stage, "/data", 100, 4);
    assert_eq!(severity(&stage, "hostFilesystemHigh"), PerceivedSeverity::Major, "nothing vital is on it");
    filesystem(&mut stage, "/srv/nfs", 100, 4);
    stage.pass(31);
    let alarms = stage.list();
    let vital = alarms.values().find(|alarm| alarm.object.as_str().contains("nfs")).expect("an alarm");
    assert_eq!(vital.perceived_severity, PerceivedSeverity::Critical, "a machine's disk is on it");
}

#[test]
fn clears_host_filesystem_high() {
    let mut stage = stage();
    filesystem(&mut stage, "/", 100, 15);
    stage.pass(31);
    filesystem(&mut stage, "/", 100, 22);
    assert!(!is_cleared(&stage, "hostFilesystemHigh"), "hysteresis");
    filesystem(&mut stage, "/", 100, 26);
    assert!(is_cleared(&stage, "hostFilesystemHigh"));
    let mut stage = root_used(90);
    stage.pass(31);
    filesystem(&mut stage, "/", 2_000, 200);
    assert!(is_cleared(&stage, "hostFilesystemHigh"), "enlarged: enough bytes are free");
}

/// A root filesystem of 100 GiB, used so far.
fn root_used(used: u64) -> Stage {
    let mut stage = stage();
    filesystem(&mut stage, "/", 100, 100 - used);
    stage
}

fn nic(name: &str, master: &str, link_state: &str) -> HostNic {
    HostNic {
        name: name.into(),
        driver: "ice".into(),
        master: master.into(),
        link_state: link_state.into(),
        ..HostNic::default()
    }
}

fn nics(stage: &mut Stage, nics: &[HostNic]) {
    change_host(stage, |host| host.nics = nics.to_vec());
}

#[test]
fn raises_host_nic_link_down() {
    let mut stage = stage();
    nics(&mut stage, &[nic("eno1", "br0", "down"), nic("eno2", "", "down")]);
    stage.pass(6);
    assert_eq!(stage.active(), ["hostNicLinkDown"], "an unused port is no fault");
    assert_eq!(stage.the("hostNicLinkDown").1.object.as_str(), "hosts/a/nics/eno1");
}

#[test]
fn clears_host_nic_link_down() {
    let mut stage = stage();
    nics(&mut stage, &[nic("eno1", "br0", "down")]);
    stage.pass(6);
    nics(&mut stage, &[nic("eno1", "br0", "up")]);
    stage.pass(29);
    assert!(!is_cleared(&stage, "hostNicLinkDown"), "held off");
    stage.pass(2);
    assert!(is_cleared(&stage, "hostNicLinkDown"));
}

#[test]
fn raises_host_nic_bond_degraded() {
    let mut stage = stage();
    nics(&mut stage, &[nic("eno1", "bond0", "down"), nic("eno2", "bond0", "up")]);
    stage.pass(31);
    assert_eq!(stage.active(), ["hostNicBondDegraded"]);
    assert_eq!(stage.the("hostNicBondDegraded").1.object.as_str(), "hosts/a/nics/bond0");
}

#[test]
fn clears_host_nic_bond_degraded() {
    let mut stage = stage();
    nics(&mut stage, &[nic("eno1", "bond0", "down"), nic("eno2", "bond0", "up")]);
    stage.pass(31);
    nics(&mut stage, &[nic("eno1", "bond0", "up"), nic("eno2", "bond0", "up")]);
    assert!(is_cleared(&stage, "hostNicBondDegraded"));
}

fn uptime(stage: &mut Stage, seconds: u64) {
    change_host(stage, |host| host.volatile.uptime_seconds = Some(seconds));
}

#[test]
fn raises_unexpected_host_restart() {
    let mut stage = local();
    uptime(&mut stage, 99_990);
    assert!(stage.active().is_empty(), "two sources read in turn");
    uptime(&mut stage, 40);
    assert_eq!(stage.active(), ["unexpectedHostRestart"]);
    let mut stage = local();
    lock_host(&mut stage, None);
    uptime(&mut stage, 40);
    assert_eq!(stage.active(), ["hostOutOfService"], "that was the work");
}

/// Two sources tell a boot, at their own times; and what was stored tells one that nobody saw.
#[test]
fn a_boot_that_nobody_saw_is_told_by_its_id_and_only_once() {
    let boot = |stage: &mut Stage, id: &str| change_host(stage, |host| host.boot_id = id.into());
    let mut stage = local();
    boot(&mut stage, "one");
    assert!(stage.active().is_empty(), "the first one says nothing");
    boot(&mut stage, "two");
    assert_eq!(stage.active(), ["unexpectedHostRestart"]);
    let repeats = |stage: &Stage| stage.surveillance.counters().repeats;
    let before = repeats(&stage);
    stage.pass(5);
    uptime(&mut stage, 40);
    assert_eq!(repeats(&stage), before, "the same boot");
    stage.pass(5);
    uptime(&mut stage, 5);
    assert_eq!(repeats(&stage), before + 1, "another one");
    stage.pass(5);
    boot(&mut stage, "three");
    assert_eq!(repeats(&stage), before + 1, "which its id tells too");
}

#[test]
fn clears_unexpected_host_restart() {
    let mut stage = local();
    uptime(&mut stage, 40);
    for minute in 1..=29 {
        stage.pass(60);
        uptime(&mut stage, 40 + minute * 60);
    }
    assert_eq!(stage.active(), ["unexpectedHostRestart"]);
    stage.pass(61);
    assert!(is_cleared(&stage, "unexpectedHostRestart"));
}
