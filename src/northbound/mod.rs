//! The gRPC server: who may call what, and the services of `vrm.v1`.
//!
//! Readers see published state only ([`crate::changes`]); changes go through the engine's handle.
//! Nothing here decides about managed objects, and nothing here holds a lock across an await.

mod auth;
mod failure;
mod filter;
mod health;
mod inventory;
pub mod limits;
mod listing;
mod published;
mod reason;
mod request;
mod sessions;
mod watch;

pub use failure::{Access, Failure, from_hypervisor};
pub use health::HealthBoard;
pub use published::Published;
pub use reason::{Reason, code, word};
pub use sessions::{Sessions, WatchLimits};
