//! Monitors against the results of periods.

use super::settings::BuiltInLevel;
use crate::model::measurement::{
    MeasuredKey, Owner, PeriodResult, ThresholdCrossing, ThresholdDirection, ThresholdMonitor,
};
use crate::model::{HostId, Name, Timestamp};
use crate::performance::{BUILT_IN, BuiltIn, Crossing, LevelState, evaluate, order};
use std::collections::{HashMap, HashSet};

/// Type of the alarms that monitors of people raise.
const OWN_TYPE: &str = "thresholdCrossed";

/// What is known of everything that is watched.
#[derive(Debug, Default)]
pub(super) struct Thresholds {
    monitors: Vec<ThresholdMonitor>,
    /// By monitor.
    states: HashMap<String, HashMap<MeasuredKey, LevelState>>,
    floors: Vec<(BuiltIn, f64)>,
    /// Built-in figures that were told last as of interest, by alarm type.
    near: HashMap<&'static str, HashSet<MeasuredKey>>,
    /// Alarms of before the start, by type and object: that they are over has to be told.
    standing: HashSet<(String, Name)>,
}

impl Thresholds {
    pub(super) fn new(levels: &[BuiltInLevel], standing: HashSet<(String, Name)>) -> Self {
        let floor = |built_in: &BuiltIn| {
            let level = levels.iter().find(|level| level.alarm_type == built_in.alarm_type);
            level.map(|level| (*built_in, level.floor))
        };
        Self { floors: BUILT_IN.iter().filter_map(floor).collect(), standing, ..Self::default() }
    }

    /// Takes the monitors as published; one that changed judges anew.
    pub(super) fn set(&mut self, monitors: Vec<ThresholdMonitor>) {
        let monitors: Vec<_> = monitors.into_iter().filter(|monitor| !monitor.suspended).collect();
        let kept: HashSet<&str> = monitors
            .iter()
            .filter(|monitor| self.monitors.contains(monitor))
            .map(|monitor| monitor.id.as_str())
            .collect();
        self.states.retain(|id, _| kept.contains(id.as_str()));
        self.monitors = monitors;
    }

    /// The levels of a built-in monitor changed.
    pub(super) fn set_floor(&mut self, alarm_type: &str, floor: f64) {
        for (built_in, held) in &mut self.floors {
            if built_in.alarm_type == alarm_type {
                *held = floor;
            }
        }
    }

    /// What the results say.
    pub(super) fn judge<'a>(
        &mut self,
        results: &[PeriodResult],
        host_of: impl Fn(&Owner) -> Option<&'a HostId>,
    ) -> Vec<ThresholdCrossing> {
        let mut told = Vec::new();
        for result in results {
            let seconds = u32::try_from(result.granularity.as_secs()).unwrap_or(u32::MAX);
            let end = result.begin.plus(result.granularity);
            told.extend(self.built_in(result, seconds, end));
            for at in 0..self.monitors.len() {
                if self.monitors[at].granularity_seconds == seconds {
                    let host = host_of(&result.key.owner);
                    told.extend(self.own(at, result, host, end));
                }
            }
        }
        told
    }

    fn own(
        &mut self,
        at: usize,
        result: &PeriodResult,
        host: Option<&HostId>,
        end: Timestamp,
    ) -> Option<ThresholdCrossing> {
        let monitor = self.monitors.get(at)?;
        let metric = monitor.metric?;
        let (_, value) = result.values.iter().find(|(held, _)| *held == metric)?;
        let value = value.value.ok()?;
        if !order::covers(&monitor.scope, &result.key, host) {
            return None;
        }
        let state = self.states.entry(monitor.id.clone()).or_default().entry(result.key.clone()).or_default();
        let unknown = *state == LevelState::Unknown;
        let crossing = evaluate(monitor, state, value)?;
        let object = result.key.name();
        // Nothing stands there from before: that it is well is no news.
        if crossing.severity.is_none() && unknown && !self.standing.contains(&(OWN_TYPE.to_owned(), object.clone())) {
            return None;
        }
        Some(told(monitor, metric, object, crossing, value, end))
    }

    fn built_in(&mut self, result: &PeriodResult, seconds: u32, end: Timestamp) -> Vec<ThresholdCrossing> {
        let mut told = Vec::new();
        let Some(class) = result.key.class() else { return told };
        for (built_in, floor) in &self.floors {
            if built_in.granularity != seconds || built_in.class != class {
                continue;
            }
            let Some(value) = built_in.figure.of(result) else { continue };
            let near = self.near.entry(built_in.alarm_type).or_default();
            let object = result.key.name();
            let was_near =
                near.contains(&result.key) || self.standing.remove(&(built_in.alarm_type.to_owned(), object.clone()));
            let is_near = value >= *floor;
            match is_near {
                true => drop(near.insert(result.key.clone())),
                false => drop(near.remove(&result.key)),
            }
            if was_near || is_near {
                told.push(figure(built_in, object, value, *floor, end));
            }
        }
        told
    }

    /// An owner is measured no more: what it was beyond is over, since nothing will ever say so otherwise.
    pub(super) fn forget(&mut self, owner: &Owner, time: Timestamp) -> Vec<ThresholdCrossing> {
        let mut over = Vec::new();
        for monitor in &self.monitors {
            let Some(states) = self.states.get_mut(&monitor.id) else { continue };
            states.retain(|key, state| {
                if key.owner != *owner {
                    return true;
                }
                if let (LevelState::Beyond(_), Some(metric)) = (*state, monitor.metric) {
                    let level = monitor.levels.first().map_or(0.0, |level| level.value);
                    let crossing = Crossing { severity: None, level };
                    over.push(told(monitor, metric, key.name(), crossing, level, time));
                }
                false
            });
        }
        for (built_in, floor) in &self.floors {
            let Some(near) = self.near.get_mut(built_in.alarm_type) else { continue };
            near.retain(|key| {
                let goes = key.owner == *owner;
                if goes {
                    over.push(figure(built_in, key.name(), 0.0, *floor, time));
                }
                !goes
            });
        }
        over
    }
}

fn told(
    monitor: &ThresholdMonitor,
    metric: crate::model::metric::Metric,
    object: Name,
    crossing: Crossing,
    value: f64,
    time: Timestamp,
) -> ThresholdCrossing {
    ThresholdCrossing {
        monitor: monitor.id.clone(),
        object,
        metric,
        severity: crossing.severity,
        value,
        level: crossing.level,
        direction: monitor.direction,
        hysteresis: monitor.hysteresis,
        time,
    }
}

/// A figure of a built-in monitor: severity, level and hysteresis are the alarm type's.
fn figure(built_in: &BuiltIn, object: Name, value: f64, level: f64, time: Timestamp) -> ThresholdCrossing {
    ThresholdCrossing {
        monitor: built_in.alarm_type.to_owned(),
        object,
        metric: built_in.metric,
        severity: None,
        value,
        level,
        direction: ThresholdDirection::Up,
        hysteresis: 0.0,
        time,
    }
}
