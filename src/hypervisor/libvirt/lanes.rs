//! Threads that make libvirt's blocking calls: one per purpose, each with its own connection.
//!
//! Every job brings its caller's deadline. A job still running then marks its lane stuck: the lane's
//! socket is cut, the thread is left to end by itself, and a new one takes over the waiting jobs.
//! Stuck threads are counted and bounded, so that a host that hangs for ever costs a constant (P5, P7).

use super::counters::Counters;
use super::lifeline::Lifeline;
use super::session::Session;
use super::uri::Target;
use crate::hypervisor::port::HypervisorError;
use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::oneshot;

/// Jobs that may wait for one lane; what comes beyond is answered `Busy`.
const QUEUE: usize = 32;

/// Threads of one endpoint that may be stuck at once; beyond it calls are answered `Busy` until one
/// comes back. Each lane may be replaced twice.
const MAX_STUCK: u32 = 8;

/// What a lane is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// Holds the connection events come over.
    Events,
    /// Short calls: states, one machine, networks, signs of life.
    Control,
    /// Bulk statistics, which meet hung hypervisor processes.
    Poll,
    /// Pools, volumes and host devices, which meet dead mounts.
    Storage,
}

impl Purpose {
    const COUNT: usize = 4;

    fn index(self) -> usize {
        match self {
            Self::Events => 0,
            Self::Control => 1,
            Self::Poll => 2,
            Self::Storage => 3,
        }
    }

    fn thread_name(self) -> &'static str {
        match self {
            Self::Events => "virt-evt",
            Self::Control => "virt-ctl",
            Self::Poll => "virt-poll",
            Self::Storage => "virt-storage",
        }
    }
}

/// The lanes of one connection generation. Dropping them ends their threads.
#[derive(Debug)]
pub struct Lanes {
    target: Arc<Target>,
    counters: Arc<Counters>,
    slots: [Mutex<Option<Arc<Lane>>>; Purpose::COUNT],
}

type Work = Box<dyn FnOnce(&mut Session) + Send>;

struct Job {
    until: Instant,
    work: Work,
}

/// One lane thread with its queue.
struct Lane {
    state: Mutex<State>,
    wake: Condvar,
    lifeline: Arc<Lifeline>,
}

#[derive(Default)]
struct State {
    jobs: VecDeque<Job>,
    /// The job that runs now.
    running: Option<Running>,
    /// Counted in [`Counters`] as stuck.
    stuck: bool,
}

#[derive(Clone, Copy)]
struct Running {
    since: Instant,
    until: Instant,
}

impl std::fmt::Debug for Lane {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Lane").field("lifeline", &self.lifeline).finish_non_exhaustive()
    }
}

impl Lanes {
    /// Lanes for a target; threads start with their first job.
    pub fn new(target: Arc<Target>, counters: Arc<Counters>) -> Self {
        Self { target, counters, slots: Default::default() }
    }

