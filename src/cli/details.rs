//! What the page of an object shows beyond what all classes have in common.

use super::format::{Cell, Clock, labels, short_span, size, word};
use super::page::Page;
use super::sheet::host_id;
use super::states;
use crate::client::{Object, time};
use crate::wire::v1;
use std::collections::BTreeMap;
use std::time::Duration;

/// Writes them.
pub fn write(page: &mut Page, clock: &Clock, object: &Object) {
    match object {
        Object::VirtualMachine(vm) => machine(page, clock, vm),
        Object::Host(host) => self::host(page, clock, host),
        Object::StoragePool(pool) => self::pool(page, clock, pool),
        Object::Volume(volume) => self::volume(page, clock, volume),
        Object::Network(network) => self::network(page, network),
        Object::Snapshot(snapshot) => self::snapshot(page, clock, snapshot),
        Object::Image(image) => {
            page.section("Image");
            page.some("format", image.format.clone());
            page.field("size", size(image.virtual_size_bytes));
        }
        Object::StorageBacking(backing) => self::backing(page, backing),
        Object::Hypervisor(hypervisor) => self::hypervisor(page, clock, hypervisor),
        Object::Cluster(cluster) => self::cluster(page, cluster),
        Object::Vrm(vrm) => {
            page.section("VRM");
            page.field("id", vrm.vrm_id.clone());
            page.some("version", vrm.software_version.clone());
            page.field("profile", word(vrm.profile().as_str_name(), "PROFILE_"));
        }
    }
}

/// The expectation of an object, where its class has one.
pub fn expectation_of(object: &Object) -> Option<&v1::ExpectationSetting> {
    match object {
        Object::VirtualMachine(vm) => vm.expectation.as_ref(),
        Object::StoragePool(pool) => pool.expectation.as_ref(),
        Object::Network(network) => network.expectation.as_ref(),
        _ => None,
    }
}

fn machine(page: &mut Page, clock: &Clock, vm: &v1::VirtualMachine) {
    let figures = vm.figures.clone().unwrap_or_default();
    page.section("Machine");
    page.cell("state", states::machine(vm));
    page.some("why", word(vm.run_state_reason().as_str_name(), "RUN_STATE_REASON_"));
    page.field("host", host_id(&vm.host));
    let defined: Vec<&str> = vm.defined_on.iter().map(|host| host_id(host)).collect();
    page.some("defined on", defined.join(" "));
    page.field("uuid", vm.uuid.clone());
    page.some("technology", vm.technology.clone());
    page.cell("persistent", Cell::flag(vm.persistent));
    page.cell("autostart", Cell::flag(vm.autostart));
    page.some("control", word(vm.control_state().as_str_name(), "CONTROL_STATE_"));
    page.cell("started", clock.time_cell(time(figures.start_time.as_ref())));
    page.cell("observed", clock.time_cell(time(figures.observed.as_ref())));
    if let Some(nanos) = figures.cpu_time_ns {
        page.field("CPU time", short_span(Duration::from_nanos(nanos)));
    }
    page.cell("balloon", Cell::bytes(figures.memory_actual_bytes));
    page.cell("resident", Cell::bytes(figures.memory_rss_bytes));
    if figures.statistics_partial {
        page.field("figures", "partial: the hypervisor process did not answer");
    }
    page.some("definition", vm.definition_unread.clone());
    if vm.instances.len() > 1 {
        instances(page, &vm.instances);
    }
    if let Some(definition) = &vm.definition {
        self::definition(page, definition, &figures);
    }
}

fn instances(page: &mut Page, instances: &[v1::VmInstance]) {
    let lines = instances.iter().map(|instance| {
        vec![
            Cell::text(host_id(&instance.host)),
            Cell::text(instance.technology.clone()),
            Cell::text(instance.display_name.clone()),
            Cell::text(word(instance.run_state().as_str_name(), "RUN_STATE_")),
            Cell::text(instance.disks_digest.clone()),
        ]
    });
    page.table(
        "Instances: several machines share this UUID",
        &["HOST", "TECH", "NAME", "STATE", "DISKS"],
        lines.collect(),
    );
}

