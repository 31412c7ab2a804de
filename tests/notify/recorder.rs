//! A receiver that writes down what it is sent and can be told to fail.

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, Uri};
use serde_json::Value;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use tokio::net::TcpListener;

/// One request as it came.
#[derive(Clone, Debug)]
pub struct Request {
    pub path: String,
    pub headers: HeaderMap,
    pub body: String,
}

impl Request {
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap()
    }

    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map(|value| value.to_str().unwrap()).unwrap_or_default()
    }
}

#[derive(Default)]
struct Inner {
    taken: Vec<Request>,
    turned_away: usize,
    answer: Option<(StatusCode, String)>,
}

/// The receiver.
#[derive(Clone, Default)]
pub struct Recorder {
    inner: Arc<Mutex<Inner>>,
}

impl Recorder {
    /// A receiver that listens already.
    pub async fn start() -> (Self, SocketAddr) {
        let recorder = Self::default();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        recorder.listen(listener);
        (recorder, address)
    }

    pub fn listen<L>(&self, listener: L)
    where
        L: axum::serve::Listener,
        L::Addr: std::fmt::Debug,
    {
        let router = Router::new().fallback(take).with_state(self.clone());
        tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
    }

    /// From now on answers so; with nothing it takes what comes.
    pub fn answer(&self, answer: Option<StatusCode>) {
        self.inner.lock().unwrap().answer = answer.map(|status| (status, String::new()));
    }

    /// What it took.
    pub fn taken(&self) -> Vec<Request> {
        self.inner.lock().unwrap().taken.clone()
    }

    /// How often it failed as told.
    pub fn turned_away(&self) -> usize {
        self.inner.lock().unwrap().turned_away
    }

    /// Changes of webhooks as (alarm, event, sequence).
    pub fn changes(&self) -> Vec<(String, String, u64)> {
        self.taken()
            .iter()
            .map(|request| {
                let change = request.json();
                let text = |pointer: &str| change.pointer(pointer).unwrap().as_str().unwrap().to_owned();
                (text("/alarm/name"), text("/event"), text("/position/sequence").parse().unwrap())
            })
            .collect()
    }
}

async fn take(State(recorder): State<Recorder>, uri: Uri, headers: HeaderMap, body: Bytes) -> (StatusCode, String) {
    let mut inner = recorder.inner.lock().unwrap();
    if let Some(answer) = inner.answer.clone() {
        inner.turned_away += 1;
        return answer;
    }
    inner.taken.push(Request { path: uri.path().to_owned(), headers, body: String::from_utf8(body.to_vec()).unwrap() });
    (StatusCode::OK, String::new())
}
