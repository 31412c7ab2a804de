//! Checking a connection URI and working out how its connections are opened and cut.
//!
//! Pure: nothing is resolved or contacted here.

use crate::model::registration::{HostOrigin, HostRegistration, Profile};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

/// Drivers we are willing to speak to; all but `test` and `qemu` are less tried.
const DRIVERS: &[&str] = &[
    "qemu",
    "lxc",
    "test",
    "xen",
    "ch",
    "vbox",
    "bhyve",
    "esx",
    "gsx",
    "vpx",
    "hyperv",
    "openvz",
    "vz",
    "vmwareplayer",
    "vmwarews",
    "vmwarefusion",
];

/// How a connection travels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transport {
    /// The driver runs inside our own process (test, embed): nothing to cut.
    InProcess,
    /// A unix socket of this machine.
    Unix,
    /// TLS with certificates.
    Tls,
    /// Plain TCP.
    Tcp,
    /// A child process: ssh, or a command of the operator's.
    Child,
    /// ssh inside the client library.
    LibSsh,
    /// The hypervisor's own web service (esx, vpx, hyperv).
    Web,
}

/// Where the other end of a connection is; opens to one peer are done one after the other.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Peer {
    /// Inside this process; the text tells worlds apart.
    InProcess(String),
    /// One of libvirt's sockets of this machine, whichever the library picks.
    LocalDaemon,
    /// This very socket.
    Socket(PathBuf),
    /// A host and port.
    Host(String, u16),
}

/// Files that replace libvirt's defaults for one host. Never part of a URI an operator writes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Credential {
    /// Folder with `cacert.pem`, `clientcert.pem`, `clientkey.pem` (transport tls).
    pub pki_path: Option<PathBuf>,
    /// Private ssh key (ssh, libssh, libssh2).
    pub key_file: Option<PathBuf>,
    /// Known hosts (libssh, libssh2).
    pub known_hosts: Option<PathBuf>,
    /// libvirt's auth.conf format: user and password for SASL or a web service.
    pub auth_file: Option<PathBuf>,
}

/// Pid files of the system's QEMU processes.
const SYSTEM_PID_FILES: &str = "/run/libvirt/qemu";

/// A checked URI.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// Driver name: `qemu`, `lxc`.
    pub driver: String,
    /// What the operator wrote; holds no credential.
    pub shown: String,
    /// What libvirt gets: with credential files and safe defaults added.
    pub opened: String,
    /// How it travels.
    pub transport: Transport,
    /// Where to.
    pub peer: Peer,
    /// Open with `virConnectOpenReadOnly`.
    pub read_only: bool,
    /// Each connection sees a world of its own or shares it only while one is open: all lanes must
    /// share one connection and its thread.
    pub single_connection: bool,
    /// Warnings that stand as long as the registration does.
    pub warnings: Vec<String>,
}

impl Target {
    /// True if a stuck call can be ended from outside.
    pub fn severable(&self) -> bool {
        self.transport != Transport::InProcess
    }

    /// Where libvirt keeps the pid files of QEMU processes on this machine; nothing for other machines, drivers,
    /// and sockets of which it is not known whose they are.
    pub fn pid_files(&self) -> Option<PathBuf> {
        if self.driver != "qemu" {
            return None;
        }
        let (address, query) = self.opened.split_once('?').unwrap_or((&self.opened, ""));
        let session = address.ends_with("/session");
        match &self.peer {
            Peer::InProcess(_) => {
                let root = query.split('&').find_map(|pair| pair.strip_prefix("root="))?;
                Some(PathBuf::from(decode(root)).join("run/qemu"))
            }
            Peer::LocalDaemon if session => {
                Some(PathBuf::from(std::env::var_os("XDG_RUNTIME_DIR")?).join("libvirt/qemu/run"))
            }
            Peer::LocalDaemon => Some(PathBuf::from(SYSTEM_PID_FILES)),
            Peer::Socket(path) if path.starts_with("/run/libvirt") || path.starts_with("/var/run/libvirt") => {
                Some(PathBuf::from(SYSTEM_PID_FILES))
            }
            Peer::Socket(_) | Peer::Host(..) => None,
        }
    }

    /// True for drivers of this machine: a lost link then never means a lost host.
    pub fn is_local(&self) -> bool {
        matches!(self.transport, Transport::InProcess | Transport::Unix)
    }
}

/// A URI split up. Only what libvirt itself distinguishes.
struct Parts<'a> {
    driver: &'a str,
    transport: Option<&'a str>,
    user: Option<&'a str>,
    host: &'a str,
    port: Option<u16>,
    path: &'a str,
    query: Vec<(&'a str, &'a str)>,
}

