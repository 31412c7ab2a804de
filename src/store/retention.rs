//! What the journal forgets, and when.
//!
//! Transitions are kept per group of classes: *resources* by their number, *records* (alarms and the rules about them)
//! by their age. What is forgotten of one group leaves the other whole.

use super::behind;
use super::definitions;
use super::row::{set_meta, signed, unsigned};
use crate::model::ObjectClass;
use rusqlite::{Connection, OptionalExtension};
use std::time::Duration;

const DAY: Duration = Duration::from_secs(24 * 3600);

/// Bounds of the journal (design.md 5).
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    /// Transitions of resources kept at most.
    pub(super) resources: u64,
    /// Of these so many stay when the database is too big; then others go.
    pub(super) resources_least: u64,
    /// Life of transitions of records.
    pub(super) records: Duration,
    /// They live so long whatever the size of the database.
    pub(super) records_least: Duration,
    /// Life of closed alarms.
    pub(super) closed_alarms: Duration,
    /// Size of the database beyond which the oldest tenth of something goes at each pruning: transitions of resources
    /// first, then those of records, then closed alarms. Objects themselves are bounded by what exists.
    pub(super) bytes: u64,
    /// Life of tombstones.
    pub(super) tombstones: Duration,
    /// Life of request ids; promised are 24 hours.
    pub(super) requests: Duration,
    /// Life of audit records.
    pub(super) audit: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            resources: 200_000,
            resources_least: 10_000,
            records: DAY * 14,
            records_least: DAY * 3,
            closed_alarms: DAY * 400,
            bytes: 1 << 30,
            tombstones: DAY * 7,
            requests: DAY * 2,
            audit: DAY * 366,
        }
    }
}

/// The sequences after which every transition is kept, by group of classes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Oldest {
    /// Of resources.
    pub(super) resource: u64,
    /// Of records.
    pub(super) record: u64,
}

impl Oldest {
    /// What the database remembers.
    pub(super) fn read(connection: &Connection) -> rusqlite::Result<Self> {
        let remembered = |key: &str| -> rusqlite::Result<u64> {
            let value: Option<String> =
                connection.query_row("SELECT value FROM meta WHERE key = ?1", [key], |row| row.get(0)).optional()?;
            Ok(value.and_then(|text| text.parse().ok()).unwrap_or(0))
        };
        Ok(Self { resource: remembered("oldest_resource")?, record: remembered("oldest_record")? })
    }

    /// For a subscriber of these classes.
    pub(super) fn of(self, classes: &[ObjectClass]) -> u64 {
        let of = |class: &ObjectClass| if class.is_resource() { self.resource } else { self.record };
        classes.iter().map(of).max().unwrap_or(0)
    }
}

/// Deletes what has outlived its retention. `announce` hears what will be the oldest before anything is deleted: a
/// reader that asks after its read whether all was still there is never told yes wrongly.
pub(super) fn prune(
    connection: &mut Connection,
    limits: &Limits,
    announce: impl FnOnce(Oldest),
) -> rusqlite::Result<()> {
    let Some(newest) = newest(connection)? else { return Ok(()) };
    let before = Oldest::read(connection)?;
    let mut oldest = Oldest {
        resource: before.resource.max(cut_of_resources(connection, newest.sequence, limits.resources)?),
        record: before.record.max(cut_of_records(connection, newest.before(limits.records))?),
    };
    let squeezed = if used_bytes(connection)? > limits.bytes {
        squeeze(connection, &newest, limits, &mut oldest)?
    } else {
        Squeezed::Transitions
    };
    if let Some(complete) = behind::remembered(connection)? {
        // What rows of objects still lack.
        oldest = Oldest { resource: oldest.resource.min(complete), record: oldest.record.min(complete) };
    }
    announce(oldest);
    let transaction = connection.transaction()?;
    transaction.execute(
        "DELETE FROM transitions WHERE sequence > ?1 AND sequence <= ?2 AND name NOT GLOB 'alarm*'",
        [signed(before.resource), signed(oldest.resource)],
    )?;
    transaction.execute(
        "DELETE FROM transitions WHERE sequence > ?1 AND sequence <= ?2 AND name GLOB 'alarm*'",
        [signed(before.record), signed(oldest.record)],
    )?;
    set_meta(&transaction, "oldest_resource", &oldest.resource.to_string())?;
    set_meta(&transaction, "oldest_record", &oldest.record.to_string())?;
    if squeezed == Squeezed::ClosedAlarms {
        transaction.execute(
            "DELETE FROM closed_alarms WHERE id <= (SELECT min(id) + (max(id) - min(id)) / 10 FROM closed_alarms)",
            [],
        )?;
    }
    transaction.execute("DELETE FROM closed_alarms WHERE close_time < ?1", [newest.before(limits.closed_alarms)])?;
    forget_tombstones(&transaction, newest.before(limits.tombstones))?;
    transaction.execute("DELETE FROM requests WHERE time < ?1", [newest.before(limits.requests)])?;
    transaction.execute("DELETE FROM audit WHERE time < ?1", [newest.before(limits.audit)])?;
    transaction.commit()
}

