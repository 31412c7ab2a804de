//! Random changes, stalls, disconnects and resumes: the client's copy equals the server's table
//! whenever the stream says that it is synchronised (spec/northbound.md 13.1).

use super::script::{Copy, Writer, color_of, drain};
use crate::changes::{Condition, DeliveryMode, Position, Selector, StreamEvent, Subscription, SubscriptionOptions};
use proptest::prelude::*;
use std::sync::Arc;
use std::time::Duration;

#[derive(Clone, Debug)]
enum Step {
    Put(u8, bool),
    Remove(u8),
    /// The client reads so many items.
    Read(u8),
    /// The client reads until silence.
    Drain,
    /// The client goes away and resumes from its stored position.
    Reconnect,
    /// Old transitions are forgotten.
    Forget,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => (0_u8..12, any::<bool>()).prop_map(|(id, red)| Step::Put(id, red)),
        2 => (0_u8..12).prop_map(Step::Remove),
        3 => (1_u8..6).prop_map(Step::Read),
        2 => Just(Step::Drain),
        1 => Just(Step::Reconnect),
        1 => Just(Step::Forget),
    ]
}

fn subscribe(writer: &Writer, mode: DeliveryMode, filtered: bool, after: Option<u64>) -> Subscription {
    let matches: Option<Condition> = if filtered { Some(Arc::new(|object| color_of(object) == "red")) } else { None };
    let options = SubscriptionOptions {
        resume_after: after.map(|sequence| Position { epoch: "e1".into(), sequence }),
        mode,
        heartbeat: Some(Duration::from_millis(700)),
        ..SubscriptionOptions::default()
    };
    Subscription::start(Arc::clone(&writer.log), Selector { classes: Vec::new(), matches }, options).unwrap()
}

async fn play(steps: Vec<Step>, mode: DeliveryMode, filtered: bool) {
    let color = filtered.then_some("red");
    let mut writer = Writer::new();
    let mut copy = Copy::default();
    let mut subscription = subscribe(&writer, mode, filtered, None);
    for step in steps {
        match step {
            Step::Put(id, red) => writer.put(id, if red { "red" } else { "blue" }),
            Step::Remove(id) => writer.remove(id),
            Step::Read(count) => {
                for _ in 0..count {
                    let next = tokio::time::timeout(Duration::from_millis(300), subscription.next()).await;
                    if let Ok(Some(item)) = next {
                        copy.take(&item);
                    }
                }
            }
            Step::Drain => settle(&mut subscription, &mut copy, &writer, color).await,
            Step::Reconnect => {
                // A client that never synchronised has nothing to resume from but a snapshot.
                let after = copy.synchronized.then_some(copy.position);
                subscription = subscribe(&writer, mode, filtered, after);
            }
            Step::Forget => writer.memory.forget_until(writer.log.head() / 2),
        }
    }
    settle(&mut subscription, &mut copy, &writer, color).await;
}

async fn settle(subscription: &mut Subscription, copy: &mut Copy, writer: &Writer, color: Option<&str>) {
    // The heartbeat never lets it fall silent, so read until one comes at the head.
    loop {
        let item = subscription.next().await.unwrap();
        copy.take(&item);
        if matches!(item.event, StreamEvent::Heartbeat { state_digest: Some(_), .. }) {
            break;
        }
    }
    assert!(copy.synchronized);
    assert_eq!(copy.held, writer.expected(color));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn copy_equals_table_at_every_synchronisation(
        steps in proptest::collection::vec(step(), 1..120),
        transitions in any::<bool>(),
        filtered in any::<bool>(),
    ) {
        let mode = if transitions { DeliveryMode::Transitions } else { DeliveryMode::State };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
        runtime.block_on(play(steps, mode, filtered));
    }
}

#[test]
fn draining_without_heartbeats_ends() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
    runtime.block_on(async {
        let writer = Writer::new();
        let options = SubscriptionOptions::default();
        let selector = Selector { classes: Vec::new(), matches: None };
        let mut subscription = Subscription::start(Arc::clone(&writer.log), selector, options).unwrap();
        assert_eq!(drain(&mut subscription, &mut Copy::default()).await.len(), 2);
    });
}
