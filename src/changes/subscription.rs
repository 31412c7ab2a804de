//! One subscriber's cursor: what to send next, under the stream rules S1–S16.
//!
//! The caller asks for the next item only when there is room for it, so nothing stale is ever
//! queued. Memory per subscriber: one round (16 bytes per changed object) and `sent` (24 bytes per
//! slot); both bounded by the number of objects.

use super::delivery::{
    Delivery, DeliveryKind, DeliveryMode, GapPolicy, LagReason, Selector, StartError, StreamEvent, StreamItem,
    SubscriptionOptions,
};
use super::digest::digest_of;
use super::log::{ChangeLog, Slot};
use super::position::{ListStatus, Position};
use crate::model::{Change, ChangeKind, Object, ObjectClass};
use std::collections::VecDeque;
use std::sync::Arc;
use tokio::sync::watch;
use tokio::time::Instant;

/// Transitions taken from memory at once: 256, which costs their pointers only.
const RECENT_BATCH: usize = 256;

/// Transitions read from disk at once: 1,024, a few megabytes while they are sent.
const DISK_BATCH: usize = 1_024;

/// What of a slot's object the client holds.
#[derive(Clone, Copy, Debug, Default)]
struct Sent {
    sequence: u64,
    revision: u64,
    /// Digest of the object's name: a slot whose tombstone was forgotten gets another tenant.
    tenant: u32,
    /// The client was told of a removal, so it holds nothing.
    removed: bool,
}

/// Whether the client holds an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Known {
    Held,
    Perhaps,
    No,
}

/// Why the present round is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Purpose {
    Snapshot,
    CatchUp,
    Live,
}

/// A subscriber's cursor.
pub struct Subscription {
    log: Arc<ChangeLog>,
    selector: Selector,
    options: SubscriptionOptions,
    head: watch::Receiver<u64>,
    status: watch::Receiver<ListStatus>,
    forced_gaps: watch::Receiver<u64>,
    /// Everything up to here has been sent.
    cursor: u64,
    /// Position the client came with; 0 if it began with a snapshot.
    started_at: u64,
    fence: u64,
    purpose: Purpose,
    round: std::vec::IntoIter<(u64, u32)>,
    in_round: bool,
    transitions: VecDeque<Arc<Change>>,
    /// Nothing wanted lies between the last of `transitions` and here.
    covered: u64,
    /// Reads transitions one by one instead of rounds.
    one_by_one: bool,
    sent: Vec<Sent>,
    pending: VecDeque<StreamItem>,
    synchronized: bool,
    sent_count: u64,
    last_send: Instant,
    last_round: Instant,
    done: bool,
    merged_total: u64,
}

impl std::fmt::Debug for Subscription {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Subscription")
            .field("cursor", &self.cursor)
            .field("purpose", &self.purpose)
            .finish_non_exhaustive()
    }
}

impl Subscription {
    /// Starts a subscription.
    ///
    /// # Errors
    /// [`StartError`] if the start position is not kept and the gap policy is *fail*.
    pub fn start(log: Arc<ChangeLog>, selector: Selector, options: SubscriptionOptions) -> Result<Self, StartError> {
        let head = log.watch_head();
        let status = log.watch_status();
        let forced_gaps = log.watch_forced_gaps();
        let now = Instant::now();
        let mut subscription = Self {
            head,
            status,
            forced_gaps,
            cursor: 0,
            started_at: 0,
            fence: 0,
            purpose: Purpose::Snapshot,
            round: Vec::new().into_iter(),
            in_round: false,
            transitions: VecDeque::new(),
            covered: 0,
            one_by_one: false,
            sent: Vec::new(),
            pending: VecDeque::new(),
            synchronized: false,
            sent_count: 0,
            last_send: now,
            last_round: now,
            done: false,
            merged_total: 0,
            log,
            selector,
            options,
        };
        subscription.begin()?;
        Ok(subscription)
    }

    /// Changes merged so far beside those told.
    pub fn merged_total(&self) -> u64 {
        self.merged_total
    }

    /// Sequences between the cursor and the head.
    pub fn lag(&self) -> u64 {
        self.log.head().saturating_sub(self.cursor)
    }

