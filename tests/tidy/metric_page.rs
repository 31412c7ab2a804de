//! `docs/metrics.md`, made from the metric catalogue. After a change of `src/performance/catalogue.toml`,
//! `VRM_REGENERATE=1 cargo test --test tidy metric_page` writes it anew.

use std::fmt::Write as _;
use std::path::Path;

use vrm::model::metric::{Metric, MetricKind};
use vrm::performance::catalogue::{GRANULARITIES, descriptor, version};

use crate::sources::{ROOT, read};

const PREFACE: &str = "\
# Metrics

Made from `src/performance/catalogue.toml` by a test in `tests/tidy`; do not edit by hand.

A metric's name, number and unit (UCUM) are for ever. Kinds (3GPP TS 32.404): *cumulative* counts up and is told as the
difference over a period; *gauge* is a level, told as mean over time, least, greatest and last; *event* counts discrete
events; *status* is told as the last reading. What cannot be measured is absent with a reason, never 0.

**Core** metrics are measured of every object by the built-in job; **derived** ones are worked out by the VRM over the
true interval between two looks. **Seen by**: *local*, a monitoring VRM on the host itself; *remote*, one elsewhere;
*manage*, a VRM in profile manage; *agent*, a host with a `vrmd` of its own; *own*, the VRM about itself.
";

fn kind(metric: Metric) -> &'static str {
    match metric.kind() {
        MetricKind::Cumulative => "cumulative",
        MetricKind::Gauge => "gauge",
        MetricKind::Event => "event",
        MetricKind::Status => "status",
    }
}

fn page() -> String {
    let seconds: Vec<String> = GRANULARITIES.iter().map(ToString::to_string).collect();
    let mut page = PREFACE.to_owned();
    writeln!(
        page,
        "\nGranularity periods, in seconds: {}. Version {} of the catalogue.",
        seconds.join(", "),
        version()
    )
    .expect("a string takes everything");
    let mut class = None;
    for metric in Metric::ALL {
        if class != Some(metric.class()) {
            class = Some(metric.class());
            page.push_str(&format!("\n## {:?}\n\n", metric.class()));
            page.push_str("| number | metric | unit | kind | | meaning | source | seen by | standards |\n");
            page.push_str("|---|---|---|---|---|---|---|---|---|\n");
        }
        page.push_str(&row(metric));
    }
    page
}

fn row(metric: Metric) -> String {
    let told = descriptor(metric);
    let marks = [(told.core, "core"), (told.derived, "derived")];
    let marks: Vec<&str> = marks.into_iter().filter(|(holds, _)| *holds).map(|(_, mark)| mark).collect();
    let visible: Vec<&str> = told.visible.iter().map(|who| who.trim_start_matches("monitor_")).collect();
    let cell = |text: &str| text.replace('|', "\\|");
    format!(
        "| {} | `{}` | {} | {} | {} | {} | {} | {} | {} |\n",
        metric.number(),
        metric.name(),
        cell(metric.unit()),
        kind(metric),
        marks.join(", "),
        cell(&told.meaning),
        cell(&told.source),
        visible.join(", "),
        cell(&told.standards.join("; ")),
    )
}

#[test]
fn metrics_md_is_made_from_the_catalogue() {
    let path = Path::new(ROOT).join("docs/metrics.md");
    let page = page();
    if std::env::var_os("VRM_REGENERATE").is_some() {
        std::fs::write(&path, page).expect("docs can be written");
        return;
    }
    assert!(
        path.is_file() && read(&path) == page,
        "docs/metrics.md is not what the catalogue says: run this with VRM_REGENERATE=1"
    );
}
