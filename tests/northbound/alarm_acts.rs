//! What people and programs do with alarms, through the real engine and store.

use super::raw::{RawClient, reason};
use super::server::TestServer;
use tonic::Code;
use tonic::transport::Channel;
use tonic_types::StatusExt;
use vrm::wire::v1;
use vrm::wire::v1::alarm_service_client::AlarmServiceClient;

const ID: &str = "5e2a6f1e-7c1b-4f7e-9a39-0d3c5a1c7a12";

/// A server with one host and a client of its alarms.
async fn live() -> (TestServer, AlarmServiceClient<Channel>) {
    let server = TestServer::live().await;
    let request = v1::RegisterHostRequest {
        host_id: "kvm-01".into(),
        uris: vec!["sim://?hosts=1&vms=2".into()],
        ..Default::default()
    };
    server.hosts().await.register_host(request).await.unwrap();
    let client = server.alarms().await;
    (server, client)
}

fn down(active: bool) -> v1::ReportConditionRequest {
    v1::ReportConditionRequest {
        alarm_type: "hostDown".into(),
        object: "hosts/kvm-01".into(),
        active,
        text: "no power".into(),
        attributes: [("psu".to_owned(), "1".to_owned())].into(),
        ..Default::default()
    }
}

/// A condition that only a person clears.
fn ecc() -> v1::ReportConditionRequest {
    v1::ReportConditionRequest { alarm_type: "hostMemoryEccUncorrected".into(), ..down(true) }
}

async fn reported(client: &mut AlarmServiceClient<Channel>, request: v1::ReportConditionRequest) -> v1::Alarm {
    client.report_condition(request).await.unwrap().into_inner().alarm.expect("an alarm is told at once")
}

fn ack(alarm: &v1::Alarm) -> v1::AcknowledgeAlarmRequest {
    v1::AcknowledgeAlarmRequest { name: alarm.name.clone(), comment: "on it".into(), ..Default::default() }
}

#[tokio::test]
async fn a_reported_alarm_lives_its_whole_life() {
    let (_server, mut client) = live().await;
    let raised = reported(&mut client, down(true)).await;
    assert_eq!((raised.state(), raised.perceived_severity()), (v1::AlarmState::Active, v1::Severity::Critical));
    assert_eq!((raised.object.as_str(), raised.text.as_str()), ("hosts/kvm-01", "no power"));
    assert_eq!(raised.attributes["psu"], "1");
    assert!(raised.root && raised.acknowledgement.is_none());

    let request = v1::AcknowledgeAlarmRequest {
        actor: Some(v1::Actor { user: "alice".into(), system: "oss-1".into(), ..Default::default() }),
        request_id: ID.into(),
        ..ack(&raised)
    };
    let noted = client.acknowledge_alarm(request.clone()).await.unwrap().into_inner();
    let note = noted.acknowledgement.clone().unwrap();
    let actor = note.actor.unwrap();
    assert_eq!((actor.user.as_str(), actor.system.as_str(), note.comment.as_str()), ("alice", "oss-1", "on it"));
    assert!(!actor.principal.is_empty());
    let again = client.acknowledge_alarm(request.clone()).await.unwrap().into_inner();
    assert_eq!(again.revision, noted.revision, "a repeat gets the first outcome");
    let other = v1::AcknowledgeAlarmRequest { comment: "other".into(), ..request };
    assert_eq!(reason(&client.acknowledge_alarm(other).await.unwrap_err()), "REQUEST_ID_REUSED");
    let stale =
        v1::UnacknowledgeAlarmRequest { name: raised.name.clone(), etag: raised.etag.clone(), ..Default::default() };
    let error = client.unacknowledge_alarm(stale.clone()).await.unwrap_err();
    assert_eq!((error.code(), reason(&error)), (Code::Aborted, "ETAG_MISMATCH".into()));
    assert_eq!(error.get_details_error_info().unwrap().metadata["current_etag"], noted.etag);
    let fresh = v1::UnacknowledgeAlarmRequest { etag: noted.etag, ..stale };
    assert!(client.unacknowledge_alarm(fresh).await.unwrap().into_inner().acknowledgement.is_none());

    let remark = v1::CommentAlarmRequest { name: raised.name.clone(), text: "called".into(), ..Default::default() };
    let remarked = client.comment_alarm(remark).await.unwrap().into_inner();
    assert_eq!(remarked.comments[0].text, "called");
    let link = v1::LinkAlarmRequest { name: raised.name.clone(), reference: "INC123".into(), ..Default::default() };
    let linked = client.link_alarm(link.clone()).await.unwrap().into_inner();
    assert_eq!(linked.external_references[0].reference, "INC123");
    let unlinked = client.link_alarm(v1::LinkAlarmRequest { remove: true, ..link }).await.unwrap().into_inner();
    assert!(unlinked.external_references.is_empty());

    let cleared = client.report_condition(down(false)).await.unwrap().into_inner().alarm.unwrap();
    assert_eq!(cleared.state(), v1::AlarmState::Cleared);
    assert_eq!(cleared.perceived_severity(), v1::Severity::Critical, "a cleared alarm keeps its severity");
    assert_eq!(cleared.clearing.unwrap().kind(), v1::alarm_clearing::Kind::Automatic);
    client.acknowledge_alarm(ack(&raised)).await.unwrap();
    let gone = client.get_alarm(v1::GetAlarmRequest { name: raised.name, view: 0 }).await.unwrap_err();
    assert_eq!(reason(&gone), "ALARM_NOT_FOUND", "cleared and acknowledged: it leaves the list");
}

