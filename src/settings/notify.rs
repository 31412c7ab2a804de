//! `[[notify]]`: who is told of alarms.

use super::alarms::{Severity, checked_name};
use super::error::SettingsError;
use super::fragment::NotifyTable;
use super::period::parse_period;
use std::collections::BTreeSet;
use std::path::PathBuf;
use std::time::Duration;

/// Sinks at most: each is a task with a connection.
const SINKS: usize = 32;

/// Names the daemon keeps for its own sinks.
const RESERVED: [&str; 1] = ["journal"];

/// One sink.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NotifySetting {
    /// Its name.
    pub name: String,
    /// Only this severity and above.
    pub minimum_severity: Severity,
    /// Only alarms that no other alarm explains.
    pub roots_only: bool,
    /// Only these types; empty for all.
    pub alarm_types: Vec<String>,
    /// An alarm that is over within this time is not told.
    pub delay: Duration,
    /// Longest time of one delivery.
    pub timeout: Duration,
    /// Where it delivers.
    pub kind: NotifyKind,
}

/// Where a sink delivers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NotifyKind {
    /// The Prometheus Alertmanager.
    Alertmanager {
        /// Its base address.
        http: HttpSetting,
        /// How often what is active is told again.
        resend: Duration,
    },
    /// Somebody's own receiver.
    Webhook {
        /// Its address.
        http: HttpSetting,
        /// File with the key of the signature.
        secret_file: Option<PathBuf>,
    },
    /// A command.
    Exec {
        /// Program and arguments.
        command: Vec<String>,
    },
}

/// An HTTP server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HttpSetting {
    /// Its address.
    pub url: String,
    /// Authorities of its certificate; the system's if absent.
    pub ca_file: Option<PathBuf>,
    /// File with a bearer token.
    pub token_file: Option<PathBuf>,
}

type Checked<T> = Result<T, (&'static str, String)>;

/// Checks the tables.
pub(super) fn notify_settings(place: &str, tables: Vec<NotifyTable>) -> Result<Vec<NotifySetting>, SettingsError> {
    let invalid = |key: String, reason: String| SettingsError::Invalid { place: place.to_owned(), key, reason };
    if tables.len() > SINKS {
        return Err(invalid("notify".into(), format!("there are more than {SINKS}")));
    }
    let mut names = BTreeSet::new();
    let mut sinks = Vec::new();
    for (at, table) in tables.into_iter().enumerate() {
        let shown = table.name.clone().unwrap_or_else(|| (at + 1).to_string());
        let sink = sink(table).map_err(|(key, reason)| invalid(format!("notify[{shown}].{key}"), reason))?;
        if !names.insert(sink.name.clone()) {
            return Err(invalid(format!("notify[{shown}].name"), "is used twice".into()));
        }
        sinks.push(sink);
    }
    Ok(sinks)
}

fn sink(table: NotifyTable) -> Checked<NotifySetting> {
    let name = checked_name(table.name.clone()).map_err(|reason| ("name", reason))?;
    if RESERVED.contains(&name.as_str()) {
        return Err(("name", format!("{name:?} is the daemon's own")));
    }
    let word = table.minimum_severity.as_deref().unwrap_or("indeterminate");
    let minimum_severity = Severity::parse(word).map_err(|reason| ("minimum_severity", reason))?;
    let delay = period("delay", table.delay.as_deref(), 0, 0, 86_400)?;
    let timeout = period("timeout", table.timeout.as_deref(), 10, 1, 300)?;
    Ok(NotifySetting {
        name,
        minimum_severity,
        roots_only: table.roots_only.unwrap_or(true),
        alarm_types: table.alarm_types.clone(),
        delay,
        timeout,
        kind: kind(table)?,
    })
}

fn period(key: &'static str, text: Option<&str>, default: u64, least: u64, most: u64) -> Checked<Duration> {
    match text {
        None => Ok(Duration::from_secs(default)),
        Some(text) => parse_period(text, least, most).map_err(|reason| (key, reason)),
    }
}

fn kind(table: NotifyTable) -> Checked<NotifyKind> {
    let word = table.kind.clone().unwrap_or_default();
    let takes: &[&str] = match word.as_str() {
        "alertmanager" => &["url", "ca_file", "token_file", "resend"],
        "webhook" => &["url", "ca_file", "token_file", "secret_file"],
        "exec" => &["command"],
        _ => return Err(("kind", format!("{word:?} is none of alertmanager, webhook, exec"))),
    };
    if let Some(key) = given(&table).into_iter().find(|key| !takes.contains(key)) {
        return Err((key, format!("is nothing that a sink of kind {word} has")));
    }
    if word == "exec" {
        return exec(table.command);
    }
    let resend = period("resend", table.resend.as_deref(), 60, 10, 600)?;
    let secret_file = table.secret_file;
    absolute("secret_file", secret_file.as_ref())?;
    absolute("token_file", table.token_file.as_ref())?;
    absolute("ca_file", table.ca_file.as_ref())?;
    let http = HttpSetting { url: url(table.url)?, ca_file: table.ca_file, token_file: table.token_file };
    Ok(if word == "webhook" {
        NotifyKind::Webhook { http, secret_file }
    } else {
        NotifyKind::Alertmanager { http, resend }
    })
}

/// Keys that are given and belong to some kind only.
fn given(table: &NotifyTable) -> Vec<&'static str> {
    let keys = [
        ("url", table.url.is_some()),
        ("ca_file", table.ca_file.is_some()),
        ("token_file", table.token_file.is_some()),
        ("secret_file", table.secret_file.is_some()),
        ("resend", table.resend.is_some()),
        ("command", !table.command.is_empty()),
    ];
    keys.into_iter().filter(|(_, is_given)| *is_given).map(|(key, _)| key).collect()
}

fn exec(command: Vec<String>) -> Checked<NotifyKind> {
    match command.first() {
        None => Err(("command", "is missing".into())),
        Some(program) if !program.starts_with('/') => {
            Err(("command", format!("{program:?} must be an absolute path; there is no shell")))
        }
        Some(_) => Ok(NotifyKind::Exec { command }),
    }
}

fn absolute(key: &'static str, path: Option<&PathBuf>) -> Checked<()> {
    match path {
        Some(path) if !path.is_absolute() => Err((key, format!("{} must be an absolute path", path.display()))),
        _ => Ok(()),
    }
}

fn url(text: Option<String>) -> Checked<String> {
    let text = text.ok_or_else(|| ("url", "is missing".to_owned()))?;
    if text.contains('@') {
        // Not shown: it may hold a password.
        return Err(("url", "must not hold credentials; use token_file".into()));
    }
    let parsed: http::Uri = text.parse().map_err(|error| ("url", format!("is no address: {error}")))?;
    let authority = parsed.authority().map(ToString::to_string).unwrap_or_default();
    if !matches!(parsed.scheme_str(), Some("http" | "https")) || authority.is_empty() {
        return Err(("url", format!("{text:?} must begin with http:// or https://")));
    }
    Ok(text)
}
