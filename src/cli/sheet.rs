//! The row of an object under the columns of its kind. Pure.

pub use super::heads::{MIXED, SESSION, heads};

use super::format::{Cell, Clock, Tone, labels, word};
use super::states;
use crate::client::{Object, ObjectExt, time};
use crate::wire::v1;

/// The row of an object of any class under [`MIXED`].
pub fn mixed_row(object: &Object, clock: &Clock) -> Vec<Cell> {
    let state = match object {
        Object::VirtualMachine(vm) => states::machine(vm),
        Object::Host(host) => states::connection(host.connection_state(), host.state.as_ref()),
        Object::Hypervisor(hypervisor) => states::connection(hypervisor.connection_state(), hypervisor.state.as_ref()),
        Object::StoragePool(pool) => states::pool(pool),
        Object::Network(network) => states::network(network),
        other => states::resource(other.state()),
    };
    vec![
        Cell::text(super::kind::Kind::Object(object.class()).word()),
        Cell::text(title(object)),
        Cell::text(host_id(object.host())),
        state,
        clock.age_cell(None),
    ]
}

/// The row of an object under [`heads`] of its class.
pub fn row(object: &Object, clock: &Clock) -> Vec<Cell> {
    match object {
        Object::VirtualMachine(vm) => machine_row(vm, clock),
        Object::Host(host) => host_row(host, clock),
        Object::StoragePool(pool) => pool_row(pool, clock),
        Object::Volume(volume) => volume_row(volume, clock),
        Object::Network(network) => network_row(network, clock),
        Object::Snapshot(snapshot) => snapshot_row(snapshot, clock),
        Object::Image(image) => image_row(image, clock),
        Object::StorageBacking(backing) => backing_row(backing, clock),
        Object::Hypervisor(hypervisor) => hypervisor_row(hypervisor, clock),
        Object::Cluster(cluster) => cluster_row(cluster, clock),
        Object::Vrm(vrm) => vrm_row(vrm, clock),
    }
}

/// Host id of a resource name of a host.
pub fn host_id(name: &str) -> &str {
    name.strip_prefix("hosts/").unwrap_or(name)
}

/// Last segment of a resource name.
fn last_segment(name: &str) -> &str {
    name.rsplit('/').next().unwrap_or_default()
}

/// The id people type for a host; its own name only where there is no id.
fn shown_name(object_name: &str, display_name: &str) -> String {
    if display_name.is_empty() { last_segment(object_name).to_owned() } else { display_name.to_owned() }
}

fn machine_row(vm: &v1::VirtualMachine, clock: &Clock) -> Vec<Cell> {
    let definition = vm.definition.clone().unwrap_or_default();
    let is_unread = !vm.definition_unread.is_empty() || vm.definition.is_none();
    let vcpus = if is_unread { Cell::unknown() } else { Cell::number(definition.vcpus_current) };
    let memory = Cell::bytes((!is_unread).then_some(definition.memory_current_bytes));
    let mut expect = states::expectation(vm.expectation.as_ref());
    if states::is_unexpected(vm) {
        expect.tone = Tone::Bad;
    }
    let host = match vm.instances.len() {
        0 | 1 => host_id(&vm.host).to_owned(),
        several => format!("{} (+{})", host_id(&vm.host), several - 1),
    };
    vec![
        Cell::text(shown_name(&vm.name, &vm.display_name)),
        Cell::text(host),
        states::machine(vm),
        vcpus,
        memory,
        expect,
        clock.age_cell(time(vm.create_time.as_ref())),
        clock.time_cell(time(vm.state.as_ref().and_then(|state| state.since.as_ref()))),
        Cell::text(vm.technology.clone()),
        Cell::flag(vm.autostart),
        Cell::text(vm.uuid.clone()),
        Cell::text(labels(&vm.labels)),
    ]
}

fn host_row(host: &v1::Host, clock: &Clock) -> Vec<Cell> {
    let figures = host.figures.clone().unwrap_or_default();
    let cpus = host.cpu.as_ref().map(|cpu| cpu.logical_cpus).filter(|cpus| *cpus > 0);
    let hardware = host.hardware.clone().unwrap_or_default();
    let mut state = states::connection(host.connection_state(), host.state.as_ref());
    if host.connection_state() == v1::ConnectionState::Connected && !host.synchronized {
        state = Cell::text("connected, reading").toned(Tone::Warn);
    }
    vec![
        Cell::text(host_id(&host.name)),
        state,
        Cell::text(word(host.profile().as_str_name(), "PROFILE_")),
        cpus.map_or_else(Cell::unknown, Cell::number),
        Cell::bytes(Some(host.memory_total_bytes).filter(|bytes| *bytes > 0)),
        Cell::bytes(figures.memory_free_bytes),
        clock.age_cell(time(host.create_time.as_ref())),
        Cell::text(word(host.origin().as_str_name(), "HOST_ORIGIN_")),
        Cell::text(format!("{} {}", hardware.vendor, hardware.model).trim().to_owned()),
        Cell::text(host.os_name.clone()),
        clock.time_cell(time(figures.last_seen.as_ref())),
        Cell::text(host.connection_uris.join(" ")),
        Cell::text(host.warnings.join("; ")).toned(if host.warnings.is_empty() { Tone::Plain } else { Tone::Warn }),
        Cell::text(labels(&host.labels)),
    ]
}

