//! One test per way a libvirtd can fail.

use super::server::{Behaviour, FakeLibvirtd, procedure};
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};
use vrm::hypervisor::libvirt::{Config, LibvirtOpener};
use vrm::hypervisor::port::{EventSubject, Hypervisor, HypervisorError, Link, Opener};
use vrm::model::name::HostId;
use vrm::model::observation::{Fact, Scope};
use vrm::model::registration::{HostOrigin, HostRegistration, Profile};

/// Long enough for a loaded machine; nothing waits for it to pass.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// Deadline of calls that are meant to run into it.
const SHORT: Duration = Duration::from_millis(60);

/// A fake daemon and the adapter's endpoint for it.
pub struct Site {
    _folder: tempfile::TempDir,
    /// The daemon.
    pub daemon: FakeLibvirtd,
    /// The endpoint.
    pub hypervisor: Arc<dyn Hypervisor>,
}

impl Site {
    /// A daemon that behaves so, not connected to yet.
    pub fn new(behaviour: Behaviour) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let daemon = FakeLibvirtd::start(&folder.path().join("s"), behaviour);
        let hypervisor = endpoint(&daemon.uri());
        Self { _folder: folder, daemon, hypervisor }
    }

    async fn connected(machines: u32) -> (Self, Link) {
        let site = Self::new(Behaviour { machines, ..Behaviour::default() });
        let link = site.hypervisor.connect(PATIENCE).await.expect("connects");
        (site, link)
    }

    async fn settled(&self) {
        wait(|| self.hypervisor.vitals().stuck_threads == 0, "stuck threads come back").await;
    }
}

fn endpoint(uri: &str) -> Arc<dyn Hypervisor> {
    let opener = LibvirtOpener::new(Config { profile: Profile::Monitor, credentials: BTreeMap::new() });
    let registration = HostRegistration {
        id: HostId::parse("h1").expect("a good id"),
        uris: vec![uri.to_owned()],
        credential: String::new(),
        profile: None,
        allow_insecure: true,
        labels: BTreeMap::new(),
        reserve: Default::default(),
        origin: HostOrigin::File,
    };
    opener.expect("the event loop starts").open(&registration).expect("a good registration").remove(0).hypervisor
}

async fn wait(met: impl Fn() -> bool, what: &str) {
    let deadline = Instant::now() + PATIENCE;
    while !met() {
        assert!(Instant::now() < deadline, "never: {what}");
        tokio::task::yield_now().await;
    }
}

/// Waits for the event that the connection is gone.
async fn closed(link: &mut Link) -> String {
    let search = async {
        loop {
            let event = link.events.recv().await.expect("closing is told before the queue ends");
            if let EventSubject::Closed(text) = event.subject {
                return text;
            }
        }
    };
    tokio::time::timeout(PATIENCE, search).await.expect("told in time")
}

fn count(folder: &str) -> usize {
    std::fs::read_dir(Path::new("/proc/self").join(folder)).expect("readable").count()
}

/// Threads and descriptors of this process.
fn resources() -> (usize, usize) {
    (count("task"), count("fd"))
}

#[tokio::test]
async fn a_silent_daemon_costs_its_deadline_and_nothing_more() {
    let site = Site::new(Behaviour { silent: true, ..Behaviour::default() });
    let mut before = None;
    for round in 0..100 {
        let asked = Instant::now();
        let error = site.hypervisor.connect(SHORT).await.expect_err("nobody answers");
        assert_eq!(error, HypervisorError::TimedOut(SHORT));
        assert!(asked.elapsed() < Duration::from_secs(1), "took {:?}", asked.elapsed());
        if round == 4 {
            site.settled().await;
            site.daemon.wait_until_alone(PATIENCE);
            before = Some(resources());
        }
    }
    site.settled().await;
    site.daemon.wait_until_alone(PATIENCE);
    let (threads, descriptors) = before.expect("measured");
    wait(|| resources().0 <= threads + 2 && resources().1 <= descriptors + 2, "threads and descriptors as before")
        .await;
    assert!(site.hypervisor.vitals().severed_lanes >= 90);
}

#[tokio::test]
async fn a_silent_host_does_not_delay_another() {
    let silent = Site::new(Behaviour { silent: true, ..Behaviour::default() });
    let well = Site::new(Behaviour::default());
    let asked = Instant::now();
    let stuck = silent.hypervisor.connect(Duration::from_secs(2));
    let (stuck, fine) = tokio::join!(stuck, async {
        let link = well.hypervisor.connect(PATIENCE).await;
        (link, asked.elapsed())
    });
    assert!(stuck.is_err());
    assert!(fine.0.is_ok() && fine.1 < Duration::from_secs(1), "took {:?}", fine.1);
}

