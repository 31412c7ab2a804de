//! `AdminService`: the daemon itself and its open streams.

use super::auth::{Policies, Role};
use super::failure::Failure;
use super::limits;
use super::listing::page_size;
use super::published::{self, Published};
use super::reason::Reason;
use super::request::{Call, called};
use super::sessions::Sessions;
use crate::changes::Position;
use crate::engine::{CommandContext, EngineHandle, EngineVitals};
use crate::model::host::ConnectionState;
use crate::model::registration::Profile;
use crate::model::{Body, Name, ObjectClass, Timestamp};
use crate::telemetry::LatencyStage;
use crate::wire::{convert, v1};
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tonic::{Request, Response, Status};
use v1::admin_service_server::AdminService;

/// Notifications of `WatchResources` and `WatchAlarms`, by the names 3GPP TS 28.532 gives them.
const NOTIFICATIONS: [&str; 13] = [
    "notifyMOICreation",
    "notifyMOIDeletion",
    "notifyMOIAttributeValueChanges",
    "notifyNewAlarm",
    "notifyNewSecAlarm",
    "notifyChangedAlarm",
    "notifyClearedAlarm",
    "notifyAckStateChanged",
    "notifyCorrelatedNotificationChanged",
    "notifyComments",
    "notifyPotentialFaultyAlarmList",
    "notifyAlarmListRebuilt",
    "notifyHeartbeat",
];

/// Optional groups of the interface that are served.
const OPTIONAL_GROUPS: [&str; 4] = ["direct-host", "topology-export", "validate-only", "relations"];

fn words(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| (*word).to_owned()).collect()
}

/// What does not change while the daemon runs.
#[derive(Clone, Debug)]
pub struct ServerFacts {
    /// Id of the VRM.
    pub vrm_id: String,
    /// Id of the cluster.
    pub cluster_id: String,
    /// Version of the software.
    pub version: String,
    /// Upper bound of what is done to hosts.
    pub profile: Profile,
    /// When the daemon started.
    pub start_time: Timestamp,
    /// The same by the monotonic clock.
    pub started: Instant,
    /// Where it listens.
    pub listeners: Vec<String>,
    /// Anybody on the machine may read.
    pub insecure_loopback: bool,
    /// Whether the clock is synchronised, as far as known.
    pub clock_synchronized: fn() -> Option<bool>,
}

/// The service.
#[derive(Clone, Debug)]
pub struct Admin {
    /// What is read.
    pub published: Published,
    /// Open streams.
    pub sessions: Arc<Sessions>,
    /// Where acts are recorded.
    pub engine: EngineHandle,
    /// Figures of the engine.
    pub vitals: Arc<EngineVitals>,
    /// Who may do what.
    pub policies: Arc<Policies>,
    /// What is served.
    pub services: Vec<String>,
    /// The daemon.
    pub facts: ServerFacts,
}

#[tonic::async_trait]
impl AdminService for Admin {
    async fn get_server_info(
        &self,
        request: Request<v1::GetServerInfoRequest>,
    ) -> Result<Response<v1::ServerInfo>, Status> {
        let (call, _) = called(request)?;
        Ok(Response::new(self.server_info(&call)))
    }

    async fn list_sessions(
        &self,
        request: Request<v1::ListSessionsRequest>,
    ) -> Result<Response<v1::ListSessionsResponse>, Status> {
        Ok(Response::new(self.session_page(&request.into_inner())?))
    }

    async fn get_session(&self, request: Request<v1::GetSessionRequest>) -> Result<Response<v1::Session>, Status> {
        let session = self.sessions.get(&request.into_inner().name)?;
        Ok(Response::new(session.message(self.published.log.epoch(), self.published.log.head())))
    }

    async fn close_session(
        &self,
        request: Request<v1::CloseSessionRequest>,
    ) -> Result<Response<v1::CloseSessionResponse>, Status> {
        let (call, request) = called(request)?;
        let actor = call.caller.actor(request.actor.as_ref())?;
        let session = self.sessions.get(&request.name)?;
        // Recorded before it is done: an end that nobody can be asked about does not happen.
        let detail = format!("{} of {}", session.method(), session.principal());
        let context = CommandContext { actor, method: call.method.clone(), ..CommandContext::default() };
        self.engine.audit(&context, &Name::new(&*request.name), &detail).await.map_err(Failure::from)?;
        self.sessions.close(&request.name)?;
        Ok(Response::new(v1::CloseSessionResponse {}))
    }
}

impl Admin {
    fn server_info(&self, call: &Call) -> v1::ServerInfo {
        let log = &self.published.log;
        let at = |sequence| Some(published::position(Position { epoch: log.epoch().to_owned(), sequence }));
        let facts = &self.facts;
        v1::ServerInfo {
            vrm_id: facts.vrm_id.clone(),
            system_dn: self.published.dn.dn(&Name::vrm()),
            cluster_id: facts.cluster_id.clone(),
            server_version: facts.version.clone(),
            api_versions: vec!["vrm.v1".to_owned()],
            profile: convert::profile_word(facts.profile.as_str()).into(),
            supported_services: self.services.clone(),
            supported_operations: self.operations(),
            notification_types: words(&NOTIFICATIONS),
            optional_groups: words(&OPTIONAL_GROUPS),
            limits: Some(self.limits()),
            retention: Some(retention()),
            head: at(log.head()),
            oldest_state: at(log.oldest_state()),
            oldest_transitions: at(log.oldest_transition(&ObjectClass::RESOURCES)),
            hosts: Some(self.hosts()),
            current_time: Some(convert::timestamp((self.published.now)())),
            start_time: Some(convert::timestamp(facts.start_time)),
            uptime: facts.started.elapsed().try_into().ok(),
            clock_synchronized: (facts.clock_synchronized)(),
            list_status: Some(self.published.list_status()),
            insecure_loopback: facts.insecure_loopback,
            caller: Some(self.caller(call)),
            listeners: facts.listeners.clone(),
            alarm_figures: Some(self.alarm_figures()),
        }
    }

