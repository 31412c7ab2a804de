//! What stands above single alarms: lost hosts, maintenance, shelves and profiles.

use super::catalogue::{self, AlarmType};
use super::conditions::ConditionKey;
use super::list::Telling;
use super::place::{class_of, with_owner};
use super::record::{self, ObjectAtRaise};
use super::rules::{self, Candidate, Grading};
use super::surveillance::{SETTLE, Surveillance, found_severity};
use crate::model::alarm::{AlarmTransition, ClearingKind, Reliability, Shelving, Suppression};
use crate::model::host::ConnectionState;
use crate::model::relation::Topology;
use crate::model::state::{AdministrativeState, StateReason};
use crate::model::{Alarm, Body, HostId, Name, Object, ObjectClass, Timestamp};
use std::collections::BTreeMap;

/// Types that tell of the maintenance itself.
const MAINTENANCE: [AlarmType; 2] = [AlarmType::HostOutOfService, AlarmType::MaintenanceOverrun];

/// Types that tell of the contact to a host: they are current while it is away.
fn is_about_contact(kind: AlarmType) -> bool {
    use AlarmType::{
        EventChannelStalled, HostAgentLost, HostConnectionUnstable, HostDown, HostOutOfService, HostQuarantined,
        HostUnreachable, HypervisorAuthFailed, HypervisorServiceFailed, MaintenanceOverrun, SourceRefused,
    };
    matches!(
        kind,
        EventChannelStalled
            | HostAgentLost
            | HostConnectionUnstable
            | HostDown
            | HostOutOfService
            | HostQuarantined
            | HostUnreachable
            | HypervisorAuthFailed
            | HypervisorServiceFailed
            | MaintenanceOverrun
            | SourceRefused
    )
}

/// True if nobody can read the object now, though somebody could.
fn is_away(object: &Object) -> bool {
    object.state.unknown && !matches!(object.state.reason.code.as_str(), StateReason::NOT_YET_SEEN | "")
}

impl Surveillance {
    /// A host came, went, or its maintenance began or ended.
    pub(super) fn host_seen(&mut self, object: &Object, world: &dyn Topology, now: Timestamp) {
        let (Body::Host(body), Some(host)) = (&object.body, object.name.host_id()) else { return };
        let unreachable = object.state.reason.code == StateReason::HOST_UNREACHABLE;
        match body.connection_state {
            ConnectionState::Lost if unreachable => {
                // After a restart: hosts that were lost one by one were not lost together.
                let known = ConditionKey { object: object.name.clone(), alarm_type: AlarmType::HostUnreachable };
                let since = self.conditions.since(&known).unwrap_or(now);
                self.lost.entry(host.clone()).or_insert(since);
            }
            // Not judged yet: as it was.
            ConnectionState::Connecting => {}
            // It answers, if only to refuse, or its other services do (F15).
            _ => drop(self.lost.remove(&host)),
        }
        self.judge_isolation(world, now);
        let locked = object.state.administrative == Some(AdministrativeState::Locked);
        if locked && self.locked.insert(host.clone()) {
            self.settling.remove(&host);
            self.suppress_anew(&host, now);
        } else if !locked && self.locked.remove(&host) {
            self.settling.insert(host, now.plus(SETTLE));
        }
    }

    /// Marks the alarms of an object as the last known while nobody can read it, or as current again. An
    /// object that is not read yet after a restart is left as it was: nothing new is known.
    pub(super) fn rely_on(&mut self, object: &Object, world: &dyn Topology, now: Timestamp) {
        let unknown = object.state.unknown;
        if unknown && !is_away(object) {
            return;
        }
        if unknown {
            self.forget_unproved(&object.name, world, now);
        }
        let of_contact = |alarm: &Alarm| AlarmType::parse(&alarm.alarm_type).is_some_and(is_about_contact);
        for name in self.list.about(&object.name) {
            self.orphans.remove(&name);
            self.list.change(&name, |alarm| {
                let away = alarm.reliability != Reliability::Ok;
                if away == unknown || !alarm.is_active() || (unknown && of_contact(alarm)) {
                    return None;
                }
                alarm.reliability =
                    if unknown { Reliability::SourceUnreachable { since: now } } else { Reliability::Ok };
                record::note(alarm, now, AlarmTransition::ReliabilityChanged, None, None);
                Some(Telling::Merged)
            });
        }
    }