fn pool_row(pool: &v1::StoragePool, clock: &Clock) -> Vec<Cell> {
    let figures = pool.figures.unwrap_or_default();
    vec![
        Cell::text(shown_name(&pool.name, &pool.display_name)),
        Cell::text(host_id(&pool.host)),
        states::pool(pool),
        Cell::text(pool.pool_type.clone()),
        Cell::bytes(figures.capacity_bytes),
        Cell::bytes(figures.available_bytes),
        percent(figures.allocation_bytes, figures.capacity_bytes),
        clock.age_cell(time(figures.as_of.as_ref())),
        clock.age_cell(time(pool.create_time.as_ref())),
        Cell::number(pool.volume_count),
        states::expectation(pool.expectation.as_ref()),
        Cell::flag(pool.autostart),
        Cell::text(pool.target_path.clone()),
        Cell::text(pool.backing_source.clone()),
        Cell::text(labels(&pool.labels)),
    ]
}

/// Share in use; `?` where a part is not known.
fn percent(used: Option<u64>, total: Option<u64>) -> Cell {
    let (Some(used), Some(total)) = (used, total.filter(|total| *total > 0)) else { return Cell::unknown() };
    let percent = u128::from(used) * 100 / u128::from(total);
    let tone = match percent {
        0..85 => Tone::Plain,
        85..95 => Tone::Warn,
        _ => Tone::Bad,
    };
    let raw = u64::try_from(percent).unwrap_or(u64::MAX);
    Cell { text: format!("{percent}%"), raw: raw.into(), tone }
}

fn volume_row(volume: &v1::Volume, clock: &Clock) -> Vec<Cell> {
    vec![
        Cell::text(shown_name(&volume.name, &volume.display_name)),
        Cell::text(volume.pool.clone()),
        Cell::text(host_id(&volume.host)),
        Cell::text(volume.format.clone()),
        Cell::bytes(Some(volume.capacity_bytes)),
        Cell::bytes(volume.figures.as_ref().and_then(|figures| figures.allocation_bytes)),
        clock.age_cell(time(volume.create_time.as_ref())),
        Cell::text(volume.volume_type.clone()),
        Cell::flag(volume.encrypted),
        Cell::text(volume.path.clone()),
        Cell::text(volume.backing_path.clone()),
        Cell::text(labels(&volume.labels)),
    ]
}

fn network_row(network: &v1::Network, clock: &Clock) -> Vec<Cell> {
    let subnets: Vec<&str> = network.subnets.iter().map(|subnet| subnet.cidr.as_str()).collect();
    vec![
        Cell::text(shown_name(&network.name, &network.display_name)),
        Cell::text(host_id(&network.host)),
        states::network(network),
        Cell::text(network.forward_mode.clone()),
        Cell::text(network.bridge_name.clone()),
        Cell::text(subnets.join(" ")),
        clock.age_cell(time(network.create_time.as_ref())),
        Cell::text(network.uplinks.join(" ")),
        states::expectation(network.expectation.as_ref()),
        Cell::flag(network.autostart),
        Cell::text(network.domain.clone()),
        Cell::text(labels(&network.labels)),
    ]
}

fn snapshot_row(snapshot: &v1::Snapshot, clock: &Clock) -> Vec<Cell> {
    vec![
        Cell::text(shown_name(&snapshot.name, &snapshot.display_name)),
        Cell::text(snapshot.vm_uuid.clone()),
        Cell::text(snapshot.vm_state.clone()),
        Cell::flag(snapshot.current),
        clock.time_cell(time(snapshot.taken_time.as_ref())),
        Cell::text(snapshot.parent.clone()),
        clock.age_cell(time(snapshot.create_time.as_ref())),
        Cell::text(host_id(&snapshot.host)),
        Cell::flag(snapshot.memory_included),
        Cell::text(snapshot.disk_mode.clone()),
        Cell::text(snapshot.description.clone()),
        Cell::text(labels(&snapshot.labels)),
    ]
}

fn image_row(image: &v1::Image, clock: &Clock) -> Vec<Cell> {
    vec![
        Cell::text(shown_name(&image.name, &image.display_name)),
        Cell::text(image.format.clone()),
        Cell::bytes(Some(image.virtual_size_bytes)),
        count(image.volumes.len()),
        clock.age_cell(time(image.create_time.as_ref())),
        Cell::text(labels(&image.labels)),
    ]
}

