//! `InventoryService`: one method per RPC, nothing else; what they do is in the files beside.

use super::reader::Inventory;
use crate::model::ObjectClass;
use crate::northbound::listing::{PageArguments, Query};
use crate::northbound::request::{called, context, detail};
use crate::northbound::watch::ResourceAnswers;
use crate::wire::convert::Detail;
use crate::wire::v1;
use tonic::{Request, Response, Status};
use v1::inventory_service_server::InventoryService;

/// Makes the response of a list of one class.
macro_rules! page {
    ($self:ident, $request:ident, $parent:expr, $class:ident, $response:ident, $items:ident) => {{
        let query = Query {
            class: ObjectClass::$class,
            parent: $parent,
            filter: &$request.filter,
            order_by: &$request.order_by,
            detail: detail($request.view, Detail::Basic)?,
            page: PageArguments { page_size: $request.page_size, page_token: &$request.page_token },
        };
        let listing = $self.list::<v1::$class>(query)?;
        Ok(Response::new(v1::$response {
            $items: listing.items,
            next_page_token: listing.next_page_token,
            total_size: listing.total_size,
            position: Some(crate::northbound::published::position(listing.position)),
            incomplete_hosts: $self.published.incomplete_hosts(),
            list_status: Some($self.published.list_status()),
        }))
    }};
}

#[tonic::async_trait]
impl InventoryService for Inventory {
    async fn get_vrm(&self, request: Request<v1::GetVrmRequest>) -> Result<Response<v1::Vrm>, Status> {
        let request = request.into_inner();
        Ok(Response::new(self.get(ObjectClass::Vrm, "vrm", detail(request.view, Detail::Full)?)?))
    }

    async fn get_cluster(&self, request: Request<v1::GetClusterRequest>) -> Result<Response<v1::Cluster>, Status> {
        let request = request.into_inner();
        Ok(Response::new(self.get(ObjectClass::Cluster, &request.name, detail(request.view, Detail::Full)?)?))
    }

    async fn list_clusters(
        &self,
        request: Request<v1::ListClustersRequest>,
    ) -> Result<Response<v1::ListClustersResponse>, Status> {
        let request = request.into_inner();
        page!(self, request, "", Cluster, ListClustersResponse, clusters)
    }

    async fn get_host(&self, request: Request<v1::GetHostRequest>) -> Result<Response<v1::Host>, Status> {
        let request = request.into_inner();
        Ok(Response::new(self.get(ObjectClass::Host, &request.name, detail(request.view, Detail::Full)?)?))
    }

    async fn list_hosts(
        &self,
        request: Request<v1::ListHostsRequest>,
    ) -> Result<Response<v1::ListHostsResponse>, Status> {
        let request = request.into_inner();
        page!(self, request, "", Host, ListHostsResponse, hosts)
    }

    async fn get_hypervisor(
        &self,
        request: Request<v1::GetHypervisorRequest>,
    ) -> Result<Response<v1::Hypervisor>, Status> {
        let request = request.into_inner();
        Ok(Response::new(self.get(ObjectClass::Hypervisor, &request.name, detail(request.view, Detail::Full)?)?))
    }

    async fn list_hypervisors(
        &self,
        request: Request<v1::ListHypervisorsRequest>,
    ) -> Result<Response<v1::ListHypervisorsResponse>, Status> {
        let request = request.into_inner();
        page!(self, request, &request.parent, Hypervisor, ListHypervisorsResponse, hypervisors)
    }

    async fn get_virtual_machine(
        &self,
        request: Request<v1::GetVirtualMachineRequest>,
    ) -> Result<Response<v1::VirtualMachine>, Status> {
        let request = request.into_inner();
        Ok(Response::new(self.get(ObjectClass::VirtualMachine, &request.name, detail(request.view, Detail::Full)?)?))
    }

    async fn list_virtual_machines(
        &self,
        request: Request<v1::ListVirtualMachinesRequest>,
    ) -> Result<Response<v1::ListVirtualMachinesResponse>, Status> {
        let request = request.into_inner();
        page!(self, request, "", VirtualMachine, ListVirtualMachinesResponse, virtual_machines)
    }

    async fn get_storage_pool(
        &self,
        request: Request<v1::GetStoragePoolRequest>,
    ) -> Result<Response<v1::StoragePool>, Status> {
        let request = request.into_inner();
        Ok(Response::new(self.get(ObjectClass::StoragePool, &request.name, detail(request.view, Detail::Full)?)?))
    }

    async fn list_storage_pools(
        &self,
        request: Request<v1::ListStoragePoolsRequest>,
    ) -> Result<Response<v1::ListStoragePoolsResponse>, Status> {
        let request = request.into_inner();
        page!(self, request, &request.parent, StoragePool, ListStoragePoolsResponse, storage_pools)
    }

