//! Why settings are refused.

use std::path::PathBuf;

/// A refusal: exit code 78 at start, a kept old version at reload.
#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    /// A file that was named does not exist or cannot be read.
    #[error("{path}: cannot be read ({reason})")]
    Unreadable {
        /// Which.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// A file is no valid TOML, or has a key that is not known.
    #[error("{path}: {reason}")]
    Syntax {
        /// Which.
        path: PathBuf,
        /// The parser's word, with line and column.
        reason: String,
    },
    /// A value is out of range or contradicts another.
    #[error("{place}: {key}: {reason}")]
    Invalid {
        /// File or `command line`.
        place: String,
        /// The key, e.g. `poll.statistics`.
        key: String,
        /// What is wrong.
        reason: String,
    },
}
