//! A server in this process, and clients of it.

use super::raw::RawClient;
use hyper_util::rt::TokioIo;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Instant, SystemTime};
use tempfile::TempDir;
use tokio::net::{TcpStream, UnixStream};
use tokio_util::sync::CancellationToken;
use tonic::transport::{Channel, Endpoint};
use vrm::changes::{ChangeLog, Restored};
use vrm::engine::{self, EngineParts};
use vrm::hypervisor::sim::{SimOpener, SimSetup, tokio_clock};
use vrm::inventory::InventorySettings;
use vrm::model::Timestamp;
use vrm::model::alarm_command::ClosedAlarmQuery;
use vrm::model::dn::DnScheme;
use vrm::model::history::{HistoryError, TransitionHistory};
use vrm::model::registration::Profile;
use vrm::northbound::{
    ClosedAlarmPage, ClosedAlarms, Listen, Listening, Measurements, NoMeasurements, Northbound, NorthboundParts,
    Published, SERVICES, ServerFacts, WatchLimits, make_dev_tls,
};
use vrm::store::{Journal, OpenOptions};
use vrm::wire::v1::admin_service_client::AdminServiceClient;
use vrm::wire::v1::alarm_service_client::AlarmServiceClient;
use vrm::wire::v1::host_service_client::HostServiceClient;
use vrm::wire::v1::inventory_service_client::InventoryServiceClient;
use vrm::wire::v1::performance_service_client::PerformanceServiceClient;

/// A running server; it stops when this is dropped.
pub struct TestServer {
    directory: TempDir,
    socket: PathBuf,
    loopback: String,
    tls: String,
    pub northbound: Arc<Northbound>,
    pub stop: CancellationToken,
    task: Option<tokio::task::JoinHandle<()>>,
    stop_engine: CancellationToken,
}

impl TestServer {
    /// Serves a scripted log. Its engine has a log of its own, which nobody sees.
    pub async fn scripted(log: &Arc<ChangeLog>) -> Self {
        Self::start(Some(Arc::clone(log)), WatchLimits::default()).await
    }

    /// The same with bounds on streams.
    pub async fn with_limits(log: &Arc<ChangeLog>, limits: WatchLimits) -> Self {
        Self::start(Some(Arc::clone(log)), limits).await
    }

    /// The same with a history of closed alarms.
    pub async fn with_history(log: &Arc<ChangeLog>, closed: Arc<dyn ClosedAlarms>) -> Self {
        Self::begin(Some(Arc::clone(log)), WatchLimits::default(), closed, Arc::new(NoMeasurements)).await
    }

    /// The same with measurements.
    pub async fn measuring(log: &Arc<ChangeLog>, measurements: Arc<dyn Measurements>) -> Self {
        Self::begin(Some(Arc::clone(log)), WatchLimits::default(), Arc::new(NoClosedAlarms), measurements).await
    }

    /// Serves what the engine publishes.
    pub async fn live() -> Self {
        Self::start(None, WatchLimits::default()).await
    }

    async fn start(scripted: Option<Arc<ChangeLog>>, watch_limits: WatchLimits) -> Self {
        Self::begin(scripted, watch_limits, Arc::new(NoClosedAlarms), Arc::new(NoMeasurements)).await
    }