fn definition(page: &mut Page, definition: &v1::VmDefinition, figures: &v1::VirtualMachineFigures) {
    page.section("Definition");
    page.some("title", definition.title.clone());
    page.some("description", definition.description.clone());
    page.some(
        "type",
        [&definition.virtualization_type, &definition.os_type, &definition.arch, &definition.machine_type]
            .map(String::as_str)
            .join(" ")
            .trim()
            .to_owned(),
    );
    page.some("firmware", firmware(definition));
    page.field("vCPUs", format!("{} of at most {}", definition.vcpus_current, definition.vcpus_maximum));
    page.some("CPU model", definition.cpu_model.clone());
    let pins: Vec<String> = definition.cpu_pinning.iter().map(|(cpu, set)| format!("{cpu}→{set}")).collect();
    page.some("CPU pinning", pins.join(" "));
    page.field(
        "memory",
        format!("{} of at most {}", size(definition.memory_current_bytes), size(definition.memory_maximum_bytes)),
    );
    page.some("NUMA nodes", definition.numa_nodeset.clone());
    if definition.huge_pages {
        page.field("huge pages", "yes");
    }
    page.some("boot", definition.boot_order.join(" "));
    page.some("consoles", definition.consoles.join(" "));
    page.some("guest agent", agent(definition.agent));
    page.some("passthrough", definition.passthrough_devices.join(" "));
    let disks = definition.disks.iter().map(|disk| disk_line(disk, figures.disks.get(&disk.target)));
    page.table(
        "Disks",
        &["TARGET", "DEVICE", "BUS", "FORMAT", "SIZE", "ALLOCATED", "FLAGS", "SOURCE"],
        disks.collect(),
    );
    let nics = definition.nics.iter().map(|nic| nic_line(nic, figures.nics.get(&nic.mac)));
    page.table(
        "NICs",
        &["MAC", "MODEL", "TYPE", "ATTACHED", "ON HOST", "LINK", "VLAN", "RECEIVED", "SENT"],
        nics.collect(),
    );
    extensions(page, &definition.extensions);
}

fn firmware(definition: &v1::VmDefinition) -> String {
    let extras = [(definition.secure_boot, "secure boot"), (definition.tpm, "TPM")];
    let parts = std::iter::once(definition.firmware.clone())
        .chain(extras.iter().filter(|(is, _)| *is).map(|(_, name)| (*name).to_owned()));
    parts.filter(|part| !part.is_empty()).collect::<Vec<_>>().join(", ")
}

fn agent(agent: Option<v1::GuestAgent>) -> String {
    match agent {
        Some(agent) if agent.configured => match agent.connected {
            Some(true) => "connected".to_owned(),
            Some(false) => "configured, not connected".to_owned(),
            None => "configured, connection not known".to_owned(),
        },
        _ => String::new(),
    }
}

fn disk_line(disk: &v1::VirtualDisk, figures: Option<&v1::DiskFigures>) -> Vec<Cell> {
    let flags = [(disk.read_only, "read-only"), (disk.shareable, "shareable")];
    let flags: Vec<&str> = flags.iter().filter(|(is, _)| *is).map(|(_, name)| *name).collect();
    let source = if disk.source.is_empty() {
        [disk.pool.as_str(), disk.volume.as_str()].join("/").trim_matches('/').to_owned()
    } else {
        disk.source.clone()
    };
    vec![
        Cell::text(disk.target.clone()),
        Cell::text(disk.device.clone()),
        Cell::text(disk.bus.clone()),
        Cell::text(disk.format.clone()),
        Cell::bytes(figures.and_then(|figures| figures.capacity_bytes)),
        Cell::bytes(figures.and_then(|figures| figures.allocation_bytes)),
        Cell::text(flags.join(",")),
        Cell::text(source),
    ]
}

