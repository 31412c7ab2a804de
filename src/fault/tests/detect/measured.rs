//! Conditions that the results of periods show: built-in monitors and those of people.

use super::*;
use crate::model::AlarmProfile;
use crate::model::PerceivedSeverity::{Major, Minor, Warning};
use crate::model::alarm::AlarmMatch;
use crate::model::alarm_command::AlarmCommand;
use crate::model::measurement::{ThresholdCrossing, ThresholdDirection};
use crate::model::metric::Metric;

/// What the measurement part tells at the end of a period.
fn told(monitor: &str, object: &Name, metric: Metric, value: f64) -> ThresholdCrossing {
    ThresholdCrossing {
        monitor: monitor.to_owned(),
        object: object.clone(),
        metric,
        severity: None,
        value,
        level: 0.0,
        direction: ThresholdDirection::Up,
        hysteresis: 0.0,
        time: crate::model::Timestamp(0),
    }
}

fn part(name: &str) -> Name {
    Name::new(name)
}

/// Some types are off unless a profile switches them on.
fn switch_on(stage: &mut Stage, alarm_type: &str) {
    let matches = AlarmMatch { alarm_types: vec![alarm_type.to_owned()], ..AlarmMatch::default() };
    let profile = Box::new(AlarmProfile { matches, off: Some(false), ..AlarmProfile::default() });
    stage.command(AlarmCommand::PutProfile { name: Name::alarm_profile("on"), create: true, profile }).unwrap();
}

fn raises(alarm_type: &str, object: &Name, metric: Metric, value: f64) -> Stage {
    let mut stage = stage();
    switch_on(&mut stage, alarm_type);
    stage.crossings(&[told(alarm_type, object, metric, value)]);
    stage.pass(601);
    assert_eq!(stage.active(), [alarm_type]);
    let alarm = stage.the(alarm_type).1;
    assert_eq!(&alarm.object, object);
    assert_eq!(alarm.threshold.map(|threshold| threshold.observed), Some(value));
    stage
}

fn clears(alarm_type: &str, object: &Name, metric: Metric, bad: f64, good: f64) {
    let mut stage = raises(alarm_type, object, metric, bad);
    stage.crossings(&[told(alarm_type, object, metric, good)]);
    stage.pass(601);
    assert!(is_cleared(&stage, alarm_type), "{:?}", stage.list());
}

#[test]
fn raises_host_cpu_high() {
    raises("hostCpuHigh", &host(), Metric::HostCpuUsage, 1e+02);
}

#[test]
fn clears_host_cpu_high() {
    clears("hostCpuHigh", &host(), Metric::HostCpuUsage, 1e+02, 8e+01);
}

#[test]
fn raises_host_swapping() {
    raises("hostSwapping", &host(), Metric::HostSwapIn, 2e+02);
}

#[test]
fn clears_host_swapping() {
    clears("hostSwapping", &host(), Metric::HostSwapIn, 2e+02, 0e+00);
}

#[test]
fn raises_host_disk_latency_high() {
    raises("hostDiskLatencyHigh", &part("hosts/a/disks/sda"), Metric::HostDiskLatencyRead, 6e+01);
}

#[test]
fn clears_host_disk_latency_high() {
    clears("hostDiskLatencyHigh", &part("hosts/a/disks/sda"), Metric::HostDiskLatencyRead, 6e+01, 1e+00);
}

#[test]
fn raises_host_nic_errors() {
    raises("hostNicErrors", &part("hosts/a/nics/eth0"), Metric::HostNetRxErrors, 1e+00);
}

#[test]
fn clears_host_nic_errors() {
    clears("hostNicErrors", &part("hosts/a/nics/eth0"), Metric::HostNetRxErrors, 1e+00, 0e+00);
}

#[test]
fn raises_host_nic_saturated() {
    raises("hostNicSaturated", &part("hosts/a/nics/eth0"), Metric::HostNetUtilisationRx, 1e+02);
}

#[test]
fn clears_host_nic_saturated() {
    clears("hostNicSaturated", &part("hosts/a/nics/eth0"), Metric::HostNetUtilisationRx, 1e+02, 1e+01);
}

#[test]
fn raises_vm_cpu_high() {
    raises("vmCpuHigh", &machine(), Metric::VmCpuUsage, 1e+02);
}

