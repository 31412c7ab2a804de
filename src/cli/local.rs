//! Commands that ask no daemon: contexts, the interface definition, explanations, completion scripts.

use super::args::{Cli, ContextAction, Format, Shell};
use super::exit::{Exit, Failure};
use super::format::{Cell, Tone};
use super::frame::Frame;
use super::output::{Row, Sheet, data, print};
use super::proto_files::FILES;
use crate::client::{Context, Contexts, Endpoint, EndpointError, schema};
use clap::CommandFactory;
use serde_json::json;
use std::path::Path;

/// `context …`.
///
/// # Errors
/// An unknown name, a malformed address, an unwritable file.
pub fn context(frame: &Frame, action: &ContextAction) -> Result<Exit, Failure> {
    let mut contexts = frame.contexts.clone();
    let failed = |error: crate::client::ClientError| Failure::usage(error.to_string()).with_next("vrmctl context list");
    match action {
        ContextAction::List => return contexts_list(frame, &[]),
        ContextAction::Use { name } => {
            contexts.get(name).map_err(failed)?;
            contexts.current = Some(name.clone());
        }
        ContextAction::Add { name, endpoint, ca, cert, key, server_name } => {
            check_name(name)?;
            let endpoint: Endpoint = endpoint.parse().map_err(|error: EndpointError| failed(error.into()))?;
            let context = Context {
                endpoint: endpoint.to_string(),
                ca: absolute(ca.as_deref())?,
                cert: absolute(cert.as_deref())?,
                key: absolute(key.as_deref())?,
                server_name: server_name.clone(),
            };
            if context.ca.is_none() && !endpoint.is_local() {
                super::output::warn("another machine is only reached with --ca, --cert and --key");
            }
            contexts.set(name, context);
        }
        ContextAction::Delete { name } => {
            contexts.get(name).map_err(failed)?;
            contexts.contexts.remove(name);
            contexts.current = contexts.current.filter(|current| current != name);
        }
    }
    let Some(path) = &frame.contexts_path else {
        return Err(Failure::new(Exit::Failed, "neither XDG_CONFIG_HOME nor HOME is set: no place for contexts"));
    };
    contexts.store(path).map_err(|error| Failure::new(Exit::Failed, error.to_string()))?;
    eprintln!("{}", told(action, &contexts));
    Ok(Exit::Done)
}

fn told(action: &ContextAction, contexts: &Contexts) -> String {
    match action {
        ContextAction::Add { name, .. } if contexts.current.is_none() => {
            format!("context {name}: added; 'vrmctl context use {name}' makes it the one in use")
        }
        ContextAction::Add { name, .. } => format!("context {name}: added"),
        ContextAction::Use { name } => format!("context {name}: in use"),
        ContextAction::Delete { name } => format!("context {name}: deleted"),
        ContextAction::List => String::new(),
    }
}

fn check_name(name: &str) -> Result<(), Failure> {
    let is_plain = !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.'));
    if is_plain {
        Ok(())
    } else {
        Err(Failure::usage(format!("context name {name:?}: letters, digits, -, _ and . only")))
    }
}

fn absolute(path: Option<&Path>) -> Result<Option<std::path::PathBuf>, Failure> {
    let absolute =
        |path: &Path| std::path::absolute(path).map_err(|error| Failure::usage(format!("{}: {error}", path.display())));
    path.map(absolute).transpose()
}

