//! What the alarm list refuses, as errors of the interface.

use crate::model::alarm_command::{AlarmOutcome, AlarmRefusal};
use crate::model::{Name, Object, ObjectClass};
use crate::northbound::failure::Failure;
use crate::northbound::reason::Reason;
use std::sync::Arc;
use std::time::Duration;

impl From<AlarmRefusal> for Failure {
    fn from(refusal: AlarmRefusal) -> Self {
        let text = refusal.to_string();
        match refusal {
            AlarmRefusal::NotFound(name) => Self::not_found(name.class(), name.as_str()),
            AlarmRefusal::AlreadyExists(name) => exists(&name, &text),
            AlarmRefusal::EtagMismatch { name, given, current } => Self::new(Reason::EtagMismatch, text)
                .with("name", name.as_str())
                .with("given_etag", given)
                .with("current_etag", current),
            AlarmRefusal::InvalidField { field, reason } => Self::field(&field, reason),
            AlarmRefusal::NotClearable(name) => about(Reason::AlarmNotClearable, "CLEARING", &name, &text),
            AlarmRefusal::StillActive(name) => about(Reason::AlarmActive, "STATE", &name, &text),
            AlarmRefusal::FromFile(name) => {
                about(Reason::ConfiguredProfile, "ORIGIN", &name, &text).with("origin", "file")
            }
            AlarmRefusal::NotExternal(alarm_type) => {
                Self::violation(Reason::AlarmTypeNotExternal, "alarm_type", text).with("alarm_type", alarm_type)
            }
            AlarmRefusal::TooMany(seconds) => Self::new(Reason::RateLimited, text)
                .quota("reported conditions")
                .retry_after(Duration::from_secs(seconds.into())),
        }
    }
}

fn about(reason: Reason, kind: &'static str, name: &Name, text: &str) -> Failure {
    Failure::new(reason, text).with("name", name.as_str()).precondition(kind, name.as_str())
}

fn exists(name: &Name, text: &str) -> Failure {
    let (reason, kind) = match name.class() {
        Some(ObjectClass::AlarmProfile) => (Reason::AlarmProfileExists, "vrm.v1/AlarmProfile"),
        Some(ObjectClass::AlarmShelf) => (Reason::AlarmShelfExists, "vrm.v1/AlarmShelf"),
        _ => (Reason::ObjectExists, "vrm.v1/Object"),
    };
    Failure::new(reason, text).with("name", name.as_str()).resource(kind, name.as_str())
}

/// The record a request about one name led to; nothing for one that is gone by it.
pub(super) fn only(outcomes: Vec<AlarmOutcome>) -> Result<Option<Arc<Object>>, Failure> {
    match outcomes.into_iter().next() {
        Some(outcome) => outcome.result.map_err(Failure::from),
        None => Ok(None),
    }
}
