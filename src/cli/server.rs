//! `info`, `summary`, `check alive` and `end session`: about the daemon as a whole.

use super::alarm;
use super::details;
use super::exit::{Exit, Failure};
use super::find::{batch_exit, tell};
use super::format::{Cell, Tone, short_span, word};
use super::frame::Frame;
use super::get::{incomplete_text, is_silent};
use super::kind::{Kind, Request};
use super::output::{data, print, warn, with_context};
use super::page::Page;
use super::states;
use crate::client::{Client, ListQuery, Object, ObjectList, Target, schema, span, time};
use crate::wire::v1;
use crate::wire::v1::ObjectClass;
use futures_util::future::join_all;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::future::Future;

/// Asks every daemon meant and shows what each answers; those that do not are told on standard error.
async fn each<F, Fut>(frame: &Frame, ask: F) -> Result<Exit, Failure>
where
    F: Fn(Client) -> Fut,
    Fut: Future<Output = Result<(String, Value), Failure>>,
{
    let targets = frame.targets()?;
    let asked = targets.iter().map(|target| async {
        let client = frame.connect(target).await.map_err(|error| Failure::of_client(&error, target))?;
        ask(client).await
    });
    let answers = join_all(asked).await;
    let mut exit = Exit::Done;
    for (target, answer) in targets.iter().zip(answers) {
        match answer {
            Ok((text, json)) if frame.global.output.is_data() => {
                let json = with_context(json, frame.mark(target).as_ref());
                print(&if text.is_empty() { String::new() } else { data(&json, frame.global.output) })?;
            }
            Ok((text, _)) => print(&titled(frame, target, text))?,
            Err(failure) if frame.global.all_contexts => {
                eprintln!("error: context {}: {failure}", target.label);
                exit = Exit::Partly;
            }
            Err(failure) => return Err(failure),
        }
    }
    Ok(exit)
}

fn titled(frame: &Frame, target: &Target, text: String) -> String {
    if frame.global.all_contexts { format!("{}:\n{text}\n", target.label) } else { text }
}

/// `info`.
///
/// # Errors
/// The daemon does not answer.
pub async fn info(frame: &Frame) -> Result<Exit, Failure> {
    each(frame, |client| async move {
        let facts = client.server_info().await.map_err(|error| Failure::of_client(&error, client.target()))?;
        let json = schema::to_json("vrm.v1.ServerInfo", &facts);
        Ok((info_page(frame, client.target(), &facts), json))
    })
    .await
}

fn info_page(frame: &Frame, target: &Target, facts: &v1::ServerInfo) -> String {
    let mut page = Page::new(frame.colour);
    page.section("Daemon");
    page.field("address", target.endpoint.to_string());
    page.field("VRM", facts.vrm_id.clone());
    page.some("DN", facts.system_dn.clone());
    page.some("cluster", facts.cluster_id.clone());
    page.field("version", facts.server_version.clone());
    page.field("profile", profile_text(facts.profile()));
    let hosts = facts.hosts.unwrap_or_default();
    let tone = if hosts.lost > 0 { Tone::Bad } else { Tone::Plain };
    page.cell("hosts", Cell::text(hosts_text(&hosts)).toned(tone));
    page.cell("started", frame.clock.time_cell(time(facts.start_time.as_ref())));
    page.some("up for", span(facts.uptime.as_ref()).map(short_span).unwrap_or_default());
    page.some("listens on", facts.listeners.join(" "));
    if facts.insecure_loopback {
        let text = "--insecure-loopback: everybody on this machine may read everything";
        page.cell("warning", Cell::text(text).toned(Tone::Warn));
    }
    let clock = facts.clock_synchronized.map(|is| if is { "synchronised" } else { "NOT synchronised" });
    page.field("clock", clock.unwrap_or("not known whether synchronised"));
    if let Some(status) =
        facts.list_status.as_ref().filter(|status| status.state() == v1::list_status::State::PotentiallyFaulty)
    {
        let text = format!("may be old: {} {}", word(status.reason().as_str_name(), "REASON_"), status.scope.join(" "));
        page.cell("state", Cell::text(text.trim().to_owned()).toned(Tone::Warn));
    }
    if let Some(figures) = &facts.alarm_figures {
        alarm_figures(&mut page, figures);
    }
    if let Some(caller) = &facts.caller {
        page.section("You");
        page.field("identity", caller.principal.clone());
        page.field("roles", caller.roles.join(" "));
        page.some("from", caller.peer.clone());
    }
    limits(&mut page, facts);
    page.finish()
}

