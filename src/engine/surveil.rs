//! Where fault management joins the turn: what the inventory changed is judged, what became of alarm
//! records is numbered as changes of the same turn.

use super::command::{CommandContext, CommandError, LockRequest, Reply};
use super::turn::{Engine, Held, Outcome, answer, audit};
use crate::inventory::{Effects, Evidence};
use crate::model::alarm_command::{AlarmCommand, AlarmOutcome, AlarmRefusal, AlarmTarget};
use crate::model::annotation::Maintenance;
use crate::model::observation::{Fact, Observation};
use crate::model::{Change, ChangeKind, ChangeSource, HostId, Name, Object, Timestamp};
use std::collections::HashMap;
use std::sync::Arc;

/// Longest reason of a maintenance, in characters.
const REASON: usize = 256;

impl Engine {
    /// Judges what happened at a host before its objects are read again.
    pub(super) fn incidents(&mut self, host: &HostId, observation: &mut Observation, now: Timestamp) {
        let facts = std::mem::take(&mut observation.facts);
        for fact in facts {
            match fact {
                Fact::Incident(incident) => self.fault.incident(host, &incident, &self.inventory, now),
                other => observation.facts.push(other),
            }
        }
    }

    /// The inventory's effects, with those of what follows from them for alarms.
    pub(super) fn take_effects(&mut self, source: ChangeSource, now: Timestamp) -> Effects {
        let mut effects = self.inventory.take_effects();
        for change in &effects.changes {
            self.judge(change, now);
        }
        for object in &effects.refreshed {
            self.fault.object_seen(object, &self.inventory, now);
        }
        self.number_records(source, now);
        let records = self.inventory.take_effects();
        effects.changes.extend(records.changes);
        effects.refreshed.extend(records.refreshed);
        effects
    }

    fn judge(&mut self, change: &Change, now: Timestamp) {
        match change.kind {
            ChangeKind::Removed => self.fault.object_gone(&change.object, &self.inventory, now),
            ChangeKind::Created | ChangeKind::Changed => self.fault.object_seen(&change.object, &self.inventory, now),
        }
    }

    /// Gives what became of alarm records its place in the log.
    fn number_records(&mut self, source: ChangeSource, now: Timestamp) {
        let evidence = Evidence { now, read: now, source, periodic: false };
        for effect in self.fault.take_effects() {
            match effect {
                crate::fault::RecordEffect::Put { name, body } => self.inventory.put_record(&evidence, &name, body),
                crate::fault::RecordEffect::Remove { name } => self.inventory.remove_record(&evidence, &name),
            }
        }
    }

    /// Carries out a command on alarms; each target has its own result.
    pub(super) fn alarm_command(
        &mut self,
        context: &CommandContext,
        command: AlarmCommand,
        now: Timestamp,
        outcome: &mut Outcome,
        reply: Reply<Vec<AlarmOutcome>>,
    ) {
        let content = format!("{command:?}");
        let result = self.requests.repeated(context, &content).map(|repeated| match repeated {
            Some(_) => (self.outcomes(command), Held::No),
            None => self.alarm_acts(context, command, &content, now, outcome),
        });
        answer(outcome, reply, result);
    }

    fn alarm_acts(
        &mut self,
        context: &CommandContext,
        command: AlarmCommand,
        content: &str,
        now: Timestamp,
        outcome: &mut Outcome,
    ) -> (Vec<AlarmOutcome>, Held) {
        let asked = asked(&command);
        let reported = match &command {
            AlarmCommand::Report(condition) => Some((condition.alarm_type.clone(), condition.object.clone())),
            _ => None,
        };
        let (command, mut refused) = self.check_etags(context, command);
        let acts = match command {
            Some(command) => self.fault.command(command, &context.actor, context.validate_only, &self.inventory, now),
            None => Vec::new(),
        };
        self.number_records(ChangeSource::ManagementOperation, now);
        let target = acts.first().map_or_else(Name::vrm, |(name, _)| name.clone());
        let done = acts.iter().any(|(_, result)| result.is_ok()) && !context.validate_only;
        refused.extend(acts.into_iter().map(|(name, result)| {
            let about = match &reported {
                Some((alarm_type, object)) => self.fault.alarm_of(alarm_type, object).cloned(),
                None => Some(name.clone()),
            };
            let result = result.map(|()| about.and_then(|about| self.inventory.object(&about).cloned()));
            AlarmOutcome { name, result }
        }));
        // In the order asked; related alarms after them.
        refused.sort_by_key(|outcome| asked.get(&outcome.name).copied().unwrap_or(usize::MAX));
        if !done {
            return (refused, Held::No);
        }
        outcome.transaction.request = self.requests.remember(context, content, &target, now);
        outcome.transaction.audit.push(audit(context, &target, content, now));
        (refused, Held::UntilCommit)
    }

