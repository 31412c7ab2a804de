use super::choice::{alarm_types, mode_of_choice, resource_choice, resource_types};
use super::options::subscription_options as understood;
use super::*;
use crate::changes::{ChangeLog, DeliveryKind, DeliveryMode, Restored, SubscriptionOptions};
use crate::model::alarm::AlarmState;
use crate::model::dn::DnScheme;
use crate::model::history::{HistoryError, TransitionHistory};
use crate::model::{Alarm, AttributeChange, Body, Change, Name, Object, ObjectClass, Timestamp};
use crate::northbound::auth::{Caller, Identity, PeerKind, Role};
use crate::northbound::failure::Failure;
use crate::northbound::published::Published;
use crate::wire::v1;
use std::sync::Arc;
use std::time::Duration;
use tokio_stream::StreamExt;
use tokio_util::sync::CancellationToken;
use v1::stream_closing::Reason as Closing;
use v1::watch_resources_response::Message;

fn state_options(options: v1::StreamOptions) -> Result<SubscriptionOptions, Failure> {
    understood(options, DeliveryMode::State)
}

struct NoHistory;

impl TransitionHistory for NoHistory {
    fn read(&self, _: u64, _: u64, _: &[ObjectClass], _: usize) -> Result<Vec<Arc<Change>>, HistoryError> {
        Ok(Vec::new())
    }

    fn oldest(&self, _: &[ObjectClass]) -> u64 {
        0
    }
}

fn watching() -> Watching {
    let restored = Restored { epoch: "e1".into(), ..Restored::default() };
    let published = Published {
        log: Arc::new(ChangeLog::new(restored, Arc::new(NoHistory))),
        dn: Arc::new(DnScheme { prefix: String::new(), vrm_id: "v".into(), cluster_id: "c".into() }),
        now: || Timestamp(0),
    };
    Watching {
        published,
        sessions: Arc::default(),
        counters: Arc::default(),
        stopping: CancellationToken::new(),
        latency: crate::telemetry::AlarmLatency::default(),
        vrm_id: "v".into(),
        version: "1".into(),
    }
}

fn caller(lives: Duration) -> Caller {
    let identity = Identity {
        principal: "p".into(),
        peer: "q".into(),
        kind: PeerKind::Tls,
        roles: [Role::Viewer].into(),
        user: None,
    };
    Caller { identity: Arc::new(identity), deadline: tokio::time::Instant::now() + lives }
}

/// S12: the stream of a connection that reaches its age says so and ends well.
#[tokio::test(start_paused = true)]
async fn a_stream_ends_with_its_connections_age() {
    let mut answers = watching().resources(&caller(Duration::from_secs(100)), Default::default()).unwrap();
    let mut kinds = Vec::new();
    while let Some(answer) = answers.next().await {
        kinds.push(answer.unwrap().message.unwrap());
    }
    let heartbeats = kinds.iter().filter(|kind| matches!(kind, Message::Heartbeat(_))).count();
    assert_eq!(heartbeats, 4, "one at once and one every thirty seconds");
    let Some(Message::Closing(closing)) = kinds.last() else { panic!("no closing: {kinds:?}") };
    assert_eq!(closing.reason(), Closing::MaxAge);
}

/// A client that never reads holds one message and one place, and gives the place back.
#[tokio::test(start_paused = true)]
async fn a_client_that_does_not_read_costs_a_constant() {
    let watching = watching();
    let answers = watching.resources(&caller(Duration::from_secs(3_600)), Default::default()).unwrap();
    tokio::time::sleep(Duration::from_secs(600)).await;
    let session = watching.sessions.all()[0].message("e1", 0);
    assert_eq!(session.messages, 1, "the second message was never made");
    assert!(session.stalled.unwrap().seconds > 500);
    drop(answers);
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert!(watching.sessions.all().is_empty());
}

