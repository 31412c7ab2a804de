//! Reads by name and by class.

use crate::engine::EngineHandle;
use crate::model::{Object, ObjectClass};
use crate::northbound::failure::Failure;
use crate::northbound::listing::{self, Listing, Query};
use crate::northbound::published::Published;
use crate::northbound::request::name_of_class;
use crate::northbound::watch::Watching;
use crate::wire::convert::{Detail, Served, resource};
use std::sync::Arc;

/// The service.
#[derive(Clone, Debug)]
pub struct Inventory {
    /// What is read.
    pub published: Published,
    /// Where changes go.
    pub engine: EngineHandle,
    /// How streams begin.
    pub watching: Watching,
}

impl Inventory {
    pub(super) fn object(&self, class: ObjectClass, name: &str) -> Result<Arc<Object>, Failure> {
        let name = name_of_class("name", name, class)?;
        self.published.log.get(name.as_str()).ok_or_else(|| Failure::not_found(Some(class), name.as_str()))
    }

    pub(super) fn get<M: Served>(&self, class: ObjectClass, name: &str, detail: Detail) -> Result<M, Failure> {
        let object = self.object(class, name)?;
        resource(&object, &self.published.dn, detail)
            .and_then(M::from_resource)
            .ok_or_else(|| Failure::not_found(Some(class), name))
    }

    pub(super) fn list<M: Served>(&self, query: Query<'_>) -> Result<Listing<M>, Failure> {
        listing::list(&self.published, query)
    }
}