#[test]
fn clears_vm_cpu_high() {
    clears("vmCpuHigh", &machine(), Metric::VmCpuUsage, 1e+02, 1e+01);
}

#[test]
fn raises_vm_cpu_steal() {
    raises("vmCpuSteal", &machine(), Metric::VmCpuSteal, 2e+01);
}

#[test]
fn clears_vm_cpu_steal() {
    clears("vmCpuSteal", &machine(), Metric::VmCpuSteal, 2e+01, 0e+00);
}

#[test]
fn raises_vm_memory_high() {
    raises("vmMemoryHigh", &machine(), Metric::VmMemoryUsage, 1e+02);
}

#[test]
fn clears_vm_memory_high() {
    clears("vmMemoryHigh", &machine(), Metric::VmMemoryUsage, 1e+02, 5e+01);
}

#[test]
fn raises_vm_disk_latency_high() {
    raises("vmDiskLatencyHigh", &part(&format!("{}/disks/vda", machine())), Metric::VdiskLatencyRead, 2e+02);
}

#[test]
fn clears_vm_disk_latency_high() {
    clears("vmDiskLatencyHigh", &part(&format!("{}/disks/vda", machine())), Metric::VdiskLatencyRead, 2e+02, 1e+00);
}

#[test]
fn raises_vm_nic_drops() {
    raises("vmNicDrops", &part(&format!("{}/nics/52:54:00:00:00:01", machine())), Metric::VnicRxDropped, 2e+00);
}

#[test]
fn clears_vm_nic_drops() {
    clears("vmNicDrops", &part(&format!("{}/nics/52:54:00:00:00:01", machine())), Metric::VnicRxDropped, 2e+00, 0e+00);
}

#[test]
fn a_built_in_figure_has_its_band_and_its_severities() {
    let mut stage = raises("vmCpuHigh", &machine(), Metric::VmCpuUsage, 99.0);
    assert_eq!(stage.the("vmCpuHigh").1.perceived_severity, Major);
    stage.crossings(&[told("vmCpuHigh", &machine(), Metric::VmCpuUsage, 94.0)]);
    assert_eq!(stage.the("vmCpuHigh").1.perceived_severity, Major, "inside the band of 98");
    stage.crossings(&[told("vmCpuHigh", &machine(), Metric::VmCpuUsage, 92.0)]);
    assert_eq!(stage.the("vmCpuHigh").1.perceived_severity, Minor);
    stage.crossings(&[told("vmCpuHigh", &machine(), Metric::VmCpuUsage, 76.0)]);
    assert_eq!(stage.the("vmCpuHigh").1.perceived_severity, Warning);
}

fn crossed(monitor: &str, severity: Option<PerceivedSeverity>) -> ThresholdCrossing {
    ThresholdCrossing { severity, level: 50.0, hysteresis: 5.0, ..told(monitor, &machine(), Metric::VmCpuUsage, 60.0) }
}

#[test]
fn raises_threshold_crossed_once_for_all_monitors_of_an_object() {
    let mut stage = stage();
    stage.crossings(&[crossed("busy", Some(Minor)), crossed("full", Some(Major))]);
    let alarm = stage.the("thresholdCrossed").1;
    assert_eq!(alarm.perceived_severity, Major);
    let threshold = alarm.threshold.unwrap();
    assert_eq!((threshold.level, threshold.clear_level, threshold.observed), (50.0, 45.0, 60.0));
    stage.crossings(&[crossed("full", None)]);
    assert_eq!(stage.the("thresholdCrossed").1.perceived_severity, Minor);
}

#[test]
fn clears_threshold_crossed() {
    let mut stage = stage();
    stage.crossings(&[crossed("busy", Some(Minor)), crossed("full", Some(Major))]);
    stage.crossings(&[crossed("busy", None)]);
    assert_eq!(stage.active(), ["thresholdCrossed"]);
    stage.monitor_ended("full");
    assert!(is_cleared(&stage, "thresholdCrossed"));
}

#[test]
fn after_a_restart_one_monitor_does_not_clear_what_another_found() {
    let mut stage = stage();
    stage.crossings(&[crossed("busy", Some(Minor)), crossed("full", Some(Major))]);
    stage.restart();
    stage.crossings(&[crossed("busy", None)]);
    assert_eq!(stage.active(), ["thresholdCrossed"]);
    stage.crossings(&[crossed("full", None)]);
    assert!(is_cleared(&stage, "thresholdCrossed"));
}
