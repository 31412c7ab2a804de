//! Settings of fault management, in its own words, and the way to closed alarms.

use super::names::dn_scheme;
use crate::fault::FaultSettings;
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
