//! Reads by name or distinguished name, over all classes, with 3GPP scope.

use super::attributes::Attributes;
use super::reader::Inventory;
use crate::model::relation::{Relation, relations};
use crate::model::{Name, Object, ObjectClass};
use crate::northbound::failure::Failure;
use crate::northbound::limits;
use crate::northbound::listing::{PageArguments, PageStart, object_filter};
use crate::northbound::published;
use crate::northbound::request::any_name;
use crate::northbound::watch;
use crate::wire::convert::{self, Detail, managed_object};
use crate::wire::v1;
use prost::Message;
use std::ops::ControlFlow;
use std::sync::Arc;

impl Inventory {
    pub(super) fn get_managed(&self, request: &v1::GetManagedObjectRequest) -> Result<v1::ManagedObject, Failure> {
        let attributes = Attributes::parse(&request.attributes)?;
        let object = match (request.name.as_str(), request.dn.as_str()) {
            ("", "") => return Err(Failure::field("name", "name or dn is required")),
            (name, "") => self.named("name", name)?,
            ("", dn) => self.distinguished("dn", dn)?,
            _ => return Err(Failure::field("dn", "either name or dn, not both")),
        };
        attributes.prune(managed_object(&object, &self.published.dn, Detail::Full))
    }

    pub(super) fn named(&self, field: &str, name: &str) -> Result<Arc<Object>, Failure> {
        let name = any_name(field, name)?;
        self.published.log.get(name.as_str()).ok_or_else(|| Failure::not_found(name.class(), name.as_str()))
    }

    fn distinguished(&self, field: &str, dn: &str) -> Result<Arc<Object>, Failure> {
        if dn.len() > limits::IDENTIFIER {
            return Err(Failure::field(field, format!("has more than {} bytes", limits::IDENTIFIER)));
        }
        let name = self.published.dn.name(dn);
        name.and_then(|name| self.published.log.get(name.as_str())).ok_or_else(|| Failure::not_found(None, dn))
    }

    pub(super) fn list_managed(
        &self,
        request: &v1::ListManagedObjectsRequest,
    ) -> Result<v1::ListManagedObjectsResponse, Failure> {
        let attributes = Attributes::parse(&request.attributes)?;
        let scope = self.scope(request)?;
        let classes = watch::classes(&request.classes)?;
        let filter = object_filter(&request.filter, &classes)?;
        let start = PageStart::new(
            &self.published,
            PageArguments { page_size: request.page_size, page_token: &request.page_token },
            &[
                "managed",
                scope.base.as_str(),
                &format!("{}/{}", request.scope, request.level),
                &request.filter,
                &format!("{:?}/{:?}/{}", request.classes, request.attributes, request.include_relations),
            ],
        )?;
        let now = (self.published.now)();
        let wanted = |object: &Object| scope.contains(&object.name) && filter.matches(object, now);
        let (candidates, total) = self.candidates(&classes, &start, wanted);
        let mut response = v1::ListManagedObjectsResponse {
            total_size: i32::try_from(total).unwrap_or(i32::MAX),
            position: Some(published::position(start.position.clone())),
            incomplete_hosts: self.published.incomplete_hosts(),
            list_status: Some(self.published.list_status()),
            ..Default::default()
        };
        let mut bytes = 0;
        let mut last: Option<&Arc<Object>> = None;
        for object in &candidates {
            let message = attributes.prune(managed_object(object, &self.published.dn, Detail::Full))?;
            bytes += message.encoded_len();
            if response.objects.len() == start.size || (bytes > limits::PAGE_BYTES && last.is_some()) {
                let token = last.map(|last| start.next_token(class_key(last.class()), last.name.to_string()));
                response.next_page_token = token.unwrap_or_default();
                break;
            }
            response.objects.push(message);
            if request.include_relations {
                let relations = self.relations_of(object);
                bytes += relations.iter().map(Message::encoded_len).sum::<usize>();
                response.relations.extend(relations);
            }
            last = Some(object);
        }
        Ok(response)
    }

    /// What begins at an object.
    fn relations_of(&self, object: &Object) -> Vec<v1::ObjectRelation> {
        let relation = |(relation, target): (Relation, Name)| v1::ObjectRelation {
            source: object.name.to_string(),
            relation: convert::relation(relation),
            target: target.to_string(),
        };
        relations(object, self.published.log.as_ref()).into_iter().map(relation).collect()
    }

    /// The objects of the page and one more, by class and name, and how many match altogether.
    fn candidates(
        &self,
        classes: &[ObjectClass],
        start: &PageStart,
        wanted: impl Fn(&Object) -> bool,
    ) -> (Vec<Arc<Object>>, usize) {
        let mut total = 0;
        let mut found = Vec::new();
        for class in ObjectClass::RESOURCES.into_iter().filter(|class| classes.is_empty() || classes.contains(class)) {
            let key = class_key(class);
            let room = (start.size + 1).saturating_sub(found.len());
            let mut taken = 0;
            let page = self.published.log.page(class, None, |object| {
                if !wanted(object) {
                    return ControlFlow::Continue(false);
                }
                total += 1;
                let is_left = start.after.as_ref().is_none_or(|(class_after, name_after)| {
                    (key.as_str(), object.name.as_str()) > (class_after.as_str(), name_after.as_str())
                });
                let take = is_left && taken < room;
                taken += usize::from(take);
                ControlFlow::Continue(take)
            });
            found.extend(page.objects);
        }
        (found, total)
    }

    fn scope(&self, request: &v1::ListManagedObjectsRequest) -> Result<Scope, Failure> {
        let base = match (request.base_name.as_str(), request.base_dn.as_str()) {
            ("", "") => Name::vrm(),
            (name, "") => self.named("base_name", name)?.name.clone(),
            ("", dn) => self.distinguished("base_dn", dn)?.name.clone(),
            _ => return Err(Failure::field("base_dn", "either base_name or base_dn, not both")),
        };
        let level = usize::try_from(request.level).map_err(|_| Failure::field("level", "must not be negative"))?;
        let (from, to) = match v1::ScopeType::try_from(request.scope) {
            Ok(v1::ScopeType::Unspecified | v1::ScopeType::BaseAll) => (0, usize::MAX),
            Ok(v1::ScopeType::BaseOnly) => (0, 0),
            // TS 28.532: down to and including the nth level; without a level the whole subtree.
            Ok(v1::ScopeType::BaseSubtree) => (0, if level == 0 { usize::MAX } else { level }),
            Ok(v1::ScopeType::BaseNthLevel) => (level, level),
            Err(_) => return Err(Failure::field("scope", "no such scope")),
        };
        Ok(Scope { base, from, to })
    }
}

/// Objects between two levels below a base.
struct Scope {
    base: Name,
    from: usize,
    to: usize,
}

impl Scope {
    fn contains(&self, name: &Name) -> bool {
        let mut level = 0;
        let mut at = Some(name.clone());
        while let Some(current) = at {
            if current == self.base {
                return (self.from..=self.to).contains(&level);
            }
            level += 1;
            at = current.parent();
        }
        false
    }
}

/// A text that sorts like the classes do.
fn class_key(class: ObjectClass) -> String {
    let place = ObjectClass::RESOURCES.iter().position(|other| *other == class).unwrap_or(ObjectClass::RESOURCES.len());
    format!("{place:02}")
}
