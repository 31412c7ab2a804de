//! A receiver behind TLS: only one whose certificate our authority signed is told anything.

use crate::common::wait_until;
use crate::deliveries::{Place, endpoint, run, webhook};
use crate::recorder::Recorder;
use crate::source::Source;
use rcgen::{CertificateParams, CertifiedIssuer, KeyPair};
use rustls::pki_types::PrivateKeyDer;
use std::net::SocketAddr;
use std::sync::Arc;
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use vrm::notify::{SinkConfig, SinkKind, WebhookConfig};

struct TlsListener {
    tcp: TcpListener,
    acceptor: TlsAcceptor,
}

impl axum::serve::Listener for TlsListener {
    type Io = TlsStream<TcpStream>;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Self::Io, Self::Addr) {
        loop {
            let (stream, address) = self.tcp.accept().await.unwrap();
            if let Ok(stream) = self.acceptor.accept(stream).await {
                return (stream, address);
            }
        }
    }

    fn local_addr(&self) -> std::io::Result<Self::Addr> {
        self.tcp.local_addr()
    }
}

/// A listener for `localhost`, and its authority as PEM.
async fn listener() -> (TlsListener, String) {
    let authority = CertifiedIssuer::self_signed(
        {
            let mut params = CertificateParams::new(Vec::new()).unwrap();
            params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
            params
        },
        KeyPair::generate().unwrap(),
    )
    .unwrap();
    let key = KeyPair::generate().unwrap();
    let certificate = CertificateParams::new(vec!["localhost".into()]).unwrap().signed_by(&key, &authority).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], PrivateKeyDer::Pkcs8(key.serialize_der().into()))
        .unwrap();
    let tcp = TcpListener::bind("127.0.0.1:0").await.unwrap();
    (TlsListener { tcp, acceptor: TlsAcceptor::from(Arc::new(config)) }, authority.pem())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_receiver_is_told_only_if_its_certificate_is_ours() {
    let place = Place::new();
    let (listener, authority) = listener().await;
    let (_, other) = self::listener().await;
    let address = listener.tcp.local_addr().unwrap();
    let recorder = Recorder::default();
    recorder.listen(listener);
    let sink = |name: &str, authority: &str| {
        let mut endpoint = endpoint(address);
        endpoint.url = format!("https://localhost:{}/hook", address.port());
        endpoint.ca_file = Some(place.file(&format!("{name}.pem"), authority));
        endpoint.token_file = Some(place.file("token", "t0ken\n"));
        let kind = SinkKind::Webhook(WebhookConfig { endpoint, secret_file: None });
        SinkConfig { name: name.into(), kind, ..webhook(address) }
    };
    let mut source = Source::open(place.path());
    let running = run(&source, place.path(), vec![sink("ours", &authority), sink("theirs", &other)]);
    source.raise(1).await;
    wait_until("a refusal", || running.handle.health()[1].failing_since.is_some()).await;
    wait_until("the delivery", || recorder.taken().len() == 1).await;
    assert!(running.handle.health()[1].last_error.contains("certificate"), "{:?}", running.handle.health());
    let request = recorder.taken().remove(0);
    assert_eq!((request.path.as_str(), request.header("authorization")), ("/hook", "Bearer t0ken"));
    running.end().await;
}
