//! What people and programs ask of the alarm list, carried out.

use super::catalogue::{self, AlarmType};
use super::conditions::{ConditionKey, REPORTED_BY};
use super::finding::{Finding, Sign};
use super::list::{RecordEffect, Telling};
use super::record;
use super::rules::has_level;
use super::surveillance::Surveillance;
use crate::model::alarm::{AlarmMatch, ClearingKind, ClearingRule, limits};
use crate::model::alarm_command::{AlarmAct, AlarmCommand, AlarmRefusal, ReportedCondition};
use crate::model::relation::Topology;
use crate::model::{Actor, AlarmProfile, AlarmShelf, Body, Name, Timestamp};
use std::collections::BTreeSet;

/// Rules of one kind at most.
const RULES: usize = 1_000;

/// Reported conditions that may stand at once: 10,000. A reporter that floods is refused.
const REPORTED: usize = 10_000;

/// Result for one name.
pub type ActResult = (Name, Result<(), AlarmRefusal>);

impl Surveillance {
    /// Carries out a command whose etags were checked; with `dry` it only checks.
    pub fn command(
        &mut self,
        command: AlarmCommand,
        actor: &Actor,
        dry: bool,
        world: &dyn Topology,
        now: Timestamp,
    ) -> Vec<ActResult> {
        self.list.at(now);
        match command {
            AlarmCommand::Act { targets, related, act } => {
                let names = targets.into_iter().map(|target| target.name).collect();
                let names = if related { self.with_related(names) } else { names };
                names
                    .into_iter()
                    .map(|name| {
                        let result = self.act(&name, &act, actor, dry, world, now);
                        (name, result)
                    })
                    .collect()
            }
            AlarmCommand::PutShelf { name, create, shelf } => {
                vec![(name.clone(), self.put_shelf(name, create, *shelf, actor, dry, world, now))]
            }
            AlarmCommand::DeleteShelf(name) => vec![(name.clone(), self.delete_shelf(&name, dry, world, now))],
            AlarmCommand::PutProfile { name, create, profile } => {
                vec![(name.clone(), self.put_profile(name, create, *profile, dry, world, now))]
            }
            AlarmCommand::DeleteProfile(name) => vec![(name.clone(), self.delete_profile(&name, dry, world, now))],
            AlarmCommand::Report(condition) => {
                vec![(condition.object.clone(), self.report(&condition, actor, dry, world, now))]
            }
        }
    }

    fn with_related(&self, names: Vec<Name>) -> Vec<Name> {
        let explained: Vec<Name> = names.iter().flat_map(|name| self.list.explained_by(name)).collect();
        let mut all = names;
        all.extend(explained);
        let mut seen = BTreeSet::new();
        all.retain(|name| seen.insert(name.clone()));
        all
    }

    fn act(
        &mut self,
        name: &Name,
        act: &AlarmAct,
        actor: &Actor,
        dry: bool,
        world: &dyn Topology,
        now: Timestamp,
    ) -> Result<(), AlarmRefusal> {
        let alarm = self.list.get(name).ok_or_else(|| AlarmRefusal::NotFound(name.clone()))?;
        check_text(act)?;
        let by_hand = AlarmType::parse(&alarm.alarm_type)
            .is_none_or(|kind| catalogue::descriptor(kind).clearing == ClearingRule::Manual)
            // A reporter that went away will never say that it is over.
            || alarm.attributes.contains_key(REPORTED_BY);
        match act {
            AlarmAct::Clear(_) if alarm.is_active() && !by_hand && !self.is_orphan(name, world) => {
                return Err(AlarmRefusal::NotClearable(name.clone()));
            }
            AlarmAct::Purge if alarm.is_active() => return Err(AlarmRefusal::StillActive(name.clone())),
            _ => {}
        }
        if !dry {
            self.carry_out(name, act, actor, world, now);
        }
        Ok(())
    }

    /// True for an alarm whose object exists no more: nothing will ever clear it by itself.
    fn is_orphan(&self, name: &Name, world: &dyn Topology) -> bool {
        self.list.get(name).is_some_and(|alarm| world.object(&super::place::owner(&alarm.object)).is_none())
    }

