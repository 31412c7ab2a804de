//! A watch on alarms that survives: reconnects, resumes from its position, notices silence.

use super::alarms::AlarmQuery;
use super::backoff::Backoff;
use super::connection::Client;
use super::error::ClientError;
use super::locate::Target;
use crate::wire::v1;
use crate::wire::v1::stream_closing::Reason;
use futures_util::stream::{BoxStream, StreamExt};
use std::time::Duration;
use tonic::Code;
use v1::watch_alarms_response::Message;

/// 30 seconds: heartbeat interval asked for.
const HEARTBEAT: Duration = Duration::from_secs(30);
/// 5 seconds: grace beyond two heartbeat intervals before silence means a dead stream (S9).
const SILENCE_GRACE: Duration = Duration::from_secs(5);

/// What a watch on alarms tells.
#[derive(Clone, Debug)]
pub enum AlarmEvent {
    /// A message came. After a resume the daemon may tell again what was told before.
    Message(Box<v1::WatchAlarmsResponse>),
    /// The stream broke; it is opened again after a pause.
    Disconnected {
        /// Why.
        why: String,
        /// The pause.
        retry_in: Duration,
    },
}

/// A watch on the alarms of one daemon.
pub struct AlarmWatcher {
    target: Target,
    filter: String,
    position: Option<v1::StreamPosition>,
    backoff: Backoff,
    stream: Option<BoxStream<'static, Result<v1::WatchAlarmsResponse, ClientError>>>,
    next_message: u64,
    pause: Duration,
    silence: Duration,
    /// A stream has been opened at least once, or is waited for as long as it takes.
    patient: bool,
}

impl std::fmt::Debug for AlarmWatcher {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("AlarmWatcher")
            .field("filter", &self.filter)
            .field("position", &self.position)
            .finish_non_exhaustive()
    }
}

impl Client {
    /// Watches the alarms of a daemon, reconnecting as long as it takes; `patient` also waits for one that has
    /// never answered. Every transition is told.
    pub fn watch_alarms(target: &Target, query: &AlarmQuery, patient: bool) -> AlarmWatcher {
        AlarmWatcher {
            target: target.clone(),
            filter: query.filter.clone(),
            position: None,
            backoff: Backoff::default(),
            stream: None,
            next_message: 1,
            pause: Duration::ZERO,
            silence: HEARTBEAT * 2 + SILENCE_GRACE,
            patient,
        }
    }
}

impl AlarmWatcher {
    /// The next event. Cancelling it loses nothing.
    ///
    /// # Errors
    /// The first stream could not be opened, or opening again cannot help (permission, malformed filter, closed by
    /// an operator). Everything else is told as [`AlarmEvent::Disconnected`] and tried again for ever.
    pub async fn next(&mut self) -> Result<AlarmEvent, ClientError> {
        if self.stream.is_none()
            && let Err(error) = self.open().await
        {
            return self.failed(error);
        }
        let Some(stream) = &mut self.stream else {
            return self.failed(ClientError::Protocol("no stream".to_owned()));
        };
        match tokio::time::timeout(self.silence, stream.next()).await {
            Ok(Some(Ok(response))) => self.take(response),
            Ok(Some(Err(error))) => self.failed(error),
            Ok(None) => Ok(self.ended("the daemon ended the stream".to_owned(), None)),
            Err(_) => Ok(self.ended(format!("nothing came for {} s", self.silence.as_secs()), None)),
        }
    }

    async fn open(&mut self) -> Result<(), ClientError> {
        if !self.pause.is_zero() {
            tokio::time::sleep(self.pause).await;
            self.pause = Duration::ZERO;
        }
        let client = Client::connect(&self.target).await?;
        let request = v1::WatchAlarmsRequest {
            filter: self.filter.clone(),
            options: Some(v1::StreamOptions {
                resume_after: self.position.clone(),
                gap_policy: v1::GapPolicy::Resync.into(),
                heartbeat_interval: HEARTBEAT.try_into().ok(),
                ..v1::StreamOptions::default()
            }),
            notification_types: Vec::new(),
        };
        let endpoint = self.target.endpoint.clone();
        let opened = client.alarm_service().watch_alarms(request).await;
        let stream = opened.map_err(|status| ClientError::from_status(&status, &endpoint))?.into_inner();
        let stream = stream.map(move |item| item.map_err(|status| ClientError::from_status(&status, &endpoint)));
        self.stream = Some(stream.boxed());
        self.next_message = 1;
        self.patient = true;
        Ok(())
    }

    fn take(&mut self, response: v1::WatchAlarmsResponse) -> Result<AlarmEvent, ClientError> {
        if response.message_number != self.next_message {
            let why = format!("message {} was expected, {} came", self.next_message, response.message_number);
            return Ok(self.ended(why, None));
        }
        self.next_message += 1;
        match &response.message {
            Some(Message::SyncComplete(_)) => self.backoff.reset(),
            Some(Message::Closing(closing)) if closing.reason() == Reason::ClosedByOperator => {
                return Err(ClientError::SessionClosed);
            }
            _ => {}
        }
        if response.position.is_some() {
            self.position.clone_from(&response.position);
        }
        Ok(AlarmEvent::Message(Box::new(response)))
    }

    fn failed(&mut self, error: ClientError) -> Result<AlarmEvent, ClientError> {
        let is_gap = error.refusal().is_some_and(|refusal| refusal.code == Code::OutOfRange);
        if !is_gap && (!self.patient || error.is_permanent()) {
            self.stream = None;
            return Err(error);
        }
        if is_gap {
            self.position = None;
        }
        let asked = error.refusal().and_then(|refusal| refusal.retry_after);
        Ok(self.ended(error.to_string(), asked))
    }

    fn ended(&mut self, why: String, asked: Option<Duration>) -> AlarmEvent {
        self.stream = None;
        let own = self.backoff.pause(uuid::Uuid::new_v4().as_u64_pair().1);
        self.pause = asked.map_or(own, |asked| asked.max(own));
        AlarmEvent::Disconnected { why, retry_in: self.pause }
    }
}
