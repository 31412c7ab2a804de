//! A daemon that serves prepared objects over the generated services, so that the command line is
//! tested without one.

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use tokio::net::UnixListener;
use tokio::sync::oneshot;
use tokio_stream::Stream;
use tokio_stream::wrappers::UnixListenerStream;
use tonic::{Code, Request, Response, Status};
use tonic_types::{ErrorDetails, StatusExt};
use vrm::client::{Object, ObjectExt};
use vrm::wire::v1;
use vrm::wire::v1::admin_service_server::{AdminService, AdminServiceServer};
use vrm::wire::v1::host_service_server::{HostService, HostServiceServer};
use vrm::wire::v1::inventory_service_server::{InventoryService, InventoryServiceServer};
use vrm::wire::v1::watch_resources_response::Message;

/// What a fake daemon serves.
#[derive(Default)]
pub struct World {
    /// Objects of all classes.
    pub objects: Vec<Object>,
    /// Objects a page; 0 for all.
    pub page: usize,
    /// Hosts said to be incomplete.
    pub incomplete: Vec<String>,
    /// Relations of every object.
    pub related: Vec<v1::RelatedObject>,
    /// Every call is refused with this code, reason and message.
    pub refusal: Option<(Code, &'static str, &'static str)>,
    /// Streams to serve, in order; each ends after its messages. Without any, a stream stays silent.
    pub streams: Mutex<VecDeque<Vec<Message>>>,
    /// What was asked: methods with what matters of the request.
    pub seen: Mutex<Vec<String>>,
}

impl World {
    fn note(&self, text: String) -> Result<(), Status> {
        self.seen.lock().expect("no panic before").push(text);
        match self.refusal {
            None => Ok(()),
            Some((code, reason, message)) => {
                let details = ErrorDetails::with_error_info(reason, "vrm.v1", std::collections::HashMap::new());
                Err(Status::with_error_details(code, message, details))
            }
        }
    }

    /// What was asked so far.
    pub fn asked(&self) -> Vec<String> {
        self.seen.lock().expect("no panic before").clone()
    }

    /// The page behind a token, with the token of the next.
    fn slice(&self, class: v1::ObjectClass, token: &str) -> (Vec<Object>, String) {
        let all: Vec<&Object> = self.objects.iter().filter(|object| object.class() == class).collect();
        let start: usize = token.parse().unwrap_or(0);
        let size = if self.page == 0 { all.len() } else { self.page };
        let page: Vec<Object> = all.iter().skip(start).take(size).map(|object| (*object).clone()).collect();
        let end = start + page.len();
        (page, if end < all.len() { end.to_string() } else { String::new() })
    }
}

/// The services on a world.
#[derive(Clone)]
struct Fake(Arc<World>);

/// Position of every list.
fn position() -> Option<v1::StreamPosition> {
    Some(v1::StreamPosition { epoch: "e1".to_owned(), sequence: 42 })
}

