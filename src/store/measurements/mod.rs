//! Measurement history: `pm.db`, its one writer thread and its read-only readers.
//!
//! Two tiers. At the end of a period there is one row per object with all of its metrics; fifteen periods later they
//! are folded into one block per object, in few bits. What is not there was not measured: nothing is filled in. A killed
//! process loses what was not committed, a power cut the last seconds; a full disk stops the history, not the journal.

mod bits;
mod block;
mod column;
mod fold;
mod key;
mod objects;
mod open;
mod percentile;
mod prune;
mod quantum;
mod reader;
mod records;
mod schema;
mod settings;
mod tiers;
mod vitals;
mod writer;

pub use objects::{MeasuredFacts, MeasuredObject};
pub use open::{MeasurementStore, NotWritten};
pub use reader::MeasurementReader;
pub use records::{Record, ReportRow, StateInterval};
pub use settings::HistorySettings;
pub use vitals::HistoryVitals;

#[cfg(test)]
mod tests;
