//! Usage: what a machine used over a time, for those who account for it.

use crate::model::measurement::MeasurementSeries;
use crate::model::metric::Metric;

const SECONDS_PER_HOUR: f64 = 3_600.0;
const NANOSECONDS_PER_HOUR: f64 = 3_600.0e9;

/// What was used. Times in which nothing was measured are not guessed: they are told as missing hours by who knows how
/// long it should have been.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Usage {
    /// CPU time used, in vCPU hours.
    pub vcpu_hours: f64,
    /// Memory held times the time it was held, in byte hours.
    pub memory_byte_hours: f64,
    /// Bytes read from disks.
    pub disk_read_bytes: f64,
    /// Bytes written to disks.
    pub disk_write_bytes: f64,
    /// Bytes received.
    pub net_rx_bytes: f64,
    /// Bytes sent.
    pub net_tx_bytes: f64,
    /// Hours for which memory was measured: how much of the time the figures cover.
    pub measured_hours: f64,
}

impl Usage {
    /// Metrics that [`add_usage`] takes.
    pub const METRICS: [Metric; 6] = [
        Metric::VmCpuTime,
        Metric::VmMemoryCurrent,
        Metric::VmDiskReadBytes,
        Metric::VmDiskWriteBytes,
        Metric::VmNetRxBytes,
        Metric::VmNetTxBytes,
    ];
}

/// Adds what a series of a machine tells, of periods of so many seconds; other metrics are passed over.
pub fn add_usage(usage: &mut Usage, series: &MeasurementSeries, granularity_seconds: u32) {
    let values = || series.points.iter().filter_map(|(_, point)| point.value.ok());
    let sum: f64 = values().sum();
    let hours = f64::from(granularity_seconds) / SECONDS_PER_HOUR;
    match series.metric {
        Metric::VmCpuTime => usage.vcpu_hours += sum / NANOSECONDS_PER_HOUR,
        Metric::VmMemoryCurrent => {
            usage.memory_byte_hours += sum * hours;
            usage.measured_hours += values().map(|_| hours).sum::<f64>();
        }
        Metric::VmDiskReadBytes => usage.disk_read_bytes += sum,
        Metric::VmDiskWriteBytes => usage.disk_write_bytes += sum,
        Metric::VmNetRxBytes => usage.net_rx_bytes += sum,
        Metric::VmNetTxBytes => usage.net_tx_bytes += sum,
        _ => {}
    }
}
