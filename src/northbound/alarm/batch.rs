//! Acts on many alarms: each by itself, best effort, with a result for each.

use super::acts::target;
use super::reader::Alarms;
use crate::engine::CommandContext;
use crate::model::ObjectClass;
use crate::model::alarm_command::{AlarmAct, AlarmCommand, AlarmOutcome, AlarmTarget};
use crate::northbound::failure::Failure;
use crate::northbound::limits;
use crate::northbound::listing::object_filter;
use crate::northbound::reason::Reason;
use crate::northbound::request::{Call, context};
use crate::wire::convert::{self, Detail};
use crate::wire::v1;

/// What became of each, and how many failed.
pub(super) type Results = (Vec<v1::AlarmResult>, i32);

impl Alarms {
    /// Acts on the alarms of a batch request.
    pub(super) async fn act_on_all(
        &self,
        context: CommandContext,
        targets: &[v1::AlarmTarget],
        related: bool,
        act: AlarmAct,
    ) -> Result<Results, Failure> {
        let targets = checked(targets)?;
        let command = AlarmCommand::Act { targets, related, act };
        let outcomes = self.engine.alarms(context, command).await?;
        let results: Vec<v1::AlarmResult> = outcomes.into_iter().map(result).collect();
        let failed = results.iter().filter(|result| result.error != 0).count();
        Ok((results, i32::try_from(failed).unwrap_or(i32::MAX)))
    }

    /// Takes the cleared alarms that match off the list.
    pub(super) async fn purge(
        &self,
        call: &Call,
        request: v1::PurgeAlarmsRequest,
    ) -> Result<v1::PurgeAlarmsResponse, Failure> {
        let context = context(call, request.actor.as_ref(), &request.request_id, "", request.validate_only)?;
        if request.filter.trim().is_empty() {
            return Err(Failure::field("filter", "is required; state = CLEARED means all that can be purged"));
        }
        let targets = self.purgeable(&request.filter)?;
        let found = i32::try_from(targets.len()).unwrap_or(i32::MAX);
        if let Some(expected) = request.expected_count.filter(|expected| *expected != found) {
            return Err(Failure::new(Reason::CountChanged, format!("{found} alarms would be purged, not {expected}"))
                .with("count", found.to_string())
                .with("expected_count", expected.to_string())
                .precondition("COUNT", "alarms"));
        }
        if targets.is_empty() {
            return Ok(v1::PurgeAlarmsResponse::default());
        }
        let command = AlarmCommand::Act { targets, related: false, act: AlarmAct::Purge };
        let outcomes = self.engine.alarms(context, command).await?;
        let failures: Vec<v1::AlarmResult> =
            outcomes.into_iter().map(result).filter(|result| result.error != 0).collect();
        let failed = i32::try_from(failures.len()).unwrap_or(i32::MAX);
        Ok(v1::PurgeAlarmsResponse { purged_count: found.saturating_sub(failed), failures })
    }

    fn purgeable(&self, filter: &str) -> Result<Vec<AlarmTarget>, Failure> {
        let filter = object_filter(filter, &[ObjectClass::Alarm])?;
        let now = (self.published.now)();
        let is_cleared = |object: &crate::model::Object| match &object.body {
            crate::model::Body::Alarm(alarm) => !alarm.is_active(),
            _ => false,
        };
        let all = self.published.log.all(ObjectClass::Alarm);
        let wanted = all.iter().filter(|object| is_cleared(object) && filter.matches(object, now));
        Ok(wanted.map(|object| AlarmTarget { name: object.name.clone(), etag: String::new() }).collect())
    }
}

fn checked(targets: &[v1::AlarmTarget]) -> Result<Vec<AlarmTarget>, Failure> {
    if targets.is_empty() || targets.len() > limits::BATCH {
        return Err(Failure::field("targets", format!("1 to {}", limits::BATCH)));
    }
    let each = targets.iter().enumerate();
    each.map(|(at, one)| target(&format!("targets[{at}].name"), &one.name, &one.etag)).collect()
}

fn result(outcome: AlarmOutcome) -> v1::AlarmResult {
    let name = outcome.name.to_string();
    match outcome.result {
        Ok(object) => v1::AlarmResult {
            name,
            alarm: object.and_then(|object| convert::alarm(&object, Detail::Basic)),
            ..Default::default()
        },
        Err(refusal) => {
            let failure = Failure::from(refusal);
            let message = failure.message().to_owned();
            v1::AlarmResult { name, alarm: None, error: failure.reason().into(), message }
        }
    }
}
