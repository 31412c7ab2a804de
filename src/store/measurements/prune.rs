//! Deleting what is older than is kept, and the oldest when the database is as large as it may be.

use super::block::WINDOW;
use super::key;
use super::objects;
use super::settings::HistorySettings;
use super::tiers::{self, Tier};
use crate::model::Timestamp;
use rusqlite::Connection;
use std::ops::RangeInclusive;

/// Pages given back to the file system at a time.
const VACUUM_PAGES: u32 = 2_000;

/// Deletes what is older than is kept, as seen from the newest result.
pub(super) fn by_age(connection: &mut Connection, settings: &HistorySettings, now: Timestamp) -> rusqlite::Result<()> {
    for (granularity, seconds) in objects::granularities(connection)? {
        let oldest = before(now, settings.retention_of(seconds));
        let last = key::period(oldest, seconds) - 1;
        delete(connection, Tier::Periods, key::span(granularity, 0..=last))?;
        delete(connection, Tier::Blocks, key::span(granularity, 0..=(last + 1).div_euclid(WINDOW as i64) - 1))?;
    }
    let records = before(now, settings.record_retention).0;
    connection.execute("DELETE FROM state_intervals WHERE end < ?1", [records])?;
    connection.execute("DELETE FROM reports WHERE end < ?1", [records])?;
    Ok(())
}

/// Forgets objects that are gone for longer than anything is kept; answers how many.
pub(super) fn objects(connection: &Connection, settings: &HistorySettings, now: Timestamp) -> rusqlite::Result<usize> {
    let longest = settings.retention.iter().map(|(_, kept)| *kept).max().unwrap_or_default();
    let until = before(now, longest.max(settings.record_retention));
    connection.execute("DELETE FROM objects WHERE gone < ?1", [until.0])
}

/// Deletes the oldest until the database is small enough: always of the granularity that is nearest to what is kept of
/// it, so that all become shorter in proportion.
pub(super) fn by_size(connection: &mut Connection, settings: &HistorySettings) -> rusqlite::Result<()> {
    while tiers::used_bytes(connection)? > settings.cap_bytes {
        let Some((tier, rows)) = fullest(connection, settings)? else { break };
        delete(connection, tier, rows)?;
    }
    let pragma = |name: &str| connection.query_row(&format!("PRAGMA {name}"), [], |row| row.get::<_, i64>(0));
    if pragma("freelist_count")? > pragma("page_count")? / 4 {
        connection.execute_batch(&format!("PRAGMA incremental_vacuum({VACUUM_PAGES})"))?;
    }
    Ok(())
}

/// The oldest window or period of the granularity that holds most of what it may.
fn fullest(
    connection: &Connection,
    settings: &HistorySettings,
) -> rusqlite::Result<Option<(Tier, RangeInclusive<i64>)>> {
    let mut fullest: Option<(f64, Tier, RangeInclusive<i64>)> = None;
    for (granularity, seconds) in objects::granularities(connection)? {
        let blocks = tiers::extent(connection, Tier::Blocks, granularity)?;
        let periods = tiers::extent(connection, Tier::Periods, granularity)?;
        let (tier, first, last) = match (blocks, periods) {
            (Some((first, last)), _) => (Tier::Blocks, first, last),
            (None, Some((first, last))) => (Tier::Periods, first, last),
            (None, None) => continue,
        };
        let held = std::time::Duration::from_secs(
            u64::from(seconds) * u64::try_from((last - first + 1) * tier.slots()).unwrap_or(0),
        );
        let share = held.as_secs_f64() / settings.retention_of(seconds).as_secs_f64().max(1.0);
        if fullest.as_ref().is_none_or(|(most, ..)| share > *most) {
            fullest = Some((share, tier, key::span(granularity, first..=first)));
        }
    }
    Ok(fullest.map(|(_, tier, rows)| (tier, rows)))
}

fn delete(connection: &Connection, tier: Tier, rows: RangeInclusive<i64>) -> rusqlite::Result<()> {
    let statement = format!("DELETE FROM {} WHERE key BETWEEN ?1 AND ?2", tier.table());
    connection.prepare_cached(&statement)?.execute([rows.start(), rows.end()]).map(|_| ())
}

fn before(now: Timestamp, by: std::time::Duration) -> Timestamp {
    Timestamp(now.0.saturating_sub(i64::try_from(by.as_micros()).unwrap_or(i64::MAX)).max(0))
}
