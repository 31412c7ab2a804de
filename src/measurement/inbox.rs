//! Where samples wait: bounded, the oldest leave first, nobody ever waits to put some in.

use super::vitals::MeasurementVitals;
use crate::model::HostId;
use crate::model::measurement::SampleBatch;
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::Notify;

/// Samples that may wait: 400,000 (one sample is one part of one object), about 100 MB if it ever came to that; then
/// the oldest batches are dropped and counted. Usual are a few thousand.
const WAITING_SAMPLES: usize = 400_000;

/// Batches that may wait: 2,048.
const WAITING_BATCHES: usize = 2_048;

/// Something for the task.
#[derive(Debug)]
pub(super) enum Message {
    Batch(HostId, SampleBatch),
    Lost(HostId),
    Back(HostId),
    Overrun(HostId),
    Failed(HostId),
}

#[derive(Debug, Default)]
struct Waiting {
    queue: VecDeque<Message>,
    samples: usize,
    batches: usize,
}

/// The inbox.
#[derive(Debug, Default)]
pub(super) struct Inbox {
    waiting: Mutex<Waiting>,
    filled: Notify,
}

impl Inbox {
    fn put(&self, message: Message, vitals: &MeasurementVitals) {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        if let Message::Batch(_, batch) = &message {
            waiting.samples += batch.samples.len();
            waiting.batches += 1;
        }
        waiting.queue.push_back(message);
        while waiting.samples > WAITING_SAMPLES || waiting.batches > WAITING_BATCHES {
            let oldest = waiting.queue.iter().position(|message| matches!(message, Message::Batch(..)));
            let Some(Message::Batch(_, batch)) = oldest.and_then(|at| waiting.queue.remove(at)) else { break };
            waiting.samples -= batch.samples.len();
            waiting.batches -= 1;
            MeasurementVitals::add(&vitals.dropped_batches, 1);
        }
        drop(waiting);
        self.filled.notify_one();
    }

    pub(super) fn take(&self) -> Option<Message> {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        let message = waiting.queue.pop_front()?;
        if let Message::Batch(_, batch) = &message {
            waiting.samples -= batch.samples.len();
            waiting.batches -= 1;
        }
        Some(message)
    }

    /// Waits until there may be something.
    pub(super) async fn filled(&self) {
        self.filled.notified().await;
    }
}

/// Takes samples from collectors. Cheap to clone; nothing here ever waits.
#[derive(Clone, Debug)]
pub struct SampleSink {
    pub(super) inbox: Arc<Inbox>,
    pub(super) vitals: Arc<MeasurementVitals>,
}

impl SampleSink {
    /// A sink that nobody reads, for tests of collectors.
    pub fn unread() -> Self {
        Self { inbox: Arc::default(), vitals: Arc::default() }
    }

    /// Takes what one look at a host gave.
    pub fn send(&self, host: HostId, batch: SampleBatch) {
        self.inbox.put(Message::Batch(host, batch), &self.vitals);
    }

    /// The host does not answer any more.
    pub fn host_lost(&self, host: HostId) {
        self.inbox.put(Message::Lost(host), &self.vitals);
    }

    /// The host answers again.
    pub fn host_back(&self, host: HostId) {
        self.inbox.put(Message::Back(host), &self.vitals);
    }

    /// A round of statistics was skipped because the one before still ran.
    pub fn overrun(&self, host: HostId) {
        self.inbox.put(Message::Overrun(host), &self.vitals);
    }

    /// A round of statistics of a connected host failed.
    pub fn failed(&self, host: HostId) {
        self.inbox.put(Message::Failed(host), &self.vitals);
    }

    /// Samples that wait, for tests and figures.
    pub fn waiting(&self) -> usize {
        self.inbox.waiting.lock().unwrap_or_else(PoisonError::into_inner).samples
    }
}

/// How long batches may wait before the VRM counts as overloaded: one base interval.
pub(super) fn is_late(waited: Duration, base: Duration) -> bool {
    waited > base
}
