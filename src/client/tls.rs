//! Mutual TLS of a context: the files read, the handshake made.
//!
//! Only built with the daemon's dependencies; a `vrmctl` built without them says so.

use super::address::TlsFiles;
use super::error::ClientError;
use tokio::net::TcpStream;

#[cfg(feature = "daemon")]
pub use with_rustls::Secured;

/// A ready configuration and the name expected in the daemon's certificate.
#[cfg(feature = "daemon")]
mod with_rustls {
    use super::{ClientError, TcpStream, TlsFiles};
    use rustls_pki_types::pem::PemObject;
    use rustls_pki_types::{CertificateDer, PrivateKeyDer, ServerName};
    use std::path::Path;
    use std::sync::Arc;
    use tokio_rustls::TlsConnector;
    use tokio_rustls::client::TlsStream;

    /// What it takes to secure a connection.
    #[derive(Clone)]
    pub struct Secured {
        connector: TlsConnector,
        server_name: ServerName<'static>,
    }

    impl std::fmt::Debug for Secured {
        fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.debug_struct("Secured").field("server_name", &self.server_name).finish_non_exhaustive()
        }
    }

    impl Secured {
        /// Reads the files.
        ///
        /// # Errors
        /// [`ClientError::Tls`] naming the file that is missing or unusable.
        pub fn load(files: &TlsFiles, host: &str) -> Result<Self, ClientError> {
            let mut roots = rustls::RootCertStore::empty();
            for certificate in certificates(&files.ca)? {
                roots.add(certificate).map_err(|error| unusable(&files.ca, &error))?;
            }
            let key = PrivateKeyDer::from_pem_file(&files.key).map_err(|error| unusable(&files.key, &error))?;
            let provider = Arc::new(rustls::crypto::ring::default_provider());
            let mut config = rustls::ClientConfig::builder_with_provider(provider)
                .with_safe_default_protocol_versions()
                .map_err(|error| ClientError::Tls(error.to_string()))?
                .with_root_certificates(roots)
                .with_client_auth_cert(certificates(&files.cert)?, key)
                .map_err(|error| unusable(&files.cert, &error))?;
            config.alpn_protocols = vec![b"h2".to_vec()];
            let name = files.server_name.as_deref().unwrap_or(host).to_owned();
            let server_name = ServerName::try_from(name.clone())
                .map_err(|error| ClientError::Tls(format!("server name {name:?}: {error}")))?;
            Ok(Self { connector: TlsConnector::from(Arc::new(config)), server_name })
        }

        /// Makes the handshake.
        ///
        /// # Errors
        /// As the other side or the verification says.
        pub async fn secure(&self, stream: TcpStream) -> std::io::Result<TlsStream<TcpStream>> {
            self.connector.connect(self.server_name.clone(), stream).await
        }
    }

    fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, ClientError> {
        let found = CertificateDer::pem_file_iter(path)
            .and_then(Iterator::collect::<Result<Vec<_>, _>>)
            .map_err(|error| unusable(path, &error))?;
        if found.is_empty() {
            return Err(ClientError::Tls(format!("{}: no certificate in it", path.display())));
        }
        Ok(found)
    }

    fn unusable(path: &Path, error: &dyn std::fmt::Display) -> ClientError {
        ClientError::Tls(format!("{}: {error}", path.display()))
    }
}

/// Stand-in of a build without TLS.
#[cfg(not(feature = "daemon"))]
#[derive(Clone, Debug)]
pub struct Secured(std::convert::Infallible);

#[cfg(not(feature = "daemon"))]
impl Secured {
    /// Always refuses.
    ///
    /// # Errors
    /// [`ClientError::Tls`].
    pub fn load(_: &TlsFiles, host: &str) -> Result<Self, ClientError> {
        Err(ClientError::Tls(format!(
            "{host}: this vrmctl was built without TLS; it comes with a later part, or build with feature `daemon`"
        )))
    }

    /// Cannot be reached.
    ///
    /// # Errors
    /// None.
    pub async fn secure(&self, _: TcpStream) -> std::io::Result<TcpStream> {
        match self.0 {}
    }
}
