//! What the simulated hosts measure. Pure; counters grow with the weighted time since boot, as the machines' do.

use super::ailment::Ailment;
use super::hardware;
use super::overlay::HostTrouble;
use super::world::World;
use crate::hypervisor::measured::{Readings, count, lack, sample};
use crate::model::host::HostFilesystem;
use crate::model::measurement::{AbsentReason, Number, Owner, Part, Sample};
use crate::model::metric::Metric;
use crate::model::observation::{HostDeviceFacts, HostStatistics};

const GIB: u64 = 1 << 30;
/// Microseconds a probe takes.
const LATENCY_US: u64 = 700;
/// Bytes of an average packet.
const PACKET: u64 = 900;
/// Bytes of an average operation of a disk.
const OPERATION: u64 = 32_768;
/// Inodes a filesystem has per gibibyte.
const INODES_PER_GIB: u64 = 65_536;

impl World {
    /// Samples of a host and its parts, from its figures.
    pub fn host_samples(&self, host: u64, figures: &HostStatistics, samples: &mut Vec<Sample>) {
        let Some(id) = self.id(host) else { return };
        let owner = Owner::Host(id.clone());
        let uptime = self.uptime_us(host);
        let boot = u64::try_from(self.clock().0).unwrap_or_default().saturating_sub(uptime) / 1_000_000;
        let look = Look { world: self, host, figures, uptime, loaded: self.loaded_us(host) };
        let devices = hardware::devices(self.dice, host);
        let mut parts = vec![(Part::Whole, look.whole())];
        parts.extend(look.cpus());
        parts.extend(look.nodes());
        parts.extend(look.disks(&devices));
        parts.extend(look.nics(&devices));
        parts.extend(look.sensors());
        samples.extend(parts.into_iter().map(|(part, readings)| sample(&owner, part, boot, readings)));
        for filesystem in devices.filesystems.iter().flatten() {
            let part = Part::Filesystem(filesystem.mount_point.as_str().into());
            let mut sample = sample(&owner, part, boot, look.filesystem(filesystem));
            lack(&mut sample, &FILESYSTEM, AbsentReason::NotResponding);
            samples.push(sample);
        }
    }
}

const FILESYSTEM: [Metric; 4] =
    [Metric::HostFsSize, Metric::HostFsUsed, Metric::HostFsAvailable, Metric::HostFsInodesFree];

/// One look at a host.
struct Look<'a> {
    world: &'a World,
    host: u64,
    figures: &'a HostStatistics,
    /// Microseconds since boot.
    uptime: u64,
    /// The same, weighted by the load.
    loaded: u64,
}

