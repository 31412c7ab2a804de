//! Everything that suffers from an alarm's fault.

use super::reader::Alarms;
use crate::model::alarm::ImpactedObject;
use crate::model::relation::dependents;
use crate::model::{Body, Name, ObjectClass};
use crate::northbound::failure::Failure;
use crate::northbound::listing::{PageArguments, PageStart};
use crate::wire::{convert, v1};

impl Alarms {
    pub(super) fn impact(&self, request: &v1::GetImpactRequest) -> Result<v1::GetImpactResponse, Failure> {
        let object = self.record(ObjectClass::Alarm, &request.name)?;
        let Body::Alarm(alarm) = &object.body else {
            return Err(Failure::not_found(Some(ObjectClass::Alarm), &request.name));
        };
        let start = PageStart::new(
            &self.published,
            PageArguments { page_size: request.page_size, page_token: &request.page_token },
            &["impact", &request.name],
        )?;
        let impacted = self.suffering(&alarm.object);
        let is_left =
            |one: &&ImpactedObject| start.after.as_ref().is_none_or(|(_, name)| one.name.as_str() > name.as_str());
        let mut left = impacted.iter().filter(is_left);
        let page: Vec<&ImpactedObject> = left.by_ref().take(start.size).collect();
        let next_page_token = match (left.next(), page.last()) {
            (Some(_), Some(last)) => start.next_token(String::new(), last.name.to_string()),
            _ => String::new(),
        };
        Ok(v1::GetImpactResponse {
            impacted: page.into_iter().map(convert::impacted_object).collect(),
            next_page_token,
            total_size: i32::try_from(impacted.len()).unwrap_or(i32::MAX),
        })
    }

    /// Virtual machines that stand on a faulty object now, ordered by name.
    fn suffering(&self, faulty: &Name) -> Vec<ImpactedObject> {
        let log = self.published.log.as_ref();
        // A part of an object, as a disk of a machine, is not in the log: the object is.
        let mut place = Some(faulty.clone());
        while place.as_ref().is_some_and(|place| log.get(place.as_str()).is_none()) {
            place = place.and_then(|place| place.parent());
        }
        let dependents = place.map(|place| dependents(log, &place)).unwrap_or_default();
        dependents
            .iter()
            .filter_map(|name| log.get(name.as_str()))
            .filter(|object| object.class() == ObjectClass::VirtualMachine)
            .map(|object| ImpactedObject {
                name: object.name.clone(),
                label: object.display_name(),
                service_refs: object.annotations.service_refs.clone(),
            })
            .collect()
    }
}
