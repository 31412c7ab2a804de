//! Figures of the built-in threshold monitors: what is compared with the levels of an alarm type.
//!
//! Levels, hysteresis and severities of these are the alarm type's (`fault/catalogue.toml`, as alarm profiles amend
//! them), so they are judged by fault management; here is what they are about.

use crate::model::measurement::PeriodResult;
use crate::model::metric::{MeasuredClass, Metric};

/// How a figure comes from the result of a period.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Figure {
    /// The greatest of these levels.
    Greatest(&'static [Metric]),
    /// A counter per second, times a factor.
    PerSecond(Metric, f64),
    /// Counters by counters, times a factor; nothing below so many of the latter per second.
    Ratio {
        /// Above the line.
        above: &'static [Metric],
        /// Below the line.
        below: &'static [Metric],
        /// Factor.
        factor: f64,
        /// Least rate of what is below the line.
        least_per_second: f64,
    },
    /// What is used of a whole, in percent, from the whole and what is left.
    Used(Metric, Metric),
}

/// A built-in monitor.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct BuiltIn {
    /// Alarm type, which is the monitor's id too.
    pub alarm_type: &'static str,
    /// Class of what is watched.
    pub class: MeasuredClass,
    /// Metrics that must be accumulated.
    pub metrics: &'static [Metric],
    /// The figure.
    pub figure: Figure,
    /// Levels of the alarm type it is compared with, e.g. `percent`.
    pub levels: &'static str,
    /// Granularity period in seconds.
    pub granularity: u32,
    /// What stands for it in the alarm.
    pub metric: Metric,
}

const HOST_DISK: &[Metric] =
    &[Metric::HostDiskReadOps, Metric::HostDiskWriteOps, Metric::HostDiskReadTime, Metric::HostDiskWriteTime];
const DISK: &[Metric] = &[Metric::VdiskReadOps, Metric::VdiskWriteOps, Metric::VdiskReadTime, Metric::VdiskWriteTime];
const HOST_NIC_PACKETS: &[Metric] = &[Metric::HostNetRxPackets, Metric::HostNetTxPackets];
const HOST_NIC_BAD: &[Metric] =
    &[Metric::HostNetRxErrors, Metric::HostNetTxErrors, Metric::HostNetRxDropped, Metric::HostNetTxDropped];
const HOST_NIC: &[Metric] = &[
    Metric::HostNetRxPackets,
    Metric::HostNetTxPackets,
    Metric::HostNetRxErrors,
    Metric::HostNetTxErrors,
    Metric::HostNetRxDropped,
    Metric::HostNetTxDropped,
];
const LINK: &[Metric] = &[Metric::HostNetUtilisationRx, Metric::HostNetUtilisationTx];
const NIC_PACKETS: &[Metric] = &[Metric::VnicRxPackets, Metric::VnicTxPackets];
const NIC_BAD: &[Metric] = &[Metric::VnicRxErrors, Metric::VnicTxErrors, Metric::VnicRxDropped, Metric::VnicTxDropped];
const NIC: &[Metric] = &[
    Metric::VnicRxPackets,
    Metric::VnicTxPackets,
    Metric::VnicRxErrors,
    Metric::VnicTxErrors,
    Metric::VnicRxDropped,
    Metric::VnicTxDropped,
];

/// Bytes of the pages that swapping is told in.
const PAGE: f64 = 4_096.0;