#[tokio::test]
async fn only_what_nothing_else_clears_is_cleared_by_hand() {
    let (_server, mut client) = live().await;
    // What a reporter told would wait for that reporter for ever.
    let told = reported(&mut client, down(true)).await;
    let request = v1::ClearAlarmRequest { name: told.name.clone(), ..Default::default() };
    assert_eq!(client.clear_alarm(request).await.unwrap().into_inner().state(), v1::AlarmState::Cleared);
    let by_hand = reported(&mut client, ecc()).await;
    let trial = v1::ClearAlarmRequest { name: by_hand.name.clone(), validate_only: true, ..Default::default() };
    let same = client.clear_alarm(trial.clone()).await.unwrap().into_inner();
    assert_eq!(same.state(), v1::AlarmState::Active, "validate_only changes nothing");
    let cleared = client.clear_alarm(v1::ClearAlarmRequest { validate_only: false, ..trial }).await.unwrap();
    let cleared = cleared.into_inner();
    assert_eq!(cleared.clearing.unwrap().kind(), v1::alarm_clearing::Kind::Manual);
    let missing = v1::ClearAlarmRequest { name: "alarms/nothing".into(), ..Default::default() };
    assert_eq!(reason(&client.clear_alarm(missing).await.unwrap_err()), "ALARM_NOT_FOUND");
}

