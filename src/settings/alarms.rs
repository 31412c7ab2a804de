//! `[alarms]` and `[[alarm_profile]]`: how alarms are closed and graded.

use super::error::SettingsError;
use super::fragment::{AlarmProfileTable, AlarmsTable};
use super::period::parse_period;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// A day: who did not acknowledge a cleared alarm by then does not need to (design.md 8).
const ACKNOWLEDGE_AFTER: Duration = Duration::from_secs(86_400);

/// Place of a rule that states none.
const ORDER: u32 = 1_000;

/// Rules at most: every alarm is compared with all of them.
const PROFILES: usize = 1_000;

/// A perceived severity as settings spell it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[expect(missing_docs, reason = "each is the severity's own name in X.733")]
pub enum Severity {
    Indeterminate,
    Warning,
    Minor,
    Major,
    Critical,
}

impl Severity {
    const ALL: [Self; 5] = [Self::Indeterminate, Self::Warning, Self::Minor, Self::Major, Self::Critical];

    /// The word, e.g. `major`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Indeterminate => "indeterminate",
            Self::Warning => "warning",
            Self::Minor => "minor",
            Self::Major => "major",
            Self::Critical => "critical",
        }
    }

    pub(super) fn parse(word: &str) -> Result<Self, String> {
        Self::ALL
            .into_iter()
            .find(|severity| severity.as_str() == word)
            .ok_or_else(|| format!("{word:?} is none of critical, major, minor, warning, indeterminate"))
    }
}

/// How alarms are closed and graded.
#[derive(Clone, Debug, PartialEq)]
pub struct AlarmSettings {
    /// A cleared alarm is acknowledged by `system` after this time; never, if absent.
    pub acknowledge_cleared_after: Option<Duration>,
    /// Rules that grade alarms, in the order of the files.
    pub profiles: Vec<AlarmProfileSetting>,
}

impl Default for AlarmSettings {
    fn default() -> Self {
        Self { acknowledge_cleared_after: Some(ACKNOWLEDGE_AFTER), profiles: Vec::new() }
    }
}

/// A rule that grades alarms. Every stated condition must hold; one that states none means every alarm.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct AlarmProfileSetting {
    /// Its id.
    pub name: String,
    /// Rules are tried in rising order.
    pub order: u32,
    /// Alarm types; empty for any.
    pub alarm_types: Vec<String>,
    /// Object name with `*`; empty for any.
    pub object: String,
    /// Labels the object must carry.
    pub labels: BTreeMap<String, String>,
    /// Host; empty for any.
    pub host: String,
    /// Resource group; empty for any.
    pub resource_group: String,
    /// Severity instead of the catalogue's.
    pub severity: BTreeMap<Severity, Severity>,
    /// How long a condition must persist.
    pub hold_on: Option<Duration>,
    /// How long it must be gone.
    pub hold_off: Option<Duration>,
    /// Levels by name.
    pub thresholds: BTreeMap<String, f64>,
    /// True: no such alarm; false: even where it is off by default.
    pub off: Option<bool>,
}

/// Checks the tables.
pub(super) fn alarm_settings(
    place: &str,
    alarms: &AlarmsTable,
    profiles: Vec<AlarmProfileTable>,
) -> Result<AlarmSettings, SettingsError> {
    let invalid = |key: String, reason: String| SettingsError::Invalid { place: place.to_owned(), key, reason };
    let acknowledge_cleared_after =
        match alarms.acknowledge_cleared_after.as_deref() {
            None => Some(ACKNOWLEDGE_AFTER),
            Some("off") => None,
            Some(text) => Some(parse_period(text, 60, 365 * 86_400).map_err(|reason| {
                invalid("alarms.acknowledge_cleared_after".into(), format!("{reason}, or \"off\""))
            })?),
        };
    if profiles.len() > PROFILES {
        return Err(invalid("alarm_profile".into(), format!("there are more than {PROFILES}")));
    }
    let mut names = BTreeSet::new();
    let mut checked = Vec::new();
    for (at, table) in profiles.into_iter().enumerate() {
        let shown = table.name.clone().unwrap_or_else(|| (at + 1).to_string());
        let profile =
            profile(table).map_err(|(key, reason)| invalid(format!("alarm_profile[{shown}].{key}"), reason))?;
        if !names.insert(profile.name.clone()) {
            return Err(invalid(format!("alarm_profile[{shown}].name"), "is used twice".into()));
        }
        checked.push(profile);
    }
    Ok(AlarmSettings { acknowledge_cleared_after, profiles: checked })
}

fn profile(table: AlarmProfileTable) -> Result<AlarmProfileSetting, (String, String)> {
    let name = checked_name(table.name).map_err(|reason| ("name".to_owned(), reason))?;
    let says = !table.severity.is_empty()
        || table.hold_on.is_some()
        || table.hold_off.is_some()
        || !table.thresholds.is_empty()
        || table.off.is_some();
    if !says {
        return Err((
            "severity".into(),
            "the rule says nothing: set severity, hold_on, hold_off, thresholds or off".into(),
        ));
    }
    let hold = |key: &str, text: Option<String>| {
        text.map(|text| parse_period(&text, 0, 86_400)).transpose().map_err(|reason| (key.to_owned(), reason))
    };
    let mut severity = BTreeMap::new();
    for (from, to) in &table.severity {
        let word = |text: &str| Severity::parse(text).map_err(|reason| (format!("severity.{from}"), reason));
        severity.insert(word(from)?, word(to)?);
    }
    if let Some((key, _)) = table.thresholds.iter().find(|(_, level)| !level.is_finite()) {
        return Err((format!("thresholds.{key}"), "must be a finite number".into()));
    }
    Ok(AlarmProfileSetting {
        name,
        order: table.order.unwrap_or(ORDER),
        alarm_types: table.alarm_types,
        object: table.object.unwrap_or_default(),
        labels: table.labels,
        host: table.host.unwrap_or_default(),
        resource_group: table.resource_group.unwrap_or_default(),
        severity,
        hold_on: hold("hold_on", table.hold_on)?,
        hold_off: hold("hold_off", table.hold_off)?,
        thresholds: table.thresholds,
        off: table.off,
    })
}

/// A name that can be part of a path.
pub(super) fn checked_name(name: Option<String>) -> Result<String, String> {
    let name = name.ok_or_else(|| "is missing".to_owned())?;
    let plain = |character: char| character.is_ascii_alphanumeric() || matches!(character, '-' | '_');
    if (1..=63).contains(&name.len()) && name.chars().all(plain) {
        Ok(name)
    } else {
        Err(format!("{name:?} must be 1 to 63 letters, digits, '-' or '_'"))
    }
}
