//! `history`: alarms that left the list, and what happened to one.

use super::reference::{choose, without_kind};
use super::sheet::{ALARM, alarm_row, tone};
use super::subject::{id, object, person};
use super::view::{document, foreign, reporter};
use crate::cli::alarm_args::HistoryArgs;
use crate::cli::args::Format;
use crate::cli::change::refuse_selectors;
use crate::cli::exit::{Exit, Failure};
use crate::cli::find::find_all;
use crate::cli::format::{Cell, Clock, word};
use crate::cli::frame::Frame;
use crate::cli::kind::{Kind, parse_requests};
use crate::cli::output::{Row, Sheet, data, print};
use crate::client::{AlarmQuery, Client, ObjectExt, schema, time};
use crate::wire::v1;
use serde_json::json;

/// 10,000: closed alarms searched for one of a given id.
const SEARCHED: usize = 10_000;

/// Carries the command out.
///
/// # Errors
/// Wrong use; a name that means nothing; the daemon does not answer.
pub async fn history(
    frame: &Frame,
    args: &HistoryArgs,
    stdin: &mut dyn FnMut() -> Vec<String>,
) -> Result<Exit, Failure> {
    refuse_selectors(frame)?;
    let requests = parse_requests(&args.words, stdin)?;
    let [request] = requests.as_slice() else {
        return Err(Failure::usage("history of one thing at a time").with_next("vrmctl history alarms"));
    };
    let client = frame.client().await?;
    match (request.kind, request.names.as_slice()) {
        (Kind::Alarm, []) => closed(frame, &client, args, String::new()).await,
        (Kind::Alarm, [name]) => of_one(frame, &client, args, name).await,
        (Kind::Object(_), [_]) => {
            let objects = find_all(&client, &requests).await?;
            let name = objects.first().map(|(_, object)| object.name().to_owned()).unwrap_or_default();
            closed(frame, &client, args, name).await
        }
        _ => Err(Failure::usage("history of what? alarms, one alarm, or one object as KIND NAME")
            .with_next("vrmctl history alarms --since 24h")),
    }
}

/// Alarms that left the list.
async fn closed(frame: &Frame, client: &Client, args: &HistoryArgs, object: String) -> Result<Exit, Failure> {
    let found = read(client, request(args, object), args.limit).await?;
    if frame.global.output.is_foreign() {
        let reporter = reporter(client).await?;
        let format = frame.global.output;
        let records = found.iter().filter_map(|closed| closed.alarm.as_ref());
        let records = records.map(|alarm| foreign(&reporter, alarm, format)).collect();
        print(&data(&document(records, format), Format::Json))?;
        return Ok(Exit::Done);
    }
    let mut heads = vec![("CLOSED".to_owned(), false)];
    heads.extend(ALARM.iter().filter(|head| head.name != "AGE").map(|head| (head.name.to_owned(), head.wide)));
    let mut sheet = Sheet { heads, rows: found.iter().map(|closed| row(frame, closed)).collect() };
    if let Some(by) = &frame.global.sort {
        sheet.sort(by)?;
    }
    show(frame, &sheet)?;
    Ok(Exit::Done)
}

fn request(args: &HistoryArgs, object: String) -> v1::ListAlarmHistoryRequest {
    let at = |time: jiff::Timestamp| prost_types::Timestamp { seconds: time.as_second(), nanos: 0 };
    v1::ListAlarmHistoryRequest {
        start_time: args.since.map(at),
        end_time: args.until.map(at),
        object,
        alarm_type: args.alarm_type.clone(),
        min_severity: args.severity.map_or(0, |severity| severity.severity().into()),
        ..v1::ListAlarmHistoryRequest::default()
    }
}

async fn read(
    client: &Client,
    request: v1::ListAlarmHistoryRequest,
    limit: usize,
) -> Result<Vec<v1::ClosedAlarm>, Failure> {
    client.alarm_history(request, limit).await.map_err(|error| Failure::of_client(&error, client.target()))
}

