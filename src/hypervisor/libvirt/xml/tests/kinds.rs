//! Single facts of networks, pools, capabilities, devices and snapshots.

use super::super::*;
use super::fixture;

#[test]
fn attached_nics_do_not_change_a_network() {
    let text = fixture("networks/nat.xml");
    assert_eq!(network(&text), network(&text.replace("connections='3'", "connections='4'")));
}

#[test]
fn an_ip_element_that_cannot_be_understood_stays_visible() {
    let network = network(&fixture("networks/nat.xml")).expect("reads");
    assert_eq!(network.subnets.len(), 3);
    assert_eq!(network.extensions.get("ip[3]/@address").map(String::as_str), Some("not-an-address"));
}

#[test]
fn figures_of_a_pool_that_was_never_read_are_absent() {
    let pool = pool(&fixture("pools/dir_inactive.xml")).expect("reads");
    assert_eq!((pool.volatile.capacity_bytes, pool.volatile.allocation_bytes), (None, None));
}

#[test]
fn pools_of_one_export_have_one_source() {
    let source = |dir: &str| {
        let text =
            format!("<pool type='netfs'><name>p</name><source><host name='nas'/><dir path='{dir}'/></source></pool>");
        pool(&text).expect("reads").source
    };
    assert_eq!(source("/export/"), "nfs://nas/export");
    assert_eq!(source("/export"), "nfs://nas/export");
}

#[test]
fn sockets_are_counted_over_all_cells() {
    let parsed = capabilities(&fixture("capabilities/x86_64_numa.xml")).expect("reads");
    assert_eq!((parsed.cpu.sockets, parsed.cpu.logical_cpus), (2, 8));
    assert_eq!(parsed.numa_nodes[1].memory_bytes, 16 << 30);
    let wild = "<capabilities><host><cpu><topology sockets='4294967295' cores='4294967295' threads='9'/></cpu></host></capabilities>";
    assert_eq!(capabilities(wild).expect("reads").cpu.logical_cpus, u32::MAX);
}

#[test]
fn a_link_without_speed_has_none() {
    let NodeDevice::Nic(nic) = node_device(&fixture("devices/nic_down.xml")).expect("reads") else {
        unreachable!("it is a NIC")
    };
    assert_eq!((nic.speed_bits_per_second, nic.link_state.as_str()), (0, "down"));
}

#[test]
fn times_of_snapshots_are_seconds() {
    let parsed = snapshot(&fixture("snapshots/internal.xml")).expect("reads");
    assert_eq!(parsed.create_time.to_string(), "2023-11-14T22:13:20.000Z");
    let wild = "<domainsnapshot><name>x</name><creationTime>9223372036854775807</creationTime></domainsnapshot>";
    assert!(snapshot(wild).is_ok());
}
