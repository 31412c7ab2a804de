//! Judges what subscribers saw against the stream rules; knows nothing of how they saw it.
//!
//! The guarantees by name: *ordered* (message numbers contiguous, positions never go back, no older state after a
//! newer one), *unique* (a transition is told once to a client), *committed* (what was told is in the journal),
//! *resumable* (no transition is missing, over any number of disconnections), *reliable* (a client's copy equals the
//! inventory at the same position).

use super::common::{Exact, Held};
use std::collections::{BTreeMap, HashMap, HashSet};

/// What one subscriber asked for.
#[derive(Clone, Debug)]
pub struct Wanted {
    /// Its name in messages.
    pub client: String,
    /// TRANSITIONS, not STATE.
    pub transitions: bool,
    /// Its filter; empty for everything.
    pub filter: String,
    /// Alarms, not managed resources: both have their places in one log.
    pub alarms: bool,
}

/// One thing a subscriber saw, in order.
#[derive(Clone, Debug)]
pub enum Entry {
    /// It opened a stream, after a position or from the beginning.
    Opened { resume_after: Option<u64> },
    /// A message came.
    Message { number: u64, epoch: String, position: u64, said: Said },
    /// The stream ended, by whomever.
    Ended,
}

/// What a message said.
#[derive(Clone, Debug)]
pub enum Said {
    Started { snapshot_follows: bool },
    Snapshot { name: String, held: Held },
    Changed { name: String, held: Held },
    Removed { name: String, held: Held },
    Synchronized,
    Heartbeat { objects: u64, digest: Option<u64> },
    Lagged,
    Closing,
    Status,
}

/// A broken guarantee.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Broken {
    /// Which.
    pub guarantee: &'static str,
    /// Where and how.
    pub what: String,
}

fn broken<T>(guarantee: &'static str, what: String) -> Result<T, Broken> {
    Err(Broken { guarantee, what })
}

/// A transition as the journal holds it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// Whose.
    pub name: String,
    /// Which revision it made.
    pub revision: u64,
    /// The object's end.
    pub removed: bool,
}

/// Transitions by sequence.
pub type Journal = BTreeMap<u64, Row>;

/// Judges one subscriber's whole life. `snapshots` were taken at exact positions while it lived, under its filter.
pub fn check(wanted: &Wanted, seen: &[Entry], snapshots: &[Exact], journal: &Journal) -> Result<(), Broken> {
    let mut life = Life::new(wanted, journal);
    let mut due = snapshots.iter().peekable();
    for entry in seen {
        // The copy as it is before a message passes the position of the next comparison, or when it stands there.
        let wanted = due.peek().map(|exact| exact.sequence);
        if let (Entry::Message { position, .. }, Some(wanted)) = (entry, wanted)
            && *position > wanted
        {
            life.remember();
        }
        life.take(entry)?;
        if wanted == Some(life.position) {
            life.remember();
        }
        while let Some(exact) = due.next_if(|exact| life.is_past(exact.sequence)) {
            life.compare(exact)?;
        }
    }
    match due.next() {
        None => Ok(()),
        Some(exact) => broken(
            "reliable",
            format!("{}: never came to position {}, only to {}", wanted.client, exact.sequence, life.position),
        ),
    }
}

/// A subscriber's copy at a moment, and what it was told to get there.
struct Life<'a> {
    wanted: &'a Wanted,
    journal: &'a Journal,
    copy: BTreeMap<String, Held>,
    /// The copy at the last position before that of the next comparison, or there.
    past: Option<(u64, BTreeMap<String, Held>)>,
    epoch: Option<String>,
    position: u64,
    number: u64,
    open: bool,
    synchronized: bool,
    /// The last message said that everything up to its position has been told, not only what last changed before it.
    complete: bool,
    /// Names sent in the running snapshot; what is not among them is dropped at its end.
    fresh: Option<HashSet<String>>,
    newest: HashMap<(String, String), u64>,
    told: HashSet<(String, u64)>,
    /// Last change told of each name, in whatever way.
    latest: HashMap<String, u64>,
    last_transition: Option<u64>,
}

impl<'a> Life<'a> {
    fn new(wanted: &'a Wanted, journal: &'a Journal) -> Self {
        Self {
            wanted,
            journal,
            copy: BTreeMap::new(),
            past: None,
            epoch: None,
            position: 0,
            number: 0,
            open: false,
            synchronized: false,
            complete: false,
            fresh: None,
            newest: HashMap::new(),
            told: HashSet::new(),
            latest: HashMap::new(),
            last_transition: None,
        }
    }