impl Look<'_> {
    fn mode(&self, mode: &str) -> u64 {
        self.figures.cpu_time_ns.get(mode).copied().unwrap_or_default()
    }

    /// Load of the last moments in permille of all CPUs.
    fn busy_permille(&self) -> u64 {
        let wave = super::timeline::weight_permille(self.world.now);
        hardware::busy_permille(self.world.dice, self.host).saturating_mul(wave) / 1_000
    }

    fn whole(&self) -> Readings {
        let kernel = self.mode("kernel");
        let busy = self.busy_permille();
        let cpus = hardware::cpus(self.world.dice, self.host);
        #[expect(clippy::cast_precision_loss, reason = "small numbers")]
        let share = |permille: u64| Number::Real(permille as f64 / 1_000.0);
        let load = share(busy * cpus);
        let delay = match self.world.host_trouble(self.host) {
            Some(HostTrouble::Slow(milliseconds)) => milliseconds.saturating_mul(1_000),
            _ => 0,
        };
        let total = self.mode("user") + kernel + self.mode("idle") + self.mode("iowait");
        let mut readings = vec![
            count(Metric::HostCpuTimeUser, self.mode("user")),
            count(Metric::HostCpuTimeKernel, kernel),
            count(Metric::HostCpuTimeIdle, self.mode("idle")),
            count(Metric::HostCpuTimeIowait, self.mode("iowait")),
            count(Metric::HostCpuTimeIntr, kernel / 40),
            count(Metric::HostCpuTimeSoftirq, kernel / 25),
            count(Metric::HostCpuTimeNice, self.mode("user") / 200),
            count(Metric::HostCpuTimeSteal, 0),
            (Metric::HostLoad1, load),
            (Metric::HostLoad5, load),
            (Metric::HostLoad15, load),
            (Metric::HostPsiCpu, share(busy * 5)),
            (Metric::HostPsiMemory, share(busy)),
            (Metric::HostPsiIo, share(busy * 3)),
            count(Metric::HostOomKill, self.counted("oom_kill")),
            count(Metric::HostSwapUsed, 0),
            count(Metric::HostSwapIn, 0),
            count(Metric::HostSwapOut, 0),
            count(Metric::HostMemoryEccCorrected, total / 400_000_000_000_000_000),
            count(Metric::HostMemoryEccUncorrected, 0),
            count(Metric::HostKsmPagesShared, 0),
            count(Metric::HostKsmPagesSharing, 0),
            count(Metric::HostUptime, self.uptime / 1_000_000),
            (Metric::HostTimeOffset, Number::Real(0.000_02)),
            #[expect(clippy::cast_precision_loss, reason = "far below 2^53")]
            (Metric::HostHypervisorRpcLatency, Number::Real((LATENCY_US + delay) as f64 / 1e6)),
        ];
        readings.extend(self.memory());
        readings
    }

    fn memory(&self) -> Readings {
        let total = hardware::memory(self.world.dice, self.host);
        let available = self.figures.memory_free_bytes.unwrap_or_default().min(total);
        let cached = available / 4;
        let buffers = available / 64;
        vec![
            count(Metric::HostMemoryTotal, total),
            count(Metric::HostMemoryFree, available - cached - buffers),
            count(Metric::HostMemoryBuffers, buffers),
            count(Metric::HostMemoryCached, cached),
            count(Metric::HostMemoryAvailable, available),
        ]
    }

    fn counted(&self, counter: &str) -> u64 {
        self.world.overlay().counted.get(&(self.host, counter.to_owned())).copied().unwrap_or_default()
    }

    /// CPUs share what is busy; the first ones are a little busier.
    fn cpus(&self) -> Vec<(Part, Readings)> {
        let cpus = hardware::cpus(self.world.dice, self.host);
        let busy = u128::from(self.mode("user") + self.mode("kernel"));
        let weight = |cpu: u64| u128::from(1_000 - (cpu % 16) * 10);
        let all: u128 = (0..cpus).map(weight).sum();
        let hertz = 1_600_000_000 + self.busy_permille() * 800_000;
        let cpu = |cpu: u64| {
            let time = u64::try_from(busy * weight(cpu) / all.max(1)).unwrap_or(u64::MAX);
            let readings = vec![
                count(Metric::HostCpuTimeBusyPerCpu, time),
                count(Metric::HostCpuFrequency, hertz),
                count(Metric::HostCpuThrottleCount, 0),
            ];
            (Part::Cpu(u32::try_from(cpu).unwrap_or(u32::MAX)), readings)
        };
        (0..cpus).map(cpu).collect()
    }

    fn nodes(&self) -> Vec<(Part, Readings)> {
        let nodes = u64::from(hardware::SOCKETS);
        let free = self.figures.memory_free_bytes.unwrap_or_default() / nodes;
        let pages = |of: fn(&crate::model::host::HugePages) -> u64| {
            self.figures.huge_pages.iter().map(of).fold(0, u64::saturating_add) / nodes
        };
        let (total, unused) = (pages(|pages| pages.total), pages(|pages| pages.free));
        let readings = vec![
            count(Metric::HostMemoryNumaFree, free / 4 * 3),
            count(Metric::HostHugepagesTotal, total),
            count(Metric::HostHugepagesFree, unused),
        ];
        (0..hardware::SOCKETS).map(|node| (Part::NumaNode(node), readings.clone())).collect()
    }

    fn disks(&self, devices: &HostDeviceFacts) -> Vec<(Part, Readings)> {
        let disk = |(index, disk): (usize, &crate::model::host::HostDisk)| {
            let slowness = index as u64 + 1;
            let (read, written) =
                (self.loaded.saturating_mul(12) / slowness, self.loaded.saturating_mul(20) / slowness);
            let (reads, writes) = (read / OPERATION, written / OPERATION);
            let milliseconds = |operations: u64| operations / 1_000 * 300 * slowness;
            let readings = vec![
                count(Metric::HostDiskReadOps, reads),
                count(Metric::HostDiskWriteOps, writes),
                count(Metric::HostDiskReadBytes, read),
                count(Metric::HostDiskWriteBytes, written),
                count(Metric::HostDiskReadTime, milliseconds(reads)),
                count(Metric::HostDiskWriteTime, milliseconds(writes)),
                count(Metric::HostDiskIoTime, milliseconds(reads) / 2 + milliseconds(writes) / 2),
            ];
            (Part::Disk(disk.name.as_str().into()), readings)
        };
        devices.disks.iter().flatten().enumerate().map(disk).collect()
    }

    fn nics(&self, devices: &HostDeviceFacts) -> Vec<(Part, Readings)> {
        let nic = |nic: &crate::model::host::HostNic| {
            let down = self.world.overlay().ails(self.host, Ailment::NicDown(nic.name.clone()));
            let up = nic.link_state == "up" && !down;
            let (received, sent) = if nic.link_state == "up" {
                (self.loaded.saturating_mul(60), self.loaded.saturating_mul(45))
            } else {
                (0, 0)
            };
            let readings = vec![
                count(Metric::HostNetRxBytes, received),
                count(Metric::HostNetTxBytes, sent),
                count(Metric::HostNetRxPackets, received / PACKET),
                count(Metric::HostNetTxPackets, sent / PACKET),
                count(Metric::HostNetRxErrors, 0),
                count(Metric::HostNetTxErrors, 0),
                count(Metric::HostNetRxDropped, received / PACKET / 50_000),
                count(Metric::HostNetTxDropped, 0),
                count(Metric::HostNetRxMulticast, received / PACKET / 400),
                count(Metric::HostNetLinkUp, u64::from(up)),
                count(Metric::HostNetLinkSpeed, if up { nic.speed_bits_per_second } else { 0 }),
                count(Metric::HostNetCarrierChanges, u64::from(nic.link_state == "up") + u64::from(down)),
            ];
            (Part::Nic(nic.name.as_str().into()), readings)
        };
        devices.nics.iter().flatten().map(nic).collect()
    }

    fn filesystem(&self, filesystem: &HostFilesystem) -> Readings {
        // One that does not answer has no figure.
        let Some(available) = self.figures.filesystem_available_bytes.get(&filesystem.mount_point) else {
            return Vec::new();
        };
        let available = (*available).min(filesystem.size_bytes);
        vec![
            count(Metric::HostFsSize, filesystem.size_bytes),
            count(Metric::HostFsUsed, filesystem.size_bytes - available),
            count(Metric::HostFsAvailable, available),
            count(Metric::HostFsInodesFree, available / GIB * INODES_PER_GIB),
        ]
    }

    fn sensors(&self) -> Vec<(Part, Readings)> {
        let busy = self.busy_permille();
        #[expect(clippy::cast_precision_loss, reason = "small numbers")]
        let real = |value: u64| Number::Real(value as f64);
        let sensor = |name: &str, metric: Metric, value: Number| (Part::Sensor(name.into()), vec![(metric, value)]);
        vec![
            sensor("coretemp-0/temp1", Metric::HostTemperature, real(38 + busy / 25)),
            sensor("coretemp-1/temp1", Metric::HostTemperature, real(36 + busy / 24)),
            sensor("bmc-0/fan1", Metric::HostFanSpeed, real(4_200 + busy * 8)),
            sensor("bmc-0/power1", Metric::HostPower, real(180 + busy / 2)),
            sensor("bmc-0/in1", Metric::HostVoltage, Number::Real(12.04)),
        ]
    }
}
