//! `kill -9` at any moment, with subscribers that come and go: nothing lost, nothing twice, nothing uncommitted.
//! Of resources, and of alarms that are raised, graded, acknowledged and cleared all the time.

mod load;
mod snapshots;
mod watcher;

use super::checker::{Broken, Entry, Journal, Row, Said, check};
use super::common::{Exact, PATIENCE, TestClient, TestDaemon, skip_because, wait_for};
use load::Load;
use serde_json::json;
use snapshots::Snapshots;
use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};
use vrm::wire::v1;
use watcher::{Feed, Watcher};

/// Rounds of `kill -9`; `VRM_SOAK_ROUNDS` for more, or `VRM_SOAK_SECONDS` for as many as that time gives.
const ROUNDS: u32 = 20;

/// The filter of the subscribers that have one.
const RUNNING: &str = "object_class = VIRTUAL_MACHINE AND run_state = RUNNING";

/// What the checker says, and where everything is that it judged by.
type Verdict = Result<(), (Broken, PathBuf)>;

/// Numbers that a failure can be repeated with.
struct Dice(u64);

impl Dice {
    fn below(&mut self, most: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % most
    }
}

fn setting(name: &str) -> Option<u64> {
    std::env::var(name).ok().and_then(|text| text.parse().ok())
}

/// A daemon that is killed again and again, who watches it, and what was committed and answered.
struct Soak {
    daemon: TestDaemon,
    watchers: Vec<Arc<Watcher>>,
    lives: Vec<tokio::task::JoinHandle<()>>,
    load: Load,
    snapshots: Vec<Snapshots>,
    journal: Journal,
    begun: Instant,
}

impl Soak {
    async fn begin(daemon: TestDaemon, seed: u64) -> Self {
        let daemon = daemon.started().await;
        let watchers = vec![
            Watcher::new("transitions", Feed::Resources, true, ""),
            Watcher::new("state", Feed::Resources, false, ""),
            Watcher::new("transitions of running machines", Feed::Resources, true, RUNNING),
            Watcher::new("state of running machines", Feed::Resources, false, RUNNING),
            Watcher::new("transitions of alarms", Feed::Alarms, true, ""),
            Watcher::new("state of alarms", Feed::Alarms, false, ""),
            Watcher::new("alarms, pulled", Feed::Pulled, true, ""),
        ];
        let lives = (1..)
            .zip(&watchers)
            .map(|(at, watcher)| tokio::spawn(Arc::clone(watcher).live(daemon.socket(), seed * 31 + at)))
            .collect();
        let load = Load::begin(&daemon.socket());
        let (snapshots, journal, begun) = (Vec::new(), Journal::new(), Instant::now());
        Self { daemon, watchers, lives, load, snapshots, journal, begun }
    }

    /// One round: looks at everything now and then, and kills at the moment something is told.
    async fn round(&mut self, number: u32, dice: &mut Dice) {
        let client = self.daemon.client().await;
        if number.is_multiple_of(2) {
            client.synchronized().await;
            self.look().await;
        }
        if number.is_multiple_of(3) {
            after_changes(&client, 1 + dice.below(60)).await;
        } else {
            after_alarms(&client, 1 + dice.below(300)).await;
        }
        self.daemon.kill();
        self.daemon.start().await;
    }

    /// Compares later with how everything is now; nothing may change meanwhile but what the world does by itself.
    async fn look(&mut self) {
        self.load.rest().await;
        let client = self.daemon.client().await;
        self.snapshots.push(Snapshots::take(&client, RUNNING).await);
        // Now and then, because the journal forgets.
        read_journal(self.daemon.state_directory(), &mut self.journal);
        self.load.go_on();
    }

