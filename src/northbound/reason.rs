//! The table of error reasons: one gRPC code for each, and how long to wait before trying again.

use crate::wire::v1;
use std::time::Duration;
use tonic::Code;

/// Why a call failed; the closed list of `error_reason.proto`.
pub use v1::ErrorReason as Reason;

/// Domain of every ErrorInfo of this API.
pub const DOMAIN: &str = "vrm.v1";

/// The reason as ErrorInfo carries it, e.g. `ETAG_MISMATCH`.
pub fn word(reason: Reason) -> &'static str {
    let full = reason.as_str_name();
    full.strip_prefix("ERROR_REASON_").unwrap_or(full)
}

/// The gRPC code of a reason (northbound.md 5; what the proto comment of the reason says).
pub fn code(reason: Reason) -> Code {
    match reason {
        Reason::InvalidField
        | Reason::InvalidFilter
        | Reason::InvalidOrderBy
        | Reason::InvalidPageToken
        | Reason::ImmutableField
        | Reason::RequestIdReused
        | Reason::MalformedMessage
        | Reason::AlarmTypeNotExternal => Code::InvalidArgument,
        Reason::CredentialMissing | Reason::CredentialInvalid | Reason::CredentialExpired => Code::Unauthenticated,
        Reason::PermissionDenied => Code::PermissionDenied,
        Reason::VrmNotFound
        | Reason::ClusterNotFound
        | Reason::HostNotFound
        | Reason::HypervisorNotFound
        | Reason::VirtualMachineNotFound
        | Reason::StoragePoolNotFound
        | Reason::VolumeNotFound
        | Reason::StorageBackingNotFound
        | Reason::NetworkNotFound
        | Reason::SnapshotNotFound
        | Reason::ImageNotFound
        | Reason::SessionNotFound
        | Reason::ObjectNotFound
        | Reason::AlarmNotFound
        | Reason::AlarmShelfNotFound
        | Reason::AlarmProfileNotFound
        | Reason::MeasurementJobNotFound
        | Reason::ThresholdMonitorNotFound
        | Reason::ServiceNotFound => Code::NotFound,
        Reason::HostExists
        | Reason::ObjectExists
        | Reason::AlarmShelfExists
        | Reason::AlarmProfileExists
        | Reason::MeasurementJobExists
        | Reason::ThresholdMonitorExists => Code::AlreadyExists,
        Reason::EtagMismatch | Reason::OperationInProgress | Reason::ResourceBusy => Code::Aborted,
        Reason::InvalidState
        | Reason::NotEmpty
        | Reason::MonitorProfile
        | Reason::ObjectStateUnknown
        | Reason::AmbiguousVm
        | Reason::CountChanged
        | Reason::RemovalGuard
        | Reason::ConfiguredHost
        | Reason::ConfiguredProfile
        | Reason::AlarmNotClearable
        | Reason::AlarmActive => Code::FailedPrecondition,
        Reason::HostLimit
        | Reason::InsufficientCapacity
        | Reason::RateLimited
        | Reason::StreamLimit
        | Reason::SubscriberStalled => Code::ResourceExhausted,
        Reason::HostBusy
        | Reason::StoreFull
        | Reason::StoreBusy
        | Reason::AuditUnavailable
        | Reason::HostUnreachable
        | Reason::HostAccessDenied
        | Reason::NotReady
        | Reason::ServerShutdown => Code::Unavailable,
        Reason::ResumePositionCompacted | Reason::ResumeEpochChanged | Reason::ResumePositionUnknown => {
            Code::OutOfRange
        }
        Reason::SessionClosed | Reason::Cancelled => Code::Cancelled,
        Reason::DeadlineExceeded => Code::DeadlineExceeded,
        Reason::UnsupportedByDriver | Reason::Unimplemented => Code::Unimplemented,
        Reason::OutcomeUnknown => Code::Unknown,
        Reason::Unspecified | Reason::BackendError | Reason::Internal => Code::Internal,
    }
}

/// How long a client should wait before it tries again; nothing where trying again is pointless
/// or needs something else first.
pub fn retry_after(reason: Reason) -> Option<Duration> {
    let seconds = match reason {
        Reason::HostBusy | Reason::StoreBusy | Reason::NotReady | Reason::RateLimited => 1,
        Reason::ServerShutdown => 3,
        Reason::HostUnreachable => 5,
        Reason::AuditUnavailable => 10,
        Reason::StoreFull => 60,
        _ => return None,
    };
    Some(Duration::from_secs(seconds))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::json;

    fn every_reason() -> Vec<Reason> {
        (0..1_000).map_while(|number| Reason::try_from(number).ok()).collect()
    }

    #[test]
    fn every_reason_has_the_code_its_comment_says() {
        let reasons = json::pool().get_enum_by_name("vrm.v1.ErrorReason").unwrap();
        assert_eq!(reasons.values().count(), every_reason().len());
        let file = reasons.parent_file().file_descriptor_proto().clone();
        let comments = file.source_code_info.unwrap();
        for (at, value) in reasons.values().enumerate().skip(1) {
            let number = i32::try_from(at).unwrap();
            let location = comments.location.iter().find(|place| place.path == [5, 0, 2, number]).unwrap();
            let said = location.leading_comments().split(':').next().unwrap().trim().to_owned();
            let is = code(Reason::try_from(value.number()).unwrap());
            let is: String = format!("{is:?}")
                .chars()
                .enumerate()
                .map(
                    |(at, letter)| {
                        if letter.is_uppercase() && at > 0 { format!("_{letter}") } else { letter.to_string() }
                    },
                )
                .collect();
            assert_eq!(said, is.to_uppercase(), "{}", value.name());
        }
    }

    #[test]
    fn words_follow_aip_193() {
        for reason in every_reason() {
            let word = word(reason);
            assert!(word.len() <= 63 && word.bytes().all(|byte| byte.is_ascii_uppercase() || byte == b'_'), "{word}");
        }
    }

    #[test]
    fn only_what_may_be_retried_says_when() {
        for reason in every_reason() {
            if retry_after(reason).is_some() {
                assert!(matches!(code(reason), Code::Unavailable | Code::ResourceExhausted), "{reason:?}");
            }
        }
    }
}
