//! Which implementation of the port serves which address.

use crate::hypervisor::port::{Endpoint, OpenError, Opener};
use crate::hypervisor::sim::SimOpener;
use crate::model::registration::HostRegistration;
use std::sync::Arc;

/// Chooses by the scheme of the address.
pub(super) struct SchemeOpener {
    pub(super) sim: SimOpener,
    /// Everything that is not `sim://`; nothing in a build without libvirt.
    pub(super) libvirt: Option<Arc<dyn Opener>>,
}

impl Opener for SchemeOpener {
    fn open(&self, registration: &HostRegistration) -> Result<Vec<Endpoint>, OpenError> {
        let simulated = registration.uris.iter().filter(|uri| uri.starts_with("sim:")).count();
        let refused =
            |reason: &str| OpenError { host: registration.id.to_string(), field: "uri".into(), reason: reason.into() };
        if simulated == registration.uris.len() && simulated > 0 {
            self.sim.open(registration)
        } else if simulated > 0 {
            Err(refused("simulated and real addresses cannot be one host"))
        } else {
            let libvirt = self.libvirt.as_ref().ok_or_else(|| refused("this build has no libvirt adapter"))?;
            libvirt.open(registration)
        }
    }
}
