//! What can be seen of the world at one host now, in the words of the port. Pure.

use super::ailment::Ailment;
use super::hardware;
use super::machine::{self, DiskPlan, Lies, Who};
use super::mishap::Mishap;
use super::network;
use super::storage::{self, POOLS, PoolPlace, PoolTrouble};
use super::timeline::{GROUP, Moment, Temper, real, started_before, weighted};
use super::world::World;
use crate::model::measurement::Sample;
use crate::model::observation::{
    Fact, GoneCause, ListedKind, MachineFacts, MachineStateFacts, MachineStatistics, PoolFacts,
};
use crate::model::registration::Profile;
use crate::model::virtual_machine::{ControlState, RunState, RunStateReason, VmDefinition};
use std::collections::BTreeSet;
use std::sync::Arc;
use uuid::Uuid;

/// A machine as it is seen at a host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seen {
    /// Which machine.
    pub who: Who,
    /// Its state.
    pub moment: Moment,
    /// Its process does not answer.
    pub hung: bool,
}

/// What a machine's definition depends on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shape {
    who: Who,
    group: u64,
    active: bool,
    agent_lost: bool,
}

impl World {
    /// Every machine of the world that exists now, copies left out, in order of slots.
    pub fn census(&self) -> Vec<Seen> {
        (0..u64::from(self.plan.vms)).filter_map(|slot| self.seen(slot)).collect()
    }

    /// The machines at a host, in order of slots, copies last.
    pub fn machines(&self, host: u64) -> Vec<Seen> {
        let visitors = usize::try_from(host).ok().and_then(|host| self.visitors.get(host));
        let here = visitors.into_iter().flatten().filter_map(|slot| self.seen(*slot));
        here.filter(|seen| seen.moment.host == host).chain(self.copies(host)).collect()
    }

    /// The machine of a UUID at a host.
    pub fn machine(&self, host: u64, uuid: Uuid) -> Option<Seen> {
        let slot = self.slot_with(uuid)?;
        let own = self.seen(slot).filter(|seen| seen.moment.host == host);
        own.or_else(|| self.copies(host).find(|copy| copy.who.slot == slot))
    }

    /// Machines at a host whose process does not answer.
    pub fn hung_machines(&self, host: u64) -> usize {
        let troubled = self.overlay.machines.keys().filter_map(|slot| self.seen(*slot));
        troubled.filter(|seen| seen.hung && seen.moment.host == host).count()
    }

    /// UUID of a machine.
    pub fn uuid(&self, seen: &Seen) -> Uuid {
        seen.who.uuid(self.dice)
    }

    /// Run state of a machine.
    pub fn state_facts(&self, seen: &Seen) -> MachineStateFacts {
        MachineStateFacts {
            uuid: self.uuid(seen),
            display_name: seen.who.name(self.dice, seen.moment.renamed),
            run_state: seen.moment.run_state,
            reason: seen.moment.reason,
            incarnation: seen.moment.incarnation,
        }
    }

    /// What a machine's definition depends on: of equal ones it is the same.
    pub fn shape(&self, seen: &Seen) -> Shape {
        let agent_lost = self.befallen(seen, Mishap::AgentLost);
        Shape {
            who: seen.who,
            group: self.group(seen.moment.host),
            active: seen.moment.run_state.is_active(),
            agent_lost,
        }
    }

    /// The definition of a machine of this shape.
    pub fn definition(&self, shape: &Shape) -> VmDefinition {
        let mobile = self.timeline.is_mobile(shape.who.slot);
        let mut definition = machine::definition(shape.who, self.dice, mobile, shape.group, shape.active);
        if definition.agent.configured && shape.agent_lost {
            definition.agent.connected = Some(false);
        }
        definition
    }

