//! Acts on one alarm.

use super::reader::Alarms;
use super::refusal::only;
use crate::model::ObjectClass;
use crate::model::alarm_command::{AlarmAct, AlarmCommand, AlarmTarget};
use crate::northbound::failure::Failure;
use crate::northbound::limits;
use crate::northbound::request::{Call, context, name_of_class};
use crate::wire::convert::{self, Detail};
use crate::wire::v1;

/// What requests about one alarm have in common.
#[derive(Clone, Copy, Debug)]
pub(super) struct OneAlarm<'a> {
    pub(super) name: &'a str,
    pub(super) etag: &'a str,
    pub(super) related: bool,
    pub(super) request_id: &'a str,
    pub(super) validate_only: bool,
    pub(super) actor: Option<&'a v1::Actor>,
}

/// Takes the common fields out of a request.
macro_rules! one_alarm {
    ($request:expr, $related:expr) => {
        $crate::northbound::alarm::acts::OneAlarm {
            name: &$request.name,
            etag: &$request.etag,
            related: $related,
            request_id: &$request.request_id,
            validate_only: $request.validate_only,
            actor: $request.actor.as_ref(),
        }
    };
}
pub(super) use one_alarm;

impl Alarms {
    /// Acts on one alarm; answers it as it is afterwards, or as it was last if it left the list.
    pub(super) async fn act(&self, call: &Call, one: OneAlarm<'_>, act: AlarmAct) -> Result<v1::Alarm, Failure> {
        let context = context(call, one.actor, one.request_id, "", one.validate_only)?;
        let target = target("name", one.name, one.etag)?;
        let name = target.name.clone();
        let before = self.published.log.get(name.as_str());
        let command = AlarmCommand::Act { targets: vec![target], related: one.related, act };
        let after = only(self.engine.alarms(context, command).await?)?;
        let shown = after.or(before).ok_or_else(|| Failure::not_found(Some(ObjectClass::Alarm), name.as_str()))?;
        convert::alarm(&shown, Detail::Full).ok_or_else(|| Failure::not_found(Some(ObjectClass::Alarm), name.as_str()))
    }
}

/// The alarm a request means.
pub(super) fn target(field: &str, name: &str, etag: &str) -> Result<AlarmTarget, Failure> {
    if etag.len() > limits::IDENTIFIER {
        return Err(Failure::field("etag", "is too long"));
    }
    Ok(AlarmTarget { name: name_of_class(field, name, ObjectClass::Alarm)?, etag: etag.to_owned() })
}
