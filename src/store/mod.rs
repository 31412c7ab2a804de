//! What is durable: `journal.db` and `pm.db`, each with its schema, its one writer thread and its read-only readers.
//!
//! Nothing here decides anything: transactions come from the engine, numbered and complete. A
//! transaction is acknowledged when SQLite has committed it with `synchronous=FULL`.

mod aside;
mod behind;
mod closed;
mod definitions;
mod error;
mod journal;
mod measurements;
mod reader;
mod retention;
mod row;
mod schema;
mod space;
mod transaction;
mod transition;
mod writer;

pub use aside::set_aside;
pub use closed::ClosedAlarmPage;
pub use error::StoreError;
pub use journal::{Journal, Loaded, OpenOptions};
pub use measurements::{
    HistorySettings, HistoryVitals, MeasuredFacts, MeasuredObject, MeasurementReader, MeasurementStore, NotWritten,
    Record, ReportRow, StateInterval,
};
pub use reader::JournalReader;
pub use transaction::{Ack, HostRow, Outcome, RequestRow, StoreCondition, Transaction};
pub use writer::StoreHandle;

#[cfg(test)]
mod tests;
