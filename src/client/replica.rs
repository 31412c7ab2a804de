//! What a subscriber holds: the state of the objects it watches, kept by the rules of the stream. Pure.

use super::object::{Object, ObjectExt, of_change};
use crate::wire::v1;
use crate::wire::v1::resource_change::Kind;
use crate::wire::v1::watch_resources_response::Message;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

/// An object as it was last told.
#[derive(Clone, Debug)]
pub struct Held {
    /// Its uid.
    pub uid: String,
    /// Its revision; 0 after the log has begun anew, when revisions no longer compare.
    pub revision: u64,
    /// The object.
    pub object: Arc<Object>,
}

/// What a message meant.
#[derive(Clone, Debug)]
pub enum Applied {
    /// A stream began; a snapshot follows or not.
    Started(Box<v1::StreamStarted>),
    /// An object is new or changed.
    Updated {
        /// As it was, if it was held.
        before: Option<Arc<Object>>,
        /// As it is.
        after: Arc<Object>,
        /// The change as told, without the object.
        change: Box<v1::ResourceChange>,
    },
    /// An object is gone or no longer matches.
    Removed {
        /// As it was.
        before: Arc<Object>,
        /// The change as told, without the object.
        change: Box<v1::ResourceChange>,
    },
    /// The state is complete; these objects were held but not told again: they are gone.
    Synced {
        /// The objects dropped.
        dropped: Vec<Arc<Object>>,
    },
    /// Nothing new: an old revision, the removal of an object not held, a heartbeat.
    Nothing,
    /// Changes could not be told one by one.
    Lagged(v1::Lagged),
    /// How far the state can be trusted changed.
    Status(v1::ListStatus),
    /// The daemon ends the stream.
    Closing {
        /// Why.
        reason: v1::stream_closing::Reason,
        /// Wait at least this long before resuming.
        retry_delay: Duration,
    },
}

/// Why a stream cannot be followed any further.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StreamFault {
    /// Messages were lost on the way: resume from the stored position.
    #[error("message {expected} was expected, {got} came")]
    MessageLost {
        /// The number expected.
        expected: u64,
        /// The number that came.
        got: u64,
    },
    /// The first message was not `started`.
    #[error("the stream did not begin with its start message")]
    NotStarted,
    /// Position went back.
    #[error("the position went back from {from} to {to}")]
    WentBack {
        /// Sequence before.
        from: u64,
        /// Sequence told.
        to: u64,
    },
    /// What is held differs from what the daemon has: a snapshot is needed.
    #[error("the state held differs from the daemon's")]
    DigestDiffers,
}

impl StreamFault {
    /// Whether the position must be forgotten too.
    pub fn needs_snapshot(&self) -> bool {
        matches!(self, Self::DigestDiffers | Self::WentBack { .. })
    }
}

/// The objects of a stream, across reconnects.
#[derive(Clone, Debug, Default)]
pub struct Replica {
    objects: BTreeMap<String, Held>,
    /// Names held from before the snapshot that is being told, and not told again yet.
    stale: BTreeSet<String>,
    position: Option<v1::StreamPosition>,
    epoch: Option<String>,
    next_message: u64,
    /// The state is complete: nothing is missing up to the position.
    synced: bool,
    /// Held state is only a part (`updates_only`, or resumed by a caller who kept the objects elsewhere): digests
    /// do not compare.
    partial: bool,
}

impl Replica {
    /// An empty replica that resumes after a position stored by the caller, who keeps the objects himself.
    pub fn resuming(position: v1::StreamPosition) -> Self {
        Self { epoch: Some(position.epoch.clone()), position: Some(position), partial: true, ..Self::default() }
    }

    /// Declares that only a part of the matching objects will be told.
    pub fn set_partial(&mut self) {
        self.partial = true;
    }

    /// The objects by name.
    pub fn objects(&self) -> &BTreeMap<String, Held> {
        &self.objects
    }

    /// Where to resume: everything up to here has been applied.
    pub fn position(&self) -> Option<&v1::StreamPosition> {
        self.position.as_ref()
    }

    /// Whether the state is complete up to the position.
    pub fn is_synced(&self) -> bool {
        self.synced
    }

    /// A new stream is about to be opened.
    pub fn begin_stream(&mut self) {
        self.next_message = 1;
        self.synced = false;
    }

    /// Forgets the position, so that the next stream begins with a snapshot; the objects stay to compare with.
    pub fn forget_position(&mut self) {
        self.position = None;
    }

    /// Takes a message in.
    ///
    /// # Errors
    /// [`StreamFault`] if the stream has to be opened again.
    pub fn apply(&mut self, response: v1::WatchResourcesResponse) -> Result<Applied, StreamFault> {
        self.check_number(response.message_number)?;
        let is_start = matches!(response.message, Some(Message::Started(_)));
        if response.message_number == 1 && !is_start {
            return Err(StreamFault::NotStarted);
        }
        let position = response.position;
        self.check_position(position.as_ref(), is_start)?;
        let applied = match response.message {
            Some(Message::Started(started)) => self.start(started),
            Some(Message::Change(change)) => self.change(change),
            Some(Message::SyncComplete(_)) => self.complete(),
            Some(Message::Heartbeat(heartbeat)) => return self.heartbeat(&heartbeat, position),
            Some(Message::Lagged(lagged)) => self.lagged(lagged),
            Some(Message::ListStatus(status)) => Applied::Status(status),
            Some(Message::Closing(closing)) => Applied::Closing {
                reason: closing.reason(),
                retry_delay: closing.retry_delay.and_then(|delay| delay.try_into().ok()).unwrap_or_default(),
            },
            None => Applied::Nothing,
        };
        if !is_start {
            self.advance(position);
        }
        Ok(applied)
    }

