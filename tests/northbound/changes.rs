//! Changes through the real engine and store.

use super::raw::reason;
use super::server::TestServer;
use tonic::Code;
use vrm::wire::v1;

const ID: &str = "5e2a6f1e-7c1b-4f7e-9a39-0d3c5a1c7a11";

fn register(host_id: &str, uri: &str) -> v1::RegisterHostRequest {
    v1::RegisterHostRequest { host_id: host_id.into(), uris: vec![uri.into()], ..Default::default() }
}

fn label(name: &str) -> v1::UpdateAnnotationsRequest {
    v1::UpdateAnnotationsRequest {
        name: name.into(),
        set_labels: [("owner".to_owned(), "r1".to_owned())].into(),
        user_label: Some("the first".into()),
        add_service_refs: vec!["svc-1".into()],
        ..Default::default()
    }
}

fn host_of(object: v1::ManagedObject) -> v1::Host {
    match object.resource {
        Some(v1::managed_object::Resource::Host(host)) => host,
        other => panic!("expected a host, got {other:?}"),
    }
}

#[tokio::test]
async fn a_host_is_tried_out_registered_annotated_and_deregistered() {
    let server = TestServer::live().await;
    let mut hosts = server.hosts().await;
    let mut inventory = server.inventory().await;
    let trial = v1::RegisterHostRequest { validate_only: true, ..register("kvm-01", "sim://?hosts=1&vms=2") };
    let trial = hosts.register_host(trial).await.unwrap().into_inner();
    assert!(trial.host.is_none() && trial.probes[0].reachable, "{trial:?}");
    assert_eq!(trial.probes[0].profile_possible(), v1::Profile::Monitor);
    assert!(inventory.get_host(v1::GetHostRequest { name: "hosts/kvm-01".into(), view: 0 }).await.is_err());

    let request = v1::RegisterHostRequest { request_id: ID.into(), ..register("kvm-01", "sim://?hosts=1&vms=2") };
    let registered = hosts.register_host(request.clone()).await.unwrap().into_inner();
    assert_eq!(registered.name, "hosts/kvm-01");
    let host = registered.host.unwrap();
    assert_eq!(host.origin(), v1::HostOrigin::Api);
    let again = hosts.register_host(request).await.unwrap().into_inner();
    assert_eq!(again.name, "hosts/kvm-01", "a repeat gets the first answer");
    let other = v1::RegisterHostRequest { request_id: ID.into(), ..register("kvm-02", "sim://?hosts=1&vms=2") };
    let error = hosts.register_host(other).await.unwrap_err();
    assert_eq!((error.code(), reason(&error)), (Code::InvalidArgument, "REQUEST_ID_REUSED".into()));
    let error = hosts.register_host(register("kvm-01", "sim://?hosts=1&vms=2")).await.unwrap_err();
    assert_eq!((error.code(), reason(&error)), (Code::AlreadyExists, "HOST_EXISTS".into()));

    let changed = host_of(inventory.update_annotations(label("hosts/kvm-01")).await.unwrap().into_inner());
    assert_eq!((changed.labels["owner"].as_str(), changed.user_label.as_str()), ("r1", "the first"));
    assert_eq!(changed.service_refs, ["svc-1"]);
    let stale = v1::UpdateAnnotationsRequest { etag: host.etag, ..label("hosts/kvm-01") };
    let error = inventory.update_annotations(stale).await.unwrap_err();
    assert_eq!((error.code(), reason(&error)), (Code::Aborted, "ETAG_MISMATCH".into()));
    let info = tonic_types::StatusExt::get_details_error_info(&error).unwrap();
    assert_eq!(info.metadata["current_etag"], changed.etag);
    let remove = v1::UpdateAnnotationsRequest {
        name: "hosts/kvm-01".into(),
        etag: changed.etag,
        remove_labels: vec!["owner".into()],
        add_service_refs: vec!["svc-2".into()],
        remove_service_refs: vec!["svc-1".into()],
        ..Default::default()
    };
    let changed = host_of(inventory.update_annotations(remove).await.unwrap().into_inner());
    assert!(!changed.labels.contains_key("owner"));
    assert_eq!((changed.user_label.as_str(), changed.service_refs), ("the first", vec!["svc-2".to_owned()]));

    let gone = v1::DeregisterHostRequest { name: "hosts/kvm-01".into(), ..Default::default() };
    let gone = hosts.deregister_host(gone).await.unwrap().into_inner();
    assert!(gone.removed.contains(&"hosts/kvm-01".to_owned()));
    let error = inventory.get_host(v1::GetHostRequest { name: "hosts/kvm-01".into(), view: 0 }).await.unwrap_err();
    assert_eq!(reason(&error), "HOST_NOT_FOUND");
}