fn backing_row(backing: &v1::StorageBacking, clock: &Clock) -> Vec<Cell> {
    let storage = backing
        .figures
        .as_ref()
        .and_then(|figures| figures.capacity.as_ref())
        .and_then(|capacity| capacity.storage_bytes);
    vec![
        Cell::text(if backing.source.is_empty() {
            shown_name(&backing.name, &backing.display_name)
        } else {
            backing.source.clone()
        }),
        Cell::text(backing.backing_type.clone()),
        states::resource(backing.state.as_ref()),
        count(backing.hosts.len()),
        count(backing.pools.len()),
        count(backing.virtual_machines.len()),
        Cell::bytes(storage.map(|amount| amount.total)),
        Cell::bytes(storage.map(|amount| amount.allocated)),
        clock.age_cell(time(backing.create_time.as_ref())),
        Cell::text(last_segment(&backing.name)),
        Cell::text(labels(&backing.labels)),
    ]
}

fn hypervisor_row(hypervisor: &v1::Hypervisor, clock: &Clock) -> Vec<Cell> {
    let figures = hypervisor.figures.unwrap_or_default();
    let host = hypervisor.name.split("/hypervisors/").next().unwrap_or_default();
    vec![
        Cell::text(host_id(host)),
        Cell::text(hypervisor.technology.clone()),
        states::connection(hypervisor.connection_state(), hypervisor.state.as_ref()),
        Cell::text(hypervisor.version.clone()),
        Cell::text(hypervisor.libvirt_version.clone()),
        clock.age_cell(time(figures.last_event.as_ref())),
        clock.age_cell(time(hypervisor.create_time.as_ref())),
        Cell::text(hypervisor.connection_uri.clone()),
        Cell::number(figures.missed_events),
        Cell::number(figures.generation.saturating_sub(1)),
        Cell::text(labels(&hypervisor.labels)),
    ]
}

fn cluster_row(cluster: &v1::Cluster, clock: &Clock) -> Vec<Cell> {
    let figures = cluster.figures.unwrap_or_default();
    let capacity = figures.capacity.unwrap_or_default();
    vec![
        Cell::text(if cluster.cluster_id.is_empty() { cluster.name.clone() } else { cluster.cluster_id.clone() }),
        Cell::number(cluster.host_count),
        Cell::number(figures.vm_count),
        Cell::text(cluster.technologies.join(" ")),
        capacity
            .vcpus
            .map_or_else(Cell::unknown, |amount| Cell::text(format!("{}/{}", amount.allocated, amount.total))),
        sizes(capacity.memory_bytes),
        sizes(capacity.storage_bytes),
        clock.age_cell(time(cluster.create_time.as_ref())),
        Cell::text(labels(&cluster.labels)),
    ]
}

fn vrm_row(vrm: &v1::Vrm, clock: &Clock) -> Vec<Cell> {
    vec![
        Cell::text(if vrm.vrm_id.is_empty() { vrm.name.clone() } else { vrm.vrm_id.clone() }),
        Cell::text(word(vrm.profile().as_str_name(), "PROFILE_")),
        Cell::text(vrm.software_version.clone()),
        Cell::text(vrm.dn.clone()),
        clock.age_cell(time(vrm.create_time.as_ref())),
        Cell::text(labels(&vrm.labels)),
    ]
}

/// The row of a session under [`SESSION`].
pub fn session_row(session: &v1::Session, clock: &Clock) -> Vec<Cell> {
    let actor = session.actor.clone().unwrap_or_default();
    let who = if actor.user.is_empty() { actor.principal } else { format!("{} via {}", actor.user, actor.principal) };
    let stalled = crate::client::span(session.stalled.as_ref()).filter(|span| span.as_secs() > 0);
    let started = time(session.start_time.as_ref());
    vec![
        Cell::text(last_segment(&session.name)),
        Cell::text(who),
        Cell::text(last_segment(&session.method)),
        clock.age_cell(started),
        Cell::number(session.lag),
        Cell::number(session.merged),
        Cell::text(stalled.map(super::format::short_span).unwrap_or_default()).toned(Tone::Warn),
        Cell::text(actor.peer),
        clock.time_cell(started),
        Cell::number(session.messages),
        Cell::bytes(Some(session.bytes)),
        Cell::text(session.filter.clone()),
    ]
}

fn count(count: usize) -> Cell {
    Cell::number(u64::try_from(count).unwrap_or(u64::MAX))
}

fn sizes(amount: Option<v1::Amount>) -> Cell {
    amount.map_or_else(Cell::unknown, |amount| {
        let text = format!("{}/{}", super::format::size(amount.allocated), super::format::size(amount.total));
        Cell { text, raw: amount.allocated.into(), tone: Tone::Plain }
    })
}

/// What people call an object.
pub fn title(object: &Object) -> String {
    match object {
        Object::Host(host) => host_id(&host.name).to_owned(),
        Object::Hypervisor(hypervisor) => hypervisor.name.clone(),
        other => shown_name(other.name(), other.display_name()),
    }
}
