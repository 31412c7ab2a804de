//! Virtual machines, their devices and their snapshots.

use super::name::HostId;
use super::time::Timestamp;
use super::volatile::Volatile;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock};
use uuid::Uuid;

/// What a virtual machine is doing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RunState {
    /// The hypervisor does not know, or cannot be asked.
    #[default]
    Unknown,
    /// The guest runs.
    Running,
    /// The guest waits for a resource (Xen).
    Blocked,
    /// Execution is halted, memory kept.
    Paused,
    /// The guest is shutting down.
    ShuttingDown,
    /// Not running.
    Off,
    /// Ended by a crash and kept for inspection.
    Crashed,
    /// Suspended by the guest's own power management.
    Suspended,
}

impl RunState {
    /// True while a hypervisor process (or container) exists for it.
    pub fn is_active(self) -> bool {
        matches!(self, Self::Running | Self::Blocked | Self::Paused | Self::ShuttingDown | Self::Suspended)
    }
}

/// Why a virtual machine is in its run state (libvirt: virDomain*Reason, one closed list).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "each is the reason word itself, explained in docs/information-model.md")]
pub enum RunStateReason {
    #[default]
    Unknown,
    Booted,
    Migrated,
    Restored,
    FromSnapshot,
    Unpaused,
    MigrationCanceled,
    SaveCanceled,
    Wakeup,
    Crashed,
    PostCopy,
    PostCopyFailed,
    User,
    Migration,
    Save,
    Dump,
    IoError,
    Watchdog,
    ShuttingDown,
    Snapshot,
    StartingUp,
    ApiError,
    Shutdown,
    Destroyed,
    Saved,
    Failed,
    Daemon,
    Panicked,
}

impl RunStateReason {
    /// The reason as the interface spells it, e.g. `io_error`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Unknown => "unknown",
            Self::Booted => "booted",
            Self::Migrated => "migrated",
            Self::Restored => "restored",
            Self::FromSnapshot => "from_snapshot",
            Self::Unpaused => "unpaused",
            Self::MigrationCanceled => "migration_canceled",
            Self::SaveCanceled => "save_canceled",
            Self::Wakeup => "wakeup",
            Self::Crashed => "crashed",
            Self::PostCopy => "post_copy",
            Self::PostCopyFailed => "post_copy_failed",
            Self::User => "user",
            Self::Migration => "migration",
            Self::Save => "save",
            Self::Dump => "dump",
            Self::IoError => "io_error",
            Self::Watchdog => "watchdog",
            Self::ShuttingDown => "shutting_down",
            Self::Snapshot => "snapshot",
            Self::StartingUp => "starting_up",
            Self::ApiError => "api_error",
            Self::Shutdown => "shutdown",
            Self::Destroyed => "destroyed",
            Self::Saved => "saved",
            Self::Failed => "failed",
            Self::Daemon => "daemon",
            Self::Panicked => "panicked",
        }
    }
}

/// Whether the hypervisor process of a machine answers (libvirt: virDomainGetControlInfo).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ControlState {
    /// Not asked, not running or not supported.
    #[default]
    Unknown,
    /// It answers.
    Responding,
    /// A long job holds it; that is normal.
    Job,
    /// It has not answered for longer than the quarantine threshold.
    NotResponding,
    /// Its monitor is broken.
    Failed,
}

impl ControlState {
    /// True if the verdict is a trouble.
    pub fn is_trouble(self) -> bool {
        matches!(self, Self::NotResponding | Self::Failed)
    }
}

