//! `HostService`: registration of hosts.

use super::failure::Failure;
use super::inventory::check_labels;
use super::limits;
use super::published::Published;
use super::request::{Call, called, context, name_of_class};
use crate::engine::{CommandContext, EngineHandle, LockRequest, ProbeReport};
use crate::model::name::HostId;
use crate::model::registration::{HostOrigin, HostRegistration, HostReserve, Profile};
use crate::model::{Name, Object, ObjectClass};
use crate::wire::convert::{self, Detail, Served, resource};
use crate::wire::v1;
use std::time::Duration;
use tonic::{Request, Response, Status};
use v1::host_service_server::HostService;

/// Time for a trial contact with one address.
const PROBE: Duration = Duration::from_secs(7);

/// Most addresses of one host, so that trying them all fits into the time of the call.
const ADDRESSES: usize = 4;

/// Longest reason of a maintenance, in characters.
const REASON: usize = 256;

/// Names of removed objects that an answer lists.
const REMOVED: usize = 100;

/// The service.
#[derive(Clone, Debug)]
pub struct Hosts {
    /// What is read.
    pub published: Published,
    /// Where changes go.
    pub engine: EngineHandle,
    /// The daemon's profile.
    pub profile: Profile,
}

#[tonic::async_trait]
impl HostService for Hosts {
    async fn register_host(
        &self,
        request: Request<v1::RegisterHostRequest>,
    ) -> Result<Response<v1::RegisterHostResponse>, Status> {
        let (call, request) = called(request)?;
        let registration = registration(&request)?;
        let response = if request.validate_only {
            self.try_out(&call, &request, registration).await?
        } else {
            let context = context(&call, request.actor.as_ref(), &request.request_id, "", false)?;
            self.register(context, registration).await?
        };
        Ok(Response::new(response))
    }

    async fn deregister_host(
        &self,
        request: Request<v1::DeregisterHostRequest>,
    ) -> Result<Response<v1::DeregisterHostResponse>, Status> {
        let (call, request) = called(request)?;
        let context =
            context(&call, request.actor.as_ref(), &request.request_id, &request.etag, request.validate_only)?;
        Ok(Response::new(self.deregister(context, &request).await?))
    }

    async fn lock_host(&self, request: Request<v1::LockHostRequest>) -> Result<Response<v1::Host>, Status> {
        let (call, request) = called(request)?;
        let context =
            context(&call, request.actor.as_ref(), &request.request_id, &request.etag, request.validate_only)?;
        Ok(Response::new(self.lock(context, request).await?))
    }

    async fn unlock_host(&self, request: Request<v1::UnlockHostRequest>) -> Result<Response<v1::Host>, Status> {
        let (call, request) = called(request)?;
        let context =
            context(&call, request.actor.as_ref(), &request.request_id, &request.etag, request.validate_only)?;
        let host = host_id(&request.name)?;
        let object = self.engine.unlock_host(context, host).await.map_err(Failure::from)?;
        Ok(Response::new(self.shown(&object, &request.name)?))
    }
}

impl Hosts {
    async fn lock(&self, context: CommandContext, request: v1::LockHostRequest) -> Result<v1::Host, Failure> {
        let host = host_id(&request.name)?;
        if request.reason.chars().count() > REASON || request.reason.chars().any(char::is_control) {
            return Err(Failure::field("reason", format!("at most {REASON} characters, no control characters")));
        }
        let until = match request.until {
            None => None,
            Some(time) => {
                let until = convert::time_from(time).filter(|until| *until > (self.published.now)());
                Some(until.ok_or_else(|| Failure::field("until", "lies in the past or is out of range"))?)
            }
        };
        let lock = LockRequest { reason: request.reason, until };
        let object = self.engine.lock_host(context, host, lock).await?;
        self.shown(&object, &request.name)
    }

    fn shown(&self, object: &Object, name: &str) -> Result<v1::Host, Failure> {
        resource(object, &self.published.dn, Detail::Full)
            .and_then(v1::Host::from_resource)
            .ok_or_else(|| Failure::not_found(Some(ObjectClass::Host), name))
    }

    async fn register(
        &self,
        context: CommandContext,
        registration: HostRegistration,
    ) -> Result<v1::RegisterHostResponse, Failure> {
        let objects = self.engine.register_host(context, registration).await?;
        let first = objects.iter().find(|object| object.class() == ObjectClass::Host);
        let host = first
            .and_then(|object| resource(object, &self.published.dn, Detail::Full))
            .and_then(v1::Host::from_resource);
        Ok(v1::RegisterHostResponse {
            name: first.map(|object| object.name.to_string()).unwrap_or_default(),
            warnings: host.as_ref().map(|host| host.warnings.clone()).unwrap_or_default(),
            host,
            probes: Vec::new(),
        })
    }

