//! Alarm surveillance (ITU-T Q.821) as a whole: what is seen goes in, what becomes of alarm records
//! comes out.

use super::absorption::Absorption;
use super::backing::BackingEvidence;
use super::catalogue::{self, AlarmType};
use super::conditions::{ConditionKey, Conditions, REPORTED_BY, Step, Timing};
use super::crossed::Crossed;
use super::detect::{self, Context};
use super::finding::{Assessment, Finding, Hold, Sign};
use super::list::{AlarmList, RecordEffect};
use super::loops::CrashLoops;
use super::rules::Grading;
use crate::model::alarm::ClearingKind;
use crate::model::dn::DnScheme;
use crate::model::incident::Incident;
use crate::model::relation::Topology;
use crate::model::{
    Alarm, AlarmProfile, AlarmShelf, Body, HostId, Name, Object, ObjectClass, OutsideChanges, PerceivedSeverity,
    Timestamp,
};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;
use uuid::Uuid;

/// After the end of maintenance conditions may settle so long before they are told: 120 s (F24).
pub(super) const SETTLE: Duration = Duration::from_secs(120);

/// What surveillance needs of the settings.
#[derive(Clone, Debug)]
pub struct FaultSettings {
    /// Distinguished names of this VRM.
    pub dn: DnScheme,
    /// Cleared alarms are acknowledged by the system after this time; never, if absent.
    pub acknowledge_cleared_after: Option<Duration>,
    /// Beginning of every runbook's address.
    pub runbook_base: String,
    /// What an outside stop means (operations.md F1).
    pub outside_changes: OutsideChanges,
    /// Profiles from settings files, by id.
    pub profiles: BTreeMap<String, AlarmProfile>,
}

impl Default for FaultSettings {
    fn default() -> Self {
        Self {
            dn: DnScheme { prefix: String::new(), vrm_id: String::new(), cluster_id: String::new() },
            acknowledge_cleared_after: Some(Duration::from_secs(24 * 3600)),
            runbook_base: "/usr/share/doc/vrm/runbooks/".to_owned(),
            outside_changes: OutsideChanges::default(),
            profiles: BTreeMap::new(),
        }
    }
}

/// What an event told is not taken back by what is read within 30 s of it: the reading may have begun before.
const EVENT_HOLDS: Duration = Duration::from_secs(30);

/// Makes ids of alarms: unique over all VRMs and over a restore (operations.md F3).
pub type AlarmIds = Box<dyn FnMut(Timestamp) -> Uuid + Send>;

/// What was merged or dropped so far; for the metrics page.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FaultCounters {
    /// Detections that changed nothing a subscriber would have to know.
    pub repeats: u64,
    /// Conditions that were explained by another alarm of the same object and not told.
    pub absorbed: u64,
    /// Alarms that turned out to be another one.
    pub reclassified: u64,
    /// Cleared alarms that left before they were acknowledged, because the list was full.
    pub crowded_out: u64,
    /// Changes of text, count or children that were told together with a later one.
    pub coalesced: u64,
}

/// How something came to be seen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Hearing {
    /// The hypervisor told it: alarms are told at once and linked to their root later.
    #[default]
    Event,
    /// It was read because it was time: alarms may wait up to 2 s for others of the same cause.
    Poll,
}

/// The alarm list with all that decides about it.
pub struct Surveillance {
    pub(super) settings: FaultSettings,
    pub(super) conditions: Conditions,
    pub(super) list: AlarmList,
    pub(super) shelves: BTreeMap<Name, AlarmShelf>,
    pub(super) profiles: BTreeMap<Name, AlarmProfile>,
    /// Conditions that stand and are told by another alarm.
    pub(super) absorbed: Absorption,
    /// What shows that a storage backing may be lost.
    pub(super) backings: BackingEvidence,
    /// Alarms about objects that are gone, which say that they failed, and since when they are gone.
    pub(super) orphans: BTreeMap<Name, Timestamp>,
    /// Whether what is seen now was polled: then it may wait for others of its kind.
    pub(super) hearing: Hearing,
    /// Nothing was done yet after a restart that needs the managed world.
    pub(super) waking: bool,
    pub(super) loops: CrashLoops,
    /// What threshold monitors of people found.
    pub(super) crossed: Crossed,
    pub(super) tallies: detect::Tallies,
    /// Hosts whose maintenance is over, and until when they settle.
    pub(super) settling: BTreeMap<HostId, Timestamp>,
    /// Hosts in maintenance.
    pub(super) locked: BTreeSet<HostId>,
    /// Hosts that do not answer on any path, since when.
    pub(super) lost: BTreeMap<HostId, Timestamp>,
    pub(super) counters: FaultCounters,
    pub(super) ids: AlarmIds,
}

