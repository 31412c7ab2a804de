//! A libvirtd that misbehaves on request: it speaks just enough of the remote protocol to be
//! connected to, and can be silent, hang, freeze, close, send too much, or flood.

use super::xdr::{Body, Call, KEEPALIVE, Kind, REMOTE, frame};
use std::collections::HashSet;
use std::io::{Read as _, Write as _};
use std::net::Shutdown;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::time::Duration;

/// Procedures of remote_protocol.x by number; the numbers are stable ABI.
pub mod procedure {
    pub const OPEN: u32 = 1;
    pub const CLOSE: u32 = 2;
    pub const GET_TYPE: u32 = 3;
    pub const GET_VERSION: u32 = 4;
    pub const NODE_GET_INFO: u32 = 6;
    pub const GET_CAPABILITIES: u32 = 7;
    pub const GET_XML_DESC: u32 = 14;
    pub const GET_AUTOSTART: u32 = 15;
    pub const LOOKUP_BY_UUID: u32 = 24;
    pub const GET_HOSTNAME: u32 = 59;
    pub const SUPPORTS_FEATURE: u32 = 60;
    pub const AUTH_LIST: u32 = 66;
    pub const GET_URI: u32 = 110;
    pub const IS_PERSISTENT: u32 = 151;
    pub const GET_LIB_VERSION: u32 = 157;
    pub const GET_STATE: u32 = 212;
    pub const LIST_ALL_DOMAINS: u32 = 273;
    pub const LIST_ALL_SNAPSHOTS: u32 = 274;
    pub const LIST_ALL_POOLS: u32 = 281;
    pub const LIST_ALL_NETWORKS: u32 = 283;
    pub const EVENT_REGISTER: u32 = 316;
    pub const EVENT_DEREGISTER: u32 = 317;
    pub const EVENT_LIFECYCLE: u32 = 318;
    pub const GET_ALL_DOMAIN_STATS: u32 = 344;
    pub const REGISTER_CLOSE: u32 = 360;
    pub const UNREGISTER_CLOSE: u32 = 361;
}
use procedure as call;

/// How the daemon misbehaves now. Changes act on open connections too.
#[derive(Clone, Debug, Default)]
pub struct Behaviour {
    /// Accepts and never answers anything.
    pub silent: bool,
    /// Answers nothing any more, keepalive included, once a connection is open.
    pub frozen: bool,
    /// Answers nothing but keepalive.
    pub hang_all: bool,
    /// Never answers these procedures.
    pub hang: HashSet<u32>,
    /// Never answers statistics of groups that need the hypervisor process.
    pub hang_statistics: bool,
    /// Never answers statistics at all, as when hung machines hold every worker.
    pub hang_all_statistics: bool,
    /// Closes the connection instead of answering these.
    pub close_on: HashSet<u32>,
    /// Announces an answer beyond the protocol's limit to these.
    pub oversize: HashSet<u32>,
    /// Machines there are.
    pub machines: u32,
    /// Definition of every machine, instead of a small good one.
    pub definition: Option<Arc<str>>,
}

/// What the daemon has seen.
#[derive(Clone, Debug, Default)]
pub struct Seen {
    /// Connections opened completely.
    pub opened: usize,
    /// Machines named in each statistics call.
    pub statistics_calls: Vec<u32>,
}

#[derive(Default)]
struct State {
    behaviour: Behaviour,
    seen: Seen,
    connections: Vec<Arc<Connection>>,
    stopped: bool,
}

struct Connection {
    stream: UnixStream,
    writing: Mutex<()>,
    /// Callback numbers of life-cycle subscriptions.
    subscriptions: Mutex<Vec<i32>>,
}

/// A running fake daemon; stops when dropped.
pub struct FakeLibvirtd {
    path: PathBuf,
    shared: Arc<(Mutex<State>, Condvar)>,
}

