//! From what the change log tells to numbered messages.

use super::payload::{Payload, Said};
use crate::changes::{LagReason, StartError, StreamEvent, StreamItem};
use crate::northbound::failure::Failure;
use crate::northbound::published::{self, Published};
use crate::northbound::reason::Reason;
use crate::wire::{convert, v1};
use std::marker::PhantomData;

/// Makes the messages of one stream.
#[derive(Debug)]
pub struct Speaker<P> {
    published: Published,
    vrm_id: String,
    version: String,
    effective: v1::StreamOptions,
    number: u64,
    position: u64,
    payload: PhantomData<fn() -> P>,
}

impl<P: Payload> Speaker<P> {
    /// Speaks for a VRM, with the options in force.
    pub fn new(published: Published, vrm_id: String, version: String, effective: v1::StreamOptions) -> Self {
        Self { published, vrm_id, version, effective, number: 0, position: 0, payload: PhantomData }
    }

    /// Position of the last message.
    pub fn position(&self) -> u64 {
        self.position
    }

    /// The message of an item.
    pub fn answer(&mut self, item: StreamItem) -> P::Response {
        let said = match item.event {
            StreamEvent::Started { head, oldest, snapshot_follows, status } => Said::Started(v1::StreamStarted {
                head: Some(self.place(head)),
                oldest: Some(self.place(oldest)),
                snapshot_follows,
                effective_options: Some(self.effective.clone()),
                vrm_id: self.vrm_id.clone(),
                system_dn: self.published.dn.dn(&crate::model::Name::vrm()),
                server_version: self.version.clone(),
                list_status: Some(published::list_status(&status)),
            }),
            StreamEvent::Change(delivery) => Said::Change(Box::new(P::change(&self.published, &delivery))),
            StreamEvent::SyncComplete { object_count } => Said::SyncComplete(v1::SyncComplete { object_count }),
            StreamEvent::Heartbeat { object_count, state_digest } => Said::Heartbeat(v1::Heartbeat {
                server_time: Some(convert::timestamp((self.published.now)())),
                object_count,
                state_digest,
            }),
            StreamEvent::Lagged { reason, skipped, snapshot_follows } => {
                Said::Lagged(v1::Lagged { reason: lag_reason(reason).into(), skipped_count: skipped, snapshot_follows })
            }
            StreamEvent::Status(status) => Said::Status(published::list_status(&status)),
        };
        self.say(item.position, said)
    }

    /// The last message of a stream that the server ends.
    pub fn closing(&mut self, closing: v1::StreamClosing) -> P::Response {
        self.say(self.position, Said::Closing(closing))
    }

    /// A place in the log, as messages carry it.
    pub fn place(&self, sequence: u64) -> v1::StreamPosition {
        v1::StreamPosition { epoch: self.published.log.epoch().to_owned(), sequence }
    }

    fn say(&mut self, position: u64, said: Said<P::Change>) -> P::Response {
        self.number += 1;
        self.position = position;
        P::response(self.place(position), self.number, said)
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

/// The refusal of a start position (gap policy *fail*).
pub fn cannot_resume(error: &StartError) -> Failure {
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
