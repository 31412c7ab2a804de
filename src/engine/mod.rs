//! The one writer of managed state: commands and observations in, committed changes out.
//!
//! A turn applies one message to the pure modules, numbers the resulting changes and hands them to
//! the store; they are published, and replies sent, when the store acknowledges (design.md 4).
//! The engine never waits for the disk and knows nothing of `northbound`.

mod command;
mod handle;
mod report;

pub use command::{AnnotationPatch, CommandContext, CommandError, Envelope};
pub use handle::EngineHandle;
pub use report::{Cause, LinkState, Report};
