//! `create` and `delete` of shelves and profiles.

use super::shelving::remove as remove_shelf;
use super::subject::id;
use crate::cli::alarm_args::{DeleteArgs, MatchArgs, ProfileArgs, ShelfArgs};
use crate::cli::change::{actor, refuse_selectors, request_id};
use crate::cli::create_args::Create;
use crate::cli::exit::{Exit, Failure};
use crate::cli::frame::Frame;
use crate::cli::host_file::parse_value;
use crate::cli::hosts::agree;
use crate::cli::kind::{Kind, parse_requests};
use crate::cli::measure;
use crate::cli::outcome::Outcomes;
use crate::client::{Client, ClientError, schema};
use crate::wire::json::from_json;
use crate::wire::v1;
use serde_json::Value;
use std::path::Path;

/// `create`.
///
/// # Errors
/// Wrong use; the daemon refuses or does not answer.
pub async fn create(frame: &Frame, what: &Create) -> Result<Exit, Failure> {
    match what {
        Create::Shelf(args) => {
            let mut shelf = match &args.matches.file {
                Some(file) => of_file::<v1::AlarmShelf>(file, "vrm.v1.AlarmShelf")?,
                None => shelf_of(args)?,
            };
            let name = name_of(&args.name, &std::mem::take(&mut shelf.name));
            let client = frame.client().await?;
            let result = create_shelf(&client, &name, args.matches.dry_run, shelf).await;
            told(frame, &client, "shelf", &name, args.matches.dry_run, result)
        }
        Create::Profile(args) => {
            let mut profile = match &args.matches.file {
                Some(file) => of_file::<v1::AlarmProfile>(file, "vrm.v1.AlarmProfile")?,
                None => profile_of(args)?,
            };
            let name = name_of(&args.name, &std::mem::take(&mut profile.name));
            let client = frame.client().await?;
            let result = create_profile(&client, &name, args.matches.dry_run, profile).await;
            told(frame, &client, "profile", &name, args.matches.dry_run, result)
        }
        Create::Job(args) => measure::create_job(frame, args).await,
        Create::Monitor(args) => measure::create_monitor(frame, args).await,
        Create::Other(words) => {
            let kind = words.first().cloned().unwrap_or_default();
            Err(Failure::usage(format!(
                "create {kind}: this version creates only shelves, profiles, jobs and monitors; use virsh meanwhile"
            ))
            .with_next("vrmctl create --help"))
        }
    }
}

fn told(
    frame: &Frame,
    client: &Client,
    kind: &str,
    asked: &str,
    dry_run: bool,
    result: Result<Value, ClientError>,
) -> Result<Exit, Failure> {
    let made = result.as_ref().ok().and_then(|json| json.get("name")).and_then(Value::as_str).map(id);
    let shown = format!("{kind}/{}", made.unwrap_or(asked));
    let mut outcomes = Outcomes::new(frame, "created", dry_run, Vec::new());
    outcomes.note(client, &shown, result)?;
    Ok(outcomes.finish())
}

/// A rule of a file, with the field names of the interface.
fn of_file<M: prost::Message + Default>(path: &Path, message: &str) -> Result<M, Failure> {
    let shown = path.display();
    let text = std::fs::read_to_string(path).map_err(|error| Failure::usage(format!("{shown}: {error}")))?;
    let value = parse_value(&text).map_err(|error| Failure::usage(format!("{shown}: {error}")))?;
    from_json(&value.to_string(), message).map_err(|error| Failure::usage(format!("{shown}: {error}")))
}

/// The id of a new rule: as typed, else as its file names it.
fn name_of(typed: &str, in_file: &str) -> String {
    if typed.is_empty() { id(in_file).to_owned() } else { typed.to_owned() }
}

