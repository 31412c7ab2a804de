//! Derived metrics over true intervals.

use super::{Stage, everything, sample};
use crate::model::measurement::{AbsentReason, Number, Part, Sample};
use crate::model::metric::Metric;

const SECOND: u64 = 1_000_000_000;

fn disk(name: &str) -> Part {
    Part::Disk(name.into())
}

fn stage() -> Stage {
    Stage::new(everything(&[], 60))
}

fn near(value: Result<f64, Option<AbsentReason>>, wanted: f64) {
    let value = value.unwrap();
    assert!((value - wanted).abs() < 1e-6, "{value} is not {wanted}");
}

#[test]
fn usage_is_over_the_true_interval_per_virtual_cpu_and_never_above_100_percent() {
    let mut stage = stage();
    stage.cpu(0.0, 1, 0);
    assert_eq!(stage.value(&Part::Whole, Metric::VmCpuUsage), Err(Some(AbsentReason::NoInterval)));
    stage.cpu(12.5, 1, 5 * SECOND);
    near(stage.value(&Part::Whole, Metric::VmCpuUsage), 20.0);
    near(stage.value(&Part::Whole, Metric::VmCpuUsageCores), 0.4);
    // With the emulator's own time two virtual CPUs can seem to use more than two.
    stage.cpu(22.5, 1, 27 * SECOND);
    near(stage.value(&Part::Whole, Metric::VmCpuUsage), 100.0);
    near(stage.value(&Part::Whole, Metric::VmCpuUsageCores), 2.2);
}

#[test]
fn a_restart_gives_no_value_and_the_next_look_does() {
    let mut stage = stage();
    stage.cpu(0.0, 1, 100 * SECOND);
    stage.cpu(10.0, 2, SECOND);
    assert_eq!(stage.value(&Part::Whole, Metric::VmCpuUsage), Err(Some(AbsentReason::NoInterval)));
    stage.cpu(20.0, 2, 3 * SECOND);
    near(stage.value(&Part::Whole, Metric::VmCpuUsage), 10.0);
    // A counter that goes back within an incarnation is a reset as well.
    stage.cpu(30.0, 2, 2 * SECOND);
    assert_eq!(stage.value(&Part::Whole, Metric::VmCpuUsage), Err(Some(AbsentReason::NoInterval)));
}

#[test]
fn without_a_known_number_of_virtual_cpus_there_is_no_usage() {
    let mut stage = stage();
    stage.see(0.0, &[sample(Part::Whole, 1, &[(Metric::VmCpuTime, 0)])]);
    stage.see(10.0, &[sample(Part::Whole, 1, &[(Metric::VmCpuTime, SECOND)])]);
    assert_eq!(stage.value(&Part::Whole, Metric::VmCpuUsage), Err(Some(AbsentReason::Unsupported)));
    near(stage.value(&Part::Whole, Metric::VmCpuUsageCores), 0.1);
}

#[test]
fn steal_and_usage_of_virtual_cpus_come_at_their_own_cadence() {
    let cpu = |number: u32, time: u64, delay: u64| {
        sample(Part::Cpu(number), 1, &[(Metric::VcpuTime, time * SECOND), (Metric::VcpuDelay, delay * SECOND)])
    };
    let whole = |time: u64| sample(Part::Whole, 1, &[(Metric::VmCpuTime, time * SECOND), (Metric::VmVcpuCurrent, 2)]);
    let mut stage = stage();
    stage.see(0.0, &[whole(0), cpu(0, 0, 0), cpu(1, 0, 0)]);
    stage.see(10.0, &[whole(1)]);
    stage.see(60.0, &[whole(40), cpu(0, 30, 6), cpu(1, 6, 0)]);
    near(stage.value(&Part::Cpu(0), Metric::VcpuUsage), 50.0);
    near(stage.value(&Part::Cpu(0), Metric::VcpuStealRatio), 10.0);
    near(stage.value(&Part::Whole, Metric::VmCpuSteal), 5.0);
    near(stage.value(&Part::Whole, Metric::VmCpuEmulatorTime), 4e9);
    // At the looks between the last value stands; it is not worked out from nothing.
    stage.see(70.0, &[whole(41)]);
    near(stage.value(&Part::Whole, Metric::VmCpuSteal), 5.0);
    near(stage.value(&Part::Whole, Metric::VmCpuUsage), 5.0);
}

#[test]
fn latency_without_operations_is_no_events() {
    let io = |ops: u64, time: u64| {
        let readings = [
            (Metric::VdiskReadOps, ops),
            (Metric::VdiskWriteOps, 0),
            (Metric::VdiskReadTime, time * 1_000_000),
            (Metric::VdiskReadBytes, ops * 512),
        ];
        sample(disk("vda"), 1, &readings)
    };
    let mut stage = stage();
    stage.see(0.0, &[io(0, 0)]);
    stage.see(10.0, &[io(0, 0)]);
    assert_eq!(stage.value(&disk("vda"), Metric::VdiskLatencyRead), Err(Some(AbsentReason::NoEvents)));
    near(stage.value(&disk("vda"), Metric::VdiskIops), 0.0);
    stage.see(20.0, &[io(50, 100)]);
    near(stage.value(&disk("vda"), Metric::VdiskLatencyRead), 2.0);
    near(stage.value(&disk("vda"), Metric::VdiskIops), 5.0);
}

