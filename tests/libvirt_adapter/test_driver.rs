//! libvirt's test driver: deterministic, in the process, one world per process.

use super::world::*;
use std::fmt::Write as _;
use vrm::hypervisor::port::EventSubject;
use vrm::model::capability::{Availability, Capability};
use vrm::model::observation::{Fact, GoneCause, ListedKind, Scope};
use vrm::model::registration::Profile;
use vrm::model::virtual_machine::RunState;

const DEFAULT: &str = "test:///default";

fn xml(name: &str) -> String {
    format!("<domain type='test'><name>{name}</name><memory>65536</memory><os><type>hvm</type></os></domain>")
}

#[tokio::test]
async fn every_scope_is_read() {
    let (hypervisor, link) = connected(DEFAULT, Profile::Monitor).await;
    assert_eq!(link.generation, 1);
    assert_eq!(link.hypervisor.technology, "test");
    assert!(link.hypervisor.events.contains(&"lifecycle".to_owned()), "{:?}", link.hypervisor.events);
    let capabilities = &link.hypervisor.capabilities;
    assert_eq!(capabilities[&Capability::BulkStatistics], Availability::Unsupported);
    assert_eq!(capabilities[&Capability::HostMemoryStatistics], Availability::Unsupported);
    assert_eq!(capabilities[&Capability::Storage], Availability::Available);
    assert_eq!(capabilities[&Capability::StorageRefresh], Availability::NeedsManage);

    let first = read(&hypervisor, Scope::MachineStates).await;
    assert!(machines(&first).contains_key("test"), "definitions of machines not read before: {first:?}");
    let second = read(&hypervisor, Scope::MachineStates).await;
    assert!(machines(&second).is_empty());
    assert_eq!(states(&second)["test"].run_state, RunState::Running);
    assert!(states(&second)["test"].incarnation.is_some());
    assert_eq!(present(&second, ListedKind::Machines).len(), 1);

    let all = read(&hypervisor, Scope::Machines).await;
    let machine = &machines(&all)["test"];
    assert!(machine.persistent && machine.definition.is_ok());
    let one = read(&hypervisor, Scope::Machine(machine.state.uuid)).await;
    assert_eq!(machines(&one)["test"].state, machine.state);
    let none = uuid::Uuid::from_u128(7);
    let gone = read(&hypervisor, Scope::Machine(none)).await;
    assert!(matches!(gone.facts[..], [Fact::MachineGone { uuid, cause: GoneCause::Unknown }] if uuid == none));

    assert_eq!(present(&read(&hypervisor, Scope::StoragePools).await, ListedKind::StoragePools), ["default-pool"]);
    assert_eq!(present(&read(&hypervisor, Scope::Networks).await, ListedKind::Networks), ["default"]);
    let gone = read(&hypervisor, Scope::Network("nope".into())).await;
    assert!(matches!(&gone.facts[..], [Fact::NetworkGone(name)] if name == "nope"));
    let gone = read(&hypervisor, Scope::StoragePool("nope".into())).await;
    assert!(matches!(&gone.facts[..], [Fact::StoragePoolGone(name)] if name == "nope"));
    let pool = read(&hypervisor, Scope::StoragePool("default-pool".into())).await;
    assert!(matches!(&pool.facts[..], [Fact::StoragePool(pool)] if pool.pool.volatile.capacity_bytes > Some(0)));

    let statistics = read(&hypervisor, Scope::Statistics).await;
    let figures = statistics.facts.iter().find_map(|fact| match fact {
        Fact::MachineStatistics(figures) => Some(figures),
        _ => None,
    });
    assert!(figures.expect("figures one by one").cpu_time_ns.is_some());
    let devices = read(&hypervisor, Scope::HostDevices).await;
    assert!(matches!(&devices.facts[..], [Fact::HostDevices(facts)] if facts.nics.is_some()));
    let host = read(&hypervisor, Scope::Hypervisor).await;
    assert!(matches!(&host.facts[..], [Fact::Host(host), Fact::Hypervisor(_)] if host.memory_total_bytes > 0));
    let statistics = read(&hypervisor, Scope::Statistics).await;
    let told = statistics.facts.iter().any(|fact| match fact {
        Fact::HostStatistics(host) => host.huge_pages.iter().any(|pages| pages.page_size_bytes == 2 << 20),
        _ => false,
    });
    assert!(told, "huge pages are told once the host was read");
    hypervisor.probe(PATIENCE).await.expect("a sign of life");
}

