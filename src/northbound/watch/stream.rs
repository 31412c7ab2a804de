//! A subscription of the change log on a gRPC stream.
//!
//! The next message is asked for only when the connection has room for it: nothing stale is ever
//! queued, and a client that does not read costs a constant.

use super::payload::Payload;
use super::speaker::{Speaker, cannot_resume};
use crate::changes::{
    Choice, Condition, DeliveryKind, Selector, StreamEvent, StreamItem, Subscription, SubscriptionOptions,
};
use crate::model::{Object, ObjectClass};
use crate::northbound::auth::{Caller, GateCounters, internal, panic_text};
use crate::northbound::failure::Failure;
use crate::northbound::filter::Filter;
use crate::northbound::limits;
use crate::northbound::published::Published;
use crate::northbound::reason::Reason;
use crate::northbound::sessions::{OpenSession, SessionFacts, Sessions};
use crate::telemetry::{AlarmLatency, LatencyStage};
use crate::wire::v1;
use futures_util::FutureExt;
use prost::Message as _;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::sync::CancellationToken;
use tonic::Status;
use v1::stream_closing::Reason as Closing;

/// What a stream is told about the daemon.
#[derive(Clone, Debug)]
pub struct Watching {
    /// What is watched.
    pub published: Published,
    /// Where streams are entered.
    pub sessions: Arc<Sessions>,
    /// Where panics are counted.
    pub counters: Arc<GateCounters>,
    /// Cancelled when the daemon stops.
    pub stopping: CancellationToken,
    /// Where the time to the transport is recorded.
    pub latency: AlarmLatency,
    /// Id of the VRM.
    pub vrm_id: String,
    /// Version of the software.
    pub version: String,
}

/// A stream of answers.
pub type Answers<R> = ReceiverStream<Result<R, Status>>;

/// What a stream is to tell.
pub struct Opening {
    /// Classes; empty for all managed resources.
    pub classes: Vec<ObjectClass>,
    /// Which objects.
    pub filter: Filter<Object>,
    /// The same as it was written.
    pub filter_text: String,
    /// The classes as they were asked for.
    pub kinds: Vec<i32>,
    /// Start, mode, heartbeat.
    pub options: SubscriptionOptions,
    /// The same as the first message tells them.
    pub effective: v1::StreamOptions,
    /// Which transitions; absent: all.
    pub choice: Option<Choice>,
}

impl std::fmt::Debug for Opening {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Opening")
            .field("classes", &self.classes)
            .field("filter", &self.filter_text)
            .field("options", &self.options)
            .finish_non_exhaustive()
    }
}

impl Watching {
    /// Records how long a live change of an alarm took until its stream takes it.
    fn note_handed(&self, item: &StreamItem) {
        let StreamEvent::Change(delivery) = &item.event else { return };
        let live = delivery.kind != DeliveryKind::Snapshot && delivery.source.is_some();
        if live && delivery.object.class() == ObjectClass::Alarm {
            self.latency.record(LatencyStage::Handed, (self.published.now)().since(delivery.time));
        }
    }

    /// Enters a session and starts its subscription.
    ///
    /// # Errors
    /// `STREAM_LIMIT`, `RESUME_…` (gap policy *fail*), `SERVER_SHUTDOWN`.
    pub fn subscribe<P: Payload>(
        &self,
        caller: &Caller,
        method: &str,
        opening: Opening,
    ) -> Result<(OpenSession, Subscription, Speaker<P>), Failure> {
        if self.stopping.is_cancelled() {
            return Err(stopping());
        }
        let Opening { classes, filter, filter_text, kinds, options, effective, choice } = opening;
        let now = self.published.now;
        let facts = SessionFacts {
            actor: caller.actor(None)?,
            method: method.to_owned(),
            start_time: now(),
            filter: filter_text,
            kinds,
            options: effective.clone(),
        };
        let session = self.sessions.enter(&caller.identity, facts)?;
        let mut selector = Selector { classes, matches: None, choice };
        if !filter.is_empty() {
            let condition: Condition = Arc::new(move |object: &Object| filter.matches(object, now()));
            selector.matches = Some(condition);
        }
        let log = Arc::clone(&self.published.log);
        let subscription = Subscription::start(log, selector, options).map_err(|error| cannot_resume(&error))?;
        let speaker = Speaker::new(self.published.clone(), self.vrm_id.clone(), self.version.clone(), effective);
        Ok((session, subscription, speaker))
    }

