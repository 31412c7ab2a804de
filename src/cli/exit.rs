//! Exit codes of `vrmctl`, and failures as people are told them.

use crate::client::{ClientError, Code, Refusal, Target};
use crate::wire::v1::ErrorReason;
use std::fmt;

/// How a command ended (the numbers are an interface for scripts).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// Done.
    Done = 0,
    /// Failed.
    Failed = 1,
    /// Wrong use, or an ambiguous name.
    Usage = 2,
    /// Not found.
    NotFound = 3,
    /// Conflict, precondition or profile.
    Conflict = 4,
    /// Not allowed.
    NotAllowed = 5,
    /// The daemon does not answer.
    Unreachable = 6,
    /// Done in part: of a batch or of several contexts.
    Partly = 7,
    /// The outcome is not known, or time ran out.
    OutcomeUnknown = 8,
}

impl Exit {
    /// The number.
    pub fn code(self) -> u8 {
        self as u8
    }
}

/// A failure: what, which object, why; and the command to type next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// How the command ends.
    pub exit: Exit,
    /// What failed on which object and why.
    pub what: String,
    /// The command that helps.
    pub next: Option<String>,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.next {
            Some(next) => write!(f, "{}; try '{next}'", self.what),
            None => f.write_str(&self.what),
        }
    }
}

impl std::error::Error for Failure {}

impl Failure {
    /// A failure without a next command.
    pub fn new(exit: Exit, what: impl Into<String>) -> Self {
        Self { exit, what: what.into(), next: None }
    }

    /// Wrong use.
    pub fn usage(what: impl Into<String>) -> Self {
        Self::new(Exit::Usage, what)
    }

    /// The same with the command that helps.
    #[must_use]
    pub fn with_next(mut self, next: impl Into<String>) -> Self {
        self.next = Some(next.into());
        self
    }

    /// A failed call, with what was being done in front, e.g. `vm/web-1: label`.
    pub fn of_call(error: &ClientError, target: &Target, doing: &str) -> Self {
        let mut failure = Self::of_client(error, target);
        if !doing.is_empty() && failure.exit != Exit::Unreachable {
            failure.what = format!("{doing}: {}", failure.what);
        }
        failure
    }

    /// A failed call.
    pub fn of_client(error: &ClientError, target: &Target) -> Self {
        match error {
            ClientError::Endpoint(_) => {
                Self::usage(error.to_string()).with_next("vrmctl -e unix:/run/vrm/vrmd.sock info")
            }
            ClientError::Contexts(_) => Self::usage(error.to_string()).with_next("vrmctl context list"),
            ClientError::Tls(_) => Self::new(Exit::NotAllowed, error.to_string()),
            ClientError::Unreachable { why, .. } => unreachable_daemon(target, why),
            ClientError::Refused(refusal) => of_refusal(refusal, target),
            ClientError::TimedOut(limit) => {
                Self::new(Exit::OutcomeUnknown, format!("{}: no answer within {} s", target.label, limit.as_secs()))
                    .with_next("vrmctl check alive")
            }
            ClientError::SessionClosed => Self::new(Exit::Failed, "an operator closed this stream"),
            _ => Self::new(Exit::Failed, format!("{}: {error}", target.label)),
        }
    }
}

fn unreachable_daemon(target: &Target, why: &str) -> Failure {
    let place = if target.label == target.endpoint.to_string() {
        target.label.clone()
    } else {
        format!("{} ({})", target.label, target.endpoint)
    };
    let next = if target.endpoint.is_local() { "systemctl status vrmd' or 'vrmctl try" } else { "vrmctl context list" };
    Failure::new(Exit::Unreachable, format!("no daemon answers at {place}: {why}")).with_next(next)
}

fn of_refusal(refusal: &Refusal, target: &Target) -> Failure {
    let exit = exit_of(refusal);
    let mut what = refusal.message.clone();
    for (field, reason) in &refusal.fields {
        let full = format!("{field}: {reason}");
        if full.starts_with(what.trim_end_matches('…')) {
            // The message is the same, cut short.
            what = full;
        } else if !what.contains(reason.as_str()) {
            what = format!("{what} ({full})");
        }
    }
    if refusal.metadata.get("permission").is_some_and(|permission| permission == "actAs") {
        what.push_str(" (the person is taken from SUDO_USER or LOGNAME)");
    }
    let word = refusal.reason_word();
    if word.is_empty() {
        what = format!("{}: {what} ({:?})", target.label, refusal.code);
    } else {
        what = format!("{what} [{word}]");
    }
    Failure { exit, what, next: next_of(refusal) }
}

fn exit_of(refusal: &Refusal) -> Exit {
    match refusal.code {
        Code::InvalidArgument => Exit::Usage,
        Code::NotFound => Exit::NotFound,
        Code::AlreadyExists | Code::Aborted | Code::FailedPrecondition => Exit::Conflict,
        Code::PermissionDenied | Code::Unauthenticated => Exit::NotAllowed,
        Code::Unknown | Code::DeadlineExceeded => Exit::OutcomeUnknown,
        Code::Unavailable => match refusal.reason {
            ErrorReason::Unspecified | ErrorReason::NotReady | ErrorReason::ServerShutdown => Exit::Unreachable,
            _ => Exit::Failed,
        },
        _ => Exit::Failed,
    }
}

fn next_of(refusal: &Refusal) -> Option<String> {
    // Hints that are no commands are part of the message already.
    if let Some(hint) =
        refusal.metadata.get("hint").filter(|hint| hint.starts_with("vrm") || hint.starts_with("systemctl"))
    {
        return Some(hint.clone());
    }
    let next = match refusal.reason {
        ErrorReason::Unspecified | ErrorReason::PermissionDenied => return None,
        ErrorReason::NotReady => "vrmctl check alive",
        ErrorReason::StreamLimit => "vrmctl get sessions",
        ErrorReason::ConfiguredHost => "vrmctl config diff",
        ErrorReason::HostUnreachable | ErrorReason::HostAccessDenied => "vrmctl get hosts",
        _ => return Some(format!("vrmctl explain {}", refusal.reason_word())),
    };
    Some(next.to_owned())
}
