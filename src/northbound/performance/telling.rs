//! Readings as series of one point.

use crate::model::measurement::LatestReading;
use crate::wire::convert;
use crate::wire::v1;

/// A reading with the name of its object for people.
pub(super) fn reading_series(reading: &LatestReading, label: &str) -> v1::MeasurementSeries {
    v1::MeasurementSeries {
        object: reading.key.name().to_string(),
        object_label: label.to_owned(),
        metric: reading.metric.name().to_owned(),
        points: vec![convert::reading_point(reading)],
    }
}
