//! Where event callbacks put their hints: a bounded queue per connection, found by number.
//!
//! Callbacks carry a number instead of a pointer, so that no order of closing, failing or forgetting
//! on libvirt's side can free twice, leak, or reach a connection that is gone.

use super::memory::Memory;
use crate::hypervisor::port::{EventSubject, HypervisorEvent};
use crate::model::incident::{Incident, IncidentKind, IncidentSubject};
use crate::model::time::Timestamp;
use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, LazyLock, Mutex, PoisonError, RwLock};
use std::time::SystemTime;
use tokio::sync::mpsc::{self, OwnedPermit};

/// Hints that may wait per connection. What comes beyond is dropped and told as one
/// [`EventSubject::Gap`], for which a place is always kept.
pub const CAPACITY: usize = 8_192;

static SINKS: LazyLock<RwLock<HashMap<usize, Arc<Sink>>>> = LazyLock::new(RwLock::default);
static NEXT: AtomicUsize = AtomicUsize::new(1);

/// The receiving end of one connection's callbacks.
#[derive(Debug)]
pub struct Sink {
    generation: u64,
    /// Knows the disks that events call by alias.
    memory: Arc<Memory>,
    queue: Mutex<Queue>,
}

#[derive(Debug)]
struct Queue {
    sender: mpsc::Sender<HypervisorEvent>,
    /// Kept place for a Gap. While it is taken, a Gap waits that nobody has read yet.
    gap: Option<OwnedPermit<HypervisorEvent>>,
    /// Kept place for the one Closed.
    closed: Option<OwnedPermit<HypervisorEvent>>,
}

/// Keeps a sink reachable for callbacks; they find nothing once it is dropped.
#[derive(Debug)]
pub struct Registration(usize);

impl Registration {
    /// Makes a sink and the queue its hints come out of.
    pub fn new(generation: u64, capacity: usize, memory: Arc<Memory>) -> (Self, mpsc::Receiver<HypervisorEvent>) {
        let (sender, receiver) = mpsc::channel(capacity.max(1) + 2);
        let reserve = || sender.clone().try_reserve_owned().ok();
        let queue = Queue { gap: reserve(), closed: reserve(), sender: sender.clone() };
        let sink = Sink { generation, memory, queue: Mutex::new(queue) };
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        SINKS.write().unwrap_or_else(PoisonError::into_inner).insert(number, Arc::new(sink));
        (Self(number), receiver)
    }

    /// The number callbacks carry.
    pub fn number(&self) -> usize {
        self.0
    }
}

impl Drop for Registration {
    fn drop(&mut self) {
        SINKS.write().unwrap_or_else(PoisonError::into_inner).remove(&self.0);
    }
}

/// Hands a hint to the sink of this number; nothing happens if it is gone. Never blocks on a reader.
pub fn deliver(number: usize, subject: EventSubject) {
    if let Some(sink) = find(number) {
        sink.push(subject);
    }
}

/// Somebody refreshed a pool: its figures are of now, also where we may not refresh it ourselves.
pub fn pool_refreshed(number: usize, pool: &str) {
    if let Some(sink) = find(number) {
        sink.memory.refreshed().insert(pool.to_owned(), Timestamp::from_system(SystemTime::now()));
    }
}

/// Tells the sink of this number that its connection is gone, and ends its queue.
pub fn closed(number: usize, text: &str) {
    let sink = SINKS.write().unwrap_or_else(PoisonError::into_inner).remove(&number);
    if let Some(sink) = sink {
        let event = sink.event(EventSubject::Closed(text.to_owned()));
        if let Some(permit) = sink.lock().closed.take() {
            permit.send(event);
        }
    }
}

/// True if hints for the sink of this number reach somebody.
pub fn is_reachable(number: usize) -> bool {
    find(number).is_some()
}

/// How many sinks are reachable now.
#[cfg(test)]
pub fn reachable() -> usize {
    numbers().len()
}

/// Numbers of the sinks that are reachable now.
#[cfg(test)]
pub fn numbers() -> Vec<usize> {
    SINKS.read().unwrap_or_else(PoisonError::into_inner).keys().copied().collect()
}

