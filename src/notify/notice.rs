//! What to tell a receiver, decided from what it believes in and what is: pure.

use super::config::Filter;
use crate::export::{AlarmView, ChangeEvent, Identity, WithdrawReason};
use crate::model::Name;
use crate::model::alarm::Alarm;

/// One thing to tell.
#[derive(Clone, Debug)]
pub(super) struct Notice {
    /// What became of the alarm.
    pub(super) event: ChangeEvent,
    /// The alarm after it; little more than its identity if nothing else is left.
    pub(super) view: AlarmView,
    /// What identifies it to the receiver now.
    pub(super) identity: Identity,
    /// What identified it before, if that differs.
    pub(super) former: Option<Identity>,
}

impl Notice {
    pub(super) fn new(event: ChangeEvent, view: AlarmView, told: Option<&Identity>) -> Self {
        let now = Identity::of(&view);
        // What is over is ended under the identity by which it is known.
        let identity = match (event, told) {
            (ChangeEvent::Cleared(_), Some(told)) => told.clone(),
            _ => now,
        };
        let former = told.filter(|told| **told != identity).cloned();
        Self { event, view, identity, former }
    }

    /// The end of an alarm of which only the identity is left.
    pub(super) fn gone(name: &Name, told: &Identity) -> Self {
        let alarm = Alarm {
            alarm_type: told.alarm_type.clone(),
            state: crate::model::alarm::AlarmState::Cleared,
            perceived_severity: told.severity,
            object: told.object.clone(),
            object_class: told.object_class.clone(),
            object_label: told.object_label.clone(),
            host: told.host.clone(),
            zone: told.zone.clone(),
            resource_group: told.resource_group.clone(),
            raise_time: told.raise_time,
            ..Alarm::default()
        };
        let view = AlarmView { name: name.clone(), alarm, ..AlarmView::default() };
        let event = ChangeEvent::Cleared(WithdrawReason::Gone);
        Self { event, view, identity: told.clone(), former: None }
    }
}

/// What a change of an alarm means to a receiver.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Nothing to say.
    Nothing,
    /// Tell it.
    Raise,
    /// Tell it again.
    Change,
    /// End it.
    End(WithdrawReason),
}

/// Judges a state of an alarm. `told`: the receiver believes in it; `blind`: that cannot be said
/// because too many are remembered, so an end is told in case.
pub(super) fn judge(filter: &Filter, alarm: &Alarm, told: bool, blind: bool) -> Verdict {
    match (filter.wants(alarm), told) {
        (true, false) => Verdict::Raise,
        (true, true) => Verdict::Change,
        (false, true) => Verdict::End(reason(filter, alarm)),
        (false, false) if blind && !alarm.is_active() && filter.passes(alarm) => Verdict::End(WithdrawReason::Cleared),
        (false, false) => Verdict::Nothing,
    }
}

fn reason(filter: &Filter, alarm: &Alarm) -> WithdrawReason {
    if !alarm.is_active() {
        WithdrawReason::Cleared
    } else if alarm.shelved.is_some() {
        WithdrawReason::Shelved
    } else if alarm.suppressed_by.is_some() {
        WithdrawReason::Suppressed
    } else if filter.roots_only && !alarm.root {
        WithdrawReason::Correlated
    } else {
        WithdrawReason::Filtered
    }
}
