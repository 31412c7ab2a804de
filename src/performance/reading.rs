//! The last readings of an owner, kept compactly: with 10,000 machines there are about a million.
//!
//! A reading takes 24 bytes and a machine with two virtual CPUs, two disks and a NIC about 90 of them: 22 MB for
//! 10,000 machines. Keys are not stored with readings; a part keeps its text from one look to the next.

use crate::model::measurement::{
    AbsentReason, LatestReading, MeasuredKey, Number, Owner, Part, Sample, Suspect, SuspectReason,
};
use crate::model::metric::{Metric, MetricKind};
use crate::model::{HostId, Timestamp};
use std::time::Duration;

/// What an endpoint did not tell again stays the last reading for so long: groups that are read at a slower cadence
/// than the base interval are told at least this often.
pub const CARRIED: Duration = Duration::from_secs(330);

/// One reading.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Reading {
    bits: u64,
    at_micros: u64,
    metric: Metric,
    real: bool,
    suspect: u8,
}

impl Reading {
    /// A reading taken at a moment of the monotonic clock.
    pub fn new(metric: Metric, number: Number, at: Duration) -> Self {
        let (bits, real) = match number {
            Number::Integer(value) => (value, false),
            Number::Real(value) => (value.to_bits(), true),
        };
        Self { bits, at_micros: u64::try_from(at.as_micros()).unwrap_or(u64::MAX), metric, real, suspect: 0 }
    }

    /// The metric.
    pub fn metric(&self) -> Metric {
        self.metric
    }

    /// The value.
    pub fn number(&self) -> Number {
        if self.real { Number::Real(f64::from_bits(self.bits)) } else { Number::Integer(self.bits) }
    }

    /// When it was taken, on the monotonic clock.
    pub fn at(&self) -> Duration {
        Duration::from_micros(self.at_micros)
    }

    /// Why it must be used with care.
    pub fn suspect(&self) -> Suspect {
        Suspect(u16::from(self.suspect))
    }

    /// Marks it.
    pub fn mark(&mut self, reason: SuspectReason) {
        self.suspect |= 1 << reason as u8;
    }
}

/// The last readings of one part of an owner.
#[derive(Clone, Debug, PartialEq)]
pub struct PartReadings {
    /// Which part.
    pub part: Part,
    /// Counts starts of what counts.
    pub incarnation: u64,
    /// Since when its counters count, as far as known.
    pub start: Option<Timestamp>,
    /// By metric, in catalogue order.
    pub readings: Vec<Reading>,
    /// What was asked for and not given.
    pub absent: Vec<(Metric, AbsentReason)>,
}

impl PartReadings {
    /// The last reading of a metric.
    pub fn get(&self, metric: Metric) -> Option<&Reading> {
        self.readings.binary_search_by_key(&metric, Reading::metric).ok().map(|at| &self.readings[at])
    }

    /// True if what counts is the same as before. Of several sources of a part not every one knows the incarnation:
    /// 0 says nothing.
    pub fn continues(&self, before: &Self) -> bool {
        same_incarnation(self.incarnation, before.incarnation)
    }

    /// Why there is none.
    pub fn absence(&self, metric: Metric) -> Option<AbsentReason> {
        self.absent.iter().find(|(absent, _)| *absent == metric).map(|(_, reason)| *reason)
    }

    /// Takes a reading in its place.
    pub(super) fn put(&mut self, reading: Reading) {
        self.absent.retain(|(metric, _)| *metric != reading.metric);
        match self.readings.binary_search_by_key(&reading.metric, Reading::metric) {
            Ok(at) => self.readings[at] = reading,
            Err(at) => self.readings.insert(at, reading),
        }
    }

    /// Notes that there is no value.
    pub(super) fn put_absent(&mut self, metric: Metric, reason: AbsentReason) {
        self.readings.retain(|reading| reading.metric != metric);
        match self.absent.iter_mut().find(|(absent, _)| *absent == metric) {
            Some(entry) => entry.1 = reason,
            None => self.absent.push((metric, reason)),
        }
    }
}

/// The last readings of one owner and its parts.
#[derive(Clone, Debug, PartialEq)]
pub struct OwnerReadings {
    /// Of whom.
    pub owner: Owner,
    /// Through which host they came.
    pub host: Option<HostId>,
    /// Wall clock of the last look.
    pub time: Timestamp,
    /// Monotonic clock of the last look.
    pub at: Duration,
    /// It was seen on another host at the look before.
    pub moved: bool,
    /// By part.
    pub parts: Vec<PartReadings>,
}

impl OwnerReadings {
    /// The readings of a part.
    pub fn part(&self, part: &Part) -> Option<&PartReadings> {
        self.parts.binary_search_by(|held| held.part.cmp(part)).ok().map(|at| &self.parts[at])
    }

