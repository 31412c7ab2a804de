//! `query`: newest readings and history as table, CSV, JSON or small charts.

use super::chart::{chart, columns};
use super::scope::{called, names};
use super::table::show;
use super::value::{cell, note, number, text};
use crate::cli::exit::{Exit, Failure};
use crate::cli::format::Cell;
use crate::cli::frame::Frame;
use crate::cli::measure_args::QueryArgs;
use crate::cli::output::{Row, Sheet, print};
use crate::client::{Client, schema, time};
use crate::wire::v1;
use jiff::Timestamp;
use std::collections::BTreeMap;

/// Columns of a chart.
const WIDTH: usize = 72;

/// Lines of a chart.
const HEIGHT: usize = 6;

/// Carries the command out.
///
/// # Errors
/// Wrong use; a name that means nothing; the daemon refuses or does not answer.
pub async fn query(frame: &Frame, args: &QueryArgs) -> Result<Exit, Failure> {
    let client = frame.client().await?;
    let of_call = |error| Failure::of_client(&error, client.target());
    let units = units(&client).await?;
    if let Some(unknown) = args.metrics.iter().find(|metric| !units.contains_key(*metric)) {
        return Err(Failure::new(Exit::NotFound, format!("no metric {unknown:?}")).with_next("vrmctl get metrics"));
    }
    let range = Range::of(args, frame.clock.now);
    let request = v1::QueryMeasurementsRequest {
        objects: names(&client, &args.of).await?,
        filter: frame.filter()?,
        metrics: args.metrics.clone(),
        granularity_seconds: range.map_or(0, |range| range.granularity),
        begin_time: range.map(|range| stamp(range.begin)),
        end_time: range.map(|range| stamp(range.end)),
        ..v1::QueryMeasurementsRequest::default()
    };
    let series = client.measurements(request).await.map_err(of_call)?;
    match range {
        Some(_) if args.chart && !frame.global.output.is_data() => charts(&series, &units)?,
        Some(_) => show(frame, history(frame, &series, &units), "series", "nothing was measured")?,
        None => show(frame, newest(frame, &series, &units), "series", "nothing is measured")?,
    }
    Ok(Exit::Done)
}

/// Units of metrics by name.
///
/// # Errors
/// The daemon does not answer.
pub async fn units(client: &Client) -> Result<BTreeMap<String, String>, Failure> {
    let metrics = client.metrics().await.map_err(|error| Failure::of_client(&error, client.target()))?;
    Ok(metrics.metric_descriptors.into_iter().map(|metric| (metric.metric, metric.unit)).collect())
}

/// A time as requests carry it.
pub fn stamp(time: Timestamp) -> prost_types::Timestamp {
    prost_types::Timestamp { seconds: time.as_second(), nanos: time.subsec_nanosecond() }
}

/// The time asked for and the length of its periods.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Range {
    begin: Timestamp,
    end: Timestamp,
    granularity: u32,
}

impl Range {
    /// The range of the arguments; nothing for the newest readings.
    fn of(args: &QueryArgs, now: Timestamp) -> Option<Self> {
        let last = args.last.and_then(|last| jiff::SignedDuration::try_from(last).ok());
        let begin = match last {
            Some(last) => now.checked_sub(last).ok()?,
            // Periods without a time: of the last hour.
            None if args.from.is_none() && (args.every.is_some() || args.chart) => {
                now.checked_sub(jiff::SignedDuration::from_hours(1)).ok()?
            }
            None => args.from?,
        };
        let end = args.to.unwrap_or(now);
        let seconds = end.as_second().saturating_sub(begin.as_second());
        Some(Self { begin, end, granularity: args.every.unwrap_or(granularity(seconds, now, begin)) })
    }
}

/// The finest periods that are kept for as long (60 s for 48 h, 900 s for 35 d), but not more than a screen of them.
fn granularity(seconds: i64, now: Timestamp, begin: Timestamp) -> u32 {
    const HOUR: i64 = 3_600;
    let age = now.as_second().saturating_sub(begin.as_second());
    match (seconds, age) {
        (_, age) if age > 35 * 24 * HOUR => 3_600,
        (seconds, age) if seconds > 6 * HOUR || age > 48 * HOUR => 900,
        _ => 60,
    }
}

type Units = BTreeMap<String, String>;

fn unit<'a>(units: &'a Units, metric: &str) -> &'a str {
    units.get(metric).map_or("", String::as_str)
}

fn heads(names: &[(&str, bool)]) -> Vec<(String, bool)> {
    names.iter().map(|(name, wide)| ((*name).to_owned(), *wide)).collect()
}

