//! The one writer of managed state: commands and observations in, committed changes out.
//!
//! A turn applies one message to the pure modules, numbers the resulting changes and hands them to
//! the store; they are published, and replies sent, when the store acknowledges (design.md 4).
//! The engine never waits for the disk and knows nothing of `northbound`.

mod access;
mod command;
mod handle;
mod load;
mod measure;
mod mutation;
mod pending;
mod registry;
mod report;
mod requests;
mod run;
mod status;
mod surveil;
mod turn;
mod vitals;

pub use access::{ACCESS_WINDOW, AccessReport, DeniedAccess, FailedAuthentication, denials_alarm, failures_alarm};
pub use command::{AnnotationPatch, CommandContext, CommandError, Envelope, LockRequest};
pub use handle::{EngineHandle, ProbeReport};
pub use report::{Assignment, Cause, LinkState, Report};
pub use run::{EngineEnd, EngineParts, start};
pub use vitals::{EngineVitals, TURN_BOUNDS_US};

#[cfg(test)]
mod tests;
