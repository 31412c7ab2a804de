//! `WatchResources`: a subscription of the change log on a gRPC stream, under the rules S1–S16.
//!
//! The next message is asked for only when the connection has room for it: nothing stale is ever
//! queued, and a client that does not read costs a constant.

use super::auth::{Caller, GateCounters, internal, panic_text};
use super::failure::Failure;
use super::limits;
use super::listing::object_filter;
use super::published::{self, Published};
use super::reason::Reason;
use super::sessions::{OpenSession, SessionFacts, Sessions};
use crate::changes::{
    Delivery, DeliveryKind, DeliveryMode, GapPolicy, LagReason, Position, Selector, StartError, StreamEvent,
    StreamItem, Subscription, SubscriptionOptions,
};
use crate::model::ObjectClass;
use crate::wire::convert::{self, Detail};
use crate::wire::v1;
use futures_util::FutureExt;
use prost::Message as _;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::sync::CancellationToken;
use tonic::Status;
use v1::stream_closing::Reason as Closing;
use v1::watch_resources_response::Message;

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
    /// Id of the VRM.
    pub vrm_id: String,
    /// Version of the software.
    pub version: String,
}

/// A stream of answers.
pub type Answers = ReceiverStream<Result<v1::WatchResourcesResponse, Status>>;

impl Watching {
    /// Begins a stream.
    ///
    /// # Errors
    /// `INVALID_FIELD`, `INVALID_FILTER`, `STREAM_LIMIT`, `RESUME_…` (gap policy *fail*),
    /// `SERVER_SHUTDOWN`.
    pub fn begin(&self, caller: &Caller, request: v1::WatchResourcesRequest) -> Result<Answers, Failure> {
        if self.stopping.is_cancelled() {
            return Err(Failure::new(Reason::ServerShutdown, "the daemon is stopping"));
        }
        let classes = classes(&request.kinds)?;
        let options = subscription_options(request.options.unwrap_or_default())?;
        let effective = effective_options(&options);
        let filter = object_filter(&request.filter, &classes)?;
        let now = self.published.now;
        let is_free = filter.is_empty();
        let matches = move |object: &crate::model::Object| filter.matches(object, now());
        let facts = SessionFacts {
            actor: caller.actor(None)?,
            method: "vrm.v1.InventoryService/WatchResources".to_owned(),
            start_time: now(),
            filter: request.filter,
            kinds: request.kinds,
            options: effective.clone(),
        };
        let session = self.sessions.enter(&caller.identity, facts)?;
        let mut selector = Selector { classes, matches: None };
        if !is_free {
            selector.matches = Some(Arc::new(matches));
        }
        let log = Arc::clone(&self.published.log);
        let subscription = Subscription::start(log, selector, options).map_err(|error| cannot_resume(&error))?;
        let (sender, receiver) = mpsc::channel(1);
        let stream = OpenStream {
            watching: self.clone(),
            effective,
            session,
            sender,
            number: 0,
            position: 0,
            deadline: caller.deadline,
        };
        tokio::spawn(stream.guarded(subscription));
        Ok(ReceiverStream::new(receiver))
    }
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

struct OpenStream {
    watching: Watching,
    effective: v1::StreamOptions,
    session: OpenSession,
    sender: mpsc::Sender<Result<v1::WatchResourcesResponse, Status>>,
    number: u64,
    position: u64,
    deadline: tokio::time::Instant,
}

impl OpenStream {
    async fn guarded(mut self, subscription: Subscription) {
        let counters = Arc::clone(&self.watching.counters);
        let sender = self.sender.clone();
        let run = AssertUnwindSafe(self.run(subscription)).catch_unwind().await;
        if let Err(panic) = run {
            counters.count_panic();
            let status = internal("vrm.v1.InventoryService/WatchResources", panic_text(panic.as_ref()));
            // A client that is gone needs no answer.
            let _ = sender.send(Err(status)).await;
        }
    }

