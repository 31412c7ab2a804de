//! Columns and rows of alarms, their types, and the rules about them. Pure.

use super::subject::{id, named, object, person};
use crate::cli::format::{Cell, Clock, Tone, labels, short_span, word};
use crate::cli::heads::Head;
use crate::cli::sheet::host_id;
use crate::client::time;
use crate::wire::v1;
use std::time::Duration;

const fn narrow(name: &'static str) -> Head {
    Head { name, wide: false }
}

const fn wide(name: &'static str) -> Head {
    Head { name, wide: true }
}

/// Columns of an alarm.
pub const ALARM: &[Head] = &[
    narrow("SEVERITY"),
    narrow("ALARM-TYPE"),
    narrow("OBJECT"),
    narrow("HOST"),
    narrow("AGE"),
    narrow("ACK"),
    narrow("TEXT"),
    wide("ID"),
    wide("STATE"),
    wide("RAISED"),
    wide("CLEARED"),
    wide("EPISODES"),
    wide("REPEATS"),
    wide("CAUSE"),
    wide("ROOT"),
    wide("IMPACTED"),
    wide("ASIDE"),
    wide("TICKETS"),
    wide("ZONE"),
    wide("GROUP"),
];

/// Columns of an alarm type.
pub const ALARM_TYPE: &[Head] = &[
    narrow("ALARM-TYPE"),
    narrow("SEVERITY"),
    narrow("EVENT-TYPE"),
    narrow("OF"),
    narrow("CLEARED"),
    narrow("DETECTED"),
    wide("NO"),
    wide("CAUSE"),
    wide("HOLD-ON"),
    wide("HOLD-OFF"),
    wide("THRESHOLDS"),
    wide("DEFAULT"),
    wide("MEANING"),
];

/// Columns of a shelf.
pub const SHELF: &[Head] = &[
    narrow("NAME"),
    narrow("ORDER"),
    narrow("MATCHES"),
    narrow("ALARMS"),
    narrow("UNTIL"),
    narrow("WHO"),
    narrow("REASON"),
    wide("AGE"),
];

/// Columns of a profile.
pub const PROFILE: &[Head] =
    &[narrow("NAME"), narrow("ORDER"), narrow("MATCHES"), narrow("SETS"), narrow("ORIGIN"), wide("AGE")];

/// A severity, of a cleared alarm too, in its colour; `?` where the alarm is only the last known.
pub fn severity(alarm: &v1::Alarm) -> Cell {
    let name = word(alarm.perceived_severity().as_str_name(), "SEVERITY_");
    if alarm.state() == v1::AlarmState::Cleared {
        return Cell { text: format!("cleared ({name})"), raw: "cleared".into(), tone: Tone::Good };
    }
    let doubt = if is_unreliable(alarm) { "?" } else { "" };
    Cell { text: format!("{name}{doubt}"), raw: name.clone().into(), tone: tone(alarm.perceived_severity()) }
}

/// Whether the alarm's source cannot be read: it is the last known.
pub fn is_unreliable(alarm: &v1::Alarm) -> bool {
    use v1::alarm_reliability::State;
    alarm.reliability.as_ref().is_some_and(|reliability| reliability.state() == State::SourceUnreachable)
}

/// The colour of a severity.
pub fn tone(severity: v1::Severity) -> Tone {
    match severity {
        v1::Severity::Critical => Tone::Bad,
        v1::Severity::Major => Tone::Grave,
        v1::Severity::Minor => Tone::Warn,
        v1::Severity::Warning => Tone::Notice,
        v1::Severity::Indeterminate | v1::Severity::Unspecified => Tone::Plain,
    }
}

/// What sorts alarms for people: active ones first, the worst first, the latest first.
pub fn urgency(alarm: &v1::Alarm) -> String {
    let cleared = u8::from(alarm.state() == v1::AlarmState::Cleared);
    let raised = alarm.raise_time.as_ref().map_or(0, |time| time.seconds);
    format!("{cleared} {} {:013}", 9 - alarm.perceived_severity, 9_999_999_999_999_i64.saturating_sub(raised))
}