fn find(number: usize) -> Option<Arc<Sink>> {
    SINKS.read().unwrap_or_else(PoisonError::into_inner).get(&number).cloned()
}

impl Sink {
    fn push(&self, subject: EventSubject) {
        let event = self.event(subject);
        let mut queue = self.lock();
        if queue.gap.is_none() {
            queue.gap = queue.sender.clone().try_reserve_owned().ok();
        }
        if queue.sender.try_send(event).is_err() {
            // Without a kept place a Gap nobody has read yet lies in the queue: who reads it compares
            // everything afterwards, this loss included.
            if let Some(permit) = queue.gap.take() {
                permit.send(self.event(EventSubject::Gap));
            }
        }
    }

    fn event(&self, mut subject: EventSubject) -> HypervisorEvent {
        let seen = Timestamp::from_system(SystemTime::now());
        if let EventSubject::Machine { uuid, leaving: Some(cause), .. } = &subject {
            self.memory.note_departure(*uuid, *cause);
        }
        if let EventSubject::Machine { incident: Some(incident), .. } = &mut subject {
            incident.time = seen;
            if let (IncidentKind::IoError { .. }, Some(uuid)) = (&incident.kind, incident.machine()) {
                self.memory.disk_doubts().doubt(uuid);
            }
            self.locate(incident);
        }
        HypervisorEvent { generation: self.generation, seen, subject }
    }

    /// Names the disk of an incident that libvirt called by alias and path.
    fn locate(&self, incident: &mut Incident) {
        let Incident { subject: IncidentSubject::MachineDisk { uuid, target }, details, .. } = incident else { return };
        if target.is_empty() {
            let detail = |name| details.get(name).map_or("", String::as_str);
            let machines = self.memory.machines();
            let known = machines.get(uuid).and_then(|known| known.disk(detail("alias"), detail("path")));
            *target = known.unwrap_or_default().to_owned();
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hint(number: usize) -> EventSubject {
        EventSubject::Network(number.to_string())
    }

    #[test]
    fn overflow_is_told_once_and_again_after_reading() {
        let (registration, mut receiver) = Registration::new(3, 2, Arc::default());
        for number in 0..5 {
            deliver(registration.number(), hint(number));
        }
        let read: Vec<_> = std::iter::from_fn(|| receiver.try_recv().ok().map(|event| event.subject)).collect();
        assert_eq!(read, [hint(0), hint(1), EventSubject::Gap]);
        for number in 5..9 {
            deliver(registration.number(), hint(number));
        }
        let read: Vec<_> = std::iter::from_fn(|| receiver.try_recv().ok().map(|event| event.subject)).collect();
        assert_eq!(read, [hint(5), hint(6), EventSubject::Gap]);
    }

    #[test]
    fn closing_is_told_even_when_full_and_only_once() {
        let (registration, mut receiver) = Registration::new(1, 1, Arc::default());
        for number in 0..4 {
            deliver(registration.number(), hint(number));
        }
        closed(registration.number(), "end of file");
        closed(registration.number(), "again");
        let read: Vec<_> = std::iter::from_fn(|| receiver.try_recv().ok().map(|event| event.subject)).collect();
        assert_eq!(read, [hint(0), EventSubject::Gap, EventSubject::Closed("end of file".into())]);
        assert!(matches!(receiver.try_recv(), Err(mpsc::error::TryRecvError::Disconnected)));
    }

    #[test]
    fn a_refresh_by_somebody_dates_the_figures_of_its_pool() {
        let memory = Arc::new(Memory::default());
        let (registration, _receiver) = Registration::new(1, 1, Arc::clone(&memory));
        assert!(memory.refreshed().is_empty());
        pool_refreshed(registration.number(), "default");
        assert!(memory.refreshed().contains_key("default"));
    }

    #[test]
    fn dropped_registration_ends_the_queue_and_later_callbacks_do_nothing() {
        let (registration, mut receiver) = Registration::new(1, 1, Arc::default());
        let number = registration.number();
        drop(registration);
        deliver(number, hint(1));
        closed(number, "late");
        assert!(matches!(receiver.try_recv(), Err(mpsc::error::TryRecvError::Disconnected)));
    }
}
