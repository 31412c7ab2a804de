//! Row numbers of the history: granularity, time and object in one integer, in the order of time.
//!
//! So a period's rows are appended to the end of the tree, its pages are full, old ones are a range at the beginning,
//! and no index is needed.

use crate::model::Timestamp;
use std::ops::RangeInclusive;

/// Bits of the object: 67 million.
const OBJECT_BITS: u32 = 26;
/// Bits of the time, in periods or windows since 1970: periods of 10 s until 2140.
const TIME_BITS: u32 = 29;
/// Greatest number of an object.
pub(super) const LAST_OBJECT: i64 = (1 << OBJECT_BITS) - 1;
/// Greatest number of a granularity: the sign is left alone.
pub(super) const LAST_GRANULARITY: i64 = 255;

/// The row of an object at a time.
pub(super) fn pack(granularity: i64, time: i64, object: i64) -> i64 {
    let time = time.clamp(0, (1 << TIME_BITS) - 1);
    (granularity << (TIME_BITS + OBJECT_BITS)) | (time << OBJECT_BITS) | object
}

/// Time and object of a row.
pub(super) fn unpack(key: i64) -> (i64, i64) {
    ((key >> OBJECT_BITS) & ((1 << TIME_BITS) - 1), key & LAST_OBJECT)
}

/// Every row of a granularity over times.
pub(super) fn span(granularity: i64, times: RangeInclusive<i64>) -> RangeInclusive<i64> {
    pack(granularity, *times.start(), 0)..=pack(granularity, *times.end(), LAST_OBJECT)
}

/// Every row of a granularity.
pub(super) fn all(granularity: i64) -> RangeInclusive<i64> {
    span(granularity, 0..=(1 << TIME_BITS) - 1)
}

/// Number of the period of so many seconds in which an instant lies.
pub(super) fn period(time: Timestamp, seconds: u32) -> i64 {
    time.0.div_euclid(i64::from(seconds.max(1)) * 1_000_000)
}

/// Begin of a period.
pub(super) fn begin(period: i64, seconds: u32) -> Timestamp {
    Timestamp(period * i64::from(seconds) * 1_000_000)
}
