//! `report`: availability, capacity, usage and alarms over any time.

use super::query::stamp;
use super::table::show;
use super::value;
use crate::cli::exit::{Exit, Failure};
use crate::cli::format::{Cell, Tone};
use crate::cli::frame::Frame;
use crate::cli::measure_args::{ReportArgs, ReportWord};
use crate::cli::moment::parse_in_zone;
use crate::cli::output::{Row, Sheet};
use crate::client::Report;
use crate::wire::v1;
use jiff::tz::TimeZone;
use prost_types::value::Kind;
use serde_json::{Map, Value};

/// Carries the command out.
///
/// # Errors
/// Wrong use; the daemon refuses or does not answer.
pub async fn report(frame: &Frame, args: &ReportArgs) -> Result<Exit, Failure> {
    let request = request(frame, args)?;
    let client = frame.client().await?;
    let report = client.report(request).await.map_err(|error| Failure::of_client(&error, client.target()))?;
    show(frame, sheet(&report), "rows", "nothing to report")?;
    Ok(Exit::Done)
}

fn request(frame: &Frame, args: &ReportArgs) -> Result<v1::GenerateReportRequest, Failure> {
    let zone = match &args.tz {
        Some(name) => TimeZone::get(name)
            .map_err(|_| Failure::usage(format!("--tz {name:?}: no such zone; write one as Europe/Berlin or UTC")))?,
        None => frame.clock.zone.clone(),
    };
    let now = frame.clock.now.to_zoned(zone);
    let at = |flag: &str, text: &str| {
        parse_in_zone(text, &now).map_err(|error| Failure::usage(format!("{flag} {text:?}: {error}")))
    };
    let end = match &args.to {
        Some(text) => at("--to", text)?,
        None => frame.clock.now,
    };
    let (grouping, group_label) = grouping(args.by.as_deref())?;
    let kind = match args.subject {
        ReportWord::Availability => v1::ReportKind::Availability,
        ReportWord::Capacity => v1::ReportKind::Capacity,
        ReportWord::Usage => v1::ReportKind::Usage,
        ReportWord::Alarms => v1::ReportKind::Alarms,
    };
    Ok(v1::GenerateReportRequest {
        kind: kind.into(),
        begin_time: Some(stamp(at("--from", &args.from)?)),
        end_time: Some(stamp(end)),
        grouping: grouping.into(),
        group_label,
    })
}

fn grouping(by: Option<&str>) -> Result<(v1::ReportGrouping, String), Failure> {
    let grouping = match by {
        None => v1::ReportGrouping::Unspecified,
        Some("vm" | "vms") => v1::ReportGrouping::VirtualMachine,
        Some("host" | "hosts") => v1::ReportGrouping::Host,
        Some("service" | "services") => v1::ReportGrouping::Service,
        Some(by) => match by.strip_prefix("label=").filter(|key| !key.is_empty()) {
            Some(key) => return Ok((v1::ReportGrouping::Label, key.to_owned())),
            None => return Err(Failure::usage(format!("--by {by:?}: write vm, host, service or label=KEY"))),
        },
    };
    Ok((grouping, String::new()))
}

fn sheet(report: &Report) -> Sheet {
    let heads = report.columns.iter().map(|column| {
        let title = if column.title.is_empty() { &column.name } else { &column.title };
        (title.to_uppercase(), false)
    });
    let rows = report.rows.iter().map(|row| {
        let cells: Vec<Cell> =
            report.columns.iter().zip(&row.cells).map(|(column, value)| cell(value, &column.unit)).collect();
        let json: Map<String, Value> =
            report.columns.iter().zip(&cells).map(|(column, cell)| (column.name.clone(), cell.raw.clone())).collect();
        let name = cells.first().map(|cell| cell.text.clone()).unwrap_or_default();
        Row { context: None, title: name.clone(), name, json: json.into(), cells }
    });
    Sheet { heads: heads.collect(), rows: rows.collect() }
}

fn cell(value: &prost_types::Value, unit: &str) -> Cell {
    match &value.kind {
        Some(Kind::StringValue(text)) => Cell::text(text.clone()),
        Some(Kind::NumberValue(number)) => value::cell(Some(*number), unit),
        Some(Kind::BoolValue(flag)) => Cell::flag(*flag),
        // What is not known is its own word, never a number.
        _ => Cell { text: "?".to_owned(), raw: Value::Null, tone: Tone::Dim },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_are_words_or_a_label() {
        assert_eq!(grouping(Some("label=tier")), Ok((v1::ReportGrouping::Label, "tier".to_owned())));
        assert_eq!(grouping(None), Ok((v1::ReportGrouping::Unspecified, String::new())));
        assert!(grouping(Some("label=")).is_err() && grouping(Some("rack")).is_err());
    }

    #[test]
    fn what_is_not_known_is_no_number() {
        let column = |name: &str, unit: &str| v1::ReportColumn {
            name: name.to_owned(),
            unit: unit.to_owned(),
            title: String::new(),
        };
        let value = |kind| prost_types::Value { kind: Some(kind) };
        let report = Report {
            columns: vec![column("object", ""), column("up_seconds", "s"), column("unknown_seconds", "s")],
            rows: vec![v1::ReportRow {
                cells: vec![
                    value(Kind::StringValue("web-1".into())),
                    value(Kind::NumberValue(86_400.0)),
                    value(Kind::NullValue(0)),
                ],
            }],
        };
        let sheet = sheet(&report);
        let texts: Vec<&str> = sheet.rows[0].cells.iter().map(|cell| cell.text.as_str()).collect();
        assert_eq!(texts, ["web-1", "1d", "?"]);
        assert_eq!(sheet.rows[0].json["unknown_seconds"], Value::Null);
    }
}