async fn create_shelf(
    client: &Client,
    name: &str,
    validate_only: bool,
    shelf: v1::AlarmShelf,
) -> Result<Value, ClientError> {
    let request = v1::CreateAlarmShelfRequest {
        alarm_shelf_id: name.to_owned(),
        alarm_shelf: Some(shelf),
        request_id: request_id(),
        validate_only,
        actor: actor(client.target()),
    };
    let call = || {
        let (mut service, request) = (client.alarm_service(), request.clone());
        async move { service.create_alarm_shelf(request).await }
    };
    client.call(call).await.map(|shelf| schema::to_json("vrm.v1.AlarmShelf", &shelf))
}

async fn create_profile(
    client: &Client,
    name: &str,
    validate_only: bool,
    profile: v1::AlarmProfile,
) -> Result<Value, ClientError> {
    let request = v1::CreateAlarmProfileRequest {
        alarm_profile_id: name.to_owned(),
        alarm_profile: Some(profile),
        request_id: request_id(),
        validate_only,
        actor: actor(client.target()),
    };
    let call = || {
        let (mut service, request) = (client.alarm_service(), request.clone());
        async move { service.create_alarm_profile(request).await }
    };
    client.call(call).await.map(|profile| schema::to_json("vrm.v1.AlarmProfile", &profile))
}

fn shelf_of(args: &ShelfArgs) -> Result<v1::AlarmShelf, Failure> {
    let expire_time = args.end.end().map(|end| prost_types::Timestamp { seconds: end.as_second(), nanos: 0 });
    Ok(v1::AlarmShelf {
        order: args.matches.order,
        matches: Some(conditions(&args.matches, "shelf")?),
        reason: args.reason.clone(),
        expire_time,
        ..v1::AlarmShelf::default()
    })
}

/// The conditions; a rule without any would mean every alarm, which is never typed by intention.
fn conditions(args: &MatchArgs, kind: &str) -> Result<v1::AlarmMatch, Failure> {
    let mut labels = std::collections::HashMap::new();
    for label in &args.labels {
        let (key, value) =
            label.split_once('=').ok_or_else(|| Failure::usage(format!("--label {label:?}: write k=v")))?;
        labels.insert(key.to_owned(), value.to_owned());
    }
    let matches = v1::AlarmMatch {
        alarm_types: args.types.clone(),
        object_pattern: args.object.clone(),
        labels: labels.into_iter().collect(),
        host: args.host.strip_prefix("hosts/").unwrap_or(&args.host).to_owned(),
        resource_group: args.group.clone(),
    };
    if matches == v1::AlarmMatch::default() {
        return Err(Failure::usage(format!("{kind}: say which alarms; --object '*' means every one"))
            .with_next(format!("vrmctl create {kind} NAME --type poolFillHigh --label tier=dev")));
    }
    Ok(matches)
}

fn profile_of(args: &ProfileArgs) -> Result<v1::AlarmProfile, Failure> {
    let severity = args.severities.iter().map(|text| severity_pair(text)).collect::<Result<_, _>>()?;
    let thresholds = args.thresholds.iter().map(|text| level(text)).collect::<Result<Vec<_>, _>>()?;
    let profile = v1::AlarmProfile {
        order: args.matches.order,
        matches: Some(conditions(&args.matches, "profile")?),
        severity,
        hold_on_seconds: args.hold_on,
        hold_off_seconds: args.hold_off,
        thresholds: thresholds.into_iter().collect(),
        off: (args.off || args.on).then_some(args.off),
        ..v1::AlarmProfile::default()
    };
    if profile.severity.is_empty()
        && profile.thresholds.is_empty()
        && profile.hold_on_seconds.or(profile.hold_off_seconds).is_none()
        && profile.off.is_none()
    {
        return Err(Failure::usage("profile: say what holds for these alarms")
            .with_next("vrmctl create profile NAME --label tier=dev --severity critical=minor"));
    }
    Ok(profile)
}

fn severity_pair(text: &str) -> Result<v1::SeverityMapping, Failure> {
    let severity = |word: &str| v1::Severity::from_str_name(&format!("SEVERITY_{}", word.to_ascii_uppercase()));
    let pair = text.split_once('=').and_then(|(from, to)| Some((severity(from)?, severity(to)?)));
    let (from, to) = pair.ok_or_else(|| {
        Failure::usage(format!(
            "--severity {text:?}: write FROM=TO with indeterminate, warning, minor, major or critical"
        ))
    })?;
    Ok(v1::SeverityMapping { from: from.into(), to: to.into() })
}

