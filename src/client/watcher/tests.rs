use super::*;
use crate::client::{Endpoint, Refusal};
use futures_util::stream;
use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex};
use v1::watch_resources_response::Message;

/// What a test's transport answers to one attempt.
enum Attempt {
    /// These messages, then the end.
    Messages(Vec<Message>),
    /// These messages, then silence.
    Silence(Vec<Message>),
    /// An error.
    Fails(ClientError),
}

/// A transport of prepared answers; time passes only on paper.
#[derive(Default)]
struct Fake {
    attempts: VecDeque<Attempt>,
    requests: Arc<Mutex<Vec<v1::WatchResourcesRequest>>>,
    slept: Arc<Mutex<Vec<Duration>>>,
}

impl Transport for Fake {
    fn open(&mut self, request: v1::WatchResourcesRequest) -> BoxFuture<'_, Result<ResponseStream, ClientError>> {
        self.requests.lock().expect("one thread").push(request);
        let attempt = self.attempts.pop_front().unwrap_or(Attempt::Fails(ClientError::SessionClosed));
        Box::pin(async move {
            Ok(match attempt {
                Attempt::Messages(messages) => numbered(messages).boxed(),
                Attempt::Silence(messages) => numbered(messages).chain(stream::pending()).boxed(),
                Attempt::Fails(error) => return Err(error),
            })
        })
    }

    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()> {
        self.slept.lock().expect("one thread").push(duration);
        // Polled only where nothing else is ready: the stream comes first in `select`.
        Box::pin(async {})
    }

    fn chance(&self) -> u64 {
        0
    }
}

fn numbered(
    messages: Vec<Message>,
) -> impl futures_util::Stream<Item = Result<v1::WatchResourcesResponse, ClientError>> {
    stream::iter(messages.into_iter().zip(1..).map(|(message, number)| {
        let position = v1::StreamPosition { epoch: "e1".to_owned(), sequence: 12 };
        Ok(v1::WatchResourcesResponse { position: Some(position), message_number: number, message: Some(message) })
    }))
}

fn started(snapshot_follows: bool) -> Message {
    let head = Some(v1::StreamPosition { epoch: "e1".to_owned(), sequence: 10 });
    let options = v1::StreamOptions {
        heartbeat_interval: Some(prost_types::Duration { seconds: 7, nanos: 0 }),
        ..v1::StreamOptions::default()
    };
    Message::Started(v1::StreamStarted {
        head,
        snapshot_follows,
        effective_options: Some(options),
        ..v1::StreamStarted::default()
    })
}

fn sync() -> Message {
    Message::SyncComplete(v1::SyncComplete::default())
}

fn closing(reason: Reason) -> Message {
    Message::Closing(v1::StreamClosing {
        reason: reason.into(),
        retry_delay: Some(prost_types::Duration { seconds: 3, nanos: 0 }),
    })
}

fn refused(code: Code) -> ClientError {
    ClientError::Refused(Box::new(Refusal {
        code,
        reason: v1::ErrorReason::Unspecified,
        message: "refused".to_owned(),
        metadata: BTreeMap::new(),
        retry_after: None,
        fields: Vec::new(),
    }))
}

fn unreachable() -> ClientError {
    ClientError::Unreachable { endpoint: Endpoint::system(), why: "gone".to_owned() }
}

/// Follows a watch to its end; the pauses between streams, and how it ended.
async fn follow(attempts: Vec<Attempt>) -> (Vec<(String, u64)>, Vec<v1::WatchResourcesRequest>, ClientError) {
    let fake = Fake { attempts: attempts.into(), ..Fake::default() };
    let requests = Arc::clone(&fake.requests);
    let mut watcher = Watcher::new(fake, WatchQuery::default());
    let mut pauses = Vec::new();
    loop {
        match watcher.next().await {
            Ok(WatchEvent::Disconnected { why, retry_in }) => pauses.push((why, retry_in.as_secs())),
            Ok(WatchEvent::Message { .. }) => {}
            Err(error) => return (pauses, requests.lock().expect("one thread").clone(), error),
        }
    }
}

fn resume_sequence(request: &v1::WatchResourcesRequest) -> Option<u64> {
    request.options.as_ref()?.resume_after.as_ref().map(|position| position.sequence)
}