/// Checks one URI of a registration.
///
/// # Errors
/// What is wrong with it, for people.
pub fn check(
    uri: &str,
    registration: &HostRegistration,
    credential: Option<&Credential>,
    profile: Profile,
) -> Result<Target, String> {
    let parts = split(uri)?;
    let transport = transport(&parts)?;
    refuse_secrets(&parts)?;
    refuse_remote_commands(&parts, registration)?;
    let mut warnings = Vec::new();
    match transport {
        Transport::Tcp if !registration.allow_insecure => {
            return Err("transport tcp is neither authenticated nor encrypted: set allow_insecure = true".into());
        }
        Transport::Tcp => warnings.push(format!("{uri}: plain TCP, neither authenticated nor encrypted")),
        Transport::Tls if profile == Profile::Monitor => {
            warnings.push(format!("{uri}: opened read-only, but its key could do more (it equals root on the host)"));
        }
        _ => {}
    }
    let opened = with_parameters(uri, transport, credential.unwrap_or(&Credential::default()))?;
    Ok(Target {
        driver: parts.driver.to_owned(),
        shown: uri.to_owned(),
        opened,
        transport,
        peer: peer(&parts, transport),
        read_only: profile == Profile::Monitor,
        single_connection: parts.driver == "test" && transport == Transport::InProcess,
        warnings,
    })
}

fn split(uri: &str) -> Result<Parts<'_>, String> {
    if uri.len() > 2_048 {
        return Err("longer than 2048 bytes".into());
    }
    if let Some(bad) = uri.chars().find(|character| character.is_control() || character.is_whitespace()) {
        return Err(format!("holds the character {bad:?}"));
    }
    let (scheme, rest) = uri.split_once("://").ok_or("has no scheme, as in qemu:///system")?;
    let (driver, transport) = match scheme.split_once('+') {
        Some((driver, transport)) => (driver, Some(transport)),
        None => (scheme, None),
    };
    if !DRIVERS.contains(&driver) {
        return Err(format!("unknown driver {driver:?}"));
    }
    let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
    let (authority, path) = rest.find('/').map_or((rest, ""), |slash| rest.split_at(slash));
    let (user, address) = match authority.rsplit_once('@') {
        Some((user, address)) => (Some(user), address),
        None => (None, authority),
    };
    let (host, port) = host_and_port(address)?;
    let query = query.split('&').filter(|pair| !pair.is_empty()).map(|pair| pair.split_once('=').unwrap_or((pair, "")));
    Ok(Parts { driver, transport, user, host, port, path, query: query.collect() })
}

fn host_and_port(address: &str) -> Result<(&str, Option<u16>), String> {
    let bad_port = |port: &str| format!("port {port:?} is no number from 1 to 65535");
    let (host, port) = if let Some(bracketed) = address.strip_prefix('[') {
        let (host, rest) = bracketed.split_once(']').ok_or("has an IPv6 address without closing bracket")?;
        (host, rest.strip_prefix(':'))
    } else {
        address.split_once(':').map_or((address, None), |(host, port)| (host, Some(port)))
    };
    if host.starts_with('-') {
        return Err("host name begins with a dash".into());
    }
    let port =
        port.map(|port| port.parse().ok().filter(|port| *port != 0).ok_or_else(|| bad_port(port))).transpose()?;
    Ok((host, port))
}

fn transport(parts: &Parts<'_>) -> Result<Transport, String> {
    let embedded = parts.path == "/embed";
    let transport = match parts.transport {
        None if parts.driver == "test" && parts.host.is_empty() => Transport::InProcess,
        None if embedded && parts.host.is_empty() => Transport::InProcess,
        None if matches!(parts.driver, "esx" | "gsx" | "vpx" | "hyperv") => Transport::Web,
        None if parts.host.is_empty() => Transport::Unix,
        None | Some("tls") => Transport::Tls,
        Some("unix") => Transport::Unix,
        Some("tcp") => Transport::Tcp,
        Some("ssh" | "ext") => Transport::Child,
        Some("libssh" | "libssh2") => Transport::LibSsh,
        Some(other) => return Err(format!("unknown transport {other:?}")),
    };
    let remote = matches!(transport, Transport::Tls | Transport::Tcp | Transport::LibSsh | Transport::Web)
        || parts.transport == Some("ssh");
    if remote && parts.host.is_empty() {
        return Err("names no host".into());
    }
    if transport == Transport::Unix && !parts.host.is_empty() {
        return Err("transport unix takes no host".into());
    }
    Ok(transport)
}

