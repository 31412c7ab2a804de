//! What a delivery can end with, and the surroundings every channel gets.

use super::notice::Notice;
use crate::export::Reporter;
use crate::model::Timestamp;
use std::time::{Duration, SystemTime};

/// Why something was not delivered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Failure {
    /// It may work later; the pause the receiver asked for, if any.
    Later {
        /// What went wrong.
        reason: String,
        /// Pause asked for.
        pause: Option<Duration>,
    },
    /// The receiver will never take this one.
    Refused(String),
}

impl Failure {
    pub(super) fn later(reason: impl Into<String>) -> Self {
        Self::Later { reason: reason.into(), pause: None }
    }

    pub(super) fn reason(&self) -> &str {
        match self {
            Self::Later { reason, .. } | Self::Refused(reason) => reason,
        }
    }
}

/// A batch to deliver, and who sends it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Parcel<'a> {
    pub(super) reporter: &'a Reporter,
    pub(super) epoch: &'a str,
    pub(super) notices: &'a [Notice],
}

/// How far a delivery came: notices done, and why it stopped there.
#[derive(Debug)]
pub(super) struct Progress {
    pub(super) done: usize,
    pub(super) failure: Option<Failure>,
}

impl Progress {
    pub(super) fn all(count: usize) -> Self {
        Self { done: count, failure: None }
    }

    pub(super) fn stopped(done: usize, failure: Failure) -> Self {
        Self { done, failure: Some(failure) }
    }
}

/// The time now.
pub(super) fn now() -> Timestamp {
    Timestamp::from_system(SystemTime::now())
}
