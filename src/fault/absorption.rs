//! Conditions that stand and are told by another alarm of the same object.

use super::conditions::ConditionKey;
use crate::model::Name;
use std::collections::{BTreeSet, HashMap};

/// Which alarm tells which conditions beside its own.
#[derive(Debug, Default)]
pub(super) struct Absorption {
    by_absorber: HashMap<Name, BTreeSet<ConditionKey>>,
    by_key: HashMap<ConditionKey, Name>,
}

impl Absorption {
    /// The alarm tells the condition from now on, and no other one does.
    pub(super) fn put(&mut self, absorber: &Name, key: ConditionKey) {
        self.drop(&key);
        self.by_absorber.entry(absorber.clone()).or_default().insert(key.clone());
        self.by_key.insert(key, absorber.clone());
    }

    /// The condition is over, or told by itself.
    pub(super) fn drop(&mut self, key: &ConditionKey) {
        let Some(absorber) = self.by_key.remove(key) else { return };
        if let Some(keys) = self.by_absorber.get_mut(&absorber) {
            keys.remove(key);
            if keys.is_empty() {
                self.by_absorber.remove(&absorber);
            }
        }
    }

    /// What an alarm that ends told beside its own condition.
    pub(super) fn take(&mut self, absorber: &Name) -> BTreeSet<ConditionKey> {
        let keys = self.by_absorber.remove(absorber).unwrap_or_default();
        for key in &keys {
            self.by_key.remove(key);
        }
        keys
    }

    /// True if another alarm tells the condition.
    pub(super) fn contains(&self, key: &ConditionKey) -> bool {
        self.by_key.contains_key(key)
    }
}
