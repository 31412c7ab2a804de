//! Samples of trees of fixtures: what is there, what is missing, what makes no sense, and what does not answer.

use super::super::{LocalHost, Root, Space, SpaceProbe};
use super::{Tree, server};
use crate::model::measurement::{AbsentReason, MeasuredKey, Number, Owner, Part, Sample};
use crate::model::metric::{MeasuredClass, Metric};
use crate::model::name::{HostId, Name};
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::time::{Duration, Instant};

fn host() -> HostId {
    HostId::parse("kvm-07").expect("good")
}

/// Answers at once, except for `/mnt/broken`, which fails.
fn local(root: Root) -> LocalHost {
    let probe = SpaceProbe::asking(|path| match path.file_name().and_then(|name| name.to_str()) {
        Some("broken") => Err(std::io::Error::other("input/output error")),
        _ => Ok(Space { size_bytes: 1000, available_bytes: 250, used_bytes: 700, inodes_free: 9 }),
    });
    LocalHost::with_probe(root, probe, Duration::from_secs(20))
}

fn part<'a>(samples: &'a [Sample], part: &Part) -> &'a Sample {
    let key = MeasuredKey { owner: Owner::Host(host()), part: part.clone() };
    samples.iter().find(|sample| sample.key == key).unwrap_or_else(|| panic!("no {part:?}"))
}

fn value(sample: &Sample, metric: Metric) -> Result<f64, AbsentReason> {
    let read = sample.readings.iter().find(|(read, _)| *read == metric);
    let absent = || sample.absent.iter().find(|(absent, _)| *absent == metric);
    read.map(|(_, number)| number.as_f64()).ok_or_else(|| absent().unwrap_or_else(|| panic!("no word of {metric}")).1)
}

fn well_formed(samples: &[Sample]) {
    let mut keys = BTreeSet::new();
    for sample in samples {
        assert!(keys.insert(sample.key.clone()), "{:?} twice", sample.key);
        let metrics = sample.readings.iter().map(|(metric, _)| *metric);
        let metrics: Vec<Metric> = metrics.chain(sample.absent.iter().map(|(metric, _)| *metric)).collect();
        assert_eq!(metrics.iter().collect::<BTreeSet<_>>().len(), metrics.len(), "{:?}", sample.key);
        for metric in metrics {
            assert_eq!(Some(metric.class()), sample.key.class(), "{metric}");
        }
    }
}

