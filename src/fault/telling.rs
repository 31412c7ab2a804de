//! Raising and clearing: how a condition becomes an alarm, and which alarm tells it.

use super::catalogue::{self, AlarmType};
use super::conditions::ConditionKey;
use super::correlation;
use super::finding::{Finding, Hold};
use super::list::Telling;
use super::place::owner;
use super::record;
use super::surveillance::{Surveillance, found_severity};
use crate::model::alarm::{AlarmTransition, ClearingKind};
use crate::model::relation::Topology;
use crate::model::{Actor, Alarm, Name, Object, PerceivedSeverity, Timestamp};
use std::time::Duration;

/// Records kept at most: 20,000. Beyond, the alarm cleared longest ago leaves, counted.
const LIST_CAP: usize = 20_000;

/// A cause that is told this soon after its effect takes the effect's place: 60 s.
const RECLASSIFY: Duration = Duration::from_secs(60);

impl Surveillance {
    pub(super) fn raise(
        &mut self,
        finding: &Finding,
        since: Timestamp,
        hint: Option<&Object>,
        world: &dyn Topology,
        now: Timestamp,
    ) {
        let key = ConditionKey::of(finding);
        if let Some(absorber) = self.absorber(&key) {
            self.counters.absorbed += 1;
            self.absorbed.entry(absorber).or_default().insert(key);
            return;
        }
        let known = self.known(&key.object, hint, world);
        let grading = self.grading_for(key.alarm_type, &key.object, hint, world);
        let descriptor = catalogue::descriptor(key.alarm_type);
        let important = self.is_important(&key.object, hint, world);
        let severity = grading.severity(found_severity(finding, important));
        let root = correlation::root_of(&self.list, world, &key, hint);
        let name = match self.list.of(&key).cloned() {
            Some(name) => {
                self.list.change(&name, |alarm| {
                    record::re_raise(alarm, finding, severity, known, since, now);
                    Some(Telling::Separate)
                });
                name
            }
            None => {
                let name = Name::alarm((self.ids)(now));
                let mut alarm = record::raised(finding, descriptor, severity, known, since, now);
                alarm.runbook_url = format!("{}{}.md", self.settings.runbook_base, descriptor.id);
                self.list.insert(name.clone(), alarm);
                name
            }
        };
        self.complete(&name, &key, root, hint, world, now);
        self.reclassify(&key, &name, world, now);
        if let Some(sign) = self.loops.raised(&key, now) {
            self.signs(vec![sign], world, now);
        }
        self.keep_within_cap();
    }

    /// Fills in what depends on other alarms and rules, as a part of the raising.
    pub(super) fn complete(
        &mut self,
        name: &Name,
        key: &ConditionKey,
        root: Option<Name>,
        hint: Option<&Object>,
        world: &dyn Topology,
        now: Timestamp,
    ) {
        let (impacted, count) = correlation::impacted(world, &key.object);
        let shelving = self.shelving(name, hint, world, now);
        let suppression = self.list.get(name).and_then(|alarm| self.suppression(alarm));
        let children = correlation::explained_by(&self.list, world, key);
        self.list.change(name, |alarm| {
            alarm.root = root.is_none();
            alarm.root_cause.clone_from(&root);
            let services =
                !alarm.service_refs.is_empty() || impacted.iter().any(|object| !object.service_refs.is_empty());
            alarm.service_affecting = services && alarm.perceived_severity >= PerceivedSeverity::Major;
            alarm.impacted = impacted;
            alarm.impacted_count = count;
            alarm.planned_outage = suppression.is_some();
            alarm.shelved = shelving;
            alarm.suppressed_by = suppression;
            Some(Telling::Merged)
        });
        if let Some(root) = root {
            self.adopt(&root, std::slice::from_ref(name), now);
        }
        for child in &children {
            self.link(child, Some(name), now);
        }
        self.adopt(name, &children, now);
    }

    /// Counts alarms as explained by `root`.
    pub(super) fn adopt(&mut self, root: &Name, children: &[Name], now: Timestamp) {
        if children.is_empty() {
            return;
        }
        self.list.change(root, |alarm| {
            for child in children.iter().filter(|child| !alarm.correlated.contains(child)).collect::<Vec<_>>() {
                alarm.correlated_count += 1;
                if alarm.correlated.len() < crate::model::alarm::limits::CORRELATED {
                    alarm.correlated.push(child.clone());
                }
            }
            record::note(alarm, now, AlarmTransition::Correlated, None, None);
            Some(Telling::Merged)
        });
    }

    /// Sets or takes away what explains an alarm, unless it is so already.
    pub(super) fn link(&mut self, name: &Name, root: Option<&Name>, now: Timestamp) {
        self.list.change(name, |alarm| {
            if alarm.root_cause.as_ref() == root {
                return None;
            }
            alarm.root = root.is_none();
            alarm.root_cause = root.cloned();
            record::note(alarm, now, AlarmTransition::Correlated, None, None);
            Some(Telling::Merged)
        });
    }

