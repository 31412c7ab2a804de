//! Hosts and what is in them, the hypervisors on them, the cluster they form and the VRM itself.

use super::capability::Capabilities;
use super::capacity::Capacity;
use super::name::HostId;
use super::registration::HostOrigin;
use super::time::Timestamp;
use super::volatile::Volatile;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Whether the VRM has a working connection to an endpoint or a host.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ConnectionState {
    /// First contact is being made.
    #[default]
    Connecting,
    /// Connected, first full reading under way.
    Synchronizing,
    /// Connected and read.
    Connected,
    /// Connected, but calls run into their deadlines.
    Degraded,
    /// No contact; retried with back-off.
    Lost,
    /// The host refuses our credential; retried slowly.
    Refused,
}

/// A physical server.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Host {
    /// Host name as the host itself reports it.
    pub host_name: String,
    /// Addresses under which it is reached, one per endpoint, without credentials.
    pub connection_uris: Vec<String>,
    /// Worst of its endpoints' connection states.
    pub connection_state: ConnectionState,
    /// True once every endpoint has been read completely since the daemon started.
    pub synchronized: bool,
    /// From a file or from the API.
    pub origin: HostOrigin,
    /// Effective profile: `monitor` or `manage`.
    pub profile: String,
    /// Warnings that stand as long as the configuration does (plain TCP, root-equivalent key).
    #[serde(default)]
    pub warnings: Vec<String>,
    /// UUID from the host's firmware or libvirt configuration; a change is a warning, not a new host.
    pub host_uuid: String,
    /// Processor.
    pub cpu: HostCpu,
    /// Installed memory, in bytes.
    pub memory_total_bytes: u64,
    /// NUMA cells.
    #[serde(default)]
    pub numa_nodes: Vec<NumaNode>,
    /// Hardware as the firmware describes it.
    pub hardware: HostHardware,
    /// Operating system, where it can be seen (local hosts and agents).
    pub os_name: String,
    /// Kernel release, where it can be seen.
    pub kernel_version: String,
    /// What the kernel calls its present run, where it can be seen; another one is a restart of the host.
    #[serde(default)]
    pub boot_id: String,
    /// Network interfaces.
    #[serde(default)]
    pub nics: Vec<HostNic>,
    /// Disks.
    #[serde(default)]
    pub disks: Vec<HostDisk>,
    /// Filesystems (local hosts and agents).
    #[serde(default)]
    pub filesystems: Vec<HostFilesystem>,
    /// Labels found in settings (`hosts.d`).
    #[serde(default)]
    pub source_labels: BTreeMap<String, String>,
    /// Parts of the inventory that cannot be seen here, with the reason.
    #[serde(default)]
    pub not_available: BTreeMap<String, String>,
    /// Moving values.
    #[serde(default)]
    pub volatile: Volatile<HostVolatile>,
}

/// Values of a host that move without being a change.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct HostVolatile {
    /// When the host was last read successfully.
    pub last_seen: Option<Timestamp>,
    /// Free memory in bytes, if known.
    pub memory_free_bytes: Option<u64>,
    /// Cumulative CPU time in nanoseconds by mode, if known.
    pub cpu_time_ns: BTreeMap<String, u64>,
    /// Huge pages by size.
    pub huge_pages: Vec<HugePages>,
    /// Filesystem figures by mount point.
    pub filesystem_available_bytes: BTreeMap<String, u64>,
    /// Seconds since the host booted, where it can be seen.
    pub uptime_seconds: Option<u64>,
    /// Allocation, made up from the machines on it.
    pub capacity: Capacity,
}

/// Processor of a host.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct HostCpu {
    /// Model name, e.g. `Skylake-Server-IBRS`.
    pub model: String,
    /// Architecture, e.g. `x86_64`.
    pub arch: String,
    /// Vendor.
    pub vendor: String,
    /// Sockets per NUMA node times nodes.
    pub sockets: u32,
    /// Cores per socket.
    pub cores_per_socket: u32,
    /// Threads per core.
    pub threads_per_core: u32,
    /// Logical CPUs.
    pub logical_cpus: u32,
    /// Logical CPUs that are online.
    pub online_cpus: u32,
    /// Nominal frequency in MHz; 0 if not known.
    pub mhz: u32,
}

/// One NUMA cell.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct NumaNode {
    /// Cell number.
    pub id: u32,
    /// Memory of the cell in bytes.
    pub memory_bytes: u64,
    /// Logical CPUs of the cell.
    pub cpu_ids: Vec<u32>,
}

