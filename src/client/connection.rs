//! A connection to one daemon, and the calls made on it.

use super::address::{Endpoint, EndpointError};
use super::error::{ClientError, root_cause};
use super::locate::Target;
use super::tls::Secured;
use crate::wire::health_v1::{HealthCheckRequest, health_check_response::ServingStatus, health_client::HealthClient};
use crate::wire::v1;
use crate::wire::v1::admin_service_client::AdminServiceClient;
use crate::wire::v1::alarm_service_client::AlarmServiceClient;
use crate::wire::v1::host_service_client::HostServiceClient;
use crate::wire::v1::inventory_service_client::InventoryServiceClient;
use crate::wire::v1::performance_service_client::PerformanceServiceClient;
use hyper_util::rt::TokioIo;
use std::future::Future;
use std::path::PathBuf;
use std::time::Duration;
use tokio::net::{TcpStream, UnixStream};
use tonic::transport::{Channel, Endpoint as Transport, Uri};
use tonic::{Response, Status};
use tower::service_fn;

/// 5 seconds: a daemon that is there answers a connection at once.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// 16 MiB: pages end at 2 MiB, a single object may be larger.
const MESSAGE_LIMIT: usize = 16 * 1024 * 1024;
/// 30 seconds: a call's own deadline, unless set otherwise.
const CALL_TIMEOUT: Duration = Duration::from_secs(30);
/// 3: how often a call is made again when the daemon asks for it.
const MAX_RETRIES: u32 = 3;
/// 5 seconds: longest pause the daemon may ask for within a call.
const MAX_RETRY_PAUSE: Duration = Duration::from_secs(5);

/// A connection to one daemon. Clones share it.
#[derive(Clone, Debug)]
pub struct Client {
    channel: Channel,
    target: Target,
    timeout: Duration,
}

impl Client {
    /// Connects.
    ///
    /// # Errors
    /// [`ClientError::Unreachable`] if nobody answers, [`ClientError::Tls`] if the material is unusable or a
    /// plain connection would leave this machine.
    pub async fn connect(target: &Target) -> Result<Self, ClientError> {
        let channel = match &target.endpoint {
            Endpoint::Unix(path) => connect_unix(&target.endpoint, path.clone()).await?,
            Endpoint::Tcp { host, port } => connect_tcp(target, host.clone(), *port).await?,
        };
        Ok(Self { channel, target: target.clone(), timeout: CALL_TIMEOUT })
    }

    /// The same connection with another deadline for its calls (not for streams).
    #[must_use]
    pub fn with_timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// Where it leads.
    pub fn target(&self) -> &Target {
        &self.target
    }

    /// The generated client of the inventory service, for calls not wrapped here.
    pub fn inventory(&self) -> InventoryServiceClient<Channel> {
        InventoryServiceClient::new(self.channel.clone()).max_decoding_message_size(MESSAGE_LIMIT)
    }

    /// The generated client of the admin service.
    pub fn admin(&self) -> AdminServiceClient<Channel> {
        AdminServiceClient::new(self.channel.clone()).max_decoding_message_size(MESSAGE_LIMIT)
    }

    /// The generated client of the host service.
    pub fn hosts(&self) -> HostServiceClient<Channel> {
        HostServiceClient::new(self.channel.clone()).max_decoding_message_size(MESSAGE_LIMIT)
    }

    /// The generated client of the alarm service, for calls not wrapped here.
    pub fn alarm_service(&self) -> AlarmServiceClient<Channel> {
        AlarmServiceClient::new(self.channel.clone()).max_decoding_message_size(MESSAGE_LIMIT)
    }

    /// The generated client of the performance service, for calls not wrapped here.
    pub fn performance(&self) -> PerformanceServiceClient<Channel> {
        PerformanceServiceClient::new(self.channel.clone()).max_decoding_message_size(MESSAGE_LIMIT)
    }

    /// Facts about the daemon.
    ///
    /// # Errors
    /// As [`Client::call`].
    pub async fn server_info(&self) -> Result<v1::ServerInfo, ClientError> {
        self.call(|| {
            let mut admin = self.admin();
            async move { admin.get_server_info(v1::GetServerInfoRequest {}).await }
        })
        .await
    }

