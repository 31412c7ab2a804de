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

/// The test driver's world, seen and changed over a connection of its own.
pub struct World(Connect);

impl World {
    /// Adds what the contract needs to the default world: a machine that is off, snapshots, a volume.
    /// Exists as long as a connection to it is open.
    pub fn new(uri: &str) -> Self {
        let outside = Connect::open(Some(uri)).expect("opens");
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
        Self(outside)
    }

    /// Does something to it.
    pub fn change(&self, act: &Act) -> Result<(), virt::error::Error> {
        match act {
            Act::StopMachine(uuid) => self.0.lookup_domain_by_uuid(*uuid)?.destroy(),
            Act::StartMachine(uuid) => self.0.lookup_domain_by_uuid(*uuid)?.create(),
            Act::StopPool(pool) => self.0.lookup_storage_pool_by_name(pool)?.destroy(),
            Act::StopNetwork(network) => self.0.lookup_network_by_name(network)?.destroy(),
            Act::Hang | Act::Cut | Act::Release => unreachable!("declared as not possible"),
        }
    }
}

struct TestDriver {
    endpoint: Arc<dyn Hypervisor>,
    world: World,
}

impl TestDriver {
    async fn new() -> Self {
        Self { endpoint: endpoint(URI, Profile::Manage), world: World::new(URI) }
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
        Box::pin(async move { self.world.change(&act).expect("it can be done") })
    }
}

contract_suite!(subject: TestDriver::new, on: in_real_time, skipped: 4);
