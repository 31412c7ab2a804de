//! Conditions that somebody else saw (operations.md F4).

use super::reader::Alarms;
use super::refusal::only;
use crate::model::Name;
use crate::model::alarm::limits as bounds;
use crate::model::alarm_command::{AlarmCommand, ReportedCondition};
use crate::northbound::failure::Failure;
use crate::northbound::limits;
use crate::northbound::request::{Call, context};
use crate::wire::convert::{self, Detail};
use crate::wire::v1;

/// Details of one condition at most.
const ATTRIBUTES: usize = 32;

/// Longest key of a detail, in bytes.
const KEY: usize = 64;

impl Alarms {
    pub(super) async fn report(
        &self,
        call: &Call,
        request: v1::ReportConditionRequest,
    ) -> Result<v1::ReportConditionResponse, Failure> {
        let context = context(call, request.actor.as_ref(), &request.request_id, "", request.validate_only)?;
        let condition = condition(request)?;
        let record = only(self.engine.alarms(context, AlarmCommand::Report(condition)).await?)?;
        let alarm = record.and_then(|record| convert::alarm(&record, Detail::Full));
        Ok(v1::ReportConditionResponse { alarm })
    }
}

fn condition(request: v1::ReportConditionRequest) -> Result<ReportedCondition, Failure> {
    if request.alarm_type.is_empty() || request.alarm_type.len() > limits::IDENTIFIER {
        return Err(Failure::field("alarm_type", "is required: the id of a type of the catalogue"));
    }
    let severity =
        v1::Severity::try_from(request.severity).map_err(|_| Failure::field("severity", "no such severity"))?;
    if request.text.chars().count() > bounds::TEXT {
        return Err(Failure::field("text", format!("at most {} characters", bounds::TEXT)));
    }
    let is_bad = |(key, value): (&String, &String)| {
        key.is_empty() || key.len() > KEY || value.chars().count() > bounds::TEXT || key.chars().any(char::is_control)
    };
    if request.attributes.len() > ATTRIBUTES || request.attributes.iter().any(is_bad) {
        let text =
            format!("at most {ATTRIBUTES}, keys of 1 to {KEY} bytes, values of at most {} characters", bounds::TEXT);
        return Err(Failure::field("attributes", text));
    }
    Ok(ReportedCondition {
        object: faulty_object(&request.object)?,
        alarm_type: request.alarm_type,
        active: request.active,
        severity: convert::severity_from(severity),
        text: request.text,
        attributes: request.attributes,
    })
}

/// The name of an object or of a part of one, e.g. `virtualMachines/U/disks/vda`; whether it exists
/// is the engine's business.
fn faulty_object(text: &str) -> Result<Name, Failure> {
    let is_name = !text.is_empty()
        && text.len() <= limits::IDENTIFIER
        && !text.chars().any(char::is_control)
        && text.split('/').all(|segment| !segment.is_empty());
    if !is_name {
        return Err(Failure::field("object", "is required: the name of an object, as hosts/kvm-07 would be"));
    }
    Ok(Name::new(text))
}
