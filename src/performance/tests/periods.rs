//! Results of periods: what is counted, when, and when it is suspect.

use super::{Stage, everything, host, sample};
use crate::model::measurement::{AbsentReason, Part, PeriodValue, SuspectReason};
use crate::model::metric::Metric;
use std::time::Duration;

const SECOND: u64 = 1_000_000_000;
const TIME: Metric = Metric::VmCpuTime;

fn reasons(value: &PeriodValue) -> Vec<SuspectReason> {
    value.suspect.reasons().collect()
}

/// Half a core for ten minutes, looked at every ten seconds, two seconds after each.
fn steady(stage: &mut Stage, from: u32, to: u32) {
    for round in from..to {
        stage.cpu(f64::from(round) * 10.0 + 2.0, 1, u64::from(round) * 5 * SECOND);
    }
}

#[test]
fn periods_are_aligned_and_add_up() {
    let mut stage = Stage::new(everything(&[TIME, Metric::VmCpuUsage], 60));
    steady(&mut stage, 0, 20);
    stage.close(200.0);
    let first = stage.period(0, TIME).unwrap();
    assert_eq!((first.value, first.samples), (Ok(25e9), 6));
    assert_eq!(reasons(first), [SuspectReason::LateStart]);
    for begin in [60, 120] {
        let value = stage.period(begin, TIME).unwrap();
        assert_eq!((value.value, value.samples, reasons(value)), (Ok(30e9), 6, vec![]));
        assert_eq!((value.min, value.max), (None, None));
        let usage = stage.period(begin, Metric::VmCpuUsage).unwrap();
        assert!((usage.value.unwrap() - 25.0).abs() < 1e-9, "{usage:?}");
        assert_eq!((usage.min, usage.max, usage.last), (Some(25.0), Some(25.0), Some(25.0)));
    }
    assert!(stage.period(180, TIME).is_none(), "it is not over");
}

#[test]
fn a_restart_is_a_reset_and_only_there() {
    let mut stage = Stage::new(everything(&[TIME], 60));
    steady(&mut stage, 0, 9);
    stage.cpu(92.0, 2, SECOND);
    stage.cpu(102.0, 2, 3 * SECOND);
    for round in 11..20_u32 {
        stage.cpu(f64::from(round) * 10.0 + 2.0, 2, u64::from(round) * SECOND);
    }
    stage.close(260.0);
    let value = stage.period(60, TIME).unwrap();
    // 6 s, 7 s, 8 s: five each; the restart is not known; two, then eight.
    assert_eq!((value.value, reasons(value)), (Ok(25e9), vec![SuspectReason::CounterReset]));
    let after = stage.period(120, TIME).unwrap();
    assert_eq!((after.value, reasons(after)), (Ok(6e9), vec![]));
}

#[test]
fn a_migration_is_told_as_such() {
    let mut stage = Stage::new(everything(&[TIME], 60));
    steady(&mut stage, 0, 9);
    stage.on = host("b");
    stage.cpu(92.0, 9, SECOND);
    stage.cpu(102.0, 9, 2 * SECOND);
    stage.cpu(122.0, 9, 3 * SECOND);
    let value = stage.period(60, TIME).unwrap();
    assert_eq!((value.value, reasons(value)), (Ok(16e9), vec![SuspectReason::Migration]));
}

#[test]
fn a_gap_is_told_and_what_was_counted_meanwhile_is_not_lost() {
    let mut stage = Stage::new(everything(&[TIME], 60));
    steady(&mut stage, 0, 13);
    steady(&mut stage, 16, 25);
    stage.close(300.0);
    let value = stage.period(120, TIME).unwrap();
    assert_eq!((value.value, reasons(value)), (Ok(30e9), vec![SuspectReason::Gap]));
    assert!(reasons(stage.period(180, TIME).unwrap()).is_empty());
}

#[test]
fn a_period_that_ends_in_silence_has_a_gap() {
    let mut stage = Stage::new(everything(&[TIME], 60));
    steady(&mut stage, 0, 9);
    stage.close(140.0);
    let value = stage.period(60, TIME).unwrap();
    assert_eq!((value.samples, reasons(value)), (3, vec![SuspectReason::Gap]));
}

#[test]
fn a_lost_host_is_told_in_every_period_and_nothing_is_zero() {
    let mut stage = Stage::new(everything(&[TIME], 60));
    steady(&mut stage, 0, 9);
    stage.accumulators.host_lost(&host("a"));
    stage.close(140.0);
    stage.close(200.0);
    stage.close(260.0);
    assert!(reasons(stage.period(60, TIME).unwrap()).contains(&SuspectReason::HostLost));
    for begin in [120, 180] {
        let value = stage.period(begin, TIME).unwrap();
        assert_eq!((value.value, value.samples), (Err(AbsentReason::HostLost), 0));
        assert_eq!(reasons(value), [SuspectReason::HostLost]);
    }
    stage.accumulators.host_back(&host("a"));
    steady(&mut stage, 26, 37);
    let back = stage.period(240, TIME).unwrap();
    assert!(reasons(back).contains(&SuspectReason::HostLost) && reasons(back).contains(&SuspectReason::Gap));
    assert!(reasons(stage.period(300, TIME).unwrap()).is_empty());
}

#[test]
fn a_step_of_the_clock_marks_the_period_and_changes_no_difference() {
    let mut stage = Stage::new(everything(&[TIME, Metric::VmCpuUsage], 60));
    steady(&mut stage, 0, 9);
    stage.set_by = 5.0;
    stage.stepped = true;
    steady(&mut stage, 9, 19);
    let value = stage.period(60, TIME).unwrap();
    assert_eq!((value.value, reasons(value)), (Ok(30e9), vec![SuspectReason::ClockStep]));
    assert!((stage.period(60, Metric::VmCpuUsage).unwrap().value.unwrap() - 25.0).abs() < 1e-9);
    assert!(reasons(stage.period(120, TIME).unwrap()).is_empty());
}