fn row(frame: &Frame, closed: &v1::ClosedAlarm) -> Row {
    let alarm = closed.alarm.clone().unwrap_or_default();
    let mut cells = vec![frame.clock.time_cell(time(closed.close_time.as_ref()))];
    let own = ALARM.iter().zip(alarm_row(&alarm, &frame.clock, false));
    cells.extend(own.filter(|(head, _)| head.name != "AGE").map(|(_, cell)| cell));
    Row {
        context: None,
        name: alarm.name.clone(),
        title: alarm.name.clone(),
        json: schema::to_json("vrm.v1.ClosedAlarm", closed),
        cells,
    }
}

fn show(frame: &Frame, sheet: &Sheet) -> Result<(), Failure> {
    let style = frame.style();
    let objects = || sheet.rows.iter().map(|row| row.json.clone()).collect::<Vec<_>>();
    match frame.global.output {
        Format::Jsonl => objects().iter().try_for_each(|object| print(&data(object, Format::Jsonl))),
        format if format.is_data() => print(&data(&json!({ "closedAlarms": objects() }), format)),
        Format::Name => print(&sheet.rows.iter().map(|row| format!("{}\n", row.name)).collect::<String>()),
        Format::Csv => print(&sheet.grid(&style)?.csv(style.no_headers)),
        _ if sheet.rows.is_empty() => {
            eprintln!("no closed alarms found");
            Ok(())
        }
        _ => print(&sheet.grid(&style)?.draw(&style, &[])),
    }
}

/// What happened to one alarm, on the list or closed.
async fn of_one(frame: &Frame, client: &Client, args: &HistoryArgs, name: &str) -> Result<Exit, Failure> {
    let query = AlarmQuery { full: true, ..AlarmQuery::default() };
    let list = client.alarms(&query).await.map_err(|error| Failure::of_client(&error, client.target()))?;
    let alarm = match choose(name, &list.alarms) {
        Ok(alarm) => alarm.clone(),
        Err(failure) if failure.exit == Exit::NotFound => {
            let closed = read(client, request(args, String::new()), SEARCHED).await?;
            let closed: Vec<v1::Alarm> = closed.into_iter().filter_map(|closed| closed.alarm).collect();
            choose(name, &closed)
                .map_err(|failure| match failure.exit {
                    Exit::NotFound => unknown(name),
                    _ => failure,
                })?
                .clone()
        }
        Err(failure) => return Err(failure),
    };
    if frame.global.output.is_data() {
        print(&data(&schema::to_json("vrm.v1.Alarm", &alarm), frame.global.output))?;
        return Ok(Exit::Done);
    }
    eprintln!("{}/{}, alarm {}, last changes:", alarm.alarm_type, object(&alarm), id(&alarm.name));
    let heads = ["TIME", "WHAT", "SEVERITY", "WHO", "TEXT"];
    let rows = change_lines(&alarm, &frame.clock).into_iter().map(|cells| Row {
        context: None,
        name: alarm.name.clone(),
        title: String::new(),
        json: serde_json::Value::Null,
        cells,
    });
    let sheet = Sheet { heads: heads.iter().map(|head| ((*head).to_owned(), false)).collect(), rows: rows.collect() };
    show(frame, &sheet)?;
    Ok(Exit::Done)
}

fn unknown(name: &str) -> Failure {
    Failure::new(Exit::NotFound, format!("alarm/{} is neither on the list nor in the history", without_kind(name)))
        .with_next("vrmctl history alarms -o wide")
}

/// An alarm's status changes as lines: time, what, severity after it, who, text.
pub fn change_lines(alarm: &v1::Alarm, clock: &Clock) -> Vec<Vec<Cell>> {
    let line = |change: &v1::AlarmStatusChange| {
        let severity = word(change.severity().as_str_name(), "SEVERITY_");
        vec![
            clock.time_cell(time(change.time.as_ref())),
            Cell::text(word(change.transition().as_str_name(), "ALARM_TRANSITION_")),
            Cell::text(severity).toned(tone(change.severity())),
            Cell::text(person(change.actor.as_ref())),
            Cell::text(change.text.clone()),
        ]
    };
    alarm.history.iter().map(line).collect()
}
