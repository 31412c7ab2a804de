//! Addresses of VRMs and the files that secure the way to them. Pure.

use std::fmt;
use std::net::IpAddr;
use std::path::PathBuf;
use std::str::FromStr;

/// Default port of the daemon's TCP listener.
const DEFAULT_PORT: u16 = 7443;

/// An address that cannot be understood.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("endpoint {text:?}: {why}")]
pub struct EndpointError {
    /// As given.
    pub text: String,
    /// What is wrong.
    pub why: String,
}

/// Address of a daemon.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Endpoint {
    /// A unix socket.
    Unix(PathBuf),
    /// TCP.
    Tcp {
        /// Name or IP address.
        host: String,
        /// Port.
        port: u16,
    },
}

impl Endpoint {
    /// The system's daemon.
    pub fn system() -> Self {
        Self::Unix(PathBuf::from("/run/vrm/vrmd.sock"))
    }

    /// Whether what is sent never leaves this machine.
    pub fn is_local(&self) -> bool {
        match self {
            Self::Unix(_) => true,
            Self::Tcp { host, .. } => {
                host == "localhost" || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
            }
        }
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
            Self::Tcp { host, port } if host.contains(':') => write!(f, "[{host}]:{port}"),
            Self::Tcp { host, port } => write!(f, "{host}:{port}"),
        }
    }
}

impl FromStr for Endpoint {
    type Err = EndpointError;

    /// `unix:PATH`, an absolute path, `ADDR:PORT`, `[V6]:PORT`, or `ADDR` alone for port 7443.
    fn from_str(text: &str) -> Result<Self, EndpointError> {
        let bad = |why: &str| EndpointError { text: text.to_owned(), why: why.to_owned() };
        if let Some(path) = text.strip_prefix("unix:") {
            let path = path.strip_prefix("//").unwrap_or(path);
            return if path.is_empty() { Err(bad("the path is missing")) } else { Ok(Self::Unix(path.into())) };
        }
        if text.starts_with('/') {
            return Ok(Self::Unix(text.into()));
        }
        if text.contains("://") {
            return Err(bad("give ADDR:PORT without a scheme"));
        }
        let (host, port) = split_port(text).ok_or_else(|| bad("the port is no number from 1 to 65535"))?;
        if host.is_empty() || host.contains('/') || host.contains(char::is_whitespace) {
            return Err(bad("the address is missing or malformed"));
        }
        Ok(Self::Tcp { host: host.to_owned(), port })
    }
}

fn split_port(text: &str) -> Option<(&str, u16)> {
    let port = |text: &str| text.parse::<u16>().ok().filter(|port| *port != 0);
    if let Some(rest) = text.strip_prefix('[') {
        let (host, rest) = rest.split_once(']')?;
        return if rest.is_empty() { Some((host, DEFAULT_PORT)) } else { Some((host, port(rest.strip_prefix(':')?)?)) };
    }
    match text.split_once(':') {
        None => Some((text, DEFAULT_PORT)),
        Some((_, rest)) if rest.contains(':') => Some((text, DEFAULT_PORT)),
        Some((host, rest)) => Some((host, port(rest)?)),
    }
}

/// Files of mutual TLS, all PEM.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsFiles {
    /// Authority that signed the daemon's certificate.
    pub ca: PathBuf,
    /// Our certificate with its chain.
    pub cert: PathBuf,
    /// Its key.
    pub key: PathBuf,
    /// Name expected in the daemon's certificate; the address by default.
    pub server_name: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> String {
        text.parse::<Endpoint>().map_or_else(|error| error.to_string(), |endpoint| endpoint.to_string())
    }

    #[test]
    fn addresses_are_read_and_shown_alike() {
        for text in ["unix:/run/vrm/vrmd.sock", "127.0.0.1:7443", "kvm-07.dc1:17443", "[::1]:7443"] {
            assert_eq!(parsed(text), text);
        }
        assert_eq!(parsed("/tmp/x.sock"), "unix:/tmp/x.sock");
        assert_eq!(parsed("unix:///tmp/x.sock"), "unix:/tmp/x.sock");
        assert_eq!(parsed("vrm-1"), "vrm-1:7443");
        assert_eq!(parsed("::1"), "[::1]:7443");
    }

    #[test]
    fn malformed_addresses_are_refused() {
        for text in ["unix:", "a:b", "a:0", ":7443", "https://a:1", "a b:1", "[::1]7443"] {
            assert!(text.parse::<Endpoint>().is_err(), "{text}");
        }
    }

    #[test]
    fn only_loopback_and_sockets_are_local() {
        for (text, local) in
            [("unix:/x", true), ("127.0.0.9:1", true), ("[::1]:1", true), ("localhost:1", true), ("10.0.0.1:1", false)]
        {
            assert_eq!(text.parse::<Endpoint>().map(|endpoint| endpoint.is_local()).ok(), Some(local), "{text}");
        }
    }
}
