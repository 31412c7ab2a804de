use super::*;
use crate::model::virtual_machine::{RunState, VirtualDisk, VirtualMachine, VmDefinition};
use crate::model::{Body, HostId, Name, Object, ObjectClass, ResourceState, Timestamp};
use crate::wire::json;
use std::sync::Arc;

const HOUR: i64 = 3_600_000_000;

fn vm(display_name: &str, run_state: RunState) -> Object {
    let definition = VmDefinition {
        vcpus_current: 4,
        disks: vec![VirtualDisk { target: "vda".into(), source: "/images/a.qcow2".into(), ..Default::default() }],
        ..Default::default()
    };
    let vm = VirtualMachine {
        display_name: display_name.into(),
        host: HostId::parse("kvm-07").ok(),
        run_state,
        persistent: true,
        definition: Arc::new(definition),
        source_labels: [("tier".to_owned(), "web".to_owned())].into(),
        ..Default::default()
    };
    Object {
        name: Name::virtual_machine(uuid::Uuid::from_u128(5)),
        uid: uuid::Uuid::from_u128(5),
        revision: 3,
        created_sequence: 1,
        last_change_sequence: 9,
        create_time: Timestamp(HOUR),
        change_time: Timestamp(2 * HOUR),
        state: ResourceState::default(),
        annotations: Default::default(),
        body: Body::VirtualMachine(Box::new(vm)),
    }
}

fn holds(filter: &str, object: &Object) -> bool {
    parse(filter, &object_fields(&[]))
        .unwrap_or_else(|error| panic!("{filter}: {error}"))
        .matches(object, Timestamp(4 * HOUR))
}

#[test]
fn filters_that_hold() {
    let object = vm("web-1", RunState::Running);
    for filter in [
        "",
        "  ",
        "display_name = \"web-1\"",
        "display_name = web*",
        "display_name = *1",
        "display_name = *eb*",
        "display_name:\"WEB\"",
        "display_name:\"Web*\"",
        "display_name != web-2",
        "run_state = RUNNING",
        "run_state = running",
        "run_state = RUN_STATE_RUNNING",
        "run_state:running",
        "run_state != off",
        "host = kvm-07",
        "host = hosts/kvm-07",
        "host = kvm*",
        "persistent = true",
        "autostart = FALSE",
        "revision >= 3 AND revision < 4",
        "definition.vcpus_current = 4",
        "definition.disks.source = \"/images/*\"",
        "definition.disks.target:vda",
        "labels.tier = web",
        "labels.tier:*",
        "NOT labels.zone:*",
        "labels.zone != a",
        "labels.\"odd key\" != a",
        "age > 2h AND age < 4h",
        "age > 1h30m",
        "create_time < \"1970-01-01T02:00:00Z\"",
        "-(run_state = off)",
        "not run_state = off and not run_state = paused",
        "(run_state = off OR run_state = running) AND host = kvm-07",
        "state.unknown = false",
        "state.operational = disabled",
        "state.availability != failed",
        "object_class = virtual-machine",
        "technology = \"\"",
    ] {
        assert!(holds(filter, &object), "{filter}");
    }
}

#[test]
fn filters_that_do_not_hold() {
    let object = vm("web-1", RunState::Running);
    for filter in [
        "display_name = WEB-1",
        "display_name = web",
        "run_state = off",
        "NOT run_state = running",
        "labels.zone = a",
        "labels.zone:*",
        "definition.disks.source != \"/images/a.qcow2\"",
        "expectation = running",
        "expectation:*",
        "revision > 3",
        "pool_state = running",
        "definition.title:*",
    ] {
        assert!(!holds(filter, &object), "{filter}");
    }
}

#[test]
fn bad_filters_say_where_and_what() {
    for (filter, at, says) in [
        ("run_state", 9, "expected an operator"),
        ("run_state =", 11, "expected a value"),
        ("run_state = x", 12, "there is no"),
        ("nothing = 1", 0, "there are"),
        ("labels = x", 0, "no field"),
        ("labels. = x", 0, "no field"),
        ("a AND", 0, "no field"),
        ("revision = x", 11, "no number"),
        ("host < kvm", 7, "no order"),
        ("revision = 1 revision = 2", 13, "expected AND"),
        ("revision = 1 AND revision = 2 OR revision = 3", 30, "parentheses"),
        ("(revision = 1", 13, "closing parenthesis"),
        ("revision = 1)", 12, "expected AND"),
        ("display_name = \"a", 15, "unclosed"),
        ("display_name = \"a\\q\"", 18, "escape"),
        ("display_name = a*b", 15, "start and at the end"),
        ("revision ! 1", 9, "operator"),
        ("age < 2", 6, "span of time"),
        ("create_time > 2026", 14, "in quotes"),
        ("persistent = maybe", 13, "neither"),
        ("revision = 1 AND ", 17, "expected a field"),
        ("\u{0}", 0, "unexpected"),
        ("display_name = ä;", 17, "unexpected"),
    ] {
        let error = parse(filter, &object_fields(&[])).unwrap_err();
        assert!(error.message.contains(says), "{filter:?}: {error}");
        assert_eq!(error.at, at, "{filter:?}: {error}");
    }
}

