//! One turn: a message applied to the pure modules, and what follows from it.

use super::command::{AnnotationPatch, CommandContext, CommandError, Envelope, Reply};
use super::pending::HeldReply;
use super::registry::Registry;
use super::report::{Cause, LinkState, Report};
use super::requests::Requests;
use crate::fault::{Hearing, Surveillance};
use crate::inventory::{Evidence, Inventory, LinkStanding};
use crate::model::annotation::{Expectation, ExpectationOrigin, ExpectationSetting, limits};
use crate::model::registration::{HostOrigin, HostRegistration};
use crate::model::{Annotations, AuditRecord, ChangeSource, HostId, Name, Object, ObjectClass, Timestamp, Volatile};
use crate::store::{HostRow, Transaction};
use std::sync::Arc;

/// State the engine owns.
pub(super) struct Engine {
    pub(super) inventory: Inventory,
    pub(super) fault: Surveillance,
    pub(super) registry: Registry,
    pub(super) requests: Requests,
}

/// What a turn leaves to be done beside the inventory's effects.
#[derive(Default)]
pub(super) struct Outcome {
    /// Rows of the transaction beside the changes.
    pub(super) transaction: Transaction,
    /// Replies that wait for the commit.
    pub(super) replies: Vec<HeldReply>,
    /// Replies that do not depend on anything stored: refusals and repeats.
    pub(super) at_once: Vec<HeldReply>,
}

impl Engine {
    /// Applies a report.
    pub(super) fn report(&mut self, report: Report, now: Timestamp) {
        self.fault.hear(match &report {
            Report::Observed { cause: Cause::Poll | Cause::Resync, .. } => Hearing::Poll,
            _ => Hearing::Event,
        });
        match report {
            Report::Link { key, time, state, generation, hypervisor } => {
                if !self.registry.watches(&key) {
                    return;
                }
                let (standing, trouble) = standing(&state);
                let evidence = Evidence { now, read: time, source: ChangeSource::ResourceOperation, periodic: false };
                let facts = hypervisor.map(|facts| *facts);
                self.inventory.link_changed(&evidence, &key, standing, trouble, generation, facts);
            }
            Report::Own(signs) => self.own_conditions(signs, now),
            Report::Crossings(crossings) => self.crossings(&crossings, now),
            Report::Observed { key, generation, cause, mut observation } => {
                self.incidents(&key.host, &mut observation, now);
                let source = match cause {
                    Cause::Event | Cause::Poll => ChangeSource::ResourceOperation,
                    Cause::Resync => ChangeSource::Resync,
                };
                let evidence = Evidence { now, read: observation.time, source, periodic: cause == Cause::Poll };
                self.inventory.observe(&evidence, &key, generation, observation);
            }
            Report::Vitals { key, vitals, last_event } => {
                self.inventory.vitals(&key, vitals.severed_lanes, last_event);
            }
        }
    }

