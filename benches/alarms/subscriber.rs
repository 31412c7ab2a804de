//! A subscriber of alarms that counts what it is told, object by object.

use anyhow::Context;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::watch;
use v1::alarm_change::Kind;
use v1::watch_alarms_response::Message;
use vrm::client::Client;
use vrm::wire::v1;

/// What it was told since it was synchronized.
#[derive(Debug, Default)]
struct Heard {
    raised: HashMap<String, u32>,
    cleared: HashMap<String, u32>,
    last: Option<Instant>,
}

/// A subscriber of transitions; ends when dropped.
#[derive(Debug)]
pub struct Subscriber {
    heard: Arc<Mutex<Heard>>,
    /// Raised and cleared so far.
    counts: watch::Receiver<(usize, usize)>,
    task: tokio::task::JoinHandle<anyhow::Result<()>>,
}

/// What was told of some objects.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Verdict {
    /// Told once as it should.
    pub once: usize,
    /// Never told.
    pub lost: usize,
    /// Told more often.
    pub repeated: usize,
}

impl Subscriber {
    /// Subscribes to transitions from now on.
    ///
    /// # Errors
    /// The daemon fails.
    pub async fn new(client: Client) -> anyhow::Result<Self> {
        let options = v1::StreamOptions { updates_only: true, ..Default::default() };
        let request = v1::WatchAlarmsRequest { options: Some(options), ..Default::default() };
        let stream = client.alarm_service().watch_alarms(request).await?.into_inner();
        let heard = Arc::<Mutex<Heard>>::default();
        let (told, counts) = watch::channel((0, 0));
        let task = tokio::spawn(listen(client, stream, Arc::clone(&heard), told));
        Ok(Self { heard, counts, task })
    }

    /// Waits until so many were raised and cleared; the time of the last message.
    ///
    /// # Errors
    /// It does not come to that within a minute, or the stream broke a rule.
    pub async fn until(&mut self, raised: usize, cleared: usize) -> anyhow::Result<Instant> {
        let enough = self.counts.wait_for(|told| told.0 >= raised && told.1 >= cleared);
        let arrived = tokio::time::timeout(Duration::from_secs(60), enough).await.is_ok_and(|told| told.is_ok());
        if self.task.is_finished() {
            (&mut self.task).await??;
        }
        let told = *self.counts.borrow();
        anyhow::ensure!(arrived, "told of {told:?} of {raised} raised and {cleared} cleared");
        self.heard.lock().unwrap_or_else(PoisonError::into_inner).last.context("something was told")
    }

    /// Whether each of these was raised once and cleared once.
    pub fn judge(&self, objects: &[String]) -> Verdict {
        let heard = self.heard.lock().unwrap_or_else(PoisonError::into_inner);
        let mut verdict = Verdict::default();
        for object in objects {
            let told = |by: &HashMap<String, u32>| by.get(object).copied().unwrap_or(0);
            match (told(&heard.raised), told(&heard.cleared)) {
                (1, 1) => verdict.once += 1,
                (0, _) | (_, 0) => verdict.lost += 1,
                _ => verdict.repeated += 1,
            }
        }
        verdict
    }
}

impl Drop for Subscriber {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn listen(
    _connection: Client,
    mut stream: tonic::Streaming<v1::WatchAlarmsResponse>,
    heard: Arc<Mutex<Heard>>,
    told: watch::Sender<(usize, usize)>,
) -> anyhow::Result<()> {
    let (mut number, mut position) = (0, 0);
    while let Some(message) = stream.message().await? {
        number += 1;
        anyhow::ensure!(message.message_number == number, "message {} after {}", message.message_number, number - 1);
        let sequence = message.position.map_or(0, |position| position.sequence);
        anyhow::ensure!(sequence >= position, "position {sequence} after {position}");
        position = sequence;
        let Some(Message::Change(change)) = message.message else { continue };
        let Some(object) = change.alarm.as_ref().map(|alarm| alarm.object.clone()) else { continue };
        let mut heard = heard.lock().unwrap_or_else(PoisonError::into_inner);
        match change.kind() {
            Kind::Raised => *heard.raised.entry(object).or_default() += 1,
            Kind::Cleared => *heard.cleared.entry(object).or_default() += 1,
            _ => continue,
        }
        heard.last = Some(Instant::now());
        told.send_modify(|(raised, cleared)| match change.kind() {
            Kind::Raised => *raised += 1,
            _ => *cleared += 1,
        });
    }
    anyhow::bail!("the daemon ended the stream")
}