macro_rules! inventory {
    (lists: $(($list:ident, $list_request:ident, $list_response:ident, $field:ident, $variant:ident),)*
     unserved: $(($get:ident, $get_request:ident, $get_response:ident),)*) => {
        #[tonic::async_trait]
        impl InventoryService for Fake {
            type WatchResourcesStream =
                Pin<Box<dyn Stream<Item = Result<v1::WatchResourcesResponse, Status>> + Send>>;

            $(async fn $list(&self, request: Request<v1::$list_request>) -> Result<Response<v1::$list_response>, Status> {
                let request = request.into_inner();
                self.0.note(format!("{} filter={}", stringify!($list), request.filter))?;
                let (objects, next_page_token) = self.0.slice(v1::ObjectClass::$variant, &request.page_token);
                let inner = objects.into_iter().filter_map(|object| match object {
                    Object::$variant(inner) => Some(inner),
                    _ => None,
                });
                Ok(Response::new(v1::$list_response {
                    $field: inner.collect(),
                    next_page_token,
                    position: position(),
                    incomplete_hosts: self.0.incomplete.clone(),
                    list_status: Some(v1::ListStatus {
                        reason: v1::list_status::Reason::HostsUnreachable.into(),
                        ..v1::ListStatus::default()
                    }),
                    ..v1::$list_response::default()
                }))
            })*

            $(async fn $get(&self, _: Request<v1::$get_request>) -> Result<Response<v1::$get_response>, Status> {
                Err(Status::with_error_details(Code::Unimplemented, stringify!($get), ErrorDetails::new()))
            })*

            async fn get_managed_object(
                &self,
                request: Request<v1::GetManagedObjectRequest>,
            ) -> Result<Response<v1::ManagedObject>, Status> {
                let name = request.into_inner().name;
                self.0.note(format!("get_managed_object {name}"))?;
                let found = self.0.objects.iter().find(|object| object.name() == name);
                let found = found.ok_or_else(|| Status::with_error_details(Code::NotFound, name, ErrorDetails::new()))?;
                Ok(Response::new(v1::ManagedObject { resource: Some(found.clone()), ..v1::ManagedObject::default() }))
            }

            async fn list_related(
                &self,
                _: Request<v1::ListRelatedRequest>,
            ) -> Result<Response<v1::ListRelatedResponse>, Status> {
                let related = self.0.related.clone();
                Ok(Response::new(v1::ListRelatedResponse { related, ..v1::ListRelatedResponse::default() }))
            }

            async fn update_annotations(
                &self,
                request: Request<v1::UpdateAnnotationsRequest>,
            ) -> Result<Response<v1::ManagedObject>, Status> {
                let request = request.into_inner();
                let labels = request.set_labels;
                self.0.note(format!("update_annotations {} {labels:?} {:?}", request.name, request.remove_labels))?;
                Ok(Response::new(v1::ManagedObject::default()))
            }

            async fn set_expectation(
                &self,
                request: Request<v1::SetExpectationRequest>,
            ) -> Result<Response<v1::ManagedObject>, Status> {
                let request = request.into_inner();
                self.0.note(format!("set_expectation {} {:?}", request.name, request.expectation()))?;
                Ok(Response::new(v1::ManagedObject::default()))
            }

            async fn watch_resources(
                &self,
                request: Request<v1::WatchResourcesRequest>,
            ) -> Result<Response<Self::WatchResourcesStream>, Status> {
                let options = request.into_inner().options.unwrap_or_default();
                let after = options.resume_after.map(|position| position.sequence);
                self.0.note(format!("watch_resources after={after:?}"))?;
                let script = self.0.streams.lock().expect("no panic before").pop_front();
                let Some(messages) = script else { return Ok(Response::new(Box::pin(tokio_stream::pending()))) };
                let numbered = messages.into_iter().zip(1..).map(|(message, message_number)| {
                    let position = Some(v1::StreamPosition { epoch: "e1".to_owned(), sequence: 46 });
                    Ok(v1::WatchResourcesResponse { position, message_number, message: Some(message) })
                });
                Ok(Response::new(Box::pin(tokio_stream::iter(numbered.collect::<Vec<_>>()))))
            }
        }
    };
}

inventory! {
    lists:
    (list_clusters, ListClustersRequest, ListClustersResponse, clusters, Cluster),
    (list_hosts, ListHostsRequest, ListHostsResponse, hosts, Host),
    (list_hypervisors, ListHypervisorsRequest, ListHypervisorsResponse, hypervisors, Hypervisor),
    (list_virtual_machines, ListVirtualMachinesRequest, ListVirtualMachinesResponse, virtual_machines, VirtualMachine),
    (list_storage_pools, ListStoragePoolsRequest, ListStoragePoolsResponse, storage_pools, StoragePool),
    (list_volumes, ListVolumesRequest, ListVolumesResponse, volumes, Volume),
    (list_storage_backings, ListStorageBackingsRequest, ListStorageBackingsResponse, storage_backings, StorageBacking),
    (list_networks, ListNetworksRequest, ListNetworksResponse, networks, Network),
    (list_snapshots, ListSnapshotsRequest, ListSnapshotsResponse, snapshots, Snapshot),
    (list_images, ListImagesRequest, ListImagesResponse, images, Image),
    unserved:
    (get_vrm, GetVrmRequest, Vrm),
    (get_cluster, GetClusterRequest, Cluster),
    (get_host, GetHostRequest, Host),
    (get_hypervisor, GetHypervisorRequest, Hypervisor),
    (get_virtual_machine, GetVirtualMachineRequest, VirtualMachine),
    (get_storage_pool, GetStoragePoolRequest, StoragePool),
    (get_volume, GetVolumeRequest, Volume),
    (get_storage_backing, GetStorageBackingRequest, StorageBacking),
    (get_network, GetNetworkRequest, Network),
    (get_snapshot, GetSnapshotRequest, Snapshot),
    (get_image, GetImageRequest, Image),
    (list_managed_objects, ListManagedObjectsRequest, ListManagedObjectsResponse),
    (get_capacity, GetCapacityRequest, GetCapacityResponse),
}

#[tonic::async_trait]
impl AdminService for Fake {
    async fn get_server_info(&self, _: Request<v1::GetServerInfoRequest>) -> Result<Response<v1::ServerInfo>, Status> {
        let total = self.0.objects.iter().filter(|object| object.class() == v1::ObjectClass::Host).count();
        let total = u32::try_from(total).expect("few hosts");
        Ok(Response::new(v1::ServerInfo {
            vrm_id: "dc1-a".to_owned(),
            server_version: "0.1.0".to_owned(),
            profile: v1::Profile::Monitor.into(),
            hosts: Some(v1::HostSummary { total, connected: total, ..v1::HostSummary::default() }),
            ..v1::ServerInfo::default()
        }))
    }

