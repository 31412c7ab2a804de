//! Ending a call that hangs: cut the socket, or end the child process, that it waits on.
//!
//! No libvirt call has a timeout and a stuck thread cannot be stopped; but a shut-down socket makes
//! the client library give up at once, also while an open still waits for its first answer.
//! Sockets are found by inode: new since before the open, and connected to the peer.

use super::ffi::socket;
use super::uri::{Peer, Target, Transport};
use rustix::net::{AddressFamily, Shutdown, SocketAddrAny};
use std::collections::{BTreeSet, HashMap};
use std::net::{IpAddr, SocketAddr, ToSocketAddrs};
use std::os::fd::{OwnedFd, RawFd};
use std::path::Path;
use std::sync::{Arc, LazyLock, Mutex, PoisonError};

/// How a socket of ours is recognised by its other end.
#[derive(Clone, Debug, Default)]
pub struct PeerAddresses {
    sockets: Vec<SocketAddr>,
    path: Option<std::path::PathBuf>,
    any_local_daemon: bool,
}

impl PeerAddresses {
    /// Works the peer's addresses out. Resolves names: may block for as long as the resolver does.
    pub fn of(peer: &Peer) -> Self {
        match peer {
            Peer::InProcess(_) => Self::default(),
            Peer::LocalDaemon => Self { any_local_daemon: true, ..Self::default() },
            Peer::Socket(path) => Self { path: Some(path.clone()), ..Self::default() },
            Peer::Host(host, port) => {
                let sockets = (host.as_str(), *port).to_socket_addrs().map(Iterator::collect).unwrap_or_default();
                Self { sockets, ..Self::default() }
            }
        }
    }

    /// The lock that serialises opens to this peer.
    pub fn gate(&self, peer: &Peer) -> Arc<Mutex<()>> {
        static GATES: LazyLock<Mutex<HashMap<String, Arc<Mutex<()>>>>> = LazyLock::new(Mutex::default);
        let key = self.sockets.iter().min().map_or_else(|| format!("{peer:?}"), ToString::to_string);
        GATES.lock().unwrap_or_else(PoisonError::into_inner).entry(key).or_default().clone()
    }

    fn matches(&self, socket: &OwnedFd, inode: u64) -> bool {
        match rustix::net::getpeername(socket) {
            Ok(Some(address)) => self.is_peer(address),
            // Not connected yet: an attempt that hangs shows in the kernel's table only.
            _ => !self.sockets.is_empty() && connecting_to(inode).is_some_and(|peer| self.has(peer)),
        }
    }

    fn is_peer(&self, address: SocketAddrAny) -> bool {
        if address.address_family() == AddressFamily::UNIX {
            let Ok(unix) = rustix::net::SocketAddrUnix::try_from(address) else { return false };
            let Some(path) = unix.path().and_then(|path| path.into_owned().into_string().ok()) else { return false };
            return self.is_path(Path::new(&path));
        }
        SocketAddr::try_from(address).is_ok_and(|peer| self.has(peer))
    }

    fn is_path(&self, path: &Path) -> bool {
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or("");
        let is_daemon = path.components().any(|part| part.as_os_str() == "libvirt")
            && (name.ends_with("-sock") || name.ends_with("-sock-ro"));
        self.path.as_deref() == Some(path) || (self.any_local_daemon && is_daemon)
    }

    fn has(&self, peer: SocketAddr) -> bool {
        let canonical = |ip: IpAddr| ip.to_canonical();
        self.sockets.iter().any(|known| known.port() == peer.port() && canonical(known.ip()) == canonical(peer.ip()))
    }
}

/// An open under way: what is needed to cut it.
#[derive(Clone, Debug)]
pub struct Opening {
    peer: PeerAddresses,
    before: BTreeSet<u64>,
}

impl Opening {
    /// To be taken while holding the peer's gate, right before the open.
    pub fn begin(peer: PeerAddresses) -> Self {
        Self { peer, before: sockets().into_iter().map(|(_, inode)| inode).collect() }
    }

    /// Inodes of the sockets that have been connected to the peer since.
    pub fn sockets(&self) -> BTreeSet<u64> {
        let new = sockets().into_iter().filter(|(_, inode)| !self.before.contains(inode));
        new.filter(|(number, inode)| hold(*number, *inode).is_some_and(|socket| self.peer.matches(&socket, *inode)))
            .map(|(_, inode)| inode)
            .collect()
    }
}

/// Shuts down the sockets of these inodes; returns how many were.
pub fn cut_sockets(inodes: &BTreeSet<u64>) -> usize {
    let ours = sockets().into_iter().filter(|(_, inode)| inodes.contains(inode));
    ours.filter_map(|(number, inode)| hold(number, inode))
        .filter(|socket| rustix::net::shutdown(socket, Shutdown::Both).is_ok())
        .count()
}

