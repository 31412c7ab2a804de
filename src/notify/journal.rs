//! The journal: every state change of every alarm as a structured record.

use super::channel::{Failure, Parcel, Progress};
use super::config::JournalConfig;
use super::notice::Notice;
use crate::export::{AlarmView, ChangeEvent, WithdrawReason};
use crate::model::alarm::PerceivedSeverity;
use crate::telemetry::{AlarmRecord, JournalSocket};
use serde_json::Value;

#[derive(Debug)]
pub(super) struct Journal {
    socket: JournalSocket,
}

impl Journal {
    pub(super) fn new(config: JournalConfig) -> Self {
        Self { socket: JournalSocket::new(config.socket) }
    }

    pub(super) async fn deliver(&mut self, parcel: Parcel<'_>) -> Progress {
        for (done, notice) in parcel.notices.iter().enumerate() {
            if let Err(error) = self.socket.send(&record(parcel, notice)).await {
                return Progress::stopped(done, Failure::later(format!("journal: {error}")));
            }
        }
        Progress::all(parcel.notices.len())
    }
}

fn record(parcel: Parcel<'_>, notice: &Notice) -> AlarmRecord {
    let view = &notice.view;
    let alarm = &view.alarm;
    let transition = transition(notice);
    let mut fields = vec![
        ("VRM_ALARM", view.id()),
        ("VRM_ALARM_TYPE", alarm.alarm_type.clone()),
        ("VRM_OBJECT", alarm.object.to_string()),
        ("VRM_OBJECT_LABEL", alarm.object_label.clone()),
        ("VRM_OBJECT_CLASS", alarm.object_class.clone()),
        ("VRM_SEVERITY", alarm.perceived_severity.as_str().to_owned()),
        ("VRM_STATE", if alarm.is_active() { "active" } else { "cleared" }.to_owned()),
        ("VRM_TRANSITION", transition.clone()),
        ("VRM_PROBABLE_CAUSE", alarm.probable_cause.name.clone()),
        ("VRM_EVENT_TYPE", alarm.event_type.as_str().to_owned()),
        ("VRM_ROOT", alarm.root.to_string()),
        ("VRM_RAISE_TIME", alarm.raise_time.to_string()),
        ("VRM_SEQUENCE", view.sequence.to_string()),
        ("VRM_EPOCH", parcel.epoch.to_owned()),
        ("VRM_ID", parcel.reporter.vrm_id.clone()),
    ];
    if let Some(host) = &alarm.host {
        fields.push(("VRM_HOST", host.to_string()));
    }
    if let Some(actor) = alarm.history.last().and_then(|change| change.actor.as_ref()) {
        fields.push(("VRM_ACTOR", actor.principal.clone()));
    }
    fields.retain(|(_, value)| !value.is_empty());
    AlarmRecord {
        message: message(view, &transition),
        alarm_type: alarm.alarm_type.clone(),
        priority: if alarm.is_active() { priority(alarm.perceived_severity) } else { 6 },
        fields,
    }
}

/// The word of what happened, e.g. `severity_changed`; `closed` when the alarm leaves the list.
fn transition(notice: &Notice) -> String {
    match (notice.event, notice.view.transition().map(serde_json::to_value)) {
        (ChangeEvent::Cleared(WithdrawReason::Gone), _) => "closed".to_owned(),
        (_, Some(Ok(Value::String(word)))) => word,
        (event, _) => event.as_str().to_ascii_lowercase(),
    }
}

fn message(view: &AlarmView, transition: &str) -> String {
    let alarm = &view.alarm;
    let text = if alarm.text.is_empty() { String::new() } else { format!(": {}", alarm.text) };
    format!(
        "{} {} {} at {}{text}",
        alarm.perceived_severity.as_str(),
        alarm.alarm_type,
        transition.replace('_', " "),
        view.label(),
    )
}

/// Priority of syslog for a severity.
fn priority(severity: PerceivedSeverity) -> u8 {
    match severity {
        PerceivedSeverity::Critical => 2,
        PerceivedSeverity::Major => 3,
        PerceivedSeverity::Minor => 4,
        PerceivedSeverity::Warning | PerceivedSeverity::Indeterminate => 5,
    }
}
