//! Settings: files and arguments in, one validated value out.
//!
//! Knows no other module of ours: `daemon` turns the validated settings into each module's own.
//! Every refusal names the file, the key and the reason; an unknown key is an error.

mod error;
mod files;
mod fragment;
mod hosts;
mod profile;
mod validated;

pub use error::SettingsError;
pub use files::{Inputs, load};
pub use hosts::{HostSetting, parse_host_argument};
pub use profile::Profile;
pub use validated::{Credential, Listener, Metrics, OutsideChanges, Settings};

#[cfg(test)]
mod tests;