/// Ends the processes that this thread of ours has started (ssh, or the operator's command).
pub fn end_children(thread: i32) -> usize {
    let list = std::fs::read_to_string(format!("/proc/self/task/{thread}/children")).unwrap_or_default();
    let children = list.split_whitespace().filter_map(|pid| rustix::process::Pid::from_raw(pid.parse().ok()?));
    children.filter(|pid| rustix::process::kill_process(*pid, rustix::process::Signal::KILL).is_ok()).count()
}

/// True if the target's calls wait on a child process instead of on a socket of their own.
pub fn waits_on_child(target: &Target) -> bool {
    target.transport == Transport::Child
}

/// Sockets of this process with their inodes.
fn sockets() -> Vec<(RawFd, u64)> {
    let Ok(entries) = std::fs::read_dir("/proc/self/fd") else { return Vec::new() };
    let read = |entry: std::fs::DirEntry| {
        let link = std::fs::read_link(entry.path()).ok()?;
        let inode = link.to_str()?.strip_prefix("socket:[")?.strip_suffix(']')?.parse().ok()?;
        Some((entry.file_name().to_str()?.parse().ok()?, inode))
    };
    entries.flatten().filter_map(read).collect()
}

/// A copy of the descriptor, if it still is the socket of this inode.
fn hold(number: RawFd, inode: u64) -> Option<OwnedFd> {
    let copy = socket::duplicate(number).ok()?;
    (rustix::fs::fstat(&copy).ok()?.st_ino == inode).then_some(copy)
}

/// Peer of a TCP socket that is still connecting, from the kernel's table.
fn connecting_to(inode: u64) -> Option<SocketAddr> {
    let wanted = inode.to_string();
    ["/proc/self/net/tcp", "/proc/self/net/tcp6"].iter().find_map(|table| {
        let text = std::fs::read_to_string(table).ok()?;
        let row = text.lines().skip(1).find(|row| row.split_whitespace().nth(9) == Some(&wanted))?;
        kernel_address(row.split_whitespace().nth(2)?)
    })
}

/// An address as /proc/net/tcp writes it: words of the address in host byte order, then the port.
fn kernel_address(text: &str) -> Option<SocketAddr> {
    let (address, port) = text.split_once(':')?;
    let port = u16::from_str_radix(port, 16).ok()?;
    let mut bytes = Vec::with_capacity(16);
    for start in (0..address.len()).step_by(8) {
        let word = u32::from_str_radix(address.get(start..start + 8)?, 16).ok()?;
        bytes.extend_from_slice(&word.to_ne_bytes());
    }
    let ip = match bytes.len() {
        4 => IpAddr::from(<[u8; 4]>::try_from(bytes).ok()?),
        16 => IpAddr::from(<[u8; 16]>::try_from(bytes).ok()?),
        _ => return None,
    };
    Some(SocketAddr::new(ip, port))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Read;
    use std::net::{TcpListener, TcpStream};
    use std::os::unix::net::{UnixListener, UnixStream};

    #[test]
    fn kernel_table_addresses() {
        assert_eq!(kernel_address("0100007F:4047"), Some("127.0.0.1:16455".parse().expect("an address")));
        assert_eq!(
            kernel_address("00000000000000000000000001000000:0016"),
            Some("[::1]:22".parse().expect("an address"))
        );
        assert_eq!(kernel_address("zz:1"), None);
    }

    #[test]
    fn only_the_new_unix_socket_of_the_peer_is_cut() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("s");
        let other = folder.path().join("o");
        let (_peer, _other) = (UnixListener::bind(&path).expect("bind"), UnixListener::bind(&other).expect("bind"));
        let _old = UnixStream::connect(&path).expect("connect");
        let opening = Opening::begin(PeerAddresses::of(&Peer::Socket(path.clone())));
        let _elsewhere = UnixStream::connect(&other).expect("connect");
        let mut new = UnixStream::connect(&path).expect("connect");
        let found = opening.sockets();
        assert_eq!(found.len(), 1);
        assert_eq!(cut_sockets(&found), 1);
        assert_eq!(new.read(&mut [0]).expect("end of file"), 0);
    }

    #[test]
    fn tcp_sockets_are_found_by_address() {
        let listener = TcpListener::bind("127.0.0.1:0").expect("bind");
        let port = listener.local_addr().expect("bound").port();
        let opening = Opening::begin(PeerAddresses::of(&Peer::Host("127.0.0.1".into(), port)));
        let mut stream = TcpStream::connect(("127.0.0.1", port)).expect("connect");
        assert_eq!(cut_sockets(&opening.sockets()), 1);
        assert_eq!(stream.read(&mut [0]).expect("end of file"), 0);
    }
}
