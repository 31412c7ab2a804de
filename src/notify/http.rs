//! A small HTTP client for sinks: one kept connection, TLS by rustls, one deadline per delivery.
//!
//! Redirects are not followed: a receiver that moved is a setting to change, and a signed body goes
//! nowhere else by itself.

use super::channel::Failure;
use super::config::Endpoint;
use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_TYPE, HOST, RETRY_AFTER, USER_AGENT};
use http::{HeaderName, HeaderValue, Method, Request, Response, StatusCode, Uri};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

/// What is read of an answer: 4 KiB, for the error text.
const ANSWER: usize = 4_096;

/// Where systems keep their authorities.
const SYSTEM_AUTHORITIES: [&str; 3] =
    ["/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/ca-bundle.pem"];

/// A client of one endpoint.
#[derive(Debug)]
pub(super) struct HttpClient {
    endpoint: Endpoint,
    uri: Uri,
    open: Option<SendRequest<Full<Bytes>>>,
}

impl HttpClient {
    /// A client of the endpoint, with `path` after the address's own.
    pub(super) fn new(endpoint: Endpoint, path: &str) -> Result<Self, String> {
        let text =
            format!("{}{path}", if path.is_empty() { &endpoint.url } else { endpoint.url.trim_end_matches('/') });
        let uri: Uri = text.parse().map_err(|error| format!("{text:?}: {error}"))?;
        if !matches!(uri.scheme_str(), Some("http" | "https")) || uri.host().is_none() {
            return Err(format!("{text:?} is no http:// or https:// address"));
        }
        Ok(Self { endpoint, uri, open: None })
    }

    /// Posts a JSON body; done when the receiver answered with 2xx.
    pub(super) async fn post(&mut self, body: Bytes, headers: &[(HeaderName, String)]) -> Result<(), Failure> {
        let limit = self.endpoint.timeout;
        match timeout(limit, self.exchange(body, headers)).await {
            Ok(result) => result,
            Err(_) => {
                self.open = None;
                Err(Failure::later(format!("{}: no answer within {} s", self.place(), limit.as_secs())))
            }
        }
    }

    fn place(&self) -> String {
        format!("{}:{}", self.uri.host().unwrap_or_default(), self.port())
    }

    fn is_tls(&self) -> bool {
        self.uri.scheme_str() == Some("https")
    }

    fn port(&self) -> u16 {
        self.uri.port_u16().unwrap_or(if self.is_tls() { 443 } else { 80 })
    }

    async fn exchange(&mut self, body: Bytes, headers: &[(HeaderName, String)]) -> Result<(), Failure> {
        // A kept connection may have been closed meanwhile; that is no failure of the receiver.
        if let Some(mut open) = self.open.take()
            && open.ready().await.is_ok()
            && let Ok(response) = open.send_request(self.request(&body, headers).await?).await
        {
            return self.judge(response, open).await;
        }
        let mut open = self.connect().await?;
        let response = open
            .send_request(self.request(&body, headers).await?)
            .await
            .map_err(|error| Failure::later(format!("{}: {error}", self.place())))?;
        self.judge(response, open).await
    }

    async fn request(&self, body: &Bytes, headers: &[(HeaderName, String)]) -> Result<Request<Full<Bytes>>, Failure> {
        let target = self.uri.path_and_query().map_or("/", http::uri::PathAndQuery::as_str);
        let authority = self.uri.authority().map_or("", http::uri::Authority::as_str);
        // Credentials in an address do not belong into a Host header; settings refuse them anyway.
        let host = authority.rsplit('@').next().unwrap_or_default();
        let mut request = Request::builder()
            .method(Method::POST)
            .uri(target)
            .header(HOST, host)
            .header(USER_AGENT, concat!("vrmd/", env!("CARGO_PKG_VERSION")))
            .header(CONTENT_TYPE, "application/json");
        if let Some(path) = &self.endpoint.token_file {
            let token = read_secret(path).await?;
            let mut value = HeaderValue::from_bytes(&[b"Bearer ", token.as_slice()].concat())
                .map_err(|_| Failure::later(format!("{}: no token", path.display())))?;
            value.set_sensitive(true);
            request = request.header(AUTHORIZATION, value);
        }
        for (name, value) in headers {
            request = request.header(name, value);
        }
        request.body(Full::new(body.clone())).map_err(|error| Failure::later(error.to_string()))
    }