/// The built-in monitors (operations.md F14).
pub const BUILT_IN: [BuiltIn; 10] = [
    BuiltIn {
        alarm_type: "hostCpuHigh",
        class: MeasuredClass::Host,
        metrics: &[Metric::HostCpuUsage],
        figure: Figure::Greatest(&[Metric::HostCpuUsage]),
        levels: "percent",
        granularity: 900,
        metric: Metric::HostCpuUsage,
    },
    BuiltIn {
        alarm_type: "hostSwapping",
        class: MeasuredClass::Host,
        metrics: &[Metric::HostSwapIn],
        figure: Figure::PerSecond(Metric::HostSwapIn, 1.0 / PAGE),
        levels: "pages_per_second",
        granularity: 300,
        metric: Metric::HostSwapIn,
    },
    BuiltIn {
        alarm_type: "hostDiskLatencyHigh",
        class: MeasuredClass::HostDisk,
        metrics: HOST_DISK,
        figure: Figure::Ratio {
            above: &[Metric::HostDiskReadTime, Metric::HostDiskWriteTime],
            below: &[Metric::HostDiskReadOps, Metric::HostDiskWriteOps],
            factor: 1.0,
            least_per_second: 1.0,
        },
        levels: "milliseconds",
        granularity: 300,
        metric: Metric::HostDiskLatencyRead,
    },
    BuiltIn {
        alarm_type: "hostNicErrors",
        class: MeasuredClass::HostNic,
        metrics: HOST_NIC,
        figure: Figure::Ratio { above: HOST_NIC_BAD, below: HOST_NIC_PACKETS, factor: 100.0, least_per_second: 1.0 },
        levels: "percent",
        granularity: 300,
        metric: Metric::HostNetRxErrors,
    },
    BuiltIn {
        alarm_type: "hostNicSaturated",
        class: MeasuredClass::HostNic,
        metrics: LINK,
        figure: Figure::Greatest(LINK),
        levels: "percent",
        granularity: 300,
        metric: Metric::HostNetUtilisationRx,
    },
    BuiltIn {
        alarm_type: "vmCpuHigh",
        class: MeasuredClass::VirtualMachine,
        metrics: &[Metric::VmCpuUsage],
        figure: Figure::Greatest(&[Metric::VmCpuUsage]),
        levels: "percent",
        granularity: 900,
        metric: Metric::VmCpuUsage,
    },
    BuiltIn {
        alarm_type: "vmCpuSteal",
        class: MeasuredClass::VirtualMachine,
        metrics: &[Metric::VmCpuSteal],
        figure: Figure::Greatest(&[Metric::VmCpuSteal]),
        levels: "percent",
        granularity: 300,
        metric: Metric::VmCpuSteal,
    },
    BuiltIn {
        alarm_type: "vmMemoryHigh",
        class: MeasuredClass::VirtualMachine,
        metrics: &[Metric::VmMemoryGuestAvailable, Metric::VmMemoryGuestUsable],
        figure: Figure::Used(Metric::VmMemoryGuestAvailable, Metric::VmMemoryGuestUsable),
        levels: "percent",
        granularity: 300,
        metric: Metric::VmMemoryUsage,
    },
    BuiltIn {
        alarm_type: "vmDiskLatencyHigh",
        class: MeasuredClass::VirtualDisk,
        metrics: DISK,
        figure: Figure::Ratio {
            above: &[Metric::VdiskReadTime, Metric::VdiskWriteTime],
            below: &[Metric::VdiskReadOps, Metric::VdiskWriteOps],
            // Nanoseconds to milliseconds.
            factor: 1e-6,
            least_per_second: 1.0,
        },
        levels: "milliseconds",
        granularity: 300,
        metric: Metric::VdiskLatencyRead,
    },
    BuiltIn {
        alarm_type: "vmNicDrops",
        class: MeasuredClass::VirtualNic,
        metrics: NIC,
        figure: Figure::Ratio { above: NIC_BAD, below: NIC_PACKETS, factor: 100.0, least_per_second: 100.0 },
        levels: "percent",
        granularity: 300,
        metric: Metric::VnicRxDropped,
    },
];

impl Figure {
    /// Its value in a period; nothing if what it comes from is absent.
    pub fn of(&self, result: &PeriodResult) -> Option<f64> {
        let seconds = result.granularity.as_secs_f64();
        let value = |metric: Metric| {
            let (_, value) = result.values.iter().find(|(held, _)| *held == metric)?;
            value.value.ok()
        };
        let sum = |metrics: &[Metric]| metrics.iter().map(|metric| value(*metric)).sum::<Option<f64>>();
        let figure = match self {
            Self::Greatest(metrics) => metrics.iter().filter_map(|metric| value(*metric)).reduce(f64::max)?,
            Self::PerSecond(metric, factor) => value(*metric)? / seconds * factor,
            Self::Ratio { above, below, factor, least_per_second } => {
                let (above, below) = (sum(above)?, sum(below)?);
                // Too few to tell a share of them: that is none that matters.
                if below / seconds < *least_per_second { 0.0 } else { above / below * factor }
            }
            Self::Used(whole, left) => {
                let whole = value(*whole).filter(|whole| *whole > 0.0)?;
                (whole - value(*left)?) / whole * 100.0
            }
        };
        figure.is_finite().then_some(figure)
    }
}
