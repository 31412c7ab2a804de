//! What a hypervisor port reports: facts about the world, with the time and the connection they come from.

use super::capability::Capabilities;
use super::host::{HostCpu, HostDisk, HostFilesystem, HostHardware, HostNic, HugePages, NumaNode};
use super::incident::Incident;
use super::measurement::SampleBatch;
use super::network::Network;
use super::storage::{StoragePool, Volume};
use super::time::Timestamp;
use super::virtual_machine::{
    ControlState, DiskVolatile, NicVolatile, RunState, RunStateReason, Snapshot, VmDefinition,
};
use std::collections::BTreeMap;
use std::sync::Arc;
use uuid::Uuid;

/// What to read.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Scope {
    /// The hypervisor and the host it runs on: [`Fact::Host`] and [`Fact::Hypervisor`].
    Hypervisor,
    /// Run state of every machine, one call; definitions only of machines not read before.
    MachineStates,
    /// Every machine with definition and snapshots.
    Machines,
    /// One machine with definition and snapshots; [`Fact::MachineGone`] if it does not exist.
    Machine(Uuid),
    /// Moving figures of every running machine, in bulk where the driver can.
    Statistics,
    /// Every storage pool with its volumes.
    StoragePools,
    /// One storage pool with its volumes; [`Fact::StoragePoolGone`] if it does not exist.
    StoragePool(String),
    /// Every virtual network.
    Networks,
    /// One virtual network; [`Fact::NetworkGone`] if it does not exist.
    Network(String),
    /// Host devices: [`Fact::HostDevices`].
    HostDevices,
}

/// Kinds of objects that a listing can be complete for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ListedKind {
    /// Virtual machines.
    Machines,
    /// Storage pools.
    StoragePools,
    /// Virtual networks.
    Networks,
}

/// Result of one reading.
#[derive(Clone, Debug, Default)]
pub struct Observation {
    /// When the reading began: its facts never overwrite those of a reading begun later.
    pub time: Timestamp,
    /// The facts.
    pub facts: Vec<Fact>,
    /// Parts that could not be read; the rest is good.
    pub errors: Vec<CollectError>,
    /// Counters read on the way, for measurement.
    pub samples: Option<Box<SampleBatch>>,
}

/// A part of a reading that failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CollectError {
    /// What was read, e.g. `pool nfs1`.
    pub what: String,
    /// Why it failed, for people.
    pub reason: String,
}

/// One thing seen at one endpoint.
#[derive(Clone, Debug)]
pub enum Fact {
    /// The host as this endpoint sees it.
    Host(Box<HostFacts>),
    /// The hypervisor.
    Hypervisor(Box<HypervisorFacts>),
    /// NICs and disks of the host.
    HostDevices(Box<HostDeviceFacts>),
    /// A machine with everything.
    Machine(Box<MachineFacts>),
    /// A machine's run state alone; it was read completely before.
    MachineState(MachineStateFacts),
    /// Moving figures of a machine.
    MachineStatistics(Box<MachineStatistics>),
    /// Whether a machine's hypervisor process answers.
    MachineControl {
        /// The machine.
        uuid: Uuid,
        /// The verdict.
        control: ControlState,
    },
    /// A machine does not exist here (any more).
    MachineGone {
        /// The machine.
        uuid: Uuid,
        /// What is known about why.
        cause: GoneCause,
    },
    /// A storage pool with its volumes.
    StoragePool(Box<PoolFacts>),
    /// A storage pool does not exist here (any more).
    StoragePoolGone(String),
    /// A virtual network.
    Network(Box<Network>),
    /// A virtual network does not exist here (any more).
    NetworkGone(String),
    /// Everything of a kind has been told: what is not in `present` does not exist here.
    ListComplete {
        /// The kind.
        kind: ListedKind,
        /// Keys of what exists: UUIDs or names.
        present: Arc<std::collections::BTreeSet<String>>,
    },
    /// Moving figures of the host.
    HostStatistics(Box<HostStatistics>),
    /// Something that happened and leaves no state to read.
    Incident(Box<Incident>),
}

/// Why a machine is gone from an endpoint.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum GoneCause {
    /// Found missing; nobody said why. It may turn up at another host in a moment.
    #[default]
    Unknown,
    /// It was migrated away.
    Migrated,
    /// It was stopped or its definition was deleted.
    Removed,
    /// It failed: a machine without a definition of its own is gone when it crashes.
    Failed,
}