    /// The part for changing, made if there is none.
    pub(super) fn part_mut(&mut self, part: &Part) -> &mut PartReadings {
        let at = match self.parts.binary_search_by(|held| held.part.cmp(part)) {
            Ok(at) => at,
            Err(at) => {
                let empty = PartReadings {
                    part: part.clone(),
                    incarnation: 0,
                    start: None,
                    readings: Vec::new(),
                    absent: Vec::new(),
                };
                self.parts.insert(at, empty);
                at
            }
        };
        &mut self.parts[at]
    }

    /// True if the reading was taken at the last look, not carried on.
    pub fn is_fresh(&self, reading: &Reading) -> bool {
        reading.at_micros == u64::try_from(self.at.as_micros()).unwrap_or(u64::MAX)
    }

    /// The wall clock of a reading.
    pub fn time_of(&self, reading: &Reading) -> Timestamp {
        let age = self.at.saturating_sub(reading.at());
        Timestamp(self.time.0.saturating_sub(i64::try_from(age.as_micros()).unwrap_or(i64::MAX)))
    }

    /// One reading or absence for others; nothing for a metric of which nothing was ever told.
    pub fn latest(&self, part: &PartReadings, metric: Metric) -> Option<LatestReading> {
        let key = || MeasuredKey { owner: self.owner.clone(), part: part.part.clone() };
        if let Some(reading) = part.get(metric) {
            let start = (metric.kind() == MetricKind::Cumulative).then_some(part.start).flatten();
            return Some(LatestReading {
                key: key(),
                metric,
                value: Ok(reading.number()),
                time: self.time_of(reading),
                start,
                suspect: reading.suspect(),
            });
        }
        let reason = part.absence(metric)?;
        let (time, suspect) = (self.time, Suspect::default());
        Some(LatestReading { key: key(), metric, value: Err(reason), time, start: None, suspect })
    }

    /// Everything for others, parts and metrics in order.
    pub fn all_latest(&self) -> impl Iterator<Item = LatestReading> + '_ {
        self.parts.iter().flat_map(move |part| {
            let given = part.readings.iter().map(Reading::metric);
            given
                .chain(part.absent.iter().map(|(metric, _)| *metric))
                .filter_map(move |metric| self.latest(part, metric))
        })
    }
}

/// The moment of a look.
#[derive(Clone, Debug)]
pub struct Look<'a> {
    /// Through which host; nothing for what the VRM knows itself.
    pub host: Option<&'a HostId>,
    /// Wall clock.
    pub time: Timestamp,
    /// Monotonic clock.
    pub at: Duration,
}

/// Samples of one owner put over its last readings. What was not told again is carried on for [`CARRIED`], unless
/// what counts began anew.
pub fn merge(previous: Option<&OwnerReadings>, owner: Owner, samples: &[Sample], look: &Look<'_>) -> OwnerReadings {
    let known_host = previous.and_then(|previous| previous.host.as_ref());
    let moved = look.host.is_some() && known_host.is_some() && known_host != look.host;
    let host = look.host.or(known_host).cloned();
    let parts = previous.map(|previous| carried(previous, look.at)).unwrap_or_default();
    let mut merged = OwnerReadings { owner, host, time: look.time, at: look.at, moved, parts };
    for sample in samples {
        take(merged.part_mut(&sample.key.part), sample, previous, look);
    }
    merged.parts.retain(|part| !part.readings.is_empty() || !part.absent.is_empty());
    merged
}

fn carried(previous: &OwnerReadings, at: Duration) -> Vec<PartReadings> {
    let keep = |reading: &&Reading| at.saturating_sub(reading.at()) <= CARRIED;
    let carry = |part: &PartReadings| PartReadings {
        readings: part.readings.iter().filter(keep).copied().collect(),
        absent: part.absent.clone(),
        ..part.clone()
    };
    previous.parts.iter().map(carry).collect()
}

fn same_incarnation(one: u64, other: u64) -> bool {
    one == other || one == 0 || other == 0
}

fn take(part: &mut PartReadings, sample: &Sample, previous: Option<&OwnerReadings>, look: &Look<'_>) {
    let former = previous.and_then(|previous| previous.part(&sample.key.part));
    if former.is_some_and(|former| !same_incarnation(former.incarnation, sample.incarnation)) {
        part.readings.clear();
        part.absent.clear();
        // It began after the look before; that is all that is known.
        part.start = previous.map(|previous| previous.time);
    }
    if sample.incarnation != 0 {
        part.incarnation = sample.incarnation;
    }
    for (metric, number) in &sample.readings {
        let finite = !matches!(number, Number::Real(value) if !value.is_finite());
        if finite {
            part.put(Reading::new(*metric, *number, look.at));
        }
        if matches!(metric, Metric::VmUptime | Metric::HostUptime) && part.start.is_none() && finite {
            let age = Duration::try_from_secs_f64(number.as_f64()).unwrap_or_default();
            part.start = Some(Timestamp(look.time.0 - i64::try_from(age.as_micros()).unwrap_or(0)));
        }
    }
    for (metric, reason) in &sample.absent {
        part.put_absent(*metric, *reason);
    }
}
