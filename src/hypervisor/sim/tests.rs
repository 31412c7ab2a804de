//! The simulator as the daemon uses it: opened by address, read through the port, disturbed over its socket.

mod figures;
mod mishaps;

use super::control::{ControlHook, NoHook, bind_control, serve_control};
use super::fault::{Fault, FaultError};
use super::opener::{SimOpener, SimSetup, tokio_clock};
use crate::hypervisor::port::{Endpoint, EventSubject, HypervisorError, Link, OpenError, Opener};
use crate::model::name::HostId;
use crate::model::observation::{Fact, Observation, Scope};
use crate::model::registration::{HostOrigin, HostRegistration, Profile};
use futures_util::future::BoxFuture;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::os::unix::fs::PermissionsExt;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::UnixStream;
use uuid::Uuid;

const SOON: Duration = Duration::from_secs(5);

fn registration(id: &str, uri: &str) -> HostRegistration {
    HostRegistration {
        id: HostId::parse(id).expect("good id"),
        uris: vec![uri.to_owned()],
        credential: String::new(),
        profile: None,
        allow_insecure: false,
        labels: BTreeMap::from([("zone".to_owned(), "lab".to_owned())]),
        origin: HostOrigin::File,
    }
}

fn opener() -> SimOpener {
    SimOpener::new(SimSetup { clock: tokio_clock(), profile: Profile::Monitor })
}

fn open(uri: &str) -> (SimOpener, Vec<Endpoint>) {
    let opener = opener();
    let endpoints = opener.open(&registration("sim", uri)).expect("good registration");
    (opener, endpoints)
}

async fn connect(endpoint: &Endpoint) -> Link {
    endpoint.hypervisor.connect(SOON).await.expect("it connects")
}

async fn read(endpoint: &Endpoint, scope: Scope) -> Observation {
    endpoint.hypervisor.observe(scope, SOON).await.expect("readable")
}

fn uuids(observation: &Observation) -> BTreeSet<Uuid> {
    let uuid = |fact: &Fact| match fact {
        Fact::Machine(machine) => Some(machine.state.uuid),
        Fact::MachineState(state) => Some(state.uuid),
        _ => None,
    };
    observation.facts.iter().filter_map(uuid).collect()
}

#[tokio::test(start_paused = true)]
async fn one_address_yields_hosts_with_ids_and_places() {
    let (_opener, endpoints) = open("sim://?hosts=6&vms=24");
    let ids: Vec<&str> = endpoints.iter().map(|endpoint| endpoint.registration.id.as_str()).collect();
    assert_eq!(ids, ["sim-1", "sim-2", "sim-3", "sim-4", "sim-5", "sim-6"]);
    for endpoint in &endpoints {
        assert_eq!(endpoint.hypervisor.key().host, endpoint.registration.id);
        assert_eq!(endpoint.hypervisor.key().technology, "sim");
        assert_eq!(endpoint.registration.labels["zone"], "lab", "the operator's label stays");
    }
    assert_eq!(endpoints[3].registration.labels["rack"], "r1");
    assert_eq!(endpoints[4].registration.labels["rack"], "r2");
    let (_opener, alone) = open("sim://");
    assert_eq!(alone[0].registration.id.as_str(), "sim");
}

#[tokio::test(start_paused = true)]
async fn a_restarted_daemon_finds_the_same_machines_and_another_registration_others() {
    let mut found = Vec::new();
    for id in ["sim", "sim", "other"] {
        let opener = opener();
        let endpoints = opener.open(&registration(id, "sim://?hosts=2&vms=30&seed=9&churn=state")).expect("good");
        let mut all = BTreeSet::new();
        for endpoint in &endpoints {
            let _link = connect(endpoint).await;
            all.extend(uuids(&read(endpoint, Scope::Machines).await));
        }
        assert_eq!(all.len(), 30);
        found.push(all);
    }
    assert_eq!(found[0], found[1]);
    assert!(found[0].is_disjoint(&found[2]));
}

