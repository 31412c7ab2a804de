//! Where a VRM is: addresses, and the order in which they are looked for. No I/O but one look
//! whether a socket exists.

use super::contexts::{Context, Contexts};
use super::error::ClientError;
use std::fmt;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::str::FromStr;

/// Default port of the daemon's TCP listener.
const DEFAULT_PORT: u16 = 7443;

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
    type Err = ClientError;

    /// `unix:PATH`, an absolute path, `ADDR:PORT`, `[V6]:PORT`, or `ADDR` alone for port 7443.
    fn from_str(text: &str) -> Result<Self, ClientError> {
        let bad = |why: &str| ClientError::Endpoint { text: text.to_owned(), why: why.to_owned() };
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

/// An endpoint with what it takes to connect to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// Context it came from, or the address: what people are shown.
    pub label: String,
    /// The address.
    pub endpoint: Endpoint,
    /// Material for TLS; plain without.
    pub tls: Option<TlsFiles>,
}

impl From<Endpoint> for Target {
    fn from(endpoint: Endpoint) -> Self {
        Self { label: endpoint.to_string(), endpoint, tls: None }
    }
}

impl Target {
    /// The target of a named context.
    ///
    /// # Errors
    /// [`ClientError::Endpoint`] if its address is malformed, [`ClientError::Contexts`] if only a part of
    /// ca, cert and key is given.
    pub fn of_context(name: &str, context: &Context) -> Result<Self, ClientError> {
        Ok(Self { label: name.to_owned(), endpoint: context.endpoint.parse()?, tls: context.tls_files(name)? })
    }
}

/// What the search for an endpoint depends on, apart from files.
#[derive(Clone, Debug, Default)]
pub struct Environment {
    /// `VRM_ENDPOINT`.
    pub vrm_endpoint: Option<String>,
    /// `VRM_CONTEXT`.
    pub vrm_context: Option<String>,
    /// `XDG_RUNTIME_DIR`.
    pub runtime_dir: Option<PathBuf>,
}

impl Environment {
    /// Reads the process's environment.
    pub fn of_process() -> Self {
        let text = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
        Self {
            vrm_endpoint: text("VRM_ENDPOINT"),
            vrm_context: text("VRM_CONTEXT"),
            runtime_dir: text("XDG_RUNTIME_DIR").map(PathBuf::from),
        }
    }
}

/// Finds the daemon: the endpoint given (`-e`), the context given (`-c`), `VRM_ENDPOINT`,
/// `VRM_CONTEXT`, the current context, the user's own socket, the system's socket.
///
/// # Errors
/// [`ClientError::Endpoint`] for a malformed address, [`ClientError::Contexts`] for an unknown context.
pub fn locate(
    endpoint: Option<&str>,
    context: Option<&str>,
    contexts: &Contexts,
    environment: &Environment,
) -> Result<Target, ClientError> {
    if let Some(endpoint) = endpoint {
        return Ok(endpoint.parse::<Endpoint>()?.into());
    }
    if let Some(name) = context {
        return Target::of_context(name, contexts.get(name)?);
    }
    if let Some(endpoint) = &environment.vrm_endpoint {
        return Ok(endpoint.parse::<Endpoint>()?.into());
    }
    if let Some(name) = environment.vrm_context.as_deref().or(contexts.current.as_deref()) {
        return Target::of_context(name, contexts.get(name)?);
    }
    let own = environment.runtime_dir.as_deref().map(own_socket).filter(|path| path.exists());
    Ok(own.map_or_else(Endpoint::system, Endpoint::Unix).into())
}

fn own_socket(runtime_dir: &Path) -> PathBuf {
    runtime_dir.join("vrm/vrmd.sock")
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

    #[test]
    fn the_search_takes_the_first_place_that_is_given() {
        let mut contexts = Contexts::default();
        contexts.set("dc1", Context::new("10.0.0.1:7443"));
        contexts.set("dc2", Context::new("10.0.0.2:7443"));
        let mut environment = Environment::default();
        let found = |endpoint: Option<&str>, context: Option<&str>, contexts: &Contexts, environment: &Environment| {
            locate(endpoint, context, contexts, environment)
                .map_or_else(|error| error.to_string(), |target| target.label)
        };
        assert_eq!(found(None, None, &contexts, &environment), "unix:/run/vrm/vrmd.sock");
        contexts.current = Some("dc1".to_owned());
        assert_eq!(found(None, None, &contexts, &environment), "dc1");
        environment.vrm_context = Some("dc2".to_owned());
        assert_eq!(found(None, None, &contexts, &environment), "dc2");
        environment.vrm_endpoint = Some("10.0.0.3:1".to_owned());
        assert_eq!(found(None, None, &contexts, &environment), "10.0.0.3:1");
        assert_eq!(found(None, Some("dc1"), &contexts, &environment), "dc1");
        assert_eq!(found(Some("10.0.0.4:1"), Some("dc1"), &contexts, &environment), "10.0.0.4:1");
        assert!(found(None, Some("dc9"), &contexts, &environment).contains("dc9"));
    }
}
