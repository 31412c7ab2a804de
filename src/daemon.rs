//! The composition root: builds the parts, wires them, starts, waits, stops in order.
//!
//! Knows every module and is known by none. Turns settings into each module's own configuration.

mod credentials;
mod hosts;
mod instance;
mod lifecycle;
mod northbound;
mod opener;
mod options;
mod service;
mod sim_control;

pub use lifecycle::{check, run};
pub use options::{Exit, Options};
