//! Raising and clearing: how a condition becomes an alarm, and which alarm tells it.

use super::catalogue::{self, AlarmType};
use super::conditions::ConditionKey;
use super::correlation;
use super::finding::{Finding, Hold};
use super::list::{QUIET, Telling};
use super::place::owner;
use super::record;
use super::surveillance::{Surveillance, found_severity};
use crate::model::alarm::{AlarmTransition, ClearingKind};
use crate::model::relation::Topology;
use crate::model::{Actor, Alarm, Name, Object, Timestamp};
use std::time::Duration;

/// Records kept at most: 20,000. Beyond, the alarm cleared longest ago leaves, counted.
const LIST_CAP: usize = 20_000;

/// A cause that is told this soon after its effect takes the effect's place: 60 s.
const RECLASSIFY: Duration = Duration::from_secs(60);

/// Attribute of an alarm whose condition comes and goes: its clear is held back.
const TOGGLING: &str = "toggling";

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
        if self.list.active(&key).is_some() {
            self.again(finding, false, hint, world, now);
            return;
        }
        if let Some(absorber) = self.absorber(&key) {
            self.counters.absorbed += 1;
            self.absorbed.put(&absorber, key);
            return;
        }
        let known = self.known(&key.object, hint, world);
        let grading = self.grading_for(key.alarm_type, &key.object, hint, world);
        let descriptor = catalogue::descriptor(key.alarm_type);
        let important = self.is_important(&key.object, hint, world);
        let severity = grading.severity(found_severity(finding, important));
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
                self.list.insert(&name, alarm);
                name
            }
        };
        self.complete(&name, &key, hint, world, now);
        self.reclassify(&key, &name, world, now);
        if let Some(sign) = self.loops.failed(&key, now) {
            self.signs(vec![sign], world, now);
        }
        self.keep_within_cap();
    }

    /// Fills in what depends on other alarms and rules, as a part of the raising.
    fn complete(
        &mut self,
        name: &Name,
        key: &ConditionKey,
        hint: Option<&Object>,
        world: &dyn Topology,
        now: Timestamp,
    ) {
        let root = correlation::root_of(&self.list, world, key, hint);
        let (impacted, count) = correlation::impacted(world, &key.object);
        let shelving = self.shelving(name, hint, world, now);
        let suppression = self.list.get(name).and_then(|alarm| self.suppression(alarm));
        let reliability = self.reliability(key, hint, world, now);
        self.list.change(name, |alarm| {
            alarm.root = root.is_none();
            alarm.root_cause.clone_from(&root);
            alarm.reliability = reliability;
            alarm.impacted = impacted;
            alarm.impacted_count = count;
            alarm.service_affecting = record::affects_service(alarm);
            alarm.planned_outage = suppression.is_some();
            alarm.shelved = shelving;
            alarm.suppressed_by = suppression;
            Some(Telling::Merged)
        });
        let seen = self.backings.on(&key.object);
        for child in correlation::explained_by(&self.list, world, key, &seen) {
            self.root_anew(&child, world, now);
        }
    }

    /// Finds anew what explains an alarm, and what explains the alarms it explains.
    fn root_anew(&mut self, name: &Name, world: &dyn Topology, now: Timestamp) {
        let Some(key) = self.key_of(name) else { return };
        let root = correlation::root_of(&self.list, world, &key, None);
        let changed = self.list.change(name, |alarm| {
            if alarm.root_cause == root {
                return None;
            }
            alarm.root = root.is_none();
            alarm.root_cause = root;
            record::note_latest(alarm, now, AlarmTransition::Correlated);
            Some(Telling::Merged)
        });
        if changed {
            self.root_anew_below(name, world, now);
        }
    }

    fn root_anew_below(&mut self, root: &Name, world: &dyn Topology, now: Timestamp) {
        for child in self.list.explained_by(root) {
            if self.list.get(&child).is_some_and(Alarm::is_active) {
                self.root_anew(&child, world, now);
            }
        }
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
            self.absorbed.put(absorber, absorbed);
            self.clear_record(&name, ClearingKind::Reclassified, world, now);
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

    /// A condition that was told is detected again; `returned` if it had been over for a while.
    pub(super) fn again(
        &mut self,
        finding: &Finding,
        returned: bool,
        hint: Option<&Object>,
        world: &dyn Topology,
        now: Timestamp,
    ) {
        let key = ConditionKey::of(finding);
        let Some(name) = self.list.active(&key).cloned() else {
            if !self.absorbed.contains(&key) {
                // Cleared by hand while the condition persists: it is raised again (REQ-FM-FUN-10).
                self.raise(finding, now, hint, world, now);
            }
            return;
        };
        let grading = self.grading_for(key.alarm_type, &key.object, hint, world);
        let important = self.is_important(&key.object, hint, world);
        let severity = grading.severity(found_severity(finding, important));
        let mut finding = finding.clone();
        if self.conditions.toggles(&key, now) {
            finding.attributes.insert(TOGGLING.to_owned(), "true".to_owned());
        }
        let repeats = &mut self.counters.repeats;
        self.list.change(&name, |alarm| match record::again(alarm, &finding, severity, now) {
            record::Repetition::Severity => Some(Telling::Separate),
            record::Repetition::Words => Some(Telling::Soft(QUIET)),
            record::Repetition::Nothing => {
                *repeats += 1;
                Some(Telling::Soft(QUIET))
            }
        });
        // What is read again is no new failure.
        let again = returned || finding.hold == Hold::Event;
        if let Some(sign) = again.then(|| self.loops.failed(&key, now)).flatten() {
            self.signs(vec![sign], world, now);
        }
    }

    /// A condition comes and goes so often that its clear is held back: people see why.
    pub(super) fn held(&mut self, key: &ConditionKey, now: Timestamp) {
        let Some(name) = self.list.active(key).cloned() else { return };
        self.list.change(&name, |alarm| {
            if alarm.attributes.insert(TOGGLING.to_owned(), "true".to_owned()).is_some() {
                return None;
            }
            alarm.status_change_time = now;
            record::note_latest(alarm, now, AlarmTransition::Updated);
            Some(Telling::Separate)
        });
    }

    pub(super) fn clear(&mut self, key: &ConditionKey, kind: ClearingKind, world: &dyn Topology, now: Timestamp) {
        self.absorbed.drop(key);
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
        let cleared = self
            .list
            .change(name, |alarm| record::clear(alarm, kind, actor.cloned(), remark, now).then_some(Telling::Separate));
        if !cleared {
            return;
        }
        self.root_anew_below(name, world, now);
        if self.list.get(name).is_some_and(|alarm| alarm.acknowledgement.is_some()) {
            self.list.remove(name);
        }
        self.raise_absorbed(name, world, now);
    }

    /// What an alarm absorbed is told by itself if it still stands.
    fn raise_absorbed(&mut self, absorber: &Name, world: &dyn Topology, now: Timestamp) {
        for key in self.absorbed.take(absorber) {
            if !self.conditions.is_told(&key) {
                continue;
            }
            if let (Some(finding), Some(since)) = (self.conditions.finding(&key).cloned(), self.conditions.since(&key))
            {
                self.raise(&finding, since, None, world, now);
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
