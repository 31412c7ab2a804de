//! What a look at a host shows of its ailments and of its machines' mishaps. Pure.

use super::ailment::{self, Ailment, MOUNTS};
use super::census::Seen;
use super::mishap::{self, Mishap};
use super::world::World;
use crate::model::incident::{Incident, IncidentKind, IncidentSubject};
use crate::model::observation::{Fact, HostStatistics};
use std::collections::BTreeMap;

/// What is left of a memory that is used up.
const LITTLE_MEMORY: u64 = 256 << 20;
/// Every machine's disks are looked at once in so many polls, as on a libvirt host.
const ROUND: i64 = 30;
/// A poll comes every ten seconds.
const POLL_US: i64 = 10_000_000;

impl World {
    /// True if this has happened to the machine, and is not over.
    pub(super) fn befallen(&self, seen: &Seen, what: Mishap) -> bool {
        !seen.who.copy && self.overlay.mishaps.contains(&(seen.who.slot, what))
    }

    /// Errors of a machine's disks, if they are looked at: after trouble, or when it is its turn.
    pub(super) fn disk_errors(&self, seen: &Seen, in_turn: bool) -> Option<Fact> {
        let trouble = self.overlay.machines.get(&seen.who.slot).filter(|_| !seen.who.copy);
        if !seen.moment.run_state.is_active() || (trouble.is_none() && !in_turn) {
            return None;
        }
        let error = trouble.and_then(|trouble| trouble.disk_error());
        let errors = error.map(|error| (self.first_disk(seen.who.slot), error.to_owned()));
        let kind = IncidentKind::DiskErrors(errors.into_iter().collect());
        Some(fact(mishap::incident(self.clock(), self.uuid(seen), "", kind)))
    }

    /// True if it is the machine's turn now.
    pub(super) fn in_turn(&self, slot: u64) -> bool {
        let poll = self.clock().0.div_euclid(POLL_US).rem_euclid(ROUND);
        i64::try_from(slot).is_ok_and(|slot| slot % ROUND == poll)
    }

    /// Verdicts on parts of a host that were ailing; with `all` also on what could have been.
    pub(super) fn host_incidents(&self, host: u64, all: bool) -> Vec<Fact> {
        let mut verdicts: BTreeMap<Ailment, bool> = BTreeMap::new();
        if all {
            verdicts.extend(MOUNTS.map(|mount| (Ailment::MountHung(mount.to_owned()), false)));
        }
        let own = self.overlay.ailments.iter().filter(|((at, _), _)| *at == host);
        verdicts.extend(own.map(|((_, ailment), active)| (ailment.clone(), *active)));
        verdicts.iter().flat_map(|(ailment, active)| ailment.incidents(*active, self.clock())).map(fact).collect()
    }

    /// Bad things counted at a host since the totals in `told`, which are brought up to date.
    pub(super) fn newly_counted(&self, host: u64, told: &mut BTreeMap<String, u64>) -> Vec<Fact> {
        let own = self.overlay.counted.iter().filter(|((at, _), _)| *at == host);
        let risen = own.filter_map(|((_, counter), total)| {
            let before = told.insert(counter.clone(), *total).unwrap_or(0);
            let by = total.checked_sub(before).filter(|by| *by > 0)?;
            let kind = IncidentKind::Counted { counter: counter.clone(), by };
            Some(fact(ailment::incident(self.clock(), IncidentSubject::Host, kind)))
        });
        risen.collect()
    }

    /// Takes from the figures of a host what its ailments use up.
    pub(super) fn strain(&self, host: u64, figures: &mut HostStatistics) {
        if self.overlay.ails(host, Ailment::LowMemory) {
            figures.memory_free_bytes = Some(LITTLE_MEMORY);
        }
        if self.overlay.ails(host, Ailment::NoHugePages) {
            figures.huge_pages.iter_mut().for_each(|pages| pages.free = 0);
        }
        figures.filesystem_available_bytes.retain(|mount, available| {
            if self.overlay.ails(host, Ailment::FullFilesystem(mount.clone())) {
                *available = 0;
            }
            // A filesystem that does not answer gives no figure.
            !self.overlay.ails(host, Ailment::MountHung(mount.clone()))
        });
    }
}

fn fact(incident: Incident) -> Fact {
    Fact::Incident(Box::new(incident))
}