    /// Carries out a command.
    pub(super) fn command(&mut self, envelope: Envelope, now: Timestamp) -> Outcome {
        let mut outcome = Outcome::default();
        match envelope {
            Envelope::Annotate { context, name, patch, reply } => {
                let content = format!("{name} {patch:?}");
                let result = self.change_annotations(&context, &name, &content, now, &mut outcome, |annotations| {
                    apply_patch(annotations, patch)
                });
                self.answer_object(&mut outcome, reply, result);
            }
            Envelope::Expect { context, name, expectation, reply } => {
                let content = format!("{name} {expectation:?}");
                let result = lockable(&name).and_then(|()| {
                    self.change_annotations(&context, &name, &content, now, &mut outcome, |annotations| {
                        annotations.expectation = expectation.map(by_operator);
                        Ok(())
                    })
                });
                self.answer_object(&mut outcome, reply, result);
            }
            Envelope::RegisterHost { context, registration, reply } => {
                let result = self.register(&context, &registration, now, &mut outcome);
                self.answer_hosts(&mut outcome, reply, result);
            }
            Envelope::DeregisterHost { context, host, force, reply } => {
                let result = self.deregister(&context, &host, force, now, &mut outcome);
                answer(&mut outcome, reply, result.map(|held| ((), held)));
            }
            Envelope::Alarms { context, command, reply } => {
                self.alarm_command(&context, command, now, &mut outcome, reply);
            }
            Envelope::PutRecord { context, name, create, body, reply } => {
                self.put_record(&context, &name, create, *body, now, &mut outcome, reply);
            }
            Envelope::RemoveRecord { context, name, reply } => {
                self.answer_removal(&context, &name, now, &mut outcome, reply);
            }
            Envelope::LockHost { context, host, lock, reply } => {
                self.lock_host(&context, &host, lock, now, &mut outcome, reply);
            }
            Envelope::Audit { records, reply } => {
                outcome.transaction.audit.extend(records);
                answer(&mut outcome, reply, Ok(((), Held::UntilCommit)));
            }
            Envelope::Access { report, reply } => {
                self.own_conditions(report.signs(), now);
                outcome.transaction.audit.extend(report.records(now));
                answer(&mut outcome, reply, Ok(((), Held::UntilCommit)));
            }
            Envelope::ConfigureHosts { registrations, allow_removals, reply } => {
                let evidence = commanded(now);
                let result = self.registry.configure(&mut self.inventory, &evidence, &registrations, allow_removals);
                answer(&mut outcome, reply, result.map(|warnings| (warnings, Held::UntilCommit)));
            }
        }
        outcome
    }

    /// Takes the hosts that were registered through the API before.
    pub(super) fn restore_hosts(&mut self, hosts: Vec<HostRegistration>, now: Timestamp) -> Vec<String> {
        let mut warnings = Vec::new();
        for mut registration in hosts {
            registration.origin = HostOrigin::Api;
            if self.inventory.origin_of(&registration.id).is_some() {
                warnings.push(format!("host {} comes from a settings file; its registration rests", registration.id));
                continue;
            }
            match self.registry.open(&registration) {
                Ok(hosts) => {
                    for (host, endpoints) in hosts {
                        self.registry.adopt(&mut self.inventory, &commanded(now), &host, endpoints);
                    }
                }
                Err(error) => warnings.push(format!("registered host {} cannot be watched: {error}", registration.id)),
            }
        }
        warnings
    }

    pub(super) fn change_annotations(
        &mut self,
        context: &CommandContext,
        name: &Name,
        content: &str,
        now: Timestamp,
        outcome: &mut Outcome,
        change: impl FnOnce(&mut Annotations) -> Result<(), CommandError>,
    ) -> Result<(Name, Held), CommandError> {
        if let Some(name) = self.requests.repeated(context, content)? {
            return Ok((name, Held::No));
        }
        let object = self.fresh_object(context, name)?;
        let mut annotations = object.annotations.clone();
        change(&mut annotations)?;
        if context.validate_only {
            return Ok((name.clone(), Held::No));
        }
        self.inventory.annotate(&commanded(now), name, annotations);
        outcome.transaction.request = self.requests.remember(context, content, name, now);
        outcome.transaction.audit.push(audit(context, name, content, now));
        Ok((name.clone(), Held::UntilCommit))
    }

    pub(super) fn fresh_object(&self, context: &CommandContext, name: &Name) -> Result<Arc<Object>, CommandError> {
        let Some(object) = self.inventory.object(name) else {
            return Err(CommandError::NotFound { name: name.to_string(), class: name.class() });
        };
        let current = object.etag();
        if context.etag.is_empty() || context.etag == current {
            return Ok(Arc::clone(object));
        }
        Err(CommandError::EtagMismatch { name: name.to_string(), given: context.etag.clone(), current })
    }

