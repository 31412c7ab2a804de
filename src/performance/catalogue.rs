//! The metric catalogue: everything that can be measured, with meaning, source and visibility.
//!
//! It is data: `catalogue.toml` beside this file. `build.rs` makes [`Metric`] of it; this module reads the rest at
//! first use.

use crate::model::metric::{MeasuredClass, Metric};
use serde::Deserialize;
use std::collections::HashMap;
use std::sync::LazyLock;

/// Granularity periods in seconds; all are aligned to UTC.
pub const GRANULARITIES: [u32; 8] = [10, 30, 60, 300, 900, 1_800, 3_600, 86_400];

/// What is published of a metric beside what every reading needs.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct MetricDescriptor {
    /// What it is, for people.
    pub meaning: String,
    /// Where it is read or how it is worked out.
    pub source: String,
    /// Nearest names in standards.
    #[serde(default)]
    pub standards: Vec<String>,
    /// Who can see it: `monitor_local`, `monitor_remote`, `manage`, `agent`; `own`: the VRM about itself.
    pub visible: Vec<String>,
    /// Measured of every object by the default measurement job.
    #[serde(default)]
    pub core: bool,
    /// Worked out from others by the VRM.
    #[serde(default)]
    pub derived: bool,
}

#[derive(Debug, Deserialize)]
struct File {
    version: u32,
    #[serde(rename = "metric")]
    metrics: Vec<MetricDescriptor>,
}

static CATALOGUE: LazyLock<File> =
    LazyLock::new(|| toml::from_str(include_str!("catalogue.toml")).expect("compiled in, and read by a test"));

static CORE: LazyLock<HashMap<MeasuredClass, Vec<Metric>>> = LazyLock::new(|| {
    let mut sets: HashMap<MeasuredClass, Vec<Metric>> = HashMap::new();
    for metric in Metric::ALL.into_iter().filter(|metric| descriptor(*metric).core) {
        sets.entry(metric.class()).or_default().push(metric);
    }
    sets
});

/// Version of the catalogue; rises with every change that a reader of it may notice.
pub fn version() -> u32 {
    CATALOGUE.version
}

/// What is published of a metric.
pub fn descriptor(metric: Metric) -> &'static MetricDescriptor {
    CATALOGUE.metrics.get(metric as usize).expect("the file holds every metric in order: build.rs made them from it")
}

/// The metrics of a class that the default job measures, in catalogue order; none for parts and for the rest.
pub fn core_set(class: MeasuredClass) -> &'static [Metric] {
    CORE.get(&class).map_or(&[], Vec::as_slice)
}

/// The metrics of a class, in catalogue order.
pub fn of_class(class: MeasuredClass) -> impl Iterator<Item = Metric> {
    Metric::ALL.into_iter().filter(move |metric| metric.class() == class)
}