#[test]
fn a_clock_that_is_set_back_by_hours_goes_on_with_the_periods_of_its_time() {
    let mut stage = Stage::new(everything(&[TIME], 60));
    stage.set_by = 7_200.0;
    steady(&mut stage, 0, 9);
    stage.set_by = 0.0;
    stage.stepped = true;
    steady(&mut stage, 9, 19);
    assert!(reasons(stage.period(7_260, TIME).unwrap()).contains(&SuspectReason::ClockStep));
    assert!(reasons(stage.period(60, TIME).unwrap()).contains(&SuspectReason::ClockStep));
    assert_eq!(stage.period(120, TIME).unwrap().value, Ok(30e9));
}

#[test]
fn a_mean_is_weighted_by_time() {
    let mut stage = Stage::new(everything(&[Metric::VmMemoryRss], 60));
    let rss = |stage: &mut Stage, at: f64, value: u64| {
        stage.see(at, &[sample(Part::Whole, 1, &[(Metric::VmMemoryRss, value)])]);
    };
    rss(&mut stage, 0.0, 100);
    rss(&mut stage, 10.0, 100);
    rss(&mut stage, 30.0, 400);
    rss(&mut stage, 60.0, 0);
    let value = stage.period(0, Metric::VmMemoryRss).unwrap();
    assert_eq!(value.value, Ok((100.0 * 10.0 + 100.0 * 10.0 + 400.0 * 20.0) / 40.0));
    assert_eq!((value.min, value.max, value.last, value.samples), (Some(100.0), Some(400.0), Some(400.0), 3));
}

#[test]
fn an_order_in_the_middle_begins_late_and_what_was_there_goes_on() {
    let mut stage = Stage::new(everything(&[TIME], 60));
    steady(&mut stage, 0, 9);
    let orders = everything(&[TIME, Metric::VmCpuUsage], 60);
    let now = stage.wall();
    stage.accumulators.reorder(orders, now);
    steady(&mut stage, 9, 13);
    assert_eq!(stage.period(60, TIME).map(|value| (value.value, reasons(value))), Some((Ok(30e9), vec![])));
    assert_eq!(reasons(stage.period(60, Metric::VmCpuUsage).unwrap()), [SuspectReason::LateStart]);
    assert_eq!(stage.accumulators.series(), 2);
}

#[test]
fn what_is_gone_tells_what_was_measured() {
    let mut stage = Stage::new(everything(&[TIME], 60));
    steady(&mut stage, 0, 9);
    let mut results = Vec::new();
    stage.accumulators.forget(&super::machine(), &mut results);
    assert_eq!(results.len(), 1);
    assert_eq!(reasons(&results[0].values[0].1), [SuspectReason::Gap]);
    assert_eq!((stage.accumulators.series(), stage.accumulators.owners().count()), (0, 0));
}

#[test]
fn what_the_source_does_not_have_is_told_as_that() {
    let mut stage = Stage::new(everything(&[Metric::VmMemoryRss], 60));
    let mut told = sample(Part::Whole, 1, &[(Metric::VmVcpuCurrent, 1)]);
    told.absent.push((Metric::VmMemoryRss, AbsentReason::Unsupported));
    for round in 0..7_u32 {
        stage.see(f64::from(round) * 10.0, &[told.clone()]);
    }
    let value = stage.period(0, Metric::VmMemoryRss).unwrap();
    assert_eq!((value.value, value.samples), (Err(AbsentReason::Unsupported), 0));
}

/// The budget of design.md 7 for 10,000 machines: accumulators of the default job and the built-in monitors, and last
/// readings, each machine with two virtual CPUs, two disks and a NIC.
#[test]
fn a_machine_takes_at_most_nine_kilobytes() {
    use crate::performance::{BUILT_IN, catalogue};
    let mut orders = everything(&[], 60);
    for granularity in [900, 3_600] {
        orders.standing.extend(everything(&[], granularity).standing);
    }
    for built_in in BUILT_IN {
        orders.standing.extend(everything(built_in.metrics, built_in.granularity).standing);
    }
    let parts = [
        Part::Whole,
        Part::Cpu(0),
        Part::Cpu(1),
        Part::Disk("vda".into()),
        Part::Disk("vdb".into()),
        Part::Nic("52:54:00:00:00:01".into()),
    ];
    let samples: Vec<_> = parts
        .into_iter()
        .map(|part| {
            let mut told = sample(part, 1, &[]);
            let class = told.key.class().unwrap();
            let raw = catalogue::of_class(class).filter(|metric| !catalogue::descriptor(*metric).derived);
            // What no hypervisor tells of every machine all the time is left out: half of what is in the catalogue.
            told.readings =
                raw.take(12).map(|metric| (metric, crate::model::measurement::Number::Integer(1))).collect();
            told
        })
        .collect();
    let mut stage = Stage::new(orders);
    stage.see(0.0, &samples);
    stage.see(10.0, &samples);
    let readings = stage.previous.as_ref().unwrap();
    let count: usize = readings.parts.iter().map(|part| part.readings.len()).sum();
    let held: usize = readings
        .parts
        .iter()
        .map(|part| size_of_val(part) + part.readings.capacity() * 24 + part.absent.capacity() * 4)
        .sum();
    let accumulated = stage.accumulators.bytes();
    eprintln!("{count} readings in {held} bytes, accumulators {accumulated} bytes a machine");
    assert_eq!(size_of::<crate::performance::Reading>(), 24);
    assert!(held + accumulated <= 9_000, "{held} + {accumulated}");
    let _ = Duration::ZERO;
}
