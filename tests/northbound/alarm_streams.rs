//! The stream rules on alarms: transitions by default, kinds, filters, gaps, long polls.

use super::raw::reason;
use super::script::{Script, alarm, crashed, host, machine, vm};
use super::server::TestServer;
use std::time::Duration;
use tonic::{Code, Status, Streaming};
use v1::alarm_change::Kind;
use v1::watch_alarms_response::Message;
use vrm::changes::digest_of;
use vrm::model::alarm::{Acknowledgement, AlarmState, PerceivedSeverity, Shelving, Suppression};
use vrm::model::virtual_machine::RunState;
use vrm::model::{Actor, Alarm, Name, Timestamp};
use vrm::northbound::WatchLimits;
use vrm::wire::v1;

const PATIENCE: Duration = Duration::from_secs(20);

/// A stream of alarms, checked for S5 and S9.
struct AlarmWatcher {
    stream: Streaming<v1::WatchAlarmsResponse>,
    number: u64,
    position: v1::StreamPosition,
    synchronized: bool,
    greeted: bool,
}

impl AlarmWatcher {
    async fn start(server: &TestServer, filter: &str, options: v1::StreamOptions) -> Result<Self, Status> {
        let request = v1::WatchAlarmsRequest { filter: filter.into(), options: Some(options), ..Default::default() };
        Self::of(server, request).await
    }

    async fn of(server: &TestServer, request: v1::WatchAlarmsRequest) -> Result<Self, Status> {
        let stream = server.alarms().await.watch_alarms(request).await?.into_inner();
        Ok(Self { stream, number: 0, position: v1::StreamPosition::default(), synchronized: false, greeted: false })
    }

    /// The next message but the heartbeat at once after the first `sync_complete`.
    async fn next(&mut self) -> Result<Option<Message>, Status> {
        let message = self.read().await?;
        let greets = self.synchronized && !self.greeted;
        self.synchronized |= matches!(message, Some(Message::SyncComplete(_)));
        match message {
            Some(Message::Heartbeat(_)) if greets => {
                self.greeted = true;
                self.read().await
            }
            message => Ok(message),
        }
    }

    async fn read(&mut self) -> Result<Option<Message>, Status> {
        let answer = tokio::time::timeout(PATIENCE, self.stream.message()).await.expect("a message in time")?;
        let Some(answer) = answer else { return Ok(None) };
        self.number += 1;
        assert_eq!(answer.message_number, self.number);
        let position = answer.position.unwrap();
        let message = answer.message.unwrap();
        if !matches!(message, Message::Started(_) | Message::Lagged(_)) {
            assert!(position.sequence >= self.position.sequence);
        }
        self.position = position;
        Ok(Some(message))
    }

    async fn change(&mut self) -> v1::AlarmChange {
        match self.next().await.unwrap() {
            Some(Message::Change(change)) => change,
            other => panic!("expected a change, got {other:?}"),
        }
    }

    /// Kind and name of the next change.
    async fn told(&mut self) -> (Kind, String) {
        let change = self.change().await;
        (change.kind(), change.alarm.unwrap().name)
    }

    async fn synchronize(&mut self) -> Vec<v1::AlarmChange> {
        let mut changes = Vec::new();
        loop {
            match self.next().await.unwrap() {
                Some(Message::SyncComplete(_)) => return changes,
                Some(Message::Change(change)) => changes.push(change),
                Some(_) => {}
                None => panic!("the stream ended"),
            }
        }
    }
}

fn note() -> Acknowledgement {
    Acknowledgement { actor: Actor::system(), time: Timestamp(9), comment: "seen".into() }
}

fn cleared(number: u128) -> Alarm {
    let time = Timestamp(99_000_000);
    Alarm { state: AlarmState::Cleared, clear_time: Some(time), status_change_time: time, ..crashed(number) }
}