    /// Says what registering would give; asks the engine too, so that its refusals show.
    async fn try_out(
        &self,
        call: &Call,
        request: &v1::RegisterHostRequest,
        registration: HostRegistration,
    ) -> Result<v1::RegisterHostResponse, Failure> {
        let context = context(call, request.actor.as_ref(), "", "", true)?;
        self.engine.register_host(context, registration.clone()).await?;
        let asked = registration.profile.unwrap_or(self.profile).min(self.profile);
        let mut probes = self.probe(&registration, asked).await?;
        if asked == Profile::Manage && probes.iter().any(|probe| !probe.reachable) {
            // Perhaps it may only be looked at.
            let narrower = HostRegistration { profile: Some(Profile::Monitor), ..registration.clone() };
            let second = self.probe(&narrower, Profile::Monitor).await?;
            for (probe, other) in probes.iter_mut().zip(second) {
                if !probe.reachable && other.reachable {
                    *probe = other;
                }
            }
        }
        let mut warnings: Vec<String> = probes.iter().flat_map(|probe| probe.warnings.clone()).collect();
        warnings.dedup();
        Ok(v1::RegisterHostResponse { name: Name::host(&registration.id).to_string(), host: None, probes, warnings })
    }

    async fn probe(
        &self,
        registration: &HostRegistration,
        profile: Profile,
    ) -> Result<Vec<v1::EndpointProbe>, Failure> {
        let reports = self.engine.probe_host(registration, PROBE).await?;
        Ok(reports.into_iter().map(|report| endpoint_probe(report, profile)).collect())
    }

    async fn deregister(
        &self,
        context: CommandContext,
        request: &v1::DeregisterHostRequest,
    ) -> Result<v1::DeregisterHostResponse, Failure> {
        let host = host_id(&request.name)?;
        let name = Name::host(&host);
        let removed = self.removed_with(&name, &host);
        self.engine.deregister_host(context, host, request.force).await?;
        Ok(v1::DeregisterHostResponse {
            removed_count: i32::try_from(removed.len()).unwrap_or(i32::MAX),
            removed: removed.into_iter().take(REMOVED).collect(),
        })
    }

    /// Names of what leaves with a host: what lies below it, and machines known nowhere else.
    fn removed_with(&self, name: &Name, host: &HostId) -> Vec<String> {
        let below = format!("{name}/");
        let leaves = |object: &Object| match &object.body {
            crate::model::Body::VirtualMachine(vm) => {
                vm.defined_on.iter().all(|on| on == host) && vm.host.as_ref() == Some(host)
            }
            _ => object.name == *name || object.name.as_str().starts_with(&below),
        };
        let all = ObjectClass::RESOURCES.into_iter().flat_map(|class| self.published.log.all(class));
        all.filter(|object| leaves(object)).map(|object| object.name.to_string()).collect()
    }
}

fn host_id(name: &str) -> Result<HostId, Failure> {
    name_of_class("name", name, ObjectClass::Host)?.host_id().ok_or_else(|| Failure::field("name", "names no host"))
}

fn registration(request: &v1::RegisterHostRequest) -> Result<HostRegistration, Failure> {
    if request.uris.is_empty() || request.uris.len() > ADDRESSES {
        return Err(Failure::field("uris", format!("1 to {ADDRESSES} addresses")));
    }
    if request.uris.iter().any(|uri| uri.len() > limits::IDENTIFIER || uri.chars().any(char::is_control)) {
        return Err(Failure::field("uris", "an address is too long or holds control characters"));
    }
    if request.credential.len() > limits::IDENTIFIER {
        return Err(Failure::field("credential", "is too long"));
    }
    let id = if request.host_id.is_empty() { default_id(&request.uris[0]) } else { request.host_id.clone() };
    let id = HostId::parse(&id).map_err(|error| Failure::field("host_id", error.to_string()))?;
    let profile = v1::Profile::try_from(request.profile).map_err(|_| Failure::field("profile", "no such profile"))?;
    check_labels("labels", request.labels.iter())?;
    Ok(HostRegistration {
        id,
        uris: request.uris.clone(),
        credential: request.credential.clone(),
        profile: convert::profile_from(profile),
        allow_insecure: request.allow_insecure,
        labels: request.labels.clone(),
        // What is reserved is said in the files of the host.
        reserve: HostReserve::default(),
        origin: HostOrigin::Api,
    })
}

/// The first label of the host name in an address; nothing sensible for local addresses, whose
/// hosts must be named by the caller.
fn default_id(uri: &str) -> String {
    let authority = uri.split_once("://").map_or("", |(_, rest)| rest.split(['/', '?']).next().unwrap_or(""));
    let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    host.split([':', '.']).next().unwrap_or("").to_ascii_lowercase()
}

fn endpoint_probe(report: ProbeReport, profile: Profile) -> v1::EndpointProbe {
    let ProbeReport { host: _, technology, uri, warnings, contact } = report;
    let probe = v1::EndpointProbe { uri, technology, warnings, ..Default::default() };
    match contact {
        Ok(facts) => v1::EndpointProbe {
            reachable: true,
            version: facts.version,
            libvirt_version: facts.libvirt_version,
            profile_possible: convert::profile_word(profile.as_str()).into(),
            ..probe
        },
        Err(error) => v1::EndpointProbe { error: error.to_string(), ..probe },
    }
}
