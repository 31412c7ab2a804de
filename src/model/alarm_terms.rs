//! Terms of ITU-T X.733 and X.736 that alarms and their types share: severity, event type, probable cause.

use serde::{Deserialize, Serialize};

/// Perceived severity (X.733 8.1.2.3). *Cleared* is no severity here but [`AlarmState::Cleared`]: a
/// cleared alarm keeps the severity it had.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PerceivedSeverity {
    /// Cannot be told.
    #[default]
    Indeterminate,
    /// A possible or impending fault.
    Warning,
    /// Not service affecting yet.
    Minor,
    /// Service affecting, urgent.
    Major,
    /// Service affecting, immediate.
    Critical,
}

impl PerceivedSeverity {
    /// Every severity, lowest first.
    pub const ALL: [Self; 5] = [Self::Indeterminate, Self::Warning, Self::Minor, Self::Major, Self::Critical];

    /// The word of the interface, e.g. `major`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Indeterminate => "indeterminate",
            Self::Warning => "warning",
            Self::Minor => "minor",
            Self::Major => "major",
            Self::Critical => "critical",
        }
    }

    /// The severity of a word.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|severity| severity.as_str() == word)
    }
}

/// Event type (X.733 8.1.1, X.736 8.1.1), with IANA's numbers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "each is the event type's own name in X.733 or X.736")]
pub enum EventType {
    #[default]
    Other,
    Communications,
    QualityOfService,
    ProcessingError,
    Equipment,
    Environmental,
    IntegrityViolation,
    OperationalViolation,
    PhysicalViolation,
    SecurityServiceOrMechanismViolation,
    TimeDomainViolation,
}

impl EventType {
    /// Every event type in order of its number.
    pub const ALL: [Self; 11] = [
        Self::Other,
        Self::Communications,
        Self::QualityOfService,
        Self::ProcessingError,
        Self::Equipment,
        Self::Environmental,
        Self::IntegrityViolation,
        Self::OperationalViolation,
        Self::PhysicalViolation,
        Self::SecurityServiceOrMechanismViolation,
        Self::TimeDomainViolation,
    ];

    /// Number in the IANA-ITU-ALARM-TC-MIB.
    pub fn number(self) -> u32 {
        Self::ALL.iter().zip(1..).find(|(other, _)| **other == self).map_or(1, |(_, number)| number)
    }

    /// The name as the catalogue spells it, e.g. `processingError`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Other => "other",
            Self::Communications => "communications",
            Self::QualityOfService => "qualityOfService",
            Self::ProcessingError => "processingError",
            Self::Equipment => "equipment",
            Self::Environmental => "environmental",
            Self::IntegrityViolation => "integrityViolation",
            Self::OperationalViolation => "operationalViolation",
            Self::PhysicalViolation => "physicalViolation",
            Self::SecurityServiceOrMechanismViolation => "securityServiceOrMechanismViolation",
            Self::TimeDomainViolation => "timeDomainViolation",
        }
    }

    /// True for the event types of X.736.
    pub fn is_security(self) -> bool {
        self.number() >= 7
    }
}

/// Probable cause (X.733 8.1.2.1): the X.733 twin where IANA lists two.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct ProbableCause {
    /// Number in the IANA-ITU-ALARM-TC-MIB.
    pub number: u32,
    /// Name, e.g. `underlyingResourceUnavailable`.
    pub name: String,
}
