//! libvirt's test driver under the contract: deterministic, in the process, all lanes on one thread.

use crate::libvirt::{endpoint, in_real_time};
use crate::subject::{Act, Need, Subject};
use futures_util::future::BoxFuture;
use std::sync::Arc;
use virt::connect::Connect;
use virt::storage_vol::StorageVol;
use vrm::hypervisor::port::Hypervisor;
use vrm::model::registration::Profile;

const URI: &str = "test:///default";

struct TestDriver {
    endpoint: Arc<dyn Hypervisor>,
    /// Keeps the process's one world alive and changes it.
    outside: Connect,
}

impl TestDriver {
    async fn new() -> Self {
        let endpoint = endpoint(URI, Profile::Manage);
        let outside = Connect::open(Some(URI)).expect("opens");
        let off = "<domain type='test'><name>off</name><memory>65536</memory><os><type>hvm</type></os></domain>";
        outside.define_domain_xml(off).expect("defines");
        let running = outside.lookup_domain_by_name("test").expect("the default machine");
        for name in ["s1", "s2"] {
            let snapshot = format!("<domainsnapshot><name>{name}</name></domainsnapshot>");
            running.create_snapshot_xml(&snapshot, 0).expect("takes a snapshot");
        }
        let pool = outside.lookup_storage_pool_by_name("default-pool").expect("the default pool");
        let volume = "<volume><name>v1</name><capacity>1048576</capacity></volume>";
        StorageVol::create_xml(&pool, volume, 0).expect("creates");
        Self { endpoint, outside }
    }

    fn change(&self, act: &Act) -> Result<(), virt::error::Error> {
        match act {
            Act::StopMachine(uuid) => self.outside.lookup_domain_by_uuid(*uuid)?.destroy(),
            Act::StartMachine(uuid) => self.outside.lookup_domain_by_uuid(*uuid)?.create(),
            Act::StopPool(pool) => self.outside.lookup_storage_pool_by_name(pool)?.destroy(),
            Act::StopNetwork(network) => self.outside.lookup_network_by_name(network)?.destroy(),
            Act::Hang | Act::Cut | Act::Release => unreachable!("declared as not possible"),
        }
    }
}

impl Subject for TestDriver {
    fn endpoint(&self) -> Arc<dyn Hypervisor> {
        self.endpoint.clone()
    }

    fn can(&self, need: Need) -> bool {
        !matches!(need, Need::Hang | Need::Cut | Need::LossDetection)
    }

    fn act(&self, act: Act) -> BoxFuture<'_, ()> {
        Box::pin(async move { self.change(&act).expect("it can be done") })
    }
}

contract_suite!(subject: TestDriver::new, on: in_real_time, skipped: 4);
