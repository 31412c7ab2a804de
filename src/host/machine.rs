//! Operating system, uptime, processors and memory of the machine.

use super::root::Root;
use crate::model::host::{HugePages, NumaNode};
use procfs::{FromRead, Meminfo, Uptime};
use std::collections::BTreeMap;

/// Folder of the NUMA nodes.
const NODES: &str = "/sys/devices/system/node";

/// Folder of the huge page sizes.
const HUGE_PAGES: &str = "/sys/kernel/mm/hugepages";

/// Name of the operating system for people, e.g. `Debian GNU/Linux 12 (bookworm)`.
pub fn os_name(root: &Root) -> Option<String> {
    let text = root.text("/etc/os-release").or_else(|_| root.text("/usr/lib/os-release")).ok()?;
    let value = |key: &str| {
        let line = text.lines().find_map(|line| line.trim().strip_prefix(key)?.strip_prefix('='))?;
        Some(line.trim_matches(['"', '\'']).to_owned()).filter(|value| !value.is_empty())
    };
    value("PRETTY_NAME").or_else(|| value("NAME"))
}

/// Release of the running kernel.
pub fn kernel_version(root: &Root) -> Option<String> {
    Some(root.word("/proc/sys/kernel/osrelease")).filter(|release| !release.is_empty())
}

/// What the kernel calls its present run: another one after each boot.
pub fn boot_id(root: &Root) -> Option<String> {
    Some(root.word("/proc/sys/kernel/random/boot_id")).filter(|id| !id.is_empty())
}

/// Name of the machine.
pub fn host_name(root: &Root) -> Option<String> {
    Some(root.word("/proc/sys/kernel/hostname")).filter(|name| !name.is_empty())
}

/// Whole seconds since boot.
pub fn uptime_seconds(root: &Root) -> Option<u64> {
    Uptime::from_file(root.path("/proc/uptime")).ok().map(|uptime| uptime.uptime_duration().as_secs())
}

/// Memory of the machine, in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Memory {
    /// What the kernel manages.
    pub total_bytes: u64,
    /// What can be had without swapping; on kernels before 3.14 what is free.
    pub available_bytes: u64,
}

/// Memory from `/proc/meminfo`.
///
/// # Errors
/// The reason for people, when the file cannot be read or understood.
pub fn memory(root: &Root) -> Result<Memory, String> {
    let figures = Meminfo::from_file(root.path("/proc/meminfo")).map_err(|error| error.to_string())?;
    let available_bytes = figures.mem_available.unwrap_or(figures.mem_free);
    Ok(Memory { total_bytes: figures.mem_total, available_bytes })
}

/// Huge pages of every size, smallest first.
pub fn huge_pages(root: &Root) -> Vec<HugePages> {
    let names = root.names(HUGE_PAGES).unwrap_or_default();
    let mut sizes: Vec<HugePages> = names.iter().filter_map(|name| huge_page(root, name)).collect();
    sizes.sort_by_key(|size| size.page_size_bytes);
    sizes
}

/// A folder such as `hugepages-2048kB`.
fn huge_page(root: &Root, name: &str) -> Option<HugePages> {
    let kibibytes: u64 = name.strip_prefix("hugepages-")?.strip_suffix("kB")?.parse().ok()?;
    Some(HugePages {
        page_size_bytes: kibibytes.saturating_mul(1024),
        total: root.number(format!("{HUGE_PAGES}/{name}/nr_hugepages"))?,
        free: root.number(format!("{HUGE_PAGES}/{name}/free_hugepages"))?,
    })
}

/// NUMA nodes with their memory and processors.
pub fn numa_nodes(root: &Root) -> Vec<NumaNode> {
    let names = root.names(NODES).unwrap_or_default();
    let mut nodes: Vec<NumaNode> = names.iter().filter_map(|name| numa_node(root, name)).collect();
    nodes.sort_by_key(|node| node.id);
    nodes
}

fn numa_node(root: &Root, name: &str) -> Option<NumaNode> {
    let id = name.strip_prefix("node")?.parse().ok()?;
    // `Node 0 MemTotal:       32768000 kB`
    let meminfo = root.word(format!("{NODES}/{name}/meminfo"));
    let total = meminfo.lines().find_map(|line| line.split_once("MemTotal:"));
    let kibibytes: u64 = total.and_then(|(_, rest)| rest.split_whitespace().next()?.parse().ok()).unwrap_or_default();
    let cpu_ids = cpu_list(&root.word(format!("{NODES}/{name}/cpulist")));
    Some(NumaNode { id, memory_bytes: kibibytes.saturating_mul(1024), cpu_ids })
}

/// Most processors of a list: the kernel's own limit is 8,192.
const MAX_CPUS: usize = 8_192;

/// A list such as `0-3,8,10-11`.
pub fn cpu_list(text: &str) -> Vec<u32> {
    let ranges = text.trim().split(',').filter_map(|range| {
        let (first, last) = range.split_once('-').unwrap_or((range, range));
        Some(first.trim().parse::<u32>().ok()?..=last.trim().parse::<u32>().ok()?)
    });
    ranges.flatten().take(MAX_CPUS).collect()
}

/// Cumulative time of all processors by mode, in nanoseconds.
///
/// `user` holds niced and guest time and `kernel` that of interrupts, as libvirt counts them; `steal` is ours.
pub fn cpu_time_ns(root: &Root) -> BTreeMap<String, u64> {
    let text = root.text("/proc/stat").unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix("cpu ")).unwrap_or_default();
    let ticks: Vec<u64> = line.split_whitespace().map_while(|word| word.parse().ok()).collect();
    let nanoseconds = 1_000_000_000 / procfs::ticks_per_second().max(1);
    let sum = |places: &[usize]| {
        let ticks: Option<Vec<u64>> = places.iter().map(|&place| ticks.get(place).copied()).collect();
        let total = ticks?.into_iter().fold(0_u64, u64::saturating_add);
        Some(total.saturating_mul(nanoseconds))
    };
    // user nice system idle iowait irq softirq steal guest guest_nice
    let modes = [
        ("user", sum(&[0, 1])),
        ("kernel", sum(&[2, 5, 6])),
        ("idle", sum(&[3])),
        ("iowait", sum(&[4])),
        ("steal", sum(&[7])),
    ];
    modes.into_iter().filter_map(|(mode, time)| Some((mode.to_owned(), time?))).collect()
}
