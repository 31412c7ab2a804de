//! `describe alarm`: a page about an alarm; also of its types, shelves and profiles by their lists.

use super::history::change_lines;
use super::reference::find;
use super::sheet::{aside, is_unreliable, severity};
use super::subject::{id, named, object, person};
use crate::cli::args::Format;
use crate::cli::exit::{Exit, Failure};
use crate::cli::find::{batch_exit, tell};
use crate::cli::format::{Cell, Tone, word};
use crate::cli::frame::Frame;
use crate::cli::output::{data, print};
use crate::cli::page::Page;
use crate::cli::sheet::host_id;
use crate::client::{AlarmQuery, Client, schema, time};
use crate::wire::v1;
use std::collections::BTreeMap;

/// 25: alarms explained, and objects that suffer, shown on a page.
const SHOWN: usize = 25;

/// `describe alarm ID…`.
///
/// # Errors
/// Wrong use; the daemon does not answer.
pub async fn describe(frame: &Frame, names: &[String]) -> Result<Exit, Failure> {
    if names.is_empty() {
        return Err(Failure::usage("name the alarm to describe").with_next("vrmctl get alarms"));
    }
    let client = frame.client().await?;
    let found = find(&client, names, true).await?;
    show(frame, &client, &found.alarms).await?;
    tell(&found.failures);
    Ok(batch_exit(found.alarms.len(), &found.failures))
}

async fn show(frame: &Frame, client: &Client, alarms: &[v1::Alarm]) -> Result<(), Failure> {
    match frame.global.output {
        Format::Table | Format::Wide => {
            let called = if alarms.iter().any(is_correlated) { names(client).await? } else { BTreeMap::new() };
            let pages: Vec<String> = alarms.iter().map(|alarm| page(frame, alarm, &called)).collect();
            print(&pages.join("\n"))
        }
        Format::Name => print(&alarms.iter().map(|alarm| format!("{}\n", alarm.name)).collect::<String>()),
        Format::Csv => Err(Failure::usage("describe has no csv").with_next("vrmctl get alarms -o csv")),
        format => alarms.iter().try_for_each(|alarm| print(&data(&schema::to_json("vrm.v1.Alarm", alarm), format))),
    }
}

fn is_correlated(alarm: &v1::Alarm) -> bool {
    alarm.correlated_count > 0 || !alarm.root_cause.is_empty()
}

/// What every alarm of the list is called.
async fn names(client: &Client) -> Result<BTreeMap<String, String>, Failure> {
    let list = client.alarms(&AlarmQuery::default()).await;
    let list = list.map_err(|error| Failure::of_client(&error, client.target()))?;
    let called = |alarm: &v1::Alarm| format!("{}/{} ({})", alarm.alarm_type, object(alarm), severity(alarm).text);
    Ok(list.alarms.iter().map(|alarm| (alarm.name.clone(), called(alarm))).collect())
}

fn page(frame: &Frame, alarm: &v1::Alarm, called: &BTreeMap<String, String>) -> String {
    let mut page = Page::new(frame.colour);
    page.section(&format!("{} {}", alarm.alarm_type, object(alarm)));
    page.cell("severity", severity(alarm));
    if alarm.highest_severity != alarm.perceived_severity {
        page.field("highest", word(alarm.highest_severity().as_str_name(), "SEVERITY_"));
    }
    page.field("text", alarm.text.clone());
    page.some("what to do", alarm.repair_action.clone());
    page.some("runbook", alarm.runbook_url.clone());
    if is_unreliable(alarm) {
        page.cell("reliability", Cell::text("its source cannot be read: the last known state").toned(Tone::Warn));
    }
    page.some("put aside", aside(alarm, &frame.clock));
    if alarm.planned_outage {
        page.field("planned outage", "somebody works on it");
    }
    cause(&mut page, alarm);
    times(&mut page, frame, alarm);
    people(&mut page, frame, alarm);
    relations(&mut page, alarm, called);
    let changes = change_lines(alarm, &frame.clock);
    page.table("History", &["TIME", "WHAT", "SEVERITY", "WHO", "TEXT"], changes);
    page.finish()
}