    fn oldest(&self) -> u64 {
        match self.options.mode {
            DeliveryMode::State => self.log.oldest_state(),
            DeliveryMode::Transitions => self.log.oldest_transition(&self.selector.wanted_classes()),
        }
    }

    fn begin(&mut self) -> Result<(), StartError> {
        let head = self.log.head();
        let oldest = self.oldest();
        let gap = self.options.resume_after.as_ref().and_then(|position| self.gap(position, oldest, head));
        if let (Some(reason), GapPolicy::Fail) = (gap, self.options.gap_policy) {
            let epoch = self.log.epoch().to_owned();
            return Err(StartError {
                reason,
                oldest: Position { epoch: epoch.clone(), sequence: oldest },
                head: Position { epoch, sequence: head },
            });
        }
        let snapshot_follows = match (&self.options.resume_after, gap) {
            (Some(position), None) => {
                self.cursor = position.sequence;
                self.purpose = Purpose::CatchUp;
                self.one_by_one = self.options.mode == DeliveryMode::Transitions;
                self.fence = head;
                false
            }
            (Some(_), Some(_)) => false,
            (None, _) if self.options.updates_only => {
                self.cursor = head;
                self.fence = head;
                self.purpose = Purpose::Live;
                false
            }
            (None, _) => true,
        };
        self.started_at = self.cursor;
        let status = self.status.borrow_and_update().clone();
        self.queue(self.cursor, StreamEvent::Started { head, oldest, snapshot_follows, status });
        if let Some(reason) = gap {
            let skipped = if reason == LagReason::Compacted {
                oldest.saturating_sub(self.options.resume_after.as_ref().map_or(0, |position| position.sequence))
            } else {
                0
            };
            self.queue(0, StreamEvent::Lagged { reason, skipped, snapshot_follows: true });
        }
        if self.purpose != Purpose::Live && !self.one_by_one {
            self.open_round();
        } else if self.purpose == Purpose::Live || self.cursor >= self.fence {
            self.complete_synchronization();
        }
        Ok(())
    }

    fn gap(&self, position: &Position, oldest: u64, head: u64) -> Option<LagReason> {
        if position.epoch != self.log.epoch() {
            Some(LagReason::EpochChanged)
        } else if position.sequence > head {
            Some(LagReason::PositionUnknown)
        } else if position.sequence < oldest {
            Some(LagReason::Compacted)
        } else {
            None
        }
    }

    fn queue(&mut self, position: u64, event: StreamEvent) {
        self.pending.push_back(StreamItem { position, event });
    }

    fn open_round(&mut self) {
        let (fence, round) = self.log.round(self.cursor);
        self.fence = fence;
        self.round = round.into_iter();
        self.in_round = true;
        self.last_round = Instant::now();
    }

    fn complete_synchronization(&mut self) {
        self.synchronized = true;
        self.purpose = Purpose::Live;
        self.one_by_one = self.options.mode == DeliveryMode::Transitions;
        let object_count = self.sent_count;
        self.queue(self.cursor, StreamEvent::SyncComplete { object_count });
        if self.options.once {
            self.done = true;
        } else if self.options.first_beat {
            self.options.first_beat = false;
            self.beat();
        }
    }

    /// The next message; waits for one. Nothing after the end of a `once` subscription.
    ///
    /// # Cancel safety
    /// Dropping the future loses nothing: state moves only when an item is returned.
    pub async fn next(&mut self) -> Option<StreamItem> {
        loop {
            if let Some(item) = self.pending.pop_front() {
                self.last_send = Instant::now();
                return Some(item);
            }
            if self.done {
                return None;
            }
            if let Some(item) = self.advance() {
                self.last_send = Instant::now();
                return Some(item);
            }
            if !self.pending.is_empty() {
                continue;
            }
            if self.one_by_one && self.log.head() > self.cursor {
                self.load_transitions().await;
                continue;
            }
            self.wait().await;
        }
    }