    async fn connect(&self) -> Result<SendRequest<Full<Bytes>>, Failure> {
        let later = |error: &dyn std::fmt::Display| Failure::later(format!("{}: {error}", self.place()));
        let host = self.uri.host().unwrap_or_default().trim_matches(['[', ']']);
        let tcp = TcpStream::connect((host, self.port())).await.map_err(|error| later(&error))?;
        // Only speeds it up.
        let _ = tcp.set_nodelay(true);
        if self.is_tls() {
            let name = ServerName::try_from(host.to_owned()).map_err(|error| later(&error))?;
            let connector = TlsConnector::from(self.tls().await?);
            let tls = connector.connect(name, tcp).await.map_err(|error| later(&error))?;
            let (open, connection) = handshake(TokioIo::new(tls)).await.map_err(|error| later(&error))?;
            // Ends with the connection; its error is also the request's.
            tokio::spawn(async move { drop(connection.await) });
            Ok(open)
        } else {
            let (open, connection) = handshake(TokioIo::new(tcp)).await.map_err(|error| later(&error))?;
            tokio::spawn(async move { drop(connection.await) });
            Ok(open)
        }
    }

    async fn tls(&self) -> Result<Arc<ClientConfig>, Failure> {
        let chosen = self
            .endpoint
            .ca_file
            .clone()
            .or_else(|| SYSTEM_AUTHORITIES.iter().map(Path::new).find(|path| path.exists()).map(Path::to_owned));
        let Some(path) = chosen else { return Err(Failure::later("no certificate authorities on this system")) };
        let pem =
            tokio::fs::read(&path).await.map_err(|error| Failure::later(format!("{}: {error}", path.display())))?;
        let mut roots = RootCertStore::empty();
        let (taken, _) = roots.add_parsable_certificates(CertificateDer::pem_slice_iter(&pem).flatten());
        if taken == 0 {
            return Err(Failure::later(format!("{}: no certificate", path.display())));
        }
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|error| Failure::later(error.to_string()))?
            .with_root_certificates(roots)
            .with_no_client_auth();
        Ok(Arc::new(config))
    }

    async fn judge(&mut self, response: Response<Incoming>, open: SendRequest<Full<Bytes>>) -> Result<(), Failure> {
        let status = response.status();
        let pause = response
            .headers()
            .get(RETRY_AFTER)
            .and_then(|value| value.to_str().ok())
            .and_then(|text| text.parse().ok())
            .map(Duration::from_secs);
        let answer = Limited::new(response.into_body(), ANSWER).collect().await;
        if answer.is_ok() {
            self.open = Some(open);
        }
        if status.is_success() {
            return Ok(());
        }
        let said = answer.map(|body| String::from_utf8_lossy(&body.to_bytes()).trim().to_owned()).unwrap_or_default();
        let said: String = said.chars().take(200).collect();
        let reason = format!("{}: {status} {said}", self.place()).trim_end().to_owned();
        match status {
            StatusCode::BAD_REQUEST | StatusCode::PAYLOAD_TOO_LARGE | StatusCode::UNPROCESSABLE_ENTITY => {
                Err(Failure::Refused(reason))
            }
            _ => Err(Failure::Later { reason, pause }),
        }
    }
}

/// The content of a secret's file without the end of its line.
pub(super) async fn read_secret(path: &Path) -> Result<Vec<u8>, Failure> {
    let mut secret =
        tokio::fs::read(path).await.map_err(|error| Failure::later(format!("{}: {error}", path.display())))?;
    while secret.last().is_some_and(u8::is_ascii_whitespace) {
        secret.pop();
    }
    if secret.is_empty() {
        return Err(Failure::later(format!("{}: is empty", path.display())));
    }
    Ok(secret)
}
