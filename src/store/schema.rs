//! Schema of `journal.db` and its migrations.
//!
//! `user_version` counts schemas from 1. A migration is a step from one version to the next and is
//! never edited once released.

use rusqlite::Connection;

/// The newest schema this version knows.
pub(super) const VERSION: i64 = 1;

/// One step each, in order.
const STEPS: [&str; 1] = [
    // 1: identity, objects with tombstones, transitions, API hosts, request ids, audit.
    "CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID;
     CREATE TABLE objects (
         name TEXT PRIMARY KEY,
         last_sequence INTEGER NOT NULL,
         removed_time INTEGER,
         body TEXT NOT NULL
     ) STRICT, WITHOUT ROWID;
     CREATE INDEX tombstones ON objects (removed_time) WHERE removed_time IS NOT NULL;
     CREATE TABLE transitions (
         sequence INTEGER PRIMARY KEY,
         time INTEGER NOT NULL,
         name TEXT NOT NULL,
         kind TEXT NOT NULL,
         source TEXT NOT NULL,
         attributes TEXT NOT NULL,
         body TEXT NOT NULL
     ) STRICT;
     CREATE TABLE hosts (id TEXT PRIMARY KEY, body TEXT NOT NULL) STRICT, WITHOUT ROWID;
     CREATE TABLE requests (
         request_id TEXT PRIMARY KEY,
         time INTEGER NOT NULL,
         fingerprint TEXT NOT NULL,
         target TEXT NOT NULL
     ) STRICT, WITHOUT ROWID;
     CREATE INDEX requests_by_time ON requests (time);
     CREATE TABLE audit (
         id INTEGER PRIMARY KEY,
         time INTEGER NOT NULL,
         principal TEXT NOT NULL,
         method TEXT NOT NULL,
         target TEXT NOT NULL,
         outcome TEXT NOT NULL,
         body TEXT NOT NULL
     ) STRICT;",
];

/// Version found in the database; 0 for an empty one.
pub(super) fn version(connection: &Connection) -> rusqlite::Result<i64> {
    connection.query_row("PRAGMA user_version", [], |row| row.get(0))
}

/// Brings the database from `found` to [`VERSION`], each step in its own transaction.
pub(super) fn migrate(connection: &mut Connection, found: i64) -> rusqlite::Result<()> {
    for (step, version) in STEPS.iter().zip(1_i64..).filter(|(_, version)| *version > found) {
        let transaction = connection.transaction()?;
        transaction.execute_batch(step)?;
        transaction.pragma_update(None, "user_version", version)?;
        transaction.commit()?;
    }
    Ok(())
}

/// Settings of the write connection.
pub(super) fn configure_writer(connection: &Connection) -> rusqlite::Result<()> {
    connection.execute_batch(
        "PRAGMA journal_mode=WAL;
         PRAGMA synchronous=FULL;
         PRAGMA foreign_keys=ON;
         PRAGMA trusted_schema=OFF;
         PRAGMA wal_autocheckpoint=1000;
         PRAGMA journal_size_limit=67108864;
         PRAGMA busy_timeout=5000;",
    )
}
