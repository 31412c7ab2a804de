//! Samples of the simulated world: they agree with each other, never fall within a run, and begin anew after one.

use super::*;
use crate::hypervisor::sim::stage::Clock;
use crate::model::Timestamp;
use crate::model::measurement::{AbsentReason, MeasuredKey, Number, Owner, Part, Sample, SampleBatch};
use crate::model::metric::{Metric, MetricKind};

async fn samples(endpoint: &Endpoint) -> SampleBatch {
    *read(endpoint, Scope::Statistics).await.samples.expect("statistics carry samples")
}

fn integer(sample: &Sample, metric: Metric) -> Option<u64> {
    sample.readings.iter().find_map(|(read, number)| match number {
        Number::Integer(value) if *read == metric => Some(*value),
        _ => None,
    })
}

fn of<'a>(batch: &'a SampleBatch, key: &MeasuredKey) -> Option<&'a Sample> {
    batch.samples.iter().find(|sample| sample.key == *key)
}

fn check_whole(batch: &SampleBatch) {
    let mut keys = BTreeSet::new();
    for sample in &batch.samples {
        assert!(keys.insert(sample.key.clone()), "{:?} twice", sample.key);
        let class = sample.key.class().expect("a class");
        let mut metrics = BTreeSet::new();
        for metric in
            sample.readings.iter().map(|(metric, _)| metric).chain(sample.absent.iter().map(|(metric, _)| metric))
        {
            assert_eq!(metric.class(), class, "{metric} of {:?}", sample.key);
            assert!(metrics.insert(*metric), "{metric} of {:?} twice", sample.key);
        }
        let Owner::Machine(_) = sample.key.owner else { continue };
        let Some(total) = integer(sample, Metric::VmCpuTime).filter(|_| sample.key.part == Part::Whole) else {
            continue;
        };
        let own = batch.samples.iter().filter(|other| other.key.owner == sample.key.owner);
        let vcpus: u64 = own.filter_map(|other| integer(other, Metric::VcpuTime)).sum();
        assert!(vcpus > 0 && vcpus <= total, "{vcpus} of {total}");
        let parts =
            [Metric::VmCpuTimeUser, Metric::VmCpuTimeSystem].map(|metric| integer(sample, metric).expect("read"));
        assert!(parts.iter().sum::<u64>() <= total);
    }
}

/// Every cumulative reading of a run is no less than before, and none grows faster than it can.
fn check_grown(before: &SampleBatch, after: &SampleBatch) {
    let interval = u64::try_from((after.monotonic - before.monotonic).as_nanos()).expect("short");
    for sample in &after.samples {
        let Some(earlier) = of(before, &sample.key).filter(|earlier| earlier.incarnation == sample.incarnation) else {
            continue;
        };
        for (metric, _) in sample.readings.iter().filter(|(metric, _)| metric.kind() == MetricKind::Cumulative) {
            let (Some(old), Some(new)) = (integer(earlier, *metric), integer(sample, *metric)) else { continue };
            assert!(new >= old, "{metric} of {:?}: {old} then {new}", sample.key);
            if matches!(metric, Metric::VcpuTime | Metric::HostCpuTimeBusyPerCpu) {
                // Two moments are rounded to a microsecond each.
                assert!(new - old <= interval + 10_000, "{metric} of {:?}: above 100 %", sample.key);
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn counters_agree_and_never_fall_within_a_run() {
    let (_opener, endpoints) = open("sim://?hosts=2&vms=60&seed=11&churn=lifecycle&speed=5");
    let mut batches: Vec<Option<SampleBatch>> = vec![None; endpoints.len()];
    let mut links = Vec::new();
    for endpoint in &endpoints {
        links.push(connect(endpoint).await);
    }
    let mut runs: BTreeMap<MeasuredKey, BTreeSet<u64>> = BTreeMap::new();
    for round in 0..60_u64 {
        for (endpoint, before) in endpoints.iter().zip(&mut batches) {
            let batch = samples(endpoint).await;
            check_whole(&batch);
            if let Some(before) = before {
                check_grown(before, &batch);
            }
            for sample in batch.samples.iter().filter(|sample| matches!(sample.key.owner, Owner::Machine(_))) {
                runs.entry(sample.key.clone()).or_default().insert(sample.incarnation);
            }
            *before = Some(batch);
        }
        tokio::time::advance(Duration::from_secs(5 + round % 7 * 10)).await;
    }
    assert!(runs.values().any(|runs| runs.len() > 1), "machines were restarted");
}

#[tokio::test(start_paused = true)]
async fn a_hung_machine_has_reasons_in_place_of_figures() {
    let (opener, endpoints) = open("sim://?hosts=1&vms=6&seed=3");
    let _link = connect(&endpoints[0]).await;
    let before = samples(&endpoints[0]).await;
    let victim =
        before.samples.iter().find(|sample| integer(sample, Metric::VmCpuTime).is_some()).expect("one runs").clone();
    let Owner::Machine(uuid) = victim.key.owner else { panic!("a machine") };
    opener.handle().inject(&Fault::HangMachine { vm: uuid.to_string() }).expect("possible");
    let after = samples(&endpoints[0]).await;
    let own = after.samples.iter().filter(|sample| sample.key.owner == victim.key.owner);
    for sample in own.filter(|sample| sample.key.part != Part::Whole) {
        assert!(sample.readings.is_empty(), "{sample:?}");
    }
    let whole = of(&after, &victim.key).expect("still told");
    assert!(whole.absent.contains(&(Metric::VmCpuTime, AbsentReason::NotResponding)), "{whole:?}");
    assert_eq!(integer(whole, Metric::VmCpuTime), None);
}

#[tokio::test]
async fn two_daemons_at_one_moment_read_the_same() {
    let read_once = || async {
        let clock: Clock = Arc::new(|| Timestamp(1_790_000_000_000_000));
        let opener = SimOpener::new(SimSetup { clock, profile: Profile::Monitor });
        let endpoints = opener.open(&registration("sim", "sim://?hosts=1&vms=20&seed=5")).expect("good");
        let _link = connect(&endpoints[0]).await;
        samples(&endpoints[0]).await
    };
    assert_eq!(read_once().await, read_once().await);
}
