//! The libvirt adapter: hosts that are reached through libvirt, locally or remotely.
//!
//! libvirt's words (domain, nodedev, connection) stay in this folder. [`LibvirtOpener`] is the way in;
//! [`event_loop::start`] must run before anything is opened.

mod adapter;
mod connection;
mod counters;
mod disk_doubts;
mod errors;
pub mod event_loop;
mod ffi;
mod huge_pages;
mod incidents;
mod lanes;
mod lifeline;
mod memory;
mod observe;
mod opener;
mod process_watch;
mod quarantine;
mod record;
mod runs;
mod session;
mod sever;
mod sink;
mod states;
mod stats;
mod uri;
mod words;
pub mod xml;

pub use opener::{Config, LibvirtOpener};
pub use stats::Polling;
pub use uri::Credential;
