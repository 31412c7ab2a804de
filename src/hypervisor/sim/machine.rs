//! What each simulated machine consists of: names, definition, snapshots, labels and figures. Pure.

use super::dice::{Dice, Topic};
use crate::model::name::HostId;
use crate::model::observation::MachineStatistics;
use crate::model::time::Timestamp;
use crate::model::virtual_machine::{
    DiskVolatile, GuestAgent, NicVolatile, Snapshot, VirtualDisk, VirtualNic, VmDefinition,
};
use std::collections::BTreeMap;
use uuid::Uuid;

const GIB: u64 = 1 << 30;
/// Snapshots were taken in the days after 2026-01-01.
const SNAPSHOTS_SINCE: i64 = 1_767_225_600_000_000;
const ROLES: [&str; 16] = [
    "web", "db", "cache", "amf", "smf", "upf", "build", "mail", "dns", "git", "proxy", "queue", "monitor", "vpn",
    "ldap", "store",
];

/// Which machine is meant: a slot of the world and which machine of that slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Who {
    /// Slot, from 0.
    pub slot: u64,
    /// Machine of the slot, from 0.
    pub generation: u64,
    /// A copy with the same UUID, made by a fault.
    pub copy: bool,
}

impl Who {
    /// The number that all draws about this machine use.
    fn draw(self) -> u64 {
        self.generation.wrapping_mul(1 << 20).wrapping_add(self.slot).wrapping_add(u64::from(self.copy) << 60)
    }

    /// UUID of the machine; a copy has that of its original.
    pub fn uuid(self, dice: Dice) -> Uuid {
        dice.uuid(Topic::MachineUuid, self.slot, self.generation)
    }

    /// Name of the machine. Some are odd on purpose: long, with blanks, in other scripts.
    pub fn name(self, dice: Dice, renamed: bool) -> String {
        let role = dice.pick(&ROLES, Topic::Role, self.draw(), 0).unwrap_or("vm");
        let number = self.slot;
        let mut name = match number % 97 {
            5 => format!("{role}-{number:02}-{}", "long-name-".repeat(18)),
            6 => format!("Datenbank Übung 試験 {number:02}"),
            _ => format!("{role}-{number:02}"),
        };
        if self.generation > 0 {
            name.push_str(&format!("-g{}", self.generation % 100_000));
        }
        if renamed {
            name.push_str("-renamed");
        }
        if self.copy {
            name.push_str("-copy");
        }
        name
    }

    /// True if it is a container.
    pub fn is_container(self) -> bool {
        self.slot % 12 == 7
    }

    /// True if it is started with its host.
    pub fn autostart(self, dice: Dice) -> bool {
        dice.below(10, Topic::Shape, self.draw(), 9) < 6
    }
}

/// Where the disks of a machine lie.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lies {
    /// In pool `default` of its host.
    Local,
    /// In pool `nfs` of its group of hosts.
    Nfs,
    /// In pool `ceph` of its group of hosts.
    Rbd,
    /// In pool `fast`, a volume group of its host.
    Logical,
}

impl Lies {
    /// Name of the pool.
    pub fn pool(self) -> &'static str {
        match self {
            Self::Local => "default",
            Self::Nfs => "nfs",
            Self::Rbd => "ceph",
            Self::Logical => "fast",
        }
    }
}

/// A disk of a simulated machine, from which both the definition and the volume are made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DiskPlan {
    /// Target device.
    pub target: String,
    /// Name of the volume.
    pub volume: String,
    /// Where it lies.
    pub lies: Lies,
    /// Size the guest sees, in bytes.
    pub size: u64,
    /// It lies over the base image of its host.
    pub overlay: bool,
}

impl DiskPlan {
    /// Format of the volume.
    pub fn format(&self) -> &'static str {
        match self.lies {
            Lies::Local | Lies::Nfs => "qcow2",
            Lies::Rbd | Lies::Logical => "raw",
        }
    }

    /// Path of the volume; `group` is the group of hosts that share storage.
    pub fn path(&self, group: u64) -> String {
        match self.lies {
            Lies::Local => format!("/var/lib/libvirt/images/{}", self.volume),
            Lies::Nfs => format!("/srv/nfs/vms/{}", self.volume),
            Lies::Rbd => format!("vms-{group}/{}", self.volume),
            Lies::Logical => format!("/dev/fast/{}", self.volume),
        }
    }

    /// Bytes taken: all of a raw image, part of another.
    pub fn allocation(&self) -> u64 {
        if self.format() == "raw" { self.size } else { self.size / 10 * 4 }
    }
}