fn level(text: &str) -> Result<(String, f64), Failure> {
    let pair = text.split_once('=').and_then(|(name, level)| Some((name.to_owned(), level.parse().ok()?)));
    pair.ok_or_else(|| Failure::usage(format!("--threshold {text:?}: write NAME=LEVEL, e.g. percent.major=90")))
}

/// `delete`.
///
/// # Errors
/// Wrong use; no consent; the daemon does not answer.
pub async fn delete(frame: &Frame, args: &DeleteArgs, stdin: &mut dyn FnMut() -> Vec<String>) -> Result<Exit, Failure> {
    let requests = parse_requests(&args.words, stdin)?;
    if let Some(wrong) = requests.iter().find(|request| !is_deletable(request.kind)) {
        return Err(Failure::usage(format!(
            "delete {}: this version deletes only shelves, profiles, jobs and monitors; use virsh meanwhile",
            wrong.kind.word()
        ))
        .with_next("vrmctl delete --help"));
    }
    refuse_selectors(frame)?;
    let rules: Vec<(Kind, String)> = requests
        .iter()
        .flat_map(|request| request.names.iter().map(|name| (request.kind, id(name).to_owned())))
        .collect();
    if rules.is_empty() {
        return Err(Failure::usage("delete which? name them").with_next("vrmctl get shelves"));
    }
    if !args.dry_run {
        let shown: Vec<String> = rules.iter().map(|(kind, name)| format!("{}/{name}", kind.word())).collect();
        agree("delete", &shown.iter().map(String::as_str).collect::<Vec<_>>(), args.yes)?;
    }
    let client = frame.client().await?;
    let mut outcomes = Outcomes::new(frame, "deleted", args.dry_run, Vec::new());
    for (kind, name) in &rules {
        let result = match kind {
            Kind::Shelf => remove_shelf(&client, &format!("alarmShelves/{name}"), args.dry_run).await,
            Kind::Job | Kind::Monitor => measure::delete(&client, *kind, name, args.dry_run).await,
            _ => remove_profile(&client, &format!("alarmProfiles/{name}"), args.dry_run).await,
        };
        outcomes.note(&client, &format!("{}/{name}", kind.word()), result.map(|()| Value::Null))?;
    }
    Ok(outcomes.finish())
}

fn is_deletable(kind: Kind) -> bool {
    matches!(kind, Kind::Shelf | Kind::Profile | Kind::Job | Kind::Monitor)
}

async fn remove_profile(client: &Client, name: &str, dry_run: bool) -> Result<(), ClientError> {
    let request = v1::DeleteAlarmProfileRequest {
        name: name.to_owned(),
        etag: String::new(),
        request_id: request_id(),
        validate_only: dry_run,
        actor: actor(client.target()),
    };
    let call = || {
        let (mut service, request) = (client.alarm_service(), request.clone());
        async move { service.delete_alarm_profile(request).await }
    };
    client.call(call).await.map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rule_says_which_alarms_and_what_of_them() {
        assert_eq!(shelf_of(&ShelfArgs::default()).map_err(|failure| failure.exit), Err(Exit::Usage));
        let matches = MatchArgs { host: "hosts/kvm-07".to_owned(), ..MatchArgs::default() };
        let args = ProfileArgs { matches, ..ProfileArgs::default() };
        assert!(profile_of(&args).expect_err("states nothing").what.contains("say what holds"));
        let args = ProfileArgs { severities: vec!["critical=minor".to_owned()], on: true, ..args };
        let profile = profile_of(&args).expect("a profile");
        assert_eq!(profile.severity[0].to(), v1::Severity::Minor);
        assert_eq!((profile.off, profile.matches.expect("conditions").host.as_str()), (Some(false), "kvm-07"));
        let args = ProfileArgs { severities: vec!["bad=minor".to_owned()], ..args };
        assert!(profile_of(&args).is_err());
    }
}