/// A virtual machine or container. Its name is its UUID: migration and rename keep it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct VirtualMachine {
    /// Identity.
    pub uuid: Uuid,
    /// Name at the hypervisor; changes by rename.
    pub display_name: String,
    /// Host where it runs, or where it is defined if it is off.
    pub host: Option<HostId>,
    /// Hosts that hold a definition or a running instance, sorted.
    pub defined_on: Vec<HostId>,
    /// Every (host, technology) that knows this UUID. More than one outside of a migration means
    /// that two machines share a UUID: changes must then name the host (operations.md F9).
    pub instances: Vec<VmInstance>,
    /// What it is doing; with `state.unknown` set this is the last known.
    pub run_state: RunState,
    /// Why.
    pub run_state_reason: RunStateReason,
    /// Set while its hypervisor process does not answer or its monitor is broken; otherwise unknown,
    /// so that the ordinary verdicts (`volatile.control_state`) make no change of their own.
    pub control_state: ControlState,
    /// Driver name: `qemu`, `lxc`, `test`, `sim`.
    pub technology: String,
    /// Survives being stopped.
    pub persistent: bool,
    /// Started with its host.
    pub autostart: bool,
    /// What the machine consists of.
    #[serde(default, skip_serializing_if = "VmDefinition::is_apart")]
    pub definition: Arc<VmDefinition>,
    /// Why the definition could not be read, empty if it could.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub definition_unread: String,
    /// Canonical sources of what its disks lie on, sorted.
    #[serde(default)]
    pub backing_sources: Vec<String>,
    /// Names of its snapshots.
    #[serde(default)]
    pub snapshot_names: Vec<String>,
    /// Labels found in the `<metadata>` of its definition (operations.md F19).
    #[serde(default)]
    pub source_labels: BTreeMap<String, String>,
    /// Moving values.
    #[serde(default)]
    pub volatile: Volatile<VmVolatile>,
}

impl VirtualMachine {
    /// The last verdict on its hypervisor process.
    pub fn control(&self) -> ControlState {
        if self.control_state.is_trouble() { self.control_state } else { self.volatile.control_state }
    }
}

/// One place that knows a UUID.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct VmInstance {
    /// The host.
    pub host: HostId,
    /// The driver there.
    pub technology: String,
    /// The machine's name there.
    pub display_name: String,
    /// What it is doing there.
    pub run_state: RunState,
    /// Digest over the sources of its disks: equal digests share data.
    pub disks_digest: String,
}

/// Values of a machine that move without being a change.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct VmVolatile {
    /// When it was last read successfully.
    pub observed: Timestamp,
    /// Start of the present run, as far as known.
    pub start_time: Option<Timestamp>,
    /// Which start of the machine this is: the hypervisor's id of the running instance.
    pub incarnation: Option<u64>,
    /// Last verdict on its hypervisor process, the ordinary ones too.
    #[serde(default)]
    pub control_state: ControlState,
    /// CPU time used since start, in nanoseconds.
    pub cpu_time_ns: Option<u64>,
    /// Memory the balloon leaves to the guest, in bytes.
    pub memory_actual_bytes: Option<u64>,
    /// Resident memory of the hypervisor process, in bytes.
    pub memory_rss_bytes: Option<u64>,
    /// Disk figures by target.
    pub disks: BTreeMap<String, DiskVolatile>,
    /// Cumulative bytes per NIC MAC: received, transmitted.
    pub nics: BTreeMap<String, NicVolatile>,
    /// True when the last statistics were partial because the hypervisor process did not answer.
    pub statistics_partial: bool,
}

/// Moving figures of a virtual disk.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DiskVolatile {
    /// Size the guest sees, in bytes.
    pub capacity_bytes: Option<u64>,
    /// Bytes taken on the host.
    pub allocation_bytes: Option<u64>,
    /// Size of the container file or device, in bytes.
    pub physical_bytes: Option<u64>,
    /// Bytes read since start.
    pub read_bytes: Option<u64>,
    /// Bytes written since start.
    pub written_bytes: Option<u64>,
}

/// Moving figures of a virtual NIC.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct NicVolatile {
    /// Bytes received by the guest since start.
    pub received_bytes: Option<u64>,
    /// Bytes sent by the guest since start.
    pub transmitted_bytes: Option<u64>,
}