#[tokio::test]
async fn a_broken_stream_is_resumed_after_the_last_position() {
    let attempts =
        vec![Attempt::Messages(vec![started(true), sync()]), Attempt::Messages(vec![started(false), sync()])];
    let (pauses, requests, error) = follow(attempts).await;
    assert_eq!(requests.iter().map(resume_sequence).collect::<Vec<_>>(), [None, Some(12), Some(12)]);
    assert_eq!(pauses.iter().map(|(_, pause)| *pause).collect::<Vec<_>>(), [1, 1], "each success resets the back-off");
    assert!(matches!(error, ClientError::SessionClosed));
}

#[tokio::test]
async fn pauses_grow_while_nobody_answers() {
    let mut attempts = vec![Attempt::Messages(vec![started(true), sync()])];
    attempts.extend((0..4).map(|_| Attempt::Fails(unreachable())));
    let (pauses, _, _) = follow(attempts).await;
    assert_eq!(pauses.iter().map(|(_, pause)| *pause).collect::<Vec<_>>(), [1, 2, 4, 8, 16]);
}

#[tokio::test]
async fn silence_longer_than_two_heartbeats_and_five_seconds_is_a_dead_stream() {
    let fake = Fake { attempts: vec![Attempt::Silence(vec![started(true), sync()])].into(), ..Fake::default() };
    let slept = Arc::clone(&fake.slept);
    let mut watcher = Watcher::new(fake, WatchQuery::default());
    for _ in 0..2 {
        assert!(matches!(watcher.next().await, Ok(WatchEvent::Message { .. })));
    }
    let Ok(WatchEvent::Disconnected { why, .. }) = watcher.next().await else { panic!("silence") };
    assert_eq!(why, "nothing came for 19 s");
    // Before the start message the default of 30 s counts, then what the daemon says.
    let slept: Vec<u64> = slept.lock().expect("one thread").iter().map(Duration::as_secs).collect();
    assert_eq!(slept, [65, 19, 19]);
}

#[tokio::test]
async fn the_first_failure_and_permanent_ones_end_the_watch() {
    let (pauses, _, error) = follow(vec![Attempt::Fails(unreachable())]).await;
    assert!(pauses.is_empty() && matches!(error, ClientError::Unreachable { .. }));
    let attempts = vec![Attempt::Messages(vec![started(true)]), Attempt::Fails(refused(Code::PermissionDenied))];
    let (pauses, _, error) = follow(attempts).await;
    assert!(pauses.len() == 1 && error.refusal().is_some());
}

#[tokio::test]
async fn a_position_that_is_gone_is_forgotten() {
    let attempts = vec![
        Attempt::Messages(vec![started(true), sync()]),
        Attempt::Fails(refused(Code::OutOfRange)),
        Attempt::Messages(vec![started(true), sync()]),
    ];
    let (_, requests, _) = follow(attempts).await;
    assert_eq!(requests.iter().map(resume_sequence).collect::<Vec<_>>(), [None, Some(12), None, Some(12)]);
}

#[tokio::test]
async fn closing_says_when_to_come_back() {
    let attempts = vec![
        Attempt::Messages(vec![started(true), sync(), closing(Reason::Shutdown)]),
        Attempt::Messages(vec![started(false), sync(), closing(Reason::MaxAge)]),
        Attempt::Messages(vec![started(false), sync(), closing(Reason::ClosedByOperator)]),
    ];
    let (pauses, _, error) = follow(attempts).await;
    assert_eq!(pauses.iter().map(|(_, pause)| *pause).collect::<Vec<_>>(), [3, 0]);
    assert!(matches!(error, ClientError::SessionClosed));
}

#[tokio::test]
async fn a_patient_watch_waits_for_a_daemon_that_never_answered() {
    let attempts = vec![Attempt::Fails(unreachable()), Attempt::Messages(vec![started(true), sync()])];
    let fake = Fake { attempts: attempts.into(), ..Fake::default() };
    let mut watcher = Watcher::new(fake, WatchQuery { patient: true, ..WatchQuery::default() });
    assert!(matches!(watcher.next().await, Ok(WatchEvent::Disconnected { .. })));
    assert!(matches!(watcher.next().await, Ok(WatchEvent::Message { .. })));
}
