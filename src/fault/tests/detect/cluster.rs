//! Conditions of the cluster.

use super::*;
use crate::model::AlarmProfile;
use crate::model::alarm::AlarmMatch;
use crate::model::alarm_command::AlarmCommand;
use crate::model::capacity::Amount;
use crate::model::host::{Cluster, Hypervisor};

/// A profile switches a type on that is off by default.
fn switched_on(alarm_type: &str) -> Stage {
    let mut stage = stage();
    let profile = AlarmProfile {
        matches: AlarmMatch { alarm_types: vec![alarm_type.into()], ..AlarmMatch::default() },
        off: Some(false),
        ..AlarmProfile::default()
    };
    let put = AlarmCommand::PutProfile { name: Name::alarm_profile("on"), create: true, profile: Box::new(profile) };
    stage.command(put).expect("a profile");
    stage
}

fn cluster(stage: &mut Stage, change: impl FnOnce(&mut Cluster)) {
    let mut cluster = Cluster::default();
    change(&mut cluster);
    expected_up(stage, &Name::cluster(), Body::Cluster(Box::new(cluster)));
}

fn version(stage: &mut Stage, host: &str, version: &str) {
    let hypervisor = Hypervisor {
        technology: "qemu".into(),
        version: version.into(),
        libvirt_version: "11.3.0".into(),
        connection_state: ConnectionState::Connected,
        ..Hypervisor::default()
    };
    expected_up(stage, &Name::hypervisor(&host_id(host), "qemu"), Body::Hypervisor(Box::new(hypervisor)));
    cluster(stage, |_| ());
}

const WEEK: u64 = 604_800;

#[test]
fn raises_hypervisor_software_mismatch() {
    let mut stage = stage();
    version(&mut stage, "a", "10.0.2");
    version(&mut stage, "b", "9.2.0");
    stage.pass(WEEK - 1);
    cluster(&mut stage, |_| ());
    assert!(stage.active().is_empty(), "an upgrade takes its time");
    stage.pass(1);
    assert_eq!(stage.active(), ["hypervisorSoftwareMismatch"]);
}

#[test]
fn clears_hypervisor_software_mismatch() {
    let mut stage = stage();
    version(&mut stage, "a", "10.0.2");
    version(&mut stage, "b", "9.2.0");
    stage.pass(WEEK);
    version(&mut stage, "b", "10.0.2");
    assert!(is_cleared(&stage, "hypervisorSoftwareMismatch"));
}

fn memory(stage: &mut Stage, allocated: u64) {
    cluster(stage, |cluster| {
        cluster.volatile.capacity.memory_bytes = Some(Amount::new(100, allocated, 1.0));
        cluster.volatile.capacity.vcpus = Some(Amount::new(100, 100, 4.0));
    });
}

#[test]
fn raises_cluster_capacity_low() {
    let mut stage = stage();
    memory(&mut stage, 99);
    stage.pass(60);
    assert!(stage.active().is_empty(), "off until a profile switches it on");
    let mut stage = switched_on("clusterCapacityLow");
    memory(&mut stage, 84);
    stage.pass(31);
    assert!(stage.active().is_empty());
    memory(&mut stage, 85);
    stage.pass(31);
    assert_eq!(severity(&stage, "clusterCapacityLow"), PerceivedSeverity::Minor);
    memory(&mut stage, 96);
    assert_eq!(severity(&stage, "clusterCapacityLow"), PerceivedSeverity::Major);
}

#[test]
fn clears_cluster_capacity_low() {
    let mut stage = switched_on("clusterCapacityLow");
    memory(&mut stage, 90);
    stage.pass(31);
    memory(&mut stage, 81);
    assert!(!is_cleared(&stage, "clusterCapacityLow"), "hysteresis");
    memory(&mut stage, 79);
    assert!(is_cleared(&stage, "clusterCapacityLow"));
}

fn three_hosts(stage: &mut Stage, needed: u64) {
    for name in ["a", "b", "c"] {
        stage.host(name, ConnectionState::Connected);
        stage.change(&Name::host(&host_id(name)), |object| match &mut object.body {
            Body::Host(host) => host.memory_total_bytes = 100 * GIB,
            _ => panic!("it is a host"),
        });
    }
    change_definition(stage, |definition| definition.memory_current_bytes = needed * GIB);
    cluster(stage, |_| ());
}

#[test]
fn raises_cluster_redundancy_lost() {
    let mut stage = stage();
    three_hosts(&mut stage, 250);
    stage.pass(60);
    assert!(stage.active().is_empty(), "off until a profile switches it on");
    let mut stage = switched_on("clusterRedundancyLost");
    three_hosts(&mut stage, 200);
    stage.pass(31);
    assert!(stage.active().is_empty(), "it just fits");
    three_hosts(&mut stage, 201);
    stage.pass(31);
    assert_eq!(stage.active(), ["clusterRedundancyLost"]);
}

#[test]
fn clears_cluster_redundancy_lost() {
    let mut stage = switched_on("clusterRedundancyLost");
    three_hosts(&mut stage, 250);
    stage.pass(31);
    three_hosts(&mut stage, 100);
    assert!(is_cleared(&stage, "clusterRedundancyLost"));
}
