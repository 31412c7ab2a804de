//! Quiet by default (operations.md F1, F14): a healthy site has no alarms.

use super::*;
use crate::model::host::{HostFilesystem, HostNic, HugePages};
use crate::model::network::Network;
use crate::model::storage::{PoolState, StoragePool};

/// Expectation as the inventory holds it for a machine that nobody said anything about.
fn observed(expected: Expectation) -> Annotations {
    Annotations {
        expectation: Some(ExpectationSetting {
            expected,
            origin: ExpectationOrigin::Observed,
            adopted: Volatile(None),
        }),
        ..Annotations::default()
    }
}

fn healthy_host(stage: &mut Stage, id: &str) {
    stage.host(id, ConnectionState::Connected);
    let name = Name::host(&host_id(id));
    stage.change(&name, |object| {
        let Body::Host(host) = &mut object.body else { panic!("it is a host") };
        host.memory_total_bytes = 512 * GIB;
        host.volatile.uptime_seconds = Some(1_000_000);
        // Nearly all memory is given to guests and huge pages: that is what the host is for.
        host.volatile.memory_free_bytes = Some(11 * GIB);
        host.volatile.huge_pages = vec![
            HugePages { page_size_bytes: 2 << 20, total: 131_072, free: 0 },
            HugePages { page_size_bytes: 1 << 30, total: 64, free: 0 },
        ];
        host.nics = nics();
        host.filesystems = filesystems();
        host.volatile.filesystem_available_bytes = [
            ("/", 60 * GIB),
            ("/data", 3_000 * GIB),
            ("/snap/core/1", 0),
            ("/mnt/iso", 0),
            ("/srv/nfs/vms", 100 * GIB),
            ("/run", 0),
        ]
        .map(|(mount, free)| (mount.to_owned(), free))
        .into();
    });
}

fn nics() -> Vec<HostNic> {
    let nic = |name: &str, driver: &str, master: &str, link_state: &str, address: &str| HostNic {
        name: name.into(),
        driver: driver.into(),
        master: master.into(),
        link_state: link_state.into(),
        addresses: if address.is_empty() { Vec::new() } else { vec![address.into()] },
        ..HostNic::default()
    };
    vec![
        nic("eno1", "ice", "bond0", "up", ""),
        nic("eno2", "ice", "bond0", "up", ""),
        nic("eno3", "ice", "", "down", ""),
        nic("eno4", "ice", "", "down", "fe80::1/64"),
        nic("bond0", "", "br0", "up", ""),
        nic("br0", "", "", "up", "10.0.0.1/16"),
        // libvirt's own bridge without machines on it.
        nic("virbr0", "", "", "down", "192.168.122.1/24"),
    ]
}

fn filesystems() -> Vec<HostFilesystem> {
    let filesystem = |mount_point: &str, fs_type: &str, size: u64, read_only: bool| HostFilesystem {
        mount_point: mount_point.into(),
        fs_type: fs_type.into(),
        size_bytes: size * GIB,
        read_only,
        ..HostFilesystem::default()
    };
    vec![
        filesystem("/", "ext4", 200, false),
        filesystem("/data", "xfs", 20_000, false),
        filesystem("/snap/core/1", "squashfs", 1, true),
        filesystem("/mnt/iso", "iso9660", 1, false),
        filesystem("/srv/nfs/vms", "nfs4", 40_000, false),
        filesystem("/run", "tmpfs", 1, false),
        filesystem("/boot/efi", "vfat", 1, true),
    ]
}

fn pools_and_networks(stage: &mut Stage, id: &str) {
    for (name, pool_type, used) in [("vg0", "logical", 100), ("nfs", "netfs", 60), ("lun", "iscsi", 100)] {
        let now = stage.now;
        let mut pool = StoragePool {
            host: Some(host_id(id)),
            display_name: name.into(),
            pool_type: pool_type.into(),
            pool_state: PoolState::Running,
            autostart: true,
            ..StoragePool::default()
        };
        pool.volatile.capacity_bytes = Some(100 * GIB);
        pool.volatile.available_bytes = Some((100 - used) * GIB);
        pool.volatile.volume_capacity_bytes = 100 * GIB;
        pool.volatile.as_of = Some(now);
        expected_up(stage, &Name::storage_pool(&host_id(id), name), Body::StoragePool(Box::new(pool)));
    }
    // Autostart and inactive, found so: its expectation is that it is inactive.
    let network = Network {
        host: Some(host_id(id)),
        display_name: "default".into(),
        autostart: true,
        bridge_name: "virbr0".into(),
        forward_mode: "nat".into(),
        ..Network::default()
    };
    let name = Name::network(&host_id(id), "default");
    let state = ResourceState { administrative: Some(AdministrativeState::Locked), ..ResourceState::default() };
    stage.see(&name, state.clone(), Annotations::default(), Body::Network(Box::new(network.clone())));
    let lan = Network { display_name: "lan".into(), active: true, bridge_name: "br0".into(), ..network };
    expected_up(stage, &Name::network(&host_id(id), "lan"), Body::Network(Box::new(lan)));
}

