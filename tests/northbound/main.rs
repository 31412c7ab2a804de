//! The northbound interface as clients meet it: real client, real server, real sockets.
#![cfg(feature = "daemon")]
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on should stop where it is")]

mod alarm_acts;
mod alarm_lists;
mod alarm_streams;
mod changes;
mod denial;
mod garbage;
mod lists;
mod measurement_fake;
mod measurements;
mod raw;
mod script;
mod server;
mod soak;
mod streams;
mod watcher;