#[test]
fn bounds_hold() {
    let fields = object_fields(&[]);
    assert!(parse(&"x".repeat(1_025), &fields).unwrap_err().message.contains("1024"));
    let terms = |count| vec!["revision = 1"; count].join(" OR ");
    assert!(parse(&terms(32), &fields).is_ok());
    assert!(parse(&terms(33), &fields).is_err());
    let deep = |depth| format!("{}revision = 1{}", "(".repeat(depth), ")".repeat(depth));
    assert!(parse(&deep(8), &fields).is_ok());
    assert!(parse(&deep(9), &fields).unwrap_err().message.contains("deeper"));
    assert!(parse(&"NOT ".repeat(200), &fields).unwrap_err().message.contains("deeper"));
    assert!(parse(&"-".repeat(1_000), &fields).is_err());
}

#[test]
fn fields_of_one_name_have_one_kind() {
    let fields = object_fields(&[]);
    for field in &fields {
        for other in fields.iter().filter(|other| other.name == field.name) {
            assert_eq!(std::mem::discriminant(&field.kind), std::mem::discriminant(&other.kind), "{}", field.name);
        }
    }
}

/// The proto comments list exactly the fields there are.
#[test]
fn the_interface_documents_every_field() {
    let pool = json::pool();
    let comment_of = |path: &[i32], file: &prost_types::FileDescriptorProto| {
        let info = file.source_code_info.clone().unwrap();
        let place = info.location.iter().find(|place| place.path == path).unwrap().leading_comments().to_owned();
        place.split_whitespace().collect::<Vec<_>>().join(" ")
    };
    let service = pool.get_service_by_name("vrm.v1.InventoryService").unwrap();
    let file = service.parent_file().file_descriptor_proto().clone();
    let common = comment_of(&[6, 0], &file);
    for field in object_fields(&[ObjectClass::Vrm]) {
        let name = if field.name == "labels" { "labels.KEY" } else { field.name };
        assert!(common.contains(name), "InventoryService does not mention {name}");
    }
    for (at, message) in file.message_type.iter().enumerate() {
        let Some(class) = ObjectClass::RESOURCES.into_iter().find(|class| {
            let stem = format!("{class:?}");
            [format!("List{stem}sRequest"), format!("List{stem}Request")].contains(&message.name().to_owned())
        }) else {
            continue;
        };
        let comment = comment_of(&[4, i32::try_from(at).unwrap()], &file);
        let said: Vec<&str> = comment.split("and ").nth(1).unwrap().trim_end_matches('.').split(", ").collect();
        let mut own: Vec<&str> = object_fields(&[class]).iter().map(|field| field.name).collect();
        own.retain(|name| !object_fields(&[ObjectClass::Vrm]).iter().any(|field| field.name == *name));
        for name in &own {
            assert!(said.contains(name), "{} does not mention {name}", message.name());
        }
        assert_eq!(said.len(), own.len(), "{}: {said:?}", message.name());
    }
}

#[test]
fn the_alarm_service_documents_every_field() {
    let service = json::pool().get_service_by_name("vrm.v1.AlarmService").unwrap();
    let file = service.parent_file().file_descriptor_proto().clone();
    let info = file.source_code_info.unwrap();
    let place = info.location.iter().find(|place| place.path == [6, 0]).unwrap();
    let comment = place.leading_comments().split_whitespace().collect::<Vec<_>>().join(" ");
    let list = comment.split("Filterable fields of alarms: ").nth(1).unwrap().split(". A base object").next().unwrap();
    // Remarks in parentheses say nothing of names.
    let mut plain = String::new();
    let mut depth = 0;
    for character in list.chars() {
        match character {
            '(' => depth += 1,
            ')' => depth -= 1,
            _ if depth == 0 => plain.push(character),
            _ => {}
        }
    }
    let said: Vec<&str> = plain.split(',').map(str::trim).collect();
    let fields = object_fields(&[ObjectClass::Alarm]);
    let names: Vec<String> = fields
        .iter()
        .map(|field| if field.name == "attributes" { "attributes.KEY".into() } else { field.name.to_owned() })
        .collect();
    assert_eq!(said, names);
}

proptest::proptest! {
    #[test]
    fn nothing_makes_the_parser_panic(text in "\\PC{0,200}|[a-z_.()=<>!:*\"' -]{0,200}") {
        let _ = parse(&text, &object_fields(&[]));
    }
}