    fn alarm_figures(&self) -> v1::AlarmFigures {
        let fault = self.vitals.fault();
        let latency = |stage: LatencyStage| v1::AlarmLatencyFigures {
            changes: self.vitals.alarm_latency().recorded(stage),
            p50: self.vitals.alarm_latency().quantile(stage, 0.5).and_then(|bound| bound.try_into().ok()),
            p99: self.vitals.alarm_latency().quantile(stage, 0.99).and_then(|bound| bound.try_into().ok()),
        };
        v1::AlarmFigures {
            repeats: fault.repeats,
            absorbed: fault.absorbed,
            reclassified: fault.reclassified,
            crowded_out: fault.crowded_out,
            coalesced: fault.coalesced,
            committed: Some(latency(LatencyStage::Committed)),
            handed: Some(latency(LatencyStage::Handed)),
        }
    }

    fn operations(&self) -> Vec<v1::SupportedOperation> {
        let operation = |policy: &super::auth::Policy| v1::SupportedOperation {
            method: policy.method.clone(),
            permission: policy.permission.clone().unwrap_or_default(),
            needs_manage: policy.needs_manage,
            available: !policy.needs_manage || self.facts.profile == Profile::Manage,
        };
        self.policies.iter().map(operation).collect()
    }

    fn limits(&self) -> v1::ServerLimits {
        let number = |limit: usize| u32::try_from(limit).unwrap_or(u32::MAX);
        let watches = self.sessions.limits();
        v1::ServerLimits {
            streams_per_connection: limits::STREAMS_PER_CONNECTION,
            watches_per_principal: number(watches.per_principal),
            watches_total: number(watches.total),
            connections: number(limits::CONNECTIONS),
            connections_per_address: number(limits::CONNECTIONS_PER_ADDRESS),
            request_bytes: number(limits::REQUEST),
            page_size: number(limits::PAGE_MOST),
            page_bytes: number(limits::PAGE_BYTES),
            filter_bytes: number(limits::FILTER_BYTES),
            filter_terms: number(limits::FILTER_TERMS),
            filter_depth: number(limits::FILTER_DEPTH),
            connection_age: limits::CONNECTION_AGE.try_into().ok(),
        }
    }

    fn hosts(&self) -> v1::HostSummary {
        let mut summary = v1::HostSummary::default();
        for object in self.published.log.all(ObjectClass::Host) {
            let Body::Host(host) = &object.body else { continue };
            summary.total += 1;
            let count = match host.connection_state {
                ConnectionState::Connected => &mut summary.connected,
                ConnectionState::Connecting | ConnectionState::Synchronizing => &mut summary.connecting,
                ConnectionState::Degraded => &mut summary.degraded,
                ConnectionState::Lost | ConnectionState::Refused => &mut summary.lost,
            };
            *count += 1;
        }
        summary
    }

    fn caller(&self, call: &Call) -> v1::CallerIdentity {
        let identity = &call.caller.identity;
        let permissions: BTreeSet<String> = self
            .policies
            .iter()
            .filter_map(|policy| policy.permission.clone())
            .filter(|permission| identity.may(permission))
            .collect();
        v1::CallerIdentity {
            principal: identity.principal.clone(),
            peer: identity.peer.clone(),
            roles: identity.roles.iter().map(|role| Role::as_str(*role).to_owned()).collect(),
            permissions: permissions.into_iter().collect(),
        }
    }

    fn session_page(&self, request: &v1::ListSessionsRequest) -> Result<v1::ListSessionsResponse, Failure> {
        let size = page_size(request.page_size)?;
        let after: u64 = match request.page_token.as_str() {
            "" => 0,
            token => token.parse().map_err(|_| {
                Failure::violation(Reason::InvalidPageToken, "page_token", "is not a token of this server")
            })?,
        };
        let all = self.sessions.all();
        let mut left = all.iter().filter(|session| session.id() > after);
        let page: Vec<_> = left.by_ref().take(size).collect();
        let more = left.next().is_some();
        let next_page_token = page.last().filter(|_| more).map(|last| last.id().to_string()).unwrap_or_default();
        let log = &self.published.log;
        Ok(v1::ListSessionsResponse {
            sessions: page.into_iter().map(|session| session.message(log.epoch(), log.head())).collect(),
            next_page_token,
            total_size: i32::try_from(all.len()).unwrap_or(i32::MAX),
        })
    }
}

/// What design.md 5 and 7 say; the store and the log keep to it.
fn retention() -> v1::Retention {
    let days = |days: u64| Duration::from_secs(days * 86_400).try_into().ok();
    v1::Retention {
        tombstones: days(7),
        tombstones_count: 200_000,
        resource_transitions_count: 200_000,
        request_ids: days(1),
        audit: days(365),
    }
}
