//! The task with a real engine and store, in virtual time.

use super::{MeasurementEvent, MeasurementHandle, MeasurementParts, MeasurementSettings, Moment, PeriodSink, start};
use crate::changes::{ChangeLog, Restored};
use crate::engine::{CommandContext, EngineParts, start as start_engine};
use crate::fault::FaultSettings;
use crate::hypervisor::sim::{SimOpener, SimSetup};
use crate::inventory::InventorySettings;
use crate::model::history::TransitionHistory;
use crate::model::measurement::{
    MeasuredKey, MeasurementJob, MeasurementScope, Number, Owner, PeriodResult, Sample, SampleBatch, ThresholdLevel,
    ThresholdMonitor,
};
use crate::model::metric::Metric;
use crate::model::registration::{HostOrigin, HostRegistration, Profile};
use crate::model::{Body, HostId, Name, ObjectClass, PerceivedSeverity, Timestamp};
use crate::performance::job::Refusal;
use crate::store::{Journal, OpenOptions};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

/// Begins a day.
const MIDNIGHT: i64 = 1_800_000_000_000_000 / 86_400_000_000 * 86_400_000_000;

const SECOND: u64 = 1_000_000_000;

#[derive(Default)]
struct Kept(Mutex<Vec<PeriodResult>>);

impl PeriodSink for Kept {
    fn append(&self, results: Vec<PeriodResult>) {
        self.0.lock().unwrap().extend(results);
    }
}

struct Rig {
    handle: MeasurementHandle,
    log: Arc<ChangeLog>,
    kept: Arc<Kept>,
    /// Seconds since midnight.
    now: Arc<AtomicU64>,
    stop: CancellationToken,
    _directory: tempfile::TempDir,
}

fn host() -> HostId {
    HostId::parse("a").unwrap()
}

async fn rig(settings: MeasurementSettings) -> Rig {
    let directory = tempfile::tempdir().unwrap();
    let options = OpenOptions { directory: directory.path().to_owned(), vrm_id: "vrm1".into() };
    let (journal, loaded) = Journal::open(&options).unwrap();
    let restored = Restored { epoch: loaded.epoch, head: 0, objects: vec![], tombstones: vec![], forgotten: 0 };
    let log = Arc::new(ChangeLog::new(restored, Arc::clone(&journal.reader) as Arc<dyn TransitionHistory>));
    let now = Arc::new(AtomicU64::new(0));
    let wall = {
        let now = Arc::clone(&now);
        move || Timestamp(MIDNIGHT + i64::try_from(now.load(Ordering::SeqCst)).unwrap() * 1_000_000)
    };
    let (assignments, kept_assignments) = mpsc::unbounded_channel();
    // Nobody watches; the channel stays open.
    std::mem::forget(kept_assignments);
    let stop = CancellationToken::new();
    let parts = EngineParts {
        settings: InventorySettings::default(),
        fault: FaultSettings::default(),
        head: 0,
        objects: Vec::new(),
        tombstones: Vec::new(),
        hosts: Vec::new(),
        requests: Vec::new(),
        rebuilt: false,
        store: journal.store,
        acks: journal.acks,
        changes: Arc::clone(&log),
        opener: Arc::new(SimOpener::new(SimSetup { clock: Arc::new(wall.clone()), profile: Profile::Monitor })),
        assignments,
        removal_guard: 1.0,
        clock: Arc::new(wall.clone()),
    };
    let (engine, _, _) = start_engine(parts, stop.clone());
    let registration = HostRegistration {
        id: host(),
        uris: vec!["sim://".into()],
        credential: String::new(),
        profile: None,
        allow_insecure: false,
        labels: std::collections::BTreeMap::new(),
        origin: HostOrigin::File,
        reserve: Default::default(),
    };
    engine.configure_hosts(vec![registration], false).await.unwrap();
    let kept = Arc::new(Kept::default());
    let clock = {
        let now = Arc::clone(&now);
        // Both clocks from one look, or they would seem to step.
        move || {
            let now = now.load(Ordering::SeqCst);
            let wall = Timestamp(MIDNIGHT + i64::try_from(now).unwrap() * 1_000_000);
            Moment { wall, monotonic: Duration::from_secs(500 + now) }
        }
    };
    let parts = MeasurementParts {
        settings,
        changes: Arc::clone(&log),
        engine,
        store: Arc::clone(&kept) as Arc<dyn PeriodSink>,
        clock: Arc::new(clock),
    };
    let (handle, _) = start(parts, stop.clone());
    Rig { handle, log, kept, now, stop, _directory: directory }
}

