//! `get`: lists of one or several kinds, of one or all contexts.

use super::alarm;
use super::alarm_args::AlarmScope;
use super::args::Format;
use super::exit::{Exit, Failure};
use super::find::{Lookup, batch_exit, find, tell};
use super::format::Cell;
use super::frame::Frame;
use super::kind::{Kind, Request};
use super::measure;
use super::output::{Row, Sheet, Style, data, natural_key, print, warn, with_context};
use super::sheet;
use crate::client::{Client, ListQuery, Object, ObjectExt, Target, list_field, schema};
use crate::wire::v1;
use futures_util::future::join_all;
use serde_json::{Map, Value};

/// Position of a list with the context it belongs to.
type Position = (Option<String>, Value);

/// What came of one request, of every context.
struct Answer {
    kind: Kind,
    rows: Vec<Row>,
    positions: Vec<Position>,
    incomplete: Vec<String>,
    failures: Vec<Failure>,
}

/// What one daemon answered to one request.
struct Part {
    rows: Vec<Row>,
    position: Option<Position>,
    incomplete: Vec<String>,
    hosts: Option<usize>,
    silent: bool,
    failures: Vec<Failure>,
}

/// Carries the command out.
///
/// # Errors
/// Wrong use; the only daemon asked does not answer.
pub async fn get(frame: &Frame, requests: &[Request], scope: &AlarmScope) -> Result<Exit, Failure> {
    let targets = frame.targets()?;
    let gathered = join_all(targets.iter().map(|target| gather(frame, target, requests, scope))).await;
    let mut answers: Vec<Answer> = requests.iter().map(|request| Answer::new(request.kind)).collect();
    let mut silent = Vec::new();
    let mut answered = 0;
    for (target, result) in targets.iter().zip(gathered) {
        match result {
            Ok(parts) => {
                answered += 1;
                answers.iter_mut().zip(parts).for_each(|(answer, part)| answer.add(part));
            }
            Err(failure) if frame.global.all_contexts => silent.push((target.label.clone(), failure)),
            Err(failure) => return Err(failure),
        }
    }
    for answer in &mut answers {
        answer.settle(answered);
    }
    if answered > 0 {
        show(frame, &mut answers)?;
    }
    for (label, failure) in &silent {
        eprintln!("error: context {label}: {failure}");
    }
    Ok(outcome(&answers, silent.len(), answered))
}

fn outcome(answers: &[Answer], silent: usize, answered: usize) -> Exit {
    let failures: Vec<Failure> = answers.iter().flat_map(|answer| answer.failures.clone()).collect();
    tell(&failures);
    let rows = answers.iter().map(|answer| answer.rows.len()).sum();
    match (silent, answered) {
        (0, _) => batch_exit(rows, &failures),
        _ => Exit::Partly,
    }
}

async fn gather(
    frame: &Frame,
    target: &Target,
    requests: &[Request],
    scope: &AlarmScope,
) -> Result<Vec<Part>, Failure> {
    let client = frame.connect(target).await.map_err(|error| Failure::of_client(&error, target))?;
    let mut parts = Vec::new();
    for request in requests {
        parts.push(match request.kind {
            Kind::Object(class) => Box::pin(objects(frame, &client, class, &request.names)).await?,
            Kind::Session => sessions(frame, &client, &request.names).await?,
            Kind::Alarm | Kind::AlarmType | Kind::Shelf | Kind::Profile => {
                Box::pin(alarms(frame, &client, request, scope)).await?
            }
            Kind::Metric | Kind::Job | Kind::Monitor => {
                let (rows, failures) = Box::pin(measure::rows(frame, &client, request.kind, &request.names)).await?;
                Part { rows, position: None, incomplete: Vec::new(), hosts: None, silent: false, failures }
            }
            Kind::Context => {
                return Err(Failure::usage("contexts are asked for alone").with_next("vrmctl get contexts"));
            }
        });
    }
    Ok(parts)
}

async fn objects(frame: &Frame, client: &Client, class: v1::ObjectClass, names: &[String]) -> Result<Part, Failure> {
    let lookup = Lookup { filter: frame.filter()?, full: frame.needs_full(), prefixes: true };
    let found = find(client, class, names, &lookup).await?;
    let mark = frame.mark(client.target());
    let hosts = if found.list.incomplete_hosts.is_empty() { None } else { host_count(client).await };
    let mut rows: Vec<Row> = found.list.objects.iter().map(|object| object_row(frame, object, mark.clone())).collect();
    if class == v1::ObjectClass::Snapshot && !frame.global.output.is_data() {
        name_machines(client, &mut rows).await;
    }
    Ok(Part {
        rows,
        position: found
            .list
            .position
            .map(|position| (mark.clone(), schema::to_json("vrm.v1.StreamPosition", &position))),
        silent: is_silent(found.list.list_status.as_ref()),
        incomplete: found.list.incomplete_hosts,
        hosts,
        failures: found.failures,
    }
    .marked(mark.as_deref()))
}

