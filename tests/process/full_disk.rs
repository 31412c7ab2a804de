//! A full disk: changes are refused, reading goes on, and nobody needs to restart anything afterwards.

use super::common::{PATIENCE, Recording, TestClient, TestDaemon, reason, skip_because, wait_for};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;
use vrm::wire::v1;

/// A filesystem of 48 MiB; unmounted when dropped.
struct Small {
    at: PathBuf,
    _folder: tempfile::TempDir,
}

impl Small {
    fn mounted() -> Option<Self> {
        let folder = tempfile::tempdir().expect("a folder");
        let at = folder.path().join("small");
        std::fs::create_dir(&at).expect("a folder");
        let mount = Command::new("mount").args(["-t", "tmpfs", "-o", "size=48m", "none"]).arg(&at).output();
        match mount {
            Ok(output) if output.status.success() => Some(Self { at, _folder: folder }),
            Ok(output) => {
                skip_because(&format!("no small filesystem: {}", String::from_utf8_lossy(&output.stderr).trim()));
                None
            }
            Err(error) => {
                skip_because(&format!("mount: {error}"));
                None
            }
        }
    }

    /// Takes what room is left, however little.
    fn fill(&self) {
        let mut file = std::fs::OpenOptions::new().create(true).append(true).open(self.filler()).expect("opens");
        for size in [1 << 20, 4096, 1] {
            while file.write_all(&vec![0; size]).is_ok() {}
        }
    }

    fn filler(&self) -> PathBuf {
        self.at.join("filler")
    }
}

impl Drop for Small {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.at).output();
    }
}

/// Sets a label; the reason if it is refused, nothing if there was no answer in a second.
async fn label(client: &TestClient, name: &str, value: u32) -> Option<Result<(), String>> {
    let request = v1::UpdateAnnotationsRequest {
        name: name.to_owned(),
        set_labels: [("round".to_owned(), value.to_string())].into(),
        ..Default::default()
    };
    let mut inventory = client.inventory();
    let answer = tokio::time::timeout(Duration::from_secs(1), inventory.update_annotations(request)).await;
    answer.ok().map(|answer| answer.map(drop).map_err(|status| reason(&status)))
}

fn store_is_doubtful(status: Option<v1::ListStatus>) -> bool {
    status.is_some_and(|status| {
        status.state() == v1::list_status::State::PotentiallyFaulty && status.reason() == v1::list_status::Reason::Store
    })
}

#[tokio::test]
async fn a_full_disk_refuses_changes_serves_reads_and_recovers_by_itself() {
    let Some(small) = Small::mounted() else { return };
    // Dropped before the filesystem it writes to.
    let mut daemon = TestDaemon::with_hosts(&["sim://?hosts=3&vms=24&seed=7&churn=lifecycle&speed=200"])
        .state_at(&state(&small.at))
        .started()
        .await;
    let client = daemon.client().await;
    client.synchronized().await;
    let watching = Recording::transitions(&client, None).await;
    let mut round = 0;
    wait_for("changes are refused", Duration::from_secs(60), async || {
        small.fill();
        round += 1;
        let answer = label(&client, "cluster", round).await;
        (answer == Some(Err("STORE_FULL".to_owned()))).then_some(())
    })
    .await;

    let name = client.machines().await.remove(0).name;
    let read = v1::GetVirtualMachineRequest { name, ..Default::default() };
    client.inventory().get_virtual_machine(read).await.expect("reading goes on");
    assert!(client.clone().serves("").await);
    wait_for("the stream says so", PATIENCE, async || store_is_doubtful(watching.status()).then_some(())).await;
    let told = watching.position();
    assert!(told.sequence <= client.head().await.sequence);

    std::fs::remove_file(small.filler()).expect("removed");
    let pid = daemon.pid();
    wait_for("changes are taken again", PATIENCE, async || {
        round += 1;
        (label(&client, "cluster", round).await == Some(Ok(()))).then_some(())
    })
    .await;
    wait_for("the stream says that too", PATIENCE, async || {
        (!store_is_doubtful(watching.status()) && watching.position().sequence > told.sequence).then_some(())
    })
    .await;
    assert_eq!(daemon.pid(), pid);

    daemon.kill();
    daemon.start().await;
    let request = v1::GetClusterRequest { name: "cluster".to_owned(), ..Default::default() };
    let cluster = daemon.client().await.inventory().get_cluster(request).await.expect("answers").into_inner();
    assert_eq!(cluster.labels.get("round"), Some(&round.to_string()), "what was answered is kept");
}

fn state(mount: &Path) -> PathBuf {
    mount.join("state")
}
