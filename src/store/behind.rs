//! Rows of `objects` that are behind the log.
//!
//! A commit writes every transition, but of the objects only so many rows: under load most objects change again before
//! their row would be read by anybody. What is missing is in the transitions after [`Behind::complete_until`], and is
//! taken from there when the store is opened. With little to do every row is written at once.

use super::definitions::{self, Definitions};
use super::row::{json, set_meta, signed};
use crate::model::object::Tombstone;
use crate::model::{Change, ChangeKind, Name, Object};
use rusqlite::{Connection, OptionalExtension, params};
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

/// Rows written with a commit at most, as long as fewer than [`MOST`] wait.
const AT_ONCE: usize = 256;

/// Rows that wait at most; beyond that a commit writes more of them. The start reads as many from the transitions.
const MOST: usize = 16_384;

/// Where it is remembered up to where all rows are as the transitions say; no such fact, if all are.
const FACT: &str = "objects_complete_until";

/// What belongs into the row of a name.
#[derive(Clone, Debug)]
pub(super) enum Tenant {
    /// What exists.
    Live(Arc<Object>),
    /// What is gone and remembered.
    Gone(Arc<Tombstone>),
}

impl Tenant {
    /// After a change.
    pub(super) fn after(change: &Change) -> Self {
        match change.kind {
            ChangeKind::Removed => Self::Gone(Arc::new(Tombstone::of(&change.object, change.time))),
            ChangeKind::Created | ChangeKind::Changed => Self::Live(Arc::clone(&change.object)),
        }
    }

    pub(super) fn name(&self) -> &Name {
        match self {
            Self::Live(object) => &object.name,
            Self::Gone(tombstone) => &tombstone.name,
        }
    }

    fn sequence(&self) -> u64 {
        match self {
            Self::Live(object) => object.last_change_sequence,
            Self::Gone(tombstone) => tombstone.last_change_sequence,
        }
    }

    fn write(&self, connection: &Connection, bodies: &Bodies, definitions: &Definitions) -> rusqlite::Result<()> {
        let made;
        let (removed, (body, definition)) = match self {
            Self::Live(object) => match bodies.of.get(&object.last_change_sequence) {
                Some((body, definition)) => (None, (body, *definition)),
                None => {
                    let definition = definitions.of(object);
                    made = definitions::body(object, definition)?;
                    (None, (&made, definition))
                }
            },
            Self::Gone(tombstone) => {
                made = json(&**tombstone)?;
                (Some(tombstone.remove_time.0), (&made, None))
            }
        };
        connection
            .prepare_cached(
                "INSERT INTO objects (name, last_sequence, removed_time, body, definition) VALUES (?1, ?2, ?3, ?4, ?5)
                 ON CONFLICT (name) DO UPDATE SET last_sequence = ?2, removed_time = ?3, body = ?4, definition = ?5",
            )?
            .execute(params![self.name().as_str(), signed(self.sequence()), removed, body, definition])?;
        Ok(())
    }
}

/// JSON of the objects of one commit by sequence, with the definitions they refer to, as far as it is worth keeping for their rows.
#[derive(Debug, Default)]
pub(super) struct Bodies {
    of: HashMap<u64, (String, Option<i64>)>,
}

impl Bodies {
    /// Keeps the JSON of an object, unless there are more than can be due.
    pub(super) fn keep(&mut self, sequence: u64, body: String, definition: Option<i64>) {
        if self.of.len() < AT_ONCE {
            self.of.insert(sequence, (body, definition));
        }
    }
}

/// The rows that wait, by the sequence of the last change.
#[derive(Debug, Default)]
pub(super) struct Behind {
    waiting: BTreeMap<u64, Tenant>,
    by_name: HashMap<Name, u64>,
    /// What the database remembers.
    remembered: Option<u64>,
}

impl Behind {
    /// What waits in a database that was opened: these changes, each the last of its object.
    pub(super) fn of(connection: &Connection, changes: &[Change]) -> rusqlite::Result<Self> {
        let mut behind = Self { remembered: remembered(connection)?, ..Self::default() };
        changes.iter().for_each(|change| behind.note(change));
        Ok(behind)
    }

    /// What waits.
    pub(super) fn tenants(&self) -> impl Iterator<Item = &Tenant> {
        self.waiting.values()
    }

    /// True if the row of a name waits.
    pub(super) fn holds(&self, name: &str) -> bool {
        self.by_name.contains_key(name)
    }

    /// A change is about to be committed. Saying so twice does no harm.
    pub(super) fn note(&mut self, change: &Change) {
        if let Some(earlier) = self.by_name.insert(change.name.clone(), change.sequence) {
            self.waiting.remove(&earlier);
        }
        self.waiting.insert(change.sequence, Tenant::after(change));
    }

    /// Writes what is due, longest waiting first; answers how many rows that were.
    pub(super) fn write_due(
        &self,
        connection: &Connection,
        bodies: &Bodies,
        definitions: &Definitions,
    ) -> rusqlite::Result<usize> {
        let due = AT_ONCE.max(self.waiting.len().saturating_sub(MOST));
        self.write(connection, due, bodies, definitions)
    }

    /// Writes everything.
    pub(super) fn write_all(&self, connection: &Connection, definitions: &Definitions) -> rusqlite::Result<usize> {
        self.write(connection, self.waiting.len(), &Bodies::default(), definitions)
    }

    fn write(
        &self,
        connection: &Connection,
        rows: usize,
        bodies: &Bodies,
        definitions: &Definitions,
    ) -> rusqlite::Result<usize> {
        for tenant in self.waiting.values().take(rows) {
            tenant.write(connection, bodies, definitions)?;
        }
        let until = self.complete_after(rows);
        if until != self.remembered {
            match until {
                Some(until) => set_meta(connection, FACT, &until.to_string())?,
                None => drop(connection.execute("DELETE FROM meta WHERE key = ?1", [FACT])?),
            }
        }
        Ok(rows.min(self.waiting.len()))
    }

    /// So many rows were written and are durable.
    pub(super) fn written(&mut self, rows: usize) {
        self.remembered = self.complete_after(rows);
        for _ in 0..rows {
            let Some((_, tenant)) = self.waiting.pop_first() else { break };
            self.by_name.remove(tenant.name());
        }
    }

    /// Up to where all rows will be right when so many more are written: all of them, if there is nothing.
    fn complete_after(&self, rows: usize) -> Option<u64> {
        self.waiting.keys().nth(rows).map(|sequence| sequence.saturating_sub(1))
    }
}

/// Up to where all rows are right: transitions after it must not be forgotten. All of them, if there is nothing.
pub(super) fn remembered(connection: &Connection) -> rusqlite::Result<Option<u64>> {
    let value: Option<String> =
        connection.query_row("SELECT value FROM meta WHERE key = ?1", [FACT], |row| row.get(0)).optional()?;
    Ok(value.and_then(|text| text.parse().ok()))
}
