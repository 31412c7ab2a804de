//! Where closed alarms are read: a port, because nothing here knows the store.

use crate::model::alarm_command::ClosedAlarmQuery;
use crate::model::history::HistoryError;
use crate::model::{Object, Timestamp};
use std::sync::Arc;

/// An alarm that left the list.
#[derive(Clone, Debug)]
pub struct ClosedAlarm {
    /// Its place in the order of the history.
    pub row: u64,
    /// Its last state.
    pub object: Arc<Object>,
    /// When it left.
    pub close_time: Timestamp,
}

/// Some of them, the one closed last first.
#[derive(Clone, Debug, Default)]
pub struct ClosedAlarmPage {
    /// The alarms.
    pub alarms: Vec<ClosedAlarm>,
    /// More come after the last of them.
    pub more: bool,
}

/// Where closed alarms are read.
pub trait ClosedAlarms: Send + Sync + std::fmt::Debug {
    /// Reads closed alarms; blocks on the disk.
    ///
    /// # Errors
    /// [`HistoryError`] if the store cannot be read.
    fn read(&self, query: &ClosedAlarmQuery) -> Result<ClosedAlarmPage, HistoryError>;
}