impl std::fmt::Debug for Surveillance {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Surveillance").field("alarms", &self.list.len()).finish_non_exhaustive()
    }
}

impl Surveillance {
    /// Surveillance that knows what the store knew: alarms keep ids and raise times, and are judged
    /// anew when their objects are seen (REQ-FM-FUN-25).
    pub fn restore(settings: FaultSettings, ids: AlarmIds, records: &[Arc<Object>], now: Timestamp) -> Self {
        let mut surveillance = Self {
            settings,
            conditions: Conditions::default(),
            list: AlarmList::default(),
            shelves: BTreeMap::new(),
            profiles: BTreeMap::new(),
            absorbed: Absorption::default(),
            backings: BackingEvidence::default(),
            orphans: BTreeMap::new(),
            hearing: Hearing::Event,
            waking: true,
            loops: CrashLoops::default(),
            crossed: Crossed::default(),
            tallies: detect::Tallies::default(),
            settling: BTreeMap::new(),
            locked: BTreeSet::new(),
            lost: BTreeMap::new(),
            counters: FaultCounters::default(),
            ids,
        };
        // Rules before what they grade.
        let (alarms, rules): (Vec<_>, Vec<_>) =
            records.iter().partition(|record| matches!(record.body, Body::Alarm(_)));
        for record in rules.into_iter().chain(alarms) {
            surveillance.restore_record(record, now);
        }
        surveillance.configure_profiles();
        surveillance
    }

    fn restore_record(&mut self, record: &Object, now: Timestamp) {
        match &record.body {
            Body::AlarmShelf(shelf) => drop(self.shelves.insert(record.name.clone(), (**shelf).clone())),
            Body::AlarmProfile(profile) => drop(self.profiles.insert(record.name.clone(), (**profile).clone())),
            Body::Alarm(alarm) => {
                if let (true, Some(alarm_type)) = (alarm.is_active(), AlarmType::parse(&alarm.alarm_type)) {
                    let finding = finding_of(alarm, alarm_type);
                    let timing = timing(alarm_type, &self.grading(alarm_type, alarm));
                    self.conditions.restore(finding, timing, alarm.raise_time, now);
                }
                if let (true, Some(host)) = (alarm.suppressed_by.is_some(), &alarm.host) {
                    // Still locked, or its time to settle was not over: seeing the host will tell.
                    self.settling.insert(host.clone(), now.plus(SETTLE));
                }
                self.crossed.restore(alarm);
                self.list.restore(&record.name, (**alarm).clone());
            }
            _ => {}
        }
    }

    /// Makes the stored profiles those of the settings files, beside those made through the API.
    fn configure_profiles(&mut self) {
        let wanted: BTreeMap<Name, AlarmProfile> = std::mem::take(&mut self.settings.profiles)
            .into_iter()
            .map(|(id, profile)| (Name::alarm_profile(&id), AlarmProfile { from_file: true, ..profile }))
            .collect();
        let stale: Vec<Name> = self
            .profiles
            .iter()
            .filter(|(name, profile)| profile.from_file && !wanted.contains_key(*name))
            .map(|(name, _)| name.clone())
            .collect();
        for name in stale {
            self.profiles.remove(&name);
            self.list.tell(RecordEffect::Remove { name });
        }
        for (name, profile) in wanted {
            if self.profiles.get(&name) != Some(&profile) {
                self.list.tell(RecordEffect::Put {
                    name: name.clone(),
                    body: Body::AlarmProfile(Box::new(profile.clone())),
                });
                self.profiles.insert(name, profile);
            }
        }
    }

    /// What became of records since the last call, in order.
    pub fn take_effects(&mut self) -> Vec<RecordEffect> {
        self.count_shelved();
        self.list.take_effects()
    }

    /// What was merged or dropped so far.
    pub fn counters(&self) -> FaultCounters {
        FaultCounters { coalesced: self.list.coalesced(), ..self.counters }
    }

    /// How what is seen from now on came to be seen.
    pub fn hear(&mut self, hearing: Hearing) {
        self.hearing = hearing;
    }

    /// The listed alarm of a type about an object.
    pub fn alarm_of(&self, alarm_type: &str, object: &Name) -> Option<&Name> {
        let alarm_type = AlarmType::parse(alarm_type)?;
        self.list.of(&ConditionKey { object: object.clone(), alarm_type })
    }

