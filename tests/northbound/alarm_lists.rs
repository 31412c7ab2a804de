//! Reads of the alarm list: by name, filter, page, count, impact, history and type.

use super::raw::reason;
use super::script::{Script, alarm, crashed, host, machine, vm};
use super::server::TestServer;
use std::sync::{Arc, Mutex};
use tonic::Code;
use vrm::model::alarm::{Acknowledgement, AlarmState, PerceivedSeverity, Shelving, Suppression};
use vrm::model::alarm_command::ClosedAlarmQuery;
use vrm::model::history::HistoryError;
use vrm::model::virtual_machine::RunState;
use vrm::model::{Actor, Body, Name, Object, ObjectClass, ResourceState, Timestamp};
use vrm::northbound::{ClosedAlarm, ClosedAlarmPage, ClosedAlarms};
use vrm::wire::v1;

/// Six alarms: 1 critical, 2 major acknowledged, 3 minor cleared, 4 warning shelved, 5 suppressed,
/// 6 explained by 1.
fn six(script: &mut Script) {
    let note = Acknowledgement { actor: Actor::system(), time: Timestamp(9), comment: "seen".into() };
    let one = |severity| vrm::model::Alarm { perceived_severity: severity, highest_severity: severity, ..crashed(1) };
    let mut alarms = [
        one(PerceivedSeverity::Critical),
        vrm::model::Alarm { acknowledgement: Some(note), ..crashed(2) },
        vrm::model::Alarm {
            state: AlarmState::Cleared,
            clear_time: Some(Timestamp(5_000_000)),
            perceived_severity: PerceivedSeverity::Minor,
            ..crashed(3)
        },
        vrm::model::Alarm {
            perceived_severity: PerceivedSeverity::Warning,
            shelved: Some(Shelving { shelf: Name::alarm_shelf("s"), expire_time: None }),
            ..crashed(4)
        },
        vrm::model::Alarm {
            suppressed_by: Some(Suppression { by: Name::host(&host()), reason: "maintenance".into() }),
            ..crashed(5)
        },
        vrm::model::Alarm { root: false, root_cause: Some(alarm(1)), ..crashed(6) },
    ];
    for (number, one) in (1..).zip(&mut alarms) {
        script.put_alarm(&alarm(number), std::mem::take(one));
    }
}

fn filtered(filter: &str) -> v1::ListAlarmsRequest {
    v1::ListAlarmsRequest { filter: filter.into(), ..Default::default() }
}

fn labels(alarms: &[v1::Alarm]) -> Vec<&str> {
    alarms.iter().map(|alarm| alarm.object_label.as_str()).collect()
}

#[tokio::test]
async fn an_alarm_is_read_with_all_it_has() {
    let mut script = Script::new("e1");
    six(&mut script);
    let server = TestServer::scripted(&script.log).await;
    let mut client = server.alarms().await;
    let request = v1::GetAlarmRequest { name: alarm(2).to_string(), view: 0 };
    let got = client.get_alarm(request).await.unwrap().into_inner();
    assert_eq!((got.alarm_type.as_str(), got.event_type()), ("vmCrashed", v1::EventType::ProcessingError));
    assert_eq!((got.state(), got.perceived_severity()), (v1::AlarmState::Active, v1::Severity::Major));
    assert_eq!(got.probable_cause.unwrap().number, 545);
    assert_eq!(got.host, "hosts/kvm-07");
    assert_eq!((got.revision, got.raise_count), (1, 1));
    assert_eq!(got.acknowledgement.unwrap().actor.unwrap().principal, "system");
    assert_eq!(got.history[0].transition(), v1::AlarmTransition::Raised);
    assert_eq!(got.raise_time.unwrap().seconds, 2);
    assert!(got.clear_time.is_none() && got.clearing.is_none() && !got.etag.is_empty());
    for (name, expected) in [("alarms/x", "ALARM_NOT_FOUND"), ("hosts/a", "INVALID_FIELD"), ("", "INVALID_FIELD")] {
        let error = client.get_alarm(v1::GetAlarmRequest { name: name.into(), view: 0 }).await.unwrap_err();
        assert_eq!(reason(&error), expected, "{name}");
    }
    let mut inventory = server.inventory().await;
    let all = inventory.list_managed_objects(v1::ListManagedObjectsRequest::default()).await;
    // There is no VRM object in this script, so the base does not exist; alarms must not appear as resources.
    assert!(all.is_err() || all.unwrap().into_inner().objects.is_empty());
}