    /// Ends alarms that a new one absorbs, if they are young; they stand absorbed from now on.
    fn reclassify(&mut self, key: &ConditionKey, absorber: &Name, world: &dyn Topology, now: Timestamp) {
        let place = owner(&key.object);
        for name in self.list.about(&place) {
            let Some(alarm) = self.list.get(&name).filter(|alarm| alarm.is_active()) else { continue };
            let Some(kind) = AlarmType::parse(&alarm.alarm_type) else { continue };
            let young = now.since(alarm.raise_time) <= RECLASSIFY;
            if !young || !catalogue::rules(key.alarm_type).absorbs.contains(&kind) {
                continue;
            }
            let absorbed = ConditionKey { object: alarm.object.clone(), alarm_type: kind };
            self.counters.reclassified += 1;
            self.clear_record(&name, ClearingKind::Reclassified, world, now);
            self.absorbed.entry(absorber.clone()).or_default().insert(absorbed);
        }
    }

    /// The active alarm of the same object that tells this condition already.
    fn absorber(&self, key: &ConditionKey) -> Option<Name> {
        let absorbs = |name: &Name| {
            self.list.get(name).filter(|alarm| alarm.is_active()).is_some_and(|alarm| {
                AlarmType::parse(&alarm.alarm_type).is_some_and(|kind| {
                    kind != key.alarm_type && catalogue::rules(kind).absorbs.contains(&key.alarm_type)
                })
            })
        };
        self.list.about(&owner(&key.object)).into_iter().find(absorbs)
    }

    pub(super) fn again(&mut self, finding: &Finding, hint: Option<&Object>, world: &dyn Topology, now: Timestamp) {
        let key = ConditionKey::of(finding);
        let Some(name) = self.list.active(&key).cloned() else {
            let absorbed = self.absorbed.values().any(|keys| keys.contains(&key));
            if !absorbed {
                // Cleared by hand while the condition persists: it is raised again (REQ-FM-FUN-10).
                self.raise(finding, now, hint, world, now);
            }
            return;
        };
        let grading = self.grading_for(key.alarm_type, &key.object, hint, world);
        let important = self.is_important(&key.object, hint, world);
        let severity = grading.severity(found_severity(finding, important));
        let told =
            self.list.change(&name, |alarm| record::again(alarm, finding, severity, now).then_some(Telling::Separate));
        self.counters.repeats += u64::from(!told);
        // What is read again is no new failure.
        let anew = finding.hold == Hold::Event;
        if let Some(sign) = anew.then(|| self.loops.raised(&key, now)).flatten() {
            self.signs(vec![sign], world, now);
        }
    }

    pub(super) fn clear(&mut self, key: &ConditionKey, kind: ClearingKind, world: &dyn Topology, now: Timestamp) {
        for keys in self.absorbed.values_mut() {
            keys.remove(key);
        }
        if let Some(name) = self.list.active(key).cloned() {
            self.clear_record(&name, kind, world, now);
        }
    }

    fn clear_record(&mut self, name: &Name, kind: ClearingKind, world: &dyn Topology, now: Timestamp) {
        self.clear_record_by(name, kind, None, "", world, now);
    }

    pub(super) fn clear_record_by(
        &mut self,
        name: &Name,
        kind: ClearingKind,
        actor: Option<&Actor>,
        remark: &str,
        world: &dyn Topology,
        now: Timestamp,
    ) {
        let Some(alarm) = self.list.get(name).cloned() else { return };
        let cleared = self
            .list
            .change(name, |alarm| record::clear(alarm, kind, actor.cloned(), remark, now).then_some(Telling::Separate));
        if !cleared {
            return;
        }
        for child in &alarm.correlated {
            let mine = self.list.get(child).is_some_and(|child| child.root_cause.as_ref() == Some(name));
            if mine && self.list.get(child).is_some_and(Alarm::is_active) {
                self.link(child, None, now);
            }
        }
        if alarm.acknowledgement.is_some() {
            self.list.remove(name);
        }
        self.raise_absorbed(name, world, now);
    }

    /// What an alarm absorbed is told by itself if it still stands.
    fn raise_absorbed(&mut self, absorber: &Name, world: &dyn Topology, now: Timestamp) {
        for key in self.absorbed.remove(absorber).unwrap_or_default() {
            if let Some(finding) = self.conditions.finding(&key).filter(|_| self.conditions.stands(&key)).cloned() {
                self.raise(&finding, now, None, world, now);
            }
        }
    }

    pub(super) fn keep_within_cap(&mut self) {
        while self.list.len() > LIST_CAP {
            let Some((_, name)) = self.list.oldest_cleared().cloned() else { return };
            self.counters.crowded_out += 1;
            self.list.remove(&name);
        }
    }
}
