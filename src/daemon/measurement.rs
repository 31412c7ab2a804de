//! Measurement in the daemon: its settings in its own words, its clocks, its levels.

use crate::changes::ChangeLog;
use crate::engine::EngineHandle;
use crate::fault::catalogue::{self, AlarmType};
use crate::measurement::{
    self, BuiltInLevel, MeasurementHandle, MeasurementParts, MeasurementSettings, Moment, PeriodSink,
};
use crate::model::{PerceivedSeverity, Timestamp};
use crate::performance::BUILT_IN;
use crate::performance::job::Capacity;
use crate::settings::Settings;
use std::sync::Arc;
use std::time::{Instant, SystemTime};
use tokio_util::sync::CancellationToken;

/// Starts measurement on published state.
pub(super) fn start(
    settings: &Settings,
    changes: &Arc<ChangeLog>,
    engine: &EngineHandle,
    store: Arc<dyn PeriodSink>,
    stop: &CancellationToken,
) -> (MeasurementHandle, tokio::task::JoinHandle<()>) {
    let begun = Instant::now();
    let clock = move || Moment { wall: Timestamp::from_system(SystemTime::now()), monotonic: begun.elapsed() };
    let parts = MeasurementParts {
        settings: measurement_settings(settings),
        changes: Arc::clone(changes),
        engine: engine.clone(),
        store,
        clock: Arc::new(clock),
    };
    measurement::start(parts, stop.clone())
}

fn measurement_settings(settings: &Settings) -> MeasurementSettings {
    MeasurementSettings {
        interval: settings.poll_statistics,
        capacity: Capacity {
            series: u64::from(settings.measurement.series),
            samples_per_second: u64::from(settings.measurement.samples_per_second),
        },
        built_in: built_in_levels(),
    }
}

/// The lowest levels of the built-in monitors' alarm types, less the hysteresis.
pub(super) fn built_in_levels() -> Vec<BuiltInLevel> {
    let level = |alarm_type: &str| {
        let thresholds = &catalogue::descriptor(AlarmType::parse(alarm_type)?).thresholds;
        let levels = thresholds.iter().filter(|(name, _)| {
            name.split_once('.').is_some_and(|(_, severity)| PerceivedSeverity::parse(severity).is_some())
        });
        let lowest = levels.map(|(_, level)| *level).reduce(f64::min)?;
        let hysteresis = thresholds.iter().find(|(name, _)| name.ends_with(".hysteresis")).map_or(0.0, |(_, by)| *by);
        Some(BuiltInLevel { alarm_type: alarm_type.to_owned(), floor: lowest - hysteresis })
    };
    BUILT_IN.iter().filter_map(|built_in| level(built_in.alarm_type)).collect()
}
