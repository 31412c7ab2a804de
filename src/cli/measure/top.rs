//! `top`: machines or hosts with what they use now, live or as one frame.

use super::chart::sparkline;
use super::query::stamp;
use super::value::number;
use crate::cli::args::Format;
use crate::cli::exit::{Exit, Failure};
use crate::cli::format::{Cell, Tone, size};
use crate::cli::frame::Frame;
use crate::cli::measure_args::{TopArgs, TopKind};
use crate::cli::output::{Row, Sheet, data, natural_key, print};
use crate::cli::sheet::host_id;
use crate::client::{Client, ListQuery, ObjectExt, Target};
use crate::wire::v1;
use serde_json::{Value, json};
use std::collections::{BTreeMap, VecDeque};
use std::io::IsTerminal;

/// Points of a sparkline.
const TREND: usize = 20;

/// Periods that sparklines begin with, in seconds.
const TREND_PERIOD: u32 = 60;

/// How the readings of a metric become one figure of the object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Figure {
    Percent,
    Bytes,
    BytesPerSecond,
    PerSecond,
    Count,
}

/// A column: its head, the metrics whose readings are added up, and what they are.
type Column = (&'static str, &'static [&'static str], Figure);

const VMS: &[Column] = &[
    ("CPU", &["vm.cpu.usage"], Figure::Percent),
    ("STEAL", &["vm.cpu.steal"], Figure::Percent),
    ("MEM", &["vm.memory.usage"], Figure::Percent),
    ("RSS", &["vm.memory.rss"], Figure::Bytes),
    ("DISK", &["vdisk.throughput"], Figure::BytesPerSecond),
    ("IOPS", &["vm.disk.iops"], Figure::PerSecond),
    ("NET RX", &["vnic.rx.rate"], Figure::BytesPerSecond),
    ("NET TX", &["vnic.tx.rate"], Figure::BytesPerSecond),
];

const HOSTS: &[Column] = &[
    ("CPU", &["host.cpu.usage"], Figure::Percent),
    ("MEM", &["host.memory.usage"], Figure::Percent),
    ("FREE", &["host.memory.free"], Figure::Bytes),
    ("VMS", &["host.vm.running"], Figure::Count),
    ("LOAD", &["host.load.1"], Figure::Count),
    ("PSI CPU", &["host.psi.cpu"], Figure::Percent),
    ("PSI MEM", &["host.psi.memory"], Figure::Percent),
    ("PSI IO", &["host.psi.io"], Figure::Percent),
];

/// A daemon and what its objects are called.
struct Source {
    target: Target,
    client: Client,
    context: Option<String>,
    /// Host of each machine, by name.
    hosts: BTreeMap<String, String>,
}

/// An object with its figures, in the order of the columns.
#[derive(Clone, Debug, Default)]
struct Line {
    context: Option<String>,
    name: String,
    label: String,
    host: String,
    figures: Vec<Option<f64>>,
}

/// Carries the command out; live until Ctrl-C or `--timeout`.
///
/// # Errors
/// Wrong use; the only daemon does not answer.
pub async fn top(frame: &Frame, args: &TopArgs) -> Result<Exit, Failure> {
    let (sources, silent) = sources(frame, args).await?;
    let mut trends = Trends::default();
    for source in &sources {
        trends.begin(frame, source, args.kind).await;
    }
    let once = args.once || frame.global.output != Format::Table || !std::io::stdout().is_terminal();
    let live = async {
        loop {
            let lines = read(frame, &sources, args.kind).await?;
            trends.push(&lines);
            let sheet = sheet(frame, args, lines, &trends)?;
            if once {
                return show(frame, &sheet);
            }
            redraw(frame, &sheet)?;
            tokio::time::sleep(args.interval).await;
        }
    };
    match frame.timeout().filter(|_| !once) {
        Some(limit) => tokio::time::timeout(limit, live).await.unwrap_or(Ok(()))?,
        None => live.await?,
    }
    Ok(if silent == 0 { Exit::Done } else { Exit::Partly })
}

/// The daemons that answer, and how many do not.
async fn sources(frame: &Frame, args: &TopArgs) -> Result<(Vec<Source>, usize), Failure> {
    let mut sources = Vec::new();
    let mut silent = 0;
    for target in frame.targets()? {
        match source(frame, &target, args.kind).await {
            Ok(source) => sources.push(source),
            Err(failure) if frame.global.all_contexts => {
                eprintln!("error: context {}: {failure}", target.label);
                silent += 1;
            }
            Err(failure) => return Err(failure),
        }
    }
    Ok((sources, silent))
}

async fn source(frame: &Frame, target: &Target, kind: TopKind) -> Result<Source, Failure> {
    let client = frame.connect(target).await.map_err(|error| Failure::of_client(&error, target))?;
    let mut hosts = BTreeMap::new();
    if kind == TopKind::Vms {
        let query = ListQuery { filter: frame.filter()?, ..ListQuery::default() };
        let list = client.list(v1::ObjectClass::VirtualMachine, &query).await;
        let list = list.map_err(|error| Failure::of_client(&error, target))?;
        hosts.extend(list.objects.iter().map(|vm| (vm.name().to_owned(), host_id(vm.host()).to_owned())));
    }
    Ok(Source { target: target.clone(), client, context: frame.mark(target), hosts })
}

fn columns(kind: TopKind) -> &'static [Column] {
    match kind {
        TopKind::Vms => VMS,
        TopKind::Hosts => HOSTS,
    }
}

async fn read(frame: &Frame, sources: &[Source], kind: TopKind) -> Result<Vec<Line>, Failure> {
    let metrics: Vec<String> =
        columns(kind).iter().flat_map(|(_, metrics, _)| metrics.iter()).map(|metric| (*metric).to_owned()).collect();
    let mut lines = Vec::new();
    for source in sources {
        let request = v1::QueryMeasurementsRequest {
            filter: frame.filter()?,
            metrics: metrics.clone(),
            ..v1::QueryMeasurementsRequest::default()
        };
        let series = source.client.measurements(request).await;
        let series = series.map_err(|error| Failure::of_client(&error, &source.target))?;
        lines.extend(gathered(source.context.as_ref(), &source.hosts, kind, &series));
    }
    Ok(lines)
}

/// Adds the readings of parts up to their object's; what is absent of all parts is absent.
fn gathered(
    context: Option<&String>,
    hosts: &BTreeMap<String, String>,
    kind: TopKind,
    series: &[v1::MeasurementSeries],
) -> Vec<Line> {
    let columns = columns(kind);
    let mut lines: BTreeMap<String, Line> = BTreeMap::new();
    for one in series {
        let owner: String = one.object.splitn(3, '/').take(2).collect::<Vec<_>>().join("/");
        let line = lines.entry(owner.clone()).or_insert_with(|| Line {
            context: context.cloned(),
            label: if one.object_label.is_empty() { host_id(&owner).to_owned() } else { one.object_label.clone() },
            host: hosts.get(&owner).cloned().unwrap_or_default(),
            name: owner.clone(),
            figures: vec![None; columns.len()],
        });
        let value = one.points.last().and_then(number);
        let place = columns.iter().position(|(_, metrics, _)| metrics.contains(&one.metric.as_str()));
        if let (Some(place), Some(value)) = (place, value) {
            let figure = &mut line.figures[place];
            *figure = Some(figure.unwrap_or(0.0) + value);
        }
    }
    lines.into_values().collect()
}

/// The last CPU usages of objects.
#[derive(Debug, Default)]
struct Trends(BTreeMap<(Option<String>, String), VecDeque<Option<f64>>>);

impl Trends {
    /// From history, as far as there is any.
    async fn begin(&mut self, frame: &Frame, source: &Source, kind: TopKind) {
        let Some((_, metrics, _)) = columns(kind).first() else { return };
        let length = jiff::SignedDuration::from_mins(20);
        let request = v1::QueryMeasurementsRequest {
            filter: frame.filter().unwrap_or_default(),
            metrics: metrics.iter().map(|metric| (*metric).to_owned()).collect(),
            granularity_seconds: TREND_PERIOD,
            begin_time: frame.clock.now.checked_sub(length).ok().map(stamp),
            end_time: Some(stamp(frame.clock.now)),
            ..v1::QueryMeasurementsRequest::default()
        };
        // Without history there is no trend yet, which is no failure.
        for one in source.client.measurements(request).await.unwrap_or_default() {
            let values = one.points.iter().map(number).collect();
            self.0.insert((source.context.clone(), one.object), values);
        }
    }

    fn push(&mut self, lines: &[Line]) {
        for line in lines {
            let trend = self.0.entry((line.context.clone(), line.name.clone())).or_default();
            trend.push_back(line.figures.first().copied().flatten());
            while trend.len() > TREND {
                trend.pop_front();
            }
        }
    }

    fn of(&self, line: &Line) -> String {
        let trend = self.0.get(&(line.context.clone(), line.name.clone()));
        let values: Vec<Option<f64>> = trend.into_iter().flatten().copied().collect();
        sparkline(&values, 0.0, 100.0)
    }
}

fn sheet(frame: &Frame, args: &TopArgs, lines: Vec<Line>, trends: &Trends) -> Result<Sheet, Failure> {
    let columns = columns(args.kind);
    let mut heads = vec![("NAME".to_owned(), false)];
    if args.kind == TopKind::Vms {
        heads.push(("HOST".to_owned(), false));
    }
    heads.extend(columns.iter().map(|(head, ..)| ((*head).to_owned(), false)));
    heads.push(("CPU TREND".to_owned(), false));
    let rows = lines.into_iter().map(|line| row(args.kind, &line, trends)).collect();
    let mut sheet = Sheet { heads, rows };
    sheet.rows.sort_by_cached_key(|row| (row.context.clone(), natural_key(&row.title)));
    sheet.sort(frame.global.sort.as_deref().unwrap_or("-CPU"))?;
    if !frame.global.output.is_data() && frame.global.output != Format::Csv {
        sheet.rows.truncate(args.limit);
    }
    Ok(sheet)
}

fn row(kind: TopKind, line: &Line, trends: &Trends) -> Row {
    let columns = columns(kind);
    let mut cells = vec![Cell::text(line.label.clone())];
    if kind == TopKind::Vms {
        cells.push(Cell::text(line.host.clone()));
    }
    cells.extend(columns.iter().zip(&line.figures).map(|((_, _, figure), value)| cell(*figure, *value)));
    cells.push(Cell::text(trends.of(line)));
    let figures: serde_json::Map<String, Value> = columns
        .iter()
        .zip(&line.figures)
        .map(|((head, ..), value)| (head.to_lowercase().replace(' ', "_"), json!(value)))
        .collect();
    Row {
        context: line.context.clone(),
        name: line.name.clone(),
        title: line.label.clone(),
        json: json!({ "name": line.name, "label": line.label, "host": line.host, "figures": figures }),
        cells,
    }
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped to what fits")]
fn cell(figure: Figure, value: Option<f64>) -> Cell {
    let Some(value) = value else { return Cell::unknown() };
    let bytes = || size(value.clamp(0.0, 9e18) as u64);
    let (text, tone) = match figure {
        Figure::Percent => (format!("{value:.1}%"), if value >= 90.0 { Tone::Warn } else { Tone::Plain }),
        Figure::Bytes => (bytes(), Tone::Plain),
        Figure::BytesPerSecond => (format!("{}/s", bytes()), Tone::Plain),
        Figure::PerSecond => (format!("{value:.0}/s"), Tone::Plain),
        Figure::Count => (super::value::short(value), Tone::Plain),
    };
    Cell { text, raw: json!(value), tone }
}

fn show(frame: &Frame, sheet: &Sheet) -> Result<(), Failure> {
    let style = frame.style();
    let objects = || sheet.rows.iter().map(|row| row.json.clone()).collect::<Vec<_>>();
    match frame.global.output {
        Format::Jsonl => objects().iter().try_for_each(|object| print(&data(object, Format::Jsonl))),
        format if format.is_data() => print(&data(&json!({ "objects": objects() }), format)),
        Format::Name => print(&sheet.rows.iter().map(|row| format!("{}\n", row.name)).collect::<String>()),
        Format::Csv => print(&sheet.grid(&style)?.csv(style.no_headers)),
        _ if sheet.rows.is_empty() => {
            eprintln!("nothing is measured");
            Ok(())
        }
        _ => print(&sheet.grid(&style)?.draw(&style, &[])),
    }
}

/// Draws over the frame before: home, each line to its end, then everything below.
fn redraw(frame: &Frame, sheet: &Sheet) -> Result<(), Failure> {
    let style = frame.style();
    let table =
        if sheet.rows.is_empty() { "nothing is measured\n".to_owned() } else { sheet.grid(&style)?.draw(&style, &[]) };
    let now = frame.clock.local(jiff::Timestamp::now());
    let lines: String = table.lines().map(|line| format!("{line}\u{1b}[K\n")).collect();
    print(&format!("\u{1b}[H{now}   Ctrl-C ends\u{1b}[K\n{lines}\u{1b}[J"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use v1::measurement_point::Result as Outcome;

    fn series(object: &str, metric: &str, value: Option<f64>) -> v1::MeasurementSeries {
        let absent = Outcome::Absent(v1::AbsentReason::HostLost.into());
        let result = Some(value.map_or(absent, Outcome::DoubleValue));
        v1::MeasurementSeries {
            object: object.to_owned(),
            object_label: "web-1".to_owned(),
            metric: metric.to_owned(),
            points: vec![v1::MeasurementPoint { result, ..Default::default() }],
        }
    }

    #[test]
    fn disks_and_nics_are_added_up_and_what_is_absent_stays_absent() {
        let all = [
            series("virtualMachines/u", "vm.cpu.usage", None),
            series("virtualMachines/u/disks/vda", "vdisk.throughput", Some(10.0)),
            series("virtualMachines/u/disks/vdb", "vdisk.throughput", Some(5.0)),
        ];
        let lines = figures(&all);
        assert_eq!(lines.len(), 1);
        assert_eq!((lines[0][0], lines[0][4], lines[0][6]), (None, Some(15.0), None));
    }

    fn figures(all: &[v1::MeasurementSeries]) -> Vec<Vec<Option<f64>>> {
        let lines = gathered(None, &BTreeMap::new(), TopKind::Vms, all);
        lines.into_iter().map(|line| line.figures).collect()
    }
}
