//! Unknown is not off, and not gone: a restart while a host is away deletes nothing.

use super::common::{PATIENCE, Recording, TestClient, TestDaemon, wait_for};
use super::fake_libvirtd::server::{Behaviour, FakeLibvirtd};
use std::collections::BTreeMap;
use vrm::wire::v1;

const MACHINES: u32 = 5;

async fn names(client: &TestClient) -> BTreeMap<String, String> {
    let (_, objects) = client.list("").await;
    objects.into_iter().map(|(name, held)| (name, held.uid)).collect()
}

fn unknown(machine: &v1::VirtualMachine) -> bool {
    machine.state.as_ref().is_some_and(|state| state.unknown)
}

async fn machines_are(client: &TestClient, what: &str, is_unknown: bool) -> Vec<v1::VirtualMachine> {
    let (machines, _) = wait_for(what, PATIENCE, async || {
        let machines = client.machines().await;
        machines.iter().all(|machine| unknown(machine) == is_unknown).then_some(machines)
    })
    .await;
    machines
}

#[tokio::test]
async fn a_restart_without_the_only_host_keeps_everything_as_unknown() {
    let folder = tempfile::tempdir().expect("a folder");
    let socket = folder.path().join("libvirt");
    let fake = FakeLibvirtd::start(&socket, Behaviour { machines: MACHINES, ..Behaviour::default() });
    let mut daemon = TestDaemon::with_hosts(&[&format!("far={}", fake.uri())]).started().await;
    let client = daemon.client().await;
    client.synchronized().await;
    let known = machines_are(&client, "the machines are known", false).await;
    assert_eq!(known.len(), MACHINES as usize);
    let before = names(&client).await;
    let watching = Recording::transitions(&client, None).await;

    fake.stop();
    machines_are(&client, "the loss is noticed", true).await;
    let bookmark = watching.position();
    assert_eq!(watching.comings_and_goings(), Vec::<String>::new());
    daemon.kill();
    daemon.start().await;

    let client = daemon.client().await;
    assert_eq!(names(&client).await, before, "same names, same uids");
    let watching = Recording::transitions(&client, Some(bookmark)).await;
    let machines = machines_are(&client, "nobody pretends to know", true).await;
    assert!(machines.iter().all(|machine| machine.run_state() == v1::RunState::Running), "the last known state stays");
    let reasons = machines.iter().filter_map(|machine| machine.state.clone()?.reason);
    assert!(reasons.into_iter().all(|reason| !reason.code.is_empty()), "{machines:?}");
    wait_for("the host is judged lost", PATIENCE, async || {
        client.all_hosts().await.iter().all(|host| !host.synchronized && host.connection_state == LOST).then_some(())
    })
    .await;

    let _fake = FakeLibvirtd::start(&socket, Behaviour { machines: MACHINES, ..Behaviour::default() });
    client.synchronized().await;
    machines_are(&client, "the machines are known again", false).await;
    assert_eq!(names(&client).await, before);
    assert_eq!(watching.comings_and_goings(), Vec::<String>::new(), "nothing was removed and made anew");
}

const LOST: i32 = v1::ConnectionState::Lost as i32;

#[tokio::test]
async fn what_changed_while_nobody_looked_is_told_as_found_by_comparison() {
    let folder = tempfile::tempdir().expect("a folder");
    let socket = folder.path().join("libvirt");
    let fake = FakeLibvirtd::start(&socket, Behaviour { machines: MACHINES, ..Behaviour::default() });
    let mut daemon = TestDaemon::with_hosts(&[&format!("far={}", fake.uri())]).started().await;
    let client = daemon.client().await;
    client.synchronized().await;
    let bookmark = client.head().await;
    daemon.kill();
    drop(fake);

    let _fake = FakeLibvirtd::start(&socket, Behaviour { machines: MACHINES - 1, ..Behaviour::default() });
    daemon.start().await;
    let client = daemon.client().await;
    client.synchronized().await;
    let (machines, _) = wait_for("the difference is found", PATIENCE, async || {
        let machines = client.machines().await;
        (machines.len() == MACHINES as usize - 1).then_some(machines)
    })
    .await;
    let watching = Recording::transitions(&client, Some(bookmark)).await;
    let gone = format!("removed virtualMachines/{}", uuid::Uuid::from_u128(u128::from(MACHINES)));
    assert_eq!(watching.comings_and_goings(), [gone], "{machines:?}");
    let removal =
        watching.changes().into_iter().find(|(_, change)| change.kind() == v1::resource_change::Kind::Removed);
    assert_eq!(removal.expect("seen").1.source(), v1::ChangeSource::Resync);
}