#[tokio::test]
async fn transitions_are_the_default_and_name_what_happened() {
    let mut script = Script::new("e1");
    script.put(&vm(1), machine("web-1", RunState::Running));
    script.put_alarm(&alarm(1), crashed(1));
    let server = TestServer::scripted(&script.log).await;
    let mut watcher = AlarmWatcher::start(&server, "", v1::StreamOptions::default()).await.unwrap();
    let Some(Message::Started(started)) = watcher.next().await.unwrap() else { panic!("started comes first") };
    assert_eq!(started.effective_options.unwrap().delivery_mode(), v1::DeliveryMode::Transitions);
    let snapshot = watcher.synchronize().await;
    assert_eq!(snapshot.len(), 1, "alarms only, no resources");
    assert_eq!(snapshot[0].kind(), Kind::Snapshot);
    let steps = [
        (crashed(2), Kind::Raised),
        (Alarm { perceived_severity: PerceivedSeverity::Critical, ..crashed(2) }, Kind::Changed),
        (Alarm { acknowledgement: Some(note()), ..crashed(2) }, Kind::Acknowledgement),
        (crashed(2), Kind::Acknowledgement),
        (
            Alarm { shelved: Some(Shelving { shelf: Name::alarm_shelf("s"), expire_time: None }), ..crashed(2) },
            Kind::Shelving,
        ),
        (crashed(2), Kind::Shelving),
        (
            Alarm {
                suppressed_by: Some(Suppression { by: Name::host(&host()), reason: "maintenance".into() }),
                ..crashed(2)
            },
            Kind::Shelving,
        ),
        (Alarm { acknowledgement: Some(note()), ..cleared(2) }, Kind::Cleared),
        (Alarm { raise_count: 2, ..crashed(2) }, Kind::Raised),
    ];
    let mut last = None;
    for (state, kind) in steps {
        script.put_alarm(&alarm(2), state);
        let change = watcher.change().await;
        assert_eq!(change.kind(), kind);
        assert!(change.time_received && change.event_time.is_some() && change.report_time.is_some());
        last = Some(change);
    }
    let last = last.unwrap();
    assert_eq!(last.source(), v1::ChangeSource::ResourceOperation);
    let paths = last.changed_fields.unwrap().paths;
    assert!(paths.contains(&"change_time".to_owned()), "in the proto's spelling: {paths:?}");
    let time = last.attribute_changes.iter().find(|change| change.path == "clear_time").unwrap();
    let old = time.old_value.clone().unwrap().kind.unwrap();
    assert_eq!(old, prost_types::value::Kind::StringValue("1970-01-01T00:01:39.000Z".into()));
    script.remove(&alarm(2));
    assert_eq!(watcher.told().await, (Kind::Removed, alarm(2).to_string()));
}

#[tokio::test]
async fn a_short_alarm_is_seen_in_transitions_and_merged_in_state() {
    let mut script = Script::new("e1");
    let server = TestServer::scripted(&script.log).await;
    let mut one_by_one = AlarmWatcher::start(&server, "", v1::StreamOptions::default()).await.unwrap();
    one_by_one.synchronize().await;
    let state = v1::StreamOptions { delivery_mode: v1::DeliveryMode::State.into(), ..Default::default() };
    let resumed = v1::StreamOptions { resume_after: Some(one_by_one.position.clone()), ..state };
    script.put_alarm(&alarm(1), crashed(1));
    script.put_alarm(&alarm(1), cleared(1));
    assert_eq!(one_by_one.told().await, (Kind::Raised, alarm(1).to_string()));
    assert_eq!(one_by_one.told().await, (Kind::Cleared, alarm(1).to_string()));
    let mut states = AlarmWatcher::start(&server, "", resumed).await.unwrap();
    let changes = states.synchronize().await;
    assert_eq!(changes.iter().map(|change| change.kind()).collect::<Vec<_>>(), [Kind::Cleared], "S8");
}

