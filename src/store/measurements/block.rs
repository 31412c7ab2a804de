//! Results of one object over some periods in a row, as they are stored: a row holds one period, a block fifteen.
//!
//! Pure. Metrics are told by number, so that a version that does not know one leaves it as it is. A period in which a
//! metric was not measured has no point: it is missing, not zero.

use super::bits::{BitReader, BitWriter};
use super::quantum;
use crate::model::measurement::{AbsentReason, PeriodValue, Suspect};
use std::collections::BTreeMap;

/// Periods of a block.
pub(super) const WINDOW: usize = 15;

/// First byte of a stored block.
const FORMAT: u64 = 1;

/// Result of one metric over one period, and what is known of the minutes within.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Point {
    pub(super) value: PeriodValue,
    pub(super) p95: Option<f64>,
}

/// Points of one metric, by period.
pub(super) type Points = Vec<Option<Point>>;

/// Results by number of the metric.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Block {
    /// Periods, 1 to 15.
    pub(super) slots: usize,
    pub(super) metrics: BTreeMap<u16, Points>,
}

impl Block {
    pub(super) fn new(slots: usize) -> Self {
        Self { slots, metrics: BTreeMap::new() }
    }

    /// Puts a point; one that is there already gives way.
    pub(super) fn put(&mut self, metric: u16, slot: usize, point: Point) {
        let slots = self.slots;
        let points = self.metrics.entry(metric).or_insert_with(|| vec![None; slots]);
        if let Some(place) = points.get_mut(slot) {
            *place = Some(point);
        }
    }

    /// Takes over another block's points from a slot on; they win.
    pub(super) fn merge(&mut self, slot: usize, other: Block) {
        for (metric, points) in other.metrics {
            for (offset, point) in points.into_iter().enumerate() {
                if let Some(point) = point {
                    self.put(metric, slot + offset, point);
                }
            }
        }
    }

    /// As bytes.
    pub(super) fn encode(&self) -> Vec<u8> {
        let mut out = BitWriter::default();
        out.write(FORMAT, 4);
        out.write(self.slots as u64, 4);
        out.write_number(self.metrics.len() as u64);
        let mut number = 0;
        let mut shared = Shared::new(self.slots);
        for (metric, points) in &self.metrics {
            write_small(&mut out, metric - number);
            number = *metric;
            shared.encode(&mut out, points);
            encode_numbers(&mut out, points);
        }
        out.finish()
    }

    /// From bytes; nothing if they are damaged or of a later format.
    pub(super) fn decode(bytes: &[u8]) -> Option<Self> {
        let mut input = BitReader::new(bytes);
        let format = input.read(4)?;
        let slots = usize::try_from(input.read(4)?).ok()?;
        if format != FORMAT || slots == 0 {
            return None;
        }
        let count = input.read_number()?;
        let mut block = Self::new(slots);
        let (mut number, mut shared) = (0_u16, Shared::new(slots));
        for _ in 0..count {
            number = number.checked_add(read_small(&mut input)?)?;
            shared.decode(&mut input)?;
            block.metrics.insert(number, decode_numbers(&mut input, &shared)?);
        }
        Some(block)
    }
}

/// Differences of metric numbers are small.
fn write_small(out: &mut BitWriter, value: u16) {
    if value < 15 {
        out.write(u64::from(value), 4);
    } else {
        out.write(15, 4);
        out.write(u64::from(value), 16);
    }
}

fn read_small(input: &mut BitReader<'_>) -> Option<u16> {
    let short = input.read(4)?;
    let value = if short < 15 { short } else { input.read(16)? };
    u16::try_from(value).ok()
}

/// What metrics of one object mostly have in common: which periods there are, how many readings they rest on, and why
/// they must be used with care. Written where it differs from the metric before.
struct Shared {
    states: Vec<u8>,
    samples: Vec<u32>,
    suspect: Vec<u16>,
}

/// Nothing was measured.
const MISSING: u8 = 0;
/// There is a value.
const VALUE: u8 = 1;
/// First code of the reasons why there is none.
const REASONS: u8 = 2;

impl Shared {
    fn new(slots: usize) -> Self {
        Self { states: vec![VALUE; slots], samples: vec![1; slots], suspect: vec![0; slots] }
    }

