//! Closed alarms: what left the alarm list, kept to be asked for by time, object, type and severity.

use super::row::signed;
use crate::model::alarm_command::ClosedAlarmQuery;
use crate::model::{Body, Change, ChangeKind, Object, Timestamp};
use rusqlite::types::Value;
use rusqlite::{Connection, params, params_from_iter};
use std::sync::Arc;

/// Some closed alarms, newest first.
#[derive(Debug, Default)]
pub struct ClosedAlarmPage {
    /// Row number (the sequence of the removal), last state, and when it left the list.
    pub rows: Vec<(u64, Arc<Object>, Timestamp)>,
    /// Row to continue after ([`ClosedAlarmQuery::continue_after`]); nothing on the last page.
    pub next: Option<u64>,
}

/// Keeps an alarm that leaves the list; other changes are none of its business.
pub(super) fn keep(connection: &Connection, change: &Change, body: &str) -> rusqlite::Result<()> {
    let Body::Alarm(alarm) = &change.object.body else { return Ok(()) };
    if change.kind != ChangeKind::Removed {
        return Ok(());
    }
    connection
        .prepare_cached(
            "INSERT INTO closed_alarms
                 (id, name, object, alarm_type, highest_severity, raise_time, clear_time, close_time, body)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
        )?
        .execute(params![
            signed(change.sequence),
            change.name.as_str(),
            alarm.object.as_str(),
            alarm.alarm_type,
            // Declared lowest first, never stored as a word: queries ask for "this or above".
            alarm.highest_severity as i64,
            alarm.raise_time.0,
            alarm.clear_time.map(|time| time.0),
            change.time.0,
            body
        ])?;
    Ok(())
}

/// Reads a page: row, last state as stored, time of closing. One row more than asked for says that there is a next page.
pub(super) fn query(connection: &Connection, query: &ClosedAlarmQuery) -> rusqlite::Result<Vec<(i64, String, i64)>> {
    let (conditions, mut values) = conditions(query);
    values.push(Value::Integer(i64::try_from(query.limit.saturating_add(1)).unwrap_or(i64::MAX)));
    // The rows are found first and read afterwards, so that sorting moves numbers and not bodies.
    let sql = format!(
        "SELECT id, body, close_time FROM closed_alarms WHERE id IN
             (SELECT id FROM closed_alarms WHERE {conditions} ORDER BY id DESC LIMIT ?)
         ORDER BY id DESC"
    );
    let mut statement = connection.prepare_cached(&sql)?;
    let rows = statement.query_map(params_from_iter(values), |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
    rows.collect()
}

fn conditions(query: &ClosedAlarmQuery) -> (String, Vec<Value>) {
    let mut conditions = vec!["true"];
    let mut values = Vec::new();
    if let Some(before) = query.before {
        conditions.push("raise_time <= ?");
        values.push(Value::Integer(before.0));
    }
    if let Some(after) = query.after {
        conditions.push("close_time >= ?");
        values.push(Value::Integer(after.0));
    }
    if !query.object.is_empty() {
        // The object's parts lie between `object/` and the character after the slash.
        conditions.push("(object = ? OR (object >= ? AND object < ?))");
        values.push(Value::Text(query.object.clone()));
        values.push(Value::Text(format!("{}/", query.object)));
        values.push(Value::Text(format!("{}0", query.object)));
    }
    if !query.alarm_type.is_empty() {
        conditions.push("alarm_type = ?");
        values.push(Value::Text(query.alarm_type.clone()));
    }
    if let Some(severity) = query.min_severity {
        conditions.push("highest_severity >= ?");
        values.push(Value::Integer(severity as i64));
    }
    if let Some(row) = query.continue_after {
        conditions.push("id < ?");
        values.push(Value::Integer(signed(row)));
    }
    (conditions.join(" AND "), values)
}
