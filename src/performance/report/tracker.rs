//! Which changes of the log change the availability of a machine or a host.
//!
//! A machine's down time is planned if it is expected to be off, its host is in maintenance, or the change that took it
//! down was ordered through the VRM; a host's if it is in maintenance or locked.

use super::availability::AvailabilityState;
use crate::model::annotation::Expectation;
use crate::model::state::{AdministrativeState, OperationalState};
use crate::model::{Body, Change, ChangeKind, ChangeSource, Name, Object, Timestamp};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// What the availability of an object rests on; stored, so that a restart goes on where it was.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tracked {
    /// Nobody knows its state.
    pub unknown: bool,
    /// It works.
    pub enabled: bool,
    /// It need not work: expected to be off or to be either, locked, or a host in maintenance.
    pub exempt: bool,
    /// It was taken down through the VRM.
    pub ours: bool,
    /// Host of a machine.
    pub host: Option<Name>,
}

/// From a time on an object is in another state; nothing: it is gone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Transition {
    /// The object.
    pub object: Name,
    /// Since when.
    pub time: Timestamp,
    /// The state.
    pub state: Option<AvailabilityState>,
}

/// Follows the log: every machine and host with what its availability rests on.
#[derive(Clone, Debug, Default)]
pub struct AvailabilityTracker {
    tracked: BTreeMap<Name, Tracked>,
}

impl AvailabilityTracker {
    /// Goes on with what was stored.
    pub fn restored(tracked: BTreeMap<Name, Tracked>) -> Self {
        Self { tracked }
    }

    /// What is tracked of an object.
    pub fn get(&self, name: &Name) -> Option<&Tracked> {
        self.tracked.get(name)
    }

    /// Every object with its state.
    pub fn states(&self) -> impl Iterator<Item = (&Name, AvailabilityState)> {
        self.tracked.iter().map(|(name, tracked)| (name, self.state(tracked)))
    }

    /// Takes over what exists, where there is no log to follow; everything that is not there is gone. Answers what
    /// differs from before.
    pub fn reset<'a>(&mut self, objects: impl Iterator<Item = &'a Object>, time: Timestamp) -> Vec<Transition> {
        let before: BTreeMap<Name, AvailabilityState> =
            self.states().map(|(name, state)| (name.clone(), state)).collect();
        let found = objects.filter_map(|object| Some((object.name.clone(), facts(object)?)));
        self.tracked = found.collect();
        let gone = before.keys().filter(|name| !self.tracked.contains_key(*name));
        let mut transitions: Vec<Transition> =
            gone.map(|name| Transition { object: name.clone(), time, state: None }).collect();
        let new = self.states().filter(|(name, state)| before.get(*name) != Some(state));
        transitions.extend(new.map(|(name, state)| Transition { object: name.clone(), time, state: Some(state) }));
        transitions
    }

    /// Takes over a change; answers whose state it changes.
    pub fn apply(&mut self, change: &Change) -> Vec<Transition> {
        let Some(mut new) = facts(&change.object) else { return Vec::new() };
        let name = &change.name;
        let affected: Vec<Name> = self.affected(name, &change.object);
        let before: Vec<Option<AvailabilityState>> = affected.iter().map(|name| self.state_of(name)).collect();
        if change.kind == ChangeKind::Removed {
            self.tracked.remove(name);
        } else {
            new.ours = self.taken_down_by_us(name, &new, change.source);
            self.tracked.insert(name.clone(), new);
        }
        let after: Vec<Option<AvailabilityState>> = affected.iter().map(|name| self.state_of(name)).collect();
        let both = affected.into_iter().zip(before.into_iter().zip(after));
        let changed = both.filter(|(_, (before, after))| before != after);
        changed.map(|(object, (_, state))| Transition { object, time: change.time, state }).collect()
    }

    /// The object itself, and the machines of a host.
    fn affected(&self, name: &Name, object: &Object) -> Vec<Name> {
        let mut affected = vec![name.clone()];
        if let Body::Host(_) = object.body {
            let on_it = self.tracked.iter().filter(|(_, tracked)| tracked.host.as_ref() == Some(name));
            affected.extend(on_it.map(|(name, _)| name.clone()));
        }
        affected
    }

    /// An order of ours explains a down time until it is over, also through times of which nothing is known.
    fn taken_down_by_us(&self, name: &Name, new: &Tracked, source: ChangeSource) -> bool {
        if new.enabled {
            return false;
        }
        let before = self.tracked.get(name);
        let went_down = before.is_some_and(|before| before.enabled);
        before.is_some_and(|before| before.ours) || (went_down && source == ChangeSource::ManagementOperation)
    }

    fn state_of(&self, name: &Name) -> Option<AvailabilityState> {
        self.tracked.get(name).map(|tracked| self.state(tracked))
    }

    fn state(&self, tracked: &Tracked) -> AvailabilityState {
        let host_exempt = || tracked.host.as_ref().and_then(|host| self.tracked.get(host)).is_some_and(|host| host.exempt);
        match () {
            () if tracked.unknown => AvailabilityState::Unknown,
            () if tracked.enabled => AvailabilityState::Up,
            () if tracked.exempt || tracked.ours || host_exempt() => AvailabilityState::DownPlanned,
            () => AvailabilityState::DownUnplanned,
        }
    }
}

/// What matters of an object; nothing if it is neither machine nor host.
fn facts(object: &Object) -> Option<Tracked> {
    let locked = object.state.administrative == Some(AdministrativeState::Locked);
    let expected = object.annotations.expectation.map(|setting| setting.expected);
    let (host, exempt) = match &object.body {
        Body::VirtualMachine(machine) => {
            let need_not_run = matches!(expected, Some(Expectation::Off | Expectation::Any));
            (machine.host.as_ref().map(Name::host), need_not_run)
        }
        Body::Host(_) => (None, object.annotations.maintenance.is_some()),
        _ => return None,
    };
    Some(Tracked {
        unknown: object.state.unknown,
        enabled: object.state.operational == OperationalState::Enabled,
        exempt: exempt || locked,
        ours: false,
        host,
    })
}
