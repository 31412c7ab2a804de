//! How faults strike the world: who and what they mean, and what follows at once. Pure.

use super::fault::{Fault, FaultError, MAX_STORM_RATE};
use super::machine::{NETWORKS, disks};
use super::mishap::{self, Mishap};
use super::overlay::{HostTrouble, MachineTrouble, Storm};
use super::storage::POOLS;
use super::timeline::Moment;
use super::world::{World, WorldEvent};
use crate::hypervisor::port::EventSubject;
use crate::model::incident::IncidentKind;
use crate::model::observation::GoneCause;
use uuid::Uuid;

impl World {
    /// Injects a fault now and tells what follows at once.
    ///
    /// # Errors
    /// [`FaultError`] naming the field: an unknown host, machine, pool or network, or a machine in the wrong state.
    pub fn inject(&mut self, fault: &Fault) -> Result<Vec<WorldEvent>, FaultError> {
        let mut events = Vec::new();
        self.strike(fault, &mut events)?;
        Ok(events)
    }

    /// Checks what can be known of a fault beforehand: that its host, pool and network exist.
    ///
    /// # Errors
    /// [`FaultError`] naming the field.
    pub fn check(&self, fault: &Fault) -> Result<(), FaultError> {
        match fault {
            Fault::DropHost { host }
            | Fault::HangHost { host }
            | Fault::SlowHost { host, .. }
            | Fault::RefuseHost { host }
            | Fault::LoseService { host }
            | Fault::EventGap { host }
            | Fault::DuplicateUuid { host, .. } => self.host_index(host).map(drop),
            Fault::FillPool { host, pool }
            | Fault::StopPool { host, pool }
            | Fault::LosePool { host, pool }
            | Fault::DegradePool { host, pool } => self.pool_place(host, pool).map(drop),
            Fault::StopNetwork { host, network } => self.network_place(host, network).map(drop),
            Fault::Storm { changes_per_second, seconds } => check_storm(*changes_per_second, *seconds),
            Fault::Restore { host: Some(host), .. } | Fault::Count { host, .. } => self.host_index(host).map(drop),
            other => match self.ailment_of(other)? {
                Some((host, _)) => self.host_index(host).map(drop),
                None => Ok(()),
            },
        }
    }

    pub(super) fn strike(&mut self, fault: &Fault, events: &mut Vec<WorldEvent>) -> Result<(), FaultError> {
        match fault {
            Fault::DropHost { host } => self.trouble_host(host, HostTrouble::Dropped, events),
            Fault::HangHost { host } => self.trouble_host(host, HostTrouble::Hung, events),
            Fault::SlowHost { host, delay_ms } => self.trouble_host(host, HostTrouble::Slow(*delay_ms), events),
            Fault::RefuseHost { host } => self.trouble_host(host, HostTrouble::Refused, events),
            Fault::LoseService { host } => self.trouble_host(host, HostTrouble::ServiceLost, events),
            Fault::HangMachine { vm } => self.trouble_machine(vm, MachineTrouble::Hung, events),
            Fault::CrashMachine { vm } => self.trouble_machine(vm, MachineTrouble::Crashed, events),
            Fault::PanicMachine { vm } => self.trouble_machine(vm, MachineTrouble::Panicked, events),
            Fault::IoError { vm } => self.trouble_machine(vm, MachineTrouble::IoError, events),
            Fault::Mishap { vm, what } => self.befall(vm, *what, events),
            Fault::DuplicateUuid { vm, host } => self.duplicate(vm, host, events),
            Fault::FillPool { host, pool } => self.fill_pool(host, pool, events),
            Fault::StopPool { host, pool } => self.stop_pool(host, pool, events),
            Fault::StopNetwork { host, network } => self.stop_network(host, network, events),
            Fault::EventGap { host } => {
                let host = self.host_index(host)?;
                events.push(self.event(host, self.now, EventSubject::Gap));
                Ok(())
            }
            Fault::Storm { changes_per_second, seconds } => self.storm(*changes_per_second, *seconds),
            Fault::Restore { host, vm } => self.restore(host.as_deref(), vm.as_deref(), events),
            Fault::Count { host, counter, by } => self.count(host, counter, *by),
            other => match self.ailment_of(other)? {
                Some((host, ailment)) => self.ail(host, ailment, events),
                None => Ok(()),
            },
        }
    }

    fn trouble_host(
        &mut self,
        host: &str,
        trouble: HostTrouble,
        events: &mut Vec<WorldEvent>,
    ) -> Result<(), FaultError> {
        let index = self.host_index(host)?;
        self.overlay.hosts.insert(index, trouble);
        let text = match trouble {
            HostTrouble::Hung | HostTrouble::Slow(_) => return Ok(()),
            HostTrouble::Dropped => "connection reset by peer",
            HostTrouble::Refused => "closed by the host: credential no longer accepted",
            HostTrouble::ServiceLost => "hypervisor service closed the connection",
        };
        events.push(self.event(index, self.now, EventSubject::Closed(text.to_owned())));
        Ok(())
    }

