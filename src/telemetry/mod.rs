//! What the daemon tells about itself: log events to journal or terminal, panics counted, how long
//! alarms take, and the journal's own way for alarm records.
//!
//! Knows no other module of ours. Logging never blocks: records go through a bounded queue to one
//! writer thread, and what finds no room is dropped and counted.

mod alarm_latency;
mod alarm_record;
mod journal;
mod logging;
mod sink_figures;

pub use alarm_latency::{AlarmLatency, LatencyStage};
pub use alarm_record::{AlarmRecord, JOURNAL_SOCKET, JournalSocket, message_id};
pub use logging::{LogCounters, LogError, init};
pub use sink_figures::SinkFigures;
