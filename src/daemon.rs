//! The composition root: builds the parts, wires them, starts, waits, stops in order.
//!
//! Knows every module and is known by none. Turns settings into each module's own configuration.

mod credentials;
mod fault;
mod hosts;
mod instance;
mod lifecycle;
mod measurement;
mod names;
mod northbound;
mod notify;
mod opener;
mod options;
mod own;
mod performance;
mod service;
mod sim_control;
mod translate;
mod watchdog;

pub use lifecycle::{check, run};
pub use options::{Exit, Options};
