//! What detectors say: conditions that are there, and conditions that are over.

use super::catalogue::AlarmType;
use crate::model::alarm::{PerceivedSeverity, SecurityDetail, ThresholdCrossing};
use crate::model::{Name, Timestamp};
use std::collections::BTreeMap;
use std::time::Duration;

/// How long a condition must stand before it is told.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Hold {
    /// As catalogue and profiles say.
    #[default]
    Usual,
    /// An event told it: at once, and each time anew. What is read shortly after does not take it back.
    Event,
    /// The state shows what an event told: at once, and a quiet time begins when the state shows it no more.
    Shown,
    /// So long, whatever the catalogue says.
    For(Duration),
    /// Until then.
    Until(Timestamp),
}

/// A condition that is there.
#[derive(Clone, Debug, PartialEq)]
pub struct Finding {
    /// Its type.
    pub alarm_type: AlarmType,
    /// The faulty object or part of an object.
    pub object: Name,
    /// Severity; the catalogue's only or lowest one if absent.
    pub severity: Option<PerceivedSeverity>,
    /// What is the matter, for people.
    pub text: String,
    /// Details, machine readable.
    pub attributes: BTreeMap<String, String>,
    /// Threshold, for threshold conditions.
    pub threshold: Option<ThresholdCrossing>,
    /// For security conditions.
    pub security: Option<SecurityDetail>,
    /// How long it must stand before it is told.
    pub hold: Hold,
}

impl Finding {
    /// A condition with nothing but a text.
    pub fn new(alarm_type: AlarmType, object: &Name, text: impl Into<String>) -> Self {
        Self {
            alarm_type,
            object: object.clone(),
            severity: None,
            text: text.into(),
            attributes: BTreeMap::new(),
            threshold: None,
            security: None,
            hold: Hold::Usual,
        }
    }

    /// The same with a severity of its own.
    #[must_use]
    pub fn severity(mut self, severity: PerceivedSeverity) -> Self {
        self.severity = Some(severity);
        self
    }

    /// The same, held otherwise.
    #[must_use]
    pub fn hold(mut self, hold: Hold) -> Self {
        self.hold = hold;
        self
    }

    /// The same with the threshold behind it.
    #[must_use]
    pub fn crossing(mut self, threshold: ThresholdCrossing) -> Self {
        self.threshold = Some(threshold);
        self
    }

    /// The same with a detail.
    #[must_use]
    pub fn with(mut self, key: &str, value: impl Into<String>) -> Self {
        self.attributes.insert(key.to_owned(), value.into());
        self
    }
}

/// What an incident says about one condition.
#[derive(Clone, Debug, PartialEq)]
pub enum Sign {
    /// It is there (again).
    Present(Box<Finding>),
    /// It is over.
    Over {
        /// Its type.
        alarm_type: AlarmType,
        /// Where.
        object: Name,
    },
}

/// What the present state of one object says.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Assessment {
    /// Types that could be judged: those of them that are not found are over.
    pub judged: Vec<AlarmType>,
    /// Conditions that are there, of the object and of its parts.
    pub findings: Vec<Finding>,
    /// Conditions of judged types that could not be judged after all: they stay as they are.
    pub kept: Vec<(AlarmType, Name)>,
}
