//! Fault management: from what is seen of managed objects to the alarm list. Pure: no I/O, no clock.
//!
//! ```text
//! objects ──▶ detect ──▶ conditions ──▶ telling ──▶ list ──▶ record effects
//! incidents ─▶   │      hold-on/off     correlation           (numbered by the engine,
//!                        toggles         absorption            committed, then published)
//! ```
//! An alarm is identified by (object, type); types come from `catalogue.toml`. What an operator does
//! to alarms comes in as commands.

mod absorption;
mod backing;
pub mod catalogue;
mod command;
mod conditions;
mod correlation;
mod crossed;
mod crossing;
mod detect;
mod finding;
mod isolation;
mod list;
mod loops;
mod oversight;
mod place;
mod record;
mod rules;
mod surveillance;
mod telling;
mod upkeep;
mod witness;

pub use finding::{Finding, Hold, Sign};
pub use list::RecordEffect;
pub use place::notification_sink;
pub use rules::has_level;
pub use surveillance::{AlarmIds, FaultCounters, FaultSettings, Hearing, Surveillance};

#[cfg(test)]
mod tests;
