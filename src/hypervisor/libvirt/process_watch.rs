//! Watches the QEMU processes of this machine, unprivileged, for the moment and manner of their end.
//!
//! Who: the holder of the lock on libvirt's pid file. When: a pidfd is readable at the exit. How: the kernel
//! tells a holder of the pidfd the exit status, if it is new enough. An exit by signal or with a failure is
//! told at once, some 0.2 s before libvirt tells of it. Every ordered stop ends QEMU with status 0, so an
//! exit with 0, or of which the kernel says nothing, is left to libvirt's event, and told only if none comes.
//! One ordered stop ends in SIGKILL: that of a process that did not answer; such an exit is libvirt's to tell.

use super::ffi::pidfd::{wait_status, watched};
use super::incidents;
use super::memory::Memory;
use super::sink;
use crate::hypervisor::port::EventSubject;
use crate::model::incident::IncidentKind;
use crate::model::observation::{Fact, GoneCause, MachineStateFacts};
use rustix::process::{Flock, FlockOffsetType, FlockType, Pid, PidfdFlags, Signal, fcntl_getlk, pidfd_open};
use std::collections::HashMap;
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tokio::io::unix::AsyncFd;
use uuid::Uuid;

/// Most processes watched; beyond it libvirt's events alone tell: 4,096 descriptors.
const MOST: usize = 4_096;

/// libvirt tells of an end within 0.2 s; after this long it is silent.
const PATIENCE: Duration = Duration::from_secs(3);

/// The parent reaps the process within a millisecond, as a rule.
const FIRST_LOOKS: Duration = Duration::from_millis(50);

/// How often a living process is looked at: libvirt waits 10 s between SIGTERM and SIGKILL.
const SAMPLE: Duration = Duration::from_secs(3);

/// Incidents kept while there is no connection to tell them over; the oldest goes.
const UNTOLD: usize = 1_024;

/// The watch over the processes of one endpoint.
#[derive(Debug)]
pub struct ProcessWatch {
    inner: Arc<Inner>,
    watched: Mutex<HashMap<Uuid, Watched>>,
}

#[derive(Debug)]
struct Inner {
    folder: PathBuf,
    memory: Arc<Memory>,
    /// Sink of the present connection; 0 if there is none.
    sink: AtomicUsize,
    untold: Mutex<Vec<EventSubject>>,
}

#[derive(Debug)]
struct Watched {
    incarnation: Option<u64>,
    task: tokio::task::JoinHandle<()>,
}

impl Drop for Watched {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl ProcessWatch {
    /// A watch over the processes whose pid files lie in a folder.
    pub fn new(folder: PathBuf, memory: Arc<Memory>) -> Self {
        let inner = Inner { folder, memory, sink: AtomicUsize::new(0), untold: Mutex::default() };
        Self { inner: Arc::new(inner), watched: Mutex::default() }
    }

    /// What is seen is told over this sink from now on, together with what could not be told before.
    pub fn tell_to(&self, sink: usize) {
        self.inner.sink.store(sink, Ordering::SeqCst);
        for subject in std::mem::take(&mut *lock(&self.inner.untold)) {
            self.inner.tell(subject);
        }
    }

    /// Begins to watch the machines that a reading shows active, and lets go of those it shows otherwise.
    pub fn follow(&self, facts: &[Fact]) {
        for fact in facts {
            match fact {
                Fact::Machine(machine) => self.follow_one(&machine.state),
                Fact::MachineState(state) => self.follow_one(state),
                Fact::MachineGone { uuid, .. } => drop(lock(&self.watched).remove(uuid)),
                _ => {}
            }
        }
    }

    fn follow_one(&self, state: &MachineStateFacts) {
        let mut watched = lock(&self.watched);
        if !state.run_state.is_active() {
            watched.remove(&state.uuid);
            return;
        }
        let known = watched.get(&state.uuid).is_some_and(|known| known.incarnation == state.incarnation);
        if known || (watched.len() >= MOST && !watched.contains_key(&state.uuid)) {
            return;
        }
        let pid_file = self.inner.folder.join(format!("{}.pid", state.display_name));
        let Some(process) = Process::open(&pid_file) else { return };
        self.inner.memory.forget_departure(state.uuid);
        let (inner, uuid) = (self.inner.clone(), state.uuid);
        let task = tokio::spawn(async move { inner.watch(uuid, process).await });
        watched.insert(uuid, Watched { incarnation: state.incarnation, task });
    }

    /// Number of processes watched now.
    #[cfg(test)]
    pub fn count(&self) -> usize {
        lock(&self.watched).values().filter(|watched| !watched.task.is_finished()).count()
    }
}

/// A process that is watched.
#[derive(Debug)]
struct Process {
    pid: Pid,
    ended: AsyncFd<OwnedFd>,
}

impl Process {
    /// The process that holds the lock on a pid file; nothing if none does.
    fn open(pid_file: &Path) -> Option<Self> {
        let file = std::fs::File::open(pid_file).ok()?;
        let pid = lock_holder(&file)?;
        let process = pidfd_open(pid, PidfdFlags::empty()).ok()?;
        // Another one may have taken the number between asking and opening.
        (lock_holder(&file)? == pid).then_some(())?;
        Some(Self { pid, ended: watched(process).ok()? })
    }