#[tokio::test]
async fn an_alarm_that_stops_matching_is_removed_once() {
    let mut script = Script::new("e1");
    script.put_alarm(&alarm(1), crashed(1));
    let server = TestServer::scripted(&script.log).await;
    let filter = "state = ACTIVE AND acknowledged = false";
    let mut watcher = AlarmWatcher::start(&server, filter, v1::StreamOptions::default()).await.unwrap();
    assert_eq!(watcher.synchronize().await.len(), 1);
    script.put_alarm(&alarm(1), Alarm { acknowledgement: Some(note()), ..crashed(1) });
    assert_eq!(watcher.told().await, (Kind::Removed, alarm(1).to_string()));
    script.put_alarm(&alarm(1), Alarm { acknowledgement: Some(note()), ..cleared(1) });
    script.put_alarm(&alarm(2), crashed(2));
    assert_eq!(watcher.told().await, (Kind::Raised, alarm(2).to_string()), "S11");
    script.put_alarm(&alarm(1), crashed(1));
    assert_eq!(watcher.told().await, (Kind::Raised, alarm(1).to_string()));
}

#[tokio::test]
async fn a_resume_tells_each_transition_and_a_gap_is_repaired() {
    let mut script = Script::new("e1");
    script.put_alarm(&alarm(1), crashed(1));
    let server = TestServer::scripted(&script.log).await;
    let mut first = AlarmWatcher::start(&server, "", v1::StreamOptions::default()).await.unwrap();
    first.synchronize().await;
    let position = first.position.clone();
    drop(first);
    script.put_alarm(&alarm(1), cleared(1));
    script.put_alarm(&alarm(2), crashed(2));
    script.put_alarm(&alarm(1), crashed(1));
    script.remove(&alarm(2));
    let resume = |sequence: u64, policy: v1::GapPolicy| v1::StreamOptions {
        resume_after: Some(v1::StreamPosition { epoch: "e1".into(), sequence }),
        gap_policy: policy.into(),
        ..Default::default()
    };
    let options = resume(position.sequence, v1::GapPolicy::Resync);
    let mut resumed = AlarmWatcher::start(&server, "", options).await.unwrap();
    let kinds: Vec<Kind> = resumed.synchronize().await.iter().map(v1::AlarmChange::kind).collect();
    assert_eq!(kinds, [Kind::Cleared, Kind::Raised, Kind::Raised, Kind::Removed]);
    script.forget_transitions(script.log.head());
    let error = AlarmWatcher::start(&server, "", resume(2, v1::GapPolicy::Fail)).await.err().unwrap();
    assert_eq!((error.code(), reason(&error)), (Code::OutOfRange, "RESUME_POSITION_COMPACTED".into()));
    let mut again = AlarmWatcher::start(&server, "", resume(2, v1::GapPolicy::Resync)).await.unwrap();
    assert!(matches!(again.next().await, Ok(Some(Message::Started(_)))));
    let Some(Message::Lagged(lagged)) = again.next().await.unwrap() else { panic!("a gap is told") };
    assert!(lagged.snapshot_follows);
    assert_eq!(again.synchronize().await.len(), 1);
}

#[tokio::test]
async fn heartbeats_carry_the_digest_of_the_alarms() {
    let mut script = Script::new("e1");
    script.put(&vm(1), machine("web-1", RunState::Running));
    script.put_alarm(&alarm(1), crashed(1));
    script.put_alarm(&alarm(1), cleared(1));
    let server = TestServer::scripted(&script.log).await;
    let seconds = Some(prost_types::Duration { seconds: 5, nanos: 0 });
    let options = v1::StreamOptions { heartbeat_interval: seconds, ..Default::default() };
    let mut watcher = AlarmWatcher::start(&server, "", options).await.unwrap();
    watcher.synchronize().await;
    let Some(Message::Heartbeat(heartbeat)) = watcher.next().await.unwrap() else { panic!("a heartbeat") };
    assert_eq!(heartbeat.object_count, 1);
    assert_eq!(heartbeat.state_digest, Some(digest_of(alarm(1).as_str(), 2)));
}

