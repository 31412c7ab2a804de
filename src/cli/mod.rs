//! What `vrmctl` understands and shows: the grammar, tables, live views, exit codes.
//!
//! Knows the client and the interface, never the daemon: it builds without libvirt and SQLite.

mod alarm;
mod alarm_args;
pub mod args;
mod change;
mod create_args;
mod describe;
mod details;
pub mod exit;
mod find;
mod foreign;
mod format;
mod frame;
mod get;
mod heads;
mod host_file;
mod hosts;
mod kind;
mod local;
mod maintenance;
mod measure;
mod measure_args;
mod moment;
mod outcome;
mod output;
mod page;
mod proto_files;
mod reference;
mod run;
mod selector;
mod server;
mod sheet;
mod sim;
mod states;
mod topology;
mod watch;

pub use args::Cli;
pub use exit::{Exit, Failure};
pub use run::{run, running_hosts};
