//! `describe`: a full page about an object, with what it is related to.

use super::args::Format;
use super::details;
use super::exit::{Exit, Failure};
use super::find::{Lookup, batch_exit, find, tell};
use super::format::{Cell, labels, word};
use super::frame::Frame;
use super::kind::{Kind, Request};
use super::output::{data, natural_key, print, warn};
use super::page::Page;
use super::sheet::host_id;
use super::states;
use crate::client::{Client, ListQuery, Object, ObjectExt, schema, time};
use crate::wire::v1;
use crate::wire::v1::ObjectClass;
use serde_json::json;
use std::collections::BTreeMap;

/// Most related objects shown of one relation.
const RELATED_SHOWN: usize = 25;

/// An object with what belongs on its page.
struct Subject {
    object: Object,
    related: Vec<v1::RelatedObject>,
    hypervisors: Vec<v1::Hypervisor>,
}

/// Carries the command out.
///
/// # Errors
/// Wrong use; a call failed.
pub async fn describe(frame: &Frame, requests: &[Request]) -> Result<Exit, Failure> {
    let classes: Vec<ObjectClass> = requests.iter().map(described_class).collect::<Result<_, _>>()?;
    let client = frame.client().await?;
    let lookup = Lookup { full: true, prefixes: true, ..Lookup::default() };
    let mut failures = Vec::new();
    let mut subjects = Vec::new();
    for (request, class) in requests.iter().zip(classes) {
        let found = find(&client, class, &request.names, &lookup).await?;
        failures.extend(found.failures);
        for object in found.list.objects {
            subjects.push(subject(&client, object).await?);
        }
    }
    show(frame, &subjects)?;
    tell(&failures);
    Ok(batch_exit(subjects.len(), &failures))
}

/// The class to describe.
///
/// # Errors
/// Wrong use: a kind without pages, or no name.
fn described_class(request: &Request) -> Result<ObjectClass, Failure> {
    let plural = request.kind.plural();
    let Some(class) = request.kind.class() else {
        return Err(Failure::usage(format!("{plural} have no page of their own"))
            .with_next(format!("vrmctl get {plural} -o wide")));
    };
    let is_single = matches!(class, ObjectClass::Cluster | ObjectClass::Vrm);
    if request.names.is_empty() && !is_single {
        return Err(Failure::usage(format!("name the {} to describe", request.kind.word()))
            .with_next(format!("vrmctl get {plural}")));
    }
    Ok(class)
}

async fn subject(client: &Client, object: Object) -> Result<Subject, Failure> {
    let related = match client.related(object.name()).await {
        Ok(related) => related,
        Err(error) => {
            warn(&format!("relations of {}: {error}", object.name()));
            Vec::new()
        }
    };
    let hypervisors = match &object {
        Object::Host(host) => hypervisors_of(client, &host.name).await?,
        Object::Hypervisor(hypervisor) => vec![hypervisor.clone()],
        _ => Vec::new(),
    };
    Ok(Subject { object, related, hypervisors })
}

async fn hypervisors_of(client: &Client, host: &str) -> Result<Vec<v1::Hypervisor>, Failure> {
    let query = ListQuery { full: true, ..ListQuery::default() };
    let list = client.list(ObjectClass::Hypervisor, &query).await;
    let list = list.map_err(|error| Failure::of_client(&error, client.target()))?;
    let of_host = list.objects.into_iter().filter(|object| object.host() == host);
    Ok(of_host
        .filter_map(|object| if let Object::Hypervisor(hypervisor) = object { Some(hypervisor) } else { None })
        .collect())
}

fn show(frame: &Frame, subjects: &[Subject]) -> Result<(), Failure> {
    match frame.global.output {
        Format::Table | Format::Wide => {
            let pages: Vec<String> = subjects.iter().map(|subject| page(frame, subject)).collect();
            print(&pages.join("\n"))
        }
        Format::Name => {
            print(&subjects.iter().map(|subject| format!("{}\n", subject.object.name())).collect::<String>())
        }
        Format::Csv => Err(Failure::usage("describe has no csv").with_next("vrmctl get KIND -o csv")),
        format => subjects.iter().try_for_each(|subject| print(&data(&document(subject), format))),
    }
}