impl FakeLibvirtd {
    /// A daemon that listens at `path`.
    pub fn start(path: &Path, behaviour: Behaviour) -> Self {
        let _ = std::fs::remove_file(path);
        let listener = UnixListener::bind(path).expect("binds");
        let state = State { behaviour, ..State::default() };
        let shared = Arc::new((Mutex::new(state), Condvar::new()));
        let acceptor = shared.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let connection =
                    Arc::new(Connection { stream, writing: Mutex::default(), subscriptions: Mutex::default() });
                let mut state = acceptor.0.lock().expect("whole");
                if state.stopped {
                    return;
                }
                state.connections.push(connection.clone());
                drop(state);
                let shared = acceptor.clone();
                std::thread::spawn(move || {
                    serve(&connection, &shared);
                    shared.0.lock().expect("whole").connections.retain(|other| !Arc::ptr_eq(other, &connection));
                    shared.1.notify_all();
                });
            }
        });
        Self { path: path.to_owned(), shared }
    }

    /// Address of the daemon.
    pub fn uri(&self) -> String {
        format!("qemu+unix:///system?socket={}", self.path.display())
    }

    /// Changes how it behaves.
    pub fn behave(&self, change: impl FnOnce(&mut Behaviour)) {
        change(&mut self.state().behaviour);
    }

    /// What it has seen so far.
    pub fn seen(&self) -> Seen {
        self.state().seen.clone()
    }

    /// Life-cycle subscriptions of the connections that are open now.
    pub fn subscriptions(&self) -> usize {
        self.state().connections.iter().map(|each| each.subscriptions.lock().expect("whole").len()).sum()
    }

    /// Stops listening and closes every connection, as a stopped daemon does.
    pub fn stop(&self) {
        if std::mem::replace(&mut self.state().stopped, true) {
            return;
        }
        self.close_all();
        // Wakes the acceptor, which then ends and closes the socket.
        let _ = UnixStream::connect(&self.path);
        let _ = std::fs::remove_file(&self.path);
    }

    /// Closes every connection; goes on listening.
    pub fn close_all(&self) {
        for connection in &self.state().connections {
            let _ = connection.stream.shutdown(Shutdown::Both);
        }
    }

    /// Waits until no connection is open.
    pub fn wait_until_alone(&self, patience: Duration) {
        let alone = self.shared.1.wait_timeout_while(self.state(), patience, |state| !state.connections.is_empty());
        let (state, timeout) = alone.expect("whole");
        assert!(!timeout.timed_out(), "{} connections are still open", state.connections.len());
    }

    /// Sends this many life-cycle events to each subscriber, machine numbers counting up from 0.
    pub fn flood(&self, count: u32) {
        let connections = self.state().connections.clone();
        for connection in connections {
            let callbacks = connection.subscriptions.lock().expect("whole").clone();
            for callback in callbacks {
                for number in 0..count {
                    let body = machine(Body::default().i32(callback), number).i32(2).i32(0);
                    connection.send(&frame(REMOTE, call::EVENT_LIFECYCLE, Kind::Event, 0, false, &body));
                }
            }
        }
    }

    /// Sends an event about machine 0 to each subscriber: libvirt's number, the procedure that tells it,
    /// and what follows the machine in the message.
    pub fn tell(&self, (number, procedure): (u32, u32), rest: &Body) {
        let callback = i32::try_from(number).expect("small") + 7;
        let mut body = machine(Body::default().i32(callback), 0);
        body.0.extend_from_slice(&rest.0);
        for connection in self.state().connections.clone() {
            if !connection.subscriptions.lock().expect("whole").is_empty() {
                connection.send(&frame(REMOTE, procedure, Kind::Event, 0, false, &body));
            }
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.shared.0.lock().expect("whole")
    }
}

impl Drop for FakeLibvirtd {
    fn drop(&mut self) {
        self.stop();
    }
}

impl Connection {
    fn send(&self, bytes: &[u8]) {
        let _turn = self.writing.lock().expect("whole");
        let _ = (&self.stream).write_all(bytes);
    }

    fn receive(&self) -> Option<Call> {
        let mut length = [0; 4];
        (&self.stream).read_exact(&mut length).ok()?;
        let mut rest = vec![0; (u32::from_be_bytes(length) as usize).checked_sub(4)?];
        (&self.stream).read_exact(&mut rest).ok()?;
        Call::parse(&rest)
    }
}

fn serve(connection: &Connection, shared: &(Mutex<State>, Condvar)) {
    let mut open = false;
    while let Some(message) = connection.receive() {
        let behaviour = shared.0.lock().expect("whole").behaviour.clone();
        if behaviour.silent || (behaviour.frozen && open) {
            continue;
        }
        if message.program == KEEPALIVE {
            connection.send(&frame(KEEPALIVE, 2, Kind::Event, 0, false, &Body::default()));
            continue;
        }
        if behaviour.hang_all {
            continue;
        }
        let statistics = message.procedure == call::GET_ALL_DOMAIN_STATS;
        let needs_process =
            statistics && message.word_from_end(2) & 0b10_0110 != 0 && message.word_from_end(1) & 2 == 0;
        if behaviour.hang.contains(&message.procedure)
            || (behaviour.hang_statistics && needs_process)
            || (behaviour.hang_all_statistics && statistics)
        {
            continue;
        }
        if behaviour.close_on.contains(&message.procedure) {
            let _ = connection.stream.shutdown(Shutdown::Both);
            return;
        }
        if behaviour.oversize.contains(&message.procedure) {
            connection.send(&Body::default().u32(64 << 20).u32(REMOTE).u32(1).u32(message.procedure).0);
            continue;
        }
        if message.procedure == call::OPEN {
            open = true;
            shared.0.lock().expect("whole").seen.opened += 1;
        }
        if needs_process {
            shared.0.lock().expect("whole").seen.statistics_calls.push(message.word(0));
        }
        let (failed, body) = match answer(connection, &message, &behaviour) {
            Ok(body) => (false, body),
            Err(code) => (true, failure(code)),
        };
        connection.send(&frame(REMOTE, message.procedure, Kind::Reply, message.serial, failed, &body));
    }
}

