//! `ListMetricDescriptors`: the metric catalogue.

use super::port::MetricDescription;
use super::reader::Performance;
use crate::northbound::failure::Failure;
use crate::northbound::open_metrics_names;
use crate::wire::convert;
use crate::wire::v1;
use v1::metric_descriptor::Availability;

/// Granularity periods that are offered, in seconds (REQ-PM-FUN-04).
const GRANULARITIES: [u32; 8] = [10, 30, 60, 300, 900, 1_800, 3_600, 86_400];

impl Performance {
    pub(super) fn metrics(
        &self,
        request: &v1::ListMetricDescriptorsRequest,
    ) -> Result<v1::ListMetricDescriptorsResponse, Failure> {
        let wanted = v1::MeasuredClass::try_from(request.measured_class)
            .map_err(|_| Failure::field("measured_class", "no such class"))?;
        let descriptions = self.measurements.descriptions();
        let of_class = |class: i32| wanted == v1::MeasuredClass::Unspecified || class == i32::from(wanted);
        let descriptors = descriptions.iter().map(descriptor).filter(|descriptor| of_class(descriptor.measured_class));
        Ok(v1::ListMetricDescriptorsResponse {
            metric_descriptors: descriptors.collect(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            granularity_seconds: GRANULARITIES.to_vec(),
        })
    }
}

fn descriptor(description: &MetricDescription) -> v1::MetricDescriptor {
    let MetricDescription { metric, core, derived, visible, meaning, source, standards } = description;
    v1::MetricDescriptor {
        name: format!("metrics/{metric}"),
        metric: metric.name().to_owned(),
        number: metric.number().into(),
        measured_class: convert::measured_class(metric.class()),
        unit: metric.unit().to_owned(),
        kind: convert::metric_kind(metric.kind()),
        core: *core,
        derived: *derived,
        availability: visible.iter().map(|word| availability(word).into()).collect(),
        meaning: meaning.clone(),
        source: source.clone(),
        standards: standards.clone(),
        open_metrics_name: open_metrics_names::series_name(*metric).unwrap_or_default(),
    }
}

fn availability(word: &str) -> Availability {
    match word {
        "monitor_local" => Availability::MonitorLocal,
        "monitor_remote" => Availability::MonitorRemote,
        "manage" => Availability::Manage,
        "agent" => Availability::Agent,
        "own" => Availability::Own,
        _ => Availability::Unspecified,
    }
}