    /// Begins a stream.
    ///
    /// # Errors
    /// As [`Watching::subscribe`].
    pub fn open<P: Payload>(&self, caller: &Caller, opening: Opening) -> Result<Answers<P::Response>, Failure> {
        let (session, subscription, speaker) = self.subscribe::<P>(caller, P::METHOD, opening)?;
        let (sender, receiver) = mpsc::channel(1);
        let stream = OpenStream { watching: self.clone(), session, sender, speaker, deadline: caller.deadline };
        tokio::spawn(stream.guarded(subscription));
        Ok(ReceiverStream::new(receiver))
    }
}

/// The daemon stops.
pub(in crate::northbound) fn stopping() -> Failure {
    Failure::new(Reason::ServerShutdown, "the daemon is stopping")
}

/// An operator ended it.
pub(in crate::northbound) fn closed_by_operator() -> Failure {
    Failure::new(Reason::SessionClosed, "an operator closed the stream")
}

/// Why a stream ends by the server's will.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    Shutdown,
    Age,
    Closed,
    /// The client is gone: nobody is left to be told.
    Gone,
    /// Everything that was asked for has been sent.
    Complete,
}

struct OpenStream<P: Payload> {
    watching: Watching,
    session: OpenSession,
    sender: mpsc::Sender<Result<P::Response, Status>>,
    speaker: Speaker<P>,
    deadline: tokio::time::Instant,
}

impl<P: Payload> OpenStream<P> {
    async fn guarded(mut self, subscription: Subscription) {
        let counters = Arc::clone(&self.watching.counters);
        let sender = self.sender.clone();
        let run = AssertUnwindSafe(self.run(subscription)).catch_unwind().await;
        if let Err(panic) = run {
            counters.count_panic();
            let status = internal(P::METHOD, panic_text(panic.as_ref()));
            // A client that is gone needs no answer.
            let _ = sender.send(Err(status)).await;
        }
    }

    async fn run(&mut self, mut subscription: Subscription) {
        let end = self.pump(&mut subscription).await;
        let (reason, delay, status) = match end {
            End::Gone | End::Complete => return,
            End::Shutdown => (Closing::Shutdown, 3, Some(stopping())),
            End::Age => (Closing::MaxAge, 0, None),
            End::Closed => (Closing::ClosedByOperator, 0, Some(closed_by_operator())),
        };
        let delay = prost_types::Duration { seconds: delay, nanos: 0 };
        let closing = v1::StreamClosing { reason: reason.into(), retry_delay: Some(delay) };
        let farewell = async {
            if let Ok(permit) = self.sender.clone().reserve_owned().await {
                let answer = self.speaker.closing(closing);
                permit.send(Ok(answer));
                if let Some(failure) = status {
                    // A client that is gone needs no answer.
                    let _ = self.sender.send(Err(failure.into())).await;
                }
            }
        };
        // A client that does not read is not waited for longer than the daemon waits to stop.
        let _ = tokio::time::timeout(limits::DRAIN / 2, farewell).await;
    }

    /// Sends what the subscription has, until something ends the stream.
    async fn pump(&mut self, subscription: &mut Subscription) -> End {
        let stopping = self.watching.stopping.clone();
        let closed = self.session.closed();
        let deadline = self.deadline;
        loop {
            let sender = self.sender.clone();
            let permit = match sender.clone().try_reserve_owned() {
                Ok(permit) => permit,
                Err(_) => {
                    self.session.waits();
                    // Cancel-safety: giving up a reservation loses nothing.
                    tokio::select! {
                        permit = sender.reserve_owned() => match permit {
                            Ok(permit) => permit,
                            Err(_) => return End::Gone,
                        },
                        () = stopping.cancelled() => return End::Shutdown,
                        () = closed.cancelled() => return End::Closed,
                        () = tokio::time::sleep_until(deadline) => return End::Age,
                    }
                }
            };
            // Cancel-safety: see Subscription::next.
            let item = tokio::select! {
                biased;
                () = stopping.cancelled() => return End::Shutdown,
                () = closed.cancelled() => return End::Closed,
                () = self.sender.closed() => return End::Gone,
                () = tokio::time::sleep_until(deadline) => return End::Age,
                item = subscription.next() => item,
            };
            let Some(item) = item else { return End::Complete };
            self.watching.note_handed(&item);
            let answer = self.speaker.answer(item);
            self.session.sent(self.speaker.position(), answer.encoded_len());
            self.session.merged(subscription.merged_total());
            permit.send(Ok(answer));
        }
    }
}
