//! The mappings against golden files, and the spellings that usually go wrong (interface.md 10.2).
//!
//! `VRM_WRITE_GOLDEN=1` writes the files anew; read what changed before you commit it.

use super::{
    AlarmView, ChangeEvent, Identity, Reporter, Told, WithdrawReason, alert, change_record, notification, o2ims,
    tmf642, ves_fault,
};
use crate::model::alarm::{
    Acknowledgement, Alarm, AlarmComment, AlarmState, AlarmTransition, Clearing, ClearingKind, EventType,
    ExternalReference, ImpactedObject, PerceivedSeverity, ProbableCause, Reliability, SecurityDetail, StatusChange,
    ThresholdCrossing, ThresholdDirection,
};
use crate::model::{Actor, HostId, Name, Timestamp, Volatile};
use serde_json::Value;
use std::path::PathBuf;
use uuid::Uuid;

/// 2026-03-01T12:00:00Z and so many seconds.
fn at(seconds: i64) -> Timestamp {
    Timestamp((1_772_366_400 + seconds) * 1_000_000)
}

fn reporter() -> Reporter {
    Reporter { vrm_id: "dc1-a".into(), dn: "DC=example.net,VRM=dc1-a".into() }
}

fn alice() -> Actor {
    Actor { principal: "oss-1".into(), user: "alice".into(), system: String::new(), peer: "192.0.2.1:40000".into() }
}

fn entry(seconds: i64, transition: AlarmTransition, severity: PerceivedSeverity) -> StatusChange {
    StatusChange { time: at(seconds), transition, severity, text: String::new(), actor: None }
}

/// A crash with everything a root has.
fn crash() -> AlarmView {
    let machine = Uuid::from_u128(0x11);
    let alarm = Alarm {
        alarm_type: "vmCrashed".into(),
        event_type: EventType::ProcessingError,
        probable_cause: ProbableCause { number: 545, name: "softwareProgramAbnormallyTerminated".into() },
        perceived_severity: PerceivedSeverity::Critical,
        highest_severity: PerceivedSeverity::Critical,
        object: Name::virtual_machine(machine),
        object_dn: format!("DC=example.net,VRM=dc1-a,Cluster=cluster,VirtualMachine={machine}"),
        object_class: "VirtualMachine".into(),
        object_label: "web-1".into(),
        host: Some(HostId::parse("kvm-07").unwrap()),
        zone: "r12".into(),
        resource_group: "shop".into(),
        service_refs: vec!["svc-shop".into()],
        raise_time: at(0),
        first_raise_time: at(-600),
        status_change_time: at(0),
        raise_count: 2,
        repeat_count: Volatile(3),
        last_repeat_time: Volatile(Some(at(5))),
        root: true,
        correlated: vec![Name::alarm(Uuid::from_u128(0x22))],
        correlated_count: 1,
        impacted: vec![ImpactedObject {
            name: Name::virtual_machine(machine),
            label: "web-1".into(),
            service_refs: vec!["svc-shop".into()],
        }],
        impacted_count: 1,
        service_affecting: true,
        text: "QEMU ended by signal 9".into(),
        attributes: [("signal".to_owned(), "9".to_owned())].into(),
        repair_action: "Look at the machine's log and start it.".into(),
        runbook_url: "https://vrm.invalid/runbooks/vmCrashed".into(),
        history: vec![entry(0, AlarmTransition::ReRaised, PerceivedSeverity::Critical)],
        ..Alarm::default()
    };
    AlarmView {
        name: Name::alarm(Uuid::from_u128(0x1234)),
        uid: Uuid::from_u128(0x1234),
        revision: 4,
        sequence: 4_711,
        report_time: at(-600),
        change_time: at(1),
        alarm,
    }
}

fn after(mut view: AlarmView, transition: AlarmTransition, edit: impl FnOnce(&mut Alarm)) -> AlarmView {
    edit(&mut view.alarm);
    view.alarm.history.push(entry(60, transition, view.alarm.perceived_severity));
    view.change_time = at(60);
    view.sequence += 1;
    view.revision += 1;
    view
}

fn cleared() -> AlarmView {
    after(crash(), AlarmTransition::Cleared, |alarm| {
        alarm.state = AlarmState::Cleared;
        alarm.clear_time = Some(at(60));
        alarm.status_change_time = at(60);
        alarm.clearing = Some(Clearing { kind: ClearingKind::Manual, actor: Some(alice()) });
    })
}

