//! `ack`, `unack`, `clear`, `comment` and `link`: what people do with alarms, each alarm by itself.

use super::reference::{find, without_kind};
use super::subject::{id, object};
use crate::cli::alarm_args::{AckArgs, LinkArgs, RemarkArgs};
use crate::cli::change::{actor, refuse_selectors, request_id};
use crate::cli::exit::{Exit, Failure};
use crate::cli::frame::Frame;
use crate::cli::kind::Kind;
use crate::cli::outcome::Outcomes;
use crate::client::{Client, ClientError};
use crate::wire::v1;
use std::collections::BTreeMap;

/// 1,000: alarms in one batch of the interface.
const BATCH: usize = 1_000;

/// Alarms that words mean, with the failures of those that mean none.
pub struct Targets {
    /// The daemon.
    pub client: Client,
    /// The alarms.
    pub alarms: Vec<v1::Alarm>,
    /// Words that mean nothing.
    pub failures: Vec<Failure>,
}

/// Finds the alarms of `[alarm] ID…`.
///
/// # Errors
/// Wrong use; the daemon does not answer.
pub async fn targets(
    frame: &Frame,
    verb: &str,
    words: &[String],
    stdin: &mut dyn FnMut() -> Vec<String>,
) -> Result<Targets, Failure> {
    refuse_selectors(frame)?;
    let words = alarm_words(verb, words, stdin)?;
    let client = frame.client().await?;
    let found = find(&client, &words, false).await?;
    Ok(Targets { client, alarms: found.alarms, failures: found.failures })
}

/// The words behind the kind, which may be left out or stand in front of each.
fn alarm_words(verb: &str, words: &[String], stdin: &mut dyn FnMut() -> Vec<String>) -> Result<Vec<String>, Failure> {
    let wrong = || {
        Failure::usage(format!("{verb} which alarm? name it by its id or as TYPE/OBJECT"))
            .with_next("vrmctl get alarms -o wide")
    };
    let (first, rest) = words.split_first().ok_or_else(wrong)?;
    let is_kind = |word: &str| !word.contains('/') && Kind::parse(word).is_ok();
    let rest = match Kind::parse(first) {
        Ok(Kind::Alarm) => rest,
        Ok(kind) => {
            return Err(Failure::usage(format!("{verb} is for alarms, not for {}", kind.plural()))
                .with_next(format!("vrmctl {verb} alarm ID")));
        }
        Err(_) => words,
    };
    let mut names = Vec::new();
    for word in rest {
        if word == "-" { names.extend(stdin()) } else { names.push(without_kind(word).to_owned()) }
    }
    names.retain(|name| !is_kind(name));
    if names.is_empty() { Err(wrong()) } else { Ok(names) }
}

/// `ack` and `unack`.
///
/// # Errors
/// Wrong use; the daemon does not answer.
pub async fn acknowledge(
    frame: &Frame,
    args: &AckArgs,
    takes_note: bool,
    stdin: &mut dyn FnMut() -> Vec<String>,
) -> Result<Exit, Failure> {
    let verb = if takes_note { "ack" } else { "unack" };
    let found = targets(frame, verb, &args.words, stdin).await?;
    let done = if takes_note { "acknowledged" } else { "acknowledgement taken back" };
    let mut outcomes = Outcomes::new(frame, done, args.dry_run, found.failures);
    let mut shown = names_of(&found.client, &found.alarms, args.related).await;
    for alarms in found.alarms.chunks(BATCH) {
        let results = send_batch(&found.client, args, alarms, takes_note).await;
        let results = results.map_err(|error| Failure::of_call(&error, found.client.target(), verb))?;
        for result in results {
            let name = shown.remove(&result.name).unwrap_or_else(|| format!("alarm/{}", id(&result.name)));
            outcomes.result(&name, &result)?;
        }
    }
    Ok(outcomes.finish())
}

async fn send_batch(
    client: &Client,
    args: &AckArgs,
    alarms: &[v1::Alarm],
    takes_note: bool,
) -> Result<Vec<v1::AlarmResult>, ClientError> {
    let target = |alarm: &v1::Alarm| v1::AlarmTarget { name: alarm.name.clone(), etag: String::new() };
    let request = v1::BatchAcknowledgeAlarmsRequest {
        targets: alarms.iter().map(target).collect(),
        comment: args.comment.clone(),
        related: args.related,
        request_id: request_id(),
        validate_only: args.dry_run,
        actor: actor(client.target()),
    };
    if takes_note {
        let call = || {
            let (mut service, request) = (client.alarm_service(), request.clone());
            async move { service.batch_acknowledge_alarms(request).await }
        };
        return Ok(client.call(call).await?.results);
    }
    let request = v1::BatchUnacknowledgeAlarmsRequest {
        targets: request.targets,
        comment: request.comment,
        related: request.related,
        request_id: request.request_id,
        validate_only: request.validate_only,
        actor: request.actor,
    };
    let call = || {
        let (mut service, request) = (client.alarm_service(), request.clone());
        async move { service.batch_unacknowledge_alarms(request).await }
    };
    Ok(client.call(call).await?.results)
}

