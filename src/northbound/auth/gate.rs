//! The layer every call passes before its body is read: permission, deadline, panics, and the
//! errors that tonic makes by itself.

use super::identity::{Caller, Identity};
use super::ledger::AccessLedger;
use super::policy::{Policies, Policy};
use crate::northbound::failure::Failure;
use crate::northbound::reason::Reason;
use futures_util::FutureExt;
use std::collections::BTreeMap;
use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use tonic::{Code, Status};
use tower::{Layer, Service};

/// Name under which calls of methods that are not served are recorded.
const UNSERVED: &str = "(no such method)";

/// What the gate has counted since start.
#[derive(Debug, Default)]
pub struct GateCounters {
    /// Calls by method and code.
    calls: Mutex<BTreeMap<(String, i32), u64>>,
    /// Handlers that panicked.
    panics: AtomicU64,
    /// Calls that were denied.
    denials: AtomicU64,
    /// Who was not let in.
    pub ledger: Arc<AccessLedger>,
}

impl GateCounters {
    /// Calls answered, by method and gRPC code.
    pub fn calls(&self) -> BTreeMap<(String, i32), u64> {
        self.calls.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Handlers that panicked.
    pub fn panics(&self) -> u64 {
        self.panics.load(Ordering::Relaxed)
    }

    /// Calls that were denied.
    pub fn denials(&self) -> u64 {
        self.denials.load(Ordering::Relaxed)
    }

    /// Counts a panic in a task that serves a call.
    pub(in crate::northbound) fn count_panic(&self) {
        self.panics.fetch_add(1, Ordering::Relaxed);
    }

    /// Counts a denial; the ledger has it recorded and told.
    fn count_denial(&self, identity: &Identity, method: &str, is_change: bool) {
        self.denials.fetch_add(1, Ordering::Relaxed);
        self.ledger.denied(identity, method, is_change);
    }

    fn count_call(&self, method: &str, code: Code) {
        let mut calls = self.calls.lock().unwrap_or_else(PoisonError::into_inner);
        *calls.entry((method.to_owned(), code as i32)).or_default() += 1;
    }
}

/// Makes the gate.
#[derive(Clone, Debug)]
pub struct Gate {
    policies: Arc<Policies>,
    counters: Arc<GateCounters>,
}

impl Gate {
    /// A gate with the policies of what is served.
    pub fn new(policies: Arc<Policies>, counters: Arc<GateCounters>) -> Self {
        Self { policies, counters }
    }
}

impl<S> Layer<S> for Gate {
    type Service = Gated<S>;

    fn layer(&self, inner: S) -> Gated<S> {
        Gated { inner, gate: self.clone() }
    }
}

/// A service behind the gate.
#[derive(Clone, Debug)]
pub struct Gated<S> {
    inner: S,
    gate: Gate,
}

type Response = http::Response<tonic::body::Body>;

impl<S> Service<http::Request<tonic::body::Body>> for Gated<S>
where
    S: Service<http::Request<tonic::body::Body>, Response = Response> + Clone + Send + 'static,
    S::Future: Send,
    S::Error: Send,
{
    type Response = Response;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Response, S::Error>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, mut request: http::Request<tonic::body::Body>) -> Self::Future {
        let counters = Arc::clone(&self.gate.counters);
        let policy = match admit(&request, &self.gate.policies) {
            Ok(policy) => policy,
            Err(failure) => {
                let caller = request.extensions().get::<Caller>();
                if let Some(caller) = caller.filter(|_| failure.reason() == Reason::PermissionDenied) {
                    let policy = self.gate.policies.of(request.uri().path());
                    // What is not served has a name of the caller's making.
                    let method = policy.as_ref().map_or(UNSERVED, |policy| &policy.method);
                    counters.count_denial(
                        &caller.identity,
                        method,
                        policy.as_ref().is_some_and(|policy| policy.writes),
                    );
                }
                let response = Status::from(failure).into_http();
                return Box::pin(std::future::ready(Ok(response)));
            }
        };
        request.extensions_mut().insert(policy.clone());
        let identity = request.extensions().get::<Caller>().map(|caller| Arc::clone(&caller.identity));
        // The ready clone goes into the future, as tower asks.
        let ready = self.inner.clone();
        let mut inner = std::mem::replace(&mut self.inner, ready);
        Box::pin(async move {
            let answer = AssertUnwindSafe(bounded(&policy, async { inner.call(request).await })).catch_unwind().await;
            let response = match answer {
                Ok(response) => translate(response?),
                Err(panic) => {
                    counters.count_panic();
                    internal(&policy.method, panic_text(panic.as_ref())).into_http()
                }
            };
            let code = code_of(&response);
            if let Some(identity) = identity.filter(|_| code == Code::PermissionDenied) {
                // A handler refuses what only the request shows, e.g. to act for somebody else.
                counters.count_denial(&identity, &policy.method, policy.writes);
            }
            counters.count_call(&policy.method, code);
            Ok(response)
        })
    }
}

