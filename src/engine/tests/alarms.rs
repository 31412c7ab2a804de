//! Alarms through the engine: committed, published, acted on.

use super::{Rig, a, context, now, registration, rig, rig_after};
use crate::changes::{ListCondition, StatusReason};
use crate::engine::{Cause, CommandContext, CommandError, LinkState, LockRequest, Report};
use crate::fault::catalogue::AlarmType;
use crate::fault::{Finding, Sign};
use crate::model::alarm_command::{AlarmAct, AlarmCommand, AlarmOutcome, AlarmRefusal, AlarmTarget, ReportedCondition};
use crate::model::host::EndpointKey;
use crate::model::incident::{Incident, IncidentKind, IncidentSubject};
use crate::model::observation::{Fact, Observation};
use crate::model::state::AdministrativeState;
use crate::model::{Alarm, Body, HostId, Name, Object, ObjectClass};
use crate::store::{Ack, StoreCondition};
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};
use uuid::Uuid;

async fn rig_with_host(directory: &Path) -> Rig {
    let rig = rig(directory);
    rig.handle.configure_hosts(vec![registration("a", "")], false).await.unwrap();
    rig
}

fn key() -> EndpointKey {
    EndpointKey { host: HostId::parse("a").unwrap(), technology: "sim".into() }
}

async fn panic_of(rig: &Rig, number: u128) {
    let incident = Incident {
        time: now(),
        subject: IncidentSubject::Machine(Uuid::from_u128(number)),
        kind: IncidentKind::GuestPanicked,
        details: BTreeMap::new(),
    };
    let observation =
        Observation { time: now(), facts: vec![Fact::Incident(Box::new(incident))], errors: Vec::new(), samples: None };
    rig.handle.report_urgent(Report::Observed { key: key(), generation: 1, cause: Cause::Event, observation }).await;
}

fn alarms(rig: &Rig) -> Vec<(Arc<Object>, Alarm)> {
    let objects = rig.log.all(ObjectClass::Alarm);
    let alarm = |object: Arc<Object>| match &object.body {
        Body::Alarm(alarm) => Some((Arc::clone(&object), (**alarm).clone())),
        _ => None,
    };
    objects.into_iter().filter_map(alarm).collect()
}

