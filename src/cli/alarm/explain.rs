//! `explain TYPE`: what the catalogue says about an alarm type, and what holds for an object.

use super::sheet::{availability, conditions, seconds, statements, thresholds};
use super::subject::id;
use crate::cli::exit::{Exit, Failure};
use crate::cli::find::{Lookup, find};
use crate::cli::format::word;
use crate::cli::frame::Frame;
use crate::cli::kind::{Kind, parse_requests};
use crate::cli::output::{data, print};
use crate::cli::page::Page;
use crate::client::{Client, Object, ObjectExt, schema};
use crate::wire::v1;
use serde_json::json;
use std::collections::BTreeMap;

/// Explains a word that may be an alarm type; nothing if it is none that this daemon knows.
///
/// # Errors
/// `--for` with a name that means nothing; a call failed after the daemon had answered.
pub async fn explain_type(frame: &Frame, typed: &str, of: Option<&str>) -> Result<Option<Exit>, Failure> {
    let typed = typed.strip_prefix("alarmTypes/").unwrap_or(typed);
    // Without a daemon the other words can still be explained.
    let client = match frame.client().await {
        Ok(client) => client,
        Err(failure) if of.is_some() => return Err(failure),
        Err(_) => return Ok(None),
    };
    let Ok(types) = client.alarm_types().await else { return Ok(None) };
    let Some(found) = types.alarm_types.iter().find(|known| known.alarm_type.eq_ignore_ascii_case(typed)) else {
        return Ok(None);
    };
    let effective = match of {
        Some(of) => Some(effective(&client, found, of).await?),
        None => None,
    };
    if frame.global.output.is_data() {
        let mut document = json!({ "alarmType": schema::to_json("vrm.v1.AlarmType", found) });
        if let Some(effective) = &effective {
            document["effective"] = effective.json();
        }
        print(&data(&document, frame.global.output))?;
    } else {
        print(&page(frame, found, effective.as_ref()))?;
    }
    Ok(Some(Exit::Done))
}

fn page(frame: &Frame, of: &v1::AlarmType, effective: Option<&Effective>) -> String {
    let mut page = Page::new(frame.colour);
    page.section(&of.alarm_type);
    page.some("meaning", of.meaning.clone());
    page.some("detected by", of.detection.clone());
    page.some("cleared when", of.clearing_condition.clone());
    page.some("what to do", of.repair_action.clone());
    let severities: Vec<String> = of.severities().map(|one| word(one.as_str_name(), "SEVERITY_")).collect();
    page.field("severity", severities.join(" or "));
    page.field("event type", word(of.event_type().as_str_name(), "EVENT_TYPE_"));
    if let Some(cause) = &of.probable_cause {
        page.field("probable cause", format!("{} ({})", cause.name, cause.number));
    }
    page.field("of", of.object_classes.join(", "));
    page.field("clearing", word(of.clearing().as_str_name(), "CLEARING_RULE_"));
    page.some("hold-on", seconds(of.hold_on_seconds));
    page.some("hold-off", seconds(of.hold_off_seconds));
    page.some("thresholds", thresholds(&of.thresholds));
    page.field("by default", if of.off_by_default { "off" } else { "on" });
    page.some("detected here", availability(of));
    if of.external {
        page.field("from outside", format!("vrmctl raise {} KIND/NAME -m TEXT", of.alarm_type));
    }
    if let Some(effective) = effective {
        effective.lines(&mut page);
    }
    page.finish()
}

/// What holds for one object: the catalogue's, changed by the profiles that match.
#[derive(Clone, Debug, Default, PartialEq)]
struct Effective {
    object: String,
    off: bool,
    severities: BTreeMap<String, String>,
    hold_on: u32,
    hold_off: u32,
    thresholds: BTreeMap<String, f64>,
    /// Profiles that match, the first that decides first, with what they state.
    profiles: Vec<(String, String)>,
}

async fn effective(client: &Client, of: &v1::AlarmType, typed: &str) -> Result<Effective, Failure> {
    let requests = parse_requests(&[typed.to_owned()], &mut Vec::new)?;
    let Some(Kind::Object(class)) = requests.first().map(|request| request.kind) else {
        return Err(Failure::usage(format!("--for {typed}: name an object as KIND/NAME")));
    };
    let names: Vec<String> = requests.into_iter().flat_map(|request| request.names).collect();
    if names.is_empty() {
        return Err(Failure::usage(format!("--for {typed}: name an object as KIND/NAME"))
            .with_next(format!("vrmctl explain {} --for {typed}/NAME", of.alarm_type)));
    }
    let lookup = Lookup { full: true, prefixes: true, ..Lookup::default() };
    let found = find(client, class, &names, &lookup).await?;
    let object = match (found.list.objects.into_iter().next(), found.failures.into_iter().next()) {
        (Some(object), None) => object,
        (_, Some(failure)) => return Err(failure),
        (None, None) => return Err(Failure::new(Exit::NotFound, format!("{typed} not found"))),
    };
    let profiles = client.alarm_profiles().await.map_err(|error| Failure::of_client(&error, client.target()))?;
    let labels = labels(&object);
    let matching =
        profiles.iter().filter(|profile| matches(profile.matches.as_ref(), &of.alarm_type, &object, &labels));
    Ok(graded(of, typed, &matching.collect::<Vec<_>>()))
}

