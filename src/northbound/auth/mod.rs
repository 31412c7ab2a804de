//! Who calls, and what they may do. Default: deny.

mod accounts;
mod gate;
mod identity;
mod ledger;
mod policy;
mod role;

pub use gate::{Gate, GateCounters};
pub(super) use gate::{internal, panic_text};
pub use identity::{Caller, Identity, PeerKind};
pub use ledger::AccessLedger;
pub use policy::{Policies, Policy, PolicyError};
pub use role::Role;
