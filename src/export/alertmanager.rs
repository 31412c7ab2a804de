//! Alarms as alerts of the Prometheus Alertmanager (POST /api/v2/alerts).
//!
//! An alert's labels are its identity there, so they hold only what does not change while it is
//! told; a changed severity is another alert, and the caller ends the former one.

use super::view::{AlarmView, Reporter, time, without_empty};
use crate::model::alarm::PerceivedSeverity;
use crate::model::{HostId, Name, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// What identifies a told alarm to receivers: enough to end it when nothing else is left of it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Identity {
    /// Its alarm type.
    pub alarm_type: String,
    /// Severity as it was told.
    pub severity: PerceivedSeverity,
    /// The faulty object.
    pub object: Name,
    /// Its class.
    pub object_class: String,
    /// Its label.
    pub object_label: String,
    /// Its host.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub host: Option<HostId>,
    /// Its zone.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub zone: String,
    /// Its resource group.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub resource_group: String,
    /// Begin of the episode.
    pub raise_time: Timestamp,
}

impl Identity {
    /// The identity of an alarm as it is now.
    pub fn of(view: &AlarmView) -> Self {
        let alarm = &view.alarm;
        Self {
            alarm_type: alarm.alarm_type.clone(),
            severity: alarm.perceived_severity,
            object: alarm.object.clone(),
            object_class: alarm.object_class.clone(),
            object_label: alarm.object_label.clone(),
            host: alarm.host.clone(),
            zone: alarm.zone.clone(),
            resource_group: alarm.resource_group.clone(),
            raise_time: alarm.raise_time,
        }
    }

    fn labels(&self, reporter: &Reporter) -> Value {
        let label = if self.object_label.is_empty() { self.object.as_str() } else { &self.object_label };
        without_empty(json!({
            "alertname": self.alarm_type,
            "severity": self.severity.as_str(),
            "object": self.object.as_str(),
            "object_class": self.object_class,
            "name": label,
            "host": self.host.as_ref().map(ToString::to_string),
            "zone": self.zone,
            "resource_group": self.resource_group,
            "vrm": reporter.vrm_id,
        }))
    }
}

/// The alert of an alarm. `ends` lies in the past for one that is over, in the future for one that is
/// not: the Alertmanager ends it then by itself unless it is told again.
pub fn alert(reporter: &Reporter, identity: &Identity, view: Option<&AlarmView>, ends: Timestamp) -> Value {
    let mut alert = json!({
        "labels": identity.labels(reporter),
        "startsAt": time(identity.raise_time),
        "endsAt": time(ends),
    });
    if let (Some(view), Value::Object(members)) = (view, &mut alert) {
        members.insert("annotations".into(), annotations(view));
        if view.alarm.runbook_url.starts_with("http") {
            members.insert("generatorURL".into(), Value::String(view.alarm.runbook_url.clone()));
        }
    }
    alert
}

fn annotations(view: &AlarmView) -> Value {
    let alarm = &view.alarm;
    let acknowledged = alarm.acknowledgement.as_ref().map(|ack| super::view::user_of(&ack.actor).to_owned());
    let impacted = (alarm.impacted_count > 0).then(|| alarm.impacted_count.to_string());
    let related = (alarm.correlated_count > 0).then(|| alarm.correlated_count.to_string());
    without_empty(json!({
        "summary": format!("{} {}", alarm.alarm_type, view.label()),
        "description": alarm.text,
        "alarm": view.name.as_str(),
        "probable_cause": alarm.probable_cause.name,
        "repair_action": alarm.repair_action,
        "runbook_url": alarm.runbook_url,
        "acknowledged_by": acknowledged,
        "impacted": impacted,
        "related": related,
        "service_refs": alarm.service_refs.join(","),
    }))
}