/// What a machine consists of, as its definition says.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct VmDefinition {
    /// Short title.
    pub title: String,
    /// Free text.
    pub description: String,
    /// Domain type of the definition: `kvm`, `qemu`, `lxc`, `test`.
    pub virtualization_type: String,
    /// Machine type, e.g. `pc-q35-10.0`.
    pub machine_type: String,
    /// Guest architecture.
    pub arch: String,
    /// `hvm`, `exe`, `linux` ….
    pub os_type: String,
    /// `bios`, `efi` or empty if not said.
    pub firmware: String,
    /// Secure boot is enforced.
    pub secure_boot: bool,
    /// A TPM is present.
    pub tpm: bool,
    /// Boot order, e.g. `hd`, `cdrom`, or device targets by index.
    pub boot_order: Vec<String>,
    /// Virtual CPUs switched on.
    pub vcpus_current: u32,
    /// Virtual CPUs at most.
    pub vcpus_maximum: u32,
    /// CPU mode or model, e.g. `host-passthrough`.
    pub cpu_model: String,
    /// Virtual CPU number to host CPU set, where pinned.
    pub cpu_pinning: BTreeMap<u32, String>,
    /// Memory now, in bytes.
    pub memory_current_bytes: u64,
    /// Memory at most, in bytes.
    pub memory_maximum_bytes: u64,
    /// Backed by huge pages.
    pub huge_pages: bool,
    /// NUMA nodes the memory is bound to, empty if none.
    pub numa_nodeset: String,
    /// A memory balloon is present.
    pub balloon: bool,
    /// Disks.
    pub disks: Vec<VirtualDisk>,
    /// NICs.
    pub nics: Vec<VirtualNic>,
    /// Consoles and displays, e.g. `serial`, `vnc`.
    pub consoles: Vec<String>,
    /// Guest agent.
    pub agent: GuestAgent,
    /// Host devices handed to the guest.
    pub passthrough_devices: Vec<String>,
    /// Everything of the definition that the model does not name, by path: nothing is dropped silently.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub extensions: BTreeMap<String, String>,
}

/// Stands for a definition that is kept elsewhere.
static APART: LazyLock<Arc<VmDefinition>> = LazyLock::new(Arc::default);

impl VmDefinition {
    /// What a machine has instead of its definition when that is stored elsewhere: its serialization leaves it out.
    pub fn apart() -> Arc<Self> {
        Arc::clone(&APART)
    }

    fn is_apart(definition: &Arc<Self>) -> bool {
        Arc::ptr_eq(definition, &APART)
    }
}

/// A disk of a virtual machine.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct VirtualDisk {
    /// Target device, unique in the machine: `vda`.
    pub target: String,
    /// `virtio`, `scsi`, `ide` ….
    pub bus: String,
    /// `disk`, `cdrom`, `floppy`, `lun`; `filesystem` for containers.
    pub device: String,
    /// `file`, `block`, `network`, `volume`, `dir` ….
    pub source_type: String,
    /// Path, device, or protocol://host/name; empty if no medium.
    pub source: String,
    /// Pool and volume, when the source names them.
    pub pool: String,
    /// Volume of that pool.
    pub volume: String,
    /// `qcow2`, `raw` ….
    pub format: String,
    /// The guest may not write.
    pub read_only: bool,
    /// Several machines may use it.
    pub shareable: bool,
    /// Cache mode, empty for the default.
    pub cache_mode: String,
    /// What happens on an I/O error: `stop`, `report`, `ignore`, `enospace`; empty for the default.
    pub error_policy: String,
    /// Serial number shown to the guest.
    pub serial: String,
    /// Images below this one, nearest first.
    pub backing_chain: Vec<String>,
}

/// A NIC of a virtual machine.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct VirtualNic {
    /// MAC address, lower case: its key.
    pub mac: String,
    /// Device model.
    pub model: String,
    /// `network`, `bridge`, `ethernet`, `direct`, `user`, `hostdev`, `vhostuser` ….
    pub connection_type: String,
    /// Virtual network it is attached to, empty if none.
    pub network: String,
    /// Bridge or host interface it is attached to, empty if none.
    pub bridge: String,
    /// Interface on the host (`vnet3`), while running.
    pub host_interface: String,
    /// `up` or `down` as configured.
    pub link_state: String,
    /// VLAN tags.
    pub vlan_tags: Vec<u32>,
    /// MTU; 0 for the default.
    pub mtu: u32,
    /// Port group or profile, empty if none.
    pub port_profile: String,
}

/// The agent inside the guest.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct GuestAgent {
    /// A channel for it exists.
    pub configured: bool,
    /// It is connected; nothing if that is not known.
    pub connected: Option<bool>,
}

/// A snapshot of a virtual machine.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Snapshot {
    /// Machine it belongs to.
    pub vm_uuid: Uuid,
    /// Name at the hypervisor.
    pub display_name: String,
    /// Name of its parent, empty for a root.
    pub parent: String,
    /// The machine's current snapshot.
    pub current: bool,
    /// When it was taken.
    pub create_time: Timestamp,
    /// Free text.
    pub description: String,
    /// State of the machine in it.
    pub vm_state: String,
    /// Memory is part of it.
    pub memory_included: bool,
    /// `internal`, `external` or `none`.
    pub disk_mode: String,
    /// Host that holds it.
    pub host: Option<HostId>,
}
