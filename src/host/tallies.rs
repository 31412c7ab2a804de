//! Counters of bad things and verdicts on parts that are not in the inventory: memory, processors, RAID, bonds, clock.
//!
//! A counter tells by how much it rose since the last look; the first look, and one after which a counter
//! went back, tell nothing: what happened before we looked is not news.

use super::root::Root;
use crate::model::incident::{Incident, IncidentKind, IncidentSubject};
use crate::model::time::Timestamp;
use std::collections::BTreeMap;

/// Where the kernel says how it checks memory.
const EDAC: &str = "/sys/devices/system/edac/mc";

/// Processors, each with its throttle counters.
const PROCESSORS: &str = "/sys/devices/system/cpu";

/// Bonds, a file each.
const BONDS: &str = "/proc/net/bonding";

/// systemd-timesyncd's folder, and the file that is there while the clock is synchronized.
const TIMESYNC: (&str, &str) = ("/run/systemd/timesync", "/run/systemd/timesync/synchronized");

/// The counters as they were at the last look.
#[derive(Debug, Default)]
pub struct Tallies {
    last: BTreeMap<&'static str, u64>,
}

impl Tallies {
    /// Looks at everything.
    pub fn look(&mut self, root: &Root, time: Timestamp) -> Vec<Incident> {
        let mut incidents = Vec::new();
        for (counter, total) in totals(root) {
            let before = self.last.insert(counter, total);
            let by = before.and_then(|before| total.checked_sub(before)).filter(|by| *by > 0);
            incidents.extend(by.map(|by| {
                let kind = IncidentKind::Counted { counter: counter.to_owned(), by };
                incident(time, IncidentSubject::Host, kind)
            }));
        }
        let conditions = raid(root).into_iter().chain(bonds(root)).chain(clock(root));
        incidents.extend(conditions.map(|(subject, alarm_type, active)| {
            incident(time, subject, IncidentKind::Condition { alarm_type: alarm_type.to_owned(), active })
        }));
        incidents
    }
}

/// A look at a part of this machine.
pub fn incident(time: Timestamp, subject: IncidentSubject, kind: IncidentKind) -> Incident {
    Incident { time, subject, kind, details: BTreeMap::new() }
}

/// Counters that can be read here, as they are now.
fn totals(root: &Root) -> Vec<(&'static str, u64)> {
    let vmstat = root.text("/proc/vmstat").unwrap_or_default();
    let figure = |name: &str| {
        let mut lines = vmstat.lines().filter_map(|line| line.split_once(' '));
        lines.find(|(key, _)| *key == name).and_then(|(_, value)| value.trim().parse().ok())
    };
    let memory = |file: &str| summed(root, EDAC, |name| name.starts_with("mc"), &[file]);
    let processor = |name: &str| name.strip_prefix("cpu").is_some_and(|number| number.parse::<u32>().is_ok());
    let throttled = ["thermal_throttle/core_throttle_count", "thermal_throttle/package_throttle_count"];
    let all = [
        ("oom_kill", figure("oom_kill")),
        ("swap_in", figure("pswpin")),
        ("ecc_corrected", memory("ce_count")),
        ("ecc_uncorrected", memory("ue_count")),
        ("cpu_throttle", summed(root, PROCESSORS, processor, &throttled)),
    ];
    all.into_iter().filter_map(|(counter, total)| Some((counter, total?))).collect()
}

/// Sum of number files in the folders of a folder; nothing if there is none.
fn summed(root: &Root, folder: &str, wanted: impl Fn(&str) -> bool, files: &[&str]) -> Option<u64> {
    let names = root.names(folder).ok()?;
    let numbers = names
        .iter()
        .filter(|name| wanted(name))
        .flat_map(|name| files.iter().filter_map(move |file| root.number::<u64>(format!("{folder}/{name}/{file}"))));
    numbers.reduce(u64::saturating_add)
}

/// A verdict: about what, for which alarm type, and whether it holds.
type Condition = (IncidentSubject, &'static str, bool);

/// Software RAID arrays: degraded if a member is missing, e.g. `[2/1] [U_]`.
fn raid(root: &Root) -> Vec<Condition> {
    let table = root.text("/proc/mdstat").unwrap_or_default();
    let (mut conditions, mut array) = (Vec::new(), None);
    for line in table.lines() {
        if let Some((name, _)) = line.split_once(" : ").filter(|(name, _)| name.starts_with("md")) {
            array = Some(name.to_owned());
        } else if let Some(members) = members(line)
            && let Some(name) = array.take()
        {
            conditions.push((IncidentSubject::HostDisk(name), "hostRaidDegraded", members.contains('_')));
        }
    }
    conditions
}

/// `U_` of a line that ends in `[2/1] [U_]`, perhaps followed by more.
fn members(line: &str) -> Option<&str> {
    let words = line.split_whitespace().filter_map(|word| word.strip_prefix('[')?.strip_suffix(']'));
    words.into_iter().find(|word| !word.is_empty() && word.chars().all(|each| matches!(each, 'U' | '_')))
}

/// Bonds: degraded if a member's link is down while the bond itself is up.
fn bonds(root: &Root) -> Vec<Condition> {
    let bonds = root.names(BONDS).unwrap_or_default().into_iter().filter_map(|bond| {
        let text = root.text(format!("{BONDS}/{bond}")).ok()?;
        let mut states = text.lines().filter_map(|line| line.strip_prefix("MII Status:")).map(str::trim);
        // The bond's own comes first.
        let own = states.next()?;
        let degraded = own == "up" && states.any(|state| state != "up");
        Some((IncidentSubject::HostNic(bond), "hostNicBondDegraded", degraded))
    });
    bonds.collect()
}

/// Whether systemd-timesyncd, if it runs here, has set the clock. Others leave no file that says so.
fn clock(root: &Root) -> Option<Condition> {
    let (folder, synchronized) = TIMESYNC;
    root.has(folder).then(|| (IncidentSubject::Host, "timeSyncLost", !root.has(synchronized)))
}
