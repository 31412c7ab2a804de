//! Sinks against real receivers: a recorder over HTTP, commands, a journal socket, Debian's Alertmanager.
//!
//! Alarms come from a small writer over the real store and change log, not from fault management:
//! what is tested is that every raise and every resolve arrives, whatever happens in between.
#![cfg(feature = "daemon")]
#![expect(clippy::unwrap_used, reason = "a test that cannot go on should stop where it is")]

mod alertmanager;
#[path = "../common/mod.rs"]
mod common;
mod deliveries;
mod gaps;
mod killed;
mod local;
mod recorder;
mod source;
