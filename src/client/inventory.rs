//! Reads of the inventory: lists with their pages merged, single objects, relations, annotations.

use super::connection::Client;
use super::error::ClientError;
use super::object::{Object, class_of_name};
use crate::wire::v1;
use crate::wire::v1::ObjectClass;
use tonic::Code;

/// 500: objects asked for per page; pages end at 2 MiB anyway.
const PAGE_SIZE: i32 = 500;

/// Which objects, in which order, and how much of each.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ListQuery {
    /// Filter of the interface (AIP-160); empty for all.
    pub filter: String,
    /// Order; by name if empty.
    pub order_by: String,
    /// Everything, or without what is large.
    pub full: bool,
}

/// All objects of a list, pages merged.
#[derive(Clone, Debug, Default)]
pub struct ObjectList {
    /// The objects, in the order of the list.
    pub objects: Vec<Object>,
    /// The log's position when the first page was made: a watch from it misses nothing.
    pub position: Option<v1::StreamPosition>,
    /// Hosts whose objects are not known to be complete and current.
    pub incomplete_hosts: Vec<String>,
    /// What cannot be trusted now.
    pub list_status: Option<v1::ListStatus>,
}

/// One page, whatever its class.
struct Page {
    objects: Vec<Object>,
    next: String,
    position: Option<v1::StreamPosition>,
    incomplete_hosts: Vec<String>,
    list_status: Option<v1::ListStatus>,
}

/// Asks for a page of one class.
macro_rules! page {
    // Only some requests have a parent, and no parent is any parent.
    ($client:expr, $query:expr, $token:expr, $request:ident, $method:ident, $field:ident, $variant:ident) => {{
        let mut request = v1::$request::default();
        request.page_size = PAGE_SIZE;
        request.page_token = $token;
        request.filter.clone_from(&$query.filter);
        request.order_by.clone_from(&$query.order_by);
        request.set_view(view($query.full));
        let response = $client
            .call(|| {
                let (mut inventory, request) = ($client.inventory(), request.clone());
                async move { inventory.$method(request).await }
            })
            .await?;
        Page {
            objects: response.$field.into_iter().map(Object::$variant).collect(),
            next: response.next_page_token,
            position: response.position,
            incomplete_hosts: response.incomplete_hosts,
            list_status: response.list_status,
        }
    }};
}

fn view(full: bool) -> v1::View {
    if full { v1::View::Full } else { v1::View::Basic }
}

impl Client {
    /// Lists objects of a class. A page token that has become invalid in between (the daemon restarted) begins
    /// the list anew, once.
    ///
    /// # Errors
    /// As [`Client::call`]; [`ClientError::Protocol`] if the class cannot be listed.
    pub async fn list(&self, class: ObjectClass, query: &ListQuery) -> Result<ObjectList, ClientError> {
        match self.list_once(class, query).await {
            Err(error) if error.reason() == v1::ErrorReason::InvalidPageToken => self.list_once(class, query).await,
            result => result,
        }
    }

    async fn list_once(&self, class: ObjectClass, query: &ListQuery) -> Result<ObjectList, ClientError> {
        if class == ObjectClass::Vrm {
            let vrm = Object::Vrm(self.vrm(query.full).await?);
            return Ok(ObjectList { objects: vec![vrm], ..ObjectList::default() });
        }
        let mut list = ObjectList::default();
        let mut token = String::new();
        loop {
            let first = token.is_empty();
            let page = Box::pin(self.page(class, query, token)).await?;
            list.objects.extend(page.objects);
            if first {
                list.position = page.position;
            }
            list.list_status = page.list_status;
            for host in page.incomplete_hosts {
                if !list.incomplete_hosts.contains(&host) {
                    list.incomplete_hosts.push(host);
                }
            }
            if page.next.is_empty() {
                return Ok(list);
            }
            token = page.next;
        }
    }

    async fn page(&self, class: ObjectClass, query: &ListQuery, token: String) -> Result<Page, ClientError> {
        Ok(match class {
            ObjectClass::Cluster => page!(self, query, token, ListClustersRequest, list_clusters, clusters, Cluster),
            ObjectClass::Host => page!(self, query, token, ListHostsRequest, list_hosts, hosts, Host),
            ObjectClass::Hypervisor => {
                page!(self, query, token, ListHypervisorsRequest, list_hypervisors, hypervisors, Hypervisor)
            }
            ObjectClass::VirtualMachine => page!(
                self,
                query,
                token,
                ListVirtualMachinesRequest,
                list_virtual_machines,
                virtual_machines,
                VirtualMachine
            ),
            ObjectClass::StoragePool => {
                page!(self, query, token, ListStoragePoolsRequest, list_storage_pools, storage_pools, StoragePool)
            }
            ObjectClass::Volume => page!(self, query, token, ListVolumesRequest, list_volumes, volumes, Volume),
            ObjectClass::StorageBacking => page!(
                self,
                query,
                token,
                ListStorageBackingsRequest,
                list_storage_backings,
                storage_backings,
                StorageBacking
            ),
            ObjectClass::Network => page!(self, query, token, ListNetworksRequest, list_networks, networks, Network),
            ObjectClass::Snapshot => {
                page!(self, query, token, ListSnapshotsRequest, list_snapshots, snapshots, Snapshot)
            }
            ObjectClass::Image => page!(self, query, token, ListImagesRequest, list_images, images, Image),
            ObjectClass::Vrm | ObjectClass::Unspecified => {
                return Err(ClientError::Protocol(format!("objects of class {class:?} are not listed")));
            }
        })
    }

