//! `register host` and `deregister host`.

use super::args::{Format, RegisterArgs};
use super::change::{actor, refuse_selectors, request_id};
use super::exit::{Exit, Failure};
use super::find::{batch_exit, find_all, tell};
use super::format::{Cell, Tone, word};
use super::frame::Frame;
use super::host_file::{HostEntry, parse_hosts};
use super::kind::{Kind, parse_requests};
use super::output::{Row, Sheet, data, print, warn};
use super::sheet::host_id;
use crate::client::{Client, ObjectExt, schema};
use crate::wire::v1;
use crate::wire::v1::ObjectClass;
use serde_json::Value;
use std::io::{IsTerminal, Read, Write};
use std::time::Duration;

/// 65 seconds: the daemon itself takes at most 60 to contact a host.
const REGISTER_TIMEOUT: Duration = Duration::from_secs(65);

/// `register host`.
///
/// # Errors
/// Wrong use; an unreadable file; the daemon does not answer.
pub async fn register(frame: &Frame, args: &RegisterArgs) -> Result<Exit, Failure> {
    let entries = entries(args)?;
    refuse_selectors(frame)?;
    let mut client = frame.client().await?;
    if frame.timeout().is_none() {
        client = client.with_timeout(REGISTER_TIMEOUT);
    }
    let mut failures = Vec::new();
    let mut answers = Vec::new();
    for entry in &entries {
        let request = request(&client, args, entry)?;
        match send(&client, &request).await {
            Ok(answer) => answers.push((entry.shown(), answer)),
            Err(failure) => failures.push(failure),
        }
    }
    show_answers(frame, args, &answers)?;
    tell(&failures);
    Ok(batch_exit(answers.len(), &failures))
}

fn entries(args: &RegisterArgs) -> Result<Vec<HostEntry>, Failure> {
    let (kind, rest) = args.words.split_first().ok_or_else(|| Failure::usage("register what? host"))?;
    if Kind::parse(kind)? != Kind::Object(ObjectClass::Host) {
        return Err(Failure::usage(format!("{kind} cannot be registered; only hosts can"))
            .with_next("vrmctl register host ID URI"));
    }
    let mut entries = match &args.file {
        Some(path) => {
            parse_hosts(&read(path)?).map_err(|error| Failure::usage(format!("{}: {error}", path.display())))?
        }
        None => Vec::new(),
    };
    entries.extend(entry_of_words(rest)?);
    if entries.is_empty() {
        return Err(Failure::usage("give the address of the host, or a file with -f")
            .with_next("vrmctl register host kvm-07 qemu+ssh://vrm@kvm-07/system --dry-run"));
    }
    Ok(entries)
}

fn read(path: &std::path::Path) -> Result<String, Failure> {
    let mut text = String::new();
    let read = if path.as_os_str() == "-" {
        std::io::stdin().read_to_string(&mut text).map(drop)
    } else {
        std::fs::read_to_string(path).map(|found| text = found)
    };
    read.map_err(|error| Failure::usage(format!("{}: {error}", path.display())))?;
    Ok(text)
}

/// `[ID] URI…`.
fn entry_of_words(words: &[String]) -> Result<Option<HostEntry>, Failure> {
    let is_uri = |word: &&String| word.contains(':');
    let id = words.first().filter(|word| !is_uri(word)).cloned();
    let uris: Vec<String> = words.iter().skip(usize::from(id.is_some())).cloned().collect();
    if let Some(odd) = uris.iter().find(|word| !is_uri(word)) {
        return Err(Failure::usage(format!(
            "{odd:?} is no address: write [ID] URI…, e.g. qemu+ssh://vrm@kvm-07/system"
        )));
    }
    if id.is_some() && uris.is_empty() {
        return Err(Failure::usage(format!("the address of host {:?} is missing", id.unwrap_or_default()))
            .with_next("vrmctl register host kvm-07 qemu+ssh://vrm@kvm-07/system --dry-run"));
    }
    Ok((!uris.is_empty()).then(|| HostEntry { id, uris, ..HostEntry::default() }))
}

