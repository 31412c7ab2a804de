//! From the command line to its exit code.

use super::alarm_args::AlarmScope;
use super::args::{Check, Cli, Global, ProtoAction, Verb};
use super::exit::{Exit, Failure};
use super::frame::Frame;
use super::hosts::Consent;
use super::kind::{Kind, Request, parse_requests};
use super::{alarm, change, describe, foreign, get, hosts, local, maintenance, measure, server, sim, topology, watch};
use crate::client::{ListQuery, Object};
use crate::wire::v1;
use crate::wire::v1::ObjectClass;
use std::io::BufRead;

/// Carries out every command that is not about the daemon's set-up on this machine.
///
/// # Errors
/// The failure to tell.
pub async fn run(cli: Cli) -> Result<u8, Failure> {
    let frame = Frame::of_process(cli.global)?;
    let mut stdin = names_of_stdin;
    refuse_foreign(&frame, &cli.verb)?;
    let exit = match &cli.verb {
        Verb::Get { words, watch: false, .. } if topology::asked(words).is_some() => {
            let base = topology::asked(words).unwrap_or_else(|| Ok(String::new()))?;
            Box::pin(topology::topology(&frame, &base)).await?
        }
        Verb::Get { words, watch: false, scope } => {
            let requests = parse_requests(words, &mut stdin)?;
            get_or_contexts(&frame, &requests, scope).await?
        }
        Verb::Get { words, scope, .. } | Verb::Watch { words, scope } => {
            match parse_requests(words, &mut stdin)?.as_slice() {
                [request] if request.kind == Kind::Alarm => {
                    Box::pin(alarm::watch(&frame, &request.names, scope)).await?
                }
                requests => Box::pin(watch::watch(&frame, requests)).await?,
            }
        }
        Verb::Describe { words } => match parse_requests(words, &mut stdin)?.as_slice() {
            [request] if request.kind == Kind::Alarm => Box::pin(alarm::describe(&frame, &request.names)).await?,
            [request] if matches!(request.kind, Kind::Job | Kind::Monitor) => {
                Box::pin(measure::describe(&frame, request.kind, &request.names)).await?
            }
            requests => Box::pin(describe::describe(&frame, requests)).await?,
        },
        Verb::Summary => server::summary(&frame).await?,
        Verb::Info => server::info(&frame).await?,
        Verb::Explain { word, of } => explain(&frame, word.as_deref(), of.as_deref()).await?,
        Verb::Ack(_)
        | Verb::Unack(_)
        | Verb::Clear(_)
        | Verb::Comment(_)
        | Verb::Link(_)
        | Verb::Shelve(_)
        | Verb::Unshelve(_)
        | Verb::Raise(_)
        | Verb::Create { .. }
        | Verb::Delete(_)
        | Verb::History(_) => Box::pin(of_alarms(&frame, &cli.verb)).await?,
        Verb::Query(_) | Verb::Top(_) | Verb::Report(_) | Verb::Suspend(_) | Verb::Resume(_) => {
            Box::pin(of_measurements(&frame, &cli.verb)).await?
        }
        Verb::Lock(args) => maintenance::lock(&frame, args, &mut stdin).await?,
        Verb::Unlock(args) => maintenance::unlock(&frame, args, &mut stdin).await?,
        Verb::Label { words, dry_run } => change::label(&frame, words, *dry_run, &mut stdin).await?,
        Verb::Expect { words, dry_run } => change::expect(&frame, words, *dry_run, &mut stdin).await?,
        Verb::Register(args) => hosts::register(&frame, args).await?,
        Verb::Deregister { words, force, dry_run, yes } => {
            let consent = Consent { force: *force, dry_run: *dry_run, yes: *yes };
            hosts::deregister(&frame, words, consent, &mut stdin).await?
        }
        Verb::End { words } => server::end_sessions(&frame, &parse_requests(words, &mut stdin)?).await?,
        Verb::Check { what: Check::Alive } => return server::check_alive(&frame).await,
        Verb::Check { what: Check::Alarms { severity } } => return alarm::check(&frame, *severity).await,
        Verb::Context { action } => local::context(&frame, action)?,
        Verb::Proto { action: ProtoAction::Export { directory } } => local::proto_export(directory)?,
        Verb::Sim(args) => sim::sim(&frame, args).await?,
        Verb::Completion { shell } => local::completion(*shell)?,
        Verb::Other(words) => return Err(foreign::failure(words.first().map_or("", String::as_str))),
        Verb::Config { .. } | Verb::Try(_) => return Err(Failure::new(Exit::Failed, "handled by the program itself")),
    };
    Ok(exit.code())
}