    fn fail<T>(&self, guarantee: &'static str, what: &str) -> Result<T, Broken> {
        broken(guarantee, format!("{} after position {}: {what}", self.wanted.client, self.position))
    }

    fn take(&mut self, entry: &Entry) -> Result<(), Broken> {
        match entry {
            Entry::Opened { resume_after } => {
                self.open = true;
                self.number = 0;
                self.newest.clear();
                if resume_after.is_none() {
                    self.position = 0;
                    self.last_transition = None;
                    self.told.clear();
                    self.latest.clear();
                }
                Ok(())
            }
            Entry::Ended => {
                self.open = false;
                Ok(())
            }
            Entry::Message { number, epoch, position, said } => {
                self.envelope(*number, epoch, *position)?;
                self.message(*position, said)?;
                self.position = *position;
                self.complete = matches!(said, Said::Synchronized | Said::Heartbeat { .. });
                Ok(())
            }
        }
    }

    /// Keeps the copy, if it is whole and not kept for a later position already.
    fn remember(&mut self) {
        let newer = self.past.as_ref().is_none_or(|(position, _)| *position <= self.position);
        if self.synchronized && self.fresh.is_none() && newer {
            self.past = Some((self.position, self.copy.clone()));
        }
    }

    fn envelope(&mut self, number: u64, epoch: &str, position: u64) -> Result<(), Broken> {
        if !self.open {
            return self.fail("ordered", "a message on no stream");
        }
        if number != self.number + 1 {
            return self.fail("ordered", &format!("message {number} follows {}", self.number));
        }
        self.number = number;
        if self.epoch.as_deref().is_some_and(|known| known != epoch) {
            return self.fail("resumable", &format!("another epoch: {epoch}"));
        }
        self.epoch = Some(epoch.to_owned());
        if position < self.position {
            return self.fail("ordered", &format!("the position went back to {position}"));
        }
        Ok(())
    }

    fn message(&mut self, position: u64, said: &Said) -> Result<(), Broken> {
        if (self.number == 1) != matches!(said, Said::Started { .. }) {
            return self.fail("ordered", &format!("message {}: {said:?}", self.number));
        }
        match said {
            Said::Started { snapshot_follows } => {
                if *snapshot_follows {
                    self.fresh = Some(HashSet::new());
                    self.synchronized = false;
                }
            }
            Said::Lagged => return self.fail("resumable", "lagged, though everything is kept"),
            Said::Synchronized => {
                if let Some(fresh) = self.fresh.take() {
                    self.copy.retain(|name, _| fresh.contains(name));
                }
                self.synchronized = true;
                self.last_transition.get_or_insert(position);
            }
            Said::Snapshot { name, held } | Said::Changed { name, held } => {
                self.change(position, name, held, matches!(said, Said::Snapshot { .. }))?;
                if let Some(fresh) = &mut self.fresh {
                    fresh.insert(name.clone());
                }
                self.copy.insert(name.clone(), held.clone());
            }
            Said::Removed { name, held } => {
                self.change(position, name, held, false)?;
                self.copy.remove(name);
            }
            Said::Heartbeat { objects, digest } => self.heartbeat(*objects, *digest)?,
            Said::Closing | Said::Status => {}
        }
        Ok(())
    }

    fn change(&mut self, position: u64, name: &str, held: &Held, snapshot: bool) -> Result<(), Broken> {
        let newest = self.newest.entry((name.to_owned(), held.uid.clone())).or_default();
        if *newest > held.revision {
            let newest = *newest;
            return self.fail("ordered", &format!("{name} at revision {} after {newest}", held.revision));
        }
        *newest = held.revision;
        match self.journal.get(&held.sequence) {
            Some(row) if row.name == name && row.revision == held.revision => {}
            other => {
                let what =
                    format!("{name} at revision {}, sequence {}; journal: {other:?}", held.revision, held.sequence);
                return self.fail("committed", &what);
            }
        }
        if self.wanted.transitions && !snapshot && self.synchronized {
            self.transition(position, name, held)?;
        }
        self.latest.insert(name.to_owned(), held.sequence);
        Ok(())
    }

