//! Rules of operators: which shelf takes an alarm, and which profile grades it.

use super::catalogue::{AlarmType, descriptor};
use super::conditions::Toggling;
use super::record::ObjectAtRaise;
use crate::model::alarm::{AlarmMatch, AlarmTypeDescriptor, PerceivedSeverity};
use crate::model::{AlarmProfile, AlarmShelf, Name, Timestamp};
use std::collections::BTreeMap;
use std::time::Duration;

/// What rules look at.
#[derive(Clone, Debug)]
pub struct Candidate<'a> {
    /// Alarm type.
    pub alarm_type: &'a str,
    /// Faulty object.
    pub object: &'a Name,
    /// Labels of the object it belongs to.
    pub labels: &'a BTreeMap<String, String>,
    /// Host.
    pub host: &'a str,
    /// Resource group.
    pub resource_group: &'a str,
}

impl<'a> Candidate<'a> {
    /// The candidate for an object as it is known.
    pub fn of(
        alarm_type: &'a str,
        object: &'a Name,
        labels: &'a BTreeMap<String, String>,
        known: &'a ObjectAtRaise,
    ) -> Self {
        let host = known.host.as_ref().map_or("", |host| host.as_str());
        Self { alarm_type, object, labels, host, resource_group: &known.resource_group }
    }
}

/// True if every stated condition of the rule holds.
pub fn matches(rule: &AlarmMatch, candidate: &Candidate<'_>) -> bool {
    let types = &rule.alarm_types;
    (types.is_empty() || types.iter().any(|wanted| wanted == candidate.alarm_type))
        && (rule.object_pattern.is_empty() || glob(&rule.object_pattern, candidate.object.as_str()))
        && rule.labels.iter().all(|(key, value)| candidate.labels.get(key) == Some(value))
        && (rule.host.is_empty() || rule.host == candidate.host)
        && (rule.resource_group.is_empty() || rule.resource_group == candidate.resource_group)
}

/// True if `*` for any characters makes the pattern the text.
pub fn glob(pattern: &str, text: &str) -> bool {
    let mut parts = pattern.split('*');
    let first = parts.next().unwrap_or_default();
    let Some(mut rest) = text.strip_prefix(first) else { return false };
    let mut parts: Vec<&str> = parts.collect();
    let Some(last) = parts.pop() else { return rest.is_empty() };
    for part in parts {
        let Some(at) = rest.find(part) else { return false };
        rest = &rest[at + part.len()..];
    }
    rest.ends_with(last)
}

/// The first shelf in order that takes the alarm.
pub fn shelf_of<'a>(
    shelves: &'a BTreeMap<Name, AlarmShelf>,
    candidate: &Candidate<'_>,
    now: Timestamp,
) -> Option<(&'a Name, &'a AlarmShelf)> {
    let alive = |shelf: &AlarmShelf| shelf.expire_time.is_none_or(|expire| expire > now);
    shelves
        .iter()
        .filter(|(_, shelf)| alive(shelf) && matches(&shelf.matches, candidate))
        .min_by_key(|(name, shelf)| (shelf.order, (*name).clone()))
}

/// What the catalogue and the profiles say together about one alarm.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Grading {
    /// No such alarm.
    pub off: bool,
    /// Severity instead of the one found.
    pub severity: BTreeMap<PerceivedSeverity, PerceivedSeverity>,
    /// How long it must stand.
    pub hold_on: Duration,
    /// How long it must be over.
    pub hold_off: Duration,
    /// Levels by name.
    pub thresholds: BTreeMap<String, f64>,
    /// Names of the profiles that had a say, in order.
    pub profiles: Vec<Name>,
}

impl Grading {
    /// The severity told for a severity found.
    pub fn severity(&self, found: PerceivedSeverity) -> PerceivedSeverity {
        self.severity.get(&found).copied().unwrap_or(found)
    }

    /// When the condition toggles, by the levels `toggle.count` and `toggle.seconds` of a profile.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "clamped to what a count may be; a fraction is cut off"
    )]
    pub fn toggling(&self) -> Toggling {
        let usual = Toggling::default();
        let level = |name: &str| self.thresholds.get(name).copied().filter(|level| level.is_finite());
        let window = level(TOGGLE_SECONDS).and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
        Toggling {
            count: level(TOGGLE_COUNT).map_or(usual.count, |count| count.clamp(0.0, 1_000.0) as usize),
            window: window.unwrap_or(usual.window),
        }
    }
}

/// Whether one of the alarm types has a level of this name; those of toggling have all.
pub fn has_level(alarm_types: &[String], level: &str) -> bool {
    let known = |id: &String| AlarmType::parse(id).is_some_and(|kind| descriptor(kind).thresholds.contains_key(level));
    [TOGGLE_COUNT, TOGGLE_SECONDS].contains(&level) || alarm_types.iter().any(known)
}

/// Level of a profile: returns within the window that make a condition toggle; 0 switches it off.
const TOGGLE_COUNT: &str = "toggle.count";

/// Level of a profile: the window of toggle detection in seconds.
const TOGGLE_SECONDS: &str = "toggle.seconds";

/// What holds for a candidate: the first profile in order that states a thing decides it.
pub fn grading(
    descriptor: &AlarmTypeDescriptor,
    profiles: &BTreeMap<Name, AlarmProfile>,
    candidate: &Candidate<'_>,
) -> Grading {
    let mut found: Vec<(&Name, &AlarmProfile)> =
        profiles.iter().filter(|(_, profile)| matches(&profile.matches, candidate)).collect();
    found.sort_by_key(|(name, profile)| (profile.order, (*name).clone()));
    let mut grading = Grading {
        off: descriptor.off_by_default,
        hold_on: Duration::from_secs(u64::from(descriptor.hold_on_seconds)),
        hold_off: Duration::from_secs(u64::from(descriptor.hold_off_seconds)),
        thresholds: descriptor.thresholds.clone(),
        ..Grading::default()
    };
    // Last to first, so that the first overwrites.
    for (name, profile) in found.into_iter().rev() {
        grading.off = profile.off.unwrap_or(grading.off);
        grading.severity.extend(profile.severity.iter().map(|(from, to)| (*from, *to)));
        let seconds = |stated: Option<u32>| stated.map(|seconds| Duration::from_secs(u64::from(seconds)));
        grading.hold_on = seconds(profile.hold_on_seconds).unwrap_or(grading.hold_on);
        grading.hold_off = seconds(profile.hold_off_seconds).unwrap_or(grading.hold_off);
        grading.thresholds.extend(profile.thresholds.iter().map(|(level, value)| (level.clone(), *value)));
        grading.profiles.insert(0, name.clone());
    }
    grading
}