    fn trouble_machine(
        &mut self,
        vm: &str,
        trouble: impl FnOnce(Moment) -> MachineTrouble,
        events: &mut Vec<WorldEvent>,
    ) -> Result<(), FaultError> {
        let slot = self.slot_of(vm)?;
        let before = self.moment(slot);
        if self.overlay.holds(slot) {
            return Err(FaultError::new("vm", "has a fault already: restore it first"));
        }
        if !before.run_state.is_active() {
            return Err(FaultError::new("vm", "does not run"));
        }
        let trouble = trouble(before);
        self.overlay.machines.insert(slot, trouble);
        self.tell_incident(slot, trouble.begins(), events);
        self.tell(slot, before, self.moment(slot), events);
        Ok(())
    }

    fn befall(&mut self, vm: &str, what: Mishap, events: &mut Vec<WorldEvent>) -> Result<(), FaultError> {
        let slot = self.slot_of(vm)?;
        if what.needs_disk() && self.first_disk(slot).is_empty() {
            return Err(FaultError::new("vm", "has no disk"));
        }
        if what.state().is_some() {
            return self.trouble_machine(vm, |moment| MachineTrouble::Held(what, moment), events);
        }
        if !self.moment(slot).run_state.is_active() {
            return Err(FaultError::new("vm", "does not run"));
        }
        self.overlay.mishaps.insert((slot, what));
        self.tell_incident(slot, what.begins(), events);
        Ok(())
    }

    /// Tells that something happened to a machine that reading it would not show.
    fn tell_incident(&self, slot: u64, kind: Option<IncidentKind>, events: &mut Vec<WorldEvent>) {
        let Some(kind) = kind else { return };
        let (uuid, text) = (self.who(slot).uuid(self.dice), format!("{kind:?}"));
        let incident = Some(Box::new(mishap::incident(self.clock(), uuid, &self.first_disk(slot), kind)));
        let subject = EventSubject::Machine { uuid, leaving: None, incident, text };
        events.push(self.event(self.moment(slot).host, self.now, subject));
    }

    /// Target of a machine's first disk; empty if it has none.
    pub(super) fn first_disk(&self, slot: u64) -> String {
        let disks = disks(self.who(slot), self.dice, self.timeline.is_mobile(slot));
        disks.into_iter().next().map(|disk| disk.target).unwrap_or_default()
    }

    fn duplicate(&mut self, vm: &str, host: &str, events: &mut Vec<WorldEvent>) -> Result<(), FaultError> {
        let (slot, host) = (self.slot_of(vm)?, self.host_index(host)?);
        if self.moment(slot).host == host {
            return Err(FaultError::new("host", "has this machine itself: name another host"));
        }
        self.overlay.copies.insert((host, slot), self.now);
        events.push(self.copy_event(host, slot, None, "lifecycle started/booted"));
        Ok(())
    }

    fn copy_event(&self, host: u64, slot: u64, leaving: Option<GoneCause>, text: &str) -> WorldEvent {
        let uuid: Uuid = self.who(slot).uuid(self.dice);
        self.event(host, self.now, EventSubject::Machine { uuid, leaving, incident: None, text: text.to_owned() })
    }

    fn fill_pool(&mut self, host: &str, pool: &str, events: &mut Vec<WorldEvent>) -> Result<(), FaultError> {
        let host = self.pool_place(host, pool)?;
        let shared = matches!(pool, "nfs" | "ceph");
        let group = if shared { self.group_of(host) } else { host..host + 1 };
        for host in group {
            self.overlay.full_pools.insert((host, pool.to_owned()));
            events.push(self.event(host, self.now, EventSubject::StoragePool(pool.to_owned())));
        }
        Ok(())
    }

    fn stop_pool(&mut self, host: &str, pool: &str, events: &mut Vec<WorldEvent>) -> Result<(), FaultError> {
        let host = self.pool_place(host, pool)?;
        self.overlay.stopped_pools.insert((host, pool.to_owned()));
        events.push(self.event(host, self.now, EventSubject::StoragePool(pool.to_owned())));
        Ok(())
    }

    fn stop_network(&mut self, host: &str, network: &str, events: &mut Vec<WorldEvent>) -> Result<(), FaultError> {
        let host = self.network_place(host, network)?;
        self.overlay.stopped_networks.insert((host, network.to_owned()));
        events.push(self.event(host, self.now, EventSubject::Network(network.to_owned())));
        Ok(())
    }

    fn storm(&mut self, rate: u32, seconds: u32) -> Result<(), FaultError> {
        check_storm(rate, seconds)?;
        if self.overlay.storm.is_some() {
            return Err(FaultError::new("kind", "a storm is under way"));
        }
        self.overlay.storm = Some(Storm { start: self.now, rate, seconds, told: 0 });
        Ok(())
    }

