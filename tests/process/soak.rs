//! `kill -9` at any moment, with subscribers that come and go: nothing lost, nothing twice, nothing uncommitted.

use super::checker::{Entry, Journal, Row, Said, Wanted, check};
use super::common::{Exact, PATIENCE, TestClient, TestDaemon, of_change, wait_for};
use serde_json::json;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::SystemTime;
use v1::watch_resources_response::Message;
use vrm::wire::v1;

/// Rounds of `kill -9`; `VRM_SOAK_ROUNDS` for more.
const ROUNDS: u32 = 20;

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

/// A subscriber that disconnects by chance and goes on where it was.
struct Watcher {
    wanted: Wanted,
    seen: Mutex<Vec<(SystemTime, Entry)>>,
    /// Bookmark of the last message that was processed.
    bookmark: Mutex<Option<v1::StreamPosition>>,
}

impl Watcher {
    fn new(client: &str, transitions: bool, filter: &str) -> Arc<Self> {
        Arc::new(Self {
            wanted: Wanted { client: client.to_owned(), transitions, filter: filter.to_owned() },
            seen: Mutex::default(),
            bookmark: Mutex::default(),
        })
    }

    fn note(&self, entry: Entry) {
        self.seen.lock().expect("whole").push((SystemTime::now(), entry));
    }

    fn position(&self) -> u64 {
        self.bookmark.lock().expect("whole").as_ref().map_or(0, |position| position.sequence)
    }

    /// Watches until it is told to end, over any number of daemons.
    async fn live(self: Arc<Self>, socket: PathBuf, seed: u64) {
        let mut dice = Dice(seed);
        loop {
            let client = TestClient::connected(&socket).await;
            // A stream that is not to be cut is one in three.
            let patience = if dice.below(3) == 0 { u64::MAX } else { 1 + dice.below(120) };
            self.one_stream(&client, patience).await;
            self.note(Entry::Ended);
        }
    }

    async fn one_stream(&self, client: &TestClient, patience: u64) {
        let resume_after = self.bookmark.lock().expect("whole").clone();
        let mode = if self.wanted.transitions { v1::DeliveryMode::Transitions } else { v1::DeliveryMode::State };
        let request = v1::WatchResourcesRequest {
            filter: self.wanted.filter.clone(),
            options: Some(v1::StreamOptions {
                resume_after: resume_after.clone(),
                delivery_mode: mode.into(),
                heartbeat_interval: Some(prost_types::Duration { seconds: 5, nanos: 0 }),
                ..Default::default()
            }),
            ..Default::default()
        };
        self.note(Entry::Opened { resume_after: resume_after.map(|position| position.sequence) });
        let Ok(mut stream) = client.watch(request).await else { return };
        for _ in 0..patience {
            let Ok(Some(message)) = stream.message().await else { return };
            let position = message.position.clone().expect("always there");
            self.note(Entry::Message {
                number: message.message_number,
                epoch: position.epoch.clone(),
                position: position.sequence,
                said: said(message.message.expect("always there")),
            });
            *self.bookmark.lock().expect("whole") = Some(position);
        }
    }
}

fn said(message: Message) -> Said {
    match message {
        Message::Started(started) => Said::Started { snapshot_follows: started.snapshot_follows },
        Message::SyncComplete(_) => Said::Synchronized,
        Message::Heartbeat(beat) => Said::Heartbeat { objects: beat.object_count, digest: beat.state_digest },
        Message::Lagged(_) => Said::Lagged,
        Message::Closing(_) => Said::Closing,
        Message::ListStatus(_) => Said::Status,
        Message::Change(change) => {
            let (name, held) = of_change(&change).expect("a class we know");
            match change.kind() {
                v1::resource_change::Kind::Snapshot => Said::Snapshot { name, held },
                v1::resource_change::Kind::Removed => Said::Removed { name, held },
                _ => Said::Changed { name, held },
            }
        }
    }
}

