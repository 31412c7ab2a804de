//! What faults have done to the world so far, and how that changes what a machine would do by itself. Pure.

use super::ailment::Ailment;
use super::mishap::{Mishap, io_error};
use super::timeline::{Moment, weighted};
use crate::model::incident::IncidentKind;
use crate::model::virtual_machine::{RunState, RunStateReason};
use std::collections::{BTreeMap, BTreeSet};

/// What is wrong with the way to a host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HostTrouble {
    /// No connection.
    Dropped,
    /// Calls do not return.
    Hung,
    /// Calls take so many milliseconds longer.
    Slow(u64),
    /// Our credential is refused.
    Refused,
    /// The machine answers, its hypervisor service does not.
    ServiceLost,
}

impl HostTrouble {
    /// The trouble in words.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Dropped => "dropped",
            Self::Hung => "hung",
            Self::Slow(_) => "slow",
            Self::Refused => "refused",
            Self::ServiceLost => "service-lost",
        }
    }
}

/// What is or was wrong with a machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MachineTrouble {
    /// Its process does not answer; it is as it was at this moment.
    Hung(Moment),
    /// Its process died at this moment.
    Crashed(Moment),
    /// Its guest panicked at this moment.
    Panicked(Moment),
    /// A disk failed at this moment.
    IoError(Moment),
    /// Something else holds it as it is since this moment; see [`Mishap::state`].
    Held(Mishap, Moment),
    /// It works again. As long as it is in this incarnation, its figures lack what it did not do.
    Recovered {
        /// The incarnation that its timeline was in at the end of the trouble.
        incarnation: Option<u64>,
        /// Activity that it has missed, in simulated microseconds.
        missed_us: i64,
        /// What is added to the number of the incarnation, because it was started anew.
        restarts: u64,
    },
}

/// Numbers of incarnations by faults lie above those by timelines.
const RESTART: u64 = 1 << 48;
/// Numbers of incarnations by storms and of copies.
pub const EXTRA: u64 = 1 << 56;

impl MachineTrouble {
    /// The trouble in words; nothing once it is over.
    pub fn as_str(&self) -> Option<&'static str> {
        match self {
            Self::Hung(_) => Some("hung"),
            Self::Crashed(_) => Some("crashed"),
            Self::Panicked(_) => Some("panicked"),
            Self::IoError(_) => Some("io-error"),
            Self::Held(what, _) => Some(what.kind()),
            Self::Recovered { .. } => None,
        }
    }

    /// The machine as it is instead of as its timeline says.
    pub fn applied(&self, base: Moment) -> Moment {
        let gone =
            |frozen: Moment, run_state, reason| Moment { run_state, reason, incarnation: None, active_us: 0, ..frozen };
        match *self {
            Self::Hung(frozen) => frozen,
            Self::Crashed(frozen) => gone(frozen, RunState::Off, RunStateReason::Crashed),
            Self::Panicked(frozen) => gone(frozen, RunState::Crashed, RunStateReason::Panicked),
            Self::IoError(frozen) => Moment { run_state: RunState::Paused, reason: RunStateReason::IoError, ..frozen },
            Self::Held(what, frozen) => match what.state() {
                Some((run_state, reason)) if run_state.is_active() => Moment { run_state, reason, ..frozen },
                Some((run_state, reason)) => gone(frozen, run_state, reason),
                None => base,
            },
            Self::Recovered { incarnation, missed_us, restarts } if incarnation == base.incarnation => Moment {
                incarnation: incarnation.map(|number| number.saturating_add(restarts.saturating_mul(RESTART))),
                active_us: (base.active_us - missed_us).max(0),
                ..base
            },
            Self::Recovered { .. } => base,
        }
    }

    /// The machine's process has ended.
    fn is_gone(&self) -> bool {
        match self {
            Self::Crashed(_) | Self::Panicked(_) => true,
            Self::Held(what, _) => what.state().is_some_and(|(run_state, _)| !run_state.is_active()),
            Self::Hung(_) | Self::IoError(_) | Self::Recovered { .. } => false,
        }
    }

    /// What is told when it begins, beyond the machine's state.
    pub fn begins(&self) -> Option<IncidentKind> {
        match self {
            Self::Panicked(_) => Some(IncidentKind::GuestPanicked),
            Self::IoError(_) => Some(io_error("pause", "")),
            Self::Held(what, _) => what.begins(),
            Self::Hung(_) | Self::Crashed(_) | Self::Recovered { .. } => None,
        }
    }

    /// What is told when it is over, beyond the machine's state.
    pub fn ends(&self) -> Option<IncidentKind> {
        match self {
            Self::IoError(_) => Some(IncidentKind::DiskErrors(BTreeMap::new())),
            Self::Held(what, _) => what.ends(),
            _ => None,
        }
    }

    /// What a look at the machine's disks says; nothing if they are not looked at.
    pub fn disk_error(&self) -> Option<&'static str> {
        match self {
            Self::IoError(_) => Some("unspecified"),
            Self::Held(Mishap::Enospc, _) => Some("no_space"),
            _ => None,
        }
    }

    /// The trouble's end, when the machine's timeline is at `base`.
    pub fn ended(&self, base: Moment) -> Self {
        match *self {
            Self::Hung(frozen) | Self::IoError(frozen) | Self::Held(_, frozen)
                if !self.is_gone() && frozen.incarnation == base.incarnation =>
            {
                Self::Recovered {
                    incarnation: base.incarnation,
                    missed_us: base.active_us - frozen.active_us,
                    restarts: 0,
                }
            }
            Self::Crashed(frozen) | Self::Panicked(frozen) | Self::Held(_, frozen) if self.is_gone() => {
                let before = frozen.incarnation.unwrap_or(0) / RESTART;
                Self::Recovered { incarnation: base.incarnation, missed_us: base.active_us, restarts: before + 1 }
            }
            _ => Self::Recovered { incarnation: None, missed_us: 0, restarts: 0 },
        }
    }
}