#[test]
fn options_are_coerced_or_refused() {
    let seconds = |seconds: i64| Some(prost_types::Duration { seconds, nanos: 0 });
    let options = |heartbeat: i64, dampening: i64, mode: v1::DeliveryMode| v1::StreamOptions {
        heartbeat_interval: seconds(heartbeat),
        dampening_period: seconds(dampening),
        delivery_mode: mode.into(),
        ..Default::default()
    };
    let coerced = state_options(options(1, 1_000, v1::DeliveryMode::State)).unwrap();
    assert_eq!((coerced.heartbeat, coerced.dampening), (Some(Duration::from_secs(5)), Duration::from_secs(60)));
    let coerced = state_options(options(10_000, 5, v1::DeliveryMode::Transitions)).unwrap();
    assert_eq!((coerced.heartbeat, coerced.dampening), (Some(Duration::from_secs(300)), Duration::ZERO));
    let silent = state_options(options(0, 0, v1::DeliveryMode::State)).unwrap();
    assert_eq!(silent.heartbeat, None);
    assert!(state_options(options(-1, 0, v1::DeliveryMode::State)).is_err());
    assert!(state_options(v1::StreamOptions { gap_policy: 9, ..Default::default() }).is_err());
}

#[test]
fn a_choice_needs_transitions() {
    let state = v1::StreamOptions { delivery_mode: v1::DeliveryMode::State.into(), ..Default::default() };
    let open = v1::StreamOptions::default();
    assert_eq!(mode_of_choice(&[], &state, DeliveryMode::State).unwrap(), DeliveryMode::State);
    assert_eq!(mode_of_choice(&[], &open, DeliveryMode::State).unwrap(), DeliveryMode::State);
    assert_eq!(mode_of_choice(&[1], &open, DeliveryMode::State).unwrap(), DeliveryMode::Transitions);
    assert!(mode_of_choice(&[1], &state, DeliveryMode::State).is_err());
    assert!(resource_choice(&[]).unwrap().is_none());
    assert!(resource_choice(&[99]).is_err() && resource_choice(&[0]).is_err());
}

#[test]
fn changes_are_classified_by_what_differs() {
    use v1::AlarmNotificationType as OfAlarms;
    use v1::ResourceNotificationType as OfResources;
    let of = |paths: &[&str]| -> Vec<AttributeChange> {
        let change = |path: &&str| AttributeChange {
            path: (*path).into(),
            old: serde_json::Value::Null,
            new: serde_json::Value::Null,
        };
        paths.iter().map(change).collect()
    };
    let resource = |paths: &[&str]| resource_types(DeliveryKind::Changed, &of(paths));
    assert_eq!(resource(&["state.operational", "run_state"]), [OfResources::StateChange]);
    assert_eq!(resource(&["labels"]), [OfResources::AttributeValueChange]);
    assert_eq!(resource(&["host", "run_state"]), [OfResources::StateChange, OfResources::RelationshipChange]);
    assert_eq!(resource(&[]), [OfResources::AttributeValueChange]);
    assert_eq!(resource_types(DeliveryKind::Removed, &[]), [OfResources::ObjectDeletion]);
    let object = |state| {
        let alarm = Alarm { state, ..Alarm::default() };
        Object {
            name: Name::alarm(uuid::Uuid::nil()),
            uid: uuid::Uuid::nil(),
            revision: 1,
            created_sequence: 1,
            last_change_sequence: 1,
            create_time: Timestamp(0),
            change_time: Timestamp(0),
            state: Default::default(),
            annotations: Default::default(),
            body: Body::Alarm(Box::new(alarm)),
        }
    };
    let alarm = |paths: &[&str], state| alarm_types(DeliveryKind::Changed, &of(paths), &object(state));
    assert_eq!(alarm(&["state", "history", "clearing"], AlarmState::Cleared), [OfAlarms::ClearedAlarm]);
    assert_eq!(alarm(&["state", "raise_count"], AlarmState::Active), [OfAlarms::NewAlarm]);
    assert_eq!(alarm(&["acknowledgement", "history"], AlarmState::Active), [OfAlarms::AckStateChanged]);
    assert_eq!(alarm(&["perceived_severity", "text"], AlarmState::Active), [OfAlarms::ChangedAlarm]);
    assert_eq!(alarm(&["root_cause", "root"], AlarmState::Active), [OfAlarms::CorrelationChanged]);
    assert_eq!(alarm(&["comments"], AlarmState::Active), [OfAlarms::Comments]);
}