fn cause(page: &mut Page, alarm: &v1::Alarm) {
    page.field("event type", word(alarm.event_type().as_str_name(), "EVENT_TYPE_"));
    if let Some(cause) = &alarm.probable_cause {
        page.field("probable cause", format!("{} ({})", cause.name, cause.number));
    }
    if let Some(threshold) = &alarm.threshold {
        let direction = word(threshold.direction().as_str_name(), "DIRECTION_");
        page.field(
            "threshold",
            format!(
                "{} is {}, raised at {} ({direction}), cleared at {}",
                threshold.metric, threshold.observed, threshold.level, threshold.clear_level
            ),
        );
    }
    let mut details: Vec<(&String, &String)> = alarm.attributes.iter().collect();
    details.sort();
    for (key, value) in details {
        page.field(key, value.clone());
    }
    page.field("object", alarm.object.clone());
    page.some("DN", alarm.object_dn.clone());
    page.some("host", host_id(&alarm.host));
    page.some("zone", alarm.zone.clone());
    page.some("resource group", alarm.resource_group.clone());
    page.some("services", alarm.service_refs.join(" "));
    page.field("service affecting", if alarm.service_affecting { "yes" } else { "no" });
    page.field("id", id(&alarm.name));
}

fn times(page: &mut Page, frame: &Frame, alarm: &v1::Alarm) {
    page.cell("raised", frame.clock.time_cell(time(alarm.raise_time.as_ref())));
    if alarm.raise_count > 1 {
        page.cell("first raised", frame.clock.time_cell(time(alarm.first_raise_time.as_ref())));
        page.field("episodes", alarm.raise_count.to_string());
    }
    if alarm.repeat_count > 0 {
        let last = time(alarm.last_repeat_time.as_ref()).map(|last| format!(", last {}", frame.clock.local(last)));
        page.field("seen again", format!("{} times{}", alarm.repeat_count, last.unwrap_or_default()));
    }
    if let Some(clearing) = &alarm.clearing {
        let who = clearing.actor.as_ref().map(|who| format!(" by {}", person(Some(who)))).unwrap_or_default();
        page.field("cleared as", format!("{}{who}", word(clearing.kind().as_str_name(), "KIND_")));
        page.cell("cleared", frame.clock.time_cell(time(alarm.clear_time.as_ref())));
    }
}

fn people(page: &mut Page, frame: &Frame, alarm: &v1::Alarm) {
    let at = |at: Option<&prost_types::Timestamp>| time(at).map(|at| frame.clock.local(at)).unwrap_or_default();
    let noted = alarm.acknowledgement.as_ref().map(|note| {
        let comment = if note.comment.is_empty() { String::new() } else { format!(": {}", note.comment) };
        format!("{} at {}{comment}", person(note.actor.as_ref()), at(note.time.as_ref()))
    });
    page.field("acknowledged", noted.unwrap_or_else(|| "no".to_owned()));
    let tickets: Vec<&str> = alarm.external_references.iter().map(|reference| reference.reference.as_str()).collect();
    page.some("tickets", tickets.join(" "));
    let lines = alarm.comments.iter().map(|comment| {
        vec![
            Cell::text(at(comment.time.as_ref())),
            Cell::text(person(comment.actor.as_ref())),
            Cell::text(comment.text.clone()),
        ]
    });
    page.table("Comments", &["TIME", "WHO", "TEXT"], lines.collect());
}

fn relations(page: &mut Page, alarm: &v1::Alarm, called: &BTreeMap<String, String>) {
    let shown = |name: &String| called.get(name).cloned().unwrap_or_else(|| name.clone());
    if !alarm.root_cause.is_empty() {
        page.section("Explained by");
        page.line(&shown(&alarm.root_cause));
    }
    if alarm.correlated_count > 0 {
        page.section(&format!("Explains ({})", alarm.correlated_count));
        alarm.correlated.iter().take(SHOWN).for_each(|name| page.line(&shown(name)));
    }
    if alarm.impacted_count > 0 {
        page.section(&format!("Suffering ({})", alarm.impacted_count));
        let suffering = alarm.impacted.iter().take(SHOWN);
        suffering.for_each(|impacted| page.line(&named(&impacted.name, &impacted.label)));
    }
}
