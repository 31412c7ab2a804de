//! Performance management: from readings of counters and levels to results that never lie. Pure: no I/O, no clock.
//!
//! ```text
//! samples ──▶ reading ──▶ derive ──▶ accumulate ──▶ period results ──▶ figure ──▶ threshold
//!             (compact)   (true        (aligned to                     (built-in    (levels,
//!                          interval)     UTC)                            and own)     hysteresis)
//! jobs, monitors ──▶ order ──▶ plans: which metric of which object at which granularity
//! ```
//! Absent is absent, never 0; a counter that went backwards gives no value and marks the period suspect.

mod accumulate;
pub mod catalogue;
mod counter;
mod derive;
mod figure;
pub mod job;
pub mod order;
mod plan;
mod reading;
pub mod shed;
mod slot;
mod threshold;

pub use accumulate::Accumulators;
pub use derive::derive;
pub use figure::{BUILT_IN, BuiltIn, Figure};
pub use order::{Orders, Standing};
pub use plan::Plan;
pub use reading::{Look, OwnerReadings, PartReadings, Reading, merge};
pub use slot::MeasuredTiming;
pub use threshold::{Crossing, LevelState, evaluate};

#[cfg(test)]
mod tests;