#[tokio::test]
async fn hung_statistics_leave_the_control_lane_alone() {
    let (site, _link) = Site::connected(3).await;
    site.hypervisor.observe(Scope::Machines, PATIENCE).await.expect("reads");
    site.hypervisor.observe(Scope::Statistics, PATIENCE).await.expect("polls");
    site.daemon.behave(|behaviour| behaviour.hang_statistics = true);
    let mut before = None;
    for round in 0..100 {
        let error = site.hypervisor.observe(Scope::Statistics, SHORT).await.expect_err("hangs");
        assert_eq!(error, HypervisorError::TimedOut(SHORT));
        site.hypervisor.probe(PATIENCE).await.expect("alive");
        site.hypervisor.observe(Scope::MachineStates, PATIENCE).await.expect("read");
        if round == 4 {
            site.settled().await;
            before = Some(resources());
        }
    }
    site.settled().await;
    let (threads, descriptors) = before.expect("measured");
    wait(|| resources().0 <= threads + 2 && resources().1 <= descriptors + 4, "threads and descriptors as before")
        .await;
    assert!(site.hypervisor.vitals().severed_lanes >= 90);
    site.daemon.behave(|behaviour| behaviour.hang_statistics = false);
    site.hypervisor.observe(Scope::Statistics, PATIENCE).await.expect("polls again");
    assert_eq!(site.hypervisor.vitals().stuck_threads, 0);
}

#[tokio::test]
async fn states_are_read_one_by_one_when_every_worker_hangs() {
    let (site, _link) = Site::connected(3).await;
    site.daemon.behave(|behaviour| behaviour.hang_all_statistics = true);
    let error = site.hypervisor.observe(Scope::MachineStates, SHORT).await.expect_err("hangs");
    assert_eq!(error, HypervisorError::TimedOut(SHORT));
    let seen = site.hypervisor.observe(Scope::MachineStates, PATIENCE).await.expect("read by priority calls");
    assert_eq!(seen.facts.len(), 4, "three machines and the list");
}

#[tokio::test]
async fn calls_beyond_the_queue_are_refused_as_busy() {
    let (site, _link) = Site::connected(1).await;
    site.daemon.behave(|behaviour| {
        behaviour.hang.insert(procedure::GET_LIB_VERSION);
    });
    let deadline = Duration::from_millis(500);
    let calls = (0..50).map(|_| site.hypervisor.probe(deadline));
    let outcomes = futures_util::future::join_all(calls).await;
    let count =
        |wanted: fn(&HypervisorError) -> bool| outcomes.iter().filter(|end| end.as_ref().is_err_and(wanted)).count();
    let (busy, late) = (
        count(|error| matches!(error, HypervisorError::Busy(_))),
        count(|error| matches!(error, HypervisorError::TimedOut(_))),
    );
    assert_eq!(busy + late, 50, "{outcomes:?}");
    assert!((17..=18).contains(&busy), "one runs, 32 wait, the others are refused: {busy}");
}

/// Connects again and again to an address where nobody ever answers.
async fn costs_only_its_deadline(uri: &str) {
    let hypervisor = endpoint(uri);
    for _ in 0..10 {
        let asked = Instant::now();
        let error = hypervisor.connect(SHORT).await.expect_err("nobody answers");
        assert_eq!(error, HypervisorError::TimedOut(SHORT));
        assert!(asked.elapsed() < Duration::from_secs(1), "took {:?}", asked.elapsed());
    }
    wait(|| hypervisor.vitals().stuck_threads == 0, "stuck threads come back").await;
}

#[tokio::test]
async fn a_silent_tcp_port_costs_its_deadline() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("binds");
    let port = listener.local_addr().expect("bound").port();
    costs_only_its_deadline(&format!("qemu+tcp://localhost:{port}/system")).await;
}

#[tokio::test]
async fn a_host_that_drops_packets_costs_the_deadline() {
    use rustix::net::{AddressFamily, SocketType, bind, getsockname, listen, socket};
    let full = socket(AddressFamily::INET, SocketType::STREAM, None).expect("a socket");
    bind(&full, &std::net::SocketAddr::from(([127, 0, 0, 1], 0))).expect("binds");
    listen(&full, 0).expect("listens");
    let address = std::net::SocketAddr::try_from(getsockname(&full).expect("bound")).expect("an address");
    // One connection fills the queue; what the kernel cannot queue it does not answer.
    let _first = std::net::TcpStream::connect(address).expect("connects");
    let attempt = std::net::TcpStream::connect_timeout(&address, Duration::from_millis(300));
    assert!(attempt.is_err(), "the queue is full");
    costs_only_its_deadline(&format!("qemu+tcp://127.0.0.1:{}/system", address.port())).await;
}

