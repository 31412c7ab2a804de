//! Folding: rows of fifteen periods that are over become one block per object. Some objects at a time, so that what
//! has to be appended never waits long.

use super::block::{Block, Point, WINDOW};
use super::key::{self, LAST_OBJECT};
use super::objects;
use super::percentile;
use super::tiers::{self, Found, Tier};
use rusqlite::{Connection, OptionalExtension, params};
use std::collections::BTreeMap;

/// Numbers of objects folded in one transaction.
const CHUNK: i64 = 256;

/// Where folding goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    granularity: i64,
    seconds: u32,
    window: i64,
    object: i64,
}

/// The oldest window that is over and not folded. A period later, so that what comes a little late finds its row.
pub(super) fn due(connection: &Connection) -> rusqlite::Result<Option<Place>> {
    for (granularity, seconds) in objects::granularities(connection)? {
        let Some((first, last)) = tiers::extent(connection, Tier::Periods, granularity)? else { continue };
        let window = first.div_euclid(WINDOW as i64);
        if last > (window + 1) * WINDOW as i64 {
            return Ok(Some(Place { granularity, seconds, window, object: 0 }));
        }
    }
    Ok(None)
}

/// Folds some objects, in a transaction of its own; answers where to go on, nothing when the window is done.
pub(super) fn step(connection: &mut Connection, place: Place) -> rusqlite::Result<Option<Place>> {
    let Some(first) = first_object(connection, place)? else { return Ok(None) };
    let last = (first + CHUNK - 1).min(LAST_OBJECT);
    let transaction = connection.transaction()?;
    for (object, mut block) in gather(&transaction, place, first, last)? {
        if place.seconds == percentile::OF_SECONDS {
            add_percentiles(&transaction, place, object, &mut block)?;
        }
        write(&transaction, place, object, block)?;
    }
    let mut delete = transaction.prepare_cached("DELETE FROM periods WHERE key BETWEEN ?1 AND ?2")?;
    for time in times(place) {
        delete.execute([key::pack(place.granularity, time, first), key::pack(place.granularity, time, last)])?;
    }
    drop(delete);
    transaction.commit()?;
    Ok((last < LAST_OBJECT).then_some(Place { object: last + 1, ..place }))
}

fn times(place: Place) -> impl Iterator<Item = i64> {
    let begin = place.window * WINDOW as i64;
    begin..begin + WINDOW as i64
}

/// The next object that has a row in the window.
fn first_object(connection: &Connection, place: Place) -> rusqlite::Result<Option<i64>> {
    let mut statement = connection.prepare_cached("SELECT min(key) FROM periods WHERE key BETWEEN ?1 AND ?2")?;
    let mut first = None;
    for time in times(place) {
        let range = [key::pack(place.granularity, time, place.object), key::pack(place.granularity, time, LAST_OBJECT)];
        let found: Option<i64> = statement.query_row(range, |row| row.get(0))?;
        let object = found.map(|key| key::unpack(key).1);
        first = first.into_iter().chain(object).min();
    }
    Ok(first)
}

fn gather(connection: &Connection, place: Place, first: i64, last: i64) -> rusqlite::Result<BTreeMap<i64, Block>> {
    let mut blocks: BTreeMap<i64, Block> = BTreeMap::new();
    let mut statement = connection.prepare_cached("SELECT key, body FROM periods WHERE key BETWEEN ?1 AND ?2")?;
    for (slot, time) in times(place).enumerate() {
        let range = [key::pack(place.granularity, time, first), key::pack(place.granularity, time, last)];
        let mut rows = statement.query(range)?;
        while let Some(row) = rows.next()? {
            let object = key::unpack(row.get(0)?).1;
            // One that cannot be read would not be readable later either: its period is missing.
            let Some(period) = Block::decode(row.get_ref(1)?.as_blob()?) else { continue };
            blocks.entry(object).or_insert_with(|| Block::new(WINDOW)).merge(slot, period);
        }
    }
    Ok(blocks)
}

fn add_percentiles(connection: &Connection, place: Place, object: i64, block: &mut Block) -> rusqlite::Result<()> {
    let begin = place.window * WINDOW as i64;
    let by_time = |points: &[Option<Point>]| {
        (begin..).zip(points).filter_map(|(time, point)| Some((time, point.clone()?))).collect()
    };
    let mut found: Found = block.metrics.iter().map(|(metric, points)| (*metric, by_time(points))).collect();
    percentile::complete(connection, object, place.seconds, &mut found)?;
    for (metric, points) in found {
        for (time, point) in points {
            block.put(metric, usize::try_from(time - begin).unwrap_or(WINDOW), point);
        }
    }
    Ok(())
}

/// Writes a block; rows that came too late for an earlier one are added to it.
fn write(connection: &Connection, place: Place, object: i64, block: Block) -> rusqlite::Result<()> {
    let row = key::pack(place.granularity, place.window, object);
    let mut known = connection.prepare_cached("SELECT body FROM blocks WHERE key = ?1")?;
    let known: Option<Vec<u8>> = known.query_row([row], |row| row.get(0)).optional()?;
    let whole = match known.and_then(|body| Block::decode(&body)) {
        Some(mut earlier) => {
            earlier.merge(0, block);
            earlier
        }
        None => block,
    };
    connection
        .prepare_cached("INSERT OR REPLACE INTO blocks (key, body) VALUES (?1, ?2)")?
        .execute(params![row, whole.encode()])?;
    Ok(())
}
