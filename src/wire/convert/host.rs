//! The VRM, its cluster, hosts and hypervisors.

use super::common::{Common, capacity, connection_state, message, profile_word, same_variants, timestamp};
use crate::model::capability::Availability;
use crate::model::host::{
    Cluster, ClusterVolatile, Host, HostCpu, HostDisk, HostFilesystem, HostHardware, HostNic, HostVolatile, HugePages,
    Hypervisor, HypervisorVolatile, NumaNode, Vrm,
};
use crate::model::registration::HostOrigin;
use crate::wire::v1;

pub(super) fn vrm(common: Common, vrm: &Vrm) -> v1::Vrm {
    let Vrm { vrm_id, dn_prefix, software_version, profile } = vrm;
    message!(Vrm, common, {
        vrm_id: vrm_id.clone(),
        dn_prefix: dn_prefix.clone(),
        software_version: software_version.clone(),
        profile: profile_word(profile).into(),
    })
}

pub(super) fn cluster(common: Common, cluster: &Cluster) -> v1::Cluster {
    let Cluster { cluster_id, technologies, host_count, volatile } = cluster;
    let ClusterVolatile { vm_count, capacity: amounts } = &volatile.0;
    message!(Cluster, common, {
        figures: Some(v1::ClusterFigures { vm_count: *vm_count, capacity: Some(capacity(amounts)) }),
        cluster_id: cluster_id.clone(),
        technologies: technologies.clone(),
        host_count: *host_count,
    })
}

pub(super) fn host(common: Common, host: &Host, full: bool) -> v1::Host {
    let Host {
        host_name,
        connection_uris,
        connection_state: connection,
        synchronized,
        origin,
        profile,
        warnings,
        host_uuid,
        cpu,
        memory_total_bytes,
        numa_nodes,
        hardware,
        os_name,
        kernel_version,
        boot_id,
        nics,
        disks,
        filesystems,
        source_labels,
        not_available,
        volatile,
    } = host;
    let details =
        |wanted: bool| if wanted { (&nics[..], &disks[..], &filesystems[..]) } else { (&[][..], &[][..], &[][..]) };
    let (nics, disks, filesystems) = details(full);
    let worked_on = common.maintenance.clone();
    message!(Host, common, {
        maintenance: worked_on,
        figures: Some(host_figures(&volatile.0, full)),
        host_name: host_name.clone(),
        connection_uris: connection_uris.clone(),
        connection_state: connection_state(*connection),
        synchronized: *synchronized,
        origin: host_origin(*origin),
        profile: profile_word(profile).into(),
        warnings: warnings.clone(),
        host_uuid: host_uuid.clone(),
        cpu: Some(host_cpu(cpu)),
        memory_total_bytes: *memory_total_bytes,
        numa_nodes: if full { numa_nodes.iter().map(numa_node).collect() } else { Vec::new() },
        hardware: Some(host_hardware(hardware)),
        os_name: os_name.clone(),
        kernel_version: kernel_version.clone(),
        boot_id: boot_id.clone(),
        nics: nics.iter().map(host_nic).collect(),
        disks: disks.iter().map(host_disk).collect(),
        filesystems: filesystems.iter().map(host_filesystem).collect(),
        source_labels: source_labels.clone(),
        not_available: not_available.clone(),
    })
}

fn host_figures(figures: &HostVolatile, full: bool) -> v1::HostFigures {
    let HostVolatile {
        last_seen,
        memory_free_bytes,
        cpu_time_ns,
        huge_pages,
        filesystem_available_bytes,
        uptime_seconds,
        capacity: amounts,
    } = figures;
    v1::HostFigures {
        last_seen: last_seen.map(timestamp),
        memory_free_bytes: *memory_free_bytes,
        cpu_time_ns: cpu_time_ns.clone(),
        huge_pages: huge_pages.iter().map(huge_pages_of).collect(),
        filesystem_available_bytes: if full { filesystem_available_bytes.clone() } else { Default::default() },
        uptime_seconds: *uptime_seconds,
        capacity: Some(capacity(amounts)),
    }
}

