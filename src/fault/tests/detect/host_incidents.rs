//! Conditions of hosts that probes, counters and watchers tell, and what reporters say.

use super::*;
use crate::model::alarm_command::{AlarmAct, AlarmCommand, ReportedCondition};
use crate::model::incident::IncidentKind;

fn probed(stage: &mut Stage, result: Result<(), String>) {
    stage.incident("a", IncidentSubject::HostFilesystem("/srv/nfs".into()), IncidentKind::Probed(result));
}

#[test]
fn raises_host_mount_hung() {
    let mut stage = stage();
    probed(&mut stage, Err("no answer for 5 s".into()));
    assert_eq!(severity(&stage, "hostMountHung"), PerceivedSeverity::Critical, "a running machine's disk is on it");
    let mut stage = super::stage();
    machine_is(&mut stage, RunState::Off, RunStateReason::Failed);
    probed(&mut stage, Err("no answer for 5 s".into()));
    assert_eq!(severity(&stage, "hostMountHung"), PerceivedSeverity::Major);
}

#[test]
fn clears_host_mount_hung() {
    let mut stage = stage();
    probed(&mut stage, Err("no answer for 5 s".into()));
    stage.again(&host());
    probed(&mut stage, Ok(()));
    stage.pass(59);
    assert!(!is_cleared(&stage, "hostMountHung"), "held off");
    stage.pass(2);
    assert!(is_cleared(&stage, "hostMountHung"));
}

fn counted(stage: &mut Stage, counter: &str, by: u64) {
    stage.incident("a", IncidentSubject::Host, IncidentKind::Counted { counter: counter.into(), by });
    stage.again(&host());
}

#[test]
fn raises_host_out_of_memory_kill() {
    let mut stage = stage();
    counted(&mut stage, "oom_kill", 1);
    assert_eq!(stage.active(), ["hostOutOfMemoryKill"]);
}

#[test]
fn clears_host_out_of_memory_kill() {
    let mut stage = stage();
    counted(&mut stage, "oom_kill", 1);
    stage.pass(3_601);
    assert!(is_cleared(&stage, "hostOutOfMemoryKill"));
}

#[test]
fn raises_host_memory_ecc_corrected() {
    let mut stage = stage();
    counted(&mut stage, "ecc_corrected", 6);
    stage.pass(3_601);
    counted(&mut stage, "ecc_corrected", 6);
    assert!(stage.active().is_empty(), "six an hour");
    counted(&mut stage, "ecc_corrected", 4);
    assert_eq!(stage.active(), ["hostMemoryEccCorrected"]);
}

#[test]
fn clears_host_memory_ecc_corrected() {
    let mut stage = stage();
    counted(&mut stage, "ecc_corrected", 10);
    stage.pass(86_401);
    assert!(is_cleared(&stage, "hostMemoryEccCorrected"));
}

#[test]
fn raises_host_memory_ecc_uncorrected() {
    let mut stage = stage();
    counted(&mut stage, "ecc_uncorrected", 1);
    assert_eq!(severity(&stage, "hostMemoryEccUncorrected"), PerceivedSeverity::Critical);
}

#[test]
fn clears_host_memory_ecc_uncorrected_by_hand() {
    let mut stage = stage();
    counted(&mut stage, "ecc_uncorrected", 1);
    let (name, _) = stage.the("hostMemoryEccUncorrected");
    stage.act(&name, AlarmAct::Clear("module replaced".into())).expect("a person may");
    assert!(is_cleared(&stage, "hostMemoryEccUncorrected"));
}

#[test]
fn raises_host_cpu_throttled() {
    let mut stage = stage();
    for _ in 0..4 {
        counted(&mut stage, "cpu_throttle", 1);
        stage.pass(600);
    }
    assert!(stage.active().is_empty(), "now and then");
    for _ in 0..6 {
        counted(&mut stage, "cpu_throttle", 10);
        stage.pass(60);
    }
    assert_eq!(stage.active(), ["hostCpuThrottled"]);
}

#[test]
fn clears_host_cpu_throttled() {
    let mut stage = stage();
    for _ in 0..6 {
        counted(&mut stage, "cpu_throttle", 10);
        stage.pass(60);
    }
    stage.pass(900);
    assert!(is_cleared(&stage, "hostCpuThrottled"));
}

/// A watcher of the port tells that a condition is there, or over.
fn tell(stage: &mut Stage, subject: IncidentSubject, alarm_type: &str, active: bool, details: &[(&str, &str)]) {
    let kind = IncidentKind::Condition { alarm_type: alarm_type.into(), active };
    stage.incident_with("a", subject, kind, details);
    stage.again(&host());
    stage.pass(31);
}

/// A condition that is told, at which object, and told to be over.
fn told_and_over(subject: &IncidentSubject, alarm_type: &str, details: &[(&str, &str)], object: &str) -> Stage {
    let mut stage = stage();
    tell(&mut stage, subject.clone(), alarm_type, true, details);
    assert_eq!(stage.active(), [alarm_type]);
    assert_eq!(stage.the(alarm_type).1.object.as_str(), object);
    tell(&mut stage, subject.clone(), alarm_type, false, details);
    assert!(is_cleared(&stage, alarm_type));
    stage
}

