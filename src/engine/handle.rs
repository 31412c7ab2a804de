//! The way to the engine for everybody else.

use super::command::{AnnotationPatch, CommandContext, CommandError, Envelope, Reply};
use super::report::Report;
use crate::model::annotation::Expectation;
use crate::model::registration::HostRegistration;
use crate::model::{HostId, Name, Object};
use std::sync::Arc;
use tokio::sync::{mpsc, oneshot};

/// Sends commands and reports to the engine. Cheap to clone.
#[derive(Clone, Debug)]
pub struct EngineHandle {
    pub(super) commands: mpsc::Sender<Envelope>,
    pub(super) urgent: mpsc::Sender<Report>,
    pub(super) bulk: mpsc::Sender<Report>,
}

impl EngineHandle {
    /// Changes labels, user label or service references of an object.
    ///
    /// # Errors
    /// [`CommandError::NotFound`], [`CommandError::EtagMismatch`], [`CommandError::InvalidField`],
    /// [`CommandError::RequestIdReused`], store errors.
    pub async fn annotate(
        &self,
        context: CommandContext,
        name: Name,
        patch: AnnotationPatch,
    ) -> Result<Arc<Object>, CommandError> {
        self.ask(|reply| Envelope::Annotate { context, name, patch, reply }).await
    }

    /// States what run state an object should have; nothing returns to the observed one.
    ///
    /// # Errors
    /// As [`EngineHandle::annotate`].
    pub async fn expect(
        &self,
        context: CommandContext,
        name: Name,
        expectation: Option<Expectation>,
    ) -> Result<Arc<Object>, CommandError> {
        self.ask(|reply| Envelope::Expect { context, name, expectation, reply }).await
    }

    /// Adds a host; several come from one simulator URI.
    ///
    /// # Errors
    /// [`CommandError::AlreadyExists`], [`CommandError::Open`], store errors.
    pub async fn register_host(
        &self,
        context: CommandContext,
        registration: HostRegistration,
    ) -> Result<Vec<Arc<Object>>, CommandError> {
        let registration = Box::new(registration);
        self.ask(|reply| Envelope::RegisterHost { context, registration, reply }).await
    }

    /// Removes a host that was registered through the API.
    ///
    /// # Errors
    /// [`CommandError::NotFound`], [`CommandError::ConfiguredHost`], [`CommandError::NotEmpty`],
    /// [`CommandError::EtagMismatch`], store errors.
    pub async fn deregister_host(
        &self,
        context: CommandContext,
        host: HostId,
        force: bool,
    ) -> Result<(), CommandError> {
        self.ask(|reply| Envelope::DeregisterHost { context, host, force, reply }).await
    }

    /// Replaces the hosts that settings files own; answers warnings.
    ///
    /// # Errors
    /// [`CommandError::RemovalGuard`], [`CommandError::Open`]; then nothing was changed.
    pub async fn configure_hosts(
        &self,
        registrations: Vec<HostRegistration>,
        allow_removals: bool,
    ) -> Result<Vec<String>, CommandError> {
        self.ask(|reply| Envelope::ConfigureHosts { registrations, allow_removals, reply }).await
    }

    /// Reports something that must not wait behind polls. Waits while the inbox is full.
    pub async fn report_urgent(&self, report: Report) {
        // The engine's end is the daemon's end: nobody is left to be told.
        let _ = self.urgent.send(report).await;
    }

    /// Reports what a poll read, at most 256 facts. Waits while the inbox is full.
    pub async fn report_bulk(&self, report: Report) {
        let _ = self.bulk.send(report).await;
    }

    async fn ask<T>(&self, envelope: impl FnOnce(Reply<T>) -> Envelope) -> Result<T, CommandError> {
        let (reply, answer) = oneshot::channel();
        self.commands.try_send(envelope(reply)).map_err(|error| match error {
            mpsc::error::TrySendError::Full(_) => CommandError::StoreBusy,
            mpsc::error::TrySendError::Closed(_) => CommandError::Stopping,
        })?;
        answer.await.unwrap_or(Err(CommandError::Stopping))
    }
}