    fn encode(&mut self, out: &mut BitWriter, points: &Points) {
        let states: Vec<u8> = points.iter().map(state_of).collect();
        // What is missing has no samples and no suspicion: it stays as it was, which costs nothing.
        let told = |slot: usize| points[slot].as_ref();
        let samples = (0..points.len()).map(|slot| told(slot).map_or(self.samples[slot], |point| point.value.samples));
        let samples: Vec<u32> = samples.collect();
        let suspect =
            (0..points.len()).map(|slot| told(slot).map_or(self.suspect[slot], |point| point.value.suspect.0));
        let suspect: Vec<u16> = suspect.collect();
        if differs(out, &states, &mut self.states) {
            states.iter().for_each(|state| out.write(u64::from(*state), 4));
        }
        if differs(out, &samples, &mut self.samples) {
            samples.iter().for_each(|count| out.write_number(u64::from(*count)));
        }
        if differs(out, &suspect, &mut self.suspect) {
            for reasons in suspect {
                out.write(u64::from(reasons != 0), 1);
                if reasons != 0 {
                    out.write(u64::from(reasons), 16);
                }
            }
        }
    }

    fn decode(&mut self, input: &mut BitReader<'_>) -> Option<()> {
        if input.read(1)? == 1 {
            for state in &mut self.states {
                *state = u8::try_from(input.read(4)?).ok()?;
            }
        }
        if input.read(1)? == 1 {
            for count in &mut self.samples {
                *count = u32::try_from(input.read_number()?).ok()?;
            }
        }
        if input.read(1)? == 1 {
            for reasons in &mut self.suspect {
                *reasons = if input.read(1)? == 1 { u16::try_from(input.read(16)?).ok()? } else { 0 };
            }
        }
        Some(())
    }
}

/// Writes whether something is new, and remembers it.
fn differs<T: PartialEq + Clone>(out: &mut BitWriter, new: &[T], known: &mut Vec<T>) -> bool {
    let differs = new != known.as_slice();
    out.write(u64::from(differs), 1);
    if differs {
        *known = new.to_vec();
    }
    differs
}

fn state_of(point: &Option<Point>) -> u8 {
    match point.as_ref().map(|point| &point.value.value) {
        None => MISSING,
        Some(Ok(_)) => VALUE,
        Some(Err(reason)) => REASONS + code_of(*reason),
    }
}

/// Codes of reasons; never given to another one.
fn code_of(reason: AbsentReason) -> u8 {
    match reason {
        AbsentReason::Unsupported => 0,
        AbsentReason::ReadOnlyConnection => 1,
        AbsentReason::Stale => 2,
        AbsentReason::HostLost => 3,
        AbsentReason::NotResponding => 4,
        AbsentReason::NotRunning => 5,
        AbsentReason::NoInterval => 6,
        AbsentReason::NoEvents => 7,
        AbsentReason::NotMeasured => 8,
    }
}

fn reason_of(code: u8) -> AbsentReason {
    match code {
        0 => AbsentReason::Unsupported,
        1 => AbsentReason::ReadOnlyConnection,
        2 => AbsentReason::Stale,
        3 => AbsentReason::HostLost,
        4 => AbsentReason::NotResponding,
        5 => AbsentReason::NotRunning,
        6 => AbsentReason::NoInterval,
        7 => AbsentReason::NoEvents,
        _ => AbsentReason::NotMeasured,
    }
}

/// The four numbers beside the value: which periods have them.
const BESIDE: [fn(&mut Point) -> &mut Option<f64>; 4] =
    [|point| &mut point.value.min, |point| &mut point.value.max, |point| &mut point.value.last, |point| &mut point.p95];

fn encode_numbers(out: &mut BitWriter, points: &Points) {
    let there: Vec<Point> = points.iter().flatten().cloned().collect();
    let values: Vec<f64> = there.iter().filter_map(|point| point.value.value.ok()).collect();
    if !values.is_empty() {
        quantum::encode(out, &values, &[]);
    }
    // Expectations come from what the reader will have read.
    let exact = decoded(&values);
    for beside in BESIDE {
        let found: Vec<Option<f64>> = there.iter().cloned().map(|mut point| *beside(&mut point)).collect();
        encode_beside(out, &found, &there, &exact);
    }
}

