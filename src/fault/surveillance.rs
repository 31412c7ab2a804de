//! Alarm surveillance (ITU-T Q.821) as a whole: what is seen goes in, what becomes of alarm records
//! comes out.

use super::absorption::Absorption;
use super::backing::BackingEvidence;
use super::catalogue::{self, AlarmType};
use super::conditions::{ConditionKey, Conditions, Step, Timing};
use super::detect;
use super::finding::{Finding, Sign};
use super::list::{AlarmList, RecordEffect};
use super::loops::CrashLoops;
use super::place::owner;
use super::rules::Grading;
use crate::model::alarm::ClearingKind;
use crate::model::incident::{Incident, IncidentKind};
use crate::model::name::DnScheme;
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

    /// Records by word: `critical` … `indeterminate` for active ones, and `cleared`.
    pub fn counts(&self) -> BTreeMap<&'static str, usize> {
        self.list.counts()
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
        let grading = |alarm_type: AlarmType, name: &Name| self.grading_for(alarm_type, name, Some(object), world);
        let outside_changes = self.settings.outside_changes;
        let context = detect::Context { world, grading: &grading, outside_changes, now };
        let assessment = detect::assess(object, &context);
        self.judge(&object.name, Some(object), assessment, world, now);
    }

    /// Makes the conditions of an object those of an assessment.
    fn judge(
        &mut self,
        object: &Name,
        hint: Option<&Object>,
        assessment: super::finding::Assessment,
        world: &dyn Topology,
        now: Timestamp,
    ) {
        let found: BTreeSet<ConditionKey> = assessment.findings.iter().map(ConditionKey::of).collect();
        let of_object =
            |key: &ConditionKey| owner(&key.object) == *object && assessment.judged.contains(&key.alarm_type);
        let over: Vec<ConditionKey> =
            self.conditions.of_owner(object).into_iter().filter(|key| of_object(key) && !found.contains(key)).collect();
        for finding in assessment.findings {
            self.present(finding, hint, world, now);
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

    /// An object is gone: its alarms end, except those that say it failed (operations.md F18).
    pub fn object_gone(&mut self, object: &Object, world: &dyn Topology, now: Timestamp) {
        self.list.at(now);
        let mut ended = Vec::new();
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
        let prompt = is_prompt(&incident.kind);
        for sign in detect::signs(host, incident, world) {
            self.sign(sign, prompt, world, now);
        }
    }

    /// Facts that are judged already: about the VRM itself, or reported from outside.
    pub fn signs(&mut self, signs: Vec<Sign>, world: &dyn Topology, now: Timestamp) {
        self.list.at(now);
        for sign in signs {
            self.sign(sign, false, world, now);
        }
    }

    fn sign(&mut self, sign: Sign, prompt: bool, world: &dyn Topology, now: Timestamp) {
        match sign {
            Sign::Present(finding) if prompt => self.present_now(*finding, world, now),
            Sign::Present(finding) => self.present(*finding, None, world, now),
            Sign::Over { alarm_type, object } => self.all_over(&[ConditionKey { object, alarm_type }], world, now),
        }
    }

    /// A condition that an event told: what has to stand for a while if it is polled need not.
    fn present_now(&mut self, finding: Finding, world: &dyn Topology, now: Timestamp) {
        let grading = self.grading_for(finding.alarm_type, &finding.object, None, world);
        let timing = Timing { hold_on: Duration::ZERO, ..timing(finding.alarm_type, &grading) };
        self.present_graded(finding, grading.off, timing, None, world, now);
    }

    pub(super) fn present(&mut self, finding: Finding, hint: Option<&Object>, world: &dyn Topology, now: Timestamp) {
        let key = ConditionKey::of(&finding);
        let grading = self.grading_for(key.alarm_type, &key.object, hint, world);
        let mut timing = timing(key.alarm_type, &grading);
        if self.hearing == Hearing::Poll && !self.conditions.stands(&key) {
            let important = self.is_important(&key.object, hint, world);
            timing.wait = self.wait_for_others(&key, grading.severity(found_severity(&finding, important)), world);
        }
        self.present_graded(finding, grading.off, timing, hint, world, now);
    }

    fn present_graded(
        &mut self,
        finding: Finding,
        off: bool,
        timing: Timing,
        hint: Option<&Object>,
        world: &dyn Topology,
        now: Timestamp,
    ) {
        let key = ConditionKey::of(&finding);
        if off {
            self.end(&key, ClearingKind::Automatic, world, now);
            return;
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

/// True for events of the hypervisor. What was probed or counted is polled, and what may be over in the next
/// moment (a guest agent during a reboot) has to stand for a while too.
fn is_prompt(kind: &IncidentKind) -> bool {
    use IncidentKind::{AgentConnected, Condition, Counted, DiskErrors, MigrationIteration, Probed};
    !matches!(
        kind,
        AgentConnected(_) | Condition { .. } | Counted { .. } | DiskErrors(_) | MigrationIteration(_) | Probed(_)
    )
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
    Timing { hold_on: grading.hold_on, wait: Duration::ZERO, hold_off: grading.hold_off, quiet_time }
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
    }
}
