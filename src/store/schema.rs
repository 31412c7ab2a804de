//! Schema of `journal.db` and its migrations.
//!
//! `user_version` counts schemas from 1. A migration is a step from one version to the next and is
//! never edited once released.

use rusqlite::Connection;

/// The newest schema this version knows.
pub(super) const VERSION: i64 = 3;

/// One step each, in order.
const STEPS: [&str; 3] = [
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
    // 2: objects by row number, because rows of some kilobytes make a tree without them deep. Alarms: the class of a transition follows from its name, so it is computed and takes no room; only records
    // are indexed, so resources pay nothing for it. What was forgotten is remembered per group of classes. Closed
    // alarms are told newest first; their id is the sequence of the removal.
    "CREATE TABLE objects_2 (
         id INTEGER PRIMARY KEY,
         name TEXT NOT NULL UNIQUE,
         last_sequence INTEGER NOT NULL,
         removed_time INTEGER,
         body TEXT NOT NULL
     ) STRICT;
     INSERT INTO objects_2 (name, last_sequence, removed_time, body)
         SELECT name, last_sequence, removed_time, body FROM objects ORDER BY name;
     DROP TABLE objects;
     ALTER TABLE objects_2 RENAME TO objects;
     CREATE INDEX tombstones ON objects (removed_time) WHERE removed_time IS NOT NULL;
     ALTER TABLE transitions ADD COLUMN class TEXT GENERATED ALWAYS AS (CASE
         WHEN name = 'vrm' THEN 'vrm'
         WHEN name = 'cluster' THEN 'cluster'
         WHEN name GLOB 'virtualMachines/*/snapshots/*' THEN 'snapshot'
         WHEN name GLOB 'virtualMachines/*' THEN 'virtualMachine'
         WHEN name GLOB 'hosts/*/storagePools/*/volumes/*' THEN 'volume'
         WHEN name GLOB 'hosts/*/storagePools/*' THEN 'storagePool'
         WHEN name GLOB 'hosts/*/networks/*' THEN 'network'
         WHEN name GLOB 'hosts/*/hypervisors/*' THEN 'hypervisor'
         WHEN name GLOB 'hosts/*' THEN 'host'
         WHEN name GLOB 'storageBackings/*' THEN 'storageBacking'
         WHEN name GLOB 'images/*' THEN 'image'
         WHEN name GLOB 'alarms/*' THEN 'alarm'
         WHEN name GLOB 'alarmShelves/*' THEN 'alarmShelf'
         WHEN name GLOB 'alarmProfiles/*' THEN 'alarmProfile'
     END) VIRTUAL;
     CREATE INDEX record_transitions ON transitions (sequence, time) WHERE name GLOB 'alarm*';
     INSERT INTO meta (key, value)
         SELECT 'oldest_resource', coalesce(
             (SELECT min(sequence) - 1 FROM transitions), (SELECT max(last_sequence) FROM objects), 0);
     INSERT INTO meta (key, value) SELECT 'oldest_record', value FROM meta WHERE key = 'oldest_resource';
     CREATE TABLE closed_alarms (
         id INTEGER PRIMARY KEY,
         name TEXT NOT NULL,
         object TEXT NOT NULL,
         alarm_type TEXT NOT NULL,
         highest_severity INTEGER NOT NULL,
         raise_time INTEGER NOT NULL,
         clear_time INTEGER,
         close_time INTEGER NOT NULL,
         body TEXT NOT NULL
     ) STRICT;
     CREATE INDEX closed_alarms_by_time ON closed_alarms (close_time);
     CREATE INDEX closed_alarms_by_object ON closed_alarms (object, id);
     CREATE INDEX closed_alarms_by_type ON closed_alarms (alarm_type, id);",
    // 3: definitions of machines by the sequence of the change that brought them; a state refers to its own, or holds
    // it, if it is older than this table. Measurement jobs and threshold monitors are two more classes.
    "CREATE TABLE definitions (id INTEGER PRIMARY KEY, name TEXT NOT NULL, body TEXT NOT NULL) STRICT;
     CREATE INDEX definitions_by_name ON definitions (name, id);
     ALTER TABLE transitions ADD COLUMN definition INTEGER;
     ALTER TABLE objects ADD COLUMN definition INTEGER;
     ALTER TABLE transitions DROP COLUMN class;
     ALTER TABLE transitions ADD COLUMN class TEXT GENERATED ALWAYS AS (CASE
         WHEN name = 'vrm' THEN 'vrm'
         WHEN name = 'cluster' THEN 'cluster'
         WHEN name GLOB 'virtualMachines/*/snapshots/*' THEN 'snapshot'
         WHEN name GLOB 'virtualMachines/*' THEN 'virtualMachine'
         WHEN name GLOB 'hosts/*/storagePools/*/volumes/*' THEN 'volume'
         WHEN name GLOB 'hosts/*/storagePools/*' THEN 'storagePool'
         WHEN name GLOB 'hosts/*/networks/*' THEN 'network'
         WHEN name GLOB 'hosts/*/hypervisors/*' THEN 'hypervisor'
         WHEN name GLOB 'hosts/*' THEN 'host'
         WHEN name GLOB 'storageBackings/*' THEN 'storageBacking'
         WHEN name GLOB 'images/*' THEN 'image'
         WHEN name GLOB 'alarms/*' THEN 'alarm'
         WHEN name GLOB 'alarmShelves/*' THEN 'alarmShelf'
         WHEN name GLOB 'alarmProfiles/*' THEN 'alarmProfile'
         WHEN name GLOB 'measurementJobs/*' THEN 'measurementJob'
         WHEN name GLOB 'thresholdMonitors/*' THEN 'thresholdMonitor'
     END) VIRTUAL;",
];

/// Version found in the database; 0 for an empty one.
pub(super) fn version(connection: &Connection) -> rusqlite::Result<i64> {
    connection.query_row("PRAGMA user_version", [], |row| row.get(0))
}

/// Brings the database from `found` to `wanted`, each step in its own transaction.
pub(super) fn migrate(connection: &mut Connection, found: i64, wanted: i64) -> rusqlite::Result<()> {
    let steps = STEPS.iter().zip(1_i64..).filter(|(_, version)| (found + 1..=wanted).contains(version));
    for (step, version) in steps {
        let transaction = connection.transaction()?;
        transaction.execute_batch(step)?;
        transaction.pragma_update(None, "user_version", version)?;
        transaction.commit()?;
    }
    Ok(())
}

/// Settings of the write connection. The writer moves the log into the database itself, after it has acknowledged:
/// 64 MiB, at which SQLite would do so within a commit, are the bound if it does not get there.
pub(super) fn configure_writer(connection: &Connection) -> rusqlite::Result<()> {
    connection.execute_batch(
        "PRAGMA journal_mode=WAL;
         PRAGMA synchronous=FULL;
         PRAGMA foreign_keys=ON;
         PRAGMA trusted_schema=OFF;
         PRAGMA wal_autocheckpoint=16384;
         PRAGMA journal_size_limit=67108864;
         PRAGMA busy_timeout=5000;",
    )
}