#[tokio::test]
async fn a_registration_that_cannot_be_opened_names_its_field() {
    let refused = |id: &str, uris: &[&str]| -> OpenError {
        let uris = uris.iter().map(|uri| (*uri).to_owned()).collect();
        opener().open(&HostRegistration { uris, ..registration(id, "") }).expect_err("refused")
    };
    assert!(refused("sim", &["sim://?vms=x"]).reason.starts_with("vms: "));
    assert_eq!(refused("sim", &["sim://?hosts=2", "qemu:///system"]).field, "uri");
    assert_eq!(refused("sim", &["sim://", "sim://"]).field, "uri");
    assert_eq!(refused(&"a".repeat(63), &["sim://?hosts=2"]).field, "id");
    assert!(refused("sim", &["sim://?faults=/no/such/script"]).reason.contains("/no/such/script"));
    let directory = tempfile::tempdir().expect("a directory");
    let script = directory.path().join("night.jsonl");
    std::fs::write(&script, "{\"at\":1,\"fault\":{\"kind\":\"drop-host\",\"host\":\"kvm-07\"}}\n").expect("written");
    let error = refused("sim", &[&format!("sim://?faults={}", script.display())]);
    assert!(error.reason.contains("drop-host: host: unknown"), "{error}");
}

#[tokio::test(start_paused = true)]
async fn a_profile_is_the_narrower_of_both() {
    let opener = SimOpener::new(SimSetup { clock: tokio_clock(), profile: Profile::Manage });
    let narrow = HostRegistration { profile: Some(Profile::Monitor), ..registration("a", "sim://") };
    assert_eq!(opener.open(&narrow).expect("good")[0].hypervisor.profile(), Profile::Monitor);
    assert_eq!(opener.open(&registration("b", "sim://")).expect("good")[0].hypervisor.profile(), Profile::Manage);
    let bounded = HostRegistration { profile: Some(Profile::Manage), ..registration("c", "sim://") };
    let monitor = super::tests::opener().open(&bounded).expect("good");
    assert_eq!(monitor[0].hypervisor.profile(), Profile::Monitor);
}

#[tokio::test(start_paused = true)]
async fn churn_comes_as_events_and_migration_at_both_ends() {
    let (_opener, endpoints) = open("sim://?hosts=2&vms=24&seed=7&churn=state");
    let mut links = Vec::new();
    for endpoint in &endpoints {
        links.push(connect(endpoint).await);
    }
    tokio::time::sleep(Duration::from_secs(300)).await;
    let (mut left, mut arrived) = (BTreeSet::new(), BTreeSet::new());
    for link in &mut links {
        while let Ok(event) = link.events.try_recv() {
            let EventSubject::Machine { uuid, text, .. } = event.subject else { panic!("{event:?}") };
            match text.as_str() {
                "lifecycle stopped/migrated" => left.insert(uuid),
                "lifecycle resumed/migrated" => arrived.insert(uuid),
                _ => false,
            };
        }
    }
    assert!(!left.is_empty());
    assert_eq!(left, arrived);
}

#[tokio::test(start_paused = true)]
async fn a_reader_that_is_away_is_told_that_events_were_lost() {
    let (opener, endpoints) = open("sim://?vms=24");
    let mut link = connect(&endpoints[0]).await;
    let storm = Fault::Storm { changes_per_second: 1_000, seconds: 20 };
    opener.handle().inject(&storm).expect("connected");
    tokio::time::sleep(Duration::from_secs(30)).await;
    let mut received = 0;
    let gap = tokio::time::timeout(SOON, async {
        while let Some(event) = link.events.recv().await {
            received += 1;
            if event.subject == EventSubject::Gap {
                return;
            }
        }
    });
    gap.await.expect("the gap is told though nothing else happens");
    assert!(received < 5_000, "what is held is bounded: {received}");
}

