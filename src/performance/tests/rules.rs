//! Catalogue, jobs, capacity, scopes, shedding.

use super::{host, machine};
use crate::model::measurement::{
    MeasuredKey, MeasurementJob, MeasurementScope, Owner, Part, ThresholdLevel, ThresholdMonitor,
};
use crate::model::metric::{MeasuredClass, Metric};
use crate::model::{Name, PerceivedSeverity, Timestamp};
use crate::performance::catalogue;
use crate::performance::job::{self, Capacity, Load, Refusal};
use crate::performance::order::covers;
use crate::performance::shed::{Shedder, Shedding};
use crate::performance::{BUILT_IN, Orders, Standing};
use std::collections::BTreeSet;

fn names(names: &[&str]) -> Vec<Name> {
    names.iter().map(|name| Name::new(*name)).collect()
}

fn scope(objects: &[&str], roots: &[&str]) -> MeasurementScope {
    MeasurementScope { objects: names(objects), roots: names(roots) }
}

fn job() -> MeasurementJob {
    MeasurementJob {
        id: "nightly".into(),
        metrics: vec![Metric::VmCpuUsage],
        scope: scope(&[], &["cluster"]),
        granularity_seconds: 900,
        ..MeasurementJob::default()
    }
}

fn field(refusal: Result<(), Refusal>) -> String {
    match refusal {
        Err(Refusal::Invalid { field, .. }) => field,
        other => format!("{other:?}"),
    }
}

#[test]
fn the_whole_catalogue_can_be_read() {
    assert!(catalogue::version() > 0);
    for metric in Metric::ALL {
        let told = catalogue::descriptor(metric);
        assert!(told.meaning.ends_with('.') && !told.source.is_empty(), "{metric}");
        assert!(!told.visible.is_empty(), "{metric}");
    }
    assert!(catalogue::core_set(MeasuredClass::VirtualMachine).contains(&Metric::VmCpuUsage));
    assert!(catalogue::core_set(MeasuredClass::VirtualDisk).is_empty());
}

#[test]
fn what_a_built_in_monitor_needs_is_measured_of_its_class() {
    for built_in in BUILT_IN {
        assert!(built_in.metrics.iter().all(|metric| metric.class() == built_in.class), "{}", built_in.alarm_type);
        assert!(catalogue::GRANULARITIES.contains(&built_in.granularity));
    }
}

#[test]
fn granularity_periods_are_of_the_set_and_reports_are_multiples() {
    for seconds in catalogue::GRANULARITIES {
        assert_eq!(job::check_job(&MeasurementJob { granularity_seconds: seconds, ..job() }), Ok(()));
    }
    for seconds in [0, 15, 600, 86_401] {
        let wrong = MeasurementJob { granularity_seconds: seconds, ..job() };
        assert_eq!(field(job::check_job(&wrong)), "granularity_seconds");
    }
    assert_eq!(job::check_job(&MeasurementJob { reporting_seconds: 3_600, ..job() }), Ok(()));
    for reporting_seconds in [1_000, 60, 172_800] {
        assert_eq!(field(job::check_job(&MeasurementJob { reporting_seconds, ..job() })), "reporting_seconds");
    }
}

#[test]
fn malformed_jobs_are_refused_with_the_field() {
    assert_eq!(field(job::check_job(&MeasurementJob { id: "a b".into(), ..job() })), "id");
    assert_eq!(field(job::check_job(&MeasurementJob { scope: scope(&[], &[]), ..job() })), "scope");
    let twice = vec![Metric::VmCpuUsage, Metric::VmCpuUsage];
    assert_eq!(field(job::check_job(&MeasurementJob { metrics: twice, ..job() })), "metrics");
    let times = (Some(Timestamp(2)), Some(Timestamp(1)));
    assert_eq!(field(job::check_job(&MeasurementJob { start: times.0, stop: times.1, ..job() })), "stop");
}

#[test]
fn a_job_is_accepted_as_far_as_it_can_be_measured() {
    let mixed = MeasurementJob {
        metrics: vec![Metric::VmCpuUsage, Metric::HostCpuUsage],
        scope: scope(&["virtualMachines/1", "virtualMachines/2"], &[]),
        ..job()
    };
    let classes = BTreeSet::from([MeasuredClass::VirtualMachine]);
    let unsupported = job::accept(&mixed, &classes, |name| name.as_str() != "virtualMachines/2").unwrap();
    assert_eq!(unsupported.len(), 2, "{unsupported:?}");
    assert_eq!(unsupported[0].object, Some(Name::new("virtualMachines/2")));
    assert_eq!(unsupported[1].metric, Some(Metric::HostCpuUsage));
    let nothing = job::accept(&mixed, &BTreeSet::new(), |_| false);
    assert!(matches!(nothing, Err(Refusal::NothingSupported(_))), "{nothing:?}");
}

