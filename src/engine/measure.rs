//! Records of performance management in the turn: measurement jobs, threshold monitors, and what monitors found.

use super::command::{CommandContext, CommandError, Reply};
use super::turn::{Engine, Held, Outcome, answer, audit, commanded};
use crate::model::measurement::ThresholdCrossing;
use crate::model::{Body, Name, Object, ObjectClass, Timestamp};
use std::sync::Arc;

/// Jobs, and monitors, there may be: 1,000 of each.
const RECORDS: usize = 1_000;

impl Engine {
    /// Makes or changes a job or a monitor, which was checked before.
    #[expect(clippy::too_many_arguments, reason = "the parts of one request")]
    pub(super) fn put_record(
        &mut self,
        context: &CommandContext,
        name: &Name,
        create: bool,
        body: Body,
        now: Timestamp,
        outcome: &mut Outcome,
        reply: Reply<Arc<Object>>,
    ) {
        let content = format!("{name} {create} {body:?}");
        let result = self.put_checked(context, name, create, body, &content, now, outcome);
        self.answer_object(outcome, reply, result);
    }

    #[expect(clippy::too_many_arguments, reason = "the parts of one request")]
    fn put_checked(
        &mut self,
        context: &CommandContext,
        name: &Name,
        create: bool,
        body: Body,
        content: &str,
        now: Timestamp,
        outcome: &mut Outcome,
    ) -> Result<(Name, Held), CommandError> {
        if let Some(name) = self.requests.repeated(context, content)? {
            return Ok((name, Held::No));
        }
        if create && self.inventory.object(name).is_some() {
            return Err(CommandError::AlreadyExists { name: name.to_string() });
        }
        if !create {
            self.fresh_object(context, name)?;
        } else if self.count_records(body.class()) >= RECORDS {
            let reason = format!("there are {RECORDS} already");
            return Err(CommandError::InvalidField { field: "name".into(), reason });
        }
        if context.validate_only {
            return Ok((name.clone(), Held::No));
        }
        if body.class() == ObjectClass::ThresholdMonitor {
            self.fault.monitor_ended(&name.id(), &self.inventory, now);
        }
        self.inventory.put_record(&commanded(now), name, body);
        outcome.transaction.request = self.requests.remember(context, content, name, now);
        outcome.transaction.audit = vec![audit(context, name, content, now)];
        Ok((name.clone(), Held::UntilCommit))
    }

    fn count_records(&self, class: ObjectClass) -> usize {
        self.inventory.records().iter().filter(|record| record.class() == class).count()
    }

    /// Removes a job or a monitor; what a monitor found ends with it.
    pub(super) fn remove_record(
        &mut self,
        context: &CommandContext,
        name: &Name,
        now: Timestamp,
        outcome: &mut Outcome,
    ) -> Result<Held, CommandError> {
        let content = format!("remove {name}");
        if self.requests.repeated(context, &content)?.is_some() {
            return Ok(Held::No);
        }
        let class = self.fresh_object(context, name)?.class();
        if context.validate_only {
            return Ok(Held::No);
        }
        if class == ObjectClass::ThresholdMonitor {
            self.fault.monitor_ended(&name.id(), &self.inventory, now);
        }
        self.inventory.remove_record(&commanded(now), name);
        outcome.transaction.request = self.requests.remember(context, &content, name, now);
        outcome.transaction.audit = vec![audit(context, name, &content, now)];
        Ok(Held::UntilCommit)
    }

    pub(super) fn answer_removal(
        &mut self,
        context: &CommandContext,
        name: &Name,
        now: Timestamp,
        outcome: &mut Outcome,
        reply: Reply<()>,
    ) {
        let result = self.remove_record(context, name, now, outcome);
        answer(outcome, reply, result.map(|held| ((), held)));
    }

    /// What the measurement part found at the end of periods.
    pub(super) fn crossings(&mut self, crossings: &[ThresholdCrossing], now: Timestamp) {
        self.fault.crossings(crossings, &self.inventory, now);
    }
}