fn nic_line(nic: &v1::VirtualNic, figures: Option<&v1::NicFigures>) -> Vec<Cell> {
    let vlans: Vec<String> = nic.vlan_tags.iter().map(u32::to_string).collect();
    vec![
        Cell::text(nic.mac.clone()),
        Cell::text(nic.model.clone()),
        Cell::text(nic.connection_type.clone()),
        Cell::text(if nic.network.is_empty() { nic.bridge.clone() } else { nic.network.clone() }),
        Cell::text(nic.host_interface.clone()),
        Cell::text(nic.link_state.clone()),
        Cell::text(vlans.join(",")),
        Cell::bytes(figures.and_then(|figures| figures.received_bytes)),
        Cell::bytes(figures.and_then(|figures| figures.transmitted_bytes)),
    ]
}

fn extensions(page: &mut Page, extensions: &BTreeMap<String, String>) {
    if !extensions.is_empty() {
        page.section(&format!("Not modelled ({})", extensions.len()));
        page.line("see -o yaml: everything the definition says beyond this");
    }
}

fn host(page: &mut Page, clock: &Clock, host: &v1::Host) {
    let figures = host.figures.clone().unwrap_or_default();
    page.section("Host");
    page.cell("connection", states::connection(host.connection_state(), host.state.as_ref()));
    page.cell("synchronised", Cell::flag(host.synchronized));
    page.cell("last seen", clock.time_cell(time(figures.last_seen.as_ref())));
    page.field("profile", word(host.profile().as_str_name(), "PROFILE_"));
    page.field("registered by", word(host.origin().as_str_name(), "HOST_ORIGIN_"));
    page.some("own name", host.host_name.clone());
    page.some("addresses", host.connection_uris.join(" "));
    page.some("host UUID", host.host_uuid.clone());
    host.warnings.iter().for_each(|warning| page.field("warning", warning.clone()));
    hardware(page, host);
    if let Some(seconds) = figures.uptime_seconds {
        page.field("up for", short_span(Duration::from_secs(seconds)));
    }
    page.cell("memory free", Cell::bytes(figures.memory_free_bytes));
    capacity(page, figures.capacity.as_ref());
    host_devices(page, host, &figures);
    if !host.not_available.is_empty() {
        page.section("Not visible here");
        host.not_available.iter().for_each(|(part, why)| page.field(part, why.clone()));
    }
}

fn hardware(page: &mut Page, host: &v1::Host) {
    if let Some(cpu) = &host.cpu {
        page.some("CPU", [&cpu.vendor, &cpu.model, &cpu.arch].map(String::as_str).join(" ").trim().to_owned());
        let shape = format!(
            "{} ({} sockets, {} cores each, {} threads)",
            cpu.logical_cpus, cpu.sockets, cpu.cores_per_socket, cpu.threads_per_core
        );
        page.field("logical CPUs", shape);
    }
    page.cell("memory", Cell::bytes(Some(host.memory_total_bytes).filter(|bytes| *bytes > 0)));
    if let Some(hardware) = &host.hardware {
        page.some("hardware", format!("{} {}", hardware.vendor, hardware.model).trim().to_owned());
        page.some("serial", hardware.serial_number.clone());
        page.some("firmware", hardware.firmware_version.clone());
    }
    page.some("system", format!("{} {}", host.os_name, host.kernel_version).trim().to_owned());
}