impl Rig {
    /// What a source with a monotonic clock of its own reads of the host at a second after midnight.
    async fn look(&self, at: u64, busy: u64, idle: u64) {
        self.now.store(at, Ordering::SeqCst);
        let readings = [
            (Metric::HostCpuTimeUser, busy * SECOND),
            (Metric::HostCpuTimeKernel, 0),
            (Metric::HostCpuTimeIdle, idle * SECOND),
            (Metric::HostMemoryTotal, 1_000),
            (Metric::HostMemoryAvailable, 600),
        ];
        let readings = readings.map(|(metric, value)| (metric, Number::Integer(value))).to_vec();
        let key = MeasuredKey::whole(Owner::Host(host()));
        let batch = SampleBatch {
            time: Timestamp(MIDNIGHT + i64::try_from(at).unwrap() * 1_000_000),
            monotonic: Duration::from_secs(90_000 + at),
            spent: Duration::ZERO,
            samples: vec![Sample { key, incarnation: 1, readings, absent: Vec::new() }],
        };
        self.handle.sink().send(host(), batch);
        let time = Timestamp(MIDNIGHT + i64::try_from(at).unwrap() * 1_000_000);
        self.until(|| self.latest(Metric::HostMemoryTotal).is_some_and(|(_, seen)| seen == time)).await;
    }

    fn latest(&self, metric: Metric) -> Option<(Option<f64>, Timestamp)> {
        let keys = [MeasuredKey::whole(Owner::Host(host()))];
        let latest = self.handle.latest(&keys, &[metric]);
        latest.first().map(|reading| (reading.value.ok().map(Number::as_f64), reading.time))
    }