#[tokio::test]
async fn changes_are_told_and_read() {
    let (hypervisor, mut link) = connected(DEFAULT, Profile::Monitor).await;
    // The driver's world is shared within the process as long as a connection is open.
    let outside = virt::connect::Connect::open(Some(DEFAULT)).expect("opens");
    let domain = outside.define_domain_xml(&xml("z")).expect("defines");
    let uuid = domain.uuid().expect("has one");
    let about = |wanted: &'static str| {
        move |subject: &EventSubject| match subject {
            EventSubject::Machine { uuid: told, leaving, text, .. } if *told == uuid && text == wanted => {
                Some(*leaving)
            }
            _ => None,
        }
    };
    event(&mut link, about("lifecycle defined/added")).await;
    domain.create().expect("starts");
    event(&mut link, about("lifecycle started/booted")).await;
    let seen = read(&hypervisor, Scope::Machine(uuid)).await;
    assert_eq!(machines(&seen)["z"].state.run_state, RunState::Running);
    domain.destroy().expect("stops");
    assert_eq!(event(&mut link, about("lifecycle stopped/destroyed")).await, Some(GoneCause::Removed));
    domain.undefine().expect("undefines");
    assert_eq!(event(&mut link, about("lifecycle undefined/removed")).await, Some(GoneCause::Removed));
    let seen = read(&hypervisor, Scope::Machine(uuid)).await;
    assert!(matches!(seen.facts[..], [Fact::MachineGone { .. }]));

    let pool = outside.lookup_storage_pool_by_name("default-pool").expect("exists");
    pool.refresh(0).expect("refreshes");
    let told = event(&mut link, |subject| match subject {
        EventSubject::StoragePool(name) => Some(name.clone()),
        _ => None,
    });
    assert_eq!(told.await, "default-pool");
    outside.lookup_network_by_name("default").expect("exists").destroy().expect("stops");
    let told = event(&mut link, |subject| match subject {
        EventSubject::Network(name) => Some(name.clone()),
        _ => None,
    });
    assert_eq!(told.await, "default");
}

#[tokio::test]
async fn reconnecting_counts_generations_and_subscribes_again() {
    let (hypervisor, mut first) = connected(DEFAULT, Profile::Monitor).await;
    let outside = virt::connect::Connect::open(Some(DEFAULT)).expect("opens");
    let mut second = hypervisor.connect(PATIENCE).await.expect("connects again");
    assert_eq!(second.generation, 2);
    outside.lookup_domain_by_name("test").expect("exists").suspend().expect("pauses");
    event(&mut second, |subject| matches!(subject, EventSubject::Machine { .. }).then_some(())).await;
    let ended = async {
        // What was under way when it was given up may still come, with its generation.
        while let Some(event) = first.events.recv().await {
            assert_eq!(event.generation, 1);
        }
    };
    tokio::time::timeout(PATIENCE, ended).await.expect("the old generation's queue ends");
    hypervisor.disconnect();
    let ended = async { while second.events.recv().await.is_some() {} };
    tokio::time::timeout(PATIENCE, ended).await.expect("the queue ends");
    let error = hypervisor.observe(Scope::MachineStates, PATIENCE).await.expect_err("no connection");
    assert!(error.is_link_loss(), "{error}");
}

/// A world of its own in a file: this many running machines.
fn world_of(machines: usize) -> tempfile::NamedTempFile {
    let mut text = String::from("<node>");
    for number in 0..machines {
        let _ = write!(
            text,
            "<domain type='test'><name>vm{number:05}</name><uuid>{}</uuid><memory>65536</memory><vcpu>2</vcpu>\
             <os><type>hvm</type></os><devices><disk type='file' device='disk'><source file='/d/{number}'/>\
             <target dev='vda' bus='virtio'/></disk></devices></domain>",
            uuid::Uuid::from_u128(0x4000_8000_0000_0000_0000 + number as u128 + 1)
        );
    }
    text.push_str("</node>");
    let mut file = tempfile::Builder::new().suffix(".xml").tempfile().expect("a file");
    std::io::Write::write_all(&mut file, text.as_bytes()).expect("written");
    file
}

#[tokio::test]
async fn ten_thousand_machines_are_read() {
    let world = world_of(10_000);
    let (hypervisor, _link) = connected(&format!("test://{}", world.path().display()), Profile::Monitor).await;
    let full = read(&hypervisor, Scope::Machines).await;
    assert_eq!(machines(&full).len(), 10_000);
    assert!(machines(&full).values().all(|machine| machine.definition.is_ok()));
    assert_eq!(present(&full, ListedKind::Machines).len(), 10_000);
    let brief = read(&hypervisor, Scope::MachineStates).await;
    assert_eq!(states(&brief).len(), 10_000);
    let figures = read(&hypervisor, Scope::Statistics).await;
    let figures = figures.facts.iter().filter(|fact| matches!(fact, Fact::MachineStatistics(_))).count();
    assert_eq!(figures, 10_000);
}

#[tokio::test]
async fn a_thousand_readings_leak_nothing() {
    let world = world_of(100);
    let (hypervisor, _link) = connected(&format!("test://{}", world.path().display()), Profile::Monitor).await;
    let round = async |times: usize| {
        for _ in 0..times {
            read(&hypervisor, Scope::MachineStates).await;
            read(&hypervisor, Scope::Statistics).await;
        }
    };
    round(100).await;
    let (memory, descriptors) = (resident_kib(), open_descriptors());
    round(1_000).await;
    assert!(open_descriptors() <= descriptors + 1, "{} descriptors, {descriptors} before", open_descriptors());
    // A leak of one record a reading would be 40 MiB.
    assert!(resident_kib() < memory + 8 * 1_024, "{} KiB, {memory} KiB before", resident_kib());
}

fn open_descriptors() -> usize {
    std::fs::read_dir("/proc/self/fd").expect("readable").count()
}

fn resident_kib() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").expect("readable");
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).expect("told");
    line.split_whitespace().nth(1).expect("a number").parse().expect("a number")
}