/// The values as they will be read.
fn decoded(values: &[f64]) -> Vec<f64> {
    let mut out = BitWriter::default();
    quantum::encode(&mut out, values, &[]);
    quantum::decode(&mut BitReader::new(&out.finish()), values.len(), &[]).unwrap_or_default()
}

/// How a column beside the value stands to it.
const NONE: u64 = 0;
const SAME: u64 = 1;
const ALL: u64 = 2;
const SOME: u64 = 3;

fn encode_beside(out: &mut BitWriter, found: &[Option<f64>], there: &[Point], exact: &[f64]) {
    let numbers: Vec<f64> = found.iter().flatten().copied().collect();
    let values: Vec<Option<f64>> = there.iter().map(|point| point.value.value.ok()).collect();
    let covers = found.iter().zip(&values).all(|(number, value)| number.is_some() == value.is_some());
    if numbers.is_empty() {
        return out.write(NONE, 2);
    }
    if covers && found == values.as_slice() && numbers == exact {
        return out.write(SAME, 2);
    }
    out.write(if covers { ALL } else { SOME }, 2);
    if !covers {
        found.iter().for_each(|number| out.write(u64::from(number.is_some()), 1));
    }
    let has_value: Vec<bool> = values.iter().map(Option::is_some).collect();
    let has_number: Vec<bool> = found.iter().map(Option::is_some).collect();
    quantum::encode(out, &numbers, &sibling(&has_value, &has_number, exact));
}

/// What is expected of each number: the value of its period, 0 where there is none.
fn sibling(has_value: &[bool], has_number: &[bool], values: &[f64]) -> Vec<f64> {
    let mut values = values.iter();
    let by_slot = has_value.iter().map(|has| if *has { values.next().copied() } else { None });
    let both = by_slot.zip(has_number).collect::<Vec<_>>();
    both.into_iter().filter(|(_, has)| **has).map(|(value, _)| value.unwrap_or(0.0)).collect()
}

fn decode_numbers(input: &mut BitReader<'_>, shared: &Shared) -> Option<Points> {
    let slots: Vec<usize> = (0..shared.states.len()).filter(|slot| shared.states[*slot] != MISSING).collect();
    let has_value: Vec<bool> = slots.iter().map(|slot| shared.states[*slot] == VALUE).collect();
    let count = has_value.iter().filter(|has| **has).count();
    let values = if count > 0 { quantum::decode(input, count, &[])? } else { Vec::new() };
    let mut points = new_points(shared, &values);
    for beside in BESIDE {
        let numbers = decode_beside(input, &has_value, &values)?;
        for (slot, number) in slots.iter().zip(numbers) {
            if let Some(point) = &mut points[*slot] {
                *beside(point) = number;
            }
        }
    }
    Some(points)
}

fn new_points(shared: &Shared, values: &[f64]) -> Points {
    let mut values = values.iter();
    let point = |slot: usize| {
        let value = match shared.states[slot] {
            MISSING => return None,
            VALUE => Ok(values.next().copied().unwrap_or_default()),
            code => Err(reason_of(code - REASONS)),
        };
        let (samples, suspect) = (shared.samples[slot], Suspect(shared.suspect[slot]));
        let value = PeriodValue { value, min: None, max: None, last: None, samples, suspect };
        Some(Point { value, p95: None })
    };
    (0..shared.states.len()).map(point).collect()
}

fn decode_beside(input: &mut BitReader<'_>, has_value: &[bool], values: &[f64]) -> Option<Vec<Option<f64>>> {
    let has_number = match input.read(2)? {
        NONE => return Some(vec![None; has_value.len()]),
        SAME => return Some(spread(has_value, values)),
        ALL => has_value.to_vec(),
        _ => has_value.iter().map(|_| input.read(1).map(|bit| bit == 1)).collect::<Option<_>>()?,
    };
    let count = has_number.iter().filter(|has| **has).count();
    let numbers = quantum::decode(input, count, &sibling(has_value, &has_number, values))?;
    Some(spread(&has_number, &numbers))
}

/// Numbers to their periods.
fn spread(has: &[bool], numbers: &[f64]) -> Vec<Option<f64>> {
    let mut numbers = numbers.iter().copied();
    has.iter().map(|has| if *has { numbers.next() } else { None }).collect()
}
