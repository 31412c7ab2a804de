//! A subscriber that disconnects by chance and goes on where it was.

use super::Dice;
use crate::checker::{Entry, Said, Wanted};
use crate::common::{Held, TestClient, of_change, pause};
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::SystemTime;
use v1::alarm_change::Kind;
use vrm::wire::v1;

/// What a subscriber follows, and how.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Feed {
    /// `WatchResources`.
    Resources,
    /// `WatchAlarms`.
    Alarms,
    /// `PullAlarmChanges`.
    Pulled,
}

/// The subscriber.
pub struct Watcher {
    pub wanted: Wanted,
    feed: Feed,
    pub seen: Mutex<Vec<(SystemTime, Entry)>>,
    /// Bookmark of the last message that was processed.
    bookmark: Mutex<Option<v1::StreamPosition>>,
}

impl Watcher {
    pub fn new(client: &str, feed: Feed, transitions: bool, filter: &str) -> Arc<Self> {
        let alarms = feed != Feed::Resources;
        let wanted = Wanted { client: client.to_owned(), transitions, filter: filter.to_owned(), alarms };
        Arc::new(Self { wanted, feed, seen: Mutex::default(), bookmark: Mutex::default() })
    }

    /// It asks again and again instead of listening.
    pub fn is_pulled(&self) -> bool {
        self.feed == Feed::Pulled
    }

    /// Sequence of the bookmark.
    pub fn position(&self) -> u64 {
        self.bookmark.lock().expect("whole").as_ref().map_or(0, |position| position.sequence)
    }

    fn note(&self, entry: Entry) {
        self.seen.lock().expect("whole").push((SystemTime::now(), entry));
    }

    /// Watches until it is told to end, over any number of daemons.
    pub async fn live(self: Arc<Self>, socket: PathBuf, seed: u64) {
        let mut dice = Dice(seed);
        let mut continue_snapshot = false;
        loop {
            let client = TestClient::connected(&socket).await;
            // A stream that is not to be cut is one in three.
            let patience = if dice.below(3) == 0 { u64::MAX } else { 1 + dice.below(120) };
            match self.feed {
                Feed::Resources => self.resources(&client, patience).await,
                Feed::Alarms => self.alarms(&client, patience).await,
                Feed::Pulled => self.pulled(&client, patience, &mut continue_snapshot).await,
            }
        }
    }

    fn options(&self) -> v1::StreamOptions {
        let resume_after = self.bookmark.lock().expect("whole").clone();
        let mode = if self.wanted.transitions { v1::DeliveryMode::Transitions } else { v1::DeliveryMode::State };
        self.note(Entry::Opened { resume_after: resume_after.as_ref().map(|position| position.sequence) });
        v1::StreamOptions {
            resume_after,
            delivery_mode: mode.into(),
            heartbeat_interval: Some(prost_types::Duration { seconds: 5, nanos: 0 }),
            ..Default::default()
        }
    }

    /// Takes a message: everybody's first duty is to keep its bookmark.
    fn take(&self, number: u64, position: Option<v1::StreamPosition>, said: Said) {
        let position = position.expect("always there");
        self.note(Entry::Message { number, epoch: position.epoch.clone(), position: position.sequence, said });
        *self.bookmark.lock().expect("whole") = Some(position);
    }

    async fn resources(&self, client: &TestClient, patience: u64) {
        let request = v1::WatchResourcesRequest {
            filter: self.wanted.filter.clone(),
            options: Some(self.options()),
            ..Default::default()
        };
        if let Ok(mut stream) = client.watch(request).await {
            for _ in 0..patience {
                let Ok(Some(message)) = stream.message().await else { break };
                let said = of_resources(message.message.expect("always there"));
                self.take(message.message_number, message.position, said);
            }
        }
        self.note(Entry::Ended);
    }

    async fn alarms(&self, client: &TestClient, patience: u64) {
        let filter = self.wanted.filter.clone();
        let request = v1::WatchAlarmsRequest { filter, options: Some(self.options()), notification_types: Vec::new() };
        if let Ok(stream) = client.alarms().watch_alarms(request).await {
            let mut stream = stream.into_inner();
            for _ in 0..patience {
                let Ok(Some(message)) = stream.message().await else { break };
                self.take_alarm(message);
            }
        }
        self.note(Entry::Ended);
    }

    fn take_alarm(&self, message: v1::WatchAlarmsResponse) {
        let said = of_alarms(message.message.expect("always there"));
        self.take(message.message_number, message.position, said);
    }

    /// Long polls, each a stream by its own.
    async fn pulled(&self, client: &TestClient, patience: u64, continue_snapshot: &mut bool) {
        for _ in 0..patience {
            let request = v1::PullAlarmChangesRequest {
                filter: self.wanted.filter.clone(),
                options: Some(self.options()),
                page_size: 200,
                continue_snapshot: *continue_snapshot,
            };
            let answer = client.alarms().pull_alarm_changes(request).await;
            if let Ok(answer) = &answer {
                let answer = answer.get_ref();
                *continue_snapshot = answer.continue_snapshot;
                answer.messages.iter().for_each(|message| self.take_alarm(message.clone()));
                self.bookmark.lock().expect("whole").clone_from(&answer.position);
            }
            self.note(Entry::Ended);
            if answer.is_err() {
                pause().await;
                return;
            }
        }
    }
}

fn of_resources(message: v1::watch_resources_response::Message) -> Said {
    use v1::watch_resources_response::Message;
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

fn of_alarms(message: v1::watch_alarms_response::Message) -> Said {
    use v1::watch_alarms_response::Message;
    match message {
        Message::Started(started) => Said::Started { snapshot_follows: started.snapshot_follows },
        Message::SyncComplete(_) => Said::Synchronized,
        Message::Heartbeat(beat) => Said::Heartbeat { objects: beat.object_count, digest: beat.state_digest },
        Message::Lagged(_) => Said::Lagged,
        Message::Closing(_) => Said::Closing,
        Message::ListStatus(_) => Said::Status,
        Message::Change(change) => {
            let alarm = change.alarm.as_ref().expect("always there");
            let (name, held) = (alarm.name.clone(), of_alarm(alarm));
            match change.kind() {
                Kind::Snapshot => Said::Snapshot { name, held },
                Kind::Removed => Said::Removed { name, held },
                _ => Said::Changed { name, held },
            }
        }
    }
}

/// What identifies a state of an alarm.
pub fn of_alarm(alarm: &v1::Alarm) -> Held {
    Held { uid: alarm.uid.clone(), revision: alarm.revision, sequence: alarm.last_change_sequence }
}
