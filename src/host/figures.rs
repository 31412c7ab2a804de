//! Figures of the machine as a whole: processors, load, memory, pressure, errors.
//!
//! What a file does not have is absent; what makes no sense is an error and absent. Nothing here waits.

use super::root::Root;
use super::sheet::{Sheet, line, nonsense, number, text};
use crate::model::measurement::Part;
use crate::model::metric::Metric;
use crate::model::observation::CollectError;

/// Processor times and the time of boot.
pub const STAT: &str = "/proc/stat";
const LOAD: &str = "/proc/loadavg";
const MEMORY: &str = "/proc/meminfo";
const VIRTUAL_MEMORY: &str = "/proc/vmstat";
const UPTIME: &str = "/proc/uptime";
const KSM: &str = "/sys/kernel/mm/ksm";
const EDAC: &str = "/sys/devices/system/edac/mc";

/// Everything about the machine as a whole.
pub fn whole(root: &Root, errors: &mut Vec<CollectError>) -> Sheet {
    let mut sheet = Sheet::new(Part::Whole);
    processors(root, &mut sheet, errors);
    load(root, &mut sheet, errors);
    memory(root, &mut sheet, errors);
    events(root, &mut sheet, errors);
    for (resource, metric) in
        [("cpu", Metric::HostPsiCpu), ("memory", Metric::HostPsiMemory), ("io", Metric::HostPsiIo)]
    {
        pressure(root, resource, metric, &mut sheet, errors);
    }
    for (file, metric) in [("pages_shared", Metric::HostKsmPagesShared), ("pages_sharing", Metric::HostKsmPagesSharing)]
    {
        sheet.figure(metric, number(root, format!("{KSM}/{file}")), errors);
    }
    for (file, metric) in [("ce_count", Metric::HostMemoryEccCorrected), ("ue_count", Metric::HostMemoryEccUncorrected)]
    {
        let controllers = root.names(EDAC).unwrap_or_default();
        let controllers = controllers.iter().filter(|name| name.starts_with("mc"));
        let counts = controllers.filter_map(|name| take(number(root, format!("{EDAC}/{name}/{file}")), errors));
        let total = counts.reduce(u64::saturating_add);
        sheet.put(metric, total);
    }
    // The kernel tells its offset by a system call alone, for which there is no safe way here.
    sheet.put_real(Metric::HostTimeOffset, None);
    sheet
}

/// Nanoseconds of one tick of the kernel's accounts.
fn tick_ns() -> u64 {
    1_000_000_000 / procfs::ticks_per_second().max(1)
}

/// Ticks of a line of `/proc/stat`: user nice system idle iowait irq softirq steal (guests are within user).
#[derive(Clone, Copy, Debug, Default)]
pub struct Ticks([Option<u64>; 8]);

impl Ticks {
    /// Reads what follows the name of a processor.
    pub fn read(line: &str) -> Option<Self> {
        let mut ticks = [None; 8];
        for (place, word) in ticks.iter_mut().zip(line.split_whitespace()) {
            *place = Some(word.parse().ok()?);
        }
        ticks[0].is_some().then_some(Self(ticks))
    }

    /// Sum of some places in nanoseconds; nothing if one of them is not told.
    fn ns(self, places: &[usize]) -> Option<u64> {
        let ticks: Option<Vec<u64>> = places.iter().map(|place| self.0[*place]).collect();
        Some(ticks?.into_iter().fold(0_u64, u64::saturating_add).saturating_mul(tick_ns()))
    }

    /// Time neither idle nor waiting for disks.
    pub fn busy_ns(self) -> Option<u64> {
        self.ns(&[0, 1, 2, 5, 6, 7]).or_else(|| self.ns(&[0, 1, 2]))
    }
}