fn host_devices(page: &mut Page, host: &v1::Host, figures: &v1::HostFigures) {
    let nodes = host.numa_nodes.iter().map(|node| {
        vec![
            Cell::number(node.id),
            Cell::bytes(Some(node.memory_bytes)),
            Cell::number(u64::try_from(node.cpu_ids.len()).unwrap_or(0)),
        ]
    });
    page.table("NUMA nodes", &["NODE", "MEMORY", "CPUS"], nodes.collect());
    let pages = figures.huge_pages.iter().map(|pages| {
        vec![Cell::bytes(Some(pages.page_size_bytes)), Cell::number(pages.total), Cell::number(pages.free)]
    });
    page.table("Huge pages", &["SIZE", "TOTAL", "FREE"], pages.collect());
    let nics = host.nics.iter().map(|nic| {
        let speed =
            (nic.speed_bits_per_second > 0).then(|| format!("{} Mbit/s", nic.speed_bits_per_second / 1_000_000));
        vec![
            Cell::text(nic.name.clone()),
            Cell::text(nic.mac.clone()),
            Cell::text(nic.link_state.clone()),
            Cell::text(speed.unwrap_or_default()),
            Cell::text(nic.master.clone()),
            Cell::text(nic.driver.clone()),
            Cell::text(nic.addresses.join(" ")),
        ]
    });
    page.table("NICs", &["NAME", "MAC", "LINK", "SPEED", "MASTER", "DRIVER", "ADDRESSES"], nics.collect());
    let disks = host.disks.iter().map(|disk| {
        let kind = disk.rotational.map(|is| if is { "spinning" } else { "solid" }).unwrap_or_default();
        vec![
            Cell::text(disk.name.clone()),
            Cell::bytes(Some(disk.size_bytes)),
            Cell::text(kind),
            Cell::text(disk.model.clone()),
            Cell::text(disk.serial.clone()),
        ]
    });
    page.table("Disks", &["NAME", "SIZE", "KIND", "MODEL", "SERIAL"], disks.collect());
    let filesystems = host.filesystems.iter().map(|filesystem| {
        vec![
            Cell::text(filesystem.mount_point.clone()),
            Cell::text(filesystem.fs_type.clone()),
            Cell::bytes(Some(filesystem.size_bytes)),
            Cell::bytes(figures.filesystem_available_bytes.get(&filesystem.mount_point).copied()),
            Cell::text(filesystem.source.clone()),
        ]
    });
    page.table("Filesystems", &["MOUNTED AT", "TYPE", "SIZE", "AVAILABLE", "SOURCE"], filesystems.collect());
}

/// Capacity as lines: total, allocated, available, with the overcommit used.
pub fn capacity(page: &mut Page, capacity: Option<&v1::Capacity>) {
    let Some(capacity) = capacity else { return };
    type Shown = fn(u64) -> String;
    let plain: Shown = |amount| amount.to_string();
    let rows = [
        ("vCPUs", capacity.vcpus, plain),
        ("memory", capacity.memory_bytes, size as Shown),
        ("storage", capacity.storage_bytes, size),
    ];
    for (label, amount, shown) in rows {
        let Some(amount) = amount else { continue };
        let text = format!(
            "{} allocated of {}{}, {} available at overcommit {}",
            shown(amount.allocated),
            shown(amount.total),
            if amount.reserved > 0 { format!(" ({} reserved)", shown(amount.reserved)) } else { String::new() },
            shown(amount.available),
            amount.overcommit
        );
        page.field(&format!("{label} capacity"), text);
    }
}

fn pool(page: &mut Page, clock: &Clock, pool: &v1::StoragePool) {
    let figures = pool.figures.unwrap_or_default();
    page.section("Pool");
    page.cell("state", states::pool(pool));
    page.field("host", host_id(&pool.host));
    page.some("type", pool.pool_type.clone());
    page.cell("size", Cell::bytes(figures.capacity_bytes));
    page.cell("allocated", Cell::bytes(figures.allocation_bytes));
    page.cell("free", Cell::bytes(figures.available_bytes));
    page.cell("figures of", clock.time_cell(time(figures.as_of.as_ref())));
    page.cell("promised to volumes", Cell::bytes(Some(figures.volume_capacity_bytes)));
    page.cell("volumes", Cell::number(pool.volume_count));
    page.cell("autostart", Cell::flag(pool.autostart));
    page.some("target", pool.target_path.clone());
    page.some("source", pool.source.clone());
    page.some("backing", pool.backing_source.clone());
    page.some("pool UUID", pool.pool_uuid.clone());
    capacity(page, figures.capacity.as_ref());
    extensions(page, &pool.extensions);
}

