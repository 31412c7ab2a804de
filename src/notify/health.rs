//! How a sink does: for the metrics page, and for whoever raises the alarm about it.

use crate::model::Timestamp;
use crate::telemetry::SinkFigures;
use std::sync::{Arc, Mutex, PoisonError};

/// State of one sink.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SinkHealth {
    /// Its name.
    pub name: String,
    /// Since when every try fails; absent while the last one succeeded.
    pub failing_since: Option<Timestamp>,
    /// What the last failure said.
    pub last_error: String,
}

/// Who wants to know about sinks that fail for long (alarm `notificationSinkFailed`).
pub trait SinkObserver: Send + Sync {
    /// A sink fails for longer than the configured patience; told again with every further failure.
    fn failing(&self, health: &SinkHealth);
    /// A sink that was told about delivers again.
    fn recovered(&self, health: &SinkHealth);
}

/// The shared state behind [`SinkHealth`].
pub(super) struct HealthCell {
    health: Mutex<SinkHealth>,
    pub(super) figures: Arc<SinkFigures>,
    observer: Option<Arc<dyn SinkObserver>>,
    patience: std::time::Duration,
    /// Somebody may believe that it fails: told so, or told before a restart.
    reported: std::sync::atomic::AtomicBool,
}

impl std::fmt::Debug for HealthCell {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("HealthCell").field("health", &self.read()).finish_non_exhaustive()
    }
}

impl HealthCell {
    pub(super) fn new(
        figures: Arc<SinkFigures>,
        observer: Option<Arc<dyn SinkObserver>>,
        patience: std::time::Duration,
    ) -> Self {
        let health = SinkHealth { name: figures.name().to_owned(), ..SinkHealth::default() };
        Self { health: Mutex::new(health), figures, observer, patience, reported: true.into() }
    }

    pub(super) fn read(&self) -> SinkHealth {
        self.health.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// A try failed.
    pub(super) fn fail(&self, now: Timestamp, reason: &str) {
        let health = {
            let mut health = self.health.lock().unwrap_or_else(PoisonError::into_inner);
            if health.failing_since.is_none() {
                // Once per outage; the figures count the rest.
                tracing::warn!(sink = health.name, error = reason, "sink fails");
                health.failing_since = Some(now);
            }
            health.last_error = reason.to_owned();
            health.clone()
        };
        self.figures.fail();
        let since = health.failing_since.unwrap_or(now);
        if now.since(since) >= self.patience {
            self.reported.store(true, std::sync::atomic::Ordering::Relaxed);
            if let Some(observer) = &self.observer {
                observer.failing(&health);
            }
        }
    }

    /// A try succeeded.
    pub(super) fn succeed(&self) {
        let health = {
            let mut health = self.health.lock().unwrap_or_else(PoisonError::into_inner);
            if health.failing_since.take().is_some() {
                tracing::info!(sink = health.name, "sink delivers again");
            }
            health.clone()
        };
        self.figures.recover();
        if self.reported.swap(false, std::sync::atomic::Ordering::Relaxed)
            && let Some(observer) = &self.observer
        {
            observer.recovered(&health);
        }
    }
}