    /// The VRM object itself.
    ///
    /// # Errors
    /// As [`Client::call`].
    pub async fn vrm(&self, full: bool) -> Result<v1::Vrm, ClientError> {
        self.call(|| {
            let mut inventory = self.inventory();
            async move { inventory.get_vrm(v1::GetVrmRequest { view: view(full).into() }).await }
        })
        .await
    }

    /// The object of a resource name, with everything; nothing if there is none.
    ///
    /// # Errors
    /// As [`Client::call`], but for a name that denotes nothing.
    pub async fn object(&self, name: &str) -> Result<Option<Object>, ClientError> {
        if class_of_name(name).is_none() {
            return Ok(None);
        }
        let request = v1::GetManagedObjectRequest { name: name.to_owned(), ..v1::GetManagedObjectRequest::default() };
        let found = self
            .call(|| {
                let (mut inventory, request) = (self.inventory(), request.clone());
                async move { inventory.get_managed_object(request).await }
            })
            .await;
        match found {
            Ok(object) => Ok(object.resource),
            Err(error) if error.refusal().is_some_and(|refusal| refusal.code == Code::NotFound) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Everything an object is related to, both ways.
    ///
    /// # Errors
    /// As [`Client::call`].
    pub async fn related(&self, name: &str) -> Result<Vec<v1::RelatedObject>, ClientError> {
        let mut related = Vec::new();
        let mut page_token = String::new();
        loop {
            let request = v1::ListRelatedRequest {
                name: name.to_owned(),
                page_size: PAGE_SIZE,
                page_token,
                ..v1::ListRelatedRequest::default()
            };
            let page = self
                .call(|| {
                    let (mut inventory, request) = (self.inventory(), request.clone());
                    async move { inventory.list_related(request).await }
                })
                .await?;
            related.extend(page.related);
            if page.next_page_token.is_empty() {
                return Ok(related);
            }
            page_token = page.next_page_token;
        }
    }

    /// All objects below a base object with the relations that begin at them, pages merged; below the VRM without a base.
    ///
    /// # Errors
    /// As [`Client::call`].
    pub async fn topology(&self, base_name: &str, filter: &str) -> Result<v1::ListManagedObjectsResponse, ClientError> {
        let mut whole = v1::ListManagedObjectsResponse::default();
        let mut page_token = String::new();
        loop {
            let request = v1::ListManagedObjectsRequest {
                base_name: base_name.to_owned(),
                filter: filter.to_owned(),
                include_relations: true,
                page_size: PAGE_SIZE,
                page_token,
                ..v1::ListManagedObjectsRequest::default()
            };
            let page = self
                .call(|| {
                    let (mut inventory, request) = (self.inventory(), request.clone());
                    async move { inventory.list_managed_objects(request).await }
                })
                .await?;
            whole.objects.extend(page.objects);
            whole.relations.extend(page.relations);
            whole.position = whole.position.or(page.position);
            whole.incomplete_hosts = page.incomplete_hosts;
            whole.list_status = page.list_status;
            whole.total_size = page.total_size;
            if page.next_page_token.is_empty() {
                return Ok(whole);
            }
            page_token = page.next_page_token;
        }
    }

    /// Changes labels, user label and service references of an object.
    ///
    /// # Errors
    /// As [`Client::call`].
    pub async fn update_annotations(
        &self,
        request: &v1::UpdateAnnotationsRequest,
    ) -> Result<Option<Object>, ClientError> {
        let object = self
            .call(|| {
                let (mut inventory, request) = (self.inventory(), request.clone());
                async move { inventory.update_annotations(request).await }
            })
            .await?;
        Ok(object.resource)
    }

    /// Says which run state an object should have.
    ///
    /// # Errors
    /// As [`Client::call`].
    pub async fn set_expectation(&self, request: &v1::SetExpectationRequest) -> Result<Option<Object>, ClientError> {
        let object = self
            .call(|| {
                let (mut inventory, request) = (self.inventory(), request.clone());
                async move { inventory.set_expectation(request).await }
            })
            .await?;
        Ok(object.resource)
    }
}
