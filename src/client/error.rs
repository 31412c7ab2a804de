//! What can go wrong between a client and a VRM, as types.

use super::address::{Endpoint, EndpointError};
use crate::wire::v1::ErrorReason;
use std::collections::BTreeMap;
use std::time::Duration;
use tonic::{Code, Status};
use tonic_types::StatusExt;

/// Error domain of this interface in `google.rpc.ErrorInfo`.
pub const ERROR_DOMAIN: &str = "vrm.v1";

/// Why a call failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ClientError {
    /// An address cannot be understood.
    #[error(transparent)]
    Endpoint(#[from] EndpointError),
    /// The contexts file or a name in it.
    #[error("{0}")]
    Contexts(String),
    /// No connection to the daemon, or it broke.
    #[error("no daemon answers at {endpoint}: {why}")]
    Unreachable {
        /// Where.
        endpoint: Endpoint,
        /// The cause.
        why: String,
    },
    /// TLS material is missing or unusable, or the connection would not be safe.
    #[error("{0}")]
    Tls(String),
    /// The daemon answered with an error.
    #[error(transparent)]
    Refused(Box<Refusal>),
    /// The daemon did not answer in time.
    #[error("no answer within {0:?}")]
    TimedOut(Duration),
    /// The daemon sent something that the interface does not allow.
    #[error("the daemon broke the protocol: {0}")]
    Protocol(String),
    /// An operator ended the stream.
    #[error("the stream was closed by an operator")]
    SessionClosed,
}

/// An error answer, taken apart.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{message}")]
pub struct Refusal {
    /// gRPC code.
    pub code: Code,
    /// Reason from the closed list; unspecified if the answer carries none.
    pub reason: ErrorReason,
    /// Text for people.
    pub message: String,
    /// Facts about it (`google.rpc.ErrorInfo`).
    pub metadata: BTreeMap<String, String>,
    /// Wait at least this long before trying again.
    pub retry_after: Option<Duration>,
    /// Fields at fault with the reason (`google.rpc.BadRequest`).
    pub fields: Vec<(String, String)>,
}

impl Refusal {
    /// The reason as the interface spells it, e.g. `ETAG_MISMATCH`; empty if there is none.
    pub fn reason_word(&self) -> &'static str {
        match self.reason {
            ErrorReason::Unspecified => "",
            reason => reason.as_str_name().trim_start_matches("ERROR_REASON_"),
        }
    }
}

impl ClientError {
    /// Takes an error answer apart. A status without `ErrorInfo` that speaks of a broken transport becomes
    /// [`ClientError::Unreachable`].
    pub fn from_status(status: &Status, endpoint: &Endpoint) -> Self {
        let details = status.get_error_details();
        let error_info = details.error_info();
        if error_info.is_none() && std::error::Error::source(status).is_some() {
            return Self::Unreachable { endpoint: endpoint.clone(), why: root_cause(status) };
        }
        let word = error_info.filter(|info| info.domain == ERROR_DOMAIN).map(|info| info.reason.as_str());
        let reason = word.and_then(|word| ErrorReason::from_str_name(&format!("ERROR_REASON_{word}")));
        let violations = details.bad_request().map(|bad| bad.field_violations.as_slice()).unwrap_or_default();
        Self::Refused(Box::new(Refusal {
            code: status.code(),
            reason: reason.unwrap_or_default(),
            message: status.message().to_owned(),
            metadata: error_info.map(|info| info.metadata.clone().into_iter().collect()).unwrap_or_default(),
            retry_after: details.retry_info().and_then(|info| info.retry_delay),
            fields: violations.iter().map(|bad| (bad.field.clone(), bad.description.clone())).collect(),
        }))
    }

    /// The answer, if the daemon gave one.
    pub fn refusal(&self) -> Option<&Refusal> {
        match self {
            Self::Refused(refusal) => Some(refusal),
            _ => None,
        }
    }

    /// The reason of the answer, unspecified without one.
    pub fn reason(&self) -> ErrorReason {
        self.refusal().map(|refusal| refusal.reason).unwrap_or_default()
    }

    /// How long to wait before the same call may be tried again; nothing if it must not be. Only `UNAVAILABLE`
    /// with `RetryInfo` qualifies.
    pub fn retry_delay(&self) -> Option<Duration> {
        self.refusal().filter(|refusal| refusal.code == Code::Unavailable).and_then(|refusal| refusal.retry_after)
    }

    /// Whether opening a stream again cannot help: it is the caller's fault or right.
    pub fn is_permanent(&self) -> bool {
        match self {
            Self::Refused(refusal) => matches!(
                refusal.code,
                Code::InvalidArgument
                    | Code::Unauthenticated
                    | Code::PermissionDenied
                    | Code::NotFound
                    | Code::Unimplemented
            ),
            Self::Unreachable { .. } | Self::TimedOut(_) | Self::Protocol(_) => false,
            Self::Endpoint(_) | Self::Contexts(_) | Self::Tls(_) | Self::SessionClosed => true,
        }
    }
}

/// The innermost cause of an error: what the system said.
pub fn root_cause(error: &dyn std::error::Error) -> String {
    let mut innermost = error;
    while let Some(source) = innermost.source() {
        innermost = source;
    }
    innermost.to_string()
}
