//! The accept loop of one listener: pools, per-peer bounds, handshake, identity.

use super::connection::{Bytes, Connection, Places};
use super::listener::{Bound, Security, Socket};
use crate::northbound::auth::{AccessLedger, Caller, Identity};
use crate::northbound::limits;
use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::net::{TcpStream, UnixStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// What the accept loops have counted since start.
#[derive(Debug, Default)]
pub struct ConnectionCounters {
    /// Connections accepted.
    pub accepted: AtomicU64,
    /// Connections closed at once because a pool was full.
    pub refused: AtomicU64,
    /// Handshakes that failed or took too long.
    pub handshakes_failed: AtomicU64,
    /// Failures of `accept` itself.
    pub accept_errors: AtomicU64,
    /// Who was not let in.
    ledger: Arc<AccessLedger>,
}

impl ConnectionCounters {
    /// Counters that tell failed handshakes to a ledger.
    pub fn with_ledger(ledger: Arc<AccessLedger>) -> Self {
        Self { ledger, ..Self::default() }
    }
}

/// Who counts against a per-peer bound.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Peer {
    User(u32),
    Address(IpAddr),
}

/// The pools that all listeners share.
#[derive(Debug)]
pub(super) struct Pools {
    pre_auth: Arc<Semaphore>,
    connections: Arc<Semaphore>,
    peers: Arc<Mutex<HashMap<Peer, usize>>>,
    pub(super) counters: Arc<ConnectionCounters>,
}

impl Pools {
    pub(super) fn new(counters: Arc<ConnectionCounters>) -> Self {
        Self {
            pre_auth: Arc::new(Semaphore::new(limits::PRE_AUTH_CONNECTIONS)),
            connections: Arc::new(Semaphore::new(limits::CONNECTIONS)),
            peers: Arc::default(),
            counters,
        }
    }

    /// Places for a connection of a peer; nothing if a pool is full.
    fn admit(&self, peer: Peer) -> Option<(OwnedSemaphorePermit, PeerPlace)> {
        let most = match peer {
            Peer::User(0) => limits::CONNECTIONS,
            Peer::User(_) => limits::CONNECTIONS_PER_USER,
            Peer::Address(_) => limits::CONNECTIONS_PER_ADDRESS,
        };
        let connection = Arc::clone(&self.connections).try_acquire_owned().ok()?;
        let mut peers = self.peers.lock().unwrap_or_else(PoisonError::into_inner);
        let held = peers.entry(peer).or_default();
        if *held >= most {
            return None;
        }
        *held += 1;
        Some((connection, PeerPlace { peers: Arc::clone(&self.peers), peer }))
    }
}

/// A connection's place among those of its peer.
struct PeerPlace {
    peers: Arc<Mutex<HashMap<Peer, usize>>>,
    peer: Peer,
}

impl Drop for PeerPlace {
    fn drop(&mut self) {
        let mut peers = self.peers.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(held) = peers.get_mut(&self.peer) {
            *held -= 1;
            if *held == 0 {
                peers.remove(&self.peer);
            }
        }
    }
}

/// A connection that may be served, and the token that is cancelled at its end.
pub(super) struct Ready {
    pub(super) connection: Connection,
    pub(super) ended: CancellationToken,
    pub(super) age: Duration,
}

enum Accepted {
    Unix(UnixStream),
    Tcp(TcpStream, SocketAddr),
}

impl Socket {
    async fn accept(&self) -> io::Result<Accepted> {
        match self {
            Self::Unix(listener) => listener.accept().await.map(|(stream, _)| Accepted::Unix(stream)),
            Self::Tcp(listener) => listener.accept().await.map(|(stream, peer)| Accepted::Tcp(stream, peer)),
        }
    }
}

/// Accepts until told to stop; each connection is handed to `serve` on a task of its own.
pub(super) async fn run<F, S>(bound: Bound, pools: Arc<Pools>, stop: CancellationToken, serve: S)
where
    S: Fn(Ready) -> F + Clone + Send + Sync + 'static,
    F: Future<Output = ()> + Send + 'static,
{
    loop {
        // Cancel-safety: a permit or a connection not taken stays where it is.
        let pre_auth = tokio::select! {
            () = stop.cancelled() => return,
            permit = Arc::clone(&pools.pre_auth).acquire_owned() => permit,
        };
        let Ok(pre_auth) = pre_auth else { return };
        let accepted = tokio::select! {
            () = stop.cancelled() => return,
            accepted = bound.socket.accept() => accepted,
        };
        let accepted = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                // Mostly EMFILE: without a pause the loop would spin.
                pools.counters.accept_errors.fetch_add(1, Ordering::Relaxed);
                tracing::warn!(address = bound.address, "accept: {error}");
                tokio::time::sleep(limits::ACCEPT_PAUSE).await;
                continue;
            }
        };
        pools.counters.accepted.fetch_add(1, Ordering::Relaxed);
        let Some(newcomer) = greet(accepted, &pools) else { continue };
        let (security, pools, serve) = (bound.security.clone(), Arc::clone(&pools), serve.clone());
        tokio::spawn(async move {
            if let Some(ready) = newcomer.prove(&security, pre_auth, &pools).await {
                serve(ready).await;
            }
        });
    }
}

