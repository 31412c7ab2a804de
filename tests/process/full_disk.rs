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
        Self::sized(48)
    }

    /// Of so many MiB.
    fn sized(mebibytes: u32) -> Option<Self> {
        let folder = tempfile::tempdir().expect("a folder");
        let at = folder.path().join("small");
        std::fs::create_dir(&at).expect("a folder");
        let mount =
            Command::new("mount").args(["-t", "tmpfs", "-o", &format!("size={mebibytes}m"), "none"]).arg(&at).output();
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

#[tokio::test]
async fn a_disk_that_fills_is_an_alarm_and_ends_by_itself() {
    let Some(small) = Small::sized(160) else { return };
    let at_once = "[[alarm_profile]]\nname = \"now\"\nalarm_types = [\"vrmStorageLow\"]\nhold_on = \"0s\"\n";
    let daemon = TestDaemon::with_settings(at_once).state_at(&state(&small.at)).started().await;
    let client = daemon.client().await;
    assert!(client.active("vrmStorageLow").await.is_empty());
    let part = std::fs::File::create(small.filler()).expect("made");
    // Nine tenths and a bit are full then.
    let space = rustix::fs::statvfs(&small.at).expect("asked");
    let left = space.f_bavail * space.f_frsize;
    let size = space.f_blocks * space.f_frsize;
    let taken = usize::try_from(left - size * 7 / 100).expect("small");
    (&part).write_all(&vec![0; taken]).expect("written");
    drop(part);
    let (alarm, _) = wait_for("an alarm", PATIENCE, async || client.active("vrmStorageLow").await.pop()).await;
    assert_eq!((alarm.object.as_str(), alarm.perceived_severity()), ("vrm", v1::Severity::Major));
    assert!(alarm.threshold.is_some_and(|threshold| threshold.observed > 90.0));
    std::fs::remove_file(small.filler()).expect("removed");
    wait_for("its end", PATIENCE, async || client.active("vrmStorageLow").await.is_empty().then_some(())).await;
}
