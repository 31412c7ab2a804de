//! Reading history: two tiers, one answer.

use super::block::{Point, WINDOW};
use super::key;
use super::objects::{self, MeasuredObject};
use super::percentile;
use super::records::{self, ReportRow, StateInterval};
use super::tiers::{self, Tier};
use super::vitals::HistoryVitals;
use crate::model::Timestamp;
use crate::model::measurement::{MeasuredKey, MeasurementQuery, MeasurementSeries};
use crate::model::metric::{MeasuredClass, Metric};
use crate::store::error::StoreError;
use rusqlite::{Connection, OpenFlags};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, TryLockError};

/// Read-only connections: so many questions are answered at once.
const CONNECTIONS: usize = 3;

/// Reads the history. Every method blocks on the disk. Cheap to clone.
#[derive(Clone, Debug)]
pub struct MeasurementReader {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    path: PathBuf,
    connections: Vec<Mutex<Connection>>,
    vitals: Arc<HistoryVitals>,
}

impl MeasurementReader {
    pub(super) fn open(path: &Path, vitals: Arc<HistoryVitals>) -> rusqlite::Result<Self> {
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let mut connections = Vec::new();
        for _ in 0..CONNECTIONS {
            let connection = Connection::open_with_flags(path, flags)?;
            connection.execute_batch("PRAGMA query_only=ON; PRAGMA busy_timeout=5000; PRAGMA cache_size=-2048;")?;
            connections.push(Mutex::new(connection));
        }
        Ok(Self { shared: Arc::new(Shared { path: path.to_owned(), connections, vitals }) })
    }

    /// How the store does.
    pub fn vitals(&self) -> &HistoryVitals {
        &self.shared.vitals
    }

    /// Results by object and metric, each with its points in order. An object or metric that has none is left out; a
    /// period without a point was not measured.
    ///
    /// # Errors
    /// [`StoreError`] if the store cannot be read.
    pub fn query(&self, query: &MeasurementQuery) -> Result<Vec<MeasurementSeries>, StoreError> {
        self.read(|connection| answer(connection, query))
    }

    /// Objects of a class that have history, by name; with those that are gone if wanted.
    ///
    /// # Errors
    /// [`StoreError`] if the store cannot be read.
    pub fn objects(&self, class: MeasuredClass, including_gone: bool) -> Result<Vec<MeasuredObject>, StoreError> {
        self.read(|connection| objects::of_class(connection, &format!("{class:?}"), including_gone))
    }

    /// Begin of the oldest period of a granularity that is still there, to a window of fifteen.
    ///
    /// # Errors
    /// [`StoreError`] if the store cannot be read.
    pub fn oldest(&self, granularity_seconds: u32) -> Result<Option<Timestamp>, StoreError> {
        self.read(|connection| {
            let Some(granularity) = objects::granularity(connection, granularity_seconds)? else { return Ok(None) };
            let periods = tiers::extent(connection, Tier::Periods, granularity)?.map(|(first, _)| first);
            let blocks = tiers::extent(connection, Tier::Blocks, granularity)?.map(|(first, _)| first * WINDOW as i64);
            let oldest = periods.into_iter().chain(blocks).min();
            Ok(oldest.map(|period| key::begin(period, granularity_seconds)))
        })
    }

    /// Bytes of the database that are in use.
    ///
    /// # Errors
    /// [`StoreError`] if the store cannot be read.
    pub fn size(&self) -> Result<u64, StoreError> {
        self.read(tiers::used_bytes)
    }

    /// Reports of a job that end after a time, oldest first.
    ///
    /// # Errors
    /// [`StoreError`] if the store cannot be read.
    pub fn reports(&self, job: &str, after: Timestamp, limit: usize) -> Result<Vec<ReportRow>, StoreError> {
        self.read(|connection| records::reports(connection, job, after, limit))
    }

    /// Intervals of availability that overlap a time, by object and begin.
    ///
    /// # Errors
    /// [`StoreError`] if the store cannot be read.
    pub fn intervals(&self, begin: Timestamp, end: Timestamp) -> Result<Vec<StateInterval>, StoreError> {
        self.read(|connection| records::intervals(connection, begin, end))
    }

    /// What a writer of records remembered last.
    ///
    /// # Errors
    /// [`StoreError`] if the store cannot be read.
    pub fn position(&self, key: &str) -> Result<Option<String>, StoreError> {
        self.read(|connection| records::position(connection, key))
    }

    fn read<T>(&self, look: impl Fn(&Connection) -> rusqlite::Result<T>) -> Result<T, StoreError> {
        let connection = self.connection();
        // One transaction: folding meanwhile moves nothing from under a question.
        let looked = connection.unchecked_transaction().and_then(|transaction| look(&transaction));
        looked.map_err(|source| StoreError::Unreadable { path: self.shared.path.clone(), source })
    }

    /// A connection nobody uses, or the first when it is free.
    fn connection(&self) -> MutexGuard<'_, Connection> {
        for connection in &self.shared.connections {
            match connection.try_lock() {
                Ok(free) => return free,
                Err(TryLockError::Poisoned(poisoned)) => return poisoned.into_inner(),
                Err(TryLockError::WouldBlock) => {}
            }
        }
        self.shared.connections[0].lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn answer(connection: &Connection, query: &MeasurementQuery) -> rusqlite::Result<Vec<MeasurementSeries>> {
    let seconds = query.granularity_seconds;
    let Some(granularity) = objects::granularity(connection, seconds)? else { return Ok(Vec::new()) };
    // Periods that begin at `begin` or later, and before `end`.
    let first = key::period(Timestamp(query.begin.0.saturating_sub(1)), seconds) + 1;
    let last = key::period(Timestamp(query.end.0.saturating_sub(1)), seconds);
    let numbers: Vec<u16> = query.metrics.iter().map(|metric| metric.number()).collect();
    let mut series = Vec::new();
    for measured in &query.keys {
        let Some(object) = objects::object(connection, &measured.name())? else { continue };
        let mut found = tiers::points(connection, granularity, object, first, last, &numbers)?;
        percentile::complete(connection, object, seconds, &mut found)?;
        for metric in &query.metrics {
            if let Some(points) = found.remove(&metric.number()) {
                series.push(series_of(measured, *metric, points, seconds));
            }
        }
    }
    Ok(series)
}

fn series_of(key: &MeasuredKey, metric: Metric, points: BTreeMap<i64, Point>, seconds: u32) -> MeasurementSeries {
    let mut series = MeasurementSeries { key: key.clone(), metric, points: Vec::new(), p95: Vec::new() };
    for (period, point) in points {
        let begin = key::begin(period, seconds);
        series.p95.extend(point.p95.map(|value| (begin, value)));
        series.points.push((begin, point.value));
    }
    series
}