/// A connection with places in the pools, whose peer is not known yet.
struct Newcomer {
    accepted: Accepted,
    connection: OwnedSemaphorePermit,
    peer: PeerPlace,
}

fn greet(accepted: Accepted, pools: &Pools) -> Option<Newcomer> {
    let peer = match &accepted {
        Accepted::Unix(stream) => Peer::User(stream.peer_cred().ok()?.uid()),
        Accepted::Tcp(_, address) => Peer::Address(address.ip().to_canonical()),
    };
    let Some((connection, place)) = pools.admit(peer) else {
        pools.counters.refused.fetch_add(1, Ordering::Relaxed);
        tracing::debug!(?peer, "connection refused: too many");
        return None;
    };
    Some(Newcomer { accepted, connection, peer: place })
}

impl Newcomer {
    /// Finds out who it is.
    async fn prove(self, security: &Security, pre_auth: OwnedSemaphorePermit, pools: &Pools) -> Option<Ready> {
        let address = match &self.accepted {
            Accepted::Tcp(_, address) => Some(address.ip().to_canonical()),
            Accepted::Unix(_) => None,
        };
        let proven = tokio::time::timeout(limits::HANDSHAKE, identify(self.accepted, security)).await;
        let (bytes, identity) = match proven {
            Ok(Ok(proven)) => proven,
            Ok(Err(error)) => {
                pools.counters.handshakes_failed.fetch_add(1, Ordering::Relaxed);
                if let Some(address) = address {
                    pools.counters.ledger.failed(address, &error.to_string(), had_credential(&error));
                }
                tracing::debug!("handshake: {error}");
                return None;
            }
            Err(_) => {
                pools.counters.handshakes_failed.fetch_add(1, Ordering::Relaxed);
                return None;
            }
        };
        let age = age();
        let caller = Caller { identity: Arc::new(identity), deadline: Instant::now() + age };
        let ended = CancellationToken::new();
        let places: Places = (self.connection, Box::new(self.peer), ended.clone().drop_guard());
        Some(Ready { connection: Connection::new(bytes, caller, pre_auth, places), ended, age })
    }
}

/// Whether a handshake failed for its certificate, and not for the want of one or of TLS.
fn had_credential(error: &io::Error) -> bool {
    let of_tls = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>());
    match of_tls {
        Some(rustls::Error::InvalidCertificate(_)) => true,
        Some(_) => false,
        // Ours: the certificate names nobody.
        None => error.kind() == io::ErrorKind::InvalidData && error.get_ref().is_some(),
    }
}

async fn identify(accepted: Accepted, security: &Security) -> io::Result<(Box<dyn Bytes>, Identity)> {
    match (accepted, security) {
        (Accepted::Unix(stream), _) => {
            let peer = stream.peer_cred()?;
            // Reads account files: not for the event loop.
            let identity = tokio::task::spawn_blocking(move || Identity::local(peer.uid(), peer.gid(), peer.pid()));
            let identity = identity.await.map_err(io::Error::other)?;
            Ok((Box::new(stream), identity))
        }
        (Accepted::Tcp(stream, address), Security::Tls(authority)) => {
            stream.set_nodelay(true)?;
            let (stream, identity) = authority.handshake(stream, address).await?;
            Ok((Box::new(stream), identity))
        }
        (Accepted::Tcp(stream, address), _) => {
            stream.set_nodelay(true)?;
            Ok((Box::new(stream), Identity::insecure_loopback(address)))
        }
    }
}

/// Longest life of a connection, ± 10 %, so that not all come back at once.
fn age() -> Duration {
    let random = u32::from(uuid::Uuid::new_v4().as_bytes()[0]);
    limits::CONNECTION_AGE * 9 / 10 + limits::CONNECTION_AGE / 5 * random / 256
}
