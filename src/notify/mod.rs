//! Somebody must be woken: sinks that carry alarms out (operations.md F7).
//!
//! Every sink is an ordinary subscriber of the change log with a position stored after delivery, so
//! that an outage of the receiver or of us loses nothing: what was not stored is delivered again (at
//! least once, in order per alarm). A sink remembers which alarms its receiver believes in, so that
//! it can end them after a gap. Decides nothing about alarms and knows nothing of settings files;
//! `daemon` makes its [`NotifyConfig`].

mod alertmanager;
mod channel;
mod config;
mod exec;
mod health;
mod http;
mod journal;
mod memory;
mod notice;
mod record_file;
mod retry;
mod sink;
mod start;
mod webhook;

pub use config::{
    AlertmanagerConfig, Endpoint, ExecConfig, Filter, JournalConfig, NotifyConfig, SinkConfig, SinkKind, WebhookConfig,
};
pub use health::{SinkHealth, SinkObserver};
pub use start::{NotifyHandle, StartError, start};

#[cfg(test)]
mod tests;
