//! Filesystems that do not answer.

use super::super::space::{MAX_QUESTIONS, Space, SpaceError, SpaceProbe};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Long enough for a thread to start on a busy machine, short enough for a test.
const DEADLINE: Duration = Duration::from_millis(300);
/// Longest time anything is waited for.
const PATIENCE: Duration = Duration::from_secs(20);

/// Filesystems whose answers a test holds back.
#[derive(Clone, Default)]
struct Gate(Arc<(Mutex<BTreeSet<PathBuf>>, Condvar)>, Arc<AtomicUsize>);

impl Gate {
    fn holding<'p>(paths: impl IntoIterator<Item = &'p PathBuf>) -> Self {
        let gate = Self::default();
        gate.0.0.lock().expect("not poisoned").extend(paths.into_iter().cloned());
        gate
    }

    fn release(&self) {
        self.0.0.lock().expect("not poisoned").clear();
        self.0.1.notify_all();
    }

    fn asked(&self) -> usize {
        self.1.load(Ordering::SeqCst)
    }

    fn probe(&self) -> SpaceProbe {
        let gate = self.clone();
        SpaceProbe::asking(move |path| gate.answer(path))
    }

    fn answer(&self, path: &Path) -> std::io::Result<Space> {
        self.1.fetch_add(1, Ordering::SeqCst);
        let (held, changed) = (&self.0.0, &self.0.1);
        let mut now = held.lock().unwrap_or_else(PoisonError::into_inner);
        while now.contains(path) {
            now = changed.wait(now).unwrap_or_else(PoisonError::into_inner);
        }
        if path.ends_with("broken") {
            return Err(std::io::Error::other("stale file handle"));
        }
        Ok(Space { size_bytes: 100, available_bytes: 40, ..Space::default() })
    }
}

fn paths(names: &[&str]) -> Vec<PathBuf> {
    names.iter().map(PathBuf::from).collect()
}

fn wait_until(what: &str, condition: impl Fn() -> bool) {
    let begin = Instant::now();
    while !condition() {
        assert!(begin.elapsed() < PATIENCE, "{what} did not happen");
        std::thread::yield_now();
    }
}

#[test]
fn healthy_and_broken_filesystems_answer_for_themselves() {
    let all = paths(&["/a", "/b", "/broken"]);
    let answers = Gate::default().probe().ask(&all, PATIENCE);
    assert_eq!(answers[&all[0]], Ok(Space { size_bytes: 100, available_bytes: 40, ..Space::default() }));
    assert_eq!(answers[&all[2]], Err(SpaceError::Failed("stale file handle".to_owned())));
    assert_eq!(answers.len(), 3);
}

#[test]
fn a_hung_mount_delays_nobody_and_is_asked_once_until_it_returns() {
    let all = paths(&["/good", "/hung"]);
    let gate = Gate::holding([&all[1]]);
    let probe = gate.probe();
    let begin = Instant::now();
    let answers = probe.ask(&all, DEADLINE);
    assert!(begin.elapsed() < DEADLINE + PATIENCE / 2);
    assert!(answers[&all[0]].is_ok());
    assert!(matches!(&answers[&all[1]], Err(SpaceError::Hung(age)) if *age >= DEADLINE / 2));
    assert_eq!(gate.asked(), 2);
    assert_eq!(probe.hung(DEADLINE).keys().collect::<Vec<_>>(), [&all[1]]);

    let answers = probe.ask(&all[1..], DEADLINE);
    assert!(matches!(answers[&all[1]], Err(SpaceError::Hung(_))), "known as hung");
    assert_eq!(gate.asked(), 2, "not asked again");

    gate.release();
    wait_until("the return of the hung mount", || probe.hung(Duration::ZERO).is_empty());
    assert!(probe.ask(&all, PATIENCE)[&all[1]].is_ok());
    assert_eq!(gate.asked(), 4);
}

#[test]
fn two_callers_share_one_question() {
    let all = paths(&["/slow"]);
    let gate = Gate::holding([&all[0]]);
    let probe = gate.probe();
    let asking = |probe: SpaceProbe, all: Vec<PathBuf>| std::thread::spawn(move || probe.ask(&all, PATIENCE));
    let one = asking(probe.clone(), all.clone());
    wait_until("the first question", || gate.asked() == 1);
    let two = asking(probe.clone(), all.clone());
    wait_until("the second caller", || probe.callers(&all[0]) == 2);
    gate.release();
    assert!(one.join().expect("no panic")[&all[0]].is_ok());
    assert!(two.join().expect("no panic")[&all[0]].is_ok());
    assert_eq!(gate.asked(), 1);
}

#[test]
fn many_hung_mounts_hold_a_bounded_number_of_threads() {
    let all: Vec<PathBuf> = (0..MAX_QUESTIONS + 8).map(|n| PathBuf::from(format!("/hung/{n}"))).collect();
    let gate = Gate::holding(&all);
    let probe = gate.probe();
    let answers = probe.ask(&all, DEADLINE);
    let refused = answers.values().filter(|answer| **answer == Err(SpaceError::NotAsked)).count();
    assert_eq!((answers.len(), refused), (all.len(), 8));
    let begin = Instant::now();
    let answers = probe.ask(&paths(&["/good"]), PATIENCE);
    assert_eq!(answers[Path::new("/good")], Err(SpaceError::NotAsked));
    assert!(begin.elapsed() < PATIENCE, "nothing could have come: no reason to wait");
    assert_eq!(gate.asked(), MAX_QUESTIONS);
    gate.release();
    wait_until("the end of all questions", || probe.hung(Duration::ZERO).is_empty());
    assert!(probe.ask(&all, PATIENCE).values().all(Result::is_ok));
}

#[test]
fn more_filesystems_than_threads_are_all_measured() {
    let all: Vec<PathBuf> = (0..MAX_QUESTIONS * 4).map(|n| PathBuf::from(format!("/fs/{n}"))).collect();
    assert!(Gate::default().probe().ask(&all, PATIENCE).values().all(Result::is_ok));
}

#[test]
fn the_kernel_knows_the_root_filesystem() {
    let answers = SpaceProbe::default().ask(&paths(&["/", "/no/such/place"]), PATIENCE);
    assert!(answers[Path::new("/")].as_ref().is_ok_and(|space| space.size_bytes > 0));
    assert!(matches!(&answers[Path::new("/no/such/place")], Err(SpaceError::Failed(_))));
}
