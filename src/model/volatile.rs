//! Values that move without being a change.

use serde::{Deserialize, Serialize};
use std::ops::{Deref, DerefMut};

/// A value whose movement raises no revision and enters no log.
///
/// These are the attributes with *notifyable = false* in `docs/information-model.md` (uptime,
/// balloon size, allocation, guest figures). All values of this type compare equal, so that a
/// comparison of two objects asks exactly "would a subscriber have to be told?".
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Volatile<T>(pub T);

impl<T> PartialEq for Volatile<T> {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl<T> Eq for Volatile<T> {}

impl<T> Deref for Volatile<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

impl<T> DerefMut for Volatile<T> {
    fn deref_mut(&mut self) -> &mut T {
        &mut self.0
    }
}