fn request(client: &Client, args: &RegisterArgs, entry: &HostEntry) -> Result<v1::RegisterHostRequest, Failure> {
    let profile = match entry.profile.as_deref().or(args.profile.as_deref()) {
        None => v1::Profile::Unspecified,
        Some("monitor") => v1::Profile::Monitor,
        Some("manage") => v1::Profile::Manage,
        Some(other) => return Err(Failure::usage(format!("profile {other:?}: monitor or manage"))),
    };
    let mut labels = entry.labels.clone();
    for label in &args.labels {
        let (key, value) =
            label.split_once('=').ok_or_else(|| Failure::usage(format!("label {label:?}: write k=v")))?;
        labels.insert(key.to_owned(), value.to_owned());
    }
    Ok(v1::RegisterHostRequest {
        host_id: entry.id.clone().unwrap_or_default(),
        uris: entry.uris.clone(),
        credential: entry.credential.clone().or_else(|| args.credential.clone()).unwrap_or_default(),
        profile: profile.into(),
        allow_insecure: entry.allow_insecure || args.allow_insecure,
        labels,
        request_id: request_id(),
        validate_only: args.dry_run,
        actor: actor(client.target()),
    })
}

async fn send(client: &Client, request: &v1::RegisterHostRequest) -> Result<v1::RegisterHostResponse, Failure> {
    let name = if request.host_id.is_empty() { request.uris.join(" ") } else { request.host_id.clone() };
    client
        .call(|| {
            let (mut hosts, request) = (client.hosts(), request.clone());
            async move { hosts.register_host(request).await }
        })
        .await
        .map_err(|error| Failure::of_call(&error, client.target(), &format!("host/{name}")))
}

fn show_answers(
    frame: &Frame,
    args: &RegisterArgs,
    answers: &[(String, v1::RegisterHostResponse)],
) -> Result<(), Failure> {
    if frame.global.output.is_data() {
        let all = answers.iter().map(|(_, answer)| schema::to_json("vrm.v1.RegisterHostResponse", answer));
        return all.into_iter().try_for_each(|json| print(&data(&json, frame.global.output)));
    }
    for (shown, answer) in answers {
        for warning in &answer.warnings {
            warn(&format!("host/{}: {warning}", host_name(shown, answer)));
        }
        if !args.dry_run {
            eprintln!("host/{}: registered", host_name(shown, answer));
        }
    }
    let probes = answers
        .iter()
        .flat_map(|(shown, answer)| answer.probes.iter().map(move |probe| probe_row(host_name(shown, answer), probe)));
    let rows: Vec<Row> = probes.collect();
    if rows.is_empty() {
        return Ok(());
    }
    let heads = ["HOST", "ADDRESS", "REACHABLE", "TECH", "VERSION", "LIBVIRT", "PROFILE", "REMARKS"];
    let sheet = Sheet { heads: heads.iter().map(|head| ((*head).to_owned(), false)).collect(), rows };
    let grid = sheet.grid(&frame.style())?;
    match frame.global.output {
        Format::Csv => print(&grid.csv(frame.global.no_headers)),
        _ => print(&grid.draw(&frame.style(), &[])),
    }
}

fn host_name<'a>(shown: &'a str, answer: &'a v1::RegisterHostResponse) -> &'a str {
    if answer.name.is_empty() { shown } else { host_id(&answer.name) }
}

fn probe_row(host: &str, probe: &v1::EndpointProbe) -> Row {
    let tone = if probe.reachable { Tone::Good } else { Tone::Bad };
    let mut remarks = probe.warnings.clone();
    if !probe.error.is_empty() {
        remarks.insert(0, probe.error.clone());
    }
    let cells = vec![
        Cell::text(host),
        Cell::text(probe.uri.clone()),
        Cell::flag(probe.reachable).toned(tone),
        Cell::text(probe.technology.clone()),
        Cell::text(probe.version.clone()),
        Cell::text(probe.libvirt_version.clone()),
        Cell::text(word(probe.profile_possible().as_str_name(), "PROFILE_")),
        Cell::text(remarks.join("; ")),
    ];
    Row { context: None, name: format!("hosts/{host}"), title: host.to_owned(), json: Value::Null, cells }
}

/// What `deregister` may do.
#[derive(Clone, Copy, Debug)]
pub struct Consent {
    /// Also with machines running there.
    pub force: bool,
    /// Change nothing.
    pub dry_run: bool,
    /// Number of hosts agreed to.
    pub yes: Option<usize>,
}

