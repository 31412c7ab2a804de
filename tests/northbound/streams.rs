//! The stream rules S1–S16 of docs/streams, one test or more each.

use super::raw::reason;
use super::script::{Script, machine, vm};
use super::server::TestServer;
use super::watcher::{Watcher, identity};
use tonic::Code;
use tonic_types::StatusExt;
use v1::resource_change::Kind;
use v1::watch_resources_response::Message;
use vrm::model::virtual_machine::RunState;
use vrm::northbound::WatchLimits;
use vrm::wire::v1;
use vrm::wire::v1::inventory_service_client::InventoryServiceClient;

fn request(options: v1::StreamOptions) -> v1::WatchResourcesRequest {
    v1::WatchResourcesRequest { options: Some(options), ..Default::default() }
}

fn resume(epoch: &str, sequence: u64) -> v1::StreamOptions {
    v1::StreamOptions { resume_after: Some(v1::StreamPosition { epoch: epoch.into(), sequence }), ..Default::default() }
}

fn transitions() -> v1::StreamOptions {
    v1::StreamOptions { delivery_mode: v1::DeliveryMode::Transitions.into(), ..Default::default() }
}

async fn watch(server: &TestServer, options: v1::StreamOptions) -> Watcher {
    Watcher::start(&mut server.inventory().await, request(options)).await.unwrap()
}

#[tokio::test]
async fn s1_the_first_message_tells_where_the_stream_stands() {
    let mut script = Script::new("e1");
    script.populate();
    let server = TestServer::scripted(&script.log).await;
    let mut watcher = watch(&server, v1::StreamOptions::default()).await;
    let Some(Message::Started(started)) = watcher.next().await.unwrap() else { panic!("started comes first") };
    assert_eq!(started.head, Some(v1::StreamPosition { epoch: "e1".into(), sequence: 21 }));
    assert_eq!(started.oldest.unwrap().sequence, 4);
    assert!(started.snapshot_follows);
    assert_eq!(started.vrm_id, "test");
    assert_eq!(started.system_dn, "VrmFunction=test");
    assert_eq!(started.server_version, "9.9.9");
    assert_eq!(started.list_status.unwrap().state(), v1::list_status::State::Reliable);
    let options = started.effective_options.unwrap();
    assert_eq!(options.delivery_mode(), v1::DeliveryMode::State);
    assert_eq!(options.gap_policy(), v1::GapPolicy::Resync);
    assert_eq!(options.heartbeat_interval.unwrap().seconds, 30);
}

#[tokio::test]
async fn s2_a_snapshot_is_everything_then_live() {
    let mut script = Script::new("e1");
    script.populate();
    let server = TestServer::scripted(&script.log).await;
    let mut watcher = watch(&server, v1::StreamOptions::default()).await;
    let snapshot = watcher.synchronize().await;
    assert_eq!(snapshot.len(), 11);
    assert!(snapshot.iter().all(|change| change.kind() == Kind::Snapshot && !change.object_dn.is_empty()));
    assert_eq!(watcher.position.sequence, script.log.head());
    script.put(&vm(2), machine("new", RunState::Off));
    let change = watcher.change().await;
    assert_eq!((change.kind(), identity(&change)), (Kind::Created, (vm(2).to_string(), 1)));
    assert!(change.time_received, "libvirt's events carry no time");
    script.put(&vm(2), machine("new", RunState::Running));
    assert_eq!(watcher.change().await.kind(), Kind::Changed);
    script.remove(&vm(2));
    let change = watcher.change().await;
    assert_eq!((change.kind(), identity(&change)), (Kind::Removed, (vm(2).to_string(), 3)));
}

#[tokio::test]
async fn s2_once_ends_after_the_snapshot_and_updates_only_has_none() {
    let mut script = Script::new("e1");
    script.populate();
    let server = TestServer::scripted(&script.log).await;
    let mut once = watch(&server, v1::StreamOptions { once: true, ..Default::default() }).await;
    assert_eq!(once.synchronize().await.len(), 11);
    assert!(matches!(once.end().await, (None, Ok(()))));
    let mut updates = watch(&server, v1::StreamOptions { updates_only: true, ..Default::default() }).await;
    assert_eq!(updates.synchronize().await.len(), 0);
    script.put(&vm(1), machine("web-1", RunState::Off));
    assert_eq!(identity(&updates.change().await).0, vm(1).to_string());
}