#[test]
fn beyond_the_capacity_the_number_that_would_fit_is_told() {
    let capacity = Capacity { series: 1_000, samples_per_second: 50 };
    let used = job::load(400, 10.0);
    assert_eq!(job::fits(capacity, used, job::load(100, 10.0)), Ok(()));
    let by_rate = job::fits(capacity, used, job::load(300, 10.0));
    assert_eq!(by_rate, Err(Refusal::NoRoom { wanted: 300, fitting: 100, limit: 1_000 }));
    let roomy = Capacity { samples_per_second: 5_000, ..capacity };
    let by_series = job::fits(roomy, used, job::load(700, 10.0));
    assert_eq!(by_series, Err(Refusal::NoRoom { wanted: 700, fitting: 600, limit: 1_000 }));
    assert_eq!(Capacity::default(), Capacity { series: 200_000, samples_per_second: 20_000 });
    assert_eq!(Load::default().series, 0);
}

#[test]
fn levels_of_a_monitor_are_sorted_and_checked() {
    let level = |value: f64, severity| ThresholdLevel { value, severity };
    let mut monitor = ThresholdMonitor {
        id: "busy".into(),
        metric: Some(Metric::VmCpuUsage),
        scope: scope(&[], &["cluster"]),
        levels: vec![level(90.0, PerceivedSeverity::Major), level(80.0, PerceivedSeverity::Minor)],
        hysteresis: 5.0,
        granularity_seconds: 60,
        ..ThresholdMonitor::default()
    };
    job::check_monitor(&mut monitor).unwrap();
    assert_eq!(monitor.levels[0].severity, PerceivedSeverity::Minor);
    let mut wrong = monitor.clone();
    wrong.levels[0].value = 95.0;
    assert_eq!(field(job::check_monitor(&mut wrong)), "levels");
    let mut wrong = ThresholdMonitor { hysteresis: f64::NAN, ..monitor.clone() };
    assert_eq!(field(job::check_monitor(&mut wrong)), "hysteresis");
    let mut wrong = ThresholdMonitor { metric: None, ..monitor.clone() };
    assert_eq!(field(job::check_monitor(&mut wrong)), "metric");
    monitor.levels.clear();
    assert_eq!(field(job::check_monitor(&mut monitor)), "levels");
}

#[test]
fn scopes_are_names_and_subtrees_and_machines_lie_below_their_host() {
    let a = host("a");
    let vm = MeasuredKey::whole(machine());
    let disk = MeasuredKey { owner: machine(), part: Part::Disk("vda".into()) };
    let pool = MeasuredKey::whole(Owner::Other(Name::new("hosts/a/storagePools/p")));
    let name = vm.name().to_string();
    for (covered, scope, key) in [
        (true, scope(&[&name], &[]), &vm),
        (true, scope(&[&name], &[]), &disk),
        (true, scope(&[disk.name().as_str()], &[]), &disk),
        (false, scope(&[disk.name().as_str()], &[]), &vm),
        (true, scope(&[], &["cluster"]), &pool),
        (true, scope(&[], &["hosts/a"]), &vm),
        (true, scope(&[], &["hosts/a"]), &pool),
        (false, scope(&[], &["hosts/b"]), &vm),
        (false, scope(&[], &["hosts/b"]), &pool),
        (true, scope(&[], &[&name]), &disk),
        (false, scope(&["hosts/a"], &[]), &pool),
    ] {
        assert_eq!(covers(&scope, key, Some(&a)), covered, "{scope:?} {key:?}");
    }
}

#[test]
fn orders_begin_and_end_and_the_vrms_own_do_not_count() {
    let order = |start, stop, own| Standing {
        metrics: vec![Metric::VmCpuUsage],
        scope: scope(&[], &["cluster"]),
        granularity: 60,
        start,
        stop,
        own,
    };
    let key = MeasuredKey::whole(machine());
    let timed = Orders { standing: vec![order(Some(Timestamp(10)), Some(Timestamp(20)), false)] };
    let slots = |at: i64| timed.plan(&key, None, Timestamp(at)).slots();
    assert_eq!((slots(9), slots(10), slots(19), slots(20)), (0, 1, 1, 0));
    assert_eq!(timed.next_turn(Timestamp(9)), Some(Timestamp(10)));
    assert_eq!(timed.next_turn(Timestamp(10)), Some(Timestamp(20)));
    assert_eq!(timed.next_turn(Timestamp(20)), None);
    let own = Orders { standing: vec![order(None, None, true)] }.plan(&key, None, Timestamp(0));
    assert_eq!((own.slots(), own.counted), (1, 0));
    assert_eq!(Standing::of_job(&MeasurementJob { suspended: true, ..job() }), None);
}

#[test]
fn load_is_shed_step_by_step_and_taken_back_slowly() {
    use crate::model::measurement::JobPriority;
    let mut shedder = Shedder::default();
    let mut steps = Vec::new();
    for _ in 0..18 {
        steps.extend(shedder.round(true));
    }
    assert_eq!(steps, Shedding::ALL[1..].to_vec());
    assert_eq!(shedder.step().stretch(), 4);
    assert!(shedder.step().rests(JobPriority::Low) && !shedder.step().rests(JobPriority::Medium));
    let back = (0..200).filter_map(|_| shedder.round(false)).collect::<Vec<_>>();
    assert_eq!(back.last(), Some(&Shedding::None));
    assert!(!Shedding::Reports.text().is_empty());
}
