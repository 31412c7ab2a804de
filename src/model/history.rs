//! Reading the past: the way to transitions that are no longer in memory.

use super::change::Change;
use std::sync::Arc;

/// Where transitions older than the ones in memory are read.
pub trait TransitionHistory: Send + Sync {
    /// Reads up to `limit` transitions after a sequence, in order. Blocks on the disk.
    ///
    /// # Errors
    /// [`HistoryError`] if the store cannot be read.
    fn read(&self, after: u64, limit: usize) -> Result<Vec<Arc<Change>>, HistoryError>;

    /// The sequence after which every transition is still kept.
    fn oldest(&self) -> u64;
}

/// Old transitions could not be read.
#[derive(Clone, Debug, thiserror::Error)]
#[error("transitions cannot be read: {0}")]
pub struct HistoryError(pub String);
