//! A process that is killed between deliveries, with a receiver that is away meanwhile.

use crate::common::{PATIENCE, pause, wait_for, wait_until};
use crate::deliveries::{Place, run, webhook};
use crate::recorder::Recorder;
use crate::source::{Source, name};
use axum::http::StatusCode;
use std::collections::BTreeMap;
use std::path::Path;
use tokio::process::{Child, Command};

/// Alarms raised and cleared.
const ALARMS: u128 = 200;

/// Directory of the child, and where its receiver is; absent in the parent.
const CHILD: [&str; 2] = ["VRM_TEST_NOTIFY_STATE", "VRM_TEST_NOTIFY_RECEIVER"];

/// The writer's steps: alarm n is raised, three raises later cleared, two clears later gone.
fn steps() -> Vec<(u128, Act)> {
    let mut steps = Vec::new();
    for turn in 1..=ALARMS + 5 {
        let acts = [(turn, Act::Raise), (turn.wrapping_sub(3), Act::Clear), (turn.wrapping_sub(5), Act::Remove)];
        steps.extend(acts.into_iter().filter(|(number, _)| (1..=ALARMS).contains(number)));
    }
    steps
}

#[derive(Clone, Copy, Debug)]
enum Act {
    Raise,
    Clear,
    Remove,
}

/// The process that is killed: goes on with the steps where the store stands, paced by what is
/// delivered, so that a kill falls between deliveries; then waits to be killed.
async fn child(directory: &Path, receiver: &str) {
    let mut source = Source::open(directory);
    let running = run(&source, directory, vec![webhook(receiver.parse().unwrap())]);
    let done = usize::try_from(source.head()).unwrap();
    for (number, act) in steps().into_iter().skip(done) {
        match act {
            Act::Raise => source.raise(number).await,
            Act::Clear => source.clear(number).await,
            Act::Remove => source.remove(number).await,
        }
        pause().await;
    }
    std::future::pending::<()>().await;
    running.end().await;
}

fn spawn(place: &Place, receiver: &str) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "killed::every_raise_and_resolve_arrives_over_outage_and_kill", "--nocapture"])
        .env(CHILD[0], place.path())
        .env(CHILD[1], receiver)
        .kill_on_drop(true)
        .spawn()
        .unwrap()
}

async fn kill(mut child: Child) {
    // `kill` sends SIGKILL and reaps.
    child.kill().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn every_raise_and_resolve_arrives_over_outage_and_kill() {
    if let (Some(directory), Ok(receiver)) = (std::env::var_os(CHILD[0]), std::env::var(CHILD[1])) {
        return child(Path::new(&directory), &receiver).await;
    }
    let place = Place::new();
    let (recorder, address) = Recorder::start().await;
    let first = spawn(&place, &address.to_string());
    wait_until("the first deliveries", || recorder.taken().len() > 60).await;
    recorder.answer(Some(StatusCode::SERVICE_UNAVAILABLE));
    let away = recorder.taken().len();
    wait_until("tries while the receiver is away", || recorder.turned_away() >= 2).await;
    kill(first).await;
    assert_eq!(recorder.taken().len(), away, "nothing is taken while the receiver is away");

    recorder.answer(None);
    let second = spawn(&place, &address.to_string());
    wait_until("deliveries after the outage", || recorder.taken().len() > away + 80).await;
    kill(second).await;

    let third = spawn(&place, &address.to_string());
    let all = async || (cleared(&recorder) == ALARMS as usize).then_some(());
    wait_for("every resolve", 2 * PATIENCE, all).await;
    kill(third).await;
    check(&recorder);
}

fn cleared(recorder: &Recorder) -> usize {
    let mut names: Vec<String> =
        recorder.changes().into_iter().filter(|(_, event, _)| event == "CLEARED").map(|(alarm, _, _)| alarm).collect();
    names.sort();
    names.dedup();
    names.len()
}

/// Every alarm was raised first and cleared last; what came twice came with the same sequence.
fn check(recorder: &Recorder) {
    let mut histories: BTreeMap<String, Vec<(String, u64)>> = BTreeMap::new();
    for (alarm, event, sequence) in recorder.changes() {
        histories.entry(alarm).or_default().push((event, sequence));
    }
    for number in 1..=ALARMS {
        let history = histories.get(name(number).as_str()).unwrap_or_else(|| panic!("alarm {number} never came"));
        let mut once: Vec<(String, u64)> = Vec::new();
        for entry in history {
            if !once.contains(entry) {
                once.push(entry.clone());
            }
        }
        let events: Vec<&str> = once.iter().map(|(event, _)| event.as_str()).collect();
        assert_eq!(events, ["RAISED", "CLEARED"], "alarm {number}: {history:?}");
        assert!(once[0].1 < once[1].1, "alarm {number}: {history:?}");
        assert_eq!(history.last().unwrap().0, "CLEARED", "alarm {number}: {history:?}");
    }
}
