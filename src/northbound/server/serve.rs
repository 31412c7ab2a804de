//! Serving connections until the daemon stops.

use super::accept::{self, ConnectionCounters, Pools, Ready};
use super::listener::Listening;
use crate::northbound::auth::Gate;
use crate::northbound::limits;
use std::sync::Arc;
use tokio_stream::StreamExt;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tonic::service::Routes;
use tonic::transport::Server;

/// Serves until `stop` is cancelled and open calls have ended, at most [`limits::DRAIN`] later.
pub async fn serve(
    mut listening: Listening,
    routes: Routes,
    gate: Gate,
    counters: Arc<ConnectionCounters>,
    stop: CancellationToken,
) {
    let routes = routes.prepare();
    let pools = Arc::new(Pools::new(counters));
    let connections = TaskTracker::new();
    let acceptors = TaskTracker::new();
    for bound in std::mem::take(&mut listening.bound) {
        let (routes, gate, stopping, tracker) = (routes.clone(), gate.clone(), stop.clone(), connections.clone());
        let serve = move |ready: Ready| {
            tracker.track_future(serve_connection(ready, routes.clone(), gate.clone(), stopping.clone()))
        };
        acceptors.spawn(accept::run(bound, Arc::clone(&pools), stop.clone(), serve));
    }
    acceptors.close();
    stop.cancelled().await;
    acceptors.wait().await;
    connections.close();
    if tokio::time::timeout(limits::DRAIN, connections.wait()).await.is_err() {
        tracing::warn!(connections = connections.len(), "connections did not end in time");
    }
}

/// One server per connection: tonic has no jitter for the age of connections, and its own accept
/// loop waits for ever for streams to end.
async fn serve_connection(ready: Ready, routes: Routes, gate: Gate, stop: CancellationToken) {
    let Ready { connection, ended, age } = ready;
    let incoming = tokio_stream::once(Ok::<_, std::io::Error>(connection)).chain(tokio_stream::pending());
    let until = async move {
        tokio::select! {
            () = ended.cancelled() => {}
            () = stop.cancelled() => {}
        }
    };
    let served = Server::builder()
        .max_concurrent_streams(limits::STREAMS_PER_CONNECTION)
        .http2_keepalive_interval(Some(limits::KEEPALIVE_INTERVAL))
        .http2_keepalive_timeout(Some(limits::KEEPALIVE_TIMEOUT))
        .http2_max_pending_accept_reset_streams(Some(limits::PENDING_RESETS))
        // Without this hyper would have no bound at all.
        .http2_max_local_error_reset_streams(Some(limits::ERROR_RESETS))
        .http2_max_header_list_size(limits::HEADER_LIST)
        .max_connection_age(age)
        .max_connection_age_grace(limits::CONNECTION_GRACE)
        .layer(gate)
        .add_routes(routes)
        .serve_with_incoming_shutdown(incoming, until)
        .await;
    if let Err(error) = served {
        tracing::debug!("connection: {error}");
    }
}
