//! The OpenMetrics page: figures about the daemon itself and its hosts, made anew at each scrape
//! from published state, so that nothing stale is ever shown.

mod alarms;
mod encoding;
mod measured;
mod sinks;

use self::encoding::{Encoded, Labels, counter, family, gauge};
use super::performance::Measurements;
use super::sessions::Sessions;
use crate::changes::ChangeLog;
use crate::engine::{EngineVitals, TURN_BOUNDS_US};
use crate::model::{Body, ObjectClass};
use crate::telemetry::{AlarmLatency, LogCounters, SinkFigures};
use axum::Router;
use axum::body::Body as PageBody;
use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::DescriptorEncoder;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::Registry;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tokio::net::TcpListener;
use tokio::runtime::Handle;
use tokio::sync::{Semaphore, mpsc};
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::sync::CancellationToken;

/// Where the page's figures come from.
#[derive(Clone, Debug)]
pub struct MetricsSources {
    /// Published state.
    pub log: Arc<ChangeLog>,
    /// The engine's own figures.
    pub engine: Arc<EngineVitals>,
    /// Open streams.
    pub sessions: Arc<Sessions>,
    /// Logging and panics.
    pub logging: LogCounters,
    /// How long alarms take to be told.
    pub latency: AlarmLatency,
    /// What is measured.
    pub measurements: Arc<dyn Measurements>,
    /// Notification sinks.
    pub sinks: Vec<Arc<SinkFigures>>,
}

/// The bound page.
#[derive(Debug)]
pub struct MetricsPage {
    listener: TcpListener,
}

impl MetricsPage {
    /// Binds the page's address.
    ///
    /// # Errors
    /// As the system reports them.
    pub async fn bind(address: SocketAddr) -> std::io::Result<Self> {
        Ok(Self { listener: TcpListener::bind(address).await? })
    }

    /// Serves the page until `stop`.
    pub async fn serve(self, sources: MetricsSources, stop: CancellationToken) {
        let serving = Serving { sources, pages: Arc::new(Semaphore::new(PAGES)) };
        let router = Router::new().route("/metrics", get(page)).with_state(serving);
        let served = axum::serve(self.listener, router).with_graceful_shutdown(stop.cancelled_owned()).await;
        if let Err(error) = served {
            tracing::error!(%error, "metrics page");
        }
    }
}

/// Pages made at a time; further scrapes are told to come again.
const PAGES: usize = 4;

/// Pieces that wait for the connection: what a page has in memory.
const WAITING: usize = 4;

/// A reader that takes nothing for so long is gone.
const STALLED: Duration = Duration::from_secs(10);

/// The mark at the end of every page.
const END: &str = "# EOF\n";

#[derive(Clone, Debug)]
struct Serving {
    sources: MetricsSources,
    pages: Arc<Semaphore>,
}

async fn page(State(serving): State<Serving>) -> Response {
    let Ok(permit) = Arc::clone(&serving.pages).try_acquire_owned() else {
        return (StatusCode::SERVICE_UNAVAILABLE, "too many scrapes at a time\n").into_response();
    };
    let (sender, receiver) = mpsc::channel(WAITING);
    let runtime = Handle::current();
    // Ten thousand machines are seconds of work: not on the threads that serve everybody else.
    tokio::task::spawn_blocking(move || {
        let mut sink = |text: &mut String| {
            let piece = Ok::<_, Infallible>(std::mem::take(text));
            let sent = runtime.block_on(tokio::time::timeout(STALLED, sender.send(piece)));
            matches!(sent, Ok(Ok(())))
        };
        // A reader that is gone needs no rest of the page; it sees by the missing end that it is not whole.
        let _ = write_page(serving.sources, &mut sink);
        drop(permit);
    });
    let body = PageBody::from_stream(ReceiverStream::new(receiver));
    ([(CONTENT_TYPE, "application/openmetrics-text; version=1.0.0; charset=utf-8")], body).into_response()
}

/// Writes the whole page; false if nobody reads any more.
fn write_page(sources: MetricsSources, sink: &mut measured::Sink<'_>) -> bool {
    let (log, measurements) = (Arc::clone(&sources.log), Arc::clone(&sources.measurements));
    let mut registry = Registry::with_prefix("vrm");
    registry.register_collector(Box::new(Snapshot(sources)));
    registry.register("build", "Version of the daemon", Info::new([("version", env!("CARGO_PKG_VERSION"))]));
    let mut text = String::new();
    // Writing into a string does not fail; without its end the page is refused by whoever reads it.
    if encode(&mut text, &registry).is_err() {
        return false;
    }
    text.truncate(text.len() - if text.ends_with(END) { END.len() } else { 0 });
    let table = measurements.snapshot();
    let measured = measured::Measured::new(&log, &table, measurements.descriptions());
    sink(&mut text) && measured.write(sink) && sink(&mut END.to_owned())
}

