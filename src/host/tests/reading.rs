//! What is read from trees of fixtures.

use super::super::machine::{cpu_list, cpu_time_ns, memory};
use super::super::{LocalHost, Mount, MountTable, Root, Space, SpaceProbe};
use super::{Tree, server};
use crate::model::host::{HostDisk, HostNic, HugePages, NumaNode};
use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

const DEADLINE: Duration = Duration::from_secs(20);

/// On the server of fixtures everything answers except `/mnt/broken`; `/odd` has no size.
fn local(tree: &Tree) -> LocalHost {
    let probe = SpaceProbe::asking(|path| match path.file_name().and_then(|name| name.to_str()) {
        Some("broken") => Err(std::io::Error::other("input/output error")),
        Some("odd") => Ok(Space::default()),
        _ => Ok(Space { size_bytes: 1000, available_bytes: 250, used_bytes: 700, inodes_free: 9 }),
    });
    LocalHost::with_probe(tree.root(), probe, DEADLINE)
}

#[test]
fn interfaces_of_the_host_without_those_of_guests() {
    let nics = local(&server()).devices().0.nics.expect("readable");
    let names: Vec<&str> = nics.iter().map(|nic| nic.name.as_str()).collect();
    assert_eq!(names, ["bond0", "bond0.100", "br0", "eno1", "eno2"]);
    let expected = HostNic {
        name: "eno1".to_owned(),
        mac: "08:00:27:00:00:01".to_owned(),
        link_state: "up".to_owned(),
        speed_bits_per_second: 10_000_000_000,
        mtu: 1500,
        driver: "ixgbe".to_owned(),
        master: "br0".to_owned(),
        addresses: vec!["fe80::a00:27ff:fe00:1/64".to_owned()],
    };
    assert_eq!(nics[3], expected);
    assert_eq!((nics[4].link_state.as_str(), nics[4].speed_bits_per_second), ("down", 0));
    assert_eq!((nics[0].link_state.as_str(), nics[2].mtu), ("down", 9000));
    assert_eq!(nics[2].addresses, ["2001:db8::7/64"]);
}

#[test]
fn disks_with_a_medium_and_no_virtual_ones() {
    let disks = local(&server()).devices().0.disks.expect("readable");
    let names: Vec<&str> = disks.iter().map(|disk| disk.name.as_str()).collect();
    assert_eq!(names, ["nvme0n1", "sda", "sdram", "vda"]);
    let nvme = HostDisk {
        name: "nvme0n1".to_owned(),
        model: "SAMSUNG MZVL2960".to_owned(),
        serial: "S64FNX0R".to_owned(),
        wwn: "eui.002538b111b2c3d4".to_owned(),
        size_bytes: 960_197_124_096,
        rotational: Some(false),
    };
    assert_eq!(disks[0], nvme);
    let sda = HostDisk {
        name: "sda".to_owned(),
        model: "ATA ST500DM002-1BD14".to_owned(),
        serial: "Z3T0ABCD".to_owned(),
        wwn: "naa.5000c5004e8bc0f1".to_owned(),
        size_bytes: 500_107_862_016,
        rotational: Some(true),
    };
    assert_eq!(disks[1], sda);
    assert_eq!((disks[3].model.as_str(), disks[3].serial.as_str(), disks[3].rotational), ("", "virtio-serial", None));
}

#[test]
fn real_filesystems_once_each_and_what_does_not_answer_named() {
    let (facts, statistics, errors) = local(&server()).read();
    let filesystems = facts.filesystems.expect("readable");
    let listed: Vec<(&str, &str, u64, bool)> = filesystems
        .iter()
        .map(|fs| (fs.mount_point.as_str(), fs.fs_type.as_str(), fs.size_bytes, fs.read_only))
        .collect();
    let expected = [
        ("/", "ext4", 1000, false),
        ("/var/lib/libvirt", "xfs", 1000, false),
        ("/mnt/with space", "nfs4", 1000, false),
        ("/mnt/gfs", "fuse.glusterfs", 1000, false),
        ("/mnt/auto", "cifs", 1000, false),
        ("/mnt/broken", "ext4", 0, true),
        ("/ceph", "ceph", 1000, false),
    ];
    assert_eq!(listed, expected);
    assert_eq!(errors.len(), 1);
    assert_eq!((errors[0].what.as_str(), errors[0].reason.as_str()), ("filesystem /mnt/broken", "input/output error"));
    assert_eq!(statistics.filesystem_available_bytes.get("/"), Some(&250));
    assert!(!statistics.filesystem_available_bytes.contains_key("/mnt/broken"), "absent is absent, never 0");
}

#[test]
fn a_filesystem_that_stops_answering_keeps_its_size() {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, Ordering};
    let fails = Arc::new(AtomicBool::new(false));
    let flag = fails.clone();
    let probe = SpaceProbe::asking(move |_| match flag.load(Ordering::SeqCst) {
        true => Err(std::io::Error::other("gone")),
        false => Ok(Space { size_bytes: 7, available_bytes: 1, ..Space::default() }),
    });
    let tree = server();
    let local = LocalHost::with_probe(tree.root(), probe, DEADLINE);
    let before = local.devices().0.filesystems;
    fails.store(true, Ordering::SeqCst);
    let (after, errors) = local.devices();
    assert_eq!(before.as_ref().map(|list| list[0].size_bytes), Some(7));
    assert!(after.filesystems.expect("listed").iter().all(|fs| fs.size_bytes == 7));
    assert_eq!(errors.len(), 8);
    assert!(local.statistics().0.filesystem_available_bytes.is_empty());
}

