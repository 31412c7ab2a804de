//! Reports over history: availability, capacity, usage and alarms. Pure: the caller reads history and clock.
//!
//! Formulas are those of operations.md F20. What is not known has a column of its own and is never counted as anything
//! else.

mod alarms;
mod availability;
mod capacity;
mod tracker;
mod usage;

pub use alarms::{AlarmFigures, AlarmGroup, alarm_figures};
pub use availability::{Availability, AvailabilityState, Span, availability};
pub use capacity::{CapacityFigures, capacity};
pub use tracker::{AvailabilityTracker, Tracked, Transition};
pub use usage::{Usage, add_usage};

#[cfg(test)]
mod tests;
