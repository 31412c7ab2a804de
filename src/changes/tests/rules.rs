//! One test per stream rule of spec/northbound.md 4.1 that the log decides about.

use super::script::{Copy, Writer, color_of, drain, name};
use crate::changes::{
    ChangeLog, DeliveryKind, DeliveryMode, GapPolicy, LagReason, Position, Restored, Selector, StreamEvent, StreamItem,
    Subscription, SubscriptionOptions, digest_of,
};
use crate::model::history::TransitionHistory;
use std::sync::Arc;
use std::time::Duration;

fn all() -> Selector {
    Selector { classes: Vec::new(), matches: None, choice: None }
}

fn colored(color: &'static str) -> Selector {
    Selector { classes: Vec::new(), matches: Some(Arc::new(move |object| color_of(object) == color)), choice: None }
}

fn resume(sequence: u64) -> SubscriptionOptions {
    SubscriptionOptions {
        resume_after: Some(Position { epoch: "e1".into(), sequence }),
        ..SubscriptionOptions::default()
    }
}

fn start(writer: &Writer, selector: Selector, options: SubscriptionOptions) -> Subscription {
    Subscription::start(Arc::clone(&writer.log), selector, options).unwrap()
}

fn kinds(items: &[StreamItem]) -> Vec<String> {
    let word = |item: &StreamItem| match &item.event {
        StreamEvent::Started { .. } => "started".to_owned(),
        StreamEvent::Change(delivery) => format!("{:?}", delivery.kind).to_lowercase(),
        StreamEvent::SyncComplete { .. } => "sync".to_owned(),
        StreamEvent::Heartbeat { .. } => "heartbeat".to_owned(),
        StreamEvent::Lagged { reason, .. } => format!("lagged {reason:?}"),
        StreamEvent::Status(_) => "status".to_owned(),
    };
    items.iter().map(word).collect()
}

#[tokio::test(start_paused = true)]
async fn s1_s2_a_stream_starts_with_started_snapshot_and_sync_complete() {
    let mut writer = Writer::new();
    writer.put(1, "red");
    writer.put(2, "blue");
    let mut subscription = start(&writer, all(), SubscriptionOptions::default());
    let mut copy = Copy::default();
    let items = drain(&mut subscription, &mut copy).await;
    assert_eq!(kinds(&items), ["started", "snapshot", "snapshot", "sync"]);
    assert!(matches!(items[0].event, StreamEvent::Started { head: 2, oldest: 0, snapshot_follows: true, .. }));
    assert!(matches!(items[3].event, StreamEvent::SyncComplete { object_count: 2 }));
    writer.put(3, "red");
    assert_eq!(kinds(&drain(&mut subscription, &mut copy).await), ["created"]);
    assert_eq!(copy.held, writer.expected(None));
}

#[tokio::test(start_paused = true)]
async fn s3_a_resume_brings_only_what_changed_and_tombstones() {
    let mut writer = Writer::new();
    (1..=3).for_each(|id| writer.put(id, "red"));
    writer.put(2, "blue");
    writer.remove(3);
    writer.put(4, "red");
    let mut subscription = start(&writer, all(), resume(3));
    let items = drain(&mut subscription, &mut Copy::default()).await;
    assert_eq!(kinds(&items), ["started", "changed", "removed", "created", "sync"]);
    assert!(matches!(items[4].event, StreamEvent::SyncComplete { object_count: 0 }));
}

#[tokio::test(start_paused = true)]
async fn s4_a_start_that_is_not_kept_is_told_and_followed_by_a_snapshot() {
    let mut writer = Writer::new();
    writer.put(1, "red");
    for (position, reason) in [
        (Position { epoch: "other".into(), sequence: 1 }, LagReason::EpochChanged),
        (Position { epoch: "e1".into(), sequence: 99 }, LagReason::PositionUnknown),
    ] {
        let options = SubscriptionOptions { resume_after: Some(position), ..SubscriptionOptions::default() };
        let mut subscription = start(&writer, all(), options.clone());
        let items = drain(&mut subscription, &mut Copy::default()).await;
        assert_eq!(kinds(&items), ["started", &format!("lagged {reason:?}"), "snapshot", "sync"]);
        let failing = SubscriptionOptions { gap_policy: GapPolicy::Fail, ..options };
        let error = Subscription::start(Arc::clone(&writer.log), all(), failing).unwrap_err();
        assert_eq!((error.reason, error.head.sequence), (reason, 1));
    }
}