/// The text with the number of alarms it explains.
pub fn text(alarm: &v1::Alarm, related_shown: bool) -> Cell {
    let mut cell = Cell::text(alarm.text.clone());
    if alarm.correlated_count > 0 && !related_shown {
        cell.text = format!("{} (+{} related)", cell.text, alarm.correlated_count);
    }
    cell
}

/// The row of an alarm under [`ALARM`].
pub fn alarm_row(alarm: &v1::Alarm, clock: &Clock, related_shown: bool) -> Vec<Cell> {
    let root = if alarm.root { "yes".to_owned() } else { id(&alarm.root_cause).to_owned() };
    let cause = alarm.probable_cause.as_ref().map(|cause| cause.name.clone()).unwrap_or_default();
    let tickets: Vec<&str> = alarm.external_references.iter().map(|reference| reference.reference.as_str()).collect();
    vec![
        severity(alarm),
        Cell::text(alarm.alarm_type.clone()),
        Cell::text(object(alarm)),
        Cell::text(host_id(&alarm.host)),
        clock.age_cell(time(alarm.raise_time.as_ref())),
        acknowledged(alarm),
        text(alarm, related_shown),
        Cell::text(id(&alarm.name)),
        Cell::text(word(alarm.state().as_str_name(), "ALARM_STATE_")),
        clock.time_cell(time(alarm.raise_time.as_ref())),
        clock.time_cell(time(alarm.clear_time.as_ref())),
        Cell::number(alarm.raise_count),
        Cell::number(alarm.repeat_count),
        Cell::text(cause),
        Cell::text(root),
        Cell::number(alarm.impacted_count),
        Cell::text(aside(alarm, clock)),
        Cell::text(tickets.join(" ")),
        Cell::text(alarm.zone.clone()),
        Cell::text(alarm.resource_group.clone()),
    ]
}

fn acknowledged(alarm: &v1::Alarm) -> Cell {
    match &alarm.acknowledgement {
        None => Cell::text(""),
        Some(note) => Cell::text(person(note.actor.as_ref())).toned(Tone::Dim),
    }
}

/// Why nobody is told of it: `shelved until …`, `maintenance of host/kvm-07`.
pub fn aside(alarm: &v1::Alarm, clock: &Clock) -> String {
    let mut parts = Vec::new();
    if let Some(shelved) = &alarm.shelved {
        let until = time(shelved.expire_time.as_ref()).map(|until| format!(" until {}", clock.local(until)));
        parts.push(format!("shelf {}{}", id(&shelved.shelf), until.unwrap_or_default()));
    }
    if let Some(suppression) = &alarm.suppressed_by {
        parts.push(format!("{} of {}", suppression.reason, named(&suppression.by, "")));
    }
    parts.join(", ")
}

/// The row of a type under [`ALARM_TYPE`].
pub fn type_row(of: &v1::AlarmType) -> Vec<Cell> {
    let severities: Vec<String> = of.severities().map(|one| word(one.as_str_name(), "SEVERITY_")).collect();
    let worst = of.severities().next_back().map_or(Tone::Plain, tone);
    let cause = of.probable_cause.as_ref().map(|cause| cause.name.clone()).unwrap_or_default();
    vec![
        Cell::text(of.alarm_type.clone()),
        Cell::text(severities.join("|")).toned(worst),
        Cell::text(word(of.event_type().as_str_name(), "EVENT_TYPE_")),
        Cell::text(of.object_classes.join(" ")),
        Cell::text(word(of.clearing().as_str_name(), "CLEARING_RULE_")),
        Cell::text(availability(of)),
        Cell::number(of.number),
        Cell::text(cause),
        Cell::text(seconds(of.hold_on_seconds)),
        Cell::text(seconds(of.hold_off_seconds)),
        Cell::text(thresholds(&of.thresholds)),
        Cell::text(if of.off_by_default { "off" } else { "on" }),
        Cell::text(of.meaning.clone()),
    ]
}

