//! Storage alarms as evidence: when a backing is raised as their parent, and when it is over.

use super::backing::{self, Levels, Verdict};
use super::catalogue::AlarmType;
use super::conditions::ConditionKey;
use super::finding::Finding;
use super::surveillance::Surveillance;
use crate::model::relation::Topology;
use crate::model::{Name, PerceivedSeverity, Timestamp};
use std::time::Duration;

/// So long a polled storage condition waits for others on the same backing: 2 s.
const WAIT: Duration = Duration::from_secs(2);

/// The same for a critical one: 500 ms.
const SHORT_WAIT: Duration = Duration::from_millis(500);

fn lost(backing: &Name) -> ConditionKey {
    ConditionKey { object: backing.clone(), alarm_type: AlarmType::StorageBackingLost }
}

impl Surveillance {
    /// How long a polled condition waits for others of the same cause: not at all if that is known.
    pub(super) fn wait_for_others(
        &self,
        key: &ConditionKey,
        severity: PerceivedSeverity,
        world: &dyn Topology,
    ) -> Duration {
        if !backing::is_witness(key.alarm_type) {
            return Duration::ZERO;
        }
        let backings = backing::backings_of(&key.object, world);
        if backings.is_empty() || backings.iter().any(|backing| self.conditions.stands(&lost(backing))) {
            return Duration::ZERO;
        }
        if severity == PerceivedSeverity::Critical { SHORT_WAIT } else { WAIT }
    }

    /// A condition stands: it may show that a backing is lost.
    pub(super) fn witness(&mut self, key: &ConditionKey, hold_on: Duration, world: &dyn Topology, now: Timestamp) {
        if !backing::is_witness(key.alarm_type) {
            return;
        }
        let Some(since) = self.conditions.since(key) else { return };
        let told = self.conditions.is_told(key);
        let touched = self.backings.note(key, since, told, hold_on, world);
        self.judge_backings(touched, world, now);
    }

    /// A condition ended: without any, its backing is well.
    pub(super) fn witness_gone(&mut self, key: &ConditionKey, world: &dyn Topology, now: Timestamp) {
        for backing in self.backings.drop(key) {
            if !self.backings.on(&backing).is_empty() {
                continue;
            }
            if let Some(step) = self.conditions.over(&lost(&backing), now) {
                self.step(step, None, world, now);
            }
        }
    }

    /// Raises the backings that are lost, each before what shows it.
    pub(super) fn judge_backings(&mut self, mut touched: Vec<Name>, world: &dyn Topology, now: Timestamp) {
        if let [first, _, ..] = touched.as_slice() {
            let levels = self.levels(first, world);
            self.backings.likeliest_first(&mut touched, levels, world, now);
        }
        for backing in touched {
            if self.conditions.stands(&lost(&backing)) || world.object(&backing).is_none() {
                continue;
            }
            if let Some(known) = self.conditions.finding(&lost(&backing)).cloned() {
                self.present(known, None, world, now);
                continue;
            }
            let levels = self.levels(&backing, world);
            let is_lost = |other: &Name| self.conditions.stands(&lost(other));
            let Some(verdict) = self.backings.judge(&backing, levels, world, now, &is_lost) else { continue };
            self.present(found(&backing, &verdict, world), None, world, now);
            for key in self.backings.on(&backing) {
                if let Some(step) = self.conditions.hasten(&key, now) {
                    self.step(step, None, world, now);
                }
            }
        }
    }

    fn levels(&self, backing: &Name, world: &dyn Topology) -> Levels {
        Levels::of(&self.grading_for(AlarmType::StorageBackingLost, backing, None, world).thresholds)
    }
}

fn found(backing: &Name, verdict: &Verdict, world: &dyn Topology) -> Finding {
    let label = world.object(backing).map_or_else(|| backing.to_string(), |object| object.display_name());
    let hosts: Vec<&str> = verdict.hosts.iter().take(10).map(|host| host.as_str()).collect();
    let text = format!(
        "{label} is lost: storage alarms of {} machines and {} hosts within seconds",
        verdict.machines.len(),
        verdict.hosts.len()
    );
    Finding::new(AlarmType::StorageBackingLost, backing, text)
        .with("hosts", hosts.join(" "))
        .with("evidence", format!("{} machines", verdict.machines.len()))
}
