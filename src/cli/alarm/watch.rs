//! `watch alarms`: alarms and what happens to them, as it happens, from one or all contexts.

use super::list::scoped;
use super::reference::find;
use super::sheet::{ALARM, alarm_row, urgency};
use super::view::{foreign, reporter};
use crate::cli::alarm_args::AlarmScope;
use crate::cli::args::Format;
use crate::cli::exit::{Exit, Failure};
use crate::cli::find::tell;
use crate::cli::format::{Cell, Tone, word};
use crate::cli::frame::Frame;
use crate::cli::output::{Row, Sheet, Style, data, print, warn, with_context};
use crate::cli::selector::{join, quoted};
use crate::client::{AlarmEvent, AlarmQuery, AlarmWatcher, Client, ClientError, Target, schema};
use crate::export::Reporter;
use crate::wire::v1;
use std::collections::BTreeMap;
use tokio::sync::mpsc;
use v1::alarm_change::Kind;
use v1::watch_alarms_response::Message;

/// 64 events: what may wait for the terminal before the streams are held up.
const QUEUE: usize = 64;

/// An event with the daemon it came from; or why the watch of that daemon ended.
type Arrival = (usize, Result<AlarmEvent, ClientError>);

/// Carries the command out; ends by Ctrl-C, by `--timeout`, or when no daemon can be watched.
///
/// # Errors
/// Wrong use, or the only daemon cannot be watched.
pub async fn watch(frame: &Frame, names: &[String], scope: &AlarmScope) -> Result<Exit, Failure> {
    let targets = frame.targets()?;
    let (sender, receiver) = mpsc::channel(QUEUE);
    let mut tasks = tokio::task::JoinSet::new();
    let mut reporters = Vec::new();
    for (index, target) in targets.iter().enumerate() {
        let filter = filter(frame, target, names, scope).await?;
        let query = AlarmQuery { filter, ..AlarmQuery::default() };
        let watcher = Client::watch_alarms(target, &query, frame.global.all_contexts);
        tasks.spawn(forward(watcher, index, sender.clone()));
        reporters.push(if frame.global.output.is_foreign() { reporter_of(frame, target).await? } else { None });
    }
    drop(sender);
    let mut live = Live::new(frame, &targets, reporters, scope.related || !names.is_empty());
    match frame.timeout() {
        Some(limit) => tokio::time::timeout(limit, live.follow(receiver)).await.unwrap_or(Ok(Exit::Done)),
        None => live.follow(receiver).await,
    }
}

async fn reporter_of(frame: &Frame, target: &Target) -> Result<Option<Reporter>, Failure> {
    let client = frame.connect(target).await.map_err(|error| Failure::of_client(&error, target))?;
    reporter(&client).await.map(Some)
}

async fn forward(mut watcher: AlarmWatcher, index: usize, sender: mpsc::Sender<Arrival>) {
    loop {
        let event = watcher.next().await;
        let is_end = event.is_err();
        if sender.send((index, event)).await.is_err() || is_end {
            return;
        }
    }
}

async fn filter(frame: &Frame, target: &Target, names: &[String], scope: &AlarmScope) -> Result<String, Failure> {
    if names.is_empty() {
        return scoped(frame, scope);
    }
    let client = frame.connect(target).await.map_err(|error| Failure::of_client(&error, target))?;
    let found = find(&client, names, false).await?;
    tell(&found.failures);
    if let (true, Some(failure)) = (found.alarms.is_empty(), found.failures.into_iter().next()) {
        return Err(failure);
    }
    let terms: Vec<String> = found.alarms.iter().map(|alarm| format!("name = {}", quoted(&alarm.name))).collect();
    Ok(join(&terms, "OR"))
}

/// What is on the screen, and of which daemons.
struct Live<'a> {
    frame: &'a Frame,
    targets: &'a [Target],
    reporters: Vec<Option<Reporter>>,
    related_shown: bool,
    heads: Vec<(String, bool)>,
    style: Style,
    widths: Vec<u16>,
    /// Alarms of a snapshot not shown yet, by daemon; nothing once it is complete.
    pending: Vec<Option<Vec<v1::Alarm>>>,
    /// What has been shown: uid and revision by daemon and name, to tell each state once.
    told: BTreeMap<(usize, String), (String, u64)>,
    broken: Vec<bool>,
}