/// A server whose counters are there.
fn measured() -> Tree {
    let tree = server();
    for (file, text) in [
        ("proc/loadavg", "0.25 1.50 2.75 3/400 77\n"),
        ("proc/vmstat", "nr_free_pages 7\npswpin 3\npswpout 4\noom_kill 2\n"),
        ("proc/pressure/cpu", "some avg10=12.50 avg60=1.00 avg300=0.10 total=99\nfull avg10=0.00 avg60=0.00\n"),
        ("proc/pressure/memory", "some avg10=0.00 avg60=0.00 avg300=0.00 total=0\n"),
        (
            "proc/diskstats",
            "   8       0 sda 10 1 20 30 40 2 60 70 0 90 100 0 0 0 0 1 1\n   8       1 sda1 1 1 1 1\n 259 0 nvme0n1 x\n",
        ),
        ("proc/sys/kernel/random/boot_id", "6ba7b810-9dad-41d1-80b4-00c04fd430c8\n"),
        ("sys/kernel/mm/ksm/pages_shared", "5\n"),
        ("sys/devices/system/edac/mc/mc0/ce_count", "1\n"),
        ("sys/devices/system/edac/mc/mc1/ce_count", "6\n"),
        ("sys/devices/system/cpu/cpu0/cpufreq/scaling_cur_freq", "2400000\n"),
        ("sys/devices/system/cpu/cpu0/thermal_throttle/core_throttle_count", "8\n"),
        ("sys/devices/system/node/node0/meminfo", "Node 0 MemTotal: 2048 kB\nNode 0 MemFree:        1024 kB\n"),
        ("sys/devices/system/node/node0/hugepages/hugepages-2048kB/nr_hugepages", "4\n"),
        ("sys/devices/system/node/node0/hugepages/hugepages-2048kB/free_hugepages", "1\n"),
        ("sys/devices/system/node/node0/hugepages/hugepages-1048576kB/nr_hugepages", "2\n"),
        ("sys/devices/system/node/node0/hugepages/hugepages-1048576kB/free_hugepages", "0\n"),
        ("sys/class/net/eno1/statistics/rx_bytes", "1000\n"),
        ("sys/class/net/eno1/statistics/tx_bytes", "garbage\n"),
        ("sys/class/net/eno1/statistics/multicast", "3\n"),
        ("sys/class/net/eno1/carrier", "1\n"),
        ("sys/class/net/eno1/carrier_changes", "2\n"),
        ("sys/class/hwmon/hwmon10/name", "coretemp\n"),
        ("sys/class/hwmon/hwmon10/temp1_input", "41500\n"),
        ("sys/class/hwmon/hwmon2/name", "coretemp\n"),
        ("sys/class/hwmon/hwmon2/temp1_input", "38000\n"),
        ("sys/class/hwmon/hwmon2/temp1_max", "90000\n"),
        ("sys/class/hwmon/hwmon3/name", "bmc\n"),
        ("sys/class/hwmon/hwmon3/fan2_input", "4200\n"),
        ("sys/class/hwmon/hwmon3/power1_average", "215500000\n"),
        ("sys/class/hwmon/hwmon3/in0_input", "12040\n"),
        ("sys/class/hwmon/hwmon3/in1_input", "no volts\n"),
    ] {
        tree.write(file, text.as_bytes());
    }
    tree
}

#[test]
fn the_machine_as_a_whole() {
    let tree = measured();
    let (samples, _) = local(tree.root()).samples(&host(), &BTreeMap::new());
    well_formed(&samples);
    let whole = part(&samples, &Part::Whole);
    let tick = 1e9 / procfs::ticks_per_second() as f64;
    let page = procfs::page_size() as f64;
    for (metric, expected) in [
        (Metric::HostCpuTimeUser, Ok(1_200.0 * tick)),
        (Metric::HostCpuTimeKernel, Ok(313.0 * tick)),
        (Metric::HostCpuTimeIdle, Ok(40_000.0 * tick)),
        (Metric::HostCpuTimeSteal, Ok(8.0 * tick)),
        (Metric::HostCpuTimeNice, Ok(200.0 * tick)),
        (Metric::HostLoad5, Ok(1.5)),
        (Metric::HostMemoryTotal, Ok(65_806_428.0 * 1_024.0)),
        (Metric::HostMemoryCached, Ok(2_000_000.0 * 1_024.0)),
        (Metric::HostSwapUsed, Ok(0.0)),
        (Metric::HostSwapOut, Ok(4.0 * page)),
        (Metric::HostOomKill, Ok(2.0)),
        (Metric::HostPsiCpu, Ok(12.5)),
        (Metric::HostPsiIo, Err(AbsentReason::Unsupported)),
        (Metric::HostMemoryEccCorrected, Ok(7.0)),
        (Metric::HostMemoryEccUncorrected, Err(AbsentReason::Unsupported)),
        (Metric::HostKsmPagesShared, Ok(5.0)),
        (Metric::HostKsmPagesSharing, Err(AbsentReason::Unsupported)),
        (Metric::HostUptime, Ok(350_735.47)),
        (Metric::HostTimeOffset, Err(AbsentReason::Unsupported)),
    ] {
        assert_eq!(value(whole, metric), expected, "{metric}");
    }
    assert!(samples.iter().all(|sample| sample.incarnation == 0x6ba7_b810_9dad_41d1), "one boot");
}

