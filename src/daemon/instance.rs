//! One daemon per state directory.

use rustix::fs::{FlockOperation, flock};
use std::fs::{File, OpenOptions};
use std::path::Path;

/// Held as long as the daemon runs.
#[derive(Debug)]
pub(super) struct InstanceLock {
    _file: File,
}

/// Why the lock cannot be had.
#[derive(Debug, thiserror::Error)]
pub(super) enum LockError {
    /// Another daemon holds it.
    #[error("another vrmd runs on {0}")]
    Held(String),
    /// The file cannot be made.
    #[error("{path}: {source}")]
    Io {
        /// The file.
        path: String,
        /// Why.
        source: std::io::Error,
    },
}

/// Takes the lock of a state directory, which is made if it does not exist.
pub(super) fn lock(directory: &Path) -> Result<InstanceLock, LockError> {
    let path = directory.join("lock");
    let failed = |source| LockError::Io { path: path.display().to_string(), source };
    std::fs::create_dir_all(directory).map_err(failed)?;
    let file = OpenOptions::new().create(true).truncate(false).write(true).open(&path).map_err(failed)?;
    match flock(&file, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok(InstanceLock { _file: file }),
        Err(rustix::io::Errno::WOULDBLOCK) => Err(LockError::Held(directory.display().to_string())),
        Err(error) => Err(failed(error.into())),
    }
}
