//! Columns of integers in few bits: what differs from what was to be expected, in Rice codes.
//!
//! Expected is the value before (delta), the line through the two before (delta of delta), or what a sibling column
//! says of the same period. The cheapest is taken, column by column.

use super::bits::{BitReader, BitWriter};

/// Numbers of columns are smaller than this: what differs from an expectation then fits into 63 bits.
pub(super) const LIMIT: i64 = 1 << 60;

/// A quotient this high is not written in ones any more.
const ESCAPE: u64 = 16;

/// In place of a Rice parameter: everything is as expected.
const ALL_ZERO: u64 = 63;

/// What is expected of a number.
#[derive(Clone, Copy)]
enum Expected {
    Previous,
    Slope,
    Sibling,
    Sum,
}

impl Expected {
    const ALL: [Self; 4] = [Self::Previous, Self::Slope, Self::Sibling, Self::Sum];

    /// The expectation of the number at an index from those before it.
    fn of(self, before: &[i64], sibling: &[i64]) -> i64 {
        let index = before.len();
        let level = index.checked_sub(1).map_or(0, |last| before[last]);
        match self {
            Self::Previous => level,
            Self::Slope if index < 2 => level,
            Self::Slope => 2 * level - before[index - 2],
            Self::Sibling => sibling[index],
            // A counter's reading is the one before and what was counted since.
            Self::Sum => level + sibling[index],
        }
    }

    /// True if the first number has no expectation and is written apart.
    fn first_apart(self) -> bool {
        !matches!(self, Self::Sibling)
    }
}

/// Writes a column whose numbers are within [`LIMIT`]; `sibling` is empty or as long.
pub(super) fn encode(out: &mut BitWriter, values: &[i64], sibling: &[i64]) {
    let possible = if sibling.is_empty() { &Expected::ALL[..2] } else { &Expected::ALL[..] };
    let mut best: Option<(u64, usize, u64, Vec<u64>)> = None;
    for (number, expected) in possible.iter().enumerate() {
        let differences = differences(*expected, values, sibling);
        let coded = coded(*expected, &differences);
        let parameter = best_parameter(coded);
        let first = if coded.len() < differences.len() { number_bits(differences[0]) } else { 0 };
        let cost = first + coded_bits(coded, parameter);
        if best.as_ref().is_none_or(|(least, ..)| cost < *least) {
            best = Some((cost, number, parameter, differences));
        }
    }
    let Some((_, number, parameter, differences)) = best else { return };
    let coded = coded(possible[number], &differences);
    out.write(number as u64, 2);
    out.write(parameter, 6);
    if coded.len() < differences.len() {
        out.write_number(differences[0]);
    }
    if parameter != ALL_ZERO {
        coded.iter().for_each(|difference| write_rice(out, *difference, parameter));
    }
}

/// Reads a column of so many numbers; nothing if it is damaged.
pub(super) fn decode(input: &mut BitReader<'_>, count: usize, sibling: &[i64]) -> Option<Vec<i64>> {
    let expected = Expected::ALL[usize::try_from(input.read(2)?).ok()?];
    if matches!(expected, Expected::Sibling | Expected::Sum) && sibling.len() != count {
        return None;
    }
    let parameter = input.read(6)?;
    let mut values: Vec<i64> = Vec::with_capacity(count);
    for index in 0..count {
        let difference = match () {
            () if index == 0 && expected.first_apart() => input.read_number()?,
            () if parameter == ALL_ZERO => 0,
            () => read_rice(input, parameter)?,
        };
        let plain = if index == 0 && expected.first_apart() { 0 } else { expected.of(&values, sibling) };
        let value = plain.checked_add(unfold(difference))?;
        if value.abs() >= LIMIT {
            return None;
        }
        values.push(value);
    }
    Some(values)
}

fn differences(expected: Expected, values: &[i64], sibling: &[i64]) -> Vec<u64> {
    let plain = |index: usize| match index {
        0 if expected.first_apart() => 0,
        _ => expected.of(&values[..index], sibling),
    };
    values.iter().enumerate().map(|(index, value)| fold(value - plain(index))).collect()
}

/// The differences that are written in Rice codes.
fn coded(expected: Expected, differences: &[u64]) -> &[u64] {
    let apart = usize::from(expected.first_apart()).min(differences.len());
    &differences[apart..]
}

/// Signed to unsigned, small to small.
fn fold(value: i64) -> u64 {
    ((value << 1) ^ (value >> 63)).cast_unsigned()
}

fn unfold(value: u64) -> i64 {
    (value >> 1).cast_signed() ^ -(value & 1).cast_signed()
}

fn number_bits(value: u64) -> u64 {
    6 + u64::from(64 - value.leading_zeros())
}

fn rice_bits(value: u64, parameter: u64) -> u64 {
    let quotient = value >> parameter;
    if quotient < ESCAPE { quotient + 1 + parameter } else { ESCAPE + number_bits(value) }
}

fn coded_bits(values: &[u64], parameter: u64) -> u64 {
    if parameter == ALL_ZERO { 0 } else { values.iter().map(|value| rice_bits(*value, parameter)).sum() }
}

/// The parameter with the fewest bits, near the logarithm of the mean.
fn best_parameter(values: &[u64]) -> u64 {
    if values.iter().all(|value| *value == 0) {
        return ALL_ZERO;
    }
    let sum: u128 = values.iter().map(|value| u128::from(*value)).sum();
    let mean = sum / values.len().max(1) as u128;
    let middle = u64::from(128 - mean.leading_zeros());
    let near = middle.saturating_sub(3)..=(middle + 1).min(ALL_ZERO - 1);
    near.min_by_key(|parameter| coded_bits(values, *parameter)).unwrap_or(0)
}

fn write_rice(out: &mut BitWriter, value: u64, parameter: u64) {
    let width = u32::try_from(parameter).unwrap_or(0);
    let quotient = value >> parameter;
    if quotient < ESCAPE {
        let ones = u32::try_from(quotient).unwrap_or(0);
        out.write((1_u64 << (ones + 1)) - 2, ones + 1);
        out.write(value, width);
    } else {
        out.write((1 << ESCAPE) - 1, 16);
        out.write_number(value);
    }
}

fn read_rice(input: &mut BitReader<'_>, parameter: u64) -> Option<u64> {
    let mut quotient = 0;
    while quotient < ESCAPE && input.read(1)? == 1 {
        quotient += 1;
    }
    if quotient == ESCAPE {
        return input.read_number();
    }
    Some((quotient << parameter) | input.read(u32::try_from(parameter).ok()?)?)
}
