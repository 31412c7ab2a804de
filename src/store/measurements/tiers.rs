//! The two tables of results: a row per period, and a block per fifteen of them once they are over.

use super::block::{Block, Point, WINDOW};
use super::key;
use rusqlite::{Connection, OptionalExtension};
use std::collections::BTreeMap;
use std::ops::RangeInclusive;

/// Points of one object by metric and period.
pub(super) type Found = BTreeMap<u16, BTreeMap<i64, Point>>;

/// One of the two tables.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Tier {
    /// Rows of one period.
    Periods,
    /// Blocks of fifteen periods.
    Blocks,
}

impl Tier {
    pub(super) fn table(self) -> &'static str {
        match self {
            Self::Periods => "periods",
            Self::Blocks => "blocks",
        }
    }

    /// Periods of a row.
    pub(super) fn slots(self) -> i64 {
        match self {
            Self::Periods => 1,
            Self::Blocks => WINDOW as i64,
        }
    }
}

/// Bytes of a database that are in use.
pub(super) fn used_bytes(connection: &Connection) -> rusqlite::Result<u64> {
    let pragma = |name: &str| connection.query_row(&format!("PRAGMA {name}"), [], |row| row.get::<_, i64>(0));
    let pages = pragma("page_count")? - pragma("freelist_count")?;
    Ok(u64::try_from(pages * pragma("page_size")?).unwrap_or(0))
}

/// First and last time of a granularity in a table.
pub(super) fn extent(connection: &Connection, tier: Tier, granularity: i64) -> rusqlite::Result<Option<(i64, i64)>> {
    let rows = key::all(granularity);
    // Two questions: SQLite answers one minimum or one maximum from the tree, both together by reading all of it.
    let edge = |what: &str| -> rusqlite::Result<Option<i64>> {
        let question = format!("SELECT {what}(key) FROM {} WHERE key BETWEEN ?1 AND ?2", tier.table());
        let found: Option<i64> =
            connection.prepare_cached(&question)?.query_row([rows.start(), rows.end()], |row| row.get(0))?;
        Ok(found.map(|key| key::unpack(key).0))
    };
    Ok(edge("min")?.zip(edge("max")?))
}

/// What both tiers have of an object from one period to another; what was not folded yet is newer and wins.
pub(super) fn points(
    connection: &Connection,
    granularity: i64,
    object: i64,
    first: i64,
    last: i64,
    metrics: &[u16],
) -> rusqlite::Result<Found> {
    let mut found = Found::new();
    for tier in [Tier::Blocks, Tier::Periods] {
        let Some((oldest, newest)) = extent(connection, tier, granularity)? else { continue };
        let slots = tier.slots();
        let question = format!("SELECT body FROM {} WHERE key = ?1", tier.table());
        let mut statement = connection.prepare_cached(&question)?;
        for time in first.div_euclid(slots).max(oldest)..=last.div_euclid(slots).min(newest) {
            let row = key::pack(granularity, time, object);
            let body: Option<Vec<u8>> = statement.query_row([row], |row| row.get(0)).optional()?;
            // One that cannot be read is missing: no reason to withhold the others.
            let Some(block) = body.and_then(|body| Block::decode(&body)) else { continue };
            take(&mut found, block, time * slots, first..=last, metrics);
        }
    }
    Ok(found)
}

fn take(found: &mut Found, block: Block, begin: i64, wanted: RangeInclusive<i64>, metrics: &[u16]) {
    for (metric, points) in block.metrics {
        if !metrics.contains(&metric) {
            continue;
        }
        for (period, point) in (begin..).zip(points) {
            if let Some(point) = point.filter(|_| wanted.contains(&period)) {
                found.entry(metric).or_default().insert(period, point);
            }
        }
    }
}
