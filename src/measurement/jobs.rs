//! Orders: built-in ones and those of people, and what a new one would cost.

use super::table::LatestTable;
use crate::model::measurement::{MeasuredKey, MeasurementJob, MeasurementScope, ThresholdMonitor};
use crate::model::metric::MeasuredClass;
use crate::model::{HostId, Name, Timestamp};
use crate::performance::job::{self, DEFAULT_JOB, Load};
use crate::performance::shed::Shedding;
use crate::performance::{BUILT_IN, Orders, Standing, order};
use std::collections::BTreeSet;
use std::time::Duration;

/// Granularity periods of the built-in default job (operations.md F20).
const DEFAULT_GRANULARITIES: [u32; 3] = [60, 900, 3_600];

fn everything() -> MeasurementScope {
    MeasurementScope { objects: Vec::new(), roots: vec![Name::cluster()] }
}

/// The built-in default job, one record a granularity: the core set of every machine, host and pool.
pub(super) fn default_jobs() -> Vec<MeasurementJob> {
    let job = |granularity_seconds: u32| MeasurementJob {
        id: format!("{DEFAULT_JOB}-{granularity_seconds}"),
        description: "Built in: the core set of every machine, host and pool".to_owned(),
        scope: everything(),
        granularity_seconds,
        priority: crate::model::measurement::JobPriority::High,
        ..MeasurementJob::default()
    };
    DEFAULT_GRANULARITIES.map(job).to_vec()
}

/// True for an id that people cannot use.
pub(super) fn is_reserved(id: &str) -> bool {
    id == DEFAULT_JOB
        || id.strip_prefix(DEFAULT_JOB).is_some_and(|rest| rest.starts_with('-'))
        || BUILT_IN.iter().any(|built_in| built_in.alarm_type == id)
}

/// Everything that is ordered.
pub(super) fn orders(jobs: &[MeasurementJob], monitors: &[ThresholdMonitor], shedding: Shedding) -> Orders {
    let mut standing: Vec<Standing> = default_jobs()
        .iter()
        .chain(jobs.iter().filter(|job| !shedding.rests(job.priority)))
        .filter_map(Standing::of_job)
        .collect();
    standing.extend(monitors.iter().filter(|monitor| !monitor.suspended).filter_map(of_monitor));
    standing.extend(BUILT_IN.iter().map(|built_in| Standing {
        metrics: built_in.metrics.to_vec(),
        scope: everything(),
        granularity: built_in.granularity,
        start: None,
        stop: None,
        own: true,
    }));
    Orders { standing }
}

fn of_monitor(monitor: &ThresholdMonitor) -> Option<Standing> {
    Some(Standing {
        metrics: vec![monitor.metric?],
        scope: monitor.scope.clone(),
        granularity: monitor.granularity_seconds,
        start: None,
        stop: None,
        own: false,
    })
}

/// What orders cost with what is measured now, and classes of what a scope covers.
pub(super) fn cost(table: &LatestTable, orders: &Orders, now: Timestamp, base: Duration) -> Load {
    let mut series = 0;
    each_key(table, |key, host| series += orders.plan(key, host, now).counted as u64);
    job::load(series, base.as_secs_f64())
}

/// Classes of the measured objects and parts that a scope covers.
pub(super) fn classes(table: &LatestTable, scope: &MeasurementScope) -> BTreeSet<MeasuredClass> {
    let mut found = BTreeSet::new();
    each_key(table, |key, host| {
        if order::covers(scope, key, host) {
            found.extend(key.class());
        }
    });
    found
}

fn each_key(table: &LatestTable, mut look: impl FnMut(&MeasuredKey, Option<&HostId>)) {
    for readings in table.hosts.values().flat_map(|held| held.owners.values()) {
        for part in &readings.parts {
            let key = MeasuredKey { owner: readings.owner.clone(), part: part.part.clone() };
            look(&key, readings.host.as_ref());
        }
    }
}
