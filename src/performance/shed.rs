//! What goes first when the VRM cannot do everything (operations.md F34).
//!
//! Alarms, the inventory and the default job's state group are never shed.

use crate::model::measurement::JobPriority;

/// How much is shed, in order.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Shedding {
    /// Nothing.
    #[default]
    None,
    /// Report files are not written.
    Reports,
    /// Streams of single samples stand still.
    SampleStreams,
    /// Jobs of low priority rest.
    LowJobs,
    /// Readings come half as often.
    HalfCadence,
    /// Readings come a quarter as often.
    QuarterCadence,
}

impl Shedding {
    /// Every step, mildest first.
    pub const ALL: [Self; 6] =
        [Self::None, Self::Reports, Self::SampleStreams, Self::LowJobs, Self::HalfCadence, Self::QuarterCadence];

    /// One step more.
    #[must_use]
    pub fn more(self) -> Self {
        Self::ALL.into_iter().find(|step| *step > self).unwrap_or(Self::QuarterCadence)
    }

    /// One step less.
    #[must_use]
    pub fn less(self) -> Self {
        Self::ALL.into_iter().rev().find(|step| *step < self).unwrap_or(Self::None)
    }

    /// By how much readings are rarer.
    pub fn stretch(self) -> u32 {
        match self {
            Self::HalfCadence => 2,
            Self::QuarterCadence => 4,
            _ => 1,
        }
    }

    /// True if a job of this priority rests.
    pub fn rests(self, priority: JobPriority) -> bool {
        self >= Self::LowJobs && priority == JobPriority::Low
    }

    /// What the alarm says.
    pub fn text(self) -> &'static str {
        match self {
            Self::None => "nothing is shed",
            Self::Reports => "report files are not written",
            Self::SampleStreams => "report files are not written, streams of samples stand still",
            Self::LowJobs => "reports, streams of samples and measurement jobs of low priority rest",
            Self::HalfCadence => "low-priority work rests and readings come half as often",
            Self::QuarterCadence => "low-priority work rests and readings come a quarter as often",
        }
    }
}

/// Batches that may be lost or late in a row before a step more is taken.
const BAD_ROUNDS: u32 = 3;

/// Rounds without trouble before a step is taken back.
const GOOD_ROUNDS: u32 = 30;

/// Decides about shedding from what each round of a base interval was like.
#[derive(Clone, Copy, Debug, Default)]
pub struct Shedder {
    step: Shedding,
    bad: u32,
    good: u32,
}

impl Shedder {
    /// The present step.
    pub fn step(&self) -> Shedding {
        self.step
    }

    /// One round is over: `overloaded` if batches were dropped or waited for more than an interval. Answers the step
    /// if it changed.
    pub fn round(&mut self, overloaded: bool) -> Option<Shedding> {
        let before = self.step;
        if overloaded {
            (self.bad, self.good) = (self.bad + 1, 0);
            if self.bad >= BAD_ROUNDS {
                (self.step, self.bad) = (self.step.more(), 0);
            }
        } else {
            (self.good, self.bad) = (self.good + 1, 0);
            if self.good >= GOOD_ROUNDS {
                (self.step, self.good) = (self.step.less(), 0);
            }
        }
        (self.step != before).then_some(self.step)
    }
}
