//! The gRPC server: who may call what, and the services of `vrm.v1`.
//!
//! Readers see published state only ([`crate::changes`]); changes go through the engine's handle.
//! Nothing here decides about managed objects, and nothing here holds a lock across an await.

mod failure;
mod filter;
pub mod limits;
mod listing;
mod published;
mod reason;

pub use failure::{Access, Failure, from_hypervisor};
pub use published::Published;
pub use reason::{Reason, code, word};
