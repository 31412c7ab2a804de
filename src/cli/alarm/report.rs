//! `raise`: a fact about an object that the VRM cannot see itself.

use super::sheet::severity as severity_cell;
use super::subject::{id, object};
use crate::cli::alarm_args::RaiseArgs;
use crate::cli::change::{actor, request_id};
use crate::cli::exit::{Exit, Failure};
use crate::cli::find::{Lookup, find};
use crate::cli::frame::Frame;
use crate::cli::kind::Kind;
use crate::cli::output::{data, print};
use crate::client::{Client, ObjectExt, class_of_name, schema};
use crate::wire::v1;
use std::collections::BTreeMap;

/// Carries the command out.
///
/// # Errors
/// Wrong use; no such object; the daemon refuses or does not answer.
pub async fn raise(frame: &Frame, args: &RaiseArgs) -> Result<Exit, Failure> {
    let attributes = attributes(&args.attributes)?;
    let client = frame.client().await?;
    let request = v1::ReportConditionRequest {
        alarm_type: args.alarm_type.clone(),
        object: faulty(&client, &args.object).await?,
        active: !args.over,
        severity: args.severity.map_or(0, |severity| severity.severity().into()),
        text: args.text.clone(),
        attributes: attributes.into_iter().collect(),
        request_id: request_id(),
        validate_only: args.dry_run,
        actor: actor(client.target()),
    };
    let call = || {
        let (mut service, request) = (client.alarm_service(), request.clone());
        async move { service.report_condition(request).await }
    };
    let shown = format!("{}/{}", args.alarm_type, args.object);
    let answer = client.call(call).await.map_err(|error| refused(&error, &client, &shown))?;
    if frame.global.output.is_data() {
        print(&data(&schema::to_json("vrm.v1.ReportConditionResponse", &answer), frame.global.output))?;
        return Ok(Exit::Done);
    }
    match (&answer.alarm, args.over) {
        _ if args.dry_run => eprintln!("{shown}: would be reported"),
        (Some(alarm), _) => {
            let severity = severity_cell(alarm).text;
            eprintln!("{}/{}: {severity}, alarm {}", alarm.alarm_type, object(alarm), id(&alarm.name));
        }
        (None, false) => eprintln!("{shown}: reported; an alarm comes if it persists"),
        (None, true) => eprintln!("{shown}: over"),
    }
    Ok(Exit::Done)
}

fn refused(error: &crate::client::ClientError, client: &Client, shown: &str) -> Failure {
    let failure = Failure::of_call(error, client.target(), shown);
    match error.reason() {
        v1::ErrorReason::AlarmTypeNotExternal => failure.with_next("vrmctl get alarm-types -o wide"),
        _ => failure,
    }
}

fn attributes(given: &[String]) -> Result<BTreeMap<String, String>, Failure> {
    let pair = |text: &String| {
        let (key, value) =
            text.split_once('=').ok_or_else(|| Failure::usage(format!("--attribute {text:?}: write k=v")))?;
        Ok((key.to_owned(), value.to_owned()))
    };
    given.iter().map(pair).collect()
}

/// The resource name of `KIND/NAME[/PART…]` or of a resource name.
async fn faulty(client: &Client, typed: &str) -> Result<String, Failure> {
    let segments: Vec<&str> = typed.split('/').collect();
    let begins_with_object = (1..=segments.len()).any(|end| class_of_name(&segments[..end].join("/")).is_some());
    if begins_with_object {
        return Ok(typed.to_owned());
    }
    let [kind, name, part @ ..] = segments.as_slice() else {
        return Err(Failure::usage(format!("object {typed:?}: write KIND/NAME or a resource name"))
            .with_next("vrmctl raise diskFailurePredicted host/kvm-07 -m TEXT"));
    };
    let Kind::Object(class) = Kind::parse(kind)? else {
        return Err(Failure::usage(format!("{kind} is no kind of managed objects")));
    };
    let found = find(client, class, &[(*name).to_owned()], &Lookup::default()).await?;
    if let Some(failure) = found.failures.into_iter().next() {
        return Err(failure);
    }
    let object = found.list.objects.first().map(|object| object.name().to_owned()).unwrap_or_default();
    Ok(part.iter().fold(object, |name, segment| format!("{name}/{segment}")))
}