#[tokio::test(start_paused = true)]
async fn troubles_of_a_host_look_as_they_do_at_a_real_one() {
    let (opener, endpoints) = open("sim://?hosts=2");
    let (handle, host) = (opener.handle(), || "sim-1".to_owned());
    let mut link = connect(&endpoints[0]).await;
    let _other = connect(&endpoints[1]).await;
    for (fault, error) in [
        (Fault::DropHost { host: host() }, HypervisorError::Unreachable("no route to host".to_owned())),
        (Fault::RefuseHost { host: host() }, HypervisorError::Refused("authentication failed".to_owned())),
        (Fault::LoseService { host: host() }, HypervisorError::ServiceLost("connection refused".to_owned())),
    ] {
        handle.inject(&fault).expect("known host");
        let closed = link.events.recv().await.expect("a last word");
        assert!(matches!(closed.subject, EventSubject::Closed(_)), "{closed:?}");
        assert_eq!(link.events.recv().await, None);
        assert_eq!(endpoints[0].hypervisor.connect(SOON).await.expect_err("broken"), error);
        endpoints[1].hypervisor.probe(SOON).await.expect("the other host is as before");
        handle.inject(&Fault::Restore { host: Some(host()), vm: None }).expect("known host");
        link = connect(&endpoints[0]).await;
    }
    handle.inject(&Fault::SlowHost { host: host(), delay_ms: 700 }).expect("known host");
    let began = tokio::time::Instant::now();
    endpoints[0].hypervisor.probe(Duration::from_secs(1)).await.expect("slow but there");
    assert_eq!(began.elapsed().as_millis(), 700);
    let error = endpoints[0].hypervisor.probe(Duration::from_millis(500)).await.expect_err("too slow");
    assert_eq!(error, HypervisorError::TimedOut(Duration::from_millis(500)));
    assert_eq!(endpoints[0].hypervisor.vitals().severed_lanes, 1);
}

#[tokio::test(start_paused = true)]
async fn a_hung_machine_has_missing_figures_and_a_verdict() {
    use crate::model::virtual_machine::ControlState;
    let (opener, endpoints) = open("sim://?vms=10&seed=3");
    let _link = connect(&endpoints[0]).await;
    let figures = |observation: &Observation, wanted: Uuid| {
        let mut partial = None;
        let mut verdict = None;
        for fact in &observation.facts {
            match fact {
                Fact::MachineStatistics(figures) if figures.uuid == wanted => partial = Some(figures.partial),
                Fact::MachineControl { uuid, control } if *uuid == wanted => verdict = Some(*control),
                _ => {}
            }
        }
        (partial, verdict)
    };
    let statistics = read(&endpoints[0], Scope::Statistics).await;
    let first = statistics.facts.iter().find_map(|fact| match fact {
        Fact::MachineStatistics(figures) => Some(figures.uuid),
        _ => None,
    });
    let uuid = first.expect("a machine runs");
    assert_eq!(figures(&statistics, uuid), (Some(false), None));
    opener.handle().inject(&Fault::HangMachine { vm: uuid.to_string() }).expect("it runs");
    let verdict = figures(&read(&endpoints[0], Scope::Statistics).await, uuid);
    assert_eq!(verdict, (Some(true), Some(ControlState::NotResponding)));
    assert_eq!(endpoints[0].hypervisor.vitals().quarantined_machines, 1);
    opener.handle().inject(&Fault::Restore { host: None, vm: Some(uuid.to_string()) }).expect("known");
    let verdict = figures(&read(&endpoints[0], Scope::Statistics).await, uuid);
    assert_eq!(verdict, (Some(false), Some(ControlState::Responding)));
}

#[tokio::test(start_paused = true)]
async fn one_uuid_on_two_hosts_are_two_machines() {
    let (opener, endpoints) = open("sim://?hosts=2&vms=4");
    let _links = (connect(&endpoints[0]).await, connect(&endpoints[1]).await);
    let original = uuids(&read(&endpoints[0], Scope::Machines).await).into_iter().next().expect("one at least");
    assert!(!uuids(&read(&endpoints[1], Scope::Machines).await).contains(&original));
    let fault = Fault::DuplicateUuid { vm: original.to_string(), host: "sim-2".to_owned() };
    opener.handle().inject(&fault).expect("another host");
    let machine = |observation: Observation| match observation.facts.into_iter().next() {
        Some(Fact::Machine(machine)) => machine,
        other => panic!("{other:?}"),
    };
    let one = machine(read(&endpoints[0], Scope::Machine(original)).await);
    let other = machine(read(&endpoints[1], Scope::Machine(original)).await);
    assert_eq!(one.state.uuid, other.state.uuid);
    assert_ne!(one.state.display_name, other.state.display_name);
    let macs = |machine: &crate::model::observation::MachineFacts| {
        let definition = machine.definition.clone().expect("readable");
        definition.nics.iter().map(|nic| nic.mac.clone()).collect::<BTreeSet<_>>()
    };
    assert!(macs(&one).is_disjoint(&macs(&other)));
}