/// Whether a call may go on.
fn admit(request: &http::Request<tonic::body::Body>, policies: &Policies) -> Result<Policy, Failure> {
    let caller = request
        .extensions()
        .get::<Caller>()
        .ok_or_else(|| Failure::new(Reason::CredentialMissing, "nobody knows who calls"))?;
    let path = request.uri().path();
    let Some(policy) = policies.of(path) else {
        // Whoever may see nothing does not learn what is served either.
        if caller.identity.roles.is_empty() {
            return Err(caller.identity.denied("server.get"));
        }
        return Err(Failure::new(Reason::Unimplemented, "no such method here").with("method", path));
    };
    match &policy.permission {
        Some(permission) if !caller.identity.may(permission) => {
            Err(caller.identity.denied(permission).with("method", &policy.method))
        }
        _ => Ok(policy),
    }
}

/// Runs a handler for as long as its policy allows.
async fn bounded<E>(policy: &Policy, handler: impl Future<Output = Result<Response, E>>) -> Result<Response, E> {
    let Some(most) = policy.max_duration.filter(|_| !policy.streams) else { return handler.await };
    match tokio::time::timeout(most, handler).await {
        Ok(answer) => answer,
        Err(_) => {
            let reason = if policy.writes { Reason::OutcomeUnknown } else { Reason::DeadlineExceeded };
            let failure =
                Failure::new(reason, format!("no answer within {} s", most.as_secs())).with("method", &policy.method);
            Ok(Status::from(failure).into_http())
        }
    }
}

/// Gives the errors that tonic makes (undecodable messages, cancellations) the form of ours.
fn translate(response: Response) -> Response {
    let Some(status) = Status::from_header_map(response.headers()) else { return response };
    if status.code() == Code::Ok || !status.details().is_empty() {
        return response;
    }
    let message = status.message();
    let failure = match status.code() {
        Code::Internal if message.contains("decode") || message.contains("Unexpected EOF") => {
            Failure::new(Reason::MalformedMessage, format!("the request is no valid message: {message}"))
        }
        Code::OutOfRange | Code::ResourceExhausted | Code::InvalidArgument => {
            Failure::new(Reason::MalformedMessage, message)
        }
        Code::Unimplemented => Failure::new(Reason::Unimplemented, message),
        Code::DeadlineExceeded => Failure::new(Reason::DeadlineExceeded, message),
        Code::Cancelled => Failure::new(Reason::Cancelled, message),
        _ => return internal("", message).into_http(),
    };
    Status::from(failure).into_http()
}

/// The answer to a bug; the log has the rest under the same id.
pub(in crate::northbound) fn internal(method: &str, what: &str) -> Status {
    let id = uuid::Uuid::new_v4().to_string();
    tracing::error!(method, request_id = id, "internal error: {what}");
    Failure::new(Reason::Internal, "internal error; the log of vrmd tells more under the request id")
        .request_id(id)
        .into()
}

/// What a panic said.
pub(in crate::northbound) fn panic_text(panic: &(dyn std::any::Any + Send)) -> &str {
    panic
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("panic")
}

fn code_of(response: &Response) -> Code {
    Status::from_header_map(response.headers()).map_or(Code::Ok, |status| status.code())
}

#[cfg(test)]
mod tests;
