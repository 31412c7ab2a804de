//! Settings of fault management, in its own words, and the way to closed alarms.

use super::names::dn_scheme;
use crate::fault::catalogue::{AlarmType, nearest};
use crate::fault::{FaultSettings, has_level};
use crate::model::alarm::{AlarmMatch, PerceivedSeverity};
use crate::model::alarm_command::ClosedAlarmQuery;
use crate::model::history::HistoryError;
use crate::model::{AlarmProfile, OutsideChanges};
use crate::northbound::{ClosedAlarm, ClosedAlarmPage, ClosedAlarms};
use crate::settings::{self, AlarmProfileSetting, Settings};
use crate::store::JournalReader;
use std::sync::Arc;
use std::time::Duration;

/// What an outside stop or start means.
pub(super) fn outside_changes(settings: &Settings) -> OutsideChanges {
    match settings.outside_changes {
        settings::OutsideChanges::Adopt => OutsideChanges::Adopt,
        settings::OutsideChanges::Warn => OutsideChanges::Warn,
        settings::OutsideChanges::Alarm => OutsideChanges::Alarm,
    }
}

pub(super) fn fault_settings(settings: &Settings, vrm_id: &str) -> FaultSettings {
    let alarms = &settings.alarms;
    FaultSettings {
        dn: dn_scheme(settings, vrm_id),
        outside_changes: outside_changes(settings),
        acknowledge_cleared_after: alarms.acknowledge_cleared_after,
        profiles: alarms.profiles.iter().map(|profile| (profile.name.clone(), alarm_profile(profile))).collect(),
        ..FaultSettings::default()
    }
}

/// Checks the words of rules against the alarm catalogue: a rule that means no alarm is a mistake.
///
/// # Errors
/// A text naming the key and the nearest word there is.
pub(super) fn check_rules(settings: &Settings) -> Result<(), String> {
    for profile in &settings.alarms.profiles {
        let key = |of: &str| format!("alarm_profile[{}].{of}", profile.name);
        check_types(&key("alarm_types"), &profile.alarm_types)?;
        if let Some(level) = profile.thresholds.keys().find(|level| !has_level(&profile.alarm_types, level)) {
            return Err(format!("{}: the alarm types named have no level {level:?}", key("thresholds")));
        }
    }
    settings
        .notify
        .iter()
        .try_for_each(|sink| check_types(&format!("notify[{}].alarm_types", sink.name), &sink.alarm_types))
}

fn check_types(key: &str, alarm_types: &[String]) -> Result<(), String> {
    let Some(unknown) = alarm_types.iter().find(|word| AlarmType::parse(word).is_none()) else { return Ok(()) };
    let hint = nearest(unknown).map(|word| format!("; did you mean {word}?")).unwrap_or_default();
    Err(format!("{key}: {unknown:?} is not in the alarm catalogue{hint}"))
}

fn alarm_profile(setting: &AlarmProfileSetting) -> AlarmProfile {
    let seconds = |time: Duration| u32::try_from(time.as_secs()).unwrap_or(u32::MAX);
    AlarmProfile {
        order: setting.order,
        matches: AlarmMatch {
            alarm_types: setting.alarm_types.clone(),
            object_pattern: setting.object.clone(),
            labels: setting.labels.clone(),
            host: setting.host.clone(),
            resource_group: setting.resource_group.clone(),
        },
        severity: setting.severity.iter().map(|(from, to)| (severity(*from), severity(*to))).collect(),
        hold_on_seconds: setting.hold_on.map(seconds),
        hold_off_seconds: setting.hold_off.map(seconds),
        thresholds: setting.thresholds.clone(),
        off: setting.off,
        from_file: true,
    }
}

/// A severity of the settings in words of the model.
pub(super) fn severity(setting: settings::Severity) -> PerceivedSeverity {
    match setting {
        settings::Severity::Indeterminate => PerceivedSeverity::Indeterminate,
        settings::Severity::Warning => PerceivedSeverity::Warning,
        settings::Severity::Minor => PerceivedSeverity::Minor,
        settings::Severity::Major => PerceivedSeverity::Major,
        settings::Severity::Critical => PerceivedSeverity::Critical,
    }
}

/// Closed alarms as the store keeps them.
#[derive(Debug)]
pub(super) struct StoredHistory(pub(super) Arc<JournalReader>);

impl ClosedAlarms for StoredHistory {
    fn read(&self, query: &ClosedAlarmQuery) -> Result<ClosedAlarmPage, HistoryError> {
        let page = self.0.closed_alarms(query)?;
        let more = page.next.is_some();
        let closed = |(row, object, close_time)| ClosedAlarm { row, object, close_time };
        Ok(ClosedAlarmPage { alarms: page.rows.into_iter().map(closed).collect(), more })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::{Inputs, load};

    fn checked(text: &str) -> Result<(), String> {
        let directory = tempfile::tempdir().expect("a folder");
        let file = directory.path().join("vrm.toml");
        std::fs::write(&file, text).expect("written");
        let inputs = Inputs { config: Some(file), local_name: "here".into(), ..Inputs::default() };
        check_rules(&load(&inputs).expect("well-formed"))
    }

    #[test]
    fn words_of_rules_are_in_the_catalogue() {
        let profile = |rest: &str| checked(&format!("[[alarm_profile]]\nname = 'p'\n{rest}\n"));
        assert_eq!(profile("alarm_types = ['vmCrashed']\noff = true"), Ok(()));
        let error = profile("alarm_types = ['vmCrash']\noff = true").unwrap_err();
        assert!(error.contains("alarm_profile[p].alarm_types") && error.contains("did you mean vmCrashed?"), "{error}");
        let error = profile("alarm_types = ['zzz']\noff = true").unwrap_err();
        assert!(!error.contains("did you mean"), "nothing is near: {error}");
        let level =
            |types: &str, level: &str| profile(&format!("alarm_types = {types}\nthresholds = {{ '{level}' = 3 }}"));
        assert_eq!(level("['poolCapacityHigh']", "percent.major"), Ok(()));
        assert_eq!(level("['poolCapacityHigh']", "toggle.count"), Ok(()));
        let error = level("['vmCrashed']", "percent.major").unwrap_err();
        assert!(error.contains("alarm_profile[p].thresholds"), "{error}");
        let sink = "[[notify]]\nname = 's'\nkind = 'webhook'\nurl = 'http://localhost/'\nalarm_types = ['hostDwon']\n";
        let error = checked(sink).unwrap_err();
        assert!(error.contains("notify[s].alarm_types") && error.contains("hostDown"), "{error}");
    }
}
