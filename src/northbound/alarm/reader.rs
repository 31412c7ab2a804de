//! The service, and its reads by name and list.

use super::closed::ClosedAlarms;
use crate::engine::EngineHandle;
use crate::model::{Object, ObjectClass};
use crate::northbound::failure::Failure;
use crate::northbound::listing::{PageArguments, Query, list_as};
use crate::northbound::published::{self, Published};
use crate::northbound::request::{detail, name_of_class};
use crate::northbound::watch::Watching;
use crate::wire::convert::{self, Detail};
use crate::wire::v1;
use std::sync::Arc;

/// The service.
#[derive(Clone, Debug)]
pub struct Alarms {
    /// What is read.
    pub published: Published,
    /// Where changes go.
    pub engine: EngineHandle,
    /// How streams begin.
    pub watching: Watching,
    /// What left the alarm list.
    pub closed: Arc<dyn ClosedAlarms>,
}

impl Alarms {
    /// The object of a record's name.
    pub(super) fn record(&self, class: ObjectClass, name: &str) -> Result<Arc<Object>, Failure> {
        let name = name_of_class("name", name, class)?;
        self.published.log.get(name.as_str()).ok_or_else(|| Failure::not_found(Some(class), name.as_str()))
    }

    pub(super) fn get(&self, request: &v1::GetAlarmRequest) -> Result<v1::Alarm, Failure> {
        let detail = detail(request.view, Detail::Full)?;
        let object = self.record(ObjectClass::Alarm, &request.name)?;
        convert::alarm(&object, detail).ok_or_else(|| Failure::not_found(Some(ObjectClass::Alarm), &request.name))
    }

    pub(super) fn list(&self, request: &v1::ListAlarmsRequest) -> Result<v1::ListAlarmsResponse, Failure> {
        let query = Query {
            class: ObjectClass::Alarm,
            parent: "",
            filter: &request.filter,
            order_by: &request.order_by,
            detail: detail(request.view, Detail::Basic)?,
            page: PageArguments { page_size: request.page_size, page_token: &request.page_token },
        };
        let listing = list_as(&self.published, query, convert::alarm)?;
        Ok(v1::ListAlarmsResponse {
            alarms: listing.items,
            next_page_token: listing.next_page_token,
            total_size: listing.total_size,
            position: Some(published::position(listing.position)),
            list_status: Some(self.published.list_status()),
        })
    }
}