#[test]
fn a_disk_that_is_plugged_in_adds_what_it_moves_from_then_on() {
    let bytes = |name: &str, bytes: u64| sample(disk(name), 1, &[(Metric::VdiskReadBytes, bytes)]);
    let whole = || sample(Part::Whole, 1, &[(Metric::VmVcpuCurrent, 1)]);
    let mut stage = stage();
    stage.see(0.0, &[whole(), bytes("vda", 100)]);
    near(stage.value(&Part::Whole, Metric::VmDiskReadBytes), 100.0);
    stage.see(10.0, &[whole(), bytes("vda", 150), bytes("vdb", 9_000)]);
    near(stage.value(&Part::Whole, Metric::VmDiskReadBytes), 150.0);
    stage.see(20.0, &[whole(), bytes("vda", 160), bytes("vdb", 9_005)]);
    near(stage.value(&Part::Whole, Metric::VmDiskReadBytes), 165.0);
    // Taken out: the sum does not go back.
    stage.see(30.0, &[whole(), bytes("vda", 170)]);
    near(stage.value(&Part::Whole, Metric::VmDiskReadBytes), 175.0);
}

#[test]
fn memory_is_the_guests_word_while_it_is_young_else_the_processs() {
    use Metric::{
        VmMemoryCurrent, VmMemoryGuestAvailable, VmMemoryGuestUsable, VmMemoryRss, VmMemoryStatsAge, VmMemoryUsage,
    };
    let mut stage = stage();
    let own = [(VmMemoryRss, 300), (VmMemoryCurrent, 1_000)];
    stage.see(0.0, &[sample(Part::Whole, 1, &own)]);
    near(stage.value(&Part::Whole, VmMemoryUsage), 30.0);
    let guest = [(VmMemoryGuestAvailable, 1_000), (VmMemoryGuestUsable, 100), (VmMemoryStatsAge, 5)];
    stage.see(10.0, &[sample(Part::Whole, 1, &[&own[..], &guest[..]].concat())]);
    near(stage.value(&Part::Whole, VmMemoryUsage), 90.0);
    let old = [(VmMemoryGuestAvailable, 1_000), (VmMemoryGuestUsable, 100), (VmMemoryStatsAge, 500)];
    stage.see(20.0, &[sample(Part::Whole, 1, &[&own[..], &old[..]].concat())]);
    near(stage.value(&Part::Whole, VmMemoryUsage), 30.0);
}

#[test]
fn what_a_source_forbids_is_absent_with_its_reason_in_what_comes_from_it_too() {
    let mut stage = stage();
    let absent = vec![(Metric::VmMemoryRss, AbsentReason::ReadOnlyConnection)];
    let readings = vec![(Metric::VmMemoryCurrent, Number::Integer(1_000))];
    let told = Sample { readings, absent, ..sample(Part::Whole, 1, &[]) };
    stage.see(0.0, &[told]);
    assert_eq!(stage.value(&Part::Whole, Metric::VmMemoryUsage), Err(Some(AbsentReason::ReadOnlyConnection)));
}

#[test]
fn what_is_not_told_again_is_forgotten_after_a_while() {
    let mut stage = stage();
    stage.see(0.0, &[sample(Part::Whole, 1, &[(Metric::VmMemoryRss, 1), (Metric::VmVcpuCurrent, 1)])]);
    stage.see(300.0, &[sample(Part::Whole, 1, &[(Metric::VmVcpuCurrent, 1)])]);
    assert!(stage.value(&Part::Whole, Metric::VmMemoryRss).is_ok());
    stage.see(340.0, &[sample(Part::Whole, 1, &[(Metric::VmVcpuCurrent, 1)])]);
    assert_eq!(stage.value(&Part::Whole, Metric::VmMemoryRss), Err(None));
}

#[test]
fn a_host_is_busy_as_far_as_it_is_neither_idle_nor_waiting() {
    use crate::model::measurement::{MeasuredKey, Owner};
    use crate::performance::{Look, derive, merge};
    use Metric::{HostCpuTimeIdle, HostCpuTimeIowait, HostCpuTimeKernel, HostCpuTimeUser};
    let owner = Owner::Host(super::host("a"));
    let look = |at: u64| Look { host: None, time: crate::model::Timestamp(0), at: std::time::Duration::from_secs(at) };
    let told = |user: u64, kernel: u64, idle: u64, wait: u64| {
        let readings =
            [(HostCpuTimeUser, user), (HostCpuTimeKernel, kernel), (HostCpuTimeIdle, idle), (HostCpuTimeIowait, wait)];
        let readings = readings.map(|(metric, value)| (metric, Number::Integer(value * SECOND))).to_vec();
        Sample { key: MeasuredKey::whole(owner.clone()), incarnation: 1, readings, absent: Vec::new() }
    };
    let mut first = merge(None, owner.clone(), &[told(0, 0, 0, 0)], &look(10));
    derive(None, &mut first);
    let mut second = merge(Some(&first), owner.clone(), &[told(20, 5, 70, 5)], &look(20));
    derive(Some(&first), &mut second);
    let usage = second.part(&Part::Whole).unwrap().get(Metric::HostCpuUsage).unwrap().number().as_f64();
    assert!((usage - 25.0).abs() < 1e-9, "{usage}");
}

#[test]
fn a_source_that_does_not_know_the_incarnation_takes_nothing_away() {
    let mut stage = stage();
    stage.cpu(0.0, 1, 0);
    stage.see(5.0, &[sample(Part::Whole, 0, &[(Metric::VmMemoryRss, 1)])]);
    stage.cpu(10.0, 1, SECOND);
    near(stage.value(&Part::Whole, Metric::VmCpuUsage), 5.0);
    near(stage.value(&Part::Whole, Metric::VmMemoryRss), 1.0);
}
