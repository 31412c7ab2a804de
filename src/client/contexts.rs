//! The contexts file: the VRMs a person works with, by name.

use super::address::TlsFiles;
use super::error::ClientError;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};

/// One VRM and how to reach it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Context {
    /// `unix:PATH` or `ADDR:PORT`.
    pub endpoint: String,
    /// Authority that signed the daemon's certificate (PEM).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ca: Option<PathBuf>,
    /// Client certificate with chain (PEM).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cert: Option<PathBuf>,
    /// Its key (PEM).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<PathBuf>,
    /// Name expected in the daemon's certificate.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub server_name: Option<String>,
}

impl Context {
    /// A context of an address alone.
    pub fn new(endpoint: &str) -> Self {
        Self { endpoint: endpoint.to_owned(), ..Self::default() }
    }

    /// Its TLS files, nothing if it names none.
    ///
    /// # Errors
    /// [`ClientError::Contexts`] if only some of ca, cert and key are given.
    pub fn tls_files(&self, name: &str) -> Result<Option<TlsFiles>, ClientError> {
        match (&self.ca, &self.cert, &self.key) {
            (None, None, None) => Ok(None),
            (Some(ca), Some(cert), Some(key)) => Ok(Some(TlsFiles {
                ca: ca.clone(),
                cert: cert.clone(),
                key: key.clone(),
                server_name: self.server_name.clone(),
            })),
            _ => Err(ClientError::Contexts(format!("context {name:?}: ca, cert and key belong together"))),
        }
    }
}

/// The contexts of a person.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Contexts {
    /// The one in use.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub current: Option<String>,
    /// All of them, by name.
    #[serde(default)]
    pub contexts: BTreeMap<String, Context>,
}

impl Contexts {
    /// Reads a file; an absent one holds no contexts.
    ///
    /// # Errors
    /// [`ClientError::Contexts`] if the file cannot be read or understood.
    pub fn load(path: &Path) -> Result<Self, ClientError> {
        match std::fs::read_to_string(path) {
            Ok(text) => {
                toml::from_str(&text).map_err(|error| ClientError::Contexts(format!("{}: {error}", path.display())))
            }
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Self::default()),
            Err(error) => Err(ClientError::Contexts(format!("{}: {error}", path.display()))),
        }
    }

    /// Writes the file anew, readable by its owner only, whole or not at all.
    ///
    /// # Errors
    /// [`ClientError::Contexts`] if the directory or file cannot be written.
    pub fn store(&self, path: &Path) -> Result<(), ClientError> {
        let text = toml::to_string(self).map_err(|error| ClientError::Contexts(error.to_string()))?;
        write_private(path, &text).map_err(|error| ClientError::Contexts(format!("{}: {error}", path.display())))
    }

    /// A context by name.
    ///
    /// # Errors
    /// [`ClientError::Contexts`] naming those that exist.
    pub fn get(&self, name: &str) -> Result<&Context, ClientError> {
        self.contexts.get(name).ok_or_else(|| {
            let known: Vec<&str> = self.contexts.keys().map(String::as_str).collect();
            let known =
                if known.is_empty() { "there are none".to_owned() } else { format!("known: {}", known.join(", ")) };
            ClientError::Contexts(format!("no context {name:?}; {known}"))
        })
    }

    /// Adds or replaces a context.
    pub fn set(&mut self, name: &str, context: Context) {
        self.contexts.insert(name.to_owned(), context);
    }
}

fn write_private(path: &Path, text: &str) -> std::io::Result<()> {
    use std::os::unix::fs::OpenOptionsExt;
    if let Some(directory) = path.parent() {
        std::fs::create_dir_all(directory)?;
    }
    let fresh = path.with_extension("toml.new");
    let mut file = std::fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&fresh)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    std::fs::rename(&fresh, path)
}

/// The file's place: `$XDG_CONFIG_HOME/vrm/contexts.toml`, else below `~/.config`; nothing without a home.
pub fn contexts_path() -> Option<PathBuf> {
    let directory = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let config = directory("XDG_CONFIG_HOME").or_else(|| directory("HOME").map(|home| home.join(".config")))?;
    Some(config.join("vrm/contexts.toml"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_stored_is_loaded() {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let path = directory.path().join("vrm/contexts.toml");
        let mut contexts = Contexts::load(&path).expect("an absent file is empty");
        assert_eq!(contexts, Contexts::default());
        contexts.current = Some("dc1".to_owned());
        contexts.set("dc1", Context { ca: Some("/ca".into()), ..Context::new("vrm-1:7443") });
        contexts.store(&path).expect("writable");
        assert_eq!(Contexts::load(&path).expect("readable"), contexts);
    }

    #[test]
    fn half_of_the_tls_files_is_refused() {
        let context = Context { ca: Some("/ca".into()), ..Context::new("vrm-1:7443") };
        assert!(context.tls_files("dc1").is_err());
    }

    #[test]
    fn a_misspelled_key_is_an_error_that_names_the_file() {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let path = directory.path().join("contexts.toml");
        std::fs::write(&path, "curent = \"x\"\n").expect("writable");
        let error = Contexts::load(&path).expect_err("unknown key").to_string();
        assert!(error.contains("contexts.toml") && error.contains("curent"), "{error}");
    }
}
