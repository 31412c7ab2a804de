//! Names of measured series on the OpenMetrics page: one table (northbound.md 10).

use crate::model::metric::{Metric, MetricKind};

/// A series of the page.
#[derive(Clone, Copy, Debug)]
pub struct Family {
    /// The metric.
    pub metric: Metric,
    /// Name of the family without prefix and `_total`.
    pub name: &'static str,
    /// What a reading is multiplied by to be in a base unit.
    pub scale: f64,
}

/// Name of the series of a metric; nothing if it is not on the page.
pub fn series_name(metric: Metric) -> Option<String> {
    let family = FAMILIES.iter().find(|family| family.metric == metric)?;
    let total = if is_counter(metric) { "_total" } else { "" };
    Some(format!("vrm_{}{total}", family.name))
}

/// True if it counts.
pub fn is_counter(metric: Metric) -> bool {
    matches!(metric.kind(), MetricKind::Cumulative | MetricKind::Event)
}

/// Nanoseconds, milliseconds, percent.
const NS: f64 = 1e-9;
const MS: f64 = 1e-3;
const PERCENT: f64 = 1e-2;

macro_rules! families {
    ($($metric:ident $name:literal $scale:expr;)*) => {
        /// Every series, in the order of the page.
        pub const FAMILIES: &[Family] = &[$(Family { metric: Metric::$metric, name: $name, scale: $scale }),*];
    };
}

families! {
    HostCpuTimeUser "host_cpu_user_seconds" NS;
    HostCpuTimeKernel "host_cpu_kernel_seconds" NS;
    HostCpuTimeIdle "host_cpu_idle_seconds" NS;
    HostCpuTimeIowait "host_cpu_iowait_seconds" NS;
    HostCpuTimeSteal "host_cpu_steal_seconds" NS;
    HostCpuUsage "host_cpu_usage_ratio" PERCENT;
    HostLoad1 "host_load1" 1.0;
    HostLoad5 "host_load5" 1.0;
    HostLoad15 "host_load15" 1.0;
    HostMemoryTotal "host_memory_total_bytes" 1.0;
    HostMemoryFree "host_memory_free_bytes" 1.0;
    HostMemoryAvailable "host_memory_available_bytes" 1.0;
    HostMemoryUsage "host_memory_usage_ratio" PERCENT;
    HostSwapUsed "host_swap_used_bytes" 1.0;
    HostPsiCpu "host_pressure_cpu_ratio" PERCENT;
    HostPsiMemory "host_pressure_memory_ratio" PERCENT;
    HostPsiIo "host_pressure_io_ratio" PERCENT;
    HostUptime "host_uptime_seconds" 1.0;
    HostVmCount "host_vms" 1.0;
    HostVmRunning "host_vms_running" 1.0;
    HostVcpuAllocated "host_vcpus_allocated" 1.0;
    HostMemoryAllocated "host_memory_allocated_bytes" 1.0;
    HostDiskReadBytes "host_disk_read_bytes" 1.0;
    HostDiskWriteBytes "host_disk_written_bytes" 1.0;
    HostDiskReadOps "host_disk_reads" 1.0;
    HostDiskWriteOps "host_disk_writes" 1.0;
    HostDiskIoTime "host_disk_io_seconds" MS;
    HostFsSize "host_filesystem_size_bytes" 1.0;
    HostFsAvailable "host_filesystem_available_bytes" 1.0;
    HostNetRxBytes "host_network_receive_bytes" 1.0;
    HostNetTxBytes "host_network_transmit_bytes" 1.0;
    HostNetRxErrors "host_network_receive_errors" 1.0;
    HostNetTxErrors "host_network_transmit_errors" 1.0;
    HostNetLinkUp "host_network_link_up" 1.0;
    HostTemperature "host_temperature_celsius" 1.0;
    HostPower "host_power_watts" 1.0;
    VmCpuTime "vm_cpu_seconds" NS;
    VmCpuUsage "vm_cpu_usage_ratio" PERCENT;
    VmCpuSteal "vm_cpu_steal_ratio" PERCENT;
    VmVcpuCurrent "vm_vcpus" 1.0;
    VmMemoryCurrent "vm_memory_current_bytes" 1.0;
    VmMemoryMaximum "vm_memory_maximum_bytes" 1.0;
    VmMemoryRss "vm_memory_rss_bytes" 1.0;
    VmMemoryUsage "vm_memory_usage_ratio" PERCENT;
    VmMemorySwapIn "vm_memory_swap_in_bytes" 1.0;
    VmMemorySwapOut "vm_memory_swap_out_bytes" 1.0;
    VmUptime "vm_uptime_seconds" 1.0;
    VcpuTime "vm_vcpu_seconds" NS;
    VcpuDelay "vm_vcpu_delay_seconds" NS;
    VdiskReadBytes "vm_disk_read_bytes" 1.0;
    VdiskWriteBytes "vm_disk_written_bytes" 1.0;
    VdiskReadOps "vm_disk_reads" 1.0;
    VdiskWriteOps "vm_disk_writes" 1.0;
    VdiskReadTime "vm_disk_read_seconds" NS;
    VdiskWriteTime "vm_disk_write_seconds" NS;
    VdiskFlushOps "vm_disk_flushes" 1.0;
    VdiskFlushTime "vm_disk_flush_seconds" NS;
    VdiskAllocation "vm_disk_allocation_bytes" 1.0;
    VdiskCapacity "vm_disk_capacity_bytes" 1.0;
    VdiskIoErrors "vm_disk_io_errors" 1.0;
    VnicRxBytes "vm_network_receive_bytes" 1.0;
    VnicTxBytes "vm_network_transmit_bytes" 1.0;
    VnicRxPackets "vm_network_receive_packets" 1.0;
    VnicTxPackets "vm_network_transmit_packets" 1.0;
    VnicRxErrors "vm_network_receive_errors" 1.0;
    VnicTxErrors "vm_network_transmit_errors" 1.0;
    VnicRxDropped "vm_network_receive_dropped" 1.0;
    VnicTxDropped "vm_network_transmit_dropped" 1.0;
    VmMigrationCount "vm_migrations" 1.0;
    VmCrashCount "vm_crashes" 1.0;
    VmAvailabilityUp "vm_up_seconds" 1.0;
    VmAvailabilityDownPlanned "vm_down_planned_seconds" 1.0;
    VmAvailabilityDownUnplanned "vm_down_unplanned_seconds" 1.0;
    VmAvailabilityUnknown "vm_unknown_seconds" 1.0;
    PoolCapacity "pool_capacity_bytes" 1.0;
    PoolAllocation "pool_allocation_bytes" 1.0;
    PoolAvailable "pool_available_bytes" 1.0;
    PoolFiguresAge "pool_figures_age_seconds" 1.0;
    NetworkDhcpLeases "network_dhcp_leases" 1.0;
    NetworkConnections "network_connections" 1.0;
    VrmProcessCpu "process_cpu_seconds" 1.0;
    VrmProcessRss "process_resident_memory_bytes" 1.0;
    VrmProcessFds "process_open_descriptors" 1.0;
    VrmDbSize "db_size_bytes" 1.0;
    VrmCollectionDuration "collection_duration_seconds" 1.0;
    VrmCollectionOverrun "collection_overruns" 1.0;
    VrmCollectionFailed "collection_failures" 1.0;
}
