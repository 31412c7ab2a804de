//! What threshold monitors of people found, object by object.

use super::catalogue::AlarmType;
use super::finding::{Finding, Sign};
use super::place::owner;
use crate::model::alarm::{ThresholdCrossing as Told, ThresholdDirection as Way};
use crate::model::measurement::{ThresholdCrossing, ThresholdDirection};
use crate::model::{Alarm, Name, PerceivedSeverity};
use std::collections::BTreeMap;

/// Attributes of the alarm that name its monitors: this, and the monitor's id.
const MONITOR: &str = "monitor.";

/// Monitors an object is beyond, with severity and crossing.
#[derive(Debug, Default)]
pub(super) struct Crossed(BTreeMap<Name, BTreeMap<String, (PerceivedSeverity, Told)>>);

impl Crossed {
    /// Takes what a stored alarm knows.
    pub(super) fn restore(&mut self, alarm: &Alarm) {
        let stands = alarm.is_active() && alarm.alarm_type == AlarmType::ThresholdCrossed.id();
        let Some(told) = alarm.threshold.as_ref().filter(|_| stands) else { return };
        for (key, severity) in &alarm.attributes {
            if let (Some(monitor), Some(severity)) = (key.strip_prefix(MONITOR), PerceivedSeverity::parse(severity)) {
                let at = self.0.entry(alarm.object.clone()).or_default();
                at.insert(monitor.to_owned(), (severity, told.clone()));
            }
        }
    }

    /// An object is gone, and its parts with it.
    pub(super) fn forget(&mut self, object: &Name) {
        self.0.retain(|held, _| owner(held) != *object);
    }

    pub(super) fn take(&mut self, crossing: &ThresholdCrossing) {
        let monitors = self.0.entry(crossing.object.clone()).or_default();
        match crossing.severity {
            Some(severity) => drop(monitors.insert(crossing.monitor.clone(), (severity, told(crossing)))),
            None => drop(monitors.remove(&crossing.monitor)),
        }
        if monitors.is_empty() {
            self.0.remove(&crossing.object);
        }
    }

    /// Objects that were beyond a monitor; they are no more.
    pub(super) fn end(&mut self, monitor: &str) -> Vec<Name> {
        let mut concerned = Vec::new();
        self.0.retain(|object, monitors| {
            if monitors.remove(monitor).is_some() {
                concerned.push(object.clone());
            }
            !monitors.is_empty()
        });
        concerned
    }

    /// What is to be said about an object.
    pub(super) fn sign(&self, object: &Name) -> Sign {
        let alarm_type = AlarmType::ThresholdCrossed;
        let worst = |monitors: &BTreeMap<String, (PerceivedSeverity, Told)>| {
            monitors
                .iter()
                .max_by_key(|(_, (severity, _))| *severity)
                .map(|(id, (severity, told))| (id.clone(), *severity, told.clone()))
        };
        let Some(monitors) = self.0.get(object) else { return Sign::Over { alarm_type, object: object.clone() } };
        let Some((id, severity, told)) = worst(monitors) else {
            return Sign::Over { alarm_type, object: object.clone() };
        };
        let text = format!("{} is {}; the level of monitor {id} is {}", told.metric, told.observed, told.level);
        let mut finding = Finding::new(alarm_type, object, text).severity(severity).crossing(told);
        for (id, (severity, _)) in monitors {
            finding = finding.with(&format!("{MONITOR}{id}"), severity.as_str());
        }
        Sign::Present(Box::new(finding))
    }
}

fn told(crossing: &ThresholdCrossing) -> Told {
    let up = crossing.direction == ThresholdDirection::Up;
    let slack = if up { -crossing.hysteresis } else { crossing.hysteresis };
    Told {
        metric: format!("{} [{}]", crossing.metric, crossing.metric.unit()),
        level: crossing.level,
        clear_level: crossing.level + slack,
        direction: if up { Way::Up } else { Way::Down },
        observed: crossing.value,
    }
}
