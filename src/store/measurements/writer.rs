//! The one writer thread of the history: takes what is queued, commits it at once, folds and prunes in between.

use super::block::{Block, Point};
use super::fold::{self, Place};
use super::key;
use super::objects::Interned;
use super::prune;
use super::records::{self, Record};
use super::settings::HistorySettings;
use super::vitals::HistoryVitals;
use crate::model::Timestamp;
use crate::model::measurement::PeriodResult;
use rusqlite::{Connection, ErrorCode, OptionalExtension, TransactionBehavior, params};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::mpsc::{Receiver, TryRecvError};
use tokio::sync::oneshot;

/// Messages committed together at most.
const GROUP: usize = 64;

/// Tells how it ended; nothing when it is written.
pub(super) type Reply = oneshot::Sender<Result<(), String>>;

/// What the writer is asked.
#[derive(Debug)]
pub(super) enum Message {
    Append(Vec<PeriodResult>),
    Record(Vec<Record>, Reply),
    Flush(Reply),
}

/// The thread's own.
pub(super) struct Writer {
    connection: Connection,
    directory: PathBuf,
    settings: HistorySettings,
    vitals: Arc<HistoryVitals>,
    interned: Interned,
    newest: Timestamp,
    folding: Option<Place>,
    pruned: Timestamp,
}

/// Old results are looked for after so much time of results.
const PRUNE_EVERY_SECONDS: u64 = 900;

impl Writer {
    pub(super) fn new(
        connection: Connection,
        directory: &Path,
        settings: &HistorySettings,
        vitals: &Arc<HistoryVitals>,
    ) -> Self {
        Self {
            connection,
            directory: directory.to_owned(),
            settings: settings.clone(),
            vitals: Arc::clone(vitals),
            interned: Interned::default(),
            newest: Timestamp(0),
            folding: None,
            pruned: Timestamp(0),
        }
    }

    /// Works until every handle is gone, then finishes what is queued.
    pub(super) fn run(mut self, queue: &Receiver<Message>) {
        while let Some(group) = self.next(queue) {
            if group.is_empty() {
                self.fold_step();
            } else {
                self.commit(group);
                self.look_for_work();
            }
        }
    }

    /// What is queued; nothing for now if there is folding to do, nothing at all when it is over.
    fn next(&self, queue: &Receiver<Message>) -> Option<Vec<Message>> {
        let first = match queue.try_recv() {
            Ok(message) => message,
            Err(TryRecvError::Empty) if self.folding.is_some() => return Some(Vec::new()),
            Err(TryRecvError::Empty) => queue.recv().ok()?,
            Err(TryRecvError::Disconnected) => return None,
        };
        let mut group = vec![first];
        while group.len() < GROUP
            && let Ok(message) = queue.try_recv()
        {
            group.push(message);
        }
        Some(group)
    }

    fn commit(&mut self, group: Vec<Message>) {
        let results: usize =
            group.iter().map(|message| if let Message::Append(list) = message { list.len() } else { 0 }).sum();
        let outcome = if self.has_room() {
            self.write(&group).map_err(|error| self.told(&error))
        } else {
            Err("the disk is full".to_owned())
        };
        let counter = if outcome.is_ok() { &self.vitals.written } else { &self.vitals.lost };
        counter.fetch_add(results as u64, Relaxed);
        self.vitals.waiting.fetch_sub(results, Relaxed);
        if outcome.is_ok() {
            self.vitals.full.store(false, Relaxed);
            self.vitals.failed.store(false, Relaxed);
        } else {
            // Numbers given in the transaction that was undone are not known to anybody.
            self.interned.forget();
        }
        for message in group {
            if let Message::Record(_, reply) | Message::Flush(reply) = message {
                // Who asked may have gone.
                let _ = reply.send(outcome.clone());
            }
        }
    }

    /// The journal comes first: nothing is written when the disk is nearly full.
    fn has_room(&self) -> bool {
        let room =
            rustix::fs::statvfs(&self.directory).map_or(u64::MAX, |disk| disk.f_bavail.saturating_mul(disk.f_frsize));
        let enough = room >= self.settings.keep_free_bytes;
        if !enough {
            self.vitals.full.store(true, Relaxed);
        }
        enough
    }

    fn told(&self, error: &rusqlite::Error) -> String {
        let full = error.sqlite_error_code() == Some(ErrorCode::DiskFull);
        if full { &self.vitals.full } else { &self.vitals.failed }.store(true, Relaxed);
        error.to_string()
    }

    fn write(&mut self, group: &[Message]) -> rusqlite::Result<()> {
        let transaction = self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let mut newest = self.newest;
        for message in group {
            match message {
                Message::Append(results) => {
                    for result in results {
                        append(&transaction, &mut self.interned, result)?;
                        newest = newest.max(result.begin);
                    }
                }
                Message::Record(list, _) => records::write(&transaction, &mut self.interned, list)?,
                Message::Flush(_) => {}
            }
        }
        transaction.commit()?;
        self.newest = newest;
        self.vitals.newest.store(newest.0, Relaxed);
        Ok(())
    }

    fn look_for_work(&mut self) {
        if self.folding.is_none() {
            // What cannot be looked up now is looked up after the next results.
            self.folding = fold::due(&self.connection).ok().flatten();
        }
        if self.newest.since(self.pruned).as_secs() >= PRUNE_EVERY_SECONDS {
            self.pruned = self.newest;
            self.prune();
        }
    }

    fn prune(&mut self) {
        // Old rows that stay a while longer do no harm: the next round tries again.
        let _ = prune::by_age(&mut self.connection, &self.settings, self.newest);
        let _ = prune::by_size(&mut self.connection, &self.settings);
        if prune::objects(&self.connection, &self.settings, self.newest).is_ok_and(|forgotten| forgotten > 0) {
            self.interned.forget();
        }
    }

    fn fold_step(&mut self) {
        let Some(place) = self.folding.take() else { return };
        // Without room it stays as it is and is tried after the next results.
        if let Ok(next) = fold::step(&mut self.connection, place) {
            self.folding = next.or_else(|| fold::due(&self.connection).ok().flatten());
        }
    }
}

/// Writes a result; another one of the same object and period is added to.
fn append(connection: &Connection, interned: &mut Interned, result: &PeriodResult) -> rusqlite::Result<()> {
    let seconds = u32::try_from(result.granularity.as_secs()).unwrap_or(u32::MAX);
    let granularity = interned.granularity(connection, seconds)?;
    let object = interned.object(connection, &result.key)?;
    let row = key::pack(granularity, key::period(result.begin, seconds), object);
    let mut block = Block::new(1);
    for (metric, value) in &result.values {
        block.put(metric.number(), 0, Point { value: value.clone(), p95: None });
    }
    let inserted = connection
        .prepare_cached("INSERT INTO periods (key, body) VALUES (?1, ?2) ON CONFLICT DO NOTHING")?
        .execute(params![row, block.encode()])?;
    if inserted == 0 {
        let mut known = connection.prepare_cached("SELECT body FROM periods WHERE key = ?1")?;
        let known: Option<Vec<u8>> = known.query_row([row], |row| row.get(0)).optional()?;
        let mut whole = known.and_then(|body| Block::decode(&body)).unwrap_or_else(|| Block::new(1));
        whole.merge(0, block);
        connection
            .prepare_cached("UPDATE periods SET body = ?2 WHERE key = ?1")?
            .execute(params![row, whole.encode()])?;
    }
    Ok(())
}
