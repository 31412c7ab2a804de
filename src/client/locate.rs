//! Finds a VRM: the order in which addresses are looked for. No I/O but one look whether a socket exists.

use super::address::{Endpoint, TlsFiles};
use super::contexts::{Context, Contexts};
use super::error::ClientError;
use std::path::{Path, PathBuf};

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