#[tokio::test]
async fn the_list_is_filtered_as_3gpp_and_x733_want() {
    let mut script = Script::new("e1");
    six(&mut script);
    let server = TestServer::scripted(&script.log).await;
    let mut client = server.alarms().await;
    let cases = [
        ("", "123456"),
        ("state = ACTIVE", "12456"),
        ("state = ACTIVE AND acknowledged = true", "2"),
        ("state = ACTIVE AND acknowledged = false", "1456"),
        ("state = ALARM_STATE_CLEARED AND acknowledged = false", "3"),
        ("acknowledged = false", "13456"),
        ("perceived_severity >= MAJOR", "1256"),
        ("perceived_severity < major", "34"),
        ("highest_severity = SEVERITY_CRITICAL", "1"),
        ("perceived_severity != critical", "23456"),
        ("root = true", "12345"),
        (&format!("root_cause = \"{}\"", alarm(1)), "6"),
        ("shelved = true OR suppressed = true", "45"),
        ("object = \"virtualMachines/*\" AND object_label = web-3", "3"),
        ("object = \"hosts/*\"", ""),
        ("host = kvm-07 AND alarm_type = vmCrashed", "123456"),
        ("raise_time >= \"1970-01-01T00:00:05Z\"", "56"),
        ("clear_time:*", "3"),
        ("age > 1d", "123456"),
        ("attributes.signal = 9 AND text:CRASHED", "123456"),
        ("event_type = processing_error AND -probable_cause:terminated", ""),
    ];
    for (filter, expected) in cases {
        let page = client.list_alarms(filtered(filter)).await.unwrap().into_inner();
        let found: String = labels(&page.alarms).iter().map(|label| label.trim_start_matches("web-")).collect();
        assert_eq!(found, expected, "{filter}");
        assert_eq!(usize::try_from(page.total_size).unwrap(), expected.len());
        assert!(page.list_status.is_some());
    }
    for filter in ["perceived_severity >= huge", "labels.a = b", "state > ACTIVE", "a = b AND c = d OR e = f"] {
        let error = client.list_alarms(filtered(filter)).await.unwrap_err();
        assert_eq!((error.code(), reason(&error)), (Code::InvalidArgument, "INVALID_FILTER".into()), "{filter}");
    }
}

#[tokio::test]
async fn pages_are_by_key_and_keep_the_first_position() {
    let mut script = Script::new("e1");
    six(&mut script);
    let server = TestServer::scripted(&script.log).await;
    let mut client = server.alarms().await;
    for (order, expected) in [
        ("", "123456"),
        ("name desc", "654321"),
        ("raise_time", "123456"),
        ("perceived_severity desc", "165234"),
        ("change_time desc", "654321"),
        ("object", "123456"),
    ] {
        let head = script.log.head();
        let mut found = String::new();
        let mut token = String::new();
        loop {
            let request =
                v1::ListAlarmsRequest { page_size: 2, page_token: token, order_by: order.into(), ..Default::default() };
            let page = client.list_alarms(request).await.unwrap().into_inner();
            assert!(page.alarms.len() <= 2);
            found.extend(labels(&page.alarms).iter().map(|label| label.trim_start_matches("web-")));
            assert_eq!(page.position.unwrap().sequence, head);
            // What changes meanwhile changes neither position nor what was there.
            script.put_alarm(&alarm(2), vrm::model::Alarm { text: "again".into(), ..found_state() });
            token = page.next_page_token;
            if token.is_empty() {
                break;
            }
        }
        assert_eq!(found, expected, "{order}");
    }
    let bad = v1::ListAlarmsRequest { order_by: "display_name".into(), ..Default::default() };
    assert_eq!(reason(&client.list_alarms(bad).await.unwrap_err()), "INVALID_ORDER_BY");
    let bad = v1::ListAlarmsRequest { page_token: "x".into(), ..Default::default() };
    assert_eq!(reason(&client.list_alarms(bad).await.unwrap_err()), "INVALID_PAGE_TOKEN");
    let bad = v1::ListAlarmsRequest { page_size: -1, ..Default::default() };
    assert_eq!(reason(&client.list_alarms(bad).await.unwrap_err()), "INVALID_FIELD");
}