fn alarm_figures(page: &mut Page, figures: &v1::AlarmFigures) {
    page.section("Alarms since start");
    let latency = |stage: Option<&v1::AlarmLatencyFigures>| match stage.filter(|stage| stage.changes > 0) {
        None => "nothing measured yet".to_owned(),
        Some(stage) => {
            let bound = |bound: Option<&prost_types::Duration>| match span(bound) {
                Some(bound) => format!("{} ms", bound.as_millis()),
                None => "more than 10 s".to_owned(),
            };
            let (half, most) = (bound(stage.p50.as_ref()), bound(stage.p99.as_ref()));
            format!("half within {half}, 99 % within {most}, of {} changes", stage.changes)
        }
    };
    page.field("seen to committed", latency(figures.committed.as_ref()));
    page.field("seen to subscriber", latency(figures.handed.as_ref()));
    let v1::AlarmFigures { repeats, absorbed, reclassified, crowded_out, coalesced, .. } = figures;
    let merged = format!("{coalesced} changes told with a later one, {repeats} repeats, {absorbed} absorbed");
    page.field("merged", merged);
    if reclassified + crowded_out > 0 {
        page.field("other", format!("{reclassified} reclassified, {crowded_out} left a full list unacknowledged"));
    }
}

fn limits(page: &mut Page, facts: &v1::ServerInfo) {
    page.section("Change log and limits");
    if let Some(head) = &facts.head {
        page.field("head", format!("{} of epoch {}", head.sequence, head.epoch));
    }
    if let (Some(state), Some(transitions)) = (&facts.oldest_state, &facts.oldest_transitions) {
        page.field("resumable after", format!("{} (states), {} (transitions)", state.sequence, transitions.sequence));
    }
    if let Some(retention) = &facts.retention {
        let tombstones = span(retention.tombstones.as_ref()).map(short_span).unwrap_or_default();
        page.field("removed objects kept", format!("{tombstones}, at most {}", retention.tombstones_count));
    }
    if let Some(limits) = &facts.limits {
        page.field(
            "watches",
            format!("{}, of one remote principal {}", limits.watches_total, limits.watches_per_principal),
        );
        page.field("connections", format!("{}, of one address {}", limits.connections, limits.connections_per_address));
        page.field(
            "pages",
            format!("{} objects or {}", limits.page_size, super::format::size(limits.page_bytes.into())),
        );
    }
    page.some("services", facts.supported_services.join(" "));
    let refused = facts.supported_operations.iter().filter(|operation| !operation.available).count();
    if refused > 0 {
        page.field("refused by profile", format!("{refused} operations (see -o json)"));
    }
}

fn profile_text(profile: v1::Profile) -> String {
    match profile {
        v1::Profile::Monitor => "monitor (read-only: hosts cannot be changed)".to_owned(),
        other => word(other.as_str_name(), "PROFILE_"),
    }
}

fn hosts_text(hosts: &v1::HostSummary) -> String {
    let parts = [(hosts.connecting, "connecting"), (hosts.degraded, "degraded"), (hosts.lost, "lost")];
    let mut text = format!("{} of {} connected", hosts.connected, hosts.total);
    for (count, name) in parts.iter().filter(|(count, _)| *count > 0) {
        text.push_str(&format!(", {count} {name}"));
    }
    text
}

