//! A storage that many lie on fails (operations.md F8).

use super::stage::Stage;
use crate::fault::catalogue::AlarmType;
use crate::fault::{Finding, Sign};
use crate::model::{Alarm, Name};

const EXPORT: &str = "nfs://server/export";

/// Two hosts with ten machines each on one export, and one machine elsewhere on each host.
fn site() -> (Stage, Vec<Name>, Vec<Name>) {
    let mut stage = Stage::new();
    stage.polled();
    let mounts = ["a", "b"].map(|host| stage.host_with_mount(host, "fuse.sshfs", "server:/export")).to_vec();
    let backing = "sshfs://server/export";
    stage.backing(backing);
    let mut machines = Vec::new();
    for number in 1..=20 {
        machines.push(stage.machine_on(number, if number <= 10 { "a" } else { "b" }, backing, false));
    }
    for (number, host) in [(101, "a"), (102, "b")] {
        let local = format!("local://{host}/");
        stage.backing(&local);
        stage.machine_on(number, host, &local, false);
    }
    (stage, machines, mounts)
}

fn stalled(machine: &Name) -> Finding {
    Finding::new(AlarmType::VmIoStalled, &Name::new(format!("{machine}/disks/vda")), "stalled")
}

fn over(finding: &Finding) -> Sign {
    Sign::Over { alarm_type: finding.alarm_type, object: finding.object.clone() }
}

fn all_linked_to_one_root(stage: &Stage, count: usize) -> Name {
    let (root, alarm) = stage.the("storageBackingLost");
    assert!(alarm.is_active() && alarm.root);
    let others: Vec<Alarm> =
        stage.list().into_values().filter(|other| other.alarm_type != "storageBackingLost").collect();
    assert_eq!(others.len(), count, "{:?}", stage.active());
    assert!(others.iter().all(|other| other.root_cause.as_ref() == Some(&root) && !other.root), "{others:?}");
    assert_eq!(alarm.correlated_count as usize, count);
    root
}

fn raises(stage: &Stage, alarm_type: &str) -> u32 {
    stage.list().values().filter(|alarm| alarm.alarm_type == alarm_type).map(|alarm| alarm.raise_count).sum()
}

#[test]
fn raises_storage_backing_lost() {
    let (mut stage, machines, mounts) = site();
    // Hard: nothing answers, nothing says an error.
    let hung: Vec<Finding> =
        mounts.iter().map(|mount| Finding::new(AlarmType::HostMountHung, mount, "does not return")).collect();
    let still: Vec<Finding> = machines.iter().map(stalled).collect();
    for finding in still.iter().chain(&hung) {
        stage.signs(vec![Sign::Present(Box::new(finding.clone()))]);
    }
    assert_eq!(stage.active()[0], "storageBackingLost", "the parent is told first");
    stage.pass(31);
    let root = all_linked_to_one_root(&stage, 22);
    assert_eq!(stage.told.iter().find(|(_, alarm)| alarm.is_some()).expect("told").0, root);
    for finding in still.iter().chain(&hung) {
        stage.signs(vec![over(finding)]);
    }
    stage.pass(200);
    assert!(stage.active().is_empty(), "{:?}", stage.active());
    assert_eq!(raises(&stage, "storageBackingLost"), 1);
    let cleared = stage
        .told
        .iter()
        .filter(|(name, alarm)| *name == root && alarm.as_ref().is_some_and(|alarm| !alarm.is_active()));
    assert_eq!(cleared.count(), 1, "one clear");
}

#[test]
fn clears_storage_backing_lost() {
    let (mut stage, machines, _) = site();
    // Soft: errors, the machines pause one by one.
    for (machine, number) in machines.iter().zip(1_u128..) {
        stage.machine_on(number, if number <= 10 { "a" } else { "b" }, "sshfs://server/export", true);
        assert_eq!(stage.surveillance.alarm_of("vmPausedIoError", machine).is_some(), number >= 5, "waits for others");
    }
    stage.pass(2);
    all_linked_to_one_root(&stage, 20);
    for number in 1_u128..=20 {
        stage.machine_on(number, if number <= 10 { "a" } else { "b" }, "sshfs://server/export", false);
    }
    assert_eq!(stage.active(), ["storageBackingLost"]);
    stage.pass(59);
    assert_eq!(stage.active(), ["storageBackingLost"]);
    stage.pass(2);
    assert!(stage.active().is_empty());
    assert_eq!(raises(&stage, "storageBackingLost"), 1);
}

#[test]
fn one_machine_in_trouble_is_no_lost_backing_and_waits_two_seconds() {
    let (mut stage, ..) = site();
    stage.machine_on(1, "a", "sshfs://server/export", true);
    assert!(stage.active().is_empty());
    stage.pass(3);
    assert_eq!(stage.active(), ["vmPausedIoError"]);
    // Long after: a coincidence, not one cause.
    stage.pass(60);
    stage.machine_on(11, "b", "sshfs://server/export", true);
    stage.pass(3);
    assert_eq!(stage.active(), ["vmPausedIoError", "vmPausedIoError"]);
}

#[test]
fn what_an_event_told_is_linked_later() {
    let (mut stage, ..) = site();
    stage.surveillance.hear(crate::fault::Hearing::Event);
    stage.machine_on(1, "a", "sshfs://server/export", true);
    let (first, alarm) = stage.the("vmPausedIoError");
    assert!(alarm.root, "told at once");
    stage.machine_on(11, "b", "sshfs://server/export", true);
    let root = all_linked_to_one_root(&stage, 2);
    assert_eq!(stage.list()[&first].root_cause, Some(root));
}

#[test]
fn a_host_with_all_its_disks_there_is_enough() {
    let mut stage = Stage::new();
    stage.host_with_mount("a", "nfs4", "server:/export");
    stage.backing(EXPORT);
    for number in 1..=3 {
        stage.machine_on(number, "a", EXPORT, false);
    }
    for number in 1..=3 {
        stage.machine_on(number, "a", EXPORT, true);
    }
    all_linked_to_one_root(&stage, 3);
}

#[test]
fn a_hung_mount_explains_only_what_lies_on_it() {
    let (mut stage, machines, mounts) = site();
    stage.signs(vec![Sign::Present(Box::new(Finding::new(AlarmType::HostMountHung, &mounts[0], "hangs")))]);
    stage.pass(3);
    let (mount, _) = stage.the("hostMountHung");
    stage.machine_on(101, "a", "local://a/", true);
    stage.machine_on(1, "a", "sshfs://server/export", true);
    stage.pass(3);
    let list = stage.list();
    let of = |machine: &Name| list.values().find(|alarm| alarm.object == *machine).expect("raised").root_cause.clone();
    assert_eq!(of(&machines[0]), Some(mount));
    assert_eq!(of(&Name::virtual_machine(uuid::Uuid::from_u128(101))), None);
}

#[test]
fn a_restart_in_the_storage_night_tells_nothing_and_the_end_is_still_seen() {
    let (mut stage, ..) = site();
    for number in 1_u128..=20 {
        stage.machine_on(number, if number <= 10 { "a" } else { "b" }, "sshfs://server/export", true);
    }
    stage.pass(12);
    let told = stage.told.len();
    stage.restart();
    stage.pass(12);
    assert_eq!(stage.told.len(), told, "{:?}", &stage.told[told..]);
    for number in 1_u128..=20 {
        stage.machine_on(number, if number <= 10 { "a" } else { "b" }, "sshfs://server/export", false);
    }
    stage.restart();
    stage.pass(61);
    assert!(stage.active().is_empty());
}