/// The second of the six, as it stands.
fn found_state() -> vrm::model::Alarm {
    let note = Acknowledgement { actor: Actor::system(), time: Timestamp(9), comment: "seen".into() };
    vrm::model::Alarm { acknowledgement: Some(note), ..crashed(2) }
}

#[tokio::test]
async fn every_alarm_is_counted_once() {
    let mut script = Script::new("e1");
    six(&mut script);
    let server = TestServer::scripted(&script.log).await;
    let mut client = server.alarms().await;
    let counts = client.summarize_alarms(v1::SummarizeAlarmsRequest::default()).await.unwrap().into_inner();
    assert_eq!((counts.critical, counts.major, counts.minor, counts.warning), (1, 2, 0, 0));
    assert_eq!((counts.cleared, counts.shelved, counts.suppressed), (1, 1, 1));
    assert_eq!((counts.unacknowledged, counts.root, counts.total), (5, 2, 6));
    assert_eq!(counts.position.unwrap().sequence, script.log.head());
    let request = v1::SummarizeAlarmsRequest { filter: "object_label = web-1".into() };
    let counts = client.summarize_alarms(request).await.unwrap().into_inner();
    assert_eq!((counts.critical, counts.total), (1, 1));
    let error = client.summarize_alarms(v1::SummarizeAlarmsRequest { filter: "x".into() }).await.unwrap_err();
    assert_eq!(reason(&error), "INVALID_FILTER");
}

#[tokio::test]
async fn impact_is_every_machine_that_stands_on_the_object() {
    let mut script = Script::new("e1");
    script.put(&Name::host(&host()), Body::empty(ObjectClass::Host));
    for number in 1..=5 {
        script.put(&vm(number), machine(&format!("web-{number}"), RunState::Running));
    }
    // A part of the host, which is not in the log by itself.
    let faulty = vrm::model::Alarm { object: Name::new("hosts/kvm-07/disks/sda"), ..crashed(1) };
    script.put_alarm(&alarm(1), faulty);
    let server = TestServer::scripted(&script.log).await;
    let mut client = server.alarms().await;
    let mut found = Vec::new();
    let mut page_token = String::new();
    loop {
        let request = v1::GetImpactRequest { name: alarm(1).to_string(), page_size: 2, page_token };
        let page = client.get_impact(request).await.unwrap().into_inner();
        assert_eq!(page.total_size, 5);
        found.extend(page.impacted.into_iter().map(|one| one.label));
        page_token = page.next_page_token;
        if page_token.is_empty() {
            break;
        }
    }
    assert_eq!(found, ["web-1", "web-2", "web-3", "web-4", "web-5"]);
    let missing = v1::GetImpactRequest { name: alarm(9).to_string(), ..Default::default() };
    assert_eq!(reason(&client.get_impact(missing).await.unwrap_err()), "ALARM_NOT_FOUND");
}

/// A history of seven alarms that remembers what it was asked.
#[derive(Debug, Default)]
struct Seven {
    asked: Mutex<Vec<ClosedAlarmQuery>>,
}

impl ClosedAlarms for Seven {
    fn read(&self, query: &ClosedAlarmQuery) -> Result<ClosedAlarmPage, HistoryError> {
        self.asked.lock().unwrap().push(query.clone());
        if query.alarm_type == "broken" {
            return Err(HistoryError("disk".into()));
        }
        let rows = (1..=7).rev().filter(|row| query.continue_after.is_none_or(|after| *row < after));
        let rows: Vec<u64> = rows.collect();
        let closed = |row: u64| ClosedAlarm {
            row,
            close_time: Timestamp(i64::try_from(row).unwrap() * 1_000_000),
            object: Arc::new(Object {
                name: alarm(row.into()),
                uid: uuid::Uuid::from_u128(row.into()),
                revision: 4,
                created_sequence: 1,
                last_change_sequence: row,
                create_time: Timestamp(0),
                change_time: Timestamp(0),
                state: ResourceState::default(),
                annotations: Default::default(),
                body: Body::Alarm(Box::new(crashed(row.into()))),
            }),
        };
        let alarms = rows.iter().take(query.limit).map(|row| closed(*row)).collect();
        Ok(ClosedAlarmPage { alarms, more: rows.len() > query.limit })
    }
}