    /// A machine with everything, given its definition.
    pub fn machine_facts(&self, seen: &Seen, definition: Arc<VmDefinition>) -> MachineFacts {
        let (slot, host) = (seen.who.slot, seen.moment.host);
        let snapshots = self
            .id(host)
            .map(|id| machine::snapshots(seen.who, self.dice, id, seen.moment.snapshot))
            .unwrap_or_default();
        MachineFacts {
            state: self.state_facts(seen),
            persistent: !self.is_transient(slot),
            autostart: seen.who.autostart(self.dice),
            definition: Ok(definition),
            labels: machine::labels(seen.who, self.dice),
            snapshots: Some(snapshots),
        }
    }

    /// Whether a machine's process answers.
    pub fn control(&self, seen: &Seen) -> Fact {
        let broken = self.befallen(seen, Mishap::ControlError);
        let control = match (seen.hung, seen.moment.run_state.is_active()) {
            (true, _) => ControlState::NotResponding,
            (false, true) if broken => ControlState::Failed,
            (false, true) => ControlState::Responding,
            (false, false) => ControlState::Unknown,
        };
        Fact::MachineControl { uuid: self.uuid(seen), control }
    }

    /// Figures and samples of those of the machines that are active; the control state of those that hang or did.
    pub fn statistics(&self, seen: &[Seen], samples: &mut Vec<Sample>) -> Vec<Fact> {
        let mut facts = Vec::new();
        for seen in seen.iter().filter(|seen| seen.moment.run_state.is_active()) {
            let figures = self.machine_statistics(seen);
            self.machine_samples(seen, &figures, samples);
            facts.push(Fact::MachineStatistics(Box::new(figures)));
            if self.overlay.machines.contains_key(&seen.who.slot) || self.befallen(seen, Mishap::ControlError) {
                facts.push(self.control(seen));
            }
            facts.extend(self.disk_errors(seen, self.in_turn(seen.who.slot)));
        }
        facts
    }

    /// Figures and samples of a host, of which its machines have been promised so much memory.
    pub fn host_statistics(&self, host: u64, promised_bytes: u64, samples: &mut Vec<Sample>) -> Fact {
        let mut figures =
            hardware::statistics(self.dice, host, self.uptime_us(host), self.loaded_us(host), promised_bytes);
        self.strain(host, &mut figures);
        self.host_samples(host, &figures, samples);
        Fact::HostStatistics(Box::new(figures))
    }

    /// Figures of one machine.
    pub fn machine_statistics(&self, seen: &Seen) -> MachineStatistics {
        let active = i128::from(seen.moment.active_us) * 1_000 / i128::from(self.plan.speed_milli.max(1));
        let mobile = self.timeline.is_mobile(seen.who.slot);
        machine::statistics(seen.who, self.dice, mobile, u64::try_from(active).unwrap_or(0), seen.hung)
    }

    /// The host and its hypervisor.
    pub fn hypervisor_facts(&self, host: u64, profile: Profile) -> Vec<Fact> {
        let own = self.id(host).map(|id| Fact::Host(Box::new(hardware::facts(self.dice, host, id))));
        own.into_iter().chain([Fact::Hypervisor(Box::new(hardware::hypervisor(profile)))]).collect()
    }

    /// Devices of a host.
    pub fn device_facts(&self, host: u64) -> Fact {
        let mut devices = hardware::devices(self.dice, host);
        for nic in devices.nics.iter_mut().flatten() {
            if self.overlay.ails(host, Ailment::NicDown(nic.name.clone())) {
                nic.link_state = "down".to_owned();
            }
        }
        Fact::HostDevices(Box::new(devices))
    }

    /// Every pool of a host, and that these are all.
    pub fn pools(&self, host: u64) -> Vec<Fact> {
        let facts = POOLS.iter().filter_map(|pool| self.pool_facts(host, pool));
        let mut facts: Vec<Fact> = facts.map(|pool| Fact::StoragePool(Box::new(pool))).collect();
        facts.push(complete(ListedKind::StoragePools, POOLS.into_iter().map(str::to_owned)));
        facts
    }

