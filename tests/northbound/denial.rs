//! Who may do what: every RPC as nobody, as viewer, and the open ones.

use super::raw::{RawClient, reason};
use super::script::Script;
use super::server::TestServer;
use std::sync::atomic::Ordering;
use tokio::io::AsyncReadExt;
use tonic::Code;
use vrm::northbound::SERVICES;
use vrm::wire::health_v1::health_client::HealthClient;
use vrm::wire::{health_v1, json, v1};

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
            let reads = ["Get", "List", "Watch", "Pull", "Summarize", "Query", "Generate"]
                .iter()
                .any(|prefix| verb.starts_with(prefix));
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
    assert_eq!(list.len(), 6);
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

/// Refused calls and closed streams leave records; too many refused changes are an alarm (X.736).
#[tokio::test]
async fn refusals_and_closed_streams_are_recorded_and_too_many_are_an_alarm() {
    let server = TestServer::live().await;
    let mut watcher = super::watcher::Watcher::start(&mut server.inventory().await, Default::default()).await.unwrap();
    watcher.synchronize().await;
    let name = "sessions/1".to_owned();
    let close = v1::CloseSessionRequest { name: name.clone(), ..Default::default() };
    server.admin().await.close_session(close).await.unwrap();
    let closed = server.audit().pop().unwrap();
    assert_eq!((closed[1].as_str(), closed[2].as_str(), closed[3].as_str()), (CLOSE, name.as_str(), "OK"));
    assert!(closed[4].contains("WatchResources"), "{closed:?}");

    let mut viewer = RawClient::new(server.tls_channel("viewer").await);
    let denied = |rows: Vec<[String; 5]>| -> Vec<[String; 5]> {
        rows.into_iter().filter(|row| row[3] == "PERMISSION_DENIED").collect()
    };
    viewer.call("vrm.v1.HostService/RegisterHost", Vec::new()).await.unwrap_err();
    let first = until(|| denied(server.audit()).pop()).await;
    assert_eq!(
        (first[0].as_str(), first[1].as_str()),
        ("spiffe://vrm.invalid/viewer", "vrm.v1.HostService/RegisterHost")
    );
    assert!(
        server
            .alarms()
            .await
            .list_alarms(v1::ListAlarmsRequest::default())
            .await
            .unwrap()
            .into_inner()
            .alarms
            .is_empty()
    );
    for _ in 0..2 {
        viewer.call("vrm.v1.HostService/RegisterHost", Vec::new()).await.unwrap_err();
    }
    let second = until(|| denied(server.audit()).into_iter().nth(1)).await;
    assert_eq!(second[4], "denied 2 times", "not one record for each");
    let alarms = server.alarms().await.list_alarms(v1::ListAlarmsRequest::default()).await.unwrap().into_inner().alarms;
    assert_eq!(alarms.len(), 1, "{alarms:?}");
    let security = alarms[0].security.clone().unwrap();
    assert_eq!((alarms[0].alarm_type.as_str(), alarms[0].object.as_str()), ("unauthorisedAccess", "vrm"));
    assert_eq!(security.service_user, "spiffe://vrm.invalid/viewer");
    assert_eq!(alarms[0].event_type(), v1::EventType::SecurityServiceOrMechanismViolation);
}

/// A peer whose certificate is not ours fails again and again.
#[tokio::test]
async fn repeated_failures_to_authenticate_are_an_alarm() {
    let server = TestServer::live().await;
    for _ in 0..50 {
        let mut stream = server.tls_stream("").await;
        // The server's alert, or the end of the connection.
        let _ = stream.read_to_end(&mut Vec::new()).await;
    }
    let mut alarms = server.alarms().await;
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(20);
    let alarm = loop {
        let listed = alarms.list_alarms(v1::ListAlarmsRequest::default()).await.unwrap().into_inner().alarms;
        if let Some(alarm) = listed.into_iter().next() {
            break alarm;
        }
        assert!(std::time::Instant::now() < deadline, "no alarm");
        tokio::task::yield_now().await;
    };
    assert_eq!((alarm.alarm_type.as_str(), alarm.perceived_severity()), ("repeatedAuthFailure", v1::Severity::Warning));
    assert_eq!(alarm.security.unwrap().service_user, "127.0.0.1");
    assert_eq!(alarm.attributes["peer"], "127.0.0.1");
}

const CLOSE: &str = "vrm.v1.AdminService/CloseSession";

/// Waits for a value.
async fn until<T>(mut look: impl FnMut() -> Option<T>) -> T {
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(20);
    loop {
        if let Some(value) = look() {
            return value;
        }
        assert!(std::time::Instant::now() < deadline, "in time");
        tokio::task::yield_now().await;
    }
}