/// `context list` and `get contexts [NAME…]`.
///
/// # Errors
/// An unknown name or column.
pub fn contexts_list(frame: &Frame, names: &[String]) -> Result<Exit, Failure> {
    for name in names {
        frame.contexts.get(name).map_err(|error| Failure::new(Exit::NotFound, error.to_string()))?;
    }
    let wanted = frame.contexts.contexts.iter().filter(|(name, _)| names.is_empty() || names.contains(name));
    let rows = wanted.map(|(name, context)| {
        let is_current = frame.contexts.current.as_ref() == Some(name);
        Row {
            context: None,
            name: name.clone(),
            title: name.clone(),
            json: json!({ "name": name, "endpoint": context.endpoint, "current": is_current, "tls": context.ca.is_some() }),
            cells: vec![
                Cell::text(if is_current { "*" } else { " " }).toned(Tone::Good),
                Cell::text(name.clone()),
                Cell::text(context.endpoint.clone()),
                Cell::flag(context.ca.is_some()),
            ],
        }
    });
    let heads = ["CURRENT", "NAME", "ENDPOINT", "TLS"];
    let sheet = Sheet { heads: heads.iter().map(|head| ((*head).to_owned(), false)).collect(), rows: rows.collect() };
    let objects: Vec<_> = sheet.rows.iter().map(|row| row.json.clone()).collect();
    match frame.global.output {
        Format::Json | Format::Yaml | Format::Tmf642 | Format::Ves | Format::O2ims => {
            print(&data(&json!({ "contexts": objects }), frame.global.output))?;
        }
        Format::Jsonl => objects.iter().try_for_each(|object| print(&data(object, Format::Jsonl)))?,
        Format::Name => print(&sheet.rows.iter().map(|row| format!("{}\n", row.name)).collect::<String>())?,
        Format::Csv => print(&sheet.grid(&frame.style())?.csv(frame.global.no_headers))?,
        Format::Table | Format::Wide if sheet.rows.is_empty() => {
            eprintln!("no contexts; try 'vrmctl context add NAME ENDPOINT'");
        }
        Format::Table | Format::Wide => print(&sheet.grid(&frame.style())?.draw(&frame.style(), &[]))?,
    }
    Ok(Exit::Done)
}

/// `proto export DIR`.
///
/// # Errors
/// The directory cannot be written.
pub fn proto_export(directory: &Path) -> Result<Exit, Failure> {
    for (name, text) in FILES {
        let path = directory.join(name);
        let written = path.parent().map_or(Ok(()), std::fs::create_dir_all).and_then(|()| std::fs::write(&path, text));
        written.map_err(|error| Failure::new(Exit::Failed, format!("{}: {error}", path.display())))?;
    }
    eprintln!(
        "{} files written to {}; check with 'buf lint {}'",
        FILES.len(),
        directory.display(),
        directory.display()
    );
    Ok(Exit::Done)
}

/// Words that the interface does not define but shows: codes of `state.reason` of unknown states.
const STATE_REASONS: [(&str, &str); 4] = [
    (
        "not_yet_seen",
        "Known from before the daemon's restart; its host has not been read since. The state shown is the last known one.",
    ),
    ("host_unreachable", "Its host does not answer. The state shown is the last known one: unknown is not off."),
    (
        "hypervisor_service_lost",
        "The host answers, its hypervisor service (libvirtd) does not. The machines most likely run on.",
    ),
    ("no_state", "The hypervisor itself does not know the state."),
];

/// `explain`.
///
/// # Errors
/// An unknown word.
pub fn explain(frame: &Frame, word: Option<&str>) -> Result<Exit, Failure> {
    let found = match word {
        None => schema::enum_words("vrm.v1.ErrorReason"),
        Some(word) => {
            let mut found = schema::explain(word);
            let code = word.to_ascii_lowercase().replace('-', "_");
            let of_state = STATE_REASONS.iter().filter(|(reason, _)| *reason == code);
            found.extend(of_state.map(|(reason, text)| schema::Explanation {
                word: (*reason).to_owned(),
                place: "reason of a state".to_owned(),
                text: (*text).to_owned(),
            }));
            found
        }
    };
    if found.is_empty() {
        return Err(Failure::new(
            Exit::NotFound,
            format!("{:?} is no word of the interface", word.unwrap_or_default()),
        )
        .with_next("vrmctl explain"));
    }
    if frame.global.output.is_data() {
        let words: Vec<_> = found.iter().map(|e| json!({ "word": e.word, "place": e.place, "text": e.text })).collect();
        print(&data(&json!({ "explanations": words }), frame.global.output))?;
        return Ok(Exit::Done);
    }
    for explanation in &found {
        print(&format!(
            "{} ({})\n  {}\n",
            explanation.word,
            explanation.place,
            explanation.text.replace('\n', "\n  ")
        ))?;
    }
    Ok(Exit::Done)
}

/// `completion`.
///
/// # Errors
/// Standard output cannot be written.
pub fn completion(shell: Shell) -> Result<Exit, Failure> {
    let shell = match shell {
        Shell::Bash => clap_complete::Shell::Bash,
        Shell::Zsh => clap_complete::Shell::Zsh,
        Shell::Fish => clap_complete::Shell::Fish,
    };
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "vrmctl", &mut script);
    print(&String::from_utf8_lossy(&script))?;
    Ok(Exit::Done)
}
