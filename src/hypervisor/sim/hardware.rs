//! What each simulated host consists of, and its moving figures. Pure.

use super::dice::{Dice, Topic};
use crate::model::capability::{Availability, Capabilities, Capability};
use crate::model::host::{HostCpu, HostDisk, HostFilesystem, HostHardware, HostNic, HugePages, NumaNode};
use crate::model::name::HostId;
use crate::model::observation::{HostDeviceFacts, HostFacts, HostStatistics, HypervisorFacts};
use crate::model::registration::Profile;
use std::collections::BTreeMap;

const GIB: u64 = 1 << 30;
/// Sockets, and NUMA nodes, of every host.
pub const SOCKETS: u32 = 2;
const THREADS: u32 = 2;
const PAGE_2M: u64 = 2 << 20;

/// Cores per socket of a host.
fn cores(dice: Dice, host: u64) -> u32 {
    dice.pick(&[8, 16, 32], Topic::Hardware, host, 0).unwrap_or(8)
}

/// Installed memory of a host, in bytes.
pub fn memory(dice: Dice, host: u64) -> u64 {
    dice.pick(&[128, 256, 512], Topic::Hardware, host, 1).unwrap_or(128) * GIB
}

/// CPUs of a host.
pub fn cpus(dice: Dice, host: u64) -> u64 {
    u64::from(cores(dice, host) * THREADS * SOCKETS)
}

/// Share of a host's CPU time that is used at mean load, in permille.
pub fn busy_permille(dice: Dice, host: u64) -> u64 {
    50 + dice.below(400, Topic::Hardware, host, 4)
}

/// The driver every simulated endpoint reports.
pub const TECHNOLOGY: &str = "sim";

/// The host itself.
pub fn facts(dice: Dice, host: u64, id: &HostId) -> HostFacts {
    let cores = cores(dice, host);
    let per_node = cores * THREADS;
    let (vendor, model, cpu) = dice
        .pick(
            &[
                ("Dell Inc.", "PowerEdge R760", "SapphireRapids"),
                ("HPE", "ProLiant DL385 Gen11", "EPYC-Genoa"),
                ("Supermicro", "SYS-221H", "Icelake-Server"),
            ],
            Topic::Hardware,
            host,
            2,
        )
        .unwrap_or(("", "", ""));
    HostFacts {
        host_name: format!("{id}.sim.example.net"),
        host_uuid: dice.uuid(Topic::HostUuid, host, 0).to_string(),
        cpu: HostCpu {
            model: cpu.to_owned(),
            arch: "x86_64".to_owned(),
            vendor: if cpu.starts_with("EPYC") { "AMD" } else { "Intel" }.to_owned(),
            sockets: SOCKETS,
            cores_per_socket: cores,
            threads_per_core: THREADS,
            logical_cpus: per_node * SOCKETS,
            online_cpus: per_node * SOCKETS,
            mhz: 2_400,
        },
        memory_total_bytes: memory(dice, host),
        numa_nodes: (0..SOCKETS).map(|node| numa_node(node, per_node, memory(dice, host))).collect(),
        hardware: Some(HostHardware {
            vendor: vendor.to_owned(),
            model: model.to_owned(),
            serial_number: format!("SIM{:08X}", dice.roll(Topic::Hardware, host, 3) >> 32),
            firmware_version: "2.14.1 (03/01/2026)".to_owned(),
        }),
        not_available: BTreeMap::new(),
    }
}

fn numa_node(id: u32, cpus: u32, memory: u64) -> NumaNode {
    NumaNode { id, memory_bytes: memory / u64::from(SOCKETS), cpu_ids: (id * cpus..(id + 1) * cpus).collect() }
}