/// Where a type can be detected here, in words.
pub fn availability(of: &v1::AlarmType) -> String {
    use v1::alarm_type_availability::State;
    let Some(availability) = &of.availability else { return String::new() };
    match availability.state() {
        State::Unspecified => String::new(),
        State::Everywhere => "everywhere".to_owned(),
        State::Nowhere => "nowhere here".to_owned(),
        State::Reported => "if reported".to_owned(),
        State::Partly => {
            let hosts: Vec<&str> = availability.hosts.iter().map(|host| host_id(host)).collect();
            format!("on {}", hosts.join(" "))
        }
    }
}

/// A number of seconds as a span; nothing for none.
pub fn seconds(seconds: u32) -> String {
    if seconds == 0 { String::new() } else { short_span(Duration::from_secs(seconds.into())) }
}

/// Levels as `a=1,b=2`.
pub fn thresholds<'a>(levels: impl IntoIterator<Item = (&'a String, &'a f64)>) -> String {
    let mut levels: Vec<String> = levels.into_iter().map(|(name, level)| format!("{name}={level}")).collect();
    levels.sort();
    levels.join(",")
}

/// The row of a shelf under [`SHELF`].
pub fn shelf_row(shelf: &v1::AlarmShelf, clock: &Clock) -> Vec<Cell> {
    vec![
        Cell::text(id(&shelf.name)),
        Cell::number(shelf.order),
        Cell::text(conditions(shelf.matches.as_ref())),
        Cell::number(shelf.shelved_count),
        clock.time_cell(time(shelf.expire_time.as_ref())),
        Cell::text(person(shelf.actor.as_ref())),
        Cell::text(shelf.reason.clone()),
        clock.age_cell(time(shelf.create_time.as_ref())),
    ]
}

/// The row of a profile under [`PROFILE`].
pub fn profile_row(profile: &v1::AlarmProfile, clock: &Clock) -> Vec<Cell> {
    vec![
        Cell::text(id(&profile.name)),
        Cell::number(profile.order),
        Cell::text(conditions(profile.matches.as_ref())),
        Cell::text(statements(profile)),
        Cell::text(if profile.from_file { "settings file" } else { "interface" }),
        clock.age_cell(time(profile.create_time.as_ref())),
    ]
}

/// The conditions of a rule.
pub fn conditions(matches: Option<&v1::AlarmMatch>) -> String {
    let Some(matches) = matches else { return "every alarm".to_owned() };
    let mut parts = Vec::new();
    let mut add = |name: &str, value: String| {
        if !value.is_empty() {
            parts.push(format!("{name}={value}"));
        }
    };
    add("type", matches.alarm_types.join("|"));
    add("object", matches.object_pattern.clone());
    let mut sorted: Vec<(&String, &String)> = matches.labels.iter().collect();
    sorted.sort();
    add("labels", labels(sorted));
    add("host", matches.host.clone());
    add("group", matches.resource_group.clone());
    if parts.is_empty() { "every alarm".to_owned() } else { parts.join(" ") }
}

/// What a profile states.
pub fn statements(profile: &v1::AlarmProfile) -> String {
    let mut parts: Vec<String> = profile
        .severity
        .iter()
        .map(|one| {
            let from = word(one.from().as_str_name(), "SEVERITY_");
            format!("{from}→{}", word(one.to().as_str_name(), "SEVERITY_"))
        })
        .collect();
    parts.extend(profile.hold_on_seconds.map(|seconds| format!("hold-on={seconds}s")));
    parts.extend(profile.hold_off_seconds.map(|seconds| format!("hold-off={seconds}s")));
    parts.extend(Some(thresholds(&profile.thresholds)).filter(|levels| !levels.is_empty()));
    parts.extend(profile.off.map(|off| if off { "off" } else { "on" }.to_owned()));
    parts.join(" ")
}
