//! The control socket: one JSON request a line, one answer each (`vrmctl sim …`).
//!
//! A request is `{"do": VERB, …}`: a kind of [`Fault`] with its fields, `inject` with a whole
//! `fault`, `status`, or a verb for the daemon itself (`lag`, `new-epoch`, `close`). The answer is
//! `{"ok":true, …}` or `{"error":{"field":…,"reason":…}}`. What cannot be read is answered too.

use super::fault::{Fault, FaultError, MAX_LINE};
use super::stage::{SimHandle, Stage};
use futures_util::future::BoxFuture;
use serde_json::{Value, json};
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::Path;
use std::sync::Arc;
use tokio::io::{AsyncBufRead, AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::Semaphore;

/// Verbs that are for the daemon, not for the simulated world.
pub const DAEMON_VERBS: [&str; 3] = ["lag", "new-epoch", "close"];
/// Connections served at a time; more wait.
const MAX_CONNECTIONS: usize = 16;

/// What the daemon does for the verbs in [`DAEMON_VERBS`].
pub trait ControlHook: Send + Sync {
    /// Carries out a verb; `request` is the whole request. The answer's fields are added to `{"ok":true}`.
    ///
    /// # Errors
    /// [`FaultError`] naming the field at fault.
    fn handle<'a>(&'a self, verb: &'a str, request: &'a Value) -> BoxFuture<'a, Result<Value, FaultError>>;
}

/// A hook for daemons that carry out none of these verbs.
#[derive(Clone, Copy, Debug)]
pub struct NoHook;

impl ControlHook for NoHook {
    fn handle<'a>(&'a self, verb: &'a str, _: &'a Value) -> BoxFuture<'a, Result<Value, FaultError>> {
        Box::pin(async move { Err(FaultError::new("do", format!("{verb}: not handled here"))) })
    }
}

/// Binds the control socket for its owner only; a stale one is replaced.
///
/// # Errors
/// As the system reports them.
pub fn bind_control(path: &Path) -> std::io::Result<UnixListener> {
    // Made in a private directory and moved: at no moment can anybody else connect.
    let mut hidden = path.as_os_str().to_owned();
    hidden.push(".d");
    let hidden = std::path::PathBuf::from(hidden);
    if hidden.exists() {
        std::fs::remove_dir_all(&hidden)?;
    }
    std::fs::DirBuilder::new().mode(0o700).create(&hidden)?;
    let socket = hidden.join("s");
    let listener = UnixListener::bind(&socket)?;
    std::fs::set_permissions(&socket, std::fs::Permissions::from_mode(0o600))?;
    std::fs::rename(&socket, path)?;
    std::fs::remove_dir(&hidden)?;
    Ok(listener)
}

/// Answers requests until it is dropped.
pub async fn serve_control(listener: UnixListener, handle: SimHandle, hook: Arc<dyn ControlHook>) {
    let room = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    let mut connections = tokio::task::JoinSet::new();
    loop {
        let Ok(permit) = Arc::clone(&room).acquire_owned().await else { return };
        let Ok((stream, _)) = listener.accept().await else {
            // Out of descriptors, most likely: give others time to free some.
            tokio::time::sleep(std::time::Duration::from_millis(100)).await;
            continue;
        };
        while connections.try_join_next().is_some() {}
        let (handle, hook) = (handle.clone(), Arc::clone(&hook));
        connections.spawn(async move {
            if let Err(error) = converse(stream, &handle, hook.as_ref()).await {
                tracing::debug!(%error, "simulator control connection ended");
            }
            drop(permit);
        });
    }
}

async fn converse(stream: UnixStream, handle: &SimHandle, hook: &dyn ControlHook) -> std::io::Result<()> {
    let (reader, mut writer) = stream.into_split();
    let mut reader = BufReader::new(reader);
    while let Some(line) = read_line(&mut reader).await? {
        let answer = match line {
            Ok(line) => answer(&line, handle, hook).await,
            Err(error) => failure(&error),
        };
        let mut text = answer.to_string();
        text.push('\n');
        writer.write_all(text.as_bytes()).await?;
    }
    Ok(())
}

/// The next line without its end; an error in its place if it is too long; nothing at the end.
async fn read_line(reader: &mut (impl AsyncBufRead + Unpin)) -> std::io::Result<Option<Result<Vec<u8>, FaultError>>> {
    let mut line = Vec::new();
    let mut too_long = false;
    loop {
        let buffer = reader.fill_buf().await?;
        if buffer.is_empty() {
            return Ok((!line.is_empty() || too_long).then_some(Ok(line)));
        }
        let end = buffer.iter().position(|byte| *byte == b'\n');
        let taken = end.unwrap_or(buffer.len());
        too_long |= line.len() + taken > MAX_LINE;
        if !too_long {
            line.extend_from_slice(&buffer[..taken]);
        }
        reader.consume(end.map_or(taken, |end| end + 1));
        if end.is_some() {
            let reason = || FaultError::new("line", format!("at most {MAX_LINE} bytes"));
            return Ok(Some(if too_long { Err(reason()) } else { Ok(line) }));
        }
    }
}

async fn answer(line: &[u8], handle: &SimHandle, hook: &dyn ControlHook) -> Value {
    match carry_out(line, handle, hook).await {
        Ok(Value::Object(mut fields)) => {
            fields.insert("ok".to_owned(), true.into());
            Value::Object(fields)
        }
        Ok(_) => json!({ "ok": true }),
        Err(error) => failure(&error),
    }
}

async fn carry_out(line: &[u8], handle: &SimHandle, hook: &dyn ControlHook) -> Result<Value, FaultError> {
    let request: Value = serde_json::from_slice(line).map_err(|error| FaultError::new("json", error.to_string()))?;
    let Some(verb) = request.get("do").and_then(Value::as_str).map(|verb| verb.replace('_', "-")) else {
        return Err(FaultError::new("do", "missing: a verb such as \"status\" or \"drop-host\""));
    };
    match verb.as_str() {
        "status" => Ok(status(handle)),
        verb if DAEMON_VERBS.contains(&verb) => hook.handle(verb, &request).await,
        "inject" => {
            let fault = request.get("fault").cloned().ok_or_else(|| FaultError::new("fault", "missing"))?;
            handle.inject(&Fault::from_json(fault)?).map(|()| Value::Null)
        }
        _ => handle.inject(&Fault::from_json(as_fault(request, verb))?).map(|()| Value::Null),
    }
}

/// `{"do":"drop-host","host":"sim-1"}` as the fault it stands for.
fn as_fault(mut request: Value, verb: String) -> Value {
    if let Some(fields) = request.as_object_mut() {
        fields.remove("do");
        fields.insert("kind".to_owned(), verb.into());
    }
    request
}

fn failure(error: &FaultError) -> Value {
    json!({ "error": { "field": error.field, "reason": error.reason } })
}

fn status(handle: &SimHandle) -> Value {
    json!({ "worlds": handle.stages().iter().map(|stage| world_status(stage)).collect::<Vec<_>>() })
}

fn world_status(stage: &Stage) -> Value {
    let connected = stage.connected();
    stage.look(|world, now| {
        let hosts = (0..).zip(world.hosts()).map(|(index, id)| {
            json!({
                "id": id.as_str(),
                "connected": connected.contains(&index),
                "machines": world.machines(index).len(),
                "trouble": world.host_trouble(index).map(super::overlay::HostTrouble::as_str),
            })
        });
        json!({ "time": now.to_string(), "skipped": world.skipped(), "hosts": hosts.collect::<Vec<_>>(), "faults": world.faults() })
    })
}