fn newest(frame: &Frame, series: &[v1::MeasurementSeries], units: &Units) -> Sheet {
    let rows = series.iter().filter_map(|one| {
        let point = one.points.last()?;
        let unit = unit(units, &one.metric);
        Some(row(
            one,
            vec![
                Cell::text(called(&one.object, &one.object_label)),
                Cell::text(one.metric.clone()),
                cell(number(point), unit),
                Cell::text(unit),
                frame.clock.age_cell(time(point.time.as_ref())),
                note(point),
                Cell::text(one.object.clone()),
            ],
        ))
    });
    let heads = heads(&[
        ("OBJECT", false),
        ("METRIC", false),
        ("VALUE", false),
        ("UNIT", true),
        ("AGE", false),
        ("NOTE", false),
        ("NAME", true),
    ]);
    Sheet { heads, rows: rows.collect() }
}

fn history(frame: &Frame, series: &[v1::MeasurementSeries], units: &Units) -> Sheet {
    let rows = series.iter().flat_map(|one| {
        let unit = unit(units, &one.metric);
        one.points.iter().map(move |point| {
            row(
                one,
                vec![
                    frame.clock.time_cell(time(point.start_time.as_ref())),
                    Cell::text(called(&one.object, &one.object_label)),
                    Cell::text(one.metric.clone()),
                    cell(number(point), unit),
                    optional(point.min, unit),
                    optional(point.max, unit),
                    Cell::number(point.samples),
                    note(point),
                    Cell::text(unit),
                    Cell::text(one.object.clone()),
                ],
            )
        })
    });
    let heads = heads(&[
        ("BEGIN", false),
        ("OBJECT", false),
        ("METRIC", false),
        ("VALUE", false),
        ("MIN", false),
        ("MAX", false),
        ("SAMPLES", true),
        ("NOTE", false),
        ("UNIT", true),
        ("NAME", true),
    ]);
    let mut sheet = Sheet { heads, rows: rows.collect() };
    if frame.global.output.is_data() {
        // One object for each series, not for each point.
        sheet.rows.dedup_by(|one, other| one.title == other.title);
    }
    sheet
}

fn optional(value: Option<f64>, unit: &str) -> Cell {
    if value.is_none() { Cell::text("") } else { cell(value, unit) }
}

fn row(series: &v1::MeasurementSeries, cells: Vec<Cell>) -> Row {
    Row {
        context: None,
        name: series.object.clone(),
        title: format!("{} {}", series.object, series.metric),
        json: schema::to_json("vrm.v1.MeasurementSeries", series),
        cells,
    }
}

fn charts(series: &[v1::MeasurementSeries], units: &Units) -> Result<(), Failure> {
    if series.is_empty() {
        eprintln!("nothing was measured");
    }
    for one in series {
        let unit = unit(units, &one.metric);
        let values: Vec<Option<f64>> = spread(&one.points);
        let lines = chart(&columns(&values, WIDTH), HEIGHT, |value| text(value, unit));
        let title = format!("{} {}", called(&one.object, &one.object_label), one.metric);
        print(&format!("{title}\n{}\n\n", lines.join("\n")))?;
    }
    Ok(())
}

/// Values with gaps where periods are missing.
fn spread(points: &[v1::MeasurementPoint]) -> Vec<Option<f64>> {
    let second = |time: Option<&prost_types::Timestamp>| time.map(|time| time.seconds);
    let mut values = Vec::new();
    let mut expected: Option<i64> = None;
    for point in points {
        let (begin, end) = (second(point.start_time.as_ref()), second(point.time.as_ref()));
        if let (Some(expected), Some(begin), Some(end)) = (expected, begin, end) {
            let missing = (begin - expected) / (end - begin).max(1);
            values.extend((0..missing.clamp(0, 10_000)).map(|_| None));
        }
        values.push(number(point));
        expected = end;
    }
    values
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn args(last: u64) -> QueryArgs {
        QueryArgs { last: Some(Duration::from_secs(last)), ..QueryArgs::default() }
    }

    #[test]
    fn periods_suit_the_length_of_the_time() {
        let now: Timestamp = "2026-03-01T12:00:00Z".parse().expect("a time");
        let length = |last| Range::of(&args(last), now).map(|range| range.granularity);
        assert_eq!(length(3 * 3_600), Some(60));
        assert_eq!(length(86_400), Some(900));
        assert_eq!(length(90 * 86_400), Some(3_600));
        assert_eq!(Range::of(&QueryArgs::default(), now), None);
        let chart = QueryArgs { chart: true, ..QueryArgs::default() };
        assert_eq!(Range::of(&chart, now).map(|range| range.granularity), Some(60));
    }

    #[test]
    fn missing_periods_are_gaps() {
        let point = |begin: i64| v1::MeasurementPoint {
            result: Some(v1::measurement_point::Result::DoubleValue(1.0)),
            start_time: Some(prost_types::Timestamp { seconds: begin, nanos: 0 }),
            time: Some(prost_types::Timestamp { seconds: begin + 60, nanos: 0 }),
            ..Default::default()
        };
        assert_eq!(spread(&[point(0), point(180)]), [Some(1.0), None, None, Some(1.0)]);
    }
}
