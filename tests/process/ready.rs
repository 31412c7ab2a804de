//! Ready means serving; SIGTERM means an orderly end that every stream is told of.

use super::common::{PATIENCE, TestDaemon, wait_for};
use std::os::unix::fs::PermissionsExt as _;
use std::time::Duration;
use v1::watch_resources_response::Message;
use vrm::wire::v1;

#[tokio::test]
async fn a_ready_daemon_serves_everybody_on_its_socket() {
    let daemon = TestDaemon::with_hosts(&["sim://?hosts=3&vms=24&seed=7"]).started().await;
    let mode = std::fs::metadata(daemon.socket()).expect("the socket").permissions().mode();
    assert_eq!(mode & 0o777, 0o666, "decided by peer credentials, not by mode");
    let client = daemon.client().await;
    assert_eq!(client.synchronized().await.len(), 3);
    let mut asking = client.clone();
    wait_for("the inventory service is healthy", PATIENCE, async || {
        asking.serves("vrm.v1.InventoryService").await.then_some(())
    })
    .await;
    assert!(!asking.serves("vrm.v1.NoSuchService").await);
    assert_eq!(client.machines().await.len(), 24);
}

#[tokio::test]
async fn sigterm_closes_every_stream_and_ends_in_time() {
    let mut daemon = TestDaemon::with_hosts(&["sim://?vms=3"]).started().await;
    let mut streams = Vec::new();
    for _ in 0..4 {
        let client = daemon.client().await;
        streams.push((client.watch(v1::WatchResourcesRequest::default()).await.expect("begins"), client));
    }
    for (stream, _) in &mut streams {
        let first = stream.message().await.expect("no error").expect("a message");
        assert!(matches!(first.message, Some(Message::Started(_))), "{first:?}");
    }
    let stop = daemon.stop();
    let told = async {
        let mut told = 0;
        for (stream, _) in &mut streams {
            let mut last = None;
            let status = loop {
                match stream.message().await {
                    Ok(Some(message)) => last = message.message,
                    Ok(None) => break None,
                    Err(status) => break Some(status),
                }
            };
            let Some(Message::Closing(closing)) = last else { unreachable!("the last message was {last:?}") };
            assert_eq!(closing.reason(), v1::stream_closing::Reason::Shutdown);
            assert_eq!(super::common::reason(&status.expect("an error follows")), "SERVER_SHUTDOWN");
            told += 1;
        }
        told
    };
    let (ended, told) = tokio::join!(stop, told);
    assert_eq!(told, 4);
    assert_eq!(ended.status.code(), Some(0), "{}", daemon.log());
    assert!(ended.took < Duration::from_secs(3), "took {:?}", ended.took);
    assert!(!daemon.log().contains("before everything was finished"), "{}", daemon.log());
}