#[tokio::test]
async fn a_batch_is_best_effort_with_a_result_for_each() {
    let (_server, mut client) = live().await;
    let (one, two) = (reported(&mut client, down(true)).await, reported(&mut client, ecc()).await);
    let target = |name: &str, etag: &str| v1::AlarmTarget { name: name.into(), etag: etag.into() };
    let targets = vec![target(&one.name, ""), target("alarms/nothing", ""), target(&two.name, "stale")];
    let request = v1::BatchAcknowledgeAlarmsRequest { targets, comment: "shift".into(), ..Default::default() };
    let answer = client.batch_acknowledge_alarms(request).await.unwrap().into_inner();
    assert_eq!((answer.results.len(), answer.failed_count), (3, 2));
    let of = |name: &str| answer.results.iter().find(|result| result.name == name).unwrap();
    assert!(of(&one.name).alarm.as_ref().unwrap().acknowledgement.is_some());
    assert_eq!(of("alarms/nothing").error(), v1::ErrorReason::AlarmNotFound);
    assert_eq!(of(&two.name).error(), v1::ErrorReason::EtagMismatch);
    assert!(of(&two.name).message.contains("etag"));
    let request = v1::BatchUnacknowledgeAlarmsRequest { targets: vec![target(&one.name, "")], ..Default::default() };
    let answer = client.batch_unacknowledge_alarms(request).await.unwrap().into_inner();
    assert_eq!(answer.failed_count, 0);
    assert!(answer.results[0].alarm.as_ref().unwrap().acknowledgement.is_none());
    for targets in [Vec::new(), vec![target("hosts/a", "")], vec![target("alarms/a", ""); 1_001]] {
        let request = v1::BatchAcknowledgeAlarmsRequest { targets, ..Default::default() };
        assert_eq!(reason(&client.batch_acknowledge_alarms(request).await.unwrap_err()), "INVALID_FIELD");
    }
}

#[tokio::test]
async fn only_cleared_alarms_are_purged_and_only_as_many_as_expected() {
    let (_server, mut client) = live().await;
    reported(&mut client, down(true)).await;
    reported(&mut client, ecc()).await;
    let purge = |filter: &str, expected_count: Option<i32>, validate_only: bool| v1::PurgeAlarmsRequest {
        filter: filter.into(),
        expected_count,
        validate_only,
        ..Default::default()
    };
    let all = "state = CLEARED";
    assert_eq!(client.purge_alarms(purge(all, None, false)).await.unwrap().into_inner().purged_count, 0);
    client.report_condition(down(false)).await.unwrap();
    let error = client.purge_alarms(purge(all, Some(2), false)).await.unwrap_err();
    assert_eq!((error.code(), reason(&error)), (Code::FailedPrecondition, "COUNT_CHANGED".into()));
    assert_eq!(client.purge_alarms(purge(all, None, true)).await.unwrap().into_inner().purged_count, 1);
    let purged = client.purge_alarms(purge("alarm_type = hostDown", Some(1), false)).await.unwrap().into_inner();
    assert_eq!((purged.purged_count, purged.failures.len()), (1, 0));
    let left = client.list_alarms(v1::ListAlarmsRequest::default()).await.unwrap().into_inner().alarms;
    assert!(left.iter().all(|alarm| alarm.alarm_type != "hostDown") && !left.is_empty());
    assert_eq!(reason(&client.purge_alarms(purge("", None, false)).await.unwrap_err()), "INVALID_FIELD");
    assert_eq!(reason(&client.purge_alarms(purge("x", None, false)).await.unwrap_err()), "INVALID_FILTER");
}

#[tokio::test]
async fn reports_are_checked() {
    let (_server, mut client) = live().await;
    for (request, expected) in [
        (v1::ReportConditionRequest { alarm_type: "hostUnreachable".into(), ..down(true) }, "ALARM_TYPE_NOT_EXTERNAL"),
        (v1::ReportConditionRequest { alarm_type: "nothing".into(), ..down(true) }, "INVALID_FIELD"),
        (v1::ReportConditionRequest { alarm_type: String::new(), ..down(true) }, "INVALID_FIELD"),
        (v1::ReportConditionRequest { object: "hosts/nothing".into(), ..down(true) }, "HOST_NOT_FOUND"),
        (v1::ReportConditionRequest { object: "hosts//x".into(), ..down(true) }, "INVALID_FIELD"),
        (v1::ReportConditionRequest { object: "cluster".into(), ..down(true) }, "INVALID_FIELD"),
        (v1::ReportConditionRequest { severity: 99, ..down(true) }, "INVALID_FIELD"),
        (v1::ReportConditionRequest { text: "x".repeat(1_025), ..down(true) }, "INVALID_FIELD"),
        (
            v1::ReportConditionRequest {
                attributes: (0..33).map(|at| (at.to_string(), String::new())).collect(),
                ..down(true)
            },
            "INVALID_FIELD",
        ),
    ] {
        let error = client.report_condition(request.clone()).await.unwrap_err();
        assert_eq!(reason(&error), expected, "{request:?}");
    }
    let trial = v1::ReportConditionRequest { validate_only: true, ..down(true) };
    assert!(client.report_condition(trial).await.unwrap().into_inner().alarm.is_none());
    let graded = v1::ReportConditionRequest { severity: v1::Severity::Minor.into(), ..down(true) };
    assert_eq!(reported(&mut client, graded).await.perceived_severity(), v1::Severity::Minor);
}