    /// An object was read or changed.
    pub fn object_seen(&mut self, object: &Object, world: &dyn Topology, now: Timestamp) {
        if !object.class().is_resource() {
            return;
        }
        self.list.at(now);
        self.rely_on(object, world, now);
        if let Body::Host(_) = &object.body {
            self.host_seen(object, world, now);
        }
        self.tallies.observe(object, now);
        self.assess(object, world, now);
        // Whether a network reaches anything is seen at the interfaces of its host.
        for network in detect::networks_of(object, world) {
            self.assess(&network, world, now);
        }
    }

    fn assess(&mut self, object: &Object, world: &dyn Topology, now: Timestamp) {
        let grading = |alarm_type: AlarmType, name: &Name| self.grading_for(alarm_type, name, Some(object), world);
        let context = self.context(world, &grading, now);
        let assessment = detect::assess(object, &context);
        self.judge(object, assessment, world, now);
    }

    pub(super) fn context<'a>(
        &'a self,
        world: &'a dyn Topology,
        grading: &'a detect::Grade<'a>,
        now: Timestamp,
    ) -> Context<'a> {
        let (conditions, tallies) = (&self.conditions, &self.tallies);
        Context { world, grading, outside_changes: self.settings.outside_changes, conditions, tallies, now }
    }

    /// Makes the conditions of an object those of an assessment.
    fn judge(&mut self, object: &Object, assessment: Assessment, world: &dyn Topology, now: Timestamp) {
        let found: BTreeSet<ConditionKey> = assessment.findings.iter().map(ConditionKey::of).collect();
        let kept = assessment.kept.into_iter().map(|(alarm_type, object)| ConditionKey { object, alarm_type });
        let kept: BTreeSet<ConditionKey> = kept.collect();
        let is_over = |key: &ConditionKey| {
            let judged = assessment.judged.contains(&key.alarm_type);
            judged && !found.contains(key) && !kept.contains(key) && !self.outweighs(key, object, now)
        };
        let over: Vec<ConditionKey> = self.conditions.of_owner(&object.name).into_iter().filter(is_over).collect();
        for finding in assessment.findings {
            self.present(finding, Some(object), world, now);
        }
        self.all_over(&over, world, now);
    }

    /// Conditions are over, all before any alarm ends: what one alarm absorbed must not be told for a moment.
    pub(super) fn all_over(&mut self, keys: &[ConditionKey], world: &dyn Topology, now: Timestamp) {
        let steps: Vec<Step> = keys.iter().filter_map(|key| self.conditions.over(key, now)).collect();
        for key in keys {
            self.absorbed.drop(key);
            // While its clear is held back it is a child like any other.
            if self.conditions.finding(key).is_none() {
                self.witness_gone(key, world, now);
            }
        }
        for step in steps {
            self.step(step, None, world, now);
        }
    }

    /// True if what is known of a condition counts more than that a reading of its object does not show it: an event
    /// that the reading may not have seen yet, or the word of a reporter, who will say when it is over.
    fn outweighs(&self, key: &ConditionKey, object: &Object, now: Timestamp) -> bool {
        let Some(standing) = self.conditions.standing(key) else { return false };
        let unseen = now.since(standing.detected) < EVENT_HOLDS && *object.state.since <= standing.detected;
        let reported = standing.finding.attributes.contains_key(REPORTED_BY) && key.alarm_type != AlarmType::HostDown;
        (standing.by_event() && unseen) || reported
    }

    /// An object is gone: its alarms end, except those that say it failed (operations.md F18).
    pub fn object_gone(&mut self, object: &Object, world: &dyn Topology, now: Timestamp) {
        self.list.at(now);
        let mut ended = Vec::new();
        self.tallies.forget(&object.name);
        self.crossed.forget(&object.name);
        for key in self.conditions.of_owner(&object.name) {
            let survivor = self.list.active(&key).filter(|_| catalogue::descriptor(key.alarm_type).survives_object);
            match survivor {
                Some(name) => drop(self.orphans.insert(name.clone(), now)),
                None => ended.push(key),
            }
        }
        let told: Vec<&ConditionKey> = ended.iter().filter(|key| self.conditions.forget(key)).collect();
        for key in &ended {
            self.absorbed.drop(key);
            self.witness_gone(key, world, now);
        }
        for key in told {
            self.clear(key, ClearingKind::ObjectGone, world, now);
        }
        if let Some(host) = object.name.host_id().filter(|_| object.class() == ObjectClass::Host) {
            self.lost.remove(&host);
            self.locked.remove(&host);
            self.settling.remove(&host);
            self.judge_isolation(world, now);
        }
    }

    /// Something happened at a host.
    pub fn incident(&mut self, host: &HostId, incident: &Incident, world: &dyn Topology, now: Timestamp) {
        self.list.at(now);
        self.tallies.count(host, incident, now);
        let grading = |alarm_type: AlarmType, name: &Name| self.grading_for(alarm_type, name, None, world);
        let signs = detect::signs(host, incident, &self.context(world, &grading, now));
        self.signs(signs, world, now);
    }

    /// Facts that are judged already: about the VRM itself, or reported from outside.
    pub fn signs(&mut self, signs: Vec<Sign>, world: &dyn Topology, now: Timestamp) {
        self.list.at(now);
        for sign in signs {
            self.sign(sign, world, now);
        }
    }

    fn sign(&mut self, sign: Sign, world: &dyn Topology, now: Timestamp) {
        match sign {
            Sign::Present(finding) => self.present(*finding, None, world, now),
            Sign::Over { alarm_type, object } => self.all_over(&[ConditionKey { object, alarm_type }], world, now),
        }
    }

    pub(super) fn present(&mut self, finding: Finding, hint: Option<&Object>, world: &dyn Topology, now: Timestamp) {
        let key = ConditionKey::of(&finding);
        let grading = self.grading_for(key.alarm_type, &key.object, hint, world);
        if grading.off {
            self.end(&key, ClearingKind::Automatic, world, now);
            return;
        }
        let mut timing = timing(key.alarm_type, &grading);
        if self.hearing == Hearing::Poll && !self.conditions.stands(&key) {
            let important = self.is_important(&key.object, hint, world);
            timing.wait = self.wait_for_others(&key, grading.severity(found_severity(&finding, important)), world);
        }
        let step = self.conditions.present(finding, timing, now);
        // What several of these show is told before them: the parent first (operations.md F8).
        self.witness(&key, timing.hold_on, world, now);
        if let Some(step) = step {
            self.step(step, hint, world, now);
        }
    }

    /// A condition is no condition any more, whatever its hold-off.
    pub(super) fn end(&mut self, key: &ConditionKey, kind: ClearingKind, world: &dyn Topology, now: Timestamp) {
        let told = self.conditions.forget(key);
        self.absorbed.drop(key);
        self.witness_gone(key, world, now);
        if told {
            self.clear(key, kind, world, now);
        }
    }

    pub(super) fn step(&mut self, step: Step, hint: Option<&Object>, world: &dyn Topology, now: Timestamp) {
        match step {
            Step::Raise { finding, since } => self.raise(&finding, since, hint, world, now),
            Step::Again { finding, returned } => self.again(&finding, returned, hint, world, now),
            Step::Held(key) => self.held(&key, now),
            Step::Clear(key) => {
                self.witness_gone(&key, world, now);
                self.clear(&key, ClearingKind::Automatic, world, now);
            }
        }
    }
}

