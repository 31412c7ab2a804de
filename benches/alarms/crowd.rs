//! Fifty subscribers, each on a connection of its own, who note when they hear of a crash.

use super::daemon::Daemon;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime};
use v1::alarm_change::Kind;
use v1::watch_alarms_response::Message;
use vrm::client::Client;
use vrm::wire::v1;

/// When it was heard, by both clocks.
pub type Moment = (Instant, SystemTime);

/// When each subscriber heard of each guest's crash.
type Heard = Arc<Mutex<HashMap<String, Vec<Moment>>>>;

/// The subscribers; they leave when dropped.
#[derive(Debug)]
pub struct Crowd {
    heard: Heard,
    size: usize,
    tasks: Vec<tokio::task::JoinHandle<()>>,
}

impl Crowd {
    /// So many subscribers of transitions.
    ///
    /// # Errors
    /// The daemon fails.
    pub async fn new(daemon: &Daemon, size: usize) -> anyhow::Result<Self> {
        let heard = Heard::default();
        let mut tasks = Vec::new();
        for _ in 0..size {
            let client = daemon.connect().await?;
            let options = v1::StreamOptions { updates_only: true, ..Default::default() };
            let request = v1::WatchAlarmsRequest { options: Some(options), ..Default::default() };
            let stream = client.alarm_service().watch_alarms(request).await?.into_inner();
            tasks.push(tokio::spawn(listen(client, stream, Arc::clone(&heard))));
        }
        Ok(Self { heard, size, tasks })
    }

    /// Waits until everybody has heard of a guest's crash; when each did.
    ///
    /// # Errors
    /// Somebody does not, within ten seconds.
    pub async fn hears(&self, guest: &str) -> anyhow::Result<Vec<Moment>> {
        let asked = Instant::now();
        loop {
            let heard = self.heard.lock().unwrap_or_else(PoisonError::into_inner).get(guest).cloned();
            let heard = heard.unwrap_or_default();
            if heard.len() >= self.size {
                anyhow::ensure!(heard.len() == self.size, "{guest} told {} times", heard.len());
                return Ok(heard);
            }
            let late = asked.elapsed() > Duration::from_secs(10);
            anyhow::ensure!(!late, "{} of {} heard of {guest}", heard.len(), self.size);
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
}

impl Drop for Crowd {
    fn drop(&mut self) {
        self.tasks.iter().for_each(tokio::task::JoinHandle::abort);
    }
}

async fn listen(_connection: Client, mut stream: tonic::Streaming<v1::WatchAlarmsResponse>, heard: Heard) {
    while let Ok(Some(message)) = stream.message().await {
        let moment = (Instant::now(), SystemTime::now());
        let Some(Message::Change(change)) = message.message else { continue };
        let raised = change.kind() == Kind::Raised;
        if let Some(alarm) = change.alarm.filter(|alarm| raised && alarm.alarm_type == "vmCrashed") {
            heard.lock().unwrap_or_else(PoisonError::into_inner).entry(alarm.object_label).or_default().push(moment);
        }
    }
}
