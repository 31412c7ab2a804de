//! Detectors: what the state of an object, or an incident, says about conditions.
//!
//! A detector looks at one object and its surroundings and answers which types it could judge and
//! which conditions it found. It keeps nothing and decides nothing about time: hold-on, hold-off and
//! quiet times are `conditions`' business, what must be counted over time is in [`Tallies`]. *Unknown is
//! not off*: an object whose state is unknown is not judged, so its conditions stay as they are.
//!
//! What an event told is not taken back by the reading that follows: `surveillance` sees to that for 30 s,
//! and a panic is over only when the guest is seen to run *again* (`machine`).

mod cluster;
mod context;
mod filesystem;
mod host;
mod incident;
mod levels;
mod machine;
mod machine_control;
mod machine_parts;
mod measured;
mod mishap;
mod network;
mod parts;
mod pool;
mod tally;

pub use context::{Context, Grade};
pub use incident::signs;
pub use measured::measured;
pub use network::networks_of;
pub use tally::Tallies;

use super::finding::Assessment;
use crate::model::{Body, Object};

/// What the present state of an object says.
pub fn assess(object: &Object, context: &Context<'_>) -> Assessment {
    match &object.body {
        Body::Host(host) => host::assess(object, host, context),
        Body::Hypervisor(hypervisor) => host::assess_hypervisor(object, hypervisor, context),
        Body::VirtualMachine(vm) => machine::assess(object, vm, context),
        Body::StoragePool(pool) => pool::assess(object, pool, context),
        Body::Network(network) => network::assess(object, network, context),
        Body::Cluster(cluster) => cluster::assess(object, cluster, context),
        _ => Assessment::default(),
    }
}