#[tokio::test(start_paused = true)]
async fn s4_transitions_that_are_no_longer_kept_are_told_as_compacted() {
    let mut writer = Writer::new();
    for round in 0..5_000_u32 {
        writer.put(u8::try_from(round % 7).unwrap(), "red");
    }
    writer.memory.forget_until(800);
    let options = SubscriptionOptions { mode: DeliveryMode::Transitions, ..resume(100) };
    let mut subscription = start(&writer, all(), options);
    let items = drain(&mut subscription, &mut Copy::default()).await;
    assert_eq!(kinds(&items)[..2], ["started", "lagged Compacted"]);
    assert!(matches!(items[1].event, StreamEvent::Lagged { skipped: 700, snapshot_follows: true, .. }));
}

#[tokio::test(start_paused = true)]
async fn s7_states_merge_and_say_how_many() {
    let mut writer = Writer::new();
    writer.put(1, "red");
    let mut subscription = start(&writer, all(), SubscriptionOptions::default());
    let mut copy = Copy::default();
    drain(&mut subscription, &mut copy).await;
    (0..5).for_each(|_| writer.put(1, "blue"));
    let items = drain(&mut subscription, &mut copy).await;
    assert_eq!(kinds(&items), ["changed"]);
    let StreamEvent::Change(delivery) = &items[0].event else { unreachable!("checked above") };
    assert_eq!((delivery.merged, delivery.object.revision), (4, 6));
}

#[tokio::test(start_paused = true)]
async fn s7_transitions_come_one_by_one_also_from_disk() {
    let mut writer = Writer::new();
    for _ in 0..4_500 {
        writer.put(1, "red");
    }
    let options = SubscriptionOptions { mode: DeliveryMode::Transitions, ..resume(10) };
    let mut subscription = start(&writer, all(), options);
    let mut copy = Copy::default();
    drain(&mut subscription, &mut copy).await;
    let revisions: Vec<u64> = copy.transitions.iter().map(|(_, revision)| *revision).collect();
    assert_eq!(revisions, (11..=4_500).collect::<Vec<u64>>());
    assert!(copy.synchronized);
}

/// Just after a restart nothing is in memory, and the disk is ahead of what is published by what was committed last.
#[tokio::test(start_paused = true)]
async fn s16_what_is_committed_but_not_published_is_not_told_from_disk() {
    let mut before = Writer::new();
    for _ in 0..12 {
        before.put(1, "red");
    }
    let restored = Restored { epoch: "e1".into(), head: 10, ..Restored::default() };
    let log = Arc::new(ChangeLog::new(restored, Arc::clone(&before.memory) as Arc<dyn TransitionHistory>));
    let options = SubscriptionOptions { mode: DeliveryMode::Transitions, ..resume(5) };
    let mut subscription = Subscription::start(Arc::clone(&log), all(), options).unwrap();
    let mut copy = Copy::default();
    drain(&mut subscription, &mut copy).await;
    assert_eq!(copy.position, 10);
    assert_eq!(copy.transitions.len(), 5);
    assert!(copy.synchronized);
}

#[tokio::test(start_paused = true)]
async fn s7_a_subscriber_that_is_overrun_catches_up_by_state_and_goes_on() {
    let mut writer = Writer::new();
    writer.put(1, "red");
    let options = SubscriptionOptions { mode: DeliveryMode::Transitions, ..SubscriptionOptions::default() };
    let mut subscription = start(&writer, all(), options);
    let mut copy = Copy::default();
    drain(&mut subscription, &mut copy).await;
    for _ in 0..10_000 {
        writer.put(1, "red");
    }
    writer.memory.forget_until(9_000);
    let items = drain(&mut subscription, &mut copy).await;
    assert_eq!(kinds(&items), ["lagged SlowSubscriber", "changed"]);
    writer.put(1, "blue");
    writer.put(1, "red");
    assert_eq!(kinds(&drain(&mut subscription, &mut copy).await), ["changed", "changed"]);
    assert_eq!(copy.held, writer.expected(None));
}

#[tokio::test(start_paused = true)]
async fn s9_s10_a_heartbeat_breaks_the_silence_and_carries_the_digest() {
    let mut writer = Writer::new();
    writer.put(1, "red");
    let options = SubscriptionOptions { heartbeat: Some(Duration::from_millis(500)), ..SubscriptionOptions::default() };
    let mut subscription = start(&writer, all(), options);
    for _ in 0..3 {
        subscription.next().await;
    }
    let item = subscription.next().await.unwrap();
    let expected = digest_of(name(1).as_str(), 1);
    assert!(
        matches!(item.event, StreamEvent::Heartbeat { object_count: 1, state_digest: Some(digest) } if digest == expected)
    );
}

