//! What the sinks are told at start; checked by `settings` before.

use crate::export::Reporter;
use crate::model::alarm::Alarm;
use crate::model::alarm::PerceivedSeverity;
use std::path::PathBuf;
use std::time::Duration;

/// Everything `start` needs beside the log.
#[derive(Clone, Debug)]
pub struct NotifyConfig {
    /// Who reports.
    pub reporter: Reporter,
    /// The sinks; names are unique.
    pub sinks: Vec<SinkConfig>,
    /// A sink that fails for so long is reported to the observer; 5 min (F7).
    pub report_after: Duration,
}

/// How long a sink may fail before somebody is told (operations.md F7).
pub const REPORT_AFTER: Duration = Duration::from_secs(300);

impl NotifyConfig {
    /// Sinks with the default patience.
    pub fn new(reporter: Reporter, sinks: Vec<SinkConfig>) -> Self {
        Self { reporter, sinks, report_after: REPORT_AFTER }
    }
}

/// One sink.
#[derive(Clone, Debug)]
pub struct SinkConfig {
    /// Its name: letters, digits, `-`, `_`; also the name of its file.
    pub name: String,
    /// Which alarms it wants.
    pub filter: Filter,
    /// An alarm that is over within this time is never told.
    pub delay: Duration,
    /// Where it delivers.
    pub kind: SinkKind,
}

/// Which alarms a sink wants.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    /// Only this severity and above.
    pub minimum_severity: PerceivedSeverity,
    /// Only alarms that no other alarm explains.
    pub roots_only: bool,
    /// Only these types; empty for all.
    pub alarm_types: Vec<String>,
    /// Also alarms that are shelved, suppressed or cleared already: every state change is told.
    pub everything: bool,
}

impl Filter {
    /// True if the receiver is to believe in this alarm now.
    pub fn wants(&self, alarm: &Alarm) -> bool {
        alarm.is_outstanding() && self.passes(alarm) && (!self.roots_only || alarm.root)
    }

    /// True if severity and type are wanted, whatever the state.
    pub fn passes(&self, alarm: &Alarm) -> bool {
        alarm.perceived_severity >= self.minimum_severity
            && (self.alarm_types.is_empty() || self.alarm_types.contains(&alarm.alarm_type))
    }
}

/// Where a sink delivers.
#[derive(Clone, Debug)]
pub enum SinkKind {
    /// POST /api/v2/alerts.
    Alertmanager(AlertmanagerConfig),
    /// POST of one change each.
    Webhook(WebhookConfig),
    /// A command per change.
    Exec(ExecConfig),
    /// Records in the system's journal.
    Journal(JournalConfig),
}

impl SinkKind {
    /// The word of the settings.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Alertmanager(_) => "alertmanager",
            Self::Webhook(_) => "webhook",
            Self::Exec(_) => "exec",
            Self::Journal(_) => "journal",
        }
    }
}

/// An HTTP server.
#[derive(Clone, Debug)]
pub struct Endpoint {
    /// `http://` or `https://`, with a path.
    pub url: String,
    /// Authorities of the server's certificate; absent: those of the system.
    pub ca_file: Option<PathBuf>,
    /// File with a bearer token; read at every delivery, so that it can be changed.
    pub token_file: Option<PathBuf>,
    /// Longest time of one delivery.
    pub timeout: Duration,
}

/// An Alertmanager.
#[derive(Clone, Debug)]
pub struct AlertmanagerConfig {
    /// Its base address, e.g. `http://127.0.0.1:9093`.
    pub endpoint: Endpoint,
    /// How often what is active is told again; 1 min.
    pub resend: Duration,
}

/// A webhook.
#[derive(Clone, Debug)]
pub struct WebhookConfig {
    /// Its address.
    pub endpoint: Endpoint,
    /// File with the key of the signature; absent: no signature.
    pub secret_file: Option<PathBuf>,
}

/// A command.
#[derive(Clone, Debug)]
pub struct ExecConfig {
    /// Program, absolute, and arguments; no shell.
    pub command: Vec<String>,
    /// Longest run; then it is killed and counts as failed.
    pub timeout: Duration,
}

/// The journal.
#[derive(Clone, Debug)]
pub struct JournalConfig {
    /// journald's socket.
    pub socket: PathBuf,
}
