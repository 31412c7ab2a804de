//! Records beside the results: what objects are called, intervals of their availability, reports of jobs.

use super::objects::{self, Interned, MeasuredFacts};
use crate::model::measurement::MeasuredKey;
use crate::model::{Name, Timestamp};
use rusqlite::{Connection, params};

/// Something to remember beside results. Records handed over together are committed together.
#[derive(Clone, Debug, PartialEq)]
pub enum Record {
    /// What is known of an object.
    Facts(MeasuredFacts),
    /// From a time on an object is in another state; nothing: it is gone. An interval that is open ends then.
    State {
        /// The object.
        object: Name,
        /// Since when.
        time: Timestamp,
        /// Word of the state.
        state: Option<&'static str>,
    },
    /// A report of a job is over.
    Report(ReportRow),
    /// How far who writes records has come, in words of its own.
    Position {
        /// Whose.
        key: &'static str,
        /// What it remembers.
        value: String,
    },
}

/// A report of a measurement job, as it is listed; its rows are read as history.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReportRow {
    /// Id of the job.
    pub job: String,
    /// Begin of the reporting period.
    pub begin: Timestamp,
    /// Its end.
    pub end: Timestamp,
    /// True if every granularity period was measured.
    pub complete: bool,
    /// Results that must be used with care.
    pub suspect: u64,
    /// Results of one metric of one object over one granularity period.
    pub results: u64,
    /// The job as it was then, as JSON: what to ask the history for.
    pub body: String,
}

/// A time in which an object was in one state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StateInterval {
    /// The object.
    pub object: Name,
    /// Word of the state.
    pub state: String,
    /// Begin.
    pub begin: Timestamp,
    /// End; nothing while it lasts.
    pub end: Option<Timestamp>,
}

/// Writes records.
pub(super) fn write(connection: &Connection, interned: &mut Interned, records: &[Record]) -> rusqlite::Result<()> {
    for record in records {
        match record {
            Record::Facts(facts) => objects::describe(connection, facts)?,
            Record::State { object, time, state } => write_state(connection, interned, object, *time, *state)?,
            Record::Report(report) => write_report(connection, report)?,
            Record::Position { key, value } => crate::store::row::set_meta(connection, key, value)?,
        }
    }
    Ok(())
}

fn write_state(
    connection: &Connection,
    interned: &mut Interned,
    object: &Name,
    time: Timestamp,
    state: Option<&str>,
) -> rusqlite::Result<()> {
    let Some(key) = MeasuredKey::of_name(object) else { return Ok(()) };
    let id = interned.object(connection, &key)?;
    connection
        .prepare_cached("UPDATE state_intervals SET end = max(begin, ?2) WHERE object = ?1 AND end IS NULL")?
        .execute(params![id, time.0])?;
    if let Some(state) = state {
        connection
            .prepare_cached(
                "INSERT OR REPLACE INTO state_intervals (object, begin, end, state) VALUES (?1, ?2, NULL, ?3)",
            )?
            .execute(params![id, time.0, state])?;
    }
    Ok(())
}

fn write_report(connection: &Connection, report: &ReportRow) -> rusqlite::Result<()> {
    let count = |value: u64| i64::try_from(value).unwrap_or(i64::MAX);
    connection
        .prepare_cached(
            "INSERT OR REPLACE INTO reports (job, begin, end, complete, suspect, results, body)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
        )?
        .execute(params![
            report.job,
            report.begin.0,
            report.end.0,
            report.complete,
            count(report.suspect),
            count(report.results),
            report.body
        ])?;
    Ok(())
}

/// Reports of a job that end after a time, oldest first.
pub(super) fn reports(
    connection: &Connection,
    job: &str,
    after: Timestamp,
    limit: usize,
) -> rusqlite::Result<Vec<ReportRow>> {
    let mut statement = connection.prepare_cached(
        "SELECT job, begin, end, complete, suspect, results, body FROM reports
         WHERE job = ?1 AND end > ?2 ORDER BY begin LIMIT ?3",
    )?;
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let count = |value: i64| u64::try_from(value).unwrap_or(0);
    let rows = statement.query_map(params![job, after.0, limit], |row| {
        Ok(ReportRow {
            job: row.get(0)?,
            begin: Timestamp(row.get(1)?),
            end: Timestamp(row.get(2)?),
            complete: row.get(3)?,
            suspect: count(row.get(4)?),
            results: count(row.get(5)?),
            body: row.get(6)?,
        })
    })?;
    rows.collect()
}

/// Intervals that overlap a time, by object and begin.
pub(super) fn intervals(
    connection: &Connection,
    begin: Timestamp,
    end: Timestamp,
) -> rusqlite::Result<Vec<StateInterval>> {
    let mut statement = connection.prepare_cached(
        "SELECT name, state, begin, end FROM state_intervals JOIN objects ON id = object
         WHERE begin < ?2 AND (end IS NULL OR end > ?1) ORDER BY name, begin",
    )?;
    let rows = statement.query_map([begin.0, end.0], |row| {
        Ok(StateInterval {
            object: Name::new(row.get::<_, String>(0)?),
            state: row.get(1)?,
            begin: Timestamp(row.get(2)?),
            end: row.get::<_, Option<i64>>(3)?.map(Timestamp),
        })
    })?;
    rows.collect()
}

/// What a writer of records remembers.
pub(super) fn position(connection: &Connection, key: &str) -> rusqlite::Result<Option<String>> {
    use rusqlite::OptionalExtension;
    connection.query_row("SELECT value FROM meta WHERE key = ?1", [key], |row| row.get(0)).optional()
}