    fn carry_out(&mut self, name: &Name, act: &AlarmAct, actor: &Actor, world: &dyn Topology, now: Timestamp) {
        let told = |changed: bool| changed.then_some(Telling::Separate);
        match act {
            AlarmAct::Acknowledge(comment) => {
                self.list.change(name, |alarm| told(record::acknowledge(alarm, actor, comment, now)));
                if self.list.get(name).is_some_and(|alarm| !alarm.is_active()) {
                    self.list.remove(name);
                } else if self.orphans.contains_key(name) {
                    self.bury(name, world, now);
                }
            }
            AlarmAct::Unacknowledge(comment) => {
                self.list.change(name, |alarm| told(record::unacknowledge(alarm, actor, comment, now)));
            }
            AlarmAct::Clear(comment) => {
                if let Some(key) = self.key_of(name) {
                    self.conditions.forget(&key);
                    self.witness_gone(&key, world, now);
                }
                self.orphans.remove(name);
                self.clear_record_by(name, ClearingKind::Manual, Some(actor), comment, world, now);
            }
            AlarmAct::Comment(text) => {
                self.list.change(name, |alarm| {
                    record::comment(alarm, actor, text, now);
                    Some(Telling::Separate)
                });
            }
            AlarmAct::Link(reference) => {
                self.list.change(name, |alarm| told(record::link(alarm, actor, reference, now)));
            }
            AlarmAct::Unlink(reference) => {
                self.list.change(name, |alarm| told(record::unlink(alarm, actor, reference, now)));
            }
            AlarmAct::Purge => self.list.remove(name),
        }
    }

    pub(super) fn key_of(&self, name: &Name) -> Option<ConditionKey> {
        let alarm = self.list.get(name)?;
        let alarm_type = AlarmType::parse(&alarm.alarm_type)?;
        Some(ConditionKey { object: alarm.object.clone(), alarm_type })
    }

    #[expect(clippy::too_many_arguments, reason = "the parts of one request")]
    fn put_shelf(
        &mut self,
        name: Name,
        create: bool,
        mut shelf: AlarmShelf,
        actor: &Actor,
        dry: bool,
        world: &dyn Topology,
        now: Timestamp,
    ) -> Result<(), AlarmRefusal> {
        check_rule(self.shelves.contains_key(&name), create, self.shelves.len(), &name)?;
        check_match(&shelf.matches)?;
        if shelf.expire_time.is_some_and(|expire| expire <= now) {
            return Err(invalid("expire_time", "lies in the past"));
        }
        check_length("reason", &shelf.reason)?;
        if dry {
            return Ok(());
        }
        shelf.actor = actor.clone();
        self.shelves.insert(name.clone(), shelf);
        self.shelve_anew(world, now);
        if let Some(shelf) = self.shelves.get(&name) {
            let body = Body::AlarmShelf(Box::new(shelf.clone()));
            self.list.tell(RecordEffect::Put { name, body });
        }
        Ok(())
    }

    fn delete_shelf(
        &mut self,
        name: &Name,
        dry: bool,
        world: &dyn Topology,
        now: Timestamp,
    ) -> Result<(), AlarmRefusal> {
        if !self.shelves.contains_key(name) {
            return Err(AlarmRefusal::NotFound(name.clone()));
        }
        if !dry {
            self.shelves.remove(name);
            self.shelve_anew(world, now);
            self.list.tell(RecordEffect::Remove { name: name.clone() });
        }
        Ok(())
    }

    fn put_profile(
        &mut self,
        name: Name,
        create: bool,
        mut profile: AlarmProfile,
        dry: bool,
        world: &dyn Topology,
        now: Timestamp,
    ) -> Result<(), AlarmRefusal> {
        check_rule(self.profiles.contains_key(&name), create, self.profiles.len(), &name)?;
        if self.profiles.get(&name).is_some_and(|held| held.from_file) {
            return Err(AlarmRefusal::FromFile(name));
        }
        check_match(&profile.matches)?;
        check_thresholds(&profile)?;
        if dry {
            return Ok(());
        }
        profile.from_file = false;
        self.profiles.insert(name.clone(), profile.clone());
        self.list.tell(RecordEffect::Put { name, body: Body::AlarmProfile(Box::new(profile)) });
        self.grade_anew(world, now);
        Ok(())
    }

    fn delete_profile(
        &mut self,
        name: &Name,
        dry: bool,
        world: &dyn Topology,
        now: Timestamp,
    ) -> Result<(), AlarmRefusal> {
        match self.profiles.get(name) {
            None => return Err(AlarmRefusal::NotFound(name.clone())),
            Some(profile) if profile.from_file => return Err(AlarmRefusal::FromFile(name.clone())),
            Some(_) => {}
        }
        if !dry {
            self.profiles.remove(name);
            self.list.tell(RecordEffect::Remove { name: name.clone() });
            self.grade_anew(world, now);
        }
        Ok(())
    }

