//! What the results of periods say: figures of the built-in monitors against the levels of their alarm types.
//!
//! The measurement part tells a figure at the end of each period in which it is of interest; levels, hysteresis and
//! severities are those of the catalogue as profiles amend them.

use super::context::Context;
use super::levels;
use crate::fault::catalogue::{self, AlarmType};
use crate::fault::finding::{Finding, Sign};
use crate::model::PerceivedSeverity;
use crate::model::alarm::AlarmTypeDescriptor;
use crate::model::measurement::ThresholdCrossing;

/// What a figure says about a built-in type.
pub fn measured(alarm_type: AlarmType, told: &ThresholdCrossing, context: &Context<'_>) -> Sign {
    let over = || Sign::Over { alarm_type, object: told.object.clone() };
    let descriptor = catalogue::descriptor(alarm_type);
    let Some(name) = levels_of(descriptor) else { return over() };
    let grading = (context.grading)(alarm_type, &told.object);
    let stands = context.severity(alarm_type, &told.object);
    let Some((severity, crossing)) = levels::risen(&grading, name, told.value, stands) else { return over() };
    let window = grading.thresholds.get("window_seconds").copied().unwrap_or(300.0);
    let (value, level) = (told.value, crossing.level);
    let text = format!("{} is {value:.1} over {:.0} min; the level is {level}", told.metric, window / 60.0);
    let finding = Finding::new(alarm_type, &told.object, text).severity(severity).crossing(crossing);
    Sign::Present(Box::new(context.steady(finding)))
}

/// Name of the levels of a type, e.g. `percent`.
fn levels_of(descriptor: &AlarmTypeDescriptor) -> Option<&str> {
    descriptor.thresholds.keys().find_map(|key| {
        let (name, suffix) = key.split_once('.')?;
        PerceivedSeverity::parse(suffix).map(|_| name)
    })
}