fn document(subject: &Subject) -> serde_json::Value {
    let related: Vec<_> =
        subject.related.iter().map(|related| schema::to_json("vrm.v1.RelatedObject", related)).collect();
    let mut document = json!({ "object": schema::object_json(&subject.object), "related": related });
    if matches!(subject.object, Object::Host(_)) {
        let hypervisors = subject.hypervisors.iter().map(|hypervisor| schema::to_json("vrm.v1.Hypervisor", hypervisor));
        document["hypervisors"] = hypervisors.collect();
    }
    document
}

fn page(frame: &Frame, subject: &Subject) -> String {
    let object = &subject.object;
    let kind = Kind::Object(object.class());
    let mut page = Page::new(frame.colour);
    let name = super::sheet::title(object);
    page.section(&format!("{}/{name}", kind.word()));
    head(&mut page, frame, object);
    details::write(&mut page, &frame.clock, object);
    for hypervisor in &subject.hypervisors {
        capabilities(&mut page, hypervisor);
    }
    relations(&mut page, &subject.related);
    page.finish()
}

/// What all classes have in common, as JSON of the object tells it.
fn head(page: &mut Page, frame: &Frame, object: &Object) {
    let json = schema::object_json(object);
    let text = |path: &str| super::output::at_path(&json, path).as_str().unwrap_or_default().to_owned();
    page.field("resource name", object.name());
    page.some("DN", text("dn"));
    page.some("user label", text("user_label"));
    if let Some(map) = json.get("labels").and_then(|labels| labels.as_object()) {
        let map: BTreeMap<String, String> =
            map.iter().map(|(key, value)| (key.clone(), value.as_str().unwrap_or_default().to_owned())).collect();
        page.some("labels", labels(&map));
    }
    if let Some(references) = json.get("serviceRefs").and_then(|references| references.as_array()) {
        let references: Vec<&str> = references.iter().filter_map(|reference| reference.as_str()).collect();
        page.some("services", references.join(" "));
    }
    states_of(page, frame, object);
    page.cell("first seen", frame.clock.time_cell(text("create_time").parse().ok()));
    page.cell("last change", frame.clock.time_cell(text("update_time").parse().ok()));
    page.field("revision", format!("{} (uid {})", object.revision(), object.uid()));
}

fn states_of(page: &mut Page, frame: &Frame, object: &Object) {
    let Some(state) = object.state() else { return };
    let x731 = [
        word(state.operational().as_str_name(), "OPERATIONAL_STATE_"),
        word(state.administrative().as_str_name(), "ADMINISTRATIVE_STATE_"),
        word(state.usage().as_str_name(), "USAGE_STATE_"),
        word(state.procedural().as_str_name(), "PROCEDURAL_STATUS_"),
    ];
    let mut words: Vec<String> = x731.into_iter().filter(|word| !word.is_empty()).collect();
    words.extend(state.availability().map(|status| word(status.as_str_name(), "AVAILABILITY_STATUS_")));
    let known = if state.unknown { "unknown; last known: " } else { "" };
    page.cell("X.731 state", Cell::text(format!("{known}{}", words.join(", "))));
    if let Some(reason) = state.reason.as_ref().filter(|reason| !reason.code.is_empty()) {
        let text = if reason.text.is_empty() { String::new() } else { format!(": {}", reason.text) };
        page.field("reason", format!("{}{text}", reason.code));
    }
    page.cell("state since", frame.clock.time_cell(time(state.since.as_ref())));
    if let Some(setting) = details::expectation_of(object) {
        let origin = word(setting.origin().as_str_name(), "EXPECTATION_ORIGIN_");
        page.field("expected", format!("{} ({origin})", states::expectation(Some(setting)).text.trim_end_matches('!')));
    }
}