    fn restore(
        &mut self,
        host: Option<&str>,
        vm: Option<&str>,
        events: &mut Vec<WorldEvent>,
    ) -> Result<(), FaultError> {
        let host = host.map(|host| self.host_index(host)).transpose()?;
        let slot = vm.map(|vm| self.slot_of(vm)).transpose()?;
        let all = host.is_none() && slot.is_none();
        if all && self.overlay.storm.is_some() {
            self.end_storm(events);
        }
        let machines: Vec<u64> =
            self.overlay.machines.keys().copied().filter(|held| all || slot == Some(*held)).collect();
        for slot in machines {
            self.recover(slot, events);
        }
        let mishaps: Vec<_> =
            self.overlay.mishaps.iter().copied().filter(|(befallen, _)| all || slot == Some(*befallen)).collect();
        for (slot, what) in mishaps {
            self.overlay.mishaps.remove(&(slot, what));
            self.tell_incident(slot, what.ends(), events);
            // Read again: whether its process answers is a figure.
            let subject = EventSubject::Machine {
                uuid: self.who(slot).uuid(self.dice),
                leaving: None,
                incident: None,
                text: format!("{} over", what.kind()),
            };
            events.push(self.event(self.moment(slot).host, self.now, subject));
        }
        let copies: Vec<(u64, u64)> = self.overlay.copies.keys().copied().collect();
        for (place, copied) in copies.into_iter().filter(|(at, of)| all || host == Some(*at) || slot == Some(*of)) {
            self.overlay.copies.remove(&(place, copied));
            events.push(self.copy_event(place, copied, Some(GoneCause::Removed), "lifecycle undefined/removed"));
        }
        for host in self.all_hosts().filter(|index| all || host == Some(*index)) {
            self.restore_host(host, events);
        }
        Ok(())
    }

    fn recover(&mut self, slot: u64, events: &mut Vec<WorldEvent>) {
        let Some(trouble) = self.overlay.machines.get(&slot).copied() else { return };
        if trouble.as_str().is_none() {
            return;
        }
        let before = self.moment(slot);
        let base = self.timeline.at(slot, self.now);
        self.overlay.machines.insert(slot, trouble.ended(base));
        self.tell(slot, before, self.moment(slot), events);
        self.tell_incident(slot, trouble.ends(), events);
    }

    fn restore_host(&mut self, host: u64, events: &mut Vec<WorldEvent>) {
        if self.overlay.hosts.remove(&host) == Some(HostTrouble::Hung) {
            // What happened meanwhile was never told.
            events.push(self.event(host, self.now, EventSubject::Gap));
        }
        for pool in POOLS {
            let key = (host, pool.to_owned());
            let full = self.overlay.full_pools.remove(&key);
            if self.overlay.stopped_pools.remove(&key) || full {
                events.push(self.event(host, self.now, EventSubject::StoragePool(key.1)));
            }
        }
        self.heal(host, events);
        let stopped: Vec<String> =
            self.overlay.stopped_networks.iter().filter(|key| key.0 == host).map(|key| key.1.clone()).collect();
        for network in stopped {
            let key = (host, network);
            self.overlay.stopped_networks.remove(&key);
            events.push(self.event(host, self.now, EventSubject::Network(key.1)));
        }
    }

    /// A host by its id or its number from 1.
    pub(super) fn host_index(&self, host: &str) -> Result<u64, FaultError> {
        if let Some(index) = self.plan.hosts.iter().position(|id| id.as_str() == host) {
            return Ok(index as u64);
        }
        let number = host.parse::<u64>().ok().filter(|number| (1..=self.plan.hosts.len() as u64).contains(number));
        number
            .map(|number| number - 1)
            .ok_or_else(|| FaultError::new("host", "unknown: give its id, or its number from 1"))
    }

    pub(super) fn pool_place(&self, host: &str, pool: &str) -> Result<u64, FaultError> {
        if !POOLS.contains(&pool) {
            return Err(FaultError::new("pool", format!("unknown: known are {}", POOLS.join(", "))));
        }
        self.host_index(host)
    }

    fn network_place(&self, host: &str, network: &str) -> Result<u64, FaultError> {
        if !NETWORKS.contains(&network) {
            return Err(FaultError::new("network", format!("unknown: known are {}", NETWORKS.join(", "))));
        }
        self.host_index(host)
    }

    /// A machine by `#` and its number from 0, its UUID or its present name.
    fn slot_of(&self, vm: &str) -> Result<u64, FaultError> {
        let vms = u64::from(self.plan.vms);
        let unknown = || FaultError::new("vm", "unknown: give its name, its UUID, or # and its number from 0");
        if let Some(number) = vm.strip_prefix('#') {
            return number.parse().ok().filter(|slot| *slot < vms).ok_or_else(unknown);
        }
        if let Ok(uuid) = Uuid::parse_str(vm) {
            return self.slot_with(uuid).ok_or_else(unknown);
        }
        (0..vms).find(|slot| self.who(*slot).name(self.dice, self.moment(*slot).renamed) == vm).ok_or_else(unknown)
    }
}

fn check_storm(rate: u32, seconds: u32) -> Result<(), FaultError> {
    if !(1..=MAX_STORM_RATE).contains(&rate) {
        return Err(FaultError::new("changes_per_second", format!("from 1 to {MAX_STORM_RATE}")));
    }
    if !(1..=3_600).contains(&seconds) {
        return Err(FaultError::new("seconds", "from 1 to 3600"));
    }
    Ok(())
}
