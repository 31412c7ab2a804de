//! What a job or monitor can have of what it asks for (REQ-PM-FUN-06), and how many series that is.

use super::port::{Measurements, MetricDescription};
use super::selection::{Selected, Selection};
use crate::model::measurement::AbsentReason;
use crate::model::metric::Metric;
use crate::northbound::limits;
use crate::northbound::published::Published;
use crate::wire::convert;
use crate::wire::v1;
use std::collections::{BTreeMap, BTreeSet};

/// The verdict on a scope and its metrics.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Support {
    /// What cannot be had, at most [`limits::BATCH`].
    pub(super) unsupported: Vec<v1::UnsupportedMeasurement>,
    /// What is left out of it.
    pub(super) omitted: u32,
    /// Series there are now.
    pub(super) series: u64,
    /// Series asked for that there are not.
    pub(super) refused: u64,
}

impl Support {
    /// True if something was asked for and nothing of it can be had.
    pub(super) fn is_nothing(&self) -> bool {
        self.series == 0 && self.refused > 0
    }

    fn refuse(&mut self, object: &str, metric: Metric, reason: AbsentReason, text: &str) {
        self.refused += 1;
        if self.unsupported.len() == limits::BATCH {
            self.omitted = self.omitted.saturating_add(1);
            return;
        }
        self.unsupported.push(v1::UnsupportedMeasurement {
            object: object.to_owned(),
            metric: metric.name().to_owned(),
            reason: convert::absent_reason(reason),
            text: text.to_owned(),
        });
    }
}

/// Judges by what the objects give now. A reason that passes (the machine is off, its host does not answer) is no
/// reason to refuse.
pub(super) fn support(published: &Published, measurements: &dyn Measurements, selection: &Selection) -> Support {
    let descriptions = measurements.descriptions();
    let mut support = Support::default();
    let nowhere: BTreeSet<Metric> = descriptions
        .iter()
        .filter(|MetricDescription { metric, visible, .. }| visible.is_empty() && selection.metrics.contains(metric))
        .map(|description| description.metric)
        .collect();
    for metric in &nowhere {
        support.refuse("", *metric, AbsentReason::Unsupported, "this version measures it nowhere");
    }
    let objects = selection.objects(published);
    let mut without_object: BTreeSet<Metric> = selection.metrics.difference(&nowhere).copied().collect();
    for object in &objects {
        judge(&mut support, measurements, selection, object, &nowhere, &mut without_object);
    }
    if !objects.is_empty() {
        for metric in without_object {
            support.refuse("", metric, AbsentReason::Unsupported, "none of the objects has it");
        }
    }
    support
}

fn judge(
    support: &mut Support,
    measurements: &dyn Measurements,
    selection: &Selection,
    object: &Selected,
    nowhere: &BTreeSet<Metric>,
    without_object: &mut BTreeSet<Metric>,
) {
    let readings = selection.readings(measurements.latest_of(&object.owner));
    let mut refused: BTreeMap<(String, Metric), AbsentReason> = BTreeMap::new();
    for reading in readings.iter().filter(|reading| !nowhere.contains(&reading.metric)) {
        without_object.remove(&reading.metric);
        match reading.value {
            Err(reason @ (AbsentReason::Unsupported | AbsentReason::ReadOnlyConnection)) => {
                refused.insert((reading.key.name().to_string(), reading.metric), reason);
            }
            _ => support.series += 1,
        }
    }
    for ((name, metric), reason) in refused {
        support.refuse(&name, metric, reason, text(reason));
    }
    if readings.is_empty() {
        // Not measured yet: nothing says that it cannot be.
        let own = object.name.class();
        for metric in
            selection.metrics.iter().filter(|metric| Some(super::selection::owner_class(metric.class())) == own)
        {
            without_object.remove(metric);
            support.series += 1;
        }
    }
}

fn text(reason: AbsentReason) -> &'static str {
    match reason {
        AbsentReason::ReadOnlyConnection => "the read-only connection of profile monitor forbids it",
        _ => "the technology or the server of the host does not have it",
    }
}
