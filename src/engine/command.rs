//! What can be asked of the engine, and how it refuses.

use super::access::AccessReport;
use crate::hypervisor::port::OpenError;
use crate::model::alarm_command::{AlarmCommand, AlarmOutcome};
use crate::model::annotation::Expectation;
use crate::model::registration::HostRegistration;
use crate::model::{Actor, AuditRecord, Body, HostId, Name, Object, ObjectClass, Timestamp};
use std::collections::BTreeMap;
use std::sync::Arc;
use tokio::sync::oneshot;

/// Who asks, through which RPC, and under which request id.
#[derive(Clone, Debug, Default)]
pub struct CommandContext {
    /// Who.
    pub actor: Actor,
    /// RPC, e.g. `vrm.v1.HostService/RegisterHost`; part of the audit record.
    pub method: String,
    /// The caller's request id; empty for none.
    pub request_id: String,
    /// Check everything, change nothing.
    pub validate_only: bool,
    /// Expected freshness of the object; empty for any.
    pub etag: String,
}

/// What a caller says about a maintenance.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LockRequest {
    /// Why.
    pub reason: String,
    /// When it should be over.
    pub until: Option<Timestamp>,
}

/// A change of an object's annotations; what is absent stays.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AnnotationPatch {
    /// Labels to set, or to remove where the value is absent.
    pub labels: BTreeMap<String, Option<String>>,
    /// Replaces all labels instead of merging.
    pub replace_labels: bool,
    /// New user label.
    pub user_label: Option<String>,
    /// New list of service references.
    pub service_refs: Option<Vec<String>>,
    /// Service references to add to the list.
    pub add_service_refs: Vec<String>,
    /// Service references to take out of it.
    pub remove_service_refs: Vec<String>,
}

/// Answer to a command.
pub type Reply<T> = oneshot::Sender<Result<T, CommandError>>;

/// A command with its context and the way back.
#[derive(Debug)]
pub enum Envelope {
    /// Changes labels, user label or service references.
    Annotate {
        /// Who asks.
        context: CommandContext,
        /// Of what.
        name: Name,
        /// The change.
        patch: AnnotationPatch,
        /// The object after it.
        reply: Reply<Arc<Object>>,
    },
    /// States the expected run state; nothing returns to the observed one.
    Expect {
        /// Who asks.
        context: CommandContext,
        /// Of what: a virtual machine, pool or network.
        name: Name,
        /// What is expected.
        expectation: Option<Expectation>,
        /// The object after it.
        reply: Reply<Arc<Object>>,
    },
    /// Adds a host to the cluster.
    RegisterHost {
        /// Who asks.
        context: CommandContext,
        /// How it is reached.
        registration: Box<HostRegistration>,
        /// The new host objects: more than one for a simulator URI.
        reply: Reply<Vec<Arc<Object>>>,
    },
    /// Removes a host from the cluster.
    DeregisterHost {
        /// Who asks.
        context: CommandContext,
        /// Which.
        host: HostId,
        /// Also if virtual machines are known on it.
        force: bool,
        /// Done.
        reply: Reply<()>,
    },
    /// Acts on alarms and on the rules about them.
    Alarms {
        /// Who asks.
        context: CommandContext,
        /// What.
        command: AlarmCommand,
        /// One result for each target.
        reply: Reply<Vec<AlarmOutcome>>,
    },
    /// Makes or changes a measurement job or a threshold monitor.
    PutRecord {
        /// Who asks.
        context: CommandContext,
        /// Which.
        name: Name,
        /// It must not exist yet; else it must.
        create: bool,
        /// The record.
        body: Box<Body>,
        /// The object after it.
        reply: Reply<Arc<Object>>,
    },
    /// Removes a measurement job or a threshold monitor.
    RemoveRecord {
        /// Who asks.
        context: CommandContext,
        /// Which.
        name: Name,
        /// Done.
        reply: Reply<()>,
    },
    /// Begins (or, without a request, ends) the maintenance of a host.
    LockHost {
        /// Who asks.
        context: CommandContext,
        /// Which.
        host: HostId,
        /// The maintenance.
        lock: Option<LockRequest>,
        /// The host after it.
        reply: Reply<Arc<Object>>,
    },
    /// Records acts that change nothing stored, e.g. the end of a stream.
    Audit {
        /// The records.
        records: Vec<AuditRecord>,
        /// They are committed.
        reply: Reply<()>,
    },
    /// Records who was not let in, and judges whether that is too much.
    Access {
        /// What was counted.
        report: AccessReport,
        /// It is committed.
        reply: Reply<()>,
    },
    /// Replaces the hosts that settings files own (start and reload).
    ConfigureHosts {
        /// All of them.
        registrations: Vec<HostRegistration>,
        /// Permits removals beyond the removal guard.
        allow_removals: bool,
        /// Warnings: an id registered through the API too, for instance.
        reply: Reply<Vec<String>>,
    },
}

impl Envelope {
    /// Answers the command with a refusal.
    pub(super) fn refuse(self, error: CommandError) {
        // A caller that went away needs no answer.
        match self {
            Self::Annotate { reply, .. } | Self::Expect { reply, .. } | Self::PutRecord { reply, .. } => {
                drop(reply.send(Err(error)));
            }
            Self::Alarms { reply, .. } => drop(reply.send(Err(error))),
            Self::LockHost { reply, .. } => drop(reply.send(Err(error))),
            Self::RegisterHost { reply, .. } => drop(reply.send(Err(error))),
            Self::DeregisterHost { reply, .. }
            | Self::RemoveRecord { reply, .. }
            | Self::Audit { reply, .. }
            | Self::Access { reply, .. } => drop(reply.send(Err(error))),
            Self::ConfigureHosts { reply, .. } => drop(reply.send(Err(error))),
        }
    }
}

/// Why a command was not carried out.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum CommandError {
    /// A field is missing, malformed or out of range.
    #[error("{field}: {reason}")]
    InvalidField {
        /// Path of the field in the request.
        field: String,
        /// What is wrong with it.
        reason: String,
    },
    /// No such object.
    #[error("{name} does not exist")]
    NotFound {
        /// Its name.
        name: String,
        /// Its class.
        class: Option<ObjectClass>,
    },
    /// There is one already.
    #[error("{name} exists")]
    AlreadyExists {
        /// Its name.
        name: String,
    },
    /// The object is not in the state the caller knows.
    #[error("{name} has etag {current}, not {given}")]
    EtagMismatch {
        /// Its name.
        name: String,
        /// What the caller gave.
        given: String,
        /// What it is.
        current: String,
    },
    /// The request id was used for another request.
    #[error("request id {0} was used for another request")]
    RequestIdReused(String),
    /// The host is owned by settings files.
    #[error("host {0} comes from a settings file and is changed there")]
    ConfiguredHost(HostId),
    /// The host has virtual machines.
    #[error("host {host} has {machines} virtual machines; deregister with force to forget them")]
    NotEmpty {
        /// The host.
        host: HostId,
        /// How many machines are known on it.
        machines: usize,
    },
    /// More hosts would go than the removal guard allows.
    #[error("{removed} of {total} hosts would be removed: {names}")]
    RemovalGuard {
        /// How many would go.
        removed: usize,
        /// Of how many.
        total: usize,
        /// Which.
        names: String,
    },
    /// The registration cannot be opened.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// Too much waits for the disk.
    #[error("the store is busy")]
    StoreBusy,
    /// The disk is full.
    #[error("the store is full")]
    StoreFull,
    /// The daemon stops.
    #[error("the daemon is stopping")]
    Stopping,
}