#[tokio::test]
async fn streams_of_alarms_are_sessions_that_can_be_closed() {
    let script = Script::new("e1");
    let limits = WatchLimits { per_principal: 1, total: 1 };
    let server = TestServer::with_limits(&script.log, limits).await;
    let mut watcher = AlarmWatcher::start(&server, "root = true", v1::StreamOptions::default()).await.unwrap();
    watcher.synchronize().await;
    let mut admin = server.admin().await;
    let sessions = admin.list_sessions(v1::ListSessionsRequest::default()).await.unwrap().into_inner().sessions;
    assert_eq!(
        (sessions[0].method.as_str(), sessions[0].filter.as_str()),
        ("vrm.v1.AlarmService/WatchAlarms", "root = true")
    );
    let error = AlarmWatcher::start(&server, "", v1::StreamOptions::default()).await.err().unwrap();
    assert_eq!(reason(&error), "STREAM_LIMIT");
    let name = sessions[0].name.clone();
    admin.close_session(v1::CloseSessionRequest { name, ..Default::default() }).await.unwrap();
    assert!(matches!(watcher.next().await, Ok(Some(Message::Closing(_)))));
    assert_eq!(watcher.next().await.unwrap_err().code(), Code::Cancelled);
}

fn pull(position: Option<v1::StreamPosition>, page_size: i32) -> v1::PullAlarmChangesRequest {
    v1::PullAlarmChangesRequest {
        options: Some(v1::StreamOptions {
            resume_after: position,
            heartbeat_interval: Some(prost_types::Duration { seconds: 5, nanos: 0 }),
            ..Default::default()
        }),
        page_size,
        ..Default::default()
    }
}

/// Kinds and names of the changes in an answer.
fn pulled(answer: &v1::PullAlarmChangesResponse) -> Vec<(Kind, String)> {
    let change = |message: &v1::WatchAlarmsResponse| match &message.message {
        Some(Message::Change(change)) => Some((change.kind(), change.alarm.clone().unwrap().name)),
        _ => None,
    };
    answer.messages.iter().filter_map(change).collect()
}

#[tokio::test]
async fn s14_a_poller_gets_snapshot_and_transitions_in_pages() {
    let mut script = Script::new("e1");
    for number in 1..=5 {
        script.put_alarm(&alarm(number), crashed(number));
    }
    // The snapshot must not need transitions that are no longer kept.
    script.forget_transitions(script.log.head());
    let server = TestServer::scripted(&script.log).await;
    let mut client = server.alarms().await;
    let mut seen = Vec::new();
    let mut request = pull(None, 2);
    let answer = loop {
        let answer = client.pull_alarm_changes(request.clone()).await.unwrap().into_inner();
        seen.extend(pulled(&answer));
        assert!(!answer.messages.iter().any(|one| matches!(one.message, Some(Message::Lagged(_)))));
        request = pull(answer.position.clone(), 2);
        request.continue_snapshot = answer.continue_snapshot;
        if !answer.continue_snapshot {
            break answer;
        }
        assert!(answer.more);
    };
    let expected: Vec<_> = (1..=5).map(|number| (Kind::Snapshot, alarm(number).to_string())).collect();
    assert_eq!(seen, expected);
    script.put_alarm(&alarm(1), cleared(1));
    script.put_alarm(&alarm(1), crashed(1));
    script.put_alarm(&alarm(6), crashed(6));
    let first = client.pull_alarm_changes(pull(answer.position, 2)).await.unwrap().into_inner();
    assert_eq!(pulled(&first), [(Kind::Cleared, alarm(1).to_string()), (Kind::Raised, alarm(1).to_string())]);
    assert!(first.more && !first.continue_snapshot);
    let second = client.pull_alarm_changes(pull(first.position, 2)).await.unwrap().into_inner();
    assert_eq!(pulled(&second), [(Kind::Raised, alarm(6).to_string())]);
    assert!(!second.more);
}

