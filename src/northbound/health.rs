//! `grpc.health.v1`, with a correct Watch of unknown services and with List.

use super::failure::Failure;
use super::reason::Reason;
use crate::wire::health_v1 as pb;
use pb::health_check_response::ServingStatus;
use pb::health_server::Health;
use std::collections::BTreeMap;
use std::pin::Pin;
use std::sync::Arc;
use tokio::sync::watch;
use tokio_stream::wrappers::WatchStream;
use tokio_stream::{Stream, StreamExt};
use tonic::{Request, Response, Status};

/// Whether services serve; "" is the daemon as a whole.
#[derive(Clone, Debug)]
pub struct HealthBoard {
    services: Arc<watch::Sender<BTreeMap<String, bool>>>,
}

impl HealthBoard {
    /// A board on which the named services and "" do not serve yet.
    pub fn new(services: impl IntoIterator<Item = &'static str>) -> Self {
        let services = services.into_iter().chain([""]).map(|name| (name.to_owned(), false)).collect();
        Self { services: Arc::new(watch::Sender::new(services)) }
    }

    /// Sets whether a service serves.
    pub fn set(&self, service: &str, serving: bool) {
        self.services.send_if_modified(|services| services.insert(service.to_owned(), serving) != Some(serving));
    }

    /// Nothing serves any more.
    pub fn stop(&self) {
        self.services.send_modify(|services| services.values_mut().for_each(|serving| *serving = false));
    }
}

fn answer(serving: Option<bool>) -> pb::HealthCheckResponse {
    let status = match serving {
        Some(true) => ServingStatus::Serving,
        Some(false) => ServingStatus::NotServing,
        None => ServingStatus::ServiceUnknown,
    };
    pb::HealthCheckResponse { status: status.into() }
}

#[tonic::async_trait]
impl Health for HealthBoard {
    async fn check(
        &self,
        request: Request<pb::HealthCheckRequest>,
    ) -> Result<Response<pb::HealthCheckResponse>, Status> {
        let service = request.into_inner().service;
        let serving = self.services.borrow().get(&service).copied();
        match serving {
            None => Err(Failure::new(Reason::ServiceNotFound, "no such service").with("service", service).into()),
            known => Ok(Response::new(answer(known))),
        }
    }

    async fn list(&self, _: Request<pb::HealthListRequest>) -> Result<Response<pb::HealthListResponse>, Status> {
        let services = self.services.borrow();
        let statuses = services.iter().map(|(name, serving)| (name.clone(), answer(Some(*serving)))).collect();
        Ok(Response::new(pb::HealthListResponse { statuses }))
    }

    type WatchStream = Pin<Box<dyn Stream<Item = Result<pb::HealthCheckResponse, Status>> + Send>>;

    async fn watch(&self, request: Request<pb::HealthCheckRequest>) -> Result<Response<Self::WatchStream>, Status> {
        let service = request.into_inner().service;
        let mut last = None;
        let changes = WatchStream::new(self.services.subscribe()).filter_map(move |services| {
            let now = answer(services.get(&service).copied());
            let is_new = last.as_ref() != Some(&now);
            last = Some(now);
            is_new.then_some(Ok(now))
        });
        Ok(Response::new(Box::pin(changes)))
    }
}
