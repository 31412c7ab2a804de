//! Measured values as people read them. Pure.

use crate::cli::format::{Cell, Tone, short_span, size, word};
use crate::wire::v1;
use serde_json::Value;
use std::time::Duration;
use v1::measurement_point::Result as Outcome;

/// The value of a point, if it has one.
#[expect(clippy::cast_precision_loss, reason = "for people and charts; exact values are in json")]
pub fn number(point: &v1::MeasurementPoint) -> Option<f64> {
    match point.result {
        Some(Outcome::IntegerValue(value)) => Some(value as f64),
        Some(Outcome::DoubleValue(value)) => Some(value),
        Some(Outcome::Absent(_)) | None => None,
    }
}

/// Why a point has no value.
pub fn absence(point: &v1::MeasurementPoint) -> String {
    match point.result {
        Some(Outcome::Absent(reason)) => {
            let reason = v1::AbsentReason::try_from(reason).unwrap_or(v1::AbsentReason::Unspecified);
            word(reason.as_str_name(), "ABSENT_REASON_")
        }
        _ => String::new(),
    }
}

/// What speaks against a point: why it has no value, or why it must be used with care.
pub fn note(point: &v1::MeasurementPoint) -> Cell {
    let suspect: Vec<String> =
        point.suspect_reasons().map(|reason| word(reason.as_str_name(), "SUSPECT_REASON_")).collect();
    let note = [absence(point), suspect.join(", ")].into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>();
    if note.is_empty() { Cell::text("") } else { Cell::text(note.join("; ")).toned(Tone::Warn) }
}

/// A value with its unit; absent shows as `?`, never as 0.
pub fn cell(value: Option<f64>, unit: &str) -> Cell {
    let Some(value) = value else { return Cell::unknown() };
    Cell { text: text(value, unit), raw: Value::from(value), tone: Tone::Plain }
}

/// A value with its unit (UCUM).
pub fn text(value: f64, unit: &str) -> String {
    match unit {
        "By" => bytes(value),
        "By/s" => format!("{}/s", bytes(value)),
        "%" => format!("{value:.1} %"),
        "ns" => seconds(value / 1e9),
        "ms" => format!("{} ms", short(value)),
        "s" => seconds(value),
        "1" => short(value),
        "Cel" => format!("{} °C", short(value)),
        unit if unit.starts_with('{') => match unit.split_once('}') {
            Some((_, rest)) => format!("{}{rest}", short(value)),
            None => short(value),
        },
        unit => format!("{} {unit}", short(value)),
    }
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped to what fits")]
fn bytes(value: f64) -> String {
    size(value.clamp(0.0, 9e18) as u64)
}

fn seconds(value: f64) -> String {
    if value < 120.0 {
        return format!("{} s", short(value));
    }
    short_span(Duration::try_from_secs_f64(value).unwrap_or(Duration::MAX))
}

/// At most three digits behind the point, without trailing zeros.
pub fn short(value: f64) -> String {
    let text = if value.abs() >= 100.0 { format!("{value:.0}") } else { format!("{value:.3}") };
    if !text.contains('.') {
        return text;
    }
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_shown_in_their_unit_and_absent_ones_never_as_zero() {
        assert_eq!(text(1_610_612_736.0, "By"), "1.5 GiB");
        assert_eq!(text(12.34, "%"), "12.3 %");
        assert_eq!(text(2.5e9, "ns"), "2.5 s");
        assert_eq!(text(7_200e9, "ns"), "2h");
        assert_eq!(text(3.0, "{cpu}"), "3");
        assert_eq!(text(0.5, "{operation}/s"), "0.5/s");
        assert_eq!(cell(None, "%").text, "?");
    }

    #[test]
    fn what_speaks_against_a_point_is_said() {
        let absent = v1::MeasurementPoint {
            result: Some(Outcome::Absent(v1::AbsentReason::HostLost.into())),
            suspect_reasons: vec![v1::SuspectReason::Gap.into()],
            ..Default::default()
        };
        assert_eq!(note(&absent).text, "host-lost; gap");
        assert_eq!(number(&absent), None);
    }
}
