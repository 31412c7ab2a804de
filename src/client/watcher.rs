//! A watch that survives: reconnects, resumes from its position, notices silence, keeps the state.

use super::backoff::Backoff;
use super::connection::Client;
use super::error::ClientError;
use super::locate::Target;
use super::replica::{Applied, Replica};
use crate::wire::v1;
use crate::wire::v1::stream_closing::Reason;
use futures_util::future::{BoxFuture, Either, select};
use futures_util::stream::{BoxStream, StreamExt};
use std::time::Duration;
use tonic::Code;

/// Messages of a stream as they come.
pub type ResponseStream = BoxStream<'static, Result<v1::WatchResourcesResponse, ClientError>>;

/// 30 seconds: heartbeat interval unless another is asked for.
const DEFAULT_HEARTBEAT: Duration = Duration::from_secs(30);
/// 5 seconds: grace beyond two heartbeat intervals before silence means a dead stream (S9).
const SILENCE_GRACE: Duration = Duration::from_secs(5);

/// How streams are opened and time passes: the network, or a test.
pub trait Transport: Send {
    /// Opens a stream.
    fn open(&mut self, request: v1::WatchResourcesRequest) -> BoxFuture<'_, Result<ResponseStream, ClientError>>;
    /// Returns after a while.
    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()>;
    /// A random number.
    fn chance(&self) -> u64;
}

/// What to watch.
#[derive(Clone, Debug, Default)]
pub struct WatchQuery {
    /// Classes; empty for all.
    pub classes: Vec<v1::ObjectClass>,
    /// Filter of the interface; empty for all.
    pub filter: String,
    /// Latest states, or every transition.
    pub mode: v1::DeliveryMode,
    /// Longest silence; 30 s by default, coerced by the daemon to 5 s – 300 s.
    pub heartbeat_interval: Option<Duration>,
    /// Position stored earlier, by a caller who kept the objects himself. Absent: start with a snapshot.
    pub resume_after: Option<v1::StreamPosition>,
    /// No snapshot, only what comes.
    pub updates_only: bool,
    /// Also wait for a daemon that has never answered.
    pub patient: bool,
}

/// What a watch tells.
#[derive(Clone, Debug)]
pub enum WatchEvent {
    /// A message came and was taken in.
    Message {
        /// As it came.
        response: Box<v1::WatchResourcesResponse>,
        /// What it meant.
        applied: Applied,
    },
    /// The stream broke; it is opened again after a pause. The state stays as it was, and may be old.
    Disconnected {
        /// Why.
        why: String,
        /// The pause.
        retry_in: Duration,
    },
}

/// A watch on one daemon.
pub struct Watcher<T> {
    transport: T,
    query: WatchQuery,
    replica: Replica,
    backoff: Backoff,
    silence: Duration,
    stream: Option<ResponseStream>,
    /// Pause before the next attempt.
    pause: Duration,
    /// A stream has been opened at least once.
    was_open: bool,
    /// Pause the daemon asked for when it closed the stream.
    asked_pause: Option<Duration>,
}

impl<T> std::fmt::Debug for Watcher<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Watcher")
            .field("query", &self.query)
            .field("position", &self.replica.position())
            .finish_non_exhaustive()
    }
}

impl<T: Transport> Watcher<T> {
    /// A watch that opens its first stream when it is asked for its first event.
    pub fn new(transport: T, query: WatchQuery) -> Self {
        let mut replica = query.resume_after.clone().map(Replica::resuming).unwrap_or_default();
        if query.updates_only {
            replica.set_partial();
        }
        let mut watcher = Self {
            transport,
            replica,
            backoff: Backoff::default(),
            silence: Duration::ZERO,
            stream: None,
            pause: Duration::ZERO,
            was_open: false,
            asked_pause: None,
            query,
        };
        watcher.supervise(watcher.query.heartbeat_interval.unwrap_or(DEFAULT_HEARTBEAT));
        watcher
    }

    /// The state of the objects watched, and the position to store.
    pub fn replica(&self) -> &Replica {
        &self.replica
    }

    /// The next event. Cancelling it loses nothing.
    ///
    /// # Errors
    /// The first stream could not be opened (unless the query is patient), or opening again cannot help (permission, malformed filter, closed
    /// by an operator). Everything else is told as [`WatchEvent::Disconnected`] and tried again for ever.
    pub async fn next(&mut self) -> Result<WatchEvent, ClientError> {
        if self.stream.is_none()
            && let Err(error) = self.open().await
        {
            return self.failed(error);
        }
        let Some(stream) = &mut self.stream else {
            return self.failed(ClientError::Protocol("no stream".to_owned()));
        };
        let silent = self.transport.sleep(self.silence);
        let response = match select(stream.next(), silent).await {
            Either::Left((Some(Ok(response)), _)) => response,
            Either::Left((Some(Err(error)), _)) => return self.failed(error),
            Either::Left((None, _)) => return self.ended("the daemon ended the stream"),
            Either::Right(_) => return self.ended(&format!("nothing came for {} s", self.silence.as_secs())),
        };
        self.take(response)
    }