fn volume(page: &mut Page, clock: &Clock, volume: &v1::Volume) {
    let figures = volume.figures.unwrap_or_default();
    page.section("Volume");
    page.field("pool", format!("{}@{}", volume.pool, host_id(&volume.host)));
    page.some("type", volume.volume_type.clone());
    page.some("format", volume.format.clone());
    page.cell("size", Cell::bytes(Some(volume.capacity_bytes)));
    page.cell("allocated", Cell::bytes(figures.allocation_bytes));
    page.cell("figures of", clock.time_cell(time(figures.as_of.as_ref())));
    page.cell("encrypted", Cell::flag(volume.encrypted));
    page.some("path", volume.path.clone());
    page.some("key", volume.key.clone());
    page.some("base image", volume.backing_path.clone());
}

fn network(page: &mut Page, network: &v1::Network) {
    page.section("Network");
    page.cell("state", states::network(network));
    page.field("host", host_id(&network.host));
    page.some("mode", network.forward_mode.clone());
    page.some("bridge", network.bridge_name.clone());
    page.some("uplinks", network.uplinks.join(" "));
    page.cell("autostart", Cell::flag(network.autostart));
    page.cell("persistent", Cell::flag(network.persistent));
    let tags: Vec<String> = network.vlan_tags.iter().map(u32::to_string).collect();
    page.some("VLAN", tags.join(" "));
    page.some("MTU", if network.mtu == 0 { String::new() } else { network.mtu.to_string() });
    page.some("port groups", network.port_groups.join(" "));
    page.some("DNS domain", network.domain.clone());
    page.some("network UUID", network.network_uuid.clone());
    let subnets = network.subnets.iter().map(|subnet| {
        vec![
            Cell::text(subnet.cidr.clone()),
            Cell::text(subnet.gateway.clone()),
            Cell::text(subnet.dhcp_ranges.join(" ")),
        ]
    });
    page.table("Subnets", &["CIDR", "GATEWAY", "DHCP"], subnets.collect());
    extensions(page, &network.extensions);
}

fn snapshot(page: &mut Page, clock: &Clock, snapshot: &v1::Snapshot) {
    page.section("Snapshot");
    page.field("machine", snapshot.vm_uuid.clone());
    page.field("host", host_id(&snapshot.host));
    page.cell("taken", clock.time_cell(time(snapshot.taken_time.as_ref())));
    page.some("machine was", snapshot.vm_state.clone());
    page.cell("current", Cell::flag(snapshot.current));
    page.some("parent", snapshot.parent.clone());
    page.cell("with memory", Cell::flag(snapshot.memory_included));
    page.some("disks", snapshot.disk_mode.clone());
    page.some("description", snapshot.description.clone());
}

fn backing(page: &mut Page, backing: &v1::StorageBacking) {
    page.section("Backing");
    page.field("source", backing.source.clone());
    page.some("type", backing.backing_type.clone());
    let hosts: Vec<&str> = backing.hosts.iter().map(|host| host_id(host)).collect();
    page.some("hosts", hosts.join(" "));
    page.field("pools", backing.pools.len().to_string());
    page.field("machines", backing.virtual_machines.len().to_string());
    capacity(page, backing.figures.as_ref().and_then(|figures| figures.capacity.as_ref()));
}

fn hypervisor(page: &mut Page, clock: &Clock, hypervisor: &v1::Hypervisor) {
    let figures = hypervisor.figures.unwrap_or_default();
    page.section("Hypervisor");
    page.some("guest archs", hypervisor.guest_archs.join(" "));
    page.some("machine types", hypervisor.machine_types.join(" "));
    page.cell("last event", clock.time_cell(time(figures.last_event.as_ref())));
    page.cell("missed events", Cell::number(figures.missed_events));
    page.cell("connections", Cell::number(figures.generation));
    page.cell("severed lanes", Cell::number(figures.severed_lanes));
}

fn cluster(page: &mut Page, cluster: &v1::Cluster) {
    page.section("Cluster");
    page.field("id", cluster.cluster_id.clone());
    page.cell("hosts", Cell::number(cluster.host_count));
    page.some("technologies", cluster.technologies.join(" "));
    if let Some(figures) = &cluster.figures {
        page.cell("machines", Cell::number(figures.vm_count));
        capacity(page, figures.capacity.as_ref());
    }
    page.some("labels", labels(&cluster.labels));
}