    /// Runs `work` on a lane's thread and waits for its result until the deadline.
    ///
    /// # Errors
    /// `TimedOut` when the deadline passes: the work may still be done. `Busy` if the lane's queue is
    /// full or too many threads are stuck. Otherwise what `work` says.
    pub async fn call<R: Send + 'static>(
        &self,
        purpose: Purpose,
        deadline: Duration,
        work: impl FnOnce(&mut Session) -> Result<R, HypervisorError> + Send + 'static,
    ) -> Result<R, HypervisorError> {
        let until = Instant::now() + deadline;
        let (reply, mut answer) = oneshot::channel();
        let work: Work = Box::new(move |session| {
            let _ = reply.send(work(session));
        });
        self.submit(purpose, Job { until, work })?;
        loop {
            // The call that runs before ours may hang with nobody left who waits for it.
            let look = self.running_until(purpose).map_or(until, |running| running.min(until));
            match tokio::time::timeout_at(look.into(), &mut answer).await {
                Ok(Ok(result)) => return result,
                Ok(Err(_)) if Instant::now() < until => {
                    return Err(HypervisorError::Unreachable("connection given up during the call".into()));
                }
                Err(_) if Instant::now() < until => self.replace_if_stuck(purpose),
                // Late, or dropped because it would have been.
                Ok(Err(_)) | Err(_) => {
                    self.replace_if_stuck(purpose);
                    return Err(HypervisorError::TimedOut(deadline));
                }
            }
        }
    }

    fn running_until(&self, purpose: Purpose) -> Option<Instant> {
        let lane = lock(self.slot(purpose)).clone()?;
        let running = lock(&lane.state).running?;
        Some(running.until)
    }

    /// Lanes whose present call has been running for longer than this.
    pub fn slow(&self, patience: Duration) -> u32 {
        let lanes = self.slots.iter().filter_map(|slot| lock(slot).clone());
        let slow = lanes.filter(|lane| lock(&lane.state).running.is_some_and(|job| job.since.elapsed() > patience));
        u32::try_from(slow.count()).unwrap_or(u32::MAX)
    }

    /// Gives every lane up: waiting jobs are dropped, running ones cut.
    pub fn close(&self) {
        for slot in &self.slots {
            let lane = lock(slot).take();
            if let Some(lane) = lane {
                lock(&lane.state).jobs.clear();
                self.abandon(&lane);
            }
        }
    }

    fn submit(&self, purpose: Purpose, job: Job) -> Result<(), HypervisorError> {
        self.replace_if_stuck(purpose);
        self.counters.cut_stuck_again(&self.target);
        let mut slot = lock(self.slot(purpose));
        let lane = match &*slot {
            Some(lane) => lane.clone(),
            None => slot.insert(self.launch(purpose, VecDeque::new())?).clone(),
        };
        let mut state = lock(&lane.state);
        if state.jobs.len() >= QUEUE {
            return Err(HypervisorError::Busy(format!("{QUEUE} calls wait already")));
        }
        state.jobs.push_back(job);
        lane.wake.notify_one();
        Ok(())
    }

    /// Replaces a lane whose running job is past its deadline; its waiting jobs go to the new one.
    fn replace_if_stuck(&self, purpose: Purpose) {
        let mut slot = lock(self.slot(purpose));
        let Some(lane) = slot.clone() else { return };
        if !lane.is_stuck() {
            return;
        }
        let now = Instant::now();
        let mut jobs = std::mem::take(&mut lock(&lane.state).jobs);
        jobs.retain(|job| job.until > now);
        *slot = None;
        self.counters.lane_severed();
        self.abandon(&lane);
        tracing::warn!(uri = self.target.shown, lane = purpose.thread_name(), "a call hung; its lane is replaced");
        if !jobs.is_empty() {
            *slot = self.launch(purpose, jobs).ok();
        }
    }

    /// Leaves a thread to itself and cuts what it may wait on.
    fn abandon(&self, lane: &Lane) {
        let mut state = lock(&lane.state);
        // Under the lock, or the thread could look before and fall asleep after.
        lane.lifeline.abandon();
        if state.running.is_some() && !state.stuck {
            state.stuck = true;
            self.counters.stuck(&lane.lifeline);
        }
        drop(state);
        lane.wake.notify_all();
        lane.lifeline.cut(&self.target);
    }

    fn launch(&self, purpose: Purpose, jobs: VecDeque<Job>) -> Result<Arc<Lane>, HypervisorError> {
        if self.counters.stuck_threads() >= MAX_STUCK {
            return Err(HypervisorError::Busy(format!("{MAX_STUCK} threads hang in calls to this host")));
        }
        let state = Mutex::new(State { jobs, ..State::default() });
        let lane = Arc::new(Lane { state, wake: Condvar::new(), lifeline: Arc::default() });
        let (own, target, counters) = (lane.clone(), self.target.clone(), self.counters.clone());
        std::thread::Builder::new()
            .name(purpose.thread_name().into())
            .spawn(move || run(&own, target, &counters))
            .map_err(|error| HypervisorError::Busy(format!("no thread: {error}")))?;
        Ok(lane)
    }

    fn slot(&self, purpose: Purpose) -> &Mutex<Option<Arc<Lane>>> {
        &self.slots[if self.target.single_connection { 0 } else { purpose.index() }]
    }
}

impl Drop for Lanes {
    fn drop(&mut self) {
        self.close();
    }
}

impl Lane {
    fn is_stuck(&self) -> bool {
        lock(&self.state).running.is_some_and(|running| running.until <= Instant::now())
    }

    /// The next job whose caller still waits; nothing once the lane is given up.
    fn next(&self) -> Option<Job> {
        let mut state = lock(&self.state);
        loop {
            if self.lifeline.is_abandoned() {
                return None;
            }
            match state.jobs.pop_front() {
                Some(job) if job.until <= Instant::now() => {}
                Some(job) => {
                    state.running = Some(Running { since: Instant::now(), until: job.until });
                    return Some(job);
                }
                None => state = self.wake.wait(state).unwrap_or_else(PoisonError::into_inner),
            }
        }
    }
}

/// A lane's thread.
fn run(lane: &Lane, target: Arc<Target>, counters: &Counters) {
    lane.lifeline.begin();
    let mut session = Session::new(target, lane.lifeline.clone());
    while let Some(job) = lane.next() {
        guard(|| (job.work)(&mut session));
        lock(&lane.state).running = None;
    }
    guard(|| session.close());
    if std::mem::take(&mut lock(&lane.state).stuck) {
        counters.unstuck(&lane.lifeline);
    }
}

/// The virt crate panics on answers it does not expect; that must cost one call only.
fn guard(work: impl FnOnce()) {
    if catch_unwind(AssertUnwindSafe(work)).is_err() {
        tracing::error!("a libvirt call panicked");
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