/// What a machine is given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shape {
    /// Virtual CPUs.
    pub vcpus: u32,
    /// Memory in bytes.
    pub memory_bytes: u64,
}

/// What a machine is given.
pub fn shape(who: Who, dice: Dice) -> Shape {
    let shape = dice.roll(Topic::Shape, who.draw(), 0);
    Shape { vcpus: 1 << (shape % 4), memory_bytes: (1 << (shape / 4 % 5)) * GIB / 2 }
}

/// Targets of a machine's disks.
pub fn targets(who: Who, dice: Dice) -> Vec<String> {
    disks(who, dice, false).into_iter().map(|disk| disk.target).collect()
}

/// Path of the base image that local disks may lie over.
pub const BASE_IMAGE: &str = "/var/lib/libvirt/images/debian-12-base.qcow2";

/// The disks of a machine; machines that migrate have theirs on shared storage.
pub fn disks(who: Who, dice: Dice, mobile: bool) -> Vec<DiskPlan> {
    let draw = who.draw();
    let count = match dice.below(10, Topic::Disk, draw, 0) {
        _ if who.is_container() => 0,
        0..7 => 1,
        7..9 => 2,
        _ => 3,
    };
    let stem = format!("vm-{:05}-{}{}", who.slot, who.generation, if who.copy { "-copy" } else { "" });
    (0..count)
        .map(|index: u8| {
            let roll = dice.roll(Topic::Disk, draw, u64::from(index) + 1);
            let lies = match (mobile, roll % 4) {
                (true, 0) => Lies::Rbd,
                (true, _) => Lies::Nfs,
                (false, 0) if index > 0 => Lies::Logical,
                (false, _) => Lies::Local,
            };
            let target = format!("vd{}", char::from(b'a' + index));
            let suffix = if lies == Lies::Local || lies == Lies::Nfs { ".qcow2" } else { "" };
            DiskPlan {
                volume: format!("{stem}-{target}{suffix}"),
                target,
                lies,
                size: (10 + roll % 8 * 10) * GIB,
                overlay: lies == Lies::Local && index == 0 && roll.is_multiple_of(3),
            }
        })
        .collect()
}

/// The definition of a machine.
pub fn definition(who: Who, dice: Dice, mobile: bool, group: u64, active: bool) -> VmDefinition {
    let draw = who.draw();
    let shape = dice.roll(Topic::Shape, draw, 0);
    let Shape { vcpus, memory_bytes: memory } = self::shape(who, dice);
    let container = who.is_container();
    VmDefinition {
        title: if shape.is_multiple_of(5) { format!("Service {}", who.slot) } else { String::new() },
        description: if shape.is_multiple_of(7) { "Made by the simulator".to_owned() } else { String::new() },
        virtualization_type: if container { "lxc" } else { "kvm" }.to_owned(),
        machine_type: if container { String::new() } else { "pc-q35-10.0".to_owned() },
        arch: "x86_64".to_owned(),
        os_type: if container { "exe" } else { "hvm" }.to_owned(),
        firmware: if container { "" } else { ["bios", "efi"][usize::from(shape & 64 != 0)] }.to_owned(),
        secure_boot: !container && shape & 192 == 192,
        tpm: !container && shape & 448 == 448,
        boot_order: if container { Vec::new() } else { vec!["hd".to_owned(), "network".to_owned()] },
        vcpus_current: vcpus,
        vcpus_maximum: vcpus * 2,
        cpu_model: if container { String::new() } else { "host-passthrough".to_owned() },
        cpu_pinning: pinning(shape, vcpus),
        memory_current_bytes: memory,
        memory_maximum_bytes: memory,
        huge_pages: shape.is_multiple_of(11),
        numa_nodeset: if shape.is_multiple_of(11) { "0".to_owned() } else { String::new() },
        balloon: !container,
        disks: virtual_disks(who, dice, mobile, group),
        nics: nics(who, dice, active),
        consoles: if container { vec!["console".to_owned()] } else { vec!["serial".to_owned(), "vnc".to_owned()] },
        agent: agent(!container && shape & 512 == 0, active),
        passthrough_devices: if shape.is_multiple_of(41) { vec!["pci:0000:3b:00.1".to_owned()] } else { Vec::new() },
        extensions: BTreeMap::from([("domain/clock/@offset".to_owned(), "utc".to_owned())]),
    }
}