/// What this profile can see: the functions of an endpoint by verdict (F2).
fn capabilities(page: &mut Page, hypervisor: &v1::Hypervisor) {
    use v1::CapabilityAvailability as Verdict;
    page.section(&format!("What this profile can see through {}", hypervisor.technology));
    page.field("connection", states::connection(hypervisor.connection_state(), hypervisor.state.as_ref()).text);
    page.some("version", hypervisor.version.clone());
    page.some("libvirt", hypervisor.libvirt_version.clone());
    page.some("address", hypervisor.connection_uri.clone());
    let verdicts = [
        (Verdict::Available, "available"),
        (Verdict::NeedsManage, "needs manage"),
        (Verdict::Unsupported, "unsupported"),
        (Verdict::Unknown, "unknown"),
    ];
    for (verdict, label) in verdicts {
        let with = hypervisor.capabilities.iter().filter(|(_, value)| **value == i32::from(verdict));
        page.some(label, with.map(|(name, _)| name.as_str()).collect::<Vec<_>>().join(" "));
    }
    page.some("events", hypervisor.events.join(" "));
}

fn relations(page: &mut Page, related: &[v1::RelatedObject]) {
    let is_containment = |other: &&v1::RelatedObject| other.relation() == v1::Relation::ContainedIn;
    let mut groups: BTreeMap<String, Vec<&v1::RelatedObject>> = BTreeMap::new();
    for other in related {
        // What is related in a stronger way is not named again as merely contained.
        let is_named =
            is_containment(&other) && related.iter().any(|also| !is_containment(&also) && also.name == other.name);
        if !is_named {
            groups.entry(phrase(other)).or_default().push(other);
        }
    }
    if groups.is_empty() {
        return;
    }
    page.section("Relations");
    for (phrase, others) in groups {
        let mut names: Vec<String> = others.iter().map(|other| related_name(other)).collect();
        names.sort_by_cached_key(|name| natural_key(name));
        if names.len() > RELATED_SHOWN {
            let more = names.len() - RELATED_SHOWN;
            names.truncate(RELATED_SHOWN);
            names.push(format!("… and {more} more"));
        }
        page.field(&phrase, names.join(" "));
    }
}

/// A relation as it reads from the object described.
fn phrase(other: &v1::RelatedObject) -> String {
    use v1::Relation;
    let is_forward = other.direction() == v1::RelationDirection::Forward;
    let (forward, backward) = match other.relation() {
        Relation::RunsOn => ("runs on", "runs"),
        Relation::DefinedOn => ("defined on", "holds the definition of"),
        Relation::UsesVolume => ("uses volume", "used by"),
        Relation::StoredIn => ("stored in", "stores"),
        Relation::BackedBy => ("backed by", "is base of"),
        Relation::LiesOn => ("lies on", "carries"),
        Relation::AttachedTo => ("attached to", "attaches"),
        Relation::UplinkedBy => ("uplinked by", "uplinks"),
        Relation::SnapshotOf => ("snapshot of", "has snapshot"),
        Relation::ChildOf => ("child of", "parent of"),
        Relation::LocatedIn => ("located in", "holds image"),
        Relation::ContainedIn => ("contained in", "contains"),
        Relation::Unspecified => ("related to", "related to"),
    };
    (if is_forward { forward } else { backward }).to_owned()
}

fn related_name(other: &v1::RelatedObject) -> String {
    let word = Kind::Object(other.object_class()).word();
    let name = match other.object_class() {
        ObjectClass::Host => host_id(&other.name),
        _ if other.display_name.is_empty() => &other.name,
        _ => &other.display_name,
    };
    // Pools, volumes and networks of one name are on every host.
    match other.name.strip_prefix("hosts/").and_then(|rest| rest.split_once('/')) {
        Some((host, _)) => format!("{word}/{name}@{host}"),
        None => format!("{word}/{name}"),
    }
}
