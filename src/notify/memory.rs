//! What a sink remembers over a restart: how far it has delivered and what its receiver believes in.

use super::record_file::RecordFile;
use crate::changes::Position;
use crate::export::Identity;
use crate::model::{Name, Timestamp};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::io;
use std::path::Path;

/// Alarms remembered per sink: 20,000, about 8 MB, and some 30 MB for the moment in which all of them
/// are ended after a gap. What is told beyond that is told and ended as
/// any other, but not re-sent and not reconciled after a gap.
pub(super) const REMEMBERED: usize = 20_000;

/// Lines beyond three times the remembered ones that make the file be rewritten.
const SLACK: usize = 2_000;

/// One line of the file.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Line {
    /// Delivered up to here.
    At { epoch: String, sequence: u64 },
    /// The receiver believes in this alarm.
    Told { name: Name, identity: Box<Identity> },
    /// It no longer does.
    Ended { name: Name },
    /// Seen, and told when the sink's delay is over.
    Waiting { name: Name, due: Timestamp },
}

/// The memory; changes are in memory at once and on the disk after [`SinkMemory::commit`].
#[derive(Debug)]
pub(super) struct SinkMemory {
    file: RecordFile,
    position: Option<Position>,
    told: BTreeMap<Name, Identity>,
    waiting: BTreeMap<Name, Timestamp>,
    unwritten: Vec<Line>,
}

impl SinkMemory {
    /// Reads the file, tolerating a torn end, and writes it anew. Blocks on the disk.
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        let mut position = None;
        let mut told = BTreeMap::new();
        let mut waiting = BTreeMap::new();
        for line in RecordFile::read(path)? {
            // A line that is no record comes from a disk that lost it or another version: the
            // position before it stands, so that at worst something is told again.
            match serde_json::from_str(&line) {
                Ok(Line::At { epoch, sequence }) => position = Some(Position { epoch, sequence }),
                Ok(Line::Told { name, identity }) => {
                    waiting.remove(&name);
                    told.insert(name, *identity);
                }
                Ok(Line::Ended { name }) => {
                    waiting.remove(&name);
                    told.remove(&name);
                }
                Ok(Line::Waiting { name, due }) => drop(waiting.insert(name, due)),
                Err(_) => break,
            }
        }
        let file = RecordFile::rewrite(path, &image(position.as_ref(), &told, &waiting))?;
        Ok(Self { file, position, told, waiting, unwritten: Vec::new() })
    }

    /// Where to go on; nothing before the first delivery.
    pub(super) fn position(&self) -> Option<&Position> {
        self.position.as_ref()
    }

    /// What the receiver believes in.
    pub(super) fn told(&self) -> &BTreeMap<Name, Identity> {
        &self.told
    }

    /// Alarms that are not told yet, and when they are to be.
    pub(super) fn waiting(&self) -> &BTreeMap<Name, Timestamp> {
        &self.waiting
    }

    /// True if no further alarm can be remembered.
    pub(super) fn is_full(&self) -> bool {
        self.told.len() + self.waiting.len() >= REMEMBERED
    }

    /// The receiver believes in this alarm (after the batch is delivered).
    pub(super) fn tell(&mut self, name: &Name, identity: Identity) {
        self.waiting.remove(name);
        if !self.told.contains_key(name) && self.is_full() || self.told.get(name) == Some(&identity) {
            return;
        }
        self.told.insert(name.clone(), identity.clone());
        self.unwritten.push(Line::Told { name: name.clone(), identity: Box::new(identity) });
    }

    /// The receiver no longer believes in it, or it is no longer waiting.
    pub(super) fn end(&mut self, name: &Name) {
        let waited = self.waiting.remove(name).is_some();
        if self.told.remove(name).is_some() || waited {
            self.unwritten.push(Line::Ended { name: name.clone() });
        }
    }

    /// It is to be told later, at the time said first.
    pub(super) fn wait(&mut self, name: &Name, due: Timestamp) {
        if !self.waiting.contains_key(name) {
            self.waiting.insert(name.clone(), due);
            self.unwritten.push(Line::Waiting { name: name.clone(), due });
        }
    }

    /// Moves the position; never backwards within an epoch.
    pub(super) fn advance(&mut self, epoch: &str, sequence: u64) {
        let behind = self.position.as_ref().is_some_and(|at| at.epoch == epoch && at.sequence >= sequence);
        if !behind {
            self.position = Some(Position { epoch: epoch.to_owned(), sequence });
            self.unwritten.push(Line::At { epoch: epoch.to_owned(), sequence });
        }
    }

    /// Writes what changed; it is on the disk when this returns. Blocks on the disk. After an error
    /// the changes are kept and written with the next commit.
    pub(super) fn commit(&mut self) -> io::Result<()> {
        if self.unwritten.is_empty() {
            return Ok(());
        }
        let live = self.told.len() + self.waiting.len() + 1;
        let grown = self.file.lines() + self.unwritten.len() > 3 * live + SLACK;
        let written = if grown {
            RecordFile::rewrite(self.file.path(), &self.image()).map(|file| self.file = file)
        } else {
            // The position comes last, so that it never stands without what was told before it.
            let last = self.unwritten.iter().rposition(|line| matches!(line, Line::At { .. }));
            let lines: Vec<String> = self
                .unwritten
                .iter()
                .enumerate()
                .filter(|(at, line)| !matches!(line, Line::At { .. }) || Some(*at) == last)
                .map(|(_, line)| encode(line))
                .collect();
            self.file.append(&lines)
        };
        if let Err(error) = written {
            // A half-written line would swallow the next one: start over with a whole file.
            self.file = RecordFile::rewrite(self.file.path(), &self.image()).map_err(|_| error)?;
        }
        self.unwritten.clear();
        Ok(())
    }

    fn image(&self) -> Vec<String> {
        image(self.position.as_ref(), &self.told, &self.waiting)
    }
}

fn image(
    position: Option<&Position>,
    told: &BTreeMap<Name, Identity>,
    waiting: &BTreeMap<Name, Timestamp>,
) -> Vec<String> {
    let told = told
        .iter()
        .map(|(name, identity)| encode(&Line::Told { name: name.clone(), identity: Box::new(identity.clone()) }));
    let waiting = waiting.iter().map(|(name, due)| encode(&Line::Waiting { name: name.clone(), due: *due }));
    let at = position.map(|at| encode(&Line::At { epoch: at.epoch.clone(), sequence: at.sequence }));
    told.chain(waiting).chain(at).collect()
}

fn encode(line: &Line) -> String {
    serde_json::to_string(line).expect("a record of text and numbers is always JSON")
}
