//! One change as a row of `transitions`.

use super::definitions;
use super::row::{json, signed, unsigned, word};
use crate::model::{Change, ChangeKind, ChangeSource, Name, Timestamp};
use rusqlite::{Connection, params};
use std::sync::Arc;

/// The columns of a [`Row`], in order.
pub(super) const COLUMNS: &str = "sequence, time, name, kind, source, attributes, body, definition,
    (SELECT body FROM definitions WHERE id = transitions.definition)";

/// Writes a change whose object has a stored definition or none; answers the object's JSON without that.
pub(super) fn write(connection: &Connection, change: &Change, definition: Option<i64>) -> rusqlite::Result<String> {
    let body = definitions::body(&change.object, definition)?;
    connection
        .prepare_cached(
            "INSERT INTO transitions (sequence, time, name, kind, source, attributes, body, definition)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
        )?
        .execute(params![
            signed(change.sequence),
            change.time.0,
            change.name.as_str(),
            word(&change.kind),
            word(&change.source),
            json(&change.attributes)?,
            body,
            definition
        ])?;
    Ok(body)
}

/// The last change after a sequence of each object that changed.
pub(super) fn last_after(connection: &Connection, after: u64) -> rusqlite::Result<Vec<Row>> {
    let mut statement = connection.prepare(&format!(
        "SELECT {COLUMNS} FROM transitions WHERE sequence IN
             (SELECT max(sequence) FROM transitions WHERE sequence > ?1 GROUP BY name)
         ORDER BY sequence"
    ))?;
    statement.query_map([signed(after)], Row::read)?.collect()
}

/// A stored change.
pub(super) struct Row {
    sequence: i64,
    time: i64,
    name: String,
    kind: String,
    source: String,
    attributes: String,
    body: String,
    /// Number and JSON of the definition it refers to.
    definition: Option<i64>,
    definition_body: Option<String>,
}

impl Row {
    /// Takes a row of [`COLUMNS`].
    pub(super) fn read(row: &rusqlite::Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self {
            sequence: row.get(0)?,
            time: row.get(1)?,
            name: row.get(2)?,
            kind: row.get(3)?,
            source: row.get(4)?,
            attributes: row.get(5)?,
            body: row.get(6)?,
            definition: row.get(7)?,
            definition_body: row.get(8)?,
        })
    }

    /// Its sequence.
    pub(super) fn sequence(&self) -> i64 {
        self.sequence
    }

    /// Number of the definition it refers to.
    pub(super) fn definition(&self) -> Option<i64> {
        self.definition
    }

    /// The change, if it is whole.
    pub(super) fn parse(self) -> Result<Change, serde_json::Error> {
        Ok(Change {
            sequence: unsigned(self.sequence),
            kind: serde_json::from_value::<ChangeKind>(self.kind.into())?,
            name: Name::new(self.name),
            object: Arc::new(definitions::object(&self.body, self.definition_body.as_deref())?),
            attributes: serde_json::from_str(&self.attributes)?,
            source: serde_json::from_value::<ChangeSource>(self.source.into())?,
            time: Timestamp(self.time),
        })
    }
}