#[tokio::test]
async fn s3_and_s16_a_resume_gives_what_changed_also_after_a_restart() {
    let mut script = Script::new("e1");
    script.populate();
    script.put(&vm(2), machine("two", RunState::Running));
    let server = TestServer::scripted(&script.log).await;
    let mut watcher = watch(&server, v1::StreamOptions::default()).await;
    watcher.synchronize().await;
    let position = watcher.position.clone();
    server.stopped().await;
    script.remove(&vm(2));
    script.put(&vm(1), machine("web-1", RunState::Paused));
    script.put(&vm(3), machine("three", RunState::Running));
    let server = TestServer::scripted(&script.log).await;
    for mode in [v1::StreamOptions::default(), transitions()] {
        let options = v1::StreamOptions { resume_after: Some(position.clone()), ..mode };
        let mut watcher = watch(&server, options).await;
        let changes = watcher.synchronize().await;
        let told: Vec<(Kind, String)> = changes.iter().map(|change| (change.kind(), identity(change).0)).collect();
        let expected = [(Kind::Removed, vm(2)), (Kind::Changed, vm(1)), (Kind::Created, vm(3))];
        assert_eq!(told, expected.map(|(kind, name)| (kind, name.to_string())));
    }
}

#[tokio::test]
async fn s4_a_gap_is_told_in_band_and_repaired_by_a_snapshot() {
    let mut script = Script::new("e1");
    script.populate();
    let server = TestServer::scripted(&script.log).await;
    for (options, expected) in [
        (resume("other", 12), v1::lagged::Reason::EpochChanged),
        (resume("e1", 1_000), v1::lagged::Reason::PositionUnknown),
        (resume("e1", 2), v1::lagged::Reason::Compacted),
    ] {
        let mut watcher = watch(&server, options).await;
        assert!(matches!(watcher.next().await.unwrap(), Some(Message::Started(started)) if !started.snapshot_follows));
        let Some(Message::Lagged(lagged)) = watcher.next().await.unwrap() else { panic!("{expected:?} is not told") };
        assert_eq!(lagged.reason(), expected);
        assert!(lagged.snapshot_follows);
        assert_eq!(watcher.synchronize().await.len(), 11);
    }
}

#[tokio::test]
async fn s4_with_policy_fail_a_gap_ends_the_call() {
    let mut script = Script::new("e1");
    script.populate();
    let server = TestServer::scripted(&script.log).await;
    for (options, expected) in [
        (resume("other", 12), "RESUME_EPOCH_CHANGED"),
        (resume("e1", 1_000), "RESUME_POSITION_UNKNOWN"),
        (resume("e1", 2), "RESUME_POSITION_COMPACTED"),
    ] {
        let options = v1::StreamOptions { gap_policy: v1::GapPolicy::Fail.into(), ..options };
        let error = Watcher::start(&mut server.inventory().await, request(options)).await.err().unwrap();
        assert_eq!((error.code(), reason(&error)), (Code::OutOfRange, expected.to_owned()));
        let metadata = error.get_details_error_info().unwrap().metadata;
        assert_eq!(
            (metadata["epoch"].as_str(), metadata["oldest"].as_str(), metadata["head"].as_str()),
            ("e1", "4", "21")
        );
    }
}

#[tokio::test]
async fn s7_transitions_come_one_by_one_with_old_and_new_values() {
    let mut script = Script::new("e1");
    script.populate();
    let server = TestServer::scripted(&script.log).await;
    let mut watcher = watch(&server, transitions()).await;
    watcher.synchronize().await;
    for state in [RunState::Off, RunState::Running, RunState::Paused] {
        script.put(&vm(1), machine("web-1", state));
    }
    for revision in 2..5 {
        let change = watcher.change().await;
        assert_eq!((change.kind(), identity(&change).1), (Kind::Changed, revision));
        assert_eq!(change.source(), v1::ChangeSource::ResourceOperation);
        assert_eq!(change.changed_fields.unwrap().paths, ["run_state"]);
        let (event, report) = (change.event_time.unwrap(), change.report_time.unwrap());
        assert!(event.seconds <= report.seconds && change.time_received);
        let attribute = &change.attribute_changes[0];
        assert_ne!(attribute.old_value, attribute.new_value);
    }
}

