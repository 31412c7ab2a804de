//! Reading the past: the way to transitions that are no longer in memory.

use super::change::Change;
use super::name::ObjectClass;
use std::sync::Arc;

/// Where transitions older than the ones in memory are read.
pub trait TransitionHistory: Send + Sync {
    /// Reads transitions of some classes that lie after a sequence and not after `until`, in order; at most `limit`.
    /// Fewer than `limit` says that there are no more up to `until`, as long as `until` is committed and `after` is
    /// not before [`Self::oldest`] when the read has ended. Blocks on the disk.
    ///
    /// # Errors
    /// [`HistoryError`] if the store cannot be read.
    fn read(
        &self,
        after: u64,
        until: u64,
        classes: &[ObjectClass],
        limit: usize,
    ) -> Result<Vec<Arc<Change>>, HistoryError>;

    /// The sequence after which every transition of these classes is still kept.
    fn oldest(&self, classes: &[ObjectClass]) -> u64;
}

/// Old transitions could not be read.
#[derive(Clone, Debug, thiserror::Error)]
#[error("transitions cannot be read: {0}")]
pub struct HistoryError(pub String);
