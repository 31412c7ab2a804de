//! The difference of two readings of a counter, over the true interval. Never negative, never invented.

use super::reading::{OwnerReadings, PartReadings, Reading};
use crate::model::measurement::{Number, Part};
use crate::model::metric::Metric;
use std::time::Duration;

/// What two readings of a counter say together.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Delta {
    /// There is nothing to subtract.
    First,
    /// The counter began anew or went back: the difference is not known.
    Reset,
    /// It moved so far in so long.
    Moved {
        /// How far; integers are subtracted as integers.
        amount: Number,
        /// The true interval.
        interval: Duration,
    },
}

/// The difference of a reading to the one before.
pub fn difference(previous: Option<&Reading>, same_incarnation: bool, current: &Reading) -> Delta {
    let Some(previous) = previous else { return Delta::First };
    if !same_incarnation {
        return Delta::Reset;
    }
    let interval = match current.at().checked_sub(previous.at()) {
        Some(interval) if !interval.is_zero() => interval,
        // The same look twice, or one that was overtaken: no time passed.
        _ => return Delta::First,
    };
    let amount = match (previous.number(), current.number()) {
        (Number::Integer(before), Number::Integer(now)) => now.checked_sub(before).map(Number::Integer),
        (before, now) => Some(now.as_f64() - before.as_f64()).filter(|moved| *moved >= 0.0).map(Number::Real),
    };
    amount.map_or(Delta::Reset, |amount| Delta::Moved { amount, interval })
}

/// The difference of a counter of a part between two looks at its owner.
pub fn between(previous: Option<&OwnerReadings>, part: &PartReadings, current: &Reading) -> Delta {
    let former = previous.and_then(|previous| previous.part(&part.part));
    let same = former.is_some_and(|former| part.continues(former));
    difference(former.and_then(|former| former.get(current.metric())), same, current)
}

/// What became of a counter at this look; nothing if it was not read or there is no difference.
pub(super) fn moved(
    previous: Option<&OwnerReadings>,
    current: &OwnerReadings,
    part: &Part,
    metric: Metric,
) -> Option<(Number, Duration)> {
    let held = current.part(part)?;
    let reading = held.get(metric).filter(|reading| current.is_fresh(reading))?;
    match between(previous, held, reading) {
        Delta::Moved { amount, interval } => Some((amount, interval)),
        Delta::First | Delta::Reset => None,
    }
}