    async fn get_volume(&self, request: Request<v1::GetVolumeRequest>) -> Result<Response<v1::Volume>, Status> {
        let request = request.into_inner();
        Ok(Response::new(self.get(ObjectClass::Volume, &request.name, detail(request.view, Detail::Full)?)?))
    }

    async fn list_volumes(
        &self,
        request: Request<v1::ListVolumesRequest>,
    ) -> Result<Response<v1::ListVolumesResponse>, Status> {
        let request = request.into_inner();
        page!(self, request, &request.parent, Volume, ListVolumesResponse, volumes)
    }

    async fn get_storage_backing(
        &self,
        request: Request<v1::GetStorageBackingRequest>,
    ) -> Result<Response<v1::StorageBacking>, Status> {
        let request = request.into_inner();
        Ok(Response::new(self.get(ObjectClass::StorageBacking, &request.name, detail(request.view, Detail::Full)?)?))
    }

    async fn list_storage_backings(
        &self,
        request: Request<v1::ListStorageBackingsRequest>,
    ) -> Result<Response<v1::ListStorageBackingsResponse>, Status> {
        let request = request.into_inner();
        page!(self, request, "", StorageBacking, ListStorageBackingsResponse, storage_backings)
    }

    async fn get_network(&self, request: Request<v1::GetNetworkRequest>) -> Result<Response<v1::Network>, Status> {
        let request = request.into_inner();
        Ok(Response::new(self.get(ObjectClass::Network, &request.name, detail(request.view, Detail::Full)?)?))
    }

    async fn list_networks(
        &self,
        request: Request<v1::ListNetworksRequest>,
    ) -> Result<Response<v1::ListNetworksResponse>, Status> {
        let request = request.into_inner();
        page!(self, request, &request.parent, Network, ListNetworksResponse, networks)
    }

    async fn get_snapshot(&self, request: Request<v1::GetSnapshotRequest>) -> Result<Response<v1::Snapshot>, Status> {
        let request = request.into_inner();
        Ok(Response::new(self.get(ObjectClass::Snapshot, &request.name, detail(request.view, Detail::Full)?)?))
    }

    async fn list_snapshots(
        &self,
        request: Request<v1::ListSnapshotsRequest>,
    ) -> Result<Response<v1::ListSnapshotsResponse>, Status> {
        let request = request.into_inner();
        page!(self, request, &request.parent, Snapshot, ListSnapshotsResponse, snapshots)
    }

    async fn get_image(&self, request: Request<v1::GetImageRequest>) -> Result<Response<v1::Image>, Status> {
        let request = request.into_inner();
        Ok(Response::new(self.get(ObjectClass::Image, &request.name, detail(request.view, Detail::Full)?)?))
    }

    async fn list_images(
        &self,
        request: Request<v1::ListImagesRequest>,
    ) -> Result<Response<v1::ListImagesResponse>, Status> {
        let request = request.into_inner();
        page!(self, request, "", Image, ListImagesResponse, images)
    }

    async fn get_managed_object(
        &self,
        request: Request<v1::GetManagedObjectRequest>,
    ) -> Result<Response<v1::ManagedObject>, Status> {
        Ok(Response::new(self.get_managed(&request.into_inner())?))
    }

    async fn list_managed_objects(
        &self,
        request: Request<v1::ListManagedObjectsRequest>,
    ) -> Result<Response<v1::ListManagedObjectsResponse>, Status> {
        Ok(Response::new(self.list_managed(&request.into_inner())?))
    }

    async fn list_related(
        &self,
        request: Request<v1::ListRelatedRequest>,
    ) -> Result<Response<v1::ListRelatedResponse>, Status> {
        Ok(Response::new(self.related(&request.into_inner())?))
    }

    async fn get_capacity(
        &self,
        request: Request<v1::GetCapacityRequest>,
    ) -> Result<Response<v1::GetCapacityResponse>, Status> {
        Ok(Response::new(self.capacity(&request.into_inner().name)?))
    }

    async fn update_annotations(
        &self,
        request: Request<v1::UpdateAnnotationsRequest>,
    ) -> Result<Response<v1::ManagedObject>, Status> {
        let (call, request) = called(request)?;
        let context =
            context(&call, request.actor.as_ref(), &request.request_id, &request.etag, request.validate_only)?;
        Ok(Response::new(self.annotate(context, request).await?))
    }

    async fn set_expectation(
        &self,
        request: Request<v1::SetExpectationRequest>,
    ) -> Result<Response<v1::ManagedObject>, Status> {
        let (call, request) = called(request)?;
        let context =
            context(&call, request.actor.as_ref(), &request.request_id, &request.etag, request.validate_only)?;
        Ok(Response::new(self.expect(context, &request).await?))
    }

    type WatchResourcesStream = ResourceAnswers;

    async fn watch_resources(
        &self,
        request: Request<v1::WatchResourcesRequest>,
    ) -> Result<Response<ResourceAnswers>, Status> {
        let (call, request) = called(request)?;
        Ok(Response::new(self.watching.resources(&call.caller, request)?))
    }
}
