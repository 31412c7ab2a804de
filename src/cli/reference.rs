//! Names as people type them, and which objects they mean. Pure.

use super::exit::{Exit, Failure};
use super::kind::Kind;
use super::selector::{join, quoted};
use crate::client::{Object, ObjectExt};
use crate::wire::v1::ObjectClass;

/// Least length of a prefix that stands for a name.
const PREFIX_LENGTH: usize = 8;

/// A name: of a resource, or of people, perhaps with a host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reference {
    /// As typed.
    typed: String,
    /// Without the host.
    name: String,
    /// Host id behind `@`.
    host: Option<String>,
}

/// How well an object fits a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Fit {
    Prefix,
    Exact,
}

impl Reference {
    /// Reads a name.
    pub fn parse(typed: &str) -> Self {
        let (name, host) = match typed.rsplit_once('@') {
            Some((name, host)) if !name.is_empty() && !host.is_empty() && !typed.contains('/') => {
                (name, Some(host.to_owned()))
            }
            _ => (typed, None),
        };
        Self { typed: typed.to_owned(), name: name.to_owned(), host }
    }

    /// The resource name it certainly means, if it is one, a UUID of a machine, or the id of a host.
    pub fn resource_name(&self, class: ObjectClass) -> Option<String> {
        if crate::client::class_of_name(&self.typed) == Some(class) {
            return Some(self.typed.clone());
        }
        match class {
            ObjectClass::VirtualMachine if uuid::Uuid::parse_str(&self.name).is_ok() && self.host.is_none() => {
                Some(format!("virtualMachines/{}", self.name.to_ascii_lowercase()))
            }
            ObjectClass::Cluster | ObjectClass::Vrm => None,
            _ => None,
        }
    }

    /// A filter that every object it may mean passes.
    pub fn filter(&self, class: ObjectClass, with_prefixes: bool) -> String {
        let mut terms = vec![format!("display_name = {}", quoted(&self.name))];
        if let Some(collection) = top_collection(class) {
            terms.push(format!("name = {}", quoted(&format!("{collection}/{}", self.name))));
        }
        if with_prefixes && self.may_be_prefix() {
            terms.push(format!("display_name = {}", quoted(&format!("{}*", self.name))));
            if let Some(collection) = top_collection(class) {
                terms.push(format!("name = {}", quoted(&format!("{collection}/{}*", self.name))));
            }
        }
        if uuid::Uuid::parse_str(&self.name).is_ok() {
            terms.push(format!("uid = {}", quoted(&self.name)));
        }
        join(&terms, "OR")
    }

    fn may_be_prefix(&self) -> bool {
        self.name.chars().count() >= PREFIX_LENGTH
    }

    fn fit(&self, object: &Object, with_prefixes: bool) -> Option<Fit> {
        let id = object.name().rsplit('/').next().unwrap_or_default();
        let fits_host = self.host.as_ref().is_none_or(|host| {
            object.host() == format!("hosts/{host}")
                || instance_hosts(object).any(|name| *name == format!("hosts/{host}"))
        });
        if object.name() == self.typed {
            return Some(Fit::Exact);
        }
        if !fits_host {
            return None;
        }
        if object.display_name() == self.name || id.eq_ignore_ascii_case(&self.name) || object.uid() == self.name {
            return Some(Fit::Exact);
        }
        let is_prefix = with_prefixes
            && self.may_be_prefix()
            && (object.display_name().starts_with(&self.name) || id.starts_with(&self.name.to_ascii_lowercase()));
        is_prefix.then_some(Fit::Prefix)
    }

    /// The object it means, out of those given.
    ///
    /// # Errors
    /// Not found; or ambiguous, with the candidates.
    pub fn choose<'a>(&self, kind: Kind, objects: &'a [Object], with_prefixes: bool) -> Result<&'a Object, Failure> {
        let fits = |wanted: Fit| -> Vec<&'a Object> {
            objects.iter().filter(|object| self.fit(object, with_prefixes) == Some(wanted)).collect()
        };
        let exact = fits(Fit::Exact);
        let found = if exact.is_empty() { fits(Fit::Prefix) } else { exact };
        match found.as_slice() {
            [] => Err(self.not_found(kind, objects)),
            [object] => Ok(object),
            several => Err(self.ambiguous(kind, several)),
        }
    }

    /// The failure of a name that means nothing.
    pub fn not_found(&self, kind: Kind, objects: &[Object]) -> Failure {
        let near = objects.iter().map(ObjectExt::display_name).find(|name| is_near(name, &self.name));
        let next = match near {
            Some(near) => format!("vrmctl get {} {near}", kind.word()),
            None => format!("vrmctl get {}", kind.plural()),
        };
        let at = self.host.as_ref().map(|host| format!(" on host {host}")).unwrap_or_default();
        Failure::new(Exit::NotFound, format!("{}/{} not found{at}", kind.word(), self.name)).with_next(next)
    }

    fn ambiguous(&self, kind: Kind, candidates: &[&Object]) -> Failure {
        const SHOWN: usize = 10;
        let mut lines: Vec<String> = candidates.iter().take(SHOWN).map(|object| candidate(object)).collect();
        if candidates.len() > SHOWN {
            lines.push(format!("… and {} more", candidates.len() - SHOWN));
        }
        Failure::usage(format!(
            "{}/{} is ambiguous: {} objects have this name; use name@host or the resource name:\n  {}",
            kind.word(),
            self.typed,
            candidates.len(),
            lines.join("\n  ")
        ))
    }
}

fn candidate(object: &Object) -> String {
    let host = object.host().strip_prefix("hosts/").unwrap_or_default();
    if host.is_empty() || matches!(object, Object::Host(_)) {
        format!("{}  {}", object.display_name(), object.name())
    } else {
        format!("{}@{host}  {}", object.display_name(), object.name())
    }
}

/// Hosts that hold an instance of a machine: its UUID may be on several.
fn instance_hosts(object: &Object) -> impl Iterator<Item = &String> {
    let instances = match object {
        Object::VirtualMachine(vm) => vm.instances.as_slice(),
        _ => &[],
    };
    instances.iter().map(|instance| &instance.host)
}

/// The collection of a class whose resource names end in an id that people use.
fn top_collection(class: ObjectClass) -> Option<&'static str> {
    match class {
        ObjectClass::Host => Some("hosts"),
        ObjectClass::VirtualMachine => Some("virtualMachines"),
        ObjectClass::Image => Some("images"),
        ObjectClass::StorageBacking => Some("storageBackings"),
        _ => None,
    }
}

/// Same but for case, or one contains the other.
fn is_near(known: &str, typed: &str) -> bool {
    let (known, typed) = (known.to_ascii_lowercase(), typed.to_ascii_lowercase());
    typed.len() >= 3 && (known == typed || known.starts_with(&typed) || typed.starts_with(&known))
}

#[cfg(test)]
mod tests;