    /// One pool of a host.
    pub fn pool(&self, host: u64, name: &str) -> Fact {
        match self.pool_facts(host, name) {
            Some(pool) => Fact::StoragePool(Box::new(pool)),
            None => Fact::StoragePoolGone(name.to_owned()),
        }
    }

    /// Every network of a host, and that these are all.
    pub fn networks(&self, host: u64) -> Vec<Fact> {
        let networks = self.all_networks(host);
        let names: Vec<String> = networks.iter().map(|network| network.display_name.clone()).collect();
        let facts = networks.into_iter().map(|network| Fact::Network(Box::new(network)));
        facts.chain([complete(ListedKind::Networks, names)]).collect()
    }

    /// One network of a host.
    pub fn network(&self, host: u64, name: &str) -> Fact {
        let found = self.all_networks(host).into_iter().find(|network| network.display_name == name);
        found.map_or_else(|| Fact::NetworkGone(name.to_owned()), |network| Fact::Network(Box::new(network)))
    }

    /// The fact that a machine is not at a host, and why as far as the host knows.
    pub fn machine_gone(uuid: Uuid) -> Fact {
        Fact::MachineGone { uuid, cause: GoneCause::Unknown }
    }

    /// The fact that these are all machines of a host.
    pub fn machines_complete(&self, seen: &[Seen]) -> Fact {
        complete(ListedKind::Machines, seen.iter().map(|seen| self.uuid(seen).to_string()))
    }

    pub(super) fn id(&self, host: u64) -> Option<&crate::model::name::HostId> {
        self.plan.hosts.get(usize::try_from(host).ok()?)
    }

    fn group(&self, host: u64) -> u64 {
        host / GROUP
    }

    fn seen(&self, slot: u64) -> Option<Seen> {
        let moment = self.moment(slot);
        let who = Who { slot, generation: moment.generation, copy: false };
        let exists = moment.run_state.is_active() || !self.is_transient(slot);
        exists.then(|| Seen { who, moment, hung: self.overlay.hangs(slot) })
    }

    fn copies(&self, host: u64) -> impl Iterator<Item = Seen> {
        let copies = self.overlay.copies.range((host, 0)..=(host, u64::MAX));
        // Where the original arrives, a copy cannot be.
        let apart = copies.filter(move |((_, slot), _)| self.moment(*slot).host != host);
        apart.map(move |((_, slot), since)| Seen {
            who: Who { copy: true, ..self.who(*slot) },
            moment: Moment {
                host,
                run_state: RunState::Running,
                reason: RunStateReason::Booted,
                incarnation: Some(super::overlay::EXTRA * 2 + slot),
                active_us: weighted(*since, self.now),
                renamed: false,
                snapshot: false,
                ..self.moment(*slot)
            },
            hung: false,
        })
    }

    /// As if every host had been booted within the ten days before its steady machines.
    pub(super) fn uptime_us(&self, host: u64) -> u64 {
        u64::try_from(self.clock().0.saturating_sub(self.boot_us(host))).unwrap_or(0)
    }

    /// The time since boot weighted by the load of that time.
    pub(super) fn loaded_us(&self, host: u64) -> u64 {
        u64::try_from(weighted(self.boot_us(host), self.clock().0)).unwrap_or(0)
    }

    fn boot_us(&self, host: u64) -> i64 {
        started_before(self.clock().0) - 86_400_000_000 * i64::try_from(host % 10).unwrap_or(0)
    }

    fn pool_facts(&self, host: u64, name: &str) -> Option<PoolFacts> {
        let pool = POOLS.into_iter().find(|pool| *pool == name)?;
        let place = PoolPlace { host, id: self.id(host)?, group: self.group(host), pool };
        let key = (host, name.to_owned());
        let trouble = PoolTrouble {
            stopped: self.overlay.stopped_pools.contains(&key),
            full: self.overlay.full_pools.contains(&key),
            lost: self.overlay.ails(host, Ailment::LostPool(name.to_owned())),
            degraded: self.overlay.ails(host, Ailment::DegradedPool(name.to_owned())),
        };
        let passing = self.toggles(host, self.now).is_some_and(|number| number % 4 < 2);
        let now = real(self.now, self.plan.speed_milli);
        Some(storage::pool(self.dice, place, &self.disks_in(host, pool), passing, trouble, now))
    }