    fn transition(&mut self, position: u64, name: &str, held: &Held) -> Result<(), Broken> {
        if position != held.sequence {
            return self.fail("ordered", &format!("{name}: position {position}, last change {}", held.sequence));
        }
        if !self.told.insert((held.uid.clone(), held.revision)) {
            return self.fail("unique", &format!("{name} at revision {} once more", held.revision));
        }
        // Without a filter every sequence is somebody's, so that every gap shows.
        if self.wanted.filter.is_empty() {
            let before = self.last_transition.unwrap_or(self.position);
            if held.sequence <= before {
                return self.fail("ordered", &format!("{name}: sequence {} follows {before}", held.sequence));
            }
            if let Some(missing) = (before + 1..held.sequence).find(|missing| !self.needs_no_word(*missing)) {
                let what = format!("sequence {missing} is missing: {:?}", self.journal.get(&missing));
                return self.fail("resumable", &what);
            }
        }
        self.last_transition = Some(held.sequence);
        Ok(())
    }

    /// A transition need not be told if the snapshot already showed what came of it, if it is the end of something the
    /// client was never told of, or if it is one of others.
    fn needs_no_word(&self, sequence: u64) -> bool {
        self.journal.get(&sequence).is_some_and(|row| {
            let shown = self.latest.get(&row.name).is_some_and(|latest| *latest >= sequence);
            self.is_of_others(row) || shown || (row.removed && !self.copy.contains_key(&row.name))
        })
    }

    /// A transition that this stream does not tell: streams of resources tell no alarm, and the reverse.
    fn is_of_others(&self, row: &Row) -> bool {
        if self.wanted.alarms { !row.name.starts_with("alarms/") } else { row.name.starts_with("alarm") }
    }

    fn heartbeat(&self, objects: u64, digest: Option<u64>) -> Result<(), Broken> {
        let own = self.copy.iter().fold(0, |sum, (name, held)| sum ^ digest_of(name, held.revision));
        match digest {
            Some(digest) if digest != own || objects != self.copy.len() as u64 => {
                let what = format!("digest {digest:x} over {objects}, the copy has {own:x} over {}", self.copy.len());
                self.fail("reliable", &what)
            }
            _ => Ok(()),
        }
    }

    /// Everything up to there has been sent. Between two states of one round that is said of objects by their last
    /// change, which may lie behind the position: only at the end of a round a copy is as good as an inventory.
    fn is_past(&self, sequence: u64) -> bool {
        let whole = self.wanted.transitions || self.complete;
        whole && self.synchronized && self.fresh.is_none() && self.position >= sequence
    }

    /// Compares the copy with the inventory at a position that is behind us.
    fn compare(&self, exact: &Exact) -> Result<(), Broken> {
        if self.epoch.as_deref() != Some(&exact.epoch) {
            return self.fail("reliable", "the inventory is of another epoch");
        }
        match &self.past {
            Some((position, copy)) if self.wanted.transitions && *position <= exact.sequence => self.same(copy, exact),
            _ => self.not_older(exact),
        }
    }

    fn same(&self, copy: &BTreeMap<String, Held>, exact: &Exact) -> Result<(), Broken> {
        for name in copy.keys().chain(exact.objects.keys()) {
            let (own, real) = (copy.get(name), exact.objects.get(name));
            // A snapshot may have shown it, or its end, ahead of the position.
            let ahead = self.latest.get(name).is_some_and(|latest| *latest > exact.sequence);
            if own != real && !ahead {
                let what = format!("at {}: {name} is {real:?}, the copy has {own:?}", exact.sequence);
                return self.fail("reliable", &what);
            }
        }
        Ok(())
    }

    /// A copy that may be ahead must not be behind.
    fn not_older(&self, exact: &Exact) -> Result<(), Broken> {
        for (name, real) in &exact.objects {
            let own = self.copy.get(name);
            // Its removal may have been told ahead of the position, like any other state.
            let told = own.map_or_else(|| self.latest.get(name).copied(), |own| Some(own.sequence));
            if told.is_none_or(|told| told < real.sequence) {
                let what = format!("at {}: {name} is {real:?}, the copy has {own:?}", exact.sequence);
                return self.fail("reliable", &what);
            }
        }
        for (name, own) in &self.copy {
            if own.sequence <= exact.sequence && exact.objects.get(name) != Some(own) {
                return self.fail("reliable", &format!("at {}: the copy still has {name}", exact.sequence));
            }
        }
        Ok(())
    }
}

/// FNV-1a-64 as the proto comment of Heartbeat says it.
fn digest_of(name: &str, revision: u64) -> u64 {
    let bytes = name.bytes().chain(revision.to_be_bytes());
    bytes.fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}

mod tests;
