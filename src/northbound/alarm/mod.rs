//! `AlarmService`: the alarm list, its stream and history, and what people do with alarms.
//!
//! Reads see what is published; every change goes to the engine, which alone decides about alarms.

mod acts;
mod batch;
mod closed;
mod history;
mod impact;
mod pull;
mod reader;
mod refusal;
mod report;
mod rules;
mod service;
mod stream;
mod summary;
mod types;

pub use closed::{ClosedAlarm, ClosedAlarmPage, ClosedAlarms};
pub use reader::Alarms;