/// User, kernel, idle and iowait as libvirt counts them, with niced and interrupt time within the first two; and
/// those parts on their own.
fn processors(root: &Root, sheet: &mut Sheet, errors: &mut Vec<CollectError>) {
    let all = take(text(root, STAT), errors);
    let line = all.as_deref().and_then(|text| text.lines().find_map(|line| line.strip_prefix("cpu ")));
    let ticks = line.and_then(Ticks::read);
    if line.is_some() && ticks.is_none() {
        errors.push(nonsense(STAT.as_ref(), "processor times are no figures"));
    }
    let ticks = ticks.unwrap_or_default();
    for (metric, places) in [
        (Metric::HostCpuTimeUser, &[0, 1][..]),
        (Metric::HostCpuTimeKernel, &[2, 5, 6]),
        (Metric::HostCpuTimeIdle, &[3]),
        (Metric::HostCpuTimeIowait, &[4]),
        (Metric::HostCpuTimeIntr, &[5]),
        (Metric::HostCpuTimeSoftirq, &[6]),
        (Metric::HostCpuTimeSteal, &[7]),
        (Metric::HostCpuTimeNice, &[1]),
    ] {
        sheet.put(metric, ticks.ns(places));
    }
}

fn load(root: &Root, sheet: &mut Sheet, errors: &mut Vec<CollectError>) {
    let loads = take(text(root, LOAD), errors);
    let mut words = loads.as_deref().unwrap_or_default().split_whitespace();
    for metric in [Metric::HostLoad1, Metric::HostLoad5, Metric::HostLoad15] {
        let word = words.next();
        sheet.put_real(metric, word.and_then(|word| real(word, LOAD, errors)));
    }
    let uptime = take(text(root, UPTIME), errors);
    let word = uptime.as_deref().and_then(|text| text.split_whitespace().next());
    sheet.put_real(Metric::HostUptime, word.and_then(|word| real(word, UPTIME, errors)));
}

fn memory(root: &Root, sheet: &mut Sheet, errors: &mut Vec<CollectError>) {
    let table = take(text(root, MEMORY), errors).unwrap_or_default();
    let mut bytes = |name: &str| take(line(&table, name, MEMORY), errors).map(|kib| kib.saturating_mul(1_024));
    for (name, metric) in [
        ("MemTotal", Metric::HostMemoryTotal),
        ("MemFree", Metric::HostMemoryFree),
        ("Buffers", Metric::HostMemoryBuffers),
        ("Cached", Metric::HostMemoryCached),
        ("MemAvailable", Metric::HostMemoryAvailable),
    ] {
        sheet.put(metric, bytes(name));
    }
    let swap = bytes("SwapTotal").zip(bytes("SwapFree"));
    sheet.put(Metric::HostSwapUsed, swap.map(|(total, free)| total.saturating_sub(free)));
}

fn events(root: &Root, sheet: &mut Sheet, errors: &mut Vec<CollectError>) {
    let table = take(text(root, VIRTUAL_MEMORY), errors).unwrap_or_default();
    let page = procfs::page_size();
    for (name, metric, unit) in [
        ("pswpin", Metric::HostSwapIn, page),
        ("pswpout", Metric::HostSwapOut, page),
        ("oom_kill", Metric::HostOomKill, 1),
    ] {
        let value = take(line(&table, name, VIRTUAL_MEMORY), errors);
        sheet.put(metric, value.map(|value| value.saturating_mul(unit)));
    }
}

/// `some avg10=0.31 avg60=…` of a resource.
fn pressure(root: &Root, resource: &str, metric: Metric, sheet: &mut Sheet, errors: &mut Vec<CollectError>) {
    let path = format!("/proc/pressure/{resource}");
    let table = take(text(root, &path), errors).unwrap_or_default();
    let some = table.lines().find_map(|line| line.strip_prefix("some "));
    let word = some.and_then(|line| line.split_whitespace().find_map(|word| word.strip_prefix("avg10=")));
    sheet.put_real(metric, word.and_then(|word| real(word, &path, errors)));
}

fn real(word: &str, path: &str, errors: &mut Vec<CollectError>) -> Option<f64> {
    let value = word.parse::<f64>().ok().filter(|value| value.is_finite());
    if value.is_none() {
        errors.push(nonsense(path.as_ref(), format!("{:?} is no figure", word.chars().take(40).collect::<String>())));
    }
    value
}

/// The figure, or nothing and the error among the others.
pub fn take<T>(figure: Result<Option<T>, CollectError>, errors: &mut Vec<CollectError>) -> Option<T> {
    figure.unwrap_or_else(|error| {
        errors.push(error);
        None
    })
}