    /// The next change of the present round or batch, if there is one.
    fn advance(&mut self) -> Option<StreamItem> {
        while let Some(change) = self.transitions.pop_front() {
            let item = self.transition(&change);
            self.pass(change.sequence);
            // What was queued stands before the next transition, not behind it.
            if item.is_some() || !self.pending.is_empty() {
                return item;
            }
        }
        self.pass(self.covered);
        if !self.in_round {
            return None;
        }
        while let Some((sequence, slot)) = self.round.next() {
            if let Some(delivery) = self.visit(slot) {
                self.sent_count += u64::from(self.purpose == Purpose::Snapshot);
                self.merged_total += delivery.merged;
                return Some(StreamItem { position: sequence, event: StreamEvent::Change(Box::new(delivery)) });
            }
        }
        self.in_round = false;
        self.cursor = self.fence;
        if !self.synchronized {
            self.complete_synchronization();
        } else {
            self.purpose = Purpose::Live;
            self.one_by_one = self.options.mode == DeliveryMode::Transitions;
        }
        None
    }

    /// One by one: everything up to a sequence was told or is not wanted.
    fn pass(&mut self, sequence: u64) {
        if self.one_by_one && sequence > self.cursor {
            self.cursor = sequence;
            if !self.synchronized && self.cursor >= self.fence {
                self.complete_synchronization();
            }
        }
    }

    /// What to tell of a slot now, looked up only when there is room to send it.
    fn visit(&mut self, slot: u32) -> Option<Delivery> {
        let (found, source) = self.log.slot(slot);
        let (object, gone) = match found {
            Slot::Live(object) => (object, false),
            Slot::Gone(tombstone) => (Arc::new(tombstone.as_object()), true),
            Slot::Free => return None,
        };
        if !self.selector.wants_class(object.class()) {
            return None;
        }
        let sent = self.sent_of(slot);
        if sent.tenant == tenant(&object) && sent.sequence >= object.last_change_sequence {
            return None;
        }
        let known = self.known(sent, &object);
        let held = known == Known::Held;
        let wanted = !gone && self.selector.wants(&object);
        let kind = match (wanted, known) {
            (true, _) if self.purpose == Purpose::Snapshot => DeliveryKind::Snapshot,
            (true, Known::Held | Known::Perhaps) => DeliveryKind::Changed,
            (true, Known::No) => DeliveryKind::Created,
            (false, Known::Held | Known::Perhaps) => DeliveryKind::Removed,
            (false, Known::No) => return None,
        };
        let merged = if held { object.revision.saturating_sub(sent.revision + 1) } else { 0 };
        self.note_sent(slot, &object, kind);
        let source = source.filter(|_| kind != DeliveryKind::Snapshot);
        Some(Delivery { kind, time: object.change_time, object, attributes: Vec::new(), source, merged })
    }

    /// What to tell of one transition; nothing if the client has that revision already.
    fn transition(&mut self, change: &Change) -> Option<StreamItem> {
        if !self.selector.wants_class(change.object.class()) {
            return None;
        }
        let slot = self.log.slot_of(&change.name);
        let sent = slot.map(|slot| self.sent_of(slot)).unwrap_or_default();
        if sent.tenant == tenant(&change.object) && sent.sequence >= change.sequence {
            return None;
        }
        let wanted = self.selector.wants(&change.object) && change.kind != ChangeKind::Removed;
        let kind = match (wanted, self.known(sent, &change.object)) {
            (true, Known::No) => DeliveryKind::Created,
            (true, Known::Held | Known::Perhaps) => DeliveryKind::Changed,
            (false, Known::Held | Known::Perhaps) => DeliveryKind::Removed,
            (false, Known::No) => return None,
        };
        if let Some(slot) = slot {
            self.note_sent(slot, &change.object, kind);
        }
        // What is not chosen counts as told: what the client holds goes on with it.
        if self.selector.choice.as_ref().is_some_and(|choice| !choice(kind, &change.attributes, &change.object)) {
            return None;
        }
        let delivery = Delivery {
            kind,
            object: Arc::clone(&change.object),
            attributes: change.attributes.clone(),
            source: Some(change.source),
            time: change.time,
            merged: 0,
        };
        Some(StreamItem { position: change.sequence, event: StreamEvent::Change(Box::new(delivery)) })
    }

    /// What the client holds of an object (S11): after a resume that is not known for objects
    /// that existed before it and were not sent since.
    fn known(&self, sent: Sent, object: &Object) -> Known {
        if sent.revision == 0 || sent.tenant != tenant(object) {
            if object.created_sequence <= self.started_at { Known::Perhaps } else { Known::No }
        } else if sent.removed {
            Known::No
        } else {
            Known::Held
        }
    }

