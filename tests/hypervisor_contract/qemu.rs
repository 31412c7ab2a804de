//! Real QEMU, driven in the process, under the contract.

use crate::embed::{self, Embed};
use crate::libvirt::{endpoint, in_real_time};
use crate::subject::{Act, Need, Subject};
use futures_util::future::BoxFuture;
use std::sync::{Arc, Mutex};
use virt::connect::Connect;
use vrm::hypervisor::port::Hypervisor;
use vrm::model::registration::Profile;

struct Qemu {
    endpoint: Arc<dyn Hypervisor>,
    outside: Connect,
    _embed: Mutex<Embed>,
}

impl Qemu {
    /// One running and one stopped machine.
    async fn new() -> Self {
        let mut embed = Embed::new().expect("QEMU is installed where this suite runs");
        let endpoint = endpoint(&embed.uri(), Profile::Monitor);
        let outside = embed.outside().clone();
        for name in ["on", "off"] {
            let image = embed.path(&format!("{name}.img"));
            embed::boot_disk(&image, embed::HALT, 1 << 20);
            let domain = outside.define_domain_xml(&embed::machine(name, &image, "")).expect("defines");
            if name == "on" {
                domain.create().expect("starts");
            }
        }
        Self { endpoint, outside, _embed: Mutex::new(embed) }
    }
}

impl Subject for Qemu {
    fn endpoint(&self) -> Arc<dyn Hypervisor> {
        self.endpoint.clone()
    }

    fn can(&self, need: Need) -> bool {
        // The embedded driver comes without storage, networks and devices; raw disks without snapshots.
        matches!(
            need,
            Need::ActiveMachine | Need::OffMachine | Need::Statistics | Need::MovingCounters | Need::MachineEvents
        )
    }

    fn act(&self, act: Act) -> BoxFuture<'_, ()> {
        Box::pin(async move {
            let done = match act {
                Act::StopMachine(uuid) => {
                    self.outside.lookup_domain_by_uuid(uuid).and_then(|machine| machine.destroy())
                }
                Act::StartMachine(uuid) => {
                    self.outside.lookup_domain_by_uuid(uuid).and_then(|machine| machine.create())
                }
                other => unreachable!("declared as not possible: {other:?}"),
            };
            done.expect("it can be done");
        })
    }
}

contract_suite!(subject: Qemu::new, on: in_real_time, skipped: 14);