    /// Whether the source of a new alarm can be read: what another alarm told before may be left while it is away.
    pub(super) fn reliability(
        &self,
        key: &ConditionKey,
        hint: Option<&Object>,
        world: &dyn Topology,
        now: Timestamp,
    ) -> Reliability {
        let away = with_owner(&key.object, hint, world, |known| known.is_some_and(is_away));
        match away && !is_about_contact(key.alarm_type) {
            true => Reliability::SourceUnreachable { since: now },
            false => Reliability::Ok,
        }
    }

    /// What has to stand for a while cannot be seen to stand while nobody can look.
    fn forget_unproved(&mut self, object: &Name, world: &dyn Topology, now: Timestamp) {
        for key in self.conditions.of_owner(object) {
            if !is_about_contact(key.alarm_type) && self.conditions.forget_pending(&key) {
                self.witness_gone(&key, world, now);
            }
        }
    }

    /// Half of the hosts gone at once is our own fault (operations.md F12).
    pub(super) fn judge_isolation(&mut self, world: &dyn Topology, now: Timestamp) {
        let key = ConditionKey { object: Name::vrm(), alarm_type: AlarmType::VrmIsolated };
        let standing = self.conditions.finding(&key);
        if self.lost.is_empty() && standing.is_none() {
            return;
        }
        let verdict = super::isolation::judge(&self.lost, standing, world);
        self.signs(verdict.into_iter().collect(), world, now);
    }

    pub(super) fn suppress_anew(&mut self, host: &HostId, now: Timestamp) {
        for name in self.list.on_host(host) {
            let Some(alarm) = self.list.get(&name) else { continue };
            let suppression = self.suppression(alarm);
            self.list.change(&name, |alarm| {
                if alarm.suppressed_by == suppression || !alarm.is_active() {
                    return None;
                }
                let transition =
                    if suppression.is_some() { AlarmTransition::Suppressed } else { AlarmTransition::Unsuppressed };
                alarm.planned_outage = suppression.is_some();
                alarm.suppressed_by = suppression;
                record::note(alarm, now, transition, None, None);
                Some(Telling::Separate)
            });
        }
    }

    pub(super) fn suppression(&self, alarm: &Alarm) -> Option<Suppression> {
        let host = alarm.host.as_ref()?;
        let worked_on = self.locked.contains(host) || self.settling.contains_key(host);
        let about_it = AlarmType::parse(&alarm.alarm_type).is_some_and(|kind| MAINTENANCE.contains(&kind));
        (worked_on && !about_it).then(|| Suppression { by: Name::host(host), reason: "maintenance".to_owned() })
    }

    pub(super) fn shelving(
        &self,
        name: &Name,
        hint: Option<&Object>,
        world: &dyn Topology,
        now: Timestamp,
    ) -> Option<Shelving> {
        let alarm = self.list.get(name)?;
        let labels = self.labels(&alarm.object, hint, world);
        let known = ObjectAtRaise {
            host: alarm.host.clone(),
            resource_group: alarm.resource_group.clone(),
            ..ObjectAtRaise::default()
        };
        let candidate = Candidate::of(&alarm.alarm_type, &alarm.object, &labels, &known);
        let (shelf, rule) = rules::shelf_of(&self.shelves, &candidate, now)?;
        Some(Shelving { shelf: shelf.clone(), expire_time: rule.expire_time })
    }

    /// Puts every alarm on the shelf that takes it now.
    pub(super) fn shelve_anew(&mut self, world: &dyn Topology, now: Timestamp) {
        for name in self.list.names() {
            let shelving = self.shelving(&name, None, world, now);
            self.list.change(&name, |alarm| {
                if alarm.shelved == shelving {
                    return None;
                }
                let transition = if shelving.is_some() { AlarmTransition::Shelved } else { AlarmTransition::Unshelved };
                alarm.shelved = shelving;
                record::note(alarm, now, transition, None, None);
                Some(Telling::Separate)
            });
        }
    }

