//! What can be read or done at one endpoint: probed, never assumed from a driver's name.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// One thing the VRM may want of an endpoint. The list is closed; `docs/profiles.md` is made from it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Capability {
    /// Statistics of all machines in one call.
    BulkStatistics,
    /// Life-cycle events of machines.
    MachineEvents,
    /// Events of networks.
    NetworkEvents,
    /// Events of storage pools.
    StorageEvents,
    /// Events of host devices.
    DeviceEvents,
    /// Whether the hypervisor process of a machine answers.
    ControlState,
    /// CPU counters of the host.
    HostCpuStatistics,
    /// Memory figures of the host.
    HostMemoryStatistics,
    /// Vendor, model and firmware of the host (SMBIOS).
    HostHardware,
    /// Storage pools and volumes.
    Storage,
    /// Fresh pool figures: re-reading a pool.
    StorageRefresh,
    /// Virtual networks.
    Networks,
    /// Host devices: NICs and disks.
    HostDevices,
    /// Snapshots of machines.
    Snapshots,
    /// Figures from inside the guest through its agent.
    GuestAgent,
    /// Live migration.
    Migration,
    /// Disk errors of a machine.
    DiskErrors,
    /// The endpoint tells when it is gone (keepalive, close callback).
    LossDetection,
    /// Filesystems, kernel and counters of the machine itself (local hosts and agents).
    LocalHostDetails,
}

impl Capability {
    /// Every capability, in display order.
    pub const ALL: [Self; 19] = [
        Self::BulkStatistics,
        Self::MachineEvents,
        Self::NetworkEvents,
        Self::StorageEvents,
        Self::DeviceEvents,
        Self::ControlState,
        Self::HostCpuStatistics,
        Self::HostMemoryStatistics,
        Self::HostHardware,
        Self::Storage,
        Self::StorageRefresh,
        Self::Networks,
        Self::HostDevices,
        Self::Snapshots,
        Self::GuestAgent,
        Self::Migration,
        Self::DiskErrors,
        Self::LossDetection,
        Self::LocalHostDetails,
    ];

    /// The capability's name on the interface, in snake case.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::BulkStatistics => "bulk_statistics",
            Self::MachineEvents => "machine_events",
            Self::NetworkEvents => "network_events",
            Self::StorageEvents => "storage_events",
            Self::DeviceEvents => "device_events",
            Self::ControlState => "control_state",
            Self::HostCpuStatistics => "host_cpu_statistics",
            Self::HostMemoryStatistics => "host_memory_statistics",
            Self::HostHardware => "host_hardware",
            Self::Storage => "storage",
            Self::StorageRefresh => "storage_refresh",
            Self::Networks => "networks",
            Self::HostDevices => "host_devices",
            Self::Snapshots => "snapshots",
            Self::GuestAgent => "guest_agent",
            Self::Migration => "migration",
            Self::DiskErrors => "disk_errors",
            Self::LossDetection => "loss_detection",
            Self::LocalHostDetails => "local_host_details",
        }
    }

    /// What it gives, in one line for people.
    pub fn meaning(self) -> &'static str {
        match self {
            Self::BulkStatistics => "figures of all machines in one call; without it they are asked one by one",
            Self::MachineEvents => "changes of machines are told at once; without it the next poll finds them",
            Self::NetworkEvents => "starts and stops of networks are told at once",
            Self::StorageEvents => "starts, stops and refreshes of pools are told at once",
            Self::DeviceEvents => "host devices that come and go are told at once",
            Self::ControlState => "whether the hypervisor process of a machine answers",
            Self::HostCpuStatistics => "CPU counters of the host",
            Self::HostMemoryStatistics => "memory figures of the host",
            Self::HostHardware => "vendor, model and firmware of the host (SMBIOS)",
            Self::Storage => "storage pools and volumes, with the figures of their last refresh",
            Self::StorageRefresh => "fresh figures of pools: a pool can be read anew",
            Self::Networks => "virtual networks",
            Self::HostDevices => "NICs and disks of the host",
            Self::Snapshots => "snapshots of machines",
            Self::GuestAgent => "figures from inside the guest, through its agent",
            Self::Migration => "live migration",
            Self::DiskErrors => "which disk of a machine has failed",
            Self::LossDetection => "the loss of the connection is told at once; without it the next probe finds it",
            Self::LocalHostDetails => "filesystems, operating system and counters of the host itself",
        }
    }

    /// What it takes to use it, where the driver has it at all.
    pub fn needs(self) -> Needs {
        match self {
            Self::StorageRefresh | Self::GuestAgent | Self::Migration => Needs::Manage,
            Self::LocalHostDetails => Needs::Local,
            Self::BulkStatistics
            | Self::MachineEvents
            | Self::NetworkEvents
            | Self::StorageEvents
            | Self::DeviceEvents
            | Self::ControlState
            | Self::HostCpuStatistics
            | Self::HostMemoryStatistics
            | Self::HostHardware
            | Self::Storage
            | Self::Networks
            | Self::HostDevices
            | Self::Snapshots
            | Self::DiskErrors
            | Self::LossDetection => Needs::ReadOnly,
        }
    }
}

/// What it takes to use a capability.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Needs {
    /// A read-only connection, as profile monitor has it.
    ReadOnly,
    /// A connection that may write: profile manage.
    Manage,
    /// To run on the host itself; libvirt is not asked.
    Local,
}

/// Whether a capability can be used here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Availability {
    /// Works.
    Available,
    /// Refused on the read-only connection of profile monitor.
    NeedsManage,
    /// The driver or server lacks it.
    Unsupported,
    /// Not probed yet, or the probe gave no verdict.
    Unknown,
}

/// Verdict on every probed capability; what is not listed is unknown.
pub type Capabilities = BTreeMap<Capability, Availability>;
