//! Rows of alarms, types, shelves and profiles for `get`.

use super::reference::find;
use super::sheet::{alarm_row, profile_row, shelf_row, type_row, urgency};
use super::subject::id;
use super::view::{foreign, reporter};
use crate::cli::alarm_args::AlarmScope;
use crate::cli::exit::{Exit, Failure};
use crate::cli::frame::Frame;
use crate::cli::kind::Kind;
use crate::cli::output::Row;
use crate::client::{AlarmQuery, Client, schema};
use crate::wire::v1;
use serde_json::Value;

/// What was listed.
#[derive(Debug, Default)]
pub struct Listed {
    /// The rows.
    pub rows: Vec<Row>,
    /// The alarms behind them, if they are alarms.
    pub alarms: Vec<v1::Alarm>,
    /// Position of the list.
    pub position: Option<v1::StreamPosition>,
    /// How far it can be trusted.
    pub list_status: Option<v1::ListStatus>,
    /// Names that mean nothing or too much.
    pub failures: Vec<Failure>,
}

/// Rows of one of the kinds of alarms, all or those named.
///
/// # Errors
/// Wrong use; a call failed.
pub async fn rows(
    frame: &Frame,
    client: &Client,
    kind: Kind,
    names: &[String],
    scope: &AlarmScope,
) -> Result<Listed, Failure> {
    let mut listed = match kind {
        Kind::Alarm if names.is_empty() => listed_alarms(frame, client, scope).await?,
        Kind::Alarm => {
            let found = find(client, names, frame.needs_full()).await?;
            let rows = found.alarms.iter().map(|alarm| row_of(frame, alarm, true)).collect();
            Listed { rows, alarms: found.alarms, failures: found.failures, ..Listed::default() }
        }
        Kind::AlarmType => types(client).await?,
        Kind::Shelf => shelves(frame, client).await?,
        _ => profiles(frame, client).await?,
    };
    if kind != Kind::Alarm {
        refuse_filter(frame, kind)?;
        listed.keep(kind, names);
    }
    if frame.global.output.is_foreign() {
        let reporter = reporter(client).await?;
        for (row, alarm) in listed.rows.iter_mut().zip(&listed.alarms) {
            row.json = foreign(&reporter, alarm, frame.global.output);
        }
    }
    let mark = frame.mark(client.target());
    listed.rows.iter_mut().for_each(|row| row.context.clone_from(&mark));
    Ok(listed)
}

async fn listed_alarms(frame: &Frame, client: &Client, scope: &AlarmScope) -> Result<Listed, Failure> {
    let query = AlarmQuery { filter: scoped(frame, scope)?, full: frame.needs_full(), ..AlarmQuery::default() };
    let list = client.alarms(&query).await.map_err(|error| Failure::of_client(&error, client.target()))?;
    let rows = list.alarms.iter().map(|alarm| row_of(frame, alarm, scope.related)).collect();
    Ok(Listed {
        rows,
        alarms: list.alarms,
        position: list.position,
        list_status: list.list_status,
        failures: Vec::new(),
    })
}

/// The filter asked for, without what is hidden unless asked for: alarms that another explains, and those that
/// are put aside.
///
/// # Errors
/// Wrong use: a selector, for alarms have no labels.
pub fn scoped(frame: &Frame, scope: &AlarmScope) -> Result<String, Failure> {
    if !frame.global.selector.is_empty() {
        return Err(Failure::usage("-l: alarms have no labels of their own; filter by their fields")
            .with_next("vrmctl get alarms --filter 'zone = \"az1\" AND perceived_severity >= MAJOR'"));
    }
    Ok(scope_filter(frame.global.filter.as_deref().unwrap_or_default().trim(), scope))
}