    /// Waits for the end; true if somebody had ordered it, or the process had stopped answering.
    async fn end(&self) -> bool {
        let mut doubtful = false;
        loop {
            // Cancel-safety: `readable` and `sleep` lose nothing when the other wins.
            tokio::select! {
                _ = self.ended.readable() => return doubtful,
                () = tokio::time::sleep(SAMPLE) => doubtful = self.is_doubtful(),
            }
        }
    }

    /// It is stopped, waits for a device, or has not taken a SIGTERM. False where /proc is hidden from us.
    fn is_doubtful(&self) -> bool {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.pid.as_raw_nonzero()));
        status.is_ok_and(|status| looks_doubtful(&status))
    }
}

/// Judges `/proc/PID/status`.
fn looks_doubtful(status: &str) -> bool {
    let field = |name: &str| status.lines().find_map(|line| line.strip_prefix(name)).map(str::trim);
    let halted = field("State:").is_some_and(|state| state.starts_with(['T', 't', 'D']));
    let pending = field("ShdPnd:").and_then(|pending| u64::from_str_radix(pending, 16).ok()).unwrap_or(0);
    let terminate = 1_u64 << (Signal::TERM.as_raw() - 1);
    halted || pending & terminate != 0
}

/// The process that keeps us from locking the first byte of a file, as QEMU does for its life.
fn lock_holder(file: &std::fs::File) -> Option<Pid> {
    let wanted = Flock { start: 0, length: 1, pid: None, typ: FlockType::WriteLock, offset_type: FlockOffsetType::Set };
    fcntl_getlk(file, &wanted).ok()??.pid
}

/// How a process ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    /// By itself or by order: libvirt tells which.
    LibvirtTells,
    /// Without order.
    Died { signal: Option<i32>, status: Option<i32> },
}

/// Judges a wait status.
fn judge(status: i32, doubtful: bool) -> Verdict {
    let (signal, code) = (status & 0x7f, (status >> 8) & 0xff);
    match (signal, code) {
        (0, 0) => Verdict::LibvirtTells,
        (0, code) => Verdict::Died { signal: None, status: Some(code) },
        (signal, _) if signal == Signal::KILL.as_raw() && doubtful => Verdict::LibvirtTells,
        (signal, _) => Verdict::Died { signal: Some(signal), status: None },
    }
}

impl Inner {
    /// Watches one process until its end has been told.
    async fn watch(self: Arc<Self>, uuid: Uuid, process: Process) {
        let doubtful = process.end().await;
        let ended = Instant::now();
        let doubtful = doubtful || self.memory.quarantine().doubts(uuid);
        let Some(verdict) = self.verdict(uuid, &process, doubtful, ended).await else { return };
        let (kind, details) = match verdict {
            Verdict::Died { signal, status } => (IncidentKind::ProcessDied { signal, status }, None),
            Verdict::LibvirtTells => {
                let silent = "process gone, libvirt silent".to_owned();
                (IncidentKind::ProcessDied { signal: None, status: None }, Some(("text", silent)))
            }
        };
        // Without a connection libvirt cannot be called silent; reading everything anew shows the stop.
        if verdict == Verdict::LibvirtTells && !self.is_connected() {
            return;
        }
        let incident = incidents::of_machine_with(uuid, kind, details);
        let text = format!("process {} ended", process.pid.as_raw_nonzero());
        self.tell(EventSubject::Machine { uuid, leaving: None, incident: Some(incident), text });
    }

    /// Looks for the exit status until libvirt tells of the stop; nothing if libvirt called it ordered.
    async fn verdict(&self, uuid: Uuid, process: &Process, doubtful: bool, ended: Instant) -> Option<Verdict> {
        loop {
            let status = wait_status(process.ended.as_fd());
            let verdict = status.map(|status| judge(status, doubtful));
            match self.memory.departure(uuid, ended) {
                Some(GoneCause::Failed) => return verdict.filter(|verdict| *verdict != Verdict::LibvirtTells),
                Some(_) => return None,
                None => {}
            }
            if let Some(died @ Verdict::Died { .. }) = verdict {
                return Some(died);
            }
            if ended.elapsed() >= PATIENCE {
                return Some(Verdict::LibvirtTells);
            }
            let early = ended.elapsed() < FIRST_LOOKS && verdict.is_none();
            tokio::time::sleep(Duration::from_millis(if early { 1 } else { 25 })).await;
        }
    }

    fn is_connected(&self) -> bool {
        sink::is_reachable(self.sink.load(Ordering::SeqCst))
    }

    fn tell(&self, subject: EventSubject) {
        if self.is_connected() {
            sink::deliver(self.sink.load(Ordering::SeqCst), subject);
            return;
        }
        let mut untold = lock(&self.untold);
        if untold.len() >= UNTOLD {
            untold.remove(0);
        }
        untold.push(subject);
    }
}

/// What is behind the locks is consistent whatever a panicking thread did.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
