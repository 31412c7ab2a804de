//! Conditions of the daemon itself that nobody else sees: its disk, and what became of a reload.

use crate::changes::ChangeLog;
use crate::engine::EngineHandle;
use crate::fault::catalogue::{AlarmType, descriptor};
use crate::fault::{Finding, Sign, notification_sink};
use crate::host::SpaceProbe;
use crate::model::alarm::{ThresholdCrossing, ThresholdDirection};
use crate::model::{Body, Name, ObjectClass, PerceivedSeverity};
use std::path::PathBuf;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// How often the disk is looked at.
const LOOK: Duration = Duration::from_secs(5);

/// A filesystem that does not answer within this time has an alarm of its own elsewhere.
const DEADLINE: Duration = Duration::from_secs(2);

/// Severities that levels are given for, highest first.
const SEVERITIES: [PerceivedSeverity; 3] =
    [PerceivedSeverity::Critical, PerceivedSeverity::Major, PerceivedSeverity::Minor];

/// Looks at the filesystem of the state directory until told to stop (vrmStorageLow).
pub(super) async fn watch_storage(directory: PathBuf, engine: EngineHandle, stop: CancellationToken) {
    let probe = SpaceProbe::default();
    let mut ticks = tokio::time::interval(LOOK);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut held = None;
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            _ = ticks.tick() => {}
        }
        let (asking, path) = (probe.clone(), directory.clone());
        let asked =
            tokio::task::spawn_blocking(move || asking.ask(std::slice::from_ref(&path), DEADLINE).remove(&path));
        let Ok(Some(Ok(space))) = asked.await else { continue };
        let sign = storage(space.size_bytes, space.available_bytes, &mut held);
        engine.own_conditions(vec![sign]).await;
    }
}

/// What the filling of the disk says; `held` is the severity that stands.
#[expect(clippy::cast_precision_loss, reason = "a share of bytes is shown with two digits")]
fn storage(size: u64, available: u64, held: &mut Option<PerceivedSeverity>) -> Sign {
    let kind = AlarmType::VrmStorageLow;
    let level = |name: &str| descriptor(kind).thresholds.get(&format!("percent.{name}")).copied();
    let used = if size == 0 { 0.0 } else { 100.0 * (size.saturating_sub(available)) as f64 / size as f64 };
    let slack = level("hysteresis").unwrap_or_default();
    let beyond = |severity: &PerceivedSeverity| {
        let stands = held.is_some_and(|held| held >= *severity);
        level(severity.as_str()).is_some_and(|level| used >= if stands { level - slack } else { level })
    };
    *held = SEVERITIES.into_iter().find(beyond);
    let Some(severity) = *held else { return Sign::Over { alarm_type: kind, object: Name::vrm() } };
    let raised = level(severity.as_str()).unwrap_or_default();
    let text = format!("{used:.0} % of the volume of the state directory is used, {} MiB are left", available >> 20);
    let finding = Finding::new(kind, &Name::vrm(), text).severity(severity).crossing(ThresholdCrossing {
        metric: "percent".to_owned(),
        level: raised,
        clear_level: raised - slack,
        direction: ThresholdDirection::Up,
        observed: used.round(),
    });
    Sign::Present(Box::new(finding))
}

/// What became of reading the settings again (settingsRejected): nothing, or why they were refused.
pub(super) fn of_reload(refusal: Option<&str>) -> Sign {
    let kind = AlarmType::SettingsRejected;
    match refusal {
        None => Sign::Over { alarm_type: kind, object: Name::vrm() },
        Some(reason) => {
            let text = format!("new settings were refused and the old ones stay: {reason}");
            Sign::Present(Box::new(Finding::new(kind, &Name::vrm(), text)))
        }
    }
}

/// What a start proves of conditions that stood before it: its settings are good, and sinks that are not
/// configured any more do not fail.
pub(super) fn at_start(changes: &ChangeLog, sinks: &[String]) -> Vec<Sign> {
    let mut signs = vec![of_reload(None)];
    for object in changes.all(ObjectClass::Alarm) {
        let Body::Alarm(alarm) = &object.body else { continue };
        let is_sink = alarm.alarm_type == AlarmType::NotificationSinkFailed.id();
        let known = sinks.iter().any(|sink| notification_sink(sink) == alarm.object);
        if is_sink && alarm.is_active() && !known {
            signs.push(Sign::Over { alarm_type: AlarmType::NotificationSinkFailed, object: alarm.object.clone() });
        }
    }
    signs
}

#[cfg(test)]
mod tests {
    use super::*;

    const GIB: u64 = 1 << 30;

    #[test]
    fn a_disk_that_fills_is_graded_with_hysteresis() {
        let mut held = None;
        let mut told = |used: u64| match storage(100 * GIB, (100 - used) * GIB, &mut held) {
            Sign::Present(finding) => finding.severity,
            Sign::Over { .. } => None,
        };
        use PerceivedSeverity::{Critical, Major, Minor};
        assert_eq!(told(79), None);
        assert_eq!(told(80), Some(Minor));
        assert_eq!(told(96), Some(Critical));
        assert_eq!(told(91), Some(Critical), "down to the level minus the hysteresis");
        assert_eq!(told(89), Some(Major));
        assert_eq!(told(76), Some(Minor));
        assert_eq!(told(74), None);
        assert_eq!(told(79), None);
    }
}