#[test]
fn raises_host_disk_failed_and_clears_it() {
    let disk = IncidentSubject::HostDisk("sda".into());
    let stage = told_and_over(&disk, "hostDiskFailed", &[("severity", "critical")], "hosts/a/disks/sda");
    assert_eq!(severity(&stage, "hostDiskFailed"), PerceivedSeverity::Critical);
}

#[test]
fn raises_host_temperature_high_and_clears_it() {
    let sensor = [("sensor", "Package 0"), ("text", "Package 0 of a has 98 degrees")];
    let stage = told_and_over(&IncidentSubject::Host, "hostTemperatureHigh", &sensor, "hosts/a/sensors/Package%200");
    assert_eq!(stage.the("hostTemperatureHigh").1.text, "Package 0 of a has 98 degrees");
}

#[test]
fn raises_hypervisor_unavailable() {
    let mut stage = stage();
    tell(&mut stage, IncidentSubject::Host, "hypervisorUnavailable", true, &[]);
    assert!(stage.active().is_empty(), "no machine of this host wants KVM");
    change_definition(&mut stage, |definition| definition.virtualization_type = "kvm".into());
    tell(&mut stage, IncidentSubject::Host, "hypervisorUnavailable", true, &[]);
    assert_eq!(stage.active(), ["hypervisorUnavailable"]);
}

#[test]
fn clears_hypervisor_unavailable() {
    let mut stage = stage();
    change_definition(&mut stage, |definition| definition.virtualization_type = "kvm".into());
    tell(&mut stage, IncidentSubject::Host, "hypervisorUnavailable", true, &[]);
    tell(&mut stage, IncidentSubject::Host, "hypervisorUnavailable", false, &[]);
    assert!(is_cleared(&stage, "hypervisorUnavailable"));
}

#[test]
fn raises_time_sync_lost_of_a_host() {
    let mut stage = stage();
    tell(&mut stage, IncidentSubject::Host, "timeSyncLost", true, &[]);
    assert!(stage.active().is_empty(), "held on for 15 min");
    stage.pass(900);
    assert_eq!(stage.active(), ["timeSyncLost"]);
}

#[test]
fn a_condition_nobody_knows_is_nothing() {
    let mut stage = stage();
    tell(&mut stage, IncidentSubject::Host, "hostOnFire", true, &[]);
    assert!(stage.active().is_empty());
}

/// A reporter tells that a condition is there, or over.
fn report(stage: &mut Stage, alarm_type: &str, object: &str, active: bool) {
    let condition = ReportedCondition {
        alarm_type: alarm_type.into(),
        object: Name::new(object),
        active,
        ..ReportedCondition::default()
    };
    stage.command(AlarmCommand::Report(condition)).expect("a type for reporters");
    stage.again(&host());
    stage.pass(31);
}

/// A reported condition stands whatever is read of the object, until the reporter says that it is over.
fn reported(alarm_type: &str, object: &str) -> Stage {
    let mut stage = stage();
    report(&mut stage, alarm_type, object, true);
    stage.pass(600);
    stage.again(&host());
    assert_eq!(stage.active(), [alarm_type]);
    stage
}

fn reported_over(alarm_type: &str, object: &str) {
    let mut stage = reported(alarm_type, object);
    report(&mut stage, alarm_type, object, false);
    assert!(is_cleared(&stage, alarm_type));
}

#[test]
fn raises_host_disk_failure_predicted() {
    reported("hostDiskFailurePredicted", "hosts/a/disks/sda");
}

#[test]
fn clears_host_disk_failure_predicted() {
    reported_over("hostDiskFailurePredicted", "hosts/a/disks/sda");
}

#[test]
fn raises_host_raid_degraded() {
    reported("hostRaidDegraded", "hosts/a/disks/md0");
}

#[test]
fn clears_host_raid_degraded() {
    reported_over("hostRaidDegraded", "hosts/a/disks/md0");
}

#[test]
fn raises_host_fan_failed() {
    reported("hostFanFailed", "hosts/a/sensors/fan1");
}

#[test]
fn clears_host_fan_failed() {
    reported_over("hostFanFailed", "hosts/a/sensors/fan1");
}

#[test]
fn raises_host_power_supply_failed() {
    reported("hostPowerSupplyFailed", "hosts/a/sensors/psu1");
}

#[test]
fn clears_host_power_supply_failed() {
    reported_over("hostPowerSupplyFailed", "hosts/a/sensors/psu1");
}

#[test]
fn clears_host_disk_failed_when_its_reporter_says_so() {
    reported_over("hostDiskFailed", "hosts/a/disks/sda");
}

#[test]
fn clears_host_temperature_high_when_its_reporter_says_so() {
    reported_over("hostTemperatureHigh", "hosts/a/sensors/inlet");
}

#[test]
fn raises_host_down() {
    let mut stage = stage();
    stage.host("a", ConnectionState::Lost);
    stage.pass(6);
    let condition = ReportedCondition {
        alarm_type: "hostDown".into(),
        object: host(),
        active: true,
        ..ReportedCondition::default()
    };
    stage.command(AlarmCommand::Report(condition)).expect("a type for reporters");
    assert_eq!(stage.active(), ["hostDown"], "what was unreachable is down");
}

#[test]
fn clears_host_down_when_the_host_is_reached() {
    let mut stage = stage();
    stage.host("a", ConnectionState::Lost);
    report(&mut stage, "hostDown", "hosts/a", true);
    stage.host("a", ConnectionState::Connected);
    assert!(is_cleared(&stage, "hostDown"));
}