    fn register(
        &mut self,
        context: &CommandContext,
        registration: &HostRegistration,
        now: Timestamp,
        outcome: &mut Outcome,
    ) -> Result<(Vec<Name>, Held), CommandError> {
        let content = format!("{registration:?}");
        if let Some(name) = self.requests.repeated(context, &content)? {
            return Ok((vec![name], Held::No));
        }
        let registration = HostRegistration { origin: HostOrigin::Api, ..registration.clone() };
        let hosts = self.registry.open(&registration)?;
        let mut names = Vec::new();
        if hosts.len() != 1 {
            return Err(CommandError::InvalidField {
                field: "uris".into(),
                reason: format!("stand for {} hosts; register one host at a time", hosts.len()),
            });
        }
        for host in hosts.keys() {
            if self.inventory.origin_of(host).is_some() {
                return Err(CommandError::AlreadyExists { name: Name::host(host).to_string() });
            }
        }
        if context.validate_only {
            return Ok((names, Held::No));
        }
        for (host, endpoints) in hosts {
            self.registry.adopt(&mut self.inventory, &commanded(now), &host, endpoints);
            names.push(Name::host(&host));
        }
        let target = names.first().cloned().unwrap_or_else(Name::cluster);
        outcome.transaction.request = self.requests.remember(context, &content, &target, now);
        outcome.transaction.audit.push(audit(context, &target, &registration.uris.join(" "), now));
        outcome.transaction.hosts.push(HostRow::Put(registration));
        Ok((names, Held::UntilCommit))
    }

    fn deregister(
        &mut self,
        context: &CommandContext,
        host: &HostId,
        force: bool,
        now: Timestamp,
        outcome: &mut Outcome,
    ) -> Result<Held, CommandError> {
        let name = Name::host(host);
        let content = format!("{host} {force}");
        if self.requests.repeated(context, &content)?.is_some() {
            return Ok(Held::No);
        }
        self.fresh_object(context, &name)?;
        if self.inventory.origin_of(host) == Some(HostOrigin::File) {
            return Err(CommandError::ConfiguredHost(host.clone()));
        }
        let machines = self.inventory.machines_on(host);
        if machines > 0 && !force {
            return Err(CommandError::NotEmpty { host: host.clone(), machines });
        }
        if context.validate_only {
            return Ok(Held::No);
        }
        self.registry.expel(&mut self.inventory, &commanded(now), host);
        outcome.transaction.request = self.requests.remember(context, &content, &name, now);
        outcome.transaction.audit.push(audit(context, &name, &content, now));
        outcome.transaction.hosts.push(HostRow::Delete(host.clone()));
        Ok(Held::UntilCommit)
    }

    pub(super) fn answer_object(
        &self,
        outcome: &mut Outcome,
        reply: Reply<Arc<Object>>,
        result: Result<(Name, Held), CommandError>,
    ) {
        let result = result.and_then(|(name, held)| match self.inventory.object(&name) {
            Some(object) => Ok((Arc::clone(object), held)),
            None => Err(CommandError::NotFound { name: name.to_string(), class: name.class() }),
        });
        answer(outcome, reply, result);
    }

    fn answer_hosts(
        &self,
        outcome: &mut Outcome,
        reply: Reply<Vec<Arc<Object>>>,
        result: Result<(Vec<Name>, Held), CommandError>,
    ) {
        let result = result.map(|(names, held)| {
            (names.iter().filter_map(|name| self.inventory.object(name).cloned()).collect(), held)
        });
        answer(outcome, reply, result);
    }
}

/// Whether a reply waits for the commit.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Held {
    UntilCommit,
    No,
}

pub(super) fn answer<T: Send + 'static>(
    outcome: &mut Outcome,
    reply: Reply<T>,
    result: Result<(T, Held), CommandError>,
) {
    let (result, held) = match result {
        Ok((value, held)) => (Ok(value), held),
        Err(error) => (Err(error), Held::No),
    };
    // A caller that went away needs no answer.
    let send: HeldReply = Box::new(move || drop(reply.send(result)));
    match held {
        Held::UntilCommit => outcome.replies.push(send),
        Held::No => outcome.at_once.push(send),
    }
}