/// The hypervisor, as its capabilities are probed under a profile.
pub fn hypervisor(profile: Profile) -> HypervisorFacts {
    HypervisorFacts {
        technology: TECHNOLOGY.to_owned(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        libvirt_version: String::new(),
        machine_types: vec!["pc-i440fx-10.0".to_owned(), "pc-q35-10.0".to_owned()],
        guest_archs: vec!["i686".to_owned(), "x86_64".to_owned()],
        capabilities: capabilities(profile),
        events: ["lifecycle", "network-lifecycle", "storage-pool-lifecycle"].map(str::to_owned).to_vec(),
    }
}

/// As on a libvirt host: what the read-only connection refuses needs profile manage.
fn capabilities(profile: Profile) -> Capabilities {
    let verdict = |capability| match capability {
        Capability::StorageRefresh | Capability::GuestAgent | Capability::Migration => match profile {
            Profile::Manage => Availability::Available,
            Profile::Monitor => Availability::NeedsManage,
        },
        Capability::DeviceEvents => Availability::Unsupported,
        _ => Availability::Available,
    };
    Capability::ALL.into_iter().map(|capability| (capability, verdict(capability))).collect()
}

/// Devices and filesystems of a host.
pub fn devices(dice: Dice, host: u64) -> HostDeviceFacts {
    HostDeviceFacts {
        nics: Some((0..4).map(|index| nic(dice, host, index)).chain([bridge(dice, host)]).collect()),
        disks: Some((0..3).map(|index| disk(dice, host, index)).collect()),
        filesystems: Some(filesystems(host)),
        os_name: Some("Debian GNU/Linux 12 (bookworm)".to_owned()),
        kernel_version: Some("6.1.0-32-amd64".to_owned()),
        boot_id: None,
        not_available: BTreeMap::new(),
    }
}

fn mac(dice: Dice, host: u64, index: u64) -> String {
    let [_, _, _, _, _, a, b, c] = dice.roll(Topic::Hardware, host, 16 + index).to_be_bytes();
    format!("3c:fd:fe:{a:02x}:{b:02x}:{c:02x}")
}

fn nic(dice: Dice, host: u64, index: u64) -> HostNic {
    HostNic {
        name: format!("eno{}", index + 1),
        mac: mac(dice, host, index),
        link_state: if index < 3 { "up" } else { "down" }.to_owned(),
        speed_bits_per_second: if index < 3 { 25_000_000_000 } else { 0 },
        mtu: if index == 1 { 9_000 } else { 1_500 },
        driver: "ice".to_owned(),
        master: if index == 0 { "br0".to_owned() } else { String::new() },
        addresses: if index == 1 { vec![address(20, host)] } else { Vec::new() },
    }
}

fn bridge(dice: Dice, host: u64) -> HostNic {
    HostNic {
        name: "br0".to_owned(),
        mac: mac(dice, host, 0),
        link_state: "up".to_owned(),
        mtu: 1_500,
        driver: "bridge".to_owned(),
        addresses: vec![address(10, host)],
        ..HostNic::default()
    }
}

fn address(network: u64, host: u64) -> String {
    format!("10.{network}.{}.{}/16", host / 250, host % 250 + 1)
}

fn disk(dice: Dice, host: u64, index: u64) -> HostDisk {
    let serial = dice.roll(Topic::Hardware, host, 32 + index);
    HostDisk {
        name: if index < 2 { format!("nvme{index}n1") } else { "sda".to_owned() },
        model: if index < 2 { "SIM NVMe 3.84TB" } else { "SIM HDD 16TB" }.to_owned(),
        serial: format!("S{serial:016X}"),
        wwn: format!("0x{serial:016x}"),
        size_bytes: if index < 2 { 3_840_755_982_336 } else { 16_000_900_661_248 },
        rotational: Some(index == 2),
    }
}

fn filesystems(host: u64) -> Vec<HostFilesystem> {
    let filesystem = |mount_point: &str, fs_type: &str, source: String, size_bytes| HostFilesystem {
        mount_point: mount_point.to_owned(),
        fs_type: fs_type.to_owned(),
        source,
        size_bytes,
        read_only: false,
    };
    let group = host / super::timeline::GROUP;
    vec![
        filesystem("/", "ext4", "/dev/nvme0n1p2".to_owned(), 200 * GIB),
        filesystem("/srv/nfs/vms", "nfs4", format!("filer-{group}.example.net:/export/vms"), 40 << 40),
        filesystem("/var/lib/libvirt/images", "xfs", "/dev/nvme0n1p3".to_owned(), 3 << 40),
    ]
}

/// Moving figures of a host up for `uptime_us`, `loaded_us` when weighted by its load, of which machines have
/// promised `promised_bytes` of memory.
pub fn statistics(dice: Dice, host: u64, uptime_us: u64, loaded_us: u64, promised_bytes: u64) -> HostStatistics {
    let cpus = cpus(dice, host);
    let busy = busy_permille(dice, host);
    let cpu = |us: u64, permille: u64| us.saturating_mul(cpus).saturating_mul(permille);
    let (user, kernel) = (cpu(loaded_us, busy - busy / 4), cpu(loaded_us, busy / 4));
    let iowait = cpu(uptime_us, 5);
    let idle = cpu(uptime_us, 1_000).saturating_sub(user + kernel + iowait);
    let total = memory(dice, host);
    HostStatistics {
        memory_free_bytes: Some(total.saturating_sub(promised_bytes / 4 * 3).saturating_sub(4 * GIB)),
        cpu_time_ns: [("idle", idle), ("iowait", iowait), ("kernel", kernel), ("user", user)]
            .map(|(mode, time)| (mode.to_owned(), time))
            .into(),
        huge_pages: vec![HugePages { page_size_bytes: PAGE_2M, total: 4_096, free: 2_048 }],
        filesystem_available_bytes: [
            ("/", 120 * GIB),
            ("/srv/nfs/vms", 16 << 40),
            ("/var/lib/libvirt/images", 1 << 40),
        ]
        .map(|(mount, free)| (mount.to_owned(), free))
        .into(),
        uptime_seconds: Some(uptime_us / 1_000_000),
    }
}
