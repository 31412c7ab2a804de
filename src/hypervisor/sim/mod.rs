//! The shipped simulator: hosts, machines, storage and networks that exist only in arithmetic.
//!
//! `world` is a pure function of seed, script and time, so a restarted daemon finds the same
//! machines. `stage` turns it with the injected clock and hands its events out, `endpoint`
//! implements the port on it, `control` takes faults from `sim.sock`. Nothing here does I/O but
//! `opener` (reads a script file) and `control` (the socket).

pub mod ailment;
pub mod census;
pub mod control;
pub mod dice;
pub mod endpoint;
pub mod fault;
pub mod hardware;
pub mod machine;
pub mod measure;
pub mod measure_host;
pub mod mishap;
pub mod network;
pub mod opener;
pub mod overlay;
pub mod params;
pub mod stage;
pub mod storage;
pub mod strike;
pub mod strike_host;
pub mod symptoms;
pub mod timeline;
pub mod world;

#[cfg(test)]
mod tests;

pub use control::{ControlHook, serve_control};
pub use opener::{SimOpener, SimSetup, tokio_clock};
pub use stage::{Clock, SimHandle};