fn agent(configured: bool, active: bool) -> GuestAgent {
    GuestAgent { configured, connected: configured.then_some(active) }
}

fn pinning(shape: u64, vcpus: u32) -> BTreeMap<u32, String> {
    if !shape.is_multiple_of(13) {
        return BTreeMap::new();
    }
    (0..vcpus).map(|vcpu| (vcpu, (vcpu + 2).to_string())).collect()
}

fn virtual_disks(who: Who, dice: Dice, mobile: bool, group: u64) -> Vec<VirtualDisk> {
    if who.is_container() {
        return vec![VirtualDisk {
            target: "/".to_owned(),
            device: "filesystem".to_owned(),
            source_type: "dir".to_owned(),
            source: format!("/var/lib/machines/{}", who.slot),
            ..VirtualDisk::default()
        }];
    }
    disks(who, dice, mobile).iter().map(|plan| virtual_disk(plan, group)).collect()
}

fn virtual_disk(plan: &DiskPlan, group: u64) -> VirtualDisk {
    let source_type = match plan.lies {
        Lies::Local | Lies::Nfs => "file",
        Lies::Rbd => "network",
        Lies::Logical => "block",
    };
    let source = match plan.lies {
        Lies::Rbd => format!("rbd://ceph-{group}.example.net/vms-{group}/{}", plan.volume),
        _ => plan.path(group),
    };
    VirtualDisk {
        target: plan.target.clone(),
        bus: "virtio".to_owned(),
        device: "disk".to_owned(),
        source_type: source_type.to_owned(),
        source,
        format: plan.format().to_owned(),
        cache_mode: if plan.lies == Lies::Local { String::new() } else { "none".to_owned() },
        error_policy: "stop".to_owned(),
        backing_chain: if plan.overlay { vec![BASE_IMAGE.to_owned()] } else { Vec::new() },
        ..VirtualDisk::default()
    }
}

/// MAC addresses of a machine, in order of its NICs.
pub fn macs(who: Who, dice: Dice) -> Vec<String> {
    let draw = who.draw();
    let count = match dice.below(10, Topic::Nic, draw, 0) {
        0..7 => 1,
        7..9 => 2,
        _ => 4,
    };
    (0..count)
        .map(|index| {
            let [_, _, _, _, _, a, b, c] = dice.roll(Topic::Mac, draw, index).to_be_bytes();
            format!("52:54:00:{a:02x}:{b:02x}:{c:02x}")
        })
        .collect()
}

/// The networks machines are attached to, in the order in which they are dealt out.
pub const NETWORKS: [&str; 4] = ["default", "lan", "vlan120", "isolated"];

fn nics(who: Who, dice: Dice, active: bool) -> Vec<VirtualNic> {
    let first = usize::try_from(dice.below(3, Topic::Nic, who.draw(), 1)).unwrap_or(0);
    macs(who, dice)
        .into_iter()
        .enumerate()
        .map(|(index, mac)| {
            let network = NETWORKS[(first + index) % NETWORKS.len()];
            VirtualNic {
                mac,
                model: if who.is_container() { String::new() } else { "virtio".to_owned() },
                connection_type: "network".to_owned(),
                network: network.to_owned(),
                bridge: if network == "lan" { "br0".to_owned() } else { String::new() },
                host_interface: if active { format!("vnet{}", who.slot * 4 + index as u64) } else { String::new() },
                link_state: "up".to_owned(),
                vlan_tags: if network == "vlan120" { vec![120] } else { Vec::new() },
                ..VirtualNic::default()
            }
        })
        .collect()
}

