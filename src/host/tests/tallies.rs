use super::Tree;
use crate::host::tallies::Tallies;
use crate::host::{LocalHost, Space, SpaceProbe};
use crate::model::incident::{IncidentKind, IncidentSubject};
use crate::model::time::Timestamp;
use std::collections::BTreeMap;
use std::io::{Error, ErrorKind};
use std::path::PathBuf;
use std::time::Duration;
use tempfile::TempDir;

fn tree() -> Tree {
    let tree = Tree(TempDir::new().expect("a folder"));
    for (path, text) in [
        ("proc/vmstat", "nr_free_pages 5\npswpin 100\noom_kill 3\n"),
        ("sys/devices/system/edac/mc/mc0/ce_count", "7\n"),
        ("sys/devices/system/edac/mc/mc1/ce_count", "1\n"),
        ("sys/devices/system/edac/mc/mc0/ue_count", "0\n"),
        ("sys/devices/system/cpu/cpu0/thermal_throttle/core_throttle_count", "2\n"),
        ("sys/devices/system/cpu/cpufreq/boost", "1\n"),
        (
            "proc/mdstat",
            "Personalities : [raid1]\nmd0 : active raid1 sdb1[1] sda1[0]\n      \
             975 blocks super 1.2 [2/2] [UU]\n      bitmap: 0/8 pages [0KB], 65536KB chunk\n\n\
             md1 : active raid1 sda2[0]\n      975 blocks super 1.2 [2/1] [U_]\n      \
             [==>..]  recovery = 12.6%\n\nunused devices: <none>\n",
        ),
        (
            "proc/net/bonding/bond0",
            "Bonding Mode: 802.3ad\nMII Status: up\n\nSlave Interface: eno1\nMII Status: up\n\n\
             Slave Interface: eno2\nMII Status: down\n",
        ),
        ("run/systemd/timesync/synchronized", ""),
    ] {
        tree.write(path, text.as_bytes());
    }
    tree
}

/// What a look tells, as (subject, kind).
fn look(tallies: &mut Tallies, tree: &Tree) -> Vec<(IncidentSubject, IncidentKind)> {
    let incidents = tallies.look(&tree.root(), Timestamp(5));
    incidents.into_iter().map(|incident| (incident.subject, incident.kind)).collect()
}

fn counted(counter: &str, by: u64) -> (IncidentSubject, IncidentKind) {
    (IncidentSubject::Host, IncidentKind::Counted { counter: counter.into(), by })
}

fn condition(subject: IncidentSubject, alarm_type: &str, active: bool) -> (IncidentSubject, IncidentKind) {
    (subject, IncidentKind::Condition { alarm_type: alarm_type.into(), active })
}

#[test]
fn counters_tell_what_they_rose_by_since_the_last_look() {
    let (tree, mut tallies) = (tree(), Tallies::default());
    let is_count = |(_, kind): &(IncidentSubject, IncidentKind)| matches!(kind, IncidentKind::Counted { .. });
    assert!(!look(&mut tallies, &tree).iter().any(is_count), "what was before is not news");
    tree.write("proc/vmstat", b"pswpin 180\noom_kill 4\n");
    tree.write("sys/devices/system/edac/mc/mc1/ce_count", b"3\n");
    tree.write("sys/devices/system/edac/mc/mc0/ue_count", b"1\n");
    tree.write("sys/devices/system/cpu/cpu0/thermal_throttle/core_throttle_count", b"5\n");
    let told: Vec<_> = look(&mut tallies, &tree).into_iter().filter(is_count).collect();
    let wanted = [
        counted("oom_kill", 1),
        counted("swap_in", 80),
        counted("ecc_corrected", 2),
        counted("ecc_uncorrected", 1),
        counted("cpu_throttle", 3),
    ];
    assert_eq!(told, wanted);
    tree.write("proc/vmstat", b"pswpin 0\noom_kill 0\n");
    assert!(!look(&mut tallies, &tree).iter().any(is_count), "a counter that went back says nothing");
}

