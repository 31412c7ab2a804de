//! Settings: files and arguments in, one validated value out.
//!
//! Knows no other module of ours: `daemon` turns the validated settings into each module's own.
//! Every refusal names the file, the key and the reason; an unknown key is an error.

mod alarms;
mod error;
mod files;
mod fragment;
mod hosts;
mod notify;
mod period;
mod profile;
mod validated;

pub use alarms::{AlarmProfileSetting, AlarmSettings, Severity};
pub use error::SettingsError;
pub use files::{Inputs, load};
pub use hosts::{HostSetting, parse_host_argument};
pub use notify::{HttpSetting, NotifyKind, NotifySetting};
pub use profile::Profile;
pub use validated::{Credential, Listener, MeasurementSetting, Metrics, OutsideChanges, Settings};

#[cfg(test)]
mod tests;
