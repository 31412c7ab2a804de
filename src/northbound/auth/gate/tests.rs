use super::*;
use crate::northbound::auth::{Identity, PeerKind, Role};
use std::collections::BTreeSet;
use std::time::Duration;
use tonic::body::Body;
use tonic_types::StatusExt;

const GET: &str = "/vrm.v1.InventoryService/GetHost";
const REGISTER: &str = "/vrm.v1.HostService/RegisterHost";

fn gate() -> Gate {
    let policies = Policies::read(&["vrm.v1.InventoryService", "vrm.v1.HostService"]).unwrap();
    Gate::new(Arc::new(policies), Arc::default())
}

fn request(path: &str, roles: &[Role]) -> http::Request<Body> {
    let identity = Identity {
        principal: "p".into(),
        peer: "q".into(),
        kind: PeerKind::Local,
        roles: roles.iter().copied().collect::<BTreeSet<_>>(),
        user: None,
    };
    let caller = Caller { identity: Arc::new(identity), deadline: tokio::time::Instant::now() };
    let mut request = http::Request::builder().uri(path).body(Body::empty()).unwrap();
    request.extensions_mut().insert(caller);
    request
}

/// What the gate answers when the service behind it is `handler`.
async fn answer<F, Fut>(gate: &Gate, request: http::Request<Body>, handler: F) -> Status
where
    F: Fn() -> Fut + Clone + Send + 'static,
    Fut: Future<Output = Response> + Send + 'static,
{
    let inner = tower::service_fn(move |_: http::Request<Body>| {
        let answer = handler();
        async move { Ok::<_, std::convert::Infallible>(answer.await) }
    });
    let response = gate.layer(inner).call(request).await.unwrap();
    Status::from_header_map(response.headers()).unwrap_or_else(|| Failure::new(Reason::Unspecified, "no status").into())
}

async fn never() -> Response {
    std::future::pending().await
}

fn reason(status: &Status) -> String {
    status.get_details_error_info().unwrap().reason
}

#[tokio::test]
async fn a_panic_is_answered_and_counted_and_the_gate_lives_on() {
    let gate = gate();
    for times in 1..4 {
        let status = answer(&gate, request(GET, &[Role::Viewer]), || async { panic!("secret of the house") }).await;
        assert_eq!((status.code(), reason(&status)), (Code::Internal, "INTERNAL".to_owned()));
        assert!(!status.message().contains("secret"), "what it said is for the log");
        assert!(status.get_details_request_info().is_some());
        assert_eq!(gate.counters.panics(), times);
    }
    assert_eq!(gate.counters.calls()[&("vrm.v1.InventoryService/GetHost".to_owned(), 13)], 3);
}

#[tokio::test(start_paused = true)]
async fn a_call_ends_by_its_policy() {
    let gate = gate();
    let begun = tokio::time::Instant::now();
    let read = answer(&gate, request(GET, &[Role::Viewer]), never).await;
    assert_eq!(reason(&read), "DEADLINE_EXCEEDED");
    assert!(begun.elapsed() < Duration::from_secs(31));
    let write = answer(&gate, request(REGISTER, &[Role::Administrator]), never).await;
    assert_eq!((write.code(), reason(&write)), (Code::Unknown, "OUTCOME_UNKNOWN".to_owned()));
}

#[tokio::test]
async fn nobody_is_let_in_by_accident() {
    let gate = gate();
    let stranger = http::Request::builder().uri(GET).body(Body::empty()).unwrap();
    assert_eq!(reason(&answer(&gate, stranger, never).await), "CREDENTIAL_MISSING");
    for (path, roles) in [(GET, &[][..]), (REGISTER, &[Role::Viewer][..]), ("/x/y", &[][..])] {
        let status = answer(&gate, request(path, roles), never).await;
        assert_eq!(status.code(), Code::PermissionDenied, "{path}");
        let metadata = status.get_details_error_info().unwrap().metadata;
        assert!(metadata.contains_key("permission") && metadata.contains_key("hint"));
    }
    assert_eq!(gate.counters.denials(), 3);
}

#[tokio::test]
async fn errors_of_the_transport_get_our_form() {
    let gate = gate();
    for (code, message, expected) in [
        (Code::Internal, "failed to decode Protobuf message", "MALFORMED_MESSAGE"),
        (Code::OutOfRange, "decoded message length too large", "MALFORMED_MESSAGE"),
        (Code::Unimplemented, "", "UNIMPLEMENTED"),
        (Code::Cancelled, "", "CANCELLED"),
        (Code::Internal, "something else", "INTERNAL"),
    ] {
        let handler = move || async move {
            let mut response = http::Response::new(Body::empty());
            let status = response.headers_mut();
            status.insert("grpc-status", http::HeaderValue::from(code as i32));
            status.insert("grpc-message", http::HeaderValue::from_static(message));
            response
        };
        let status = answer(&gate, request(GET, &[Role::Viewer]), handler).await;
        assert_eq!(reason(&status), expected, "{code:?} {message}");
    }
}
