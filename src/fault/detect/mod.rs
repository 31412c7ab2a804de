//! Detectors: what the state of an object, or an incident, says about conditions.
//!
//! A detector looks at one object and its surroundings and answers which types it could judge and
//! which conditions it found. It keeps nothing and decides nothing about time: hold-on, hold-off and
//! quiet times are `conditions`' business. *Unknown is not off*: an object whose state is unknown is
//! not judged, so its conditions stay as they are.

mod context;
mod host;
mod incident;
mod machine;

pub use context::Context;
pub use incident::signs;

use super::finding::Assessment;
use crate::model::{Body, Object};

/// What the present state of an object says.
pub fn assess(object: &Object, context: &Context<'_>) -> Assessment {
    match &object.body {
        Body::Host(host) => host::assess(object, host, context),
        Body::Hypervisor(hypervisor) => host::assess_hypervisor(object, hypervisor, context),
        Body::VirtualMachine(vm) => machine::assess(object, vm, context),
        _ => Assessment::default(),
    }
}
