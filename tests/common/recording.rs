//! A stream that is read in the background, with the time each message came.

use super::client::{TestClient, of_change};
use super::waiting::{PATIENCE, wait_for};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use v1::resource_change::Kind;
use v1::watch_resources_response::Message;
use vrm::wire::v1;

/// What a stream has told since it began.
pub struct Recording {
    seen: Arc<Mutex<Vec<(Instant, v1::WatchResourcesResponse)>>>,
    task: tokio::task::JoinHandle<()>,
}

impl Recording {
    /// Begins a stream of transitions, and waits until it is synchronised.
    pub async fn transitions(client: &TestClient, resume_after: Option<v1::StreamPosition>) -> Self {
        let request = v1::WatchResourcesRequest {
            options: Some(v1::StreamOptions {
                resume_after,
                delivery_mode: v1::DeliveryMode::Transitions.into(),
                ..Default::default()
            }),
            ..Default::default()
        };
        Self::of(client, request).await
    }

    /// Begins a stream, and waits until it is synchronised.
    pub async fn of(client: &TestClient, request: v1::WatchResourcesRequest) -> Self {
        let mut stream = client.watch(request).await.expect("the stream begins");
        let seen: Arc<Mutex<Vec<_>>> = Arc::default();
        let sink = Arc::clone(&seen);
        let task = tokio::spawn(async move {
            while let Ok(Some(message)) = stream.message().await {
                sink.lock().expect("whole").push((Instant::now(), message));
            }
        });
        let recording = Self { seen, task };
        wait_for("the stream is synchronised", PATIENCE, async || recording.is_synchronized().then_some(())).await;
        recording
    }

    fn is_synchronized(&self) -> bool {
        let seen = self.seen.lock().expect("whole");
        seen.iter().any(|(_, message)| matches!(message.message, Some(Message::SyncComplete(_))))
    }

    /// Every message so far.
    pub fn messages(&self) -> Vec<(Instant, v1::WatchResourcesResponse)> {
        self.seen.lock().expect("whole").clone()
    }

    /// Every change so far, snapshots included.
    pub fn changes(&self) -> Vec<(Instant, v1::ResourceChange)> {
        let only = |(at, message): (Instant, v1::WatchResourcesResponse)| match message.message {
            Some(Message::Change(change)) => Some((at, change)),
            _ => None,
        };
        self.messages().into_iter().filter_map(only).collect()
    }

    /// Names of the objects that came or went since the stream was synchronised, with what happened.
    pub fn comings_and_goings(&self) -> Vec<String> {
        let named = |(_, change): (Instant, v1::ResourceChange)| {
            let (name, _) = of_change(&change)?;
            match change.kind() {
                Kind::Created => Some(format!("created {name}")),
                Kind::Removed => Some(format!("removed {name}")),
                _ => None,
            }
        };
        self.changes().into_iter().filter_map(named).collect()
    }

    /// Bookmark of the last message.
    pub fn position(&self) -> v1::StreamPosition {
        let seen = self.seen.lock().expect("whole");
        let (_, last) = seen.last().expect("the first message was waited for");
        last.position.clone().expect("always there")
    }

    /// Waits for a change that is wanted and came after `since`; answers it with its delay.
    pub async fn change_since(
        &self,
        what: &str,
        since: Instant,
        limit: Duration,
        wanted: impl Fn(&v1::ResourceChange) -> bool,
    ) -> (v1::ResourceChange, Duration) {
        let (found, _) = wait_for(what, limit, async || {
            self.changes().into_iter().find(|(at, change)| *at >= since && wanted(change))
        })
        .await;
        (found.1, found.0 - since)
    }

    /// The last status of the lists that was told, if any.
    pub fn status(&self) -> Option<v1::ListStatus> {
        let told = |message: v1::WatchResourcesResponse| match message.message {
            Some(Message::ListStatus(status)) => Some(status),
            Some(Message::Started(started)) => started.list_status,
            _ => None,
        };
        self.messages().into_iter().rev().find_map(|(_, message)| told(message))
    }
}

impl Drop for Recording {
    fn drop(&mut self) {
        self.task.abort();
    }
}
