//! Figures of the notification sinks on the metrics page.

use super::encoding::{Encoded, Labels, family};
use crate::telemetry::SinkFigures;
use prometheus_client::encoding::DescriptorEncoder;
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use std::sync::Arc;

type Read = fn(&SinkFigures) -> u64;

pub(super) fn encode_sinks(sinks: &[Arc<SinkFigures>], encoder: &mut DescriptorEncoder<'_>) -> Encoded {
    let counters: [(&str, &str, Read); 3] = [
        ("notify_delivered", "Alarm changes a sink delivered", SinkFigures::delivered),
        ("notify_failures", "Tries of a sink that failed", SinkFigures::failures),
        ("notify_refused", "Alarm changes a sink's receiver would not take", SinkFigures::refused),
    ];
    for (name, help, read) in counters {
        family(encoder, name, help, sinks.iter().map(|sink| (labels(sink), ConstCounter::new(read(sink)))))?;
    }
    let gauges: [(&str, &str, Read); 3] = [
        ("notify_failing", "1 while the last try of a sink failed", |sink| u64::from(sink.is_failing())),
        ("notify_told", "Active alarms a sink's receiver knows", SinkFigures::told),
        ("notify_lag", "Log entries between a sink's position and the head", SinkFigures::lag),
    ];
    for (name, help, read) in gauges {
        let value = |sink: &SinkFigures| ConstGauge::new(i64::try_from(read(sink)).unwrap_or(i64::MAX));
        family(encoder, name, help, sinks.iter().map(|sink| (labels(sink), value(sink))))?;
    }
    Ok(())
}

fn labels(sink: &SinkFigures) -> Labels {
    vec![("sink", sink.name().to_owned()), ("kind", sink.kind().to_owned())]
}
