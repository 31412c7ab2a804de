//! Opening the history, and the handle to its writer.

use super::reader::MeasurementReader;
use super::records::Record;
use super::schema;
use super::settings::HistorySettings;
use super::vitals::HistoryVitals;
use super::writer::{Message, Writer};
use crate::model::Timestamp;
use crate::model::measurement::PeriodResult;
use crate::store::error::StoreError;
use rusqlite::{Connection, ErrorCode};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::mpsc;
use tokio::sync::oneshot;

/// Name of the database in the state directory.
const FILE: &str = "pm.db";

/// Why records were not written.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the measurement history cannot be written: {0}")]
pub struct NotWritten(pub String);

/// Way to the writer of the history. Dropping the last one lets it finish what is queued and end.
#[derive(Clone, Debug)]
pub struct MeasurementStore {
    queue: mpsc::Sender<Message>,
    vitals: Arc<HistoryVitals>,
    waiting_results: usize,
}

impl MeasurementStore {
    /// Opens or makes `pm.db` in a directory and starts its writer thread. Blocks on the disk. A damaged database is put
    /// aside ([`HistoryVitals::set_aside`]) and a new one begun: history is not worth a VRM that does not start.
    ///
    /// # Errors
    /// [`StoreError::Newer`] for a database of a newer version, the others if the disk does not let us.
    pub fn open(directory: &Path, settings: &HistorySettings) -> Result<(Self, MeasurementReader), StoreError> {
        std::fs::create_dir_all(directory).map_err(|source| StoreError::Io { path: directory.to_owned(), source })?;
        let path = directory.join(FILE);
        let vitals = Arc::new(HistoryVitals::default());
        let unreadable = |source| StoreError::Unreadable { path: path.clone(), source };
        let connection = match connect(&path) {
            Err(StoreError::Unreadable { source, .. }) if is_damage(&source) => {
                let put = put_aside(directory)?;
                // Set once, here.
                let _ = vitals.set_aside.set(put);
                connect(&path)?
            }
            outcome => outcome?,
        };
        let reader = MeasurementReader::open(&path, Arc::clone(&vitals)).map_err(unreadable)?;
        let writer = Writer::new(connection, directory, settings, &vitals);
        let (queue, messages) = mpsc::channel();
        std::thread::Builder::new()
            .name("pm-store".to_owned())
            .spawn(move || writer.run(&messages))
            .map_err(|source| StoreError::Io { path: directory.to_owned(), source })?;
        Ok((Self { queue, vitals, waiting_results: settings.waiting_results }, reader))
    }

    /// Hands over results of periods; never blocks. When too many wait these are dropped and counted.
    pub fn append(&self, results: Vec<PeriodResult>) {
        let count = results.len();
        let before = self.vitals.waiting.fetch_add(count, Relaxed);
        // A single batch is taken whatever its size: the bound is for a writer that does not keep up.
        let refused = before > 0 && before + count > self.waiting_results;
        if count == 0 || refused || self.queue.send(Message::Append(results)).is_err() {
            self.vitals.waiting.fetch_sub(count, Relaxed);
            self.vitals.dropped.fetch_add(count as u64, Relaxed);
        }
    }

    /// Writes records together, and waits until they are committed.
    ///
    /// # Errors
    /// [`NotWritten`]: none of them is.
    pub async fn record(&self, records: Vec<Record>) -> Result<(), NotWritten> {
        self.ask(|reply| Message::Record(records, reply)).await
    }

    /// Waits until everything handed over so far was tried.
    ///
    /// # Errors
    /// [`NotWritten`] if the last of it was not written.
    pub async fn flush(&self) -> Result<(), NotWritten> {
        self.ask(Message::Flush).await
    }

    /// How the store does.
    pub fn vitals(&self) -> &HistoryVitals {
        &self.vitals
    }

    async fn ask(
        &self,
        message: impl FnOnce(oneshot::Sender<Result<(), String>>) -> Message,
    ) -> Result<(), NotWritten> {
        let (reply, answer) = oneshot::channel();
        let ended = || NotWritten("its writer has ended".to_owned());
        self.queue.send(message(reply)).map_err(|_| ended())?;
        answer.await.map_err(|_| ended())?.map_err(NotWritten)
    }
}

fn connect(path: &Path) -> Result<Connection, StoreError> {
    let unreadable = |source| StoreError::Unreadable { path: path.to_owned(), source };
    let mut connection = Connection::open(path).map_err(unreadable)?;
    schema::configure_writer(&connection).map_err(unreadable)?;
    let found = schema::version(&connection).map_err(unreadable)?;
    if found > schema::VERSION {
        return Err(StoreError::Newer { path: path.to_owned(), found, known: schema::VERSION });
    }
    schema::migrate(&mut connection, found).map_err(unreadable)?;
    Ok(connection)
}

fn is_damage(error: &rusqlite::Error) -> bool {
    matches!(error.sqlite_error_code(), Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase))
}

/// Moves the database to `corrupt-TIME/`.
fn put_aside(directory: &Path) -> Result<std::path::PathBuf, StoreError> {
    let now = Timestamp::from_system(std::time::SystemTime::now());
    let target = directory.join(format!("corrupt-{}", now.to_string().replace(':', "")));
    std::fs::create_dir_all(&target).map_err(|source| StoreError::Io { path: target.clone(), source })?;
    for suffix in ["", "-wal", "-shm"] {
        let file = directory.join(format!("{FILE}{suffix}"));
        if file.exists() {
            std::fs::rename(&file, target.join(format!("{FILE}{suffix}")))
                .map_err(|source| StoreError::Io { path: file, source })?;
        }
    }
    Ok(target)
}