async fn alarms(frame: &Frame, client: &Client, request: &Request, scope: &AlarmScope) -> Result<Part, Failure> {
    let listed = alarm::rows(frame, client, request.kind, &request.names, scope).await?;
    let mark = frame.mark(client.target());
    let status = listed.list_status;
    let incomplete = status.clone().map(|status| status.scope).unwrap_or_default();
    let hosts = if incomplete.is_empty() { None } else { host_count(client).await };
    let position = listed.position.map(|position| (mark.clone(), schema::to_json("vrm.v1.StreamPosition", &position)));
    let silent = is_silent(status.as_ref());
    let part = Part { rows: listed.rows, position, incomplete, hosts, silent, failures: listed.failures };
    Ok(part.marked(mark.as_deref()))
}

/// Shows the names of machines where a snapshot only knows their UUID.
async fn name_machines(client: &Client, rows: &mut [Row]) {
    let Ok(machines) = client.list(v1::ObjectClass::VirtualMachine, &ListQuery::default()).await else { return };
    for row in rows {
        let Some(cell) = row.cells.get_mut(1) else { continue };
        let machine = machines.objects.iter().find(|object| object.name().ends_with(&cell.text));
        if let Some(machine) = machine {
            *cell = Cell::text(machine.display_name());
            row.title = format!("{} {}", cell.text, row.title);
        }
    }
}

async fn host_count(client: &Client) -> Option<usize> {
    let facts = client.server_info().await.ok()?;
    usize::try_from(facts.hosts?.total).ok()
}

async fn sessions(frame: &Frame, client: &Client, names: &[String]) -> Result<Part, Failure> {
    let sessions = client.sessions().await.map_err(|error| Failure::of_client(&error, client.target()))?;
    let id = |session: &v1::Session| session.name.rsplit('/').next().unwrap_or_default().to_owned();
    let mark = frame.mark(client.target());
    let failures =
        names.iter().filter(|name| !sessions.iter().any(|session| id(session) == **name || session.name == **name));
    let failures: Vec<Failure> = failures
        .map(|name| Failure::new(Exit::NotFound, format!("session/{name} not found")).with_next("vrmctl get sessions"))
        .collect();
    let wanted = sessions
        .iter()
        .filter(|session| names.is_empty() || names.contains(&id(session)) || names.contains(&session.name));
    let rows = wanted.map(|session| Row {
        context: mark.clone(),
        name: session.name.clone(),
        title: session.name.clone(),
        json: schema::to_json("vrm.v1.Session", session),
        cells: sheet::session_row(session, &frame.clock),
    });
    Ok(Part { rows: rows.collect(), position: None, incomplete: Vec::new(), hosts: None, silent: false, failures })
}

/// The row of an object.
pub fn object_row(frame: &Frame, object: &Object, context: Option<String>) -> Row {
    let needs_json = frame.needs_full();
    Row {
        context,
        name: object.name().to_owned(),
        title: sheet::title(object),
        json: if needs_json { schema::object_json(object) } else { Value::Null },
        cells: sheet::row(object, &frame.clock),
    }
}

impl Part {
    /// Warns of hosts that could not be read.
    fn marked(self, context: Option<&str>) -> Self {
        if !self.incomplete.is_empty() {
            warn(&incomplete_text(&self.incomplete, self.hosts, self.silent, context));
        }
        self
    }
}

/// Whether hosts are incomplete because they do not answer, not because they are being read.
pub fn is_silent(status: Option<&v1::ListStatus>) -> bool {
    status.is_some_and(|status| status.reason() == v1::list_status::Reason::HostsUnreachable)
}

/// `2 of 3 hosts read; kvm-07 does not answer: last known state shown`.
pub fn incomplete_text(incomplete: &[String], total: Option<usize>, silent: bool, context: Option<&str>) -> String {
    const NAMED: usize = 5;
    let mut names: Vec<&str> = incomplete.iter().take(NAMED).map(|name| sheet::host_id(name)).collect();
    let more = format!("{} more", incomplete.len().saturating_sub(NAMED));
    if incomplete.len() > NAMED {
        names.push(&more);
    }
    let read = match total {
        Some(total) => format!("{} of {total} hosts read; ", total.saturating_sub(incomplete.len())),
        None => String::new(),
    };
    let verb = match (silent, incomplete.len()) {
        (true, 1) => "does not answer",
        (true, _) => "do not answer",
        (false, 1) => "is not read completely",
        (false, _) => "are not read completely",
    };
    let context = context.map(|context| format!("{context}: ")).unwrap_or_default();
    format!("{context}{read}{} {verb}: last known state shown", names.join(", "))
}

impl Answer {
    fn new(kind: Kind) -> Self {
        Self { kind, rows: Vec::new(), positions: Vec::new(), incomplete: Vec::new(), failures: Vec::new() }
    }

    fn add(&mut self, part: Part) {
        self.rows.extend(part.rows);
        self.positions.extend(part.position);
        self.incomplete.extend(part.incomplete);
        self.failures.extend(part.failures);
    }

