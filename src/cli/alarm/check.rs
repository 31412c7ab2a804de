//! `check alarms`, and the alarms of `summary`: counts.

use super::acts::called;
use super::sheet::tone;
use crate::cli::alarm_args::SeverityWord;
use crate::cli::exit::Failure;
use crate::cli::format::Cell;
use crate::cli::frame::Frame;
use crate::cli::output::print;
use crate::cli::page::Page;
use crate::client::{AlarmQuery, Client, Code, Target, schema};
use crate::wire::v1;
use futures_util::future::join_all;
use serde_json::Value;

/// 3: alarms named in the line of a check.
const NAMED: usize = 3;

/// `check alarms`: exit 0, 1 or 2 and one line, as Nagios and its kin read it.
///
/// # Errors
/// Wrong use.
pub async fn check(frame: &Frame, least: SeverityWord) -> Result<u8, Failure> {
    let targets = frame.targets()?;
    let checks = join_all(targets.iter().map(|target| checked(frame, target, least))).await;
    let mut worst = 0;
    for (target, check) in targets.iter().zip(checks) {
        // Silence of the daemon is not the absence of alarms.
        let (code, text) = check.unwrap_or_else(|text| (2, text));
        let word = ["OK", "WARNING", "CRITICAL"][usize::from(code.min(2))];
        print(&format!("{word}: {}: {text}\n", target.label))?;
        worst = worst.max(code);
    }
    Ok(worst)
}

async fn checked(frame: &Frame, target: &Target, least: SeverityWord) -> Result<(u8, String), String> {
    let told = |error| Failure::of_client(&error, target).what;
    let client = frame.connect(target).await.map_err(told)?;
    let filter = format!(
        "state = ACTIVE AND shelved = false AND suppressed = false AND perceived_severity >= {}",
        least.severity().as_str_name().trim_start_matches("SEVERITY_")
    );
    let query = AlarmQuery { filter, order_by: "perceived_severity desc".to_owned(), full: false };
    let list = client.alarms(&query).await.map_err(told)?;
    Ok(verdict(&list.alarms))
}

/// Exit and line of the alarms that count.
fn verdict(alarms: &[v1::Alarm]) -> (u8, String) {
    let counts = counts(alarms);
    let code = match (counts[0].1 + counts[1].1, alarms.len()) {
        (0, 0) => 0,
        (0, _) => 1,
        _ => 2,
    };
    let figures: Vec<String> = counts.iter().map(|(word, count)| format!("{word}={count}")).collect();
    let figures = figures.join(" ");
    if alarms.is_empty() {
        return (code, format!("no alarms | {figures}"));
    }
    let found: Vec<String> =
        counts.iter().filter(|(_, count)| *count > 0).map(|(word, count)| format!("{count} {word}")).collect();
    // Roots first: they say what is the matter.
    let mut named: Vec<&v1::Alarm> = alarms.iter().collect();
    named.sort_by_key(|alarm| (-alarm.perceived_severity, !alarm.root));
    let mut names: Vec<String> = named.iter().take(NAMED).map(|alarm| called(alarm)).collect();
    if alarms.len() > NAMED {
        names.push(format!("and {} more", alarms.len() - NAMED));
    }
    // A bar begins the figures, and a guest may call itself anything.
    let names = names.join(", ").replace('|', "/");
    (code, format!("{}: {names} | {figures}", found.join(", ")))
}

fn counts(alarms: &[v1::Alarm]) -> [(&'static str, usize); 5] {
    let count = |severity: v1::Severity| alarms.iter().filter(|alarm| alarm.perceived_severity() == severity).count();
    [
        ("critical", count(v1::Severity::Critical)),
        ("major", count(v1::Severity::Major)),
        ("minor", count(v1::Severity::Minor)),
        ("warning", count(v1::Severity::Warning)),
        ("indeterminate", count(v1::Severity::Indeterminate)),
    ]
}

/// The counts of a daemon; nothing from one that knows no alarms.
///
/// # Errors
/// The call failed.
pub async fn counted(client: &Client) -> Result<Option<v1::SummarizeAlarmsResponse>, Failure> {
    match client.alarm_summary("").await {
        Ok(summary) => Ok(Some(summary)),
        Err(error) if error.refusal().is_some_and(|refusal| refusal.code == Code::Unimplemented) => Ok(None),
        Err(error) => Err(Failure::of_client(&error, client.target())),
    }
}

/// The lines of a summary.
pub fn summary_lines(page: &mut Page, summary: &v1::SummarizeAlarmsResponse) {
    let active = [
        (summary.critical, "critical", v1::Severity::Critical),
        (summary.major, "major", v1::Severity::Major),
        (summary.minor, "minor", v1::Severity::Minor),
        (summary.warning, "warning", v1::Severity::Warning),
        (summary.indeterminate, "indeterminate", v1::Severity::Indeterminate),
    ];
    let worst = active.iter().find(|(count, _, _)| *count > 0).map_or(crate::cli::format::Tone::Good, |w| tone(w.2));
    let found: Vec<String> =
        active.iter().filter(|(count, _, _)| *count > 0).map(|(count, word, _)| format!("{count} {word}")).collect();
    let text = if found.is_empty() {
        "none".to_owned()
    } else {
        format!("{}; {} not explained by another", found.join(", "), summary.root)
    };
    page.cell("alarms", Cell::text(text).toned(worst));
    let rest = [
        (summary.unacknowledged, "not acknowledged"),
        (summary.cleared, "cleared and still listed"),
        (summary.shelved, "shelved"),
        (summary.suppressed, "suppressed by maintenance"),
    ];
    let rest: Vec<String> =
        rest.iter().filter(|(count, _)| *count > 0).map(|(count, word)| format!("{count} {word}")).collect();
    page.some("of all alarms", rest.join(", "));
}

/// The counts as data.
pub fn summary_json(summary: &v1::SummarizeAlarmsResponse) -> Value {
    schema::to_json("vrm.v1.SummarizeAlarmsResponse", summary)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn alarm(severity: v1::Severity, object: &str) -> v1::Alarm {
        v1::Alarm {
            alarm_type: "vmCrashed".to_owned(),
            object: format!("hosts/{object}"),
            perceived_severity: severity.into(),
            root: true,
            ..v1::Alarm::default()
        }
    }

    #[test]
    fn the_worst_alarm_decides_the_exit() {
        let zero = "critical=0 major=0 minor=0 warning=0 indeterminate=0";
        assert_eq!(verdict(&[]), (0, format!("no alarms | {zero}")));
        let minor = alarm(v1::Severity::Minor, "a");
        let (code, text) = verdict(std::slice::from_ref(&minor));
        assert_eq!((code, text.split(" | ").next()), (1, Some("1 minor: vmCrashed/host/a")));
        let (code, text) = verdict(&[minor, alarm(v1::Severity::Critical, "b|c")]);
        assert_eq!(code, 2);
        assert!(text.starts_with("1 critical, 1 minor: vmCrashed/host/b/c, vmCrashed/host/a | critical=1 "), "{text}");
    }
}
