//! Every Get and every List, and the reads over all classes.

use super::raw::reason;
use super::script::{Script, every_class, host, machine, vm};
use super::server::TestServer;
use prost::Message;
use tonic::Code;
use vrm::model::virtual_machine::RunState;
use vrm::model::{Name, ObjectClass};
use vrm::wire::{json, v1};

/// Calls a method with a JSON request and answers JSON.
async fn call(server: &TestServer, method: &str, request: &str) -> Result<serde_json::Value, tonic::Status> {
    let service = json::pool().get_service_by_name("vrm.v1.InventoryService").unwrap();
    let rpc = service.methods().find(|rpc| rpc.name() == method).unwrap();
    let mut text = serde_json::Deserializer::from_str(request);
    let request = prost_reflect::DynamicMessage::deserialize(rpc.input(), &mut text).unwrap();
    let answer = server.raw().await.call(&format!("vrm.v1.InventoryService/{method}"), request.encode_to_vec()).await?;
    let answer = prost_reflect::DynamicMessage::decode(rpc.output(), answer.as_slice()).unwrap();
    Ok(serde_json::to_value(&answer).unwrap())
}

fn stem(class: ObjectClass) -> String {
    format!("{class:?}")
}

#[tokio::test]
async fn every_class_can_be_got_and_listed() {
    let mut script = Script::new("e1");
    script.populate();
    let server = TestServer::scripted(&script.log).await;
    for (name, class) in every_class() {
        let request = if class == ObjectClass::Vrm { "{}".to_owned() } else { format!("{{\"name\":\"{name}\"}}") };
        let object = call(&server, &format!("Get{}", stem(class)), &request).await.unwrap();
        assert_eq!(object["name"], name.as_str());
        assert_eq!(object["revision"], "1");
        if class == ObjectClass::Vrm {
            continue;
        }
        let list = call(&server, &format!("List{}s", stem(class)), "{}").await.unwrap();
        let field = stem(class).chars().next().unwrap().to_lowercase().to_string() + &stem(class)[1..] + "s";
        assert_eq!(list[&field].as_array().unwrap().len(), 1, "{field}: {list}");
        assert_eq!(list[&field][0]["name"], name.as_str());
        assert_eq!(list["totalSize"], 1);
        assert_eq!(list["position"]["sequence"], "21");
        assert_eq!(list["incompleteHosts"][0], "hosts/kvm-07", "a host that was never read is not complete");
        assert_eq!(list["listStatus"]["state"], "STATE_RELIABLE");
    }
}

#[tokio::test]
async fn what_does_not_exist_or_is_no_name_says_so() {
    let mut script = Script::new("e1");
    script.populate();
    let server = TestServer::scripted(&script.log).await;
    for (name, class) in every_class().into_iter().skip(2) {
        let method = format!("Get{}", stem(class));
        let (parent, _) = name.as_str().rsplit_once('/').unwrap();
        let error = call(&server, &method, &format!("{{\"name\":\"{parent}/nothing\"}}")).await.unwrap_err();
        assert_eq!(error.code(), Code::NotFound, "{method}");
        assert!(reason(&error).ends_with("_NOT_FOUND") && reason(&error) != "OBJECT_NOT_FOUND", "{}", reason(&error));
        for bad in ["", "vrm", "hosts/", "a/b/c", "/", "hosts//networks/x"] {
            let error = call(&server, &method, &format!("{{\"name\":\"{bad}\"}}")).await.unwrap_err();
            assert_eq!(
                (error.code(), reason(&error)),
                (Code::InvalidArgument, "INVALID_FIELD".into()),
                "{method} {bad}"
            );
        }
    }
}

#[tokio::test]
async fn lists_filter_order_and_page() {
    let mut script = Script::new("e1");
    for number in 1..=30 {
        let state = if number % 3 == 0 { RunState::Off } else { RunState::Running };
        script.put(&vm(number), machine(&format!("m-{:02}", 31 - number), state));
    }
    let server = TestServer::scripted(&script.log).await;
    let mut client = server.inventory().await;
    let request = v1::ListVirtualMachinesRequest {
        filter: "run_state = OFF AND host = kvm-07".into(),
        order_by: "display_name".into(),
        page_size: 4,
        ..Default::default()
    };
    let first = client.list_virtual_machines(request.clone()).await.unwrap().into_inner();
    assert_eq!((first.total_size, first.virtual_machines.len()), (10, 4));
    assert_eq!(first.virtual_machines[0].display_name, "m-01");
    let second = v1::ListVirtualMachinesRequest { page_token: first.next_page_token, ..request };
    let second = client.list_virtual_machines(second).await.unwrap().into_inner();
    assert_eq!(second.virtual_machines[0].display_name, "m-13");
}

