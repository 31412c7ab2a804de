//! The last readings of everything, as published: readers take an `Arc` and never wait.
//!
//! A table is a list of hosts, each with its owners behind an `Arc`: publishing a batch copies the pointers of one
//! host's owners and of the other hosts, no reading.

use crate::model::measurement::{AbsentReason, LatestReading, MeasuredKey, Owner};
use crate::model::metric::Metric;
use crate::model::{HostId, Timestamp};
use crate::performance::OwnerReadings;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Last readings of the owners seen through one host.
#[derive(Clone, Debug, Default)]
pub struct HostReadings {
    /// Through which; nothing for what the VRM knows itself (pools, networks, the cluster, itself).
    pub host: Option<HostId>,
    /// Wall clock of the newest look.
    pub time: Timestamp,
    /// By owner.
    pub owners: BTreeMap<Owner, Arc<OwnerReadings>>,
}

/// The last readings of everything.
#[derive(Clone, Debug, Default)]
pub struct LatestTable {
    /// By host; nothing for what the VRM knows itself.
    pub hosts: BTreeMap<Option<HostId>, Arc<HostReadings>>,
    /// Hosts that do not answer now: their readings are the last ones.
    pub lost: BTreeSet<HostId>,
}

impl LatestTable {
    /// The readings of an owner, the newest if several hosts told of it.
    pub fn owner(&self, owner: &Owner) -> Option<&Arc<OwnerReadings>> {
        let direct = match owner {
            Owner::Host(host) => self.hosts.get(&Some(host.clone())).and_then(|held| held.owners.get(owner)),
            _ => None,
        };
        let everywhere = || self.hosts.values().filter_map(|held| held.owners.get(owner)).max_by_key(|held| held.at);
        direct.or_else(everywhere)
    }

    /// True if the host through which it was read does not answer now.
    pub fn is_lost(&self, readings: &OwnerReadings) -> bool {
        readings.host.as_ref().is_some_and(|host| self.lost.contains(host))
    }

    /// The last readings of some metrics of some keys; nothing where nothing was ever told.
    pub fn latest(&self, keys: &[MeasuredKey], metrics: &[Metric]) -> Vec<LatestReading> {
        let mut found = Vec::new();
        for key in keys {
            let Some(readings) = self.owner(&key.owner) else { continue };
            let Some(part) = readings.part(&key.part) else { continue };
            let lost = self.is_lost(readings);
            found.extend(
                metrics.iter().filter_map(|metric| readings.latest(part, *metric)).map(|latest| told(latest, lost)),
            );
        }
        found
    }

    /// Every last reading of an owner and its parts.
    pub fn latest_of_owner(&self, owner: &Owner) -> Vec<LatestReading> {
        let Some(readings) = self.owner(owner) else { return Vec::new() };
        let lost = self.is_lost(readings);
        readings.all_latest().map(|latest| told(latest, lost)).collect()
    }

    /// Every last reading, host by host; those of a lost host are absent as `HostLost`.
    pub fn iter(&self) -> impl Iterator<Item = LatestReading> + '_ {
        self.hosts.values().flat_map(move |held| {
            held.owners.values().flat_map(move |readings| {
                let lost = self.is_lost(readings);
                readings.all_latest().map(move |latest| told(latest, lost))
            })
        })
    }

    /// Number of owners.
    pub fn owners(&self) -> usize {
        self.hosts.values().map(|held| held.owners.len()).sum()
    }
}

fn told(latest: LatestReading, lost: bool) -> LatestReading {
    // That the connection is down is known.
    let known = latest.metric == Metric::HostHypervisorConnected;
    let value = if lost && !known { Err(AbsentReason::HostLost) } else { latest.value };
    LatestReading { value, ..latest }
}