    async fn until(&self, wanted: impl Fn() -> bool) {
        let deadline = Instant::now() + Duration::from_secs(30);
        while !wanted() {
            assert!(Instant::now() < deadline, "not in time");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// Type and whether it is active of each alarm that is listed.
    fn alarms(&self) -> Vec<(String, bool)> {
        let alarm = |object: Arc<crate::model::Object>| match &object.body {
            Body::Alarm(alarm) if alarm.object == Name::host(&host()) => {
                Some((alarm.alarm_type.clone(), alarm.is_active()))
            }
            _ => None,
        };
        let all = self.log.all(ObjectClass::Alarm).into_iter().filter_map(alarm);
        all.filter(|(alarm_type, _)| alarm_type == "thresholdCrossed").collect()
    }
}

fn whole_cluster() -> MeasurementScope {
    MeasurementScope { objects: Vec::new(), roots: vec![Name::cluster()] }
}

fn monitor() -> ThresholdMonitor {
    ThresholdMonitor {
        id: "busy".into(),
        metric: Some(Metric::HostCpuUsage),
        scope: whole_cluster(),
        levels: vec![ThresholdLevel { value: 50.0, severity: PerceivedSeverity::Minor }],
        hysteresis: 10.0,
        granularity_seconds: 10,
        ..ThresholdMonitor::default()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn readings_are_published_periods_are_kept_and_a_monitor_raises_and_clears_one_alarm() {
    let rig = rig(MeasurementSettings::default()).await;
    let mut events = rig.handle.subscribe();
    let made = rig.handle.put_monitor(CommandContext::default(), true, monitor()).await.unwrap();
    assert_eq!(made.object.name, Name::threshold_monitor("busy"));
    rig.until(|| rig.handle.vitals().figures().iter().any(|(name, value, _)| *name == "owners" && *value > 0)).await;
    rig.look(2, 0, 0).await;
    // 80 % busy until 42 s, then idle.
    for round in 1..=4 {
        rig.look(round * 10 + 2, round * 8, round * 2).await;
    }
    rig.until(|| rig.alarms() == [("thresholdCrossed".to_owned(), true)]).await;
    assert_eq!(rig.latest(Metric::HostCpuUsage).unwrap().0, Some(80.0));
    assert_eq!(rig.latest(Metric::HostMemoryUsage).unwrap().0, Some(40.0));
    for round in 5..=9 {
        rig.look(round * 10 + 2, 32, 8 + (round - 4) * 10).await;
    }
    rig.until(|| rig.alarms() == [("thresholdCrossed".to_owned(), false)] || rig.alarms().is_empty()).await;
    let event = events.recv().await.unwrap();
    assert!(matches!(event, MeasurementEvent::Sampled(_) | MeasurementEvent::JobChanged), "{event:?}");
    let kept = rig.kept.0.lock().unwrap().clone();
    let minute = kept.iter().find(|result| {
        result.granularity == Duration::from_secs(60)
            && result.begin == Timestamp(MIDNIGHT)
            && result.key == MeasuredKey::whole(Owner::Host(host()))
    });
    let usage = minute.unwrap().values.iter().find(|(metric, _)| *metric == Metric::HostCpuUsage).unwrap().1.clone();
    assert_eq!((usage.min, usage.max), (Some(0.0), Some(80.0)));
    rig.stop.cancel();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn jobs_are_records_that_are_made_changed_and_removed_and_refused_beyond_the_capacity() {
    let mut settings = MeasurementSettings::default();
    settings.capacity.series = 12;
    let rig = rig(settings).await;
    rig.look(2, 0, 0).await;
    let job = |metrics: Vec<Metric>| MeasurementJob {
        id: "mine".into(),
        metrics,
        scope: whole_cluster(),
        granularity_seconds: 10,
        ..MeasurementJob::default()
    };
    let put = |create: bool, job: MeasurementJob| rig.handle.put_job(CommandContext::default(), create, job);
    let made = put(true, job(vec![Metric::HostCpuTimeUser])).await.unwrap();
    assert!(made.unsupported.is_empty());
    assert!(put(true, job(vec![Metric::HostCpuTimeUser])).await.is_err(), "there is one");
    assert!(put(true, MeasurementJob { id: "default-60".into(), ..job(vec![]) }).await.is_err(), "built in");
    rig.until(|| rig.log.get("measurementJobs/mine").is_some()).await;
    rig.look(12, 1, 1).await;
    rig.look(22, 3, 3).await;
    rig.look(32, 5, 5).await;
    let counted = |begin: i64| {
        let kept = rig.kept.0.lock().unwrap();
        let of = |result: &&PeriodResult| {
            result.begin == Timestamp(MIDNIGHT + begin * 1_000_000) && result.granularity == Duration::from_secs(10)
        };
        let result = kept.iter().find(of)?;
        result.values.iter().find(|(metric, _)| *metric == Metric::HostCpuTimeUser)?.1.value.ok()
    };
    rig.until(|| counted(20) == Some(2e9)).await;
    let all: Vec<Metric> = Metric::ALL.into_iter().filter(|metric| metric.name().starts_with("host.")).collect();
    let refused = put(false, job(all)).await.unwrap_err();
    assert!(matches!(refused, super::MeasurementError::Refused(Refusal::NoRoom { .. })), "{refused}");
    rig.handle.remove_job(CommandContext::default(), "mine").await.unwrap();
    assert!(rig.log.get("measurementJobs/mine").is_none());
    assert!(rig.handle.remove_job(CommandContext::default(), "mine").await.is_err());
    rig.stop.cancel();
}
