//! The running world: turned by the injected clock, its events handed to whoever is connected.
//!
//! One task per world sleeps until something is due. Every look at the world moves it on first, so
//! that an event is always sent before the change it tells of can be read.

use super::fault::{Fault, FaultError};
use super::overlay::HostTrouble;
use super::world::{World, WorldEvent};
use crate::hypervisor::port::{EventSubject, HypervisorEvent};
use crate::model::time::Timestamp;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;
use tokio::sync::{Notify, mpsc};
use tokio_util::sync::CancellationToken;

/// Tells the time.
pub type Clock = Arc<dyn Fn() -> Timestamp + Send + Sync>;

/// Events a connection holds for a reader that is away. When it is full further ones are dropped
/// and one [`EventSubject::Gap`] is sent as soon as there is room.
const EVENT_QUEUE: usize = 4_096;
/// How soon it is tried again to tell a reader that events were lost.
const GAP_RETRY: Duration = Duration::from_millis(100);
/// Longest sleep of the task, so that a clock that was set is noticed.
const LONGEST_SLEEP: Duration = Duration::from_secs(1);

/// A world and its connections.
pub struct Stage {
    inner: Mutex<Inner>,
    clock: Clock,
    wake: Arc<Notify>,
    driven: AtomicBool,
    handle: SimHandle,
}

struct Inner {
    world: World,
    lines: BTreeMap<u64, Line>,
    /// The reader of some line has not been told yet that events were lost.
    lost: bool,
}

/// The open connection of one host.
struct Line {
    generation: u64,
    events: mpsc::Sender<HypervisorEvent>,
    lost: bool,
    cut: CancellationToken,
}

impl std::fmt::Debug for Stage {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Stage").finish_non_exhaustive()
    }
}

impl Stage {
    /// A stage for a world; it is not turned until [`Stage::start`].
    pub fn new(world: World, clock: Clock, handle: SimHandle) -> Arc<Self> {
        let inner = Mutex::new(Inner { world, lines: BTreeMap::new(), lost: false });
        Arc::new(Self { inner, clock, wake: Arc::new(Notify::new()), driven: AtomicBool::new(false), handle })
    }

    /// Looks at the world as it is now.
    pub fn look<T>(&self, look: impl FnOnce(&World, Timestamp) -> T) -> T {
        let mut inner = self.lock();
        let now = (self.clock)();
        inner.turn(now);
        look(&inner.world, now)
    }

    /// Opens the connection of a host in place of its former one; gives its events and what ends when it is cut.
    pub fn plug(&self, host: u64, generation: u64) -> (mpsc::Receiver<HypervisorEvent>, CancellationToken) {
        let (events, receiver) = mpsc::channel(EVENT_QUEUE);
        let cut = CancellationToken::new();
        let line = Line { generation, events, lost: false, cut: cut.clone() };
        if let Some(former) = self.lock().lines.insert(host, line) {
            former.cut.cancel();
        }
        (receiver, cut)
    }

    /// Begins to turn the world and lets it be found through its handle; once is enough.
    pub fn start(self: &Arc<Self>) {
        if !self.driven.swap(true, Ordering::Relaxed) {
            self.handle.add(self);
            tokio::spawn(drive(Arc::downgrade(self), Arc::clone(&self.wake)));
        }
    }

    /// Cuts the connection of a host, if it is still that of the generation.
    pub fn unplug(&self, host: u64, generation: u64) {
        let mut inner = self.lock();
        if inner.lines.get(&host).is_some_and(|line| line.generation == generation) {
            inner.cut(host);
        }
    }

    /// What is cancelled when the host's connection is cut; nothing if there is none.
    pub fn line(&self, host: u64) -> Option<CancellationToken> {
        self.lock().lines.get(&host).map(|line| line.cut.clone())
    }

    /// Indices of the hosts that are connected.
    pub fn connected(&self) -> Vec<u64> {
        self.lock().lines.keys().copied().collect()
    }

