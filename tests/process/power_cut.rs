//! Power cuts: what lies on the disk at any moment holds everything that anybody was told.
//!
//! The state directory is on a filesystem in a file. The daemon is stopped, the file is copied, and the copy is what the
//! machine would come up with: what was only in the daemon's or the filesystem's memory is not in it.

use super::common::{PATIENCE, Recording, TestClient, TestDaemon, skip_because, wait_for};
use rustix::process::Signal;
use std::path::{Path, PathBuf};
use std::process::Command;
use vrm::wire::v1;

const CUTS: usize = 4;

/// A filesystem in a file; unmounted when dropped.
struct Disk {
    image: PathBuf,
    at: PathBuf,
}

impl Disk {
    fn made(folder: &Path) -> Option<Self> {
        let image = folder.join("disk");
        let file = std::fs::File::create(&image).expect("a file");
        file.set_len(256 << 20).expect("sparse");
        if let Err(reason) = run(Command::new("mkfs.ext4").args(["-q", "-F"]).arg(&image)) {
            skip_because(&format!("no filesystem in a file: {reason}"));
            return None;
        }
        Self::mounted(image, folder.join("mounted"))
    }

    fn mounted(image: PathBuf, at: PathBuf) -> Option<Self> {
        std::fs::create_dir(&at).expect("a folder");
        match run(Command::new("mount").args(["-o", "loop"]).arg(&image).arg(&at)) {
            Ok(()) => Some(Self { image, at }),
            Err(reason) => {
                skip_because(&format!("no filesystem in a file: {reason}"));
                None
            }
        }
    }

    /// What is on the disk now.
    fn after_a_cut(&self, folder: &Path, cut: usize) -> Option<Self> {
        let image = folder.join(format!("cut-{cut}"));
        run(Command::new("cp").arg("--sparse=always").arg(&self.image).arg(&image)).expect("copied");
        Self::mounted(image, folder.join(format!("mounted-{cut}")))
    }

    fn state(&self) -> PathBuf {
        self.at.join("state")
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.at).output();
    }
}

fn run(command: &mut Command) -> Result<(), String> {
    match command.output() {
        Ok(output) if output.status.success() => Ok(()),
        Ok(output) => Err(String::from_utf8_lossy(&output.stderr).trim().to_owned()),
        Err(error) => Err(error.to_string()),
    }
}

/// Last sequence of a journal that is whole.
fn head_on_disk(state: &Path) -> u64 {
    let connection = rusqlite::Connection::open(state.join("journal.db")).expect("opens");
    let verdict: String = connection.query_row("PRAGMA integrity_check", [], |row| row.get(0)).expect("checks");
    assert_eq!(verdict, "ok");
    let head: i64 = connection.query_row("SELECT max(sequence) FROM transitions", [], |row| row.get(0)).expect("reads");
    u64::try_from(head).expect("counts from 1")
}

/// Waits until a good many more changes were told.
async fn more_told(watching: &Recording, than: u64) {
    wait_for("more changes", PATIENCE, async || (watching.position().sequence > than + 200).then_some(())).await;
}

async fn machines(client: &TestClient) -> usize {
    client.synchronized().await;
    client.machines().await.len()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_power_cut_takes_nothing_back_that_was_told() {
    let folder = tempfile::tempdir().expect("a folder");
    let Some(disk) = Disk::made(folder.path()) else { return };
    let hosts = ["sim://?hosts=3&vms=24&seed=7&churn=lifecycle&speed=200"];
    let mut daemon = TestDaemon::with_hosts(&hosts).state_at(&disk.state()).started().await;
    let client = daemon.client().await;
    client.synchronized().await;
    let watching = Recording::transitions(&client, None).await;
    let mut told = v1::StreamPosition::default();
    for cut in 1..=CUTS {
        more_told(&watching, watching.position().sequence).await;
        daemon.signal(Signal::STOP);
        let Some(copy) = disk.after_a_cut(folder.path(), cut) else { return };
        told = watching.position();
        daemon.signal(Signal::CONT);
        let kept = head_on_disk(&copy.state());
        assert!(kept >= told.sequence, "cut {cut}: {} was told, {kept} is on the disk", told.sequence);
    }
    daemon.kill();
    // And what the machine comes up with is good to go on with: nobody has to be told that something is missing.
    let last = Disk::mounted(folder.path().join(format!("cut-{CUTS}")), folder.path().join("last"));
    let last = last.expect("as before");
    let daemon = TestDaemon::with_hosts(&hosts).state_at(&last.state()).started().await;
    let client = daemon.client().await;
    let head = client.head().await;
    assert_eq!(head.epoch, told.epoch);
    assert!(head.sequence >= told.sequence);
    let resumed = Recording::transitions(&client, Some(told)).await;
    let lagged = |message: &v1::WatchResourcesResponse| {
        matches!(message.message, Some(v1::watch_resources_response::Message::Lagged(_)))
    };
    assert!(!resumed.messages().iter().any(|(_, message)| lagged(message)));
    assert!(machines(&client).await > 0);
}
