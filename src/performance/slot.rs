//! One accumulator: what is known of one metric of one part in the open period, and what becomes of it.

use crate::model::Timestamp;
use crate::model::measurement::{AbsentReason, Number, PeriodValue, Suspect, SuspectReason};
use crate::model::metric::{MeasuredClass, Metric, MetricKind};
use std::time::Duration;

/// Readings that lie further apart than so many expected intervals leave a gap.
const GAP: f64 = 2.5;

/// Cadence of the groups that cost the hypervisor most.
const SLOW_GROUP: Duration = Duration::from_secs(60);

/// How often readings are expected.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct MeasuredTiming {
    /// The base interval.
    pub base: Duration,
    /// By how much readings are rarer because the VRM sheds load; 1: not at all.
    pub stretch: u32,
}

impl MeasuredTiming {
    pub(super) fn expected(&self, metric: Metric) -> Duration {
        let slow = metric.class() == MeasuredClass::VirtualCpu
            || matches!(metric, Metric::VmCpuSteal | Metric::VmCpuEmulatorTime);
        let base = self.base.saturating_mul(self.stretch.max(1));
        if slow { base.max(SLOW_GROUP) } else { base }
    }

    pub(super) fn gap(&self, metric: Metric) -> Duration {
        self.expected(metric).mul_f64(GAP)
    }
}

/// The accumulator of one metric of one part over one period.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Slot {
    /// Counters: bits of the integer or real sum. Gauges: the sum weighted by milliseconds.
    pub(super) sum: u64,
    pub(super) min: f64,
    pub(super) max: f64,
    pub(super) last: f64,
    /// When the last reading was taken.
    pub(super) last_at: i64,
    pub(super) weight_millis: u32,
    pub(super) samples: u32,
    pub(super) suspect: u16,
    /// Discriminant of why there is no value, plus one.
    pub(super) absent: u8,
    pub(super) real: bool,
    pub(super) counted: bool,
}

impl Slot {
    pub(super) fn suspect(&mut self, reason: SuspectReason) {
        self.suspect |= 1 << reason as u16;
    }

    pub(super) fn count(&mut self, amount: Number) {
        self.counted = true;
        match (amount, self.real) {
            (Number::Integer(value), false) => self.sum = self.sum.saturating_add(value),
            (Number::Integer(_), true) => self.sum = (f64::from_bits(self.sum) + amount.as_f64()).to_bits(),
            (Number::Real(value), real) => {
                let before = if real { f64::from_bits(self.sum) } else { Number::Integer(self.sum).as_f64() };
                self.sum = (before + value).to_bits();
                self.real = true;
            }
        }
    }

    pub(super) fn weigh(&mut self, value: f64, interval: Duration) {
        let millis = u32::try_from(interval.as_millis()).unwrap_or(u32::MAX).max(1);
        self.sum = (f64::from_bits(self.sum) + value * f64::from(millis)).to_bits();
        self.weight_millis = self.weight_millis.saturating_add(millis);
        self.counted = true;
    }

    pub(super) fn see(&mut self, value: f64, at: Timestamp) {
        let first = self.samples == 0;
        self.min = if first { value } else { self.min.min(value) };
        self.max = if first { value } else { self.max.max(value) };
        self.last = value;
        self.last_at = at.0;
        self.samples += 1;
    }

    pub(super) fn absent(&self) -> Option<AbsentReason> {
        self.absent.checked_sub(1).and_then(|at| ABSENT.get(usize::from(at))).copied()
    }

    pub(super) fn set_absent(&mut self, reason: AbsentReason) {
        let at = ABSENT.iter().position(|known| *known == reason).unwrap_or(0);
        self.absent = u8::try_from(at + 1).unwrap_or(0);
    }
}

const ABSENT: [AbsentReason; 9] = [
    AbsentReason::Unsupported,
    AbsentReason::ReadOnlyConnection,
    AbsentReason::Stale,
    AbsentReason::HostLost,
    AbsentReason::NotResponding,
    AbsentReason::NotRunning,
    AbsentReason::NoInterval,
    AbsentReason::NoEvents,
    AbsentReason::NotMeasured,
];

/// Bit of a lost host among the suspect reasons.
pub(super) const HOST_LOST: u16 = 1 << SuspectReason::HostLost as u16;

/// The result of an accumulator at the end of its period.
pub(super) fn value_of(metric: Metric, slot: &Slot, end: Timestamp, timing: MeasuredTiming, lost: bool) -> PeriodValue {
    let mut suspect = Suspect(slot.suspect);
    if slot.samples > 0 && end.since(Timestamp(slot.last_at)) > timing.gap(metric) {
        suspect.add(SuspectReason::Gap);
    }
    if lost {
        suspect.add(SuspectReason::HostLost);
    }
    let value = if slot.counted {
        Ok(match metric.kind() {
            MetricKind::Cumulative | MetricKind::Event if slot.real => f64::from_bits(slot.sum),
            MetricKind::Cumulative | MetricKind::Event => Number::Integer(slot.sum).as_f64(),
            MetricKind::Gauge => f64::from_bits(slot.sum) / f64::from(slot.weight_millis),
            MetricKind::Status => slot.last,
        })
    } else if slot.samples > 0 {
        Err(AbsentReason::NoInterval)
    } else if lost || slot.suspect & HOST_LOST != 0 {
        Err(AbsentReason::HostLost)
    } else {
        Err(slot.absent().unwrap_or(AbsentReason::NotMeasured))
    };
    let seen = slot.samples > 0;
    let levels = seen && metric.kind() == MetricKind::Gauge;
    PeriodValue {
        value,
        min: levels.then_some(slot.min),
        max: levels.then_some(slot.max),
        last: seen.then_some(slot.last),
        samples: slot.samples,
        suspect,
    }
}
