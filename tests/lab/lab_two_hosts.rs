//! Two real hosts on TCP in one cluster: a machine that moves, and a host that is cut off.

use crate::common::{PATIENCE, Recording, TestClient, TestDaemon, wait_for};
use crate::harness::Lab;
use std::collections::BTreeSet;
use std::time::Duration;
use vrm::wire::v1;

/// A connection attempt of ten seconds, back-off, a whole reading.
const LONG: Duration = Duration::from_secs(60);

async fn up(lab: &Lab) -> TestDaemon {
    let daemon = TestDaemon::with_settings("[vrm]\nid = \"lab\"\n[poll]\nprobe = \"1s\"\n");
    for (host, uri) in lab.uris().iter().filter(|(_, uri)| uri.starts_with("qemu")) {
        daemon.host_file(host, &format!("id = \"{host}\"\nuri = \"{uri}\"\nallow_insecure = true\n"));
    }
    let daemon = daemon.started().await;
    let client = daemon.client().await;
    assert_eq!(client.synchronized().await.len(), 2);
    daemon
}

async fn names(client: &TestClient) -> BTreeSet<(String, String)> {
    let (_, objects) = client.list("").await;
    objects.into_iter().map(|(name, held)| (name, held.uid)).collect()
}

async fn machine(client: &TestClient, name: &str) -> v1::VirtualMachine {
    let found = client.machines().await.into_iter().find(|machine| machine.display_name == name);
    found.expect("it never leaves the inventory")
}

async fn moved(client: &TestClient, host: &str) -> v1::VirtualMachine {
    let (machine, took) = wait_for(&format!("mover is on {host}"), PATIENCE, async || {
        let mover = machine(client, "mover").await;
        (mover.host == host && mover.run_state() == v1::RunState::Running && mover.defined_on == [host])
            .then_some(mover)
    })
    .await;
    eprintln!("mover was shown on {host} {took:?} after virsh came back");
    machine
}

fn unknown(machine: &v1::VirtualMachine) -> bool {
    machine.state.as_ref().is_some_and(|state| state.unknown)
}

#[tokio::test]
async fn a_migrated_machine_keeps_its_name() {
    let Some(lab) = Lab::cluster("lab-moving") else { return };
    let daemon = up(&lab).await;
    let client = daemon.client().await;
    let before = machine(&client, "mover").await;
    assert_eq!(before.host, "hosts/kvm-a");
    let watching = Recording::transitions(&client, None).await;
    lab.run("migrate", &["mover", "kvm-a", "kvm-b"]);
    let there = moved(&client, "hosts/kvm-b").await;
    lab.run("migrate", &["mover", "kvm-b", "kvm-a", "--p2p"]);
    let back = moved(&client, "hosts/kvm-a").await;
    assert_eq!((&before.name, &before.uid), (&there.name, &there.uid));
    assert_eq!((&before.name, &before.uid), (&back.name, &back.uid));
    let comings = watching.comings_and_goings();
    assert!(comings.iter().all(|what| !what.contains("virtualMachines/")), "{comings:?}");
    let hosts = client.all_hosts().await;
    let warned = |host: &v1::Host| host.warnings.iter().any(|warning| warning.contains("tcp"));
    assert!(hosts.iter().all(warned), "plain TCP is a standing warning: {hosts:?}");
}

#[tokio::test]
async fn a_host_that_is_cut_off_over_a_restart_loses_nothing() {
    let Some(lab) = Lab::cluster("lab-cut") else { return };
    let mut daemon = up(&lab).await;
    let client = daemon.client().await;
    let before = names(&client).await;
    let bookmark = client.head().await;
    lab.run("link", &["kvm-b", "down"]);
    daemon.kill();
    daemon.start().await;

    let client = daemon.client().await;
    assert_eq!(names(&client).await, before, "same names, same uids");
    let watching = Recording::transitions(&client, Some(bookmark)).await;
    wait_for("kvm-a is read", LONG, async || (!unknown(&machine(&client, "app-a").await)).then_some(())).await;
    wait_for("kvm-b is judged lost", LONG, async || {
        let hosts = client.all_hosts().await;
        let lost = |host: &v1::Host| host.connection_state() == v1::ConnectionState::Lost;
        hosts.iter().any(|host| host.name == "hosts/kvm-b" && lost(host)).then_some(())
    })
    .await;
    let cut = machine(&client, "app-b").await;
    assert!(unknown(&cut) && cut.run_state() == v1::RunState::Running, "unknown is not off: {cut:?}");
    assert_eq!(watching.comings_and_goings(), Vec::<String>::new());

    lab.run("link", &["kvm-b", "up"]);
    wait_for("app-b is known again", LONG, async || (!unknown(&machine(&client, "app-b").await)).then_some(())).await;
    client.synchronized().await;
    assert_eq!(names(&client).await, before);
    assert_eq!(watching.comings_and_goings(), Vec::<String>::new(), "nothing was removed and made anew");
}
