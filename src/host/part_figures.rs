//! Figures of the machine's parts: processors, NUMA nodes, disks, NICs, sensors.
//!
//! What a part does not have is absent; what makes no sense is an error and absent. Nothing here waits.

use super::figures::{STAT, Ticks, take};
use super::root::Root;
use super::sheet::{Sheet, line, nonsense, number, text};
use super::{disks, nics};
use crate::model::measurement::{AbsentReason, Part};
use crate::model::metric::Metric;
use crate::model::observation::CollectError;
use std::collections::BTreeMap;

const PROCESSORS: &str = "/sys/devices/system/cpu";
const NODES: &str = "/sys/devices/system/node";
const DISKS: &str = "/proc/diskstats";
const SENSORS: &str = "/sys/class/hwmon";

/// The kernel counts sectors of this many bytes, whatever the device's own.
const SECTOR: u64 = 512;

/// Most parts of a kind: processors, sensors.
const MOST: usize = 8_192;

/// Processors that are on.
pub fn processors(root: &Root, errors: &mut Vec<CollectError>) -> Vec<Sheet> {
    let table = take(text(root, STAT), errors).unwrap_or_default();
    let mut sheets = Vec::new();
    for row in table.lines().filter_map(|line| line.strip_prefix("cpu")).take(MOST) {
        let Some((Ok(id), ticks)) = row.split_once(' ').map(|(id, ticks)| (id.parse::<u32>(), ticks)) else { continue };
        let ticks = Ticks::read(ticks);
        if ticks.is_none() {
            errors.push(nonsense(STAT.as_ref(), format!("times of processor {id} are no figures")));
        }
        let mut sheet = Sheet::new(Part::Cpu(id));
        sheet.put(Metric::HostCpuTimeBusyPerCpu, ticks.and_then(Ticks::busy_ns));
        let kilohertz = take(number(root, format!("{PROCESSORS}/cpu{id}/cpufreq/scaling_cur_freq")), errors);
        sheet.put(Metric::HostCpuFrequency, kilohertz.map(|kilohertz| kilohertz.saturating_mul(1_000)));
        let throttled = number(root, format!("{PROCESSORS}/cpu{id}/thermal_throttle/core_throttle_count"));
        sheet.figure(Metric::HostCpuThrottleCount, throttled, errors);
        sheets.push(sheet);
    }
    sheets
}

/// NUMA nodes with memory.
pub fn numa_nodes(root: &Root, errors: &mut Vec<CollectError>) -> Vec<Sheet> {
    let default_kib = take(text(root, "/proc/meminfo"), errors)
        .and_then(|table| take(line(&table, "Hugepagesize", "/proc/meminfo"), errors));
    let mut sheets = BTreeMap::new();
    for name in root.names(NODES).unwrap_or_default() {
        let Some(id) = name.strip_prefix("node").and_then(|id| id.parse::<u32>().ok()) else { continue };
        let path = format!("{NODES}/{name}/meminfo");
        let table = take(text(root, &path), errors).unwrap_or_default();
        let prefix = format!("Node {id} MemFree");
        let free = take(line(&table, &prefix, &path), errors).map(|kib| kib.saturating_mul(1_024));
        let mut sheet = Sheet::new(Part::NumaNode(id));
        sheet.put(Metric::HostMemoryNumaFree, free);
        for (file, metric) in
            [("nr_hugepages", Metric::HostHugepagesTotal), ("free_hugepages", Metric::HostHugepagesFree)]
        {
            sheet.put(metric, default_kib.and_then(|size| huge_pages(root, &name, file, size, errors)));
        }
        sheets.insert(id, sheet);
    }
    sheets.into_values().collect()
}

/// Huge pages of all sizes in units of the default size.
fn huge_pages(root: &Root, node: &str, file: &str, default_kib: u64, errors: &mut Vec<CollectError>) -> Option<u64> {
    let folder = format!("{NODES}/{node}/hugepages");
    let sizes = root.names(&folder).ok()?;
    let pages = sizes.iter().filter_map(|size| {
        let kib: u64 = size.strip_prefix("hugepages-")?.strip_suffix("kB")?.parse().ok()?;
        let pages = take(number(root, format!("{folder}/{size}/{file}")), errors)?;
        Some(pages.saturating_mul(kib / default_kib.max(1)))
    });
    pages.reduce(u64::saturating_add)
}

/// Disks of the inventory.
pub fn disks(root: &Root, errors: &mut Vec<CollectError>) -> Vec<Sheet> {
    let table = take(text(root, DISKS), errors).unwrap_or_default();
    let rows: BTreeMap<&str, Vec<&str>> = table
        .lines()
        .filter_map(|line| {
            let mut words = line.split_whitespace().skip(2);
            Some((words.next()?, words.collect()))
        })
        .collect();
    let names = disks::names(root).unwrap_or_default();
    names.into_iter().map(|name| disk(&name, rows.get(name.as_str()), errors)).collect()
}

/// reads, merged, sectors, ms; writes, merged, sectors, ms; in flight, ms with at least one request
fn disk(name: &str, row: Option<&Vec<&str>>, errors: &mut Vec<CollectError>) -> Sheet {
    let mut sheet = Sheet::new(Part::Disk(name.into()));
    for (metric, place, unit) in [
        (Metric::HostDiskReadOps, 0, 1),
        (Metric::HostDiskWriteOps, 4, 1),
        (Metric::HostDiskReadBytes, 2, SECTOR),
        (Metric::HostDiskWriteBytes, 6, SECTOR),
        (Metric::HostDiskReadTime, 3, 1),
        (Metric::HostDiskWriteTime, 7, 1),
        (Metric::HostDiskIoTime, 9, 1),
    ] {
        let word = row.and_then(|row| row.get(place));
        let value = word.and_then(|word| word.parse::<u64>().ok());
        if word.is_some() && value.is_none() {
            errors.push(nonsense(DISKS.as_ref(), format!("figures of {name} are none")));
        }
        sheet.put(metric, value.map(|value| value.saturating_mul(unit)));
    }
    sheet
}