fn journal(state: &Path) -> Journal {
    let connection = rusqlite::Connection::open(state.join("journal.db")).expect("opens");
    let query = "SELECT sequence, name, body ->> '$.revision', kind FROM transitions";
    let mut statement = connection.prepare(query).expect("the schema");
    let number = |value: i64| u64::try_from(value).expect("counts from 1");
    let rows = statement.query_map([], |row| {
        let removed = row.get::<_, String>(3)?.eq_ignore_ascii_case("removed");
        Ok((number(row.get(0)?), Row { name: row.get(1)?, revision: number(row.get(2)?), removed }))
    });
    rows.expect("reads").collect::<Result<_, _>>().expect("whole")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn kill_9_at_any_moment_breaks_no_stream_rule() {
    let rounds = std::env::var("VRM_SOAK_ROUNDS").ok().and_then(|text| text.parse().ok()).unwrap_or(ROUNDS);
    let seed = std::env::var("VRM_SOAK_SEED").ok().and_then(|text| text.parse().ok()).unwrap_or(0x5eed_u64);
    eprintln!("{rounds} rounds of seed {seed}");
    let mut daemon = TestDaemon::with_hosts(&["sim://?hosts=3&vms=24&seed=7&churn=lifecycle&speed=20"]).started().await;
    let running = "object_class = VIRTUAL_MACHINE AND run_state = RUNNING";
    let watchers = [
        Watcher::new("transitions", true, ""),
        Watcher::new("state", false, ""),
        Watcher::new("transitions of running machines", true, running),
        Watcher::new("state of running machines", false, running),
    ];
    let lives: Vec<_> = (1..)
        .zip(&watchers)
        .map(|(at, watcher)| tokio::spawn(Arc::clone(watcher).live(daemon.socket(), seed * 31 + at)))
        .collect();
    let mut dice = Dice(seed);
    let mut snapshots: Vec<(Exact, Exact)> = Vec::new();
    for round in 0..rounds {
        let client = daemon.client().await;
        if round % 2 == 0 {
            client.synchronized().await;
            snapshots.push(exact_pair(&client, running).await);
        }
        after_messages(&client, 1 + dice.below(60)).await;
        daemon.kill();
        daemon.start().await;
    }
    end_quietly(&daemon, &watchers, running, &mut snapshots).await;
    for life in &lives {
        life.abort();
    }
    let epoch = daemon.client().await.head().await.epoch;
    assert_eq!(daemon.stop().await.status.code(), Some(0));
    judge(&watchers, &snapshots, &journal(daemon.state_directory()), &epoch, &daemon.log());
}

/// Reads so many messages of a stream: the kill that follows at once hits the moment a change is told, which is when
/// a daemon that told before it committed would be caught.
async fn after_messages(client: &TestClient, count: u64) {
    let options = v1::StreamOptions {
        updates_only: true,
        delivery_mode: v1::DeliveryMode::Transitions.into(),
        ..Default::default()
    };
    let request = v1::WatchResourcesRequest { options: Some(options), ..Default::default() };
    let mut stream = client.watch(request).await.expect("begins");
    let read = async {
        for _ in 0..count {
            stream.message().await.expect("no error").expect("a message");
        }
    };
    tokio::time::timeout(PATIENCE, read).await.expect("changes happen");
}

/// The whole inventory and the filtered one at one position.
async fn exact_pair(client: &TestClient, filter: &str) -> (Exact, Exact) {
    let (pair, _) = wait_for("two looks at one position", PATIENCE, async || {
        let whole = client.exact("").await;
        let part = client.exact(filter).await;
        (whole.sequence == part.sequence).then_some((whole, part))
    })
    .await;
    pair
}

/// Lets the world come to rest, so that heartbeats carry digests and everybody catches up.
async fn end_quietly(
    daemon: &TestDaemon,
    watchers: &[Arc<Watcher>],
    filter: &str,
    snapshots: &mut Vec<(Exact, Exact)>,
) {
    let client = daemon.client().await;
    client.synchronized().await;
    for host in ["sim-1", "sim-2", "sim-3"] {
        daemon.simulate(&json!({"do": "drop-host", "host": host}));
    }
    wait_for("every host is lost", PATIENCE, async || {
        let hosts = client.all_hosts().await;
        hosts.iter().all(|host| host.state.as_ref().is_some_and(|state| state.unknown)).then_some(())
    })
    .await;
    let last = exact_pair(&client, filter).await;
    let goal = last.0.sequence;
    snapshots.push(last);
    for watcher in watchers {
        wait_for(&format!("{} catches up", watcher.wanted.client), PATIENCE, async || {
            let quiet = matches!(
                watcher.seen.lock().expect("whole").last(),
                Some((_, Entry::Message { said: Said::Heartbeat { digest: Some(_), .. }, .. }))
            );
            (quiet && watcher.position() >= goal).then_some(())
        })
        .await;
    }
}

fn judge(watchers: &[Arc<Watcher>], snapshots: &[(Exact, Exact)], journal: &Journal, epoch: &str, log: &str) {
    for watcher in watchers {
        let timed = watcher.seen.lock().expect("whole");
        let seen: Vec<Entry> = timed.iter().map(|(_, entry)| entry.clone()).collect();
        let own: Vec<Exact> = snapshots
            .iter()
            .map(|(whole, part)| if watcher.wanted.filter.is_empty() { whole.clone() } else { part.clone() })
            .collect();
        let streams = seen.iter().filter(|entry| matches!(entry, Entry::Opened { .. })).count();
        let wanted = &watcher.wanted;
        eprintln!("{}: {} entries on {streams} streams, {} comparisons", wanted.client, seen.len(), own.len());
        assert!(own.iter().all(|exact| exact.epoch == epoch), "one epoch from beginning to end");
        if let Err(broken) = check(wanted, &seen, &own, journal) {
            unreachable!("{broken:?}\neverything it saw: {}", kept(&timed, journal, log).display());
        }
    }
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