    /// Of several contexts, a name need only be known to one.
    fn settle(&mut self, answered: usize) {
        if answered < 2 {
            return;
        }
        let mut counted: Vec<(Failure, usize)> = Vec::new();
        for failure in std::mem::take(&mut self.failures) {
            match counted.iter_mut().find(|(known, _)| known.what == failure.what) {
                Some((_, count)) => *count += 1,
                None => counted.push((failure, 1)),
            }
        }
        let everywhere =
            counted.into_iter().filter(|(failure, count)| failure.exit != Exit::NotFound || *count == answered);
        self.failures = everywhere.map(|(failure, _)| failure).collect();
    }

    fn field(&self) -> &'static str {
        match self.kind {
            Kind::Object(class) => list_field(class),
            Kind::Alarm => "alarms",
            Kind::AlarmType => "alarmTypes",
            Kind::Shelf => "alarmShelves",
            Kind::Profile => "alarmProfiles",
            Kind::Metric => "metricDescriptors",
            Kind::Job => "measurementJobs",
            Kind::Monitor => "thresholdMonitors",
            Kind::Session => "sessions",
            Kind::Context => "contexts",
        }
    }

    fn take_sheet(&mut self) -> Sheet {
        let heads = match self.kind {
            Kind::Object(class) => sheet::heads(class),
            Kind::Alarm => alarm::ALARM,
            Kind::AlarmType => alarm::ALARM_TYPE,
            Kind::Shelf => alarm::SHELF,
            Kind::Profile => alarm::PROFILE,
            Kind::Metric => measure::METRIC,
            Kind::Job => measure::JOB,
            Kind::Monitor => measure::MONITOR,
            _ => sheet::SESSION,
        };
        let heads = heads.iter().map(|head| (head.name.to_owned(), head.wide)).collect();
        Sheet { heads, rows: std::mem::take(&mut self.rows) }
    }
}

/// Sorts as asked, or for people by context and name.
pub fn arrange(sheet: &mut Sheet, frame: &Frame) -> Result<(), Failure> {
    if let Some(by) = &frame.global.sort {
        return sheet.sort(by);
    }
    if !frame.global.output.is_data() {
        sheet.rows.sort_by_cached_key(|row| (row.context.clone(), natural_key(&row.title), natural_key(&row.name)));
    }
    Ok(())
}

fn show(frame: &Frame, answers: &mut [Answer]) -> Result<(), Failure> {
    let style = frame.style();
    let several = answers.len() > 1;
    let mut document = Map::new();
    let mut is_first = true;
    for answer in answers {
        let mut sheet = answer.take_sheet();
        arrange(&mut sheet, frame)?;
        match frame.global.output {
            Format::Json | Format::Yaml => fold(&mut document, answer, &sheet),
            Format::Tmf642 | Format::Ves | Format::O2ims => {
                let records = sheet.rows.iter().map(|row| row.json.clone()).collect();
                print(&data(&alarm::foreign_document(records, frame.global.output), Format::Json))?;
            }
            Format::Jsonl => {
                for row in &sheet.rows {
                    print(&data(&with_context(row.json.clone(), row.context.as_ref()), Format::Jsonl))?;
                }
            }
            Format::Name => print(&sheet.rows.iter().map(|row| format!("{}\n", row.name)).collect::<String>())?,
            Format::Csv => print(&sheet.grid(&style)?.csv(frame.global.no_headers))?,
            Format::Table | Format::Wide => {
                if several && !is_first && !sheet.rows.is_empty() {
                    print("\n")?;
                }
                is_first &= sheet.rows.is_empty();
                show_table(&sheet, &style, answer)?;
            }
        }
        answer.rows = sheet.rows;
    }
    if matches!(frame.global.output, Format::Json | Format::Yaml) {
        print(&data(&Value::Object(document), frame.global.output))?;
    }
    Ok(())
}

fn show_table(sheet: &Sheet, style: &Style, answer: &Answer) -> Result<(), Failure> {
    if !sheet.rows.is_empty() {
        return print(&sheet.grid(style)?.draw(style, &[]));
    }
    if answer.failures.is_empty() {
        eprintln!("no {} found", answer.kind.plural());
    }
    Ok(())
}

/// Adds an answer to the one object of the JSON output.
fn fold(document: &mut Map<String, Value>, answer: &Answer, sheet: &Sheet) {
    let rows = sheet.rows.iter().map(|row| with_context(row.json.clone(), row.context.as_ref()));
    let objects: Vec<Value> = rows.collect();
    let size = objects.len();
    document.insert(answer.field().to_owned(), Value::Array(objects));
    if matches!(answer.kind, Kind::Object(_) | Kind::Alarm) && !document.contains_key("totalSize") {
        document.insert("totalSize".to_owned(), size.into());
    } else {
        // Of several kinds, a sum would mislead.
        document.remove("totalSize");
    }
    let marked: Map<String, Value> =
        answer.positions.iter().filter_map(|(mark, position)| Some((mark.clone()?, position.clone()))).collect();
    if !marked.is_empty() {
        document.insert("positions".to_owned(), Value::Object(marked));
    } else if let Some((_, position)) = answer.positions.first() {
        document.entry("position").or_insert_with(|| position.clone());
    }
    if !answer.incomplete.is_empty() {
        document.insert("incompleteHosts".to_owned(), answer.incomplete.clone().into());
    }
}