#[tokio::test]
async fn the_history_is_paged_backwards_and_asked_for_what_is_wanted() {
    let script = Script::new("e1");
    let history = Arc::new(Seven::default());
    let server = TestServer::with_history(&script.log, Arc::clone(&history) as Arc<dyn ClosedAlarms>).await;
    let mut client = server.alarms().await;
    let time = |seconds| Some(prost_types::Timestamp { seconds, nanos: 5_000 });
    let request = v1::ListAlarmHistoryRequest {
        page_size: 3,
        start_time: time(1),
        end_time: time(9),
        object: "hosts/kvm-07".into(),
        alarm_type: "vmCrashed".into(),
        min_severity: v1::Severity::Minor.into(),
        ..Default::default()
    };
    let mut found = Vec::new();
    let mut page_token = String::new();
    loop {
        let request = v1::ListAlarmHistoryRequest { page_token, ..request.clone() };
        let page = client.list_alarm_history(request).await.unwrap().into_inner();
        found.extend(page.closed_alarms.into_iter().map(|closed| closed.close_time.unwrap().seconds));
        page_token = page.next_page_token;
        if page_token.is_empty() {
            break;
        }
    }
    assert_eq!(found, [7, 6, 5, 4, 3, 2, 1]);
    let asked = history.asked.lock().unwrap()[0].clone();
    assert_eq!((asked.after, asked.before), (Some(Timestamp(1_000_005)), Some(Timestamp(9_000_005))));
    assert_eq!((asked.object.as_str(), asked.min_severity), ("hosts/kvm-07", Some(PerceivedSeverity::Minor)));
    let broken = v1::ListAlarmHistoryRequest { alarm_type: "broken".into(), ..Default::default() };
    let error = client.list_alarm_history(broken).await.unwrap_err();
    assert_eq!((error.code(), reason(&error)), (Code::Unavailable, "STORE_BUSY".into()));
    for (bad, expected) in [
        (v1::ListAlarmHistoryRequest { page_token: "1x".into(), ..Default::default() }, "INVALID_PAGE_TOKEN"),
        (v1::ListAlarmHistoryRequest { min_severity: 77, ..Default::default() }, "INVALID_FIELD"),
        (v1::ListAlarmHistoryRequest { object: "x".repeat(9_000), ..Default::default() }, "INVALID_FIELD"),
        (
            v1::ListAlarmHistoryRequest {
                start_time: Some(prost_types::Timestamp { seconds: i64::MAX, nanos: 0 }),
                ..Default::default()
            },
            "INVALID_FIELD",
        ),
    ] {
        assert_eq!(reason(&client.list_alarm_history(bad).await.unwrap_err()), expected);
    }
}

#[tokio::test]
async fn the_types_are_published_with_where_they_can_be_detected() {
    let mut script = Script::new("e1");
    let remote = vrm::model::host::Host {
        connection_uris: vec!["qemu+ssh://a/system".into()],
        profile: "monitor".into(),
        ..Default::default()
    };
    script.put(&Name::host(&host()), Body::Host(Box::new(remote)));
    let server = TestServer::scripted(&script.log).await;
    let mut client = server.alarms().await;
    let all = client.list_alarm_types(v1::ListAlarmTypesRequest::default()).await.unwrap().into_inner();
    assert!(all.alarm_types.len() > 80 && all.version.len() == 16);
    assert!(all.alarm_types.windows(2).all(|pair| pair[0].number < pair[1].number), "ordered by number");
    for one in &all.alarm_types {
        assert!(!one.meaning.is_empty() && !one.repair_action.is_empty() && !one.clearing_condition.is_empty());
        assert_ne!(one.availability.as_ref().unwrap().state, 0, "{}", one.name);
    }
    let state = |id: &str| {
        let one = all.alarm_types.iter().find(|one| one.alarm_type == id).unwrap();
        one.availability.as_ref().unwrap().state()
    };
    assert_eq!(state("hostUnreachable"), v1::alarm_type_availability::State::Everywhere);
    assert_eq!(state("hostDown"), v1::alarm_type_availability::State::Reported);
    let request = v1::ListAlarmTypesRequest { object_class: "VirtualMachine".into() };
    let some = client.list_alarm_types(request).await.unwrap().into_inner();
    assert!(!some.alarm_types.is_empty() && some.alarm_types.len() < all.alarm_types.len());
    assert_eq!(some.version, all.version);
}