/// Severity of a finding, before profiles: critical for important objects where the catalogue says so.
pub(super) fn found_severity(finding: &Finding, important: bool) -> PerceivedSeverity {
    if important && catalogue::rules(finding.alarm_type).critical_if_important {
        return PerceivedSeverity::Critical;
    }
    let descriptor = catalogue::descriptor(finding.alarm_type);
    finding.severity.or_else(|| descriptor.severities.first().copied()).unwrap_or_default()
}

fn timing(alarm_type: AlarmType, grading: &Grading) -> Timing {
    let quiet_time = catalogue::descriptor(alarm_type).clearing == crate::model::alarm::ClearingRule::QuietTime;
    Timing {
        hold_on: grading.hold_on,
        wait: Duration::ZERO,
        hold_off: grading.hold_off,
        quiet_time,
        toggling: grading.toggling(),
    }
}

/// What a stored alarm said.
fn finding_of(alarm: &Alarm, alarm_type: AlarmType) -> Finding {
    Finding {
        alarm_type,
        object: alarm.object.clone(),
        severity: Some(alarm.perceived_severity),
        text: alarm.text.clone(),
        attributes: alarm.attributes.clone(),
        threshold: alarm.threshold.clone(),
        security: alarm.security.clone(),
        hold: Hold::Usual,
    }
}
