//! How faults strike parts of hosts. Pure.

use super::ailment::{Ailment, MOUNTS, PARTS, SHARED_MOUNT};
use super::fault::{Fault, FaultError};
use super::storage::POOLS;
use super::world::{World, WorldEvent};
use crate::hypervisor::port::EventSubject;

/// Disks of every host.
const DISKS: [&str; 3] = ["nvme0n1", "nvme1n1", "sda"];
/// NICs of every host that have a link.
const NICS: [&str; 3] = ["eno1", "eno2", "eno3"];
/// Longest name of an alarm type or counter.
const MAX_NAME: usize = 64;

impl World {
    /// What a fault makes wrong with a part of which host; nothing if it is no fault of that kind.
    pub(super) fn ailment_of<'f>(&self, fault: &'f Fault) -> Result<Option<(&'f str, Ailment)>, FaultError> {
        let (host, ailment) = match fault {
            Fault::LosePool { host, pool } => (host, Ailment::LostPool(known("pool", pool, &POOLS)?)),
            Fault::DegradePool { host, pool } => (host, Ailment::DegradedPool(known("pool", pool, &POOLS)?)),
            Fault::MountHung { host, mount } => (host, Ailment::MountHung(known("mount", mount, &MOUNTS)?)),
            Fault::FillFilesystem { host, mount } => (host, Ailment::FullFilesystem(known("mount", mount, &MOUNTS)?)),
            Fault::DiskFailed { host, disk } => (host, Ailment::DiskFailed(known("disk", disk, &DISKS)?)),
            Fault::NicDown { host, nic } => (host, Ailment::NicDown(known("nic", nic, &NICS)?)),
            Fault::LowMemory { host } => (host, Ailment::LowMemory),
            Fault::ExhaustHugePages { host } => (host, Ailment::NoHugePages),
            Fault::Condition { host, alarm_type, object } => (host, condition(alarm_type, object)?),
            _ => return Ok(None),
        };
        Ok(Some((host, ailment)))
    }

    pub(super) fn ail(&mut self, host: &str, ailment: Ailment, events: &mut Vec<WorldEvent>) -> Result<(), FaultError> {
        let host = self.host_index(host)?;
        let shared = match &ailment {
            Ailment::MountHung(mount) => mount == SHARED_MOUNT,
            Ailment::LostPool(pool) => matches!(pool.as_str(), "nfs" | "ceph"),
            _ => false,
        };
        let group = if shared { self.group_of(host) } else { host..host + 1 };
        for host in group {
            self.overlay.ailments.insert((host, ailment.clone()), true);
            self.tell_ailment(host, &ailment, events);
        }
        Ok(())
    }

    /// Ends what is wrong with the parts of a host.
    pub(super) fn heal(&mut self, host: u64, events: &mut Vec<WorldEvent>) {
        let of_host = |((at, _), active): &(&(u64, Ailment), &bool)| *at == host && **active;
        let active: Vec<Ailment> =
            self.overlay.ailments.iter().filter(of_host).map(|((_, ailment), _)| ailment.clone()).collect();
        for ailment in active {
            self.tell_ailment(host, &ailment, events);
            self.overlay.ailments.insert((host, ailment), false);
        }
    }

    pub(super) fn count(&mut self, host: &str, counter: &str, by: u64) -> Result<(), FaultError> {
        let host = self.host_index(host)?;
        if counter.is_empty() || counter.len() > MAX_NAME {
            return Err(FaultError::new("counter", "a name such as oom_kill"));
        }
        let total = self.overlay.counted.entry((host, counter.to_owned())).or_default();
        *total = total.saturating_add(by);
        Ok(())
    }

    /// Has what shows the ailment read again, where a host would tell by itself.
    fn tell_ailment(&self, host: u64, ailment: &Ailment, events: &mut Vec<WorldEvent>) {
        let subject = match ailment {
            Ailment::LostPool(pool) | Ailment::DegradedPool(pool) => EventSubject::StoragePool(pool.clone()),
            Ailment::NicDown(nic) => EventSubject::HostDevice(nic.clone()),
            _ => return,
        };
        events.push(self.event(host, self.now, subject));
    }
}

fn known(field: &str, name: &str, known: &[&str]) -> Result<String, FaultError> {
    if known.contains(&name) {
        return Ok(name.to_owned());
    }
    Err(FaultError::new(field, format!("unknown: known are {}", known.join(", "))))
}

fn condition(alarm_type: &str, object: &str) -> Result<Ailment, FaultError> {
    if alarm_type.is_empty() || alarm_type.len() > MAX_NAME {
        return Err(FaultError::new("alarm_type", "the name of an alarm type, e.g. hostRaidDegraded"));
    }
    let names_part = object.split_once(':').is_some_and(|(part, name)| PARTS.contains(&part) && !name.is_empty());
    if !object.is_empty() && !names_part {
        return Err(FaultError::new("object", format!("nothing, or PART:NAME with {}", PARTS.join(", "))));
    }
    Ok(Ailment::Condition(alarm_type.to_owned(), object.to_owned()))
}
