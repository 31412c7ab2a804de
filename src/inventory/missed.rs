//! What a poll found and no event had announced (operations.md F30).
//!
//! Only what libvirt announces counts: objects that come and go and their run states, not sizes, links or
//! definitions, for which there are no events. A poll may overtake an event that is on its way: a
//! difference is missed when its event has not come for a while.

use crate::model::observation::Fact;
use crate::model::{Change, ChangeKind, HostId, Name, ObjectClass, Timestamp};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

/// An event that comes so long after the poll was only slower: 10 s.
const GRACE: Duration = Duration::from_secs(10);

/// Objects that wait for their event: 1,000. What is beyond is missed at once.
const WAITING: usize = 1_000;

/// Differences of one endpoint that wait for their event.
#[derive(Clone, Debug, Default)]
pub(super) struct Unannounced {
    waiting: BTreeMap<Name, Timestamp>,
}

impl Unannounced {
    /// A poll made these changes; answers how many are missed for want of room.
    pub(super) fn found(&mut self, changes: &[Arc<Change>], now: Timestamp) -> u64 {
        let mut missed = 0;
        for change in changes.iter().filter(|change| is_announced(change)) {
            if self.waiting.len() < WAITING {
                self.waiting.entry(change.name.clone()).or_insert(now);
            } else {
                missed += 1;
            }
        }
        missed
    }

    /// An event was about these facts.
    pub(super) fn announced(&mut self, host: &HostId, facts: &[Fact]) {
        if self.waiting.is_empty() {
            return;
        }
        for name in facts.iter().filter_map(|fact| subject(host, fact)) {
            self.waiting.remove(&name);
        }
    }

    /// How many have waited for too long.
    pub(super) fn missed(&mut self, now: Timestamp) -> u64 {
        let before = self.waiting.len();
        self.waiting.retain(|_, since| now.since(*since) < GRACE);
        (before - self.waiting.len()) as u64
    }
}

/// Whether libvirt tells such a change by an event.
fn is_announced(change: &Change) -> bool {
    let state = match change.object.class() {
        ObjectClass::VirtualMachine => "run_state",
        ObjectClass::StoragePool => "pool_state",
        ObjectClass::Network => "active",
        _ => return false,
    };
    change.kind != ChangeKind::Changed || change.attributes.iter().any(|attribute| attribute.path == state)
}

/// The object a fact is about.
fn subject(host: &HostId, fact: &Fact) -> Option<Name> {
    match fact {
        Fact::Machine(facts) => Some(Name::virtual_machine(facts.state.uuid)),
        Fact::MachineState(facts) => Some(Name::virtual_machine(facts.uuid)),
        Fact::MachineGone { uuid, .. } => Some(Name::virtual_machine(*uuid)),
        Fact::StoragePool(facts) => Some(Name::storage_pool(host, &facts.pool.display_name)),
        Fact::StoragePoolGone(pool) => Some(Name::storage_pool(host, pool)),
        Fact::Network(network) => Some(Name::network(host, &network.display_name)),
        Fact::NetworkGone(network) => Some(Name::network(host, network)),
        _ => None,
    }
}