    fn report(
        &mut self,
        condition: &ReportedCondition,
        actor: &Actor,
        dry: bool,
        world: &dyn Topology,
        now: Timestamp,
    ) -> Result<(), AlarmRefusal> {
        let Some(alarm_type) = AlarmType::parse(&condition.alarm_type) else {
            return Err(invalid("alarm_type", &format!("{} is not in the catalogue", condition.alarm_type)));
        };
        let descriptor = catalogue::descriptor(alarm_type);
        if !descriptor.external {
            return Err(AlarmRefusal::NotExternal(descriptor.id.clone()));
        }
        let place = super::place::owner(&condition.object);
        if world.object(&place).is_none() {
            return Err(AlarmRefusal::NotFound(place));
        }
        let class = super::place::class_of(&condition.object);
        if !descriptor.object_classes.iter().any(|known| known == class) {
            let known = descriptor.object_classes.join(", ");
            return Err(invalid("object", &format!("is a {class}; {} is raised for {known}", descriptor.id)));
        }
        check_length("text", &condition.text)?;
        let key = ConditionKey { object: condition.object.clone(), alarm_type };
        if condition.active && !self.conditions.stands(&key) && self.conditions.reported() >= REPORTED {
            return Err(AlarmRefusal::TooMany(60));
        }
        if dry {
            return Ok(());
        }
        let text = if condition.text.is_empty() { &descriptor.meaning } else { &condition.text };
        let mut finding = Finding::new(alarm_type, &condition.object, text.as_str());
        finding.severity = condition.severity;
        finding.attributes.clone_from(&condition.attributes);
        finding.attributes.insert(REPORTED_BY.to_owned(), actor.principal.clone());
        let sign = match condition.active {
            true => Sign::Present(Box::new(finding)),
            false => Sign::Over { alarm_type, object: condition.object.clone() },
        };
        self.signs(vec![sign], world, now);
        Ok(())
    }
}

fn invalid(field: &str, reason: &str) -> AlarmRefusal {
    AlarmRefusal::InvalidField { field: field.to_owned(), reason: reason.to_owned() }
}

fn check_length(field: &str, text: &str) -> Result<(), AlarmRefusal> {
    if text.chars().count() > limits::TEXT {
        return Err(invalid(field, &format!("longer than {} characters", limits::TEXT)));
    }
    Ok(())
}

fn check_text(act: &AlarmAct) -> Result<(), AlarmRefusal> {
    match act {
        AlarmAct::Acknowledge(text) | AlarmAct::Unacknowledge(text) | AlarmAct::Clear(text) => {
            check_length("comment", text)
        }
        AlarmAct::Comment(text) if text.trim().is_empty() => Err(invalid("comment", "is empty")),
        AlarmAct::Comment(text) => check_length("comment", text),
        AlarmAct::Link(reference) | AlarmAct::Unlink(reference) => {
            let fine = !reference.is_empty()
                && reference.len() <= limits::REFERENCE
                && !reference.chars().any(char::is_control);
            let reason = format!("must have 1 to {} bytes, none a control character", limits::REFERENCE);
            fine.then_some(()).ok_or_else(|| invalid("reference", &reason))
        }
        AlarmAct::Purge => Ok(()),
    }
}

fn check_rule(exists: bool, create: bool, held: usize, name: &Name) -> Result<(), AlarmRefusal> {
    match (exists, create) {
        (true, true) => Err(AlarmRefusal::AlreadyExists(name.clone())),
        (false, false) => Err(AlarmRefusal::NotFound(name.clone())),
        (false, true) if held >= RULES => Err(invalid("name", &format!("there are {RULES} rules already"))),
        _ => Ok(()),
    }
}

fn check_match(matches: &AlarmMatch) -> Result<(), AlarmRefusal> {
    if *matches == AlarmMatch::default() {
        return Err(invalid("match", "states no condition, so it would mean every alarm"));
    }
    let unknown = matches.alarm_types.iter().find(|id| AlarmType::parse(id).is_none());
    match unknown {
        Some(id) => Err(invalid("match.alarm_types", &format!("{id} is not in the catalogue"))),
        None => Ok(()),
    }
}

fn check_thresholds(profile: &AlarmProfile) -> Result<(), AlarmRefusal> {
    for (level, value) in &profile.thresholds {
        if !has_level(&profile.matches.alarm_types, level) {
            return Err(invalid("thresholds", &format!("{level} is no level of the alarm types named")));
        }
        if !value.is_finite() {
            return Err(invalid("thresholds", &format!("{level} is no number")));
        }
    }
    Ok(())
}