    /// Applies profiles anew to every condition that stands.
    pub(super) fn grade_anew(&mut self, world: &dyn Topology, now: Timestamp) {
        for key in self.conditions.keys() {
            let Some(finding) = self.conditions.finding(&key).cloned() else { continue };
            let grading = self.grading_for(key.alarm_type, &key.object, None, world);
            if grading.off {
                self.end(&key, ClearingKind::Automatic, world, now);
                continue;
            }
            let important = self.is_important(&key.object, None, world);
            let severity = grading.severity(found_severity(&finding, important));
            if let Some(name) = self.list.active(&key).cloned() {
                self.list.change(&name, |alarm| record::regrade(alarm, severity, now).then_some(Telling::Separate));
            }
        }
        // What was off may be there, and holds may have become shorter.
        for class in ObjectClass::RESOURCES {
            for object in world.objects(class) {
                self.object_seen(&object, world, now);
            }
        }
    }

    /// What holds for an alarm type at an object, with the profiles that say so.
    pub fn grading_for(
        &self,
        alarm_type: AlarmType,
        object: &Name,
        hint: Option<&Object>,
        world: &dyn Topology,
    ) -> Grading {
        let known = self.known(object, hint, world);
        let labels = self.labels(object, hint, world);
        let descriptor = catalogue::descriptor(alarm_type);
        rules::grading(descriptor, &self.profiles, &Candidate::of(&descriptor.id, object, &labels, &known))
    }

    pub(super) fn grading(&self, alarm_type: AlarmType, alarm: &Alarm) -> Grading {
        let known = ObjectAtRaise { host: alarm.host.clone(), ..ObjectAtRaise::default() };
        let labels = BTreeMap::new();
        let descriptor = catalogue::descriptor(alarm_type);
        rules::grading(descriptor, &self.profiles, &Candidate::of(&descriptor.id, &alarm.object, &labels, &known))
    }

    /// True if the object carries the label `vrm.importance=critical` or supports a cloud service.
    pub(super) fn is_important(&self, object: &Name, hint: Option<&Object>, world: &dyn Topology) -> bool {
        let important = |known: &Object| {
            !known.annotations.service_refs.is_empty()
                || known.labels().get("vrm.importance").is_some_and(|value| value == "critical")
        };
        with_owner(object, hint, world, |known| known.is_some_and(important))
    }

    pub(super) fn labels(
        &self,
        object: &Name,
        hint: Option<&Object>,
        world: &dyn Topology,
    ) -> BTreeMap<String, String> {
        with_owner(object, hint, world, |known| known.map(Object::labels).unwrap_or_default())
    }

    pub(super) fn known(&self, object: &Name, hint: Option<&Object>, world: &dyn Topology) -> ObjectAtRaise {
        with_owner(object, hint, world, |known| match known {
            Some(known) => self.described(object, known, world),
            None => ObjectAtRaise {
                dn: self.settings.dn.dn(object),
                class: class_of(object).to_owned(),
                label: object.to_string(),
                host: object.host_id(),
                ..ObjectAtRaise::default()
            },
        })
    }

    fn described(&self, object: &Name, known: &Object, world: &dyn Topology) -> ObjectAtRaise {
        let labels = known.labels();
        let host = known.host();
        let host_labels = host
            .as_ref()
            .and_then(|host| world.object(&Name::host(host)))
            .map(|host| host.labels())
            .unwrap_or_default();
        let zone = labels.get("zone").or_else(|| host_labels.get("zone")).cloned().unwrap_or_default();
        let label = if known.name == *object {
            known.display_name()
        } else {
            format!("{} {}", known.display_name(), object.id())
        };
        ObjectAtRaise {
            dn: self.settings.dn.dn(object),
            class: class_of(object).to_owned(),
            label,
            host,
            zone,
            resource_group: labels.get("vrm.group").cloned().unwrap_or_default(),
            service_refs: known.annotations.service_refs.clone(),
        }
    }
}
