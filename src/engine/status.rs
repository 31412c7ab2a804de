//! How far the served lists can be trusted, from the standing of hosts and store.

use crate::changes::{ListCondition, ListStatus, StatusReason};
use crate::inventory::Inventory;
use crate::model::{HostId, Name};
use crate::store::StoreCondition;

/// The status to publish.
pub(super) fn list_status(inventory: &Inventory, store: StoreCondition, rebuilt: bool) -> ListStatus {
    let lost = inventory.lost_hosts();
    let incomplete = inventory.incomplete_hosts();
    if store == StoreCondition::Full {
        return faulty(StatusReason::Store, &[]);
    }
    if !lost.is_empty() {
        return faulty(StatusReason::HostsUnreachable, &lost);
    }
    if !incomplete.is_empty() {
        return faulty(StatusReason::Starting, &incomplete);
    }
    if rebuilt {
        return ListStatus {
            condition: ListCondition::Rebuilt,
            reason: Some(StatusReason::LogReset),
            scope: Vec::new(),
            alignment_required: true,
        };
    }
    ListStatus::default()
}

/// Told for a moment when everything was read again after a restart (TS 28.532 notifyAlarmListRebuilt).
pub(super) fn restarted() -> ListStatus {
    ListStatus {
        condition: ListCondition::Rebuilt,
        reason: Some(StatusReason::Restarted),
        scope: Vec::new(),
        alignment_required: false,
    }
}

/// Where a restarted daemon is on the way to [`restarted`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Revalidation {
    /// Hosts are still to be read.
    Due,
    /// Just told.
    Told,
    /// Nothing more to say; also if there was nothing stored.
    Over,
}

fn faulty(reason: StatusReason, hosts: &[HostId]) -> ListStatus {
    ListStatus {
        condition: ListCondition::PotentiallyFaulty,
        reason: Some(reason),
        scope: hosts.iter().map(|host| Name::host(host).to_string()).collect(),
        alignment_required: false,
    }
}
