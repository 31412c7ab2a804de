//! Mutual TLS: whose certificates are taken, and who their holders are.

use crate::northbound::auth::{Identity, Role};
use rustls::ServerConfig;
use rustls::server::WebPkiClientVerifier;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

/// Why TLS cannot be set up.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// rustls refuses the material.
    #[error("TLS material is not usable: {0}")]
    Unusable(String),
    /// Certificates cannot be made.
    #[error("certificates cannot be made: {0}")]
    Making(String),
    /// Files cannot be written.
    #[error("cannot write {path}")]
    Writing {
        /// Which.
        path: std::path::PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
}

/// A server certificate, the authority of its clients, and the roles of those known by name.
pub struct TlsAuthority {
    acceptor: TlsAcceptor,
    roles: BTreeMap<String, BTreeSet<Role>>,
}

impl std::fmt::Debug for TlsAuthority {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("TlsAuthority").field("roles", &self.roles).finish_non_exhaustive()
    }
}

impl TlsAuthority {
    /// TLS 1.3 with the given server certificate; clients need one of the authority.
    ///
    /// # Errors
    /// [`TlsError::Unusable`].
    pub fn new(
        chain: Vec<CertificateDer<'static>>,
        key: PrivateKeyDer<'static>,
        client_authority: CertificateDer<'static>,
        roles: BTreeMap<String, BTreeSet<Role>>,
    ) -> Result<Self, TlsError> {
        let unusable = |error: &dyn std::fmt::Display| TlsError::Unusable(error.to_string());
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let mut roots = rustls::RootCertStore::empty();
        roots.add(client_authority).map_err(|error| unusable(&error))?;
        let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider))
            .build()
            .map_err(|error| unusable(&error))?;
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_protocol_versions(&[&rustls::version::TLS13])
            .map_err(|error| unusable(&error))?
            .with_client_cert_verifier(verifier)
            .with_single_cert(chain, key)
            .map_err(|error| unusable(&error))?;
        config.alpn_protocols = vec![b"h2".to_vec()];
        Ok(Self { acceptor: TlsAcceptor::from(Arc::new(config)), roles })
    }

    /// Completes a handshake and says who came.
    pub(super) async fn handshake(
        &self,
        stream: TcpStream,
        address: SocketAddr,
    ) -> io::Result<(TlsStream<TcpStream>, Identity)> {
        let stream = self.acceptor.accept(stream).await?;
        let certificate = stream.get_ref().1.peer_certificates().and_then(<[_]>::first);
        let principal = certificate.and_then(principal).ok_or_else(|| {
            io::Error::new(io::ErrorKind::InvalidData, "the client certificate names nobody, or several")
        })?;
        let roles = self.roles.get(&principal).cloned().unwrap_or_default();
        Ok((stream, Identity::certificate(principal, roles, address)))
    }
}

/// The one URI among the subject's alternative names, else the one DNS name (X.509-SVID rules:
/// more than one URI names nobody).
fn principal(certificate: &CertificateDer<'_>) -> Option<String> {
    use x509_parser::prelude::{FromDer, GeneralName, X509Certificate};
    let (_, certificate) = X509Certificate::from_der(certificate).ok()?;
    let names = certificate.subject_alternative_name().ok()??;
    let mut uris = Vec::new();
    let mut dns = Vec::new();
    for name in &names.value.general_names {
        match name {
            GeneralName::URI(uri) => uris.push((*uri).to_owned()),
            GeneralName::DNSName(name) => dns.push((*name).to_owned()),
            _ => {}
        }
    }
    match (uris.len(), dns.len()) {
        (1, _) => uris.pop(),
        (0, 1) => dns.pop(),
        _ => None,
    }
}