/// Labels as they stand in the machine's metadata.
pub fn labels(who: Who, dice: Dice) -> BTreeMap<String, String> {
    let roll = dice.roll(Topic::Shape, who.draw(), 1);
    let tier = ["prod", "stage", "dev"][usize::from(roll.is_multiple_of(4)) + usize::from(roll.is_multiple_of(16))];
    let mut labels = BTreeMap::from([("tier".to_owned(), tier.to_owned())]);
    if let Some(role) = dice.pick(&ROLES, Topic::Role, who.draw(), 0) {
        labels.insert("role".to_owned(), role.to_owned());
    }
    labels
}

/// Snapshots of a machine: none, one or a chain with a branch; `passing` adds one for a while.
pub fn snapshots(who: Who, dice: Dice, host: &HostId, passing: bool) -> Vec<Snapshot> {
    let roll = dice.roll(Topic::Snapshot, who.draw(), 0);
    let mut names: Vec<(&str, &str)> = match roll % 6 {
        _ if who.is_container() => Vec::new(),
        0 => vec![("clean-install", "")],
        1 => vec![
            ("clean-install", ""),
            ("vor dem Update", "clean-install"),
            ("after-update", "vor dem Update"),
            ("試験", "clean-install"),
        ],
        _ => Vec::new(),
    };
    if passing {
        let parent = names.last().map_or("", |(name, _)| *name);
        names.push(("nightly", parent));
    }
    let last = names.len().saturating_sub(1);
    let taken = SNAPSHOTS_SINCE + i64::try_from(roll % 864_000).unwrap_or(0) * 1_000_000;
    names
        .into_iter()
        .enumerate()
        .map(|(index, (name, parent))| Snapshot {
            vm_uuid: who.uuid(dice),
            display_name: name.to_owned(),
            parent: parent.to_owned(),
            current: index == last,
            create_time: Timestamp(taken + i64::try_from(index).unwrap_or(0) * 86_400_000_000),
            description: String::new(),
            vm_state: if index % 2 == 0 { "shutoff" } else { "running" }.to_owned(),
            memory_included: index % 2 == 1,
            disk_mode: "internal".to_owned(),
            host: Some(host.clone()),
        })
        .collect()
}

/// Figures of a machine that has been running for `active_us` real, load-weighted microseconds since its start.
pub fn statistics(who: Who, dice: Dice, mobile: bool, active_us: u64, hung: bool) -> MachineStatistics {
    let uuid = who.uuid(dice);
    if hung {
        return MachineStatistics { uuid, partial: true, ..MachineStatistics::default() };
    }
    let draw = who.draw();
    let load = dice.roll(Topic::Load, draw, 0);
    let Shape { vcpus, memory_bytes: memory } = shape(who, dice);
    let busy_permille = 20 + load % 600;
    let ballooned = memory - memory / 16 * ((active_us / 30_000_000) % 4);
    MachineStatistics {
        uuid,
        cpu_time_ns: Some(share(active_us, u64::from(vcpus) * busy_permille)),
        memory_actual_bytes: Some(ballooned),
        memory_rss_bytes: Some(ballooned / 4 * 3),
        disks: disks(who, dice, mobile).iter().map(|plan| disk_figures(plan, active_us, load)).collect(),
        nics: macs(who, dice)
            .into_iter()
            .enumerate()
            .map(|(index, mac)| (mac, nic_figures(active_us, load >> (index * 4))))
            .collect(),
        partial: false,
    }
}

fn disk_figures(plan: &DiskPlan, active_us: u64, load: u64) -> (String, DiskVolatile) {
    let allocation = plan.allocation();
    let figures = DiskVolatile {
        capacity_bytes: Some(plan.size),
        allocation_bytes: Some(allocation),
        physical_bytes: Some(allocation),
        read_bytes: Some(share(active_us, load % 3_000) / 1_000),
        written_bytes: Some(share(active_us, load % 2_000) / 1_000),
    };
    (plan.target.clone(), figures)
}

fn nic_figures(active_us: u64, load: u64) -> NicVolatile {
    NicVolatile {
        received_bytes: Some(share(active_us, 1 + load % 5_000) / 1_000),
        transmitted_bytes: Some(share(active_us, 1 + load % 3_000) / 1_000),
    }
}

/// So many units for each microsecond: nanoseconds at a load in permille, thousandths of bytes at a rate in kB/s.
fn share(active_us: u64, per_microsecond: u64) -> u64 {
    active_us.saturating_mul(per_microsecond)
}