/// Foreign records are only made of alarms.
fn refuse_foreign(frame: &Frame, verb: &Verb) -> Result<(), Failure> {
    let is_of_alarms = match verb {
        Verb::Get { words, .. } if topology::asked(words).is_some() => false,
        Verb::Get { words, .. } | Verb::Watch { words, .. } => {
            let requests = parse_requests(words, &mut || vec!["-".to_owned()])?;
            requests.iter().all(|request| request.kind == Kind::Alarm)
        }
        Verb::History(_) => true,
        _ => false,
    };
    if !frame.global.output.is_foreign() || is_of_alarms {
        return Ok(());
    }
    Err(Failure::usage("-o tmf642, -o ves and -o o2ims are for get, watch and history of alarms")
        .with_next("vrmctl get alarms -o tmf642"))
}

/// The verbs about alarms.
async fn of_alarms(frame: &Frame, verb: &Verb) -> Result<Exit, Failure> {
    let mut stdin = names_of_stdin;
    match verb {
        Verb::Ack(args) => alarm::acknowledge(frame, args, true, &mut stdin).await,
        Verb::Unack(args) => alarm::acknowledge(frame, args, false, &mut stdin).await,
        Verb::Clear(args) => alarm::clear(frame, args, &mut stdin).await,
        Verb::Comment(args) => alarm::comment(frame, args, &mut stdin).await,
        Verb::Link(args) => alarm::link(frame, args, &mut stdin).await,
        Verb::Shelve(args) => alarm::shelve(frame, args, &mut stdin).await,
        Verb::Unshelve(args) => alarm::unshelve(frame, args, &mut stdin).await,
        Verb::Raise(args) => alarm::raise(frame, args).await,
        Verb::History(args) => alarm::history(frame, args, &mut stdin).await,
        Verb::Create { what } => alarm::create(frame, what).await,
        Verb::Delete(args) => alarm::delete(frame, args, &mut stdin).await,
        _ => Err(Failure::new(Exit::Failed, "not about alarms")),
    }
}

/// The verbs about measurements.
async fn of_measurements(frame: &Frame, verb: &Verb) -> Result<Exit, Failure> {
    let mut stdin = names_of_stdin;
    match verb {
        Verb::Query(args) => measure::query(frame, args).await,
        Verb::Top(args) => measure::top(frame, args).await,
        Verb::Report(args) => measure::report(frame, args).await,
        Verb::Suspend(args) => measure::suspend(frame, args, true, &mut stdin).await,
        Verb::Resume(args) => measure::suspend(frame, args, false, &mut stdin).await,
        _ => Err(Failure::new(Exit::Failed, "not about measurements")),
    }
}

/// Alarm types are the daemon's to explain, everything else is in this program.
async fn explain(frame: &Frame, word: Option<&str>, of: Option<&str>) -> Result<Exit, Failure> {
    if let Some(typed) = word
        && let Some(exit) = Box::pin(alarm::explain_type(frame, typed, of)).await?
    {
        return Ok(exit);
    }
    if let Some(typed) = word.filter(|_| of.is_none())
        && let Some(exit) = Box::pin(measure::explain_metric(frame, typed)).await?
    {
        return Ok(exit);
    }
    match (word, of) {
        (Some(word), Some(_)) => {
            Err(Failure::new(Exit::NotFound, format!("{word:?} is no alarm type")).with_next("vrmctl get alarm-types"))
        }
        _ => local::explain(frame, word),
    }
}

async fn get_or_contexts(frame: &Frame, requests: &[Request], scope: &AlarmScope) -> Result<Exit, Failure> {
    match requests {
        [request] if request.kind == Kind::Context => local::contexts_list(frame, &request.names),
        _ => Box::pin(get::get(frame, requests, scope)).await,
    }
}

/// Names on standard input, one or more a line.
fn names_of_stdin() -> Vec<String> {
    let lines = std::io::stdin().lock().lines().map_while(Result::ok);
    lines.flat_map(|line| line.split_whitespace().map(str::to_owned).collect::<Vec<_>>()).collect()
}

/// Every host of the one daemon meant, with everything.
///
/// # Errors
/// The failure to tell.
pub async fn running_hosts(global: Global) -> Result<Vec<v1::Host>, Failure> {
    let client = Frame::of_process(global)?.client().await?;
    let query = ListQuery { full: true, ..ListQuery::default() };
    let list =
        client.list(ObjectClass::Host, &query).await.map_err(|error| Failure::of_client(&error, client.target()))?;
    Ok(list
        .objects
        .into_iter()
        .filter_map(|object| if let Object::Host(host) = object { Some(host) } else { None })
        .collect())
}
