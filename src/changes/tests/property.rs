//! Random changes, stalls, disconnects and resumes: the client's copy equals the server's table
//! whenever the stream says that it is synchronised (spec/northbound.md 13.1).

use super::script::{ALARMS, Copy, Writer, color_of, drain};
use crate::changes::{
    ChangeLog, Condition, DeliveryMode, Position, Restored, Selector, StreamEvent, Subscription, SubscriptionOptions,
};
use crate::model::ObjectClass;
use crate::model::history::TransitionHistory;
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
    /// Old transitions of resources are forgotten.
    Forget,
    /// Old transitions of records are forgotten.
    ForgetRecords,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => (id(), any::<bool>()).prop_map(|(id, red)| Step::Put(id, red)),
        2 => id().prop_map(Step::Remove),
        3 => (1_u8..6).prop_map(Step::Read),
        2 => Just(Step::Drain),
        1 => Just(Step::Reconnect),
        1 => Just(Step::Forget),
        1 => Just(Step::ForgetRecords),
    ]
}

/// Machines and alarms.
fn id() -> impl Strategy<Value = u8> {
    prop_oneof![2 => 0_u8..12, 1 => ALARMS..ALARMS + 6]
}

/// What a subscriber may want: all resources, alarms, or both.
fn classes() -> impl Strategy<Value = Vec<ObjectClass>> {
    prop_oneof![
        Just(Vec::new()),
        Just(vec![ObjectClass::Alarm]),
        Just(vec![ObjectClass::VirtualMachine, ObjectClass::Alarm]),
    ]
}

/// The subscriber of a play.
struct Wish {
    mode: DeliveryMode,
    filtered: bool,
    classes: Vec<ObjectClass>,
}

fn subscribe(writer: &Writer, wish: &Wish, after: Option<u64>) -> Subscription {
    let matches: Option<Condition> =
        if wish.filtered { Some(Arc::new(|object| color_of(object) == "red")) } else { None };
    let options = SubscriptionOptions {
        resume_after: after.map(|sequence| Position { epoch: "e1".into(), sequence }),
        mode: wish.mode,
        heartbeat: Some(Duration::from_millis(700)),
        ..SubscriptionOptions::default()
    };
    Subscription::start(
        Arc::clone(&writer.log),
        Selector { classes: wish.classes.clone(), matches, choice: None },
        options,
    )
    .unwrap()
}

async fn play(steps: Vec<Step>, wish: Wish) {
    let mut writer = Writer::new();
    let mut copy = Copy::default();
    let mut subscription = subscribe(&writer, &wish, None);
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
            Step::Drain => settle(&mut subscription, &mut copy, &writer, &wish).await,
            Step::Reconnect => {
                // A client that never synchronised has nothing to resume from but a snapshot.
                let after = copy.synchronized.then_some(copy.position);
                subscription = subscribe(&writer, &wish, after);
            }
            Step::Forget => writer.memory.forget_until(writer.log.head() / 2),
            Step::ForgetRecords => writer.memory.forget_records_until(writer.log.head() / 2),
        }
    }
    settle(&mut subscription, &mut copy, &writer, &wish).await;
}

async fn settle(subscription: &mut Subscription, copy: &mut Copy, writer: &Writer, wish: &Wish) {
    // The heartbeat never lets it fall silent, so read until one comes at the head.
    loop {
        let item = subscription.next().await.unwrap();
        copy.take(&item);
        if matches!(item.event, StreamEvent::Heartbeat { state_digest: Some(_), .. }) {
            break;
        }
    }
    assert!(copy.synchronized);
    let classes = if wish.classes.is_empty() { &ObjectClass::RESOURCES[..] } else { &wish.classes };
    assert_eq!(copy.held, writer.expected_of(classes, wish.filtered.then_some("red")));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn copy_equals_table_at_every_synchronisation(
        steps in proptest::collection::vec(step(), 1..120),
        transitions in any::<bool>(),
        filtered in any::<bool>(),
        classes in classes(),
    ) {
        let mode = if transitions { DeliveryMode::Transitions } else { DeliveryMode::State };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
        runtime.block_on(play(steps, Wish { mode, filtered, classes }));
    }
}

/// What a client that resumes at `after` is told one by one, by sequence; nothing if it was told of a gap.
async fn resumed(log: &Arc<ChangeLog>, classes: &[ObjectClass], after: u64) -> Option<Vec<u64>> {
    let options = SubscriptionOptions {
        resume_after: Some(Position { epoch: "e1".into(), sequence: after }),
        mode: DeliveryMode::Transitions,
        once: true,
        ..SubscriptionOptions::default()
    };
    let selector = Selector { classes: classes.to_vec(), matches: None, choice: None };
    let mut subscription = Subscription::start(Arc::clone(log), selector, options).unwrap();
    let mut told = Vec::new();
    let mut last = 0;
    while let Some(item) = subscription.next().await {
        match item.event {
            StreamEvent::Lagged { .. } => return None,
            StreamEvent::Change(delivery) => told.push(delivery.object.last_change_sequence),
            _ => {}
        }
        last = item.position;
    }
    assert_eq!(last, log.head(), "synchronised at the head");
    Some(told)
}

/// Transitions of alarms and machines that took turns, some of each forgotten; nothing is in memory any more, so every
/// read is one from disk: whoever resumes at `oldest` or later is told each wanted transition that came after,
/// whoever comes from before is told that there is a gap.
async fn resume_everywhere(writes: Vec<u8>, resources_gone: u64, records_gone: u64) {
    let mut writer = Writer::new();
    writes.iter().for_each(|id| writer.put(*id, "red"));
    let head = writer.log.head();
    writer.memory.forget_until(resources_gone.min(head));
    writer.memory.forget_records_until(records_gone.min(head));
    let restored = Restored { epoch: "e1".into(), head, ..Restored::default() };
    let log = Arc::new(ChangeLog::new(restored, Arc::clone(&writer.memory) as Arc<dyn TransitionHistory>));
    let machines = vec![ObjectClass::VirtualMachine];
    let alarms = vec![ObjectClass::Alarm];
    let both = [machines.clone(), alarms.clone()].concat();
    for (classes, gone) in
        [(&machines, resources_gone), (&alarms, records_gone), (&both, resources_gone.max(records_gone))]
    {
        for after in 0..=head {
            let wanted = |(id, _): &(&u8, u64)| {
                (**id >= ALARMS && classes.contains(&ObjectClass::Alarm))
                    || (**id < ALARMS && classes.contains(&ObjectClass::VirtualMachine))
            };
            let expected = writes.iter().zip(1..).filter(|(_, sequence)| *sequence > after).filter(wanted);
            let expected: Vec<u64> = expected.map(|(_, sequence)| sequence).collect();
            let told = resumed(&log, classes, after).await;
            assert_eq!(told, (after >= gone.min(head)).then_some(expected), "{classes:?} after {after}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_resume_brings_every_wanted_transition_or_says_that_it_cannot(
        writes in proptest::collection::vec(id(), 1..40),
        resources_gone in 0_u64..40,
        records_gone in 0_u64..40,
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
        runtime.block_on(resume_everywhere(writes, resources_gone, records_gone));
    }
}

#[test]
fn draining_without_heartbeats_ends() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
    runtime.block_on(async {
        let writer = Writer::new();
        let options = SubscriptionOptions::default();
        let selector = Selector { classes: Vec::new(), matches: None, choice: None };
        let mut subscription = Subscription::start(Arc::clone(&writer.log), selector, options).unwrap();
        assert_eq!(drain(&mut subscription, &mut Copy::default()).await.len(), 2);
    });
}