/// The answer to a procedure, or libvirt's error code.
fn answer(connection: &Connection, message: &Call, behaviour: &Behaviour) -> Result<Body, i32> {
    let (body, machines) = (Body::default(), behaviour.machines);
    Ok(match message.procedure {
        call::OPEN | call::CLOSE | call::EVENT_DEREGISTER | call::REGISTER_CLOSE | call::UNREGISTER_CLOSE => body,
        call::AUTH_LIST => body.u32(1).u32(0),
        call::SUPPORTS_FEATURE => body.u32(1),
        call::GET_TYPE => body.text("QEMU"),
        call::GET_VERSION | call::GET_LIB_VERSION => body.u64(9_000_000),
        call::GET_HOSTNAME => body.text("fake"),
        call::GET_URI => body.text("qemu:///system"),
        call::NODE_GET_INFO => [2, 1_000, 1, 1, 2, 1].into_iter().fold(body.fixed(&[0; 128]).u64(1 << 20), Body::i32),
        call::GET_CAPABILITIES => body.text("<capabilities><host><cpu><arch>x86_64</arch></cpu></host></capabilities>"),
        call::GET_XML_DESC => {
            body.text(&behaviour.definition.as_deref().map_or_else(|| definition(message), str::to_owned))
        }
        call::GET_STATE => body.i32(1).i32(1),
        call::LIST_ALL_DOMAINS => {
            // Filters: nobody has a snapshot or is started with the host.
            let listed = if message.word(1) & (1_024 | 4_096) == 0 { machines } else { 0 };
            (0..listed).fold(body.u32(listed), machine).u32(listed)
        }
        call::LIST_ALL_POOLS | call::LIST_ALL_NETWORKS => body.u32(0).u32(0),
        call::EVENT_REGISTER => {
            let number = message.word(0);
            let callback = i32::try_from(number).map_err(|_| NO_SUPPORT)? + 7;
            if number == 0 {
                connection.subscriptions.lock().expect("whole").push(callback);
            }
            body.i32(callback)
        }
        call::GET_ALL_DOMAIN_STATS => statistics(message, machines),
        call::LOOKUP_BY_UUID => {
            let bytes = message.body.get(..16).and_then(|bytes| bytes.try_into().ok()).unwrap_or_default();
            let number = uuid::Uuid::from_bytes(bytes).as_u128().wrapping_sub(1);
            let known = u32::try_from(number).ok().filter(|number| *number < machines);
            machine(body, known.ok_or(NO_DOMAIN)?)
        }
        call::IS_PERSISTENT => body.u32(1),
        call::GET_AUTOSTART => body.u32(0),
        call::LIST_ALL_SNAPSHOTS => body.u32(0).u32(0),
        _ => return Err(NO_SUPPORT),
    })
}

/// Statistics of the named machines, or of all if none is named; nobody is inactive.
fn statistics(message: &Call, machines: u32) -> Body {
    let named = message.word(0);
    let inactive_only = message.word_from_end(1) & 2 != 0;
    let count = if inactive_only {
        0
    } else if named > 0 {
        named
    } else {
        machines
    };
    (0..count).fold(Body::default().u32(count), |body, number| {
        let body = machine(body, number).u32(4);
        let body = body.text("state.state").i32(1).i32(1).text("state.reason").i32(1).i32(1);
        body.text("cpu.time").i32(4).u64(5).text("block.0.rd.reqs").i32(4).u64(6)
    })
}

/// A machine as the protocol names it.
fn machine(body: Body, number: u32) -> Body {
    let uuid = uuid::Uuid::from_u128(1 + u128::from(number));
    let id = i32::try_from(number).expect("small") + 1;
    body.text(&format!("vm{number:05}")).fixed(uuid.as_bytes()).i32(id)
}

fn definition(message: &Call) -> String {
    let length = message.word(0) as usize;
    let name = String::from_utf8_lossy(&message.body[4..4 + length]).into_owned();
    let number: u128 = name[2..].parse().expect("a machine of ours");
    let uuid = uuid::Uuid::from_u128(1 + number);
    format!(
        "<domain type='kvm'><name>{name}</name><uuid>{uuid}</uuid><memory>1024</memory>\
         <vcpu>1</vcpu><os><type>hvm</type></os><devices/></domain>"
    )
}

/// VIR_ERR_NO_SUPPORT.
const NO_SUPPORT: i32 = 3;
/// VIR_ERR_NO_DOMAIN.
const NO_DOMAIN: i32 = 42;

/// An error of the QEMU driver.
fn failure(code: i32) -> Body {
    let body = Body::default().i32(code).i32(10).some_text("the fake says no").i32(2);
    body.absent().absent().absent().absent().i32(0).i32(0).absent()
}
