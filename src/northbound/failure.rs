//! Errors as gRPC carries them: the only place that makes a `tonic::Status`.
//!
//! Every error has `ErrorInfo` with a reason of the closed list; whatever varies in the message is
//! in the metadata too (AIP-193).

use super::reason::{DOMAIN, Reason, code, retry_after, word};
use crate::engine::CommandError;
use crate::hypervisor::port::{HypervisorError, OpenError};
use crate::model::{Name, ObjectClass};
use std::collections::HashMap;
use std::time::Duration;
use tonic::Status;
use tonic_types::{ErrorDetails, StatusExt};

/// Longest message or metadata value of an error, in characters: trailers have to fit the 8 KiB
/// header list that many clients accept, whatever the request held.
const TEXT: usize = 300;

/// Longest description of a field violation, in characters: room for the list of fields of a class.
const DESCRIPTION: usize = 1_500;

/// A failed call.
#[derive(Clone, Debug)]
pub struct Failure(Box<Facts>);

#[derive(Clone, Debug)]
struct Facts {
    reason: Reason,
    message: String,
    metadata: HashMap<String, String>,
    violations: Vec<(String, String)>,
    resource: Option<(&'static str, String)>,
    precondition: Option<(&'static str, String)>,
    quota: Option<String>,
    retry: Option<Duration>,
    request_id: Option<String>,
}

impl Failure {
    /// A failure with a message for people.
    pub fn new(reason: Reason, message: impl AsRef<str>) -> Self {
        Self(Box::new(Facts {
            reason,
            message: short(message.as_ref()),
            metadata: HashMap::new(),
            violations: Vec::new(),
            resource: None,
            precondition: None,
            quota: None,
            retry: retry_after(reason),
            request_id: None,
        }))
    }

    /// A request field that is missing, malformed or out of range.
    pub fn field(field: &str, description: impl AsRef<str>) -> Self {
        Self::violation(Reason::InvalidField, field, description)
    }

    /// A request field at fault, with its own reason.
    pub fn violation(reason: Reason, field: &str, description: impl AsRef<str>) -> Self {
        let description = cut(description.as_ref(), DESCRIPTION);
        let mut failure = Self::new(reason, format!("{field}: {description}")).with("field", field);
        failure.0.violations.push((field.to_owned(), description));
        failure
    }

    /// An object that does not exist.
    pub fn not_found(class: Option<ObjectClass>, name: &str) -> Self {
        let (reason, kind) = not_found_reason(class);
        Self::new(reason, format!("{} does not exist", short(name))).with("name", name).resource(kind, name)
    }

    /// Adds a metadata value.
    #[must_use]
    pub fn with(mut self, key: &str, value: impl AsRef<str>) -> Self {
        self.0.metadata.insert(key.to_owned(), short(value.as_ref()));
        self
    }

    /// Names the object concerned: its type and name.
    #[must_use]
    pub fn resource(mut self, kind: &'static str, name: &str) -> Self {
        self.0.resource = Some((kind, short(name)));
        self
    }

    /// Names the precondition that is not met: its type and whose it is.
    #[must_use]
    pub fn precondition(mut self, kind: &'static str, subject: impl AsRef<str>) -> Self {
        self.0.precondition = Some((kind, short(subject.as_ref())));
        self
    }

    /// Names the bound that was hit.
    #[must_use]
    pub fn quota(mut self, subject: impl AsRef<str>) -> Self {
        self.0.quota = Some(short(subject.as_ref()));
        self
    }

    /// When trying again makes sense, if not when the reason says so.
    #[must_use]
    pub fn retry_after(mut self, delay: Duration) -> Self {
        self.0.retry = Some(delay);
        self
    }

    /// The id under which the log tells more.
    #[must_use]
    pub fn request_id(mut self, id: impl Into<String>) -> Self {
        self.0.request_id = Some(id.into());
        self
    }

    /// Why.
    pub fn reason(&self) -> Reason {
        self.0.reason
    }

    /// For people.
    pub fn message(&self) -> &str {
        &self.0.message
    }
}

impl From<Failure> for Status {
    fn from(Failure(failure): Failure) -> Self {
        let failure = *failure;
        let mut details = ErrorDetails::new();
        details.set_error_info(word(failure.reason), DOMAIN, failure.metadata);
        for (field, description) in failure.violations {
            details.add_bad_request_violation(field, description);
        }
        if let Some((kind, name)) = failure.resource {
            details.set_resource_info(kind, name, "", failure.message.clone());
        }
        if let Some((kind, subject)) = failure.precondition {
            details.add_precondition_failure_violation(kind, subject, failure.message.clone());
        }
        if let Some(subject) = failure.quota {
            details.add_quota_failure_violation(subject, failure.message.clone());
        }
        if let Some(delay) = failure.retry {
            details.set_retry_info(Some(delay));
        }
        if let Some(id) = failure.request_id {
            details.set_request_info(id, "");
        }
        Self::with_error_details(code(failure.reason), failure.message, details)
    }
}

fn exists_reason(class: Option<ObjectClass>) -> (Reason, &'static str) {
    match class {
        Some(ObjectClass::MeasurementJob) => (Reason::MeasurementJobExists, "vrm.v1/MeasurementJob"),
        Some(ObjectClass::ThresholdMonitor) => (Reason::ThresholdMonitorExists, "vrm.v1/ThresholdMonitor"),
        _ => (Reason::HostExists, "vrm.v1/Host"),
    }
}

fn not_found_reason(class: Option<ObjectClass>) -> (Reason, &'static str) {
    let Some(class) = class else { return (Reason::ObjectNotFound, "vrm.v1/Object") };
    match class {
        ObjectClass::Vrm => (Reason::VrmNotFound, "vrm.v1/Vrm"),
        ObjectClass::Cluster => (Reason::ClusterNotFound, "vrm.v1/Cluster"),
        ObjectClass::Host => (Reason::HostNotFound, "vrm.v1/Host"),
        ObjectClass::Hypervisor => (Reason::HypervisorNotFound, "vrm.v1/Hypervisor"),
        ObjectClass::VirtualMachine => (Reason::VirtualMachineNotFound, "vrm.v1/VirtualMachine"),
        ObjectClass::StoragePool => (Reason::StoragePoolNotFound, "vrm.v1/StoragePool"),
        ObjectClass::Volume => (Reason::VolumeNotFound, "vrm.v1/Volume"),
        ObjectClass::StorageBacking => (Reason::StorageBackingNotFound, "vrm.v1/StorageBacking"),
        ObjectClass::Network => (Reason::NetworkNotFound, "vrm.v1/Network"),
        ObjectClass::Snapshot => (Reason::SnapshotNotFound, "vrm.v1/Snapshot"),
        ObjectClass::Image => (Reason::ImageNotFound, "vrm.v1/Image"),
        ObjectClass::Alarm => (Reason::AlarmNotFound, "vrm.v1/Alarm"),
        ObjectClass::AlarmShelf => (Reason::AlarmShelfNotFound, "vrm.v1/AlarmShelf"),
        ObjectClass::AlarmProfile => (Reason::AlarmProfileNotFound, "vrm.v1/AlarmProfile"),
        ObjectClass::MeasurementJob => (Reason::MeasurementJobNotFound, "vrm.v1/MeasurementJob"),
        ObjectClass::ThresholdMonitor => (Reason::ThresholdMonitorNotFound, "vrm.v1/ThresholdMonitor"),
    }
}

impl From<CommandError> for Failure {
    fn from(error: CommandError) -> Self {
        let text = error.to_string();
        match error {
            CommandError::InvalidField { field, reason } => Self::field(&field, reason),
            CommandError::NotFound { name, class } => Self::not_found(class, &name),
            CommandError::AlreadyExists { name } => {
                let (reason, kind) = exists_reason(Name::new(name.as_str()).class());
                Self::new(reason, text).with("name", &name).resource(kind, &name)
            }
            CommandError::EtagMismatch { name, given, current } => Self::new(Reason::EtagMismatch, text)
                .with("name", name)
                .with("given_etag", given)
                .with("current_etag", current),
            CommandError::RequestIdReused(_) => Self::violation(Reason::RequestIdReused, "request_id", text),
            CommandError::ConfiguredHost(host) => Self::new(Reason::ConfiguredHost, text)
                .with("host", host.as_str())
                .with("origin", "file")
                .precondition("ORIGIN", format!("hosts/{host}")),
            CommandError::NotEmpty { host, machines } => Self::new(Reason::NotEmpty, text)
                .with("machines", machines.to_string())
                .precondition("CHILDREN", format!("hosts/{host}")),
            CommandError::RemovalGuard { removed, total, names } => Self::new(Reason::RemovalGuard, text)
                .with("removed", removed.to_string())
                .with("total", total.to_string())
                .with("names", names)
                .precondition("REMOVAL_GUARD", "cluster"),
            CommandError::Open(OpenError { host: _, field, reason }) => Self::field(&field, reason),
            CommandError::StoreBusy => Self::new(Reason::StoreBusy, text),
            CommandError::StoreFull => Self::new(Reason::StoreFull, text),
            CommandError::Stopping => Self::new(Reason::ServerShutdown, text),
        }
    }
}

/// Whether a failed call was going to change something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// It only reads.
    Read,
    /// It changes something: without an answer nobody knows whether it happened.
    Write,
}

/// The failure that a hypervisor's error means for the caller.
pub fn from_hypervisor(error: &HypervisorError, access: Access) -> Failure {
    let text = error.to_string();
    match error {
        HypervisorError::Unreachable(_) | HypervisorError::ServiceLost(_) if access == Access::Write => {
            Failure::new(Reason::OutcomeUnknown, text)
        }
        HypervisorError::Unreachable(_) | HypervisorError::ServiceLost(_) => {
            Failure::new(Reason::HostUnreachable, text)
        }
        HypervisorError::Refused(_) => Failure::new(Reason::HostAccessDenied, text),
        HypervisorError::TimedOut(_) if access == Access::Write => Failure::new(Reason::OutcomeUnknown, text),
        HypervisorError::TimedOut(_) => Failure::new(Reason::DeadlineExceeded, text),
        HypervisorError::Busy(_) => Failure::new(Reason::HostBusy, text),
        HypervisorError::NotFound(what) => Failure::not_found(None, what),
        HypervisorError::Unsupported(what) => Failure::new(Reason::UnsupportedByDriver, text).with("feature", what),
        HypervisorError::NeedsManage(what) => needs_manage(&text).with("feature", what),
        HypervisorError::WrongState(what) => Failure::new(Reason::InvalidState, text).precondition("STATE", what),
        HypervisorError::Malformed { what, reason: _ } => Failure::new(Reason::BackendError, text).with("what", what),
        HypervisorError::Other { code, domain, message: _ } => {
            // libvirt's own text goes to the log; callers get its numbers.
            Failure::new(other_reason(*code, *domain), format!("the hypervisor reported error {code}"))
                .with("libvirt_code", code.to_string())
                .with("libvirt_domain", domain.to_string())
        }
    }
}

/// The refusal of a call that needs profile manage.
pub fn needs_manage(message: &str) -> Failure {
    Failure::new(Reason::MonitorProfile, message)
        .with("profile", "monitor")
        .with("hint", "set profile = \"manage\" in the settings of vrmd, or start it with --profile manage")
        .precondition("PROFILE", "vrm")
}

/// libvirt error domains whose errors 1, 38 and 39 mean a lost link: VIR_FROM_RPC, VIR_FROM_REMOTE.
const LINK_DOMAINS: [i32; 2] = [7, 13];

/// The reason of a libvirt error number that the adapter did not translate (northbound.md 5).
fn other_reason(code: i32, domain: i32) -> Reason {
    match code {
        1 | 38 | 39 if LINK_DOMAINS.contains(&domain) => Reason::HostUnreachable,
        2 => Reason::InsufficientCapacity,
        3 | 67 | 74 | 84 => Reason::UnsupportedByDriver,
        4 | 5 | 6 | 40 | 85 | 95 | 98 => Reason::HostUnreachable,
        28 | 37 | 76 | 90 | 106 => Reason::ObjectExists,
        29 => Reason::MonitorProfile,
        42 | 43 | 49 | 50 | 53 | 66 | 72 | 99 | 103 | 107 => Reason::ObjectNotFound,
        45 | 79 | 88 | 94 => Reason::HostAccessDenied,
        55 | 77 | 81 | 83 | 86 | 91 | 97 | 109 => Reason::InvalidState,
        68 => Reason::OperationInProgress,
        78 => Reason::Cancelled,
        87 => Reason::ResourceBusy,
        112 => Reason::OutcomeUnknown,
        _ => Reason::BackendError,
    }
}

/// A text that fits a trailer: at most 300 characters, without control characters.
fn short(text: &str) -> String {
    cut(text, TEXT)
}

fn cut(text: &str, most: usize) -> String {
    let clean = |character: char| if character.is_control() { ' ' } else { character };
    let mut short: String = text.chars().take(most).map(clean).collect();
    if text.chars().nth(most).is_some() {
        short.push('…');
    }
    short
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::HostId;
    use tonic::Code;

    fn reason_of(status: &Status) -> String {
        status.get_details_error_info().map(|info| info.reason).unwrap_or_default()
    }

    #[test]
    fn every_command_error_has_error_info_and_the_right_code() {
        let host = HostId::parse("a").unwrap();
        let open = OpenError { host: "a".into(), field: "uris".into(), reason: "no".into() };
        let cases = [
            (CommandError::InvalidField { field: "f".into(), reason: "r".into() }, Code::InvalidArgument),
            (CommandError::NotFound { name: "hosts/a".into(), class: None }, Code::NotFound),
            (CommandError::AlreadyExists { name: "hosts/a".into() }, Code::AlreadyExists),
            (CommandError::EtagMismatch { name: "n".into(), given: "1".into(), current: "2".into() }, Code::Aborted),
            (CommandError::RequestIdReused("i".into()), Code::InvalidArgument),
            (CommandError::ConfiguredHost(host.clone()), Code::FailedPrecondition),
            (CommandError::NotEmpty { host, machines: 3 }, Code::FailedPrecondition),
            (CommandError::RemovalGuard { removed: 1, total: 2, names: String::new() }, Code::FailedPrecondition),
            (CommandError::Open(open), Code::InvalidArgument),
            (CommandError::StoreBusy, Code::Unavailable),
            (CommandError::StoreFull, Code::Unavailable),
            (CommandError::Stopping, Code::Unavailable),
        ];
        for (error, code) in cases {
            let status = Status::from(Failure::from(error));
            assert_eq!(status.code(), code, "{status:?}");
            assert!(!reason_of(&status).is_empty());
        }
    }

    #[test]
    fn an_unanswered_write_has_an_unknown_outcome() {
        let error = HypervisorError::TimedOut(Duration::from_secs(1));
        assert_eq!(Status::from(from_hypervisor(&error, Access::Write)).code(), Code::Unknown);
        assert_eq!(Status::from(from_hypervisor(&error, Access::Read)).code(), Code::DeadlineExceeded);
    }

    #[test]
    fn libvirt_numbers_depend_on_their_domain() {
        assert_eq!(other_reason(38, 13), Reason::HostUnreachable);
        assert_eq!(other_reason(38, 10), Reason::BackendError);
        assert_eq!(other_reason(68, 10), Reason::OperationInProgress);
        let error = HypervisorError::Other { code: 1, domain: 10, message: "secret text".into() };
        let failure = from_hypervisor(&error, Access::Read);
        assert!(!failure.message().contains("secret"), "libvirt's text stays in the log");
    }

    #[test]
    fn whatever_the_request_held_an_error_stays_small() {
        let status = Status::from(Failure::field("filter", "x\0\n".repeat(1_000_000)));
        assert!(status.details().len() + status.message().len() < 6_000);
        assert!(!status.message().contains('\n'));
    }
}
