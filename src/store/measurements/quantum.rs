//! Numbers as multiples of a power of two, so that they can be stored as integers.
//!
//! Columns of integers are kept exactly. In a column with fractions every number is kept within 1/8192 of
//! itself (0.012 %): more would be noise that no reading has and no curve shows.

use super::bits::{BitReader, BitWriter};
use super::column::{self, LIMIT};

/// Steps are 2^12 times finer than the least number in the column: half a step is the error.
const FINER: i32 = 12;

/// Integers up to here are exact in a double.
const EXACT: f64 = 9_007_199_254_740_992.0;

/// Exponents of steps are written with this added.
const BIAS: i32 = 63;

/// In place of an exponent: the doubles themselves follow.
const PLAIN: u64 = 127;

/// Writes a column of doubles, `sibling` being empty or a column that may say what to expect.
pub(super) fn encode(out: &mut BitWriter, values: &[f64], sibling: &[f64]) {
    match exponent_for(values) {
        Some(exponent) => {
            out.write(u64::try_from(exponent + BIAS).unwrap_or(0), 7);
            let integers: Vec<i64> = values.iter().map(|value| steps(*value, exponent)).collect();
            column::encode(out, &integers, &expected(sibling, exponent));
        }
        None => {
            out.write(PLAIN, 7);
            write_plain(out, values);
        }
    }
}

/// Reads a column of so many doubles.
pub(super) fn decode(input: &mut BitReader<'_>, count: usize, sibling: &[f64]) -> Option<Vec<f64>> {
    let word = input.read(7)?;
    if word == PLAIN {
        return read_plain(input, count);
    }
    let exponent = i32::try_from(word).ok()? - BIAS;
    let integers = column::decode(input, count, &expected(sibling, exponent))?;
    Some(integers.into_iter().map(|integer| double(integer) * step(exponent)).collect())
}

/// Exponent of the coarsest step that keeps what is promised; nothing if the numbers are too far apart.
fn exponent_for(values: &[f64]) -> Option<i32> {
    if values.iter().any(|value| !value.is_finite()) {
        return None;
    }
    let greatest = values.iter().fold(0.0_f64, |greatest, value| greatest.max(value.abs()));
    let least = values.iter().map(|value| value.abs()).filter(|value| *value > 0.0).fold(f64::INFINITY, f64::min);
    if greatest == 0.0 {
        return Some(0);
    }
    let exponent = if values.iter().all(|value| value.fract() == 0.0 && value.abs() <= EXACT) {
        values.iter().filter(|value| **value != 0.0).map(|value| trailing_zeros(*value)).min()?
    } else {
        floor_log2(least)? - FINER
    };
    let fits = (-BIAS..PLAIN_EXPONENT).contains(&exponent) && greatest / step(exponent) < EXACT;
    fits.then_some(exponent)
}

/// First exponent that cannot be written.
const PLAIN_EXPONENT: i32 = 127 - BIAS;

fn trailing_zeros(value: f64) -> i32 {
    i32::try_from(steps(value, 0).trailing_zeros()).unwrap_or(0)
}

/// Logarithm of a positive number, rounded down; nothing for the subnormal.
fn floor_log2(value: f64) -> Option<i32> {
    let biased = i32::try_from((value.to_bits() >> 52) & 0x7ff).ok()?;
    (biased > 0).then_some(biased - 1023)
}

fn step(exponent: i32) -> f64 {
    2.0_f64.powi(exponent)
}

/// The number in steps, rounded; 0 if it is out of reach.
#[expect(clippy::cast_possible_truncation, reason = "bounded before")]
fn steps(value: f64, exponent: i32) -> i64 {
    let scaled = (value / step(exponent)).round();
    if scaled.abs() <= EXACT { scaled as i64 } else { 0 }
}

#[expect(clippy::cast_precision_loss, reason = "integers of columns were doubles below 2^53")]
fn double(value: i64) -> f64 {
    value.clamp(-LIMIT, LIMIT) as f64
}

fn expected(sibling: &[f64], exponent: i32) -> Vec<i64> {
    sibling.iter().map(|value| if value.is_finite() { steps(*value, exponent) } else { 0 }).collect()
}

/// Doubles as what differs from the one before, bit by bit.
fn write_plain(out: &mut BitWriter, values: &[f64]) {
    let mut before = 0;
    for value in values {
        let bits = value.to_bits();
        let difference = bits ^ before;
        before = bits;
        if difference == 0 {
            out.write(0, 1);
            continue;
        }
        let (leading, trailing) = (difference.leading_zeros(), difference.trailing_zeros());
        let length = 64 - leading - trailing;
        out.write(1, 1);
        out.write(u64::from(leading), 6);
        out.write(u64::from(length - 1), 6);
        out.write(difference >> trailing, length);
    }
}

fn read_plain(input: &mut BitReader<'_>, count: usize) -> Option<Vec<f64>> {
    let mut values = Vec::with_capacity(count);
    let mut before = 0;
    for _ in 0..count {
        if input.read(1)? == 1 {
            let leading = u32::try_from(input.read(6)?).ok()?;
            let length = u32::try_from(input.read(6)?).ok()? + 1;
            let trailing = 64_u32.checked_sub(leading + length)?;
            before ^= input.read(length)? << trailing;
        }
        values.push(f64::from_bits(before));
    }
    Some(values)
}
