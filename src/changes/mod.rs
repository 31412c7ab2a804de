//! The change log: published state, and cursors over it.
//!
//! Everything here is committed already: the engine publishes a transaction only after the store
//! acknowledged it (design.md 5). Readers take short locks that are never held across an await.
//! A subscriber is a cursor and one fixed-size table, never a queue, so a slow one costs a constant.

mod delivery;
mod digest;
mod log;
mod position;
mod subscription;

pub use delivery::{
    Choice, Condition, Delivery, DeliveryKind, DeliveryMode, GapPolicy, LagReason, Selector, StartError, StreamEvent,
    StreamItem, SubscriptionOptions,
};
pub use digest::{digest_of, state_digest};
pub use log::{ChangeLog, Page, Restored};
pub use position::{ListCondition, ListStatus, Position, StatusReason};
pub use subscription::Subscription;

#[cfg(test)]
mod tests;
