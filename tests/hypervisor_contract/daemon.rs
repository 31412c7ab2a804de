//! A real libvirtd of this machine under the contract, with libvirt's test driver inside of it.
//!
//! It runs as an ordinary user in a folder of its own, so it touches nothing of the system's libvirt.
//! It can be stopped (`SIGSTOP`: accepts and stays silent), killed and started again.

use crate::libvirt::{endpoint, in_real_time};
use crate::subject::{Act, Need, PATIENCE, Subject};
use crate::test_driver::World;
use futures_util::future::BoxFuture;
use rustix::process::{Pid, Signal, kill_process};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Instant;
use vrm::hypervisor::port::Hypervisor;
use vrm::model::registration::Profile;

/// User `nobody`.
const USER: u32 = 65_534;

struct Daemon {
    endpoint: Arc<dyn Hypervisor>,
    world: World,
    process: Mutex<Child>,
    folder: tempfile::TempDir,
}

impl Daemon {
    async fn new() -> Self {
        let folder = tempfile::Builder::new().prefix("vrm-libvirtd-").tempdir_in("/tmp").expect("a folder");
        if rustix::process::getuid().is_root() {
            std::os::unix::fs::chown(folder.path(), Some(USER), Some(USER)).expect("given away");
        }
        let process = start(folder.path());
        let uri = format!("test+unix:///default?socket={}", socket(folder.path()).display());
        let endpoint = endpoint(&uri, Profile::Manage);
        let world = World::new(&uri);
        Self { endpoint, world, process: Mutex::new(process), folder }
    }
}

fn socket(folder: &Path) -> PathBuf {
    folder.join("libvirt/libvirt-sock")
}

/// Starts the daemon and waits until it listens.
fn start(folder: &Path) -> Child {
    let mut command = if rustix::process::getuid().is_root() {
        let mut command = Command::new("setpriv");
        let user = USER.to_string();
        command.args(["--reuid", &user, "--regid", &user, "--clear-groups", "libvirtd"]);
        command
    } else {
        Command::new("libvirtd")
    };
    let log = std::fs::File::create(folder.join("log")).expect("a log");
    command.env_clear().env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin");
    command.env("XDG_RUNTIME_DIR", folder).env("HOME", folder).stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
    let process = command.spawn().expect("libvirtd is installed where this suite runs");
    let deadline = Instant::now() + PATIENCE;
    while UnixStream::connect(socket(folder)).is_err() {
        let log = || std::fs::read_to_string(folder.join("log")).unwrap_or_default();
        assert!(Instant::now() < deadline, "libvirtd does not listen: {}", log());
        std::thread::yield_now();
    }
    process
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let process = self.process.get_mut().expect("whole");
        let _ = process.kill();
        let _ = process.wait();
    }
}

impl Subject for Daemon {
    fn endpoint(&self) -> Arc<dyn Hypervisor> {
        self.endpoint.clone()
    }

    fn can(&self, _: Need) -> bool {
        true
    }

    fn act(&self, act: Act) -> BoxFuture<'_, ()> {
        let mut process = self.process.lock().expect("whole");
        let signal = |process: &Child, signal| {
            let pid = i32::try_from(process.id()).ok().and_then(Pid::from_raw).expect("a process");
            kill_process(pid, signal).expect("it can be signalled");
        };
        match act {
            Act::Hang => signal(&process, Signal::STOP),
            Act::Cut => {
                process.kill().expect("it can be killed");
                process.wait().expect("it ends");
            }
            Act::Release => {
                if process.try_wait().expect("known").is_some() {
                    *process = start(self.folder.path());
                } else {
                    signal(&process, Signal::CONT);
                }
            }
            other => self.world.change(&other).expect("it can be done"),
        }
        Box::pin(std::future::ready(()))
    }
}

contract_suite!(subject: Daemon::new, on: in_real_time, skipped: 0);