fn shelf(pattern: &str) -> v1::AlarmShelf {
    v1::AlarmShelf {
        order: 5,
        matches: Some(v1::AlarmMatch { object_pattern: pattern.into(), ..Default::default() }),
        reason: "known".into(),
        ..Default::default()
    }
}

#[tokio::test]
async fn shelves_put_alarms_aside_and_give_them_back() {
    let (_server, mut client) = live().await;
    let raised = reported(&mut client, down(true)).await;
    let create = |id: &str, shelf: v1::AlarmShelf| v1::CreateAlarmShelfRequest {
        alarm_shelf_id: id.into(),
        alarm_shelf: Some(shelf),
        ..Default::default()
    };
    let made = client.create_alarm_shelf(create("rack-7", shelf("hosts/*"))).await.unwrap().into_inner();
    assert_eq!((made.name.as_str(), made.reason.as_str(), made.order), ("alarmShelves/rack-7", "known", 5));
    assert!(!made.actor.unwrap().principal.is_empty());
    let get = v1::GetAlarmRequest { name: raised.name.clone(), view: 0 };
    let shelved = client.get_alarm(get.clone()).await.unwrap().into_inner();
    assert_eq!(shelved.shelved.unwrap().shelf, "alarmShelves/rack-7");
    let error = client.create_alarm_shelf(create("rack-7", shelf("hosts/*"))).await.unwrap_err();
    assert_eq!((error.code(), reason(&error)), (Code::AlreadyExists, "ALARM_SHELF_EXISTS".into()));

    let update = |etag: &str, paths: &[&str]| v1::UpdateAlarmShelfRequest {
        alarm_shelf: Some(v1::AlarmShelf {
            name: "alarmShelves/rack-7".into(),
            etag: etag.into(),
            reason: "still".into(),
            ..shelf("virtualMachines/*")
        }),
        update_mask: Some(prost_types::FieldMask { paths: paths.iter().map(|path| (*path).into()).collect() }),
        ..Default::default()
    };
    let changed = client.update_alarm_shelf(update(&made.etag, &["reason"])).await.unwrap().into_inner();
    assert_eq!(changed.reason, "still");
    assert_eq!(changed.matches.unwrap().object_pattern, "hosts/*", "only what the mask names");
    assert_eq!(reason(&client.update_alarm_shelf(update(&made.etag, &["reason"])).await.unwrap_err()), "ETAG_MISMATCH");
    assert_eq!(reason(&client.update_alarm_shelf(update("", &["actor"])).await.unwrap_err()), "IMMUTABLE_FIELD");
    client.update_alarm_shelf(update("", &[])).await.unwrap();
    assert!(client.get_alarm(get.clone()).await.unwrap().into_inner().shelved.is_none(), "no longer meant");

    let unnamed = client.create_alarm_shelf(create("", v1::AlarmShelf { order: 1, ..shelf("hosts/*") })).await;
    let unnamed = unnamed.unwrap().into_inner();
    let list =
        |page_size: i32, page_token: &str| v1::ListAlarmShelvesRequest { page_size, page_token: page_token.into() };
    let first = client.list_alarm_shelves(list(1, "")).await.unwrap().into_inner();
    assert_eq!((first.alarm_shelves[0].name.as_str(), first.total_size), (unnamed.name.as_str(), 2));
    let second = client.list_alarm_shelves(list(1, &first.next_page_token)).await.unwrap().into_inner();
    assert_eq!(second.alarm_shelves[0].name, "alarmShelves/rack-7");
    assert!(second.next_page_token.is_empty());

    let delete = v1::DeleteAlarmShelfRequest { name: unnamed.name.clone(), ..Default::default() };
    client.delete_alarm_shelf(delete.clone()).await.unwrap();
    assert!(client.get_alarm(get).await.unwrap().into_inner().shelved.is_none());
    let error = client.delete_alarm_shelf(delete).await.unwrap_err();
    assert_eq!((error.code(), reason(&error)), (Code::NotFound, "ALARM_SHELF_NOT_FOUND".into()));
    let gone = client.get_alarm_shelf(v1::GetAlarmShelfRequest { name: unnamed.name }).await.unwrap_err();
    assert_eq!(reason(&gone), "ALARM_SHELF_NOT_FOUND");
    for bad in [
        create("Bad_Id", shelf("hosts/*")),
        create("a", v1::AlarmShelf { matches: None, ..shelf("") }),
        create("a", shelf("")),
        create(
            "a",
            v1::AlarmShelf { expire_time: Some(prost_types::Timestamp { seconds: 1, nanos: 0 }), ..shelf("hosts/*") },
        ),
        v1::CreateAlarmShelfRequest { alarm_shelf_id: "a".into(), ..Default::default() },
    ] {
        assert_eq!(reason(&client.create_alarm_shelf(bad).await.unwrap_err()), "INVALID_FIELD");
    }
}

