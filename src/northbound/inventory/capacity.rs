//! Capacity of one object.

use super::reader::Inventory;
use crate::model::{Body, Name, Timestamp};
use crate::northbound::failure::Failure;
use crate::wire::convert;
use crate::wire::v1;

impl Inventory {
    pub(super) fn capacity(&self, name: &str) -> Result<v1::GetCapacityResponse, Failure> {
        let object = self.named("name", if name.is_empty() { "cluster" } else { name })?;
        let (capacity, as_of): (_, Option<Timestamp>) = match &object.body {
            Body::Cluster(cluster) => (cluster.volatile.capacity, None),
            Body::Host(host) => (host.volatile.capacity, host.volatile.last_seen),
            Body::StoragePool(pool) => (pool.volatile.capacity, pool.volatile.as_of),
            Body::StorageBacking(backing) => (backing.volatile.capacity, None),
            _ => {
                return Err(Failure::field(
                    "name",
                    "only hosts, storage pools, storage backings and the cluster have a capacity",
                ));
            }
        };
        let incomplete = self.published.incomplete_hosts();
        let concerns = |host: &String| match &object.body {
            Body::Cluster(_) => true,
            Body::StorageBacking(backing) => backing.hosts.iter().any(|of| Name::host(of).as_str() == host),
            _ => object.name.host_id().is_some_and(|of| Name::host(&of).as_str() == host),
        };
        Ok(v1::GetCapacityResponse {
            name: object.name.to_string(),
            dn: self.published.dn.dn(&object.name),
            capacity: Some(convert::capacity(&capacity)),
            as_of: as_of.map(convert::timestamp),
            incomplete_hosts: incomplete.into_iter().filter(concerns).collect(),
        })
    }
}