#[test]
fn arrays_bonds_and_the_clock_are_judged_and_judged_well_again() {
    let (tree, mut tallies) = (tree(), Tallies::default());
    let seen = look(&mut tallies, &tree);
    let disk = |name: &str| IncidentSubject::HostDisk(name.into());
    let bond = || IncidentSubject::HostNic("bond0".into());
    for wanted in [
        condition(disk("md0"), "hostRaidDegraded", false),
        condition(disk("md1"), "hostRaidDegraded", true),
        condition(bond(), "hostNicBondDegraded", true),
        condition(IncidentSubject::Host, "timeSyncLost", false),
    ] {
        assert!(seen.contains(&wanted), "{wanted:?} in {seen:?}");
    }
    tree.write("proc/mdstat", b"md1 : active raid1 sdb2[1] sda2[0]\n      975 blocks [2/2] [UU]\n");
    tree.write("proc/net/bonding/bond0", b"MII Status: up\nSlave Interface: eno1\nMII Status: up\n");
    std::fs::remove_file(tree.place("run/systemd/timesync/synchronized")).expect("removed");
    let seen = look(&mut tallies, &tree);
    for wanted in [
        condition(disk("md1"), "hostRaidDegraded", false),
        condition(bond(), "hostNicBondDegraded", false),
        condition(IncidentSubject::Host, "timeSyncLost", true),
    ] {
        assert!(seen.contains(&wanted), "{wanted:?} in {seen:?}");
    }
}

#[test]
fn a_machine_without_any_of_it_tells_nothing() {
    let tree = Tree(TempDir::new().expect("a folder"));
    assert_eq!(look(&mut Tallies::default(), &tree), []);
}

#[test]
fn mounts_and_pools_are_told_well_failed_or_hung_and_hidden_ones_not_at_all() {
    let tree = tree();
    let line = |id: u32, mount: &str| format!("{id} 1 8:{id} / {mount} rw - ext4 /dev/vd{id} rw\n");
    let table = [line(1, "/"), line(2, "/srv/stale"), line(3, "/srv/private"), line(4, "/srv/hung")].concat();
    tree.write("proc/self/mountinfo", table.as_bytes());
    let (gone, waits) = std::sync::mpsc::channel::<()>();
    let waits = std::sync::Mutex::new(waits);
    let probe = SpaceProbe::asking(move |path| match path.to_string_lossy() {
        path if path.contains("stale") => Err(Error::other("stale file handle")),
        path if path.contains("private") => Err(ErrorKind::PermissionDenied.into()),
        path if path.contains("hung") => {
            // Until the test is over.
            let _ = waits.lock().expect("whole").recv();
            Err(Error::other("too late"))
        }
        _ => Ok(Space { size_bytes: 5, available_bytes: 4, ..Space::default() }),
    });
    let host = LocalHost::with_probe(tree.root(), probe, Duration::from_millis(200));
    host.statistics();
    let pools = ["/var/lib/images", "/srv/hung/vms"].map(|path| (path.to_owned(), PathBuf::from(path)));
    let told = host.incidents(&BTreeMap::from(pools), Timestamp(5));
    let verdicts = told.iter().filter_map(|incident| match (&incident.subject, &incident.kind) {
        (IncidentSubject::HostFilesystem(of) | IncidentSubject::StoragePool(of), IncidentKind::Probed(verdict)) => {
            Some((of.as_str(), verdict.as_ref().map_err(|reason| reason.split(" for ").next().unwrap_or_default())))
        }
        _ => None,
    });
    let wanted = [
        ("/", Ok(&())),
        ("/srv/stale", Err("stale file handle")),
        ("/srv/hung", Err("does not answer")),
        ("/srv/hung/vms", Err("does not answer")),
        ("/var/lib/images", Ok(&())),
    ];
    assert_eq!(verdicts.collect::<Vec<_>>(), wanted);
    drop(gone);
}
