//! What the daemon tells about itself: log events to journal or terminal, panics counted.
//!
//! Knows no other module of ours. Logging never blocks: records go through a bounded queue to one
//! writer thread, and what finds no room is dropped and counted.

mod journal;
mod logging;

pub use logging::{LogCounters, LogError, init};
