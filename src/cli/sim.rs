//! `sim`: makes the simulator of a daemon on this machine fail, over its control socket.

use super::args::SimArgs;
use super::exit::{Exit, Failure};
use super::frame::Frame;
use super::output::{data, print};
use serde_json::{Map, Value, json};
use std::path::PathBuf;
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::UnixStream;

/// 10 seconds: faults take effect at once.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(10);

/// Verbs and the fields that their plain arguments fill, in order.
const VERBS: [(&str, &[&str]); 47] = [
    ("drop-host", &["host"]),
    ("hang-host", &["host"]),
    ("slow-host", &["host", "delay_ms"]),
    ("refuse-host", &["host"]),
    ("lose-service", &["host"]),
    ("hang-machine", &["vm"]),
    ("crash-machine", &["vm"]),
    ("panic-machine", &["vm"]),
    ("io-error", &["vm"]),
    ("watchdog", &["vm"]),
    ("enospc", &["vm"]),
    ("kill-machine", &["vm"]),
    ("stop-machine", &["vm"]),
    ("pause-machine", &["vm"]),
    ("stick-machine", &["vm"]),
    ("report-io-error", &["vm"]),
    ("block-threshold", &["vm"]),
    ("control-error", &["vm"]),
    ("memory-failure", &["vm"]),
    ("block-job-failed", &["vm"]),
    ("agent-lost", &["vm"]),
    ("device-stuck", &["vm"]),
    ("migration-failed", &["vm"]),
    ("migration-slow", &["vm"]),
    ("reboot", &["vm"]),
    ("duplicate-uuid", &["vm", "host"]),
    ("fill-pool", &["host", "pool"]),
    ("stop-pool", &["host", "pool"]),
    ("lose-pool", &["host", "pool"]),
    ("degrade-pool", &["host", "pool"]),
    ("mount-hung", &["host", "mount"]),
    ("fill-filesystem", &["host", "mount"]),
    ("disk-failed", &["host", "disk"]),
    ("nic-down", &["host", "nic"]),
    ("low-memory", &["host"]),
    ("exhaust-huge-pages", &["host"]),
    ("condition", &["host", "alarm_type", "object"]),
    ("count", &["host", "counter", "by"]),
    ("stop-network", &["host", "network"]),
    ("event-gap", &["host"]),
    ("storm", &["changes_per_second", "seconds"]),
    ("restore", &["host"]),
    ("status", &[]),
    ("inject", &["fault"]),
    ("lag", &["session"]),
    ("new-epoch", &[]),
    ("close", &["reason"]),
];

/// Carries the command out.
///
/// # Errors
/// Wrong use; no simulator there; the simulator refuses.
pub async fn sim(frame: &Frame, args: &SimArgs) -> Result<Exit, Failure> {
    let request = request(&args.words)?;
    let path = socket(frame, args)?;
    let answer = tokio::time::timeout(frame.timeout().unwrap_or(ANSWER_TIMEOUT), ask(&path, &request)).await;
    let text = match answer {
        Ok(Ok(text)) => text,
        Ok(Err(error)) => {
            return Err(Failure::new(
                Exit::Unreachable,
                format!("no simulator answers at {}: {error}", path.display()),
            )
            .with_next("vrmd --host 'sim://?hosts=3&vms=24'"));
        }
        Err(_) => return Err(Failure::new(Exit::OutcomeUnknown, "the simulator did not answer in time")),
    };
    let answer: Value = serde_json::from_str(&text)
        .map_err(|error| Failure::new(Exit::Failed, format!("the simulator's answer cannot be read: {error}")))?;
    if let Some(error) = answer.get("error") {
        return Err(Failure::usage(refusal(error)).with_next("vrmctl sim --help"));
    }
    if frame.global.output.is_data() || answer.as_object().is_some_and(|fields| fields.len() > 1) {
        print(&data(
            &answer,
            if frame.global.output.is_data() { frame.global.output } else { super::args::Format::Yaml },
        ))?;
    } else {
        eprintln!("done");
    }
    Ok(Exit::Done)
}

fn refusal(error: &Value) -> String {
    let text = |field: &str| error.get(field).and_then(Value::as_str).unwrap_or_default().to_owned();
    match (text("field"), text("reason")) {
        (field, reason) if field.is_empty() && reason.is_empty() => format!("the simulator refuses: {error}"),
        (field, reason) => format!("{field}: {reason}"),
    }
}