    async fn open(&mut self) -> Result<(), ClientError> {
        if !self.pause.is_zero() {
            self.transport.sleep(self.pause).await;
            self.pause = Duration::ZERO;
        }
        let stream = self.transport.open(self.request()).await?;
        self.replica.begin_stream();
        self.stream = Some(stream);
        self.was_open = true;
        Ok(())
    }

    fn request(&self) -> v1::WatchResourcesRequest {
        let resume_after = self.replica.position().cloned();
        let heartbeat = self.query.heartbeat_interval.and_then(|interval| interval.try_into().ok());
        v1::WatchResourcesRequest {
            kinds: self.query.classes.iter().map(|class| i32::from(*class)).collect(),
            filter: self.query.filter.clone(),
            options: Some(v1::StreamOptions {
                updates_only: self.query.updates_only && resume_after.is_none(),
                resume_after,
                delivery_mode: self.query.mode.into(),
                gap_policy: v1::GapPolicy::Resync.into(),
                heartbeat_interval: heartbeat,
                ..v1::StreamOptions::default()
            }),
            notification_types: Vec::new(),
        }
    }

    fn take(&mut self, response: v1::WatchResourcesResponse) -> Result<WatchEvent, ClientError> {
        let applied = match self.replica.apply(response.clone()) {
            Ok(applied) => applied,
            Err(fault) => {
                if fault.needs_snapshot() {
                    self.replica.forget_position();
                }
                return self.ended(&fault.to_string());
            }
        };
        match &applied {
            Applied::Started(started) => {
                let options = started.effective_options.as_ref();
                let interval = options.and_then(|options| options.heartbeat_interval.as_ref());
                if let Some(interval) = interval.and_then(|interval| Duration::try_from(*interval).ok()) {
                    self.supervise(interval);
                }
            }
            Applied::Synced { .. } => self.backoff.reset(),
            Applied::Closing { reason: Reason::ClosedByOperator, .. } => return Err(ClientError::SessionClosed),
            Applied::Closing { reason: Reason::MaxAge, .. } => self.asked_pause = Some(Duration::ZERO),
            Applied::Closing { retry_delay, .. } => self.asked_pause = Some(*retry_delay),
            _ => {}
        }
        Ok(WatchEvent::Message { response: Box::new(response), applied })
    }

    /// An interval of zero means that the daemon sends no heartbeats: silence then means nothing.
    fn supervise(&mut self, interval: Duration) {
        self.silence = if interval.is_zero() { Duration::from_secs(86_400) } else { interval * 2 + SILENCE_GRACE };
    }

    fn failed(&mut self, error: ClientError) -> Result<WatchEvent, ClientError> {
        let is_gap = error.refusal().is_some_and(|refusal| refusal.code == Code::OutOfRange);
        let is_hopeless = !self.was_open && !self.query.patient;
        if !is_gap && (is_hopeless || error.is_permanent()) {
            self.stream = None;
            return Err(error);
        }
        if is_gap {
            self.replica.forget_position();
        }
        let asked = error.refusal().and_then(|refusal| refusal.retry_after);
        self.asked_pause = self.asked_pause.or(asked);
        self.ended(&error.to_string())
    }

    #[expect(clippy::unnecessary_wraps, reason = "the end of every path of `next`")]
    fn ended(&mut self, why: &str) -> Result<WatchEvent, ClientError> {
        self.stream = None;
        let own = self.backoff.pause(self.transport.chance());
        self.pause = match self.asked_pause.take() {
            Some(Duration::ZERO) => Duration::ZERO,
            Some(asked) => asked.max(own),
            None => own,
        };
        Ok(WatchEvent::Disconnected { why: why.to_owned(), retry_in: self.pause })
    }
}

/// The network: connects anew for every stream.
#[derive(Debug)]
pub struct Network {
    target: Target,
}

impl Client {
    /// Watches resources of a daemon, reconnecting as long as it takes.
    pub fn watch(target: &Target, query: WatchQuery) -> Watcher<Network> {
        Watcher::new(Network { target: target.clone() }, query)
    }
}

impl Transport for Network {
    fn open(&mut self, request: v1::WatchResourcesRequest) -> BoxFuture<'_, Result<ResponseStream, ClientError>> {
        Box::pin(async move {
            let client = Self::client(&self.target).await?;
            let endpoint = self.target.endpoint.clone();
            let opened = client.inventory().watch_resources(request).await;
            let stream = opened.map_err(|status| ClientError::from_status(&status, &endpoint))?.into_inner();
            let stream = stream.map(move |item| item.map_err(|status| ClientError::from_status(&status, &endpoint)));
            let stream: ResponseStream = stream.boxed();
            Ok(stream)
        })
    }

    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()> {
        Box::pin(tokio::time::sleep(duration))
    }

    fn chance(&self) -> u64 {
        uuid::Uuid::new_v4().as_u64_pair().1
    }
}

impl Network {
    async fn client(target: &Target) -> Result<Client, ClientError> {
        Client::connect(target).await
    }
}

#[cfg(test)]
mod tests;
