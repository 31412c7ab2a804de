//! Wires the gRPC server: sockets, services, health.

use super::fault::StoredHistory;
use super::names::dn_scheme;
use super::options::Options;
use crate::changes::ChangeLog;
use crate::engine::{EngineHandle, EngineVitals};
use crate::model::Timestamp;
use crate::model::registration::Profile;
use crate::northbound::{
    Listen, ListenError, Listening, Measurements, MetricsPage, MetricsSources, Northbound, NorthboundParts, Published,
    SERVICES, ServerFacts, Sessions, WatchLimits, make_dev_tls,
};
use crate::settings::{self, Listener, Metrics, Settings};
use crate::store::JournalReader;
use crate::telemetry::{LogCounters, SinkFigures};
use anyhow::Context;
use std::sync::Arc;
use std::time::{Instant, SystemTime};
use tokio::sync::Mutex;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// Service that serves when every host has been read or judged lost.
const INVENTORY: &str = "vrm.v1.InventoryService";

/// The running server.
pub(super) struct Server {
    northbound: Arc<Northbound>,
    stop: CancellationToken,
    task: Mutex<Option<JoinHandle<()>>>,
}

impl Server {
    /// The daemon serves.
    pub(super) fn ready(&self) {
        for service in SERVICES.into_iter().filter(|service| *service != INVENTORY).chain([""]) {
            self.northbound.health.set(service, true);
        }
    }

    /// The inventory is complete, as far as hosts answer.
    pub(super) fn inventory_ready(&self) {
        self.northbound.health.set(INVENTORY, true);
    }

    /// Open streams.
    pub(super) fn sessions(&self) -> Arc<Sessions> {
        Arc::clone(&self.northbound.sessions)
    }

    /// Ends streams and waits for open calls, bounded.
    pub(super) async fn stop(&self) {
        self.stop.cancel();
        if let Some(task) = self.task.lock().await.take()
            && let Err(error) = task.await
        {
            tracing::warn!(%error, "northbound");
        }
    }
}

/// What is served, and who serves it.
pub(super) struct Parts<'a> {
    pub(super) vrm_id: &'a str,
    pub(super) changes: &'a Arc<ChangeLog>,
    pub(super) engine: &'a EngineHandle,
    pub(super) vitals: &'a Arc<EngineVitals>,
    pub(super) log: &'a LogCounters,
    pub(super) history: &'a Arc<JournalReader>,
    pub(super) sinks: Vec<Arc<SinkFigures>>,
    pub(super) measurements: Arc<dyn Measurements>,
}

