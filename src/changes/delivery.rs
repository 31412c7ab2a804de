//! What a subscriber asks for and what it is told.

use super::position::{ListStatus, Position};
use crate::model::{AttributeChange, ChangeSource, Object, ObjectClass, Timestamp};
use std::sync::Arc;
use std::time::Duration;

/// Which changes a subscriber gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum DeliveryMode {
    /// The latest state of every object that changed; states in between may be merged.
    #[default]
    State,
    /// Every transition, in order, as long as it is kept.
    Transitions,
}

/// What to do where the requested start is no longer kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum GapPolicy {
    /// Say so, then send a snapshot.
    #[default]
    Resync,
    /// Refuse.
    Fail,
}

/// How a subscription starts and behaves.
#[derive(Clone, Debug, Default)]
pub struct SubscriptionOptions {
    /// Start after this position; absent: with a snapshot.
    pub resume_after: Option<Position>,
    /// Without `resume_after`: no snapshot, only what comes.
    pub updates_only: bool,
    /// State or transitions.
    pub mode: DeliveryMode,
    /// Gap handling.
    pub gap_policy: GapPolicy,
    /// Longest silence before a heartbeat; absent: none.
    pub heartbeat: Option<Duration>,
    /// Least time between two rounds (state mode).
    pub dampening: Duration,
    /// End after the synchronised state was sent.
    pub once: bool,
    /// A heartbeat at once when the state is synchronised, not only after the first silence (REQ-NTF-FUN-06).
    pub first_beat: bool,
}

/// A condition on an object's state after a change.
pub type Condition = Arc<dyn Fn(&Object) -> bool + Send + Sync>;

/// A condition on what a transition tells: what happened, what differs, the object after it.
pub type Choice = Arc<dyn Fn(DeliveryKind, &[AttributeChange], &Object) -> bool + Send + Sync>;

/// Which objects a subscriber wants.
#[derive(Clone)]
pub struct Selector {
    /// Wanted classes; empty for all managed resources, but not the records beside them.
    pub classes: Vec<ObjectClass>,
    /// Further condition on the state after the change; absent: none.
    pub matches: Option<Condition>,
    /// Which transitions are told one by one; absent: all. Snapshots and what is told by state after a gap are not
    /// chosen from: they are no notifications.
    pub choice: Option<Choice>,
}

impl std::fmt::Debug for Selector {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Selector")
            .field("classes", &self.classes)
            .field("filtered", &self.matches.is_some())
            .finish()
    }
}

impl Selector {
    /// The wanted classes, one by one.
    pub(super) fn wanted_classes(&self) -> Vec<ObjectClass> {
        if self.classes.is_empty() { ObjectClass::RESOURCES.to_vec() } else { self.classes.clone() }
    }

    pub(super) fn wants_class(&self, class: ObjectClass) -> bool {
        if self.classes.is_empty() { class.is_resource() } else { self.classes.contains(&class) }
    }

    /// True if the object is wanted.
    pub fn wants(&self, object: &Object) -> bool {
        self.wants_class(object.class()) && self.matches.as_ref().is_none_or(|matches| matches(object))
    }
}

/// Why the requested start is refused (gap policy *fail*), with what could be resumed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("cannot resume: {reason:?}")]
pub struct StartError {
    /// Why.
    pub reason: LagReason,
    /// Oldest position that can be resumed after.
    pub oldest: Position,
    /// The head.
    pub head: Position,
}

/// Why changes could not be delivered one by one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LagReason {
    /// History before the oldest position is no longer kept.
    Compacted,
    /// The log has another epoch.
    EpochChanged,
    /// The position lies beyond the head.
    PositionUnknown,
    /// The subscriber reads more slowly than changes come.
    SlowSubscriber,
}

/// One message of a stream, with its bookmark.
#[derive(Clone, Debug)]
pub struct StreamItem {
    /// Everything wanted with a last change up to here has been sent.
    pub position: u64,
    /// The message.
    pub event: StreamEvent,
}

/// What a stream tells.
#[derive(Clone, Debug)]
pub enum StreamEvent {
    /// First message.
    Started {
        /// Head at start.
        head: u64,
        /// Oldest position that can be resumed after in this mode.
        oldest: u64,
        /// A snapshot follows.
        snapshot_follows: bool,
        /// How far the lists can be trusted.
        status: ListStatus,
    },
    /// A change or snapshot entry.
    Change(Box<Delivery>),
    /// Everything up to the start has been sent; what follows is live.
    SyncComplete {
        /// Objects sent since the snapshot began; 0 on a resume.
        object_count: u64,
    },
    /// Nothing else was to be said for the heartbeat interval.
    Heartbeat {
        /// Objects wanted now.
        object_count: u64,
        /// Digest over them; only while the stream is at the head (S10).
        state_digest: Option<u64>,
    },
    /// A gap.
    Lagged {
        /// Why.
        reason: LagReason,
        /// Changes skipped, as far as known.
        skipped: u64,
        /// A snapshot follows.
        snapshot_follows: bool,
    },
    /// The trust in the lists changed.
    Status(ListStatus),
}

/// One object's new state.
#[derive(Clone, Debug)]
pub struct Delivery {
    /// What happened.
    pub kind: DeliveryKind,
    /// The object; for a removal its last state.
    pub object: Arc<Object>,
    /// What differs from the previous revision (transitions mode).
    pub attributes: Vec<AttributeChange>,
    /// What caused it, the last of several; not known in snapshots and for changes before the start.
    pub source: Option<ChangeSource>,
    /// When it was seen.
    pub time: Timestamp,
    /// Changes merged into this one beside the one told.
    pub merged: u64,
}

/// What happened to a delivered object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeliveryKind {
    /// Snapshot entry.
    Snapshot,
    /// New.
    Created,
    /// Changed.
    Changed,
    /// Gone, or no longer wanted.
    Removed,
}
