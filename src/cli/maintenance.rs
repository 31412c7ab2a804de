//! `lock host` and `unlock host`: maintenance, the VRM's own data, so it works in every profile.

use super::alarm_args::{LockArgs, UnlockArgs};
use super::change::{Batch, actor, refuse_selectors, request_id};
use super::exit::{Exit, Failure};
use super::find::find_all;
use super::frame::Frame;
use super::kind::{Kind, parse_requests};
use crate::client::{Client, Object, ObjectExt};
use crate::wire::v1;
use crate::wire::v1::ObjectClass;

/// `lock host`.
///
/// # Errors
/// Wrong use; a name that means nothing; the daemon does not answer.
pub async fn lock(frame: &Frame, args: &LockArgs, stdin: &mut dyn FnMut() -> Vec<String>) -> Result<Exit, Failure> {
    let (client, hosts) = hosts(frame, "lock", &args.words, stdin).await?;
    let until = args.end.end().map(|end| prost_types::Timestamp { seconds: end.as_second(), nanos: 0 });
    let mut batch = Batch::new(frame, "in maintenance: its alarms are kept, but not told", args.dry_run);
    for (kind, host) in &hosts {
        let request = v1::LockHostRequest {
            name: host.name().to_owned(),
            etag: String::new(),
            reason: args.reason.clone(),
            until,
            request_id: request_id(),
            validate_only: args.dry_run,
            actor: actor(client.target()),
        };
        let call = || {
            let (mut service, request) = (client.hosts(), request.clone());
            async move { service.lock_host(request).await }
        };
        let result = client.call(call).await.map(|host| Some(Object::Host(host)));
        batch.note(&client, *kind, host, result)?;
    }
    Ok(batch.finish())
}

/// `unlock host`.
///
/// # Errors
/// Wrong use; a name that means nothing; the daemon does not answer.
pub async fn unlock(frame: &Frame, args: &UnlockArgs, stdin: &mut dyn FnMut() -> Vec<String>) -> Result<Exit, Failure> {
    let (client, hosts) = hosts(frame, "unlock", &args.words, stdin).await?;
    let mut batch = Batch::new(frame, "out of maintenance", args.dry_run);
    for (kind, host) in &hosts {
        let request = v1::UnlockHostRequest {
            name: host.name().to_owned(),
            etag: String::new(),
            request_id: request_id(),
            validate_only: args.dry_run,
            actor: actor(client.target()),
        };
        let call = || {
            let (mut service, request) = (client.hosts(), request.clone());
            async move { service.unlock_host(request).await }
        };
        let result = client.call(call).await.map(|host| Some(Object::Host(host)));
        batch.note(&client, *kind, host, result)?;
    }
    Ok(batch.finish())
}

async fn hosts(
    frame: &Frame,
    verb: &str,
    words: &[String],
    stdin: &mut dyn FnMut() -> Vec<String>,
) -> Result<(Client, Vec<(Kind, Object)>), Failure> {
    let requests = parse_requests(words, stdin)?;
    if let Some(wrong) = requests.iter().find(|request| request.kind != Kind::Object(ObjectClass::Host)) {
        return Err(Failure::usage(format!("{verb} is for hosts, not for {}", wrong.kind.plural()))
            .with_next(format!("vrmctl {verb} host NAME")));
    }
    refuse_selectors(frame)?;
    let client = frame.client().await?;
    let hosts = find_all(&client, &requests).await?;
    Ok((client, hosts))
}
