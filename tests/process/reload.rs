//! SIGHUP: hosts come and go by their files; what is wrong or too much changes nothing.

use super::common::{PATIENCE, TestClient, TestDaemon, wait_for, wait_until};
use rustix::process::Signal;

fn file(seed: usize) -> String {
    format!("uri = \"sim://?vms=2&seed={seed}\"\n")
}

async fn hosts(client: &TestClient) -> Vec<String> {
    client.all_hosts().await.into_iter().map(|host| host.name).collect()
}

/// Reloads and waits for a further line of the log that holds this.
async fn reload(daemon: &TestDaemon, verdict: &str) {
    let said = || daemon.log().matches(verdict).count();
    let before = said();
    daemon.signal(Signal::HUP);
    wait_until(&format!("the log says {verdict:?}"), || said() > before).await;
}

const TAKEN: &str = "settings were read again";

#[tokio::test]
async fn a_reload_takes_what_is_good_and_refuses_what_is_not() {
    let daemon = TestDaemon::with_settings("[vrm]\nid = \"v1\"\n");
    for (seed, id) in ["a", "b", "c", "d"].into_iter().enumerate() {
        daemon.host_file(id, &format!("id = \"{id}\"\n{}", file(seed)));
    }
    let daemon = daemon.started().await;
    let client = daemon.client().await;
    client.synchronized().await;
    let machines = client.machines().await.len();
    assert_eq!(machines, 8);

    daemon.host_file("e", &format!("id = \"e\"\n{}", file(5)));
    reload(&daemon, TAKEN).await;
    let all = ["hosts/a", "hosts/b", "hosts/c", "hosts/d", "hosts/e"];
    assert_eq!(hosts(&client).await, all);
    client.synchronized().await;
    assert_eq!(client.machines().await.len(), 10);

    for id in ["a", "b", "c"] {
        daemon.no_host_file(id);
    }
    reload(&daemon, "new hosts are refused").await;
    assert_eq!(hosts(&client).await, all, "three of five at once are an accident");
    assert!(daemon.log().contains("--allow-removals"), "the way out is named");
    for (seed, id) in ["a", "b", "c"].into_iter().enumerate() {
        daemon.host_file(id, &format!("id = \"{id}\"\n{}", file(seed)));
    }

    daemon.host_file("f", "id = \"f\"\nurl = \"sim://\"\n");
    reload(&daemon, "new settings are refused").await;
    assert_eq!(hosts(&client).await, all);
    wait_for("an alarm that names the key", PATIENCE, async || {
        client.active("settingsRejected").await.into_iter().find(|alarm| alarm.text.contains("url"))
    })
    .await;
    daemon.host_file("f", "id = \"f\"\nuri = \"sim://?colour=red\"\n");
    reload(&daemon, "new hosts are refused").await;
    assert_eq!(hosts(&client).await, all);
    daemon.no_host_file("f");

    daemon.no_host_file("e");
    reload(&daemon, TAKEN).await;
    assert_eq!(hosts(&client).await, all[..4], "one may always go");
    wait_for("the alarm ends", PATIENCE, async || client.active("settingsRejected").await.is_empty().then_some(()))
        .await;
    wait_for("its machines go with it", PATIENCE, async || (client.machines().await.len() == 8).then_some(())).await;
}

#[tokio::test]
async fn a_start_guards_against_a_mass_removal_too() {
    let mut daemon = TestDaemon::with_settings("[vrm]\nid = \"v1\"\n");
    for (seed, id) in ["a", "b", "c"].into_iter().enumerate() {
        daemon.host_file(id, &format!("id = \"{id}\"\n{}", file(seed)));
    }
    daemon.start().await;
    daemon.client().await.synchronized().await;
    daemon.stop().await;
    daemon.no_host_file("a");
    daemon.no_host_file("b");
    daemon.spawn();
    let ended = daemon.ended().await;
    assert_eq!(ended.status.code(), Some(78), "{}", daemon.log());
    assert!(daemon.log().contains("--allow-removals"));
    daemon.spawn_with(&["--allow-removals"]);
    daemon.ready().await;
    assert_eq!(hosts(&daemon.client().await).await, ["hosts/c"]);
}
