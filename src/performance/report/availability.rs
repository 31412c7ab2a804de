//! Availability of an object over a time, from the intervals of its states: exact, because it is derived from
//! transitions, not sampled.

use crate::model::Timestamp;
use std::time::Duration;

/// What an object was, for its users.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum AvailabilityState {
    /// It worked.
    Up,
    /// It did not work, and should not: expected to be off, host in maintenance, or an operation of ours.
    DownPlanned,
    /// It did not work.
    DownUnplanned,
    /// Nobody could say.
    Unknown,
}

impl AvailabilityState {
    /// Every state.
    pub const ALL: [Self; 4] = [Self::Up, Self::DownPlanned, Self::DownUnplanned, Self::Unknown];

    /// The state as it is stored and published, e.g. `down_planned`.
    pub fn word(self) -> &'static str {
        match self {
            Self::Up => "up",
            Self::DownPlanned => "down_planned",
            Self::DownUnplanned => "down_unplanned",
            Self::Unknown => "unknown",
        }
    }

    /// The state of a word. One that is not known is unknown.
    pub fn parse(word: &str) -> Self {
        Self::ALL.into_iter().find(|state| state.word() == word).unwrap_or(Self::Unknown)
    }
}

/// A time in one state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// The state.
    pub state: AvailabilityState,
    /// Begin.
    pub begin: Timestamp,
    /// End; nothing while it lasts.
    pub end: Option<Timestamp>,
}

/// Availability over a time. The durations add up to it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Availability {
    /// It worked.
    pub up: Duration,
    /// It did not, as planned.
    pub down_planned: Duration,
    /// It did not, and nobody had planned that.
    pub down_unplanned: Duration,
    /// Nobody could say.
    pub unknown: Duration,
    /// There was no such object, or it was not managed.
    pub not_managed: Duration,
    /// Outages: unplanned down times without a break, counted if any of it lies within.
    pub outages: u32,
    /// The longest of them, as far as it lies within.
    pub longest_outage: Duration,
}

impl Availability {
    /// Share of the time known and not planned otherwise in which it worked: up / (up + unplanned down).
    pub fn ratio(&self) -> Option<f64> {
        let counted = self.up + self.down_unplanned;
        (!counted.is_zero()).then(|| self.up.as_secs_f64() / counted.as_secs_f64())
    }

    fn column(&mut self, state: AvailabilityState) -> &mut Duration {
        match state {
            AvailabilityState::Up => &mut self.up,
            AvailabilityState::DownPlanned => &mut self.down_planned,
            AvailabilityState::DownUnplanned => &mut self.down_unplanned,
            AvailabilityState::Unknown => &mut self.unknown,
        }
    }
}

/// Availability from `begin` to `end`, which is not in the future. The spans are in order and do not overlap.
pub fn availability(spans: impl IntoIterator<Item = Span>, begin: Timestamp, end: Timestamp) -> Availability {
    let mut result = Availability::default();
    let mut covered = begin;
    // End and length so far of the outage that may go on.
    let mut outage: Option<(Timestamp, Duration)> = None;
    for span in spans {
        let from = span.begin.max(covered);
        let until = span.end.unwrap_or(end).min(end);
        if from >= until {
            continue;
        }
        result.not_managed += from.since(covered);
        let length = until.since(from);
        *result.column(span.state) += length;
        covered = until;
        if span.state == AvailabilityState::DownUnplanned {
            let before = outage.filter(|(ended, _)| *ended == from).map(|(_, length)| length);
            result.outages += u32::from(before.is_none());
            let whole = before.unwrap_or_default() + length;
            result.longest_outage = result.longest_outage.max(whole);
            outage = Some((until, whole));
        }
    }
    result.not_managed += end.since(covered);
    result
}
