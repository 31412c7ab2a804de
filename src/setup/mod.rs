//! Setting a VRM up on this machine: checks of its settings, and a throw-away daemon to try it.

mod config;
mod trial;

pub use config::{ConfigDifference, check, diff};
pub use trial::{Trial, TrialError, find_vrmd};