#[derive(Debug)]
struct Snapshot(MetricsSources);

impl Collector for Snapshot {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Encoded {
        self.daemon(&mut encoder)?;
        self.hosts(&mut encoder)?;
        alarms::encode_alarms(&self.0.log.all(ObjectClass::Alarm), &mut encoder)?;
        alarms::encode_latency(&self.0.latency, &mut encoder)?;
        sinks::encode_sinks(&self.0.sinks, &mut encoder)
    }
}

impl Snapshot {
    #[expect(clippy::cast_precision_loss, reason = "sequence numbers and counts stay far below 2^53")]
    fn daemon(&self, encoder: &mut DescriptorEncoder<'_>) -> Encoded {
        let MetricsSources { log, engine, sessions, logging, .. } = &self.0;
        let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0.0, |since| since.as_secs_f64());
        gauge(encoder, "heartbeat_timestamp_seconds", "When this page was made; alert when it stops moving", now)?;
        gauge(encoder, "log_head_sequence", "Sequence of the last committed change", log.head() as f64)?;
        counter(encoder, "changes", "Changes made since start", engine.changes())?;
        let outstanding = engine.outstanding() as f64;
        gauge(encoder, "store_outstanding_transactions", "Transactions that wait for the disk", outstanding)?;
        counter(
            encoder,
            "commands_refused_busy",
            "Commands refused because the disk was behind",
            engine.refused_busy(),
        )?;
        gauge(encoder, "streams", "Open watch streams", sessions.all().len() as f64)?;
        counter(
            encoder,
            "log_records_dropped",
            "Log records dropped because the journal did not read",
            logging.dropped(),
        )?;
        let fault = engine.fault();
        let merged = [
            ("repeats", fault.repeats),
            ("absorbed", fault.absorbed),
            ("reclassified", fault.reclassified),
            ("crowded_out", fault.crowded_out),
            ("coalesced", fault.coalesced),
        ]
        .map(|(how, count)| (vec![("how", how.to_owned())], ConstCounter::new(count)));
        family(encoder, "alarm_conditions_merged", "What alarms did not tell by themselves, by how", merged)?;
        counter(encoder, "panics", "Panics caught since start", logging.panics())?;
        let classes = ObjectClass::RESOURCES
            .map(|class| (vec![("class", class.as_str().to_owned())], ConstGauge::new(log.count(class) as f64)));
        family(encoder, "objects", "Managed objects by class", classes)?;
        let (turns, _) = engine.turn_times();
        let buckets = TURN_BOUNDS_US.iter().zip(turns).map(|(bound, count)| {
            let bound = if *bound == u64::MAX { "+Inf".to_owned() } else { format!("{}", *bound as f64 / 1e6) };
            (vec![("up_to_seconds", bound)], ConstCounter::new(count))
        });
        family(encoder, "engine_turns", "Turns of the engine by the time they took", buckets)
    }

    fn hosts(&self, encoder: &mut DescriptorEncoder<'_>) -> Encoded {
        let log = &self.0.log;
        let hosts = log.all(ObjectClass::Host);
        let up =
            hosts.iter().map(|host| (vec![("host", host.name.id())], ConstGauge::new(i64::from(!host.state.unknown))));
        family(encoder, "host_up", "1 while the host answers", up)?;
        let hypervisors = log.all(ObjectClass::Hypervisor);
        let figures: Vec<(Labels, u64, u64)> = hypervisors
            .iter()
            .filter_map(|object| match &object.body {
                Body::Hypervisor(hypervisor) => {
                    let host = object.host()?.to_string();
                    let labels = vec![("host", host), ("technology", hypervisor.technology.clone())];
                    Some((labels, hypervisor.volatile.missed_events, hypervisor.volatile.severed_lanes))
                }
                _ => None,
            })
            .collect();
        let missed = figures.iter().map(|(labels, missed, _)| (labels.clone(), ConstCounter::new(*missed)));
        family(encoder, "missed_events", "Differences a poll found that no event had announced", missed)?;
        let severed = figures.iter().map(|(labels, _, severed)| (labels.clone(), ConstCounter::new(*severed)));
        family(encoder, "severed_lanes", "Connections cut because a call hung", severed)
    }
}