    async fn run(&mut self, mut subscription: Subscription) {
        let end = self.pump(&mut subscription).await;
        let (reason, delay, status) = match end {
            End::Gone | End::Complete => return,
            End::Shutdown => {
                let failure = Failure::new(Reason::ServerShutdown, "the daemon is stopping");
                (Closing::Shutdown, 3, Some(failure))
            }
            End::Age => (Closing::MaxAge, 0, None),
            End::Closed => {
                let failure = Failure::new(Reason::SessionClosed, "an operator closed the stream");
                (Closing::ClosedByOperator, 0, Some(failure))
            }
        };
        let delay = prost_types::Duration { seconds: delay, nanos: 0 };
        let closing = Message::Closing(v1::StreamClosing { reason: reason.into(), retry_delay: Some(delay) });
        let farewell = async {
            if let Ok(permit) = self.sender.clone().reserve_owned().await {
                let answer = self.envelope(self.position, closing);
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
            let answer = self.answer(item);
            self.session.sent(self.position, answer.encoded_len());
            self.session.merged(subscription.merged_total());
            permit.send(Ok(answer));
        }
    }

    fn answer(&mut self, item: StreamItem) -> v1::WatchResourcesResponse {
        let message = match item.event {
            StreamEvent::Started { head, oldest, snapshot_follows, status } => Message::Started(v1::StreamStarted {
                head: Some(self.place(head)),
                oldest: Some(self.place(oldest)),
                snapshot_follows,
                effective_options: Some(self.effective.clone()),
                vrm_id: self.watching.vrm_id.clone(),
                system_dn: self.watching.published.dn.dn(&crate::model::Name::vrm()),
                server_version: self.watching.version.clone(),
                list_status: Some(published::list_status(&status)),
            }),
            StreamEvent::Change(delivery) => Message::Change(self.change(&delivery)),
            StreamEvent::SyncComplete { object_count } => Message::SyncComplete(v1::SyncComplete { object_count }),
            StreamEvent::Heartbeat { object_count, state_digest } => Message::Heartbeat(v1::Heartbeat {
                server_time: Some(convert::timestamp((self.watching.published.now)())),
                object_count,
                state_digest,
            }),
            StreamEvent::Lagged { reason, skipped, snapshot_follows } => Message::Lagged(v1::Lagged {
                reason: lag_reason(reason).into(),
                skipped_count: skipped,
                snapshot_follows,
            }),
            StreamEvent::Status(status) => Message::ListStatus(published::list_status(&status)),
        };
        self.envelope(item.position, message)
    }

    fn envelope(&mut self, position: u64, message: Message) -> v1::WatchResourcesResponse {
        self.number += 1;
        self.position = position;
        v1::WatchResourcesResponse {
            position: Some(self.place(position)),
            message_number: self.number,
            message: Some(message),
        }
    }

    fn place(&self, sequence: u64) -> v1::StreamPosition {
        v1::StreamPosition { epoch: self.watching.published.log.epoch().to_owned(), sequence }
    }

    fn change(&self, delivery: &Delivery) -> v1::ResourceChange {
        use v1::resource_change::Kind;
        let Delivery { kind, object, attributes, source, time, merged } = delivery;
        let kind = match kind {
            DeliveryKind::Snapshot => Kind::Snapshot,
            DeliveryKind::Created => Kind::Created,
            DeliveryKind::Changed if *merged > 0 => Kind::Merged,
            DeliveryKind::Changed => Kind::Changed,
            DeliveryKind::Removed => Kind::Removed,
        };
        let dn = &self.watching.published.dn;
        let paths: Vec<String> = attributes.iter().map(|attribute| attribute.path.clone()).collect();
        v1::ResourceChange {
            kind: kind.into(),
            changed_fields: (!paths.is_empty()).then_some(prost_types::FieldMask { paths }),
            attribute_changes: attributes.iter().map(convert::attribute_change).collect(),
            source: source.map(convert::change_source).unwrap_or_default(),
            event_time: Some(convert::timestamp(*time)),
            report_time: Some(convert::timestamp((self.watching.published.now)())),
            time_received: true,
            object_class: convert::object_class(object.class()),
            object_dn: dn.dn(&object.name),
            merged_count: u32::try_from(*merged).unwrap_or(u32::MAX),
            resource: convert::resource(object, dn, Detail::Full).map(convert::to_change_resource),
        }
    }
}

/// Classes from a request.
///
/// # Errors
/// `INVALID_FIELD` for a number that is no class.
pub(super) fn classes(kinds: &[i32]) -> Result<Vec<ObjectClass>, Failure> {
    if kinds.len() > limits::REQUEST_ITEMS {
        return Err(Failure::field("kinds", format!("at most {}", limits::REQUEST_ITEMS)));
    }
    let class = |kind: &i32| v1::ObjectClass::try_from(*kind).ok().and_then(convert::class_from);
    kinds.iter().map(|kind| class(kind).ok_or_else(|| Failure::field("kinds", format!("{kind} is no class")))).collect()
}

fn subscription_options(options: v1::StreamOptions) -> Result<SubscriptionOptions, Failure> {
    let duration = |field: &str, duration: Option<prost_types::Duration>, default: Duration| match duration {
        None => Ok(default),
        Some(duration) => Duration::try_from(duration).map_err(|_| Failure::field(field, "must not be negative")),
    };
    let mode = match v1::DeliveryMode::try_from(options.delivery_mode) {
        Ok(v1::DeliveryMode::Unspecified | v1::DeliveryMode::State) => DeliveryMode::State,
        Ok(v1::DeliveryMode::Transitions) => DeliveryMode::Transitions,
        Err(_) => return Err(Failure::field("options.delivery_mode", "no such mode")),
    };
    let gap_policy = match v1::GapPolicy::try_from(options.gap_policy) {
        Ok(v1::GapPolicy::Unspecified | v1::GapPolicy::Resync) => GapPolicy::Resync,
        Ok(v1::GapPolicy::Fail) => GapPolicy::Fail,
        Err(_) => return Err(Failure::field("options.gap_policy", "no such policy")),
    };
    let heartbeat = duration("options.heartbeat_interval", options.heartbeat_interval, limits::HEARTBEAT_DEFAULT)?;
    // Zero switches them off (REQ-NTF-FUN-06): such a client cannot tell silence from a dead peer.
    let heartbeat = (!heartbeat.is_zero()).then(|| heartbeat.clamp(limits::HEARTBEAT_LEAST, limits::HEARTBEAT_MOST));
    let dampening = duration("options.dampening_period", options.dampening_period, Duration::ZERO)?;
    Ok(SubscriptionOptions {
        resume_after: options.resume_after.map(|v1::StreamPosition { epoch, sequence }| Position { epoch, sequence }),
        updates_only: options.updates_only,
        mode,
        gap_policy,
        heartbeat,
        dampening: if mode == DeliveryMode::State { dampening.min(limits::DAMPENING_MOST) } else { Duration::ZERO },
        once: options.once,
    })
}

fn effective_options(options: &SubscriptionOptions) -> v1::StreamOptions {
    let SubscriptionOptions { resume_after, updates_only, mode, gap_policy, heartbeat, dampening, once } = options;
    v1::StreamOptions {
        resume_after: resume_after.clone().map(published::position),
        updates_only: *updates_only && resume_after.is_none(),
        delivery_mode: match mode {
            DeliveryMode::State => v1::DeliveryMode::State.into(),
            DeliveryMode::Transitions => v1::DeliveryMode::Transitions.into(),
        },
        gap_policy: match gap_policy {
            GapPolicy::Resync => v1::GapPolicy::Resync.into(),
            GapPolicy::Fail => v1::GapPolicy::Fail.into(),
        },
        heartbeat_interval: heartbeat.unwrap_or_default().try_into().ok(),
        dampening_period: (*dampening).try_into().ok(),
        once: *once,
    }
}

fn lag_reason(reason: LagReason) -> v1::lagged::Reason {
    match reason {
        LagReason::Compacted => v1::lagged::Reason::Compacted,
        LagReason::EpochChanged => v1::lagged::Reason::EpochChanged,
        LagReason::PositionUnknown => v1::lagged::Reason::PositionUnknown,
        LagReason::SlowSubscriber => v1::lagged::Reason::SlowSubscriber,
    }
}

fn cannot_resume(error: &StartError) -> Failure {
    let reason = match error.reason {
        LagReason::Compacted | LagReason::SlowSubscriber => Reason::ResumePositionCompacted,
        LagReason::EpochChanged => Reason::ResumeEpochChanged,
        LagReason::PositionUnknown => Reason::ResumePositionUnknown,
    };
    let text = match reason {
        Reason::ResumeEpochChanged => "the position belongs to another epoch: take a snapshot",
        Reason::ResumePositionUnknown => "the position lies beyond the head: take a snapshot",
        _ => "what follows the position is no longer kept: take a snapshot",
    };
    Failure::new(reason, text)
        .with("epoch", &error.head.epoch)
        .with("oldest", error.oldest.sequence.to_string())
        .with("head", error.head.sequence.to_string())
}

#[cfg(test)]
mod tests;