#[tokio::test]
async fn changes_that_are_refused_say_which_field() {
    let server = TestServer::live().await;
    let mut hosts = server.hosts().await;
    let mut inventory = server.inventory().await;
    for request in [
        register("Bad_Id", "sim://"),
        register("", "qemu:///system"),
        register("a", ""),
        register("a", "nonsense://x"),
        register("a", &"x".repeat(100_000)),
        v1::RegisterHostRequest::default(),
        v1::RegisterHostRequest { request_id: "7".into(), ..register("a", "sim://") },
        v1::RegisterHostRequest { labels: [("a b".into(), "c".into())].into(), ..register("a", "sim://") },
        v1::RegisterHostRequest { profile: 9, ..register("a", "sim://") },
    ] {
        let error = hosts.register_host(request.clone()).await.unwrap_err();
        assert_eq!((error.code(), reason(&error)), (Code::InvalidArgument, "INVALID_FIELD".into()), "{request:?}");
        assert!(tonic_types::StatusExt::get_details_bad_request(&error).is_some());
    }
    for request in [
        v1::UpdateAnnotationsRequest { name: String::new(), ..label("") },
        v1::UpdateAnnotationsRequest { set_labels: [(String::new(), String::new())].into(), ..label("vrm") },
        v1::UpdateAnnotationsRequest { set_labels: [("a".into(), "x".repeat(257))].into(), ..label("vrm") },
        v1::UpdateAnnotationsRequest { user_label: Some("x".repeat(257)), ..label("vrm") },
        v1::UpdateAnnotationsRequest { user_label: Some("a\nb".into()), ..label("vrm") },
        v1::UpdateAnnotationsRequest { remove_labels: vec!["owner".into()], ..label("vrm") },
        v1::UpdateAnnotationsRequest { add_service_refs: vec![String::new()], ..label("vrm") },
    ] {
        let error = inventory.update_annotations(request.clone()).await.unwrap_err();
        assert_eq!((error.code(), reason(&error)), (Code::InvalidArgument, "INVALID_FIELD".into()), "{request:?}");
    }
    let missing = inventory.update_annotations(label("hosts/nothing")).await.unwrap_err();
    assert_eq!((missing.code(), reason(&missing)), (Code::NotFound, "HOST_NOT_FOUND".into()));
    let request = v1::SetExpectationRequest { name: "hosts/a".into(), expectation: 1, ..Default::default() };
    assert_eq!(reason(&inventory.set_expectation(request).await.unwrap_err()), "INVALID_FIELD");
    let request = v1::DeregisterHostRequest { name: "hosts/a".into(), ..Default::default() };
    assert_eq!(reason(&hosts.deregister_host(request).await.unwrap_err()), "HOST_NOT_FOUND");
}

#[tokio::test]
async fn nobody_else_is_named_without_permission() {
    let server = TestServer::live().await;
    let mut inventory = server.inventory().await;
    server.hosts().await.register_host(register("kvm-01", "sim://?hosts=1&vms=0")).await.unwrap();
    // The user of the test is the daemon's own, so an administrator, so may act for others.
    let actor = v1::Actor { user: "alice".into(), system: "oss-1".into(), ..Default::default() };
    let request = v1::UpdateAnnotationsRequest { actor: Some(actor), ..label("hosts/kvm-01") };
    assert!(inventory.update_annotations(request).await.is_ok());
    let actor = v1::Actor { user: "x".repeat(65), ..Default::default() };
    let request = v1::UpdateAnnotationsRequest { actor: Some(actor), ..label("hosts/kvm-01") };
    assert_eq!(reason(&inventory.update_annotations(request).await.unwrap_err()), "INVALID_FIELD");
}
