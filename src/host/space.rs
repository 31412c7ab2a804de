//! Asks filesystems for their size without ever waiting longer than a deadline.
//!
//! A mount whose server is gone keeps `statvfs` in the kernel for hours. Every question is therefore
//! asked on a thread of its own that may be left behind. A path whose question has not come back in
//! time is *hung*: it is not asked again until it has, so that it holds one thread at most.

use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Most questions under way at a time, hung ones included; when hung mounts use them all up,
/// other mounts are reported as not asked.
pub const MAX_QUESTIONS: usize = 32;

/// Stack of a questioning thread: it makes one system call.
const STACK: usize = 128 << 10;

/// Size of a filesystem.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Space {
    /// Bytes in all.
    pub size_bytes: u64,
    /// Bytes that an unprivileged user may still use.
    pub available_bytes: u64,
    /// Bytes in use; what is kept for the superuser is neither used nor available.
    pub used_bytes: u64,
    /// Files that can still be made; 0 where the filesystem does not count them.
    pub inodes_free: u64,
}

/// Why a filesystem gave no figures.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SpaceError {
    /// It has not answered, for so long by now.
    #[error("does not answer for {0:?}")]
    Hung(Duration),
    /// Too many other mounts are hung.
    #[error("not asked: {MAX_QUESTIONS} other filesystems do not answer")]
    NotAsked,
    /// We may not see it: that says nothing about it.
    #[error("{0}")]
    Hidden(String),
    /// The system's error.
    #[error("{0}")]
    Failed(String),
}

/// The question, replaceable in tests.
type Question = dyn Fn(&Path) -> std::io::Result<Space> + Send + Sync;

/// Questions that have not come back.
type Pending = Arc<Mutex<BTreeMap<PathBuf, Asked>>>;

/// Where an answer goes.
type Answers = Sender<(PathBuf, Result<Space, SpaceError>)>;

/// A question that has not come back.
#[derive(Debug)]
struct Asked {
    since: Instant,
    /// Callers that wait for it.
    callers: Vec<Answers>,
}

/// Asks filesystems and remembers which ones are hung.
#[derive(Clone)]
pub struct SpaceProbe {
    question: Arc<Question>,
    pending: Pending,
}

impl std::fmt::Debug for SpaceProbe {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("SpaceProbe").field("pending", &self.pending).finish_non_exhaustive()
    }
}

impl Default for SpaceProbe {
    /// Asks the kernel.
    fn default() -> Self {
        Self::asking(statvfs)
    }
}

impl SpaceProbe {
    /// Asks by `question` instead of the kernel.
    pub fn asking(question: impl Fn(&Path) -> std::io::Result<Space> + Send + Sync + 'static) -> Self {
        Self { question: Arc::new(question), pending: Pending::default() }
    }

    /// Asks all of `paths` at once and returns after `deadline` at the latest, with an entry for each.
    pub fn ask(&self, paths: &[PathBuf], deadline: Duration) -> BTreeMap<PathBuf, Result<Space, SpaceError>> {
        let begin = Instant::now();
        let (sender, answers) = channel();
        let mut results = BTreeMap::new();
        let mut waiting = 0_usize;
        let mut next = 0;
        loop {
            while let Some(path) = paths.get(next) {
                match self.start(path, &sender, deadline) {
                    Started::Waiting => waiting += 1,
                    Started::Refused(error) => drop(results.insert(path.clone(), Err(error))),
                    Started::Full => break,
                }
                next += 1;
            }
            // With nothing under way for us, waiting would not free a place.
            if waiting == 0 {
                break;
            }
            let Ok((path, answer)) = answers.recv_timeout(deadline.saturating_sub(begin.elapsed())) else { break };
            waiting -= 1;
            results.insert(path, answer);
        }
        results.extend(answers.try_iter());
        for path in paths {
            results.entry(path.clone()).or_insert_with(|| Err(self.silence(path)));
        }
        results
    }

    /// Paths that have not answered within `deadline`, with how long.
    pub fn hung(&self, deadline: Duration) -> BTreeMap<PathBuf, Duration> {
        let pending = lock(&self.pending);
        let ages = pending.iter().map(|(path, asked)| (path.clone(), asked.since.elapsed()));
        ages.filter(|(_, age)| *age >= hung_after(deadline)).collect()
    }

    /// Number of callers that wait for a path.
    #[cfg(test)]
    pub fn callers(&self, path: &Path) -> usize {
        lock(&self.pending).get(path).map_or(0, |asked| asked.callers.len())
    }

    /// Why there is no answer when the time is up.
    fn silence(&self, path: &Path) -> SpaceError {
        lock(&self.pending).get(path).map_or(SpaceError::NotAsked, |asked| SpaceError::Hung(asked.since.elapsed()))
    }

    /// Asks, or joins a question that is under way.
    fn start(&self, path: &Path, caller: &Answers, deadline: Duration) -> Started {
        let mut pending = lock(&self.pending);
        if let Some(asked) = pending.get_mut(path) {
            if asked.since.elapsed() >= hung_after(deadline) {
                return Started::Refused(SpaceError::Hung(asked.since.elapsed()));
            }
            asked.callers.push(caller.clone());
            return Started::Waiting;
        }
        if pending.len() >= MAX_QUESTIONS {
            return Started::Full;
        }
        match self.spawn(path) {
            Ok(()) => {
                pending.insert(path.to_owned(), Asked { since: Instant::now(), callers: vec![caller.clone()] });
                Started::Waiting
            }
            Err(error) => Started::Refused(SpaceError::Failed(format!("no thread: {error}"))),
        }
    }

    /// Asks on a new thread, which tells all who wait then. The caller holds the lock, so the thread
    /// cannot look for its entry before it is there.
    fn spawn(&self, path: &Path) -> std::io::Result<()> {
        let (question, pending, path) = (self.question.clone(), self.pending.clone(), path.to_owned());
        let thread = std::thread::Builder::new().name("vrm-statvfs".to_owned()).stack_size(STACK);
        thread.spawn(move || {
            let answer = question(&path).map_err(|error| match error.kind() {
                ErrorKind::PermissionDenied => SpaceError::Hidden(error.to_string()),
                _ => SpaceError::Failed(error.to_string()),
            });
            let asked = lock(&pending).remove(&path);
            for caller in asked.into_iter().flat_map(|asked| asked.callers) {
                // Who has given up does not listen any more.
                let _ = caller.send((path.clone(), answer.clone()));
            }
        })?;
        Ok(())
    }
}

/// What became of a question.
enum Started {
    /// An answer will come to the caller.
    Waiting,
    /// None will.
    Refused(SpaceError),
    /// Too many are under way.
    Full,
}

/// Age from which a question counts as hung: a little less than what its caller waited, because it
/// was asked a little after the caller began to wait.
fn hung_after(deadline: Duration) -> Duration {
    deadline - deadline / 10
}

/// The map is consistent whatever a panicking thread did.
fn lock(pending: &Pending) -> MutexGuard<'_, BTreeMap<PathBuf, Asked>> {
    pending.lock().unwrap_or_else(PoisonError::into_inner)
}

fn statvfs(path: &Path) -> std::io::Result<Space> {
    let figures = rustix::fs::statvfs(path)?;
    Ok(Space {
        size_bytes: figures.f_blocks.saturating_mul(figures.f_frsize),
        available_bytes: figures.f_bavail.saturating_mul(figures.f_frsize),
        used_bytes: figures.f_blocks.saturating_sub(figures.f_bfree).saturating_mul(figures.f_frsize),
        inodes_free: figures.f_favail,
    })
}
