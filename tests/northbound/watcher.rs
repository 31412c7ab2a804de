//! A client of `WatchResources` that checks the rules every message must keep.

use std::collections::BTreeMap;
use std::time::Duration;
use tonic::{Status, Streaming};
use v1::resource_change::{Kind, Resource};
use v1::watch_resources_response::Message;
use vrm::changes::digest_of;
use vrm::wire::v1;
use vrm::wire::v1::inventory_service_client::InventoryServiceClient;

/// Longest wait for a message.
const PATIENCE: Duration = Duration::from_secs(20);

/// A stream with the copy a client would keep.
pub struct Watcher {
    stream: Streaming<v1::WatchResourcesResponse>,
    number: u64,
    pub position: v1::StreamPosition,
    /// Revision by name.
    pub copy: BTreeMap<String, u64>,
    in_snapshot: bool,
    /// The heartbeat at once after the first `sync_complete` (REQ-NTF-FUN-06), which [`Self::next`] passes over.
    pub greeting: Option<v1::Heartbeat>,
    synchronized: bool,
}

impl Watcher {
    pub async fn start(
        client: &mut InventoryServiceClient<tonic::transport::Channel>,
        request: v1::WatchResourcesRequest,
    ) -> Result<Self, Status> {
        let stream = client.watch_resources(request).await?.into_inner();
        Ok(Self {
            stream,
            number: 0,
            position: v1::StreamPosition::default(),
            copy: BTreeMap::new(),
            in_snapshot: false,
            greeting: None,
            synchronized: false,
        })
    }

    /// The next message but the greeting.
    pub async fn next(&mut self) -> Result<Option<Message>, Status> {
        let message = self.read().await?;
        let greets = self.synchronized && self.greeting.is_none();
        self.synchronized |= matches!(message, Some(Message::SyncComplete(_)));
        match message {
            Some(Message::Heartbeat(beat)) if greets => {
                self.greeting = Some(beat);
                self.read().await
            }
            message => Ok(message),
        }
    }

    /// The next message, checked: numbers without a gap (S9), positions that never go back (S5),
    /// revisions that only grow (S6).
    async fn read(&mut self) -> Result<Option<Message>, Status> {
        let answer = tokio::time::timeout(PATIENCE, self.stream.message()).await.expect("a message in time")?;
        let Some(answer) = answer else { return Ok(None) };
        self.number += 1;
        assert_eq!(answer.message_number, self.number);
        let position = answer.position.expect("every message has a position");
        let message = answer.message.expect("every envelope holds a message");
        if !matches!(message, Message::Started(_) | Message::Lagged(_)) {
            assert!(position.sequence >= self.position.sequence, "{position:?} after {:?}", self.position);
        }
        self.position = position;
        match &message {
            Message::Started(started) => self.in_snapshot = started.snapshot_follows,
            Message::Lagged(lagged) => self.in_snapshot = lagged.snapshot_follows,
            Message::Change(change) => self.apply(change),
            _ => {}
        }
        Ok(Some(message))
    }

    fn apply(&mut self, change: &v1::ResourceChange) {
        let (name, revision) = identity(change);
        let known = self.copy.get(&name).copied().unwrap_or(0);
        assert!(revision > known, "{name}: revision {revision} after {known}");
        if change.kind() == Kind::Removed {
            self.copy.remove(&name);
        } else {
            self.copy.insert(name, revision);
        }
        assert!(change.kind() != Kind::Snapshot || self.in_snapshot, "a snapshot entry outside of a snapshot");
    }

    /// The next message, which must be a change.
    pub async fn change(&mut self) -> v1::ResourceChange {
        match self.next().await.unwrap() {
            Some(Message::Change(change)) => change,
            other => panic!("expected a change, got {other:?}"),
        }
    }

    /// Reads up to `sync_complete`; answers the changes before it.
    pub async fn synchronize(&mut self) -> Vec<v1::ResourceChange> {
        let mut changes = Vec::new();
        loop {
            match self.next().await.unwrap() {
                Some(Message::SyncComplete(_)) => return changes,
                Some(Message::Change(change)) => changes.push(change),
                Some(_) => {}
                None => panic!("the stream ended before sync_complete"),
            }
        }
    }

    /// Reads until the end; answers the closing message, if there was one, and the status.
    pub async fn end(&mut self) -> (Option<v1::StreamClosing>, Result<(), Status>) {
        let mut closing = None;
        loop {
            match self.next().await {
                Ok(Some(Message::Closing(message))) => closing = Some(message),
                Ok(Some(_)) => assert!(closing.is_none(), "a message after closing"),
                Ok(None) => return (closing, Ok(())),
                Err(status) => return (closing, Err(status)),
            }
        }
    }

    /// Digest of the copy, as the proto comment defines it.
    pub fn digest(&self) -> u64 {
        self.copy.iter().fold(0, |digest, (name, revision)| digest ^ digest_of(name, *revision))
    }
}

/// Name and revision of a changed object.
pub fn identity(change: &v1::ResourceChange) -> (String, u64) {
    let pair = |name: &String, revision: u64| (name.clone(), revision);
    match change.resource.as_ref().expect("a change carries its object") {
        Resource::Vrm(message) => pair(&message.name, message.revision),
        Resource::Cluster(message) => pair(&message.name, message.revision),
        Resource::Host(message) => pair(&message.name, message.revision),
        Resource::Hypervisor(message) => pair(&message.name, message.revision),
        Resource::VirtualMachine(message) => pair(&message.name, message.revision),
        Resource::StoragePool(message) => pair(&message.name, message.revision),
        Resource::Volume(message) => pair(&message.name, message.revision),
        Resource::StorageBacking(message) => pair(&message.name, message.revision),
        Resource::Network(message) => pair(&message.name, message.revision),
        Resource::Snapshot(message) => pair(&message.name, message.revision),
        Resource::Image(message) => pair(&message.name, message.revision),
    }
}
