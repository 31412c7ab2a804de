//! What to read when: one collector per endpoint, its connection and its schedules.
//!
//! A collector owns nothing but its schedule. Events make it read the object concerned; periodic
//! readings are the truth. One endpoint's slowness never shifts another's: they share no lock, no
//! thread and no timer.

mod collector;
mod link;
mod local;
mod readings;
mod schedule;
mod supervisor;

pub use collector::Cadence;
pub use supervisor::{CollectorSettings, start};

#[cfg(test)]
mod tests;
