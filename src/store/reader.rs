//! Reading old transitions, for subscribers that were away, and closed alarms.

use super::closed::{self, ClosedAlarmPage};
use super::retention::Oldest;
use super::row::word;
use super::transition::{COLUMNS, Row};
use crate::model::alarm_command::ClosedAlarmQuery;
use crate::model::history::{HistoryError, TransitionHistory};
use crate::model::{Change, Object, ObjectClass, Timestamp};
use rusqlite::Connection;
use rusqlite::types::Value;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// A read-only connection to the journal. Every method blocks on the disk.
#[derive(Debug)]
pub struct JournalReader {
    connection: Mutex<Connection>,
    oldest: Mutex<Oldest>,
}

impl JournalReader {
    pub(super) fn new(connection: Connection) -> rusqlite::Result<Self> {
        connection.execute_batch("PRAGMA query_only=ON; PRAGMA busy_timeout=5000;")?;
        let oldest = Oldest::read(&connection)?;
        Ok(Self { connection: Mutex::new(connection), oldest: Mutex::new(oldest) })
    }

    /// The writer tells what it is about to delete.
    pub(super) fn set_oldest(&self, oldest: Oldest) {
        *self.oldest.lock().unwrap_or_else(PoisonError::into_inner) = oldest;
    }

    /// Whether the database is whole (`PRAGMA quick_check`); blocks for as long as it takes.
    ///
    /// # Errors
    /// The first complaint.
    pub fn quick_check(&self) -> Result<(), String> {
        let verdict: String = self
            .connection()
            .query_row("PRAGMA quick_check(1)", [], |row| row.get(0))
            .map_err(|error| error.to_string())?;
        if verdict == "ok" { Ok(()) } else { Err(verdict) }
    }

    /// Alarms that left the alarm list, newest first.
    ///
    /// # Errors
    /// [`HistoryError`] if the store cannot be read.
    pub fn closed_alarms(&self, query: &ClosedAlarmQuery) -> Result<ClosedAlarmPage, HistoryError> {
        let found = closed::query(&self.connection(), query).map_err(failed)?;
        let more = found.len() > query.limit;
        let mut page = ClosedAlarmPage::default();
        for (row, body, close_time) in found.into_iter().take(query.limit) {
            let object: Object = serde_json::from_str(&body).map_err(failed)?;
            page.rows.push((u64::try_from(row).unwrap_or(0), Arc::new(object), Timestamp(close_time)));
        }
        page.next = page.rows.last().filter(|_| more).map(|(row, _, _)| *row);
        Ok(page)
    }

    fn connection(&self) -> MutexGuard<'_, Connection> {
        self.connection.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn rows(&self, after: u64, until: u64, classes: &[ObjectClass], limit: usize) -> rusqlite::Result<Vec<Row>> {
        let connection = self.connection();
        // Records are few and have an index; without saying so every resource in between would be passed over.
        let records = if classes.iter().any(|class| class.is_resource()) { "" } else { "AND name GLOB 'alarm*'" };
        let marks = vec!["?"; classes.len()].join(", ");
        let mut statement = connection.prepare_cached(&format!(
            "SELECT {COLUMNS} FROM transitions
             WHERE sequence > ? AND sequence <= ? {records} AND class IN ({marks}) ORDER BY sequence LIMIT ?"
        ))?;
        let number = |value: u64| Value::Integer(i64::try_from(value).unwrap_or(i64::MAX));
        let mut values = vec![number(after), number(until)];
        values.extend(classes.iter().map(|class| Value::Text(word(class))));
        values.push(number(limit as u64));
        let rows = statement.query_map(rusqlite::params_from_iter(values), Row::read)?;
        rows.collect()
    }
}

fn failed(error: impl std::fmt::Display) -> HistoryError {
    HistoryError(error.to_string())
}

impl TransitionHistory for JournalReader {
    fn read(
        &self,
        after: u64,
        until: u64,
        classes: &[ObjectClass],
        limit: usize,
    ) -> Result<Vec<Arc<Change>>, HistoryError> {
        let rows = self.rows(after, until, classes, limit).map_err(failed)?;
        rows.into_iter().map(|row| row.parse().map(Arc::new).map_err(failed)).collect()
    }

    fn oldest(&self, classes: &[ObjectClass]) -> u64 {
        self.oldest.lock().unwrap_or_else(PoisonError::into_inner).of(classes)
    }
}
