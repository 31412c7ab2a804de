//! What the command line asks of the daemon, and how the process ends.

use crate::settings::Inputs;
use std::path::PathBuf;

/// What the command line asks for.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Inputs of the settings.
    pub inputs: Inputs,
    /// Plaintext TCP on loopback.
    pub insecure_loopback: bool,
    /// Throw-away certificates.
    pub dev_tls: Option<PathBuf>,
    /// No removal guard.
    pub allow_removals: bool,
    /// Move the store away first.
    pub set_aside_store: bool,
}

/// How the process ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// As asked.
    Clean,
    /// It could not start, or failed while running.
    Failed,
    /// Another instance holds the state directory.
    AnotherInstance,
    /// Settings or store cannot be used.
    InvalidSettingsOrStore,
}

impl Exit {
    /// The exit code (design.md 10).
    pub fn code(self) -> u8 {
        match self {
            Self::Clean => 0,
            Self::Failed => 1,
            Self::AnotherInstance => 75,
            Self::InvalidSettingsOrStore => 78,
        }
    }
}
