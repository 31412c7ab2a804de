//! What a Prometheus sees of measured objects.

use super::Measured;
use crate::changes::{ChangeLog, Restored};
use crate::measurement::{HostReadings, LatestTable, OwnerReadings};
use crate::model::history::{HistoryError, TransitionHistory};
use crate::model::measurement::{AbsentReason, Number, Owner, Part};
use crate::model::metric::Metric;
use crate::model::virtual_machine::{RunState, VirtualMachine};
use crate::model::{Annotations, Body, Change, HostId, Name, Object, ObjectClass, ResourceState, Timestamp};
use crate::performance::{PartReadings, Reading};
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;
use uuid::Uuid;

struct NoHistory;

impl TransitionHistory for NoHistory {
    fn read(
        &self,
        _after: u64,
        _until: u64,
        _classes: &[ObjectClass],
        _limit: usize,
    ) -> Result<Vec<Arc<Change>>, HistoryError> {
        Ok(Vec::new())
    }

    fn oldest(&self, _classes: &[ObjectClass]) -> u64 {
        0
    }
}

fn machine(number: u128, name: &str, host: &str) -> Object {
    let uuid = Uuid::from_u128(number);
    let vm = VirtualMachine {
        uuid,
        display_name: name.into(),
        host: HostId::parse(host).ok(),
        run_state: RunState::Running,
        ..VirtualMachine::default()
    };
    Object {
        name: Name::virtual_machine(uuid),
        uid: uuid,
        revision: 1,
        created_sequence: 1,
        last_change_sequence: 1,
        create_time: Timestamp(0),
        change_time: Timestamp(0),
        state: ResourceState::default(),
        annotations: Annotations::default(),
        body: Body::VirtualMachine(Box::new(vm)),
    }
}

fn log(objects: Vec<Object>) -> ChangeLog {
    let objects = objects.into_iter().map(Arc::new).collect();
    ChangeLog::new(Restored { epoch: "e".into(), head: 1, objects, ..Restored::default() }, Arc::new(NoHistory))
}

fn readings(number: u128, host: &str, at: u64, cpu: u64) -> OwnerReadings {
    let part = |part: Part, readings: Vec<(Metric, u64)>, absent: Vec<(Metric, AbsentReason)>| PartReadings {
        part,
        incarnation: 1,
        start: Some(Timestamp(1_500_000)),
        readings: readings
            .into_iter()
            .map(|(metric, value)| Reading::new(metric, Number::Integer(value), Duration::from_secs(at)))
            .collect(),
        absent,
    };
    OwnerReadings {
        owner: Owner::Machine(Uuid::from_u128(number)),
        host: HostId::parse(host).ok(),
        time: Timestamp(9_000_000),
        at: Duration::from_secs(at),
        moved: false,
        parts: vec![
            part(Part::Whole, vec![(Metric::VmCpuTime, cpu)], vec![(Metric::VmMemoryRss, AbsentReason::Unsupported)]),
            part(Part::Disk("vda\"\\".into()), vec![(Metric::VdiskReadBytes, 512)], Vec::new()),
        ],
    }
}

fn table(all: Vec<OwnerReadings>, lost: &[&str]) -> LatestTable {
    let mut table = LatestTable::default();
    for one in all {
        let host = one.host.clone();
        let held =
            table.hosts.entry(host.clone()).or_insert_with(|| Arc::new(HostReadings { host, ..Default::default() }));
        Arc::make_mut(held).owners.insert(one.owner.clone(), Arc::new(one));
    }
    table.lost = lost.iter().filter_map(|host| HostId::parse(host).ok()).collect();
    table
}

fn page(log: &ChangeLog, table: &LatestTable) -> String {
    let mut page = String::new();
    let measured = Measured::new(log, table, Vec::new());
    assert!(measured.write(&mut |text: &mut String| {
        page.push_str(&std::mem::take(text));
        true
    }));
    page
}

