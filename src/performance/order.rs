//! Standing orders: which metrics of which objects somebody wants at which granularity.

use super::catalogue;
use super::plan::Plan;
use crate::model::measurement::{MeasuredKey, MeasurementJob, MeasurementScope, Owner};
use crate::model::metric::Metric;
use crate::model::{HostId, Name, Timestamp};

/// One standing order.
#[derive(Clone, Debug, PartialEq)]
pub struct Standing {
    /// Metrics; none: the core set of each class.
    pub metrics: Vec<Metric>,
    /// Of what.
    pub scope: MeasurementScope,
    /// Granularity period in seconds.
    pub granularity: u32,
    /// Not before.
    pub start: Option<Timestamp>,
    /// Not then or later.
    pub stop: Option<Timestamp>,
    /// Ordered by the VRM itself for its alarms: it does not count against the capacity.
    pub own: bool,
}

impl Standing {
    /// The order of a job; nothing while it is suspended.
    pub fn of_job(job: &MeasurementJob) -> Option<Self> {
        (!job.suspended).then(|| Self {
            metrics: job.metrics.clone(),
            scope: job.scope.clone(),
            granularity: job.granularity_seconds,
            start: job.start,
            stop: job.stop,
            own: false,
        })
    }

    fn is_due(&self, now: Timestamp) -> bool {
        self.start.is_none_or(|start| start <= now) && self.stop.is_none_or(|stop| now < stop)
    }
}

/// Everything that is ordered.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Orders {
    /// In any order.
    pub standing: Vec<Standing>,
}

impl Orders {
    /// What is accumulated of a part now. `host` is where its owner runs or lies.
    pub fn plan(&self, key: &MeasuredKey, host: Option<&HostId>, now: Timestamp) -> Plan {
        let mut plan = Plan::default();
        let Some(class) = key.class() else { return plan };
        let mut counted: Vec<Metric> = Vec::new();
        for order in self.standing.iter().filter(|order| order.is_due(now)) {
            if !covers(&order.scope, key, host) {
                continue;
            }
            let metrics: Vec<Metric> = match order.metrics.is_empty() {
                true => catalogue::core_set(class).to_vec(),
                false => order.metrics.iter().copied().filter(|metric| metric.class() == class).collect(),
            };
            if !order.own {
                counted.extend(&metrics);
            }
            plan.add(order.granularity, metrics);
        }
        counted.sort_unstable();
        counted.dedup();
        plan.counted = counted.len();
        plan
    }

    /// When an order begins or ends next after `now`.
    pub fn next_turn(&self, now: Timestamp) -> Option<Timestamp> {
        let turns = self.standing.iter().flat_map(|order| [order.start, order.stop]).flatten();
        turns.filter(|turn| *turn > now).min()
    }
}

/// True if a scope covers a part: its own name or that of its owner is listed, or its owner lies at or below a root.
/// Machines lie below the host they run on; everything lies below `cluster`.
pub fn covers(scope: &MeasurementScope, key: &MeasuredKey, host: Option<&HostId>) -> bool {
    let owner = key.owner.name();
    if scope.objects.contains(&owner) {
        return true;
    }
    if !scope.objects.is_empty() && scope.objects.contains(&key.name()) {
        return true;
    }
    scope.roots.iter().any(|root| below(root, &owner, &key.owner, host))
}

fn below(root: &Name, owner: &Name, measured: &Owner, host: Option<&HostId>) -> bool {
    let text = root.as_str();
    if text == "cluster" || text == "vrm" || root == owner {
        return true;
    }
    if owner.as_str().strip_prefix(text).is_some_and(|rest| rest.starts_with('/')) {
        return true;
    }
    matches!(measured, Owner::Machine(_)) && host.is_some_and(|host| *root == Name::host(host))
}
