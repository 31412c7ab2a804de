//! Measurements fed by hand: what the measurement task and its history would tell.

use super::script::{Script, host, vm};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::sync::broadcast;
use vrm::engine::{CommandContext, CommandError};
use vrm::measurement::{HostReadings, LatestTable, MeasurementEvent, OwnerReadings};
use vrm::model::history::HistoryError;
use vrm::model::measurement::{
    AbsentReason, MeasuredKey, MeasurementJob, MeasurementQuery, MeasurementSeries, Number, Owner, Part, PeriodResult,
    PeriodValue, Suspect, SuspectReason,
};
use vrm::model::metric::Metric;
use vrm::model::{Body, Name, Object, Timestamp};
use vrm::northbound::{
    MeasurementCommand, Measurements, MetricDescription, OrderRefusal, ReportCell, ReportColumn, ReportDocument,
    ReportQuestion, ReportTable,
};
use vrm::performance::{PartReadings, Reading, catalogue};

/// The fake.
pub struct Fake {
    script: Arc<Mutex<Script>>,
    table: Mutex<Arc<LatestTable>>,
    events: broadcast::Sender<MeasurementEvent>,
    history: Mutex<Vec<PeriodResult>>,
    /// Series there is room for.
    pub room: Mutex<u64>,
}

impl std::fmt::Debug for Fake {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Fake").finish_non_exhaustive()
    }
}

impl Fake {
    pub fn new(script: Arc<Mutex<Script>>, waiting: usize) -> Arc<Self> {
        Arc::new(Self {
            script,
            table: Mutex::default(),
            events: broadcast::Sender::new(waiting),
            history: Mutex::default(),
            room: Mutex::new(1_000),
        })
    }

    /// New readings of machine `number`: CPU time and usage, the reads of a disk; RSS is unsupported.
    pub fn sample(&self, number: u128, second: u64, cpu_ns: u64, usage: f64) {
        let at = Duration::from_secs(second);
        let part = |part: Part, readings: Vec<(Metric, Number)>, absent: Vec<(Metric, AbsentReason)>| PartReadings {
            part,
            incarnation: 1,
            start: Some(Timestamp(1_000_000)),
            readings: readings.into_iter().map(|(metric, value)| Reading::new(metric, value, at)).collect(),
            absent,
        };
        let own = vec![(Metric::VmCpuTime, Number::Integer(cpu_ns)), (Metric::VmCpuUsage, Number::Real(usage))];
        let one = OwnerReadings {
            owner: owner(number),
            host: Some(host()),
            time: Timestamp(i64::try_from(second).unwrap() * 1_000_000),
            at,
            moved: false,
            parts: vec![
                part(Part::Whole, own, vec![(Metric::VmMemoryRss, AbsentReason::Unsupported)]),
                part(Part::Disk("vda".into()), vec![(Metric::VdiskReadBytes, Number::Integer(512))], Vec::new()),
            ],
        };
        let mut table = LatestTable::clone(&self.table.lock().unwrap());
        let mut held = table.hosts.get(&Some(host())).map(|held| HostReadings::clone(held)).unwrap_or_default();
        held.host = Some(host());
        let told = Arc::new(one);
        held.owners.insert(owner(number), Arc::clone(&told));
        table.hosts.insert(Some(host()), Arc::new(held));
        *self.table.lock().unwrap() = Arc::new(table);
        let owners = BTreeMap::from([(owner(number), told)]);
        // Nobody may be listening.
        let _ = self.events.send(MeasurementEvent::Sampled(Arc::new(HostReadings {
            host: Some(host()),
            time: Timestamp(0),
            owners,
        })));
    }

    /// The minute `minute` of machine `number` is over.
    pub fn close(&self, number: u128, minute: i64, mean: f64) {
        let mut suspect = Suspect::default();
        if minute == 0 {
            suspect.add(SuspectReason::LateStart);
        }
        let value = PeriodValue {
            value: Ok(mean),
            min: Some(mean - 1.0),
            max: Some(mean + 1.0),
            last: Some(mean),
            samples: 6,
            suspect,
        };
        let result = PeriodResult {
            key: MeasuredKey::whole(owner(number)),
            begin: Timestamp(minute * 60_000_000),
            granularity: Duration::from_secs(60),
            values: vec![(Metric::VmCpuUsage, value)],
        };
        self.history.lock().unwrap().push(result.clone());
        let _ = self.events.send(MeasurementEvent::PeriodClosed(Arc::new(vec![result])));
    }