/// `summary`.
///
/// # Errors
/// The daemon does not answer.
pub async fn summary(frame: &Frame) -> Result<Exit, Failure> {
    each(frame, |client| async move {
        let list = |class| {
            let client = client.clone();
            async move {
                client
                    .list(class, &ListQuery::default())
                    .await
                    .map_err(|error| Failure::of_client(&error, client.target()))
            }
        };
        let (hosts, machines) =
            futures_util::future::try_join(list(ObjectClass::Host), list(ObjectClass::VirtualMachine)).await?;
        let (pools, clusters) =
            futures_util::future::try_join(list(ObjectClass::StoragePool), list(ObjectClass::Cluster)).await?;
        if !hosts.incomplete_hosts.is_empty() {
            let mark = frame.mark(client.target());
            warn(&incomplete_text(
                &hosts.incomplete_hosts,
                Some(hosts.objects.len()),
                is_silent(hosts.list_status.as_ref()),
                mark.as_deref(),
            ));
        }
        let alarms = alarm::counted(&client).await?;
        Ok(summarise(frame, &hosts, &machines, &pools, &clusters, alarms.as_ref()))
    })
    .await
}

fn summarise(
    frame: &Frame,
    hosts: &ObjectList,
    machines: &ObjectList,
    pools: &ObjectList,
    clusters: &ObjectList,
    alarms: Option<&v1::SummarizeAlarmsResponse>,
) -> (String, Value) {
    let mut page = Page::new(frame.colour);
    let (host_counts, vm_counts, unexpected) = (host_counts(hosts), machine_counts(machines), unexpected(machines));
    let full: Vec<String> = pools.objects.iter().filter_map(full_pool).collect();
    page.section("Summary");
    page.field("hosts", counts_text(hosts.objects.len(), &host_counts));
    page.field("machines", counts_text(machines.objects.len(), &vm_counts));
    let tone = if unexpected.is_empty() { Tone::Good } else { Tone::Bad };
    page.cell("not as expected", Cell::text(some_of(&unexpected)).toned(tone));
    page.field("pools", format!("{}, over 90 % full: {}", pools.objects.len(), some_of(&full)));
    for object in &clusters.objects {
        if let Object::Cluster(cluster) = object {
            details::capacity(&mut page, cluster.figures.as_ref().and_then(|figures| figures.capacity.as_ref()));
        }
    }
    if let Some(alarms) = alarms {
        alarm::summary_lines(&mut page, alarms);
    }
    let mut json = json!({
        "hosts": host_counts, "virtualMachines": vm_counts, "unexpected": unexpected,
        "storagePools": pools.objects.len(), "fullPools": full, "incompleteHosts": hosts.incomplete_hosts,
    });
    if let Some(alarms) = alarms {
        json["alarms"] = alarm::summary_json(alarms);
    }
    (page.finish(), json)
}

fn host_counts(hosts: &ObjectList) -> BTreeMap<String, usize> {
    count(hosts.objects.iter().filter_map(|object| match object {
        Object::Host(host) => Some(word(host.connection_state().as_str_name(), "CONNECTION_STATE_")),
        _ => None,
    }))
}

fn machine_counts(machines: &ObjectList) -> BTreeMap<String, usize> {
    count(machines.objects.iter().filter_map(|object| match object {
        Object::VirtualMachine(vm) if vm.state.as_ref().is_some_and(|state| state.unknown) => {
            Some("unknown".to_owned())
        }
        Object::VirtualMachine(vm) => Some(word(vm.run_state().as_str_name(), "RUN_STATE_")),
        _ => None,
    }))
}

fn unexpected(machines: &ObjectList) -> Vec<String> {
    let found = machines.objects.iter().filter_map(|object| match object {
        Object::VirtualMachine(vm) if states::is_unexpected(vm) => Some(vm.display_name.clone()),
        _ => None,
    });
    found.collect()
}