/// `deregister host`.
///
/// # Errors
/// Wrong use; no consent; a name that means nothing; the daemon does not answer.
pub async fn deregister(
    frame: &Frame,
    words: &[String],
    consent: Consent,
    stdin: &mut dyn FnMut() -> Vec<String>,
) -> Result<Exit, Failure> {
    let requests = parse_requests(words, stdin)?;
    if requests.iter().any(|request| request.kind != Kind::Object(ObjectClass::Host)) {
        return Err(Failure::usage("only hosts can be deregistered").with_next("vrmctl deregister host NAME"));
    }
    refuse_selectors(frame)?;
    let client = frame.client().await?;
    let objects = find_all(&client, &requests).await?;
    let names: Vec<&str> = objects.iter().map(|(_, object)| object.name()).collect();
    if !consent.dry_run {
        agree("deregister", &names, consent.yes)?;
    }
    let mut failures = Vec::new();
    let mut done = 0;
    for (_, object) in &objects {
        let request = v1::DeregisterHostRequest {
            name: object.name().to_owned(),
            force: consent.force,
            etag: String::new(),
            request_id: request_id(),
            validate_only: consent.dry_run,
            actor: actor(client.target()),
        };
        match send_removal(&client, &request).await {
            Ok(answer) => {
                done += 1;
                tell_removal(frame, object.name(), &answer, consent.dry_run)?;
            }
            Err(failure) => failures.push(failure),
        }
    }
    tell(&failures);
    Ok(batch_exit(done, &failures))
}

async fn send_removal(
    client: &Client,
    request: &v1::DeregisterHostRequest,
) -> Result<v1::DeregisterHostResponse, Failure> {
    client
        .call(|| {
            let (mut hosts, request) = (client.hosts(), request.clone());
            async move { hosts.deregister_host(request).await }
        })
        .await
        .map_err(|error| {
            let host = host_id(&request.name);
            let failure = Failure::of_call(&error, client.target(), &format!("host/{host}"));
            match error.reason() {
                v1::ErrorReason::NotEmpty | v1::ErrorReason::ObjectStateUnknown => {
                    failure.with_next(format!("vrmctl deregister host {host} --force"))
                }
                _ => failure,
            }
        })
}

fn tell_removal(frame: &Frame, name: &str, answer: &v1::DeregisterHostResponse, dry_run: bool) -> Result<(), Failure> {
    if frame.global.output.is_data() {
        return print(&data(&schema::to_json("vrm.v1.DeregisterHostResponse", answer), frame.global.output));
    }
    let done = if dry_run { "would be deregistered" } else { "deregistered" };
    eprintln!("host/{}: {done} with {} objects; nothing on the host changed", host_id(name), answer.removed_count);
    Ok(())
}

/// Asks before something is done to several objects; without a terminal `--yes N` must name their number.
///
/// # Errors
/// Wrong use: no consent, or to another number.
pub fn agree(verb: &str, names: &[&str], yes: Option<usize>) -> Result<(), Failure> {
    match yes {
        Some(count) if count == names.len() => return Ok(()),
        Some(count) => {
            return Err(Failure::usage(format!("--yes {count} was given, but {} objects are concerned", names.len())));
        }
        None if names.len() < 2 => return Ok(()),
        None => {}
    }
    if !std::io::stdin().is_terminal() {
        return Err(Failure::usage(format!("{verb} {} objects: confirm with --yes {}", names.len(), names.len())));
    }
    eprint!("{verb} these {} objects?\n  {}\nType {} to go on: ", names.len(), names.join("\n  "), names.len());
    let _ = std::io::stderr().flush();
    let mut answer = String::new();
    let read = std::io::stdin().read_line(&mut answer);
    if read.is_ok() && answer.trim() == names.len().to_string() {
        Ok(())
    } else {
        Err(Failure::usage("nothing was done"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(words: &[&str]) -> Result<Option<HostEntry>, Failure> {
        let words: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
        entry_of_words(&words)
    }

    fn host(id: Option<&str>, uri: &str) -> HostEntry {
        HostEntry { id: id.map(str::to_owned), uris: vec![uri.to_owned()], ..HostEntry::default() }
    }

    #[test]
    fn an_id_may_stand_before_the_addresses() {
        let uri = "qemu+ssh://vrm@kvm-07/system".to_owned();
        assert_eq!(entry(&["kvm-07", &uri]), Ok(Some(host(Some("kvm-07"), &uri))));
        assert_eq!(entry(&[&uri]), Ok(Some(host(None, &uri))));
        assert_eq!(entry(&[]), Ok(None));
        assert!(entry(&["kvm-07"]).is_err());
        assert!(entry(&["kvm-07", "kvm-08", &uri]).is_err());
    }

    #[test]
    fn several_objects_need_their_number() {
        assert!(agree("deregister", &["hosts/a"], None).is_ok());
        assert!(agree("deregister", &["hosts/a", "hosts/b"], Some(2)).is_ok());
        assert!(agree("deregister", &["hosts/a", "hosts/b"], Some(3)).is_err());
    }
}