fn standing(state: &LinkState) -> (LinkStanding, &str) {
    match state {
        LinkState::Connecting => (LinkStanding::Connecting, ""),
        LinkState::Synchronizing => (LinkStanding::Synchronizing, ""),
        LinkState::Connected => (LinkStanding::Connected, ""),
        LinkState::Degraded(text) => (LinkStanding::Degraded, text),
        LinkState::Unreachable(text) => (LinkStanding::Unreachable, text),
        LinkState::ServiceLost(text) => (LinkStanding::ServiceLost, text),
        LinkState::Refused(text) => (LinkStanding::Refused, text),
    }
}

pub(super) fn commanded(now: Timestamp) -> Evidence {
    Evidence { now, read: now, source: ChangeSource::ManagementOperation, periodic: false }
}

pub(super) fn audit(context: &CommandContext, target: &Name, detail: &str, time: Timestamp) -> AuditRecord {
    AuditRecord {
        time,
        actor: context.actor.clone(),
        method: context.method.clone(),
        target: target.to_string(),
        request_id: context.request_id.clone(),
        outcome: "OK".to_owned(),
        detail: detail.chars().take(2_000).collect(),
    }
}

fn lockable(name: &Name) -> Result<(), CommandError> {
    match name.class() {
        Some(ObjectClass::VirtualMachine | ObjectClass::StoragePool | ObjectClass::Network) => Ok(()),
        _ => Err(CommandError::InvalidField {
            field: "name".into(),
            reason: "an expectation applies to virtual machines, storage pools and networks".into(),
        }),
    }
}

fn by_operator(expected: Expectation) -> ExpectationSetting {
    ExpectationSetting { expected, origin: ExpectationOrigin::Operator, adopted: Volatile(None) }
}

fn apply_patch(annotations: &mut Annotations, patch: AnnotationPatch) -> Result<(), CommandError> {
    let invalid = |field: &str, reason: String| CommandError::InvalidField { field: field.to_owned(), reason };
    if patch.replace_labels {
        annotations.labels.clear();
    }
    for (key, value) in patch.labels {
        if key.is_empty() || key.len() > limits::LABEL_KEY || key.chars().any(char::is_control) {
            return Err(invalid(
                "labels",
                format!("key {key:?} must have 1 to {} bytes, none a control character", limits::LABEL_KEY),
            ));
        }
        match value {
            Some(value) if value.len() > limits::LABEL_VALUE || value.chars().any(char::is_control) => {
                return Err(invalid(
                    "labels",
                    format!(
                        "value of {key:?} must have at most {} bytes, none a control character",
                        limits::LABEL_VALUE
                    ),
                ));
            }
            Some(value) => drop(annotations.labels.insert(key, value)),
            None => drop(annotations.labels.remove(&key)),
        }
    }
    if annotations.labels.len() > limits::LABELS {
        return Err(invalid("labels", format!("more than {} labels", limits::LABELS)));
    }
    if let Some(user_label) = patch.user_label {
        if user_label.chars().count() > limits::USER_LABEL {
            return Err(invalid("user_label", format!("longer than {} characters", limits::USER_LABEL)));
        }
        annotations.user_label = user_label;
    }
    let mut service_refs = patch.service_refs.unwrap_or_else(|| annotations.service_refs.clone());
    service_refs.retain(|held| !patch.remove_service_refs.contains(held));
    for added in patch.add_service_refs {
        if !service_refs.contains(&added) {
            service_refs.push(added);
        }
    }
    if service_refs != annotations.service_refs {
        if service_refs.len() > limits::SERVICE_REFS || service_refs.iter().any(|text| text.len() > limits::SERVICE_REF)
        {
            return Err(invalid(
                "service_refs",
                format!(
                    "more than {} references, or one longer than {} bytes",
                    limits::SERVICE_REFS,
                    limits::SERVICE_REF
                ),
            ));
        }
        annotations.service_refs = service_refs;
    }
    Ok(())
}