    fn sent_of(&self, slot: u32) -> Sent {
        self.sent.get(slot as usize).copied().unwrap_or_default()
    }

    fn note_sent(&mut self, slot: u32, object: &Object, kind: DeliveryKind) {
        let at = slot as usize;
        if self.sent.len() <= at {
            self.sent.resize(at + 1, Sent::default());
        }
        self.sent[at] = Sent {
            sequence: object.last_change_sequence,
            revision: object.revision,
            tenant: tenant(object),
            removed: kind == DeliveryKind::Removed,
        };
    }

    /// Fetches the next transitions, or falls back to a round when they are no longer kept.
    ///
    /// Those in memory are of all classes. From disk come the wanted ones alone, because others may be gone already:
    /// they are complete if the place they were read from is still kept after they were read. What is committed and
    /// not published yet stays out: a client that was told of it could not resume after it for a moment.
    async fn load_transitions(&mut self) {
        if let Some(batch) = self.log.recent(self.cursor, RECENT_BATCH) {
            self.covered = batch.last().map_or(self.cursor, |change| change.sequence);
            self.transitions = batch.into();
            return;
        }
        let history = self.log.history();
        let classes = self.selector.wanted_classes();
        let (after, until) = (self.cursor, self.log.head());
        let read = tokio::task::spawn_blocking(move || {
            let batch = history.read(after, until, &classes, DISK_BATCH);
            (after >= history.oldest(&classes)).then_some(batch)
        });
        match read.await {
            Ok(Some(Ok(batch))) => {
                let last = batch.last().map_or(until, |change| change.sequence);
                self.covered = if batch.len() < DISK_BATCH { until } else { last };
                self.transitions = batch.into();
            }
            _ => self.fall_behind(),
        }
    }

    fn fall_behind(&mut self) {
        let skipped = self.lag();
        self.queue(
            self.cursor,
            StreamEvent::Lagged { reason: LagReason::SlowSubscriber, skipped, snapshot_follows: false },
        );
        self.one_by_one = false;
        self.open_round();
    }

    /// Waits for the head, the list status or the heartbeat, and prepares what follows from it.
    async fn wait(&mut self) {
        let heartbeat_at = self.options.heartbeat.map(|interval| self.last_send + interval);
        let round_at = (self.log.head() > self.cursor).then(|| self.last_round + self.options.dampening);
        // Cancel-safety: `changed` and `sleep_until` lose nothing when dropped.
        tokio::select! {
            _ = self.status.changed() => {
                let status = self.status.borrow_and_update().clone();
                self.queue(self.cursor, StreamEvent::Status(status));
            }
            _ = self.forced_gaps.changed() => self.fall_behind(),
            () = sleep_until(round_at) => {
                self.purpose = if self.synchronized { Purpose::Live } else { self.purpose };
                self.head.borrow_and_update();
                self.open_round();
            }
            _ = self.head.changed(), if round_at.is_none() => {}
            () = sleep_until(heartbeat_at) => self.beat(),
        }
    }

    fn beat(&mut self) {
        let mut object_count = 0;
        let mut state_digest = 0;
        let classes = ObjectClass::RESOURCES.into_iter().chain(ObjectClass::RECORDS);
        for class in classes.filter(|class| self.selector.wants_class(*class)) {
            for object in self.log.all(class) {
                if self.selector.wants(&object) {
                    object_count += 1;
                    state_digest ^= digest_of(object.name.as_str(), object.revision);
                }
            }
        }
        // A change that is not sent yet would be in the digest: then there is none to tell. Nor is there one for a
        // client that is not told everything.
        let comparable = self.log.head() == self.cursor && self.selector.choice.is_none();
        let state_digest = comparable.then_some(state_digest);
        self.queue(self.cursor, StreamEvent::Heartbeat { object_count, state_digest });
    }
}

/// Tells the tenants of a slot apart.
fn tenant(object: &Object) -> u32 {
    let digest = digest_of(object.name.as_str(), 0);
    u32::try_from(digest & u64::from(u32::MAX)).unwrap_or(0) | 1
}

/// Sleeps until an instant; for ever if there is none.
async fn sleep_until(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => tokio::time::sleep_until(deadline).await,
        None => std::future::pending().await,
    }
}
