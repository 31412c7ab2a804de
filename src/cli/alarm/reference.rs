//! Alarms as people type them: an id, its beginning, or TYPE/OBJECT. Pure but for the reading.

use super::subject::{id, object};
use crate::cli::exit::{Exit, Failure};
use crate::client::{AlarmQuery, Client};
use crate::wire::v1;

/// Least length of the beginning of an id.
const PREFIX_LENGTH: usize = 8;

/// What was found, and one failure per word that means nothing or too much.
#[derive(Debug, Default)]
pub struct Found {
    /// The alarms, in the order of the words.
    pub alarms: Vec<v1::Alarm>,
    /// Words that mean nothing or too much.
    pub failures: Vec<Failure>,
}

/// The alarms that words mean.
///
/// # Errors
/// A call failed.
pub async fn find(client: &Client, words: &[String], full: bool) -> Result<Found, Failure> {
    let query = AlarmQuery { full, ..AlarmQuery::default() };
    let list = client.alarms(&query).await.map_err(|error| Failure::of_client(&error, client.target()))?;
    let mut found = Found::default();
    for word in words {
        match choose(word, &list.alarms) {
            Ok(alarm) if found.alarms.iter().any(|known| known.name == alarm.name) => {}
            Ok(alarm) => found.alarms.push(alarm.clone()),
            Err(failure) => found.failures.push(failure),
        }
    }
    Ok(found)
}

/// The alarm a word means, out of those given.
///
/// # Errors
/// Not found; or ambiguous, with the candidates.
pub fn choose<'a>(typed: &str, alarms: &'a [v1::Alarm]) -> Result<&'a v1::Alarm, Failure> {
    let word = without_kind(typed);
    let lower = word.to_ascii_lowercase();
    let fits = |alarm: &&v1::Alarm| match word.split_once('/') {
        Some((alarm_type, of)) => alarm.alarm_type.eq_ignore_ascii_case(alarm_type) && is_object(alarm, of),
        None => id(&alarm.name) == lower || (lower.len() >= PREFIX_LENGTH && id(&alarm.name).starts_with(&lower)),
    };
    let found: Vec<&v1::Alarm> = alarms.iter().filter(fits).collect();
    match found.as_slice() {
        [] => Err(not_found(word)),
        [alarm] => Ok(alarm),
        several => Err(ambiguous(word, several)),
    }
}

/// Without `alarm/` or `alarms/` in front.
pub fn without_kind(typed: &str) -> &str {
    typed.strip_prefix("alarms/").or_else(|| typed.strip_prefix("alarm/")).unwrap_or(typed)
}

/// As shown, as a resource name, by label or last segment; `@HOST` behind narrows.
fn is_object(alarm: &v1::Alarm, typed: &str) -> bool {
    let (name, host) = match typed.rsplit_once('@') {
        Some((name, host)) if !name.is_empty() && !host.is_empty() => (name, Some(host)),
        _ => (typed, None),
    };
    let shown = object(alarm);
    let last = alarm.object.rsplit('/').next();
    let on_host = host.is_none_or(|host| alarm.host == host || alarm.host == format!("hosts/{host}"));
    on_host && (alarm.object == name || shown == name || alarm.object_label == name || last == Some(name))
}

fn not_found(word: &str) -> Failure {
    let is_short = !word.contains('/') && word.len() < PREFIX_LENGTH;
    let hint = if is_short { format!(": an id needs {PREFIX_LENGTH} or more characters") } else { String::new() };
    Failure::new(Exit::NotFound, format!("alarm/{word} not found on the alarm list{hint}"))
        .with_next("vrmctl get alarms --related -o wide")
}

fn ambiguous(word: &str, candidates: &[&v1::Alarm]) -> Failure {
    const SHOWN: usize = 10;
    let shown = candidates.iter().take(SHOWN);
    let mut lines: Vec<String> = shown
        .map(|alarm| format!("{}  {}/{} on {}", id(&alarm.name), alarm.alarm_type, object(alarm), alarm.host))
        .collect();
    if candidates.len() > SHOWN {
        lines.push(format!("… and {} more", candidates.len() - SHOWN));
    }
    Failure::usage(format!(
        "alarm/{word} is ambiguous: {} alarms; use the id or TYPE/OBJECT@HOST:\n  {}",
        candidates.len(),
        lines.join("\n  ")
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn alarm(n: u32, label: &str, host: &str) -> v1::Alarm {
        v1::Alarm {
            name: format!("alarms/aaaaaaaa-{n:04}-4000-8000-000000000000"),
            alarm_type: "vmCrashed".to_owned(),
            object: format!("virtualMachines/6f1c3a52-0000-4000-8000-{n:012}"),
            object_label: label.to_owned(),
            host: host.to_owned(),
            ..v1::Alarm::default()
        }
    }

    #[test]
    fn ids_beginnings_and_type_with_object_mean_an_alarm() {
        let alarms = [alarm(1, "web-1", "kvm-07"), alarm(2, "web-2", "kvm-07"), alarm(3, "web-2", "kvm-09")];
        let chosen = |word: &str| choose(word, &alarms).map(|alarm| alarm.name.clone());
        let first = Ok(alarms[0].name.clone());
        for word in [
            "alarms/aaaaaaaa-0001-4000-8000-000000000000",
            "aaaaaaaa-0001",
            "alarm/AAAAAAAA-0001",
            "vmCrashed/web-1",
            "vmcrashed/vm/web-1",
            "alarm/vmCrashed/vm/web-1@kvm-07",
            "vmCrashed/virtualMachines/6f1c3a52-0000-4000-8000-000000000001",
        ] {
            assert_eq!(chosen(word), first, "{word}");
        }
        assert_eq!(chosen("vmCrashed/web-2@kvm-09"), Ok(alarms[2].name.clone()));
    }

    #[test]
    fn what_means_several_or_nothing_is_said_so() {
        let alarms = [alarm(2, "web-2", "kvm-07"), alarm(3, "web-2", "kvm-09")];
        let several = choose("vmCrashed/web-2", &alarms).expect_err("two");
        assert_eq!(several.exit, Exit::Usage);
        assert!(several.what.contains("aaaaaaaa-0003"), "{several}");
        assert_eq!(choose("aaaaaaaa", &alarms).map_err(|failure| failure.exit), Err(Exit::Usage));
        let short = choose("aaaa", &alarms).expect_err("too short");
        assert!(short.exit == Exit::NotFound && short.what.contains("8 or more"), "{short}");
    }
}