#[tokio::test(start_paused = true)]
async fn s11_an_object_that_stops_matching_is_told_as_removed_once() {
    let mut writer = Writer::new();
    writer.put(1, "red");
    let mut subscription = start(&writer, colored("red"), SubscriptionOptions::default());
    let mut copy = Copy::default();
    drain(&mut subscription, &mut copy).await;
    writer.put(1, "blue");
    assert_eq!(kinds(&drain(&mut subscription, &mut copy).await), ["removed"]);
    writer.put(1, "green");
    assert!(drain(&mut subscription, &mut copy).await.is_empty());
    writer.put(1, "red");
    assert_eq!(kinds(&drain(&mut subscription, &mut copy).await), ["created"]);
}

#[tokio::test(start_paused = true)]
async fn s11_after_a_resume_a_client_is_told_of_what_it_may_hold() {
    let mut writer = Writer::new();
    writer.put(1, "red");
    writer.put(2, "blue");
    let mut subscription = start(&writer, colored("red"), resume(2));
    let mut copy = Copy::default();
    drain(&mut subscription, &mut copy).await;
    // Object 1 was delivered before the resume; the server cannot know that.
    writer.put(1, "blue");
    assert_eq!(kinds(&drain(&mut subscription, &mut copy).await), ["removed"]);
}

#[tokio::test(start_paused = true)]
async fn updates_only_begins_at_the_head_and_once_ends_after_the_snapshot() {
    let mut writer = Writer::new();
    writer.put(1, "red");
    let options = SubscriptionOptions { updates_only: true, ..SubscriptionOptions::default() };
    let mut subscription = start(&writer, all(), options);
    let mut copy = Copy::default();
    assert_eq!(kinds(&drain(&mut subscription, &mut copy).await), ["started", "sync"]);
    writer.put(2, "red");
    assert_eq!(kinds(&drain(&mut subscription, &mut copy).await), ["created"]);

    let options = SubscriptionOptions { once: true, ..SubscriptionOptions::default() };
    let mut subscription = start(&writer, all(), options);
    drain(&mut subscription, &mut Copy::default()).await;
    assert!(subscription.next().await.is_none());
}

#[tokio::test(start_paused = true)]
async fn dampening_merges_what_comes_within_its_period() {
    let mut writer = Writer::new();
    writer.put(1, "red");
    let options = SubscriptionOptions { dampening: Duration::from_millis(800), ..SubscriptionOptions::default() };
    let mut subscription = start(&writer, all(), options);
    let mut copy = Copy::default();
    for _ in 0..3 {
        subscription.next().await;
    }
    writer.put(1, "blue");
    let early = tokio::time::timeout(Duration::from_millis(300), subscription.next()).await;
    assert!(early.is_err(), "{early:?}");
    writer.put(1, "green");
    let items = drain(&mut subscription, &mut copy).await;
    assert_eq!(kinds(&items), ["changed"]);
}

#[tokio::test(start_paused = true)]
async fn a_removed_name_that_returns_is_created_anew_for_a_live_subscriber() {
    let mut writer = Writer::new();
    writer.put(1, "red");
    let mut subscription = start(&writer, all(), SubscriptionOptions::default());
    let mut copy = Copy::default();
    drain(&mut subscription, &mut copy).await;
    writer.remove(1);
    drain(&mut subscription, &mut copy).await;
    writer.put(1, "blue");
    assert_eq!(kinds(&drain(&mut subscription, &mut copy).await), ["created"]);
    assert_eq!(copy.held, writer.expected(None));
}

#[tokio::test(start_paused = true)]
async fn a_forced_gap_is_told_and_nothing_is_missed() {
    let mut writer = Writer::new();
    writer.put(1, "red");
    let mut subscription = start(&writer, all(), SubscriptionOptions::default());
    let mut copy = Copy::default();
    drain(&mut subscription, &mut copy).await;
    writer.log.force_gap();
    let items = drain(&mut subscription, &mut copy).await;
    assert_eq!(kinds(&items), ["lagged SlowSubscriber"]);
    writer.put(1, "blue");
    assert_eq!(kinds(&drain(&mut subscription, &mut copy).await), ["changed"]);
}

#[test]
fn digest_test_vectors_of_the_interface() {
    assert_eq!(digest_of("", 0), 0xa8c7_f832_281a_39c5);
    assert_eq!(digest_of("hosts/kvm-07", 1), digest_of("hosts/kvm-07", 1));
    assert_ne!(digest_of("hosts/kvm-07", 1), digest_of("hosts/kvm-07", 2));
    assert_eq!(kinds(&[]), Vec::<String>::new());
    assert_eq!(DeliveryKind::Removed, DeliveryKind::Removed);
}