/// A burst of state changes over all machines in turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Storm {
    /// Simulated time at which it begins.
    pub start: i64,
    /// Changes per second.
    pub rate: u32,
    /// Seconds.
    pub seconds: u32,
    /// Changes told so far.
    pub told: i64,
}

impl Storm {
    /// Simulated time at which everything is as before again.
    pub fn end(self) -> i64 {
        self.start + i64::from(self.seconds) * 1_000_000 + 1
    }

    /// When the change of a number from 0 happens.
    fn change_at(self, number: i64) -> i64 {
        let rate = i64::from(self.rate.max(1));
        self.start + ((number + 1) * 1_000_000 + rate - 1) / rate
    }

    /// Changes made until a time.
    fn made(self, time: i64) -> i64 {
        let passed = (time - self.start).clamp(0, i64::from(self.seconds) * 1_000_000);
        passed * i64::from(self.rate) / 1_000_000
    }

    /// When the next change not yet told happens; nothing if all are told.
    pub fn next(self) -> Option<i64> {
        (self.told < i64::from(self.rate) * i64::from(self.seconds)).then(|| self.change_at(self.told))
    }

    /// The storm after everything until a time has been told or left out.
    pub fn told_until(self, time: i64) -> Self {
        Self { told: self.told.max(self.made(time)), ..self }
    }

    /// The machine as the storm has it, if it takes turns with `vms` machines.
    pub fn applied(self, slot: u64, vms: u64, time: i64, base: Moment) -> Moment {
        let (Ok(slot), Ok(vms)) = (i64::try_from(slot), i64::try_from(vms.max(1))) else { return base };
        let changes = (self.made(time) - slot + vms - 1).div_euclid(vms).max(0);
        if changes % 2 == 0 {
            return base;
        }
        let (run_state, reason) = match base.run_state {
            RunState::Running => (RunState::Paused, RunStateReason::User),
            RunState::Paused => (RunState::Running, RunStateReason::Unpaused),
            _ => (RunState::Running, RunStateReason::Booted),
        };
        if base.incarnation.is_some() {
            return Moment { run_state, reason, ..base };
        }
        let since = self.change_at((changes - 1) * vms + slot);
        let number = u64::try_from(changes).unwrap_or(0) * 100_000 + u64::try_from(slot).unwrap_or(0);
        Moment { run_state, reason, incarnation: Some(EXTRA + number), active_us: weighted(since, time), ..base }
    }
}

/// Everything faults have done.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Overlay {
    /// Troubled hosts.
    pub hosts: BTreeMap<u64, HostTrouble>,
    /// Machines with trouble, now or before.
    pub machines: BTreeMap<u64, MachineTrouble>,
    /// What has happened to machines that go on: (slot, what).
    pub mishaps: BTreeSet<(u64, Mishap)>,
    /// What is wrong with parts of hosts, and `false` what was: (host, what).
    pub ailments: BTreeMap<(u64, Ailment), bool>,
    /// How often bad things were counted: (host, counter).
    pub counted: BTreeMap<(u64, String), u64>,
    /// Copies of machines: (host, slot) and when they began.
    pub copies: BTreeMap<(u64, u64), i64>,
    /// Pools without space: (host, pool).
    pub full_pools: BTreeSet<(u64, String)>,
    /// Stopped pools: (host, pool).
    pub stopped_pools: BTreeSet<(u64, String)>,
    /// Stopped networks: (host, network).
    pub stopped_networks: BTreeSet<(u64, String)>,
    /// The storm that blows.
    pub storm: Option<Storm>,
}

impl Overlay {
    /// True if the machine does not follow its timeline now.
    pub fn holds(&self, slot: u64) -> bool {
        self.machines.get(&slot).is_some_and(|trouble| trouble.as_str().is_some())
    }

    /// True if the machine's process does not answer.
    pub fn hangs(&self, slot: u64) -> bool {
        matches!(self.machines.get(&slot), Some(MachineTrouble::Hung(_)))
    }

    /// True if this is wrong with the host now.
    pub fn ails(&self, host: u64, ailment: Ailment) -> bool {
        self.ailments.get(&(host, ailment)).copied().unwrap_or(false)
    }

    /// The machine as it is, given what its timeline says.
    pub fn applied(&self, slot: u64, vms: u64, time: i64, base: Moment) -> Moment {
        let moment = self.machines.get(&slot).map_or(base, |trouble| trouble.applied(base));
        match self.storm {
            Some(storm) if !self.holds(slot) => storm.applied(slot, vms, time, moment),
            _ => moment,
        }
    }
}