    async fn begin(
        scripted: Option<Arc<ChangeLog>>,
        watch_limits: WatchLimits,
        closed_alarms: Arc<dyn ClosedAlarms>,
        measurements: Arc<dyn Measurements>,
    ) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let (journal, loaded) =
            Journal::open(&OpenOptions { directory: directory.path().join("state"), vrm_id: "test".into() }).unwrap();
        let restored = Restored { epoch: loaded.epoch.clone(), ..Restored::default() };
        let own = Arc::new(ChangeLog::new(restored, Arc::clone(&journal.reader) as Arc<dyn TransitionHistory>));
        let stop_engine = CancellationToken::new();
        let setup = SimSetup { clock: tokio_clock(), profile: Profile::Monitor };
        let (assignments, _) = tokio::sync::mpsc::unbounded_channel();
        let (engine, vitals, _) = engine::start(
            EngineParts {
                settings: InventorySettings { cluster_id: "c1".into(), ..Default::default() },
                fault: vrm::fault::FaultSettings::default(),
                head: 0,
                objects: Vec::new(),
                tombstones: Vec::new(),
                hosts: Vec::new(),
                requests: Vec::new(),
                rebuilt: false,
                store: journal.store,
                acks: journal.acks,
                changes: Arc::clone(&own),
                opener: Arc::new(SimOpener::new(setup)),
                assignments,
                removal_guard: 0.1,
                clock: Arc::new(now),
            },
            stop_engine.clone(),
        );
        engine.configure_hosts(Vec::new(), false).await.unwrap();
        let log = scripted.unwrap_or(own);
        let (socket, listening) = listen(directory.path()).await;
        let addresses = listening.addresses();
        let stop = CancellationToken::new();
        let dn = DnScheme { prefix: String::new(), vrm_id: "test".into(), cluster_id: "c1".into() };
        let northbound = Northbound::new(NorthboundParts {
            published: Published { log: Arc::clone(&log), dn: Arc::new(dn), now },
            engine,
            closed_alarms,
            measurements,
            facts: facts(addresses.clone()),
            watch_limits,
            vitals,
            stop: stop.clone(),
        });
        let northbound = Arc::new(northbound.unwrap());
        for service in SERVICES.into_iter().chain([""]) {
            northbound.health.set(service, true);
        }
        let serving = Arc::clone(&northbound);
        let task = tokio::spawn(async move { serving.serve(listening).await });
        Self {
            directory,
            socket,
            loopback: addresses[1].clone(),
            tls: addresses[2].clone(),
            northbound,
            stop,
            task: Some(task),
            stop_engine,
        }
    }

    /// A connection as the user who runs the test, who has all roles.
    pub async fn channel(&self) -> Channel {
        let path = self.socket.clone();
        connect(tower::service_fn(move |_| {
            let path = path.clone();
            async move { Ok::<_, std::io::Error>(TokioIo::new(UnixStream::connect(path).await?)) }
        }))
        .await
    }

    /// A connection over the plaintext loopback listener, whose role is viewer.
    pub async fn viewer_channel(&self) -> Channel {
        let address = self.loopback.clone();
        connect(tower::service_fn(move |_| {
            let address = address.clone();
            async move { Ok::<_, std::io::Error>(TokioIo::new(TcpStream::connect(address).await?)) }
        }))
        .await
    }

    /// A connection over TLS with the certificate of a name: `admin`, `viewer` or `nobody`.
    pub async fn tls_channel(&self, name: &str) -> Channel {
        let connector = super::raw::tls_connector(&self.directory.path().join("tls"), name);
        let address = self.tls.clone();
        connect(tower::service_fn(move |_| {
            let (connector, address) = (connector.clone(), address.clone());
            async move {
                let stream = TcpStream::connect(address).await?;
                let name = rustls_pki_types::ServerName::try_from("localhost").unwrap();
                Ok::<_, std::io::Error>(TokioIo::new(connector.connect(name, stream).await?))
            }
        }))
        .await
    }

    /// The bare TLS stream of such a connection.
    pub async fn tls_stream(&self, name: &str) -> tokio_rustls::client::TlsStream<TcpStream> {
        let connector = super::raw::tls_connector(&self.directory.path().join("tls"), name);
        let stream = TcpStream::connect(&self.tls).await.unwrap();
        connector.connect(rustls_pki_types::ServerName::try_from("localhost").unwrap(), stream).await.unwrap()
    }

    pub async fn inventory(&self) -> InventoryServiceClient<Channel> {
        InventoryServiceClient::new(self.channel().await)
    }

    pub async fn alarms(&self) -> AlarmServiceClient<Channel> {
        AlarmServiceClient::new(self.channel().await)
    }

    pub async fn performance(&self) -> PerformanceServiceClient<Channel> {
        PerformanceServiceClient::new(self.channel().await)
    }

    pub async fn hosts(&self) -> HostServiceClient<Channel> {
        HostServiceClient::new(self.channel().await)
    }

    pub async fn admin(&self) -> AdminServiceClient<Channel> {
        AdminServiceClient::new(self.channel().await)
    }

    pub async fn raw(&self) -> RawClient {
        RawClient::new(self.channel().await)
    }

    /// The audit trail of a live server: principal, method, target, outcome, detail.
    pub fn audit(&self) -> Vec<[String; 5]> {
        let connection = rusqlite::Connection::open(self.directory.path().join("state/journal.db")).unwrap();
        let mut statement = connection
            .prepare("SELECT principal, method, target, outcome, json_extract(body, '$.detail') FROM audit ORDER BY id")
            .unwrap();
        let rows = statement.query_map([], |row| Ok([row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?, row.get(4)?]));
        rows.unwrap().collect::<Result<_, _>>().unwrap()
    }

    pub fn socket(&self) -> &Path {
        &self.socket
    }

    pub fn loopback(&self) -> &str {
        &self.loopback
    }

    /// Stops and waits until everything has ended.
    pub async fn stopped(mut self) {
        self.stop.cancel();
        self.task.take().unwrap().await.unwrap();
    }
}

impl Drop for TestServer {
    fn drop(&mut self) {
        self.stop.cancel();
        self.stop_engine.cancel();
    }
}

async fn listen(directory: &Path) -> (PathBuf, Listening) {
    let socket = directory.join("vrmd.sock");
    let authority = Arc::new(make_dev_tls(&directory.join("tls")).unwrap());
    let any = "127.0.0.1:0".parse().unwrap();
    let listeners = vec![Listen::Unix(socket.clone()), Listen::InsecureLoopback(any), Listen::Tls(any, authority)];
    (socket, Listening::bind(listeners).await.unwrap())
}

fn facts(listeners: Vec<String>) -> ServerFacts {
    ServerFacts {
        vrm_id: "test".into(),
        cluster_id: "c1".into(),
        version: "9.9.9".into(),
        profile: Profile::Monitor,
        start_time: now(),
        started: Instant::now(),
        listeners,
        insecure_loopback: true,
        clock_synchronized: || None,
    }
}

async fn connect<C, T>(connector: C) -> Channel
where
    C: tower::Service<http::Uri, Response = TokioIo<T>, Error = std::io::Error> + Send + 'static,
    C::Future: Send,
    T: tokio::io::AsyncRead + tokio::io::AsyncWrite + Send + Unpin + 'static,
{
    Endpoint::from_static("http://localhost").connect_with_connector(connector).await.unwrap()
}

fn now() -> Timestamp {
    Timestamp::from_system(SystemTime::now())
}

/// A history that never holds anything.
#[derive(Debug)]
struct NoClosedAlarms;

impl ClosedAlarms for NoClosedAlarms {
    fn read(&self, _: &ClosedAlarmQuery) -> Result<ClosedAlarmPage, HistoryError> {
        Ok(ClosedAlarmPage::default())
    }
}
