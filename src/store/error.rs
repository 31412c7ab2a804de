//! How opening or reading the store fails.

use std::path::PathBuf;

/// Why the store cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The directory or a file cannot be used.
    #[error("cannot use {path}")]
    Io {
        /// Which.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The database is damaged or is none.
    #[error("{path} cannot be read; move it away and begin anew with: vrmd --set-aside-store")]
    Unreadable {
        /// Which.
        path: PathBuf,
        /// Why.
        source: rusqlite::Error,
    },
    /// A record inside is damaged.
    #[error(
        "{path}: {what} cannot be read ({reason}); move the store away and begin anew with: vrmd --set-aside-store"
    )]
    Damaged {
        /// Which database.
        path: PathBuf,
        /// Which record.
        what: String,
        /// What is wrong.
        reason: String,
    },
    /// A newer version of the daemon wrote it.
    #[error(
        "{path} has schema {found}, this version knows {known}; install the newer version, or begin anew with: vrmd --set-aside-store"
    )]
    Newer {
        /// Which database.
        path: PathBuf,
        /// Its schema version.
        found: i64,
        /// The newest we know.
        known: i64,
    },
    /// The linked SQLite is too old to be trusted.
    #[error("SQLite {found} is older than {needed}")]
    OldSqlite {
        /// What is linked.
        found: &'static str,
        /// What is needed (WAL-reset fix, reference/reliability.md 5).
        needed: &'static str,
    },
}
