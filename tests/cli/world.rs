//! Objects of the tests.

use std::time::{SystemTime, UNIX_EPOCH};
use vrm::client::Object;
use vrm::wire::v1;

/// UUID of the n-th machine.
pub fn uuid(n: u32) -> String {
    format!("6f1c3a52-0000-4000-8000-{n:012}")
}

/// Three days and a bit ago: its age does not change while a test runs.
fn days_ago() -> Option<prost_types::Timestamp> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_secs();
    let seconds = i64::try_from(now).expect("this century") - 3 * 86_400 - 1_200;
    Some(prost_types::Timestamp { seconds, nanos: 0 })
}

/// A time that never changes.
fn fixed_time() -> Option<prost_types::Timestamp> {
    Some(prost_types::Timestamp { seconds: 1_772_366_400, nanos: 0 })
}

/// A running machine.
pub fn vm(n: u32, name: &str, host: &str, run_state: v1::RunState) -> v1::VirtualMachine {
    v1::VirtualMachine {
        name: format!("virtualMachines/{}", uuid(n)),
        uid: format!("uid-{n}"),
        revision: 1,
        uuid: uuid(n),
        display_name: name.to_owned(),
        host: format!("hosts/{host}"),
        run_state: run_state.into(),
        technology: "qemu".to_owned(),
        create_time: days_ago(),
        state: Some(v1::ResourceState { since: fixed_time(), ..v1::ResourceState::default() }),
        expectation: Some(v1::ExpectationSetting {
            expected: v1::Expectation::Running.into(),
            origin: v1::ExpectationOrigin::Observed.into(),
        }),
        definition: Some(v1::VmDefinition {
            vcpus_current: 2,
            vcpus_maximum: 4,
            memory_current_bytes: 4 << 30,
            memory_maximum_bytes: 8 << 30,
            disks: vec![v1::VirtualDisk {
                target: "vda".to_owned(),
                bus: "virtio".to_owned(),
                source: "/srv/a.qcow2".to_owned(),
                ..v1::VirtualDisk::default()
            }],
            ..v1::VmDefinition::default()
        }),
        ..v1::VirtualMachine::default()
    }
}

/// A connected host.
pub fn host(id: &str) -> Object {
    Object::Host(v1::Host {
        name: format!("hosts/{id}"),
        uid: format!("uid-{id}"),
        revision: 1,
        display_name: id.to_owned(),
        connection_state: v1::ConnectionState::Connected.into(),
        synchronized: true,
        profile: v1::Profile::Monitor.into(),
        memory_total_bytes: 512 << 30,
        cpu: Some(v1::HostCpu { logical_cpus: 64, ..v1::HostCpu::default() }),
        create_time: days_ago(),
        not_available: [("filesystems".to_owned(), "remote host: needs an agent".to_owned())].into(),
        ..v1::Host::default()
    })
}

/// A hypervisor of a host, of which one function needs more.
pub fn hypervisor(host: &str) -> Object {
    use v1::CapabilityAvailability as Verdict;
    Object::Hypervisor(v1::Hypervisor {
        name: format!("hosts/{host}/hypervisors/qemu"),
        technology: "qemu".to_owned(),
        connection_state: v1::ConnectionState::Connected.into(),
        capabilities: [
            ("bulk_statistics".to_owned(), Verdict::Available.into()),
            ("storage_refresh".to_owned(), Verdict::NeedsManage.into()),
        ]
        .into(),
        ..v1::Hypervisor::default()
    })
}

/// A pool of a host; no figures are known of it.
pub fn pool(name: &str, host: &str) -> Object {
    Object::StoragePool(v1::StoragePool {
        name: format!("hosts/{host}/storagePools/{name}"),
        display_name: name.to_owned(),
        host: format!("hosts/{host}"),
        pool_type: "dir".to_owned(),
        pool_state: v1::PoolState::Running.into(),
        create_time: days_ago(),
        ..v1::StoragePool::default()
    })
}

/// Two hosts, five machines of which one is on a silent host and two share a name, and two pools.
pub fn small() -> Vec<Object> {
    let mut unknown = vm(3, "db-3", "kvm-09", v1::RunState::Running);
    unknown.state = Some(v1::ResourceState {
        unknown: true,
        reason: Some(v1::StateReason { code: "host_unreachable".to_owned(), text: String::new() }),
        since: fixed_time(),
        ..v1::ResourceState::default()
    });
    let mut unread = vm(4, "broken-4", "kvm-07", v1::RunState::Paused);
    unread.run_state_reason = v1::RunStateReason::IoError.into();
    unread.definition = None;
    let machines = [
        vm(1, "web-10", "kvm-07", v1::RunState::Running),
        vm(2, "web-9", "kvm-07", v1::RunState::Off),
        unknown,
        unread,
        vm(5, "web-9", "kvm-09", v1::RunState::Running),
    ];
    let mut objects: Vec<Object> = machines.into_iter().map(Object::VirtualMachine).collect();
    objects.extend([
        host("kvm-07"),
        host("kvm-09"),
        hypervisor("kvm-07"),
        pool("default", "kvm-07"),
        pool("default", "kvm-09"),
    ]);
    objects
}
