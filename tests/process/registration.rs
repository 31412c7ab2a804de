//! What people tell the daemon survives `kill -9`: registrations, request ids, labels, expectations, the audit trail.

use super::common::{TestClient, TestDaemon, reason, wait_until};
use vrm::wire::v1;

fn register(request_id: &str, seed: u32) -> v1::RegisterHostRequest {
    v1::RegisterHostRequest {
        host_id: "extra".to_owned(),
        uris: vec![format!("sim://?vms=2&seed={seed}")],
        request_id: request_id.to_owned(),
        ..Default::default()
    }
}

fn deregister(name: &str, force: bool) -> v1::DeregisterHostRequest {
    v1::DeregisterHostRequest { name: name.to_owned(), force, ..Default::default() }
}

async fn hosts(client: &TestClient) -> Vec<String> {
    client.all_hosts().await.into_iter().map(|host| host.name).collect()
}

/// Methods and targets of the audit trail, with the principal.
fn audit(daemon: &TestDaemon) -> Vec<(String, String, String)> {
    let connection = rusqlite::Connection::open(daemon.state_directory().join("journal.db")).expect("opens");
    let mut statement = connection.prepare("SELECT method, target, principal FROM audit ORDER BY id").expect("schema");
    let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)));
    rows.expect("reads").collect::<Result<_, _>>().expect("whole")
}

#[tokio::test]
async fn registrations_survive_and_repeats_are_recognised() {
    let mut daemon = TestDaemon::with_hosts(&["base=sim://?vms=2&seed=1"]).started().await;
    let client = daemon.client().await;
    client.synchronized().await;
    let id = uuid::Uuid::new_v4().to_string();
    let first = client.hosts().register_host(register(&id, 9)).await.expect("registered").into_inner();
    assert_eq!(first.name, "hosts/extra");
    daemon.kill();
    daemon.start().await;

    let client = daemon.client().await;
    assert_eq!(hosts(&client).await, ["hosts/base", "hosts/extra"]);
    let again = client.hosts().register_host(register(&id, 9)).await.expect("a repeat").into_inner();
    assert_eq!((again.name, again.host.map(|host| host.uid)), (first.name, first.host.map(|host| host.uid)));
    let other = client.hosts().register_host(register(&id, 10)).await.expect_err("other content");
    assert_eq!(reason(&other), "REQUEST_ID_REUSED");
    let twice = client.hosts().register_host(register("", 9)).await.expect_err("it is there");
    assert_eq!(reason(&twice), "HOST_EXISTS");
    client.synchronized().await;
    assert_eq!(client.machines().await.len(), 4);

    let configured = client.hosts().deregister_host(deregister("hosts/base", true)).await.expect_err("a file's");
    assert_eq!(reason(&configured), "CONFIGURED_HOST");
    let removed = client.hosts().deregister_host(deregister("hosts/extra", true)).await.expect("gone").into_inner();
    assert!(removed.removed.contains(&"hosts/extra".to_owned()), "{removed:?}");
    daemon.kill();
    daemon.start().await;
    assert_eq!(hosts(&daemon.client().await).await, ["hosts/base"]);
    assert_eq!(daemon.client().await.machines().await.len(), 2);
    daemon.stop().await;

    let trail = audit(&daemon);
    let acts: Vec<(&str, &str)> = trail.iter().map(|(method, target, _)| (method.as_str(), target.as_str())).collect();
    let expected =
        [("vrm.v1.HostService/RegisterHost", "hosts/extra"), ("vrm.v1.HostService/DeregisterHost", "hosts/extra")];
    assert_eq!(acts, expected, "one record for each change, none for a repeat");
    let own = format!("uid:{}", rustix::process::geteuid().as_raw());
    assert!(trail.iter().all(|(_, _, principal)| principal.starts_with(&own)), "{trail:?}");
}

#[tokio::test]
async fn labels_and_expectations_survive() {
    let mut daemon = TestDaemon::with_hosts(&["sim://?vms=2&seed=1"]).started().await;
    let client = daemon.client().await;
    client.synchronized().await;
    let name = client.machines().await.remove(0).name;
    let annotate = v1::UpdateAnnotationsRequest {
        name: name.clone(),
        set_labels: [("rack".to_owned(), "r12".to_owned())].into(),
        user_label: Some("the good one".to_owned()),
        ..Default::default()
    };
    client.inventory().update_annotations(annotate).await.expect("labelled");
    let expect = v1::SetExpectationRequest {
        name: name.clone(),
        expectation: v1::Expectation::Off.into(),
        ..Default::default()
    };
    client.inventory().set_expectation(expect).await.expect("set");
    daemon.kill();
    daemon.start().await;
    let client = daemon.client().await;
    for known in [false, true] {
        if known {
            client.synchronized().await;
        }
        let machine = client.machines().await.into_iter().find(|machine| machine.name == name).expect("still there");
        assert_eq!(machine.labels.get("rack").map(String::as_str), Some("r12"));
        assert_eq!(machine.user_label, "the good one");
        let expectation = machine.expectation.expect("set");
        assert_eq!(expectation.expected(), v1::Expectation::Off);
        assert_eq!(expectation.origin(), v1::ExpectationOrigin::Operator);
    }
    daemon.stop().await;
    let methods: Vec<String> = audit(&daemon).into_iter().map(|(method, _, _)| method).collect();
    assert_eq!(methods, ["vrm.v1.InventoryService/UpdateAnnotations", "vrm.v1.InventoryService/SetExpectation"]);
}

/// REQ-NTF-FUN-18: what is in the audit trail is told to the journal (here: to standard error), once committed.
#[tokio::test]
async fn acts_and_refusals_are_in_the_log() {
    let daemon = TestDaemon::with_hosts(&["base=sim://?vms=2&seed=1"]).started().await;
    let client = daemon.client().await;
    client.synchronized().await;
    client.hosts().register_host(register("", 9)).await.expect("registered");
    let lock = v1::LockHostRequest { name: "hosts/base".to_owned(), reason: "disk".to_owned(), ..Default::default() };
    client.hosts().lock_host(lock).await.expect("locked");
    for method in ["vrm.v1.HostService/RegisterHost", "vrm.v1.HostService/LockHost"] {
        wait_until(method, || daemon.log().lines().any(|line| line.contains("audit: ") && line.contains(method))).await;
    }
    assert!(daemon.log().contains("86ec923aa3e65501a5637b6bc10a3a6f"), "{}", daemon.log());
}