#[test]
fn series_have_uuids_names_are_in_info_only_and_what_is_absent_is_not_there() {
    let log = log(vec![machine(1, "twin", "a"), machine(2, "twin", "a")]);
    let page = page(&log, &table(vec![readings(1, "a", 5, 12_300_000_000), readings(2, "a", 5, 500_000_000)], &[]));
    let (one, two) = (Uuid::from_u128(1), Uuid::from_u128(2));
    for line in [
        format!("vrm_vm_cpu_seconds_total{{vm=\"{one}\"}} 12.3"),
        format!("vrm_vm_cpu_seconds_created{{vm=\"{one}\"}} 1.500"),
        format!("vrm_vm_cpu_seconds_total{{vm=\"{two}\"}} 0.5"),
        format!("vrm_vm_disk_read_bytes_total{{vm=\"{one}\",disk=\"vda\\\"\\\\\"}} 512"),
        format!("vrm_vm_info{{vm=\"{two}\",name=\"twin\",host=\"a\"}} 1"),
        format!("vrm_vm_state{{vm=\"{one}\",vrm_vm_state=\"running\"}} 1"),
        format!("vrm_vm_state{{vm=\"{one}\",vrm_vm_state=\"off\"}} 0"),
    ] {
        assert!(page.lines().any(|other| other == line), "{line} in\n{page}");
    }
    assert!(!page.contains("vrm_vm_memory_rss_bytes"), "absent is not 0: {page}");
    let series: Vec<&str> = page
        .lines()
        .filter(|line| !line.starts_with('#'))
        .filter_map(|line| line.rsplit_once(' '))
        .map(|line| line.0)
        .collect();
    assert_eq!(series.iter().collect::<BTreeSet<_>>().len(), series.len(), "each series once: {page}");
    assert!(page.contains("# TYPE vrm_vm_cpu_seconds counter\n# UNIT vrm_vm_cpu_seconds seconds\n"), "{page}");
}

#[test]
fn a_machine_that_moved_is_told_by_its_new_host_and_one_that_is_gone_not_at_all() {
    let log = log(vec![machine(1, "mover", "b")]);
    let moved = vec![readings(1, "a", 5, 1_000_000_000), readings(1, "b", 9, 7_000_000_000), readings(3, "a", 9, 1)];
    let page = page(&log, &table(moved, &[]));
    let told: Vec<&str> = page.lines().filter(|line| line.starts_with("vrm_vm_cpu_seconds_total")).collect();
    assert_eq!(told, [format!("vrm_vm_cpu_seconds_total{{vm=\"{}\"}} 7", Uuid::from_u128(1))]);
}

#[test]
fn a_host_that_does_not_answer_has_no_series_and_the_others_stay() {
    let log = log(vec![machine(1, "one", "a"), machine(2, "two", "b")]);
    let page = page(&log, &table(vec![readings(1, "a", 5, 1), readings(2, "b", 5, 1)], &["a"]));
    let told: Vec<&str> = page.lines().filter(|line| line.starts_with("vrm_vm_cpu_seconds_total")).collect();
    assert_eq!(told.len(), 1, "{page}");
    assert!(told[0].contains(&Uuid::from_u128(2).to_string()));
}

#[test]
fn the_page_of_ten_thousand_machines_is_never_whole_in_memory() {
    let numbers = 0..10_000_u128;
    let log = log(numbers.clone().map(|number| machine(number, "m", "a")).collect());
    let table = table(numbers.map(|number| readings(number, "a", 5, 1)).collect(), &[]);
    let (mut largest, mut bytes) = (0, 0);
    let measured = Measured::new(&log, &table, Vec::new());
    measured.write(&mut |text: &mut String| {
        largest = largest.max(text.len());
        bytes += std::mem::take(text).len();
        true
    });
    assert!(bytes > 5_000_000, "{bytes}");
    assert!(largest < 128 * 1024, "{largest}");
    let mut pieces = 0;
    assert!(!measured.write(&mut |_| {
        pieces += 1;
        false
    }));
    assert_eq!(pieces, 1, "a reader that is gone costs nothing more");
}