    /// Lets the world come to rest, so that heartbeats carry digests and everybody catches up.
    async fn end_quietly(&mut self) {
        self.load.rest().await;
        let client = self.daemon.client().await;
        client.synchronized().await;
        for host in ["sim-1", "sim-2", "sim-3"] {
            self.daemon.simulate(&json!({"do": "drop-host", "host": host}));
        }
        wait_for("every host is lost", PATIENCE, async || {
            let hosts = client.all_hosts().await;
            hosts.iter().all(|host| host.state.as_ref().is_some_and(|state| state.unknown)).then_some(())
        })
        .await;
        let last = Snapshots::take(&client, RUNNING).await;
        let goal = last.sequence();
        self.snapshots.push(last);
        for watcher in &self.watchers {
            wait_for(&format!("{} catches up", watcher.wanted.client), PATIENCE, async || {
                let at_rest = |seen: &Entry| {
                    let digest = matches!(seen, Entry::Message { said: Said::Heartbeat { digest: Some(_), .. }, .. });
                    // A long poll is nearly always between two answers.
                    digest || (watcher.is_pulled() && matches!(seen, Entry::Ended | Entry::Opened { .. }))
                };
                let quiet = watcher.seen.lock().expect("whole").last().is_some_and(|(_, entry)| at_rest(entry));
                (quiet && watcher.position() >= goal).then_some(())
            })
            .await;
        }
    }

    /// Ends everything and judges it.
    async fn judge(mut self) -> Verdict {
        for life in &self.lives {
            life.abort();
        }
        let answered = self.load.end().await;
        let epoch = self.daemon.client().await.head().await.epoch;
        assert_eq!(self.daemon.stop().await.status.code(), Some(0));
        read_journal(self.daemon.state_directory(), &mut self.journal);
        self.say_what_happened(answered.len());
        let log = self.daemon.log();
        for watcher in &self.watchers {
            let own: Vec<Exact> = self.snapshots.iter().map(|snapshots| snapshots.of(watcher).clone()).collect();
            assert!(own.iter().all(|exact| exact.epoch == epoch), "one epoch from beginning to end");
            let timed = watcher.seen.lock().expect("whole");
            let seen: Vec<Entry> = timed.iter().map(|(_, entry)| entry.clone()).collect();
            let streams = seen.iter().filter(|entry| matches!(entry, Entry::Opened { .. })).count();
            let wanted = &watcher.wanted;
            eprintln!("{}: {} entries on {streams} streams, {} comparisons", wanted.client, seen.len(), own.len());
            if let Err(broken) = check(wanted, &seen, &own, &self.journal) {
                return Err((broken, kept(&timed, &self.journal, &log)));
            }
        }
        nothing_answered_is_lost(&answered, &self.journal);
        Ok(())
    }

    fn say_what_happened(&self, answered: usize) {
        let transitions = self.journal.values().filter(|row| row.name.starts_with("alarms/")).count();
        let busy = self.begun.elapsed().saturating_sub(self.load.rested());
        #[expect(clippy::cast_precision_loss, reason = "a rate for people")]
        let rate = transitions as f64 / busy.as_secs_f64();
        eprintln!("{transitions} transitions of alarms, {rate:.0} a second, restarts included; {answered} answers");
    }
}

/// What was answered was committed before: it is in the journal.
fn nothing_answered_is_lost(answered: &[(String, u64)], journal: &Journal) {
    let committed: HashSet<(&str, u64)> = journal.values().map(|row| (row.name.as_str(), row.revision)).collect();
    let lost = answered.iter().find(|(name, revision)| !committed.contains(&(name.as_str(), *revision)));
    assert_eq!(lost, None, "answered and not in the journal");
}

/// Adds what was committed since.
fn read_journal(state: &Path, journal: &mut Journal) {
    let connection = rusqlite::Connection::open(state.join("journal.db")).expect("opens");
    connection.busy_timeout(PATIENCE).expect("set");
    let query = "SELECT sequence, name, body ->> '$.revision', kind FROM transitions WHERE sequence > ?1";
    let mut statement = connection.prepare(query).expect("the schema");
    let number = |value: i64| u64::try_from(value).expect("counts from 1");
    let known = journal.last_key_value().map_or(0, |(sequence, _)| *sequence);
    let rows = statement.query_map([i64::try_from(known).expect("small")], |row| {
        let removed = row.get::<_, String>(3)?.eq_ignore_ascii_case("removed");
        Ok((number(row.get(0)?), Row { name: row.get(1)?, revision: number(row.get(2)?), removed }))
    });
    journal.extend(rows.expect("reads").map(|row| row.expect("whole")));
}

