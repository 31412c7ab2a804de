//! The 95th percentile of the minutes within an hour (operations.md F20): worked out from the rows of 60 s, when an
//! hour is asked for or folded, and kept with the folded hour.

use super::block::Point;
use super::objects;
use super::tiers::{self, Found};
use rusqlite::Connection;

/// Results of this granularity have percentiles.
pub(super) const OF_SECONDS: u32 = 3_600;
/// They are of results of this granularity.
const FROM_SECONDS: u32 = 60;

/// Adds percentiles where there are none, for hours whose minutes are still there.
pub(super) fn complete(connection: &Connection, object: i64, seconds: u32, found: &mut Found) -> rusqlite::Result<()> {
    if seconds != OF_SECONDS {
        return Ok(());
    }
    let lacking = found.values().flatten().filter(|(_, point)| lacks(point)).map(|(hour, _)| *hour);
    let (Some(first), Some(last)) = (lacking.clone().min(), lacking.max()) else { return Ok(()) };
    let Some(minutes) = objects::granularity(connection, FROM_SECONDS)? else { return Ok(()) };
    let per_hour = i64::from(OF_SECONDS / FROM_SECONDS);
    let metrics: Vec<u16> = found.keys().copied().collect();
    let (first, last) = (first * per_hour, (last + 1) * per_hour - 1);
    let fine = tiers::points(connection, minutes, object, first, last, &metrics)?;
    for (metric, hours) in found {
        let Some(minutes) = fine.get(metric) else { continue };
        for (hour, point) in hours.iter_mut().filter(|(_, point)| lacks(point)) {
            let within = minutes.range(hour * per_hour..(hour + 1) * per_hour);
            point.p95 = p95(within.filter_map(|(_, point)| point.value.value.ok()).collect());
        }
    }
    Ok(())
}

fn lacks(point: &Point) -> bool {
    point.p95.is_none() && point.value.value.is_ok()
}

/// The least value that 95 of 100 do not exceed (nearest rank); nothing of nothing.
fn p95(mut values: Vec<f64>) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    let rank = (values.len() * 95).div_ceil(100);
    values.get(rank.checked_sub(1)?).copied()
}