    fn put(&self, name: &Name, create: bool, body: Body, checked: bool) -> Result<Option<Arc<Object>>, OrderRefusal> {
        let mut script = self.script.lock().unwrap();
        let exists = script.log.get(name.as_str()).is_some();
        if create && exists {
            return Err(CommandError::AlreadyExists { name: name.to_string() }.into());
        }
        if !checked {
            return Ok(None);
        }
        script.put(name, body);
        Ok(script.log.get(name.as_str()))
    }
}

/// Machine `number` as it is measured.
pub fn owner(number: u128) -> Owner {
    MeasuredKey::of_name(&vm(number)).unwrap().owner
}

#[tonic::async_trait]
impl Measurements for Fake {
    fn descriptions(&self) -> Vec<MetricDescription> {
        let description = |metric| {
            let catalogue::MetricDescriptor { meaning, source, standards, visible, core, derived } =
                catalogue::descriptor(metric).clone();
            MetricDescription { metric, core, derived, visible, meaning, source, standards }
        };
        Metric::ALL.into_iter().map(description).collect()
    }

    fn snapshot(&self) -> Arc<LatestTable> {
        Arc::clone(&self.table.lock().unwrap())
    }

    fn subscribe(&self) -> broadcast::Receiver<MeasurementEvent> {
        self.events.subscribe()
    }

    fn kept_parts(&self, owner: &Owner) -> Result<Vec<MeasuredKey>, HistoryError> {
        Ok(vec![MeasuredKey::whole(owner.clone())])
    }

    fn history(&self, query: &MeasurementQuery) -> Result<Vec<MeasurementSeries>, HistoryError> {
        let history = self.history.lock().unwrap();
        let mut series = Vec::new();
        for key in &query.keys {
            for metric in &query.metrics {
                let within = |result: &&PeriodResult| {
                    result.key == *key && result.begin >= query.begin && result.begin < query.end
                };
                let points = history.iter().filter(within).flat_map(|result| {
                    let mine = result.values.iter().filter(|(other, _)| other == metric);
                    mine.map(|(_, value)| (result.begin, value.clone()))
                });
                let points = points.collect();
                series.push(MeasurementSeries { key: key.clone(), metric: *metric, points, p95: Vec::new() });
            }
        }
        Ok(series)
    }

    async fn command(
        &self,
        context: CommandContext,
        command: MeasurementCommand,
    ) -> Result<Option<Arc<Object>>, OrderRefusal> {
        let fitting = *self.room.lock().unwrap();
        if fitting == 0 {
            return Err(OrderRefusal::NoRoom { wanted: 4, fitting, limit: 1_000 });
        }
        let real = !context.validate_only;
        match command {
            MeasurementCommand::PutJob { name, create, job } => {
                self.put(&name, create, Body::MeasurementJob(job), real)
            }
            MeasurementCommand::PutMonitor { name, create, monitor } => {
                self.put(&name, create, Body::ThresholdMonitor(monitor), real)
            }
            MeasurementCommand::DeleteJob(name) | MeasurementCommand::DeleteMonitor(name) => {
                let mut script = self.script.lock().unwrap();
                if script.log.get(name.as_str()).is_none() {
                    return Err(CommandError::NotFound { class: name.class(), name: name.to_string() }.into());
                }
                script.remove(&name);
                Ok(None)
            }
        }
    }

    fn report(&self, question: &ReportQuestion) -> Result<Option<ReportTable>, HistoryError> {
        let column = |name, unit, title| ReportColumn { name, unit, title };
        let length = question.end.since(question.begin).as_secs_f64();
        Ok(Some(ReportTable {
            columns: vec![column("object", "", "Object"), column("up_seconds", "s", "Up"), column("x", "s", "Unknown")],
            rows: vec![vec![ReportCell::Text("web-1".into()), ReportCell::Number(length), ReportCell::Unknown]],
        }))
    }

    fn document(&self, document: ReportDocument, job: &MeasurementJob, series: &[MeasurementSeries]) -> Option<String> {
        Some(format!("{document:?} of {} with {} series", job.id, series.len()))
    }
}