    fn check_number(&mut self, got: u64) -> Result<(), StreamFault> {
        let expected = self.next_message;
        if got != expected {
            return Err(StreamFault::MessageLost { expected, got });
        }
        self.next_message += 1;
        Ok(())
    }

    /// Positions never go back within an epoch (S5).
    fn check_position(&self, position: Option<&v1::StreamPosition>, is_start: bool) -> Result<(), StreamFault> {
        match (&self.position, position) {
            (Some(held), Some(told)) if !is_start && held.epoch == told.epoch && told.sequence < held.sequence => {
                Err(StreamFault::WentBack { from: held.sequence, to: told.sequence })
            }
            _ => Ok(()),
        }
    }

    fn advance(&mut self, position: Option<v1::StreamPosition>) {
        if let Some(position) = position.filter(|position| !position.epoch.is_empty()) {
            self.position = Some(position);
        }
    }

    fn start(&mut self, started: v1::StreamStarted) -> Applied {
        let epoch = started.head.as_ref().map(|head| head.epoch.clone());
        if self.epoch.is_some() && self.epoch != epoch {
            // Another log: its revisions do not compare with those held.
            self.objects.values_mut().for_each(|held| held.revision = 0);
            self.position = None;
        }
        self.epoch = epoch;
        if started.snapshot_follows {
            self.begin_snapshot();
        }
        Applied::Started(Box::new(started))
    }

    fn begin_snapshot(&mut self) {
        self.synced = false;
        self.partial = false;
        self.position = None;
        self.stale = self.objects.keys().cloned().collect();
    }

    fn lagged(&mut self, lagged: v1::Lagged) -> Applied {
        if lagged.snapshot_follows {
            self.begin_snapshot();
        }
        Applied::Lagged(lagged)
    }

    fn complete(&mut self) -> Applied {
        self.synced = true;
        let stale = std::mem::take(&mut self.stale);
        let dropped = stale.iter().filter_map(|name| self.objects.remove(name)).map(|held| held.object).collect();
        Applied::Synced { dropped }
    }

    fn change(&mut self, mut change: v1::ResourceChange) -> Applied {
        let kind = change.kind();
        let Some(object) = of_change(change.resource.take()) else { return Applied::Nothing };
        if kind == Kind::Removed {
            return self.remove(&object, change);
        }
        self.stale.remove(object.name());
        let held = self.objects.get(object.name());
        // S6: a revision is told at least once; an old one means nothing.
        if held.is_some_and(|held| held.uid == object.uid() && object.revision() <= held.revision) {
            return Applied::Nothing;
        }
        let after = Arc::new(object);
        let fresh = Held { uid: after.uid().to_owned(), revision: after.revision(), object: Arc::clone(&after) };
        let before = self.objects.insert(after.name().to_owned(), fresh).map(|held| held.object);
        Applied::Updated { before, after, change: Box::new(change) }
    }

    fn remove(&mut self, object: &Object, change: v1::ResourceChange) -> Applied {
        let is_ours = self.objects.get(object.name()).is_some_and(|held| {
            // The removal of an earlier object of this name, or one older than what is held, is over.
            object.uid().is_empty() || (held.uid == object.uid() && object.revision() >= held.revision)
        });
        if !is_ours {
            return Applied::Nothing;
        }
        self.stale.remove(object.name());
        match self.objects.remove(object.name()) {
            Some(held) => Applied::Removed { before: held.object, change: Box::new(change) },
            None => Applied::Nothing,
        }
    }

    fn heartbeat(
        &mut self,
        heartbeat: &v1::Heartbeat,
        position: Option<v1::StreamPosition>,
    ) -> Result<Applied, StreamFault> {
        if self.synced && !self.partial {
            let own = state_digest(self.objects.iter().map(|(name, held)| (name.as_str(), held.revision)));
            if heartbeat.state_digest.is_some_and(|digest| digest != own) {
                return Err(StreamFault::DigestDiffers);
            }
        }
        self.advance(position);
        Ok(Applied::Nothing)
    }
}

/// Order-independent digest of names and revisions, as heartbeats carry it.
pub fn state_digest<'a>(objects: impl IntoIterator<Item = (&'a str, u64)>) -> u64 {
    objects.into_iter().fold(0, |digest, (name, revision)| digest ^ fnv1a(name.bytes().chain(revision.to_be_bytes())))
}

fn fnv1a(bytes: impl Iterator<Item = u8>) -> u64 {
    bytes.fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3))
}

#[cfg(test)]
mod tests;