#[tokio::test]
async fn profiles_grade_alarms_anew() {
    let (_server, mut client) = live().await;
    let raised = reported(&mut client, down(true)).await;
    let mapping = v1::SeverityMapping { from: v1::Severity::Critical.into(), to: v1::Severity::Warning.into() };
    let profile = v1::AlarmProfile {
        matches: Some(v1::AlarmMatch { alarm_types: vec!["hostDown".into()], ..Default::default() }),
        severity: vec![mapping],
        ..Default::default()
    };
    let create = |id: &str, profile: &v1::AlarmProfile| v1::CreateAlarmProfileRequest {
        alarm_profile_id: id.into(),
        alarm_profile: Some(profile.clone()),
        ..Default::default()
    };
    let made = client.create_alarm_profile(create("lab", &profile)).await.unwrap().into_inner();
    assert_eq!((made.severity.len(), made.off, made.from_file), (1, None, false));
    let get = v1::GetAlarmRequest { name: raised.name, view: 0 };
    let graded = client.get_alarm(get).await.unwrap().into_inner();
    assert_eq!(graded.perceived_severity(), v1::Severity::Warning);
    assert_eq!(graded.highest_severity(), v1::Severity::Critical);
    assert_eq!(
        reason(&client.create_alarm_profile(create("lab", &profile)).await.unwrap_err()),
        "ALARM_PROFILE_EXISTS"
    );
    let update = v1::UpdateAlarmProfileRequest {
        alarm_profile: Some(v1::AlarmProfile {
            name: made.name.clone(),
            hold_on_seconds: Some(60),
            ..Default::default()
        }),
        update_mask: Some(prost_types::FieldMask { paths: vec!["hold_on_seconds".into()] }),
        ..Default::default()
    };
    let changed = client.update_alarm_profile(update).await.unwrap().into_inner();
    assert_eq!((changed.hold_on_seconds, changed.severity.len()), (Some(60), 1));
    let listed = client.list_alarm_profiles(v1::ListAlarmProfilesRequest::default()).await.unwrap().into_inner();
    assert_eq!((listed.alarm_profiles.len(), listed.total_size), (1, 1));
    let twice = v1::AlarmProfile { severity: vec![mapping, mapping], ..profile.clone() };
    assert_eq!(reason(&client.create_alarm_profile(create("b", &twice)).await.unwrap_err()), "INVALID_FIELD");
    let delete = v1::DeleteAlarmProfileRequest { name: made.name.clone(), etag: "x".into(), ..Default::default() };
    assert_eq!(reason(&client.delete_alarm_profile(delete.clone()).await.unwrap_err()), "ETAG_MISMATCH");
    client.delete_alarm_profile(v1::DeleteAlarmProfileRequest { etag: String::new(), ..delete.clone() }).await.unwrap();
    let gone = client.get_alarm_profile(v1::GetAlarmProfileRequest { name: made.name }).await.unwrap_err();
    assert_eq!(reason(&gone), "ALARM_PROFILE_NOT_FOUND");
    let delete = v1::DeleteAlarmProfileRequest { etag: String::new(), ..delete };
    assert_eq!(reason(&client.delete_alarm_profile(delete).await.unwrap_err()), "ALARM_PROFILE_NOT_FOUND");
}