fn healthy_machine(stage: &mut Stage, number: u128, host: &str) {
    let off = number.is_multiple_of(7);
    let (run_state, reason, expected) = match off {
        true => (RunState::Off, RunStateReason::Unknown, Expectation::Off),
        false => (RunState::Running, RunStateReason::Booted, Expectation::Running),
    };
    let name = stage.machine_with(number, host, run_state, reason, observed(expected));
    stage.change(&name, |object| {
        let Body::VirtualMachine(vm) = &mut object.body else { panic!("it is a machine") };
        vm.autostart = number.is_multiple_of(3);
        let definition = Arc::make_mut(&mut vm.definition);
        definition.virtualization_type = "kvm".into();
        definition.huge_pages = number.is_multiple_of(11);
        definition.cpu_pinning = [(0, "4".to_owned())].into();
        definition.agent.configured = number.is_multiple_of(2);
        definition.agent.connected = (number.is_multiple_of(2)).then_some(number.is_multiple_of(4));
        definition.nics = vec![VirtualNic {
            mac: format!("52:54:00:00:00:{:02x}", number % 256),
            link_state: if number.is_multiple_of(50) { "down" } else { "up" }.into(),
            ..VirtualNic::default()
        }];
    });
}

#[test]
fn a_healthy_site_has_no_alarms() {
    let mut stage = Stage::new();
    for index in 0..40 {
        let id = format!("kvm-{index:02}");
        healthy_host(&mut stage, &id);
        pools_and_networks(&mut stage, &id);
    }
    for number in 0..1_500 {
        healthy_machine(&mut stage, number, &format!("kvm-{:02}", number % 40));
    }
    let names: Vec<Name> = stage.world.0.keys().cloned().collect();
    for _ in 0..3 {
        stage.pass(600);
        for name in &names {
            stage.again(name);
        }
    }
    stage.pass(3_600);
    assert!(stage.told.is_empty(), "{:?}", stage.active());
}

#[test]
fn first_contact_with_machines_that_are_off_is_no_alarm() {
    let mut stage = Stage::new();
    stage.host("a", ConnectionState::Connected);
    for number in 0..200 {
        let (run_state, expected) =
            if number < 60 { (RunState::Off, Expectation::Off) } else { (RunState::Running, Expectation::Running) };
        let name = stage.machine_with(number, "a", run_state, RunStateReason::Unknown, observed(expected));
        stage.change(&name, |object| match &mut object.body {
            Body::VirtualMachine(vm) => vm.autostart = number < 60,
            _ => panic!("it is a machine"),
        });
    }
    stage.pass(3_600);
    assert!(stage.told.is_empty());
}

/// In profile monitor the expectation follows an outside change in the same reading (inventory's rule).
#[test]
fn shutdowns_and_guest_power_offs_under_adopt_are_no_alarms() {
    let mut stage = Stage::new();
    stage.host("a", ConnectionState::Connected);
    for number in 0..200 {
        stage.machine_with(number, "a", RunState::Running, RunStateReason::Booted, observed(Expectation::Running));
    }
    for number in 0..200 {
        let reason = if number < 100 { RunStateReason::Destroyed } else { RunStateReason::Shutdown };
        stage.pass(3);
        stage.machine_with(number, "a", RunState::ShuttingDown, RunStateReason::User, observed(Expectation::Running));
        stage.pass(3);
        stage.machine_with(number, "a", RunState::Off, reason, observed(Expectation::Off));
    }
    stage.pass(3_600);
    assert!(stage.told.is_empty(), "{:?}", stage.active());
}

#[test]
fn a_restart_of_libvirt_on_every_host_is_no_alarm() {
    let mut stage = Stage::new();
    let hosts: Vec<String> = (0..40).map(|index| format!("kvm-{index:02}")).collect();
    for host in &hosts {
        stage.host(host, ConnectionState::Connected);
    }
    for host in &hosts {
        stage.host(host, ConnectionState::Synchronizing);
        stage.pass(10);
        stage.host(host, ConnectionState::Connected);
        stage.pass(30);
    }
    assert!(stage.told.is_empty());
}
