//! The managed objects: what is known of every host, machine, pool and network, and what changed.
//!
//! Pure: no clock, no I/O, no lock. Facts go in with the time they were seen; changes come out,
//! numbered, in the order in which they enter the log. *Unknown is not off*: without evidence an
//! object keeps its last known state and says so.

mod apply_hosts;
mod apply_machines;
mod apply_networks;
mod apply_storage;
mod core;
mod diff;
mod facts;
mod hosts;
mod machine_state;
mod machines;
mod missed;
mod networks;
mod restore;
mod storage;
mod table;
mod topology;

pub use core::Inventory;
pub use facts::{Evidence, InventorySettings, LinkStanding};
pub use table::Effects;

#[cfg(test)]
mod tests;