/// Hosts whose machines come and go, and whose disks the load tells of.
fn world() -> TestDaemon {
    TestDaemon::with_hosts(&["sim://?hosts=3&vms=24&seed=7&churn=lifecycle&speed=20"])
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn kill_9_at_any_moment_breaks_no_stream_rule() {
    let seed = setting("VRM_SOAK_SEED").unwrap_or(0x5eed);
    let seconds = setting("VRM_SOAK_SECONDS").map(Duration::from_secs);
    let rounds = setting("VRM_SOAK_ROUNDS").map_or(ROUNDS, |rounds| u32::try_from(rounds).unwrap_or(u32::MAX));
    eprintln!("{seconds:?} or {rounds} rounds of seed {seed}");
    let mut soak = Soak::begin(world(), seed).await;
    let mut dice = Dice(seed);
    let mut round = 0;
    while seconds.map_or(round < rounds, |seconds| soak.begun.elapsed() < seconds) {
        soak.round(round, &mut dice).await;
        round += 1;
        if round.is_multiple_of(20) {
            eprintln!("round {round} after {:.0?}", soak.begun.elapsed());
        }
    }
    soak.end_quietly().await;
    if let Err((broken, kept)) = soak.judge().await {
        unreachable!("{broken:?}\neverything it saw: {}", kept.display());
    }
}

/// The checker is worth something: a daemon that tells before it has committed is found.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_daemon_that_tells_before_it_commits_is_found() {
    if !cfg!(debug_assertions) {
        skip_because("a release build has no such fault built in");
        return;
    }
    let mut dice = Dice(0xbad);
    for attempt in 1..=10 {
        let daemon = world().variable("VRM_MUTATION", "tell-before-commit");
        let mut soak = Soak::begin(daemon, attempt).await;
        for _ in 0..3 {
            let client = soak.daemon.client().await;
            after_alarms(&client, 20 + dice.below(100)).await;
            soak.daemon.kill();
            soak.daemon.start().await;
        }
        if let Err((broken, _)) = soak.judge().await {
            eprintln!("found at attempt {attempt}: {broken:?}");
            return;
        }
    }
    unreachable!("never found");
}

/// Reads so many messages of a stream: the kill that follows at once hits the moment a change is told, which is when
/// a daemon that told before it committed would be caught.
async fn after_changes(client: &TestClient, count: u64) {
    let request = v1::WatchResourcesRequest { options: Some(from_now_on()), ..Default::default() };
    let mut stream = client.watch(request).await.expect("begins");
    let read = async {
        for _ in 0..count {
            stream.message().await.expect("no error").expect("a message");
        }
    };
    tokio::time::timeout(PATIENCE, read).await.expect("changes happen");
}

/// The same with alarms.
async fn after_alarms(client: &TestClient, count: u64) {
    let request = v1::WatchAlarmsRequest { options: Some(from_now_on()), ..Default::default() };
    let mut stream = client.alarms().watch_alarms(request).await.expect("begins").into_inner();
    let read = async {
        for _ in 0..count {
            stream.message().await.expect("no error").expect("a message");
        }
    };
    tokio::time::timeout(PATIENCE, read).await.expect("alarms are raised");
}

fn from_now_on() -> v1::StreamOptions {
    let delivery_mode = v1::DeliveryMode::Transitions.into();
    v1::StreamOptions { updates_only: true, delivery_mode, ..Default::default() }
}

/// Keeps what a subscriber saw, what was committed and what the daemons said, for people to look at.
fn kept(seen: &[(SystemTime, Entry)], journal: &Journal, log: &str) -> PathBuf {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join("soak.log");
    let time = |at: &SystemTime| at.duration_since(SystemTime::UNIX_EPOCH).map_or(0, |since| since.as_micros());
    let seen = seen.iter().map(|(at, entry)| format!("{} {entry:?}\n", time(at)));
    let committed = journal.iter().map(|(sequence, row)| format!("{sequence} {row:?}\n"));
    std::fs::write(&path, seen.chain(committed).collect::<String>() + log).expect("written");
    path
}