/// One request over the socket.
async fn ask(stream: &mut BufReader<UnixStream>, request: &str) -> Value {
    stream.write_all(request.as_bytes()).await.expect("written");
    stream.write_all(b"\n").await.expect("written");
    let mut line = String::new();
    stream.read_line(&mut line).await.expect("answered");
    serde_json::from_str(&line).expect("JSON")
}

struct Echo;

impl ControlHook for Echo {
    fn handle<'a>(&'a self, verb: &'a str, request: &'a Value) -> BoxFuture<'a, Result<Value, FaultError>> {
        Box::pin(async move { Ok(json!({ "verb": verb, "reason": request["reason"] })) })
    }
}

async fn controlled(opener: &SimOpener, hook: Arc<dyn ControlHook>) -> (tempfile::TempDir, BufReader<UnixStream>) {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("sim.sock");
    std::fs::write(&path, "stale").expect("written");
    let listener = bind_control(&path).expect("bound");
    let mode = std::fs::metadata(&path).expect("there").permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    tokio::spawn(serve_control(listener, opener.handle(), hook));
    let stream = UnixStream::connect(&path).await.expect("connected");
    (directory, BufReader::new(stream))
}

#[tokio::test]
async fn the_control_socket_answers_every_line() {
    let (opener, endpoints) = open("sim://?hosts=2&vms=6");
    let (_directory, mut stream) = controlled(&opener, Arc::new(NoHook)).await;
    let nobody = ask(&mut stream, r#"{"do":"drop-host","host":"sim-1"}"#).await;
    assert_eq!(nobody["error"]["reason"], "no simulated host is connected");
    let _links = (connect(&endpoints[0]).await, connect(&endpoints[1]).await);
    let field = |answer: Value| answer["error"]["field"].as_str().map(str::to_owned);
    for (request, wrong) in [
        ("garbage \u{1}", "json"),
        ("", "json"),
        ("[1]", "do"),
        (r#"{"do":7}"#, "do"),
        (r#"{"do":"melt"}"#, "fault"),
        (r#"{"do":"drop-host"}"#, "fault"),
        (r#"{"do":"drop-host","host":"kvm-07"}"#, "host"),
        (r#"{"do":"crash-machine","vm":"nobody"}"#, "vm"),
        (r#"{"do":"inject"}"#, "fault"),
        (r#"{"do":"lag"}"#, "do"),
    ] {
        assert_eq!(field(ask(&mut stream, request).await).as_deref(), Some(wrong), "{request}");
    }
    let long = format!("{{\"do\":\"{}\"}}", "x".repeat(100_000));
    assert_eq!(field(ask(&mut stream, &long).await).as_deref(), Some("line"));
    for request in [
        r#"{"do":"fill_pool","host":"sim-1","pool":"nfs"}"#,
        r#"{"do":"inject","fault":{"kind":"drop-host","host":"2"}}"#,
    ] {
        assert_eq!(ask(&mut stream, request).await, json!({ "ok": true }), "{request}");
    }
    let status = ask(&mut stream, r#"{"do":"status"}"#).await;
    let hosts = &status["worlds"][0]["hosts"];
    assert_eq!((&hosts[0]["connected"], &hosts[1]["connected"]), (&json!(true), &json!(false)), "{status}");
    assert_eq!(hosts[1]["trouble"], "dropped");
    assert_eq!(status["worlds"][0]["faults"], json!(["full pool nfs on sim-1", "full pool nfs on sim-2"]));
    assert_eq!(ask(&mut stream, r#"{"do":"restore"}"#).await, json!({ "ok": true }));
    let status = ask(&mut stream, r#"{"do":"status"}"#).await;
    assert_eq!(status["worlds"][0]["faults"], json!([]));
}

#[tokio::test]
async fn verbs_of_the_daemon_reach_its_hook() {
    let (opener, _endpoints) = open("sim://");
    let (_directory, mut stream) = controlled(&opener, Arc::new(Echo)).await;
    let answer = ask(&mut stream, r#"{"do":"new_epoch","reason":"test"}"#).await;
    assert_eq!(answer, json!({ "ok": true, "verb": "new-epoch", "reason": "test" }));
}