#[tokio::test]
async fn a_page_ends_at_two_mebibytes() {
    let mut script = Script::new("e1");
    for number in 1..=300 {
        script.put(&vm(number), machine(&"x".repeat(20_000), RunState::Off));
    }
    let server = TestServer::scripted(&script.log).await;
    let mut client = server.inventory().await;
    let mut token = String::new();
    let mut seen = 0;
    let mut pages = 0;
    loop {
        let request = v1::ListVirtualMachinesRequest { page_size: 1_000, page_token: token, ..Default::default() };
        let page = client.list_virtual_machines(request).await.unwrap().into_inner();
        assert!(page.encoded_len() < 2 * 1024 * 1024 + 10_000, "{}", page.encoded_len());
        seen += page.virtual_machines.len();
        pages += 1;
        token = page.next_page_token;
        if token.is_empty() {
            break;
        }
    }
    assert_eq!(seen, 300);
    assert!(pages > 2);
}

#[tokio::test]
async fn objects_are_read_by_dn_and_scope() {
    let mut script = Script::new("e1");
    script.populate();
    let server = TestServer::scripted(&script.log).await;
    let mut client = server.inventory().await;
    let request = v1::GetManagedObjectRequest {
        dn: "VrmFunction=test,Cluster=c1,Host=kvm-07,StoragePool=default".into(),
        attributes: vec!["pool_state".into()],
        ..Default::default()
    };
    let pool = client.get_managed_object(request).await.unwrap().into_inner();
    assert_eq!(pool.name, "hosts/kvm-07/storagePools/default");
    let Some(v1::managed_object::Resource::StoragePool(pool)) = pool.resource else { panic!("a pool") };
    assert!(pool.pool_state != 0 && !pool.uid.is_empty() && pool.etag.is_empty(), "only what was asked for");
    for (scope, level, count) in [
        (v1::ScopeType::BaseOnly, 0, 1),
        (v1::ScopeType::BaseSubtree, 1, 4),
        (v1::ScopeType::BaseNthLevel, 2, 1),
        (v1::ScopeType::BaseSubtree, 0, 5),
        (v1::ScopeType::BaseAll, 0, 5),
        (v1::ScopeType::Unspecified, 0, 5),
    ] {
        let mut names = Vec::new();
        let mut page_token = String::new();
        loop {
            let request = v1::ListManagedObjectsRequest {
                base_name: Name::host(&host()).to_string(),
                scope: scope.into(),
                level,
                page_size: 2,
                page_token,
                ..Default::default()
            };
            let page = client.list_managed_objects(request).await.unwrap().into_inner();
            assert_eq!(page.total_size, count, "{scope:?}");
            names.extend(page.objects.into_iter().map(|object| object.name));
            page_token = page.next_page_token;
            if page_token.is_empty() {
                break;
            }
        }
        names.sort();
        names.dedup();
        assert_eq!(names.len(), usize::try_from(count).unwrap(), "{scope:?}: {names:?}");
    }
    let all = client.list_managed_objects(v1::ListManagedObjectsRequest::default()).await.unwrap().into_inner();
    assert_eq!(all.total_size, 11, "the VRM's subtree is everything");
}

#[tokio::test]
async fn relations_are_followed_both_ways() {
    let mut script = Script::new("e1");
    script.populate();
    let server = TestServer::scripted(&script.log).await;
    let mut client = server.inventory().await;
    let of = |name: Name, direction: v1::RelationDirection| v1::ListRelatedRequest {
        name: name.to_string(),
        direction: direction.into(),
        page_size: 1,
        ..Default::default()
    };
    let forward = client.list_related(of(vm(1), v1::RelationDirection::Forward)).await.unwrap().into_inner();
    assert_eq!(forward.total_size, 3, "contained in the cluster, defined on and running on its host");
    assert_eq!(forward.related.len(), 1);
    let mut request = of(Name::host(&host()), v1::RelationDirection::Backward);
    request.relation = v1::Relation::RunsOn.into();
    let backward = client.list_related(request).await.unwrap().into_inner();
    assert_eq!(backward.related[0].name, vm(1).to_string());
    assert_eq!(backward.related[0].display_name, "web-1");
    assert!(backward.next_page_token.is_empty());
}