/// Huge pages of one size.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct HugePages {
    /// Size of a page in bytes.
    pub page_size_bytes: u64,
    /// Pages reserved.
    pub total: u64,
    /// Pages free.
    pub free: u64,
}

/// Hardware as the firmware describes it (libvirt: virConnectGetSysinfo).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct HostHardware {
    /// Manufacturer.
    pub vendor: String,
    /// Product name.
    pub model: String,
    /// Serial number.
    pub serial_number: String,
    /// Firmware version and date.
    pub firmware_version: String,
}

/// A network interface of a host.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct HostNic {
    /// Kernel name, e.g. `eth0`.
    pub name: String,
    /// MAC address, lower case.
    pub mac: String,
    /// `up`, `down` or empty if not known.
    pub link_state: String,
    /// Speed in bit/s; 0 if not known.
    pub speed_bits_per_second: u64,
    /// MTU in bytes; 0 if not known.
    pub mtu: u32,
    /// Kernel driver, empty if not known.
    pub driver: String,
    /// Bridge or bond it belongs to, empty if none.
    pub master: String,
    /// IP addresses with prefix length.
    pub addresses: Vec<String>,
}

/// A disk of a host.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct HostDisk {
    /// Kernel name, e.g. `sda`.
    pub name: String,
    /// Model.
    pub model: String,
    /// Serial number.
    pub serial: String,
    /// World-wide name, empty if none.
    pub wwn: String,
    /// Size in bytes.
    pub size_bytes: u64,
    /// Spinning or not, if known.
    pub rotational: Option<bool>,
}

/// A mounted filesystem of a host.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct HostFilesystem {
    /// Mount point.
    pub mount_point: String,
    /// Type, e.g. `ext4`.
    pub fs_type: String,
    /// Device or remote source.
    pub source: String,
    /// Size in bytes.
    pub size_bytes: u64,
    /// Mounted read-only.
    pub read_only: bool,
}

/// One virtualization technology on a host.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Hypervisor {
    /// Driver name in lower case: `qemu`, `lxc`, `test`, `sim`.
    pub technology: String,
    /// Address of this endpoint, without credentials.
    pub connection_uri: String,
    /// Connection state of this endpoint.
    pub connection_state: ConnectionState,
    /// Version of the hypervisor, e.g. `10.0.2`.
    pub version: String,
    /// Version of the libvirt daemon, e.g. `11.3.0`.
    pub libvirt_version: String,
    /// Guest machine types it offers.
    pub machine_types: Vec<String>,
    /// Guest architectures it offers.
    pub guest_archs: Vec<String>,
    /// Verdict on each capability.
    pub capabilities: Capabilities,
    /// Names of the events it accepted a subscription for.
    pub events: Vec<String>,
    /// Moving values.
    #[serde(default)]
    pub volatile: Volatile<HypervisorVolatile>,
}

/// Values of a hypervisor that move without being a change.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct HypervisorVolatile {
    /// Counts connections since the daemon started; events of older ones are discarded.
    pub generation: u64,
    /// Differences a poll found that no event had announced (operations.md F30).
    pub missed_events: u64,
    /// When the last event came.
    pub last_event: Option<Timestamp>,
    /// Lanes cut because a call hung.
    pub severed_lanes: u64,
}

/// The set of hosts one VRM manages.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Cluster {
    /// Id of the cluster.
    pub cluster_id: String,
    /// Technologies found in it.
    pub technologies: Vec<String>,
    /// Hosts in it.
    pub host_count: u32,
    /// Moving values.
    #[serde(default)]
    pub volatile: Volatile<ClusterVolatile>,
}

/// Values of a cluster that move without being a change.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct ClusterVolatile {
    /// Virtual machines in it.
    pub vm_count: u32,
    /// Sum over its hosts and pools, shared storage counted once.
    pub capacity: Capacity,
}

/// The virtualized resource manager itself.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Vrm {
    /// Id of this VRM, part of every DN, fixed at first start.
    pub vrm_id: String,
    /// Prefix of every DN.
    pub dn_prefix: String,
    /// Version of the software.
    pub software_version: String,
    /// Upper bound of what it does to hosts: `monitor` or `manage`.
    pub profile: String,
}

/// Key of an endpoint: a host and the driver name of the URI's scheme (`qemu`, `lxc`, `test`, `sim`).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct EndpointKey {
    /// The host it belongs to.
    pub host: HostId,
    /// Driver name before the `+` or `:` of the URI.
    pub technology: String,
}

impl std::fmt::Display for EndpointKey {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{}/{}", self.host, self.technology)
    }
}