#[tokio::test]
async fn s7_an_overrun_subscriber_catches_up_by_state_and_goes_on() {
    let mut script = Script::new("e1");
    script.populate();
    let server = TestServer::scripted(&script.log).await;
    let mut watcher = watch(&server, transitions()).await;
    watcher.synchronize().await;
    // More than the connection buffers and more than is kept.
    for turn in 0..20_000_u32 {
        let state = if turn % 2 == 0 { RunState::Off } else { RunState::Running };
        script.put(&vm(1), machine(&format!("web-{turn}-{}", "x".repeat(500)), state));
    }
    script.forget_transitions(script.log.head() - 1);
    let mut lagged = false;
    while watcher.copy[&vm(1).to_string()] < 20_001 {
        if let Some(Message::Lagged(message)) = watcher.next().await.unwrap() {
            assert_eq!(message.reason(), v1::lagged::Reason::SlowSubscriber);
            assert!(!message.snapshot_follows && message.skipped_count > 0);
            lagged = true;
        }
    }
    assert!(lagged, "a gap is never silent");
    script.put(&vm(1), machine("web-1", RunState::Off));
    let change = watcher.change().await;
    assert_eq!(change.changed_fields.unwrap().paths, ["run_state"], "transitions go on");
}

#[tokio::test]
async fn s8_states_in_between_are_merged_and_counted() {
    let mut script = Script::new("e1");
    script.populate();
    let server = TestServer::scripted(&script.log).await;
    let dampening = Some(prost_types::Duration { seconds: 1, nanos: 0 });
    let mut watcher = watch(&server, v1::StreamOptions { dampening_period: dampening, ..Default::default() }).await;
    watcher.synchronize().await;
    for _ in 0..50 {
        script.put(&vm(1), machine("web-1", RunState::Off));
    }
    let mut told = 0;
    let mut merged = 0;
    while watcher.copy[&vm(1).to_string()] < 51 {
        let change = watcher.change().await;
        assert_eq!(change.kind() == Kind::Merged, change.merged_count > 0);
        told += 1;
        merged += change.merged_count;
    }
    assert_eq!(told + merged, 50, "every change is either told or counted");
    assert!(told < 10, "{told} messages in spite of dampening");
}

#[tokio::test]
async fn s9_and_s10_a_quiet_stream_beats_with_the_digest_of_the_copy() {
    let mut script = Script::new("e1");
    script.populate();
    let server = TestServer::scripted(&script.log).await;
    // Coerced to five seconds.
    let interval = Some(prost_types::Duration { seconds: 0, nanos: 1 });
    let mut watcher = watch(&server, v1::StreamOptions { heartbeat_interval: interval, ..Default::default() }).await;
    let Some(Message::Started(started)) = watcher.next().await.unwrap() else { panic!("started comes first") };
    assert_eq!(started.effective_options.unwrap().heartbeat_interval.unwrap().seconds, 5);
    watcher.synchronize().await;
    let of_all = watcher.digest();
    script.remove(&vm(1));
    watcher.change().await;
    // One came at once, before anything was silent (REQ-NTF-FUN-06).
    let greeting = watcher.greeting.unwrap();
    assert_eq!((greeting.object_count, greeting.state_digest), (11, Some(of_all)));
    let Some(Message::Heartbeat(beat)) = watcher.next().await.unwrap() else { panic!("a heartbeat") };
    assert_eq!(beat.object_count, 10);
    assert_eq!(beat.state_digest, Some(watcher.digest()));
    assert_eq!(watcher.position.sequence, script.log.head());
    assert!(beat.server_time.is_some());
}

#[tokio::test]
async fn s10_the_digest_is_the_one_of_the_proto_comment() {
    use vrm::changes::digest_of;
    assert_eq!(digest_of("hosts/a", 1), 0xc0e7_21be_bf3d_0a93);
    assert_eq!(digest_of("hosts/a", 2), 0xc0e7_22be_bf3d_0c46);
    let both = digest_of("hosts/a", 1) ^ digest_of("virtualMachines/00000000-0000-0000-0000-000000000001", 7);
    assert_eq!(both, 0x44c0_3659_b2c1_b9e2);
}

