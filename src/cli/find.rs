//! Finds the objects that names mean, with as little reading as possible.

use super::exit::{Exit, Failure};
use super::kind::{Kind, Request};
use super::reference::Reference;
use super::selector::join;
use crate::client::{Client, ListQuery, Object, ObjectList};
use crate::wire::v1::ObjectClass;

/// More names than this are looked up in one list of everything.
const SINGLE_LOOKUPS: usize = 16;

/// How names are looked up.
#[derive(Clone, Debug, Default)]
pub struct Lookup {
    /// Filter that what is found must pass too.
    pub filter: String,
    /// Everything of the objects.
    pub full: bool,
    /// Prefixes stand for names (only when reading).
    pub prefixes: bool,
}

/// What was found, and the names that were not.
#[derive(Debug, Default)]
pub struct Found {
    /// The objects, in the order of the names.
    pub list: ObjectList,
    /// One per name that means nothing or too much.
    pub failures: Vec<Failure>,
}

/// Lists a class, or the objects of the names given.
///
/// # Errors
/// A call failed.
pub async fn find(client: &Client, class: ObjectClass, names: &[String], lookup: &Lookup) -> Result<Found, Failure> {
    let query = |filter: String, full: bool| ListQuery { filter, full, ..ListQuery::default() };
    let of_call = |error| Failure::of_client(&error, client.target());
    if names.is_empty() {
        let list = client.list(class, &query(lookup.filter.clone(), lookup.full)).await.map_err(of_call)?;
        return Ok(Found { list, failures: Vec::new() });
    }
    let kind = Kind::Object(class);
    let mut found = Found::default();
    if names.len() > SINGLE_LOOKUPS || reads_all(class) {
        let list = client.list(class, &query(lookup.filter.clone(), lookup.full)).await.map_err(of_call)?;
        for name in names {
            found.take(Reference::parse(name).choose(kind, &list.objects, lookup.prefixes).cloned());
        }
        found.list.position = list.position;
        found.list.incomplete_hosts = list.incomplete_hosts;
        return Ok(found);
    }
    for name in names {
        let reference = Reference::parse(name);
        let direct = reference.resource_name(class).filter(|_| lookup.filter.is_empty());
        if let Some(resource_name) = direct
            && let Some(object) = client.object(&resource_name).await.map_err(of_call)?
        {
            found.take(Ok(object));
            continue;
        }
        let terms = [lookup.filter.clone(), reference.filter(class, lookup.prefixes)];
        let terms: Vec<String> = terms.into_iter().filter(|term| !term.is_empty()).collect();
        let list = client.list(class, &query(join(&terms, "AND"), lookup.full)).await.map_err(of_call)?;
        found.take(reference.choose(kind, &list.objects, lookup.prefixes).cloned());
        found.list.position = found.list.position.take().or(list.position);
        found.list.incomplete_hosts = list.incomplete_hosts;
    }
    Ok(found)
}

/// Classes that are few, or whose names the filter cannot express.
fn reads_all(class: ObjectClass) -> bool {
    matches!(class, ObjectClass::Cluster | ObjectClass::Vrm | ObjectClass::Hypervisor | ObjectClass::StorageBacking)
}

impl Found {
    fn take(&mut self, result: Result<Object, Failure>) {
        match result {
            Ok(object) => self.list.objects.push(object),
            Err(failure) => self.failures.push(failure),
        }
    }
}

/// The objects that must all exist before anything is changed.
///
/// # Errors
/// Wrong use without names; the first name that means nothing or too much; a failed call.
pub async fn find_all(client: &Client, requests: &[Request]) -> Result<Vec<(Kind, Object)>, Failure> {
    let mut objects = Vec::new();
    for request in requests {
        let Some(class) = request.kind.class() else {
            return Err(Failure::usage(format!("{} is not a managed object", request.kind.word())));
        };
        if request.names.is_empty() {
            return Err(Failure::usage(format!("name the {} to change", request.kind.word()))
                .with_next(format!("vrmctl get {}", request.kind.plural())));
        }
        let found = find(client, class, &request.names, &Lookup::default()).await?;
        if let Some(failure) = found.failures.into_iter().next() {
            return Err(failure);
        }
        objects.extend(found.list.objects.into_iter().map(|object| (request.kind, object)));
    }
    Ok(objects)
}

/// The exit of a batch: its failures' own where nothing was done, else "partly".
pub fn batch_exit(done: usize, failures: &[Failure]) -> Exit {
    match failures {
        [] => Exit::Done,
        [first, ..] if done == 0 => first.exit,
        _ => Exit::Partly,
    }
}

/// Tells each failure on standard error.
pub fn tell(failures: &[Failure]) {
    for failure in failures {
        eprintln!("error: {failure}");
    }
}