impl<'a> Live<'a> {
    fn new(frame: &'a Frame, targets: &'a [Target], reporters: Vec<Option<Reporter>>, related_shown: bool) -> Self {
        let mut heads = vec![("TIME".to_owned(), false), ("EVENT".to_owned(), false)];
        heads.extend(ALARM.iter().filter(|head| head.name != "AGE").map(|head| (head.name.to_owned(), head.wide)));
        Self {
            frame,
            targets,
            reporters,
            related_shown,
            heads,
            style: frame.style(),
            widths: Vec::new(),
            pending: vec![Some(Vec::new()); targets.len()],
            told: BTreeMap::new(),
            broken: vec![false; targets.len()],
        }
    }

    async fn follow(&mut self, mut receiver: mpsc::Receiver<Arrival>) -> Result<Exit, Failure> {
        let mut last = None;
        while let Some((index, arrival)) = receiver.recv().await {
            let label = &self.targets[index].label;
            match arrival {
                Ok(AlarmEvent::Message(response)) => self.message(index, *response)?,
                Ok(AlarmEvent::Disconnected { why, retry_in }) => {
                    self.broken[index] = true;
                    warn(&format!("{label}: {why}; trying again in {} s", retry_in.as_secs()));
                }
                Err(error) => {
                    let failure = Failure::of_client(&error, &self.targets[index]);
                    if self.targets.len() > 1 {
                        eprintln!("error: context {label}: {failure}");
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

    fn message(&mut self, index: usize, response: v1::WatchAlarmsResponse) -> Result<(), Failure> {
        if self.frame.global.output.is_data() && !self.frame.global.output.is_foreign() {
            let json = schema::to_json("vrm.v1.WatchAlarmsResponse", &response);
            let json = with_context(json, self.frame.mark(&self.targets[index]).as_ref());
            return print(&match self.frame.global.output {
                Format::Yaml => format!("---\n{}", data(&json, Format::Yaml)),
                _ => data(&json, Format::Jsonl),
            });
        }
        let label = &self.targets[index].label;
        match response.message {
            Some(Message::Started(started)) => self.started(index, &started),
            Some(Message::Change(change)) => return self.change(index, &change),
            Some(Message::SyncComplete(_)) => return self.synced(index),
            Some(Message::Lagged(lagged)) => {
                warn(&format!("{label}: changes were not told one by one ({:?})", lagged.reason()));
            }
            Some(Message::ListStatus(status)) => self.status(index, &status),
            Some(Message::Closing(_) | Message::Heartbeat(_)) | None => {}
        }
        Ok(())
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
            v1::list_status::State::PotentiallyFaulty => {
                let reason = word(status.reason().as_str_name(), "REASON_");
                warn(&format!("{label}: alarms may be missing or old ({reason}) {}", status.scope.join(" ")));
            }
            v1::list_status::State::Rebuilt => eprintln!("{label}: the alarm list was read anew"),
            _ => {}
        }
    }

    fn change(&mut self, index: usize, change: &v1::AlarmChange) -> Result<(), Failure> {
        let Some(alarm) = &change.alarm else { return Ok(()) };
        let key = (index, alarm.name.clone());
        let state = (alarm.uid.clone(), alarm.revision);
        let kind = change.kind();
        if kind == Kind::Removed {
            let was_told = self.told.remove(&key).is_some();
            return if was_told { self.line(index, "gone", alarm, change) } else { Ok(()) };
        }
        if self.told.insert(key, state.clone()) == Some(state) {
            return Ok(());
        }
        if kind == Kind::Snapshot
            && let Some(pending) = &mut self.pending[index]
        {
            pending.push(alarm.clone());
            return Ok(());
        }
        self.line(index, event_word(change), alarm, change)
    }

    fn synced(&mut self, index: usize) -> Result<(), Failure> {
        let Some(mut pending) = self.pending[index].take() else { return Ok(()) };
        pending.sort_by_cached_key(urgency);
        let none = v1::AlarmChange::default();
        let rows = pending.iter().map(|alarm| self.row(index, "is", alarm, &none)).collect();
        self.draw(&Sheet { heads: self.heads.clone(), rows })
    }

    fn line(&mut self, index: usize, event: &str, alarm: &v1::Alarm, change: &v1::AlarmChange) -> Result<(), Failure> {
        let sheet = Sheet { heads: self.heads.clone(), rows: vec![self.row(index, event, alarm, change)] };
        self.draw(&sheet)
    }

    fn row(&self, index: usize, event: &str, alarm: &v1::Alarm, change: &v1::AlarmChange) -> Row {
        let happened = crate::client::time(change.event_time.as_ref()).unwrap_or_else(jiff::Timestamp::now);
        let clock = &self.frame.clock;
        let time = Cell { text: clock.time_of_day(happened), raw: happened.to_string().into(), tone: Tone::Dim };
        // As wide as the longest word, whichever comes first.
        let mut cells = vec![time, Cell { text: format!("{event:<8}"), raw: event.into(), tone: tone(event) }];
        let own = ALARM.iter().zip(alarm_row(alarm, clock, self.related_shown));
        cells.extend(own.filter(|(head, _)| head.name != "AGE").map(|(_, cell)| cell));
        let foreign_record = self.reporters.get(index).and_then(Option::as_ref);
        let json = match foreign_record {
            Some(reporter) => foreign(reporter, alarm, self.frame.global.output),
            None => schema::to_json("vrm.v1.Alarm", alarm),
        };
        let context = self.frame.mark(&self.targets[index]);
        Row { context, name: alarm.name.clone(), title: urgency(alarm), json, cells }
    }

    /// Draws lines; the first with headers, the others under them.
    fn draw(&mut self, sheet: &Sheet) -> Result<(), Failure> {
        let grid = sheet.grid(&self.style)?;
        match self.frame.global.output {
            Format::Tmf642 | Format::Ves | Format::O2ims => {
                sheet.rows.iter().try_for_each(|row| print(&data(&row.json, Format::Jsonl)))?;
            }
            Format::Csv => print(&grid.csv(self.style.no_headers))?,
            Format::Name => print(&sheet.rows.iter().map(|row| format!("{}\n", row.name)).collect::<String>())?,
            _ => {
                self.widths.resize(grid.heads.len().max(self.widths.len()), 0);
                for (width, own) in self.widths.iter_mut().zip(grid.widths()) {
                    *width = (*width).max(own);
                }
                // The last column is text of any length.
                let fixed = self.widths.len().saturating_sub(1);
                print(&grid.draw(&self.style, &self.widths[..fixed]))?;
            }
        }
        self.style.no_headers |= !sheet.rows.is_empty();
        Ok(())
    }
}

fn event_word(change: &v1::AlarmChange) -> &'static str {
    let acknowledged = change.alarm.as_ref().is_some_and(|alarm| alarm.acknowledgement.is_some());
    let is_aside = change.alarm.as_ref().is_some_and(|alarm| alarm.shelved.is_some() || alarm.suppressed_by.is_some());
    match change.kind() {
        Kind::Snapshot => "is",
        Kind::Raised => "raised",
        Kind::Cleared => "cleared",
        Kind::Acknowledgement if acknowledged => "ack",
        Kind::Acknowledgement => "unack",
        Kind::Shelving if is_aside => "aside",
        Kind::Shelving => "back",
        Kind::Removed => "gone",
        Kind::Changed | Kind::Merged | Kind::Unspecified => "changed",
    }
}

fn tone(event: &str) -> Tone {
    match event {
        "raised" | "back" => Tone::Bad,
        "cleared" => Tone::Good,
        "changed" => Tone::Warn,
        _ => Tone::Dim,
    }
}