#[tokio::test]
async fn s11_what_stops_matching_is_removed_once() {
    let mut script = Script::new("e1");
    script.populate();
    let server = TestServer::scripted(&script.log).await;
    let filtered = v1::WatchResourcesRequest {
        kinds: vec![v1::ObjectClass::VirtualMachine.into()],
        filter: "run_state = running".into(),
        ..Default::default()
    };
    let mut watcher = Watcher::start(&mut server.inventory().await, filtered).await.unwrap();
    assert_eq!(watcher.synchronize().await.len(), 1);
    script.put(&vm(1), machine("web-1", RunState::Off));
    assert_eq!(watcher.change().await.kind(), Kind::Removed);
    // Not told: the client does not hold it.
    script.put(&vm(1), machine("web-1", RunState::Paused));
    script.put(&vm(1), machine("web-1", RunState::Running));
    let change = watcher.change().await;
    assert_eq!((change.kind(), identity(&change).1), (Kind::Created, 4));
}

#[tokio::test]
async fn s12_a_stopping_daemon_says_so_and_ends_at_once() {
    let mut script = Script::new("e1");
    script.populate();
    let server = TestServer::scripted(&script.log).await;
    let mut watchers = Vec::new();
    for _ in 0..20 {
        let mut watcher = watch(&server, v1::StreamOptions::default()).await;
        watcher.synchronize().await;
        watchers.push(watcher);
    }
    let begun = std::time::Instant::now();
    let stopping = tokio::spawn(server.stopped());
    for mut watcher in watchers {
        let (closing, end) = watcher.end().await;
        assert_eq!(closing.unwrap().reason(), v1::stream_closing::Reason::Shutdown);
        let status = end.unwrap_err();
        assert_eq!((status.code(), reason(&status)), (Code::Unavailable, "SERVER_SHUTDOWN".to_owned()));
        assert!(status.get_details_retry_info().unwrap().retry_delay.is_some());
    }
    stopping.await.unwrap();
    assert!(begun.elapsed().as_secs() < 5, "{:?}", begun.elapsed());
}

#[tokio::test]
async fn s12_an_operator_sees_and_closes_streams() {
    let mut script = Script::new("e1");
    script.populate();
    let server = TestServer::scripted(&script.log).await;
    let mut watcher = watch(&server, v1::StreamOptions::default()).await;
    watcher.synchronize().await;
    let mut admin = server.admin().await;
    let sessions = admin.list_sessions(v1::ListSessionsRequest::default()).await.unwrap().into_inner();
    assert_eq!(sessions.total_size, 1);
    let session = &sessions.sessions[0];
    // The heartbeat at once may be on its way.
    assert!((13..=14).contains(&session.messages) && session.lag == 0, "{session:?}");
    assert!(session.bytes > 500 && session.method.ends_with("/WatchResources"));
    assert!(session.actor.clone().unwrap().principal.starts_with("uid:"));
    let name = session.name.clone();
    let same = admin.get_session(v1::GetSessionRequest { name: name.clone() }).await.unwrap().into_inner();
    assert_eq!(same.start_time, session.start_time);
    admin.close_session(v1::CloseSessionRequest { name: name.clone(), actor: None }).await.unwrap();
    let (closing, end) = watcher.end().await;
    assert_eq!(closing.unwrap().reason(), v1::stream_closing::Reason::ClosedByOperator);
    let status = end.unwrap_err();
    assert_eq!((status.code(), reason(&status)), (Code::Cancelled, "SESSION_CLOSED".to_owned()));
    let gone = admin.get_session(v1::GetSessionRequest { name }).await.unwrap_err();
    assert_eq!((gone.code(), reason(&gone)), (Code::NotFound, "SESSION_NOT_FOUND".to_owned()));
}