#[test]
fn its_parts() {
    let tree = measured();
    let (samples, errors) = local(tree.root()).samples(&host(), &BTreeMap::new());
    let tick = 1e9 / procfs::ticks_per_second() as f64;
    let sensor = |name: &str| Part::Sensor(name.into());
    for (of, metric, expected) in [
        (Part::Cpu(0), Metric::HostCpuTimeBusyPerCpu, Ok(760.0 * tick)),
        (Part::Cpu(0), Metric::HostCpuFrequency, Ok(2.4e9)),
        (Part::Cpu(0), Metric::HostCpuThrottleCount, Ok(8.0)),
        (Part::NumaNode(0), Metric::HostMemoryNumaFree, Ok(1_048_576.0)),
        (Part::NumaNode(0), Metric::HostHugepagesTotal, Ok(1_028.0)),
        (Part::NumaNode(0), Metric::HostHugepagesFree, Ok(1.0)),
        (Part::NumaNode(1), Metric::HostHugepagesFree, Err(AbsentReason::Unsupported)),
        (Part::Disk("sda".into()), Metric::HostDiskReadOps, Ok(10.0)),
        (Part::Disk("sda".into()), Metric::HostDiskReadBytes, Ok(10_240.0)),
        (Part::Disk("sda".into()), Metric::HostDiskWriteTime, Ok(70.0)),
        (Part::Disk("sda".into()), Metric::HostDiskIoTime, Ok(90.0)),
        (Part::Disk("nvme0n1".into()), Metric::HostDiskReadOps, Err(AbsentReason::Unsupported)),
        (Part::Nic("eno1".into()), Metric::HostNetRxBytes, Ok(1_000.0)),
        (Part::Nic("eno1".into()), Metric::HostNetTxBytes, Err(AbsentReason::Unsupported)),
        (Part::Nic("eno1".into()), Metric::HostNetLinkUp, Ok(1.0)),
        (Part::Nic("eno1".into()), Metric::HostNetLinkSpeed, Ok(1e10)),
        (Part::Nic("eno2".into()), Metric::HostNetLinkUp, Ok(0.0)),
        (Part::Nic("eno2".into()), Metric::HostNetLinkSpeed, Err(AbsentReason::NotRunning)),
        (sensor("coretemp-0/temp1"), Metric::HostTemperature, Ok(38.0)),
        (sensor("coretemp-1/temp1"), Metric::HostTemperature, Ok(41.5)),
        (sensor("bmc-0/fan2"), Metric::HostFanSpeed, Ok(4_200.0)),
        (sensor("bmc-0/power1"), Metric::HostPower, Ok(215.5)),
        (sensor("bmc-0/in0"), Metric::HostVoltage, Ok(12.04)),
        (sensor("bmc-0/in1"), Metric::HostVoltage, Err(AbsentReason::Unsupported)),
        (Part::Filesystem("/".into()), Metric::HostFsUsed, Ok(700.0)),
        (Part::Filesystem("/".into()), Metric::HostFsInodesFree, Ok(9.0)),
        (Part::Filesystem("/mnt/broken".into()), Metric::HostFsUsed, Err(AbsentReason::Unsupported)),
    ] {
        assert_eq!(value(part(&samples, &of), metric), expected, "{metric} of {of:?}");
    }
    let told: Vec<&str> = errors.iter().map(|error| error.what.as_str()).collect();
    for what in ["/proc/diskstats", "/sys/class/net/eno1/statistics/tx_bytes", "/sys/class/hwmon/hwmon3/in1_input"] {
        assert!(told.contains(&what), "{what} is not among {told:?}");
    }
}

