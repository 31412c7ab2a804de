//! The parent of a list, with `-` for any.

use crate::model::{Name, ObjectClass};
use crate::northbound::failure::Failure;
use crate::northbound::limits;
use crate::northbound::published::Published;

/// Which parents' children are wanted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parent {
    /// Segments that a child's name must begin with; nothing for any.
    segments: Vec<Option<String>>,
}

impl Parent {
    /// Understands the parent of a list of a class; empty means any.
    ///
    /// # Errors
    /// `INVALID_FIELD` if it has not the form of a parent of that class, `…_NOT_FOUND` if it names
    /// one that does not exist.
    pub fn parse(published: &Published, class: ObjectClass, text: &str) -> Result<Self, Failure> {
        let collections: &[&str] = match class {
            ObjectClass::Hypervisor | ObjectClass::StoragePool | ObjectClass::Network => &["hosts"],
            ObjectClass::Volume => &["hosts", "storagePools"],
            ObjectClass::Snapshot => &["virtualMachines"],
            _ => &[],
        };
        if text.is_empty() {
            return Ok(Self { segments: Vec::new() });
        }
        let form = || {
            let form: Vec<String> = collections.iter().map(|collection| format!("{collection}/ID")).collect();
            Failure::field("parent", format!("must have the form {}, with - for any ID", form.join("/")))
        };
        if text.len() > limits::IDENTIFIER {
            return Err(form());
        }
        let given: Vec<&str> = text.split('/').collect();
        let is_right = given.len() == collections.len() * 2
            && given.chunks(2).zip(collections).all(|(pair, collection)| pair[0] == *collection && !pair[1].is_empty());
        if !is_right {
            return Err(form());
        }
        if !given.contains(&"-") && published.log.get(text).is_none() {
            return Err(Failure::not_found(Name::new(text).class(), text));
        }
        let segments = given.iter().map(|segment| (*segment != "-").then(|| (*segment).to_owned())).collect();
        Ok(Self { segments })
    }

    /// True if the object lies under it.
    pub fn contains(&self, name: &Name) -> bool {
        let mut parts = name.as_str().split('/');
        self.segments.iter().all(|wanted| {
            let part = parts.next();
            wanted.as_deref().is_none_or(|wanted| part == Some(wanted))
        })
    }
}
