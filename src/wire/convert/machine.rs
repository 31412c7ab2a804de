//! Virtual machines and their snapshots.

use super::common::{Common, host_name, host_names, host_or_empty, message, same_variants, timestamp};
use crate::model::Timestamp;
use crate::model::virtual_machine::{
    ControlState, DiskVolatile, GuestAgent, NicVolatile, RunState, RunStateReason, Snapshot, VirtualDisk,
    VirtualMachine, VirtualNic, VmDefinition, VmInstance, VmVolatile,
};
use crate::wire::v1;

pub(super) fn virtual_machine(common: Common, vm: &VirtualMachine, full: bool) -> v1::VirtualMachine {
    let VirtualMachine {
        uuid,
        display_name: _,
        host,
        defined_on,
        instances,
        run_state: state,
        run_state_reason: reason,
        control_state: _,
        technology,
        persistent,
        autostart,
        definition,
        definition_unread,
        backing_sources,
        snapshot_names,
        source_labels,
        volatile,
    } = vm;
    message!(VirtualMachine, common, {
        figures: Some(figures(&volatile.0, full)),
        uuid: uuid.to_string(),
        host: host_or_empty(host.as_ref()),
        defined_on: host_names(defined_on),
        instances: instances.iter().map(instance).collect(),
        run_state: run_state(*state),
        run_state_reason: run_state_reason(*reason),
        control_state: control_state(vm.control()),
        technology: technology.clone(),
        persistent: *persistent,
        autostart: *autostart,
        definition: Some(vm_definition(definition, full)),
        definition_unread: definition_unread.clone(),
        backing_sources: backing_sources.clone(),
        snapshot_names: snapshot_names.clone(),
        source_labels: source_labels.clone(),
    })
}

fn instance(instance: &VmInstance) -> v1::VmInstance {
    let VmInstance { host, technology, display_name, run_state: state, disks_digest } = instance;
    v1::VmInstance {
        host: host_name(host),
        technology: technology.clone(),
        display_name: display_name.clone(),
        run_state: run_state(*state),
        disks_digest: disks_digest.clone(),
    }
}

fn figures(figures: &VmVolatile, full: bool) -> v1::VirtualMachineFigures {
    let VmVolatile {
        observed,
        start_time,
        incarnation,
        // Served with the machine itself.
        control_state: _,
        cpu_time_ns,
        memory_actual_bytes,
        memory_rss_bytes,
        disks,
        nics,
        statistics_partial,
    } = figures;
    let disk = |(target, disk): (&String, &DiskVolatile)| (target.clone(), disk_figures(disk));
    let nic = |(mac, nic): (&String, &NicVolatile)| (mac.clone(), nic_figures(nic));
    v1::VirtualMachineFigures {
        observed: (*observed != Timestamp::default()).then(|| timestamp(*observed)),
        start_time: start_time.map(timestamp),
        incarnation: *incarnation,
        cpu_time_ns: *cpu_time_ns,
        memory_actual_bytes: *memory_actual_bytes,
        memory_rss_bytes: *memory_rss_bytes,
        disks: if full { disks.iter().map(disk).collect() } else { Default::default() },
        nics: if full { nics.iter().map(nic).collect() } else { Default::default() },
        statistics_partial: *statistics_partial,
    }
}

fn disk_figures(figures: &DiskVolatile) -> v1::DiskFigures {
    let DiskVolatile { capacity_bytes, allocation_bytes, physical_bytes, read_bytes, written_bytes } = *figures;
    v1::DiskFigures { capacity_bytes, allocation_bytes, physical_bytes, read_bytes, written_bytes }
}

fn nic_figures(figures: &NicVolatile) -> v1::NicFigures {
    let NicVolatile { received_bytes, transmitted_bytes } = *figures;
    v1::NicFigures { received_bytes, transmitted_bytes }
}

