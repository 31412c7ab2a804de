//! Whatever comes in over the socket, the daemon answers or closes, and goes on.

use super::common::{TestClient, TestDaemon, proc_status, reason};
use std::io::{Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;
use tonic::Code;
use tonic_prost::ProstCodec;
use vrm::wire::v1;

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// Sends bytes and reads until the daemon closes or has nothing to say.
fn throw(socket: &Path, bytes: &[u8]) {
    let mut stream = UnixStream::connect(socket).expect("the daemon accepts");
    stream.set_read_timeout(Some(Duration::from_millis(100))).expect("set");
    stream.set_write_timeout(Some(Duration::from_secs(5))).expect("set");
    let _ = stream.write_all(bytes);
    let _ = stream.shutdown(std::net::Shutdown::Write);
    let mut answer = vec![0; 65_536];
    while stream.read(&mut answer).is_ok_and(|count| count > 0) {}
}

/// Bytes without meaning, the same in every run.
fn noise(seed: u64, length: usize) -> Vec<u8> {
    let mut state = seed | 1;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state
    };
    (0..length.div_ceil(8)).flat_map(|_| next().to_be_bytes()).take(length).collect()
}

#[tokio::test]
async fn bytes_that_are_no_grpc_are_survived() {
    let daemon = TestDaemon::with_hosts(&["sim://?vms=3"]).started().await;
    let client = daemon.client().await;
    client.synchronized().await;
    let socket = daemon.socket();
    let round = |seed: u64| {
        for length in [0, 1, 9, 24, 1_000, 100_000] {
            throw(&socket, &noise(seed + 7, length));
            throw(&socket, &[PREFACE, &noise(seed + 11, length)].concat());
        }
        throw(&socket, b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n");
        throw(&socket, b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03");
        // SETTINGS of 16 MiB, and a thousand pings.
        throw(&socket, &[PREFACE, &[0xff, 0xff, 0xff, 4, 0, 0, 0, 0, 0]].concat());
        let ping = [0, 0, 8, 6, 0, 0, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8];
        throw(&socket, &[PREFACE, &ping.repeat(1_000)].concat());
    };
    round(1);
    let before = proc_status(daemon.pid(), "VmRSS");
    for seed in 2..12 {
        round(seed);
    }
    assert!(daemon.client().await.serves("").await, "a new client is served");
    assert_eq!(client.machines().await.len(), 3, "and an old one");
    let after = proc_status(daemon.pid(), "VmRSS");
    assert!(after < before + 16 * 1024, "grew from {before} to {after} kB");
    assert!(!daemon.log().contains("panic"), "{}", daemon.log());
}

async fn refused(client: &TestClient, filter: &str, page_token: &str) -> tonic::Status {
    let request = v1::ListVirtualMachinesRequest {
        filter: filter.to_owned(),
        page_token: page_token.to_owned(),
        ..Default::default()
    };
    client.inventory().list_virtual_machines(request).await.expect_err("nonsense")
}

#[tokio::test]
async fn requests_without_sense_get_clear_errors() {
    let daemon = TestDaemon::with_hosts(&["sim://?vms=3"]).started().await;
    let client = daemon.client().await;
    client.synchronized().await;
    let large = "x".repeat(2 << 20);

    let status = refused(&client, &large, "").await;
    assert_eq!(reason(&status), "MALFORMED_MESSAGE", "beyond the limit of a request: {status:?}");
    let deep = format!("{}a = b{}", "(".repeat(400), ")".repeat(400));
    for filter in ["state =", "a b c", "name = \"", "\0", "nosuchfield = 1", &deep, &"-".repeat(1_000), "☃ = ☃"] {
        let status = refused(&client, filter, "").await;
        assert_eq!((status.code(), reason(&status).as_str()), (Code::InvalidArgument, "INVALID_FILTER"), "{filter:?}");
    }
    for token in ["x", "AAAA", "☃", "\0\0\0", &"A".repeat(100_000)] {
        let status = refused(&client, "", token).await;
        assert_eq!(reason(&status), "INVALID_PAGE_TOKEN", "{status:?}");
    }
    for name in ["", "virtualMachines/", "virtualMachines/\0", "virtualMachines/%00", "hosts/../x", &"x".repeat(9_999)]
    {
        let request = v1::GetVirtualMachineRequest { name: name.to_owned(), ..Default::default() };
        let status = client.inventory().get_virtual_machine(request).await.expect_err("no such name");
        assert!(matches!(status.code(), Code::InvalidArgument | Code::NotFound), "{name:?}: {status:?}");
    }
    for (key, value) in [("", "x"), ("k\0", "x"), ("k", "v\0"), ("k", &large[..300]), (&large[..64], "x")] {
        let request = v1::UpdateAnnotationsRequest {
            name: "cluster".to_owned(),
            set_labels: [(key.to_owned(), value.to_owned())].into(),
            ..Default::default()
        };
        let status = client.inventory().update_annotations(request).await.expect_err("no good label");
        assert_eq!(reason(&status), "INVALID_FIELD", "{key:?}={value:.9?}");
    }
    malformed(&client).await;
    assert!(!daemon.log().contains("panic"), "{}", daemon.log());
    assert!(client.clone().serves("").await);
}

/// A message whose fields have other types than the method's.
async fn malformed(client: &TestClient) {
    let other = prost_types::Any { type_url: "hosts/-".to_owned(), value: vec![0xff; 100] };
    let mut raw = tonic::client::Grpc::new(client.channel());
    raw.ready().await.expect("connected");
    let path = http::uri::PathAndQuery::from_static("/vrm.v1.InventoryService/ListHosts");
    let codec: ProstCodec<prost_types::Any, v1::ListHostsResponse> = ProstCodec::default();
    let status = raw.unary(tonic::Request::new(other), path, codec).await.expect_err("cannot be decoded");
    assert_eq!(reason(&status), "MALFORMED_MESSAGE", "{status:?}");
    assert_eq!(status.code(), Code::InvalidArgument);
    let unknown = http::uri::PathAndQuery::from_static("/vrm.v1.InventoryService/NoSuchMethod");
    let codec: ProstCodec<prost_types::Any, v1::ListHostsResponse> = ProstCodec::default();
    raw.ready().await.expect("still connected");
    let status = raw.unary(tonic::Request::new(prost_types::Any::default()), unknown, codec).await;
    assert_eq!(status.expect_err("no such method").code(), Code::Unimplemented);
    assert_eq!(client.machines().await.len(), 3);
}