fn host_cpu(cpu: &HostCpu) -> v1::HostCpu {
    let HostCpu { model, arch, vendor, sockets, cores_per_socket, threads_per_core, logical_cpus, online_cpus, mhz } =
        cpu;
    v1::HostCpu {
        model: model.clone(),
        arch: arch.clone(),
        vendor: vendor.clone(),
        sockets: *sockets,
        cores_per_socket: *cores_per_socket,
        threads_per_core: *threads_per_core,
        logical_cpus: *logical_cpus,
        online_cpus: *online_cpus,
        mhz: *mhz,
    }
}

fn numa_node(node: &NumaNode) -> v1::NumaNode {
    let NumaNode { id, memory_bytes, cpu_ids } = node;
    v1::NumaNode { id: *id, memory_bytes: *memory_bytes, cpu_ids: cpu_ids.clone() }
}

fn huge_pages_of(pages: &HugePages) -> v1::HugePages {
    let HugePages { page_size_bytes, total, free } = pages;
    v1::HugePages { page_size_bytes: *page_size_bytes, total: *total, free: *free }
}

fn host_hardware(hardware: &HostHardware) -> v1::HostHardware {
    let HostHardware { vendor, model, serial_number, firmware_version } = hardware;
    v1::HostHardware {
        vendor: vendor.clone(),
        model: model.clone(),
        serial_number: serial_number.clone(),
        firmware_version: firmware_version.clone(),
    }
}

fn host_nic(nic: &HostNic) -> v1::HostNic {
    let HostNic { name, mac, link_state, speed_bits_per_second, mtu, driver, master, addresses } = nic;
    v1::HostNic {
        name: name.clone(),
        mac: mac.clone(),
        link_state: link_state.clone(),
        speed_bits_per_second: *speed_bits_per_second,
        mtu: *mtu,
        driver: driver.clone(),
        master: master.clone(),
        addresses: addresses.clone(),
    }
}

fn host_disk(disk: &HostDisk) -> v1::HostDisk {
    let HostDisk { name, model, serial, wwn, size_bytes, rotational } = disk;
    v1::HostDisk {
        name: name.clone(),
        model: model.clone(),
        serial: serial.clone(),
        wwn: wwn.clone(),
        size_bytes: *size_bytes,
        rotational: *rotational,
    }
}

fn host_filesystem(filesystem: &HostFilesystem) -> v1::HostFilesystem {
    let HostFilesystem { mount_point, fs_type, source, size_bytes, read_only } = filesystem;
    v1::HostFilesystem {
        mount_point: mount_point.clone(),
        fs_type: fs_type.clone(),
        source: source.clone(),
        size_bytes: *size_bytes,
        read_only: *read_only,
    }
}

pub(super) fn hypervisor(common: Common, hypervisor: &Hypervisor, full: bool) -> v1::Hypervisor {
    let Hypervisor {
        technology,
        connection_uri,
        connection_state: connection,
        version,
        libvirt_version,
        machine_types,
        guest_archs,
        capabilities,
        events,
        volatile,
    } = hypervisor;
    let verdicts =
        capabilities.iter().map(|(capability, verdict)| (capability.as_str().to_owned(), availability(*verdict)));
    message!(Hypervisor, common, {
        figures: Some(hypervisor_figures(&volatile.0)),
        technology: technology.clone(),
        connection_uri: connection_uri.clone(),
        connection_state: connection_state(*connection),
        version: version.clone(),
        libvirt_version: libvirt_version.clone(),
        machine_types: if full { machine_types.clone() } else { Vec::new() },
        guest_archs: guest_archs.clone(),
        capabilities: if full { verdicts.collect() } else { Default::default() },
        events: events.clone(),
    })
}

fn hypervisor_figures(figures: &HypervisorVolatile) -> v1::HypervisorFigures {
    let HypervisorVolatile { generation, missed_events, last_event, severed_lanes } = figures;
    v1::HypervisorFigures {
        generation: *generation,
        missed_events: *missed_events,
        last_event: last_event.map(timestamp),
        severed_lanes: *severed_lanes,
    }
}

same_variants! { /// In words of the interface.
pub fn host_origin(HostOrigin) -> v1::HostOrigin { File, Api } }
same_variants! {
    fn availability(Availability) -> v1::CapabilityAvailability { Available, NeedsManage, Unsupported, Unknown }
}
