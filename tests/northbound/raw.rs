//! Calls with raw bytes, by path: what no generated client would send.

use bytes::{Buf, BufMut};
use std::path::Path;
use std::sync::Arc;
use tonic::codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder};
use tonic::transport::Channel;
use tonic::{Request, Status};

/// A client that sends bytes.
pub struct RawClient {
    grpc: tonic::client::Grpc<Channel>,
}

impl RawClient {
    pub fn new(channel: Channel) -> Self {
        Self { grpc: tonic::client::Grpc::new(channel) }
    }

    /// Calls a method with the given message; answers the first message of the answer.
    pub async fn call(&mut self, method: &str, message: Vec<u8>) -> Result<Vec<u8>, Status> {
        self.grpc.ready().await.unwrap();
        let path = http::uri::PathAndQuery::try_from(format!("/{method}")).unwrap();
        let request = Request::new(tokio_stream::once(message));
        let mut answers = self.grpc.streaming(request, path, Raw).await?.into_inner();
        answers.message().await.map(Option::unwrap_or_default)
    }
}

#[derive(Default)]
struct Raw;

impl Codec for Raw {
    type Encode = Vec<u8>;
    type Decode = Vec<u8>;
    type Encoder = Self;
    type Decoder = Self;

    fn encoder(&mut self) -> Self {
        Self
    }

    fn decoder(&mut self) -> Self {
        Self
    }
}

impl Encoder for Raw {
    type Item = Vec<u8>;
    type Error = Status;

    fn encode(&mut self, item: Vec<u8>, buffer: &mut EncodeBuf<'_>) -> Result<(), Status> {
        buffer.put_slice(&item);
        Ok(())
    }
}

impl Decoder for Raw {
    type Item = Vec<u8>;
    type Error = Status;

    fn decode(&mut self, buffer: &mut DecodeBuf<'_>) -> Result<Option<Vec<u8>>, Status> {
        Ok(Some(buffer.copy_to_bytes(buffer.remaining()).to_vec()))
    }
}

/// A TLS client with one of the throw-away certificates; with an empty name without any.
pub fn tls_connector(directory: &Path, name: &str) -> tokio_rustls::TlsConnector {
    use rustls_pki_types::pem::PemObject;
    use rustls_pki_types::{CertificateDer, PrivateKeyDer};
    let certificate = |file: &str| CertificateDer::from_pem_file(directory.join(file)).unwrap();
    let mut roots = rustls::RootCertStore::empty();
    roots.add(certificate("ca.pem")).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots);
    let mut config = if name.is_empty() {
        builder.with_no_client_auth()
    } else {
        let key = PrivateKeyDer::from_pem_file(directory.join(format!("{name}.key"))).unwrap();
        builder.with_client_auth_cert(vec![certificate(&format!("{name}.pem"))], key).unwrap()
    };
    config.alpn_protocols = vec![b"h2".to_vec()];
    tokio_rustls::TlsConnector::from(Arc::new(config))
}

/// The reason in an error's ErrorInfo; empty if it has none, which is a defect.
pub fn reason(status: &Status) -> String {
    use tonic_types::StatusExt;
    let info = status.get_details_error_info();
    info.filter(|info| info.domain == "vrm.v1").map(|info| info.reason).unwrap_or_default()
}
