//! Schema of `pm.db` and its migrations; as in the journal's, a released step is never edited.

use rusqlite::Connection;

/// The newest schema this version knows.
pub(super) const VERSION: i64 = 1;

/// One step each, in order.
const STEPS: [&str; 1] = [
    // 1: rows of one period and blocks of fifteen, by packed keys; what they are about; availability; reports of jobs.
    "CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID;
     CREATE TABLE granularities (id INTEGER PRIMARY KEY, seconds INTEGER NOT NULL UNIQUE) STRICT;
     CREATE TABLE objects (
         id INTEGER PRIMARY KEY,
         name TEXT NOT NULL UNIQUE,
         class TEXT NOT NULL,
         owner TEXT NOT NULL,
         display TEXT NOT NULL DEFAULT '',
         labels TEXT NOT NULL DEFAULT '{}',
         services TEXT NOT NULL DEFAULT '[]',
         host TEXT NOT NULL DEFAULT '',
         gone INTEGER
     ) STRICT;
     CREATE INDEX objects_by_owner ON objects (owner);
     CREATE TABLE periods (key INTEGER PRIMARY KEY, body BLOB NOT NULL) STRICT;
     CREATE TABLE blocks (key INTEGER PRIMARY KEY, body BLOB NOT NULL) STRICT;
     CREATE TABLE state_intervals (
         object INTEGER NOT NULL,
         begin INTEGER NOT NULL,
         end INTEGER,
         state TEXT NOT NULL,
         PRIMARY KEY (object, begin)
     ) STRICT, WITHOUT ROWID;
     CREATE INDEX open_intervals ON state_intervals (object) WHERE end IS NULL;
     CREATE TABLE reports (
         job TEXT NOT NULL,
         begin INTEGER NOT NULL,
         end INTEGER NOT NULL,
         complete INTEGER NOT NULL,
         suspect INTEGER NOT NULL,
         results INTEGER NOT NULL,
         body TEXT NOT NULL,
         PRIMARY KEY (job, begin)
     ) STRICT, WITHOUT ROWID;",
];

/// Version found in the database; 0 for an empty one.
pub(super) fn version(connection: &Connection) -> rusqlite::Result<i64> {
    connection.query_row("PRAGMA user_version", [], |row| row.get(0))
}

/// Brings the database from `found` to the newest schema, each step in its own transaction.
pub(super) fn migrate(connection: &mut Connection, found: i64) -> rusqlite::Result<()> {
    for (step, version) in STEPS.iter().zip(1_i64..).filter(|(_, version)| *version > found) {
        let transaction = connection.transaction()?;
        transaction.execute_batch(step)?;
        transaction.pragma_update(None, "user_version", version)?;
        transaction.commit()?;
    }
    Ok(())
}

/// Settings of the write connection. Large pages: blobs leave less of them empty. With `synchronous=NORMAL` a power cut
/// takes the last seconds, never more; a killed process takes what was not committed.
pub(super) fn configure_writer(connection: &Connection) -> rusqlite::Result<()> {
    connection.execute_batch(
        "PRAGMA page_size=8192;
         PRAGMA auto_vacuum=INCREMENTAL;
         PRAGMA journal_mode=WAL;
         PRAGMA synchronous=NORMAL;
         PRAGMA trusted_schema=OFF;
         PRAGMA wal_autocheckpoint=1000;
         PRAGMA journal_size_limit=16777216;
         PRAGMA cache_size=-8192;
         PRAGMA busy_timeout=5000;",
    )
}
