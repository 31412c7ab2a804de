//! Rules of measurement by small stories, and against a naive model.

mod derived;
mod monitors;
mod periods;
mod property;
mod rules;

use super::{Accumulators, Look, MeasuredTiming, Orders, OwnerReadings, Standing, derive, merge};
use crate::model::measurement::{
    AbsentReason, MeasuredKey, MeasurementScope, Number, Owner, Part, PeriodResult, PeriodValue, Sample,
};
use crate::model::metric::Metric;
use crate::model::{HostId, Name, Timestamp};
use std::time::Duration;
use uuid::Uuid;

/// A moment that begins a day, so that every period is aligned to it.
const MIDNIGHT: i64 = 1_800_000_000_000_000 / 86_400_000_000 * 86_400_000_000;

fn host(id: &str) -> HostId {
    HostId::parse(id).unwrap()
}

fn machine() -> Owner {
    Owner::Machine(Uuid::from_u128(7))
}

fn sample(part: Part, incarnation: u64, readings: &[(Metric, u64)]) -> Sample {
    let readings = readings.iter().map(|(metric, value)| (*metric, Number::Integer(*value))).collect();
    Sample { key: MeasuredKey { owner: machine(), part }, incarnation, readings, absent: Vec::new() }
}

fn everything(metrics: &[Metric], granularity: u32) -> Orders {
    Orders {
        standing: vec![Standing {
            metrics: metrics.to_vec(),
            scope: MeasurementScope { objects: Vec::new(), roots: vec![Name::cluster()] },
            granularity,
            start: None,
            stop: None,
            own: false,
        }],
    }
}

/// One owner, seen again and again.
struct Stage {
    accumulators: Accumulators,
    previous: Option<OwnerReadings>,
    results: Vec<PeriodResult>,
    /// Seconds since midnight, on both clocks.
    now: f64,
    /// By how much the wall clock was set.
    set_by: f64,
    stepped: bool,
    on: HostId,
}

impl Stage {
    fn new(orders: Orders) -> Self {
        let timing = MeasuredTiming { base: Duration::from_secs(10), stretch: 1 };
        Self {
            accumulators: Accumulators::new(timing, orders),
            previous: None,
            results: Vec::new(),
            now: 0.0,
            set_by: 0.0,
            stepped: false,
            on: host("a"),
        }
    }

    fn wall(&self) -> Timestamp {
        #[expect(clippy::cast_possible_truncation, reason = "seconds of a test")]
        let micros = ((self.now + self.set_by) * 1e6) as i64;
        Timestamp(MIDNIGHT + micros)
    }

    fn see(&mut self, at: f64, samples: &[Sample]) -> &OwnerReadings {
        self.now = at;
        let look = Look { host: Some(&self.on), time: self.wall(), at: Duration::from_secs_f64(1_000.0 + at) };
        let mut current = merge(self.previous.as_ref(), machine(), samples, &look);
        derive(self.previous.as_ref(), &mut current);
        let stepped = std::mem::take(&mut self.stepped);
        self.accumulators.feed(self.previous.as_ref(), &current, stepped, &mut self.results);
        self.previous.insert(current)
    }

    /// CPU time of the whole machine with two virtual CPUs.
    fn cpu(&mut self, at: f64, incarnation: u64, nanoseconds: u64) {
        let readings = [(Metric::VmCpuTime, nanoseconds), (Metric::VmVcpuCurrent, 2)];
        self.see(at, &[sample(Part::Whole, incarnation, &readings)]);
    }

    fn close(&mut self, at: f64) {
        self.now = at;
        let now = self.wall();
        self.accumulators.close(now, Duration::from_secs(15), &mut self.results);
    }

    /// The last reading of a metric.
    fn value(&self, part: &Part, metric: Metric) -> Result<f64, Option<AbsentReason>> {
        let held = self.previous.as_ref().and_then(|previous| previous.part(part)).ok_or(None)?;
        held.get(metric).map(|reading| reading.number().as_f64()).ok_or_else(|| held.absence(metric))
    }

    /// The result of a metric in the period that begins so many seconds after midnight.
    fn period(&self, begin: i64, metric: Metric) -> Option<&PeriodValue> {
        let begin = Timestamp(MIDNIGHT + begin * 1_000_000);
        let result = self.results.iter().rev().find(|result| result.begin == begin)?;
        result.values.iter().find(|(held, _)| *held == metric).map(|(_, value)| value)
    }
}