fn vm_definition(definition: &VmDefinition, full: bool) -> v1::VmDefinition {
    let VmDefinition {
        title,
        description,
        virtualization_type,
        machine_type,
        arch,
        os_type,
        firmware,
        secure_boot,
        tpm,
        boot_order,
        vcpus_current,
        vcpus_maximum,
        cpu_model,
        cpu_pinning,
        memory_current_bytes,
        memory_maximum_bytes,
        huge_pages,
        numa_nodeset,
        balloon,
        disks,
        nics,
        consoles,
        agent,
        passthrough_devices,
        extensions,
    } = definition;
    let (disks, nics) = if full { (&disks[..], &nics[..]) } else { (&[][..], &[][..]) };
    v1::VmDefinition {
        title: title.clone(),
        description: description.clone(),
        virtualization_type: virtualization_type.clone(),
        machine_type: machine_type.clone(),
        arch: arch.clone(),
        os_type: os_type.clone(),
        firmware: firmware.clone(),
        secure_boot: *secure_boot,
        tpm: *tpm,
        boot_order: boot_order.clone(),
        vcpus_current: *vcpus_current,
        vcpus_maximum: *vcpus_maximum,
        cpu_model: cpu_model.clone(),
        cpu_pinning: if full { cpu_pinning.clone() } else { Default::default() },
        memory_current_bytes: *memory_current_bytes,
        memory_maximum_bytes: *memory_maximum_bytes,
        huge_pages: *huge_pages,
        numa_nodeset: numa_nodeset.clone(),
        balloon: *balloon,
        disks: disks.iter().map(virtual_disk).collect(),
        nics: nics.iter().map(virtual_nic).collect(),
        consoles: consoles.clone(),
        agent: Some(guest_agent(agent)),
        passthrough_devices: passthrough_devices.clone(),
        extensions: if full { extensions.clone() } else { Default::default() },
    }
}

fn virtual_disk(disk: &VirtualDisk) -> v1::VirtualDisk {
    let VirtualDisk {
        target,
        bus,
        device,
        source_type,
        source,
        pool,
        volume,
        format,
        read_only,
        shareable,
        cache_mode,
        error_policy,
        serial,
        backing_chain,
    } = disk;
    v1::VirtualDisk {
        target: target.clone(),
        bus: bus.clone(),
        device: device.clone(),
        source_type: source_type.clone(),
        source: source.clone(),
        pool: pool.clone(),
        volume: volume.clone(),
        format: format.clone(),
        read_only: *read_only,
        shareable: *shareable,
        cache_mode: cache_mode.clone(),
        error_policy: error_policy.clone(),
        serial: serial.clone(),
        backing_chain: backing_chain.clone(),
    }
}

fn virtual_nic(nic: &VirtualNic) -> v1::VirtualNic {
    let VirtualNic {
        mac,
        model,
        connection_type,
        network,
        bridge,
        host_interface,
        link_state,
        vlan_tags,
        mtu,
        port_profile,
    } = nic;
    v1::VirtualNic {
        mac: mac.clone(),
        model: model.clone(),
        connection_type: connection_type.clone(),
        network: network.clone(),
        bridge: bridge.clone(),
        host_interface: host_interface.clone(),
        link_state: link_state.clone(),
        vlan_tags: vlan_tags.clone(),
        mtu: *mtu,
        port_profile: port_profile.clone(),
    }
}

fn guest_agent(agent: &GuestAgent) -> v1::GuestAgent {
    let GuestAgent { configured, connected } = *agent;
    v1::GuestAgent { configured, connected }
}

pub(super) fn snapshot(common: Common, snapshot: &Snapshot) -> v1::Snapshot {
    let Snapshot {
        vm_uuid,
        display_name: _,
        parent,
        current,
        create_time,
        description,
        vm_state,
        memory_included,
        disk_mode,
        host,
    } = snapshot;
    message!(Snapshot, common, {
        vm_uuid: vm_uuid.to_string(),
        parent: parent.clone(),
        current: *current,
        taken_time: Some(timestamp(*create_time)),
        description: description.clone(),
        vm_state: vm_state.clone(),
        memory_included: *memory_included,
        disk_mode: disk_mode.clone(),
        host: host_or_empty(host.as_ref()),
    })
}

same_variants! {
    /// In words of the interface.
    pub fn run_state(RunState) -> v1::RunState {
        Unknown, Running, Blocked, Paused, ShuttingDown, Off, Crashed, Suspended,
    }
}
same_variants! {
    /// In words of the interface.
    pub fn run_state_reason(RunStateReason) -> v1::RunStateReason {
        Unknown, Booted, Migrated, Restored, FromSnapshot, Unpaused, MigrationCanceled, SaveCanceled, Wakeup, Crashed,
        PostCopy, PostCopyFailed, User, Migration, Save, Dump, IoError, Watchdog, ShuttingDown, Snapshot, StartingUp,
        ApiError, Shutdown, Destroyed, Saved, Failed, Daemon, Panicked,
    }
}
same_variants! {
    /// In words of the interface.
    pub fn control_state(ControlState) -> v1::ControlState { Unknown, Responding, Job, NotResponding, Failed }
}