/// Labels of an object, whatever its class.
fn labels(object: &Object) -> BTreeMap<String, String> {
    let json = schema::object_json(object);
    let labels = json.get("labels").and_then(|labels| labels.as_object());
    let pairs = labels.into_iter().flatten();
    pairs.filter_map(|(key, value)| Some((key.clone(), value.as_str()?.to_owned()))).collect()
}

/// Whether a rule means alarms of a type at an object (the daemon's rule: every condition stated must hold).
fn matches(
    rule: Option<&v1::AlarmMatch>,
    alarm_type: &str,
    object: &Object,
    labels: &BTreeMap<String, String>,
) -> bool {
    let Some(rule) = rule else { return true };
    let host = object.host().strip_prefix("hosts/").unwrap_or_default();
    let group = labels.get("vrm.group").map_or("", String::as_str);
    (rule.alarm_types.is_empty() || rule.alarm_types.iter().any(|wanted| wanted == alarm_type))
        && (rule.object_pattern.is_empty() || fits(&rule.object_pattern, object.name()))
        && rule.labels.iter().all(|(key, value)| labels.get(key) == Some(value))
        && (rule.host.is_empty() || rule.host == host)
        && (rule.resource_group.is_empty() || rule.resource_group == group)
}

/// Whether a text fits a pattern in which `*` stands for any characters.
fn fits(pattern: &str, text: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == text,
        Some((head, tail)) => match text.strip_prefix(head) {
            None => false,
            Some(rest) => {
                tail.is_empty() || rest.char_indices().any(|(at, _)| fits(tail, &rest[at..])) || fits(tail, "")
            }
        },
    }
}

fn graded(of: &v1::AlarmType, object: &str, profiles: &[&v1::AlarmProfile]) -> Effective {
    let mut effective = Effective {
        object: object.to_owned(),
        off: of.off_by_default,
        hold_on: of.hold_on_seconds,
        hold_off: of.hold_off_seconds,
        thresholds: of.thresholds.clone().into_iter().collect(),
        ..Effective::default()
    };
    // Last to first, so that the first to state a thing decides it.
    for profile in profiles.iter().rev() {
        let words = |one: &v1::SeverityMapping| {
            (word(one.from().as_str_name(), "SEVERITY_"), word(one.to().as_str_name(), "SEVERITY_"))
        };
        effective.severities.extend(profile.severity.iter().map(words));
        effective.hold_on = profile.hold_on_seconds.unwrap_or(effective.hold_on);
        effective.hold_off = profile.hold_off_seconds.unwrap_or(effective.hold_off);
        effective.thresholds.extend(profile.thresholds.clone());
        effective.off = profile.off.unwrap_or(effective.off);
        let told = format!("{} [{}]", statements(profile), conditions(profile.matches.as_ref()));
        effective.profiles.insert(0, (id(&profile.name).to_owned(), told));
    }
    effective
}

impl Effective {
    fn lines(&self, page: &mut Page) {
        page.section(&format!("For {}", self.object));
        page.field("alarm", if self.off { "off" } else { "on" });
        let severities: Vec<String> = self.severities.iter().map(|(from, to)| format!("{from} → {to}")).collect();
        page.field("severity", if severities.is_empty() { "as above".to_owned() } else { severities.join(", ") });
        page.some("hold-on", seconds(self.hold_on));
        page.some("hold-off", seconds(self.hold_off));
        page.some("thresholds", thresholds(&self.thresholds));
        if self.profiles.is_empty() {
            page.field("profiles", "none matches");
        }
        for (name, told) in &self.profiles {
            page.field(&format!("profile {name}"), told.clone());
        }
    }

    fn json(&self) -> serde_json::Value {
        json!({
            "object": self.object, "off": self.off, "severity": self.severities, "holdOnSeconds": self.hold_on,
            "holdOffSeconds": self.hold_off, "thresholds": self.thresholds,
            "profiles": self.profiles.iter().map(|(name, _)| name).collect::<Vec<_>>(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_have_stars() {
        assert!(fits("hosts/kvm-07*", "hosts/kvm-07/storagePools/a") && fits("*", "") && fits("a*c*e", "abcde"));
        assert!(!fits("hosts/kvm", "hosts/kvm-07") && !fits("a*d", "abc") && !fits("b*", "abc"));
    }

    #[test]
    fn the_first_profile_to_state_a_thing_decides_it() {
        let of = v1::AlarmType { hold_on_seconds: 30, off_by_default: true, ..v1::AlarmType::default() };
        let first = v1::AlarmProfile { hold_on_seconds: Some(60), ..v1::AlarmProfile::default() };
        let second = v1::AlarmProfile { hold_on_seconds: Some(90), off: Some(false), ..v1::AlarmProfile::default() };
        let effective = graded(&of, "vm/a", &[&first, &second]);
        assert_eq!((effective.hold_on, effective.off, effective.profiles.len()), (60, false, 2));
        assert_eq!(graded(&of, "vm/a", &[]).hold_on, 30);
    }
}
