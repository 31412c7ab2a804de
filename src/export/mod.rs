//! Alarms in other people's words: pure mappings without I/O.
//!
//! Each file spells one foreign record. The mapping is what integrators argue about, so every one has
//! golden files under `tests/fixtures/export`; transports belong to whoever calls. Nothing here
//! reads a clock or decides whether an alarm is to be told.

mod alertmanager;
mod change;
mod mns;
mod o2ims;
mod tmf642;
mod ves;
mod view;

pub use alertmanager::{Identity, alert};
pub use change::{ChangeEvent, Told, WithdrawReason, change_record};
pub use mns::{NotificationType, notification};
pub use o2ims::o2ims;
pub use tmf642::tmf642;
pub use ves::ves_fault;
pub use view::{AlarmView, Reporter};

#[cfg(test)]
mod tests;
