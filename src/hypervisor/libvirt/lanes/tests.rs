//! Lanes with jobs that never touch libvirt.

use super::*;
use crate::hypervisor::libvirt::uri;
use crate::model::name::HostId;
use crate::model::registration::{HostOrigin, HostRegistration, Profile};
use std::collections::BTreeMap;
use std::sync::mpsc;

const SHORT: Duration = Duration::from_millis(40);
const PATIENCE: Duration = Duration::from_secs(20);

/// Lanes whose calls cannot be cut; `uri` decides whether they share one thread.
fn lanes(uri: &str) -> (Lanes, Arc<Counters>) {
    let registration = HostRegistration {
        id: HostId::parse("h1").expect("a good id"),
        uris: Vec::new(),
        credential: String::new(),
        profile: None,
        allow_insecure: false,
        labels: BTreeMap::new(),
        reserve: Default::default(),
        origin: HostOrigin::File,
    };
    let target = uri::check(uri, &registration, None, Profile::Monitor).expect("a good uri");
    let counters = Arc::new(Counters::default());
    (Lanes::new(Arc::new(target), counters.clone()), counters)
}

const MANY: &str = "qemu:///embed?root=/nowhere";
const ONE: &str = "test:///default";

/// A job that hangs until the sender is dropped.
fn hang() -> (mpsc::Sender<()>, impl FnOnce(&mut Session) -> Result<(), HypervisorError> + Send) {
    let (sender, receiver) = mpsc::channel::<()>();
    (sender, move |_: &mut Session| {
        let _ = receiver.recv();
        Ok(())
    })
}

async fn wait(met: impl Fn() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !met() {
        assert!(Instant::now() < deadline, "never");
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_hung_lane_is_replaced_and_the_others_go_on() {
    let (lanes, counters) = lanes(MANY);
    let (release, work) = hang();
    let error = lanes.call(Purpose::Poll, SHORT, work).await.expect_err("hangs");
    assert_eq!(error, HypervisorError::TimedOut(SHORT));
    assert_eq!(counters.vitals().stuck_threads, 1);
    assert_eq!(counters.vitals().severed_lanes, 1);
    for purpose in [Purpose::Poll, Purpose::Control, Purpose::Storage, Purpose::Events] {
        assert_eq!(lanes.call(purpose, PATIENCE, |_| Ok(7)).await, Ok(7));
    }
    drop(release);
    wait(|| counters.stuck_threads() == 0).await;
}

#[tokio::test]
async fn stuck_threads_are_bounded_and_the_bound_opens_again() {
    let (lanes, counters) = lanes(MANY);
    let mut releases = Vec::new();
    for _ in 0..MAX_STUCK {
        let (release, work) = hang();
        releases.push(release);
        assert!(matches!(lanes.call(Purpose::Poll, SHORT, work).await, Err(HypervisorError::TimedOut(_))));
    }
    let refused = lanes.call(Purpose::Poll, SHORT, |_| Ok(())).await;
    assert!(matches!(refused, Err(HypervisorError::Busy(_))), "{refused:?}");
    assert_eq!(counters.stuck_threads(), MAX_STUCK);
    releases.clear();
    wait(|| counters.stuck_threads() == 0).await;
    assert_eq!(lanes.call(Purpose::Poll, PATIENCE, |_| Ok(7)).await, Ok(7));
}

#[tokio::test]
async fn waiting_jobs_move_to_the_new_lane() {
    let (lanes, _) = lanes(MANY);
    let (_release, work) = hang();
    let hung = lanes.call(Purpose::Control, SHORT, work);
    let waiting = lanes.call(Purpose::Control, PATIENCE, |_| Ok(7));
    let (hung, waiting) = tokio::join!(hung, waiting);
    assert!(hung.is_err());
    assert_eq!(waiting, Ok(7));
}

#[tokio::test]
async fn a_panic_costs_one_call() {
    let (lanes, counters) = lanes(MANY);
    let failed = lanes.call(Purpose::Control, PATIENCE, |_| -> Result<(), _> { panic!("as virt does") }).await;
    assert!(failed.is_err());
    assert_eq!(lanes.call(Purpose::Control, PATIENCE, |_| Ok(7)).await, Ok(7));
    assert_eq!(counters.vitals(), crate::hypervisor::port::Vitals::default());
}

#[tokio::test]
async fn one_connection_means_one_thread() {
    let (lanes, _) = lanes(ONE);
    let thread = |_: &mut Session| Ok(std::thread::current().id());
    let first = lanes.call(Purpose::Events, PATIENCE, thread).await.expect("runs");
    for purpose in [Purpose::Control, Purpose::Poll, Purpose::Storage] {
        assert_eq!(lanes.call(purpose, PATIENCE, thread).await, Ok(first));
    }
}

#[tokio::test]
async fn closing_ends_who_waits() {
    let (lanes, counters) = lanes(MANY);
    let (release, work) = hang();
    let lanes = Arc::new(lanes);
    let closer = lanes.clone();
    let running = lanes.call(Purpose::Control, PATIENCE, work);
    let waiting = lanes.call(Purpose::Control, PATIENCE, |_| Ok(()));
    let close = async move {
        wait(|| closer.slow(Duration::ZERO) == 1).await;
        closer.close();
        drop(release);
    };
    let (_, waiting, ()) = tokio::join!(running, waiting, close);
    assert!(waiting.expect_err("given up").is_link_loss());
    wait(|| counters.stuck_threads() == 0).await;
}

#[tokio::test]
async fn a_hung_call_that_nobody_waits_for_does_not_hold_the_next() {
    let (lanes, _) = lanes(MANY);
    let (_release, work) = hang();
    let forgotten = lanes.call(Purpose::Poll, SHORT * 5, work);
    tokio::time::timeout(SHORT, forgotten).await.expect_err("its caller goes away");
    assert_eq!(lanes.call(Purpose::Poll, PATIENCE, |_| Ok(7)).await, Ok(7));
}
