//! What an operator's Prometheus sees of alarms.

use super::{SERIES, encode_alarms, encode_latency};
use crate::model::alarm::{Acknowledgement, Alarm, AlarmState, PerceivedSeverity, Shelving, Suppression};
use crate::model::{Actor, Annotations, Body, HostId, Name, Object, ResourceState, Timestamp};
use crate::telemetry::{AlarmLatency, LatencyStage};
use prometheus_client::collector::Collector;
use prometheus_client::encoding::DescriptorEncoder;
use prometheus_client::encoding::text::encode;
use prometheus_client::registry::Registry;
use std::sync::Arc;
use std::time::Duration;
use uuid::Uuid;

#[derive(Debug)]
struct Page(Vec<Arc<Object>>, AlarmLatency);

impl Collector for Page {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), std::fmt::Error> {
        encode_alarms(&self.0, &mut encoder)?;
        encode_latency(&self.1, &mut encoder)
    }
}

fn page(alarms: impl IntoIterator<Item = Alarm>) -> String {
    let objects = alarms.into_iter().zip(1..).map(|(alarm, number)| Arc::new(object(number, alarm))).collect();
    let latency = AlarmLatency::default();
    latency.record(LatencyStage::Committed, Duration::from_millis(4));
    let mut registry = Registry::with_prefix("vrm");
    registry.register_collector(Box::new(Page(objects, latency)));
    let mut text = String::new();
    encode(&mut text, &registry).unwrap();
    text
}

fn object(number: u128, alarm: Alarm) -> Object {
    Object {
        name: Name::alarm(Uuid::from_u128(number)),
        uid: Uuid::from_u128(number),
        revision: 1,
        created_sequence: 1,
        last_change_sequence: 1,
        create_time: Timestamp(1),
        change_time: Timestamp(1),
        state: ResourceState::default(),
        annotations: Annotations::default(),
        body: Body::Alarm(Box::new(alarm)),
    }
}

fn alarm(number: u128) -> Alarm {
    Alarm {
        alarm_type: "vmCrashed".into(),
        perceived_severity: PerceivedSeverity::Major,
        object: Name::virtual_machine(Uuid::from_u128(number)),
        object_label: format!("web-{number}"),
        host: Some(HostId::parse("kvm-07").unwrap()),
        resource_group: "shop".into(),
        root: true,
        text: "QEMU \"ended\"\nby signal 9".into(),
        runbook_url: "https://vrm.invalid/vmCrashed".into(),
        ..Alarm::default()
    }
}

fn lines<'a>(page: &'a str, start: &str) -> Vec<&'a str> {
    page.lines().filter(|line| line.starts_with(start)).collect()
}

#[test]
fn a_root_is_a_series_with_text_and_children_beside_it() {
    let page = page([Alarm { correlated_count: 7, ..alarm(1) }]);
    let object = "virtualMachines/00000000-0000-0000-0000-000000000001";
    let identity = format!(
        "alarm_type=\"vmCrashed\",severity=\"major\",object=\"{object}\",name=\"web-1\",host=\"kvm-07\",\
         resource_group=\"shop\""
    );
    assert_eq!(lines(&page, "vrm_alarm{"), [format!("vrm_alarm{{{identity},acknowledged=\"false\",root=\"true\"}} 1")]);
    assert_eq!(lines(&page, "vrm_alarm_children{"), [format!("vrm_alarm_children{{{identity}}} 7")]);
    let text = lines(&page, "vrm_alarm_text{");
    assert!(text[0].contains(r#"text="QEMU \"ended\"\nby signal 9""#), "{text:?}");
    assert!(text[0].contains(r#"runbook_url="https://vrm.invalid/vmCrashed""#), "{text:?}");
}

#[test]
fn what_nobody_is_to_be_woken_for_is_counted_only() {
    let shelf = Shelving { shelf: Name::alarm_shelf("night"), expire_time: None };
    let lock = Suppression { by: Name::new("hosts/kvm-07"), reason: "maintenance".into() };
    let note = Acknowledgement { actor: Actor::system(), time: Timestamp(1), comment: String::new() };
    let page = page([
        Alarm { state: AlarmState::Cleared, ..alarm(1) },
        Alarm { shelved: Some(shelf), ..alarm(2) },
        Alarm { suppressed_by: Some(lock), ..alarm(3) },
        Alarm { root: false, ..alarm(4) },
        Alarm { acknowledgement: Some(note), ..alarm(5) },
    ]);
    let series = lines(&page, "vrm_alarm{");
    assert_eq!(series.len(), 1, "{series:?}");
    assert!(series[0].contains("web-5") && series[0].contains("acknowledged=\"true\""), "{series:?}");
    for state in ["cleared", "shelved", "suppressed", "acknowledged", "active"] {
        let count = format!("vrm_alarms{{severity=\"major\",state=\"{state}\"}} 1");
        assert!(page.contains(&count), "{count}\n{page}");
    }
    assert_eq!(lines(&page, "vrm_alarms{").len(), 25);
}

#[test]
fn series_are_bounded_and_the_most_severe_stay() {
    let many = (0..SERIES as u128 + 10).map(|number| Alarm {
        perceived_severity: if number == 5_005 { PerceivedSeverity::Critical } else { PerceivedSeverity::Minor },
        ..alarm(number)
    });
    let page = page(many);
    assert_eq!(lines(&page, "vrm_alarm{").len(), SERIES);
    assert!(page.contains("name=\"web-5005\""));
    assert!(page.contains("vrm_alarms_omitted 10.0"));
}

#[test]
fn latency_is_a_histogram_by_stage() {
    let page = page([]);
    assert!(page.contains("vrm_alarm_latency_seconds_bucket{le=\"0.005\",stage=\"committed\"} 1"), "{page}");
    assert!(page.contains("vrm_alarm_latency_seconds_count{stage=\"handed\"} 0"), "{page}");
}
