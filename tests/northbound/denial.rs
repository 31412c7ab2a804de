//! Who may do what: every RPC as nobody, as viewer, and the open ones.

use super::raw::{RawClient, reason};
use super::script::Script;
use super::server::TestServer;
use std::sync::atomic::Ordering;
use tokio::io::AsyncReadExt;
use tonic::Code;
use vrm::northbound::SERVICES;
use vrm::wire::health_v1::health_client::HealthClient;
use vrm::wire::{health_v1, json};

fn every_method() -> Vec<String> {
    let services = json::pool().services().filter(|service| SERVICES.contains(&service.full_name()));
    services
        .flat_map(|service| {
            let name = service.full_name().to_owned();
            service.methods().map(|method| format!("{name}/{}", method.name())).collect::<Vec<_>>()
        })
        .collect()
}

#[tokio::test]
async fn every_rpc_is_denied_to_nobody_before_anything_is_looked_at() {
    let script = Script::new("e1");
    let server = TestServer::scripted(&script.log).await;
    let mut nobody = RawClient::new(server.tls_channel("nobody").await);
    let methods = every_method();
    assert!(methods.len() > 30);
    for method in methods {
        // Not even a decodable request: the permission comes first.
        let error = nobody.call(&method, vec![0xff; 8]).await.unwrap_err();
        assert_eq!((error.code(), reason(&error)), (Code::PermissionDenied, "PERMISSION_DENIED".into()), "{method}");
        let info = tonic_types::StatusExt::get_details_error_info(&error).unwrap();
        assert_eq!(info.metadata["method"], method);
        assert_eq!(info.metadata["principal"], "spiffe://vrm.invalid/nobody");
    }
    for method in [
        "grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
        "grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo",
        "vrm.v1.InventoryService/Nothing",
        "some.other.Service/Call",
    ] {
        let error = nobody.call(method, Vec::new()).await.unwrap_err();
        assert_eq!(error.code(), Code::PermissionDenied, "{method}");
    }
    assert!(server.northbound.calls.denials() > 30);
}

#[tokio::test]
async fn a_viewer_reads_and_changes_nothing() {
    let mut script = Script::new("e1");
    script.populate();
    let server = TestServer::scripted(&script.log).await;
    for channel in [server.viewer_channel().await, server.tls_channel("viewer").await] {
        let mut viewer = RawClient::new(channel);
        for method in every_method() {
            let verb = method.rsplit('/').next().unwrap();
            let reads = ["Get", "List", "Watch", "Pull", "Summarize"].iter().any(|prefix| verb.starts_with(prefix));
            let answer = viewer.call(&method, Vec::new()).await;
            let denied = answer.is_err_and(|error| error.code() == Code::PermissionDenied);
            assert_eq!(denied, !reads || verb.contains("Session"), "{method}");
        }
    }
}

#[tokio::test]
async fn an_unknown_method_is_unimplemented_with_a_reason() {
    let script = Script::new("e1");
    let server = TestServer::scripted(&script.log).await;
    for method in ["vrm.v1.InventoryService/Nothing", "some.other.Service/Call", "x/y"] {
        let error = server.raw().await.call(method, Vec::new()).await.unwrap_err();
        assert_eq!((error.code(), reason(&error)), (Code::Unimplemented, "UNIMPLEMENTED".into()), "{method}");
    }
}

#[tokio::test]
async fn health_is_open_to_all_and_follows_the_protocol() {
    let script = Script::new("e1");
    let server = TestServer::scripted(&script.log).await;
    let mut health = HealthClient::new(server.tls_channel("nobody").await);
    let ask = |service: &str| health_v1::HealthCheckRequest { service: service.into() };
    let serving = health_v1::health_check_response::ServingStatus::Serving;
    assert_eq!(health.check(ask("")).await.unwrap().into_inner().status(), serving);
    assert_eq!(health.check(ask("vrm.v1.InventoryService")).await.unwrap().into_inner().status(), serving);
    let error = health.check(ask("nothing")).await.unwrap_err();
    assert_eq!((error.code(), reason(&error)), (Code::NotFound, "SERVICE_NOT_FOUND".into()));
    let list = health.list(health_v1::HealthListRequest {}).await.unwrap().into_inner().statuses;
    assert_eq!(list.len(), 5);
    // An unknown service is watched, not refused, and its appearance is told.
    let mut watch = health.watch(ask("later")).await.unwrap().into_inner();
    let unknown = health_v1::health_check_response::ServingStatus::ServiceUnknown;
    assert_eq!(watch.message().await.unwrap().unwrap().status(), unknown);
    server.northbound.health.set("later", true);
    assert_eq!(watch.message().await.unwrap().unwrap().status(), serving);
}

#[tokio::test]
async fn a_client_without_certificate_gets_nothing() {
    let script = Script::new("e1");
    let server = TestServer::scripted(&script.log).await;
    let mut admin = RawClient::new(server.tls_channel("admin").await);
    assert!(admin.call("vrm.v1.AdminService/GetServerInfo", Vec::new()).await.is_ok());
    // TLS 1.3: the client believes in the handshake until the server's alert comes.
    let mut stream = server.tls_stream("").await;
    let end = stream.read_to_end(&mut Vec::new()).await;
    assert!(end.is_err(), "the server's alert ends the connection: {end:?}");
    assert_eq!(server.northbound.connections.handshakes_failed.load(Ordering::Relaxed), 1);
}
