//! The service and what its methods share.

use super::port::Measurements;
use crate::northbound::published::Published;
use crate::northbound::sessions::Sessions;
use crate::northbound::watch::Watching;
use std::sync::Arc;

/// The service.
#[derive(Clone, Debug)]
pub struct Performance {
    /// What is read: objects, jobs, monitors.
    pub published: Published,
    /// What is measured.
    pub measurements: Arc<dyn Measurements>,
    /// How streams begin.
    pub watching: Watching,
}

impl Performance {
    pub(super) fn sessions(&self) -> &Arc<Sessions> {
        &self.watching.sessions
    }
}
