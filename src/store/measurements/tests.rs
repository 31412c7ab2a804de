//! History end to end: what was appended is what is read, from both tiers.

use super::*;
use crate::model::Timestamp;
use crate::model::measurement::*;
use crate::model::metric::Metric;
use std::time::Duration;
use uuid::Uuid;

fn machine(number: u128) -> MeasuredKey {
    MeasuredKey::whole(Owner::Machine(Uuid::from_u128(number)))
}

fn minute(number: i64) -> Timestamp {
    Timestamp((1_795_000_000 / 3600 * 3600 + number * 60) * 1_000_000)
}

fn gauge(value: f64) -> PeriodValue {
    PeriodValue {
        value: Ok(value),
        min: Some(value - 1.0),
        max: Some(value + 1.0),
        last: Some(value),
        samples: 6,
        suspect: Suspect::default(),
    }
}

fn result(key: &MeasuredKey, begin: Timestamp, values: Vec<(Metric, PeriodValue)>) -> PeriodResult {
    PeriodResult { key: key.clone(), begin, granularity: Duration::from_secs(60), values }
}

fn query(key: &MeasuredKey, metric: Metric, begin: Timestamp, end: Timestamp) -> MeasurementQuery {
    MeasurementQuery { keys: vec![key.clone()], metrics: vec![metric], granularity_seconds: 60, begin, end }
}

#[tokio::test]
async fn what_was_appended_is_read_across_the_seam_of_both_tiers() {
    let directory = tempfile::tempdir().expect("a directory");
    let (store, reader) = MeasurementStore::open(directory.path(), &HistorySettings::default()).expect("opened");
    let key = machine(7);
    for number in 0..40 {
        #[expect(clippy::cast_precision_loss, reason = "small")]
        let value = gauge(number as f64);
        store.append(vec![result(&key, minute(number), vec![(Metric::VmCpuUsage, value)])]);
        store.flush().await.expect("written");
    }
    let series = reader.query(&query(&key, Metric::VmCpuUsage, minute(0), minute(40))).expect("read");
    assert_eq!(series.len(), 1);
    let values: Vec<f64> = series[0].points.iter().map(|(_, point)| point.value.expect("a value")).collect();
    assert_eq!(values, (0..40).map(f64::from).collect::<Vec<_>>());
    assert!(series[0].points.iter().zip(0..).all(|((begin, _), number)| *begin == minute(number)));
    assert_eq!(reader.oldest(60).expect("read"), Some(minute(0)));
}
