//! The simulator under the contract. Time stands still but for what the cases wait for.

use crate::subject::{Act, Need, Subject};
use futures_util::future::BoxFuture;
use std::collections::BTreeMap;
use std::sync::Arc;
use vrm::hypervisor::port::{Hypervisor, Opener};
use vrm::hypervisor::sim::fault::Fault;
use vrm::hypervisor::sim::{SimHandle, SimOpener, SimSetup, tokio_clock};
use vrm::model::name::HostId;
use vrm::model::registration::{HostOrigin, HostRegistration, Profile};

struct Sim {
    endpoint: Arc<dyn Hypervisor>,
    handle: SimHandle,
}

impl Sim {
    async fn new() -> Self {
        let opener = SimOpener::new(SimSetup { clock: tokio_clock(), profile: Profile::Monitor });
        let registration = HostRegistration {
            id: HostId::parse("sim").expect("good id"),
            uris: vec!["sim://?vms=24&seed=7".to_owned()],
            credential: String::new(),
            profile: None,
            allow_insecure: false,
            labels: BTreeMap::new(),
            reserve: Default::default(),
            origin: HostOrigin::File,
        };
        let endpoint = opener.open(&registration).expect("good registration").remove(0).hypervisor;
        Self { endpoint, handle: opener.handle() }
    }
}

impl Subject for Sim {
    fn endpoint(&self) -> Arc<dyn Hypervisor> {
        Arc::clone(&self.endpoint)
    }

    fn can(&self, _: Need) -> bool {
        true
    }

    fn act(&self, act: Act) -> BoxFuture<'_, ()> {
        let host = "sim".to_owned();
        let fault = match act {
            Act::StopMachine(uuid) => Fault::CrashMachine { vm: uuid.to_string() },
            Act::StartMachine(uuid) => Fault::Restore { host: None, vm: Some(uuid.to_string()) },
            Act::StopPool(pool) => Fault::StopPool { host, pool },
            Act::StopNetwork(network) => Fault::StopNetwork { host, network },
            Act::Hang => Fault::HangHost { host },
            Act::Cut => Fault::DropHost { host },
            Act::Release => Fault::Restore { host: Some(host), vm: None },
        };
        Box::pin(async move { self.handle.inject(&fault).expect("it can be injected") })
    }
}

fn on_paused_time(future: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build();
    runtime.expect("a runtime").block_on(future);
}

contract_suite!(subject: Sim::new, on: on_paused_time, skipped: 0);
