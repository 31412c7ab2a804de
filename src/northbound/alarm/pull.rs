//! `PullAlarmChanges`: the messages of the alarm stream by long poll (S14).

use super::reader::Alarms;
use super::stream::{AlarmPayload, opening};
use crate::changes::{DeliveryKind, DeliveryMode, StreamEvent, StreamItem, Subscription};
use crate::northbound::failure::Failure;
use crate::northbound::limits;
use crate::northbound::listing::page_size;
use crate::northbound::request::Call;
use crate::northbound::sessions::OpenSession;
use crate::northbound::watch::{Speaker, closed_by_operator, stopping};
use crate::wire::v1;
use futures_util::FutureExt;
use prost::Message;

/// Full name of the method.
const METHOD: &str = "vrm.v1.AlarmService/PullAlarmChanges";

impl Alarms {
    pub(super) async fn pull(
        &self,
        call: &Call,
        request: v1::PullAlarmChangesRequest,
    ) -> Result<v1::PullAlarmChangesResponse, Failure> {
        let size = page_size(request.page_size)?;
        let mut options = request.options.unwrap_or_default();
        let continues = request.continue_snapshot;
        if continues && options.resume_after.is_none() {
            return Err(Failure::field("continue_snapshot", "needs options.resume_after"));
        }
        if continues {
            // The rest of a snapshot is states, not transitions: those of long ago are no longer kept.
            options.delivery_mode = v1::DeliveryMode::State.into();
        }
        options.dampening_period = None;
        options.once = false;
        let mut opening = opening(request.filter, options)?;
        let waits = opening.options.heartbeat.is_some();
        // Here a heartbeat says that the wait is over.
        opening.options.first_beat = false;
        if continues {
            opening.options.mode = DeliveryMode::State;
        }
        let snapshot = opening.options.resume_after.is_none() && !opening.options.updates_only;
        let (session, subscription, speaker) =
            self.watching.subscribe::<AlarmPayload>(&call.caller, METHOD, opening)?;
        let answer = Answer {
            subscription,
            speaker,
            messages: Vec::new(),
            bytes: 0,
            size,
            in_snapshot: snapshot || continues,
            told: false,
            synchronized: false,
        };
        self.fill(call, session, answer, continues, waits).await
    }

    /// Fills an answer until it is full or there is nothing more to tell.
    async fn fill(
        &self,
        call: &Call,
        session: OpenSession,
        mut answer: Answer,
        continues: bool,
        waits: bool,
    ) -> Result<v1::PullAlarmChangesResponse, Failure> {
        let closed = session.closed();
        loop {
            let ready = answer.subscription.next().now_or_never();
            let item = match ready {
                Some(item) => item,
                // A snapshot's last page has no transitions after it: they come with the next call.
                None if answer.synchronized && (answer.told || continues || !waits) => break,
                None => tokio::select! {
                    biased;
                    () = self.watching.stopping.cancelled() => return Err(stopping()),
                    () = closed.cancelled() => return Err(closed_by_operator()),
                    () = tokio::time::sleep_until(call.caller.deadline) => break,
                    item = answer.subscription.next() => item,
                },
            };
            let Some(item) = item else { break };
            if answer.take(item, continues) {
                break;
            }
        }
        Ok(answer.response())
    }
}

/// An answer being filled.
struct Answer {
    subscription: Subscription,
    speaker: Speaker<AlarmPayload>,
    messages: Vec<v1::WatchAlarmsResponse>,
    bytes: usize,
    size: usize,
    /// The snapshot is not complete yet.
    in_snapshot: bool,
    /// Something happened.
    told: bool,
    synchronized: bool,
}

impl Answer {
    /// Takes a message; true if the answer ends with it.
    fn take(&mut self, mut item: StreamItem, continues: bool) -> bool {
        let mut ends = false;
        match &mut item.event {
            StreamEvent::Change(delivery) => {
                self.told = true;
                if continues && self.in_snapshot && delivery.kind != DeliveryKind::Removed {
                    delivery.kind = DeliveryKind::Snapshot;
                }
            }
            StreamEvent::SyncComplete { .. } => {
                self.synchronized = true;
                // A snapshot is an answer, also an empty one; after a resume there may be nothing to tell.
                self.told |= self.in_snapshot;
                self.in_snapshot = false;
                ends = continues;
            }
            StreamEvent::Lagged { snapshot_follows, .. } => {
                self.told = true;
                self.in_snapshot |= *snapshot_follows;
            }
            StreamEvent::Heartbeat { .. } => ends = true,
            StreamEvent::Status(_) => self.told = true,
            StreamEvent::Started { .. } => {}
        }
        let message = self.speaker.answer(item);
        self.bytes += message.encoded_len();
        self.messages.push(message);
        ends || self.messages.len() >= self.size.saturating_add(1) || self.bytes > limits::PAGE_BYTES
    }

    fn response(self) -> v1::PullAlarmChangesResponse {
        v1::PullAlarmChangesResponse {
            position: Some(self.speaker.place(self.speaker.position())),
            more: self.in_snapshot || self.subscription.lag() > 0,
            continue_snapshot: self.in_snapshot,
            messages: self.messages,
        }
    }
}
