//! `watch`: objects and their changes as they come, from one or all contexts, for as long as it takes.

use super::args::Format;
use super::exit::{Exit, Failure};
use super::find::{Lookup, find, tell};
use super::format::{Cell, Tone};
use super::frame::Frame;
use super::get::{arrange, incomplete_text, is_silent, object_row};
use super::kind::Request;
use super::output::{Row, Sheet, Style, data, print, warn, with_context};
use super::selector::{join, quoted};
use super::sheet;
use crate::client::{
    Applied, Client, ClientError, Network, Object, ObjectExt, Target, WatchEvent, WatchQuery, Watcher, schema,
};
use crate::wire::v1;
use crate::wire::v1::ObjectClass;
use std::sync::Arc;
use tokio::sync::mpsc;

/// 64 events: what may wait for the terminal before the streams are held up.
const QUEUE: usize = 64;

/// An event with the daemon it came from; or why the watch of that daemon ended.
type Arrival = (usize, Result<WatchEvent, ClientError>);

/// Carries the command out; ends by Ctrl-C, by `--timeout`, or when no daemon can be watched.
///
/// # Errors
/// Wrong use, or the only daemon cannot be watched.
pub async fn watch(frame: &Frame, requests: &[Request]) -> Result<Exit, Failure> {
    let targets = frame.targets()?;
    let classes = classes(requests)?;
    let mut queries = Vec::new();
    for target in &targets {
        match query(frame, target, requests, &classes).await {
            Ok(query) => queries.push(Some(query)),
            Err(failure) if targets.len() > 1 => {
                eprintln!("error: context {}: {failure}", target.label);
                queries.push(None);
            }
            Err(failure) => return Err(failure),
        }
    }
    let (sender, receiver) = mpsc::channel(QUEUE);
    let mut tasks = tokio::task::JoinSet::new();
    for (index, query) in queries.into_iter().enumerate() {
        if let Some(query) = query {
            tasks.spawn(forward(Client::watch(&targets[index], query), index, sender.clone()));
        }
    }
    drop(sender);
    let mut live = Live::new(frame, &targets, &classes);
    match frame.timeout() {
        Some(limit) => {
            let ended = tokio::time::timeout(limit, live.follow(receiver)).await;
            // A context that never answered, or does not now, is missing from what was shown.
            ended.unwrap_or_else(|_| Ok(if live.silent.contains(&true) { Exit::Partly } else { Exit::Done }))
        }
        None => live.follow(receiver).await,
    }
}

async fn forward(mut watcher: Watcher<Network>, index: usize, sender: mpsc::Sender<Arrival>) {
    loop {
        let event = watcher.next().await;
        let is_end = event.is_err();
        if sender.send((index, event)).await.is_err() || is_end {
            return;
        }
    }
}

fn classes(requests: &[Request]) -> Result<Vec<ObjectClass>, Failure> {
    let class = |request: &Request| {
        request.kind.class().ok_or_else(|| {
            let plural = request.kind.plural();
            Failure::usage(format!("{plural} cannot be watched")).with_next(format!("vrmctl get {plural}"))
        })
    };
    requests.iter().map(class).collect()
}

async fn query(
    frame: &Frame,
    target: &Target,
    requests: &[Request],
    classes: &[ObjectClass],
) -> Result<WatchQuery, Failure> {
    let mut filter = frame.filter()?;
    if requests.iter().any(|request| !request.names.is_empty()) {
        let names = resource_names(frame, target, requests, classes).await?;
        let terms: Vec<String> = names.iter().map(|name| format!("name = {}", quoted(name))).collect();
        let terms: Vec<String> = [filter, join(&terms, "OR")].into_iter().filter(|term| !term.is_empty()).collect();
        filter = join(&terms, "AND");
    }
    // Of several daemons, one that does not answer yet is waited for.
    let patient = frame.global.all_contexts;
    Ok(WatchQuery { classes: classes.to_vec(), filter, patient, ..WatchQuery::default() })
}

async fn resource_names(
    frame: &Frame,
    target: &Target,
    requests: &[Request],
    classes: &[ObjectClass],
) -> Result<Vec<String>, Failure> {
    let client = frame.connect(target).await.map_err(|error| Failure::of_client(&error, target))?;
    let lookup = Lookup { prefixes: true, ..Lookup::default() };
    let mut names = Vec::new();
    for (request, class) in requests.iter().zip(classes) {
        if request.names.is_empty() {
            return Err(Failure::usage("watch either all of a kind, or named objects"));
        }
        let found = find(&client, *class, &request.names, &lookup).await?;
        tell(&found.failures);
        if let (true, Some(failure)) = (found.list.objects.is_empty(), found.failures.into_iter().next()) {
            return Err(failure);
        }
        names.extend(found.list.objects.iter().map(|object| object.name().to_owned()));
    }
    Ok(names)
}