/// Deletes definitions of machines that nothing refers to any more.
pub(super) fn forget_definitions(connection: &Connection) -> rusqlite::Result<()> {
    let complete = behind::remembered(connection)?.is_none();
    definitions::forget(connection, Oldest::read(connection)?.resource, complete)
}

/// The newest transition: its time is the clock of this module.
struct Newest {
    sequence: u64,
    time: i64,
}

impl Newest {
    fn before(&self, life: Duration) -> i64 {
        self.time.saturating_sub(i64::try_from(life.as_micros()).unwrap_or(i64::MAX))
    }
}

fn newest(connection: &Connection) -> rusqlite::Result<Option<Newest>> {
    connection
        .query_row("SELECT sequence, time FROM transitions ORDER BY sequence DESC LIMIT 1", [], |row| {
            Ok(Newest { sequence: unsigned(row.get(0)?), time: row.get(1)? })
        })
        .optional()
}

/// Where transitions of resources end so that `kept` of them stay: each sequence has one transition, so it is enough
/// to count the records in between, for which there is an index. Records that are gone themselves are counted as
/// resources: where that matters the resources are older than the records may get.
fn cut_of_resources(connection: &Connection, newest: u64, kept: u64) -> rusqlite::Result<u64> {
    let mut count =
        connection.prepare_cached("SELECT count(*) FROM transitions WHERE sequence > ?1 AND name GLOB 'alarm*'")?;
    let mut cut = newest.saturating_sub(kept);
    // Each round passes the records found by the round before; where they are dense it ends early and keeps more.
    for _ in 0..16 {
        let records: i64 = count.query_row([signed(cut)], |row| row.get(0))?;
        let next = newest.saturating_sub(kept).saturating_sub(unsigned(records));
        if next == cut {
            break;
        }
        cut = next;
    }
    Ok(cut)
}

/// The last of the records' transitions that all are older than a time.
fn cut_of_records(connection: &Connection, before: i64) -> rusqlite::Result<u64> {
    let first_kept: Option<i64> = connection
        .prepare_cached(
            "SELECT sequence FROM transitions WHERE name GLOB 'alarm*' AND time >= ?1 ORDER BY sequence LIMIT 1",
        )?
        .query_row([before], |row| row.get(0))
        .optional()?;
    let last: Option<i64> = connection
        .prepare_cached("SELECT max(sequence) FROM transitions WHERE name GLOB 'alarm*' AND sequence < ?1")?
        .query_row([first_kept.unwrap_or(i64::MAX)], |row| row.get(0))?;
    Ok(last.map_or(0, unsigned))
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Squeezed {
    Transitions,
    ClosedAlarms,
}

/// The database is too big: takes the oldest tenth of what is needed least.
fn squeeze(
    connection: &Connection,
    newest: &Newest,
    limits: &Limits,
    oldest: &mut Oldest,
) -> rusqlite::Result<Squeezed> {
    let least = cut_of_resources(connection, newest.sequence, limits.resources_least)?;
    if least > oldest.resource {
        oldest.resource += (least - oldest.resource).div_ceil(10);
        return Ok(Squeezed::Transitions);
    }
    let least = cut_of_records(connection, newest.before(limits.records_least))?;
    if least > oldest.record {
        oldest.record += (least - oldest.record).div_ceil(10);
        return Ok(Squeezed::Transitions);
    }
    Ok(Squeezed::ClosedAlarms)
}

fn forget_tombstones(connection: &Connection, before: i64) -> rusqlite::Result<()> {
    let forgotten: Option<i64> =
        connection
            .query_row("SELECT max(last_sequence) FROM objects WHERE removed_time < ?1", [before], |row| row.get(0))?;
    if let Some(forgotten) = forgotten {
        connection.execute("DELETE FROM objects WHERE removed_time < ?1", [before])?;
        set_meta(connection, "forgotten", &forgotten.to_string())?;
    }
    Ok(())
}

/// Bytes of the database that hold something.
fn used_bytes(connection: &Connection) -> rusqlite::Result<u64> {
    let figure = |pragma: &str| connection.query_row(pragma, [], |row| row.get::<_, i64>(0));
    let pages = figure("PRAGMA page_count")? - figure("PRAGMA freelist_count")?;
    Ok(unsigned(pages * figure("PRAGMA page_size")?))
}