/// What alarms are called: also those that are explained, for their results have no other name once they left.
async fn names_of(client: &Client, alarms: &[v1::Alarm], related: bool) -> BTreeMap<String, String> {
    let listed = if related { client.alarms(&Default::default()).await.unwrap_or_default().alarms } else { Vec::new() };
    alarms.iter().chain(&listed).map(|alarm| (alarm.name.clone(), called(alarm))).collect()
}

/// `vmCrashed/vm/web-1`.
pub fn called(alarm: &v1::Alarm) -> String {
    format!("{}/{}", alarm.alarm_type, object(alarm))
}

/// `clear`.
///
/// # Errors
/// Wrong use; the daemon does not answer.
pub async fn clear(frame: &Frame, args: &RemarkArgs, stdin: &mut dyn FnMut() -> Vec<String>) -> Result<Exit, Failure> {
    let names_kind = args.words.first().is_some_and(|word| matches!(Kind::parse(word), Ok(Kind::Alarm)));
    if !names_kind && !args.words.iter().all(|word| word.starts_with("alarm/") || word.starts_with("alarms/")) {
        return Err(Failure::usage("clear what? say the kind, for clear is also the name of other things")
            .with_next(format!("vrmctl clear alarm {}", args.words.join(" "))));
    }
    let found = targets(frame, "clear", &args.words, stdin).await?;
    let mut outcomes = Outcomes::new(frame, "cleared", args.dry_run, found.failures);
    for alarm in &found.alarms {
        let request = v1::ClearAlarmRequest {
            name: alarm.name.clone(),
            etag: String::new(),
            comment: args.text.clone().unwrap_or_default(),
            request_id: request_id(),
            validate_only: args.dry_run,
            actor: actor(found.client.target()),
        };
        let call = || {
            let (mut service, request) = (found.client.alarm_service(), request.clone());
            async move { service.clear_alarm(request).await }
        };
        let result = found.client.call(call).await;
        outcomes.alarm(&found.client, &called(alarm), result)?;
    }
    Ok(outcomes.finish())
}

/// `comment`.
///
/// # Errors
/// Wrong use; the daemon does not answer.
pub async fn comment(
    frame: &Frame,
    args: &RemarkArgs,
    stdin: &mut dyn FnMut() -> Vec<String>,
) -> Result<Exit, Failure> {
    let Some(text) = args.text.as_ref().filter(|text| !text.trim().is_empty()) else {
        return Err(Failure::usage("say what: the remark is missing")
            .with_next(format!("vrmctl comment {} -m TEXT", args.words.join(" "))));
    };
    let found = targets(frame, "comment", &args.words, stdin).await?;
    let mut outcomes = Outcomes::new(frame, "commented", args.dry_run, found.failures);
    for alarm in &found.alarms {
        let request = v1::CommentAlarmRequest {
            name: alarm.name.clone(),
            etag: String::new(),
            text: text.clone(),
            request_id: request_id(),
            validate_only: args.dry_run,
            actor: actor(found.client.target()),
        };
        let call = || {
            let (mut service, request) = (found.client.alarm_service(), request.clone());
            async move { service.comment_alarm(request).await }
        };
        let result = found.client.call(call).await;
        outcomes.alarm(&found.client, &called(alarm), result)?;
    }
    Ok(outcomes.finish())
}

/// `link`: the last word is the ticket.
///
/// # Errors
/// Wrong use; the daemon does not answer.
pub async fn link(frame: &Frame, args: &LinkArgs, stdin: &mut dyn FnMut() -> Vec<String>) -> Result<Exit, Failure> {
    let wrong = || Failure::usage("link which alarm to which ticket?").with_next("vrmctl link alarm ID INC123");
    let (ticket, words) = args.words.split_last().ok_or_else(wrong)?;
    if words.is_empty() || (words.len() == 1 && Kind::parse(&words[0]).is_ok()) {
        return Err(wrong());
    }
    let found = targets(frame, "link", words, stdin).await?;
    let done = if args.remove { "link taken away" } else { "linked" };
    let mut outcomes = Outcomes::new(frame, done, args.dry_run, found.failures);
    for alarm in &found.alarms {
        let request = v1::LinkAlarmRequest {
            name: alarm.name.clone(),
            etag: String::new(),
            reference: ticket.clone(),
            remove: args.remove,
            request_id: request_id(),
            validate_only: args.dry_run,
            actor: actor(found.client.target()),
        };
        let call = || {
            let (mut service, request) = (found.client.alarm_service(), request.clone());
            async move { service.link_alarm(request).await }
        };
        let result = found.client.call(call).await;
        outcomes.alarm(&found.client, &called(alarm), result)?;
    }
    Ok(outcomes.finish())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(words: &[&str]) -> Result<Vec<String>, Failure> {
        let words: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
        alarm_words("ack", &words, &mut || vec!["alarms/b".to_owned()])
    }

    #[test]
    fn the_kind_may_be_left_out_or_stand_in_front_of_each() {
        for words in [&["alarm", "vmCrashed/vm/a"][..], &["vmCrashed/vm/a"], &["alarm/vmCrashed/vm/a"]] {
            assert_eq!(names(words), Ok(vec!["vmCrashed/vm/a".to_owned()]), "{words:?}");
        }
        assert_eq!(names(&["alarms", "-"]), Ok(vec!["alarms/b".to_owned()]));
        assert!(names(&["alarm"]).is_err());
        assert!(names(&["vm", "web-1"]).is_err());
    }
}