fn full_pool(object: &Object) -> Option<String> {
    let Object::StoragePool(pool) = object else { return None };
    let figures = pool.figures.as_ref()?;
    let (used, total) = (figures.allocation_bytes?, figures.capacity_bytes.filter(|total| *total > 0)?);
    let name = format!("{}@{}", pool.display_name, super::sheet::host_id(&pool.host));
    (u128::from(used) * 100 > u128::from(total) * 90).then_some(name)
}

fn count(words: impl Iterator<Item = String>) -> BTreeMap<String, usize> {
    words.fold(BTreeMap::new(), |mut counts, word| {
        *counts.entry(word).or_default() += 1;
        counts
    })
}

fn counts_text(total: usize, counts: &BTreeMap<String, usize>) -> String {
    let parts: Vec<String> = counts.iter().map(|(word, count)| format!("{count} {word}")).collect();
    if parts.is_empty() { total.to_string() } else { format!("{total}: {}", parts.join(", ")) }
}

fn some_of(names: &[String]) -> String {
    const SHOWN: usize = 8;
    match names.len() {
        0 => "none".to_owned(),
        count if count > SHOWN => format!("{} and {} more", names[..SHOWN].join(" "), count - SHOWN),
        _ => names.join(" "),
    }
}

/// `check alive`: exit 0 or 2, one line, as Nagios and its kin read it.
///
/// # Errors
/// Wrong use.
pub async fn check_alive(frame: &Frame) -> Result<u8, Failure> {
    let targets = frame.targets()?;
    let checks = join_all(targets.iter().map(|target| alive(frame, target))).await;
    let mut worst = 0;
    for (target, check) in targets.iter().zip(checks) {
        match check {
            Ok(text) => print(&format!("OK: {}: {text}\n", target.label))?,
            Err(text) => {
                print(&format!("CRITICAL: {}: {text}\n", target.label))?;
                worst = 2;
            }
        }
    }
    Ok(worst)
}

async fn alive(frame: &Frame, target: &Target) -> Result<String, String> {
    let told = |error| Failure::of_client(&error, target).what;
    let client = frame.connect(target).await.map_err(told)?;
    if !client.is_serving("").await.map_err(told)? {
        return Err("the daemon answers but is not serving".to_owned());
    }
    let facts = client.server_info().await.map_err(told)?;
    Ok(format!("{} {}, hosts: {}", facts.vrm_id, facts.server_version, hosts_text(&facts.hosts.unwrap_or_default())))
}

/// `end session`.
///
/// # Errors
/// Wrong use; the daemon does not answer.
pub async fn end_sessions(frame: &Frame, requests: &[Request]) -> Result<Exit, Failure> {
    let client = frame.client().await?;
    let mut failures = Vec::new();
    let mut done = 0;
    for request in requests {
        if request.kind != Kind::Session || request.names.is_empty() {
            return Err(Failure::usage("end is for sessions: end session ID…").with_next("vrmctl get sessions"));
        }
        for id in &request.names {
            let name = if id.starts_with("sessions/") { id.clone() } else { format!("sessions/{id}") };
            match close(&client, &name).await {
                Ok(()) => {
                    done += 1;
                    eprintln!("session/{} ended", name.trim_start_matches("sessions/"));
                }
                Err(failure) => failures.push(failure),
            }
        }
    }
    tell(&failures);
    Ok(batch_exit(done, &failures))
}

async fn close(client: &Client, name: &str) -> Result<(), Failure> {
    let request = v1::CloseSessionRequest { name: name.to_owned(), actor: super::change::actor(client.target()) };
    let closed = client
        .call(|| {
            let (mut admin, request) = (client.admin(), request.clone());
            async move { admin.close_session(request).await }
        })
        .await;
    closed.map(drop).map_err(|error| Failure::of_call(&error, client.target(), name))
}