/// REQ-CM-FUN-44: objects and relations of every page belong to one position.
#[tokio::test]
async fn the_topology_is_exported_with_its_relations() {
    let mut script = Script::new("e1");
    script.populate();
    let server = TestServer::scripted(&script.log).await;
    let mut client = server.inventory().await;
    let mut told = Vec::new();
    let mut page_token = String::new();
    let mut objects = 0;
    loop {
        let request =
            v1::ListManagedObjectsRequest { include_relations: true, page_size: 3, page_token, ..Default::default() };
        let page = client.list_managed_objects(request).await.unwrap().into_inner();
        assert_eq!(page.position.unwrap().sequence, script.log.head());
        let here: Vec<&str> = page.objects.iter().map(|object| object.name.as_str()).collect();
        assert!(page.relations.iter().all(|one| here.contains(&one.source.as_str())), "with its source");
        objects += page.objects.len();
        told.extend(page.relations.into_iter().map(|one| (one.source.clone(), one.relation(), one.target)));
        page_token = page.next_page_token;
        if page_token.is_empty() {
            break;
        }
    }
    assert_eq!(objects, 11);
    let runs_on = (vm(1).to_string(), v1::Relation::RunsOn, "hosts/kvm-07".to_owned());
    assert!(told.contains(&runs_on), "{told:?}");
    let of_machine = told.iter().filter(|(source, ..)| *source == vm(1).to_string()).count();
    assert_eq!(of_machine, 3, "as listRelated tells them");
    let plain = client.list_managed_objects(v1::ListManagedObjectsRequest::default()).await.unwrap().into_inner();
    assert!(plain.relations.is_empty(), "only if asked for");
}

#[tokio::test]
async fn capacity_is_of_what_has_one() {
    let mut script = Script::new("e1");
    script.populate();
    let server = TestServer::scripted(&script.log).await;
    let mut client = server.inventory().await;
    for name in ["", "cluster", "hosts/kvm-07", "hosts/kvm-07/storagePools/default"] {
        let answer = client.get_capacity(v1::GetCapacityRequest { name: name.into() }).await.unwrap().into_inner();
        assert!(answer.capacity.is_some() && answer.incomplete_hosts == ["hosts/kvm-07"], "{name}: {answer:?}");
    }
    let error = client.get_capacity(v1::GetCapacityRequest { name: vm(1).to_string() }).await.unwrap_err();
    assert_eq!(reason(&error), "INVALID_FIELD");
}

#[tokio::test]
async fn the_server_tells_what_it_is() {
    let script = Script::new("e1");
    let server = TestServer::scripted(&script.log).await;
    let info = server.admin().await.get_server_info(v1::GetServerInfoRequest {}).await.unwrap().into_inner();
    assert_eq!((info.vrm_id.as_str(), info.cluster_id.as_str()), ("test", "c1"));
    assert_eq!(info.head, Some(v1::StreamPosition { epoch: "e1".into(), sequence: 10 }));
    assert_eq!(info.profile(), v1::Profile::Monitor);
    assert!(info.insecure_loopback && info.clock_synchronized.is_none());
    let figures = info.alarm_figures.unwrap();
    assert_eq!((figures.coalesced, figures.handed.unwrap().changes), (0, 0), "what flood control merged is readable");
    assert_eq!(info.limits.unwrap().watches_total, 128);
    let caller = info.caller.unwrap();
    assert!(caller.roles.contains(&"administrator".to_owned()) && caller.permissions.len() > 20);
    assert!(info.supported_operations.iter().all(|operation| operation.available));
    assert!(info.notification_types.contains(&"notifyMOICreation".to_owned()));
    assert!(info.optional_groups.contains(&"validate-only".to_owned()));
    assert_eq!(info.api_versions, ["vrm.v1"]);
}
