//! The lab itself: what its script promises to the tests that stand on it.

use std::path::Path;
use std::process::Command;

use crate::harness::Lab;

fn words(text: &str) -> Vec<&str> {
    text.split_whitespace().collect()
}

/// `virsh` from outside of the hosts, as `vrmd` sees them.
fn list(uri: &str) -> String {
    let output = Command::new("virsh").args(["-q", "-c", uri, "list", "--name"]).output().expect("virsh starts");
    assert!(output.status.success(), "{uri}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[test]
fn one_host_serves_qemu_and_lxc_and_leaves_nothing() {
    let Some(lab) = Lab::one("lab-one") else { return };
    let running: Vec<String> = lab.uris().iter().map(|(_, uri)| list(uri)).collect();
    assert_eq!(running.iter().map(|names| words(names)).collect::<Vec<_>>(), [vec!["web-1", "web-2"], vec!["edge-1"]]);
    assert_eq!(
        words(&lab.virsh("one", &["snapshot-list", "db-1", "--topological", "--name"])),
        ["installed", "before-upgrade"]
    );
    let cgroups = std::fs::read_to_string(lab.dir().join("one/cgroups")).expect("the host has cgroups");
    lab.down();
    assert!(!lab.dir().exists());
    assert!(cgroups.lines().all(|cgroup| !Path::new(cgroup).exists()), "{cgroups}");
}

#[test]
fn guests_outlive_libvirtd() {
    let Some(lab) = Lab::one("lab-outlive") else { return };
    let pid_file = lab.dir().join("one/run/qemu/web-1.pid");
    let pid = std::fs::read_to_string(&pid_file).expect("web-1 runs");
    lab.run("kill-libvirtd", &["one"]);
    assert!(Path::new("/proc").join(&pid).exists(), "QEMU went with libvirtd");
    lab.run("start-libvirtd", &["one"]);
    assert_eq!(std::fs::read_to_string(&pid_file).ok(), Some(pid));
    assert_eq!(lab.virsh("one", &["domstate", "web-1", "--reason"]).trim(), "running (booted)");
}

#[test]
fn a_guest_migrates_live_between_hosts() {
    let Some(lab) = Lab::cluster("lab-cluster") else { return };
    let uuid = lab.virsh("kvm-a", &["domuuid", "mover"]);
    for (from, to, how) in [("kvm-a", "kvm-b", vec![]), ("kvm-b", "kvm-a", vec!["--p2p"])] {
        lab.run("migrate", &[&["mover", from, to], how.as_slice()].concat());
        assert_eq!(lab.virsh(to, &["domuuid", "mover"]), uuid);
        assert!(!words(&lab.virsh(from, &["list", "--all", "--name"])).contains(&"mover"));
    }
}
