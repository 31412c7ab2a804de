//! How the libvirt subjects are opened.

use std::collections::BTreeMap;
use std::sync::Arc;
use vrm::hypervisor::libvirt::{Config, LibvirtOpener};
use vrm::hypervisor::port::{Hypervisor, Opener};
use vrm::model::name::HostId;
use vrm::model::registration::{HostOrigin, HostRegistration, Profile};

/// An endpoint of this URI; starts libvirt's event loop if it does not run yet.
pub fn endpoint(uri: &str, profile: Profile) -> Arc<dyn Hypervisor> {
    let opener = LibvirtOpener::new(Config { profile, credentials: BTreeMap::new() }).expect("the event loop starts");
    let registration = HostRegistration {
        id: HostId::parse("h1").expect("a good id"),
        uris: vec![uri.to_owned()],
        credential: String::new(),
        profile: None,
        allow_insecure: false,
        labels: BTreeMap::new(),
        reserve: Default::default(),
        origin: HostOrigin::File,
    };
    opener.open(&registration).expect("a good registration").remove(0).hypervisor
}

/// Runs a case in real time.
pub fn in_real_time(future: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    runtime.expect("a runtime").block_on(future);
}