#[tokio::test]
async fn a_locked_host_keeps_its_alarms_to_itself() {
    let (server, mut client) = live().await;
    let mut hosts = server.hosts().await;
    let raised = reported(&mut client, down(true)).await;
    let lock = v1::LockHostRequest {
        name: "hosts/kvm-01".into(),
        reason: "new fans".into(),
        until: Some(prost_types::Timestamp { seconds: 4_000_000_000, nanos: 0 }),
        ..Default::default()
    };
    let locked = hosts.lock_host(lock.clone()).await.unwrap().into_inner();
    let maintenance = locked.maintenance.unwrap();
    assert_eq!((maintenance.reason.as_str(), maintenance.planned_end.unwrap().seconds), ("new fans", 4_000_000_000));
    assert_eq!(locked.state.unwrap().administrative(), v1::AdministrativeState::Locked);
    let get = v1::GetAlarmRequest { name: raised.name, view: 0 };
    let kept = client.get_alarm(get.clone()).await.unwrap().into_inner();
    assert_eq!(kept.suppressed_by.unwrap().by, "hosts/kvm-01");
    assert!(kept.planned_outage);
    let unlock = v1::UnlockHostRequest { name: "hosts/kvm-01".into(), ..Default::default() };
    let unlocked = hosts.unlock_host(unlock.clone()).await.unwrap().into_inner();
    assert!(unlocked.maintenance.is_none());
    assert_eq!(unlocked.state.unwrap().administrative(), v1::AdministrativeState::Unlocked);
    let past = Some(prost_types::Timestamp { seconds: 1, nanos: 0 });
    for (bad, expected) in [
        (v1::LockHostRequest { until: past, ..lock.clone() }, "INVALID_FIELD"),
        (v1::LockHostRequest { reason: "x".repeat(257), ..lock.clone() }, "INVALID_FIELD"),
        (v1::LockHostRequest { name: "hosts/nothing".into(), ..lock.clone() }, "HOST_NOT_FOUND"),
        (v1::LockHostRequest { etag: "stale".into(), ..lock.clone() }, "ETAG_MISMATCH"),
    ] {
        assert_eq!(reason(&hosts.lock_host(bad).await.unwrap_err()), expected);
    }
    let missing = v1::UnlockHostRequest { name: "hosts/nothing".into(), ..unlock };
    assert_eq!(reason(&hosts.unlock_host(missing).await.unwrap_err()), "HOST_NOT_FOUND");
}

#[tokio::test]
async fn every_change_takes_only_a_uuid_as_request_id() {
    use prost::Message;
    let (server, _client) = live().await;
    let mut raw = RawClient::new(server.channel().await);
    let one = v1::CommentAlarmRequest {
        name: "alarms/x".into(),
        text: "a".into(),
        request_id: "7".into(),
        ..Default::default()
    };
    let error = raw.call("vrm.v1.AlarmService/CommentAlarm", one.encode_to_vec()).await.unwrap_err();
    assert_eq!(reason(&error), "INVALID_FIELD");
}