/// What is on the screen, and of which daemons.
struct Live<'a> {
    frame: &'a Frame,
    targets: &'a [Target],
    heads: Vec<(String, bool)>,
    style: Style,
    widths: Vec<u16>,
    /// Objects of a snapshot not shown yet, by daemon; nothing once it is complete.
    pending: Vec<Option<Vec<Arc<Object>>>>,
    /// Daemons whose stream broke and is not back.
    broken: Vec<bool>,
    /// Daemons of several that do not answer.
    silent: Vec<bool>,
}

impl<'a> Live<'a> {
    fn new(frame: &'a Frame, targets: &'a [Target], classes: &[ObjectClass]) -> Self {
        let own = if let [class] = classes { sheet::heads(*class) } else { sheet::MIXED };
        let mut heads = vec![("TIME".to_owned(), false), ("EVENT".to_owned(), false)];
        heads.extend(own.iter().filter(|head| head.name != "AGE").map(|head| (head.name.to_owned(), head.wide)));
        heads.push(("WHAT".to_owned(), false));
        let count = targets.len();
        Self {
            frame,
            targets,
            heads,
            style: frame.style(),
            widths: Vec::new(),
            pending: vec![Some(Vec::new()); count],
            broken: vec![false; count],
            silent: vec![count > 1; count],
        }
    }

    async fn follow(&mut self, mut receiver: mpsc::Receiver<Arrival>) -> Result<Exit, Failure> {
        let mut last = None;
        while let Some((index, arrival)) = receiver.recv().await {
            match arrival {
                Ok(WatchEvent::Message { response, applied }) => self.message(index, &response, applied)?,
                Ok(WatchEvent::Disconnected { why, retry_in }) => self.disconnected(index, &why, retry_in),
                Err(error) => {
                    let failure = Failure::of_client(&error, &self.targets[index]);
                    if self.targets.len() > 1 {
                        eprintln!("error: context {}: {failure}", self.targets[index].label);
                    }
                    last = Some(failure);
                }
            }
        }
        match last {
            Some(failure) if self.targets.len() == 1 => Err(failure),
            _ => Ok(Exit::Partly),
        }
    }

    fn disconnected(&mut self, index: usize, why: &str, retry_in: std::time::Duration) {
        self.broken[index] = true;
        self.silent[index] = self.targets.len() > 1;
        warn(&format!("{}: {why}; trying again in {} s", self.targets[index].label, retry_in.as_secs()));
    }

    fn message(
        &mut self,
        index: usize,
        response: &v1::WatchResourcesResponse,
        applied: Applied,
    ) -> Result<(), Failure> {
        self.silent[index] = false;
        if self.frame.global.output.is_data() {
            let json = schema::to_json("vrm.v1.WatchResourcesResponse", response);
            let mark = self.frame.mark(&self.targets[index]);
            return print(&self.data_line(&with_context(json, mark.as_ref())));
        }
        match applied {
            Applied::Started(started) => self.started(index, &started),
            Applied::Updated { before, after, change } => {
                return self.updated(index, before.as_deref(), &after, &change);
            }
            Applied::Removed { before, .. } => return self.line(index, "gone", &before, String::new()),
            Applied::Synced { dropped } => return self.synced(index, &dropped),
            Applied::Lagged(lagged) => {
                warn(&format!(
                    "{}: changes were not told one by one ({:?})",
                    self.targets[index].label,
                    lagged.reason()
                ));
            }
            Applied::Status(status) => self.status(index, &status),
            Applied::Closing { .. } | Applied::Nothing => {}
        }
        Ok(())
    }

    fn data_line(&self, json: &serde_json::Value) -> String {
        match self.frame.global.output {
            Format::Yaml => format!("---\n{}", data(json, Format::Yaml)),
            _ => data(json, Format::Jsonl),
        }
    }

    fn started(&mut self, index: usize, started: &v1::StreamStarted) {
        if std::mem::take(&mut self.broken[index]) {
            eprintln!("{}: connected", self.targets[index].label);
        }
        if let Some(status) = &started.list_status {
            self.status(index, status);
        }
    }

    fn status(&self, index: usize, status: &v1::ListStatus) {
        let label = &self.targets[index].label;
        match status.state() {
            v1::list_status::State::PotentiallyFaulty if status.scope.is_empty() => {
                warn(&format!("{label}: what is shown may be old ({:?})", status.reason()));
            }
            v1::list_status::State::PotentiallyFaulty => {
                warn(&incomplete_text(&status.scope, None, is_silent(Some(status)), Some(label)));
            }
            v1::list_status::State::Rebuilt => eprintln!("{label}: read anew after a gap: {}", status.scope.join(" ")),
            _ => {}
        }
    }

    fn updated(
        &mut self,
        index: usize,
        before: Option<&Object>,
        after: &Arc<Object>,
        change: &v1::ResourceChange,
    ) -> Result<(), Failure> {
        if let Some(pending) = &mut self.pending[index] {
            pending.push(Arc::clone(after));
            return Ok(());
        }
        let (event, what) = match before {
            None => ("new", String::new()),
            Some(before) => ("changed", difference(before, after, self.frame)),
        };
        let source = if change.source() == v1::ChangeSource::Resync { " [found by resync]" } else { "" };
        self.line(index, event, after, format!("{what}{source}"))
    }

