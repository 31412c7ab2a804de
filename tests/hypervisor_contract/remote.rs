//! A libvirtd at the other end of a socket under the contract: the fake one, which can hang and be cut.

use crate::fake_libvirtd::{Behaviour, FakeLibvirtd};
use crate::libvirt::{endpoint, in_real_time};
use crate::subject::{Act, Need, Subject};
use futures_util::future::BoxFuture;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use vrm::hypervisor::port::Hypervisor;
use vrm::model::registration::Profile;

struct Remote {
    endpoint: Arc<dyn Hypervisor>,
    daemon: Mutex<FakeLibvirtd>,
    path: PathBuf,
    _folder: tempfile::TempDir,
}

impl Remote {
    async fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("s");
        let daemon = FakeLibvirtd::start(&path, well());
        let endpoint = endpoint(&daemon.uri(), Profile::Monitor);
        Self { endpoint, daemon: Mutex::new(daemon), path, _folder: folder }
    }
}

fn well() -> Behaviour {
    Behaviour { machines: 3, ..Behaviour::default() }
}

impl Subject for Remote {
    fn endpoint(&self) -> Arc<dyn Hypervisor> {
        self.endpoint.clone()
    }

    fn can(&self, need: Need) -> bool {
        matches!(need, Need::ActiveMachine | Need::Statistics | Need::Hang | Need::Cut | Need::LossDetection)
    }

    fn act(&self, act: Act) -> BoxFuture<'_, ()> {
        let mut daemon = self.daemon.lock().expect("whole");
        match act {
            Act::Hang => daemon.behave(|behaviour| behaviour.hang_all = true),
            Act::Cut => daemon.stop(),
            Act::Release => {
                daemon.stop();
                *daemon = FakeLibvirtd::start(&self.path, well());
            }
            other => unreachable!("declared as not possible: {other:?}"),
        }
        Box::pin(std::future::ready(()))
    }
}

contract_suite!(subject: Remote::new, on: in_real_time, skipped: 15);