/// Waits until the published alarms are so.
async fn wait_for(rig: &Rig, wanted: impl Fn(&[(Arc<Object>, Alarm)]) -> bool) -> Vec<(Arc<Object>, Alarm)> {
    let deadline = Instant::now() + Duration::from_secs(20);
    loop {
        let found = alarms(rig);
        if wanted(&found) {
            return found;
        }
        assert!(Instant::now() < deadline, "{found:?}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

fn act(targets: Vec<(&Object, &str)>, act: AlarmAct) -> AlarmCommand {
    let target = |(object, etag): (&Object, &str)| AlarmTarget { name: object.name.clone(), etag: etag.to_owned() };
    AlarmCommand::Act { targets: targets.into_iter().map(target).collect(), related: false, act }
}

fn acknowledged(outcome: &AlarmOutcome) -> bool {
    let Ok(Some(object)) = &outcome.result else { return false };
    matches!(&object.body, Body::Alarm(alarm) if alarm.acknowledgement.is_some())
}

#[tokio::test]
async fn an_incident_is_a_published_alarm_that_keeps_its_id_over_a_restart() {
    let directory = tempfile::tempdir().unwrap();
    let first = rig_with_host(directory.path()).await;
    panic_of(&first, 1).await;
    let found = wait_for(&first, |alarms| alarms.len() == 1).await;
    assert_eq!(found[0].1.alarm_type, "vmGuestPanicked");
    let committed = first.vitals.alarm_latency().recorded(crate::telemetry::LatencyStage::Committed);
    assert_eq!(committed, 1, "one transaction with an alarm");
    first.end().await;
    let second = rig_with_host(directory.path()).await;
    let after = alarms(&second);
    assert_eq!(after.len(), 1);
    assert_eq!((&after[0].0.name, after[0].0.revision), (&found[0].0.name, found[0].0.revision));
    assert_eq!(after[0].1, found[0].1);
    second.end().await;
}

#[tokio::test]
async fn outcomes_come_in_the_order_asked_and_a_stale_etag_spoils_only_its_target() {
    let directory = tempfile::tempdir().unwrap();
    let rig = rig_with_host(directory.path()).await;
    for number in 1..=3 {
        panic_of(&rig, number).await;
    }
    let found = wait_for(&rig, |alarms| alarms.len() == 3).await;
    let objects: Vec<&Object> = found.iter().map(|(object, _)| &**object).collect();
    let fresh = objects[2].etag();
    let command =
        act(vec![(objects[0], ""), (objects[1], "stale"), (objects[2], &fresh)], AlarmAct::Acknowledge("seen".into()));
    let outcomes = rig.handle.alarms(context("r1"), command.clone()).await.unwrap();
    let names: Vec<&Name> = outcomes.iter().map(|outcome| &outcome.name).collect();
    assert_eq!(names, objects.iter().map(|object| &object.name).collect::<Vec<_>>());
    assert!(acknowledged(&outcomes[0]) && acknowledged(&outcomes[2]), "{outcomes:?}");
    assert!(matches!(outcomes[1].result, Err(AlarmRefusal::EtagMismatch { .. })), "{outcomes:?}");
    let head = rig.log.head();
    rig.handle.alarms(context("r1"), command).await.unwrap();
    assert_eq!(rig.log.head(), head, "a repeat changes nothing");
    let other = act(vec![(objects[0], "")], AlarmAct::Unacknowledge(String::new()));
    let refused = rig.handle.alarms(context("r1"), other).await.unwrap_err();
    assert_eq!(refused, CommandError::RequestIdReused("r1".into()));
    rig.end().await;
}

#[tokio::test]
async fn validate_only_acts_on_nothing_and_still_refuses() {
    let directory = tempfile::tempdir().unwrap();
    let rig = rig_with_host(directory.path()).await;
    panic_of(&rig, 1).await;
    let found = wait_for(&rig, |alarms| alarms.len() == 1).await;
    let head = rig.log.head();
    let dry = CommandContext { validate_only: true, ..context("") };
    let ack = act(vec![(&found[0].0, "")], AlarmAct::Acknowledge(String::new()));
    assert!(rig.handle.alarms(dry.clone(), ack).await.unwrap()[0].result.is_ok());
    let purge = act(vec![(&found[0].0, "")], AlarmAct::Purge);
    let refused = rig.handle.alarms(dry, purge).await.unwrap();
    assert!(matches!(refused[0].result, Err(AlarmRefusal::StillActive(_))));
    assert_eq!(rig.log.head(), head);
    rig.end().await;
}

#[tokio::test]
async fn a_report_from_outside_answers_its_alarm() {
    let directory = tempfile::tempdir().unwrap();
    let rig = rig_with_host(directory.path()).await;
    let report = |active: bool| {
        AlarmCommand::Report(ReportedCondition {
            alarm_type: "hostPowerSupplyFailed".into(),
            object: a(),
            active,
            ..ReportedCondition::default()
        })
    };
    let outcomes = rig.handle.alarms(context("p1"), report(true)).await.unwrap();
    let alarm = outcomes[0].result.clone().unwrap().expect("an alarm");
    assert!(alarm.name.as_str().starts_with("alarms/"), "{}", alarm.name);
    let again = rig.handle.alarms(context("p1"), report(true)).await.unwrap();
    assert_eq!(again[0].result.clone().unwrap().expect("the same").name, alarm.name);
    rig.handle.alarms(context(""), report(false)).await.unwrap();
    wait_for(&rig, |alarms| alarms.iter().all(|(_, alarm)| !alarm.is_active())).await;
    rig.end().await;
}

#[tokio::test]
async fn maintenance_is_begun_and_ended_and_checked() {
    let directory = tempfile::tempdir().unwrap();
    let rig = rig_with_host(directory.path()).await;
    let host = HostId::parse("a").unwrap();
    let past = LockRequest { reason: String::new(), until: Some(crate::model::Timestamp(1)) };
    let refused = rig.handle.lock_host(context(""), host.clone(), past).await.unwrap_err();
    assert!(matches!(refused, CommandError::InvalidField { .. }), "{refused}");
    let lock = LockRequest { reason: "memory".into(), until: None };
    let locked = rig.handle.lock_host(context(""), host.clone(), lock).await.unwrap();
    assert_eq!(locked.state.administrative, Some(AdministrativeState::Locked));
    let report = Report::Link {
        key: key(),
        time: now(),
        state: LinkState::Unreachable("no route".into()),
        generation: 1,
        hypervisor: None,
    };
    rig.handle.report_urgent(report).await;
    let found = wait_for(&rig, |alarms| alarms.iter().any(|(_, alarm)| alarm.alarm_type == "hostUnreachable")).await;
    let alarm = &found.iter().find(|(_, alarm)| alarm.alarm_type == "hostUnreachable").expect("found").1;
    assert!(alarm.planned_outage && !alarm.is_outstanding());
    let unlocked = rig.handle.unlock_host(context(""), host).await.unwrap();
    assert_eq!(unlocked.state.administrative, Some(AdministrativeState::Unlocked));
    rig.end().await;
}

#[tokio::test]
async fn a_full_disk_and_own_conditions_are_alarms_of_the_vrm() {
    let directory = tempfile::tempdir().unwrap();
    let rig = rig_with_host(directory.path()).await;
    rig.acks.send(Ack::Condition(StoreCondition::Full)).unwrap();
    wait_for(&rig, |alarms| alarms.iter().any(|(_, alarm)| alarm.alarm_type == "vrmStoreFailure")).await;
    let refused = rig.handle.annotate(context(""), a(), super::label("k", "v")).await.unwrap_err();
    assert_eq!(refused, CommandError::StoreFull);
    rig.acks.send(Ack::Condition(StoreCondition::Good)).unwrap();
    wait_for(&rig, |alarms| alarms.iter().all(|(_, alarm)| !alarm.is_active())).await;
    let finding = Finding::new(AlarmType::SettingsRejected, &Name::vrm(), "hosts.d/b.toml is no host");
    rig.handle.own_conditions(vec![Sign::Present(Box::new(finding))]).await;
    wait_for(&rig, |alarms| alarms.iter().any(|(_, alarm)| alarm.alarm_type == "settingsRejected")).await;
    rig.end().await;
}

/// REQ-FM-FUN-23: whoever looks is told that the list is incomplete, of which hosts, and that it was begun anew.
#[tokio::test]
async fn an_incomplete_and_a_rebuilt_list_are_told_with_reason_and_scope() {
    let directory = tempfile::tempdir().unwrap();
    let rig = rig_after(directory.path(), true);
    rig.handle.configure_hosts(Vec::new(), false).await.unwrap();
    let rebuilt = rig.log.status();
    assert_eq!((rebuilt.condition, rebuilt.reason), (ListCondition::Rebuilt, Some(StatusReason::LogReset)));
    assert!(rebuilt.alignment_required);
    rig.handle.configure_hosts(vec![registration("a", "")], false).await.unwrap();
    let starting = rig.log.status();
    assert_eq!((starting.condition, starting.reason), (ListCondition::PotentiallyFaulty, Some(StatusReason::Starting)));
    assert_eq!(starting.scope, ["hosts/a"]);
    rig.end().await;
    // REQ-RES-FUN-05: after a restart the list is rebuilt when everything was read, then reliable.
    let rig = rig_with_host(directory.path()).await;
    assert_eq!(rig.log.status().reason, Some(StatusReason::Starting));
    let states = [(LinkState::Synchronizing, 1), (LinkState::Connected, 1)];
    for (state, generation) in states {
        let report = Report::Link { key: key(), time: now(), state, generation, hypervisor: None };
        rig.handle.report_urgent(report).await;
    }
    let mut seen = Vec::new();
    let deadline = Instant::now() + Duration::from_secs(10);
    while seen.last() != Some(&ListCondition::Reliable) && Instant::now() < deadline {
        let condition = rig.log.status().condition;
        if seen.last() != Some(&condition) {
            seen.push(condition);
        }
        tokio::task::yield_now().await;
    }
    assert_eq!(seen, [ListCondition::PotentiallyFaulty, ListCondition::Rebuilt, ListCondition::Reliable]);
    rig.end().await;
}