/// A host as one endpoint sees it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct HostFacts {
    /// Host name.
    pub host_name: String,
    /// Host UUID.
    pub host_uuid: String,
    /// Processor.
    pub cpu: HostCpu,
    /// Installed memory in bytes.
    pub memory_total_bytes: u64,
    /// NUMA cells.
    pub numa_nodes: Vec<NumaNode>,
    /// Hardware, if the firmware tells.
    pub hardware: Option<HostHardware>,
    /// Parts that cannot be seen through this endpoint, with the reason.
    pub not_available: BTreeMap<String, String>,
}

/// Devices and filesystems of a host.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct HostDeviceFacts {
    /// Network interfaces, if they can be seen.
    pub nics: Option<Vec<HostNic>>,
    /// Disks, if they can be seen.
    pub disks: Option<Vec<HostDisk>>,
    /// Filesystems, if they can be seen.
    pub filesystems: Option<Vec<HostFilesystem>>,
    /// Operating system, if it can be seen.
    pub os_name: Option<String>,
    /// Kernel release, if it can be seen.
    pub kernel_version: Option<String>,
    /// What the kernel calls its present run, if it can be seen.
    pub boot_id: Option<String>,
    /// Parts that cannot be seen here, with the reason.
    pub not_available: BTreeMap<String, String>,
}

/// Moving figures of a host.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct HostStatistics {
    /// Free memory in bytes.
    pub memory_free_bytes: Option<u64>,
    /// Cumulative CPU time in nanoseconds by mode (`user`, `kernel`, `idle`, `iowait`).
    pub cpu_time_ns: BTreeMap<String, u64>,
    /// Huge pages.
    pub huge_pages: Vec<HugePages>,
    /// Free bytes by mount point (local hosts).
    pub filesystem_available_bytes: BTreeMap<String, u64>,
    /// Seconds since boot (local hosts).
    pub uptime_seconds: Option<u64>,
}

/// A hypervisor.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct HypervisorFacts {
    /// Driver name in lower case as the endpoint itself reports it.
    pub technology: String,
    /// Version, e.g. `10.0.2`.
    pub version: String,
    /// Version of the libvirt daemon.
    pub libvirt_version: String,
    /// Machine types.
    pub machine_types: Vec<String>,
    /// Guest architectures.
    pub guest_archs: Vec<String>,
    /// Verdict on each capability.
    pub capabilities: Capabilities,
    /// Events it accepted a subscription for.
    pub events: Vec<String>,
}

/// A machine as one endpoint sees it.
#[derive(Clone, Debug, PartialEq)]
pub struct MachineFacts {
    /// Run state.
    pub state: MachineStateFacts,
    /// Survives being stopped.
    pub persistent: bool,
    /// Started with its host.
    pub autostart: bool,
    /// Its definition, or why it could not be read.
    pub definition: Result<Arc<VmDefinition>, String>,
    /// Labels from the definition's metadata.
    pub labels: BTreeMap<String, String>,
    /// Its snapshots, if the endpoint can list them.
    pub snapshots: Option<Vec<Snapshot>>,
}

/// A machine's run state as one endpoint sees it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MachineStateFacts {
    /// The machine.
    pub uuid: Uuid,
    /// Its name there.
    pub display_name: String,
    /// What it is doing.
    pub run_state: RunState,
    /// Why.
    pub reason: RunStateReason,
    /// The hypervisor's id of the running instance; nothing when off.
    pub incarnation: Option<u64>,
}

/// Moving figures of a machine; what is absent was not reported.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct MachineStatistics {
    /// The machine.
    pub uuid: Uuid,
    /// CPU time since start in nanoseconds.
    pub cpu_time_ns: Option<u64>,
    /// Memory the balloon leaves to the guest, in bytes.
    pub memory_actual_bytes: Option<u64>,
    /// Resident memory of the hypervisor process, in bytes.
    pub memory_rss_bytes: Option<u64>,
    /// By disk target.
    pub disks: BTreeMap<String, DiskVolatile>,
    /// By NIC: MAC where known, else interface name.
    pub nics: BTreeMap<String, NicVolatile>,
    /// The hypervisor process did not answer: figures are missing, not zero.
    pub partial: bool,
}

/// A pool and its volumes.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct PoolFacts {
    /// The pool.
    pub pool: StoragePool,
    /// Its volumes, if they could be listed.
    pub volumes: Option<Vec<Volume>>,
}
