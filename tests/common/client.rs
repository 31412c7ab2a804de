//! A client of the generated interface over the unix socket.

use super::waiting::{PATIENCE, pause, wait_for};
use hyper_util::rt::TokioIo;
use std::collections::BTreeMap;
use std::path::Path;
use tonic::Streaming;
use tonic::transport::{Channel, Endpoint};
use tonic_types::StatusExt as _;
use vrm::wire::{health_v1 as health, v1};

/// One connection.
#[derive(Clone, Debug)]
pub struct TestClient {
    channel: Channel,
}

/// What identifies a state of an object, and its class.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Held {
    /// Tells it from a later one of the same name.
    pub uid: String,
    /// Its revision.
    pub revision: u64,
    /// Place of its last change.
    pub sequence: u64,
}

/// The inventory as it was at exactly one position.
#[derive(Clone, Debug)]
pub struct Exact {
    /// Epoch of the log.
    pub epoch: String,
    /// The position.
    pub sequence: u64,
    /// What existed, by name.
    pub objects: BTreeMap<String, Held>,
}

impl TestClient {
    /// Connects.
    pub async fn connect(socket: &Path) -> Result<Self, tonic::transport::Error> {
        let socket = socket.to_owned();
        let connector = tower::service_fn(move |_: http::Uri| {
            let socket = socket.clone();
            async move { tokio::net::UnixStream::connect(socket).await.map(TokioIo::new) }
        });
        let channel = Endpoint::from_static("http://localhost").connect_with_connector(connector).await?;
        Ok(Self { channel })
    }

    /// Connects as soon as somebody listens.
    pub async fn connected(socket: &Path) -> Self {
        loop {
            match Self::connect(socket).await {
                Ok(client) => return client,
                Err(_) => pause().await,
            }
        }
    }

    /// The connection, for calls that no generated client makes.
    pub fn channel(&self) -> Channel {
        self.channel.clone()
    }

    /// The inventory.
    pub fn inventory(&self) -> v1::inventory_service_client::InventoryServiceClient<Channel> {
        v1::inventory_service_client::InventoryServiceClient::new(self.channel.clone())
            .max_decoding_message_size(16 << 20)
            .max_encoding_message_size(16 << 20)
    }

    /// The alarms.
    pub fn alarms(&self) -> v1::alarm_service_client::AlarmServiceClient<Channel> {
        v1::alarm_service_client::AlarmServiceClient::new(self.channel.clone()).max_decoding_message_size(16 << 20)
    }

    /// Registration of hosts.
    pub fn hosts(&self) -> v1::host_service_client::HostServiceClient<Channel> {
        v1::host_service_client::HostServiceClient::new(self.channel.clone())
    }

    /// Active alarms of a type.
    pub async fn active(&self, alarm_type: &str) -> Vec<v1::Alarm> {
        let filter = format!("alarm_type = {alarm_type} AND state = ACTIVE");
        let request = v1::ListAlarmsRequest { filter, ..Default::default() };
        self.alarms().list_alarms(request).await.expect("listed").into_inner().alarms
    }

    pub fn admin(&self) -> v1::admin_service_client::AdminServiceClient<Channel> {
        v1::admin_service_client::AdminServiceClient::new(self.channel.clone())
    }

    /// Whether a service is healthy; false too if nobody answers.
    pub async fn serves(&mut self, service: &str) -> bool {
        let mut client = health::health_client::HealthClient::new(self.channel.clone());
        let request = health::HealthCheckRequest { service: service.to_owned() };
        client
            .check(request)
            .await
            .is_ok_and(|answer| answer.get_ref().status() == health::health_check_response::ServingStatus::Serving)
    }

    /// Epoch and head of the log.
    pub async fn head(&self) -> v1::StreamPosition {
        let answer = self.admin().get_server_info(v1::GetServerInfoRequest {}).await.expect("answers");
        answer.into_inner().head.expect("always there")
    }