#[tokio::test]
async fn s15_streams_are_bounded_and_places_come_back() {
    let script = Script::new("e1");
    let limits = WatchLimits { per_principal: 2, total: 3 };
    let server = TestServer::with_limits(&script.log, limits).await;
    let mut viewer = InventoryServiceClient::new(server.viewer_channel().await);
    let mut held = Vec::new();
    for _ in 0..2 {
        held.push(Watcher::start(&mut viewer, request(v1::StreamOptions::default())).await.unwrap());
    }
    let error = Watcher::start(&mut viewer, request(v1::StreamOptions::default())).await.err().unwrap();
    assert_eq!((error.code(), reason(&error)), (Code::ResourceExhausted, "STREAM_LIMIT".to_owned()));
    assert!(error.get_details_quota_failure().is_some());
    // Local principals count against the daemon only.
    let local = watch(&server, v1::StreamOptions::default()).await;
    let error =
        Watcher::start(&mut server.inventory().await, request(v1::StreamOptions::default())).await.err().unwrap();
    assert_eq!(reason(&error), "STREAM_LIMIT");
    drop(local);
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(10);
    while !server.northbound.sessions.all().len().eq(&2) {
        assert!(std::time::Instant::now() < deadline, "the place of a stream that went away comes back");
        tokio::task::yield_now().await;
    }
    let mut again = watch(&server, v1::StreamOptions::default()).await;
    again.synchronize().await;
}

#[tokio::test]
async fn list_then_watch_misses_nothing() {
    let mut script = Script::new("e1");
    for number in 1..=25 {
        script.put(&vm(number), machine("m", RunState::Running));
    }
    let server = TestServer::scripted(&script.log).await;
    let mut client = server.inventory().await;
    let mut copy = std::collections::BTreeMap::new();
    let mut token = String::new();
    let mut position = None;
    loop {
        let request = v1::ListVirtualMachinesRequest { page_size: 10, page_token: token, ..Default::default() };
        let page = client.list_virtual_machines(request).await.unwrap().into_inner();
        assert!(position.is_none() || position == page.position, "the first page's position is on every page");
        position = page.position;
        copy.extend(page.virtual_machines.into_iter().map(|machine| (machine.name, machine.revision)));
        // Changes behind and ahead of the page.
        script.put(&vm(1), machine("changed", RunState::Off));
        script.put(&vm(25), machine("changed", RunState::Off));
        token = page.next_page_token;
        if token.is_empty() {
            break;
        }
    }
    let options = v1::StreamOptions { resume_after: position, ..Default::default() };
    let mut watcher = watch(&server, options).await;
    for change in watcher.synchronize().await {
        let (name, revision) = identity(&change);
        let known = copy.entry(name).or_insert(0);
        *known = revision.max(*known);
    }
    let truth: std::collections::BTreeMap<String, u64> = script
        .log
        .all(vrm::model::ObjectClass::VirtualMachine)
        .iter()
        .map(|object| (object.name.to_string(), object.revision))
        .collect();
    assert_eq!(copy, truth);
}

#[tokio::test]
async fn only_the_chosen_notifications_are_sent() {
    use v1::ResourceNotificationType as Type;
    let mut script = Script::new("e1");
    script.populate();
    let server = TestServer::scripted(&script.log).await;
    let chosen = |types: &[Type], mode: v1::DeliveryMode| v1::WatchResourcesRequest {
        options: Some(v1::StreamOptions { delivery_mode: mode.into(), ..Default::default() }),
        notification_types: types.iter().map(|one| i32::from(*one)).collect(),
        ..Default::default()
    };
    let mut client = server.inventory().await;
    let request = chosen(&[Type::ObjectDeletion, Type::RelationshipChange], v1::DeliveryMode::Unspecified);
    let mut watcher = Watcher::start(&mut client, request).await.unwrap();
    let Some(Message::Started(started)) = watcher.next().await.unwrap() else { panic!("started comes first") };
    assert_eq!(started.effective_options.unwrap().delivery_mode(), v1::DeliveryMode::Transitions);
    assert_eq!(watcher.synchronize().await.len(), 11, "a snapshot is no notification");
    script.put(&vm(2), machine("two", RunState::Running));
    script.put(&vm(2), machine("two", RunState::Paused));
    script.put_path(&vm(2), machine("two", RunState::Paused), "host");
    let moved = watcher.change().await;
    assert_eq!((moved.kind(), identity(&moved)), (Kind::Changed, (vm(2).to_string(), 3)), "a migration");
    script.put(&vm(2), machine("two", RunState::Running));
    script.remove(&vm(2));
    assert_eq!(watcher.change().await.kind(), Kind::Removed);
    for (types, mode) in
        [(vec![Type::StateChange], v1::DeliveryMode::State), (vec![Type::Unspecified], transitions().delivery_mode())]
    {
        let refused = Watcher::start(&mut client, chosen(&types, mode)).await.err().unwrap();
        assert_eq!(reason(&refused), "INVALID_FIELD");
    }
}