    /// Injects a fault now.
    ///
    /// # Errors
    /// As [`World::inject`].
    pub fn inject(&self, fault: &Fault) -> Result<(), FaultError> {
        let mut inner = self.lock();
        let now = (self.clock)();
        inner.turn(now);
        let events = inner.world.inject(fault)?;
        inner.hand_out(events, now);
        self.wake.notify_one();
        Ok(())
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        // The world stays whole whatever its reader did: a panic elsewhere must not end the simulator.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Moves the world on and says how long nothing will happen.
    fn turn(&self) -> Duration {
        let mut inner = self.lock();
        let now = (self.clock)();
        inner.turn(now);
        let retry = inner.lines.values().any(|line| line.lost).then_some(GAP_RETRY);
        let due = inner.world.next_due().map(|due| due.since(now).max(Duration::from_millis(1)));
        [retry, due].into_iter().flatten().fold(LONGEST_SLEEP, Duration::min)
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        self.wake.notify_one();
    }
}

impl Inner {
    fn turn(&mut self, now: Timestamp) {
        let events = self.world.advance(now);
        self.hand_out(events, now);
        if self.lost {
            self.lost = false;
            for line in self.lines.values_mut().filter(|line| line.lost) {
                self.lost |= !line.tell_lost(now);
            }
        }
    }

    fn hand_out(&mut self, events: Vec<WorldEvent>, now: Timestamp) {
        for event in events {
            let closed = matches!(event.subject, EventSubject::Closed(_));
            let hung = self.world.host_trouble(event.host) == Some(HostTrouble::Hung);
            if let Some(line) = self.lines.get_mut(&event.host).filter(|_| closed || !hung) {
                line.send(event.subject, now);
                self.lost |= line.lost;
            }
            if closed {
                self.cut(event.host);
            }
        }
    }

    fn cut(&mut self, host: u64) {
        if let Some(line) = self.lines.remove(&host) {
            line.cut.cancel();
        }
    }
}

impl Line {
    fn send(&mut self, subject: EventSubject, seen: Timestamp) {
        if self.lost && !self.tell_lost(seen) {
            return;
        }
        let event = HypervisorEvent { generation: self.generation, seen, subject };
        self.lost = matches!(self.events.try_send(event), Err(mpsc::error::TrySendError::Full(_)));
    }

    fn tell_lost(&mut self, seen: Timestamp) -> bool {
        let event = HypervisorEvent { generation: self.generation, seen, subject: EventSubject::Gap };
        self.lost = matches!(self.events.try_send(event), Err(mpsc::error::TrySendError::Full(_)));
        !self.lost
    }
}

/// Turns a world until nobody holds it any more.
async fn drive(stage: Weak<Stage>, wake: Arc<Notify>) {
    loop {
        let Some(pause) = stage.upgrade().map(|stage| stage.turn()) else { return };
        // Cancel-safety: both branches only wait.
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            () = wake.notified() => {}
        }
    }
}

/// All simulated worlds of this process that somebody has tried to connect to. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct SimHandle {
    stages: Arc<Mutex<Vec<Weak<Stage>>>>,
}

impl SimHandle {
    /// A handle without worlds.
    pub fn new() -> Self {
        Self::default()
    }

    /// The worlds, in order of their first connection.
    pub fn stages(&self) -> Vec<Arc<Stage>> {
        let mut stages = self.stages.lock().unwrap_or_else(PoisonError::into_inner);
        stages.retain(|stage| stage.strong_count() > 0);
        stages.iter().filter_map(Weak::upgrade).collect()
    }

    /// Injects a fault into the world it names: that of its host or machine, or every one for storms and a restore of all.
    ///
    /// # Errors
    /// [`FaultError`] if there is no world, or of the last world if none accepts it.
    pub fn inject(&self, fault: &Fault) -> Result<(), FaultError> {
        let everywhere = matches!(fault, Fault::Storm { .. } | Fault::Restore { host: None, vm: None });
        let mut verdict = Err(FaultError::new("kind", "no simulated host is connected"));
        for stage in self.stages() {
            match stage.inject(fault) {
                Ok(()) if !everywhere => return Ok(()),
                Ok(()) => verdict = Ok(()),
                Err(error) if verdict.is_err() => verdict = Err(error),
                Err(_) => {}
            }
        }
        verdict
    }

    fn add(&self, stage: &Arc<Stage>) {
        self.stages.lock().unwrap_or_else(PoisonError::into_inner).push(Arc::downgrade(stage));
    }
}
