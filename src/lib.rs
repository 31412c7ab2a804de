//! `vrm`: the *virtualized resource manager* of ITU-T draft M.mivrcc.
//!
//! One daemon, `vrmd`, per cluster of virtualization hosts: it wraps libvirt, keeps a live
//! inventory of hosts, machines, storage and networks, and serves it over gRPC (`vrm.v1`) to the
//! management systems above. `vrmctl` is the operator's command line. The map of the rooms below,
//! who may import whom, and the invariants are in `ARCHITECTURE.md`.
//!
//! ```text
//!   bin ─▶ daemon ─▶ cli, setup, northbound, collect ─▶ engine ─▶ store, changes ─▶ model
//!                                                          │
//!                                          hypervisor::port, inventory, host, wire, client
//! ```
//!
//! Invariants, each with a test:
//! * one writer: only the engine's task changes managed state;
//! * committed before published, published before streamed, replied after commit;
//! * pure modules (`inventory`, `fault`, `model`) read no clock and do no I/O;
//! * unknown is not off: without evidence the last known state stays and says that it is old;
//! * one hung call, machine or host never delays another.

#[cfg(feature = "daemon")]
pub mod changes;
#[cfg(feature = "cli")]
pub mod cli;
pub mod client;
#[cfg(feature = "daemon")]
pub mod collect;
#[cfg(feature = "daemon")]
pub mod daemon;
#[cfg(feature = "daemon")]
pub mod engine;
pub mod export;
#[cfg(feature = "daemon")]
pub mod fault;
#[cfg(feature = "daemon")]
pub mod host;
#[cfg(feature = "daemon")]
pub mod hypervisor;
#[cfg(feature = "daemon")]
pub mod inventory;
#[cfg(feature = "daemon")]
pub mod measurement;
pub mod model;
#[cfg(feature = "daemon")]
pub mod northbound;
#[cfg(feature = "daemon")]
pub mod notify;
#[cfg(feature = "daemon")]
pub mod performance;
#[cfg(feature = "daemon")]
pub mod settings;
#[cfg(feature = "cli")]
pub mod setup;
#[cfg(feature = "daemon")]
pub mod store;
#[cfg(feature = "daemon")]
pub mod telemetry;
pub mod wire;