#[tokio::test]
async fn a_child_process_that_says_nothing_is_ended() {
    let folder = tempfile::tempdir().expect("a folder");
    let command = folder.path().join("mute");
    std::fs::write(&command, "#!/bin/sh\nexec sleep 1000\n").expect("written");
    std::fs::set_permissions(&command, std::os::unix::fs::PermissionsExt::from_mode(0o755)).expect("executable");
    let hypervisor = endpoint(&format!("qemu+ext:///system?command={}", command.display()));
    let deadline = Duration::from_millis(300);
    for _ in 0..5 {
        let error = hypervisor.connect(deadline).await.expect_err("nobody answers");
        assert_eq!(error, HypervisorError::TimedOut(deadline));
    }
    wait(|| hypervisor.vitals().stuck_threads == 0, "stuck threads come back").await;
    wait(|| children() == 0, "the commands are gone").await;
}

/// Child processes of this process, over all its threads.
fn children() -> usize {
    let threads = std::fs::read_dir("/proc/self/task").expect("readable").flatten();
    let lists = threads.filter_map(|thread| std::fs::read_to_string(thread.path().join("children")).ok());
    lists.map(|list| list.split_whitespace().count()).sum()
}

#[tokio::test]
async fn a_daemon_that_still_examines_its_hypervisors_is_connected_to() {
    let site = Site::new(Behaviour { machines: 1, ..Behaviour::default() });
    site.daemon.behave(|behaviour| {
        behaviour.hang.insert(procedure::GET_CAPABILITIES);
    });
    let link = site.hypervisor.connect(Duration::from_secs(4)).await.expect("connects without");
    assert_eq!((link.hypervisor.technology.as_str(), link.hypervisor.version.as_str()), ("qemu", ""));
    let error = site.hypervisor.observe(Scope::Hypervisor, SHORT).await.expect_err("waits for it");
    assert!(matches!(error, HypervisorError::TimedOut(_)), "{error:?}");
    site.hypervisor.probe(PATIENCE).await.expect("the control lane is not affected");
    site.daemon.behave(|behaviour| behaviour.hang.clear());
    let seen = site.hypervisor.observe(Scope::Hypervisor, PATIENCE).await.expect("reads");
    assert!(matches!(&seen.facts[..], [Fact::Host(_), Fact::Hypervisor(all)] if all.version == "9.0.0"), "{seen:?}");
}

#[tokio::test]
async fn an_idle_connection_that_ends_is_told_and_made_again_with_its_subscriptions() {
    let (site, mut link) = Site::connected(1).await;
    assert_eq!(site.daemon.subscriptions(), 1);
    site.daemon.close_all();
    assert_eq!(closed(&mut link).await, "end of file");
    let error = site.hypervisor.probe(PATIENCE).await.expect_err("gone");
    assert!(error.is_link_loss(), "{error}");
    let mut link = site.hypervisor.connect(PATIENCE).await.expect("connects again");
    assert_eq!(link.generation, 2);
    wait(|| site.daemon.subscriptions() == 1, "subscribed again").await;
    site.daemon.flood(1);
    let event = tokio::time::timeout(PATIENCE, link.events.recv()).await.expect("in time").expect("an event");
    assert_eq!(event.generation, 2);
    assert!(matches!(event.subject, EventSubject::Machine { .. }), "{event:?}");
}

#[tokio::test]
async fn a_connection_that_ends_in_a_call_ends_the_call() {
    let (site, _link) = Site::connected(1).await;
    site.daemon.behave(|behaviour| {
        behaviour.close_on.insert(procedure::GET_LIB_VERSION);
    });
    let asked = Instant::now();
    let error = site.hypervisor.probe(PATIENCE).await.expect_err("cut off");
    assert!(matches!(error, HypervisorError::ServiceLost(_)), "{error:?}");
    assert!(asked.elapsed() < Duration::from_secs(5));
}

#[tokio::test]
async fn a_frozen_daemon_is_noticed_by_keepalive() {
    let (site, mut link) = Site::connected(1).await;
    site.daemon.behave(|behaviour| behaviour.frozen = true);
    assert_eq!(closed(&mut link).await, "no answer to keepalive");
    site.daemon.behave(|behaviour| behaviour.frozen = false);
    site.hypervisor.connect(PATIENCE).await.expect("connects again");
}

