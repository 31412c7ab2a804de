//! Reading old transitions, for subscribers that were away.

use crate::model::history::{HistoryError, TransitionHistory};
use crate::model::{Change, ChangeKind, ChangeSource, Name, Timestamp};
use rusqlite::Connection;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// A read-only connection to the transitions.
#[derive(Debug)]
pub struct JournalReader {
    connection: Mutex<Connection>,
    oldest: AtomicU64,
}

impl JournalReader {
    pub(super) fn new(connection: Connection) -> rusqlite::Result<Self> {
        connection.execute_batch("PRAGMA query_only=ON; PRAGMA busy_timeout=5000;")?;
        let first: Option<i64> = connection.query_row("SELECT min(sequence) FROM transitions", [], |row| row.get(0))?;
        let oldest = first.and_then(|sequence| u64::try_from(sequence - 1).ok()).unwrap_or(0);
        Ok(Self { connection: Mutex::new(connection), oldest: AtomicU64::new(oldest) })
    }

    /// The writer tells what it deleted.
    pub(super) fn set_oldest(&self, oldest: u64) {
        self.oldest.store(oldest, Ordering::Release);
    }

    /// Whether the database is whole (`PRAGMA quick_check`); blocks for as long as it takes.
    ///
    /// # Errors
    /// The first complaint.
    pub fn quick_check(&self) -> Result<(), String> {
        let connection = self.connection.lock().unwrap_or_else(PoisonError::into_inner);
        let verdict: String =
            connection.query_row("PRAGMA quick_check(1)", [], |row| row.get(0)).map_err(|error| error.to_string())?;
        if verdict == "ok" { Ok(()) } else { Err(verdict) }
    }

    fn rows(&self, after: u64, limit: usize) -> rusqlite::Result<Vec<Row>> {
        let connection = self.connection.lock().unwrap_or_else(PoisonError::into_inner);
        let mut statement = connection.prepare_cached(
            "SELECT sequence, time, name, kind, source, attributes, body FROM transitions
             WHERE sequence > ?1 ORDER BY sequence LIMIT ?2",
        )?;
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let after = i64::try_from(after).unwrap_or(i64::MAX);
        let rows = statement.query_map([after, limit], |row| {
            Ok(Row {
                sequence: row.get(0)?,
                time: row.get(1)?,
                name: row.get(2)?,
                kind: row.get(3)?,
                source: row.get(4)?,
                attributes: row.get(5)?,
                body: row.get(6)?,
            })
        })?;
        rows.collect()
    }
}

struct Row {
    sequence: i64,
    time: i64,
    name: String,
    kind: String,
    source: String,
    attributes: String,
    body: String,
}

impl Row {
    fn parse(self) -> Result<Arc<Change>, serde_json::Error> {
        Ok(Arc::new(Change {
            sequence: u64::try_from(self.sequence).unwrap_or(0),
            kind: serde_json::from_value::<ChangeKind>(self.kind.into())?,
            name: Name::new(self.name),
            object: Arc::new(serde_json::from_str(&self.body)?),
            attributes: serde_json::from_str(&self.attributes)?,
            source: serde_json::from_value::<ChangeSource>(self.source.into())?,
            time: Timestamp(self.time),
        }))
    }
}

impl TransitionHistory for JournalReader {
    fn read(&self, after: u64, limit: usize) -> Result<Vec<Arc<Change>>, HistoryError> {
        let rows = self.rows(after, limit).map_err(|error| HistoryError(error.to_string()))?;
        rows.into_iter().map(|row| row.parse().map_err(|error| HistoryError(error.to_string()))).collect()
    }

    fn oldest(&self) -> u64 {
        self.oldest.load(Ordering::Acquire)
    }
}
