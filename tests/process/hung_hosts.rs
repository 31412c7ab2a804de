//! One hung or silent host delays nobody, and costs nothing that stays.

use super::common::{TestClient, TestDaemon, count, wait_for};
use super::fake_libvirtd::server::{Behaviour, FakeLibvirtd};
use std::time::{Duration, SystemTime};
use vrm::wire::v1;

/// Hosts that hang at the same time.
const HOSTS: usize = 10;

/// Times they hang and recover: thirty altogether.
const ROUNDS: usize = 3;

/// A hang is noticed by two failed probes of 4 s.
const NOTICED: Duration = Duration::from_secs(40);

fn time(stamp: Option<prost_types::Timestamp>) -> SystemTime {
    stamp.and_then(|stamp| stamp.try_into().ok()).expect("always there")
}

#[tokio::test]
async fn a_silent_and_a_hanging_host_delay_no_other() {
    let folder = tempfile::tempdir().expect("a folder");
    let silent = Behaviour { silent: true, ..Behaviour::default() };
    let silent = FakeLibvirtd::start(&folder.path().join("silent"), silent);
    let hanging = Behaviour { hang_all: true, ..Behaviour::default() };
    let hanging = FakeLibvirtd::start(&folder.path().join("hanging"), hanging);
    let well = FakeLibvirtd::start(&folder.path().join("well"), Behaviour { machines: 3, ..Behaviour::default() });
    let hosts = [
        format!("a-silent={}", silent.uri()),
        format!("b-hanging={}", hanging.uri()),
        format!("c-well={}", well.uri()),
        "d-sim=sim://?vms=5".to_owned(),
    ];
    let hosts: Vec<&str> = hosts.iter().map(String::as_str).collect();
    let daemon = TestDaemon::with_hosts(&hosts).started().await;
    let client = daemon.client().await;
    let (hosts, _) = wait_for("the good hosts are synchronised", NOTICED, async || {
        let hosts = client.all_hosts().await;
        (hosts.iter().filter(|host| host.synchronized).count() == 2).then_some(hosts)
    })
    .await;
    let info = client.admin().get_server_info(v1::GetServerInfoRequest {}).await.expect("answers").into_inner();
    for host in hosts {
        let good = host.name.ends_with("well") || host.name.ends_with("sim");
        assert_eq!(host.synchronized, good, "{}", host.name);
        if good {
            let took = time(host.update_time).duration_since(time(info.start_time)).expect("after the start");
            eprintln!("{} synchronised {took:?} after the start", host.name);
            assert!(took < Duration::from_secs(1), "{} took {took:?}", host.name);
        }
    }
    assert_eq!(client.machines().await.len(), 8);
}

/// Hosts whose connection is good, or is not.
async fn all_hosts_are(client: &TestClient, what: &str, synchronized: bool) {
    wait_for(what, NOTICED, async || {
        let hosts = client.all_hosts().await;
        let mut fakes = hosts.iter().filter(|host| host.name != "hosts/sim");
        fakes.all(|host| is_good(host) == synchronized).then_some(())
    })
    .await;
}

fn is_good(host: &v1::Host) -> bool {
    host.connection_state() == v1::ConnectionState::Connected && host.state.as_ref().is_some_and(|state| !state.unknown)
}

#[tokio::test]
async fn threads_and_descriptors_stay_flat_over_hangs_and_recoveries() {
    let folder = tempfile::tempdir().expect("a folder");
    let fakes: Vec<FakeLibvirtd> = (0..HOSTS)
        .map(|at| {
            let behaviour = Behaviour { machines: 2, ..Behaviour::default() };
            FakeLibvirtd::start(&folder.path().join(at.to_string()), behaviour)
        })
        .collect();
    let daemon = TestDaemon::with_settings("[poll]\nprobe = \"1s\"\n");
    for (at, fake) in fakes.iter().enumerate() {
        daemon.host_file(&format!("h{at}"), &format!("id = \"h{at}\"\nuri = \"{}\"\n", fake.uri()));
    }
    daemon.host_file("sim", "id = \"sim\"\nuri = \"sim://?vms=5\"\n");
    let daemon = daemon.started().await;
    let client = daemon.client().await;
    all_hosts_are(&client, "every host is read", true).await;
    let resources = || (count(daemon.pid(), "task"), count(daemon.pid(), "fd"));
    let mut first = None;
    for round in 0..ROUNDS {
        for fake in &fakes {
            fake.behave(|behaviour| behaviour.hang_all = true);
        }
        all_hosts_are(&client, "the hang is noticed", false).await;
        for fake in &fakes {
            fake.behave(|behaviour| behaviour.hang_all = false);
        }
        all_hosts_are(&client, "every host is read again", true).await;
        // Severed threads end by themselves: nothing is to be left of the hang.
        let bound = *first.get_or_insert_with(resources);
        let slack = 4;
        let (now, _) = wait_for("threads and descriptors as after the first round", NOTICED, async || {
            let now = resources();
            (now.0 <= bound.0 + slack && now.1 <= bound.1 + slack).then_some(now)
        })
        .await;
        eprintln!("round {round}: {} threads, {} descriptors", now.0, now.1);
    }
    let sim = client.all_hosts().await.into_iter().find(|host| host.name == "hosts/sim").expect("there");
    assert!(sim.synchronized && is_good(&sim), "nothing happened to the host that was well");
}