    async fn list_sessions(
        &self,
        _: Request<v1::ListSessionsRequest>,
    ) -> Result<Response<v1::ListSessionsResponse>, Status> {
        let actor = v1::Actor { principal: "san:oss-1".to_owned(), user: "alice".to_owned(), ..v1::Actor::default() };
        let method = "vrm.v1.InventoryService/WatchResources".to_owned();
        let session =
            v1::Session { name: "sessions/7".to_owned(), actor: Some(actor), method, lag: 3, ..v1::Session::default() };
        Ok(Response::new(v1::ListSessionsResponse { sessions: vec![session], ..v1::ListSessionsResponse::default() }))
    }

    async fn get_session(&self, _: Request<v1::GetSessionRequest>) -> Result<Response<v1::Session>, Status> {
        Err(Status::with_error_details(Code::Unimplemented, "get_session", ErrorDetails::new()))
    }

    async fn close_session(
        &self,
        request: Request<v1::CloseSessionRequest>,
    ) -> Result<Response<v1::CloseSessionResponse>, Status> {
        self.0.note(format!("close_session {}", request.into_inner().name))?;
        Ok(Response::new(v1::CloseSessionResponse {}))
    }
}

#[tonic::async_trait]
impl HostService for Fake {
    async fn register_host(
        &self,
        request: Request<v1::RegisterHostRequest>,
    ) -> Result<Response<v1::RegisterHostResponse>, Status> {
        let request = request.into_inner();
        self.0.note(format!(
            "register_host {} {:?} {:?} validate={}",
            request.host_id, request.uris, request.labels, request.validate_only
        ))?;
        let probes = request.uris.iter().map(|uri| v1::EndpointProbe {
            uri: uri.clone(),
            reachable: true,
            technology: "qemu".to_owned(),
            version: "10.0.2".to_owned(),
            libvirt_version: "11.3.0".to_owned(),
            profile_possible: v1::Profile::Manage.into(),
            ..v1::EndpointProbe::default()
        });
        let probes = if request.validate_only { probes.collect() } else { Vec::new() };
        Ok(Response::new(v1::RegisterHostResponse {
            name: format!("hosts/{}", request.host_id),
            probes,
            ..v1::RegisterHostResponse::default()
        }))
    }

    async fn lock_host(&self, request: Request<v1::LockHostRequest>) -> Result<Response<v1::Host>, Status> {
        let request = request.into_inner();
        self.0.note(format!("lock_host {} {:?}", request.name, request.reason))?;
        Ok(Response::new(v1::Host { name: request.name, ..v1::Host::default() }))
    }

    async fn unlock_host(&self, request: Request<v1::UnlockHostRequest>) -> Result<Response<v1::Host>, Status> {
        let request = request.into_inner();
        self.0.note(format!("unlock_host {}", request.name))?;
        Ok(Response::new(v1::Host { name: request.name, ..v1::Host::default() }))
    }

    async fn deregister_host(
        &self,
        request: Request<v1::DeregisterHostRequest>,
    ) -> Result<Response<v1::DeregisterHostResponse>, Status> {
        let request = request.into_inner();
        self.0.note(format!("deregister_host {} force={}", request.name, request.force))?;
        Ok(Response::new(v1::DeregisterHostResponse { removed: Vec::new(), removed_count: 3 }))
    }
}

/// A running fake daemon on a socket of its own.
pub struct Server {
    /// What it serves.
    pub world: Arc<World>,
    directory: tempfile::TempDir,
    stop: Option<oneshot::Sender<()>>,
}

impl Server {
    /// Starts one.
    pub fn start(world: World) -> Self {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let world = Arc::new(world);
        let fake = Fake(Arc::clone(&world));
        let (stop, stopped) = oneshot::channel();
        let path = directory.path().join("vrmd.sock");
        // Bound before this returns, so that nobody can come too early.
        let listener = std::os::unix::net::UnixListener::bind(path).expect("a fresh path");
        listener.set_nonblocking(true).expect("a socket");
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
            runtime.block_on(async move {
                let incoming = UnixListenerStream::new(UnixListener::from_std(listener).expect("a listener"));
                let served = tonic::transport::Server::builder()
                    .add_service(InventoryServiceServer::new(fake.clone()))
                    .add_service(AdminServiceServer::new(fake.clone()))
                    .add_service(HostServiceServer::new(fake))
                    .serve_with_incoming(incoming);
                tokio::select! {
                    _ = served => {}
                    _ = stopped => {}
                }
            });
        });
        Self { world, directory, stop: Some(stop) }
    }

    /// Its address.
    pub fn endpoint(&self) -> String {
        format!("unix:{}", self.directory.path().join("vrmd.sock").display())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(stop) = self.stop.take() {
            let _ = stop.send(());
        }
    }
}
