//! Alarms on the metrics page, so that an Alertmanager behind Prometheus needs no new component.

use super::encoding::{Encoded, Labels, family, gauge};
use crate::model::alarm::{Alarm, PerceivedSeverity};
use crate::model::{Body, Object};
use crate::telemetry::{AlarmLatency, LatencyStage};
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::gauge::ConstGauge;
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Series of single alarms: 5,000 (operations.md F7), the most severe and oldest first. What is
/// beyond is counted in `vrm_alarms_omitted`.
pub(super) const SERIES: usize = 5_000;

/// Longest text in a label, in characters.
const TEXT: usize = 200;

/// States of the counts; each alarm is in the first that fits.
const STATES: [&str; 5] = ["cleared", "shelved", "suppressed", "acknowledged", "active"];

pub(super) fn encode_alarms(objects: &[Arc<Object>], encoder: &mut DescriptorEncoder<'_>) -> Encoded {
    let alarms: Vec<&Alarm> = objects
        .iter()
        .filter_map(|object| if let Body::Alarm(alarm) = &object.body { Some(&**alarm) } else { None })
        .collect();
    counts(&alarms, encoder)?;
    let mut roots: Vec<&Alarm> = alarms.into_iter().filter(|alarm| alarm.is_outstanding() && alarm.root).collect();
    roots.sort_by_key(|alarm| (Reverse(alarm.perceived_severity), alarm.raise_time));
    // One series twice would make the whole page unreadable.
    let mut seen = BTreeSet::new();
    roots.retain(|alarm| seen.insert((&alarm.alarm_type, &alarm.object)));
    let omitted = i64::try_from(roots.len().saturating_sub(SERIES)).unwrap_or(i64::MAX);
    roots.truncate(SERIES);
    series(&roots, encoder)?;
    #[expect(clippy::cast_precision_loss, reason = "a count of alarms stays far below 2^53")]
    gauge(encoder, "alarms_omitted", "Active root alarms beyond the bound of vrm_alarm", omitted as f64)
}

fn counts(alarms: &[&Alarm], encoder: &mut DescriptorEncoder<'_>) -> Encoded {
    let mut counts: BTreeMap<(PerceivedSeverity, &str), i64> = BTreeMap::new();
    for severity in PerceivedSeverity::ALL {
        counts.extend(STATES.map(|state| ((severity, state), 0)));
    }
    for alarm in alarms {
        *counts.entry((alarm.perceived_severity, state(alarm))).or_default() += 1;
    }
    let rows = counts.into_iter().map(|((severity, state), count)| {
        let labels = vec![("severity", severity.as_str().to_owned()), ("state", state.to_owned())];
        (labels, ConstGauge::new(count))
    });
    family(encoder, "alarms", "Alarms in the list by severity and state", rows)
}

fn state(alarm: &Alarm) -> &'static str {
    if !alarm.is_active() {
        "cleared"
    } else if alarm.shelved.is_some() {
        "shelved"
    } else if alarm.suppressed_by.is_some() {
        "suppressed"
    } else if alarm.acknowledgement.is_some() {
        "acknowledged"
    } else {
        "active"
    }
}

fn series(roots: &[&Alarm], encoder: &mut DescriptorEncoder<'_>) -> Encoded {
    let one = || ConstGauge::new(1_i64);
    let rows = roots.iter().map(|alarm| {
        let mut labels = identity(alarm);
        labels.push(("acknowledged", alarm.acknowledgement.is_some().to_string()));
        labels.push(("root", alarm.root.to_string()));
        (labels, one())
    });
    family(encoder, "alarm", "1 for each active root alarm that is neither shelved nor suppressed", rows)?;
    let children = roots
        .iter()
        .filter(|alarm| alarm.correlated_count > 0)
        .map(|alarm| (identity(alarm), ConstGauge::new(i64::from(alarm.correlated_count))));
    family(encoder, "alarm_children", "Alarms that a root alarm explains", children)?;
    let texts = roots.iter().map(|alarm| {
        let labels = vec![
            ("alarm_type", alarm.alarm_type.clone()),
            ("object", alarm.object.to_string()),
            ("text", shortened(&alarm.text)),
            ("repair_action", shortened(&alarm.repair_action)),
            ("runbook_url", alarm.runbook_url.clone()),
        ];
        (labels, one())
    });
    // Beside vrm_alarm, because a text that changes would end one alert and begin another.
    family(encoder, "alarm_text", "Text, repair action and runbook of each alarm in vrm_alarm", texts)
}

fn identity(alarm: &Alarm) -> Labels {
    vec![
        ("alarm_type", alarm.alarm_type.clone()),
        ("severity", alarm.perceived_severity.as_str().to_owned()),
        ("object", alarm.object.to_string()),
        ("name", if alarm.object_label.is_empty() { alarm.object.to_string() } else { alarm.object_label.clone() }),
        ("host", alarm.host.as_ref().map(ToString::to_string).unwrap_or_default()),
        ("resource_group", alarm.resource_group.clone()),
    ]
}

fn shortened(text: &str) -> String {
    text.chars().take(TEXT).collect()
}

pub(super) fn encode_latency(latency: &AlarmLatency, encoder: &mut DescriptorEncoder<'_>) -> Encoded {
    let help = "Time from seeing an alarm's change until it was committed, and until a stream took it";
    let kind = latency.histogram(LatencyStage::Committed).metric_type();
    let mut metric = encoder.encode_descriptor("alarm_latency_seconds", help, None, kind)?;
    for stage in LatencyStage::ALL {
        latency.histogram(stage).encode(metric.encode_family(&[("stage", stage.as_str())])?)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests;