/// Binds the sockets and serves on them; everything answers NOT_SERVING until [`Server::ready`].
pub(super) async fn bind(options: &Options, settings: &Settings, parts: Parts<'_>) -> anyhow::Result<Server> {
    let Parts { vrm_id, changes, engine, vitals, log, history, sinks, measurements } = parts;
    let listening = listen(options, settings).await.map_err(|error| anyhow::anyhow!("{error:#}"))?;
    for address in listening.addresses() {
        tracing::info!(address, "listening");
    }
    if listening.is_insecure() {
        tracing::warn!("anybody on this machine may read without credential (--insecure-loopback)");
    }
    let metrics = metrics_page(settings).await?;
    let stop = CancellationToken::new();
    let dn = dn_scheme(settings, vrm_id);
    let northbound = Northbound::new(NorthboundParts {
        published: Published { log: Arc::clone(changes), dn: Arc::new(dn), now },
        engine: engine.clone(),
        closed_alarms: Arc::new(StoredHistory(Arc::clone(history))),
        measurements: Arc::clone(&measurements),
        facts: ServerFacts {
            vrm_id: vrm_id.to_owned(),
            cluster_id: settings.cluster_id.clone(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            profile: match settings.profile {
                settings::Profile::Monitor => Profile::Monitor,
                settings::Profile::Manage => Profile::Manage,
            },
            start_time: now(),
            started: Instant::now(),
            listeners: listening.addresses(),
            insecure_loopback: listening.is_insecure(),
            clock_synchronized,
        },
        watch_limits: WatchLimits {
            per_principal: usize::try_from(settings.watches_per_principal).unwrap_or(usize::MAX),
            total: usize::try_from(settings.watches).unwrap_or(usize::MAX),
        },
        vitals: Arc::clone(vitals),
        stop: stop.clone(),
    })?;
    let northbound = Arc::new(northbound);
    if let Some(page) = metrics {
        let sources = MetricsSources {
            log: Arc::clone(changes),
            engine: Arc::clone(vitals),
            sessions: Arc::clone(&northbound.sessions),
            logging: log.clone(),
            latency: vitals.alarm_latency().clone(),
            measurements: Arc::clone(&measurements),
            sinks,
        };
        tokio::spawn(page.serve(sources, stop.clone()));
    }
    let serving = Arc::clone(&northbound);
    let task = tokio::spawn(async move { serving.serve(listening).await });
    Ok(Server { northbound, stop, task: Mutex::new(Some(task)) })
}

/// The metrics page; a busy default address is no reason not to start, one that was asked for is.
async fn metrics_page(settings: &Settings) -> anyhow::Result<Option<MetricsPage>> {
    let Metrics::On { address, explicit } = settings.metrics else { return Ok(None) };
    match MetricsPage::bind(address).await {
        Ok(page) => Ok(Some(page)),
        Err(error) if explicit => Err(error).with_context(|| format!("metrics page on {address}")),
        Err(error) => {
            tracing::warn!(%address, %error, "no metrics page; name another address with --metrics, or off");
            Ok(None)
        }
    }
}

async fn listen(options: &Options, settings: &Settings) -> anyhow::Result<Listening> {
    let authority = match &options.dev_tls {
        Some(directory) => {
            let authority = make_dev_tls(directory).context("make throw-away certificates")?;
            tracing::warn!(directory = %directory.display(), "throw-away certificates for clients were written");
            Some(Arc::new(authority))
        }
        None => None,
    };
    let mut inherited = inherited();
    let mut listeners = Vec::new();
    for listener in &settings.listeners {
        match (listener, &authority) {
            // systemd has bound it.
            (Listener::Unix(_), _) if inherited.is_some() => {}
            (Listener::Unix(path), _) => listeners.push(Listen::Unix(path.clone())),
            (Listener::Tcp(address), Some(authority)) => listeners.push(Listen::Tls(*address, Arc::clone(authority))),
            (Listener::Tcp(address), None) if options.insecure_loopback => {
                listeners.push(Listen::InsecureLoopback(*address));
            }
            (Listener::Tcp(address), None) => anyhow::bail!(
                "{address}: TCP needs certificates (--dev-tls DIR for a trial), or --insecure-loopback on a loopback address"
            ),
        }
    }
    let mut listening = Listening::bind(listeners).await.map_err(explained)?;
    if let Some(socket) = inherited.take() {
        listening.inherit_unix(socket)?;
    }
    Ok(listening)
}

fn explained(error: ListenError) -> anyhow::Error {
    let hint = match &error {
        ListenError::Bind { .. } => "does its directory exist, and may this user write there?",
        ListenError::InUse(_) => "is another vrmd running?",
        ListenError::NotLoopback(_) | ListenError::Inherited(_) => "",
    };
    let error = anyhow::Error::from(error);
    if hint.is_empty() { error } else { anyhow::anyhow!("{error:#}; {hint}") }
}

/// A unix socket handed over by systemd, if there is one.
fn inherited() -> Option<std::os::unix::net::UnixListener> {
    let mut sockets = listenfd::ListenFd::from_env();
    (0..sockets.len()).find_map(|at| sockets.take_unix_listener(at).ok().flatten())
}

/// systemd-timesyncd leaves a file once it has synchronised; without it nobody knows.
fn clock_synchronized() -> Option<bool> {
    std::path::Path::new("/run/systemd/timesync/synchronized").exists().then_some(true)
}

fn now() -> Timestamp {
    Timestamp::from_system(SystemTime::now())
}