/// The request of the words typed.
fn request(words: &[String]) -> Result<Value, Failure> {
    let (verb, arguments) = words.split_first().ok_or_else(|| Failure::usage("sim what?"))?;
    let verb = verb.replace('_', "-");
    let Some((_, fields)) = VERBS.iter().find(|(known, _)| *known == verb) else {
        let known: Vec<&str> = VERBS.iter().map(|(known, _)| *known).collect();
        return Err(
            Failure::usage(format!("sim {verb:?}: known are {}", known.join(" "))).with_next("vrmctl sim --help")
        );
    };
    let mut request = Map::from_iter([("do".to_owned(), json!(verb))]);
    let mut positions = fields.iter();
    for argument in arguments {
        // A fault is JSON, which may hold `=`.
        let is_json = argument.starts_with('{');
        let (field, value) = match argument.split_once('=').filter(|_| !is_json) {
            Some((field, value)) => (field.to_owned(), value),
            None => match positions.next() {
                Some(field) => ((*field).to_owned(), argument.as_str()),
                None => {
                    return Err(
                        Failure::usage(format!("sim {verb}: {argument:?} is too much")).with_next("vrmctl sim --help")
                    );
                }
            },
        };
        let value = value_of(&field, value)?;
        request.insert(field, value);
    }
    Ok(Value::Object(request))
}

/// Numbers for the fields that are numbers, JSON for faults, else text.
fn value_of(field: &str, text: &str) -> Result<Value, Failure> {
    match field {
        "delay_ms" | "changes_per_second" | "seconds" | "by" => {
            text.parse::<u64>().map(Value::from).map_err(|_| Failure::usage(format!("{field}: {text:?} is no number")))
        }
        "fault" => serde_json::from_str(text).map_err(|error| Failure::usage(format!("fault: {error}"))),
        _ => Ok(text.into()),
    }
}

/// The control socket: of the state directory given, else of the user's own daemon, else of the system's.
fn socket(frame: &Frame, args: &SimArgs) -> Result<PathBuf, Failure> {
    if let Some(directory) = &args.state_dir {
        return Ok(directory.join("sim.sock"));
    }
    let mut places = Vec::new();
    if let Ok(target) = frame.target()
        && let crate::client::Endpoint::Unix(path) = target.endpoint
        && let Some(directory) = path.parent()
    {
        // `vrmctl try` and `./dev run` keep the state beside the socket.
        places.extend([directory.join("sim.sock"), directory.join("state/sim.sock")]);
    }
    let state_home = std::env::var_os("XDG_STATE_HOME").map(PathBuf::from);
    let state_home =
        state_home.or_else(|| std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".local/state")));
    places.extend(state_home.map(|home| home.join("vrm/sim.sock")));
    places.push(PathBuf::from("/var/lib/vrm/sim.sock"));
    places.iter().find(|place| place.exists()).cloned().ok_or_else(|| {
        let places: Vec<String> = places.iter().map(|place| place.display().to_string()).collect();
        Failure::new(
            Exit::Unreachable,
            format!("no simulator found (looked at {}); give --state-dir", places.join(", ")),
        )
        .with_next("vrmd --host 'sim://?hosts=3&vms=24'")
    })
}

async fn ask(path: &std::path::Path, request: &Value) -> std::io::Result<String> {
    let mut stream = UnixStream::connect(path).await?;
    stream.write_all(format!("{request}\n").as_bytes()).await?;
    let mut answer = String::new();
    BufReader::new(stream).read_line(&mut answer).await?;
    if answer.is_empty() { Err(std::io::ErrorKind::UnexpectedEof.into()) } else { Ok(answer) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn made(words: &[&str]) -> Result<Value, Failure> {
        let words: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
        request(&words)
    }

    #[test]
    fn plain_arguments_fill_the_fields_in_order() {
        assert_eq!(made(&["drop-host", "kvm-07"]), Ok(json!({"do": "drop-host", "host": "kvm-07"})));
        assert_eq!(
            made(&["storm", "500", "seconds=10"]),
            Ok(json!({"do": "storm", "changes_per_second": 500, "seconds": 10}))
        );
        assert_eq!(made(&["restore", "vm=web-1"]), Ok(json!({"do": "restore", "vm": "web-1"})));
        assert_eq!(
            made(&["inject", r#"{"kind":"drop-host","host":"1"}"#]),
            Ok(json!({"do": "inject", "fault": {"kind": "drop-host", "host": "1"}}))
        );
        assert_eq!(made(&["status"]), Ok(json!({"do": "status"})));
    }

    #[test]
    fn what_cannot_be_meant_is_wrong_use() {
        for words in [&["drp-host", "a"][..], &["status", "a"], &["storm", "many"], &["inject", "{"]] {
            assert!(made(words).is_err(), "{words:?}");
        }
    }
}