fn scope_filter(given: &str, scope: &AlarmScope) -> String {
    let mut terms = Vec::new();
    if !given.is_empty() {
        terms.push(if given.contains(' ') { format!("({given})") } else { given.to_owned() });
    }
    // What a filter speaks of is not hidden from it.
    let mut hide = |shown: bool, field: &str, term: &str| {
        if !shown && !given.contains(field) {
            terms.push(term.to_owned());
        }
    };
    hide(scope.related, "root", "root = true");
    hide(scope.aside, "shelved", "shelved = false");
    hide(scope.aside, "suppressed", "suppressed = false");
    terms.join(" AND ")
}

/// The row of an alarm.
pub fn row_of(frame: &Frame, alarm: &v1::Alarm, related_shown: bool) -> Row {
    let json = if frame.needs_full() { schema::to_json("vrm.v1.Alarm", alarm) } else { Value::Null };
    let cells = alarm_row(alarm, &frame.clock, related_shown);
    Row { context: None, name: alarm.name.clone(), title: urgency(alarm), json, cells }
}

async fn types(client: &Client) -> Result<Listed, Failure> {
    let types = client.alarm_types().await.map_err(|error| Failure::of_client(&error, client.target()))?.alarm_types;
    let rows = types.iter().map(|of| Row {
        context: None,
        name: of.name.clone(),
        title: of.alarm_type.clone(),
        json: schema::to_json("vrm.v1.AlarmType", of),
        cells: type_row(of),
    });
    Ok(Listed { rows: rows.collect(), ..Listed::default() })
}

async fn shelves(frame: &Frame, client: &Client) -> Result<Listed, Failure> {
    let shelves = client.alarm_shelves().await.map_err(|error| Failure::of_client(&error, client.target()))?;
    let rows = shelves.iter().map(|shelf| Row {
        context: None,
        name: shelf.name.clone(),
        title: format!("{} {}", shelf.order, id(&shelf.name)),
        json: schema::to_json("vrm.v1.AlarmShelf", shelf),
        cells: shelf_row(shelf, &frame.clock),
    });
    Ok(Listed { rows: rows.collect(), ..Listed::default() })
}

async fn profiles(frame: &Frame, client: &Client) -> Result<Listed, Failure> {
    let profiles = client.alarm_profiles().await.map_err(|error| Failure::of_client(&error, client.target()))?;
    let rows = profiles.iter().map(|profile| Row {
        context: None,
        name: profile.name.clone(),
        title: format!("{} {}", profile.order, id(&profile.name)),
        json: schema::to_json("vrm.v1.AlarmProfile", profile),
        cells: profile_row(profile, &frame.clock),
    });
    Ok(Listed { rows: rows.collect(), ..Listed::default() })
}

fn refuse_filter(frame: &Frame, kind: Kind) -> Result<(), Failure> {
    if frame.global.filter.is_none() && frame.global.selector.is_empty() {
        return Ok(());
    }
    let plural = kind.plural();
    Err(Failure::usage(format!("{plural} are few: they are not filtered")).with_next(format!("vrmctl get {plural}")))
}

impl Listed {
    /// Keeps the rows named; a name that none has is a failure.
    fn keep(&mut self, kind: Kind, names: &[String]) {
        if names.is_empty() {
            return;
        }
        let is_named = |row: &Row, name: &String| row.name == *name || id(&row.name).eq_ignore_ascii_case(name);
        let unknown = names.iter().filter(|name| !self.rows.iter().any(|row| is_named(row, name)));
        let failures: Vec<Failure> = unknown
            .map(|name| {
                Failure::new(Exit::NotFound, format!("{}/{name} not found", kind.word()))
                    .with_next(format!("vrmctl get {}", kind.plural()))
            })
            .collect();
        self.failures.extend(failures);
        self.rows.retain(|row| names.iter().any(|name| is_named(row, name)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_explained_or_put_aside_is_hidden_unless_asked_for() {
        let usual = AlarmScope::default();
        assert_eq!(scope_filter("", &usual), "root = true AND shelved = false AND suppressed = false");
        assert_eq!(
            scope_filter("shelved = true OR host = a", &usual),
            "(shelved = true OR host = a) AND root = true AND suppressed = false"
        );
        assert_eq!(scope_filter("x", &AlarmScope { related: true, aside: true }), "x");
    }
}
