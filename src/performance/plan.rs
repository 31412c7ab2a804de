//! What is accumulated of one part: metrics by granularity period. Shared by all parts of which the same is wanted.

use crate::model::metric::Metric;
use std::collections::HashSet;
use std::sync::Arc;

/// Metrics by granularity period in seconds, both in order.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Plan {
    /// Granularity and its metrics.
    pub levels: Vec<(u32, Vec<Metric>)>,
    /// Series that count against the capacity: metrics that a job or a monitor of somebody wants, each once whatever
    /// the granularities.
    pub counted: usize,
}

impl Plan {
    /// Number of accumulators it makes of one part.
    pub fn slots(&self) -> usize {
        self.levels.iter().map(|(_, metrics)| metrics.len()).sum()
    }

    /// Adds metrics at a granularity.
    pub fn add(&mut self, granularity: u32, metrics: impl IntoIterator<Item = Metric>) {
        let at = match self.levels.binary_search_by_key(&granularity, |(held, _)| *held) {
            Ok(at) => at,
            Err(at) => {
                self.levels.insert(at, (granularity, Vec::new()));
                at
            }
        };
        let held = &mut self.levels[at].1;
        held.extend(metrics);
        held.sort_unstable();
        held.dedup();
    }
}

/// Plans in use, each once.
#[derive(Debug, Default)]
pub struct Plans(HashSet<Arc<Plan>>);

impl Plans {
    /// The one plan that equals this one.
    pub fn intern(&mut self, mut plan: Plan) -> Arc<Plan> {
        plan.levels.retain(|(_, metrics)| !metrics.is_empty());
        if let Some(held) = self.0.get(&plan) {
            return Arc::clone(held);
        }
        let plan = Arc::new(plan);
        self.0.insert(Arc::clone(&plan));
        plan
    }

    /// Drops plans that nobody uses.
    pub fn tidy(&mut self) {
        self.0.retain(|plan| Arc::strong_count(plan) > 1);
    }
}