/// A URI is shown, logged and stored: nothing secret and nothing that weakens the check of the peer.
fn refuse_secrets(parts: &Parts<'_>) -> Result<(), String> {
    if parts.user.is_some_and(|user| user.contains(':')) {
        return Err("holds a password: put it into a credential's auth_file".into());
    }
    for (name, value) in &parts.query {
        match name.to_ascii_lowercase().as_str() {
            "no_verify" => return Err("no_verify is refused: the peer must be verified".into()),
            "known_hosts_verify" if *value == "ignore" => {
                return Err("known_hosts_verify=ignore is refused: the peer must be verified".into());
            }
            "password" | "authfile" | "keyfile" | "pkipath" | "known_hosts" => {
                return Err(format!("{name} belongs into a credential, not into a URI"));
            }
            _ => {}
        }
    }
    Ok(())
}

/// Who may register a host over the API must not thereby run programs here.
fn refuse_remote_commands(parts: &Parts<'_>, registration: &HostRegistration) -> Result<(), String> {
    if registration.origin == HostOrigin::File {
        return Ok(());
    }
    if parts.transport == Some("ext") || parts.path == "/embed" {
        return Err("runs a program on this machine: only settings files may say so".into());
    }
    let program = parts.query.iter().find(|(name, _)| matches!(*name, "command" | "netcat" | "proxy" | "socket"));
    match program {
        Some((name, _)) => Err(format!("parameter {name} is only accepted from settings files")),
        None => Ok(()),
    }
}

fn peer(parts: &Parts<'_>, transport: Transport) -> Peer {
    let socket = parts.query.iter().find(|(name, _)| *name == "socket").map(|(_, path)| PathBuf::from(decode(path)));
    let host = |port: u16| Peer::Host(parts.host.to_ascii_lowercase(), parts.port.unwrap_or(port));
    match transport {
        Transport::InProcess => Peer::InProcess(format!("{}:{}", parts.driver, parts.path)),
        Transport::Unix => socket.map_or(Peer::LocalDaemon, Peer::Socket),
        Transport::Tls => host(16514),
        Transport::Tcp => host(16509),
        Transport::Child | Transport::LibSsh => host(22),
        Transport::Web => host(443),
    }
}

fn with_parameters(uri: &str, transport: Transport, credential: &Credential) -> Result<String, String> {
    let ssh = transport == Transport::Child && uri.contains("+ssh:");
    let allowed = |wanted: bool, name: &str| {
        if wanted { Ok(()) } else { Err(format!("its credential has a {name}, which this transport cannot use")) }
    };
    let mut added: Vec<(&str, &Path)> = Vec::new();
    if let Some(path) = &credential.pki_path {
        allowed(transport == Transport::Tls, "pki_path")?;
        added.push(("pkipath", path));
    }
    if let Some(path) = &credential.key_file {
        allowed(ssh || transport == Transport::LibSsh, "key_file")?;
        added.push(("keyfile", path));
    }
    if let Some(path) = &credential.known_hosts {
        allowed(transport == Transport::LibSsh, "known_hosts (transport libssh can)")?;
        added.push(("known_hosts", path));
    }
    if let Some(path) = &credential.auth_file {
        added.push(("authfile", path));
    }
    let mut opened = uri.to_owned();
    let mut separator = if uri.contains('?') { '&' } else { '?' };
    if ssh && !uri.contains("no_tty=") {
        // Never ask a terminal that nobody watches.
        opened.push(separator);
        opened.push_str("no_tty=1");
        separator = '&';
    }
    for (name, path) in added {
        let path =
            path.to_str().filter(|path| path.starts_with('/')).ok_or_else(|| format!("{name} is no absolute path"))?;
        let _ = write!(opened, "{separator}{name}={}", encode(path));
        separator = '&';
    }
    Ok(opened)
}

fn encode(path: &str) -> String {
    path.bytes().fold(String::new(), |mut text, byte| {
        if byte.is_ascii_alphanumeric() || b"/._-~".contains(&byte) {
            text.push(char::from(byte));
        } else {
            let _ = write!(text, "%{byte:02X}");
        }
        text
    })
}

fn decode(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut decoded = Vec::with_capacity(bytes.len());
    let mut index = 0;
    while index < bytes.len() {
        let pair = (bytes[index] == b'%').then(|| text.get(index + 1..index + 3)).flatten();
        match pair.and_then(|pair| u8::from_str_radix(pair, 16).ok()) {
            Some(byte) => {
                decoded.push(byte);
                index += 3;
            }
            None => {
                decoded.push(bytes[index]);
                index += 1;
            }
        }
    }
    String::from_utf8_lossy(&decoded).into_owned()
}

#[cfg(test)]
mod tests;
