//! The way to the engine for everybody else.

use super::access::AccessReport;
use super::command::{AnnotationPatch, CommandContext, CommandError, Envelope, LockRequest, Reply};
use super::report::Report;
use super::turn::audit;
use crate::fault;
use crate::hypervisor::port::{HypervisorError, Opener};
use crate::model::alarm::AlarmTypeDescriptor;
use crate::model::alarm_command::{AlarmCommand, AlarmOutcome};
use crate::model::annotation::Expectation;
use crate::model::measurement::ThresholdCrossing;
use crate::model::observation::HypervisorFacts;
use crate::model::registration::HostRegistration;
use crate::model::{Body, HostId, Name, Object, Timestamp};
use std::sync::Arc;
use std::time::{Duration, SystemTime};
use tokio::sync::{mpsc, oneshot};

/// Sends commands and reports to the engine. Cheap to clone.
#[derive(Clone)]
pub struct EngineHandle {
    commands: mpsc::Sender<Envelope>,
    urgent: mpsc::Sender<Report>,
    bulk: mpsc::Sender<Report>,
    opener: Arc<dyn Opener>,
}

impl std::fmt::Debug for EngineHandle {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("EngineHandle").finish_non_exhaustive()
    }
}

/// What a trial contact with an endpoint showed.
#[derive(Clone, Debug)]
pub struct ProbeReport {
    /// Host id.
    pub host: HostId,
    /// Driver name.
    pub technology: String,
    /// Address without credentials.
    pub uri: String,
    /// Standing warnings of the registration.
    pub warnings: Vec<String>,
    /// The hypervisor with probed capabilities, or why there is no contact.
    pub contact: Result<HypervisorFacts, HypervisorError>,
}

impl EngineHandle {
    pub(super) fn new(
        commands: mpsc::Sender<Envelope>,
        urgent: mpsc::Sender<Report>,
        bulk: mpsc::Sender<Report>,
        opener: Arc<dyn Opener>,
    ) -> Self {
        Self { commands, urgent, bulk, opener }
    }

    /// Contacts a host that is not registered, and tells what it would be; changes nothing.
    ///
    /// # Errors
    /// [`CommandError::Open`] if the registration itself is wrong.
    pub async fn probe_host(
        &self,
        registration: &HostRegistration,
        deadline: Duration,
    ) -> Result<Vec<ProbeReport>, CommandError> {
        let mut reports = Vec::new();
        for endpoint in self.opener.open(registration)? {
            let contact = endpoint.hypervisor.connect(deadline).await.map(|link| link.hypervisor);
            endpoint.hypervisor.disconnect();
            reports.push(ProbeReport {
                host: endpoint.registration.id.clone(),
                technology: endpoint.hypervisor.key().technology.clone(),
                uri: endpoint.hypervisor.uri().to_owned(),
                warnings: endpoint.warnings,
                contact,
            });
        }
        Ok(reports)
    }

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

    /// Acts on alarms and on the rules about them; one outcome for each target, in order.
    ///
    /// # Errors
    /// [`CommandError::RequestIdReused`], store errors. Refusals of single targets are in the outcomes.
    pub async fn alarms(
        &self,
        context: CommandContext,
        command: AlarmCommand,
    ) -> Result<Vec<AlarmOutcome>, CommandError> {
        self.ask(|reply| Envelope::Alarms { context, command, reply }).await
    }

    /// Makes (`create`) or changes a measurement job or a threshold monitor that `measurement` has checked.
    ///
    /// # Errors
    /// [`CommandError::AlreadyExists`], [`CommandError::NotFound`], [`CommandError::EtagMismatch`],
    /// [`CommandError::RequestIdReused`], store errors.
    pub async fn put_record(
        &self,
        context: CommandContext,
        name: Name,
        create: bool,
        body: Body,
    ) -> Result<Arc<Object>, CommandError> {
        let body = Box::new(body);
        self.ask(|reply| Envelope::PutRecord { context, name, create, body, reply }).await
    }

    /// Removes a measurement job or a threshold monitor.
    ///
    /// # Errors
    /// As [`EngineHandle::put_record`].
    pub async fn remove_record(&self, context: CommandContext, name: Name) -> Result<(), CommandError> {
        self.ask(|reply| Envelope::RemoveRecord { context, name, reply }).await
    }

    /// Tells threshold crossings and figures of built-in monitors: they become alarms, and end them. Waits while the
    /// inbox is full.
    pub async fn report_crossings(&self, crossings: Vec<ThresholdCrossing>) {
        self.report_bulk(Report::Crossings(crossings)).await;
    }

    /// The catalogue of alarm types, ordered by number.
    pub fn alarm_types(&self) -> impl Iterator<Item = &'static AlarmTypeDescriptor> {
        fault::catalogue::AlarmType::ALL.iter().map(|alarm_type| fault::catalogue::descriptor(*alarm_type))
    }

    /// Begins the maintenance of a host: its alarms are kept and not told.
    ///
    /// # Errors
    /// [`CommandError::NotFound`], [`CommandError::EtagMismatch`], [`CommandError::InvalidField`],
    /// [`CommandError::RequestIdReused`], store errors.
    pub async fn lock_host(
        &self,
        context: CommandContext,
        host: HostId,
        lock: LockRequest,
    ) -> Result<Arc<Object>, CommandError> {
        self.ask(|reply| Envelope::LockHost { context, host, lock: Some(lock), reply }).await
    }

    /// Ends the maintenance of a host; what is still wrong is told when it has settled.
    ///
    /// # Errors
    /// As [`EngineHandle::lock_host`].
    pub async fn unlock_host(&self, context: CommandContext, host: HostId) -> Result<Arc<Object>, CommandError> {
        self.ask(|reply| Envelope::LockHost { context, host, lock: None, reply }).await
    }

    /// Records an act that changes nothing stored; it may be carried out when this returns.
    ///
    /// # Errors
    /// Store errors.
    pub async fn audit(&self, context: &CommandContext, target: &Name, detail: &str) -> Result<(), CommandError> {
        let records = vec![audit(context, target, detail, Timestamp::from_system(SystemTime::now()))];
        self.ask(|reply| Envelope::Audit { records, reply }).await
    }

    /// Records who was not let in; what is too much becomes a security alarm (X.736).
    ///
    /// # Errors
    /// Store errors: the counts are to be kept for the next report.
    pub async fn report_access(&self, report: AccessReport) -> Result<(), CommandError> {
        self.ask(|reply| Envelope::Access { report, reply }).await
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

    /// Tells conditions of the VRM itself: notification sinks, certificates, settings, its disk, hosts it left
    /// out. Whoever told that one is there tells when it is over; what stood before a restart is to be judged
    /// anew. Waits while the inbox is full.
    pub async fn own_conditions(&self, signs: Vec<fault::Sign>) {
        self.report_urgent(Report::Own(signs)).await;
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