#[tokio::test]
async fn an_answer_beyond_the_limit_is_an_error_and_the_connection_is_made_again() {
    let (site, _link) = Site::connected(1).await;
    site.daemon.behave(|behaviour| {
        behaviour.oversize.insert(procedure::LIST_ALL_DOMAINS);
    });
    let error = site.hypervisor.observe(Scope::MachineStates, PATIENCE).await.expect_err("too large");
    assert!(error.is_link_loss(), "{error:?}");
    site.daemon.behave(|behaviour| behaviour.oversize.clear());
    site.hypervisor.connect(PATIENCE).await.expect("connects again");
    site.hypervisor.observe(Scope::MachineStates, PATIENCE).await.expect("reads");
}

#[tokio::test]
async fn more_machines_than_the_protocol_lists_are_an_error_but_no_loss() {
    let (site, _link) = Site::connected(20_000).await;
    let error = site.hypervisor.observe(Scope::MachineStates, PATIENCE).await.expect_err("too many");
    assert!(matches!(error, HypervisorError::Malformed { .. }), "{error:?}");
    site.hypervisor.probe(PATIENCE).await.expect("still connected");
}

#[tokio::test]
async fn a_definition_that_must_not_be_read_leaves_its_machine_listed() {
    let bomb = r#"<!DOCTYPE d [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">]><domain><name>&b;</name></domain>"#;
    let long = format!("<domain><name>x</name><description>{}</description></domain>", "x".repeat(5 << 20));
    for (definition, what) in [(bomb, "a document type"), (long.as_str(), "5 MiB"), ("<domain><na", "half a document")]
    {
        let (site, _link) = Site::connected(2).await;
        site.daemon.behave(|behaviour| behaviour.definition = Some(definition.into()));
        let seen = site.hypervisor.observe(Scope::Machines, PATIENCE).await.expect("the others are read");
        let unread =
            seen.facts.iter().filter(|fact| matches!(fact, Fact::Machine(machine) if machine.definition.is_err()));
        assert_eq!(unread.count(), 2, "{what}: {seen:?}");
        site.hypervisor.probe(PATIENCE).await.expect("still connected");
    }
}

#[tokio::test]
async fn polls_are_cut_into_calls() {
    let (site, _link) = Site::connected(1_200).await;
    site.hypervisor.observe(Scope::Machines, PATIENCE).await.expect("reads");
    let seen = site.hypervisor.observe(Scope::Statistics, PATIENCE).await.expect("polls");
    assert_eq!(site.daemon.seen().statistics_calls, [500, 500, 200]);
    let figures = seen.facts.iter().filter(|fact| matches!(fact, Fact::MachineStatistics(_))).count();
    assert_eq!(figures, 1_200);
}

#[tokio::test]
async fn a_flood_that_is_read_loses_nothing_and_one_that_is_not_says_so() {
    let (site, mut link) = Site::connected(1).await;
    let told = async {
        let (mut events, mut gap) = (0_u32, false);
        while events < 20_000 && !gap {
            match link.events.recv().await.expect("events still come").subject {
                EventSubject::Machine { .. } => events += 1,
                EventSubject::Gap => gap = true,
                other => panic!("{other:?}"),
            }
        }
        (events, gap)
    };
    let flood = tokio::task::spawn_blocking(move || {
        site.daemon.flood(20_000);
        site
    });
    let (told, site) = tokio::join!(tokio::time::timeout(PATIENCE, told), flood);
    let (events, gap) = told.expect("in time");
    assert!(events == 20_000 || gap, "{events} events without a gap told");

    let mut link = site.expect("no panic").hypervisor_again().await;
    link.1.daemon.flood(20_000);
    let search = async {
        while link.0.events.recv().await.expect("events still come").subject != EventSubject::Gap {
            // Not read until all were sent: the queue is far smaller than the flood.
        }
    };
    tokio::time::timeout(PATIENCE, search).await.expect("the gap is told");
}

impl Site {
    async fn hypervisor_again(self) -> (Link, Self) {
        let link = self.hypervisor.connect(PATIENCE).await.expect("connects again");
        (link, self)
    }
}

#[tokio::test]
async fn a_restarted_daemon_is_found_again() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("s");
    let daemon = FakeLibvirtd::start(&path, Behaviour::default());
    let hypervisor = endpoint(&daemon.uri());
    let mut link = hypervisor.connect(PATIENCE).await.expect("connects");
    drop(daemon);
    closed(&mut link).await;
    let error = hypervisor.connect(PATIENCE).await.expect_err("nobody listens");
    assert!(matches!(error, HypervisorError::ServiceLost(_)), "the machine is there: {error:?}");
    let _daemon = FakeLibvirtd::start(&path, Behaviour::default());
    assert_eq!(hypervisor.connect(PATIENCE).await.expect("connects again").generation, 3);
}