#[test]
fn garbage_everywhere_is_errors_and_nothing_else() {
    let tree = measured();
    let folder = tree.0.path();
    let mut files = vec![folder.join("proc"), folder.join("sys")];
    while let Some(path) = files.pop() {
        if path.is_dir() {
            files.extend(std::fs::read_dir(&path).expect("readable").map(|entry| entry.expect("an entry").path()));
        } else if path.is_file() && path.file_name().is_none_or(|name| name != "mountinfo" && name != "size") {
            std::fs::write(&path, b"cpu x\xff\x00\ncpu0 y\nsome avg10=nan\nMemFree: zz kB\npswpin -1\n")
                .expect("written");
        }
    }
    let (samples, errors) = local(tree.root()).samples(&host(), &BTreeMap::new());
    well_formed(&samples);
    assert!(!errors.is_empty());
    let whole = part(&samples, &Part::Whole);
    for metric in [Metric::HostCpuTimeUser, Metric::HostPsiCpu, Metric::HostMemoryFree, Metric::HostSwapIn] {
        assert_eq!(value(whole, metric), Err(AbsentReason::Unsupported), "{metric}");
    }
}

#[test]
fn a_machine_without_anything_has_reasons_only() {
    let tree = Tree::unpack("minimal");
    std::fs::remove_dir_all(tree.0.path()).expect("removed");
    let (samples, _) = local(tree.root()).samples(&host(), &BTreeMap::new());
    well_formed(&samples);
    let whole = part(&samples, &Part::Whole);
    assert!(whole.readings.is_empty(), "{:?}", whole.readings);
    assert!(whole.absent.iter().all(|(_, reason)| *reason == AbsentReason::Unsupported));
}

#[test]
fn a_hung_mount_is_not_responding_and_holds_nobody_up() {
    let tree = server();
    let (_keep, gate) = std::sync::mpsc::channel::<()>();
    let gate = std::sync::Mutex::new(gate);
    let probe = SpaceProbe::asking(move |path| {
        if path.ends_with("gfs") {
            let _ = gate.lock().map(|gate| gate.recv());
        }
        Ok(Space { size_bytes: 10, available_bytes: 4, used_bytes: 5, inodes_free: 1 })
    });
    let local = LocalHost::with_probe(tree.root(), probe, Duration::from_millis(300));
    let pools = BTreeMap::from([
        ("default".to_owned(), PathBuf::from("/var/lib/libvirt/images")),
        ("gluster".to_owned(), PathBuf::from("/mnt/gfs/vms")),
    ]);
    let begin = Instant::now();
    let (samples, _) = local.samples(&host(), &pools);
    assert!(begin.elapsed() < Duration::from_secs(5), "{:?}", begin.elapsed());
    well_formed(&samples);
    let hung = part(&samples, &Part::Filesystem("/mnt/gfs".into()));
    assert_eq!(value(hung, Metric::HostFsAvailable), Err(AbsentReason::NotResponding));
    assert_eq!(value(part(&samples, &Part::Filesystem("/".into())), Metric::HostFsAvailable), Ok(4.0));
    let pool = |name: &str| {
        let key = MeasuredKey::whole(Owner::Other(Name::storage_pool(&host(), name)));
        samples.iter().find(|sample| sample.key == key).expect("told")
    };
    assert_eq!(value(pool("default"), Metric::PoolAllocation), Ok(5.0));
    assert_eq!(value(pool("default"), Metric::PoolFiguresAge), Ok(0.0));
    assert_eq!(value(pool("gluster"), Metric::PoolAvailable), Err(AbsentReason::NotResponding));
}

#[test]
fn this_machine_is_measured_in_milliseconds() {
    let local = LocalHost::new(Root::machine());
    local.statistics();
    let begin = Instant::now();
    let (samples, errors) = local.samples(&host(), &BTreeMap::new());
    eprintln!("{} samples of this machine in {:?}, errors {errors:?}", samples.len(), begin.elapsed());
    well_formed(&samples);
    let whole = part(&samples, &Part::Whole);
    for metric in [Metric::HostCpuTimeIdle, Metric::HostMemoryAvailable, Metric::HostLoad1, Metric::HostUptime] {
        assert!(value(whole, metric).is_ok_and(|value| value >= 0.0), "{metric}");
    }
    assert!(samples.iter().any(|sample| sample.key.class() == Some(MeasuredClass::HostCpu)));
    assert!(matches!(whole.readings[0].1, Number::Integer(_)));
}
