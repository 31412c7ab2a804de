//! Every bound of the gRPC server, and what happens when it is hit.

use std::time::Duration;

/// Connections that have not finished handshake and HTTP/2 preface: more wait in the kernel's backlog.
pub const PRE_AUTH_CONNECTIONS: usize = 64;
/// Connections altogether: a further one is closed at once, and counted.
pub const CONNECTIONS: usize = 256;
/// Connections of one remote address: a further one is closed at once, and counted.
pub const CONNECTIONS_PER_ADDRESS: usize = 32;
/// Connections of one local user other than root, so that none shuts the others out.
pub const CONNECTIONS_PER_USER: usize = 128;
/// Time for TLS handshake and HTTP/2 preface; then the connection is closed.
pub const HANDSHAKE: Duration = Duration::from_secs(5);
/// Pause after `accept` failed (EMFILE): the loop must not spin.
pub const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Streams (calls) of one connection at a time: HTTP/2 refuses more.
pub const STREAMS_PER_CONNECTION: u32 = 128;
/// Watches of one remote principal: RESOURCE_EXHAUSTED, `STREAM_LIMIT`.
pub const WATCHES_PER_PRINCIPAL: usize = 16;
/// Watches of the daemon: RESOURCE_EXHAUSTED, `STREAM_LIMIT`. Settable up to 256.
pub const WATCHES: usize = 128;

/// A silent peer is asked after this time whether it lives …
pub const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(30);
/// … and closed after this time without an answer.
pub const KEEPALIVE_TIMEOUT: Duration = Duration::from_secs(20);
/// Longest life of a connection, ± 10 %; its streams end themselves with `closing` before.
pub const CONNECTION_AGE: Duration = Duration::from_secs(12 * 3600);
/// Time for calls to end after the connection has reached its age.
pub const CONNECTION_GRACE: Duration = Duration::from_secs(60);

/// Largest header list of a request, in bytes.
pub const HEADER_LIST: u32 = 8 * 1024;
/// Streams reset by the peer before they were accepted (rapid reset): then the connection is closed.
pub const PENDING_RESETS: usize = 20;
/// Streams reset because of the peer's errors: then the connection is closed.
pub const ERROR_RESETS: usize = 256;
/// Largest request, in bytes: INVALID_ARGUMENT, `MALFORMED_MESSAGE`.
pub const REQUEST: usize = 1024 * 1024;
/// Largest answer, in bytes; pages end long before.
pub const ANSWER: usize = 4 * 1024 * 1024;

/// Objects of a page that asks for none.
pub const PAGE_DEFAULT: usize = 100;
/// Objects of a page at most.
pub const PAGE_MOST: usize = 1_000;
/// Bytes of a page at most; one object is always on it.
pub const PAGE_BYTES: usize = 2 * 1024 * 1024;

/// Longest filter, in bytes: INVALID_ARGUMENT, `INVALID_FILTER`.
pub const FILTER_BYTES: usize = 1_024;
/// Most comparisons of a filter.
pub const FILTER_TERMS: usize = 32;
/// Deepest nesting of a filter.
pub const FILTER_DEPTH: usize = 8;

/// Most attribute paths, classes, URIs or similar in one request.
pub const REQUEST_ITEMS: usize = 64;
/// Alarms of one batch request.
pub const BATCH: usize = 1_000;
/// Longest name, DN or other identifier in a request, in bytes.
pub const IDENTIFIER: usize = 2_048;

/// Time between two heartbeats that ask for none.
pub const HEARTBEAT_DEFAULT: Duration = Duration::from_secs(30);
/// Shortest time between two heartbeats.
pub const HEARTBEAT_LEAST: Duration = Duration::from_secs(5);
/// Longest time between two heartbeats.
pub const HEARTBEAT_MOST: Duration = Duration::from_secs(300);
/// Longest dampening period.
pub const DAMPENING_MOST: Duration = Duration::from_secs(60);

/// Time for open calls to end when the daemon stops.
pub const DRAIN: Duration = Duration::from_secs(10);