    fn synced(&mut self, index: usize, dropped: &[Arc<Object>]) -> Result<(), Failure> {
        if let Some(pending) = self.pending[index].take() {
            let rows = pending.iter().map(|object| self.row(index, "is", object, String::new())).collect();
            let mut sheet = Sheet { heads: self.heads.clone(), rows };
            arrange(&mut sheet, self.frame)?;
            self.draw(&sheet)?;
        }
        for object in dropped {
            self.line(index, "gone", object, "found after a gap".to_owned())?;
        }
        Ok(())
    }

    fn line(&mut self, index: usize, event: &str, object: &Object, what: String) -> Result<(), Failure> {
        let sheet = Sheet { heads: self.heads.clone(), rows: vec![self.row(index, event, object, what)] };
        self.draw(&sheet)
    }

    fn row(&self, index: usize, event: &str, object: &Object, what: String) -> Row {
        let mut row = object_row(self.frame, object, self.frame.mark(&self.targets[index]));
        let own = if self.heads_are_mixed() { sheet::MIXED } else { sheet::heads(object.class()) };
        let cells = if self.heads_are_mixed() { sheet::mixed_row(object, &self.frame.clock) } else { row.cells };
        let now = jiff::Timestamp::now();
        let time = Cell { text: self.frame.clock.time_of_day(now), raw: now.to_string().into(), tone: Tone::Dim };
        // As wide as the longest word, whichever comes first.
        let event = Cell { text: format!("{event:<7}"), raw: event.into(), tone: tone(event) };
        row.cells = vec![time, event];
        row.cells.extend(own.iter().zip(cells).filter(|(head, _)| head.name != "AGE").map(|(_, cell)| cell));
        row.cells.push(Cell { text: what.clone(), raw: what.into(), tone: Tone::Plain });
        row
    }

    fn heads_are_mixed(&self) -> bool {
        self.heads.get(2).is_some_and(|(head, _)| head == "KIND")
    }

    /// Draws lines; the first with headers, the others under them.
    fn draw(&mut self, sheet: &Sheet) -> Result<(), Failure> {
        let grid = sheet.grid(&self.style)?;
        match self.frame.global.output {
            Format::Csv => print(&grid.csv(self.style.no_headers))?,
            Format::Name => print(&sheet.rows.iter().map(|row| format!("{}\n", row.name)).collect::<String>())?,
            _ => {
                if self.widths.len() < grid.heads.len() {
                    self.widths.resize(grid.heads.len(), 0);
                }
                for (width, own) in self.widths.iter_mut().zip(grid.widths()) {
                    *width = (*width).max(own);
                }
                print(&grid.draw(&self.style, &self.widths))?;
            }
        }
        if !sheet.rows.is_empty() {
            self.style.no_headers = true;
        }
        Ok(())
    }
}

fn tone(event: &str) -> Tone {
    match event {
        "new" => Tone::Good,
        "changed" => Tone::Warn,
        "gone" => Tone::Bad,
        _ => Tone::Dim,
    }
}

/// Which columns differ, or else which fields.
fn difference(before: &Object, after: &Object, frame: &Frame) -> String {
    let heads = sheet::heads(after.class());
    let cells = sheet::row(before, &frame.clock).into_iter().zip(sheet::row(after, &frame.clock));
    let shown: Vec<String> = heads
        .iter()
        .zip(cells)
        .filter(|(head, (before, after))| head.name != "AGE" && head.name != "SINCE" && before.text != after.text)
        .map(|(head, (before, after))| format!("{}: {} → {}", head.name.to_lowercase(), before.text, after.text))
        .collect();
    if !shown.is_empty() {
        return shown.join(", ");
    }
    changed_fields(&schema::object_json(before), &schema::object_json(after)).join(", ")
}

/// Fields that differ, without those that every change touches.
fn changed_fields(before: &serde_json::Value, after: &serde_json::Value) -> Vec<String> {
    const ALWAYS: [&str; 5] = ["revision", "lastChangeSequence", "etag", "updateTime", "figures"];
    let empty = serde_json::Map::new();
    let (before, after) = (before.as_object().unwrap_or(&empty), after.as_object().unwrap_or(&empty));
    let mut names: Vec<String> =
        before.keys().chain(after.keys()).filter(|name| before.get(*name) != after.get(*name)).cloned().collect();
    names.retain(|name| !ALWAYS.contains(&name.as_str()));
    names.sort();
    names.dedup();
    names.into_iter().map(|name| nested(&name, before.get(&name), after.get(&name))).collect()
}

/// `state.since` rather than `state`, where one field inside differs.
fn nested(name: &str, before: Option<&serde_json::Value>, after: Option<&serde_json::Value>) -> String {
    let (Some(before), Some(after)) = (before.and_then(|b| b.as_object()), after.and_then(|a| a.as_object())) else {
        return name.to_owned();
    };
    let mut inner = before.keys().chain(after.keys()).filter(|key| before.get(*key) != after.get(*key));
    match (inner.next(), inner.find(|_| true)) {
        (Some(only), None) => format!("{name}.{only}"),
        _ => name.to_owned(),
    }
}
