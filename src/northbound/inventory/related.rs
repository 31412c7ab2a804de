//! Relations of an object, both ways.

use super::reader::Inventory;
use crate::model::relation::{Relation, relations};
use crate::model::{Name, ObjectClass};
use crate::northbound::failure::Failure;
use crate::northbound::listing::{PageArguments, PageStart};
use crate::northbound::published;
use crate::wire::convert;
use crate::wire::v1;
use v1::RelationDirection as Direction;

/// One end of a relation, in the order of the list.
type End = (i32, Relation, Name);

impl Inventory {
    pub(super) fn related(&self, request: &v1::ListRelatedRequest) -> Result<v1::ListRelatedResponse, Failure> {
        let object = self.named("name", &request.name)?;
        let relation = v1::Relation::try_from(request.relation)
            .map_err(|_| Failure::field("relation", "no such relation"))
            .map(convert::relation_from)?;
        let direction =
            Direction::try_from(request.direction).map_err(|_| Failure::field("direction", "no such direction"))?;
        let start = PageStart::new(
            &self.published,
            PageArguments { page_size: request.page_size, page_token: &request.page_token },
            &["related", &request.name, &format!("{}/{}", request.relation, request.direction)],
        )?;
        let mut ends = Vec::new();
        if direction != Direction::Backward {
            let forward = relations(&object, self.published.log.as_ref());
            ends.extend(forward.into_iter().map(|(relation, name)| (Direction::Forward.into(), relation, name)));
        }
        if direction != Direction::Forward {
            ends.extend(self.backward(&object.name));
        }
        ends.retain(|(_, of, _)| relation.is_none_or(|wanted| wanted == *of));
        ends.sort();
        Ok(self.related_page(&ends, &start))
    }

    /// Relations that end at an object.
    fn backward(&self, target: &Name) -> Vec<End> {
        let log = self.published.log.as_ref();
        let mut ends = Vec::new();
        for class in ObjectClass::RESOURCES {
            for object in log.all(class) {
                let here = relations(&object, log).into_iter().filter(|(_, name)| name == target);
                ends.extend(here.map(|(relation, _)| (Direction::Backward.into(), relation, object.name.clone())));
            }
        }
        ends
    }

    fn related_page(&self, ends: &[End], start: &PageStart) -> v1::ListRelatedResponse {
        let key = |(direction, relation, _): &End| format!("{direction}/{:02}", convert::relation(*relation));
        let is_left = |end: &&End| {
            start
                .after
                .as_ref()
                .is_none_or(|(after, name)| (key(end).as_str(), end.2.as_str()) > (after.as_str(), name.as_str()))
        };
        let mut left = ends.iter().filter(is_left);
        let page: Vec<&End> = left.by_ref().take(start.size).collect();
        let next_page_token = match (left.next(), page.last()) {
            (Some(_), Some(last)) => start.next_token(key(last), last.2.to_string()),
            _ => String::new(),
        };
        v1::ListRelatedResponse {
            related: page.into_iter().map(|end| self.related_object(end)).collect(),
            next_page_token,
            total_size: i32::try_from(ends.len()).unwrap_or(i32::MAX),
            position: Some(published::position(start.position.clone())),
        }
    }

    fn related_object(&self, (direction, relation, name): &End) -> v1::RelatedObject {
        let object = self.published.log.get(name.as_str());
        v1::RelatedObject {
            relation: convert::relation(*relation),
            direction: *direction,
            name: name.to_string(),
            dn: self.published.dn.dn(name),
            object_class: name.class().map(convert::object_class).unwrap_or_default(),
            display_name: object.map(|object| object.display_name()).unwrap_or_default(),
        }
    }
}