/// Interfaces of the inventory.
pub fn nics(root: &Root, errors: &mut Vec<CollectError>) -> Vec<Sheet> {
    let names = nics::names(root).unwrap_or_default();
    names.into_iter().map(|name| nic(root, &name, errors)).collect()
}

fn nic(root: &Root, name: &str, errors: &mut Vec<CollectError>) -> Sheet {
    let mut sheet = Sheet::new(Part::Nic(name.into()));
    let file = |file: &str| format!("{}/{name}/{file}", nics::CLASS);
    for (statistic, metric) in [
        ("rx_bytes", Metric::HostNetRxBytes),
        ("tx_bytes", Metric::HostNetTxBytes),
        ("rx_packets", Metric::HostNetRxPackets),
        ("tx_packets", Metric::HostNetTxPackets),
        ("rx_errors", Metric::HostNetRxErrors),
        ("tx_errors", Metric::HostNetTxErrors),
        ("rx_dropped", Metric::HostNetRxDropped),
        ("tx_dropped", Metric::HostNetTxDropped),
        ("multicast", Metric::HostNetRxMulticast),
    ] {
        sheet.figure(metric, number(root, file(&format!("statistics/{statistic}"))), errors);
    }
    sheet.figure(Metric::HostNetCarrierChanges, number(root, file("carrier_changes")), errors);
    // Of an interface that is switched off the kernel does not tell the carrier.
    let carrier = take(number(root, file("carrier")), errors);
    let link = carrier.or_else(|| (root.word(file("operstate")) == "down").then_some(0));
    sheet.put(Metric::HostNetLinkUp, link);
    // A link that is down has no speed: the kernel answers -1 or an error.
    let speed = root.number::<i64>(file("speed")).filter(|speed| *speed > 0);
    match speed.and_then(|speed| u64::try_from(speed).ok()) {
        Some(megabits) => sheet.put(Metric::HostNetLinkSpeed, Some(megabits.saturating_mul(1_000_000))),
        None if link == Some(0) => sheet.lack(Metric::HostNetLinkSpeed, AbsentReason::NotRunning),
        None => sheet.put(Metric::HostNetLinkSpeed, None),
    }
    sheet
}

/// Kinds of sensors: file name without its number, the metric, and what one of its unit is in the metric's.
const KINDS: [(&str, &str, Metric, f64); 5] = [
    ("temp", "_input", Metric::HostTemperature, 1e3),
    ("fan", "_input", Metric::HostFanSpeed, 1.0),
    ("power", "_input", Metric::HostPower, 1e6),
    ("power", "_average", Metric::HostPower, 1e6),
    ("in", "_input", Metric::HostVoltage, 1e3),
];

/// Sensors by chip, e.g. `coretemp-0/temp1`: chips of one name are counted from 0, in the kernel's order.
pub fn sensors(root: &Root, errors: &mut Vec<CollectError>) -> Vec<Sheet> {
    let mut chips: Vec<(u32, String)> = root
        .names(SENSORS)
        .unwrap_or_default()
        .into_iter()
        .filter_map(|folder| Some((folder.strip_prefix("hwmon")?.parse().ok()?, folder)))
        .collect();
    chips.sort();
    let mut seen: BTreeMap<String, u32> = BTreeMap::new();
    let mut sheets = Vec::new();
    for (_, folder) in chips {
        let name = root.word(format!("{SENSORS}/{folder}/name"));
        if name.is_empty() {
            continue;
        }
        let number = seen.entry(name.clone()).or_default();
        let chip = format!("{name}-{number}");
        *number += 1;
        sheets.extend(chip_sensors(root, &folder, &chip, errors));
    }
    sheets.truncate(MOST);
    sheets
}

fn chip_sensors(root: &Root, folder: &str, chip: &str, errors: &mut Vec<CollectError>) -> Vec<Sheet> {
    let mut found: BTreeMap<String, Sheet> = BTreeMap::new();
    for file in root.names(format!("{SENSORS}/{folder}")).unwrap_or_default() {
        let kind = KINDS.iter().find_map(|(kind, suffix, metric, unit)| {
            let sensor = file.strip_suffix(suffix)?;
            sensor.strip_prefix(kind)?.parse::<u32>().is_ok().then_some((sensor, *metric, *unit))
        });
        let Some((sensor, metric, unit)) = kind else { continue };
        if found.contains_key(sensor) {
            continue;
        }
        let path = format!("{SENSORS}/{folder}/{file}");
        // A sensor may be there and not answer.
        let told = take(text(root, &path), errors);
        let value = told.as_deref().map(|text| text.trim().parse::<i64>());
        if let Some(Err(_)) = value {
            errors.push(nonsense(path.as_ref(), "is no figure"));
        }
        #[expect(clippy::cast_precision_loss, reason = "no sensor shows so much")]
        let value = value.and_then(Result::ok).map(|value| value as f64 / unit);
        let mut sheet = Sheet::new(Part::Sensor(format!("{chip}/{sensor}").into()));
        sheet.put_real(metric, value);
        found.insert(sensor.to_owned(), sheet);
    }
    found.into_values().collect()
}
