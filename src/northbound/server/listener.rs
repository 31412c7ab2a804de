//! Sockets: bound before anything is served, so that a busy address is known at start.

use super::tls::TlsAuthority;
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tokio::net::{TcpListener, UnixListener};

/// Where to listen, and how to know who comes.
#[derive(Clone, Debug)]
pub enum Listen {
    /// A unix socket, open to all; the kernel tells who it is.
    Unix(PathBuf),
    /// Plaintext on a loopback address: everybody is a viewer.
    InsecureLoopback(SocketAddr),
    /// TLS with client certificates.
    Tls(SocketAddr, Arc<TlsAuthority>),
}

/// How a listener knows its peers.
#[derive(Clone, Debug)]
pub enum Security {
    /// By peer credentials.
    PeerCredentials,
    /// Not at all.
    InsecureLoopback,
    /// By certificate.
    Tls(Arc<TlsAuthority>),
}

/// Why a listener cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum ListenError {
    /// Plaintext anywhere else than on the loopback interface.
    #[error("{0} is no loopback address: plaintext is served on the loopback interface only")]
    NotLoopback(SocketAddr),
    /// The address cannot be bound.
    #[error("cannot listen on {address}")]
    Bind {
        /// Where.
        address: String,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// Another process serves the socket.
    #[error("another process serves {0}")]
    InUse(PathBuf),
    /// An inherited socket is neither a unix nor a TCP one.
    #[error("inherited socket cannot be used")]
    Inherited(#[source] std::io::Error),
}

#[derive(Debug)]
pub(super) enum Socket {
    Unix(UnixListener),
    Tcp(TcpListener),
}

#[derive(Debug)]
pub(super) struct Bound {
    pub(super) socket: Socket,
    pub(super) security: Security,
    pub(super) address: String,
}

/// Bound sockets. Unix sockets made here are removed when this is dropped.
#[derive(Debug, Default)]
pub struct Listening {
    pub(super) bound: Vec<Bound>,
    own_paths: Vec<PathBuf>,
}

impl Listening {
    /// Binds all listeners, or none.
    ///
    /// # Errors
    /// [`ListenError`] of the first that cannot be bound.
    pub async fn bind(listeners: Vec<Listen>) -> Result<Self, ListenError> {
        let mut listening = Self::default();
        for listener in listeners {
            match listener {
                Listen::Unix(path) => listening.bind_unix(path).await?,
                Listen::InsecureLoopback(address) => {
                    if !address.ip().is_loopback() {
                        return Err(ListenError::NotLoopback(address));
                    }
                    listening.bind_tcp(address, Security::InsecureLoopback).await?;
                }
                Listen::Tls(address, authority) => listening.bind_tcp(address, Security::Tls(authority)).await?,
            }
        }
        Ok(listening)
    }

    /// Takes a unix socket that systemd has bound.
    ///
    /// # Errors
    /// [`ListenError::Inherited`].
    pub fn inherit_unix(&mut self, socket: std::os::unix::net::UnixListener) -> Result<(), ListenError> {
        socket.set_nonblocking(true).map_err(ListenError::Inherited)?;
        let address = socket.local_addr().ok().and_then(|address| address.as_pathname().map(Path::to_path_buf));
        let socket = UnixListener::from_std(socket).map_err(ListenError::Inherited)?;
        let address = format!("unix:{}", address.unwrap_or_default().display());
        self.bound.push(Bound { socket: Socket::Unix(socket), security: Security::PeerCredentials, address });
        Ok(())
    }

    /// Where it listens: `unix:PATH` or `ADDR:PORT`, with the port the kernel chose for 0.
    pub fn addresses(&self) -> Vec<String> {
        self.bound.iter().map(|bound| bound.address.clone()).collect()
    }

    /// True if anybody on this machine may read without credential.
    pub fn is_insecure(&self) -> bool {
        self.bound.iter().any(|bound| matches!(bound.security, Security::InsecureLoopback))
    }

    async fn bind_unix(&mut self, path: PathBuf) -> Result<(), ListenError> {
        let failed = |source| ListenError::Bind { address: format!("unix:{}", path.display()), source };
        remove_stale(&path).await?;
        let socket = UnixListener::bind(&path).map_err(failed)?;
        // Open to all: peer credentials decide (operations.md F16).
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o666)).map_err(failed)?;
        let address = format!("unix:{}", path.display());
        self.bound.push(Bound { socket: Socket::Unix(socket), security: Security::PeerCredentials, address });
        self.own_paths.push(path);
        Ok(())
    }

    async fn bind_tcp(&mut self, address: SocketAddr, security: Security) -> Result<(), ListenError> {
        let failed = |source| ListenError::Bind { address: address.to_string(), source };
        let socket = TcpListener::bind(address).await.map_err(failed)?;
        let address = socket.local_addr().map_err(failed)?.to_string();
        self.bound.push(Bound { socket: Socket::Tcp(socket), security, address });
        Ok(())
    }
}

impl Drop for Listening {
    fn drop(&mut self) {
        for path in &self.own_paths {
            // Gone already is as good.
            let _ = std::fs::remove_file(path);
        }
    }
}

/// Removes a socket that nobody serves any more.
async fn remove_stale(path: &Path) -> Result<(), ListenError> {
    use std::os::unix::fs::FileTypeExt;
    let Ok(file) = std::fs::symlink_metadata(path) else { return Ok(()) };
    if !file.file_type().is_socket() {
        // Whatever it is, it is not ours to remove: bind says so.
        return Ok(());
    }
    if tokio::net::UnixStream::connect(path).await.is_ok() {
        return Err(ListenError::InUse(path.to_owned()));
    }
    std::fs::remove_file(path)
        .map_err(|source| ListenError::Bind { address: format!("unix:{}", path.display()), source })
}