    /// Every virtual machine, completely.
    pub async fn machines(&self) -> Vec<v1::VirtualMachine> {
        let request =
            v1::ListVirtualMachinesRequest { page_size: 1_000, view: v1::View::Full.into(), ..Default::default() };
        let answer = self.inventory().list_virtual_machines(request).await.expect("answers").into_inner();
        assert!(answer.next_page_token.is_empty(), "one page holds all");
        answer.virtual_machines
    }

    /// Every host.
    pub async fn all_hosts(&self) -> Vec<v1::Host> {
        let request = v1::ListHostsRequest { page_size: 1_000, ..Default::default() };
        self.inventory().list_hosts(request).await.expect("answers").into_inner().hosts
    }

    /// Waits until every host was read since the start.
    pub async fn synchronized(&self) -> Vec<v1::Host> {
        let (hosts, _) = wait_for("every host is synchronised", PATIENCE, async || {
            let hosts = self.all_hosts().await;
            (!hosts.is_empty() && hosts.iter().all(|host| host.synchronized)).then_some(hosts)
        })
        .await;
        hosts
    }

    /// Every object of every class, with a position at or before which it was true.
    pub async fn list(&self, filter: &str) -> (v1::StreamPosition, BTreeMap<String, Held>) {
        let mut objects = BTreeMap::new();
        let mut page_token = String::new();
        loop {
            let request = v1::ListManagedObjectsRequest {
                page_size: 1_000,
                page_token,
                filter: filter.to_owned(),
                ..Default::default()
            };
            let answer = self.inventory().list_managed_objects(request).await.expect("answers").into_inner();
            objects.extend(answer.objects.iter().map(|object| {
                (object.name.clone(), of_resource(object.resource.as_ref().expect("a class")).expect("a class we know"))
            }));
            if answer.next_page_token.is_empty() {
                return (answer.position.expect("always there"), objects);
            }
            page_token = answer.next_page_token;
        }
    }

    /// The inventory at exactly one position: read until nothing changed while it was read.
    pub async fn exact(&self, filter: &str) -> Exact {
        let mut before = self.head().await;
        let (exact, _) = wait_for("a moment without changes", PATIENCE, async || {
            let (position, objects) = self.list(filter).await;
            let after = self.head().await;
            let still = position == before && after == before;
            before = after;
            still.then_some(Exact { epoch: position.epoch, sequence: position.sequence, objects })
        })
        .await;
        exact
    }

    /// Begins a stream.
    pub async fn watch(
        &self,
        request: v1::WatchResourcesRequest,
    ) -> Result<Streaming<v1::WatchResourcesResponse>, tonic::Status> {
        Ok(self.inventory().watch_resources(request).await?.into_inner())
    }
}

macro_rules! classes {
    ($($class:ident),*) => {
        /// State of a listed object; nothing for a class not known here.
        pub fn of_resource(resource: &v1::managed_object::Resource) -> Option<Held> {
            use v1::managed_object::Resource;
            match resource {
                $(Resource::$class(object) => Some(Held {
                    uid: object.uid.clone(),
                    revision: object.revision,
                    sequence: object.last_change_sequence,
                }),)*
            }
        }

        /// Name and state of a changed object.
        pub fn of_change(change: &v1::ResourceChange) -> Option<(String, Held)> {
            use v1::resource_change::Resource;
            match change.resource.as_ref()? {
                $(Resource::$class(object) => Some((object.name.clone(), Held {
                    uid: object.uid.clone(),
                    revision: object.revision,
                    sequence: object.last_change_sequence,
                })),)*
            }
        }
    };
}
classes!(Vrm, Cluster, Host, Hypervisor, VirtualMachine, StoragePool, Volume, StorageBacking, Network, Snapshot, Image);

/// Shorthand for tests of the checker.
pub fn held(uid: &str, revision: u64, sequence: u64) -> Held {
    Held { uid: uid.to_owned(), revision, sequence }
}

/// The word of an error's ErrorInfo, e.g. `STORE_FULL`.
pub fn reason(status: &tonic::Status) -> String {
    status.get_error_details().error_info().map(|info| info.reason.clone()).unwrap_or_default()
}
