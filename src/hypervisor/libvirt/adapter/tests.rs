use super::*;
use crate::hypervisor::libvirt::uri::{self, Credential};
use crate::hypervisor::libvirt::{event_loop, sink};
use crate::hypervisor::port::EventSubject;
use crate::model::name::HostId;
use crate::model::registration::{HostOrigin, HostRegistration};
use std::collections::BTreeMap;
use std::time::Instant;

const PATIENCE: Duration = Duration::from_secs(30);

fn hypervisor(uri: &str) -> LibvirtHypervisor {
    event_loop::start().expect("it starts");
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
    let target = uri::check(uri, &registration, None::<&Credential>, Profile::Monitor).expect("a good uri");
    let key = EndpointKey { host: registration.id, technology: target.driver.clone() };
    LibvirtHypervisor::new(key, Profile::Monitor, target)
}

async fn until_reachable(wanted: usize) {
    let deadline = Instant::now() + PATIENCE;
    while sink::reachable() != wanted {
        assert!(Instant::now() < deadline, "{} sinks are reachable, not {wanted}", sink::reachable());
        tokio::task::yield_now().await;
    }
}

/// Sinks are process-wide: this needs a process of its own, which nextest gives it.
#[tokio::test]
async fn each_connection_has_one_sink_and_none_stays_behind() {
    let well = hypervisor("test:///default");
    for _ in 0..20 {
        well.connect(PATIENCE).await.expect("connects");
        until_reachable(1).await;
    }
    let bad = hypervisor("test:///no/such/file.xml");
    bad.connect(PATIENCE).await.expect_err("there is no such world");
    until_reachable(1).await;
    well.disconnect();
    until_reachable(0).await;
    let link = well.connect(PATIENCE).await.expect("connects");
    drop(well);
    until_reachable(0).await;
    drop(link);
}

#[tokio::test]
async fn a_dead_connection_tells_once_and_its_events_end() {
    let well = hypervisor("test:///default");
    let mut link = well.connect(PATIENCE).await.expect("connects");
    let number = *sink::numbers().first().expect("one");
    sink::closed(number, "end of file");
    sink::closed(number, "again");
    sink::deliver(number, EventSubject::Gap);
    let last = link.events.recv().await.expect("told").subject;
    assert_eq!(last, EventSubject::Closed("end of file".into()));
    assert!(link.events.recv().await.is_none());
}

#[test]
fn the_event_loop_beats() {
    event_loop::start().expect("it starts");
    event_loop::start().expect("once is enough");
    assert!(event_loop::is_running());
    let deadline = Instant::now() + PATIENCE;
    let mut longest = Duration::ZERO;
    loop {
        let silence = event_loop::silence().expect("it runs");
        if silence < longest {
            return;
        }
        longest = silence;
        assert!(Instant::now() < deadline, "no beat in {longest:?}");
        std::thread::yield_now();
    }
}
