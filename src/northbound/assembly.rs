//! All services together, behind the gate.

use super::admin::{Admin, ServerFacts};
use super::alarm::{Alarms, ClosedAlarms};
use super::auth::{Gate, GateCounters, Policies, PolicyError};
use super::health::HealthBoard;
use super::host_service::Hosts;
use super::inventory::Inventory;
use super::limits;
use super::performance::{Measurements, Performance};
use super::published::Published;
use super::server::{ConnectionCounters, Listening, serve};
use super::sessions::{Sessions, WatchLimits};
use super::watch::Watching;
use crate::engine::{EngineHandle, EngineVitals};
use crate::wire::DESCRIPTORS;
use crate::wire::health_v1::health_server::HealthServer;
use crate::wire::v1::admin_service_server::AdminServiceServer;
use crate::wire::v1::alarm_service_server::AlarmServiceServer;
use crate::wire::v1::host_service_server::HostServiceServer;
use crate::wire::v1::inventory_service_server::InventoryServiceServer;
use crate::wire::v1::performance_service_server::PerformanceServiceServer;
use std::sync::Arc;
use tokio_util::sync::CancellationToken;
use tonic::service::Routes;

/// Services of this API that are served.
pub const SERVICES: [&str; 5] = [
    "vrm.v1.InventoryService",
    "vrm.v1.AlarmService",
    "vrm.v1.PerformanceService",
    "vrm.v1.HostService",
    "vrm.v1.AdminService",
];

/// Further services that reflection lists.
const OTHERS: [&str; 3] =
    ["grpc.health.v1.Health", "grpc.reflection.v1.ServerReflection", "grpc.reflection.v1alpha.ServerReflection"];

/// Why the server cannot be put together.
#[derive(Debug, thiserror::Error)]
pub enum AssemblyError {
    /// A method has no policy.
    #[error(transparent)]
    Policy(#[from] PolicyError),
    /// Reflection refuses the descriptors.
    #[error("reflection cannot be served: {0}")]
    Reflection(String),
}

/// What the server is made of.
#[derive(Clone, Debug)]
pub struct NorthboundParts {
    /// What is read.
    pub published: Published,
    /// Where changes go.
    pub engine: EngineHandle,
    /// What left the alarm list.
    pub closed_alarms: Arc<dyn ClosedAlarms>,
    /// What is measured.
    pub measurements: Arc<dyn Measurements>,
    /// The daemon.
    pub facts: ServerFacts,
    /// Bounds on open streams.
    pub watch_limits: WatchLimits,
    /// Figures of the engine; streams record how long alarms take to their transport.
    pub vitals: Arc<EngineVitals>,
    /// Cancelled when the daemon stops: streams end, connections drain.
    pub stop: CancellationToken,
}

/// The gRPC server.
#[derive(Debug)]
pub struct Northbound {
    routes: Routes,
    gate: Gate,
    stop: CancellationToken,
    engine: EngineHandle,
    /// Whether services serve; all start as not serving.
    pub health: HealthBoard,
    /// Open streams.
    pub sessions: Arc<Sessions>,
    /// Calls.
    pub calls: Arc<GateCounters>,
    /// Connections.
    pub connections: Arc<ConnectionCounters>,
}

impl Northbound {
    /// Puts the server together.
    ///
    /// # Errors
    /// [`AssemblyError`]: a bug of this build, so the daemon must not start.
    pub fn new(parts: NorthboundParts) -> Result<Self, AssemblyError> {
        let NorthboundParts { published, engine, closed_alarms, measurements, facts, watch_limits, vitals, stop } =
            parts;
        let policies = Arc::new(Policies::read(&SERVICES)?);
        let calls = Arc::new(GateCounters::default());
        let connections = Arc::new(ConnectionCounters::with_ledger(Arc::clone(&calls.ledger)));
        let sessions = Arc::new(Sessions::new(watch_limits));
        let health = HealthBoard::new(SERVICES);
        let watching = Watching {
            published: published.clone(),
            sessions: Arc::clone(&sessions),
            counters: Arc::clone(&calls),
            stopping: stop.clone(),
            latency: vitals.alarm_latency().clone(),
            vrm_id: facts.vrm_id.clone(),
            version: facts.version.clone(),
        };
        let alarms = Alarms {
            published: published.clone(),
            engine: engine.clone(),
            watching: watching.clone(),
            closed: closed_alarms,
        };
        let performance = Performance { published: published.clone(), measurements, watching: watching.clone() };
        let inventory = Inventory { published: published.clone(), engine: engine.clone(), watching };
        let hosts = Hosts { published: published.clone(), engine: engine.clone(), profile: facts.profile };
        let services = SERVICES.iter().chain(&OTHERS).map(|name| (*name).to_owned()).collect();
        let admin = Admin {
            published,
            sessions: Arc::clone(&sessions),
            engine: engine.clone(),
            vitals,
            policies: Arc::clone(&policies),
            services,
            facts,
        };
        let routes = Routes::new(
            InventoryServiceServer::new(inventory)
                .max_decoding_message_size(limits::REQUEST)
                .max_encoding_message_size(limits::ANSWER),
        )
        .add_service(
            AlarmServiceServer::new(alarms)
                .max_decoding_message_size(limits::REQUEST)
                .max_encoding_message_size(limits::ANSWER),
        )
        .add_service(
            PerformanceServiceServer::new(performance)
                .max_decoding_message_size(limits::REQUEST)
                .max_encoding_message_size(limits::ANSWER),
        )
        .add_service(HostServiceServer::new(hosts).max_decoding_message_size(limits::REQUEST))
        .add_service(AdminServiceServer::new(admin).max_decoding_message_size(limits::REQUEST))
        .add_service(HealthServer::new(health.clone()).max_decoding_message_size(limits::REQUEST));
        let gate = Gate::new(policies, Arc::clone(&calls));
        Ok(Self { routes: with_reflection(routes)?, gate, stop, engine, health, sessions, calls, connections })
    }

    /// Serves on bound sockets until told to stop and open calls have ended, which takes at most
    /// [`limits::DRAIN`].
    pub async fn serve(&self, listening: Listening) {
        let serving =
            serve(listening, self.routes.clone(), self.gate.clone(), Arc::clone(&self.connections), self.stop.clone());
        let quiet = async {
            self.stop.cancelled().await;
            self.health.stop();
        };
        let recording = self.calls.ledger.keep(&self.engine, &self.stop);
        tokio::join!(serving, quiet, recording);
    }
}

/// Adds both versions of reflection, which list what is served and nothing else.
fn with_reflection(routes: Routes) -> Result<Routes, AssemblyError> {
    let builder = || {
        SERVICES.iter().chain(&OTHERS).fold(
            tonic_reflection::server::Builder::configure()
                .register_encoded_file_descriptor_set(DESCRIPTORS)
                .register_encoded_file_descriptor_set(tonic_reflection::pb::v1::FILE_DESCRIPTOR_SET)
                .register_encoded_file_descriptor_set(tonic_reflection::pb::v1alpha::FILE_DESCRIPTOR_SET)
                .include_reflection_service(false),
            |builder, name| builder.with_service_name(*name),
        )
    };
    let failed = |error: tonic_reflection::server::Error| AssemblyError::Reflection(error.to_string());
    let new = builder().build_v1().map_err(failed)?;
    let old = builder().build_v1alpha().map_err(failed)?;
    Ok(routes
        .add_service(new.max_decoding_message_size(limits::REQUEST))
        .add_service(old.max_decoding_message_size(limits::REQUEST)))
}
