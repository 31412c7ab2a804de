//! The sinks of the settings, in words of `notify`, and the alarm about a sink that fails.

use super::fault::severity;
use super::names::dn_scheme;
use crate::engine::EngineHandle;
use crate::export::Reporter;
use crate::fault::catalogue::AlarmType;
use crate::fault::{Finding, Sign, notification_sink};
use crate::model::Name;
use crate::notify::{
    AlertmanagerConfig, Endpoint, ExecConfig, Filter, JournalConfig, NotifyConfig, SinkConfig, SinkHealth, SinkKind,
    SinkObserver, WebhookConfig,
};
use crate::settings::{HttpSetting, NotifyKind, NotifySetting, Settings};
use std::path::Path;
use std::time::Duration;

/// Where journald takes records.
const JOURNAL: &str = "/run/systemd/journal/socket";

/// Every sink: those of the settings, and the journal where there is one.
pub(super) fn notify_config(settings: &Settings, vrm_id: &str) -> NotifyConfig {
    let dn = dn_scheme(settings, vrm_id).dn(&Name::vrm());
    let mut sinks: Vec<SinkConfig> = settings.notify.iter().map(sink).collect();
    if Path::new(JOURNAL).exists() {
        sinks.push(SinkConfig {
            name: "journal".to_owned(),
            filter: Filter { everything: true, ..Filter::default() },
            delay: Duration::ZERO,
            kind: SinkKind::Journal(JournalConfig { socket: JOURNAL.into() }),
        });
    }
    NotifyConfig::new(Reporter { vrm_id: vrm_id.to_owned(), dn }, sinks)
}

fn sink(setting: &NotifySetting) -> SinkConfig {
    let endpoint = |http: &HttpSetting| Endpoint {
        url: http.url.clone(),
        ca_file: http.ca_file.clone(),
        token_file: http.token_file.clone(),
        timeout: setting.timeout,
    };
    SinkConfig {
        name: setting.name.clone(),
        filter: Filter {
            minimum_severity: severity(setting.minimum_severity),
            roots_only: setting.roots_only,
            alarm_types: setting.alarm_types.clone(),
            everything: false,
        },
        delay: setting.delay,
        kind: match &setting.kind {
            NotifyKind::Alertmanager { http, resend } => {
                SinkKind::Alertmanager(AlertmanagerConfig { endpoint: endpoint(http), resend: *resend })
            }
            NotifyKind::Webhook { http, secret_file } => {
                SinkKind::Webhook(WebhookConfig { endpoint: endpoint(http), secret_file: secret_file.clone() })
            }
            NotifyKind::Exec { command } => {
                SinkKind::Exec(ExecConfig { command: command.clone(), timeout: setting.timeout })
            }
        },
    }
}

/// Raises and clears notificationSinkFailed, an alarm for each sink.
pub(super) struct SinkAlarms(pub(super) EngineHandle);

impl SinkAlarms {
    fn tell(&self, sign: Sign) {
        let engine = self.0.clone();
        tokio::spawn(async move { engine.own_conditions(vec![sign]).await });
    }
}

impl SinkObserver for SinkAlarms {
    fn failing(&self, health: &SinkHealth) {
        let text = format!("notification sink {} fails: {}", health.name, health.last_error);
        let object = notification_sink(&health.name);
        let finding = Finding::new(AlarmType::NotificationSinkFailed, &object, text).with("sink", &*health.name);
        self.tell(Sign::Present(Box::new(finding)));
    }

    fn recovered(&self, health: &SinkHealth) {
        let object = notification_sink(&health.name);
        self.tell(Sign::Over { alarm_type: AlarmType::NotificationSinkFailed, object });
    }
}