#[test]
fn operating_system_memory_and_processors() {
    let (facts, statistics, _) = local(&server()).read();
    assert_eq!(facts.os_name.as_deref(), Some("Debian GNU/Linux 12 (bookworm)"));
    assert_eq!(facts.kernel_version.as_deref(), Some("6.1.0-25-amd64"));
    assert!(facts.not_available.is_empty());
    assert_eq!(statistics.memory_free_bytes, Some(32_903_214 * 1024));
    assert_eq!(statistics.uptime_seconds, Some(350_735));
    let pages = [(2 << 20, 16, 4), (1 << 30, 2, 0)];
    let pages = pages.map(|(page_size_bytes, total, free)| HugePages { page_size_bytes, total, free });
    assert_eq!(statistics.huge_pages, pages);
    let tick = 1_000_000_000 / procfs::ticks_per_second();
    let modes = [("user", 1200), ("kernel", 313), ("idle", 40_000), ("iowait", 50), ("steal", 8)];
    let expected: BTreeMap<String, u64> = modes.map(|(mode, ticks)| (mode.to_owned(), ticks * tick)).into();
    assert_eq!(statistics.cpu_time_ns, expected);
}

#[test]
fn numa_nodes_with_memory_and_processors() {
    let nodes = local(&server()).numa_nodes();
    let node = |id, cpu_ids| NumaNode { id, memory_bytes: 32_903_214 * 1024, cpu_ids };
    assert_eq!(nodes[0], node(0, vec![0, 1, 2, 3, 8, 9, 10, 11]));
    assert_eq!(nodes[1], node(1, vec![4, 5, 6, 7, 12, 13, 14, 15]));
    assert_eq!(nodes[2], NumaNode { id: 10, ..NumaNode::default() });
}

#[test]
fn lists_of_processors_are_bounded() {
    assert_eq!(cpu_list("0,2-3\n"), [0, 2, 3]);
    assert_eq!(cpu_list("").len() + cpu_list("x,5-3,-").len(), 0);
    assert_eq!(cpu_list("0-4294967295").len(), 8192);
}

fn mount_point(local: &LocalHost, path: &str) -> String {
    local.mount_of(Path::new(path)).map(|mount| mount.mount_point.display().to_string()).unwrap_or_default()
}

#[test]
fn paths_lie_on_the_nearest_mount_and_links_are_followed() {
    let tree = server();
    let local = local(&tree);
    for (path, expected) in [
        ("/etc/passwd", "/"),
        ("/var/lib/libvirt/images/a.qcow2", "/var/lib/libvirt"),
        ("/var/lib/libvirtd", "/"),
        ("/var/lib/libvirt/../x", "/"),
        ("/mnt/with space/vm.img", "/mnt/with space"),
        ("/var/images/vm.img", "/mnt/gfs"),
        ("/var/rel/vm.img", "/srv/images"),
        ("/var/loop1/x", "/"),
        ("/", "/"),
        ("relative/path", ""),
        ("", ""),
    ] {
        assert_eq!(mount_point(&local, path), expected, "{path}");
    }
    let auto = local.mount_of(Path::new("/mnt/auto/x")).expect("mounted");
    assert_eq!(auto.fs_type, "cifs", "the later mount hides the earlier");
}

#[test]
fn network_filesystems_have_canonical_sources() {
    let table = MountTable::read(&server().root()).expect("readable");
    let sources: Vec<String> = table.mounts().iter().filter_map(Mount::network_source).collect();
    let expected = [
        "nfs://nas.example/export/vms",
        "gluster://g1/vol",
        "cifs://win.example/share",
        "cephfs://10.0.0.1:6789,10.0.0.2:6789/vms",
    ];
    assert_eq!(sources, expected);
}

#[test]
fn a_machine_without_files_says_so() {
    let (facts, statistics, errors) = LocalHost::new(Root::at("/nonexistent")).read();
    let missing: Vec<&str> = facts.not_available.keys().map(String::as_str).collect();
    assert_eq!(missing, ["disks", "filesystems", "kernel_version", "nics", "os_name"]);
    let failed: Vec<&str> = errors.iter().map(|error| error.what.as_str()).collect();
    assert_eq!(failed, ["mount table", "nics", "disks", "memory"]);
    assert_eq!((statistics.memory_free_bytes, statistics.uptime_seconds), (None, None));
    assert!(statistics.cpu_time_ns.is_empty() && statistics.huge_pages.is_empty());
}

#[test]
fn nonsense_in_files_gives_absent_figures() {
    let tree = Tree::unpack("minimal");
    assert!(memory(&tree.root()).is_err());
    assert!(cpu_time_ns(&tree.root()).is_empty());
}

#[test]
fn the_machine_itself_can_be_read() {
    let local = LocalHost::new(Root::machine());
    let (facts, statistics, _) = local.read();
    assert!(facts.kernel_version.is_some_and(|release| !release.is_empty()));
    assert!(statistics.memory_free_bytes.is_some_and(|bytes| bytes > 0));
    assert!(statistics.cpu_time_ns.contains_key("idle"));
    assert!(local.mount_of(Path::new("/")).is_some());
    assert!(local.space_of(Path::new("/")).is_ok_and(|space| space.size_bytes > 0));
}
