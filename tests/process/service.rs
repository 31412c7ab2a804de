//! What a service manager is told.

use crate::common::TestDaemon;
use std::os::unix::net::UnixDatagram;
use std::time::Duration;

/// Words of the service manager's socket until one line begins with `wanted`.
fn until(socket: &UnixDatagram, wanted: &str) -> Vec<String> {
    let mut lines = Vec::new();
    let mut buffer = [0; 4_096];
    while !lines.iter().any(|line: &String| line.starts_with(wanted)) {
        let length = socket.recv(&mut buffer).expect(wanted);
        lines.extend(String::from_utf8_lossy(&buffer[..length]).lines().map(str::to_owned));
    }
    lines
}

#[tokio::test(flavor = "multi_thread")]
async fn the_service_manager_is_told_ready_alive_and_stopping() {
    let directory = tempfile::tempdir().expect("a folder");
    let path = directory.path().join("notify");
    let socket = UnixDatagram::bind(&path).expect("bound");
    socket.set_read_timeout(Some(Duration::from_secs(20))).expect("a bound on waiting");
    let mut daemon = TestDaemon::with_hosts(&["sim=sim://?hosts=2&vms=4&seed=3"])
        .variable("NOTIFY_SOCKET", &path.display().to_string())
        .variable("WATCHDOG_USEC", "2000000")
        .started()
        .await;
    until(&socket, "READY=1");
    until(&socket, "WATCHDOG=1");
    until(&socket, "STATUS=2 of 2 hosts up, 4 virtual machines");
    until(&socket, "WATCHDOG=1");
    let ended = daemon.stop().await;
    until(&socket, "STOPPING=1");
    assert_eq!(ended.status.code(), Some(0));
}
