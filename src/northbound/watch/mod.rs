//! Watches: a subscription of the change log on a gRPC stream, under the rules S1–S16.
//!
//! What is streamed is a [`Payload`]: resources here, alarms in `northbound::alarm`. Everything else
//! is the same for all.

mod choice;
mod options;
mod payload;
mod resources;
mod speaker;
mod stream;

pub(super) use choice::{alarm_choice, mode_of_choice};
pub(super) use options::{effective_options, subscription_options};
pub(super) use payload::{Payload, Said, envelope};
pub use resources::ResourceAnswers;
pub(super) use resources::classes;
pub(super) use speaker::Speaker;
pub use stream::{Answers, Opening, Watching};
pub(super) use stream::{closed_by_operator, stopping};

#[cfg(test)]
mod tests;