fn acknowledged() -> AlarmView {
    after(crash(), AlarmTransition::Acknowledged, |alarm| {
        alarm.acknowledgement = Some(Acknowledgement { actor: alice(), time: at(60), comment: "on it".into() });
    })
}

fn commented() -> AlarmView {
    after(acknowledged(), AlarmTransition::Commented, |alarm| {
        alarm.comments.push(AlarmComment { actor: alice(), time: at(60), text: "vendor called".into() });
        let reference = "INC123".to_owned();
        alarm.external_references.push(ExternalReference { reference, actor: alice(), time: at(60) });
    })
}

/// A threshold crossed and graded down, explained by another alarm, its host away.
fn graded() -> AlarmView {
    after(crash(), AlarmTransition::SeverityChanged, |alarm| {
        alarm.alarm_type = "hostFilesystemUsage".into();
        alarm.event_type = EventType::QualityOfService;
        alarm.probable_cause = ProbableCause { number: 549, name: "thresholdCrossed".into() };
        alarm.perceived_severity = PerceivedSeverity::Minor;
        alarm.object_class = "HostFilesystem".into();
        alarm.status_change_time = at(60);
        alarm.root = false;
        alarm.root_cause = Some(Name::alarm(Uuid::from_u128(0x33)));
        alarm.threshold = Some(ThresholdCrossing {
            metric: "filesystem.free [By]".into(),
            level: 1_000.0,
            clear_level: 1_200.0,
            direction: ThresholdDirection::Down,
            observed: 900.5,
        });
        alarm.planned_outage = true;
        alarm.reliability = Reliability::SourceUnreachable { since: at(30) };
    })
}

fn refused() -> AlarmView {
    let mut view = after(crash(), AlarmTransition::Raised, |alarm| {
        alarm.alarm_type = "unauthorizedAccess".into();
        alarm.event_type = EventType::SecurityServiceOrMechanismViolation;
        alarm.probable_cause = ProbableCause { number: 614, name: "unauthorizedAccessAttempt".into() };
        alarm.perceived_severity = PerceivedSeverity::Indeterminate;
        alarm.object_class = "Vrm".into();
        alarm.security = Some(SecurityDetail {
            service_user: "mallory".into(),
            service_provider: "vrmd".into(),
            detector: "gate".into(),
        });
    });
    view.alarm.object_dn.clear();
    view
}