    /// Every open stream of the daemon.
    ///
    /// # Errors
    /// As [`Client::call`].
    pub async fn sessions(&self) -> Result<Vec<v1::Session>, ClientError> {
        let mut sessions = Vec::new();
        let mut page_token = String::new();
        loop {
            let request = v1::ListSessionsRequest { page_size: 1_000, page_token };
            let page = self
                .call(|| {
                    let (mut admin, request) = (self.admin(), request.clone());
                    async move { admin.list_sessions(request).await }
                })
                .await?;
            sessions.extend(page.sessions);
            if page.next_page_token.is_empty() {
                return Ok(sessions);
            }
            page_token = page.next_page_token;
        }
    }

    /// Whether a service (empty: the daemon as a whole) is serving.
    ///
    /// # Errors
    /// As [`Client::call`].
    pub async fn is_serving(&self, service: &str) -> Result<bool, ClientError> {
        let answer = self
            .call(|| {
                let mut health = HealthClient::new(self.channel.clone());
                let request = HealthCheckRequest { service: service.to_owned() };
                async move { health.check(request).await }
            })
            .await?;
        Ok(answer.status() == ServingStatus::Serving)
    }

    /// Makes a call with the deadline of this client; makes it again, at most three times, when the daemon
    /// answers `UNAVAILABLE` with `RetryInfo`. Changes must therefore carry a `request_id`.
    ///
    /// # Errors
    /// [`ClientError::Refused`] with the daemon's reason, [`ClientError::Unreachable`] if the connection broke,
    /// [`ClientError::TimedOut`].
    pub async fn call<T, F, Fut>(&self, call: F) -> Result<T, ClientError>
    where
        F: Fn() -> Fut,
        Fut: Future<Output = Result<Response<T>, Status>>,
    {
        tokio::time::timeout(self.timeout, self.call_with_retries(call))
            .await
            .unwrap_or(Err(ClientError::TimedOut(self.timeout)))
    }

    async fn call_with_retries<T, F, Fut>(&self, call: F) -> Result<T, ClientError>
    where
        F: Fn() -> Fut,
        Fut: Future<Output = Result<Response<T>, Status>>,
    {
        let mut retries = 0;
        loop {
            let error = match call().await {
                Ok(response) => return Ok(response.into_inner()),
                Err(status) => ClientError::from_status(&status, &self.target.endpoint),
            };
            match error.retry_delay().filter(|delay| retries < MAX_RETRIES && *delay <= MAX_RETRY_PAUSE) {
                Some(delay) => tokio::time::sleep(delay).await,
                None => return Err(error),
            }
            retries += 1;
        }
    }
}

/// The transport's settings; the authority only fills the HTTP header.
fn transport(authority: &str) -> Result<Transport, ClientError> {
    let endpoint = Transport::from_shared(format!("http://{authority}"))
        .map_err(|error| EndpointError { text: authority.to_owned(), why: error.to_string() })?;
    Ok(endpoint
        .connect_timeout(CONNECT_TIMEOUT)
        .http2_keep_alive_interval(Duration::from_secs(30))
        .keep_alive_timeout(Duration::from_secs(20)))
}

async fn connect_unix(endpoint: &Endpoint, path: PathBuf) -> Result<Channel, ClientError> {
    let connector = service_fn(move |_: Uri| {
        let path = path.clone();
        async move { UnixStream::connect(path).await.map(TokioIo::new) }
    });
    let connected = transport("localhost")?.connect_with_connector(connector).await;
    connected.map_err(|error| ClientError::Unreachable { endpoint: endpoint.clone(), why: root_cause(&error) })
}

async fn connect_tcp(target: &Target, host: String, port: u16) -> Result<Channel, ClientError> {
    let endpoint = &target.endpoint;
    let unreachable = |error: tonic::transport::Error| ClientError::Unreachable {
        endpoint: endpoint.clone(),
        why: root_cause(&error),
    };
    let authority = endpoint.to_string();
    if let Some(files) = &target.tls {
        let secured = Secured::load(files, &host)?;
        let connector = service_fn(move |_: Uri| {
            let (secured, host) = (secured.clone(), host.clone());
            async move { secured.secure(TcpStream::connect((host, port)).await?).await.map(TokioIo::new) }
        });
        return transport(&authority)?.connect_with_connector(connector).await.map_err(unreachable);
    }
    if !endpoint.is_local() {
        return Err(ClientError::Tls(format!(
            "{endpoint} is another machine: that needs a context with ca, cert and key"
        )));
    }
    let connector = service_fn(move |_: Uri| {
        let host = host.clone();
        async move { TcpStream::connect((host, port)).await.map(TokioIo::new) }
    });
    transport(&authority)?.connect_with_connector(connector).await.map_err(unreachable)
}
