//! Garbage: clear errors, no panic, no growth, and the server lives on.

use super::raw::reason;
use super::script::Script;
use super::server::TestServer;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpStream, UnixStream};
use tonic::Code;
use vrm::wire::v1;

async fn populated() -> TestServer {
    let mut script = Script::new("e1");
    script.populate();
    TestServer::scripted(&script.log).await
}

async fn lives(server: &TestServer) {
    let info = server.admin().await.get_server_info(v1::GetServerInfoRequest {}).await;
    assert!(info.is_ok());
    assert_eq!(server.northbound.calls.panics(), 0);
}

#[tokio::test]
async fn malformed_messages_are_the_callers_fault() {
    let server = populated().await;
    let mut raw = server.raw().await;
    for bytes in [vec![0xff; 16], vec![0x0a, 0x7f], vec![0x0a, 0x02, 0xff, 0xfe], vec![0x08], vec![0; 1_000]] {
        for method in ["InventoryService/GetHost", "InventoryService/ListHypervisors", "AdminService/GetSession"] {
            let error = raw.call(&format!("vrm.v1.{method}"), bytes.clone()).await.unwrap_err();
            assert_eq!(error.code(), Code::InvalidArgument, "{method} {bytes:?}: {error:?}");
            assert!(["MALFORMED_MESSAGE", "INVALID_FIELD"].contains(&reason(&error).as_str()), "{error:?}");
        }
    }
    lives(&server).await;
}

#[tokio::test]
async fn too_large_messages_are_refused() {
    let server = populated().await;
    let mut client = server.inventory().await;
    let name = "x".repeat(2 * 1024 * 1024);
    let error = client.get_host(v1::GetHostRequest { name: name.clone(), view: 0 }).await.unwrap_err();
    assert_eq!((error.code(), reason(&error)), (Code::InvalidArgument, "MALFORMED_MESSAGE".into()), "{error:?}");
    let request = v1::ListVirtualMachinesRequest { filter: name[..900_000].to_owned(), ..Default::default() };
    let error = client.list_virtual_machines(request).await.unwrap_err();
    assert_eq!(reason(&error), "INVALID_FILTER");
    assert!(error.message().len() < 500 && error.details().len() < 6_000, "an error stays small");
    let request = v1::GetHostRequest { name: name[..900_000].to_owned(), view: 0 };
    let error = client.get_host(request).await.unwrap_err();
    assert_eq!(reason(&error), "INVALID_FIELD");
    lives(&server).await;
}

#[tokio::test]
async fn odd_values_are_named() {
    let server = populated().await;
    let mut client = server.inventory().await;
    for name in ["hosts/a\0b", "hosts/\u{202e}", "hosts/../..", "hosts/%00", "hosts/a b"] {
        let error = client.get_host(v1::GetHostRequest { name: name.into(), view: 0 }).await.unwrap_err();
        assert!(["HOST_NOT_FOUND", "INVALID_FIELD"].contains(&reason(&error).as_str()), "{name:?}: {error:?}");
        assert!(!error.message().contains('\0'));
    }
    let error = client.get_host(v1::GetHostRequest { name: "hosts/kvm-07".into(), view: 99 }).await.unwrap_err();
    assert_eq!(reason(&error), "INVALID_FIELD");
    for filter in ["\0", "name = \"", "((((((((((", "name = 1 OR AND", "name name name", "\u{feff}", "= = =", "---"] {
        let request = v1::ListHostsRequest { filter: filter.into(), ..Default::default() };
        let error = client.list_hosts(request).await.unwrap_err();
        assert_eq!((error.code(), reason(&error)), (Code::InvalidArgument, "INVALID_FILTER".into()), "{filter:?}");
        let bad = tonic_types::StatusExt::get_details_bad_request(&error).unwrap();
        assert_eq!(bad.field_violations[0].field, "filter");
    }
    for page_token in ["x", "1", "\0", "1ffffffff", "'; DROP TABLE", "1🦀🦀🦀🦀"] {
        let request = v1::ListHostsRequest { page_token: page_token.into(), ..Default::default() };
        let error = client.list_hosts(request).await.unwrap_err();
        assert_eq!(
            (error.code(), reason(&error)),
            (Code::InvalidArgument, "INVALID_PAGE_TOKEN".into()),
            "{page_token}"
        );
    }
    let request = v1::WatchResourcesRequest { kinds: vec![0; 1_000], ..Default::default() };
    assert_eq!(reason(&client.watch_resources(request).await.unwrap_err()), "INVALID_FIELD");
    let options = v1::StreamOptions { delivery_mode: 77, ..Default::default() };
    let request = v1::WatchResourcesRequest { options: Some(options), ..Default::default() };
    assert_eq!(reason(&client.watch_resources(request).await.unwrap_err()), "INVALID_FIELD");
    lives(&server).await;
}

#[tokio::test]
async fn whoever_does_not_speak_http2_is_cut_off() {
    let server = populated().await;
    for greeting in [
        &b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"[..],
        &[0; 64],
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\xff\xff\xff\xff\xff\xff\xff\xff\xff",
    ] {
        let mut stream = UnixStream::connect(server.socket()).await.unwrap();
        stream.write_all(greeting).await.unwrap();
        let mut answer = Vec::new();
        let read = tokio::time::timeout(std::time::Duration::from_secs(15), stream.read_to_end(&mut answer)).await;
        assert!(read.is_ok(), "the connection is closed");
    }
    // Nor does silence hold a place for longer than the handshake may take.
    let mut silent = UnixStream::connect(server.socket()).await.unwrap();
    let begun = std::time::Instant::now();
    let read = tokio::time::timeout(std::time::Duration::from_secs(15), silent.read_to_end(&mut Vec::new())).await;
    assert!(read.is_ok(), "a silent connection is closed");
    assert!(begun.elapsed().as_secs() >= 4);
    lives(&server).await;
}

#[tokio::test]
async fn one_address_cannot_take_all_places() {
    let server = populated().await;
    let mut held = Vec::new();
    for _ in 0..32 {
        let mut stream = TcpStream::connect(server.loopback()).await.unwrap();
        // The server's SETTINGS show that it has been accepted.
        stream.read_exact(&mut [0; 9]).await.unwrap();
        held.push(stream);
    }
    let mut further = TcpStream::connect(server.loopback()).await.unwrap();
    let mut answer = Vec::new();
    // A reset is as good as an end.
    let _ = further.read_to_end(&mut answer).await;
    assert!(answer.is_empty(), "the thirty-third is closed at once");
    // Local users are not concerned.
    lives(&server).await;
    drop(held);
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(10);
    loop {
        let mut stream = TcpStream::connect(server.loopback()).await.unwrap();
        if stream.read_exact(&mut [0; 9]).await.is_ok() {
            break;
        }
        assert!(std::time::Instant::now() < deadline, "places come back");
    }
}