    /// Takes targets with another etag out of a command.
    fn check_etags(
        &self,
        context: &CommandContext,
        command: AlarmCommand,
    ) -> (Option<AlarmCommand>, Vec<AlarmOutcome>) {
        let stale = |name: &Name, given: &str| {
            let current = self.inventory.object(name)?.etag();
            (!given.is_empty() && given != current).then(|| AlarmOutcome {
                name: name.clone(),
                result: Err(AlarmRefusal::EtagMismatch { name: name.clone(), given: given.to_owned(), current }),
            })
        };
        let single = match &command {
            AlarmCommand::Act { .. } | AlarmCommand::Report(_) => None,
            AlarmCommand::PutShelf { name, .. }
            | AlarmCommand::DeleteShelf(name)
            | AlarmCommand::PutProfile { name, .. }
            | AlarmCommand::DeleteProfile(name) => stale(name, &context.etag),
        };
        if let Some(refused) = single {
            return (None, vec![refused]);
        }
        let AlarmCommand::Act { targets, related, act } = command else { return (Some(command), Vec::new()) };
        let (mut fresh, mut refused) = (Vec::new(), Vec::new());
        for target in targets {
            match stale(&target.name, &target.etag) {
                Some(outcome) => refused.push(outcome),
                None => fresh.push(target),
            }
        }
        (Some(AlarmCommand::Act { targets: fresh, related, act }), refused)
    }

    /// What a repeated command is about, as it is now.
    fn outcomes(&self, command: AlarmCommand) -> Vec<AlarmOutcome> {
        if let AlarmCommand::Report(condition) = command {
            let about = self.fault.alarm_of(&condition.alarm_type, &condition.object);
            let result = Ok(about.and_then(|about| self.inventory.object(about).cloned()));
            return vec![AlarmOutcome { name: condition.object, result }];
        }
        let outcome = |target: AlarmTarget| {
            let result = Ok(self.inventory.object(&target.name).cloned());
            AlarmOutcome { name: target.name, result }
        };
        repeated_targets(command).into_iter().map(outcome).collect()
    }

    /// Begins or ends the maintenance of a host.
    pub(super) fn lock_host(
        &mut self,
        context: &CommandContext,
        host: &HostId,
        lock: Option<LockRequest>,
        now: Timestamp,
        outcome: &mut Outcome,
        reply: Reply<Arc<Object>>,
    ) {
        let name = Name::host(host);
        let content = format!("{name} {lock:?}");
        let result = check_lock(lock.as_ref(), now).and_then(|()| {
            self.change_annotations(context, &name, &content, now, outcome, |annotations| {
                annotations.maintenance = lock.map(|lock| Maintenance {
                    since: annotations.maintenance.as_ref().map_or(now, |held| held.since),
                    planned_end: lock.until,
                    reason: lock.reason,
                    actor: context.actor.clone(),
                });
                Ok(())
            })
        });
        self.answer_object(outcome, reply, result);
    }

    /// Conditions of the VRM itself, as its parts tell them.
    pub(super) fn own_conditions(&mut self, signs: Vec<crate::fault::Sign>, now: Timestamp) {
        self.fault.signs(signs, &self.inventory, now);
    }

    /// What time brings.
    pub(super) fn tick(&mut self, now: Timestamp) {
        self.inventory.tick(now);
        self.fault.tick(&self.inventory, now);
    }
}

/// Places of the targets in the request.
fn asked(command: &AlarmCommand) -> HashMap<Name, usize> {
    match command {
        AlarmCommand::Act { targets, .. } => {
            targets.iter().enumerate().map(|(at, target)| (target.name.clone(), at)).collect()
        }
        _ => HashMap::new(),
    }
}

fn repeated_targets(command: AlarmCommand) -> Vec<AlarmTarget> {
    match command {
        AlarmCommand::Act { targets, .. } => targets,
        AlarmCommand::PutShelf { name, .. }
        | AlarmCommand::DeleteShelf(name)
        | AlarmCommand::PutProfile { name, .. }
        | AlarmCommand::DeleteProfile(name) => vec![AlarmTarget { name, etag: String::new() }],
        AlarmCommand::Report(_) => Vec::new(),
    }
}

fn check_lock(lock: Option<&LockRequest>, now: Timestamp) -> Result<(), CommandError> {
    let invalid = |field: &str, reason: String| Err(CommandError::InvalidField { field: field.to_owned(), reason });
    match lock {
        Some(lock) if lock.reason.chars().count() > REASON => {
            invalid("reason", format!("longer than {REASON} characters"))
        }
        Some(lock) if lock.until.is_some_and(|until| until <= now) => invalid("until", "lies in the past".to_owned()),
        _ => Ok(()),
    }
}