#[tokio::test]
async fn s14_a_poller_waits_for_news_and_hears_that_there_are_none() {
    let mut script = Script::new("e1");
    let server = TestServer::scripted(&script.log).await;
    let mut client = server.alarms().await;
    let empty = client.pull_alarm_changes(pull(None, 0)).await.unwrap().into_inner();
    assert!(!empty.more && pulled(&empty).is_empty(), "an empty snapshot is an answer");
    let position = empty.position.clone();
    let (quiet, ()) = tokio::join!(client.pull_alarm_changes(pull(position.clone(), 0)), async {});
    let quiet = quiet.unwrap().into_inner();
    assert!(matches!(quiet.messages.last().unwrap().message, Some(Message::Heartbeat(_))));
    let mut other = server.alarms().await;
    let waiting = tokio::spawn(async move { other.pull_alarm_changes(pull(position, 0)).await });
    while server.northbound.sessions.all().is_empty() {
        tokio::task::yield_now().await;
    }
    script.put_alarm(&alarm(1), crashed(1));
    let news = waiting.await.unwrap().unwrap().into_inner();
    assert_eq!(pulled(&news), [(Kind::Raised, alarm(1).to_string())]);
    assert_eq!(news.position.unwrap().sequence, script.log.head());
    for (bad, expected) in [
        (v1::PullAlarmChangesRequest { page_size: -1, ..pull(None, 0) }, "INVALID_FIELD"),
        (v1::PullAlarmChangesRequest { filter: "x".into(), ..pull(None, 0) }, "INVALID_FILTER"),
        (v1::PullAlarmChangesRequest { continue_snapshot: true, ..pull(None, 0) }, "INVALID_FIELD"),
    ] {
        assert_eq!(reason(&client.pull_alarm_changes(bad).await.unwrap_err()), expected);
    }
}

#[tokio::test]
async fn a_stopping_daemon_releases_pollers() {
    let script = Script::new("e1");
    let server = TestServer::scripted(&script.log).await;
    let mut client = server.alarms().await;
    let position = client.pull_alarm_changes(pull(None, 0)).await.unwrap().into_inner().position;
    let waiting = tokio::spawn(async move { client.pull_alarm_changes(pull(position, 0)).await });
    while server.northbound.sessions.all().is_empty() {
        tokio::task::yield_now().await;
    }
    server.stopped().await;
    let error = waiting.await.unwrap().unwrap_err();
    assert_eq!((error.code(), reason(&error)), (Code::Unavailable, "SERVER_SHUTDOWN".into()));
}

#[tokio::test]
async fn only_the_chosen_kinds_of_alarm_changes_are_sent() {
    use v1::AlarmNotificationType as Type;
    let mut script = Script::new("e1");
    script.put_alarm(&alarm(1), crashed(1));
    let server = TestServer::scripted(&script.log).await;
    let request = |types: &[Type], mode: v1::DeliveryMode| v1::WatchAlarmsRequest {
        options: Some(v1::StreamOptions { delivery_mode: mode.into(), ..Default::default() }),
        notification_types: types.iter().map(|one| i32::from(*one)).collect(),
        ..Default::default()
    };
    let wanted = [Type::NewAlarm, Type::ClearedAlarm];
    let mut watcher = AlarmWatcher::of(&server, request(&wanted, v1::DeliveryMode::Unspecified)).await.unwrap();
    assert_eq!(watcher.synchronize().await.len(), 1, "a snapshot is no notification");
    script.put_alarm(&alarm(1), Alarm { acknowledgement: Some(note()), ..crashed(1) });
    script.put_alarm(&alarm(1), Alarm { acknowledgement: Some(note()), text: "worse".into(), ..crashed(1) });
    script.put_alarm(&alarm(1), Alarm { acknowledgement: Some(note()), ..cleared(1) });
    assert_eq!(watcher.told().await, (Kind::Cleared, alarm(1).to_string()));
    script.remove(&alarm(1));
    script.put_alarm(&alarm(2), crashed(2));
    assert_eq!(watcher.told().await, (Kind::Raised, alarm(2).to_string()));
    let refused = AlarmWatcher::of(&server, request(&wanted, v1::DeliveryMode::State)).await.err().unwrap();
    assert_eq!(reason(&refused), "INVALID_FIELD");
}
