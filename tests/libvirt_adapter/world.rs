//! What the cases share: opening an endpoint, waiting for a predicate, picking facts.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};
use vrm::hypervisor::libvirt::{Config, LibvirtOpener};
use vrm::hypervisor::port::{EventSubject, Hypervisor, HypervisorEvent, Link, Opener};
use vrm::model::name::HostId;
use vrm::model::observation::{Fact, ListedKind, MachineFacts, MachineStateFacts, Observation, Scope};
use vrm::model::registration::{HostOrigin, HostRegistration, Profile};

/// Long enough for a loaded machine; nothing waits for it to pass.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// An endpoint of this URI.
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

/// A connected endpoint.
pub async fn connected(uri: &str, profile: Profile) -> (Arc<dyn Hypervisor>, Link) {
    let hypervisor = endpoint(uri, profile);
    let link = hypervisor.connect(PATIENCE).await.expect("connects");
    (hypervisor, link)
}

/// A reading that must succeed.
pub async fn read(hypervisor: &Arc<dyn Hypervisor>, scope: Scope) -> Observation {
    hypervisor.observe(scope.clone(), PATIENCE).await.unwrap_or_else(|error| panic!("{scope:?}: {error}"))
}

/// Waits for the first event that `pick` wants; others are passed over.
pub async fn event<T>(link: &mut Link, pick: impl Fn(&EventSubject) -> Option<T>) -> T {
    let search = async {
        loop {
            let HypervisorEvent { subject, .. } = link.events.recv().await.expect("events still come");
            if let Some(found) = pick(&subject) {
                return found;
            }
        }
    };
    tokio::time::timeout(PATIENCE, search).await.expect("the event came in time")
}

/// Reads until `pick` is satisfied.
pub async fn until<T>(hypervisor: &Arc<dyn Hypervisor>, scope: Scope, pick: impl Fn(&Observation) -> Option<T>) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let seen = hypervisor.observe(scope.clone(), PATIENCE).await;
        if let Some(found) = seen.as_ref().ok().and_then(&pick) {
            return found;
        }
        assert!(Instant::now() < deadline, "{scope:?} never became what was wanted: {seen:?}");
        tokio::task::yield_now().await;
    }
}

/// Complete machines of a reading, by name.
pub fn machines(observation: &Observation) -> BTreeMap<String, MachineFacts> {
    let facts = observation.facts.iter().filter_map(|fact| match fact {
        Fact::Machine(machine) => Some((machine.state.display_name.clone(), (**machine).clone())),
        _ => None,
    });
    facts.collect()
}

/// Bare states of a reading, by name.
pub fn states(observation: &Observation) -> BTreeMap<String, MachineStateFacts> {
    let facts = observation.facts.iter().filter_map(|fact| match fact {
        Fact::MachineState(state) => Some((state.display_name.clone(), state.clone())),
        _ => None,
    });
    facts.collect()
}

/// Keys a reading says are all of this kind.
pub fn present(observation: &Observation, wanted: ListedKind) -> Vec<String> {
    let lists = observation.facts.iter().filter_map(|fact| match fact {
        Fact::ListComplete { kind, present } if *kind == wanted => Some(present.iter().cloned().collect()),
        _ => None,
    });
    let lists: Vec<Vec<String>> = lists.collect();
    assert_eq!(lists.len(), 1, "one list of {wanted:?}");
    lists.into_iter().flatten().collect()
}