fn stories() -> [(&'static str, AlarmView, ChangeEvent); 6] {
    [
        ("raised", crash(), ChangeEvent::Raised),
        ("cleared", cleared(), ChangeEvent::Cleared(WithdrawReason::Cleared)),
        ("acknowledged", acknowledged(), ChangeEvent::Changed),
        ("commented", commented(), ChangeEvent::Changed),
        ("graded", graded(), ChangeEvent::Changed),
        ("security", refused(), ChangeEvent::Raised),
    ]
}

fn compare(file: &str, value: &Value) {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/export").join(file);
    let text = serde_json::to_string_pretty(value).unwrap() + "\n";
    if std::env::var_os("VRM_WRITE_GOLDEN").is_some() {
        std::fs::write(&path, &text).unwrap();
    }
    let golden = std::fs::read_to_string(&path).unwrap_or_default();
    assert_eq!(text, golden, "{}", path.display());
}

#[test]
fn tmf642_is_as_in_the_golden_files() {
    for (story, view, _) in stories() {
        compare(&format!("tmf642-{story}.json"), &tmf642(&reporter(), &view));
    }
}

#[test]
fn ves_is_as_in_the_golden_files() {
    for (story, view, _) in stories() {
        compare(&format!("ves-{story}.json"), &ves_fault(&reporter(), &view));
    }
}

#[test]
fn o2ims_is_as_in_the_golden_files() {
    for (story, view, _) in stories() {
        compare(&format!("o2ims-{story}.json"), &o2ims(&reporter(), &view));
    }
}

/// Numbers of the AlarmEventRecord's severity.
#[test]
fn o2ims_counts_severities_from_the_worst() {
    let number = |severity: PerceivedSeverity, state: AlarmState| {
        let mut view = crash();
        (view.alarm.perceived_severity, view.alarm.state) = (severity, state);
        o2ims(&reporter(), &view)["perceivedSeverity"].as_u64().unwrap()
    };
    use PerceivedSeverity::{Critical, Indeterminate, Major, Minor, Warning};
    let all = [Critical, Major, Minor, Warning, Indeterminate];
    assert_eq!(all.map(|severity| number(severity, AlarmState::Active)), [0, 1, 2, 3, 4]);
    assert_eq!(number(Critical, AlarmState::Cleared), 5);
}

#[test]
fn mns_notifications_are_as_in_the_golden_files() {
    for (story, view, _) in stories() {
        compare(&format!("mns-{story}.json"), &notification(&reporter(), &view));
    }
}

#[test]
fn alertmanager_alerts_are_as_in_the_golden_files() {
    for (story, view, _) in stories() {
        let value = alert(&reporter(), &Identity::of(&view), Some(&view), at(120));
        compare(&format!("alertmanager-{story}.json"), &value);
    }
}

#[test]
fn change_records_are_as_in_the_golden_files() {
    for (story, view, event) in stories() {
        let value = change_record(&reporter(), &view, Told { event, epoch: "e1", sent: at(61) });
        compare(&format!("change-{story}.json"), &value);
    }
}

#[test]
fn severities_are_spelled_as_each_receiver_spells_them() {
    let words = |severity: PerceivedSeverity, state: AlarmState| {
        let mut view = crash();
        view.alarm.perceived_severity = severity;
        view.alarm.state = state;
        view.alarm.history.clear();
        let text = |value: Value, pointer: &str| value.pointer(pointer).unwrap().as_str().unwrap().to_owned();
        [
            text(tmf642(&reporter(), &view), "/perceivedSeverity"),
            text(ves_fault(&reporter(), &view), "/event/faultFields/eventSeverity"),
            text(notification(&reporter(), &view), "/perceivedSeverity"),
        ]
    };
    use AlarmState::{Active, Cleared};
    use PerceivedSeverity::{Critical, Indeterminate, Major, Minor, Warning};
    assert_eq!(words(Critical, Active), ["critical", "CRITICAL", "CRITICAL"]);
    assert_eq!(words(Major, Active), ["major", "MAJOR", "MAJOR"]);
    assert_eq!(words(Minor, Active), ["minor", "MINOR", "MINOR"]);
    assert_eq!(words(Warning, Active), ["warning", "WARNING", "WARNING"]);
    assert_eq!(words(Indeterminate, Active), ["indeterminate", "WARNING", "INDETERMINATE"]);
    for severity in PerceivedSeverity::ALL {
        assert_eq!(words(severity, Cleared), ["cleared", "NORMAL", "CLEARED"]);
    }
}

#[test]
fn event_types_are_spelled_as_each_receiver_spells_them() {
    let words = |event_type: EventType| {
        let mut view = crash();
        view.alarm.event_type = event_type;
        let text = |value: Value| value["alarmType"].as_str().unwrap().to_owned();
        (text(tmf642(&reporter(), &view)), text(notification(&reporter(), &view)))
    };
    let expected = [
        ("processingErrorAlarm", "PROCESSING_ERROR_ALARM"),
        ("communicationsAlarm", "COMMUNICATIONS_ALARM"),
        ("qualityOfServiceAlarm", "QUALITY_OF_SERVICE_ALARM"),
        ("processingErrorAlarm", "PROCESSING_ERROR_ALARM"),
        ("equipmentAlarm", "EQUIPMENT_ALARM"),
        ("environmentalAlarm", "ENVIRONMENTAL_ALARM"),
        ("integrityViolation", "INTEGRITY_VIOLATION"),
        ("operationalViolation", "OPERATIONAL_VIOLATION"),
        ("physicalViolation", "PHYSICAL_VIOLATION"),
        ("securityService", "SECURITY_SERVICE_OR_MECHANISM_VIOLATION"),
        ("timeDomainViolation", "TIME_DOMAIN_VIOLATION"),
    ];
    for (event_type, (tmf, mns)) in EventType::ALL.into_iter().zip(expected) {
        assert_eq!(words(event_type), (tmf.to_owned(), mns.to_owned()), "{event_type:?}");
    }
}

/// What is not known is absent, never 0 or "".
#[test]
fn an_alarm_of_which_little_is_known_maps_to_little() {
    let alarm = Alarm { alarm_type: "x".into(), object: Name::new("hosts/a"), ..Alarm::default() };
    let view = AlarmView { name: Name::alarm(Uuid::from_u128(1)), alarm, ..AlarmView::default() };
    for value in [
        tmf642(&reporter(), &view),
        o2ims(&reporter(), &view),
        notification(&reporter(), &view),
        change_record(&reporter(), &view, Told { event: ChangeEvent::Raised, epoch: "e", sent: at(0) }),
    ] {
        let text = value.to_string();
        for nothing in [":\"\"", ":null", ":[]", ":{}", "1970"] {
            assert!(!text.contains(nothing), "{nothing} in {text}");
        }
    }
}
