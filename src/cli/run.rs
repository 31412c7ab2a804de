//! From the command line to its exit code.

use super::args::{Check, Cli, Global, ProtoAction, Verb};
use super::exit::{Exit, Failure};
use super::frame::Frame;
use super::hosts::Consent;
use super::kind::{Kind, Request, parse_requests};
use super::{change, describe, foreign, get, hosts, local, server, sim, watch};
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
    let exit = match &cli.verb {
        Verb::Get { words, watch: false } => {
            let requests = parse_requests(words, &mut stdin)?;
            get_or_contexts(&frame, &requests).await?
        }
        Verb::Get { words, .. } | Verb::Watch { words } => {
            watch::watch(&frame, &parse_requests(words, &mut stdin)?).await?
        }
        Verb::Describe { words } => describe::describe(&frame, &parse_requests(words, &mut stdin)?).await?,
        Verb::Summary => server::summary(&frame).await?,
        Verb::Info => server::info(&frame).await?,
        Verb::Explain { word } => local::explain(&frame, word.as_deref())?,
        Verb::Label { words, dry_run } => change::label(&frame, words, *dry_run, &mut stdin).await?,
        Verb::Expect { words, dry_run } => change::expect(&frame, words, *dry_run, &mut stdin).await?,
        Verb::Register(args) => hosts::register(&frame, args).await?,
        Verb::Deregister { words, force, dry_run, yes } => {
            let consent = Consent { force: *force, dry_run: *dry_run, yes: *yes };
            hosts::deregister(&frame, words, consent, &mut stdin).await?
        }
        Verb::End { words } => server::end_sessions(&frame, &parse_requests(words, &mut stdin)?).await?,
        Verb::Check { what: Check::Alive } => return server::check_alive(&frame).await,
        Verb::Context { action } => local::context(&frame, action)?,
        Verb::Proto { action: ProtoAction::Export { directory } } => local::proto_export(directory)?,
        Verb::Sim(args) => sim::sim(&frame, args).await?,
        Verb::Completion { shell } => local::completion(*shell)?,
        Verb::Other(words) => return Err(foreign::failure(words.first().map_or("", String::as_str))),
        Verb::Config { .. } | Verb::Try(_) => return Err(Failure::new(Exit::Failed, "handled by the program itself")),
    };
    Ok(exit.code())
}

async fn get_or_contexts(frame: &Frame, requests: &[Request]) -> Result<Exit, Failure> {
    match requests {
        [request] if request.kind == Kind::Context => local::contexts_list(frame, &request.names),
        _ => Box::pin(get::get(frame, requests)).await,
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