    /// Disks of all machines in a pool, also of those that do not run.
    fn disks_in(&self, host: u64, pool: &str) -> Vec<DiskPlan> {
        let shared = pool == Lies::Nfs.pool() || pool == Lies::Rbd.pool();
        let hosts = if shared { self.group_of(host) } else { host..host + 1 };
        let mut disks = Vec::new();
        for host in hosts {
            let visitors = usize::try_from(host).ok().and_then(|host| self.visitors.get(host));
            for slot in visitors.into_iter().flatten().filter(|slot| self.timeline.home(**slot) == host) {
                self.add_disks(self.who(*slot), pool, &mut disks);
            }
            for seen in self.copies(host) {
                self.add_disks(seen.who, pool, &mut disks);
            }
        }
        disks
    }

    fn add_disks(&self, who: Who, pool: &str, disks: &mut Vec<DiskPlan>) {
        let mobile = self.timeline.is_mobile(who.slot);
        if mobile != (pool == Lies::Nfs.pool() || pool == Lies::Rbd.pool()) {
            return;
        }
        disks.extend(machine::disks(who, self.dice, mobile).into_iter().filter(|disk| disk.lies.pool() == pool));
    }

    fn all_networks(&self, host: u64) -> Vec<crate::model::network::Network> {
        let Some(id) = self.id(host) else { return Vec::new() };
        let passing = self.toggles(host, self.now).is_some_and(|number| number % 2 == 0);
        let mut networks = network::networks(self.dice, host, id, passing);
        for network in &mut networks {
            let stopped = self.overlay.stopped_networks.contains(&(host, network.display_name.clone()));
            network.active = network.active && !stopped;
        }
        networks
    }

    /// The faults that last, in words: `crashed web-01`, `full pool default on sim-1`.
    pub fn faults(&self) -> Vec<String> {
        let host = |index: u64| self.id(index).map_or("?", |id| id.as_str());
        let name = |slot: u64| self.who(slot).name(self.dice, self.moment(slot).renamed);
        let overlay = self.overlay();
        let machines = overlay.machines.iter().filter_map(|(slot, trouble)| Some((slot, trouble.as_str()?)));
        let pool = |what: &str, (at, pool): &(u64, String)| format!("{what} pool {pool} on {}", host(*at));
        machines
            .map(|(slot, trouble)| format!("{trouble} machine {}", name(*slot)))
            .chain(overlay.mishaps.iter().map(|(slot, what)| format!("{} machine {}", what.kind(), name(*slot))))
            .chain(
                overlay
                    .ailments
                    .iter()
                    .filter(|(_, active)| **active)
                    .map(|((at, ailment), _)| format!("{} on {}", ailment.words(), host(*at))),
            )
            .chain(overlay.copies.keys().map(|(at, slot)| format!("copy of machine {} on {}", name(*slot), host(*at))))
            .chain(overlay.full_pools.iter().map(|place| pool("full", place)))
            .chain(overlay.stopped_pools.iter().map(|place| pool("stopped", place)))
            .chain(overlay.stopped_networks.iter().map(|(at, net)| format!("stopped network {net} on {}", host(*at))))
            .chain(overlay.storm.map(|storm| format!("storm of {} changes a second", storm.rate)))
            .collect()
    }

    /// True if the machine of a slot never changes by itself.
    pub fn is_steady(&self, slot: u64) -> bool {
        matches!(self.timeline.temper(slot), Temper::Steady(_))
    }
}

fn complete(kind: ListedKind, keys: impl IntoIterator<Item = String>) -> Fact {
    Fact::ListComplete { kind, present: Arc::new(keys.into_iter().collect::<BTreeSet<String>>()) }
}
